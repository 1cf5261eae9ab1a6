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

Closes at which a position is left whatever its stop (`leave`) are known from the time alone: such
a close ends a path where no step before it is taken.

All of it speaks of a long position; a short is one on its own prices (`_path.py`), and its rows
follow the long ones in the same table.

A row has eight words and fills one cache line: exit price, lowest close, highest close, largest
fall, exit bar, reason, state in which the next entry is looked for (`_entries.py`), and the race
price. A reversal whose level lies at or below the race price was reached first: the exit price
before slippage in the opposite side's own prices, infinity for an exit on the way to the close,
or minus infinity where no reversal comes before the exit: a position left at a close. Whole
numbers are stored as their bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._entries import NEVER
from meseta.engine._path import Prices, trail_fill, trail_is_last, trails_out
from meseta.engine._trades import REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.engine._entries import Overlay

__all__ = [
    "SEED",
    "STOP",
    "WORDS",
    "Ladder",
    "Leave",
    "States",
    "blank_table",
    "build_ladder",
    "fill_table",
    "leave_table",
    "left_rows",
    "left_rows_at",
    "left_table",
    "mixed",
    "more_of",
]

TRAIL, BREACH, CROSS, STOP = (REASONS.index(name) for name in ("trail", "breach", "cross", "stop"))
WORDS = 8
# Above every tightening factor, so a step with it is always taken.
_CERTAIN = 2.0
_NO_EXIT, _MEETS, _ENDS = 0, 1, 2
_MIX = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0x100000001B3)
SEED = (np.uint64(0xCBF29CE484222325), _MIX)
_SHIFT = np.uint64(29)


class Leave(NamedTuple):
    """Closes at which a position of one side is left.

    Parameters
    ----------
    close
        The first such close at or after each bar, int64, shape (N,); N where there is none.
    marks
        Lowest close, highest close, largest fall from each bar to that close, shape (N, 3).
    """

    close: IntArray
    marks: FloatArray


class States(NamedTuple):
    """In which state a strategy looks for its next entry after an exit on bar `x`.

    Parameters
    ----------
    stopped
        After a stop: `stopped + x`.
    left
        After a position was left at a close: `left + x`; -1 lets the entry of that close work.
    distinct
        Whether exits of equal bar and price may have different states or race prices.
    """

    stopped: int
    left: int
    distinct: bool


