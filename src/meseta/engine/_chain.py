"""Chains: flat, entry, exit, flat, through an entry table and an exit table.

One combination of an entry set and an exit set is a walk of some twenty hops through two tables
instead of a simulation of thousands of bars. Eight exit tables are walked at once, one in each
lane of a vector, from the same entry set; two entry sets are walked side by side so that the
processor has something to do while a lane waits for memory. Money moves in `settle` alone; the
scalar walk in `_walk.py` uses the same function, so the lanes give its bits.

Why a chain equals the bar-by-bar simulation: where the next entry is depends on the bar one is
flat on, where a position ends on the bar it was entered on, and nothing on equity, with one
exception, an order for less than one lot is not given. Then the walk goes on from the bar of the
missed entry, which finds the next event whose decision lies at or after that bar: the same
sequence of decisions, since no other bar would have been filled.

Reversals keep this shape. The first opposite order that would be filled after an entry is known
from the entry parameters alone, so each event points to the one that reverses it; whichever comes
first, reversal or exit, ends the position (on the same bar the race price of the exit decides).
Only a reversal too small to be ordered breaks the pattern, since the next opposite order then
counts: such lanes are noticed and walked again one at a time.

Where shorts are traded everything is in the position's own prices (`_path.py`). Kernels are
compiled apart for three kinds of strategy, told by the type of `both`: None for one that only
buys, a bool for one that trades both directions without reversals, an int for one with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from meseta._numba import inline, kernel
from meseta.engine._entries import AT_OPEN, BAR, HALF
from meseta.engine._lanes import (
    LANES,
    any_lane,
    as_int,
    broadcast,
    gather,
    larger,
    load,
    magnitude,
    rows,
    select,
    short_rows,
    store,
)
from meseta.engine._settle import Costs, mark, settle, size
from meseta.engine._walk import walk_chain

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.engine._entries import EntryTables
    from meseta.engine._marks import Cuts

__all__ = ["Levels", "code_of", "walk_lanes"]

_LOWER = (1 << HALF) - 1


class Levels(NamedTuple):
    """Thresholds at which the search remembers whether a gate is passed; all increasing.

    Parameters
    ----------
    efficiency
        Out-of-sample profit / in-sample profit.
    to_profit
        Out-of-sample drawdown in out-of-sample profits.
    to_in_sample
        Out-of-sample drawdown in in-sample drawdowns.
    min_drawdown
        Money; the drawdown gates are passed at or below this drawdown.
    """

    efficiency: FloatArray
    to_profit: FloatArray
    to_in_sample: FloatArray
    min_drawdown: float


@inline
def _pick(which: Any, a: Any, b: Any) -> Any:
    return select(which, a[0], b[0]), select(which, a[1], b[1]), select(which, a[2], b[2])


def _trade_long(
    entries: Any, tables: Any, base: Any, limit: Any, money: Any, state: Any, both: Any
) -> Any:
    """Return the trade that the event of each lane begins, for a strategy that only buys.

    Shares; fill, entry bar, exit bar, exit price, lowest and highest close, largest fall; state
    after a missed order, state after the exit; equity with the entry paid; whether it ends by a
    reversal, with which event, whether a reversal before `limit` was too small to be ordered,
    whether it is short, whether it is entered on the bar of the last exit. The last five are
    constants here, and what depends on them is not compiled.
    """
    costs, lot, unit = money
    account, _, k, _, _, _ = state
    event = short_rows(entries[1], k)
    head, entry = as_int(event[0]), as_int(event[3]) & broadcast(BAR)
    row = rows(tables, (head & broadcast(_LOWER)) + base)
    shares = size(account[0], event[1], lot, unit)
    fill = event[2]
    held = account[0] - costs[1] * magnitude(fill) * shares
    never = broadcast(1) < broadcast(0)
    return (
        shares, fill, entry, as_int(row[4]), row[0], row[1], row[2], row[3],
        head >> broadcast(HALF), as_int(row[6]), held, never, k, never, never, never,
    )  # fmt: skip


def _trade_both(
    entries: Any, tables: Any, base: Any, limit: Any, money: Any, state: Any, both: Any
) -> Any:
    """Return the same for a strategy that trades both directions."""
    costs, lot, unit = money
    account, _, k, before, last, _ = state
    half, bar = broadcast(HALF), broadcast(BAR)
    event = rows(entries[1], k)
    head, tail = as_int(event[0]), as_int(event[3])
    entry, turn = tail & bar, tail >> half
    row = rows(tables, (head & broadcast(_LOWER)) + base)
    against = short_rows(entries[1], turn + turn)
    # What is decided while a position is open is sized without its profit.
    again = entry == last
    shares = size(select(again, before, account[0]), magnitude(event[1]), lot, unit)
    fill = event[2]
    held = account[0] - costs[1] * magnitude(fill) * shares
    meeting, ends = as_int(against[3]), as_int(row[4])
    there = meeting & bar
    opened = ((meeting >> broadcast(AT_OPEN)) & broadcast(1)) > broadcast(0)
    # A position that is left at the open whatever its stop has a race price of minus infinity.
    reached = (opened & (row[7] > broadcast(-np.inf))) | (against[1] <= row[7])
    sooner = (there < ends) | ((there == ends) & reached)
    enough = size(held, magnitude(against[1]), lot, unit) >= lot
    turned = sooner & enough
    small = sooner & (~enough) & (there < limit)
    zero = broadcast(0.0)
    return (
        shares, fill, entry, select(turned, there, ends),
        select(turned, zero - against[2], row[0]), select(turned, event[5], row[1]),
        select(turned, event[6], row[2]), select(turned, event[7], row[3]),
        head >> half, as_int(row[6]), held, turned, turn, small, event[1] < zero, again,
    )  # fmt: skip


def _trade_turns(
    entries: Any, tables: Any, base: Any, limit: Any, money: Any, state: Any, both: Any
) -> Any:
    """Return the same for a strategy that trades both directions without reversals."""
    costs, lot, unit = money
    account, _, k, before, last, _ = state
    event = short_rows(entries[1], k + k)
    head, entry = as_int(event[0]), as_int(event[3]) & broadcast(BAR)
    row = rows(tables, (head & broadcast(_LOWER)) + base)
    again = entry == last
    shares = size(select(again, before, account[0]), magnitude(event[1]), lot, unit)
    fill = event[2]
    held = account[0] - costs[1] * magnitude(fill) * shares
    never = broadcast(1) < broadcast(0)
    return (
        shares, fill, entry, as_int(row[4]), row[0], row[1], row[2], row[3],
        head >> broadcast(HALF), as_int(row[6]), held, never, k, never,
        event[1] < broadcast(0.0), again,
    )  # fmt: skip


def _trade(
    entries: Any, tables: Any, base: Any, limit: Any, money: Any, state: Any, both: Any
) -> Any:
    """Return the trade that the event of each lane begins: one of the three above."""
    raise NotImplementedError("lanes exist in compiled code alone")


@overload(_trade, jit_options={"forceinline": True})
def _trade_typed(
    entries: Any, tables: Any, base: Any, limit: Any, money: Any, state: Any, both: Any
) -> Any:
    """Choose by the type of `both`, before anything is compiled."""
    _ = entries, tables, base, limit, money, state
    if isinstance(both, types.NoneType):
        return _trade_long
    return _trade_turns if isinstance(both, types.Boolean) else _trade_both


@inline
def _hop(
    entries: Any, tables: Any, base: Any, bound: Any, limit: Any, money: Any, state: Any, both: Any
) -> Any:
    """Take every lane one trade further if that trade ends before `bound`."""
    costs, lot, _ = money
    account, trades, k, before, last, odd = state
    (
        shares, fill, entry, ends, price, low, high, fall, miss, then, held, turned, turn, small,
        _, again,
    ) = _trade(entries, tables, base, limit, money, state, both)  # fmt: skip
    few, trade = (shares < lot) & (entry < bound), ends < bound
    account = _pick(again & (~few), account, mark(account))
    if any_lane(few):
        trade = trade & (~few)
        moves = trade | few
        index = select(trade, then, select(few, miss, broadcast(0)))
        following = gather(entries[0], index)
    else:
        # Which event comes next must not wait for the money, which takes longer to compute: the
        # processor runs ahead where a branch, and not a selection, tells the rare case.
        moves = trade
        following = gather(entries[0], select(trade, then, broadcast(0)))
    after, one = settle(account, shares, fill, price, low, high, fall, costs), broadcast(1.0)
    moved = (
        _pick(trade, after, account),
        select(trade, trades + one, trades),
        select(trade & turned, turn, select(moves, following, k)),
        select(trade, held, before),
        select(trade, ends, last),
        select(trade & small, one, odd),
    )
    return any_lane(moves), moved


@inline
def _around(rows_of: Any, w: int, place: Any, is_short: Any, bars: Any) -> Any:
    """Return the closes beside a boundary, from the rows of the position's side."""
    return short_rows(rows_of[w], place + select(is_short, bars, broadcast(0)))


