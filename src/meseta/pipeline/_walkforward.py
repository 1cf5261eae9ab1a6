"""Walk-forward runs: planned, searched, traded again, written into a run folder."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta.bars import resample
from meseta.engine._terms import require_sizes
from meseta.errors import RunError
from meseta.pipeline._manifest import data_of, environment_of, now, time_of
from meseta.pipeline._progress import Progress
from meseta.pipeline._series import data_name, kept_if_alike, load_series
from meseta.runs import RunFolder
from meseta.search import thread_count
from meseta.strategies import SeparableStrategy, find_strategy, load_grid, sample_grid
from meseta.walkforward import Criteria, find_fitness, plan_windows
from meseta.walkforward._walked import Pair, Request, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from meseta._types import IntArray
    from meseta.account import Contract
    from meseta.bars import Bars
    from meseta.pipeline._progress import Listener
    from meseta.strategies import Grid, Strategy
    from meseta.walkforward import RollingPlan, WalkForward
    from meseta.walkforward._walked import Walked
    from meseta.walkforward_config import WalkForwardConfig

__all__ = [
    "WalkForwardPlan",
    "WalkForwardResult",
    "changes_of",
    "kept_plan",
    "plan_walkforward",
    "rescore_matrix",
    "walk_forward",
    "walkforward_name",
]

_GROWN = (
    "net_profit of accounts that reinvest is larger for combinations that had grown before the "
    "window; a ratio (--fitness sharpe, mar, ...) or a fixed quantity (--contracts) does not "
    "favour them"
)
# Options that do not change what is found.
_FREE = {"threads", "report", "out", "name", "max_combinations", "fetch", "store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForwardPlan:
    """A walk-forward, checked against its data before any work is done.

    Parameters
    ----------
    config
        What was asked.
    bars, strategy, grid, contract
        What is simulated.
    flats
        Numbers of the combinations of a sample, int64; None for the whole grid.
    windows
        The windows of the chosen lengths.
    cells
        Those of the matrix, which share one out-of-sample period; none without one.
    """

    config: WalkForwardConfig
    bars: Bars
    strategy: Strategy
    grid: Grid
    contract: Contract
    flats: IntArray | None
    windows: RollingPlan
    cells: tuple[Pair, ...]

    @property
    def combinations(self) -> int:
        """How many combinations are simulated."""
        return self.grid.size if self.flats is None else int(self.flats.size)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before it starts."""
        found = [finding.message for finding in self.bars.warnings]
        found += self.windows.notes
        if self.contract.quantity is None and self.config.fitness == "net_profit":
            found.append(_GROWN)
        return tuple(found)

    def request(self) -> Request:
        """Return what is asked of the search, and of trading what it chooses."""
        config = self.config
        return Request(
            bars=self.bars,
            strategy=self.strategy,
            grid=self.grid,
            windows=self.windows,
            cells=self.cells,
            account=config.account,
            contract=self.contract,
            warmup=config.warmup,
            fitness=find_fitness(config.fitness),
            min_trades=config.min_trades,
            keep=config.keep,
            exact=config.exact,
            policy=config.policy,
            criteria=Criteria(**config.criteria.model_dump()),
            flats=self.flats,
        )


@dataclass(frozen=True, slots=True)
class WalkForwardResult:
    """A finished walk-forward: its folder, its manifest, and what is in its tables."""

    folder: Path
    manifest: dict[str, Any]
    made: Walked | None
    report: Path | None


def walkforward_name(config: WalkForwardConfig) -> str:
    """Return the name of the run's folder."""
    if config.name:
        return config.name
    size = f"-{config.bar_size}" if config.bar_size else ""
    lengths = f"{config.in_sample}-{config.out_of_sample}"
    name = find_strategy(config.strategy).name
    return f"walkforward-{name}-{data_name(config)}{size}-{lengths}"


