"""Plateaus: regions of two parameters where many combinations are stable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl

from meseta.errors import ArgumentError
from meseta.selection._cells import cell_numbers, count_cells
from meseta.selection._clusters import choose_clusters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.selection._cells import Cells, CellTotals
    from meseta.selection._clusters import Clustering, Setting
    from meseta.strategies._grids import Grid

__all__ = ["MIN_CELL", "Outcomes", "Plateau", "Plateaus", "edge_drop", "find_plateaus"]

MIN_CELL = 50

Outcomes: TypeAlias = "Callable[[IntArray], tuple[float, float, float]]"
"""Given cells as index pairs, int64, shape (cells, 2), the median and the worst total
out-of-sample profit and the share with a profit, over all combinations in them."""

_BEST = 20
_LEAST_TOP = 50
_REGIME_OF = "atr_multiplier"
_CELL_COLUMNS = (
    "x",
    "y",
    "candidates",
    "behaviours",
    "mean_stability",
    "max_stability",
    "mean_phases",
    "valid_in_all",
    "mean_oos_pnl",
    "max_oos_pnl",
    "mean_trades",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plateau:
    """One region of neighbouring cells.

    Attributes
    ----------
    rank
        1 for the plateau of the highest worth.
    regime
        TIGHT, MEDIUM or WIDE by the candidates' mean stop multiplier; None for a grid without
        ``atr_multiplier``.
    cells
        The values (x, y) of its cells.
    candidates, behaviours
        How many candidates, and how many sets of trades they make.
    combinations
        All combinations of the grid in its cells that were evaluated.
    worth
        Mean stability of its candidates.
    mean_phases
        Mean number of phases in which they are valid.
    profitable_share, median_oos_pnl, worst_oos_pnl
        Over all its combinations, by total out-of-sample profit.
    edge_drop
        See `edge_drop`.
    centre
        Number of the combination in its middle.
    parameters
        The centre's parameters.
    top
        The candidates that give the refinement ranges: a tenth, at least 50, by stability
        descending, then by number.
    """

    rank: int
    regime: str | None
    cells: tuple[tuple[float, float], ...]
    candidates: int
    behaviours: int
    combinations: int
    worth: float
    mean_phases: float
    profitable_share: float
    median_oos_pnl: float
    worst_oos_pnl: float
    edge_drop: float | None
    centre: int
    parameters: Mapping[str, float]
    top: pl.DataFrame = field(repr=False, compare=False)

    @property
    def best(self) -> pl.DataFrame:
        """The 20 most stable candidates."""
        return self.top.head(_BEST)

    def to_dict(
        self, *, ranges: Mapping[str, Mapping[str, Any]] | None = None, export: str | None = None
    ) -> dict[str, Any]:
        """Return the plateau as `plateaus.json` has it.

        Parameters
        ----------
        ranges
            Refinement range of each parameter, when there are any.
        export
            The range file's path within the run folder.
        """
        return {
            "rank": self.rank,
            "regime": self.regime,
            "cells": [list(cell) for cell in self.cells],
            "candidates": self.candidates,
            "behaviours": self.behaviours,
            "combinations": self.combinations,
            "worth": self.worth,
            "mean_phases": self.mean_phases,
            "profitable_share": self.profitable_share,
            "median_oos_pnl": self.median_oos_pnl,
            "worst_oos_pnl": self.worst_oos_pnl,
            "edge_drop": self.edge_drop,
            "centre": {"flat": self.centre, "parameters": dict(self.parameters)},
            "ranges": {name: dict(each) for name, each in (ranges or {}).items()},
            "export": export,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plateaus:
    """All plateaus of a search, and the cells they were found in.

    Attributes
    ----------
    cells
        The lattice and what the candidates make of it.
    totals
        What all combinations make of it.
    min_cell
        A cell counts with at least this many candidates.
    rank_of
        Rank of the plateau that each cell belongs to, 0 for none; int64, shape (values of x,
        values of y).
    settings
        Every clustering setting that was tried.
    plateaus
        By rank.
    warnings
        What the user must know.
    """

    cells: Cells
    totals: CellTotals
    min_cell: int
    rank_of: IntArray
    settings: tuple[Setting, ...]
    plateaus: tuple[Plateau, ...]
    warnings: tuple[str, ...]

    def to_dict(
        self,
        *,
        ranges: Mapping[int, Mapping[str, Mapping[str, Any]]] | None = None,
        exports: Mapping[int, str] | None = None,
    ) -> dict[str, Any]:
        """Return the content of `plateaus.json`; undefined numbers are None.

        Parameters
        ----------
        ranges
            By rank, the refinement range of each parameter.
        exports
            By rank, the range file's path within the run folder.
        """
        ranges, exports = ranges or {}, exports or {}
        return {
            "axes": list(self.cells.axes),
            "x_values": list(self.cells.x_values),
            "y_values": list(self.cells.y_values),
            "min_cell": self.min_cell,
            "cells": self._cell_rows(),
            "settings": [
                {name: getattr(s, name) for name in s.__dataclass_fields__} for s in self.settings
            ],
            "plateaus": [
                p.to_dict(ranges=ranges.get(p.rank), export=exports.get(p.rank))
                for p in self.plateaus
            ],
            "warnings": list(self.warnings),
        }

    def _cell_rows(self) -> list[dict[str, Any]]:
        combinations = self.totals.combinations
        share = np.divide(
            self.totals.profitable,
            combinations,
            out=np.full(combinations.shape, np.nan),
            where=combinations > 0,
        )
        return (
            self.cells.table.select(_CELL_COLUMNS)
            .with_columns(
                counts=pl.col("candidates") >= self.min_cell,
                plateau=pl.Series(self.rank_of.ravel()).replace(0, None),
                profitable_share=pl.Series(share.ravel()).fill_nan(None),
                combinations=pl.Series(combinations.ravel()),
            )
            .to_dicts()
        )


def find_plateaus(
    candidates: pl.DataFrame,
    grid: Grid,
    axes: tuple[str, str],
    *,
    phases: int,
    totals: CellTotals,
    outcomes: Outcomes,
    min_cell: int = MIN_CELL,
    seed: int = 0,
) -> Plateaus:
    """Find the plateaus of the candidates over two parameters.

    The result depends neither on the order of the rows nor on the number of threads.

    Parameters
    ----------
    candidates
        The candidates: ``flat``, ``behaviour``, ``stability``, ``phases_valid``, ``oos_pnl``,
        ``oos_trades`` and whatever else `Plateau.top` shall carry.
    grid
        The grid that ``flat`` numbers.
    axes
        The two parameters whose values make the cells.
    phases
        Number of phases of the search.
    totals
        Counts over all combinations, cell by cell.
    outcomes
        Called once for each plateau, for its outcomes over all combinations.
    min_cell
        A cell counts with at least this many candidates.
    seed
        Seed of the bootstrap that chooses the clustering.

    Raises
    ------
    ArgumentError
        An axis is not in the grid or both are the same, a column is missing, `totals` has another
        shape than the lattice, or `min_cell` is not positive.
    """
    if min_cell < 1:
        raise ArgumentError(f"`min_cell` must be at least 1, got {min_cell}")
    cells = count_cells(candidates, grid, axes, phases)
    if totals.combinations.shape != cells.shape:
        raise ArgumentError(
            f"`totals` must have the lattice's shape {cells.shape}, "
            f"got {totals.combinations.shape}"
        )
    clustering = choose_clusters(cells.lattice("candidates"), min_cell, seed)
    rank_of = _rank(clustering, cells)
    members = _members(candidates, grid, axes, rank_of)
    return Plateaus(
        cells=cells,
        totals=totals,
        min_cell=min_cell,
        rank_of=rank_of,
        settings=clustering.settings,
        plateaus=tuple(
            _plateau(rank, members, candidates, grid, cells, totals, rank_of == rank, outcomes)
            for rank in range(1, int(rank_of.max()) + 1)
        ),
        warnings=_warnings(clustering, rank_of, min_cell),
    )


def edge_drop(inside: BoolArray, mean_stability: FloatArray) -> float | None:
    """Return how much stability falls from a plateau's edge to what lies around it.

    Mean over the plateau's cells that have a neighbour outside, less the mean over those
    neighbours. Neighbours are one grid step apart along one of the two parameters; what lies
    beyond the grid is unknown and is no neighbour.

    Parameters
    ----------
    inside
        The plateau's cells, shape (values of x, values of y).
    mean_stability
        Mean stability of each cell's candidates, 0 where there is none; same shape.

    Returns
    -------
    float or None
        None when the plateau fills the lattice, so that nothing lies around it.
    """
    around = ~inside & _beside(inside)
    if not around.any():
        return None
    edge = inside & _beside(~inside)
    return float(mean_stability[edge].mean() - mean_stability[around].mean())


def _beside(cells: BoolArray) -> BoolArray:
    """Return which cells have one of `cells` at a side."""
    beside = np.zeros_like(cells)
    beside[1:] |= cells[:-1]
    beside[:-1] |= cells[1:]
    beside[:, 1:] |= cells[:, :-1]
    beside[:, :-1] |= cells[:, 1:]
    return beside


def _rank(clustering: Clustering, cells: Cells) -> IntArray:
    """Return the rank of each cell's cluster by worth, then candidates, then first cell."""
    count, mean = cells.lattice("candidates"), cells.lattice("mean_stability")
    rank_of = np.zeros(cells.shape, np.int64)
    masks = [clustering.labels == label for label in range(int(clustering.labels.max()) + 1)]

    def order(mask: BoolArray) -> tuple[float, int, int]:
        worth = np.average(mean[mask], weights=count[mask])
        return -float(worth), -int(count[mask].sum()), int(np.flatnonzero(mask)[0])

    for rank, mask in enumerate(sorted(masks, key=order), start=1):
        rank_of[mask] = rank
    return rank_of


