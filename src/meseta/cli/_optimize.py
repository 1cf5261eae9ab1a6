"""`meseta optimize`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import typer

from meseta.cli import _optimize_options as of
from meseta.cli import _options as opt
from meseta.cli._confirm import confirm_folder
from meseta.cli._console import make_console
from meseta.cli._guard import command
from meseta.cli._progress import watch
from meseta.cli._run import command_line, say_first_use
from meseta.errors import ArgumentError, RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from meseta.optimize_config import OptimizeConfig
    from meseta.pipeline import OptimizePlan, OptimizeResult

__all__ = ["register"]

_NONE_FEASIBLE = 2
_CONSTRAINTS = (
    "min_sharpe", "max_drawdown", "min_trades", "min_win_rate", "min_profit_factor", "min_calmar",
)  # fmt: skip
_RENAMED = {"study_name": "name", "startup": "startup_trials", "null": "null_markets"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    examples = (
        "meseta optimize --strategy hedge_grid --bars BTCUSDT_1m.parquet "
        "--funding BTCUSDT_funding.csv --trials 100\n"
        "meseta optimize --symbol BTCUSDT --source binance --interval 1m --start 2025-01-01 "
        "--end 2025-06-30 --preset fast-1m\n"
        "meseta optimize -b backtest.yaml -s hedge_grid_v1.yaml -n 200 --study-name btc\n"
        "meseta optimize -b backtest.yaml -s hedge_grid_v1.yaml -n 400 --study-name btc --resume\n"
        "meseta optimize --bars BTC_5m.csv --funding BTC_funding.csv --bars ETH_5m.csv "
        "--funding ETH_funding.csv --aggregate worst\n"
        "meseta optimize --bars BTC_5m.csv --null 20 --walk-forward --instrument tick=0.01 "
        "--instrument min_notional=5\n"
        "meseta optimize --strategy atr_d_ls --grid phase1_slim --bars QQQ.csv --capital 100000 "
        "-n 500\n"
        "meseta optimize --strategy xbar --space my_space.yaml --bars QQQ.csv --sampler nsga2"
    )
    command(app, "optimize", panel=opt.SEARCH, examples=examples)(_optimize)


def _optimize(
    *,
    config: of.Config = None,
    backtest_config: of.BacktestConfig = None,
    strategy_config: of.StrategyConfig = None,
    bars: of.Bars = None,
    funding: of.Funding = None,
    mark: of.Mark = None,
    allow_gaps: of.AllowGaps = None,
    start: of.Start = None,
    end: of.End = None,
    bar_size: of.BarSize = None,
    session_open: opt.SessionOpen = None,
    bars2: opt.Bars2 = None,
    timezone: opt.Timezone = None,
    date_order: opt.DateOrder = None,
    allow_nonpositive: opt.Nonpositive = None,
    allow_dropped: opt.AllowDropped = None,
    warmup: opt.Warmup = None,
    symbol: opt.Symbol = None,
    symbol2: opt.Symbol2 = None,
    source: opt.Source = None,
    interval: opt.Interval = None,
    basis: opt.Basis = None,
    session: opt.Session = None,
    fetch: opt.Fetch = None,
    calendar: opt.Calendar = None,
    store: opt.Store = None,
    strategy: of.Strategy = None,
    preset: of.Preset = None,
    space: of.Space = None,
    grid: of.Grid = None,
    trials: of.Trials = None,
    sampler: of.Sampler = None,
    startup: of.Startup = None,
    seed: opt.Seed = None,
    batch: of.Batch = None,
    workers: of.Workers = None,
    timeout: of.Timeout = None,
    pruner: of.Pruner = None,
    segments: of.Segments = None,
    adaptive: of.Adaptive = None,
    aggregate: of.Aggregate = None,
    storage: of.Storage = None,
    weights: of.Weights = None,
    profit_metric: of.ProfitMetric = None,
    min_sharpe: of.MinSharpe = None,
    max_drawdown: of.MaxDrawdown = None,
    min_trades: of.MinTrades = None,
    min_win_rate: of.MinWinRate = None,
    min_profit_factor: of.MinProfitFactor = None,
    min_calmar: of.MinCalmar = None,
    lenient: of.Lenient = None,
    vault: of.Vault = None,
    null: of.Null = None,
    walk_forward: of.WalkForward = None,
    in_sample: of.InSample = None,
    out_of_sample: of.OutOfSample = None,
    unit: of.Unit = None,
    transfer: of.Transfer = None,
    capital: opt.Capital = None,
    instrument: of.Instrument = None,
    cost_per_share: opt.CostPerShare = None,
    commission: opt.Commission = None,
    slippage: opt.Slippage = None,
    lot: opt.Lot = None,
    contracts: opt.Contracts = None,
    point_value: opt.PointValue = None,
    tick: opt.Tick = None,
    roll_cost: opt.RollCost = None,
    rolls: opt.Rolls = None,
    out: opt.Out = None,
    study_name: of.StudyName = None,
    report: opt.ReportFlag = None,
    best_infeasible: of.BestInfeasible = None,
    export_csv: of.ExportCsv = None,
    db_path: of.EnterDb = None,
    confirm: of.Confirm = None,
    verbose: of.Verbose = True,
    resume: of.Resume = False,
    force: opt.Force = False,
) -> None:
    """Search a strategy's parameters by Bayesian optimisation, and doubt what is found.

    A study draws parameters where earlier trials scored, back-tests them on what comes before the
    vault, and keeps every trial. The best that meets six constraints is run once in the vault and
    held against what as many trials of noise would find. Its parameters go to a strategy file.

    Any strategy can be searched: hedge_grid, a ladder of orders on each side of a perpetual's
    price, and all that `meseta strategies` lists. Exit code 2 where no trial meets the
    constraints.
    """
    given = _given(locals())
    from meseta.optimize_config import load_optimize_config
    from meseta.pipeline import require_exports

    paths = [path for path in (config, backtest_config) if path is not None]
    loaded = load_optimize_config(paths, given)
    top = _trials_to_confirm(loaded, confirm)
    planned = _planned(loaded, resume=resume, verbose=verbose)
    require_exports(planned, export_csv, db_path)
    result = _study(planned, resume=resume, force=force, verbose=verbose)
    _export(result, export_csv, db_path)
    if result.summary["best"] is None:
        raise typer.Exit(_NONE_FEASIBLE)
    if top:
        _confirm_best(result.folder, top, asked=confirm is not None)


def _confirm_best(folder: Path, top: int, *, asked: bool) -> None:
    """Run the best by events; a study is no failure where nobody asked for that."""
    typer.echo()
    try:
        confirm_folder(folder, top=top)
    except RunError as error:
        if asked:
            raise
        typer.echo(f"Note: the study is finished, and not confirmed: {error}", err=True)


def _trials_to_confirm(config: OptimizeConfig, asked: int | None) -> int:
    """Return how many of the best run on the event-driven engine too, before work starts."""
    from meseta.confirm import require_engine

    alone = config.hedge and not config.further
    if asked and not alone:
        raise ArgumentError(
            f"`confirm` is for the hedge grid on one market, got {asked}; leave --confirm out"
        )
    try:
        require_engine()
    except ArgumentError:
        if asked:
            raise
        return 0
    return int(alone) if asked is None else asked


def _planned(config: OptimizeConfig, *, resume: bool, verbose: bool) -> OptimizePlan:
    """Check what is asked against the data, which may have to be fetched."""
    from meseta.pipeline import plan_optimize

    with watch(make_console(stderr=True)) as display:
        return plan_optimize(config, resume=resume, progress=display if verbose else None)


def _study(planned: OptimizePlan, *, resume: bool, force: bool, verbose: bool) -> OptimizeResult:
    """Say what will be done, do it, and say what was found."""
    from meseta import pipeline
    from meseta.bayes._storage import without_password
    from meseta.cli._optimize_tables import show_plan, show_result

    console = make_console()
    if verbose:
        show_plan(console, planned)
        say_first_use(console)
        console.file.flush()
    began = time.monotonic()
    with watch(make_console(stderr=True)) as display:
        try:
            result = pipeline.optimize(
                planned,
                command=command_line(sys.argv),
                resume=resume,
                force=force,
                progress=display if verbose else None,
            )
        except KeyboardInterrupt as error:
            again = [part for part in sys.argv if part not in {"--force", "--resume"}]
            line = without_password(command_line([*again, "--resume"]))
            error.add_note(f"What was finished is kept. Continue with:\n  {line}")
            raise
    took = time.monotonic() - began
    show_result(console, result, took, planned.warnings if verbose else ())
    return result


def _export(result: OptimizeResult, csv: Path | None, db: Path | None) -> None:
    from meseta.pipeline import enter_results, write_trials_csv

    if csv is not None:
        write_trials_csv(csv, result.result.trials, result.plan.space.order)
        typer.echo(f"Trials: {csv}")
    if db is not None:
        enter_results(db, result.folder, result.plan.name, result.plan.space)
        typer.echo(f"Results: {db}")


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, by the names of `OptimizeConfig`."""
    without = {
        "config", "backtest_config", "confirm", "export_csv", "db_path", "verbose", "resume",
        "force",
    }  # fmt: skip
    given = {
        _RENAMED.get(name, name): value
        for name, value in params.items()
        if value not in (None, []) and name not in without
    }
    limits = {name: given.pop(name) for name in _CONSTRAINTS if name in given}
    objective = _pairs("weights", [part for part in given.pop("weights", "").split(",") if part])
    if "profit_metric" in given:
        objective["profit_metric"] = given.pop("profit_metric")
    groups = {
        "constraints": limits,
        "objective": objective,
        "instrument": _pairs("instrument", given.pop("instrument", [])),
    }
    return given | {name: group for name, group in groups.items() if group}


def _pairs(option: str, parts: Sequence[str]) -> dict[str, Any]:
    """Return NAME=VALUE as a mapping, with numbers, true, false and null as YAML has them."""
    import yaml

    pairs: dict[str, Any] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ArgumentError(f"`{option}` must be NAME=VALUE, got {part!r}")
        pairs[name.strip()] = yaml.safe_load(value)
    return pairs