def plan_walkforward(
    config: WalkForwardConfig,
    bars: Bars | None = None,
    *,
    resume: bool = False,
    progress: Listener | None = None,
) -> WalkForwardPlan:
    """Check a configuration against its data.

    Parameters
    ----------
    config
        What to do.
    bars
        The series in its finest bars, where it was loaded before.
    resume
        Take the bars that an unfinished run kept where its source may have others by now.
    progress
        Is told of fetching, or None.

    Raises
    ------
    ArgumentError
        An option breaks a rule, or a grid has more combinations than allowed.
    DataError
        The data cannot be used, or are too short for the windows.
    SourceError
        A source does not answer, and nothing that is stored can stand in.
    """
    kept = kept_plan(config) if resume else None
    return kept or _plan(
        config,
        lambda used: _sized(config, bars or load_series([used], config, progress)),
    )


def kept_plan(config: WalkForwardConfig) -> WalkForwardPlan | None:
    """Plan a walk-forward that was begun on the bars that it kept.

    None where nothing was begun, where other options or data were asked for, or where the data
    are read again anyway; see `meseta.pipeline._series.kept_if_alike`.

    Raises
    ------
    RunError
        What was kept is damaged.
    """
    folder = RunFolder(Path(config.out) / walkforward_name(config))
    kept = kept_if_alike(folder, config)
    if kept is None:
        return None
    planned = _plan(config, lambda _used: kept)
    return None if changes_of(folder.manifest(), planned) else planned


def _plan(config: WalkForwardConfig, series_for: Callable[[Strategy], Bars]) -> WalkForwardPlan:
    """Plan on a series that is asked for when the options have been checked."""
    strategy = find_strategy(config.strategy)
    grid = load_grid(config.grid, strategy.parameters)
    flats = None
    if config.sample is not None and config.sample < grid.size:
        flats = sample_grid(grid, config.sample, seed=config.seed, method=config.sample_method)
    else:
        grid.require_at_most(config.max_combinations)
    find_fitness(config.fitness)
    series = series_for(strategy)
    strategy.require(series)
    contract = config.contract(series)
    require_sizes(series, contract)
    return WalkForwardPlan(
        config=config,
        bars=series,
        strategy=strategy,
        grid=grid,
        contract=contract,
        flats=flats,
        windows=_planned(config, series, config.spec),
        cells=_cells(config, series),
    )


def _sized(config: WalkForwardConfig, bars: Bars) -> Bars:
    """Return bars of the size asked for."""
    if config.bar_size is None:
        return bars
    return resample(bars, config.bar_size, opens=config.session_open)


def _cells(config: WalkForwardConfig, bars: Bars) -> tuple[Pair, ...]:
    """Plan the matrix: every cell is out-of-sample from the same bar on, so that they compare."""
    if config.matrix is None:
        return ()
    insides, outsides = config.matrix["in_sample"], config.matrix["out_of_sample"]
    first = _planned(config, bars, config.spec_of(max(insides), outsides[0])).first_out
    return tuple(
        Pair(*pair, _planned(config, bars, config.spec_of(*pair), first))
        for pair in product(insides, outsides)
    )


def _planned(
    config: WalkForwardConfig, bars: Bars, spec: WalkForward, first_out: int | None = None
) -> RollingPlan:
    return plan_windows(
        bars, spec, warmup=config.warmup, first_out=first_out, opens=config.session_open
    )


def walk_forward(
    config: WalkForwardConfig,
    *,
    planned: WalkForwardPlan | None = None,
    command: str = "",
    resume: bool = False,
    force: bool = False,
    progress: Listener | None = None,
) -> WalkForwardResult:
    """Walk a grid forward and write the run folder.

    Parameters
    ----------
    config
        What to do.
    planned
        What `plan_walkforward` returned for `config`, so that the data are not loaded twice.
    command
        The command line, for the manifest.
    resume
        Continue an unfinished run; what is whole and of the same search is used. Bars of a symbol
        or of standard input are those that it kept.
    force
        Begin anew where a run exists.
    progress
        Is told where the run is.

    Raises
    ------
    ArgumentError, DataError, SourceError
        The configuration or the data cannot be used, or got; nothing was written.
    RunError
        A run is in the way, the folder cannot be written, or what is to be resumed differs.
    KeyboardInterrupt
        The tiles in work were finished and kept; `resume` continues.
    """
    folder = RunFolder(Path(config.out) / walkforward_name(config))
    folder.require_free(resume=resume, force=force)
    planned = planned or plan_walkforward(config, resume=resume, progress=progress)
    with folder.locked():
        if resume and folder.exists():
            _require_same(folder, planned)
        else:
            folder.clear()
        return _Work(planned, folder, progress).run(command)


