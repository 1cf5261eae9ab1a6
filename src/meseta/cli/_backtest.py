"""`meseta backtest`: one parameter set over one window."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from meseta.cli import _options as opt
from meseta.cli._account import account_of, contract_of
from meseta.cli._console import count, day, facts, make_console, number, table
from meseta.cli._guard import command
from meseta.cli._progress import watch
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    import polars as pl

    from meseta.account import Account, Contract
    from meseta.bars import Bars
    from meseta.engine import Simulation, Trade, Window
    from meseta.strategies import Strategy

__all__ = ["register"]

_SPLIT = 0.6
_WARMUP = 100
_MOST_TRADES = 200  # rows on the terminal; all are in --json and --html
_JSON_TRADE = ("entry_bar", "exit_bar", "dir", "fill", "exit", "shares", "reason", "pnl")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    values = (
        "atr_period=16 atr_multiplier=6 bb_length=25 bb_deviation=2 vol_threshold=0.12 "
        "min_tightening=0.4 scaling_method=0 atr_buy_period=10 atr_buy_multiplier=0.6 "
        "atr_smooth_period=5 equity_price_method=0"
    )
    shown = " ".join(f"--set {value}" for value in values.split())
    examples = (
        f"meseta backtest atr_d_l --bars sample:nasdaq --capital 100000 {shown}\n"
        "meseta backtest atr_d_l --bars QQQ.csv --set ... --window 500:1200:1600\n"
        "meseta backtest atr_d_l --bars QQQ.csv --set ... "
        "--window 2014-01-01:2017-01-01:2018-12-31\n"
        "meseta backtest atr_d_l --bars QQQ.csv --set ... --json - | jq .report\n"
        "meseta backtest atr_d_duals_l --bars TQQQ.csv --bars2 QQQ.csv --set ...\n"
        "meseta backtest xbar --symbol SMH --source yahoo --start 2010-01-01 --set xbar=20\n"
        "meseta backtest xbar --bars CL.csv --allow-nonpositive --set xbar=20 --contracts 1 "
        "--point-value 1000 --tick 0.01 --roll-cost 25 --rolls monthly"
    )
    command(app, "backtest", panel=opt.SEARCH, examples=examples)(_backtest)


def _backtest(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="See `meseta strategies`.")],
    bars: opt.Bars = None,
    bars2: opt.Bars2 = None,
    symbol: opt.Symbol = None,
    symbol2: opt.Symbol2 = None,
    source: opt.Source = None,
    interval: opt.Interval = None,
    basis: opt.Basis = None,
    session: opt.Session = None,
    start: opt.Start = None,
    end: opt.End = None,
    fetch: opt.Fetch = None,
    calendar: opt.Calendar = None,
    store: opt.Store = None,
    allow_dropped: opt.AllowDropped = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A parameter; one for each, see `meseta strategies STRATEGY`.",
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="A:O:Z",
            help="Rows A to Z-1 of the data are traded and from O on they are out-of-sample; or "
            "three dates: start, split, last day. Default: all after the warm-up, split at 60 %.",
        ),
    ] = None,
    engine: Annotated[
        Literal["fast", "reference"],
        typer.Option(
            help="The search's tables (of a kernel strategy or a contract, a compiled loop over "
            "bars), or every bar's path in plain Python; both give the same trades."
        ),
    ] = "fast",
    capital: opt.Capital = None,
    cost_per_share: opt.CostPerShare = None,
    commission: opt.Commission = None,
    slippage: opt.Slippage = None,
    lot: opt.Lot = None,
    contracts: opt.Contracts = None,
    point_value: opt.PointValue = None,
    tick: opt.Tick = None,
    roll_cost: opt.RollCost = None,
    rolls: opt.Rolls = None,
    timezone: opt.Timezone = None,
    date_order: opt.DateOrder = None,
    allow_nonpositive: opt.Nonpositive = None,
    warmup: opt.Warmup = None,
    json_file: opt.Json = None,
    html_file: opt.Html = None,
) -> None:
    """Trade one parameter set and show every trade."""
    given = {name: value for name, value in locals().items() if value is not None}
    from meseta.engine import backtest
    from meseta.strategies import find_strategy

    chosen = find_strategy(strategy)
    set_ = parse_values(values or [])
    account = account_of(
        capital=capital,
        cost_per_share=cost_per_share,
        commission=commission,
        slippage=slippage,
        lot=lot,
    )
    series = _load(chosen, given)
    waited = _WARMUP if warmup is None else warmup
    rows = parse_window(window, series, waited)
    contract = contract_of(
        series,
        contracts=contracts,
        point_value=point_value,
        tick=tick,
        roll_cost=roll_cost,
        rolls=rolls,
    )
    made = backtest(
        series, chosen, set_, rows, account, warmup=waited, engine=engine, contract=contract
    )
    if html_file is not None:
        _write_page(html_file, series, chosen, set_, account, contract, made)
    if json_file is not None:
        _write_json(json_file, made)
    if json_file != Path("-"):
        unit = "contracts" if contract and contract.quantity else "shares"
        _show(series, made, unit)
        for path in (json_file, html_file):
            if path is not None:
                typer.echo(f"Written: {path}")


def _load(strategy: Strategy, given: dict[str, Any]) -> Bars:
    """Load the bars that options ask for, and say where a symbol's are doubtful."""
    from meseta.config import parse_options
    from meseta.pipeline._series import load_series
    from meseta.series_config import SeriesConfig

    options = {name: given[name] for name in SeriesConfig.model_fields if name in given}
    config = parse_options(SeriesConfig, options)
    console = make_console(stderr=True)
    with watch(console) as progress:
        bars = load_series([strategy], config, progress)
    for finding in bars.warnings if config.symbol or config.symbol2 else ():
        console.print(f"Note: {finding.message}", soft_wrap=True)
    return bars


