"""Two axes of the grid seen by all combinations, not by the candidates alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.errors import ArgumentError
from meseta.search._score import add_up, mapped
from meseta.selection import CellTotals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from meseta._types import BoolArray, IntArray
    from meseta.search._exhaustive import SearchStore
    from meseta.search._problem import Problem

__all__ = ["Lattice"]

_HALF = 1 << 16
# The upper half of zero's ordered bits, whose lower half is 0.
_ZERO = 1 << 15


class _Cells(NamedTuple):
    """The combinations of a tile by cell.

    Those of a pair, an entry set and an inert value lie in cell `exits + entries + inert`, and
    there are `many * times` of them.

    Parameters
    ----------
    table, exits, many
        Distinct pairs of exit table and the exit set's share of the cell number, and how many
        exit sets each stands for, shape (pairs,).
    entries
        The entry sets' share of the cell number, shape (E,).
    inert, times
        Distinct shares of the inert values, and how many values each stands for.
    """

    table: IntArray
    exits: IntArray
    many: IntArray
    entries: IntArray
    inert: IntArray
    times: IntArray


@inline
def _total(oos: Any) -> float:
    total = 0.0
    for profit in oos:
        total += profit
    return total


@inline
def _ordered(bits: Any) -> Any:
    """Return a float32's bits as a number that sorts as the float does."""
    return ~bits if bits >> np.uint32(31) else bits | np.uint32(0x80000000)


@kernel
def _count_cells(oos: Any, cells: _Cells, counts: IntArray) -> None:
    """Count combinations, `counts[0]`, and profitable ones, `counts[1]`, by cell."""
    for s in range(cells.table.size):
        for e in range(cells.entries.size):
            profitable = _total(oos[cells.table[s], e]) > 0.0
            for i in range(cells.inert.size):
                cell = cells.exits[s] + cells.entries[e] + cells.inert[i]
                many = cells.many[s] * cells.times[i]
                counts[0, cell] += many
                counts[1, cell] += many if profitable else 0


@inline
def _inside(cells: _Cells, s: int, e: int, inside: Any) -> Any:
    """Return how many combinations of an exit table and an entry set lie inside."""
    found = np.int64(0)
    for i in range(cells.inert.size):
        if inside[cells.exits[s] + cells.entries[e] + cells.inert[i]]:
            found += cells.many[s] * cells.times[i]
    return found


@kernel
def _count_high(oos: Any, cells: _Cells, inside: Any, counts: IntArray) -> None:
    """Count summed profits by the upper half of their ordered bits."""
    one = np.empty(1, np.float32)
    bits = one.view(np.uint32)
    for s in range(cells.table.size):
        for e in range(cells.entries.size):
            many = _inside(cells, s, e, inside)
            if many:
                one[0] = _total(oos[cells.table[s], e])
                counts[np.int64(_ordered(bits[0]) >> np.uint32(16))] += many


@kernel
def _count_low(oos: Any, cells: _Cells, inside: Any, wanted: IntArray, counts: IntArray) -> None:
    """Count summed profits by the lower half, for each `wanted` upper half."""
    one = np.empty(1, np.float32)
    bits = one.view(np.uint32)
    for s in range(cells.table.size):
        for e in range(cells.entries.size):
            many = _inside(cells, s, e, inside)
            if many:
                one[0] = _total(oos[cells.table[s], e])
                number = np.int64(_ordered(bits[0]))
                for k in range(wanted.size):
                    if number >> 16 == wanted[k]:
                        counts[k, number & 0xFFFF] += many


