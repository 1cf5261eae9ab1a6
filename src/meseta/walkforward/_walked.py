"""A whole walk-forward: the search over windows, the chosen lengths traded, and the matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from meseta.strategies import SeparableStrategy
from meseta.walkforward._emulated import Emulation, emulate
from meseta.walkforward._exact import Trader
from meseta.walkforward._kernel_source import KernelSource
from meseta.walkforward._matrix import Cell, matrix_of, score_matrix
from meseta.walkforward._middle import Middle
from meseta.walkforward._outcome import exact_profit, outcome_of
from meseta.walkforward._stats import WindowStats
from meseta.walkforward._tables import Choice, Traded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from meseta._types import FloatArray, IntArray
    from meseta.account import Account, Contract
    from meseta.bars import Bars
    from meseta.engine._reference import Policy
    from meseta.strategies import Grid, Strategy
    from meseta.walkforward._emulated import Emulated
    from meseta.walkforward._fitness import Fitness
    from meseta.walkforward._matrix import Criteria
    from meseta.walkforward._outcome import Outcome
    from meseta.walkforward._rolling import RollingPlan
    from meseta.walkforward._sources import BlockSource

__all__ = ["Exact", "Pair", "Request", "Walked", "walk"]

Exact = Literal["never", "finalists", "always"]


class Pair(NamedTuple):
    """One pair of lengths of a matrix, in the unit of the windows, and its windows."""

    in_sample: int
    out_of_sample: int
    plan: RollingPlan


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a walk-forward is asked; see `WalkForwardConfig`.

    Parameters
    ----------
    windows, cells
        Windows of the chosen lengths, and of the pairs of a matrix (none without one).
    flats
        Numbers of the combinations of a sample, increasing, int64; None for the whole grid.
    """

    bars: Bars
    strategy: Strategy
    grid: Grid
    windows: RollingPlan
    cells: tuple[Pair, ...]
    account: Account
    contract: Contract
    warmup: int
    fitness: Fitness
    min_trades: int
    keep: int
    exact: Exact
    policy: Policy
    criteria: Criteria
    flats: IntArray | None = None

    @property
    def plans(self) -> list[RollingPlan]:
        """The windows of the chosen lengths, then those of every cell."""
        return [self.windows, *(cell.plan for cell in self.cells)]

    def emulation(self) -> Emulation:
        """Return the one pass that serves all windows."""
        plans = self.plans
        return Emulation(
            bars=self.bars,
            strategy=self.strategy,
            grid=self.grid,
            windows=np.concatenate([_rows_of(plan) for plan in plans]),
            start=min(plan.start for plan in plans),
            stop=max(plan.stop for plan in plans),
            account=self.account,
            contract=self.contract,
            warmup=self.warmup,
            fitness=self.fitness,
            min_trades=self.min_trades,
            keep=self.keep,
            flats=self.flats,
        )


@dataclass(frozen=True, slots=True)
class Walked:
    """What came of a walk-forward.

    Parameters
    ----------
    outcome
        Of the chosen lengths.
    matrix
        A row for each pair of lengths; None without a matrix.
    median
        Values of the median combination.
    damaged
        What had to be searched again, in words.
    """

    outcome: Outcome
    matrix: pl.DataFrame | None
    median: dict[str, Any]
    damaged: tuple[str, ...]


def walk(
    request: Request,
    *,
    threads: int,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
    store: Path | None = None,
    step: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> Walked:
    """Walk forward.

    Parameters
    ----------
    request
        What to do.
    threads
        The result does not depend on their number.
    tick
        Called with the combinations simulated so far and all of them.
    store
        Folder of intermediate results, for going on after an interruption; None for none.
    step
        Called with stage, steps done and all steps of what follows the search.

    Raises
    ------
    ArgumentError, DataError
        A strategy, fitness or series cannot be used.
    """
    emulation, damaged = request.emulation(), list[str]()
    found = emulate(
        emulation,
        threads=threads,
        tick=tick,
        store=store,
        damaged=damaged,
        source=_source(request, emulation),
    )
    trader = Trader(
        request.bars, request.strategy, emulation.start, emulation.stop, request.account,
        request.contract, request.warmup,
    )  # fmt: skip
    begins = np.cumsum([0, *(len(plan.windows) for plan in request.plans)])
    own = found.rows(0, int(begins[1]))
    step("exact", 0, 1)
    policy = None if request.exact == "never" else request.policy
    outcome = outcome_of(trader, request.grid, traded_of(own, request.windows), policy)
    step("exact", 1, 1)
    matrix = _matrix(request, trader, found, begins, step) if request.cells else None
    return Walked(outcome, matrix, request.grid.point(found.median), tuple(damaged))


def _source(request: Request, emulation: Emulation) -> BlockSource | None:
    strategy = request.strategy
    if isinstance(strategy, SeparableStrategy):
        return None
    return KernelSource(
        request.bars, strategy, request.grid, request.account, request.contract, request.warmup,
        emulation.bounds, Middle(request.grid), request.keep, request.flats,
    )  # fmt: skip


def _rows_of(plan: RollingPlan) -> IntArray:
    rows = [(w.in_start, w.in_stop, w.out_start, w.out_stop) for w in plan.windows]
    return np.array(rows, np.int64)


def traded_of(found: Emulated, plan: RollingPlan) -> list[Traded]:
    """Return what was found in each window of a plan."""
    return [
        Traded(
            window,
            tuple(_choices(found, k)),
            Choice(
                found.median,
                float(found.median_fitness[k]),
                _stats(found.median_inside[k]),
                _stats(found.median_outside[k]),
            ),
            int(found.qualified[k]),
            int(found.undefined[k]),
            int(found.few[k]),
            float(found.mean[k]),
            float(found.winning[k]),
        )
        for k, window in enumerate(plan.windows)
    ]


def _choices(found: Emulated, k: int) -> list[Choice]:
    return [
        Choice(
            flat,
            float(found.fitness[k, place]),
            _stats(found.inside[k, place]),
            _stats(found.outside[k, place]),
        )
        for place, flat in enumerate(found.best[k].tolist())
        if flat >= 0
    ]


def _stats(row: FloatArray) -> WindowStats:
    return WindowStats(*row.tolist())


def _matrix(
    request: Request,
    trader: Trader,
    found: Emulated,
    begins: IntArray,
    step: Callable[[str, int, int], None],
) -> pl.DataFrame:
    """Return the matrix; the cells that are asked for are traded as one account each."""
    import polars as pl

    cells = [
        Cell(pair.in_sample, pair.out_of_sample, int(a), int(z))
        for pair, a, z in zip(request.cells, begins[1:], begins[2:], strict=False)
    ]
    reinvests = request.contract.quantity is None
    table = score_matrix(matrix_of(found, cells, reinvests=reinvests), request.criteria)
    # Cells that fail have block 0.
    wanted = {"never": (), "finalists": (1,), "always": range(len(cells) + 1)}[request.exact]
    rows = np.flatnonzero(table["block"].is_in(list(wanted)).to_numpy()).tolist()
    profits: list[float | None] = [None] * table.height
    for done, row in enumerate(rows):
        step("exact", done, len(rows))
        part = found.rows(cells[row].first, cells[row].stop)
        windows = traded_of(part, request.cells[row].plan)
        profits[row] = exact_profit(trader, request.grid, windows, request.policy)
    return table.with_columns(exact_net_profit=pl.Series(profits, dtype=pl.Float64))
