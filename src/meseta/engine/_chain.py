"""Chains: flat, entry, exit, flat, through an entry table and an exit table.

One combination of an entry set and an exit set is a walk of some twenty hops through two tables
instead of a simulation of thousands of bars. Eight exit tables are walked at once, one in each
lane of a vector, from the same entry set; two entry sets are walked side by side so that the
processor has something to do while a lane waits for memory. `settle` is the only place where
money moves; the scalar walk in `_walk.py` uses the same function, so the lanes give its bits.

Why a chain equals the bar-by-bar simulation: where the next entry is depends on the bar one is
flat on, where a position ends on the bar it was entered on, and nothing on equity, with one
exception, an order for less than one lot is not given. Then the walk goes on from the bar of the
missed entry, which finds the next event whose decision lies at or after that bar: the same
sequence of decisions, since no other bar would have been filled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._lanes import (
    LANES,
    any_lane,
    as_int,
    broadcast,
    floor,
    gather,
    larger,
    load,
    rows,
    select,
    short_rows,
    store,
)

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.engine._entries import EntryTables
    from meseta.engine._marks import Cuts

__all__ = ["Costs", "Levels", "settle", "size", "walk_lanes"]


class Costs(NamedTuple):
    """`Account` for kernels; slippage is already in the tables' prices."""

    capital: float
    cost_per_share: float
    commission: float
    lot: float


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
def size(equity: Any, price: Any, lot: Any, unit: Any) -> Any:
    """Return shares for all of `equity` at `price`, in whole lots; zero or negative is no order.

    `unit` says that the lot is 1: dividing and multiplying by 1.0 changes no bit, so both are
    left out.
    """
    if unit:
        return floor(equity / price)
    return floor(equity / price / lot) * lot


@inline
def settle(
    account: Any, shares: Any, fill: Any, price: Any, low: Any, high: Any, fall: Any, costs: Any
) -> Any:
    """Book one trade.

    Parameters
    ----------
    account
        Equity, running peak of the marked equity, largest drawdown so far.
    shares, fill, price
        The position and its exit price.
    low, high, fall
        Lowest and highest close and largest fall between closes while it was open.
    costs
        Cost per share (round trip) and commission (fraction).

    Returns
    -------
    tuple
        The account after the exit. While the position is open equity is marked at
        `base + (close - fill) * shares`: the deepest mark against the older peak and the
        largest fall inside the trade are the only two ways to a new drawdown.
    """
    equity, peak, drawdown = account
    per_share, commission = costs
    paid = commission * fill * shares
    base = equity - paid
    after = equity + (
        (price - fill) * shares - paid - (commission * price * shares + per_share * shares)
    )
    drawdown = larger(drawdown, larger(peak - (base + (low - fill) * shares), fall * shares))
    peak = larger(peak, base + (high - fill) * shares)
    drawdown = larger(drawdown, peak - after)
    return after, larger(peak, after), drawdown


@inline
def _look(entries: Any, tables: FloatArray, base: Any, at: Any) -> Any:
    """Return, for lanes that are flat at the close of `at`, the next trade.

    Sizing price, fill, entry bar, exit bar, exit price, lowest and highest close, largest fall.
    """
    following, events = entries
    event = short_rows(events, gather(following, at))
    row = rows(tables, as_int(event[0]) + base)
    return event[1], event[2], as_int(event[3]), as_int(row[4]), row[0], row[1], row[2], row[3]


@inline
def _pick(which: Any, a: Any, b: Any) -> Any:
    return select(which, a[0], b[0]), select(which, a[1], b[1]), select(which, a[2], b[2])


@inline
def _hop(entries: Any, tables: Any, base: Any, bound: Any, money: Any, state: Any) -> Any:
    """Take every lane one trade further if that trade ends before `bound`."""
    costs, lot, unit = money
    account, trades, at = state
    price, fill, entry, ends, exit_price, low, high, fall = _look(entries, tables, base, at)
    shares = size(account[0], price, lot, unit)
    short = (entry < bound) & (shares < lot)
    trade = (ends < bound) & (~short)
    after = settle(account, shares, fill, exit_price, low, high, fall, costs)
    moved = (
        _pick(trade, after, account),
        select(trade, trades + broadcast(1.0), trades),
        select(trade, ends, select(short, entry, at)),
    )
    return any_lane(trade | short), moved


@inline
def _cross_split(
    entries: Any, tables: Any, base: Any, cuts: Cuts, w: int, money: Any, state: Any
) -> Any:
    """Close the in-sample side and open the other; a position open across is cut at the close."""
    costs, lot, unit = money
    account, trades, at = state
    split, stop = broadcast(cuts.windows[w, 1]), broadcast(cuts.windows[w, 2])
    price, fill, entry, ends, exit_price, _, _, _ = _look(entries, tables, base, at)
    shares = size(account[0], price, lot, unit)
    open_across = entry < split
    one, zero, close = broadcast(1.0), broadcast(0.0), broadcast(cuts.boundary[w, 0])
    equity, peak, drawdown = account
    marked = equity - costs[1] * fill * shares
    before = short_rows(cuts.to_split[w], select(open_across, entry, broadcast(0)))
    deepest = larger(peak - (marked + (before[0] - fill) * shares), before[2] * shares)
    inside = (
        select(open_across, equity + (close - fill) * shares, equity),
        select(open_across, larger(drawdown, deepest), drawdown),
        select(open_across, trades + one, trades),
    )
    fresh = (equity, select(open_across, marked + (close - fill) * shares, equity), zero)
    cut = ends >= stop
    last = broadcast(cuts.windows[w, 2] - 1)
    after = short_rows(cuts.from_split[w], select(open_across, select(cut, last, ends), split))
    leaves = select(cut, broadcast(cuts.boundary[w, 1]), exit_price)
    booked = settle(fresh, shares, fill, leaves, after[0], after[1], after[2], costs)
    return inside, (
        _pick(open_across, booked, fresh),
        select(open_across, one, zero),
        select(open_across, select(cut, stop, ends), at),
    )


