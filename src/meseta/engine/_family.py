"""All exit tables of one stop distance against all entry sets: the search's unit of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._chain import walk_lanes
from meseta.engine._entries import overlay
from meseta.engine._exits import blank_table, build_ladder, fill_table
from meseta.engine._fast import link
from meseta.engine._lanes import LANES
from meseta.engine._walk import walk_pairs
from meseta.strategies._indicators import write_tightening

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.engine._chain import Costs, Levels
    from meseta.engine._entries import EntryTables
    from meseta.engine._exits import Ladder
    from meseta.engine._marks import Cuts
    from meseta.engine._path import Prices
    from meseta.strategies import ExitFamily
    from meseta.strategies._indicators import Tightenings

__all__ = ["FamilyTables", "prepare_family", "search_family", "walk_family"]


@dataclass(frozen=True, slots=True)
class FamilyTables:
    """One exit family made ready for its walks.

    Parameters
    ----------
    ladder
        Steps of every path.
    blank
        Table with the rows that do not depend on the tightening, shape (rows, 8).
    entries
        Entry tables whose events lead to this table's rows.
    first
        First bar that may signal with each series, int64, shape (series,).
    """

    ladder: Ladder
    blank: FloatArray
    entries: EntryTables
    first: IntArray


def prepare_family(
    family: ExitFamily, entries: EntryTables, prices: Prices, slippage: float
) -> FamilyTables:
    """Build what all tightening series of a family share."""
    least, first = float(family.series.floor.min()), int(family.first.min())
    ladder = build_ladder(prices, family.stop, first, entries.reached, least)
    stops = overlay(family.shield, prices, entries.reached)
    return FamilyTables(
        ladder=ladder,
        blank=blank_table(ladder, stops, slippage),
        entries=link(entries, prices, ladder.row, stops),
        # Kernels read the tables at this bar and check no bounds.
        first=np.minimum(family.first, prices.open.size),
    )


@inline
def _seen(one: Any, two: Any, first: int, keys: Any, slots: IntArray, count: int) -> int:
    """Return the number given to a fingerprint before, or give it the number `count`."""
    place = np.int64(one & np.uint64(slots.size - 1))
    while slots[place] >= 0:
        known = slots[place]
        if keys[known, 0] == one and keys[known, 1] == two and keys[known, 2] == np.uint64(first):
            return known
        place = (place + 1) & (slots.size - 1)
    slots[place] = count
    keys[count, 0], keys[count, 1], keys[count, 2] = one, two, np.uint64(first)
    return count


@inline
def _write(series: Tightenings, k: int, out: FloatArray) -> None:
    width = series.width[series.length[k]]
    write_tightening(width, series.ratio[k], series.scaling[k], series.floor[k], out)


@kernel
def _search(
    prices: Prices,
    ladder: Ladder,
    series: Tightenings,
    first: IntArray,
    slippage: float,
    tables: FloatArray,
    entries: EntryTables,
    chosen: IntArray,
    cuts: Cuts,
    costs: Costs,
    levels: Levels,
    oos: Any,
    codes: Any,
    table_of: IntArray,
    room: int,
) -> int:
    slots = np.full(room, -1, np.int64)
    keys = np.empty((series.ratio.size, 3), np.uint64)
    factor = np.empty(prices.close.size)
    starts = np.zeros(LANES, np.int64)
    found, done = 0, 0
    for k in range(series.ratio.size):
        lane = found - done
        _write(series, k, factor)
        one, two = fill_table(prices, ladder, factor, slippage, tables[lane])
        table_of[k] = _seen(one, two, first[k], keys, slots, found)
        if table_of[k] == found:
            starts[lane] = first[k]
            found += 1
            if lane == LANES - 1:
                walk_lanes(
                    tables, starts, chosen, entries, cuts, costs, levels,
                    oos[done:found], codes[done:found],
                )  # fmt: skip
                done = found
    if found > done:
        for lane in range(found - done, LANES):
            tables[lane] = tables[0]
            starts[lane] = starts[0]
        walk_lanes(
            tables, starts, chosen, entries, cuts, costs, levels,
            oos[done:found], codes[done:found],
        )  # fmt: skip
    return found


def search_family(
    tables: FamilyTables,
    series: Tightenings,
    chosen: IntArray,
    prices: Prices,
    cuts: Cuts,
    costs: Costs,
    levels: Levels,
    slippage: float,
) -> tuple[np.ndarray, np.ndarray, IntArray]:
    """Walk every distinct exit table of a family from the chosen entry sets.

    Parameters
    ----------
    tables
        From `prepare_family`.
    series
        Tightening series.
    chosen
        Numbers of the entry sets, int64, shape (E,).
    prices, cuts, costs, levels, slippage
        Series, windows, account and gate levels.

    Returns
    -------
    oos
        Out-of-sample profit, money, float32, shape (tables, E, W).
    codes
        What the gates need, uint32, same shape.
    table_of
        Which table each series leads to, int64, shape (series,).
    """
    many = series.many
    # A signal before the first window changes nothing, so such a difference is not one.
    first = np.maximum(tables.first, cuts.windows[:, 0].min())
    oos = np.empty((many, chosen.size, len(cuts.windows)), np.float32)
    codes = np.empty(oos.shape, np.uint32)
    table_of = np.empty(many, np.int64)
    lanes = np.repeat(tables.blank[None], LANES, axis=0)
    room = 4 << (many - 1).bit_length()
    found = _search(
        prices, tables.ladder, series, first, slippage, lanes, tables.entries, chosen, cuts,
        costs, levels, oos, codes, table_of, room,
    )  # fmt: skip
    return oos[:found], codes[:found], table_of


@kernel
def _walk_each(
    prices: Prices,
    ladder: Ladder,
    series: Tightenings,
    first: IntArray,
    slippage: float,
    table: FloatArray,
    entries: EntryTables,
    which: IntArray,
    bounds: IntArray,
    sets: IntArray,
    cuts: Cuts,
    costs: Costs,
    totals: FloatArray,
    behaviour: Any,
) -> None:
    factor = np.empty(prices.close.size)
    for k in range(which.size):
        _write(series, which[k], factor)
        fill_table(prices, ladder, factor, slippage, table)
        a, b = bounds[k], bounds[k + 1]
        walk_pairs(
            table, first[which[k]], sets[a:b], entries, cuts, costs, totals[a:b], behaviour[a:b]
        )


def walk_family(
    tables: FamilyTables,
    series: Tightenings,
    pairs: tuple[IntArray, IntArray],
    prices: Prices,
    cuts: Cuts,
    costs: Costs,
    slippage: float,
) -> tuple[FloatArray, np.ndarray]:
    """Walk some pairs of tightening series and entry set, keeping every field.

    Parameters
    ----------
    pairs
        Number of the series and number of the entry set of each pair, int64, shape (n,), the
        first increasing.

    Returns
    -------
    totals
        Profit, trades and drawdown, in-sample and out-of-sample by turns, shape (n, W, 6).
    behaviour
        Fingerprint of the trades of all windows, uint64, shape (n,).
    """
    which, begins = np.unique(pairs[0], return_index=True)
    bounds = np.append(begins, pairs[0].size)
    totals = np.empty((pairs[0].size, len(cuts.windows), 6))
    behaviour = np.empty(pairs[0].size, np.uint64)
    _walk_each(
        prices, tables.ladder, series, tables.first, slippage, tables.blank.copy(),
        tables.entries, which, bounds, pairs[1], cuts, costs, totals, behaviour,
    )  # fmt: skip
    return totals, behaviour
