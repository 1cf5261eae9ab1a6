"""The candidates in full: parameters, every field of every phase, ranks, behaviour."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.search._codes import ranks_of
from meseta.search._walks import walk_rows
from meseta.selection import PhaseTotals, valid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.search._exhaustive import SearchStore
    from meseta.search._problem import Problem
    from meseta.search._score import Scored
    from meseta.selection import Gates

__all__ = ["FIELDS", "candidates"]

FIELDS = ("is_pnl", "oos_pnl", "is_trades", "oos_trades", "is_maxdd", "oos_maxdd")


def candidates(
    problem: Problem, store: SearchStore, scored: Scored, gates: Gates, threads: int
) -> pl.DataFrame:
    """Return the candidates as a frame, best first.

    Parameters
    ----------
    problem, store, scored, gates
        The search, its tiles and their scoring, and the thresholds used.
    threads
        Threads; the result does not depend on their number.

    Returns
    -------
    polars.DataFrame
        `flat`, the parameters, `behaviour`, `stability`, `phases_valid`, the fields of each
        phase with ranks and efficiency (null where undefined), and totals. Money and drawdown in
        the account's currency. Combinations that make the same trades in every phase share a
        `behaviour`: the lowest flat index among them.
    """
    chosen = scored.chosen
    # Fields first: every column of the frame is then a plain slice of this block.
    totals = np.empty((len(problem.windows), len(FIELDS), chosen.flat.size))
    prints = np.empty(chosen.flat.size, np.uint64)
    tiles = np.unique(chosen.tile)

    def walk(number: int) -> None:
        rows = np.flatnonzero(chosen.tile == number)
        made, prints[rows] = _walk_tile(problem, store, scored, number, rows)
        totals[:, :, rows] = made.transpose(1, 2, 0)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(walk, tiles))
    passed = valid(_phase_totals(totals), gates)
    columns: dict[str, Any] = {"flat": chosen.flat, **problem.grid.columns(chosen.flat)}
    columns["behaviour"] = _behaviours(chosen.flat, prints)
    columns["stability"] = chosen.stability
    columns["phases_valid"] = passed.sum(axis=1).astype(np.int32)
    for p, table in enumerate(scored.ranks):
        columns |= _phase_columns(p, totals, passed, table)
    return pl.DataFrame(columns | _sums(totals), nan_to_null=True)


def _walk_tile(
    problem: Problem, store: SearchStore, scored: Scored, number: int, rows: IntArray
) -> tuple[FloatArray, NDArray[np.uint64]]:
    """Walk the candidates of one tile, each distinct row once."""
    tile = scored.tiles[number]
    sets = problem.set_offsets(tile).size
    pair = scored.chosen.table[rows] * sets + scored.chosen.entry_set[rows]
    distinct, inverse = np.unique(pair, return_inverse=True)
    table, entry = np.divmod(distinct, sets)
    table_of = store.require(tile).table_of
    totals, prints = walk_rows(problem, tile, table_of, table, entry)
    return totals[inverse], prints[inverse]


def _phase_totals(totals: FloatArray) -> PhaseTotals:
    fields: dict[str, Any] = {name: totals[:, k].T for k, name in enumerate(FIELDS)}
    return PhaseTotals(**fields)


def _behaviours(flat: IntArray, prints: NDArray[np.uint64]) -> IntArray:
    _, inverse = np.unique(prints, return_inverse=True)
    lowest = np.full(int(inverse.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, inverse, flat)
    return lowest[inverse]


def _phase_columns(
    p: int, totals: FloatArray, passed: BoolArray, table: Any
) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for k, name in enumerate(FIELDS):
        values = totals[p, k]
        found[f"{name}_{p + 1}"] = values.astype(np.int32) if "trades" in name else values
    profit = np.where(passed[:, p], totals[p, 1], np.nan).astype(np.float32)
    found[f"rank_{p + 1}"] = np.empty(profit.size)
    ranks_of(profit, table, found[f"rank_{p + 1}"])
    earned, made = totals[p, 0], totals[p, 1]
    undefined = np.full(earned.size, np.nan)
    found[f"efficiency_{p + 1}"] = np.divide(made, earned, out=undefined, where=earned > 0)
    return found


def _sums(totals: FloatArray) -> dict[str, NDArray[Any]]:
    return {
        "is_pnl": totals[:, 0].sum(axis=0),
        "oos_pnl": totals[:, 1].sum(axis=0),
        "is_trades": totals[:, 2].sum(axis=0).astype(np.int64),
        "oos_trades": totals[:, 3].sum(axis=0).astype(np.int64),
        "oos_maxdd": totals[:, 5].max(axis=0),
    }
