"""Entry tables: for every bar one is flat on, the next entry.

One set of entry parameters has a list of *events*, the bars on which its buy stop is filled
when one is flat, and for every bar the number of the first event whose decision lies at or
after that bar. Neither depends on the account or on how a position ends.

An event is a row of four words, so that it is fetched with one load: the row of the exit table
that it leads to, the price that sizes the order, the fill, the entry bar. Whole numbers are
stored as their bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta._numba import kernel
from meseta.engine._path import NOT_STOPPED, Prices, shielded

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray, SmallIntArray
    from meseta.strategies import EntrySets

__all__ = ["NEVER", "EntryTables", "Overlay", "entry_tables", "overlay"]

# A bar that no history reaches: the entry and exit bar of an event that does not happen.
NEVER = 1 << 40


class EntryTables(NamedTuple):
    """Entries of many parameter sets.

    Parameters
    ----------
    following
        Number of the next event for each set and bar, int32, shape (sets, N + 1). The last
        event of a set is the one that never happens.
    start
        First row of each set in `events`, int64, shape (sets + 1,).
    events
        Rows of four words, flat float64, shape (4 * rows,).
    reached
        Bars on which any set may enter, bool, shape (N,).
    """

    following: SmallIntArray
    start: IntArray
    events: FloatArray
    reached: np.ndarray[tuple[int], np.dtype[np.bool_]]


class Overlay(NamedTuple):
    """What one stop distance makes of the entry bars.

    Parameters
    ----------
    price
        Fills of the positions that end on their entry bar (before slippage), shape (stops,).
    bar
        Those entry bars, int64, shape (stops,).
    at_open, on_way_up
        Which stop an entry on each bar meets, by where it was filled; -1 for none, int64 (N,).
    """

    price: FloatArray
    bar: IntArray
    at_open: IntArray
    on_way_up: IntArray


@kernel
def _following(level: FloatArray, first: int, p: Prices, out: SmallIntArray) -> int:
    """Write the number of the next event, counted from the last; return how many there are."""
    bars = p.open.size
    found = 0
    out[bars] = -1
    out[bars - 1] = -1
    for t in range(bars - 2, -1, -1):
        if t >= first and p.high[t + 1] >= level[t]:
            found += 1
        out[t] = found - 1
    return found


@kernel
def _write_events(
    level: FloatArray, slippage: float, p: Prices, following: SmallIntArray, rows: FloatArray
) -> None:
    """Turn the numbering round (first event 0) and write one row for each event."""
    whole = rows.view(np.int64)
    count = rows.shape[0] - 1
    for t in range(p.open.size - 2, -1, -1):
        if following[t] >= 0 and following[t] != following[t + 1]:
            row = count - 1 - following[t]
            rows[row, 1] = level[t]
            rows[row, 2] = max(p.open[t + 1], level[t]) + slippage
            whole[row, 3] = t + 1
    rows[count, 1] = 1.0
    rows[count, 2] = 1.0
    whole[count, 3] = NEVER
    for t in range(following.size):
        following[t] = count - 1 - following[t]


def entry_tables(sets: EntrySets, prices: Prices, slippage: float) -> EntryTables:
    """Build the tables of every entry parameter set.

    The word that leads to the exit table is left at zero: `overlay` and the search fill it for
    each family of exits.
    """
    many, bars = sets.level.shape
    following = np.empty((many, bars + 1), np.int32)
    start = np.zeros(many + 1, np.int64)
    parts = []
    reached = np.zeros(bars, np.bool_)
    for row in range(many):
        found = _following(sets.level[row], int(sets.first[row]), prices, following[row])
        rows = np.zeros((found + 1, 4))
        _write_events(sets.level[row], slippage, prices, following[row], rows)
        reached[rows.view(np.int64)[:-1, 3]] = True
        start[row + 1] = start[row] + found + 1
        parts.append(rows)
    return EntryTables(following, start, np.concatenate(parts).ravel(), reached)


@kernel
def _stops(
    p: Prices, shield: FloatArray, reached: np.ndarray, at_open: IntArray, on_way_up: IntArray
) -> tuple[list[float], list[int]]:
    price = [0.0 for _ in range(0)]
    bar = [0 for _ in range(0)]
    for e in range(1, p.open.size):
        at_open[e] = on_way_up[e] = -1
        if not reached[e]:
            continue
        opened = shielded(p, e, shield[e - 1], at_open=True)
        touched = shielded(p, e, shield[e - 1], at_open=False)
        if opened != NOT_STOPPED:
            at_open[e] = len(price)
            price.append(opened)
            bar.append(e)
        if touched != NOT_STOPPED:
            if touched == opened:
                on_way_up[e] = at_open[e]
            else:
                on_way_up[e] = len(price)
                price.append(touched)
                bar.append(e)
    return price, bar


def overlay(shield: FloatArray, prices: Prices, reached: np.ndarray) -> Overlay:
    """Find the entries that the protection of one stop distance ends on their own bar."""
    bars = prices.open.size
    at_open, on_way_up = np.full(bars, -1, np.int64), np.full(bars, -1, np.int64)
    price, bar = _stops(prices, shield, reached, at_open, on_way_up)
    return Overlay(np.array(price, float), np.array(bar, np.int64), at_open, on_way_up)
