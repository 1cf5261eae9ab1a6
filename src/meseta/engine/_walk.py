"""One chain at a time: totals of a window with all fields, and trades for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._entries import AT_OPEN, BAR, HALF
from meseta.engine._settle import mark, settle, size
from meseta.engine._trades import REASONS

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.engine._entries import EntryTables
    from meseta.engine._marks import Cuts
    from meseta.engine._settle import Costs

__all__ = ["TRADE_WORDS", "reversal", "walk_chain", "walk_pairs", "walk_trades"]

# Direction, entry bar, exit bar, fill, exit price, shares, reason, profit after costs, costs.
TRADE_WORDS = 9
_END, _REVERSE = REASONS.index("end"), REASONS.index("reverse")
_LOWER = (1 << HALF) - 1
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(31)
# Turns the bits of a price into those of the same price on the other side.
_SIGN = np.int64(-(1 << 63))


@inline
def _stir(hashed: Any, word: Any) -> Any:
    """Mix one word into a fingerprint."""
    hashed = (hashed ^ np.uint64(word)) * _MIX
    return hashed ^ (hashed >> _SHIFT)


@inline
def _next_alike(following: Any, events: FloatArray, bits: IntArray, k: int) -> int:
    """Return the next event of the same direction as event `k`, or the one that never happens."""
    never, found = events.shape[0] - 1, following[bits[k, 3] & BAR]
    while found != never and events[found, 1] * events[k, 1] < 0.0:
        found = following[bits[found, 3] & BAR]
    return found


@inline
def reversal(
    following: Any, events: FloatArray, bits: IntArray, k: int, ends: int, race: float,
    equity: float, lot: float,
) -> int:  # fmt: skip
    """Return the event that reverses the position of event `k` before its exit, or -1.

    An order for less than a lot is not given, so that the next one may come first.
    """
    found = bits[k, 3] >> HALF
    while True:
        bar = bits[found, 3] & BAR
        at_open = (bits[found, 3] >> AT_OPEN) & 1 and race > -np.inf
        if bar > ends or (bar == ends and not at_open and not events[found, 1] <= race):
            return -1
        if bar >= following.size - 1:
            return -1
        if size(equity, abs(events[found, 1]), lot, lot == 1.0) >= lot:
            return found
        found = _next_alike(following, events, bits, found)


@inline
def _marks_between(close: FloatArray, way: float, first: int, stop: int) -> Any:
    low = high = way * close[first]
    fall = 0.0
    for t in range(first + 1, stop):
        own = way * close[t]
        fall = max(fall, high - own)
        low, high = min(low, own), max(high, own)
    return low, high, fall


@inline
def walk_chain(
    following: Any,
    events: FloatArray,
    table: FloatArray,
    first: int,
    close: FloatArray,
    cuts: Cuts,
    w: int,
    costs: Costs,
    out: FloatArray,
    trades: Any,
) -> Any:
    """Write the six totals of one window; return a fingerprint and the number of the trades.

    Parameters
    ----------
    following, events
        Entry set: numbers by state, and its events, shape (events, 4 or 8).
    table, first
        Exit table, shape (rows, 8), and the first bar that may signal with it.
    close
        Closes, shape (N,).
    cuts, w, costs
        Windows and which of them; account.
    out
        Result: in-sample and out-of-sample profit, trades, drawdown by turns.
    trades
        Result, shape (N, TRADE_WORDS), or None.
    """
    start, split, stop = cuts.windows[w]
    bits, table_bits = events.view(np.int64), table.view(np.int64)
    boundary_bits = cuts.boundary.view(np.int64)
    rates = (costs.cost_per_share, costs.commission)
    unit, bars = costs.lot == 1.0, close.size
    account = (costs.capital, costs.capital, 0.0)
    k, before, last = following[max(start, first)], 0.0, -1
    many, found, crossed, hashed = 0, 0, False, _MIX
    out[:] = 0.0
    while True:
        entry = bits[k, 3] & BAR
        # What is decided while a position is open is sized without its profit.
        worth = before if entry == last else account[0]
        shares = size(worth, abs(events[k, 1]), costs.lot, unit)
        if entry != last or shares < costs.lot:
            account = mark(account)
        if not crossed and entry >= split:
            out[0], out[2], out[4] = account[0] - costs.capital, many, account[2]
            account, many, crossed = (account[0], account[0], 0.0), 0, True
        if entry >= stop:
            break
        if shares < costs.lot:
            k = following[bits[k, 0] >> HALF]
            continue
        way = 1.0 if events[k, 1] > 0.0 else -1.0
        shift = 0 if way > 0.0 else bars + 1
        fill, row = events[k, 2], bits[k, 0] & _LOWER
        ends, price, reason = table_bits[row, 4], table[row, 0], table_bits[row, 5]
        price_bits = table_bits[row, 0]
        low, high, fall = table[row, 1], table[row, 2], table[row, 3]
        paid = costs.commission * abs(fill) * shares
        held, turn = account[0] - paid, -1
        if events.shape[1] > 4:
            turn = reversal(following, events, bits, k, ends, table[row, 7], held, costs.lot)
        if turn >= 0:
            ends, price, reason = bits[turn, 3] & BAR, -events[turn, 2], _REVERSE
            price_bits = bits[turn, 2] ^ _SIGN
            low, high, fall = events[k, 5], events[k, 6], events[k, 7]
            if turn != bits[k, 3] >> HALF:
                low, high, fall = _marks_between(close, way, entry, ends)
        cut = ends >= stop
        if cut:
            ends, price, reason = stop, way * cuts.boundary[w, 1], _END
            price_bits = boundary_bits[w, 1] if way > 0.0 else boundary_bits[w, 1] ^ _SIGN
            at = 4 * (shift + entry)
            low, high, fall = cuts.to_stop[w, at], cuts.to_stop[w, at + 1], cuts.to_stop[w, at + 2]
        lots = np.int64(shares / costs.lot + 0.5)
        seen = stop - 1 if cut else ends
        # What the window saw of the trade: an exit after its end is not a difference.
        for word in (entry, bits[k, 2], seen, price_bits, lots):
            hashed = _stir(hashed, word)
        if trades is not None:
            left = costs.commission * abs(price) * shares + costs.cost_per_share * shares
            trades[found, 0], trades[found, 1] = way, entry
            trades[found, 2] = seen
            trades[found, 3], trades[found, 4] = way * fill, way * price
            trades[found, 5], trades[found, 6] = shares, reason
            trades[found, 7] = (price - fill) * shares - paid - left
            trades[found, 8] = paid + left
        found += 1
        if not crossed and ends >= split:
            equity, peak, drawdown = account
            at = 4 * (shift + entry)
            worst, falls = cuts.to_split[w, at], cuts.to_split[w, at + 2]
            deepest = max(peak - (held + (worst - fill) * shares), falls * shares)
            gain = (way * cuts.boundary[w, 0] - fill) * shares
            out[0], out[2] = equity + gain - costs.capital, many + 1
            out[4] = max(drawdown, deepest)
            account, many, crossed = (equity, held + gain, 0.0), 0, True
            at = 4 * (shift + seen)
            low, high = cuts.from_split[w, at], cuts.from_split[w, at + 1]
            fall = cuts.from_split[w, at + 2]
        account = settle(account, shares, fill, price, low, high, fall, rates)
        many += 1
        if cut:
            account = mark(account)
            break
        before, last = held, ends
        k = turn if turn >= 0 else following[table_bits[row, 6]]
    out[1], out[3], out[5] = account[0] - costs.capital - out[0], many, account[2]
    return hashed, found


@kernel
def walk_pairs(
    table: FloatArray,
    first: int,
    sets: IntArray,
    entries: EntryTables,
    words: int,
    close: FloatArray,
    cuts: Cuts,
    costs: Costs,
    totals: FloatArray,
    behaviour: Any,
) -> None:
    """Walk one exit table from some entry sets and keep every field.

    Parameters
    ----------
    table, first
        Exit table, shape (rows, 8), and the first bar that may signal with it.
    sets
        Numbers of the entry sets, int64, shape (n,).
    entries, words, close, cuts, costs
        As for `walk_lanes`; an event has `words` words.
    totals
        Result, shape (n, W, 6): in-sample and out-of-sample profit, trades, drawdown.
    behaviour
        Result, uint64, shape (n,): fingerprint of the trades of all windows.
    """
    for n in range(sets.size):
        i = sets[n]
        rows = entries.events[words * entries.start[i] : words * entries.start[i + 1]]
        events = rows.reshape(-1, words)
        hashed = _MIX
        for w in range(cuts.windows.shape[0]):
            found, _ = walk_chain(
                entries.following[i], events, table, first, close, cuts, w, costs, totals[n, w],
                None,
            )  # fmt: skip
            hashed = (hashed ^ found) * _MIX
            hashed ^= hashed >> _SHIFT
        behaviour[n] = hashed


@kernel
def walk_trades(
    table: FloatArray,
    first: int,
    entries: EntryTables,
    words: int,
    close: FloatArray,
    cuts: Cuts,
    costs: Costs,
    trades: FloatArray,
) -> int:
    """Write the trades of the only entry set in the only window; return how many."""
    events, totals = entries.events.reshape(-1, words), np.empty(6)
    _, found = walk_chain(
        entries.following[0], events, table, first, close, cuts, 0, costs, totals, trades
    )
    return found
