"""Entry tables: for every bar one is flat on, the next entry.

One set of entry parameters has a list of *events*, the bars on which its order is filled when
one is flat, and for every bar the number of the first event whose decision lies at or after that
bar. Neither depends on the account or on how a position ends.

A strategy that remembers how it was stopped out is flat in one of several *modes* (`Rules`), each
with its own orders; then there is one such list of numbers for each mode. A mode and a bar make
one *state*: `mode * (N + 1) + bar`.

An event is a row of words, so that it is fetched with one load; whole numbers are stored as their
bits, prices are the side's own (`_path.py`):

0. row of the exit table that it leads to (lower half), state after an order that was too small to
   be given (upper half)
1. price that sizes the order; negative for a short
2. fill
3. entry bar (bits 0-30), whether it fills at the open (bit 31), number of the event that reverses
   the position (upper half)

and where shorts are traded, so that a row fills a cache line:

4. unused
5. lowest close, highest close, largest fall between closes from the entry bar to the bar before
   the reversal (words 5, 6, 7)
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta._numba import kernel
from meseta.engine._path import NOT_STOPPED, Prices, rested, shielded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meseta._types import BoolArray, FloatArray, IntArray, SmallIntArray
    from meseta.strategies import Orders

__all__ = [
    "AT_OPEN",
    "BAR",
    "HALF",
    "NEVER",
    "EntrySet",
    "EntryTables",
    "Overlay",
    "entry_tables",
    "mark_entries",
    "overlay",
]

# A bar that no history reaches: the entry and exit bar of an event that does not happen.
NEVER = 1 << 30
AT_OPEN = 31
HALF = 32
# The bits of word 3 that hold the entry bar.
BAR = (1 << AT_OPEN) - 1


class EntrySet(NamedTuple):
    """The orders of one entry parameter set.

    Parameters
    ----------
    orders
        As `Rules.orders`.
    clears
        As `Rules.clears`.
    reverses
        Whether longs and shorts are reversed.
    first
        First bar that may signal.
    """

    orders: tuple[Orders, ...]
    clears: BoolArray
    reverses: tuple[bool, bool]
    first: int


class EntryTables(NamedTuple):
    """Entries of many parameter sets.

    Parameters
    ----------
    following
        Number of the next event for each set and state, int32, shape (sets, modes * (N + 1)).
        The last event of a set is the one that never happens.
    start
        First row of each set in `events`, int64, shape (sets + 1,).
    events
        Rows of four words (one direction) or eight (both), flat float64.
    like
        The first set with the same entries, for each set, int64, shape (sets,): it makes the same
        trades with every exit. Where sets were not compared each is its own.
    """

    following: SmallIntArray
    start: IntArray
    events: FloatArray
    like: IntArray


class Overlay(NamedTuple):
    """What one stop distance makes of the entry bars of one side.

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
def _fills(
    direction: np.ndarray, level: FloatArray, price: FloatArray, first: int,
    sides: tuple[Prices, ...], out: np.ndarray,
) -> int:  # fmt: skip
    """Tell at which closes the order is filled on the next bar; return how many."""
    found = 0
    out[:] = False
    for t in range(max(first, 0), direction.size - 1):
        way = direction[t]
        if way == 0 or not price[t] > 0.0:
            continue
        own = sides[0] if way > 0 else sides[len(sides) - 1]
        out[t] = own.high[t + 1] >= way * level[t]
        found += out[t]
    return found


@kernel
def _write_events(
    direction: np.ndarray, level: FloatArray, price: FloatArray, filled: np.ndarray,
    sides: tuple[Prices, ...], slippage: float, miss: int, at: int, rows: FloatArray,
    follow: SmallIntArray,
) -> None:  # fmt: skip
    """Write one row for each filled order, from row `at` on, and number them in `follow`."""
    whole = rows.view(np.int64)
    bars = direction.size
    for t in range(bars - 1):
        follow[t] = -1
        if not filled[t]:
            continue
        way = direction[t]
        own = sides[0] if way > 0 else sides[len(sides) - 1]
        touch = way * level[t]
        opened = own.open[t + 1] >= touch
        whole[at, 0] = (miss + t + 1) << HALF
        rows[at, 1] = way * price[t]
        rows[at, 2] = max(own.open[t + 1], touch) + slippage
        whole[at, 3] = (t + 1) | (np.int64(opened) << AT_OPEN)
        follow[t] = at
        at += 1


@kernel
def _chain_modes(follow: SmallIntArray, clears: np.ndarray, mode: int, never: int) -> None:
    """Turn event numbers at their own closes into the number of the next event."""
    bars = clears.size
    fresh = follow[: bars + 1]
    mine = follow[mode * (bars + 1) : (mode + 1) * (bars + 1)]
    mine[bars] = mine[bars - 1] = never
    for t in range(bars - 2, -1, -1):
        if mode > 0 and clears[t]:
            mine[t] = fresh[t]
        elif mine[t] < 0:
            mine[t] = mine[t + 1]