@inline
def _own(price: float, is_short: Any) -> Any:
    """Return a close in the position's own prices."""
    return select(is_short, broadcast(-price), broadcast(price))


@inline
def _cross_split(
    entries: Any, tables: Any, base: Any, cuts: Cuts, w: int, bars: Any, limit: Any, money: Any,
    state: Any, both: Any,
) -> Any:  # fmt: skip
    """Close the in-sample side and open the other; a position open across is cut at the close."""
    costs, _, _ = money
    account, trades, k, before, last, odd = state
    split, stop = broadcast(cuts.windows[w, 1]), broadcast(cuts.windows[w, 2])
    (
        shares, fill, entry, ends, price, _, _, _, _, then, held, turned, turn, small, is_short,
        again,
    ) = _trade(entries, tables, base, limit, money, state, both)  # fmt: skip
    open_across = entry < split
    one, zero = broadcast(1.0), broadcast(0.0)
    close = _own(cuts.boundary[w, 0], is_short)
    equity, peak, drawdown = _pick(again & open_across, account, mark(account))
    place = select(open_across, entry, broadcast(0))
    inner = _around(cuts.to_split, w, place, is_short, bars)
    deepest = larger(peak - (held + (inner[0] - fill) * shares), inner[2] * shares)
    inside = (
        select(open_across, equity + (close - fill) * shares, equity),
        select(open_across, larger(drawdown, deepest), drawdown),
        select(open_across, trades + one, trades),
    )
    fresh = (equity, select(open_across, held + (close - fill) * shares, equity), zero)
    cut = ends >= stop
    final = broadcast(cuts.windows[w, 2] - 1)
    place = select(open_across, select(cut, final, ends), split)
    outer = _around(cuts.from_split, w, place, is_short, bars)
    leaves = select(cut, _own(cuts.boundary[w, 1], is_short), price)
    booked = settle(fresh, shares, fill, leaves, outer[0], outer[1], outer[2], costs)
    following = gather(entries[0], select(cut, stop, then))
    goes_on = open_across & (~cut)
    return inside, (
        _pick(open_across, booked, fresh),
        select(open_across, one, zero),
        select(goes_on & turned, turn, select(open_across, following, k)),
        select(goes_on, held, before),
        select(goes_on, ends, last),
        select(open_across & small, one, odd),
    )


