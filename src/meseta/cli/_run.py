"""`meseta run`, `meseta demo` and `meseta rescore`."""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from meseta.cli import _options as opt
from meseta.cli._console import make_console
from meseta.cli._guard import command
from meseta.cli._progress import watch
from meseta.cli._report import find_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer
    from rich.console import Console

    from meseta.config import RunConfig

__all__ = ["command_line", "register", "say_first_use"]

_GATES = (
    "min_efficiency",
    "max_drawdown_to_profit",
    "max_drawdown_to_in_sample",
    "min_drawdown",
    "min_trades",
)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    examples = (
        "meseta demo\nmeseta demo --strategy atr_d_ls\n"
        "meseta demo --strategy atr_d_duals_ls --out /tmp/runs"
    )
    command(app, "demo", panel=opt.SEARCH, examples=examples)(_demo)
    examples = (
        "meseta run --bars QQQ.csv --grid phase1_slim --capital 100000 --name qqq\n"
        "meseta run --symbol SMH --source yahoo --grid phase1_slim --capital 100000\n"
        "meseta run --bars QQQ.csv --grid my_grid.yaml --phases my_phases.yaml --vault 24\n"
        "meseta run --bars QQQ.csv --strategy atr_d_ls --sample 1000000 --seed 7\n"
        "meseta run --bars TQQQ.csv --bars2 QQQ.csv --strategy atr_d_duals_l --grid ts_coarse\n"
        "meseta run config.yaml --slippage 0.02 --min-trades 5 --force\n"
        "meseta run config.yaml --resume"
    )
    command(app, "run", panel=opt.SEARCH, examples=examples)(_run)
    examples = (
        "meseta rescore qqq --min-efficiency 0.5\n"
        "meseta rescore runs/qqq --axes atr_period,bb_length --min-cell 20"
    )
    command(app, "rescore", panel=opt.SEARCH, examples=examples)(_rescore)


def _run(
    *,
    config: opt.ConfigFile = None,
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
    strategy: opt.StrategyName = None,
    expand: opt.Expand = None,
    grid: opt.Grid = None,
    sample: opt.Sample = None,
    sample_method: opt.SampleMethod = None,
    seed: opt.Seed = None,
    phases: opt.Phases = None,
    vault: opt.Vault = None,
    max_combinations: opt.MaxCombinations = None,
    capital: opt.Capital = None,
    cost_per_share: opt.CostPerShare = None,
    commission: opt.Commission = None,
    slippage: opt.Slippage = None,
    lot: opt.Lot = None,
    min_efficiency: opt.MinEfficiency = None,
    max_drawdown_to_profit: opt.MaxDrawdownToProfit = None,
    max_drawdown_to_in_sample: opt.MaxDrawdownToInSample = None,
    min_drawdown: opt.MinDrawdown = None,
    min_trades: opt.MinTrades = None,
    axes: opt.Axes = None,
    min_cell: opt.MinCell = None,
    timezone: opt.Timezone = None,
    date_order: opt.DateOrder = None,
    allow_nonpositive: opt.Nonpositive = None,
    warmup: opt.Warmup = None,
    out: opt.Out = None,
    name: opt.Name = None,
    report: opt.ReportFlag = None,
    csv: opt.Csv = None,
    threads: opt.Threads = None,
    resume: opt.Resume = False,
    force: opt.Force = False,
) -> None:
    """Search every combination of a grid, keep what holds up, and find plateaus.

    The search reads the history before the vault. Each phase has an in-sample side and a
    validation side; the gates read both, so validation is no proof. The vault is opened once at
    the end for the finalists, and every opening is counted.

    A strategy with simpler variants is searched together with them and compared, each with its
    number of combinations; each opens the vault once.
    """
    overrides = _given(locals(), "config", "resume", "force")
    from meseta.config import load_config

    loaded = load_config(config, overrides)
    _search(loaded, resume=resume, force=force)


