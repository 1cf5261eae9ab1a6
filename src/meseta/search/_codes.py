"""Gates, ranks and stability over tile files, compiled.

Each result is the plain functions' of `selection/_plain.py`, for tens of millions of rows. A
row is one exit table with one entry set; it stands for as many combinations of the grid as its
exit table has exit sets, times the values of inert parameters.

A code packs what the gates ask into 32 bits, from the lowest byte up: 0 when the in-sample
profit is not positive, else 1 + the number of efficiency levels that are exceeded; number of
`max_drawdown_to_profit` levels that the drawdown lies below; the same for
`max_drawdown_to_in_sample`; the lesser number of trades of both sides, at most 255.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.errors import ArgumentError
from meseta.search._problem import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta._types import FloatArray, IntArray
    from meseta.selection import Gates

__all__ = [
    "Needs",
    "RankTable",
    "collect_keys",
    "count_survivors",
    "count_valid",
    "gate_tile",
    "needs_of",
    "rank_table",
    "ranks_of",
    "stabilities",
]

_MOST_TRADES = 255
_BUCKETS = 1 << 20


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


@kernel
def gate_tile(
    oos: Any,
    codes: Any,
    weights: IntArray,
    needs: Needs,
    valid: Any,
    alone: IntArray,
    sequence: IntArray,
) -> None:
    """Find where the rows of a tile are valid, and count what each gate removes.

    Parameters
    ----------
    oos, codes
        Tile, shape (T, E, P).
    weights
        Combinations that each exit table stands for, shape (T,).
    needs
        Gates.
    valid
        Result: bit `p` says valid in phase `p`, unsigned, shape (T, E).
    alone, sequence
        Counts are added: removed by each gate alone, left after each, shape (P, 6).
    """
    passes = np.empty(6, np.bool_)
    tables, sets, phases = oos.shape
    for t in range(tables):
        weight = weights[t]
        for e in range(sets):
            bits = np.uint32(0)
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
                    bits |= np.uint32(1) << np.uint32(p)
            valid[t, e] = bits


@kernel
def collect_keys(oos: Any, valid: Any, weights: IntArray, phase: int, out: Any) -> int:
    """Write profit and weight of the valid rows as one sortable number; return how many.

    A positive float32 sorts as its bits do, so profit in the upper and weight in the lower half
    of 64 bits sort by profit.
    """
    found = 0
    one = np.empty(1, np.float32)
    bits = one.view(np.uint32)
    tables, sets, _ = oos.shape
    for t in range(tables):
        for e in range(sets):
            if (np.uint32(valid[t, e]) >> np.uint32(phase)) & np.uint32(1):
                one[0] = oos[t, e, phase]
                out[found] = (np.uint64(bits[0]) << np.uint64(32)) | np.uint64(weights[t])
                found += 1
    return found


class RankTable(NamedTuple):
    """Percentile of each profit that occurs among the valid combinations of a phase.

    Parameters
    ----------
    key
        Bits of the distinct profits, increasing, uint32, shape (n,).
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
    key, rank = key[:found].copy(), rank[:found].copy()
    low = int(key[0]) if found else 0
    span = int(key[-1]) - low if found else 0
    shift = max(span.bit_length() - _BUCKETS.bit_length() + 1, 0)
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
def _count(bits: Any) -> Any:
    found = np.int64(0)
    while bits != 0:
        found += np.int64(bits & np.uint32(1))
        bits = np.uint32(bits >> np.uint32(1))
    return found


@kernel
def count_valid(valid: Any, weights: IntArray, counts: IntArray) -> None:
    """Add to `counts[k]` the combinations that are valid in exactly `k` phases."""
    for t in range(valid.shape[0]):
        for e in range(valid.shape[1]):
            counts[_count(np.uint32(valid[t, e]))] += weights[t]


@kernel
def _stability(ranks: FloatArray) -> float:
    times, total = 0, 0.0
    for rank in ranks:
        if rank == rank:  # noqa: PLR0124 - false for NaN alone
            times += 1
            total += rank
    mean = total / times
    squares = 0.0
    for rank in ranks:
        if rank == rank:  # noqa: PLR0124
            squares += (rank - mean) * (rank - mean)
    deviation = np.sqrt(squares / times)
    return mean * (1.0 + (times - 1) * 0.1) / (1.0 + deviation / 20.0)


@kernel
def stabilities(
    oos: Any,
    valid: Any,
    tables: tuple[RankTable, ...],
    least: int,
    score: FloatArray,
    place: Any,
) -> int:
    """Score the rows of a tile that are valid in at least `least` phases; return how many.

    Parameters
    ----------
    oos, valid
        Tile and its validity.
    tables
        Ranks of each phase.
    least
        Phases that must be passed.
    score, place
        Results: stability, and position `t * E + e` of the row.
    """
    found = 0
    one = np.empty(1, np.float32)
    bits = one.view(np.uint32)
    many, sets, phases = oos.shape
    ranks = np.empty(phases)
    for t in range(many):
        for e in range(sets):
            if _count(np.uint32(valid[t, e])) < least:
                continue
            for p in range(phases):
                ranks[p] = np.nan
                if (np.uint32(valid[t, e]) >> np.uint32(p)) & np.uint32(1):
                    one[0] = oos[t, e, p]
                    ranks[p] = _rank_of(tables[p], bits[0])
            score[found] = _stability(ranks)
            place[found] = t * sets + e
            found += 1
    return found


@kernel
def ranks_of(profits: Any, table: RankTable, out: FloatArray) -> None:
    """Write the percentile of each float32 profit; NaN stays NaN."""
    bits = profits.view(np.uint32)
    for k in range(profits.size):
        out[k] = np.nan if np.isnan(profits[k]) else _rank_of(table, bits[k])
