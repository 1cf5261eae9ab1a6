"""Cells: the candidates counted on the lattice of two parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta._near import did_you_mean
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta._types import IntArray
    from meseta.strategies._grids import Grid

__all__ = ["CellTotals", "Cells", "cell_numbers", "count_cells"]

_NEEDED = ("flat", "behaviour", "stability", "phases_valid", "oos_pnl", "oos_trades")


@dataclass(frozen=True, slots=True)
class CellTotals:
    """What the search knows of every combination of a cell, candidate or not.

    Parameters
    ----------
    combinations
        Combinations evaluated in each cell, int64, shape (values of x, values of y).
    profitable
        How many of them have a total out-of-sample profit above zero; same shape.

    Raises
    ------
    ArgumentError
        The shapes differ, or a cell has more profitable combinations than combinations.
    """

    combinations: IntArray
    profitable: IntArray

    def __post_init__(self) -> None:
        if self.combinations.shape != self.profitable.shape or self.combinations.ndim != 2:
            raise ArgumentError(
                "`combinations` and `profitable` must have the shape (values of x, values of y), "
                f"got {self.combinations.shape} and {self.profitable.shape}"
            )
        if np.any(self.profitable > self.combinations) or np.any(self.profitable < 0):
            raise ArgumentError("`profitable` must lie between 0 and `combinations` in every cell")


@dataclass(frozen=True, slots=True)
class Cells:
    """The lattice of two parameters and what the candidates make of it.

    Attributes
    ----------
    axes
        The two parameters, x and y.
    x_values, y_values
        Their values.
    table
        One row per cell, y changing fastest: ``x``, ``y``, ``candidates``, ``behaviours`` (how
        many sets of trades they make), ``mean_stability``, ``max_stability``, ``mean_phases``,
        ``valid_in_all`` (how many are valid in every phase), ``mean_oos_pnl``, ``max_oos_pnl``,
        ``mean_trades``. Profit and trades are out-of-sample and summed over the phases. Means and
        maxima over no candidates are null.
    """

    axes: tuple[str, str]
    x_values: tuple[float, ...]
    y_values: tuple[float, ...]
    table: pl.DataFrame

    @property
    def shape(self) -> tuple[int, int]:
        """Number of values of x and of y."""
        return len(self.x_values), len(self.y_values)

    def lattice(self, column: str) -> np.ndarray[Any, np.dtype[Any]]:
        """Return a column as an array of shape (values of x, values of y); null becomes 0."""
        return self.table[column].fill_null(0).to_numpy().reshape(self.shape)


def count_cells(candidates: pl.DataFrame, grid: Grid, axes: tuple[str, str], phases: int) -> Cells:
    """Group the candidates by the values of two parameters.

    Parameters
    ----------
    candidates
        Columns ``flat``, ``behaviour``, ``stability``, ``phases_valid``, ``oos_pnl`` and
        ``oos_trades``; one row per candidate, in any order.
    grid
        The grid that ``flat`` numbers.
    axes
        Two different parameters of the grid.
    phases
        Number of phases of the search.

    Raises
    ------
    ArgumentError
        An axis is not in the grid, both are the same, or a column is missing.
    """
    _check_axes(axes, grid)
    missing = [name for name in _NEEDED if name not in candidates.columns]
    if missing:
        raise ArgumentError(f"the candidates lack the columns {', '.join(missing)}")
    # A fixed order of rows makes the float sums the same however the candidates were sorted.
    table = candidates.select(_NEEDED).sort("flat")
    cells = cell_numbers(table["flat"].to_numpy(), grid, axes)
    x_values, y_values = grid.values[axes[0]], grid.values[axes[1]]
    lattice = pl.DataFrame({"x": x_values}).join(pl.DataFrame({"y": y_values}), how="cross")
    count = lattice.height
    return Cells(
        axes=axes,
        x_values=x_values,
        y_values=y_values,
        table=lattice.with_columns(cell=pl.int_range(count, dtype=pl.Int64))
        .join(_aggregate(table, cells, phases), on="cell", how="left", maintain_order="left")
        .with_columns(
            pl.col("candidates", "behaviours", "valid_in_all").fill_null(0),
            mean_stability=_sums(table["stability"], cells, count) / pl.col("candidates"),
            mean_oos_pnl=_sums(table["oos_pnl"], cells, count) / pl.col("candidates"),
        )
        .with_columns(pl.col("mean_stability", "mean_oos_pnl").fill_nan(None))
        .drop("cell"),
    )


def cell_numbers(flats: IntArray, grid: Grid, axes: tuple[str, str]) -> IntArray:
    """Return the number of each combination's cell: index of x * values of y + index of y."""
    index = grid.indices(flats)
    return index[axes[0]] * len(grid.values[axes[1]]) + index[axes[1]]


def _aggregate(table: pl.DataFrame, cells: IntArray, phases: int) -> pl.DataFrame:
    """Return counts, maxima and means of whole numbers, which are exact in any order."""
    return (
        table.with_columns(cell=pl.Series(cells, dtype=pl.Int64))
        .group_by("cell")
        .agg(
            candidates=pl.len().cast(pl.Int64),
            behaviours=pl.col("behaviour").n_unique().cast(pl.Int64),
            max_stability=pl.col("stability").max(),
            mean_phases=pl.col("phases_valid").cast(pl.Int64).sum() / pl.len(),
            valid_in_all=(pl.col("phases_valid") == phases).sum().cast(pl.Int64),
            max_oos_pnl=pl.col("oos_pnl").max(),
            mean_trades=pl.col("oos_trades").cast(pl.Int64).sum() / pl.len(),
        )
    )


def _sums(column: pl.Series, cells: IntArray, count: int) -> pl.Series:
    """Add up a float column cell by cell, in the order of the rows.

    Polars may add up the parts of a group thread by thread, which changes the last bits with the
    number of threads; `bincount` adds one row after the other.
    """
    return pl.Series(np.bincount(cells, weights=column.to_numpy(), minlength=count))


def _check_axes(axes: tuple[str, str], grid: Grid) -> None:
    for axis in axes:
        if axis not in grid.names:
            raise ArgumentError(
                f"an axis must be a parameter of the grid ({', '.join(grid.names)}), "
                f"got {axis!r}{did_you_mean(axis, grid.names)}"
            )
    if axes[0] == axes[1]:
        raise ArgumentError(f"the two axes must differ, got {axes[0]!r} twice")