@inline
def _finish(
    entries: Any, tables: Any, base: Any, cuts: Cuts, w: int, money: Any, state: Any
) -> Any:
    """Close positions that are open at the window's last bar."""
    costs, lot, unit = money
    account, trades, at = state
    price, fill, entry, _, _, _, _, _ = _look(entries, tables, base, at)
    shares = size(account[0], price, lot, unit)
    holds = entry < broadcast(cuts.windows[w, 2])
    row = short_rows(cuts.to_stop[w], select(holds, entry, broadcast(0)))
    last = broadcast(cuts.boundary[w, 1])
    booked = _pick(
        holds, settle(account, shares, fill, last, row[0], row[1], row[2], costs), account
    )
    return booked, select(holds, trades + broadcast(1.0), trades)


@inline
def _passed(value: Any, levels: FloatArray, scale: Any) -> Any:
    """Count the levels with `value < level * scale`, lane by lane."""
    one, zero = broadcast(1.0), broadcast(0.0)
    found = zero
    for k in range(levels.size):
        found = found + select(value < broadcast(levels[k]) * scale, one, zero)
    return found


@inline
def _code(inside: Any, capital: Any, outside: Any, levels: Levels) -> Any:
    """Pack what the gates need to know into 32 bits, as a float; see `search/_codes.py`."""
    one, zero = broadcast(1.0), broadcast(0.0)
    equity, is_drawdown, is_trades = inside
    (final, _, drawdown), trades = outside
    earned = equity - capital
    profit = final - capital - earned
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
def walk_lanes(
    tables: FloatArray,
    first: IntArray,
    chosen: IntArray,
    entries: EntryTables,
    cuts: Cuts,
    costs: Costs,
    levels: Levels,
    oos: Any,
    codes: Any,
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
    entries, cuts, costs, levels
        Entry tables linked to these exit tables, windows, costs, gate levels.
    oos, codes
        Results, float32 and uint32, shape (tables, E, W), at most eight tables.
    """
    flat = tables.ravel()
    kept = min(LANES, oos.shape[0])
    base = load(np.arange(LANES) * tables.shape[1], 0)
    scratch = np.empty(4 * LANES)
    capital = broadcast(costs.capital)
    rates = (broadcast(costs.cost_per_share), broadcast(costs.commission))
    money = (rates, broadcast(costs.lot), costs.lot == 1.0)
    zero = broadcast(0.0)
    starts = np.empty(LANES, np.int64)
    for w in range(cuts.windows.shape[0]):
        for lane in range(LANES):
            starts[lane] = max(cuts.windows[w, 0], first[lane])
        fresh = ((capital, capital, zero), zero, load(starts, 0))
        split, stop = broadcast(cuts.windows[w, 1]), broadcast(cuts.windows[w, 2])
        for k in range(0, chosen.size, 2):
            # An odd number of sets walks the last one twice and writes the same result twice.
            other = min(k + 1, chosen.size - 1)
            i, j = chosen[k], chosen[other]
            a = (entries.following[i], entries.events[4 * entries.start[i] :])
            b = (entries.following[j], entries.events[4 * entries.start[j] :])
            one, two = fresh, fresh
            go_one, go_two = True, True
            while go_one or go_two:
                go_one, one = _hop(a, flat, base, split, money, one)
                go_two, two = _hop(b, flat, base, split, money, two)
            inside_one, one = _cross_split(a, flat, base, cuts, w, money, one)
            inside_two, two = _cross_split(b, flat, base, cuts, w, money, two)
            go_one, go_two = True, True
            while go_one or go_two:
                go_one, one = _hop(a, flat, base, stop, money, one)
                go_two, two = _hop(b, flat, base, stop, money, two)
            done_one = _finish(a, flat, base, cuts, w, money, one)
            done_two = _finish(b, flat, base, cuts, w, money, two)
            profit, code = _code(inside_one, capital, done_one, levels)
            store(scratch, 0, profit)
            store(scratch, LANES, code)
            profit, code = _code(inside_two, capital, done_two, levels)
            store(scratch, 2 * LANES, profit)
            store(scratch, 3 * LANES, code)
            for lane in range(kept):
                oos[lane, k, w] = scratch[lane]
                codes[lane, k, w] = scratch[LANES + lane]
                oos[lane, other, w] = scratch[2 * LANES + lane]
                codes[lane, other, w] = scratch[3 * LANES + lane]