@kernel
def _write_reversals(
    sides: tuple[Prices, ...], reverses: tuple[bool, bool], follow: SmallIntArray,
    rows: FloatArray, closes: FloatArray, opposite: IntArray,
) -> None:  # fmt: skip
    """Note which event reverses each position, and the closes until then.

    Parameters
    ----------
    closes, opposite
        Room of shape (N, 3) and (N,).
    """
    whole = rows.view(np.int64)
    bars, never = sides[0].close.size, rows.shape[0] - 1
    for way in (1, -1):
        own = sides[0] if way > 0 else sides[1]
        low, high, fall, against = 0.0, 0.0, 0.0, never
        for t in range(bars - 1, -1, -1):
            k = follow[t]
            here = t < bars - 1 and k != never and (whole[k, 3] & BAR) == t + 1
            if here and rows[k, 1] * way < 0.0:
                low = high = own.close[t]
                fall, against = 0.0, k
            elif against != never:
                fall = max(fall, own.close[t] - low)
                low, high = min(low, own.close[t]), max(high, own.close[t])
            closes[t, 0], closes[t, 1], closes[t, 2] = low, high, fall
            opposite[t] = against
        for k in range(never):
            if rows[k, 1] * way > 0.0:
                e = whole[k, 3] & BAR
                turns = reverses[0] if way > 0 else reverses[1]
                whole[k, 3] |= (opposite[e] if turns else never) << HALF
                rows[k, 5], rows[k, 6], rows[k, 7] = closes[e, 0], closes[e, 1], closes[e, 2]


def _write_set(
    each: EntrySet, sides: tuple[Prices, ...], slippage: float, follow: SmallIntArray
) -> FloatArray:
    """Fill one row of `following`; return the set's events."""
    bars = sides[0].close.size
    filled = np.empty((len(each.orders), bars), np.bool_)
    counts = [
        _fills(*orders, each.first, sides, row)
        for orders, row in zip(each.orders, filled, strict=True)
    ]
    never = sum(counts)
    rows = np.zeros((never + 1, 4 if len(sides) == 1 else 8))
    at = 0
    for mode, (orders, row) in enumerate(zip(each.orders, filled, strict=True)):
        shift = mode * (bars + 1)
        mine = follow[shift : shift + bars + 1]
        _write_events(*orders, row, sides, slippage, shift, at, rows, mine)
        at += counts[mode]
    for mode in range(len(each.orders)):
        _chain_modes(follow, each.clears, mode, never)
    whole = rows.view(np.int64)
    rows[never, 1:3] = 1.0
    whole[never, 0], whole[never, 3] = bars << HALF, NEVER | (never << HALF)
    if len(sides) > 1:
        room = np.empty((bars, 3)), np.empty(bars, np.int64)
        _write_reversals(sides, each.reverses, follow, rows, *room)
    return rows


def entry_tables(
    sets: Iterable[EntrySet],
    sides: tuple[Prices, ...],
    slippage: float,
    *,
    compare: bool = False,
) -> EntryTables:
    """Build the tables of some entry parameter sets; `compare` finds those that are alike.

    The word that leads to the exit table is left at zero: `link` fills it for each family of
    exits.
    """
    numbers, parts, like = [], [], []
    seen: dict[bytes, int] = {}
    for number, each in enumerate(sets):
        follow = np.empty(len(each.orders) * (sides[0].close.size + 1), np.int32)
        parts.append(_write_set(each, sides, slippage, follow))
        numbers.append(follow)
        like.append(number)
        if compare:
            digest = hashlib.blake2b(follow.data, digest_size=16)
            digest.update(parts[-1].data)
            like[-1] = seen.setdefault(digest.digest(), number)
    start = np.cumsum([0, *(len(rows) for rows in parts)])
    events = np.concatenate(parts).ravel()
    return EntryTables(np.array(numbers), start, events, np.array(like, np.int64))


@kernel
def mark_entries(events: FloatArray, words: int, reached: BoolArray) -> None:
    """Mark the bars on which longs (row 0) and shorts (last row) of `reached` may be entered."""
    rows = events.reshape(-1, words)
    whole = rows.view(np.int64)
    for k in range(rows.shape[0]):
        e = whole[k, 3] & BAR
        if e < reached.shape[1]:
            reached[0 if rows[k, 1] > 0.0 else reached.shape[0] - 1, e] = True


@kernel
def _stops(
    p: Prices, shield: FloatArray, trailing: bool, reached: np.ndarray, at_open: IntArray,
    on_way_up: IntArray,
) -> tuple[list[float], list[int]]:  # fmt: skip
    price = [0.0 for _ in range(0)]
    bar = [0 for _ in range(0)]
    for e in range(1, p.open.size):
        at_open[e] = on_way_up[e] = -1
        if not reached[e]:
            continue
        if trailing:
            opened = shielded(p, e, shield[e - 1], True)
            touched = shielded(p, e, shield[e - 1], False)
        else:
            opened = rested(p, e, shield[e - 1], True)
            touched = rested(p, e, shield[e - 1], False)
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


def overlay(
    guard: FloatArray,
    trailing: bool,
    prices: Prices,
    reached: BoolArray,
) -> Overlay:
    """Find the entries that the protection of one stop distance ends on their own bar.

    Parameters
    ----------
    guard
        The trailing amount at each close, or the stop's own price where it does not trail.
    trailing
        Which of the two.
    prices, reached
        One side, and the bars on which it may be entered.
    """
    bars = prices.open.size
    at_open, on_way_up = np.full(bars, -1, np.int64), np.full(bars, -1, np.int64)
    price, bar = _stops(prices, guard, trailing, reached, at_open, on_way_up)
    return Overlay(np.array(price, float), np.array(bar, np.int64), at_open, on_way_up)