def _require_same(folder: RunFolder, planned: WalkForwardPlan) -> None:
    old = folder.manifest()
    if old.get("kind") != "walkforward":
        raise RunError(f"{folder.path} holds no walk-forward; choose another --name")
    other = changes_of(old, planned)
    if other:
        raise RunError(
            f"{folder.path} was begun with other options ({', '.join(other)}); continue with "
            "those of its manifest, or begin anew with --force"
        )


def changes_of(manifest: dict[str, Any], plan: WalkForwardPlan) -> list[str]:
    """Name what differs between a walk-forward that was begun and one that is planned."""
    before, new = manifest["config"], plan.config.model_dump(mode="json")
    other = [name for name in new if name not in _FREE and before.get(name) != new[name]]
    if manifest["data"]["fingerprint"] != plan.bars.fingerprint:
        other.append("the data")
    if manifest["strategy"]["source"] != plan.strategy.source:
        other.append("the strategy's file")
    return other


class _Work:
    """One walk-forward on its way."""

    def __init__(
        self, planned: WalkForwardPlan, folder: RunFolder, progress: Listener | None
    ) -> None:
        self.plan, self.folder = planned, folder
        self.tell: Listener = progress or (lambda _at: None)
        self.manifest: dict[str, Any] = {}

    def run(self, command: str) -> WalkForwardResult:
        began = time.monotonic()
        self.manifest = _begin(self.plan, command)
        # A folder with a manifest is a run that can be continued, so its bars come first.
        self.folder.write_bars(self.plan.bars)
        self.folder.write_manifest(self.manifest)
        made = walk(
            self.plan.request(),
            threads=thread_count(self.plan.config.threads),
            tick=self.ticking("walk"),
            store=self.folder.tiles,
            step=self.step,
        )
        self.write(made)
        self.manifest["timings"] = {"seconds": round(time.monotonic() - began, 3)}
        paged = self.plan.config.report
        return _finished(self.folder, self.manifest, made, self.tell, report=paged)

    def ticking(self, stage: str) -> Callable[[int, int], None]:
        return lambda done, total: self.tell(Progress(stage, done, total))

    def step(self, stage: str, done: int, total: int) -> None:
        self.tell(Progress(stage, done, total))

    def write(self, made: Walked) -> None:
        """Write the tables, and what they sum up to into the manifest."""
        outcome = made.outcome
        tables = {
            "windows": outcome.windows,
            "best": outcome.best,
            "curve": outcome.curve,
            "trades": outcome.trades,
            "matrix": made.matrix,
        }
        for name, table in tables.items():
            if table is not None:
                self.folder.write_frame(f"{name}.parquet", table)
        self.manifest |= {
            "summary": outcome.summary,
            "efficiency": outcome.efficiency,
            "gap": outcome.gap,
            "path": outcome.path,
            "matrix": _matrix(made.matrix, Criteria(**self.plan.config.criteria.model_dump())),
            "median_combination": made.median,
            "results_hash": results_hash(outcome.windows),
        }
        self.manifest["windows"]["flat"] = int(outcome.windows["flat"].sum())
        self.manifest["warnings"] += [*made.damaged, *outcome.warnings]


def _finished(
    folder: RunFolder,
    manifest: dict[str, Any],
    made: Walked | None,
    tell: Listener,
    *,
    report: bool,
) -> WalkForwardResult:
    page = None
    # The page tells whether the run is finished; without the page it does not count as such.
    manifest["status"] = "finished"
    folder.write_manifest(manifest)
    if report:
        from meseta.report import write_walkforward_report

        tell(Progress("report", 0, 1))
        page = write_walkforward_report(folder.path)
        tell(Progress("report", 1, 1))
    return WalkForwardResult(folder.path, manifest, made, page)


