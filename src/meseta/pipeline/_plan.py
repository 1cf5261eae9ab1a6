"""What a run is going to do, checked before any of it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from meseta.engine import Window
from meseta.errors import ArgumentError
from meseta.pipeline._expand import run_name, variants_of
from meseta.pipeline._series import kept_if_alike, load_series
from meseta.runs import RunFolder
from meseta.search import Problem, levels_for, thread_count
from meseta.selection import Gates
from meseta.strategies import find_separable, load_grid, sample_grid
from meseta.vault import split_vault
from meseta.walkforward import PhasePlan, plan_phases

if TYPE_CHECKING:
    from meseta._types import IntArray
    from meseta.bars import Bars
    from meseta.config import RunConfig
    from meseta.pipeline._progress import Listener
    from meseta.strategies import Grid, SeparableStrategy

__all__ = ["Plan", "Sample", "plan", "plan_one"]

# Combinations x phases per second and thread for phases of 1,260 daily bars, without and with
# shorts. The first was measured with benchmarks/search.py on two cores of a 2.6 GHz EPYC;
# scoring and report are the rest.
_RATES = {False: 13e6, True: 13e6 / 3}
# Seconds of a thread for each combination of a sample, which shares little with the others;
# without and with shorts.
_SAMPLE_SECONDS = {False: 60e-6, True: 180e-6}
_BARS = 1260
_SCORE_RATE = 6e6
_FIXED_SECONDS = 8.0
_FIXED_BYTES = 350e6
_CANDIDATE_BYTES = 750
# Bytes kept on disk for a combination and phase, were no two exit tables equal; half of them
# (the profits) are in memory while scoring.
_BYTES = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """How the combinations of a sampled grid are drawn."""

    count: int
    method: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run, checked and estimated.

    Parameters
    ----------
    config
        What was asked.
    bars
        The whole series, with the second symbol's where there is one.
    before
        The series without the vault; nothing but the finalists' last test sees more.
    vault_row
        First row of the vault, or None.
    phases
        The phases and how many must be passed.
    problem
        The search.
    gates
        Thresholds.
    sample
        How the combinations are drawn; None when all are searched.
    seconds, memory_bytes, disk_bytes
        Estimates, without the variants; time on a machine like the one they were measured on.
    notes
        What the run's manifest warns of before it starts.
    variants
        The simpler variants, each with a plan of its own on the same bars and phases.
    """

    config: RunConfig
    bars: Bars
    before: Bars
    vault_row: int | None
    phases: PhasePlan
    problem: Problem
    gates: Gates
    sample: Sample | None
    seconds: float
    memory_bytes: int
    disk_bytes: int
    notes: tuple[str, ...]
    variants: tuple[Plan, ...] = ()

    @property
    def strategy(self) -> SeparableStrategy:
        """What is searched."""
        return self.problem.strategy

    @property
    def grid(self) -> Grid:
        """The combinations."""
        return self.problem.grid

    @property
    def combinations(self) -> int:
        """How many combinations are searched."""
        return self.problem.total

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before it starts."""
        return tuple(f.message for f in self.bars.warnings) + self.notes

    @property
    def whole(self) -> tuple[Plan, ...]:
        """The plan itself and those of its variants, in the order of their work."""
        return (self, *self.variants)

    @property
    def vault_bars(self) -> Bars | None:
        """The vault of the symbol that is traded, alone.

        Without the second symbol: who looks at the same days with another one beside them has
        seen them all the same, and the ledger knows them by their bars.
        """
        if self.vault_row is None:
            return None
        vault = self.bars.slice(self.vault_row, len(self.bars))
        return replace(vault, second=None, alignment=None)


def plan(config: RunConfig, *, resume: bool = False, progress: Listener | None = None) -> Plan:
    """Check a configuration against its data and estimate the run.

    Parameters
    ----------
    config
        What to do.
    resume
        Take the bars that an unfinished run kept where its source may have others by now.
    progress
        Is told of fetching, or None.

    Raises
    ------
    ArgumentError
        An option breaks a rule, or a grid has more combinations than allowed.
    DataError
        The data cannot be used, or are too short.
    SourceError
        A source does not answer, and nothing that is stored can stand in.
    """
    strategy = find_separable(config.strategy)
    grid = load_grid(config.grid, strategy.parameters)
    # Before the data are read, which may take a while.
    _require_usable(config, grid)
    variants = variants_of(config, strategy, grid)
    folder = RunFolder(Path(config.out) / run_name(config))
    bars = kept_if_alike(folder, config) if resume else None
    if bars is None:
        used = [strategy, *(variant.strategy for variant in variants)]
        bars = load_series(used, config, progress)
    main = plan_one(config, bars, grid)
    plans = tuple(plan_one(v.config, bars, v.grid, notes=v.notes) for v in variants)
    return replace(main, variants=plans)


def plan_one(config: RunConfig, bars: Bars, grid: Grid, *, notes: tuple[str, ...] = ()) -> Plan:
    """Plan a run without variants on bars that are already loaded."""
    _require_usable(config, grid)
    before, vault_row = split_vault(bars, config.vault)
    phases = plan_phases(before, warmup=config.warmup, spec=config.phases)
    gates = Gates(**config.gates.model_dump())
    sample, flats = _sample(config, grid)
    problem = Problem(
        bars=before,
        strategy=find_separable(config.strategy),
        grid=grid,
        windows=tuple(Window(*phase.window) for phase in phases.phases),
        account=config.account,
        warmup=config.warmup,
        levels=levels_for(gates),
        min_drawdown=gates.min_drawdown,
        flats=flats,
    )
    kept = problem.total * len(phases.phases) * _BYTES
    most = min(problem.total, config.max_candidates)
    return Plan(
        config=config,
        bars=bars,
        before=before,
        vault_row=vault_row,
        phases=phases,
        problem=problem,
        gates=gates,
        sample=sample,
        seconds=_seconds(problem, thread_count(config.threads)),
        memory_bytes=int(_FIXED_BYTES + kept // 2 + _CANDIDATE_BYTES * most),
        disk_bytes=kept,
        notes=phases.notes + _sample_notes(config, grid) + notes,
    )


def _require_usable(config: RunConfig, grid: Grid) -> None:
    if config.sample is None:
        grid.require_at_most(config.max_combinations)
    _require_axes(config.axes, grid)


def _sample(config: RunConfig, grid: Grid) -> tuple[Sample | None, IntArray | None]:
    """Draw the sample; a grid that is no larger than it is searched whole."""
    if config.sample is None or config.sample >= grid.size:
        return None, None
    sample = Sample(config.sample, config.sample_method, config.seed)
    flats = sample_grid(grid, sample.count, seed=sample.seed, method=config.sample_method)
    return sample, flats


def _sample_notes(config: RunConfig, grid: Grid) -> tuple[str, ...]:
    if config.sample is None or config.sample < grid.size:
        return ()
    text = (
        f"the grid has {grid.size:,} combinations, no more than the sample of {config.sample:,}, "
        "so all are searched"
    )
    return (text,)


def _require_axes(axes: tuple[str, str], grid: Grid) -> None:
    if axes[0] == axes[1] or any(name not in grid.names for name in axes):
        raise ArgumentError(
            f"`axes` must be two different parameters of the grid ({', '.join(grid.names)}), "
            f"got {', '.join(axes)}; choose them with --axes"
        )


def _seconds(problem: Problem, threads: int) -> float:
    bars = sum(window.stop - window.start for window in problem.windows)
    rate = _RATES[problem.strategy.shorts] * threads
    searched = problem.total * bars / _BARS / rate
    if problem.flats is not None:
        searched = problem.total * _SAMPLE_SECONDS[problem.strategy.shorts] / threads
    return _FIXED_SECONDS + searched + problem.total / _SCORE_RATE / threads
