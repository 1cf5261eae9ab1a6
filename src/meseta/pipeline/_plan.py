"""What a run is going to do, checked before any of it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.bars import load
from meseta.engine import Window
from meseta.errors import ArgumentError
from meseta.search import Problem, levels_for, thread_count
from meseta.selection import Gates
from meseta.strategies import Grid, find_strategy, load_grid
from meseta.vault import split_vault
from meseta.walkforward import PhasePlan, plan_phases

if TYPE_CHECKING:
    from meseta.bars import Bars
    from meseta.config import RunConfig
    from meseta.strategies import Strategy

__all__ = ["Plan", "plan", "plan_on"]

# Measured with benchmarks/search.py on two cores of a 2.6 GHz EPYC: combinations x phases per
# second and thread for phases of 1,260 daily bars; scoring and report are the rest.
_RATE = 13e6
_BARS = 1260
_SCORE_RATE = 6e6
_FIXED_SECONDS = 8.0
_FIXED_BYTES = 350e6
_CANDIDATE_BYTES = 750
# Bytes kept on disk for a combination and phase, were no two exit tables equal; half of them
# (the profits) are in memory while scoring.
_BYTES = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, checked and estimated.

    Parameters
    ----------
    bars
        The whole series.
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
    seconds, memory_bytes, disk_bytes
        Estimates; time on a machine like the one they were measured on.
    warnings
        What the user should know before it starts.
    """

    bars: Bars
    before: Bars
    vault_row: int | None
    phases: PhasePlan
    problem: Problem
    gates: Gates
    seconds: float
    memory_bytes: int
    disk_bytes: int
    warnings: tuple[str, ...]

    @property
    def strategy(self) -> Strategy:
        """What is searched."""
        return self.problem.strategy

    @property
    def grid(self) -> Grid:
        """The combinations."""
        return self.problem.grid

    @property
    def combinations(self) -> int:
        """How many combinations there are."""
        return self.problem.grid.size

    @property
    def vault_bars(self) -> Bars | None:
        """The vault alone."""
        return None if self.vault_row is None else self.bars.slice(self.vault_row, len(self.bars))


def plan(config: RunConfig) -> Plan:
    """Check a configuration against its data and estimate the run.

    Raises
    ------
    ArgumentError
        An option breaks a rule, or the grid has more combinations than allowed.
    DataError
        The data cannot be used, or are too short.
    """
    strategy = find_strategy(config.strategy)
    grid = load_grid(config.grid, strategy.parameters)
    grid.require_at_most(config.max_combinations)
    _require_axes(config.axes, grid)
    bars = load(
        config.bars,
        timezone=config.timezone,
        date_order=config.date_order,
        allow_nonpositive=config.allow_nonpositive,
    )
    return plan_on(config, bars, grid)


def plan_on(config: RunConfig, bars: Bars, grid: Grid) -> Plan:
    """Plan a run on bars that are already loaded."""
    strategy = find_strategy(config.strategy)
    _require_axes(config.axes, grid)
    before, vault_row = split_vault(bars, config.vault)
    phases = plan_phases(before, warmup=config.warmup, spec=config.phases)
    gates = Gates(**config.gates.model_dump())
    problem = Problem(
        bars=before,
        strategy=strategy,
        grid=grid,
        windows=tuple(Window(*phase.window) for phase in phases.phases),
        account=config.account,
        warmup=config.warmup,
        levels=levels_for(gates),
        min_drawdown=gates.min_drawdown,
    )
    most = min(grid.size, config.max_candidates)
    kept = grid.size * len(phases.phases) * _BYTES
    warnings = tuple(f.message for f in bars.warnings) + phases.notes
    return Plan(
        bars, before, vault_row, phases, problem, gates,
        seconds=_seconds(problem, thread_count(config.threads)),
        memory_bytes=int(_FIXED_BYTES + kept // 2 + _CANDIDATE_BYTES * most),
        disk_bytes=kept,
        warnings=warnings,
    )  # fmt: skip


def _require_axes(axes: tuple[str, str], grid: Grid) -> None:
    if axes[0] == axes[1] or any(name not in grid.names for name in axes):
        raise ArgumentError(
            f"`axes` must be two different parameters of the grid ({', '.join(grid.names)}), "
            f"got {', '.join(axes)}"
        )


def _seconds(problem: Problem, threads: int) -> float:
    bars = sum(window.stop - window.start for window in problem.windows)
    searched = problem.grid.size * bars / _BARS / (_RATE * threads)
    return _FIXED_SECONDS + searched + problem.grid.size / _SCORE_RATE / threads
