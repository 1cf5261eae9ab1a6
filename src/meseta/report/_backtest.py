"""The page of a single back-test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.errors import ArgumentError
from meseta.report._charts import Trades, backtest_chart
from meseta.report._figures import Figures
from meseta.report._format import metric, metric_label, moment
from meseta.report._page import write_page
from meseta.report._statements import CONTRACT_COSTS, SHORT_COSTS, made_up
from meseta.report._trade_stats import by_reason, by_side, sells_short

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from meseta._types import FloatArray, TimeArray
    from meseta.report._spans import Span

__all__ = ["write_backtest_page"]

_ROWS = 2000  # trades in the table; the first and the last half of these when there are more
_COLUMNS = ("entry_time", "exit_time", "dir", "fill", "exit", "shares", "reason", "costs", "pnl")
_TEXT = {"dir", "reason", "entry_time", "exit_time"}


@dataclass(frozen=True)
class _Table:
    """Metrics in rows, parts of the history in columns."""

    heads: list[str]
    rows: list[tuple[str, list[str]]]


def write_backtest_page(
    path: Path,
    *,
    title: str,
    time: TimeArray,
    close: FloatArray,
    equity: FloatArray,
    trades: pl.DataFrame,
    report: Mapping[str, Any],
    assumptions: Mapping[str, Any],
    spans: Sequence[Span] = (),
    contracts: bool = False,
    stand_in: Sequence[str] = (),
) -> Path:
    """Write one self-contained HTML page about one back-test.

    Parameters
    ----------
    path
        Where the page goes; replaced as a whole.
    title
        Heading, for example "atr_d_l on TQQQ". If it or a text among `assumptions` says "made
        up", the page says at its top that the data are.
    time, close
        (N,) bars.
    equity
        (N,) money at every close; NaN where nothing was simulated.
    trades
        One row per trade with at least `entry_time`, `exit_time`, `fill`, `exit` and `pnl`;
        `dir` (1 long, -1 short), `shares`, `reason` and `costs` are shown when present. May be
        empty.
    report
        Metric name to value; a value that is itself a mapping is a part of the history (for
        example "in-sample"), which gets a column of its own. Names that end in `_pct` are in
        percent, `win_rate` and `exposure` are fractions.
    assumptions
        What was assumed, name to text or value: parameters, slippage, costs, fills.
    spans
        Windows to shade and to draw below the chart.
    contracts
        Whether a fixed number of contracts was traded; the page then says what that leaves out.
    stand_in
        Why stored bars stand in for those of a source; said at the top.

    Returns
    -------
    `path`.

    Raises
    ------
    ArgumentError
        The arrays differ in length, hold nothing, or `trades` lacks a column.
    RunError
        The page cannot be written.
    """
    _check(time, close, equity, trades)
    figures = Figures()
    chart = figures.add("backtest", backtest_chart(time, close, equity, _marks(trades), spans))
    return write_page(
        path,
        "backtest.html.j2",
        figures,
        title=title,
        first=moment(time[0]),
        last=moment(time[-1]),
        bars=len(time),
        chart=chart,
        kinds=sorted({span.kind for span in spans}),
        table=_table(report),
        made_up=_invented(title, assumptions),
        stand_in=stand_in,
        shorts=sells_short(trades),
        short_costs=None if contracts else SHORT_COSTS,
        contract_costs=CONTRACT_COSTS if contracts else None,
        ruined=int((equity <= 0).sum()),
        tallies=(by_side(trades) if sells_short(trades) else []) + by_reason(trades),
        assumptions=[(name, metric("", value)) for name, value in assumptions.items()],
        columns=[name for name in _COLUMNS if name in trades.columns],
        text_columns=_TEXT,
        trades=_shown(trades),
        total=len(trades),
    )


def _check(time: TimeArray, close: FloatArray, equity: FloatArray, trades: pl.DataFrame) -> None:
    lengths = {"time": len(time), "close": len(close), "equity": len(equity)}
    if len(set(lengths.values())) != 1 or not len(time):
        raise ArgumentError(f"`time`, `close` and `equity` need one length above 0, got {lengths}")
    needed = {"entry_time", "exit_time", "fill", "exit", "pnl"} - set(trades.columns)
    if needed:
        raise ArgumentError(f"`trades` lacks {sorted(needed)}; it has {trades.columns}")


def _invented(title: str, assumptions: Mapping[str, Any]) -> list[str] | None:
    """Return assumptions that say that the data are made up; None where nothing says so."""
    said = made_up(value for value in assumptions.values() if isinstance(value, str))
    return said if said or made_up([title]) else None


def _marks(trades: pl.DataFrame) -> Trades:
    return Trades(
        trades["entry_time"].to_numpy(),
        trades["fill"].to_numpy().astype(np.float64),
        trades["exit_time"].to_numpy(),
        trades["exit"].to_numpy().astype(np.float64),
        trades["dir"].to_numpy() < 0 if "dir" in trades.columns else None,
    )


def _shown(trades: pl.DataFrame) -> list[dict[str, Any]]:
    numbered = trades.with_row_index("number", offset=1)
    if len(trades) <= _ROWS:
        return numbered.to_dicts()
    half = _ROWS // 2
    return [*numbered.head(half).to_dicts(), *numbered.tail(half).to_dicts()]


def _table(report: Mapping[str, Any]) -> _Table:
    parts = {name: part for name, part in report.items() if isinstance(part, Mapping)}
    whole = {name: value for name, value in report.items() if name not in parts}
    columns = ({"": whole} if whole else {}) | parts
    names = dict.fromkeys(name for part in columns.values() for name in part)
    rows = [
        (metric_label(name), [metric(name, part.get(name)) for part in columns.values()])
        for name in names
    ]
    return _Table([name.replace("_", " ") for name in columns], rows)