class Ladder(NamedTuple):
    """The steps of every path of one stop distance.

    Parameters
    ----------
    trailing
        Whether a trailing amount works or a stop order rests.
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
        Close less final stop; negative means a sale at the next open. The final stop itself where
        a stop order rests.
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

    trailing: bool
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


@inline
def _first_stop(stop: FloatArray, e: int, trailing: bool) -> float:
    """Return the final stop at the close of the entry bar; a resting one never loosens."""
    return stop[e] if trailing or not stop[e - 1] > stop[e] else stop[e - 1]


@kernel
def _meetings(
    p: Prices, stop: FloatArray, trailing: bool, first: int, reached: np.ndarray
) -> IntArray:
    """Mark the bars whose exit is needed: entries, and the bars that their paths meet."""
    bars = p.open.size
    needed = reached.copy()
    meets = np.full(bars, -1, np.int64)
    for e in range(max(first, 1), bars):
        if not needed[e]:
            continue
        top, final = p.high[e], _first_stop(stop, e, trailing)
        for t in range(e + 1, bars):
            # The path ends here, whatever the tightening.
            if p.close[t - 1] < final if trailing else p.low[t] <= final:
                break
            # A resting stop does not know the highest price.
            if (p.high[t] >= top or not trailing) and stop[t] >= final:
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
    trailing = into.trailing
    top, final = p.high[e], _first_stop(stop, e, trailing)
    low = high = p.close[e]
    fall = 0.0
    row = into.row[e]
    for t in range(e, p.open.size - 1):
        distance = p.close[t] - final if trailing else final
        critical = _CERTAIN
        if not trailing:
            critical = _CERTAIN if p.low[t + 1] <= final else -1.0
        elif distance >= 0.0:
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
    prices: Prices,
    stop: FloatArray,
    first: int,
    reached: BoolArray,
    least: float,
    *,
    trailing: bool = True,
) -> Ladder:
    """Build the ladder of one stop distance.

    Parameters
    ----------
    prices
        One side.
    stop
        Candidate for the final stop at each close in the side's own prices, shape (N,).
    first
        Earliest bar with a stop; no entry lies before it.
    reached
        Bars on which a position may be entered, bool, shape (N,).
    least
        Smallest tightening factor of any series that will be used, above 0.
    trailing
        As `Protection.trailing`.
    """
    bars = prices.open.size
    meets = _meetings(prices, stop, trailing, first, reached)
    entry = np.flatnonzero(meets > -2)[::-1].copy()
    entry = entry[entry >= max(first, 1)]
    row = np.full(bars, -1, np.int64)
    row[entry] = np.arange(entry.size)
    room = 8 * bars
    while True:
        ladder = _blank_ladder(entry, row, room, trailing)
        steps = _climb_all(prices, stop, meets, least, room, ladder)
        if steps >= 0:
            return _trim(ladder, steps)
        room *= 2


def _blank_ladder(entry: IntArray, row: IntArray, room: int, trailing: bool) -> Ladder:
    rows = entry.size
    return Ladder(
        trailing=trailing,
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


@kernel
def _leave_table(leaves: np.ndarray, close: FloatArray, out: IntArray, marks: FloatArray) -> None:
    bars = close.size
    low, high, fall, at = 0.0, 0.0, 0.0, bars
    for t in range(bars - 1, -1, -1):
        if leaves[t]:
            low = high = close[t]
            fall, at = 0.0, t
        elif at < bars:
            fall = max(fall, close[t] - low)
            low, high = min(low, close[t]), max(high, close[t])
        out[t], marks[t, 0], marks[t, 1], marks[t, 2] = at, low, high, fall


def leave_table(prices: Prices, leaves: BoolArray | None) -> Leave:
    """Prepare the closes at which positions of one side are left; None is never."""
    bars = prices.close.size
    table = Leave(np.full(bars, bars, np.int64), np.zeros((bars, 3)))
    if leaves is not None:
        _leave_table(leaves, prices.close, *table)
    return table


def blank_table(
    ladders: Sequence[Ladder],
    stops: Sequence[Overlay],
    states: Sequence[States],
    slippage: float,
) -> FloatArray:
    """Return a table with the rows that do not depend on the tightening; shape (rows, 8).

    The rows of every side's ladder come first, then the positions that end on their entry bar,
    side by side, and last the event that never happens. Marks of the latter are neutral: no
    close lies between entry and exit.
    """
    at = sum(ladder.entry.size for ladder in ladders)
    table = np.zeros((at + sum(each.bar.size for each in stops) + 1, WORDS))
    whole = table.view(np.int64)
    table[:, 1], table[:, 2] = 1e300, -1e300
    for ladder, each, state in zip(ladders, stops, states, strict=True):
        rows = slice(at, at + each.bar.size)
        table[rows, 0] = each.price - slippage
        whole[rows, 4] = each.bar
        whole[rows, 5] = TRAIL if ladder.trailing else STOP
        whole[rows, 6] = each.bar + state.stopped
        at = rows.stop
    whole[-1, 4] = NEVER
    return table


@inline
def _copy_exit(table: FloatArray, whole: IntArray, row: int, met: int, rest: FloatArray) -> None:
    """Take over the exit of the path that is met, and join the closes of both parts."""
    table[row, 0] = table[met, 0]
    whole[row, 4] = whole[met, 4]
    whole[row, 5] = whole[met, 5]
    whole[row, 6] = whole[met, 6]
    table[row, 7] = table[met, 7]
    joined = max(rest[1] - table[met, 1], rest[2], table[met, 3])
    table[row, 3] = joined
    table[row, 1] = min(rest[0], table[met, 1])
    table[row, 2] = max(rest[1], table[met, 2])


@kernel
def fill_table(
    p: Prices,
    ladder: Ladder,
    leave: Leave,
    states: States,
    factor: FloatArray,
    slippage: float,
    table: FloatArray,
    seed: Any,
) -> Any:
    """Fill one side's rows for one tightening series; return a 128-bit fingerprint of its exits.

    Parameters
    ----------
    p, ladder, leave, states
        The side.
    factor
        Tightening, shape (N,).
    slippage
        Price units.
    table
        The side's rows.
    seed
        Fingerprint of the sides before.

    Two series with the same exits at every row make the same trades whatever the entries, so one
    evaluation serves both. Two independent 64-bit mixes are compared instead of the tables: among
    a million different tables the chance of one false match is below 1e-26.
    """
    whole = table.view(np.int64)
    one, two = seed
    bars = p.open.size
    for row in range(ladder.entry.size):
        e = ladder.entry[row]
        step, after, left = ladder.start[row], ladder.start[row + 1], leave.close[e]
        while (
            step < after
            and factor[ladder.bar[step]] > ladder.critical[step]
            and ladder.bar[step] < left
        ):
            step += 1
        met = ladder.meets[row] if ladder.ending[row] == _MEETS else -1
        if step < after and ladder.bar[step] < left:
            t = ladder.bar[step]
            distance, last = ladder.distance[step], False
            if not ladder.trailing:
                price = min(p.open[t + 1], distance)
                whole[row, 5] = STOP
            elif distance < 0.0:
                price = p.open[t + 1]
                whole[row, 5] = BREACH
            else:
                amount, top = distance * factor[t], ladder.top[step]
                opened, low, rises = p.open[t + 1], p.low[t + 1], p.high_first[t + 1]
                price = trail_fill(opened, p.high[t + 1], low, rises, amount, top)
                last = trail_is_last(opened, low, rises, amount, top)
                whole[row, 5] = TRAIL
            table[row, 0] = price - slippage
            table[row, 1] = ladder.marks[step, 0]
            table[row, 2] = ladder.marks[step, 1]
            table[row, 3] = ladder.marks[step, 2]
            whole[row, 4], whole[row, 6] = t + 1, t + 1 + states.stopped
            table[row, 7] = np.inf if last else -price
        elif met >= 0 and step == after and ladder.entry[met] <= left:
            _copy_exit(table, whole, row, met, ladder.rest[row])
        elif left < bars - 1:
            table[row, 0] = p.open[left + 1] - slippage
            table[row, 1] = leave.marks[e, 0]
            table[row, 2] = leave.marks[e, 1]
            table[row, 3] = leave.marks[e, 2]
            whole[row, 4], whole[row, 5] = left + 1, CROSS
            # The order that would reverse the position is not read at a close that leaves it.
            whole[row, 6], table[row, 7] = left + 1 + states.left, -np.inf
        else:
            # Open at the end of the data: every window cuts it, so the price is not read.
            table[row, 0] = 0.0
            whole[row, 4], whole[row, 6] = NEVER, 0
            table[row, 7] = -np.inf
        more = np.uint64(0)
        if states.distinct:
            more = more_of(whole[row, 6], whole[row, 7])
        one, two = mixed(one, two, whole[row, 0], whole[row, 4], more)
    return one, two


@inline
def more_of(state: Any, race: Any) -> Any:
    """Return what tells exits of equal bar and price apart."""
    return np.uint64(state) * _PRIME + np.uint64(race)


@inline
def mixed(one: Any, two: Any, price: Any, bar: Any, more: Any) -> Any:
    """Take an exit into a fingerprint."""
    value = np.uint64(price) + np.uint64(bar) * _MIX + more
    one = (one ^ value) * _PRIME
    two = (two + value) * _MIX
    return one ^ (one >> _SHIFT), two ^ (two >> _SHIFT)


def left_rows(
    sides: tuple[Prices, ...],
    ladders: Sequence[Ladder],
    leaves: Sequence[Leave],
    states: Sequence[States],
    slippage: float,
    many: int,
) -> FloatArray:
    """Return for every row of a table the exit at the first close that leaves the position.

    As `left_rows_at`; `many` is the number of rows, of which those after the ladders' are
    positions that end on their entry bar.
    """
    sizes = [ladder.entry.size for ladder in ladders]
    rest = np.full(many - sum(sizes), NEVER)
    side = np.repeat(np.arange(len(sizes) + 1), [*sizes, rest.size])
    bars = np.concatenate([*(ladder.entry for ladder in ladders), rest])
    return left_rows_at(sides, leaves, states, slippage, side, bars)


def left_rows_at(
    sides: tuple[Prices, ...],
    leaves: Sequence[Leave],
    states: Sequence[States],
    slippage: float,
    side: IntArray,
    bar: IntArray,
) -> FloatArray:
    """Return rows for the exits at the first close that leaves a position.

    Parameters
    ----------
    sides, leaves, states
        By side.
    slippage
        Price units.
    side, bar
        Side and entry bar of each row, int64, shape (n,).

    Returns
    -------
    ndarray
        Shape (n, 8). Rows without such a close have an exit bar behind every other: of two rows
        the earlier exit is the position's (`left_table`).
    """
    table = np.zeros((bar.size, WORDS))
    whole = table.view(np.int64)
    whole[:, 4] = NEVER + 1
    for number, (own, leave, state) in enumerate(zip(sides, leaves, states, strict=True)):
        mine = np.flatnonzero((side == number) & (bar < own.close.size))
        close = leave.close[bar[mine]]
        rows, at = mine[close < own.close.size - 1], close[close < own.close.size - 1] + 1
        table[rows, 0] = own.open[at] - slippage
        table[rows, 1:4] = leave.marks[bar[rows]]
        whole[rows, 4], whole[rows, 5], whole[rows, 6] = at, CROSS, at + state.left
        table[rows, 7] = -np.inf
    return table


@inline
def left_table(
    base: FloatArray,
    left: FloatArray,
    pick: IntArray,
    distinct: bool,
    table: FloatArray,
) -> Any:
    """Fill some rows of a table whose positions are also left; return its fingerprint.

    Parameters
    ----------
    base
        Exits without that rule, shape (rows, 8).
    left
        From `left_rows`, for the picked rows.
    pick
        Rows of `base` that are needed.
    distinct
        As in `States`.
    table
        Result, shape (picked, 8).

    A close that leaves the position comes before what its stop does on the next bar.
    """
    bits, left_bits, whole = base.view(np.int64), left.view(np.int64), table.view(np.int64)
    one, two = SEED
    for k in range(pick.size):
        row = pick[k]
        if left_bits[k, 4] <= bits[row, 4]:
            for word in range(WORDS):
                whole[k, word] = left_bits[k, word]
        else:
            for word in range(WORDS):
                whole[k, word] = bits[row, word]
        more = np.uint64(0)
        if distinct:
            more = more_of(whole[k, 6], whole[k, 7])
        one, two = mixed(one, two, whole[k, 0], whole[k, 4], more)
    return one, two