def _warnings(clustering: Clustering, rank_of: IntArray, min_cell: int) -> tuple[str, ...]:
    found = [clustering.warning] if clustering.warning else []
    if np.all(rank_of == 1):
        found.append(
            f"one plateau fills the whole lattice: asking {min_cell} candidates of a cell tells "
            "nothing apart; raise the least number per cell or choose other axes"
        )
    return tuple(found)


def _members(
    candidates: pl.DataFrame, grid: Grid, axes: tuple[str, str], rank_of: IntArray
) -> pl.DataFrame:
    """Return the candidates inside plateaus by number: their row, rank and what is summarised."""
    cell = cell_numbers(candidates["flat"].to_numpy(), grid, axes)
    return (
        candidates.select("flat", "behaviour", "stability", "phases_valid")
        .with_row_index("row")
        .with_columns(rank=pl.Series(rank_of.ravel()[cell], dtype=pl.Int64))
        .filter(pl.col("rank") > 0)
        .sort("flat")
    )


def _plateau(
    rank: int,
    members: pl.DataFrame,
    candidates: pl.DataFrame,
    grid: Grid,
    cells: Cells,
    totals: CellTotals,
    inside: BoolArray,
    outcomes: Outcomes,
) -> Plateau:
    mine = members.filter(pl.col("rank") == rank)
    top = mine.sort("stability", "flat", descending=[True, False]).head(_top_count(mine.height))
    where = np.argwhere(inside)
    median, worst, share = outcomes(where)
    centre = _centre(top, grid)
    return Plateau(
        rank=rank,
        regime=_regime(mine["flat"].to_numpy(), grid),
        cells=tuple((cells.x_values[x], cells.y_values[y]) for x, y in where),
        candidates=mine.height,
        behaviours=mine["behaviour"].n_unique(),
        combinations=int(totals.combinations[inside].sum()),
        worth=float(np.mean(mine["stability"].to_numpy())),
        mean_phases=float(np.mean(mine["phases_valid"].to_numpy())),
        profitable_share=share,
        median_oos_pnl=median,
        worst_oos_pnl=worst,
        edge_drop=edge_drop(inside, cells.lattice("mean_stability")),
        centre=centre,
        parameters=grid.point(centre),
        top=candidates[top["row"]],
    )


def _top_count(candidates: int) -> int:
    return min(candidates, max(_LEAST_TOP, -(-candidates // 10)))


def _regime(flats: IntArray, grid: Grid) -> str | None:
    if _REGIME_OF not in grid.names:
        return None
    mean = float(grid.columns(flats)[_REGIME_OF].mean())
    return "TIGHT" if mean < 5 else "MEDIUM" if mean < 12 else "WIDE"


def _centre(top: pl.DataFrame, grid: Grid) -> int:
    """Return the number of the top candidate nearest to their centre of gravity.

    Positions are grid steps over all searched parameters, weighted by stability. Ties go to the
    more stable one, then to the lower number.
    """
    flats, stability = top["flat"].to_numpy(), top["stability"].to_numpy()
    index = grid.indices(flats)
    steps = np.array([index[name] for name in grid.searched or grid.names], dtype=np.float64)
    middle = np.average(steps, axis=1, weights=stability)
    # Rounded, so that mirror images tie in spite of a last bit.
    distance = np.round(((steps - middle[:, None]) ** 2).sum(axis=0), 9)
    return int(flats[np.lexsort((flats, -stability, distance))[0]])
