"""`meseta walkforward` and `meseta matrix`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from meseta.cli import _options as opt
from meseta.cli import _walkforward_options as wf
from meseta.cli._console import make_console
from meseta.cli._guard import command
from meseta.cli._progress import watch
from meseta.cli._report import find_run
from meseta.cli._run import command_line, say_first_use

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import typer

    from meseta.walkforward_config import WalkForwardConfig

__all__ = ["register"]

_CRITERIA = {
    "min_profit": "min_profit",
    "min_efficiency": "min_efficiency",
    "min_winning": "min_winning",
    "min_profit_to_drawdown": "min_profit_to_drawdown",
    "min_cell_trades": "min_trades",
}


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    examples = (
        "meseta walkforward --strategy xbar --bars sample:nasdaq --in 504 --out 126\n"
        "meseta walkforward --strategy atr_d_l --grid ts_coarse --bars QQQ.csv --capital 100000\n"
        "meseta walkforward --strategy ma_cross --symbol BTCUSDT --source binance --interval 5m "
        "--start 2022-01-01 --bar-size 4h --capital 100000 --lot 0.001\n"
        "meseta walkforward --strategy xbar --bars CL_15m.csv.gz --timezone America/New_York "
        "--allow-nonpositive --bar-size 360m --contracts 1 --point-value 1000 "
        "--cost-per-share 5 --slippage 0.01 --capital 100000\n"
        'meseta walkforward --strategy ma_cross --bars QQQ.csv --matrix "252,504,756x63,126,252" '
        "--fitness sharpe --min-trades 10\n"
        "meseta walkforward --strategy xbar --bars QQQ.csv --unit months --in 24 --out 6 "
        "--anchored --policy close\n"
        "meseta walkforward project.yaml\n"
        "meseta walkforward project.yaml --resume"
    )
    command(app, "walkforward", panel=opt.SEARCH, examples=examples)(_walkforward)
    examples = (
        "meseta matrix walkforward-xbar-QQQ-504-126 --min-efficiency 0.3\n"
        "meseta matrix runs/walkforward-xbar-QQQ-504-126 --min-winning 0.6 --min-profit 10000"
    )
    command(app, "matrix", panel=opt.SEARCH, examples=examples)(_matrix)


def _walkforward(
    *,
    file: wf.ProjectOrConfig = None,
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
    bar_size: wf.BarSize = None,
    session_open: wf.SessionOpen = None,
    strategy: wf.Strategy = None,
    grid: wf.Grid = None,
    sample: opt.Sample = None,
    sample_method: opt.SampleMethod = None,
    seed: opt.Seed = None,
    max_combinations: opt.MaxCombinations = None,
    in_sample: wf.InSample = None,
    out_of_sample: wf.OutOfSample = None,
    unit: wf.Unit = None,
    anchored: wf.Anchored = None,
    purge: wf.Purge = None,
    fitness: wf.Fitness = None,
    min_trades: wf.MinWindowTrades = None,
    keep: wf.Keep = None,
    exact: wf.Exact = None,
    policy: wf.Policy = None,
    matrix: wf.Matrix = None,
    min_profit: wf.MinProfit = None,
    min_efficiency: wf.WindowEfficiency = None,
    min_winning: wf.MinWinning = None,
    min_profit_to_drawdown: wf.MinProfitToDrawdown = None,
    min_cell_trades: wf.MinMatrixTrades = None,
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
    runs: wf.Runs = None,
    name: wf.Name = None,
    report: opt.ReportFlag = None,
    threads: opt.Threads = None,
    resume: opt.Resume = False,
    force: opt.Force = False,
) -> None:
    """Walk a strategy forward: choose in-sample, trade out-of-sample, move on.

    Every combination is simulated once over the whole history; windows are read from its equity
    curve. What was chosen is then traded again as one account in which the parameters change, and
    the gap between the two is explained boundary by boundary.

    With a project file the same is done for symbols x bar sizes x strategies.
    """
    given = _given(locals(), "file", "resume", "force")
    from meseta.pipeline import is_project

    if file is not None and is_project(file):
        from meseta.cli._project import run_project_file

        run_project_file(file, given, resume=resume, force=force)
        return
    from meseta.walkforward_config import load_walkforward_config

    _walk(load_walkforward_config(file, given), resume=resume, force=force)


def _walk(config: WalkForwardConfig, *, resume: bool, force: bool) -> None:
    """Say what will be done, do it, and say what was found."""
    from meseta import pipeline
    from meseta.cli._walkforward_tables import show_plan, show_result

    console = make_console()
    with watch(make_console(stderr=True)) as progress:
        planned = pipeline.plan_walkforward(config, resume=resume, progress=progress)
    show_plan(console, planned)
    say_first_use(console)
    console.file.flush()
    began = time.monotonic()
    with watch(make_console(stderr=True)) as progress:
        try:
            result = pipeline.walk_forward(
                config,
                planned=planned,
                command=command_line(sys.argv),
                resume=resume,
                force=force,
                progress=progress,
            )
        except KeyboardInterrupt as error:
            again = [part for part in sys.argv if part not in {"--force", "--resume"}]
            line = command_line([*again, "--resume"])
            error.add_note(f"What was finished is kept. Continue with:\n  {line}")
            raise
    show_result(console, result, time.monotonic() - began)


def _matrix(
    *,
    run: opt.RunArgument,
    min_profit: wf.MinProfit = None,
    min_efficiency: wf.WindowEfficiency = None,
    min_winning: wf.MinWinning = None,
    min_profit_to_drawdown: wf.MinProfitToDrawdown = None,
    min_cell_trades: wf.MinMatrixTrades = None,
) -> None:
    """Judge the matrix of a finished walk-forward by other criteria, without running it again.

    Criteria left out stay as they were. Each look at the matrix is a selection on out-of-sample
    results: the more often criteria are changed, the less the block that passes says.
    """
    criteria = _given(locals(), "run").get("criteria", {})
    from meseta import pipeline
    from meseta.cli._walkforward_tables import show_matrix

    path: Path = find_run(run)
    made = pipeline.rescore_matrix(path, criteria, command=command_line(sys.argv))
    show_matrix(make_console(), made.folder, made.manifest)


def _given(params: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """Return the options that were given, by the names of `WalkForwardConfig`."""
    given = {k: v for k, v in params.items() if v is not None and k not in without}
    criteria = {new: given.pop(old) for old, new in _CRITERIA.items() if old in given}
    if criteria:
        given["criteria"] = criteria
    if "runs" in given:
        given["out"] = given.pop("runs")
    return given
