"""One plateau's part of the report: its curves and its finalists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.report._charts import Curve, equity_chart
from meseta.report._sampling import thinned
from meseta.report._trade_stats import by_reason, by_side, sells_short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meseta._types import FloatArray
    from meseta.report._figures import Figures
    from meseta.report._run import Manifest, Plateau, Run
    from meseta.report._spans import Span
    from meseta.report._trade_stats import Tally

__all__ = ["PlateauView", "TradeRow", "centre_curve", "plateau_views"]

_BEST = 20  # thin curves behind the centre
_TABLE = 10  # rows of the finalists' table
_OPEN = 3  # plateaus that are unfolded when the page opens
_ALL_POINTS = 600_000  # of every curve of the page, which keeps it near 8 MB
_METRICS = (
    "net_profit",
    "cagr_pct",
    "max_drawdown_pct",
    "profit_factor",
    "trades",
    "win_rate",
    "sharpe",
    "mar",
    "exposure",
    "worst_trade",
)
_VAULT_METRICS = ("vault_return_pct", "vault_max_drawdown_pct", "vault_trades")


@dataclass(frozen=True)
class PlateauView:
    """What the template shows of one plateau.

    Attributes
    ----------
    plateau
        As it stands in `plateaus.json`.
    unfolded
        Whether it is open when the page opens.
    chart
        Name of its figure; None when no equity was kept.
    drawn, points
        How many curves the chart has, and how many points each at most.
    total
        Number of its finalists.
    finalists
        The first rows of its table: the centre, then the best by stability.
    metrics, vault_metrics
        The columns of that table that the run has.
    trades
        The centre's trades by side, then by reason of exit; empty where no trades were kept.
    """

    plateau: Plateau
    unfolded: bool
    chart: str | None
    drawn: int
    points: int
    total: int
    finalists: list[dict[str, Any]]
    metrics: list[str]
    vault_metrics: list[str]
    trades: list[TradeRow]


@dataclass(frozen=True)
class TradeRow:
    """The centre's trades of one side or one exit reason: before the vault, and in it."""

    history: Tally
    vault: Tally | None


def plateau_views(run: Run, spans: Sequence[Span], figures: Figures) -> list[PlateauView]:
    """Build the view of every plateau, best first."""
    ranked = sorted(run.plateaus.plateaus, key=lambda plateau: plateau.rank)
    return [
        _view(run, plateau, spans, figures, unfolded=position < _OPEN)
        for position, plateau in enumerate(ranked)
    ]


def _view(
    run: Run, plateau: Plateau, spans: Sequence[Span], figures: Figures, *, unfolded: bool
) -> PlateauView:
    members = _members(run, plateau)
    columns = [] if members is None else members.columns
    points = _points(run)
    curves, fall = ([], None) if members is None else _curves(run, members, points)
    chart = None
    if curves:
        figure = equity_chart(curves[0], curves[1:], spans, fall=fall)
        chart = figures.add(f"plateau-{plateau.rank}", figure)
    rows = [] if members is None else members.head(_TABLE).to_dicts()
    return PlateauView(
        plateau=plateau,
        unfolded=unfolded,
        chart=chart,
        drawn=len(curves),
        points=points,
        total=0 if members is None else len(members),
        finalists=[row | {"parameters": _parameters(run.manifest, row)} for row in rows],
        metrics=[name for name in _METRICS if name in columns],
        vault_metrics=_vault_metrics(run.manifest, columns),
        trades=[] if members is None else _trades(run, members["finalist"][0]),
    )


def centre_curve(run: Run, label: str, points: int) -> Curve | None:
    """Equity of the centre of the best plateau, broken at the vault; None where none was kept.

    Parameters
    ----------
    run
        Where it is read from.
    label
        What the pointer shows.
    points
        Largest number of points, about.
    """
    centre = None if run.best is None else run.centre(run.best)
    if centre is None or run.equity is None:
        return None
    whole = _history(run.equity, [centre["finalist"]])
    return None if whole.is_empty() else _curve(label, _kept(whole, points))