@inline
def _finish(
    entries: Any, tables: Any, base: Any, cuts: Cuts, w: int, bars: Any, limit: Any, money: Any,
    state: Any, both: Any,
) -> Any:  # fmt: skip
    """Close positions that are open at the window's last bar."""
    account, trades, _, _, _, odd = state
    (
        shares, fill, entry, _, _, _, _, _, _, _, _, _, _, small, is_short, again,
    ) = _trade(entries, tables, base, limit, money, state, both)  # fmt: skip
    holds = entry < limit
    place = select(holds, entry, broadcast(0))
    row = _around(cuts.to_stop, w, place, is_short, bars)
    leaves = _own(cuts.boundary[w, 1], is_short)
    account = _pick(again & holds, account, mark(account))
    after = settle(account, shares, fill, leaves, row[0], row[1], row[2], money[0])
    one = broadcast(1.0)
    odd = select(holds & small, one, odd)
    return mark(_pick(holds, after, account)), select(holds, trades + one, trades), odd


@inline
def _passed(value: Any, levels: FloatArray, scale: Any) -> Any:
    """Count the levels with `value < level * scale`, lane by lane."""
    one, zero = broadcast(1.0), broadcast(0.0)
    found = zero
    for k in range(levels.size):
        found = found + select(value < broadcast(levels[k]) * scale, one, zero)
    return found


