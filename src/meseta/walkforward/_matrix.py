"""The matrix: one walk-forward for every pair of in-sample and out-of-sample length.

What to trade is the largest connected block of cells that pass, not the best cell. Cells are
measured once; passing and blocks follow from the table alone, so other criteria need no new run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from meseta.errors import ArgumentError
from meseta.walkforward._path import is_near
from meseta.walkforward._stats import WindowStats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray
    from meseta.walkforward._emulated import Emulated

__all__ = [
    "Cell",
    "Criteria",
    "Efficiency",
    "block_of",
    "drawdown_of_pieces",
    "efficiency_of",
    "matrix_of",
    "score_matrix",
]

_NET, _TRADES, _DRAWDOWN, _YEARS = (
    WindowStats._fields.index(name) for name in ("net_profit", "trades", "drawdown", "years")
)


class Cell(NamedTuple):
    """One pair of lengths.

    Parameters
    ----------
    in_sample, out_of_sample
        Lengths in the matrix's unit.
    first, stop
        Its windows: rows ``first`` to ``stop - 1`` of the emulated ones.
    """

    in_sample: int
    out_of_sample: int
    first: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a cell must reach to pass; every one "at least".

    Parameters
    ----------
    min_profit
        Out-of-sample net profit, money.
    min_efficiency
        Annualised efficiency (`Efficiency.annualised`). A cell without one fails.
    min_winning
        Share of the traded out-of-sample windows that made money, 0 to 1.
    min_profit_to_drawdown
        Out-of-sample net profit / largest drawdown of the joined curve.
    min_trades
        Out-of-sample trades.

    Raises
    ------
    ArgumentError
        A value is not finite, or `min_winning` is no share.
    """

    min_profit: float = 0.0
    min_efficiency: float = 0.5
    min_winning: float = 0.5
    min_profit_to_drawdown: float = 1.0
    min_trades: int = 1

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not math.isfinite(value):
                raise ArgumentError(f"`{each.name}` must be a finite number, got {value!r}")
        if not 0 <= self.min_winning <= 1:
            raise ArgumentError(
                "`min_winning` is a share between 0 and 1 (0.5 is half of the windows), "
                f"got {self.min_winning!r}"
            )


class Efficiency(NamedTuple):
    """How much of what was earned in-sample was earned out-of-sample too; 1 is all of it.

    None where in-sample earned nothing or lost: a quotient of two losses would look like a gain,
    and one with next to nothing below the line says nothing.

    Parameters
    ----------
    dollars
        Out-of-sample / in-sample money. In-sample windows are longer and overlap, so that this is
        small even where nothing is lost.
    annualised
        The same for a year of each (Pardo's walk-forward efficiency).
    per_trade
        The same for a trade of each; None without an out-of-sample trade too.
    """

    dollars: float | None
    annualised: float | None
    per_trade: float | None


def efficiency_of(
    inside: FloatArray,
    outside: FloatArray,
    accounts: tuple[FloatArray, FloatArray] | None = None,
) -> Efficiency:
    """Return the efficiency of some windows.

    Parameters
    ----------
    inside, outside
        `WindowStats` of what was chosen, by window, shape (n, STATS); windows that stayed flat
        are left out.
    accounts
        Equity at the start of both sides of each window, shape (n,), of an account that
        reinvests: it has grown in between, which would pass for efficiency, so that each profit
        counts as a share of the account that made it. None counts money.
    """
    if accounts is not None:
        inside, outside = (
            _shares(*pair) for pair in zip((inside, outside), accounts, strict=True)
        )
    earned, kept = (math.fsum(stats[:, _NET]) for stats in (inside, outside))

    def a_piece(field: int) -> float | None:
        before, after = (math.fsum(stats[:, field]) for stats in (inside, outside))
        if not (earned > 0 and before > 0 and after > 0):
            return None
        return (kept / after) / (earned / before)

    return Efficiency(
        dollars=kept / earned if earned > 0 else None,
        annualised=a_piece(_YEARS),
        per_trade=a_piece(_TRADES),
    )


def _shares(stats: FloatArray, account: FloatArray) -> FloatArray:
    """Return statistics whose profits are shares of an account; of one that is used up, none."""
    made, whole = stats.copy(), np.where(account > 0, account, np.inf)
    made[:, _NET] /= whole
    return made


def drawdown_of_pieces(outside: FloatArray, ranges: FloatArray) -> float:
    """Return the largest fall of the curve that out-of-sample pieces make one after the other.

    Parameters
    ----------
    outside, ranges
        `Emulated.outside` and `outside_range` of what was chosen, in the order of time, shape
        (n, STATS) and (n, 2); flat windows are left out, they change nothing.
    """
    level = peak = deepest = 0.0
    for stats, (high, low) in zip(outside.tolist(), ranges.tolist(), strict=True):
        deepest = max(deepest, stats[_DRAWDOWN], peak - (level + low))
        peak, level = max(peak, level + high), level + stats[_NET]
    return deepest