def parse_values(settings: list[str]) -> dict[str, float]:
    """Read ``name=value`` texts.

    Raises
    ------
    ArgumentError
        A text has another form, its value is no number, or a name is given twice.
    """
    found: dict[str, float] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not name:
            raise ArgumentError(f"`--set` takes name=value, got {setting!r}")
        if name in found:
            raise ArgumentError(f"`--set` takes each name once, got `{name}` twice")
        try:
            found[name] = int(text) if text.lstrip("+-").isdigit() else float(text)
        except ValueError as error:
            raise ArgumentError(f"`{name}` must be a number, got {text!r}") from error
    return found


def parse_window(text: str | None, bars: Bars, warmup: int) -> Window:
    """Read rows or dates ``A:O:Z``; without text everything after the warm-up, split at 60 %.

    Raises
    ------
    ArgumentError
        The text is neither three rows nor three dates, or nothing is left after the warm-up.
    """
    from meseta.engine import Window

    if text is None:
        if len(bars) - warmup < 3:
            raise ArgumentError(
                f"`warmup` must leave at least 3 of {len(bars)} bars to trade, got {warmup}"
            )
        return Window(warmup, warmup + int((len(bars) - warmup) * _SPLIT), len(bars))
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 3 and all(part.isdigit() for part in parts):
        return Window(*map(int, parts))
    try:
        a, o, z = map(datetime.fromisoformat, parts)
    except ValueError as error:
        raise ArgumentError(
            "`window` must be A:O:Z with three rows, 500:1000:1400, or three dates, "
            f"2014-01-01:2017-01-01:2018-12-31, got {text!r}"
        ) from error
    if len(parts[2]) == 10:  # a date alone includes its whole day
        z = datetime.combine(z.date(), time.max)
    return Window(_row(bars, a, "left"), _row(bars, o, "left"), _row(bars, z, "right"))


def _row(bars: Bars, moment: datetime, side: Literal["left", "right"]) -> int:
    import numpy as np

    return int(np.searchsorted(bars.time, np.datetime64(moment, "us"), side=side))


def _write_json(path: Path, made: Simulation) -> None:
    from meseta._files import write_json

    document = {
        "trades": [_json_trade(trade) for trade in made.trades],
        "report": made.report._asdict(),
    }
    if path == Path("-"):
        json.dump(document, sys.stdout, indent=2, allow_nan=False)
        sys.stdout.write("\n")
    else:
        write_json(path, document)


def _json_trade(trade: Trade) -> dict[str, Any]:
    whole = trade._asdict()
    return {name: whole[name] for name in _JSON_TRADE}


