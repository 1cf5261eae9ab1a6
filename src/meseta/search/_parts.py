"""A grid taken apart: the parameters that entries, stops and tightenings depend on, each alone."""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta.strategies._indicators import Tightenings, tightening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meseta._types import FloatArray, IntArray
    from meseta.strategies import Grid
    from meseta.strategies._separable import Factor, Study, Values

__all__ = ["Part", "Series", "series_of"]


class Part:
    """All combinations of some of a grid's parameters, numbered; the last changes fastest.

    Parameters
    ----------
    grid
        The grid.
    names
        Which of its parameters.
    """

    def __init__(self, grid: Grid, names: tuple[str, ...]) -> None:
        self.grid, self.names = grid, names
        self.values = [grid.values[name] for name in names]
        self.shape = tuple(len(values) for values in self.values)
        self.size = math.prod(self.shape)

    def point(self, number: int) -> Values:
        """Return the combination called `number`."""
        index = np.unravel_index(number, self.shape) if self.names else ()
        chosen = zip(self.names, self.values, index, strict=True)
        return {name: values[int(i)] for name, values, i in chosen}

    def points(self) -> Iterator[Values]:
        """Yield every combination in order."""
        return (self.point(number) for number in range(self.size))

    @cached_property
    def offsets(self) -> IntArray:
        """What each combination adds to a combination's number in the grid, shape (size,)."""
        total = np.zeros(1, np.int64)
        strides = dict(zip(self.grid.names, self.grid.strides, strict=True))
        for name, values in zip(self.names, self.values, strict=True):
            steps = np.arange(len(values), dtype=np.int64) * strides[name]
            total = (total[:, None] + steps).ravel()
        return total

    def numbers(self, indices: Mapping[str, IntArray]) -> IntArray:
        """Return the part's combination for places on the grid's axes (`Grid.indices`)."""
        columns = [indices[name] for name in self.names]
        if not columns:
            some = next(iter(indices.values()))
            return np.zeros(some.size, np.int64)
        return np.ravel_multi_index(columns, self.shape).astype(np.int64)


class Series(NamedTuple):
    """The distinct tightening series of a grid.

    Parameters
    ----------
    kinds
        The series, described.
    first
        First bar on which each is defined, int64, shape (series,).
    member
        Which series each combination of the tightening parameters uses, int64, shape (size,).
    """

    kinds: Tightenings
    first: IntArray
    member: IntArray


def series_of(study: Study, part: Part) -> Series:
    """Return the distinct tightening series of a part.

    Series are compared by a 128-bit digest and not kept: on intraday bars thousands of them
    would fill the memory.
    """
    widths: dict[tuple[int, ...], int] = {}
    arrays: list[FloatArray] = []
    found: dict[tuple[Factor, int], int] = {}
    contents: dict[tuple[int, int, bytes], int] = {}
    kept: list[tuple[Factor, int]] = []
    member = np.empty(part.size, np.int64)
    for row, p in enumerate(part.points()):
        key = study.factor(p), study.factor_first(p)
        if key not in found:
            width, ratio, scaling, floor = key[0]
            if width not in widths:
                widths[width] = len(arrays)
                arrays.append(study.width(width))
            factor = tightening(arrays[widths[width]], ratio, scaling, floor)
            digest = hashlib.blake2b(factor.data, digest_size=16).digest()
            found[key] = contents.setdefault((widths[width], key[1], digest), len(kept))
            if found[key] == len(kept):
                kept.append(key)
        member[row] = found[key]
    kinds = Tightenings(
        width=np.array(arrays),
        length=np.array([widths[factor.width] for factor, _ in kept], np.int64),
        ratio=np.array([factor.ratio for factor, _ in kept], np.float64),
        scaling=np.array([factor.scaling for factor, _ in kept], np.int64),
        floor=np.array([factor.floor for factor, _ in kept], np.float64),
    )
    return Series(kinds, np.array([first for _, first in kept], np.int64), member)
