"""Exit tables of one stop distance against entry sets: the search's unit of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._chain import code_of, walk_lanes
from meseta.engine._entries import HALF
from meseta.engine._exits import SEED, fill_table, leave_table, left_rows, left_table
from meseta.engine._lanes import LANES
from meseta.engine._tables import link, words_of
from meseta.engine._walk import walk_pairs
from meseta.strategies._indicators import write_tightening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from meseta._types import FloatArray, IntArray
    from meseta.engine._chain import Levels
    from meseta.engine._entries import EntryTables
    from meseta.engine._marks import Cuts
    from meseta.engine._settle import Costs
    from meseta.engine._tables import ExitTables, Ground
    from meseta.strategies._indicators import Tightenings

__all__ = [
    "Found",
    "Task",
    "fill_sides",
    "found_of",
    "pack",
    "search_family",
    "seen",
    "walk_family",
    "walk_found",
    "write_series",
]

# Series whose tables are held at the same time for all shared parameter sets of a tile.
_CHUNK = 32


@inline
def seen(one: Any, two: Any, first: int, keys: Any, slots: IntArray, count: int) -> int:
    """Return the number given to a fingerprint before, or give it the number `count`."""
    place = np.int64(one & np.uint64(slots.size - 1))
    while slots[place] >= 0:
        known = slots[place]
        if keys[known, 0] == one and keys[known, 1] == two and keys[known, 2] == np.uint64(first):
            return known
        place = (place + 1) & (slots.size - 1)
    slots[place] = count
    keys[count, 0], keys[count, 1], keys[count, 2] = one, two, np.uint64(first)
    return count


@inline
def write_series(series: Tightenings, k: int, out: FloatArray) -> None:
    width = series.width[series.length[k]]
    write_tightening(width, series.ratio[k], series.scaling[k], series.floor[k], out)


@inline
def fill_sides(
    sides: Any, ladders: Any, leaves: Any, states: Any, factor: Any, slippage: float, table: Any
) -> Any:
    """Fill the rows of every side; return the fingerprint of all."""
    mixed, at = SEED, 0
    for side in range(len(ladders)):
        rows = ladders[side].entry.size
        mixed = fill_table(
            sides[side], ladders[side], leaves[side], states[side], factor, slippage,
            table[at : at + rows], mixed,
        )  # fmt: skip
        at += rows
    return mixed


class Found(NamedTuple):
    """Exit tables found so far; arrays that kernels write to."""

    oos: NDArray[np.float32]
    codes: NDArray[np.uint32]
    table_of: IntArray
    # Fingerprints by number, a hash table of these numbers, and how many are found and walked.
    keys: NDArray[np.uint64]
    slots: IntArray
    counts: IntArray
    # Eight tables on their way, and the first bar that may signal with each.
    lanes: FloatArray
    starts: IntArray


def found_of(series: int, tables: int, sets: int, windows: int, blank: FloatArray) -> Found:
    """Return room for what is found.

    Parameters
    ----------
    series
        Exits to be numbered by their tables.
    tables, sets, windows
        Most tables, and what each is walked from and through.
    blank
        A table with what all have in common, shape (rows, 8).
    """
    return Found(
        np.empty((tables, sets, windows), np.float32),
        np.empty((tables, sets, windows), np.uint32),
        np.zeros(series, np.int64),
        np.empty((tables, 3), np.uint64),
        np.full(4 << (tables - 1).bit_length(), -1, np.int64),
        np.zeros(2, np.int64),
        np.repeat(blank[None], LANES, axis=0),
        np.zeros(LANES, np.int64),
    )


@inline
def walk_found(
    found: Found, many: int, chosen: Any, entries: Any, close: Any, cuts: Any, costs: Any,
    levels: Any, both: Any,
) -> None:  # fmt: skip
    """Walk the tables that are on their way."""
    done = found.counts[1]
    for lane in range(many - done, LANES):
        found.lanes[lane] = found.lanes[0]
        found.starts[lane] = found.starts[0]
    walk_lanes(
        found.lanes, found.starts, chosen, entries, close, cuts, costs, levels,
        found.oos[done:many], found.codes[done:many], both,
    )  # fmt: skip
    found.counts[1] = many


@kernel
def _fill_chunk(
    sides: Any, ladders: Any, leaves: Any, states: Any, series: Tightenings, which: IntArray,
    slippage: float, tables: FloatArray,
) -> None:  # fmt: skip
    factor = np.empty(sides[0].close.size)
    for n in range(which.size):
        write_series(series, which[n], factor)
        fill_sides(sides, ladders, leaves, states, factor, slippage, tables[n])


@kernel
def _search(
    sides: Any,
    ladders: Any,
    leaves: Any,
    states: Any,
    series: Tightenings,
    which: IntArray,
    first: IntArray,
    slippage: float,
    base: Any,
    left: Any,
    pick: Any,
    found: Found,
    entries: EntryTables,
    chosen: IntArray,
    cuts: Cuts,
    costs: Costs,
    levels: Levels,
    both: Any,
) -> None:
    close = sides[0].close
    factor = np.empty(close.size)
    for n in range(which.size):
        k = which[n]
        count = found.counts[0]
        lane = count - found.counts[1]
        if left is None:
            write_series(series, k, factor)
            one, two = fill_sides(
                sides, ladders, leaves, states, factor, slippage, found.lanes[lane]
            )
        else:
            one, two = left_table(base[n], left, pick, states[0].distinct, found.lanes[lane])
        found.table_of[k] = seen(one, two, first[k], found.keys, found.slots, count)
        if found.table_of[k] == count:
            found.starts[lane] = first[k]
            found.counts[0] = count + 1
            if lane == LANES - 1:
                walk_found(found, count + 1, chosen, entries, close, cuts, costs, levels, both)


@kernel
def _search_rest(
    sides: Any, found: Found, entries: EntryTables, chosen: IntArray, cuts: Cuts, costs: Costs,
    levels: Levels, both: Any,
) -> None:  # fmt: skip
    if found.counts[0] > found.counts[1]:
        walk_found(
            found, found.counts[0], chosen, entries, sides[0].close, cuts, costs, levels, both
        )


@dataclass(frozen=True, slots=True)
class Task:
    """One set of shared parameters in a search: exits of one stop distance, and entry sets.

    Parameters
    ----------
    tables
        From `exit_tables`.
    first
        First bar that may signal with each series, int64, shape (series,).
    entries
        Entry tables; every set of them is walked.
    """

    tables: ExitTables
    first: IntArray
    entries: EntryTables


class _Search:
    """One task on its way."""

    def __init__(
        self, ground: Ground, task: Task, series: Tightenings, which: IntArray, levels: Levels
    ) -> None:
        self.ground, self.task, self.series, self.levels = ground, task, series, levels
        tables, entries = task.tables, link(task.entries, task.tables)
        self.left = self.pick = None
        blank = tables.blank
        if tables.leaves_early:
            entries, self.pick = _compact(entries, words_of(ground.sides))
            self.left = left_rows(
                ground.sides, tables.ladders, tables.leaves, tables.states, ground.slippage,
                len(blank),
            )[self.pick]  # fmt: skip
            blank = blank[self.pick]
        # Sets with the same entries are walked once.
        self.chosen, self.places = np.unique(entries.like, return_inverse=True)
        self.entries = entries
        # A signal before the first window changes nothing, so such a difference is not one;
        # kernels read the tables at this bar and check no bounds.
        cuts, bars = ground.cuts, ground.sides[0].close.size
        self.first = np.clip(task.first, cuts.windows[:, 0].min(), bars)
        sizes = which.size, self.chosen.size, len(cuts.windows)
        self.found = found_of(series.many, *sizes, blank)

    def walk(self, which: IntArray, base: FloatArray | None) -> None:
        """Walk some series; `base` holds their tables without the closes that leave early."""
        tables, ground = self.task.tables, self.ground
        _search(
            ground.sides, tables.ladders, tables.leaves, tables.states, self.series, which,
            self.first, ground.slippage, base, self.left, self.pick, self.found, self.entries,
            self.chosen, ground.cuts, ground.costs, self.levels, ground.both,
        )  # fmt: skip

    def finish(self) -> tuple[NDArray[np.float32], NDArray[np.uint32], IntArray]:
        """Walk what is left and return the results."""
        ground, found = self.ground, self.found
        _search_rest(
            ground.sides, found, self.entries, self.chosen, ground.cuts, ground.costs,
            self.levels, ground.both,
        )  # fmt: skip
        many = int(found.counts[0])
        if self.chosen.size == self.places.size:
            return found.oos[:many], found.codes[:many], found.table_of
        return found.oos[:many, self.places], found.codes[:many, self.places], found.table_of


def _compact(entries: EntryTables, words: int) -> tuple[EntryTables, IntArray]:
    """Let events lead to the rows that any of them needs, and return these rows."""
    bits = entries.events.view(np.int64).reshape(-1, words)
    rows = bits[:, 0] & ((1 << HALF) - 1)
    pick, place = np.unique(rows, return_inverse=True)
    bits[:, 0] += place.ravel() - rows
    return entries, pick


def search_family(
    ground: Ground, tasks: Sequence[Task], series: Tightenings, which: IntArray, levels: Levels
) -> list[tuple[NDArray[np.float32], NDArray[np.uint32], IntArray]]:
    """Walk every distinct exit table of a family from every entry set.

    Parameters
    ----------
    ground
        Prices, windows, account.
    tasks
        Shared parameter sets with their entry sets.
    series, which
        Tightening series, and the numbers of those to use, int64.
    levels
        Gate levels.

    Returns
    -------
    list of (oos, codes, table_of)
        For each task: out-of-sample profit, money, float32, shape (tables, sets, W); what the
        gates need, uint32, same shape; which table each series leads to, int64, shape (series,),
        0 where it is not in `which`.

    Tasks that differ in the closes that leave a position alone share the tables without such
    closes.
    """
    searches = [_Search(ground, task, series, which, levels) for task in tasks]
    room: FloatArray | None = None
    for begin in range(0, which.size, _CHUNK):
        part = which[begin : begin + _CHUNK]
        known = None
        for each in searches:
            tables = each.task.tables
            if tables.leaves_early and (known is None or not tables.like(known)):
                known = tables
                if room is None or room.shape[1:] != tables.blank.shape:
                    room = np.empty((_CHUNK, *tables.blank.shape))
                room[:] = tables.blank
                never = tuple(leave_table(own, None) for own in ground.sides)
                _fill_chunk(
                    ground.sides, tables.ladders, never, tables.states, series, part,
                    ground.slippage, room,
                )  # fmt: skip
            each.walk(part, room if tables.leaves_early else None)
    return [each.finish() for each in searches]


@kernel
def _walk_each(
    sides: Any,
    ladders: Any,
    leaves: Any,
    states: Any,
    series: Tightenings,
    first: IntArray,
    slippage: float,
    table: FloatArray,
    entries: EntryTables,
    words: int,
    which: IntArray,
    bounds: IntArray,
    sets: IntArray,
    cuts: Cuts,
    costs: Costs,
    totals: FloatArray,
    behaviour: Any,
) -> None:
    close = sides[0].close
    factor = np.empty(close.size)
    for k in range(which.size):
        write_series(series, which[k], factor)
        fill_sides(sides, ladders, leaves, states, factor, slippage, table)
        a, b = bounds[k], bounds[k + 1]
        walk_pairs(
            table, first[which[k]], sets[a:b], entries, words, close, cuts, costs,
            totals[a:b], behaviour[a:b],
        )  # fmt: skip


def walk_family(
    ground: Ground,
    tables: ExitTables,
    series: Tightenings,
    first: IntArray,
    entries: EntryTables,
    pairs: tuple[IntArray, IntArray],
) -> tuple[FloatArray, NDArray[np.uint64]]:
    """Walk some pairs of tightening series and entry set, keeping every field.

    Parameters
    ----------
    ground, tables, series, first, entries
        As for `search_family`.
    pairs
        Number of the series and number of the entry set in `entries` of each pair, int64, shape
        (n,), the first increasing.

    Returns
    -------
    totals
        Profit, trades and drawdown, in-sample and out-of-sample by turns, shape (n, W, 6).
    behaviour
        Fingerprint of the trades of all windows, uint64, shape (n,).
    """
    which, begins = np.unique(pairs[0], return_index=True)
    bounds = np.append(begins, pairs[0].size)
    first = np.minimum(first, ground.sides[0].close.size)
    totals = np.empty((pairs[0].size, len(ground.cuts.windows), 6))
    behaviour = np.empty(pairs[0].size, np.uint64)
    _walk_each(
        ground.sides, tables.ladders, tables.leaves, tables.states, series, first,
        ground.slippage, tables.blank.copy(), entries, words_of(ground.sides), which, bounds,
        pairs[1], ground.cuts, ground.costs, totals, behaviour,
    )  # fmt: skip
    return totals, behaviour


def pack(totals: FloatArray, levels: Levels) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return profits and codes, as `search_family`, of totals of shape (n, W, 6)."""
    rows = np.ascontiguousarray(totals).reshape(-1, 6)
    padded = np.zeros((-len(rows) % LANES + len(rows), 6))
    padded[: len(rows)] = rows
    profits, codes = np.empty(len(padded), np.float32), np.empty(len(padded), np.uint32)
    code_of(padded, levels, profits, codes)
    shape = totals.shape[:2]
    return profits[: len(rows)].reshape(shape), codes[: len(rows)].reshape(shape)