def _demo(
    *,
    strategy: opt.StrategyName = None,
    out: opt.Out = None,
    threads: opt.Threads = None,
    report: opt.ReportFlag = None,
    resume: opt.Resume = False,
) -> None:
    """Search 58 million combinations on the Nasdaq composite index, and write a report.

    With --strategy another strategy and its simpler variants are searched on a coarse grid
    instead; those that read a second symbol trade a leveraged fund made up from the index.

    The index stands near 7,000 points at the end of the sample and shares are whole, so that the
    account starts with 100,000 instead of 10,000: the smaller one could buy a single share. The
    sample ends in 2018 and an index cannot be bought; this shows the way, not a result.
    """
    from meseta.config import load_config

    given = {"out": out, "threads": threads, "report": report}
    overrides = {name: value for name, value in given.items() if value is not None}
    fixed = _demo_options(strategy) | {"capital": 100_000.0}
    _search(load_config(None, fixed | overrides), resume=resume, force=True)


def _demo_options(name: str | None) -> dict[str, Any]:
    from meseta.config import RunConfig
    from meseta.strategies import find_strategy

    usual = RunConfig.model_fields["strategy"].default
    strategy = find_strategy(name or usual)
    if strategy.name == usual:
        return {"bars": "sample:nasdaq", "grid": "phase1_slim", "name": "demo"}
    fund = {"bars": "sample:nasdaq-3x", "bars2": "sample:nasdaq"}
    return {
        **(fund if strategy.second else {"bars": "sample:nasdaq"}),
        "strategy": name,
        "grid": "ts_coarse",
        "name": f"demo-{strategy.name}",
    }


def _rescore(
    *,
    run: opt.RunArgument,
    min_efficiency: opt.MinEfficiency = None,
    max_drawdown_to_profit: opt.MaxDrawdownToProfit = None,
    max_drawdown_to_in_sample: opt.MaxDrawdownToInSample = None,
    min_drawdown: opt.MinDrawdown = None,
    min_trades: opt.MinTrades = None,
    axes: opt.Axes = None,
    min_cell: opt.MinCell = None,
) -> None:
    """Score a finished search again with other gates or axes, without searching.

    Options left out stay as they were in the run. Its variants are scored again with it; axes
    change where a variant has them. All finalists look at the vault again, which is counted.
    """
    changes = _given(locals(), "run")
    from meseta import pipeline
    from meseta.cli._run_tables import show_result

    began = time.monotonic()
    with watch(make_console(stderr=True)) as progress:
        try:
            result = pipeline.rescore(
                find_run(run), **changes, command=command_line(sys.argv), progress=progress
            )
        except KeyboardInterrupt as error:
            error.add_note(f"The search is kept. Score it again with:\n  {command_line(sys.argv)}")
            raise
    show_result(make_console(), result, time.monotonic() - began)


def _search(config: RunConfig, *, resume: bool, force: bool) -> None:
    """Say what will be done, do it, and say what was found."""
    from meseta import pipeline
    from meseta.cli._run_tables import show_plan, show_result

    console = make_console()
    with watch(make_console(stderr=True)) as progress:
        planned = pipeline.plan(config, resume=resume, progress=progress)
    show_plan(console, config, planned)
    say_first_use(console)
    console.file.flush()
    began = time.monotonic()
    with watch(make_console(stderr=True)) as progress:
        try:
            result = pipeline.run(
                config,
                planned=planned,
                command=command_line(sys.argv),
                resume=resume,
                force=force,
                progress=progress,
            )
        except KeyboardInterrupt as error:
            again = [part for part in sys.argv if part not in {"--force", "--resume"}]
            error.add_note(
                "What was finished is kept. Continue with:\n"
                f"  {command_line([*again, '--resume'])}"
            )
            raise
    show_result(console, result, time.monotonic() - began)


def command_line(arguments: list[str]) -> str:
    """Return what was typed, as it can be typed again."""
    return shlex.join(["meseta", *arguments[1:]])


def say_first_use(console: Console) -> None:
    """Say that kernels are compiled where they have not been yet."""
    from meseta._numba import first_use

    if first_use():
        console.print("First use on this machine: compiling takes some 20 s, once.\n")


def _given(params: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """Return the arguments that were given, as `load_config` and `rescore` take them."""
    given = {k: v for k, v in params.items() if v is not None and k not in without}
    gates = {name: given.pop(name) for name in _GATES if name in given}
    if gates:
        given["gates"] = gates
    if "axes" in given:
        given["axes"] = tuple(name.strip() for name in given["axes"].split(","))
    return given
