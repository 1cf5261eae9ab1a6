"""The emulated walk-forward: one full-period pass for every combination, the best ones kept."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.account import Account, Contract
from meseta.engine import Window
from meseta.engine._plays import require_tables
from meseta.errors import ArgumentError
from meseta.search import Problem, thread_count
from meseta.search._threads import in_threads
from meseta.strategies import SeparableStrategy
from meseta.walkforward._fitness import Fitness, find_fitness
from meseta.walkforward._middle import Middle
from meseta.walkforward._ranking import (
    FEW,
    QUALIFIED,
    UNDEFINED,
    Plan,
    Tops,
    floor_of,
    join_tops,
    mean_of,
    rank,
    tops_for,
)
from meseta.walkforward._separable import SeparableSource
from meseta.walkforward._sources import FAR, rows_of
from meseta.walkforward._stats import (
    STATS,
    Room,
    Spans,
    measure,
    measure_all,
    room_for,
    span_stats,
)
from meseta.walkforward._store import PartStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.bars import Bars
    from meseta.strategies import Grid, Strategy
    from meseta.walkforward._sources import BlockSource, Item, Piece

__all__ = ["Emulated", "Emulation", "emulate"]

# Raise when the content of a part's file changes its meaning.
FORMAT = 2
# Profits of all combinations are added up in multiples of the money at stake times this.
_QUANTUM = 2.0**-30


@dataclass(frozen=True, kw_only=True)
class Emulation:
    """What an emulated walk-forward is asked: everything that its numbers depend on.

    Parameters
    ----------
    bars
        The series, without the vault.
    strategy, grid
        What is searched.
    windows
        In-sample start and stop, out-of-sample start and stop of each window, rows, half-open,
        int64, shape (W, 4). Windows of several cells of a matrix may stand one after the other:
        a span that several share is measured once.
    start, stop
        Rows of the pass, half-open; every window lies inside.
    account, contract
        Capital and costs, and what is traded.
    warmup
        Bars from the start of the data without a signal.
    fitness
        From `find_fitness`.
    min_trades
        Combinations with fewer in-sample trades do not qualify in a window.
    keep
        How many of the best combinations of each window are kept.
    flats
        Numbers of the combinations to search, increasing, int64; None for the whole grid.

    Raises
    ------
    ArgumentError
        A window is out of order or outside the pass, or a number is too small.
    """

    bars: Bars
    strategy: Strategy
    grid: Grid
    windows: IntArray
    start: int
    stop: int
    account: Account = field(default_factory=Account)
    contract: Contract = field(default_factory=Contract)
    warmup: int = 100
    fitness: Fitness = field(default_factory=lambda: find_fitness("net_profit"))
    min_trades: int = 1
    keep: int = 5
    flats: IntArray | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop <= len(self.bars):
            raise ArgumentError(
                f"`start` and `stop` must satisfy 0 <= start < stop <= {len(self.bars)} (rows of "
                f"the data), got {self.start} and {self.stop}"
            )
        for name, least in (("warmup", 0), ("min_trades", 0), ("keep", 1)):
            if getattr(self, name) < least:
                raise ArgumentError(
                    f"`{name}` must be {least} or more, got {getattr(self, name)!r}"
                )
        self._require_windows()

    def _require_windows(self) -> None:
        windows = self.windows
        if windows.ndim != 2 or windows.shape[1] != 4 or not len(windows):
            raise ArgumentError(
                f"`windows` must have the shape (W, 4) with W > 0, got {windows.shape}"
            )
        a, b, c, d = windows.T
        right = (self.start <= a) & (a < b) & (b <= c) & (c < d) & (d <= self.stop)
        if not right.all():
            wrong = int(np.argmin(right))
            raise ArgumentError(
                f"`windows` must satisfy {self.start} <= in_start < in_stop <= out_start < "
                f"out_stop <= {self.stop}, got {windows[wrong].tolist()} as window {wrong + 1}"
            )

    @cached_property
    def bounds(self) -> IntArray:
        """Boundaries: every row at which a span begins or ends, increasing, int64, shape (B,)."""
        return np.unique(np.append(self.windows, (self.start, self.stop))).astype(np.int64)

    @property
    def combinations(self) -> int:
        """How many combinations are searched."""
        return self.grid.size if self.flats is None else self.flats.size

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for parts of another pass to be used."""
        sample = None if self.flats is None else _digest(self.flats)
        contract = asdict(self.contract)
        return {
            "format": FORMAT,
            "bars": self.bars.fingerprint,
            "bars_per_year": self.bars.bars_per_year,
            "strategy": self.strategy.name,
            "source": self.strategy.source,
            "grid": {name: list(values) for name, values in self.grid.values.items()},
            "constraints": list(self.grid.constraints),
            "sample": sample,
            "windows": self.windows.tolist(),
            "period": [self.start, self.stop],
            "account": asdict(self.account),
            "contract": contract | {"rolls": [str(day) for day in self.contract.rolls]},
            "warmup": self.warmup,
            "fitness": [self.fitness.name, self.fitness.source],
            "min_trades": self.min_trades,
            "keep": self.keep,
        }

    def fingerprint(self) -> str:
        """Return a hash of `identity`."""
        return hashlib.sha256(json.dumps(self.identity()).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """What an emulated walk-forward found, one row for each window of the request.

    Places are numbered from the best; a place without a combination has -1 and NaN. Statistics
    are the fields of `WindowStats`, money of the account's currency, along the last axis.

    Parameters
    ----------
    windows
        As asked, shape (W, 4).
    combinations
        How many were searched.
    best
        Numbers of the best combinations, int64, shape (W, keep).
    fitness, distance
        Theirs; distance from the middle of the grid, see `Middle`. Shape (W, keep).
    inside, outside
        In-sample and out-of-sample statistics, shape (W, keep, STATS).
    outside_range
        Highest and lowest mark out-of-sample less the equity at its start, 0 included; money,
        shape (W, keep, 2).
    inside_equity, outside_equity
        Marked equity where the sides begin, money, shape (W, keep).
    qualified, undefined, few
        Combinations that had enough trades and a fitness; enough trades and NaN as fitness; too
        few trades. Together all, int64, shape (W,).
    mean, winning
        Over all combinations, qualified or not: mean out-of-sample profit, money, to a
        thousand-millionth of what is at stake; share that made money, 0 to 1. Shape (W,).
    median
        Number of the combination in the middle of the grid.
    median_fitness, median_inside, median_outside
        The same of this combination, whether it qualified or not; NaN where its fitness is.
    """

    windows: IntArray
    combinations: int
    best: IntArray
    fitness: FloatArray
    distance: FloatArray
    inside: FloatArray
    outside: FloatArray
    outside_range: FloatArray
    inside_equity: FloatArray
    outside_equity: FloatArray
    qualified: IntArray
    undefined: IntArray
    few: IntArray
    mean: FloatArray
    winning: FloatArray
    median: int
    median_fitness: FloatArray
    median_inside: FloatArray
    median_outside: FloatArray

    @property
    def flat(self) -> BoolArray:
        """Windows in which no combination qualified, so that nothing is traded; shape (W,)."""
        return self.best[:, 0] < 0

    def rows(self, first: int, stop: int) -> Emulated:
        """Return the windows `first` to ``stop - 1`` alone, as those of one cell of a matrix."""
        whole = {"combinations", "median"}
        cut = {
            name: value if name in whole else value[first:stop]
            for name, value in vars(self).items()
        }
        return Emulated(**cut)


def emulate(
    request: Emulation,
    *,
    threads: int | None = None,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
    store: Path | None = None,
    damaged: list[str] | None = None,
    source: BlockSource | None = None,
) -> Emulated:
    """Simulate every combination once over the whole period and rank it in every window.

    Memory does not grow with combinations x bars. A thread holds the boundaries of one piece of
    combinations (a megabyte, or 16 combinations where there are many boundaries), a fitness and a
    number of trades for each of them and each in-sample span, and the statistics of the `keep`
    best of every window; for a separable strategy also the entry and exit tables of one tile, as
    the search does (some 150 MB at most, for the longest series one entry set).

    Parameters
    ----------
    request
        What to search.
    threads
        Threads; the result does not depend on their number. None takes every processor.
    tick
        Called after each part with the combinations done and their number in all.
    store
        Folder for the results of parts: a second call with the same request uses what is there.
    damaged
        Receives a sentence for each part's file that could not be used and was computed again.
    source
        Where blocks come from; None chooses by the kind of strategy.

    Raises
    ------
    ArgumentError
        A separable strategy is to trade prices of zero or less.
    FitnessError
        A user's fitness raises.
    KeyboardInterrupt
        After the parts in work were finished and kept.
    """
    return _Pass(request, source, threads).run(tick, store, [] if damaged is None else damaged)


class _Pass:
    """One emulation on its way."""

    def __init__(
        self, request: Emulation, source: BlockSource | None, threads: int | None
    ) -> None:
        self.request, self.threads = request, thread_count(threads)
        self.middle = Middle(request.grid)
        self.plan, self.order = _plan_of(request)
        self.source = source or _source_of(request, self.middle)
        self.found = tops_for(self.plan, request.keep)

    def run(
        self, tick: Callable[[int, int], None], store: Path | None, damaged: list[str]
    ) -> Emulated:
        request, items = self.request, self.source.items()
        kept = None if store is None else PartStore(store, request.fingerprint())
        if kept is not None:
            kept.begin(request.identity())
        done, todo = 0, []
        for item in items:
            tops = self._read(kept, item, damaged)
            if tops is None:
                todo.append(item)
            else:
                done += self._take(item, tops)
        tick(done, request.combinations)
        if todo:
            self.source.prepare()
        for item, tops in in_threads(lambda each: self._work(each, kept), todo, self.threads):
            done += self._take(item, tops)
            tick(done, request.combinations)
        return self._result(self.found)

    def _take(self, item: Item, tops: Tops) -> int:
        """Join what a part found; return its number of combinations."""
        self.found = join_tops(self.found, tops, self.plan)
        return item.combinations

    def _read(self, kept: PartStore | None, item: Item, damaged: list[str]) -> Tops | None:
        if kept is None:
            return None
        arrays = kept.read(item.name)
        if arrays is None:
            if kept.path(item.name).exists():
                damaged.append(
                    f"{kept.path(item.name).name} was damaged or foreign: searched again"
                )
            return None
        return Tops(*arrays)

    def _work(self, item: Item, kept: PartStore | None) -> Tops:
        plan, fitness = self.plan, self.request.fitness
        # What lies behind the last place found so far elsewhere will get none in the end.
        floor, tops = floor_of(self.found), tops_for(plan, self.request.keep)
        rows = rows_of(self.request.bounds.size)
        room = room_for(self.request.bounds.size, plan.inside.bars.size, rows)
        stats = np.empty(plan.inside.bars.size * rows * STATS if fitness.kind < 0 else 0)
        for piece in self.source.pieces(item):
            measure(piece.blocks, plan.inside, fitness.kind, room)
            if fitness.kind < 0:
                self._ask(piece, room, stats)
            rank(piece, plan, room, floor, tops)
        if kept is not None:
            kept.write(item.name, tops)
        return tops

    def _ask(self, piece: Piece, room: Room, stats: FloatArray) -> None:
        """Call a user's fitness for every combination and span."""
        spans, n = self.plan.inside.bars.size, len(piece.blocks)
        given = stats[: spans * n * STATS].reshape(spans, n, STATS)
        measure_all(piece.blocks, self.plan.inside, room, given)
        room.fitness[:, :n] = self.request.fitness.of_all(given)

    def _result(self, tops: Tops) -> Emulated:
        plan, request = self.plan, self.request
        back = np.argsort(self.order)
        by_span = np.repeat(np.arange(plan.inside.bars.size), np.diff(plan.first))[back]
        traded, outside = plan.traded[back], tops.outside[back]
        none = tops.flat[by_span] == FAR
        median = self.middle.nearest()
        blocks = self.source.one(median)[None]
        middle_in = span_stats(blocks, plan.inside)[0, by_span, :STATS]
        middle_out = span_stats(blocks, plan.outside)[0, traded, :STATS]
        return Emulated(
            windows=request.windows,
            combinations=request.combinations,
            best=np.where(none, -1, tops.flat[by_span]),
            fitness=np.where(none, np.nan, tops.fitness[by_span]),
            distance=np.where(none, np.nan, self.middle.measured(tops.distance[by_span])),
            inside=tops.inside[by_span, :, :STATS],
            outside=outside[:, :, :STATS],
            outside_range=outside[:, :, STATS : STATS + 2],
            inside_equity=tops.inside[by_span, :, STATS + 2],
            outside_equity=outside[:, :, STATS + 2],
            qualified=tops.counts[QUALIFIED, by_span],
            undefined=tops.counts[UNDEFINED, by_span],
            few=tops.counts[FEW, by_span],
            mean=mean_of(tops, plan, request.combinations)[traded],
            winning=tops.gains[2, traded] / request.combinations,
            median=median,
            median_fitness=request.fitness.of_all(np.ascontiguousarray(middle_in)),
            median_inside=middle_in,
            median_outside=middle_out,
        )


def _plan_of(request: Emulation) -> tuple[Plan, IntArray]:
    """Return the distinct spans of the windows, and the windows in the order of the plan."""
    bounds, per_year = request.bounds, request.bars.bars_per_year
    ends = np.searchsorted(bounds, request.windows)

    def spans(rows: IntArray) -> Spans:
        return Spans(rows, np.diff(bounds[rows], axis=1)[:, 0].astype(float), per_year)

    # By their ends, of equal ones the shortest first: one walk backwards measures them all.
    key = np.column_stack((ends[:, 1], -ends[:, 0]))
    inside, in_of = np.unique(key, axis=0, return_inverse=True)
    outside, out_of = np.unique(ends[:, 2:], axis=0, return_inverse=True)
    order = np.argsort(in_of.ravel(), kind="stable")
    many = np.bincount(in_of.ravel(), minlength=len(inside))
    plan = Plan(
        spans(np.column_stack((-inside[:, 1], inside[:, 0]))),
        spans(outside),
        np.concatenate(([0], np.cumsum(many))),
        out_of.ravel()[order],
        float(request.min_trades),
        _quantum(request),
    )
    return plan, order


def _quantum(request: Emulation) -> float:
    """Return a power of two, so that dividing by it rounds nothing."""
    contract, highest = request.contract, float(np.abs(request.bars.close).max())
    stake = (contract.quantity or 0.0) * contract.point_value * highest
    return _QUANTUM * 2.0 ** math.ceil(math.log2(max(request.account.capital, stake)))


def _source_of(request: Emulation, middle: Middle) -> BlockSource:
    """Return the source for a kind of strategy."""
    strategy, bars = request.strategy, request.bars
    if not isinstance(strategy, SeparableStrategy):
        raise ArgumentError(
            f"`strategy` {strategy.name!r} is not separable; give `source` for its blocks"
        )
    require_tables(strategy, bars)
    strategy.require(bars)
    problem = Problem(
        bars=bars,
        strategy=strategy,
        grid=request.grid,
        windows=(Window(request.start, request.start + 1, request.stop),),
        account=request.account,
        warmup=request.warmup,
        levels={},
        min_drawdown=0.0,
        flats=request.flats,
    )
    return SeparableSource(problem, request.contract, request.bounds, middle, request.keep)


def _digest(flats: IntArray) -> str:
    return hashlib.sha256(flats.astype("<i8").tobytes()).hexdigest()
