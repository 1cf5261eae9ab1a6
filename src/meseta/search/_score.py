"""From tile files to candidates: gates, funnel, ranks, stability, the best combinations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._numba import kernel
from meseta.search._codes import (
    RankTable,
    collect_keys,
    count_valid,
    gate_tile,
    needs_of,
    rank_table,
    stabilities,
)
from meseta.search._problem import weights_of
from meseta.selection import GATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from meseta._types import FloatArray, IntArray
    from meseta.search._exhaustive import SearchStore
    from meseta.search._problem import Problem, Tile
    from meseta.selection import Gates

__all__ = ["Chosen", "Scored", "TileScores", "score"]

_BINS = 1 << 20
# A combination is never called stable on fewer phases than this.
_FEWEST = 2


@dataclass(slots=True)
class TileScores:
    """A tile on its way through the scoring.

    Parameters
    ----------
    tile
        The tile.
    oos, table_of
        As in `TileResult`; the codes have been read and are given back to the system.
    weights
        Combinations that each exit table stands for, int64, shape (T,).
    valid
        Bit `p` says valid in phase `p`, shape (T, E).
    score, place
        Stability of the stable rows and their positions `t * E + e`.
    """

    tile: Tile
    oos: NDArray[np.float32]
    table_of: IntArray
    weights: IntArray
    valid: NDArray[Any]
    score: FloatArray
    place: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best combinations, by falling stability, then by flat index.

    Parameters
    ----------
    flat
        Flat index in the grid, int64, shape (n,).
    stability
        Shape (n,).
    tile, table, entry_set
        Where each was found: tile number, exit table, entry set; int64, shape (n,).
    """

    flat: IntArray
    stability: FloatArray
    tile: IntArray
    table: IntArray
    entry_set: IntArray


@dataclass(frozen=True, slots=True)
class Scored:
    """The outcome of the scoring.

    Parameters
    ----------
    funnel
        Counts by gate and phase, as the manifest keeps them.
    ranks
        Rank table of each phase.
    chosen
        The candidates.
    tiles
        Every tile, with its validity.
    exit_tables
        Distinct exit tables that were walked.
    """

    funnel: dict[str, Any]
    ranks: tuple[RankTable, ...]
    chosen: Chosen
    tiles: list[TileScores]
    exit_tables: int


def score(
    problem: Problem,
    store: SearchStore,
    gates: Gates,
    *,
    required: int,
    limit: int,
    threads: int,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
) -> Scored:
    """Score every combination of a finished search and choose the candidates.

    Parameters
    ----------
    problem, store
        What was searched and its tiles.
    gates
        Thresholds, each among those that the search remembered.
    required
        Phases in which a stable combination is valid; 2 is tried when none is.
    limit
        Most candidates.
    threads
        Threads; the result does not depend on their number.
    tick
        Called with steps done and steps in all.

    Raises
    ------
    ArgumentError
        A threshold that the search did not remember.
    RunError
        A tile is missing or damaged.
    """
    needs = needs_of(gates, problem.levels)
    phases = len(problem.windows)
    kind = np.uint8 if phases <= 8 else np.uint32
    steps = 4 + phases

    def prepare(tile: Tile) -> tuple[TileScores, IntArray, IntArray]:
        result = store.require(tile)
        weights = weights_of(problem, tile, result.table_of)
        valid = np.empty(result.oos.shape[:2], kind)
        removed, left = (np.zeros((phases, len(GATES)), np.int64) for _ in range(2))
        gate_tile(result.oos, result.codes, weights, needs, valid, removed, left)
        empty = np.empty(0), np.empty(0, np.int32)
        kept = TileScores(tile, result.oos, result.table_of, weights, valid, *empty)
        return kept, removed, left

    alone, sequence = (np.zeros((phases, len(GATES)), np.int64) for _ in range(2))
    with ThreadPoolExecutor(threads) as pool:
        prepared = list(pool.map(prepare, problem.tiles()))
        tick(1, steps)
        tiles = [item[0] for item in prepared]
        for _, removed, left in prepared:
            alone += removed
            sequence += left
        counts = np.zeros(phases + 1, np.int64)
        for item in tiles:
            count_valid(item.valid, item.weights, counts)
        ranks = []
        for p in range(phases):
            ranks.append(_rank_phase(pool, tiles, p, int(sequence[p, -1])))
            tick(2 + p, steps)
        least, relaxed = _least(counts, required)
        list(pool.map(lambda item: _score_tile(item, tuple(ranks), least), tiles))
        tick(3 + phases, steps)
    chosen = _choose(problem, tiles, limit)
    tick(steps, steps)
    funnel = _funnel(problem.grid.size, alone, sequence, counts) | {
        "required": least,
        "relaxed": relaxed,
        "stable": int(counts[least:].sum()),
        "candidates": int(chosen.flat.size),
    }
    tables = sum(len(i.weights) for i in tiles if i.tile.first_set == 0)
    return Scored(funnel, tuple(ranks), chosen, tiles, tables)