class Lattice:
    """The cells of two axes, counted over all combinations that were searched.

    Parameters
    ----------
    problem, store
        A search, and its tiles, which the scoring found whole.
    axes
        Two parameters of the grid.
    threads
        Threads; the result does not depend on their number.
    """

    def __init__(
        self, problem: Problem, store: SearchStore, axes: tuple[str, str], *, threads: int = 1
    ) -> None:
        self.problem, self.store, self.axes, self.threads = problem, store, axes, threads
        self.shape = tuple(len(problem.grid.values[name]) for name in axes)
        self.tiles = problem.tiles()

    def totals(self) -> CellTotals:
        """Return how many combinations each cell has, and how many of them made money.

        Raises
        ------
        RunError
            A tile is missing.
        """
        shape = 2, int(np.prod(self.shape))
        with ThreadPoolExecutor(self.threads) as pool:
            counts = self._count(pool, range(len(self.tiles)), shape, _count_cells)
        return CellTotals(*counts.reshape(2, *self.shape))

    def outcomes(self, cells: IntArray) -> tuple[float, float, float]:
        """Return median and worst out-of-sample profit and the share above zero in some cells.

        Exact, by counting: the tiles are read twice, those without any of the cells not at all.

        Parameters
        ----------
        cells
            Indices on both axes, shape (k, 2).

        Returns
        -------
        tuple of float
            Over all combinations that were searched in these cells: profit summed over phases,
            rounded to float32. Profits are finite.

        Raises
        ------
        ArgumentError
            No combination of these cells was searched.
        RunError
            A tile is missing.
        """
        inside = np.zeros(self.shape, np.bool_)
        inside[cells[:, 0], cells[:, 1]] = True
        within = inside.ravel()
        reached = [number for number in range(len(self.tiles)) if self._reaches(number, within)]
        with ThreadPoolExecutor(self.threads) as pool:
            high = self._count(pool, reached, (_HALF,), _count_high, within)
            many = int(high.sum())
            if not many:
                raise ArgumentError("`cells` must hold a combination that was searched, got none")
            # The worst, and the middle one or two.
            places = np.array([0, (many - 1) // 2, many // 2])
            upper = _bins_of(high, places)
            wanted = np.unique([*upper, _ZERO])
            shape = wanted.size, _HALF
            low = self._count(pool, reached, shape, _count_low, within, wanted)
        inner = places - (np.cumsum(high) - high)[upper]
        row = np.searchsorted(wanted, upper)
        lower = [int(_bins_of(low[k], at)) for k, at in zip(row, inner, strict=True)]
        worst, *middle = _floats(upper << 16 | np.array(lower))
        above = high[_ZERO + 1 :].sum() + low[np.searchsorted(wanted, _ZERO), 1:].sum()
        return float(np.mean(np.array(middle))), float(worst), int(above) / many

    def _count(
        self,
        pool: ThreadPoolExecutor,
        numbers: Iterable[int],
        shape: tuple[int, ...],
        kernel: Callable[..., None],
        *given: Any,
    ) -> IntArray:
        """Count with a kernel over some tiles."""

        def work(number: int, counts: IntArray) -> None:
            result = mapped(self.store, self.tiles[number])
            kernel(result.oos, self._cells(number, result.table_of), *given, counts)

        return add_up(pool, self.threads, shape, work, numbers)[0]

    def _reaches(self, number: int, inside: BoolArray) -> bool:
        """Tell whether any combination of a tile may lie inside."""
        exits, entries, inert = (np.unique(self._cell_of(part)) for part in self._parts(number))
        return bool(inside[np.add.outer(np.add.outer(exits, entries), inert)].any())

    def _cells(self, number: int, table_of: IntArray) -> _Cells:
        exits, entries, inert = (self._cell_of(part) for part in self._parts(number))
        # Exit sets of one table and one cell are counted together.
        cells = int(np.prod(self.shape))
        pair = table_of[self.problem.members(self.tiles[number])] * cells + exits
        distinct, many = np.unique(pair, return_counts=True)
        table, first = np.divmod(distinct, cells)
        return _Cells(table, first, many, entries, *np.unique(inert, return_counts=True))

    def _parts(self, number: int) -> tuple[IntArray, IntArray, IntArray]:
        """Return what exits, entries and inert values of a tile add to the flat index."""
        tile, problem = self.tiles[number], self.problem
        return problem.exit_offsets(tile), problem.set_offsets(tile), problem.inert

    def _cell_of(self, offsets: IntArray) -> IntArray:
        """Return what a part of the flat index adds to the cell number: parts do not carry."""
        index = self.problem.grid.indices(offsets)
        return index[self.axes[0]] * self.shape[1] + index[self.axes[1]]


def _bins_of(counts: IntArray, places: Any) -> Any:
    """Return in which bin the element at each place of the sorted elements lies."""
    return np.searchsorted(np.cumsum(counts), places, side="right")


def _floats(ordered: IntArray) -> NDArray[np.float32]:
    """Return the floats whose bits, ordered, are given."""
    bits = np.where(ordered >> 31, ordered ^ (1 << 31), ordered ^ 0xFFFFFFFF)
    return bits.astype(np.uint32).view(np.float32)
