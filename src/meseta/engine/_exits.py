"""Exit tables: for every bar one may have entered on, where the position ends.

A position that outlived its entry bar has forgotten how it was entered: its state is the
highest price since entry and the final stop, and both start from the entry bar itself. So one
table over entry bars serves every entry rule and every window. Three facts make a table cheap.

1. *Meeting paths.* When a bar after the entry has the highest high and the highest stop since
   the entry, the state is that of a position entered on that bar, and the exit is the one
   already known for it (tables are filled from the last bar backwards).
2. *One ladder for all tightening series.* Highest price and final stop do not depend on the
   tightening. For each step of a path there is one critical factor: the stop is hit if and only
   if the tightening of that bar is at or below it, because amounts grow with the factor and
   `trails_out` never turns from true to false as the amount shrinks, rounding included (a
   product and a difference round monotonically). The critical factor is found by halving until
   two neighbouring floats remain, so it is exact. Steps that no series can reach are dropped,
   and a step that every series reaches ends the path. What is left, a few comparisons for each
   entry bar, is the *ladder*; it is built once for a stop distance and used for thousands of
   series.
3. *Drawdown composes.* A trade's part in a drawdown marked at closes is its lowest close, its
   highest close and its largest fall between closes from the entry bar to the bar before the
   exit. Fill and number of shares enter linearly, so the three numbers are stored with the exit.

A row has eight words and fills one cache line: exit price, lowest close, highest close, largest
fall, exit bar, reason, entry bar, and one unused. Whole numbers are stored as their bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._entries import NEVER
from meseta.engine._path import Prices, trail_fill, trails_out

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.engine._entries import Overlay

__all__ = ["BREACH", "TRAIL", "WORDS", "Ladder", "blank_table", "build_ladder", "fill_table"]

TRAIL, BREACH = 0, 1
WORDS = 8
# Above every tightening factor, so a step with it is always taken.
_CERTAIN = 2.0
_NO_EXIT, _MEETS, _ENDS = 0, 1, 2
_MIX = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0x100000001B3)
_SEED = np.uint64(0xCBF29CE484222325)
_SHIFT = np.uint64(29)


class Ladder(NamedTuple):
    """The steps of every path of one stop distance.

    Parameters
    ----------
    entry
        Entry bars whose exit is needed, last first, int64, shape (rows,). Row `k` of a table
        belongs to `entry[k]`.
    row
        Row of each bar or -1, int64, shape (N,).
    start
        First step of each row, int64, shape (rows + 1,).
    bar
        Close at which a step's amount is decided, int64, shape (steps,).
    critical
        The stop is hit on the next bar if the tightening at `bar` is at or below this.
    distance
        Close less final stop; negative means a sale at the next open.
    top
        Highest price since entry.
    marks
        Lowest close, highest close, largest fall from the entry to `bar`, shape (steps, 3).
    ending
        How a path ends when no step is taken: no exit, or it meets another path, int64 (rows,).
    meets
        Row of the path that it meets, int64, shape (rows,).
    rest
        As `marks`, up to the bar before the meeting, shape (rows, 3).
    """

    entry: IntArray
    row: IntArray
    start: IntArray
    bar: IntArray
    critical: FloatArray
    distance: FloatArray
    top: FloatArray
    marks: FloatArray
    ending: IntArray
    meets: IntArray
    rest: FloatArray


@inline
def _critical(p: Prices, t: int, distance: float, top: float, least: float) -> float:
    """Return the largest factor that is stopped out on bar `t`, or -1 when even `least` is not."""
    if trails_out(p, t, distance, top):
        return _CERTAIN
    if not trails_out(p, t, distance * least, top):
        return -1.0
    low, high = least, 1.0
    while True:
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            return low
        if trails_out(p, t, distance * middle, top):
            low = middle
        else:
            high = middle


@kernel
def _meetings(p: Prices, stop: FloatArray, first: int, reached: np.ndarray) -> IntArray:
    """Mark the bars whose exit is needed: entries, and the bars that their paths meet."""
    bars = p.open.size
    needed = reached.copy()
    meets = np.full(bars, -1, np.int64)
    for e in range(max(first, 1), bars):
        if not needed[e]:
            continue
        top, final = p.high[e], stop[e]
        for t in range(e + 1, bars):
            # The breach ends every path here, whatever the tightening.
            if p.close[t - 1] < final:
                break
            if p.high[t] >= top and stop[t] >= final:
                meets[e] = t
                needed[t] = True
                break
            top, final = max(top, p.high[t]), max(final, stop[t])
    for e in range(bars):
        meets[e] = meets[e] if needed[e] else -2
    return meets


@kernel
def _climb(
    p: Prices, stop: FloatArray, e: int, meets: int, least: float, at: int, into: Ladder
) -> tuple[int, int]:
    """Write the steps of the path from entry bar `e`; return the next free step and the ending."""
    top, final = p.high[e], stop[e]
    low = high = p.close[e]
    fall = 0.0
    row = into.row[e]
    for t in range(e, p.open.size - 1):
        distance = p.close[t] - final
        critical = _CERTAIN
        if distance >= 0.0:
            critical = _critical(p, t + 1, distance, top, least)
        if critical >= least:
            into.bar[at], into.critical[at] = t, critical
            into.distance[at], into.top[at] = distance, top
            into.marks[at, 0], into.marks[at, 1], into.marks[at, 2] = low, high, fall
            at += 1
        if critical == _CERTAIN:
            return at, _ENDS
        if t + 1 == meets:
            into.rest[row, 0], into.rest[row, 1], into.rest[row, 2] = low, high, fall
            return at, _MEETS
        top, final = max(top, p.high[t + 1]), max(final, stop[t + 1])
        close = p.close[t + 1]
        fall = max(fall, high - close)
        low, high = min(low, close), max(high, close)
    return at, _NO_EXIT


@kernel
def _climb_all(
    p: Prices, stop: FloatArray, meets: IntArray, least: float, limit: int, into: Ladder
) -> int:
    """Fill a ladder of room `limit`; return its steps, or -1 when there is too little room."""
    at = 0
    for row in range(into.entry.size):
        e = into.entry[row]
        into.start[row] = at
        if at + p.open.size > limit:
            return -1
        at, into.ending[row] = _climb(p, stop, e, meets[e], least, at, into)
        into.meets[row] = into.row[meets[e]] if meets[e] >= 0 else -1
    into.start[into.entry.size] = at
    return at


def build_ladder(
    prices: Prices, stop: FloatArray, first: int, reached: np.ndarray, least: float
) -> Ladder:
    """Build the ladder of one stop distance.

    Parameters
    ----------
    prices
        The series.
    stop
        Candidate for the final stop at each close, shape (N,).
    first
        Earliest bar with a stop; no entry lies before it.
    reached
        Bars on which a position may be entered, bool, shape (N,).
    least
        Smallest tightening factor of any series that will be used, above 0.
    """
    bars = prices.open.size
    meets = _meetings(prices, stop, first, reached)
    entry = np.flatnonzero(meets > -2)[::-1].copy()
    entry = entry[entry >= first]
    row = np.full(bars, -1, np.int64)
    row[entry] = np.arange(entry.size)
    room = 8 * bars
    while True:
        ladder = _blank_ladder(entry, row, room)
        steps = _climb_all(prices, stop, meets, least, room, ladder)
        if steps >= 0:
            return _trim(ladder, steps)
        room *= 2


def _blank_ladder(entry: IntArray, row: IntArray, room: int) -> Ladder:
    rows = entry.size
    return Ladder(
        entry=entry,
        row=row,
        start=np.zeros(rows + 1, np.int64),
        bar=np.empty(room, np.int64),
        critical=np.empty(room),
        distance=np.empty(room),
        top=np.empty(room),
        marks=np.empty((room, 3)),
        ending=np.zeros(rows, np.int64),
        meets=np.full(rows, -1, np.int64),
        rest=np.zeros((rows, 3)),
    )


def _trim(ladder: Ladder, steps: int) -> Ladder:
    cut = ("bar", "critical", "distance", "top", "marks")
    return ladder._replace(**{name: getattr(ladder, name)[:steps].copy() for name in cut})


def blank_table(ladder: Ladder, overlay: Overlay, slippage: float) -> FloatArray:
    """Return a table with the rows that do not depend on the tightening; shape (rows, 8).

    After the ladder's rows come the positions that end on their entry bar, and last the event
    that never happens. Their marks are neutral: no close lies between entry and exit.
    """
    rows, stops = ladder.entry.size, overlay.price.size
    table = np.zeros((rows + stops + 1, WORDS))
    whole = table.view(np.int64)
    table[:, 1], table[:, 2] = 1e300, -1e300
    whole[:, 5] = TRAIL
    whole[:rows, 6] = ladder.entry
    table[rows:-1, 0] = overlay.price - slippage
    whole[rows:-1, 4] = whole[rows:-1, 6] = overlay.bar
    whole[-1, 4] = whole[-1, 6] = NEVER
    return table


@inline
def _copy_exit(table: FloatArray, whole: IntArray, row: int, met: int, rest: FloatArray) -> None:
    """Take over the exit of the path that is met, and join the closes of both parts."""
    table[row, 0] = table[met, 0]
    whole[row, 4] = whole[met, 4]
    whole[row, 5] = whole[met, 5]
    joined = max(rest[1] - table[met, 1], rest[2], table[met, 3])
    table[row, 3] = joined
    table[row, 1] = min(rest[0], table[met, 1])
    table[row, 2] = max(rest[1], table[met, 2])


@kernel
def fill_table(
    p: Prices, ladder: Ladder, factor: FloatArray, slippage: float, table: FloatArray
) -> tuple[np.uint64, np.uint64]:
    """Fill a table for one tightening series; return a 128-bit fingerprint of its exits.

    Two series with the same exit bars and prices at every row make the same trades whatever the
    entries, so one evaluation serves both. Two independent 64-bit mixes are compared instead of
    the tables: among a million different tables the chance of one false match is below 1e-26.
    """
    whole = table.view(np.int64)
    one, two = _SEED, _MIX
    for row in range(ladder.entry.size):
        step, after = ladder.start[row], ladder.start[row + 1]
        while step < after and factor[ladder.bar[step]] > ladder.critical[step]:
            step += 1
        if step < after:
            t = ladder.bar[step]
            distance = ladder.distance[step]
            if distance < 0.0:
                price = p.open[t + 1]
                whole[row, 5] = BREACH
            else:
                price = trail_fill(p, t + 1, distance * factor[t], ladder.top[step])
                whole[row, 5] = TRAIL
            table[row, 0] = price - slippage
            table[row, 1] = ladder.marks[step, 0]
            table[row, 2] = ladder.marks[step, 1]
            table[row, 3] = ladder.marks[step, 2]
            whole[row, 4] = t + 1
        elif ladder.ending[row] == _MEETS:
            _copy_exit(table, whole, row, ladder.meets[row], ladder.rest[row])
        else:
            # Open at the end of the data: every window cuts it, so the price is not read.
            table[row, 0] = 0.0
            whole[row, 4] = NEVER
        value = np.uint64(whole[row, 0]) + np.uint64(whole[row, 4]) * _MIX
        one = (one ^ value) * _PRIME
        one ^= one >> _SHIFT
        two = (two + value) * _MIX
        two ^= two >> _SHIFT
    return one, two