@inline
def _code(scratch: FloatArray, levels: Levels) -> Any:
    """Pack what the gates need to know into 32 bits, as a float; see `search/_codes.py`.

    `scratch` holds the six totals, eight lanes each, in the order of `_keep`.
    """
    one, zero = broadcast(1.0), broadcast(0.0)
    earned, profit = load(scratch, 0), load(scratch, LANES)
    is_trades, trades = load(scratch, 2 * LANES), load(scratch, 3 * LANES)
    is_drawdown, drawdown = load(scratch, 4 * LANES), load(scratch, 5 * LANES)
    ratio = profit / earned
    passed, below = one, zero
    # Without a profit no efficiency above zero is reached and no drawdown lies below one.
    if any_lane(profit > zero):
        for k in range(levels.efficiency.size):
            passed = passed + select(ratio > broadcast(levels.efficiency[k]), one, zero)
        below = _passed(drawdown, levels.to_profit, profit)
    efficiency = select(earned > zero, passed, zero)
    small = ~(drawdown > broadcast(levels.min_drawdown))
    to_profit = select(small, broadcast(float(levels.to_profit.size)), below)
    all_sample = broadcast(float(levels.to_in_sample.size))
    to_sample = select(small, all_sample, _passed(drawdown, levels.to_in_sample, is_drawdown))
    fewer = select(trades < is_trades, trades, is_trades)
    fewer = select(fewer > broadcast(255.0), broadcast(255.0), fewer)
    packed = efficiency + to_profit * broadcast(256.0) + to_sample * broadcast(65536.0)
    return profit, packed + fewer * broadcast(16777216.0)


@kernel
def code_of(totals: FloatArray, levels: Levels, profits: Any, codes: Any) -> None:
    """Write profit and code of each row of six totals; the number of rows is one of lanes."""
    scratch, result = np.empty(6 * LANES), np.empty(2 * LANES)
    for begin in range(0, totals.shape[0], LANES):
        for lane in range(LANES):
            for field in range(6):
                scratch[field * LANES + lane] = totals[begin + lane, field]
        profit, code = _code(scratch, levels)
        store(result, 0, profit)
        store(result, LANES, code)
        for lane in range(LANES):
            profits[begin + lane] = result[lane]
            codes[begin + lane] = result[LANES + lane]


@inline
def _keep(inside: Any, capital: Any, outside: Any, scratch: FloatArray) -> None:
    """Store the six totals of eight lanes, in the order of `walk_chain`."""
    equity, is_drawdown, is_trades = inside
    (final, _, drawdown), trades, _ = outside
    earned = equity - capital
    store(scratch, 0, earned)
    store(scratch, LANES, final - capital - earned)
    store(scratch, 2 * LANES, is_trades)
    store(scratch, 3 * LANES, trades)
    store(scratch, 4 * LANES, is_drawdown)
    store(scratch, 5 * LANES, drawdown)


@kernel
def _again(
    tables: FloatArray, first: IntArray, i: int, entries: EntryTables, words: int,
    close: FloatArray, cuts: Cuts, w: int, costs: Costs, odd: FloatArray, scratch: FloatArray,
) -> None:  # fmt: skip
    """Walk the lanes that met a reversal too small to be ordered, one at a time."""
    rows_of = entries.events[words * entries.start[i] : words * entries.start[i + 1]]
    events = rows_of.reshape(-1, words)
    totals = np.empty(6)
    for lane in range(LANES):
        if odd[lane] > 0.0:
            walk_chain(
                entries.following[i], events, tables[lane], first[lane], close, cuts, w, costs,
                totals, None,
            )  # fmt: skip
            for field in range(6):
                scratch[field * LANES + lane] = totals[field]


@inline
def _finished(
    inside: Any, capital: Any, outside: Any, tables: Any, first: Any, i: int, entries: Any,
    close: Any, cuts: Any, w: int, costs: Any, levels: Any, scratch: Any, odd: Any, words: int,
) -> Any:  # fmt: skip
    """Return profits and codes of eight lanes that are through a window."""
    _keep(inside, capital, outside, scratch)
    if any_lane(outside[2] > broadcast(0.0)):
        store(odd, 0, outside[2])
        _again(tables, first, i, entries, words, close, cuts, w, costs, odd, scratch)
    return _code(scratch, levels)