def _begin(plan: WalkForwardPlan, command: str) -> dict[str, Any]:
    """Return the manifest of a walk-forward that is about to begin."""
    config, bars, windows = plan.config, plan.bars, plan.windows
    kind = "separable" if isinstance(plan.strategy, SeparableStrategy) else "kernel"
    strategy = plan.strategy
    sampled = {"count": config.sample, "method": config.sample_method, "seed": config.seed}
    return {
        "kind": "walkforward",
        "meseta": version("meseta"),
        "status": "running",
        "name": walkforward_name(config),
        "created": now(),
        "command": command,
        "config": config.model_dump(mode="json"),
        "strategy": {
            "name": strategy.name,
            "summary": strategy.summary,
            "kind": kind,
            "source": strategy.source,
            "shorts": strategy.shorts,
        },
        "data": data_of(bars, config)
        | {"stubs": 0 if bars.stubs is None else int(bars.stubs.sum())},
        "account": asdict(config.account),
        "contract": asdict(plan.contract) | {"rolls": [str(day) for day in plan.contract.rolls]},
        "grid": {
            "name": plan.grid.name,
            "combinations": plan.grid.size,
            "searched": plan.combinations,
            "sampled": sampled if plan.flats is not None else None,
            "constraints": list(plan.grid.constraints),
            "values": {name: list(values) for name, values in plan.grid.values.items()},
        },
        "windows": {
            **{n: getattr(config, n) for n in ("in_sample", "out_of_sample", "unit")},
            "anchored": config.anchored,
            "purge": config.purge,
            "count": len(windows.windows),
            "partial": sum(each.partial for each in windows.windows),
            "start": time_of(bars, windows.start),
            "first_out": time_of(bars, windows.windows[0].out_start),
            "stop": time_of(bars, windows.stop - 1),
        },
        "fitness": config.fitness,
        "min_trades": config.min_trades,
        "exact": {"mode": config.exact, "policy": config.policy},
        "seed": config.seed,
        **environment_of(config.threads),
        "timings": {},
        "warnings": list(plan.warnings),
    }


def _matrix(table: pl.DataFrame | None, criteria: Criteria) -> dict[str, Any] | None:
    if table is None:
        return None
    block = table.filter(table["block"] == 1)
    return {
        "criteria": asdict(criteria),
        "cells": table.height,
        "passing": int(table["passes"].sum()),
        "block": {
            "size": block.height,
            "cells": [list(row) for row in block.select("in_sample", "out_of_sample").rows()],
        },
    }


def results_hash(windows: pl.DataFrame) -> str:
    """Return a hash of what was chosen and what it made, for comparing runs."""
    columns = ["window", "combination", "fitness", "oos_net_profit", "exact_net_profit"]
    return sha256(windows.select(columns).write_csv().encode()).hexdigest()


def rescore_matrix(
    path: Path, criteria: dict[str, float], *, command: str = "", progress: Listener | None = None
) -> WalkForwardResult:
    """Judge the cells of a finished walk-forward by other criteria, without running it again.

    Parameters
    ----------
    path
        Run folder.
    criteria
        Those to change, by the names of `Criteria`.
    command, progress
        As for `walk_forward`.

    Raises
    ------
    ArgumentError
        A criterion is unknown or breaks its rule.
    RunError
        The folder is no finished walk-forward with a matrix.
    """
    import polars as pl

    from meseta.walkforward import score_matrix

    folder = RunFolder(Path(path))
    manifest = folder.manifest()
    if manifest.get("kind") != "walkforward" or not manifest.get("matrix"):
        raise RunError(
            f"{folder.path} is no finished walk-forward with a matrix; make one with "
            '`meseta walkforward ... --matrix "252,504x63,126"`'
        )
    rules = Criteria(**(manifest["matrix"]["criteria"] | criteria))
    with folder.locked():
        table = score_matrix(pl.read_parquet(folder.path / "matrix.parquet"), rules)
        folder.write_frame("matrix.parquet", table)
        manifest["matrix"] = _matrix(table, rules)
        manifest["config"]["criteria"] = asdict(rules)
        manifest["rescored"] = command
        tell: Listener = progress or (lambda _at: None)
        return _finished(folder, manifest, None, tell, report=bool(manifest["config"]["report"]))