def _trades(run: Run, finalist: int) -> list[TradeRow]:
    if run.trades is None:
        return []
    mine = run.trades.filter(pl.col("finalist") == finalist).collect()
    before, unseen = (mine.filter(pl.col("span") == span) for span in ("history", "vault"))
    sides = list(zip(by_side(before), by_side(unseen), strict=True)) if sells_short(mine) else []
    later = {tally.label: tally for tally in by_reason(unseen)}
    known = {tally.label: tally for tally in by_reason(before)}
    reasons = [
        (known.get(each.label, each.none()), later.get(each.label, each.none()))
        for each in by_reason(mine)
    ]
    vault = run.manifest.vault is not None
    return [TradeRow(first, last if vault else None) for first, last in [*sides, *reasons]]


def _members(run: Run, plateau: Plateau) -> pl.DataFrame | None:
    """Finalists of a plateau: the centre first, then by stability; None when it has none."""
    if run.finalists is None:
        return None
    members = run.finalists.filter(pl.col("plateau") == plateau.rank)
    order = [pl.col("role") != "centre", pl.col("stability") * -1, pl.col("flat")]
    return None if members.is_empty() else members.sort(order, nulls_last=True)


def _parameters(manifest: Manifest, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in manifest.grid.values if name in row}


def _vault_metrics(manifest: Manifest, columns: Sequence[str]) -> list[str]:
    if manifest.vault is None:
        return []
    return [name for name in _VAULT_METRICS if name in columns]


def _points(run: Run) -> int:
    curves = 0 if run.finalists is None else len(run.finalists)
    return max(200, min(1200, _ALL_POINTS // max(curves, 1)))


def _curves(run: Run, members: pl.DataFrame, points: int) -> tuple[list[Curve], FloatArray | None]:
    """Curves of the first member and at most 20 more, and the first one's drawdown."""
    if run.equity is None:
        return [], None
    shown = members.head(_BEST + 1)
    first, *others = shown["finalist"].to_list()
    centre = _history(run.equity, [first])
    if centre.is_empty():
        return [], None
    drawn = _kept(centre, points)
    rest = _history(run.equity, others, drawn["time"])
    labels = dict(zip(shown["finalist"], shown["flat"], strict=True))
    parts = rest.partition_by("finalist", as_dict=True)
    curves = [_curve(f"centre, number {labels[first]}", drawn)]
    curves += [_curve(f"number {labels[one]}", parts[one,]) for one in others if (one,) in parts]
    return curves, _broken(drawn, "drawdown")


def _history(
    equity: pl.LazyFrame, finalists: list[int], times: pl.Series | None = None
) -> pl.DataFrame:
    rows = equity.filter(pl.col("finalist").is_in(finalists))
    if times is not None:
        rows = rows.filter(pl.col("time").is_in(times.implode()))
    columns = ["finalist", "time", "equity", "drawdown", "span"]
    return rows.select(columns).sort("finalist", "time").collect()


def _kept(frame: pl.DataFrame, points: int) -> pl.DataFrame:
    """Fewer points, lows and highs of equity and the deepest drawdowns kept."""
    level = thinned(frame["equity"].to_numpy(), points * 2 // 3)
    depth = thinned(frame["drawdown"].to_numpy(), points // 3)
    return frame[np.union1d(level, depth)]


def _curve(label: str, frame: pl.DataFrame) -> Curve:
    times = frame["time"].to_numpy()
    return Curve(label, np.insert(times, _breaks(frame), times[_breaks(frame)]), _broken(frame))


def _broken(frame: pl.DataFrame, column: str = "equity") -> FloatArray:
    """Values with a NaN where the vault begins, so that no line joins two simulations."""
    return np.insert(frame[column].to_numpy().astype(np.float64), _breaks(frame), np.nan)


def _breaks(frame: pl.DataFrame) -> list[int]:
    spans = frame["span"].to_list()
    return [i for i in range(1, len(spans)) if spans[i] != spans[i - 1]]