def _least(counts: IntArray, required: int) -> tuple[int, bool]:
    relaxed = required > _FEWEST and not counts[required:].any()
    return (_FEWEST, True) if relaxed else (required, False)


def _rank_phase(
    pool: ThreadPoolExecutor, tiles: list[TileScores], phase: int, total: int
) -> RankTable:
    bit = 1 << phase
    sizes = list(pool.map(lambda item: int(np.count_nonzero(item.valid & bit)), tiles))
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    keys = np.empty(int(bounds[-1]), np.uint64)

    def collect(k: int) -> None:
        item = tiles[k]
        out = keys[bounds[k] : bounds[k + 1]]
        collect_keys(item.oos, item.valid, item.weights, phase, out)

    list(pool.map(collect, range(len(tiles))))
    return rank_table(keys, total)


def _score_tile(item: TileScores, ranks: tuple[RankTable, ...], least: int) -> None:
    times = np.zeros(item.valid.shape, np.uint8)
    for p in range(item.oos.shape[2]):
        times += ((item.valid >> p) & 1).astype(np.uint8)
    many = int(np.count_nonzero(times >= least))
    item.score, item.place = np.empty(many), np.empty(many, np.int32)
    stabilities(item.oos, item.valid, ranks, least, item.score, item.place)


@kernel
def _histogram(
    score: FloatArray, place: Any, sets: int, weights: IntArray, top: float, bins: IntArray
) -> None:
    for k in range(score.size):
        bins[min(int(score[k] / top * bins.size), bins.size - 1)] += weights[place[k] // sets]


def _choose(problem: Problem, tiles: list[TileScores], limit: int) -> Chosen:
    """Take the best `limit` combinations: cut coarsely by bins of stability, then exactly."""
    top = 100.0 * (1.0 + 0.1 * len(problem.windows))
    bins = np.zeros(_BINS, np.int64)
    for item in tiles:
        _histogram(item.score, item.place, item.valid.shape[1], item.weights, top, bins)
    above = np.cumsum(bins[::-1])[::-1]
    enough = np.flatnonzero(above >= limit)
    floor = int(enough[-1]) if enough.size else 0
    parts = []
    for number, item in enumerate(tiles):
        kept = np.minimum((item.score / top * _BINS).astype(np.int64), _BINS - 1) >= floor
        parts.append(_expand(problem, number, item, np.flatnonzero(kept)))
    flat, score, *found = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((flat, -score))[:limit]
    return Chosen(flat[order], score[order], *(column[order] for column in found))


def _expand(problem: Problem, number: int, item: TileScores, kept: IntArray) -> tuple[Any, ...]:
    """Return every combination of the grid that the kept rows of a tile stand for."""
    family, sets = problem.families[item.tile.family], item.valid.shape[1]
    table, column = np.divmod(item.place[kept].astype(np.int64), sets)
    tables = item.table_of[family.member]
    order = np.argsort(tables, kind="stable")
    starts = np.searchsorted(tables[order], np.arange(item.weights.size))
    members = item.weights // problem.inert.size
    many = members[table]
    row = np.repeat(np.arange(kept.size), many)
    nth = np.arange(row.size) - np.repeat(np.cumsum(many) - many, many)
    exits = family.offset[order[starts[table[row]] + nth]]
    entry = column[row] + item.tile.first_set
    flat = (exits + problem.entry_sets.offset[entry])[:, None] + problem.inert
    row, entry = (np.repeat(values, problem.inert.size) for values in (row, entry))
    found = np.full(row.size, number)
    return flat.ravel(), item.score[kept][row], found, table[row], entry


def _funnel(size: int, alone: IntArray, sequence: IntArray, counts: IntArray) -> dict[str, Any]:
    phases = [
        {
            "phase": p + 1,
            "combinations": size,
            "alone": dict(zip(GATES, map(int, alone[p]), strict=True)),
            "sequence": dict(zip(GATES, map(int, sequence[p]), strict=True)),
            "valid": int(sequence[p, -1]),
        }
        for p in range(len(alone))
    ]
    return {"phases": phases, "valid_in": {str(k): int(n) for k, n in enumerate(counts)}}
