"""One chain at a time: totals of a window with all fields, and trades for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._chain import settle, size

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.engine._chain import Costs
    from meseta.engine._entries import EntryTables
    from meseta.engine._marks import Cuts

__all__ = ["walk_pairs", "walk_trades"]

_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(31)


@inline
def _stir(hashed: Any, word: Any) -> Any:
    """Mix one word into a fingerprint."""
    hashed = (hashed ^ np.uint64(word)) * _MIX
    return hashed ^ (hashed >> _SHIFT)


@inline
def _walk(
    following: Any,
    events: FloatArray,
    table: FloatArray,
    first: int,
    cuts: Cuts,
    w: int,
    costs: Costs,
    out: FloatArray,
) -> Any:
    """Write the six totals of one window; return a fingerprint of the trades."""
    start, split, stop = cuts.windows[w]
    event_bits, table_bits = events.view(np.int64), table.view(np.int64)
    boundary_bits = cuts.boundary.view(np.int64)
    rates = (costs.cost_per_share, costs.commission)
    unit = costs.lot == 1.0
    account = (costs.capital, costs.capital, 0.0)
    at, trades, crossed, hashed = max(start, first), 0, False, _MIX
    out[:] = 0.0
    while True:
        k = following[at]
        row, entry = event_bits[k, 0], event_bits[k, 3]
        if not crossed and entry >= split:
            out[0], out[2], out[4] = account[0] - costs.capital, trades, account[2]
            account, trades, crossed = (account[0], account[0], 0.0), 0, True
        if entry >= stop:
            break
        shares = size(account[0], events[k, 1], costs.lot, unit)
        if shares < costs.lot:
            at = entry
            continue
        fill, ends, price = events[k, 2], table_bits[row, 4], table[row, 0]
        low, high, fall = table[row, 1], table[row, 2], table[row, 3]
        price_bits = table_bits[row, 0]
        cut = ends >= stop
        if cut:
            ends, price, price_bits = stop, cuts.boundary[w, 1], boundary_bits[w, 1]
            marks = cuts.to_stop[w, 4 * entry : 4 * entry + 3]
            low, high, fall = marks[0], marks[1], marks[2]
        lots = np.int64(shares / costs.lot + 0.5)
        # What the window saw of the trade: an exit after its end is not a difference.
        for word in (entry, event_bits[k, 2], ends, price_bits, lots):
            hashed = _stir(hashed, word)
        if not crossed and ends >= split:
            equity, peak, drawdown = account
            marked = equity - costs.commission * fill * shares
            before = cuts.to_split[w, 4 * entry : 4 * entry + 3]
            deepest = max(peak - (marked + (before[0] - fill) * shares), before[2] * shares)
            gain = (cuts.boundary[w, 0] - fill) * shares
            out[0], out[2], out[4] = (
                equity + gain - costs.capital,
                trades + 1,
                max(drawdown, deepest),
            )
            account, trades, crossed = (equity, marked + gain, 0.0), 0, True
            last = stop - 1 if cut else ends
            marks = cuts.from_split[w, 4 * last : 4 * last + 3]
            low, high, fall = marks[0], marks[1], marks[2]
        account = settle(account, shares, fill, price, low, high, fall, rates)
        trades += 1
        at = ends
        if cut:
            break
    out[1], out[3], out[5] = account[0] - costs.capital - out[0], trades, account[2]
    return hashed


@kernel
def walk_pairs(
    table: FloatArray,
    first: int,
    sets: IntArray,
    entries: EntryTables,
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
    entries, cuts, costs
        As for `walk_lanes`.
    totals
        Result, shape (n, W, 6): in-sample and out-of-sample profit, trades, drawdown.
    behaviour
        Result, uint64, shape (n,): fingerprint of the trades of all windows.
    """
    for n in range(sets.size):
        i = sets[n]
        rows = entries.events[4 * entries.start[i] : 4 * entries.start[i + 1]].reshape(-1, 4)
        hashed = _MIX
        for w in range(cuts.windows.shape[0]):
            found = _walk(entries.following[i], rows, table, first, cuts, w, costs, totals[n, w])
            hashed = (hashed ^ found) * _MIX
            hashed ^= hashed >> _SHIFT
        behaviour[n] = hashed


@kernel
def walk_trades(
    table: FloatArray,
    first: int,
    entries: EntryTables,
    window: tuple[int, int],
    last_close: float,
    costs: Costs,
    out: FloatArray,
) -> int:
    """Write the trades of the only entry set; return how many.

    Rows of `out` are entry bar, exit bar, fill, exit price, shares, reason (2 is `end`), profit
    after costs, costs.
    """
    start, stop = window
    rows = entries.events.reshape(-1, 4)
    event_bits, table_bits = rows.view(np.int64), table.view(np.int64)
    equity, at, found = costs.capital, max(start, first), 0
    while True:
        k = entries.following[0, at]
        row, entry = event_bits[k, 0], event_bits[k, 3]
        if entry >= stop:
            return found
        shares = size(equity, rows[k, 1], costs.lot, costs.lot == 1.0)
        if shares < costs.lot:
            at = entry
            continue
        fill, ends, price, reason = (
            rows[k, 2],
            table_bits[row, 4],
            table[row, 0],
            table_bits[row, 5],
        )
        if ends >= stop:
            ends, price, reason = stop - 1, last_close, 2
        paid = costs.commission * fill * shares
        left = costs.commission * price * shares + costs.cost_per_share * shares
        profit = (price - fill) * shares - paid - left
        equity = equity + profit
        out[found, 0], out[found, 1], out[found, 2], out[found, 3] = entry, ends, fill, price
        out[found, 4], out[found, 5] = shares, reason
        out[found, 6], out[found, 7] = profit, paid + left
        found += 1
        at = ends
