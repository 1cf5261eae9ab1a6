"""Exits without a tightening: one table for each stop distance, eight distances side by side.

Where a stop order rests and nothing tightens it, a stop distance has one exit table, so that the
ladder of `_exits.py`, which serves thousands of series, is not worth building, and the eight
lanes of `_chain.py` would hold the same table. Here the lanes hold tables of different distances.
For that the rows of a table must not depend on the distance: there is one row for every *spot*,
a side, an entry bar and whether the entry was filled at the open, that any entry set needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._entries import AT_OPEN, BAR, HALF, NEVER
from meseta.engine._exits import SEED, STOP, WORDS, States, left_rows_at, mixed, more_of
from meseta.engine._family import Found, found_of, seen, walk_found
from meseta.engine._lanes import LANES
from meseta.engine._path import NOT_STOPPED, Prices, rested

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.engine._chain import Levels
    from meseta.engine._entries import EntryTables
    from meseta.engine._exits import Leave
    from meseta.engine._tables import Ground

__all__ = ["Spots", "lone_table", "search_lone", "spots_of"]


class Spots(NamedTuple):
    """The rows of every table; the last is the event that never happens."""

    side: IntArray
    bar: IntArray
    at_open: BoolArray


def spots_of(entries: EntryTables, words: int) -> tuple[EntryTables, Spots]:
    """Let events lead to the spots where they begin, and return these."""
    events = entries.events.copy()
    bits = events.view(np.int64).reshape(-1, words)
    short = events.reshape(-1, words)[:, 1] < 0.0
    bar, at_open = bits[:, 3] & BAR, (bits[:, 3] >> AT_OPEN) & 1
    key = (np.where(bar >= NEVER, NEVER, bar) << 2) | (short << 1) | at_open
    kept, place = np.unique(key, return_inverse=True)
    bits[:, 0] = ((bits[:, 0] >> HALF) << HALF) | place.ravel()
    spots = Spots((kept >> 1) & 1, kept >> 2, (kept & 1).astype(np.bool_))
    return entries._replace(events=events), spots


@inline
def _write_never(table: FloatArray, whole: IntArray, row: int) -> None:
    table[row, 0] = 0.0
    whole[row, 4], whole[row, 5], whole[row, 6] = NEVER, STOP, 0
    table[row, 7] = -np.inf


@kernel
def _rest(
    p: Prices, stop: FloatArray, first: int, end: int, slippage: float, stopped: int,
    table: FloatArray,
) -> None:  # fmt: skip
    """Write where a position of one side entered on each bar ends, from the last bar backwards.

    The stop of a position rests at the highest candidate since the close before its entry.
    Where a later candidate is as high, the position has the stop of one entered there.
    """
    whole = table.view(np.int64)
    for e in range(end - 1, max(first, 1) - 1, -1):
        final = max(stop[e], stop[e - 1])
        low = high = p.close[e]
        fall, t = 0.0, e + 1
        while t < end and not (p.low[t] <= final or stop[t] >= final):
            close = p.close[t]
            fall = max(fall, high - close)
            low, high = min(low, close), max(high, close)
            t += 1
        if t >= end:
            # Every window ends first, so the price is not read.
            _write_never(table, whole, e)
        elif p.low[t] <= final:
            price = min(p.open[t], final)
            table[e, 0], table[e, 1], table[e, 2], table[e, 3] = price - slippage, low, high, fall
            whole[e, 4], whole[e, 5], whole[e, 6] = t, STOP, t + stopped
            table[e, 7] = -price
        else:
            for word in range(WORDS):
                whole[e, word] = whole[t, word]
            table[e, 3] = max(high - table[t, 1], fall, table[t, 3])
            table[e, 1], table[e, 2] = min(low, table[t, 1]), max(high, table[t, 2])


@inline
def lone_table(
    sides: Any, stops: FloatArray, first: int, end: int, states: Any, slippage: float,
    left: FloatArray, spots: Spots, rows: FloatArray, table: FloatArray,
) -> Any:  # fmt: skip
    """Fill the table of one distance; return its fingerprint."""
    whole, left_bits = table.view(np.int64), left.view(np.int64)
    for side in range(len(sides)):
        _rest(sides[side], stops[side], first, end, slippage, states[side].stopped, rows[side])
    one, two = SEED
    for k in range(spots.bar.size):
        e, side = spots.bar[k], spots.side[k]
        if e > first and e < end:
            price = rested(sides[side], e, stops[side, e - 1], spots.at_open[k])
            if price != NOT_STOPPED:
                # No close lies between entry and exit.
                table[k, 0], table[k, 1], table[k, 2], table[k, 3] = (
                    price - slippage, 1e300, -1e300, 0.0
                )  # fmt: skip
                whole[k, 4], whole[k, 5], whole[k, 6] = e, STOP, e + states[side].stopped
                table[k, 7] = -price
            else:
                for word in range(WORDS):
                    table[k, word] = rows[side, e, word]
            if left_bits[k, 4] <= whole[k, 4]:
                for word in range(WORDS):
                    whole[k, word] = left_bits[k, word]
        else:
            _write_never(table, whole, k)
        more = np.uint64(0)
        if states[side].distinct:
            more = more_of(whole[k, 6], whole[k, 7])
        one, two = mixed(one, two, whole[k, 0], whole[k, 4], more)
    return one, two


@kernel
def _search_lone(
    sides: Any, stops: FloatArray, first: IntArray, end: int, states: Any, slippage: float,
    left: FloatArray, spots: Spots, rows: FloatArray, found: Found, entries: EntryTables,
    chosen: IntArray, cuts: Any, costs: Any, levels: Any, both: Any,
) -> None:  # fmt: skip
    close = sides[0].close
    for k in range(stops.shape[0]):
        count = found.counts[0]
        lane = count - found.counts[1]
        one, two = lone_table(
            sides, stops[k], first[k], end, states, slippage, left, spots, rows, found.lanes[lane]
        )
        found.table_of[k] = seen(one, two, first[k], found.keys, found.slots, count)
        if found.table_of[k] == count:
            found.starts[lane] = first[k]
            found.counts[0] = count + 1
            if lane == LANES - 1:
                walk_found(found, count + 1, chosen, entries, close, cuts, costs, levels, both)
    if found.counts[0] > found.counts[1]:
        walk_found(found, found.counts[0], chosen, entries, close, cuts, costs, levels, both)


def search_lone(
    ground: Ground,
    stops: FloatArray,
    first: IntArray,
    leaves: tuple[Leave, ...],
    states: tuple[States, States],
    entries: EntryTables,
    levels: Levels,
) -> tuple[NDArray[np.float32], NDArray[np.uint32], IntArray]:
    """Walk every distinct exit table of some resting stops from every entry set.

    Parameters
    ----------
    ground
        Prices, windows, account.
    stops
        Candidates for the stop of each distance and side in the side's own prices, shape
        (S, sides, N).
    first
        First bar that may signal with each distance, int64, shape (S,).
    leaves, states
        As `ExitTables` has them.
    entries
        Entry tables; every set of them is walked.
    levels
        Gate levels.

    Returns
    -------
    oos, codes, table_of
        As for `search_family`; `table_of` says which table each distance leads to, shape (S,).
    """
    words = 4 if len(ground.sides) == 1 else 8
    linked, spots = spots_of(entries, words)
    kept = states[: len(ground.sides)]
    if len(kept) > 1:
        kept = tuple(state._replace(distinct=True) for state in kept)
    left = left_rows_at(ground.sides, leaves, kept, ground.slippage, spots.side, spots.bar)
    windows, bars = ground.cuts.windows, ground.sides[0].close.size
    chosen, places = np.unique(entries.like, return_inverse=True)
    blank = np.zeros((spots.bar.size, WORDS))
    found = found_of(len(stops), len(stops), chosen.size, len(windows), blank)
    first = np.clip(first, windows[:, 0].min(), bars)
    rows = np.zeros((len(kept), bars, WORDS))
    _search_lone(
        ground.sides, stops, first, int(windows[:, 2].max()), kept, ground.slippage, left, spots,
        rows, found, linked, chosen, ground.cuts, ground.costs, levels, ground.both,
    )  # fmt: skip
    many = int(found.counts[0])
    return found.oos[:many, places], found.codes[:many, places], found.table_of