@kernel
def walk_lanes(
    tables: FloatArray,
    first: IntArray,
    chosen: IntArray,
    entries: EntryTables,
    close: FloatArray,
    cuts: Cuts,
    costs: Costs,
    levels: Levels,
    oos: Any,
    codes: Any,
    both: Any,
) -> None:
    """Walk up to eight exit tables from every chosen entry set through every window.

    Parameters
    ----------
    tables
        Eight exit tables one after the other, shape (8, rows, 8); lanes without a table repeat
        one, and their results are not kept.
    first
        First bar that may signal with each table, int64, shape (8,).
    chosen
        Numbers of the entry sets, int64, shape (E,).
    entries, close, cuts, costs, levels
        Entry tables linked to these exit tables, closes, windows, costs, gate levels.
    oos, codes
        Results, float32 and uint32, shape (tables, E, W), at most eight tables.
    both
        The kind of strategy, by its type: None, True or 1.
    """
    words = 4 if both is None else 8
    flat = tables.ravel()
    kept = min(LANES, oos.shape[0])
    base = load(np.arange(LANES) * tables.shape[1], 0)
    scratch, odd, result = np.empty(6 * LANES), np.empty(LANES), np.empty(2 * LANES)
    capital, bars = broadcast(costs.capital), broadcast(close.size + 1)
    rates = (broadcast(costs.cost_per_share), broadcast(costs.commission))
    money = (rates, broadcast(costs.lot), costs.lot == 1.0)
    zero, nowhere = broadcast(0.0), broadcast(-1)
    starts = np.empty(LANES, np.int64)
    for w in range(cuts.windows.shape[0]):
        for lane in range(LANES):
            starts[lane] = max(cuts.windows[w, 0], first[lane])
        begin, fresh = load(starts, 0), (capital, capital, zero)
        split, stop = broadcast(cuts.windows[w, 1]), broadcast(cuts.windows[w, 2])
        for k in range(0, chosen.size, 2):
            # An odd number of sets walks the last one twice and writes the same result twice.
            other = min(k + 1, chosen.size - 1)
            i, j = chosen[k], chosen[other]
            a = (entries.following[i], entries.events[words * entries.start[i] :])
            b = (entries.following[j], entries.events[words * entries.start[j] :])
            one = (fresh, zero, gather(a[0], begin), zero, nowhere, zero)
            two = (fresh, zero, gather(b[0], begin), zero, nowhere, zero)
            go_one, go_two = True, True
            while go_one or go_two:
                go_one, one = _hop(a, flat, base, split, stop, money, one, both)
                go_two, two = _hop(b, flat, base, split, stop, money, two, both)
            in_one, one = _cross_split(a, flat, base, cuts, w, bars, stop, money, one, both)
            in_two, two = _cross_split(b, flat, base, cuts, w, bars, stop, money, two, both)
            go_one, go_two = True, True
            while go_one or go_two:
                go_one, one = _hop(a, flat, base, stop, stop, money, one, both)
                go_two, two = _hop(b, flat, base, stop, stop, money, two, both)
            done_one = _finish(a, flat, base, cuts, w, bars, stop, money, one, both)
            done_two = _finish(b, flat, base, cuts, w, bars, stop, money, two, both)
            profit, code = _finished(
                in_one, capital, done_one, tables, first, i, entries, close, cuts, w, costs,
                levels, scratch, odd, words,
            )  # fmt: skip
            store(result, 0, profit)
            store(result, LANES, code)
            for lane in range(kept):
                oos[lane, k, w] = result[lane]
                codes[lane, k, w] = result[LANES + lane]
            profit, code = _finished(
                in_two, capital, done_two, tables, first, j, entries, close, cuts, w, costs,
                levels, scratch, odd, words,
            )  # fmt: skip
            store(result, 0, profit)
            store(result, LANES, code)
            for lane in range(kept):
                oos[lane, other, w] = result[lane]
                codes[lane, other, w] = result[LANES + lane]
