"""From tile files to candidates: gates, funnel, ranks, stability, the best combinations.

The tiles are read several times and nothing of a row is kept in between, so the memory does not
grow with the search: counts by gate, ranks of at most some millions of profits, counts by
stability, and the candidates.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import iadd
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from meseta.search._codes import (
    GateCounts,
    Needs,
    Span,
    best_rows,
    bin_rows,
    collect_keys,
    count_profits,
    gate_tile,
    needs_of,
    rank_buckets,
    rank_table,
)
from meseta.search._problem import weights_of
from meseta.selection import GATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from meseta._types import FloatArray, IntArray
    from meseta.search._codes import RankTable
    from meseta.search._exhaustive import SearchStore
    from meseta.search._problem import Problem, Tile
    from meseta.search._tiles import TileResult
    from meseta.selection import Gates

__all__ = ["Chosen", "Scored", "add_up", "mapped", "score"]

R = TypeVar("R")
_BINS = 1 << 20
# A combination is never called stable on fewer phases than this.
_FEWEST = 2
# Valid rows of a phase that are ranked by sorting; more of them are counted in buckets.
_SORTED = 4_000_000
# Phases whose rows are sorted at a time: 32 MB each.
_TOGETHER = 4
# Buckets of a phase at most, and of all phases together.
_BUCKETS, _ALL_BUCKETS = 1 << 22, 1 << 24
# Bytes for the counts that threads keep apart.
_ROOM = 1 << 28
# Combinations that are written out at a time.
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best combinations, by falling stability, then by flat index.

    Parameters
    ----------
    flat
        Flat index in the grid, int64, shape (n,).
    stability
        Shape (n,).
    tile, table, entry_set
        Where each was found: tile number, and exit table and entry set in the tile; int64, shape
        (n,).
    """

    flat: IntArray
    stability: FloatArray
    tile: IntArray
    table: IntArray
    entry_set: IntArray


@dataclass(frozen=True, slots=True)
class Scored:
    """The outcome of the scoring.

    Parameters
    ----------
    funnel
        Counts by gate and phase, as the manifest keeps them.
    ranks
        Rank table of each phase.
    chosen
        The candidates.
    tiles
        Every tile, by its number.
    exit_tables
        Distinct exit tables that were walked.
    """

    funnel: dict[str, Any]
    ranks: tuple[RankTable, ...]
    chosen: Chosen
    tiles: list[Tile]
    exit_tables: int


def score(
    problem: Problem,
    store: SearchStore,
    gates: Gates,
    *,
    required: int,
    limit: int,
    threads: int,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
) -> Scored:
    """Score every combination of a finished search and choose the candidates.

    Parameters
    ----------
    problem, store
        What was searched and its tiles.
    gates
        Thresholds, each among those that the search remembered.
    required
        Phases in which a stable combination is valid; 2 is tried when none is.
    limit
        Most candidates.
    threads
        Threads; the result does not depend on their number.
    tick
        Called with steps done and steps in all.

    Raises
    ------
    ArgumentError
        A threshold that the search did not remember.
    RunError
        A tile is missing or damaged.
    """
    needs, tiles = needs_of(gates, problem.levels), problem.tiles()
    with ThreadPoolExecutor(threads) as pool:
        passes = _Passes(problem, store, needs, tiles, pool, threads, tick)
        counts, tables = passes.gates()
        ranks = passes.ranks(counts)
        least, relaxed = _least(counts.valid_in, required)
        chosen = passes.best(ranks, least, limit)
    funnel = _funnel(problem.total, counts) | {
        "required": least,
        "relaxed": relaxed,
        "stable": int(counts.valid_in[least:].sum()),
        "candidates": int(chosen.flat.size),
    }
    return Scored(funnel, ranks, chosen, tiles, tables)


def mapped(store: SearchStore, tile: Tile) -> TileResult:
    """Return a tile that was found whole before.

    Raises
    ------
    RunError
        It is not there any more.
    """
    result = store.read(tile, check=False)
    return store.require(tile) if result is None else result


