"""One chain over a whole period: what its account leaves at boundaries.

The walk is that of `_walk.py`, with one difference: no window cuts it. The account is counted at
every close (`_blocks.py`), so that any span between two boundaries can be measured afterwards.
While no position is open nothing changes from close to close, and counting one of several equal
marks is counting all of them: flat bars are passed a block at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._blocks import closed_block, fresh_tally, settle_open, tallied
from meseta.engine._entries import BAR, HALF
from meseta.engine._exits import WORDS, left_rows_at
from meseta.engine._family import fill_sides, seen, write_series
from meseta.engine._lone import lone_table, spots_of
from meseta.engine._tables import link, words_of
from meseta.engine._terms import rolls_of, shares_for, terms_of
from meseta.engine._walk import reversal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta._types import FloatArray, IntArray
    from meseta.account import Account, Contract
    from meseta.bars import Bars
    from meseta.engine._entries import EntryTables
    from meseta.engine._exits import Leave, States
    from meseta.engine._path import Prices
    from meseta.engine._tables import ExitTables
    from meseta.engine._terms import Terms
    from meseta.strategies._indicators import Tightenings

__all__ = ["FamilyWalk", "LoneWalk", "Period", "period_of", "walk_blocks"]

_LOWER = (1 << HALF) - 1


class Period(NamedTuple):
    """What every walk of a period stands on.

    Parameters
    ----------
    sides
        Own prices of longs, and of shorts where they are traded.
    bounds
        Boundaries, increasing, int64, shape (B,); the first is where the period starts, the last
        where it stops.
    terms
        Account and contract.
    rolls
        From `rolls_of`, or None where a roll costs nothing.
    """

    sides: tuple[Prices, ...]
    bounds: IntArray
    terms: Terms
    rolls: IntArray | None


def period_of(
    bars: Bars, sides: tuple[Prices, ...], bounds: IntArray, account: Account, contract: Contract
) -> Period:
    """Return a period for kernels; `bounds` are its boundaries."""
    rolls = rolls_of(bars, contract) if contract.roll_cost > 0 else None
    return Period(sides, bounds, terms_of(account, contract), rolls)


@inline
def _toll(rolls: Any, cost: float, entry: int, t: int) -> float:
    """Return what a position that was entered on bar `entry` has paid for rolls by bar `t`."""
    if rolls is None:
        return 0.0
    return cost * (rolls[t] - rolls[entry])


@inline
def _tally_open(
    state: Any, close: Any, rolls: Any, cost: float, entry: int, first: int, stop: int,
    held: float, way: float, fill: float, units: float,
) -> Any:  # fmt: skip
    """Count the closes `first` to `stop - 1` of an open position."""
    for t in range(first, stop):
        mark = held + (way * close[t] - fill) * units - _toll(rolls, cost, entry, t)
        state = tallied(state, mark)
    return state


@inline
def _pass_flat(
    state: Any, equity: float, closed: float, won: float, lost: float, bounds: Any, t: int, b: int,
    upto: int, blocks: Any,
) -> Any:  # fmt: skip
    """Count the closes `t` to `upto - 1` of an account without a position; return what is next."""
    while t < upto:
        t = min(bounds[b], upto)
        state = tallied(state, equity)
        if t == bounds[b]:
            state = closed_block(state, blocks[b], closed, won, lost, 0.0)
            b += 1
    return state, t, b


@inline
def _walk_period(
    following: Any, events: Any, table: Any, first: int, close: Any, rolls: Any, bounds: Any,
    terms: Any, blocks: Any,
) -> None:  # fmt: skip
    """Write the blocks of one chain, shape (B, FIELDS).

    Orders, sizes, costs and reversals are those of `walk_chain`. A trade is open at the
    boundaries after its entry bar and up to its exit bar.
    """
    start, stop = bounds[0], bounds[bounds.size - 1]
    bits, table_bits = events.view(np.int64), table.view(np.int64)
    fixed, cost = terms.quantity > 0.0, terms.roll_cost * terms.quantity
    equity, closed, won, lost = terms.capital, 0.0, 0.0, 0.0
    state = fresh_tally(terms.capital)
    state = closed_block(state, blocks[0], 0.0, 0.0, 0.0, 0.0)
    k, before, last = following[max(start, first)], 0.0, -1
    # The next close to count, and the next boundary to write.
    t, b = start, 1
    while True:
        entry = bits[k, 3] & BAR
        if entry >= stop:
            break
        # What is decided while a position is open is sized without its profit.
        shares = shares_for(terms, before if entry == last else equity, abs(events[k, 1]))
        if not fixed and shares < terms.lot:
            k = following[bits[k, 0] >> HALF]
            continue
        state, t, b = _pass_flat(state, equity, closed, won, lost, bounds, t, b, entry, blocks)
        way = 1.0 if events[k, 1] > 0.0 else -1.0
        fill, row = events[k, 2], bits[k, 0] & _LOWER
        ends, price = table_bits[row, 4], table[row, 0]
        units = shares * terms.point_value
        paid = terms.commission * abs(fill) * units
        held, turn = equity - paid, -1
        if events.shape[1] > 4:
            # A fixed quantity is ordered whatever is left of the account.
            worth, race = np.inf if fixed else held, table[row, 7]
            turn = reversal(following, events, bits, k, ends, race, worth, terms.lot)
        if turn >= 0:
            ends, price = bits[turn, 3] & BAR, -events[turn, 2]
        cut = ends >= stop
        if cut:
            ends, price = stop - 1, way * close[stop - 1]
        opened = b
        while t < ends:
            begin, t = t, min(bounds[b], ends)
            state = _tally_open(state, close, rolls, cost, entry, begin, t, held, way, fill, units)
            if t == bounds[b]:
                state = closed_block(state, blocks[b], closed, won, lost, state[0] - equity)
                b += 1
        left = terms.commission * abs(price) * units + terms.costs * shares
        pnl = (price - fill) * units - paid - left - _toll(rolls, cost, entry, ends)
        settle_open(blocks, opened, b, pnl)
        equity, closed = equity + pnl, closed + 1.0
        won, lost = won + max(pnl, 0.0), lost - min(pnl, 0.0)
        if cut:
            break
        before, last = held, ends
        k = turn if turn >= 0 else following[table_bits[row, 6]]
    _pass_flat(state, equity, closed, won, lost, bounds, t, b, stop, blocks)


@kernel
def walk_blocks(
    table: FloatArray,
    first: int,
    sets: IntArray,
    entries: EntryTables,
    words: int,
    period: Period,
    blocks: FloatArray,
) -> None:
    """Walk one exit table from some entry sets.

    Parameters
    ----------
    table, first
        Exit table, shape (rows, 8), and the first bar that may signal with it.
    sets
        Numbers of the entry sets, int64, shape (n,).
    entries, words
        Entry tables linked to this exit table, and the words of an event.
    period
        Prices, boundaries, account.
    blocks
        Result, shape (n, B, FIELDS).
    """
    for n in range(sets.size):
        i = sets[n]
        rows = entries.events[words * entries.start[i] : words * entries.start[i + 1]]
        _walk_period(
            entries.following[i], rows.reshape(-1, words), table, first, period.sides[0].close,
            period.rolls, period.bounds, period.terms, blocks[n],
        )  # fmt: skip


@kernel
def _number_series(
    sides: Any, ladders: Any, leaves: Any, states: Any, series: Tightenings, which: IntArray,
    first: IntArray, slippage: float, table: FloatArray, keys: Any, slots: IntArray,
    table_of: IntArray, kept: IntArray,
) -> int:  # fmt: skip
    """Find the tables of some series and the first series that leads to each; return how many."""
    factor, many = np.empty(sides[0].close.size), 0
    for k in which:
        write_series(series, k, factor)
        one, two = fill_sides(sides, ladders, leaves, states, factor, slippage, table)
        table_of[k] = seen(one, two, first[k], keys, slots, many)
        if table_of[k] == many:
            kept[many] = k
            many += 1
    return many


@kernel
def _walk_family(
    period: Period, ladders: Any, leaves: Any, states: Any, series: Tightenings, first: IntArray,
    table: FloatArray, loaded: IntArray, entries: EntryTables, words: int, chosen: IntArray,
    sets: IntArray, blocks: FloatArray,
) -> None:  # fmt: skip
    """Walk pairs of series and entry set; `table` holds that of the series `loaded[0]`."""
    factor = np.empty(period.sides[0].close.size)
    begin = 0
    while begin < chosen.size:
        k, end = chosen[begin], begin + 1
        while end < chosen.size and chosen[end] == k:
            end += 1
        if loaded[0] != k:
            write_series(series, k, factor)
            slippage = period.terms.slippage
            fill_sides(period.sides, ladders, leaves, states, factor, slippage, table)
            loaded[0] = k
        walk_blocks(table, first[k], sets[begin:end], entries, words, period, blocks[begin:end])
        begin = end


class FamilyWalk:
    """Exit tables of one stop distance, walked from entry sets.

    Parameters
    ----------
    period
        Prices, boundaries, account.
    tables
        From `exit_tables`.
    series
        Every tightening series.
    first
        First bar that may signal with each, int64, shape (series,).
    entries
        Entry tables, not yet linked.

    Tables are filled again whenever they are walked: that takes a hundredth of the walks.
    """

    def __init__(
        self,
        period: Period,
        tables: ExitTables,
        series: Tightenings,
        first: IntArray,
        entries: EntryTables,
    ) -> None:
        # A signal before the period changes nothing, so such a difference is not one; kernels
        # read the tables at this bar and check no bounds.
        bars = period.sides[0].close.size
        self.first = np.clip(first, period.bounds[0], bars)
        self.period, self.tables, self.series = period, tables, series
        self._table, self._loaded = tables.blank.copy(), np.full(1, -1)
        self._given = (
            period, tables.ladders, tables.leaves, tables.states, series, self.first,
            self._table, self._loaded, link(entries, tables), words_of(period.sides),
        )  # fmt: skip

    def number(self, which: IntArray) -> tuple[IntArray, IntArray]:
        """Find the series that lead to the same table.

        Parameters
        ----------
        which
            Numbers of the series, int64, shape (n,).

        Returns
        -------
        table_of
            Which table each series leads to, int64, shape (series,); 0 for others.
        kept
            The series that stands for each table, int64, shape (tables,).
        """
        t, table_of, kept = self.tables, np.zeros(self.series.many, np.int64), np.empty_like(which)
        keys, slots = _room_for(which.size)
        many = _number_series(
            self.period.sides, t.ladders, t.leaves, t.states, self.series, which, self.first,
            self.period.terms.slippage, self._table, keys, slots, table_of, kept,
        )  # fmt: skip
        self._loaded[0] = -1
        return table_of, kept[:many]

    def walk(self, chosen: IntArray, sets: IntArray, blocks: FloatArray) -> None:
        """Write the blocks of pairs of series and entry set, shape (n, B, FIELDS).

        Pairs of the same series should stand together.
        """
        _walk_family(*self._given, chosen, sets, blocks)


@kernel
def _number_stops(
    period: Period, stops: FloatArray, first: IntArray, states: Any, left: FloatArray, spots: Any,
    rows: FloatArray, table: FloatArray, which: IntArray, keys: Any, slots: IntArray,
    table_of: IntArray, kept: IntArray,
) -> int:  # fmt: skip
    end, many = period.bounds[period.bounds.size - 1], 0
    for k in which:
        one, two = lone_table(
            period.sides, stops[k], first[k], end, states, period.terms.slippage, left, spots,
            rows, table,
        )  # fmt: skip
        table_of[k] = seen(one, two, first[k], keys, slots, many)
        if table_of[k] == many:
            kept[many] = k
            many += 1
    return many


@kernel
def _walk_lone(
    period: Period, stops: FloatArray, first: IntArray, states: Any, left: FloatArray, spots: Any,
    rows: FloatArray, table: FloatArray, loaded: IntArray, entries: EntryTables, words: int,
    chosen: IntArray, sets: IntArray, blocks: FloatArray,
) -> None:  # fmt: skip
    end, begin = period.bounds[period.bounds.size - 1], 0
    while begin < chosen.size:
        k, until = chosen[begin], begin + 1
        while until < chosen.size and chosen[until] == k:
            until += 1
        if loaded[0] != k:
            lone_table(
                period.sides, stops[k], first[k], end, states, period.terms.slippage, left,
                spots, rows, table,
            )  # fmt: skip
            loaded[0] = k
        own = sets[begin:until]
        walk_blocks(table, first[k], own, entries, words, period, blocks[begin:until])
        begin = until


class LoneWalk:
    """Exit tables of resting stops that nothing tightens, walked from entry sets.

    Parameters
    ----------
    period
        Prices, boundaries, account.
    stops, first
        From `Problem.lone_stops`: candidates by distance and side, shape (S, sides, N), and the
        first bar that may signal with each distance.
    leaves, states
        As `ExitTables` has them.
    entries
        Entry tables, not yet linked.
    """

    def __init__(
        self,
        period: Period,
        stops: FloatArray,
        first: IntArray,
        leaves: tuple[Leave, ...],
        states: tuple[States, States],
        entries: EntryTables,
    ) -> None:
        words, bars = words_of(period.sides), period.sides[0].close.size
        linked, spots = spots_of(entries, words)
        kept = states[: len(period.sides)]
        if len(kept) > 1:
            kept = tuple(state._replace(distinct=True) for state in kept)
        left = left_rows_at(period.sides, leaves, kept, period.terms.slippage, *spots[:2])
        self.many = len(stops)
        first = np.clip(first, period.bounds[0], bars)
        rows, table = np.zeros((len(kept), bars, WORDS)), np.zeros((spots.bar.size, WORDS))
        self._tables = (period, stops, first, kept, left, spots, rows, table)
        self._loaded, self._entries = np.full(1, -1), (linked, words)

    def number(self, which: IntArray) -> tuple[IntArray, IntArray]:
        """Find the distances that lead to the same table, as `FamilyWalk.number`."""
        table_of, kept = np.zeros(self.many, np.int64), np.empty_like(which)
        many = _number_stops(*self._tables, which, *_room_for(which.size), table_of, kept)
        self._loaded[0] = -1
        return table_of, kept[:many]

    def walk(self, chosen: IntArray, sets: IntArray, blocks: FloatArray) -> None:
        """Write the blocks of pairs of distance and entry set, as `FamilyWalk.walk`."""
        _walk_lone(*self._tables, self._loaded, *self._entries, chosen, sets, blocks)


def _room_for(tables: int) -> tuple[NDArray[np.uint64], IntArray]:
    """Return room for the fingerprints of tables: keys, and a hash table of their numbers."""
    slots = np.full(4 << max(tables - 1, 0).bit_length(), -1, np.int64)
    return np.empty((tables, 3), np.uint64), slots
