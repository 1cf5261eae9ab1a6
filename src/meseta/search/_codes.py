"""Gates, ranks and stability over tile files, compiled.

Each result is the plain functions' of `selection/_plain.py`, for tens of millions of rows. A
row is one exit table with one entry set; it stands for as many combinations of the grid as its
exit table has exit sets, times the values of inert parameters.

A code packs what the gates ask into 32 bits, from the lowest byte up: 0 when the in-sample
profit is not positive, else 1 + the number of efficiency levels that are exceeded; number of
`max_drawdown_to_profit` levels that the drawdown lies below; the same for
`max_drawdown_to_in_sample`; the lesser number of trades of both sides, at most 255.

Nothing is kept for a row: whether it is valid is read from its codes each time, which costs less
than memory that grows with the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.errors import ArgumentError
from meseta.search._problem import LEVELS
from meseta.selection import GATES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta._types import FloatArray, IntArray
    from meseta.selection import Gates

__all__ = [
    "GateCounts",
    "Needs",
    "RankTable",
    "Span",
    "best_rows",
    "bin_rows",
    "collect_keys",
    "count_profits",
    "count_survivors",
    "gate_tile",
    "needs_of",
    "rank_buckets",
    "rank_table",
    "ranks_of",
]

_MOST_TRADES = 255
# Steps of the index that finds a profit's key.
_BUCKETS = 1 << 20
# Rows that are scored at a time.
_BLOCK = 1024


class Needs(NamedTuple):
    """Gates as the counts that a code must reach."""

    efficiency: int
    to_profit: int
    to_in_sample: int
    trades: int


def needs_of(gates: Gates, levels: dict[str, tuple[float, ...]]) -> Needs:
    """Translate thresholds into counts.

    Raises
    ------
    ArgumentError
        A threshold is not among those that the search remembered.
    """
    places = {}
    for name in LEVELS:
        value = getattr(gates, name)
        if value not in levels[name]:
            first, second, *_, last = LEVELS[name]
            raise ArgumentError(
                f"`{name}` must be a threshold that the search remembered ({first:g}, {second:g} "
                f"and so on to {last:g}), got {value:g}; for another one run the search again"
            )
        places[name] = levels[name].index(value)
    if gates.min_trades > _MOST_TRADES:
        raise ArgumentError(f"`min_trades` must be at most {_MOST_TRADES}, got {gates.min_trades}")
    factors = ("max_drawdown_to_profit", "max_drawdown_to_in_sample")
    to_profit, to_in_sample = (len(levels[name]) - places[name] for name in factors)
    return Needs(places["min_efficiency"] + 2, to_profit, to_in_sample, int(gates.min_trades))


@inline
def _passes(code: int, profit: float, needs: Needs) -> bool:
    return (
        profit > 0
        and (code & 255) >= needs.efficiency
        and ((code >> 8) & 255) >= needs.to_profit
        and ((code >> 16) & 255) >= needs.to_in_sample
        and (code >> 24) >= needs.trades
    )


@kernel
def count_survivors(oos: Any, codes: Any, weights: IntArray, needs: Needs, required: int) -> int:
    """Return how many combinations of a tile are valid in at least `required` phases."""
    found = 0
    tables, sets, phases = oos.shape
    for t in range(tables):
        for e in range(sets):
            times = 0
            for p in range(phases):
                times += _passes(codes[t, e, p], oos[t, e, p], needs)
            found += weights[t] if times >= required else 0
    return found


class GateCounts(NamedTuple):
    """What the gates make of a tile; combinations, but for the last three.

    Parameters
    ----------
    alone, sequence
        Removed by each gate alone, left after each, int64, shape (P, 6).
    valid_in
        Valid in exactly 0, 1, ... phases, int64, shape (P + 1,).
    rows
        Valid rows of each phase, int64, shape (P,).
    lowest, highest
        Bits of the least and the greatest valid profit of each phase, uint32, shape (P,); the
        lowest lies above the highest where no row is valid.
    """

    alone: IntArray
    sequence: IntArray
    valid_in: IntArray
    rows: IntArray
    lowest: NDArray[np.uint32]
    highest: NDArray[np.uint32]


def gate_tile(oos: Any, codes: Any, weights: IntArray, needs: Needs) -> GateCounts:
    """Count what each gate removes from a tile.

    Parameters
    ----------
    oos, codes
        Tile, shape (T, E, P). A NaN is no profit.
    weights
        Combinations that each exit table stands for, shape (T,).
    needs
        Gates.
    """
    phases = oos.shape[2]
    counts = GateCounts(
        np.zeros((phases, len(GATES)), np.int64),
        np.zeros((phases, len(GATES)), np.int64),
        np.zeros(phases + 1, np.int64),
        np.zeros(phases, np.int64),
        np.full(phases, np.iinfo(np.uint32).max, np.uint32),
        np.zeros(phases, np.uint32),
    )
    _gate_rows(oos, codes, weights, needs, counts)
    return counts


@kernel
def _gate_rows(oos: Any, codes: Any, weights: IntArray, needs: Needs, counts: GateCounts) -> None:
    alone, sequence, valid_in, row_counts, lowest, highest = counts
    bits = oos.view(np.uint32)
    passes = np.empty(6, np.bool_)
    tables, sets, phases = oos.shape
    for t in range(tables):
        weight = weights[t]
        for e in range(sets):
            times = 0
            for p in range(phases):
                code = codes[t, e, p]
                passes[0] = (code & 255) > 0
                passes[1] = oos[t, e, p] > 0
                passes[2] = (code & 255) >= needs.efficiency
                passes[3] = ((code >> 8) & 255) >= needs.to_profit
                passes[4] = ((code >> 16) & 255) >= needs.to_in_sample
                passes[5] = (code >> 24) >= needs.trades
                left = True
                for g in range(6):
                    alone[p, g] += 0 if passes[g] else weight
                    left = left and passes[g]
                    sequence[p, g] += weight if left else 0
                if left:
                    times += 1
                    row_counts[p] += 1
                    lowest[p] = min(lowest[p], bits[t, e, p])
                    highest[p] = max(highest[p], bits[t, e, p])
            valid_in[times] += weight


@kernel
def collect_keys(
    oos: Any, codes: Any, weights: IntArray, needs: Needs, phase: int, out: Any
) -> int:
    """Write profit and weight of the valid rows as one sortable number; return how many.

    A positive float32 sorts as its bits do, so profit in the upper and weight in the lower half
    of 64 bits sort by profit.
    """
    found = 0
    bits = oos.view(np.uint32)
    tables, sets, _ = oos.shape
    for t in range(tables):
        for e in range(sets):
            if _passes(codes[t, e, phase], oos[t, e, phase], needs):
                key = np.uint64(bits[t, e, phase]) << np.uint64(32)
                out[found] = key | np.uint64(weights[t])
                found += 1
    return found


class Span(NamedTuple):
    """Where the profits of a phase lie, and in how wide buckets they are counted.

    Parameters
    ----------
    phase
        The phase.
    low
        Bits of its least valid profit.
    shift
        Profits are in one bucket where `(bits - low) >> shift` is equal.
    """

    phase: int
    low: int
    shift: int

    @classmethod
    def over(cls, phase: int, low: int, high: int, buckets: int) -> Span:
        """Divide the bits from `low` to `high` into at most `buckets`, a power of two."""
        return cls(phase, low, max((high - low).bit_length() - buckets.bit_length() + 1, 0))


@kernel
def count_profits(
    oos: Any, codes: Any, weights: IntArray, needs: Needs, spans: IntArray, bins: IntArray
) -> None:
    """Add the valid combinations of a tile to the buckets of their profits.

    Parameters
    ----------
    oos, codes, weights, needs
        As in `gate_tile`.
    spans
        A `Span` in each row, shape (n, 3).
    bins
        Counts are added, shape (n, buckets).
    """
    bits = oos.view(np.uint32)
    tables, sets, _ = oos.shape
    for t in range(tables):
        for e in range(sets):
            for k in range(len(spans)):
                p, low, shift = spans[k]
                if _passes(codes[t, e, p], oos[t, e, p], needs):
                    bins[k, (np.int64(bits[t, e, p]) - low) >> shift] += weights[t]


class RankTable(NamedTuple):
    """Percentile of each profit that occurs among the valid combinations of a phase.

    Parameters
    ----------
    key
        Bits of the distinct profits, or of the least that a bucket of profits may hold;
        increasing, uint32, shape (n,).
    rank
        Their percentiles, shape (n,).
    bucket
        First key at or above each of equally spaced bounds, int64.
    low, shift
        Bounds are `low + (k << shift)`.
    """

    key: NDArray[np.uint32]
    rank: FloatArray
    bucket: IntArray
    low: int
    shift: int


@kernel
def _distinct(keys: Any, total: int, key: Any, rank: FloatArray) -> int:
    found, below, k = 0, 0, 0
    while k < keys.size:
        profit = keys[k] >> np.uint64(32)
        tied = 0
        while k < keys.size and keys[k] >> np.uint64(32) == profit:
            tied += int(keys[k] & np.uint64(0xFFFFFFFF))
            k += 1
        key[found] = np.uint32(profit)
        rank[found] = (below + (tied + 1) / 2) / total * 100
        below += tied
        found += 1
    return found


def rank_table(keys: NDArray[np.uint64], total: int) -> RankTable:
    """Rank profits.

    Parameters
    ----------
    keys
        From `collect_keys`; sorted in place.
    total
        Valid combinations of the phase.

    Returns
    -------
    RankTable
        Ties share the average of their ranks; a rank is divided by `total` and times 100. Profits
        are compared as float32, seven digits: below a cent for accounts up to 100,000.
    """
    keys.sort()
    key, rank = np.empty(keys.size, np.uint32), np.empty(keys.size)
    found = _distinct(keys, total, key, rank)
    return _indexed(key[:found].copy(), rank[:found].copy(), 0)


def rank_buckets(tied: IntArray, span: Span) -> RankTable:
    """Rank profits that were counted in buckets.

    Parameters
    ----------
    tied
        Valid combinations in each bucket, from `count_profits`, shape (buckets,).
    span
        The buckets.

    Returns
    -------
    RankTable
        As `rank_table`'s, with all profits of a bucket as ties. A percentile differs from the
        exact one by less than half the share of the phase's valid combinations that lie in the
        bucket. A bucket's profits differ by less than `2 ** (shift - 23)` of themselves.
    """
    filled = np.flatnonzero(tied)
    many = tied[filled]
    reached = np.cumsum(many)
    rank = (reached - many + (many + 1) / 2) / max(int(many.sum()), 1) * 100
    key = (span.low + (filled << span.shift)).astype(np.uint32)
    return _indexed(key, rank, span.shift)


def _indexed(key: NDArray[np.uint32], rank: FloatArray, least: int) -> RankTable:
    """Add the index; no step of it is narrower than `1 << least`."""
    low = int(key[0]) if key.size else 0
    span = int(key[-1]) - low if key.size else 0
    shift = max(span.bit_length() - _BUCKETS.bit_length() + 1, least)
    bounds = low + (np.arange((span >> shift) + 2, dtype=np.int64) << shift)
    return RankTable(key, rank, np.searchsorted(key, bounds).astype(np.int64), low, shift)


@inline
def _rank_of(table: RankTable, bits: int) -> float:
    place = (np.int64(bits) - table.low) >> table.shift
    a, b = table.bucket[place], table.bucket[place + 1]
    while b - a > 1:
        middle = (a + b) >> 1
        if table.key[middle] <= bits:
            a = middle
        else:
            b = middle
    return table.rank[a]


@inline
def _stability(ranks: FloatArray, row: int) -> float:
    times, total = 0, 0.0
    for rank in ranks[row]:
        if rank == rank:  # noqa: PLR0124 - false for NaN alone
            times += 1
            total += rank
    mean = total / times
    squares = 0.0
    for rank in ranks[row]:
        if rank == rank:  # noqa: PLR0124
            squares += (rank - mean) * (rank - mean)
    deviation = np.sqrt(squares / times)
    return mean * (1.0 + (times - 1) * 0.1) / (1.0 + deviation / 20.0)


@inline
def _score_rows(
    oos: Any,
    codes: Any,
    needs: Needs,
    tables: tuple[RankTable, ...],
    least: int,
    ranks: FloatArray,
    score: FloatArray,
) -> None:
    """Write the stability of some rows, NaN where it is not stable.

    Phase by phase, since taking a table out of the tuple costs more than looking a rank up.

    Parameters
    ----------
    oos, codes
        The rows, shape (n, P).
    needs, tables, least
        As in `bin_rows`.
    ranks
        Room, at least n rows of shape (P,).
    score
        Result, at least n numbers.
    """
    bits = oos.view(np.uint32)
    rows, phases = oos.shape
    for k in range(rows):
        times = 0
        for p in range(phases):
            passed = _passes(codes[k, p], oos[k, p], needs)
            ranks[k, p] = 0.0 if passed else np.nan
            times += passed
        score[k] = 0.0 if times >= least else np.nan
    for p in range(phases):
        table = tables[p]
        for k in range(rows):
            if score[k] == 0.0 and ranks[k, p] == 0.0:
                ranks[k, p] = _rank_of(table, bits[k, p])
    for k in range(rows):
        if score[k] == 0.0:
            score[k] = _stability(ranks, k)


@inline
def _bin_of(score: float, top: float, bins: int) -> int:
    return min(int(score / top * bins), bins - 1)


@kernel
def bin_rows(
    oos: Any,
    codes: Any,
    weights: IntArray,
    needs: Needs,
    tables: tuple[RankTable, ...],
    least: int,
    top: float,
    bins: IntArray,
) -> int:
    """Count the stable combinations of a tile by stability.

    Parameters
    ----------
    oos, codes, weights, needs
        As in `gate_tile`.
    tables
        Ranks of each phase.
    least
        Phases that a stable row is valid in.
    top
        No stability lies above it.
    bins
        Counts are added: equal bins from 0 to `top`.

    Returns
    -------
    int
        The highest bin that the tile added to, -1 when none of its rows is stable.
    """
    highest = -1
    many, sets, phases = oos.shape
    profits, gated = oos.reshape(many * sets, phases), codes.reshape(many * sets, phases)
    ranks, score = np.empty((_BLOCK, phases)), np.empty(_BLOCK)
    for first in range(0, len(profits), _BLOCK):
        some = slice(first, min(first + _BLOCK, len(profits)))
        _score_rows(profits[some], gated[some], needs, tables, least, ranks, score)
        for k in range(first, some.stop):
            one = score[k - first]
            if one == one:  # noqa: PLR0124 - false for NaN alone
                place = _bin_of(one, top, bins.size)
                bins[place] += weights[k // sets]
                highest = max(highest, place)
    return highest


@kernel
def best_rows(
    oos: Any,
    codes: Any,
    needs: Needs,
    tables: tuple[RankTable, ...],
    least: int,
    top: float,
    bins: int,
    floor: int,
    score: FloatArray,
    place: Any,
) -> int:
    """Find the stable rows of a tile in bin `floor` of `bin_rows` and above; return how many.

    Parameters
    ----------
    oos, codes, needs, tables, least, top
        As in `bin_rows`.
    bins, floor
        Number of bins, and the lowest that is wanted.
    score, place
        Results: stability, and position `t * E + e` of the row; room for every row.
    """
    found = 0
    many, sets, phases = oos.shape
    profits, gated = oos.reshape(many * sets, phases), codes.reshape(many * sets, phases)
    ranks, block = np.empty((_BLOCK, phases)), np.empty(_BLOCK)
    for first in range(0, len(profits), _BLOCK):
        some = slice(first, min(first + _BLOCK, len(profits)))
        _score_rows(profits[some], gated[some], needs, tables, least, ranks, block)
        for k in range(first, some.stop):
            one = block[k - first]
            if one == one and _bin_of(one, top, bins) >= floor:  # noqa: PLR0124
                score[found] = one
                place[found] = k
                found += 1
    return found


@kernel
def ranks_of(profits: Any, table: RankTable, out: FloatArray) -> None:
    """Write the percentile of each float32 profit; NaN stays NaN."""
    bits = profits.view(np.uint32)
    for k in range(profits.size):
        out[k] = np.nan if np.isnan(profits[k]) else _rank_of(table, bits[k])