def add_up(
    pool: ThreadPoolExecutor,
    threads: int,
    shape: tuple[int, ...],
    work: Callable[[int, IntArray], R],
    numbers: Iterable[int],
) -> tuple[IntArray, list[R]]:
    """Count something over tiles, each thread in an array of its own.

    Parameters
    ----------
    pool, threads
        Where to work; fewer threads do at a time when their arrays would not fit into memory.
    shape
        Shape of the counts, int64.
    work
        Called with a tile's number and the counts to add to.
    numbers
        The tiles.

    Returns
    -------
    tuple
        The counts, and what `work` returned for each tile.
    """
    copies = max(1, min(threads, _ROOM // (8 * int(np.prod(shape)))))
    spare: SimpleQueue[IntArray] = SimpleQueue()
    for _ in range(copies):
        spare.put(np.zeros(shape, np.int64))

    def one(number: int) -> R:
        mine = spare.get()
        try:
            return work(number, mine)
        finally:
            spare.put(mine)

    found = list(pool.map(one, numbers))
    return reduce(iadd, (spare.get() for _ in range(copies))), found


def _least(valid_in: IntArray, required: int) -> tuple[int, bool]:
    relaxed = required > _FEWEST and not valid_in[required:].any()
    return (_FEWEST, True) if relaxed else (required, False)


@dataclass(frozen=True, slots=True)
class _Passes:
    """The passes over the tiles, each of which maps a tile, reads it, and lets it go."""

    problem: Problem
    store: SearchStore
    needs: Needs
    tiles: list[Tile]
    pool: ThreadPoolExecutor
    threads: int
    tick: Callable[[int, int], None]

    def gates(self) -> tuple[GateCounts, int]:
        """Check the tiles; return their counts, rows tile by tile, and the exit tables walked."""

        def count(tile: Tile) -> tuple[GateCounts, int]:
            result = self.store.require(tile)
            weights = weights_of(self.problem, tile, result.table_of)
            counts = gate_tile(result.oos, result.codes, weights, self.needs)
            return counts, weights.size if tile.first_set == 0 else 0

        found = list(self._told(self.pool.map(count, self.tiles), 0))
        columns = zip(*(counts for counts, _ in found), strict=True)
        alone, sequence, valid_in, rows, lowest, highest = map(np.array, columns)
        counts = GateCounts(
            alone.sum(axis=0),
            sequence.sum(axis=0),
            valid_in.sum(axis=0),
            rows,
            lowest.min(axis=0),
            highest.max(axis=0),
        )
        return counts, sum(tables for _, tables in found)

    def ranks(self, counts: GateCounts) -> tuple[RankTable, ...]:
        """Return the rank table of each phase."""
        many = counts.rows.sum(axis=0)
        few = np.flatnonzero(many <= _SORTED).tolist()
        found: dict[int, RankTable] = {}
        for first in range(0, len(few), _TOGETHER):
            found |= self._sorted(few[first : first + _TOGETHER], counts)
        if len(found) < many.size:
            found |= self._counted(np.flatnonzero(many > _SORTED).tolist(), counts)
        self.tick(2 * len(self.tiles), 4 * len(self.tiles))
        return tuple(found[p] for p in range(many.size))

    def _sorted(self, phases: list[int], counts: GateCounts) -> dict[int, RankTable]:
        """Rank phases by every profit that occurs."""
        ends = np.cumsum(counts.rows, axis=0)
        keys = {p: np.empty(int(ends[-1, p]), np.uint64) for p in phases}

        def collect(number: int) -> None:
            result, weights = self._open(number)
            for p in phases:
                end = ends[number, p]
                out = keys[p][end - counts.rows[number, p] : end]
                collect_keys(result.oos, result.codes, weights, self.needs, p, out)

        list(self.pool.map(collect, range(len(self.tiles))))
        return {p: rank_table(keys.pop(p), int(counts.sequence[p, -1])) for p in phases}

    def _counted(self, phases: list[int], counts: GateCounts) -> dict[int, RankTable]:
        """Rank phases by buckets of profits."""
        most = _ALL_BUCKETS // len(phases)
        buckets = min(_BUCKETS, 1 << (most.bit_length() - 1))
        ends = [(int(counts.lowest[p]), int(counts.highest[p])) for p in phases]
        spans = [Span.over(p, *end, buckets) for p, end in zip(phases, ends, strict=True)]
        numbers = np.array(spans)

        def count(number: int, bins: IntArray) -> None:
            result, weights = self._open(number)
            count_profits(result.oos, result.codes, weights, self.needs, numbers, bins)

        shape = len(phases), buckets
        bins, _ = add_up(self.pool, self.threads, shape, count, range(len(self.tiles)))
        return {span.phase: rank_buckets(bins[k], span) for k, span in enumerate(spans)}

    def best(self, ranks: tuple[RankTable, ...], least: int, limit: int) -> Chosen:
        """Take the best `limit` combinations: cut coarsely by bins of stability, then exactly."""
        top = 100.0 * (1.0 + 0.1 * len(ranks))
        floor, highest = self._floor(ranks, least, top, limit)
        best, lock = _Best(limit), Lock()

        def choose(number: int) -> None:
            if highest[number] < floor:
                return
            result, weights = self._open(number)
            room = result.oos.shape[0] * result.oos.shape[1]
            values, place = np.empty(room), np.empty(room, np.int32)
            found = best_rows(
                result.oos,
                result.codes,
                self.needs,
                ranks,
                least,
                top,
                _BINS,
                floor,
                values,
                place,
            )
            rows = _Rows(number, values[:found], place[:found], weights)
            for part in _expand(self.problem, self.tiles[number], result, rows):
                with lock:
                    best.add(part)

        list(self._told(self.pool.map(choose, range(len(self.tiles))), 3))
        return best.chosen()

    def _floor(
        self, ranks: tuple[RankTable, ...], least: int, top: float, limit: int
    ) -> tuple[int, list[int]]:
        """Return the bin above which lie fewer than `limit`, and the highest of each tile."""

        def count(number: int, bins: IntArray) -> int:
            result, weights = self._open(number)
            return bin_rows(result.oos, result.codes, weights, self.needs, ranks, least, top, bins)

        numbers = range(len(self.tiles))
        bins, highest = add_up(self.pool, self.threads, (_BINS,), count, numbers)
        self.tick(3 * len(self.tiles), 4 * len(self.tiles))
        enough = np.flatnonzero(np.cumsum(bins[::-1])[::-1] >= limit)
        return (int(enough[-1]) if enough.size else 0), highest

    def _open(self, number: int) -> tuple[TileResult, IntArray]:
        tile = self.tiles[number]
        result = mapped(self.store, tile)
        return result, weights_of(self.problem, tile, result.table_of)

    def _told(self, results: Iterable[R], step: int) -> Iterator[R]:
        """Tell of each tile that is done in one of four steps."""
        for done, result in enumerate(results, step * len(self.tiles) + 1):
            yield result
            self.tick(done, 4 * len(self.tiles))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a tile: stability, position `t * E + e`; and the weights of its exit tables."""

    number: int
    score: FloatArray
    place: NDArray[np.int32]
    weights: IntArray


def _expand(
    problem: Problem, tile: Tile, result: TileResult, rows: _Rows
) -> Iterator[tuple[Any, ...]]:
    """Yield the combinations of the grid that rows stand for, some at a time.

    Columns: flat index, stability, tile, exit table, entry set.
    """
    tables, inert = result.table_of[problem.members(tile)], problem.inert
    order = np.argsort(tables, kind="stable")
    starts = np.searchsorted(tables[order], np.arange(rows.weights.size))
    exits, sets = problem.exit_offsets(tile)[order], problem.set_offsets(tile)
    table, column = np.divmod(rows.place.astype(np.int64), sets.size)
    ends = np.cumsum(rows.weights[table])
    cuts = np.unique(np.searchsorted(ends, np.arange(0, ends[-1:].sum(), _CHUNK)))
    for first, last in zip(cuts, [*cuts[1:], ends.size], strict=True):
        some = slice(first, last)
        many = rows.weights[table[some]] // inert.size
        row = first + np.repeat(np.arange(last - first), many)
        nth = np.arange(row.size) - np.repeat(np.cumsum(many) - many, many)
        flat = (exits[starts[table[row]] + nth] + sets[column[row]])[:, None] + inert
        row = np.repeat(row, inert.size)
        number = np.full(row.size, rows.number)
        yield flat.ravel(), rows.score[row], number, table[row], column[row]


class _Best:
    """The best combinations of all that were added, in memory for somewhat more than `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        whole = np.empty(0, np.int64)
        self.parts: list[tuple[Any, ...]] = [(whole, np.empty(0), whole, whole, whole)]
        self.worst = (-np.inf, 0)

    def add(self, columns: tuple[Any, ...]) -> None:
        """Add combinations, columns as in `_expand`."""
        flat, score, *_ = columns
        value, number = self.worst
        kept = (score > value) | ((score == value) & (flat < number))
        self.parts.append(tuple(column[kept] for column in columns))
        self.held += int(np.count_nonzero(kept))
        if self.held > self.limit + max(self.limit // 2, _CHUNK):
            flat, score, *_ = self._cut()
            self.worst = float(score[-1]), int(flat[-1])

    def chosen(self) -> Chosen:
        """Return the best of them."""
        return Chosen(*self._cut())

    def _cut(self) -> tuple[Any, ...]:
        columns = [np.concatenate(column) for column in zip(*self.parts, strict=True)]
        order = np.lexsort((columns[0], -columns[1]))[: self.limit]
        self.parts = [tuple(column[order] for column in columns)]
        self.held = order.size
        return self.parts[0]


def _funnel(size: int, counts: GateCounts) -> dict[str, Any]:
    alone, sequence = counts.alone, counts.sequence
    phases = [
        {
            "phase": p + 1,
            "combinations": size,
            "alone": dict(zip(GATES, map(int, alone[p]), strict=True)),
            "sequence": dict(zip(GATES, map(int, sequence[p]), strict=True)),
            "valid": int(sequence[p, -1]),
        }
        for p in range(len(alone))
    ]
    return {"phases": phases, "valid_in": {str(k): int(n) for k, n in enumerate(counts.valid_in)}}