def _show(bars: Bars, made: Simulation, unit: str) -> None:
    console = make_console()
    shown = made.trades[:_MOST_TRADES]
    rows = [
        (
            day(bars.time[t.entry_bar]),
            day(bars.time[t.exit_bar]),
            "long" if t.dir > 0 else "short",
            _price(t.fill),
            _price(t.exit),
            f"{t.shares:,g}",
            t.reason,
            number(t.pnl),
        )
        for t in shown
    ]
    heads = ("entry", "exit", "side", "fill", "exit price", unit, "reason", "profit")
    table(console, f"{count(len(made.trades))} trades", heads, rows, left=3)
    if len(shown) < len(made.trades):
        console.print(f"The first {len(shown)} trades are shown; --json and --html have all.\n")
    _show_report(bars, made)


def _price(price: float) -> str:
    return number(price, 2 if price >= 100 else 4)


def _show_report(bars: Bars, made: Simulation) -> None:
    window, report = made.window, made.report
    console = make_console()
    rows = [
        ("first bar", day(bars.time[window.start]), day(bars.time[window.split])),
        ("last bar", day(bars.time[window.split - 1]), day(bars.time[window.stop - 1])),
        ("profit", number(report.is_pnl), number(report.oos_pnl)),
        ("trades", count(report.is_trades), count(report.oos_trades)),
        ("largest drawdown", number(report.is_maxdd), number(report.oos_maxdd)),
    ]
    table(console, "Report", ("", "in-sample", "out-of-sample"), rows)
    facts(console, [("Window", f"{window.start}:{window.split}:{window.stop} (rows)")])


def _write_page(
    path: Path,
    bars: Bars,
    strategy: Strategy,
    values: dict[str, float],
    account: Account,
    contract: Contract | None,
    made: Simulation,
) -> None:
    import numpy as np

    from meseta.bars._finding import UNREACHABLE
    from meseta.report import Span, write_backtest_page

    start, split, stop = made.window
    margin = (stop - start) // 20
    shown = slice(max(start - margin, 0), min(stop + margin, len(bars)))
    equity, second = np.full(len(bars), np.nan), bars.second
    equity[start:stop] = made.equity
    report = made.report
    write_backtest_page(
        path,
        title=f"{strategy.name} on {bars.name}" + (f" with {second.name}" if second else ""),
        time=bars.time[shown],
        close=bars.close[shown],
        equity=equity[shown],
        trades=_trade_frame(bars, made.trades),
        report={
            side: {
                "net_profit": getattr(report, f"{prefix}_pnl"),
                "trades": getattr(report, f"{prefix}_trades"),
                "max_drawdown": getattr(report, f"{prefix}_maxdd"),
            }
            for side, prefix in (("in-sample", "is"), ("out-of-sample", "oos"))
        },
        assumptions={"data": bars.source, **values, **asdict(account), **_told(contract)},
        stand_in=[f.message for f in bars.warnings if f.code == UNREACHABLE],
        contracts=contract is not None and contract.quantity is not None,
        spans=(
            Span("in-sample", bars.time[start], bars.time[split - 1], "window"),
            Span("validation", bars.time[split], bars.time[stop - 1], "window"),
        ),
    )


def _told(contract: Contract | None) -> dict[str, Any]:
    """Return what a contract assumes, the rolls by their number."""
    if contract is None:
        return {}
    known = {"contracts": contract.quantity or "the whole equity"}
    names = ("point_value", "tick", "roll_cost")
    return known | {n: getattr(contract, n) for n in names} | {"rolls": len(contract.rolls)}


def _trade_frame(bars: Bars, trades: tuple[Trade, ...]) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    from meseta.engine import Trade

    kinds = {"entry_bar": pl.Int64, "exit_bar": pl.Int64, "dir": pl.Int64, "reason": pl.String}
    schema = {name: kinds.get(name, pl.Float64) for name in Trade._fields}
    frame = pl.DataFrame(trades, schema=schema, orient="row")
    entry, exit_ = (
        bars.time[np.array([getattr(t, name) for t in trades], np.int64)]
        for name in ("entry_bar", "exit_bar")
    )
    return frame.with_columns(
        entry_time=pl.Series(entry, dtype=pl.Datetime("us")),
        exit_time=pl.Series(exit_, dtype=pl.Datetime("us")),
    )
