"""Walking tiles: a whole tile for the search, chosen combinations of one in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meseta.engine._family import Task, pack, search_family, walk_family
from meseta.engine._lone import search_lone
from meseta.engine._tables import link
from meseta.search._tiles import TileResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta._types import FloatArray, IntArray
    from meseta.engine._entries import EntryTables
    from meseta.search._problem import Problem, Tile

__all__ = ["evaluate_tile", "walk_rows"]

# Combinations of a sample whose entry tables are in memory at the same time.
_AT_ONCE = 512

Walked = tuple["FloatArray", "NDArray[np.uint64]"]


def evaluate_tile(problem: Problem, tile: Tile) -> TileResult:
    """Search one tile."""
    if problem.flats is not None:
        every = np.arange(tile.last_set - tile.first_set)
        oos, codes = pack(_walk_sample(problem, tile, every)[0], problem.kernel_levels)
        return TileResult(oos[:, None], codes[:, None], every)
    if problem.lone:
        return _joined(_walk_lone(problem, tile))
    exits, sets = problem.block(tile)
    which = np.unique(problem.series.member[exits])
    tasks = [
        Task(
            problem.exit_tables(tile.family, context),
            problem.exit_first(tile.family, context),
            problem.entry_tables(context, sets.tolist()),
        )
        for context in range(tile.first_context, tile.last_context)
    ]
    found = search_family(
        problem.ground, tasks, problem.series.kinds, which, problem.kernel_levels
    )
    return _joined(found)


def _joined(found: list[tuple[NDArray[np.float32], NDArray[np.uint32], IntArray]]) -> TileResult:
    """Join what several shared sets found; their tables are numbered on."""
    shifts = np.cumsum([0, *(len(part[0]) for part in found)])
    return TileResult(
        np.concatenate([part[0] for part in found]),
        np.concatenate([part[1] for part in found]),
        np.concatenate([part[2] + shift for part, shift in zip(found, shifts, strict=False)]),
    )


def _walk_lone(
    problem: Problem, tile: Tile
) -> list[tuple[NDArray[np.float32], NDArray[np.uint32], IntArray]]:
    """Search a tile of a strategy without a tightening."""
    exits, sets = problem.block(tile)
    return [
        search_lone(
            problem.ground,
            *problem.lone_stops(exits, context),
            problem.leaves(context),
            problem.states,
            problem.entry_tables(context, sets.tolist()),
            problem.kernel_levels,
        )
        for context in range(tile.first_context, tile.last_context)
    ]


def walk_rows(
    problem: Problem, tile: Tile, table_of: IntArray, tables: IntArray, sets: IntArray
) -> Walked:
    """Walk chosen rows of a tile once more, keeping every field.

    Parameters
    ----------
    problem, tile, table_of
        The tile, and which exit table each of its series leads to.
    tables, sets
        Exit table and entry set (from the tile's first) of each row, int64, shape (n,).

    Returns
    -------
    totals
        Profit, trades and drawdown, in-sample and out-of-sample by turns, shape (n, W, 6).
    behaviour
        Fingerprint of the trades of all windows, uint64, shape (n,).
    """
    if problem.flats is not None:
        return _walk_sample(problem, tile, tables)
    # Tables are numbered by the first series that leads to each; later ones are its like. What
    # the constraints left out of the tile leads to no table of its own.
    used = np.unique(problem.members(tile))
    series = used[np.unique(table_of[used], return_index=True)[1]][tables]
    exits, numbers = problem.block(tile)
    many = exits.size if problem.lone else problem.series.kinds.many
    context, series = np.divmod(series, many)
    family = exits[series] if problem.lone else np.full(series.size, tile.family)
    series = np.zeros_like(series) if problem.lone else series
    totals, prints = _room(problem, tables.size)
    for each, stop in np.unique(np.column_stack((context, family)), axis=0).tolist():
        number = tile.first_context + each
        rows = np.flatnonzero((context == each) & (family == stop))
        entries = problem.entry_tables(number, numbers.tolist())
        pairs = series[rows], sets[rows]
        totals[rows], prints[rows] = _walk(problem, stop, number, entries, pairs)
    return totals, prints


def _walk_sample(problem: Problem, tile: Tile, which: IntArray) -> Walked:
    """Walk some combinations of a sample's tile."""
    sample = problem.sample(tile)
    totals, prints = _room(problem, which.size)
    for context in np.unique(sample["context"][which]):
        mine = np.flatnonzero(sample["context"][which] == context)
        for begin in range(0, mine.size, _AT_ONCE):
            rows = mine[begin : begin + _AT_ONCE]
            sets, place = np.unique(sample["set"][which[rows]], return_inverse=True)
            series = problem.series.member[sample["exit"][which[rows]]]
            entries = problem.build_entries(int(context), sets.tolist())
            pairs = series, place.ravel()
            walked = _walk(problem, tile.family, int(context), entries, pairs)
            totals[rows], prints[rows] = walked
    return totals, prints


def _walk(
    problem: Problem,
    family: int,
    context: int,
    entries: EntryTables,
    pairs: tuple[IntArray, IntArray],
) -> Walked:
    """Walk pairs of series and entry set of one family and shared set, in any order."""
    order = np.argsort(pairs[0], kind="stable")
    tables, first = problem.exit_tables(family, context), problem.exit_first(family, context)
    made, found = walk_family(
        problem.ground, tables, problem.series.kinds, first, link(entries, tables),
        (pairs[0][order], pairs[1][order]),
    )  # fmt: skip
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    return made[back], found[back]


def _room(problem: Problem, rows: int) -> Walked:
    return np.empty((rows, len(problem.windows), 6)), np.empty(rows, np.uint64)
