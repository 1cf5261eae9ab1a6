"""Samples of grids that are too large to search whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from meseta._near import did_you_mean
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from meseta._types import IntArray
    from meseta.strategies._grids import Grid

__all__ = ["Method", "sample_grid"]

Method = Literal["sobol", "random"]

# Numbers of combinations, and sums of two, fit 64 bits below this.
_LARGEST_PRODUCT = 2**62
_MOST = 1_000_000_000
_CHUNK = 2**17
# Enough that no run exhausts the sequence, and few enough that a float holds every point.
_BITS = 52


def sample_grid(grid: Grid, count: int, *, seed: int = 0, method: Method = "sobol") -> IntArray:
    """Return the numbers of `count` different combinations that meet the grid's constraints.

    A scrambled Sobol sequence with a dimension for each searched parameter spreads the sample
    evenly: over every parameter's values and, for larger samples, over pairs and more. Parameters
    that depend on each other through constraints share a dimension, over the combinations of
    them that are allowed, so tight constraints cost nothing.

    Parameters
    ----------
    grid
        The grid; constraints are met.
    count
        How many, fewer than ``grid.size``.
    seed
        The same seed gives the same sample; at least 0.
    method
        ``"sobol"``, or ``"random"`` for independent draws.

    Returns
    -------
    ndarray of int64
        Increasing numbers, shape (count,).

    Raises
    ------
    ArgumentError
        `count` is not from 1 to ``grid.size - 1`` or above a billion, `seed` is negative, there
        is no such method, or the grid's product is above 2**62.

    Examples
    --------
    >>> from meseta.strategies import Grid, sample_grid
    >>> sample_grid(Grid("small", {"a": (1, 2), "b": (0.5, 1.0, 1.5)}), 3).size
    3
    """
    _check(grid, count, seed, method)
    axes = _axes(grid)
    draws = _draws(axes, seed, method)
    if count <= grid.size // 2:
        return _distinct(draws, count, grid.size)
    # Most of the grid: draw what is left out, else the last few would take for ever to hit.
    left_out = _distinct(draws, grid.size - count, grid.size)
    every = _every(axes)
    return np.delete(every, np.searchsorted(every, left_out))


@dataclass(frozen=True)
class _Axis:
    """Values of a free parameter, or allowed combinations of parameters that are constrained.

    Every combination of the grid is the sum of one offset from each axis.
    """

    lengths: tuple[int, ...]
    strides: tuple[int, ...]
    cells: NDArray[np.uint32]

    def offsets(self, picks: IntArray) -> IntArray:
        """Return what the picked places add to a combination's number."""
        rest = self.cells[picks].astype(np.int64)
        total = np.zeros_like(rest)
        for length, stride in zip(reversed(self.lengths), reversed(self.strides), strict=True):
            above = rest // length
            total += (rest - above * length) * stride
            rest = above
        return total


def _axes(grid: Grid) -> list[_Axis]:
    """Return the independent axes of a grid that have more than one place."""
    steps = dict(zip(grid.names, grid.strides, strict=True))
    free = [
        _Axis((len(values),), (steps[name],), np.arange(len(values), dtype=np.uint32))
        for name, values in grid.values.items()
        if name not in grid.constrained and len(values) > 1
    ]
    tied = [
        _Axis(part.shape, tuple(steps[name] for name in part.values), part.cells())
        for part in grid.components
    ]
    return free + tied


def _draws(axes: list[_Axis], seed: int, method: Method) -> Callable[[int], IntArray]:
    """Return a function that draws so many more combinations, repeats among them."""
    uniform = _sobol(len(axes), seed) if method == "sobol" else _independent(len(axes), seed)

    def draw(count: int) -> IntArray:
        points = uniform(count)
        total = np.zeros(count, np.int64)
        for axis, column in zip(axes, points.T, strict=True):
            total += axis.offsets((column * axis.cells.size).astype(np.int64))
        return total

    return draw


def _sobol(dimensions: int, seed: int) -> Callable[[int], NDArray[np.float64]]:
    from scipy.stats import qmc  # type: ignore[import-untyped]  # slow to import

    engine = qmc.Sobol(dimensions, scramble=True, bits=_BITS, rng=np.random.default_rng(seed))
    return lambda count: np.asarray(engine.random(count))


def _independent(dimensions: int, seed: int) -> Callable[[int], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return lambda count: rng.random((count, dimensions))


def _distinct(draw: Callable[[int], IntArray], count: int, size: int) -> IntArray:
    """Return the first `count` different combinations of `size` that are drawn, increasing."""
    chunk = min(_CHUNK, 1 << (count - 1).bit_length())  # Sobol's balance wants powers of two
    kept = np.empty(0, np.int64)  # in the order drawn: later ones are the ones to drop
    while kept.size < count:
        expected = size * math.log1p((count - kept.size) / (size - count))
        chunks = max(1, math.ceil(expected / chunk))
        drawn = np.concatenate([kept, *(draw(chunk) for _ in range(chunks))])
        _, first = np.unique(drawn, return_index=True)
        kept = drawn[np.sort(first)]
    return np.sort(kept[:count])


def _every(axes: list[_Axis]) -> IntArray:
    """Return all combinations that meet the constraints, increasing."""
    total = np.zeros(1, np.int64)
    for axis in axes:
        total = np.add.outer(total, axis.offsets(np.arange(axis.cells.size))).ravel()
    return np.sort(total)


def _check(grid: Grid, count: int, seed: int, method: str) -> None:
    if method not in get_args(Method):
        hint = did_you_mean(method, get_args(Method))
        raise ArgumentError(
            f"`method` must be one of {', '.join(get_args(Method))}, got {method!r}{hint}"
        )
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST:
        raise ArgumentError(f"a sample must have from 1 to {_MOST:,} combinations, got {count!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ArgumentError(f"`seed` must be a whole number, at least 0, got {seed!r}")
    if count >= grid.size:
        raise ArgumentError(
            f"a sample must be smaller than the grid: `{grid.name}` has {grid.size:,} "
            f"combinations, got {count:,}; search the whole grid instead (without --sample)"
        )
    if grid.product > _LARGEST_PRODUCT:
        raise ArgumentError(
            f"grid `{grid.name}` has {grid.product:,} combinations without constraints, more "
            f"than {_LARGEST_PRODUCT:,} that can be numbered; list fewer values"
        )