def matrix_of(found: Emulated, cells: Sequence[Cell], *, reinvests: bool = False) -> pl.DataFrame:
    """Return a row for each cell, without passing and blocks (`score_matrix`).

    Parameters
    ----------
    found
        The windows of all cells, from one pass.
    cells
        In any order; that of the lengths decides which cells are neighbours.
    reinvests
        Whether positions take the whole equity; see `efficiency_of`.

    Returns
    -------
    DataFrame
        `in_sample`, `out_of_sample` (lengths), `windows`, `flat` (windows in which nothing
        qualified), `oos_net_profit`, `oos_per_year`, `oos_drawdown` (money, of the best
        combinations' pieces joined), `profit_to_drawdown`, `efficiency` (annualised), `winning`
        (share of the traded windows that made money), `trades`, `near_median` (share of the
        traded windows whose choice was within 1 % of the median combination's fitness),
        `exact_net_profit` (null). Null where a figure is undefined.
    """
    rows = [_row(found.rows(cell.first, cell.stop), cell, reinvests=reinvests) for cell in cells]
    return pl.DataFrame(rows, schema=_SCHEMA)


_SCHEMA: dict[str, Any] = {
    "in_sample": pl.Int64,
    "out_of_sample": pl.Int64,
    "windows": pl.Int64,
    "flat": pl.Int64,
    "oos_net_profit": pl.Float64,
    "oos_per_year": pl.Float64,
    "oos_drawdown": pl.Float64,
    "profit_to_drawdown": pl.Float64,
    "efficiency": pl.Float64,
    "winning": pl.Float64,
    "trades": pl.Int64,
    "near_median": pl.Float64,
    "exact_net_profit": pl.Float64,
}


def _row(found: Emulated, cell: Cell, *, reinvests: bool) -> dict[str, Any]:
    traded = ~found.flat
    inside, outside = found.inside[traded, 0], found.outside[traded, 0]
    profit = math.fsum(outside[:, _NET])
    accounts = (found.inside_equity[traded, 0], found.outside_equity[traded, 0])
    drawdown = drawdown_of_pieces(outside, found.outside_range[traded, 0])
    years = math.fsum(found.median_outside[:, _YEARS])
    pairs = zip(found.fitness[traded, 0], found.median_fitness[traded], strict=True)
    return {
        "in_sample": cell.in_sample,
        "out_of_sample": cell.out_of_sample,
        "windows": len(found.windows),
        "flat": int(found.flat.sum()),
        "oos_net_profit": profit,
        "oos_per_year": profit / years,
        "oos_drawdown": drawdown,
        "profit_to_drawdown": _ratio(profit, drawdown),
        "efficiency": efficiency_of(inside, outside, accounts if reinvests else None).annualised,
        "winning": _share([net > 0 for net in outside[:, _NET].tolist()]),
        "trades": int(outside[:, _TRADES].sum()),
        "near_median": _share([is_near(*map(float, pair)) for pair in pairs]),
        "exact_net_profit": None,
    }


def _ratio(profit: float, drawdown: float) -> float | None:
    if drawdown > 0:
        return profit / drawdown
    return math.inf if profit > 0 else None


def _share(truths: Sequence[bool]) -> float | None:
    return sum(truths) / len(truths) if truths else None


def score_matrix(matrix: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    """Return a matrix with what criteria make of it.

    Parameters
    ----------
    matrix
        From `matrix_of`, or as it was saved; earlier scores are replaced.
    criteria
        What a cell must reach.

    Returns
    -------
    DataFrame
        The same rows with `passes` and `block`: 1 for the largest connected block of passing
        cells, 2 and on for the others, 0 for cells that fail. Cells are connected side by side,
        in the order in which the lengths first occur. Of blocks of one size the one with the
        larger total profit comes first, then the one whose first cell does.
    """
    passes = [_passes(row, criteria) for row in matrix.iter_rows(named=True)]
    blocks = _blocks(matrix, passes)
    number = [0] * len(matrix)
    for n, block in enumerate(blocks, 1):
        for cell in block:
            number[cell] = n
    return matrix.with_columns(
        passes=pl.Series(passes, dtype=pl.Boolean), block=pl.Series(number, dtype=pl.Int64)
    )


def _passes(row: dict[str, Any], criteria: Criteria) -> bool:
    reached = {
        "min_profit": "oos_net_profit",
        "min_efficiency": "efficiency",
        "min_winning": "winning",
        "min_profit_to_drawdown": "profit_to_drawdown",
        "min_trades": "trades",
    }
    return all(
        row[column] is not None and row[column] >= getattr(criteria, name)
        for name, column in reached.items()
    )


def _blocks(matrix: pl.DataFrame, passes: Sequence[bool]) -> list[list[int]]:
    """Return the connected blocks of passing cells as row numbers, the largest first."""
    places = _places(matrix)
    at = {place: row for row, place in enumerate(places) if passes[row]}
    profit, blocks = matrix["oos_net_profit"].to_list(), []
    while at:
        todo, block = [min(at, key=lambda place: at[place])], []
        while todo:
            x, y = todo.pop()
            if (x, y) in at:
                block.append(at.pop((x, y)))
                todo += [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
        blocks.append(sorted(block))
    total = {block[0]: math.fsum(profit[row] for row in block) for block in blocks}
    return sorted(blocks, key=lambda block: (-len(block), -total[block[0]], block[0]))


def _places(matrix: pl.DataFrame) -> list[tuple[int, int]]:
    """Return where each cell stands in the lists of lengths."""
    axes = []
    for name in ("in_sample", "out_of_sample"):
        lengths = matrix[name].to_list()
        order = {length: n for n, length in enumerate(dict.fromkeys(lengths))}
        axes.append([order[length] for length in lengths])
    return list(zip(*axes, strict=True))


def block_of(scored: pl.DataFrame) -> list[tuple[int, int]]:
    """Return the lengths of the cells of the largest block, in the matrix's order."""
    block = scored.filter(pl.col("block") == 1)
    return list(block.select("in_sample", "out_of_sample").iter_rows())
