"""How far combinations lie from the middle of a grid: what decides between equal results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta._types import FloatArray, IntArray
    from meseta.search._parts import Part
    from meseta.strategies import Grid
    from meseta.strategies._constraints import Component

__all__ = ["Middle"]

# Distances are whole multiples of a common unit, so that sums are exact in any order. Where the
# axes have no common unit that is small enough, each step is rounded to this part of an axis.
_FINEST = 1 << 52
_CHUNK = 1 << 20


class Middle:
    """Distances from the middle of a grid.

    A combination's distance is the sum over the searched parameters of
    ``abs(2 * index - (n - 1)) / (n - 1)``, where `index` counts the parameter's `n` values from
    0: zero in the middle and one at either end of each axis.

    Parameters
    ----------
    grid
        The grid.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        steps = [len(grid.values[name]) - 1 for name in grid.searched]
        common = math.lcm(*steps)
        self.unit = min(common, _FINEST)
        self._axes = {name: self._axis(len(values)) for name, values in grid.values.items()}

    def _axis(self, length: int) -> IntArray:
        """Return the distance of each value of one parameter."""
        last = length - 1
        away = [abs(2 * index - last) for index in range(length)]
        return np.array([round(d * self.unit / last) if last else 0 for d in away], np.int64)

    def of_indices(self, indices: Mapping[str, IntArray]) -> IntArray:
        """Return distances in units, of combinations given by places on some parameters' axes."""
        found = [self._axes[name][index] for name, index in indices.items()]
        total: IntArray = np.sum(found, axis=0, dtype=np.int64)
        return total

    def of_flats(self, flats: IntArray) -> IntArray:
        """Return distances in units, int64, shape (n,), of numbers of combinations."""
        return self.of_indices(self.grid.indices(flats))

    def of_part(self, part: Part) -> IntArray:
        """Return what each combination of a part of the grid adds to the distance, in units."""
        total = np.zeros(1, np.int64)
        for name in part.names:
            total = (total[:, None] + self._axes[name]).ravel()
        return total

    def measured(self, distance: IntArray) -> FloatArray:
        """Return distances in lengths of half an axis."""
        return distance / self.unit

    def nearest(self) -> int:
        """Return the number of the combination in the middle.

        Of the combinations that meet the constraints it is the one with the smallest distance, of
        several the first; without constraints that is the lower middle value of every parameter.
        """
        index = {name: (len(values) - 1) // 2 for name, values in self.grid.values.items()}
        for component in self.grid.components:
            index |= self._nearest_of(component)
        strides = zip(self.grid.names, self.grid.strides, strict=True)
        return sum(index[name] * stride for name, stride in strides)

    def _nearest_of(self, component: Component) -> dict[str, int]:
        """Return the places of parameters that depend on each other."""
        names, cells = list(component.values), component.cells()
        best: tuple[int, int] | None = None
        for begin in range(0, cells.size, _CHUNK):
            some = cells[begin : begin + _CHUNK]
            places = dict(zip(names, np.unravel_index(some, component.shape), strict=True))
            distance = self.of_indices(places)
            at = int(distance.argmin())
            found = int(distance[at]), int(some[at])
            best = found if best is None else min(best, found)
        assert best is not None  # a component without combinations is refused
        chosen = np.unravel_index(best[1], component.shape)
        return {name: int(place) for name, place in zip(names, chosen, strict=True)}
