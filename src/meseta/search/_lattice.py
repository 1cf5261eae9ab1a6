"""Two axes of the grid seen by all combinations, not by the candidates alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._numba import kernel
from meseta.selection import CellTotals

if TYPE_CHECKING:
    from meseta._types import BoolArray, IntArray
    from meseta.search._problem import Problem
    from meseta.search._score import Scored, TileScores

__all__ = ["Lattice"]


@kernel
def _count_cells(
    oos: Any, table: IntArray, exit_cell: IntArray, entry_cell: IntArray, shares: IntArray,
    many: IntArray, profitable: IntArray,
) -> None:  # fmt: skip
    """Count combinations and profitable ones by cell; `shares` spreads inert values over cells."""
    for s in range(table.size):
        for e in range(entry_cell.size):
            total = 0.0
            for p in range(oos.shape[2]):
                total += oos[table[s], e, p]
            for i in shares:
                cell = exit_cell[s] + entry_cell[e] + i
                many[cell] += 1
                profitable[cell] += total > 0.0


@kernel
def _collect(
    oos: Any, table: IntArray, exit_cell: IntArray, entry_cell: IntArray, shares: IntArray,
    inside: Any, out: Any,
) -> int:  # fmt: skip
    found = 0
    for s in range(table.size):
        for e in range(entry_cell.size):
            total = 0.0
            for p in range(oos.shape[2]):
                total += oos[table[s], e, p]
            for i in shares:
                if inside[exit_cell[s] + entry_cell[e] + i]:
                    out[found] = total
                    found += 1
    return found


class Lattice:
    """The cells of two axes, counted over the whole grid.

    Parameters
    ----------
    problem, scored
        A search and its scoring.
    axes
        Two parameters of the grid.
    """

    def __init__(self, problem: Problem, scored: Scored, axes: tuple[str, str]) -> None:
        self.problem, self.scored, self.axes = problem, scored, axes
        self.shape = tuple(len(problem.grid.values[name]) for name in axes)

    def totals(self) -> CellTotals:
        """Return how many combinations each cell has, and how many of them made money."""
        many, profitable = (np.zeros(self.shape[0] * self.shape[1], np.int64) for _ in range(2))
        for item in self.scored.tiles:
            _count_cells(item.oos, *self._cells(item), many, profitable)
        return CellTotals(many.reshape(self.shape), profitable.reshape(self.shape))

    def outcomes(self, cells: IntArray) -> tuple[float, float, float]:
        """Return median and worst out-of-sample profit and the share above zero in some cells.

        Parameters
        ----------
        cells
            Indices on both axes, shape (k, 2).

        Returns
        -------
        tuple of float
            Over all combinations of the grid in these cells, profit summed over phases.
        """
        inside = np.zeros(self.shape, np.bool_)
        inside[cells[:, 0], cells[:, 1]] = True
        parts = [self._inside(item, inside.ravel()) for item in self.scored.tiles]
        profits = np.concatenate(parts)
        del parts
        worst, share = float(profits.min()), float(np.count_nonzero(profits > 0)) / profits.size
        return float(np.median(profits, overwrite_input=True)), worst, share

    def _inside(self, item: TileScores, inside: BoolArray) -> Any:
        table, exits, sets, shares = self._cells(item)
        room = np.empty(table.size * sets.size * shares.size, np.float32)
        found = _collect(item.oos, table, exits, sets, shares, inside, room)
        return room[:found].copy()

    def _cells(self, item: TileScores) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        family = self.problem.families[item.tile.family]
        sets = slice(item.tile.first_set, item.tile.last_set)
        return (
            item.table_of[family.member],
            self._cell_of(family.offset),
            self._cell_of(self.problem.entry_sets.offset[sets]),
            self._cell_of(self.problem.inert),
        )

    def _cell_of(self, offsets: IntArray) -> IntArray:
        """Return what a part of the flat index adds to the cell number: parts do not carry."""
        index = self.problem.grid.indices(offsets)
        return index[self.axes[0]] * self.shape[1] + index[self.axes[1]]
