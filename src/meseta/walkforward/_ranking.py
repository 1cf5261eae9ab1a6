"""The best combinations of every window, kept while all of them pass by.

In each in-sample span a larger fitness wins, of equal ones the combination nearest to the middle
of the grid, then the lower number. The statistics of a combination that gets a place are taken
from its blocks on the spot, since these are overwritten by the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._blocks import EQUITY
from meseta.walkforward._sources import FAR
from meseta.walkforward._stats import WIDE, write_stats

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.walkforward._sources import Piece
    from meseta.walkforward._stats import Room, Spans

__all__ = [
    "FEW",
    "QUALIFIED",
    "UNDEFINED",
    "Floor",
    "Plan",
    "Tops",
    "floor_of",
    "join_tops",
    "mean_of",
    "rank",
    "tops_for",
]

# What becomes of a combination in a span.
QUALIFIED, UNDEFINED, FEW = range(3)
# A sum of money is kept as two whole numbers of quanta, the lower one of this many bits.
_LOWER = 24
_MASK = (1 << _LOWER) - 1
_MOST_QUANTA = float((1 << 51) - 1)
# A float of this size has no bits behind the point.
_SHIFT = 1.5 * 2.0**52
_SHIFT_BITS = int(np.float64(_SHIFT).view(np.int64))


class Plan(NamedTuple):
    """Which spans are ranked, and which are measured then.

    Parameters
    ----------
    inside, outside
        The distinct in-sample and out-of-sample spans.
    first
        First window of each in-sample span in `traded`, int64, shape (S + 1,).
    traded
        Out-of-sample span of each window, by in-sample span, int64, shape (W,).
    least
        Fewer trades do not qualify.
    quantum
        Money: profits are added up as whole multiples of it.
    """

    inside: Spans
    outside: Spans
    first: IntArray
    traded: IntArray
    least: float
    quantum: float


class Tops(NamedTuple):
    """What a search remembers.

    Parameters
    ----------
    fitness, distance, flat
        By in-sample span and place, shape (S, keep): minus infinity and `FAR` where no
        combination qualified.
    inside, outside
        Statistics (`write_stats`) by in-sample span and by window, shape (S or W, keep, WIDE).
    counts
        Combinations that qualified, whose fitness was NaN, that had too few trades, int64,
        shape (3, S).
    gains
        Sum of the profits of all combinations by out-of-sample span, upper and lower part, and
        how many of them made money, int64, shape (3, O).
    """

    fitness: FloatArray
    distance: IntArray
    flat: IntArray
    inside: FloatArray
    outside: FloatArray
    counts: IntArray
    gains: IntArray


class Floor(NamedTuple):
    """What a combination has to surpass in each in-sample span: the last place found elsewhere.

    Fitness, distance and number, shape (S,).
    """

    fitness: FloatArray
    distance: IntArray
    flat: IntArray


def floor_of(tops: Tops) -> Floor:
    """Return what is needed for a place among those that are remembered."""
    last = tops.fitness[:, -1], tops.distance[:, -1], tops.flat[:, -1]
    return Floor(last[0].copy(), last[1].copy(), last[2].copy())


def tops_for(plan: Plan, keep: int) -> Tops:
    """Return what is remembered before the first combination."""
    spans, windows = plan.inside.bars.size, plan.traded.size
    return Tops(
        np.full((spans, keep), -np.inf),
        np.full((spans, keep), FAR),
        np.full((spans, keep), FAR),
        np.full((spans, keep, WIDE), np.nan),
        np.full((windows, keep, WIDE), np.nan),
        np.zeros((3, spans), np.int64),
        np.zeros((3, plan.outside.bars.size), np.int64),
    )


@inline
def _better(one: Any, other: Any) -> Any:
    """Tell whether one combination is better than another: fitness, distance, number."""
    if one[0] != other[0]:
        return one[0] > other[0]
    if one[1] != other[1]:
        return one[1] < other[1]
    return one[2] < other[2]


@inline
def _at(tops: Tops, s: int, place: int) -> Any:
    return tops.fitness[s, place], tops.distance[s, place], tops.flat[s, place]


@inline
def _needed(tops: Tops, floor: Floor, s: int) -> Any:
    """Return the combination that has to be surpassed for a place."""
    last = _at(tops, s, tops.fitness.shape[1] - 1)
    least = floor.fitness[s], floor.distance[s], floor.flat[s]
    return last if _better(last, least) else least


@inline
def _enter(tops: Tops, plan: Plan, s: int, one: Any, stats: FloatArray) -> None:
    """Give a combination its place; `stats` are those of the span and its windows."""
    place = tops.fitness.shape[1] - 1
    windows = range(plan.first[s], plan.first[s + 1])
    while place > 0 and _better(one, _at(tops, s, place - 1)):
        tops.fitness[s, place] = tops.fitness[s, place - 1]
        tops.distance[s, place] = tops.distance[s, place - 1]
        tops.flat[s, place] = tops.flat[s, place - 1]
        tops.inside[s, place] = tops.inside[s, place - 1]
        for w in windows:
            tops.outside[w, place] = tops.outside[w, place - 1]
        place -= 1
    tops.fitness[s, place], tops.distance[s, place], tops.flat[s, place] = one
    tops.inside[s, place] = stats[0]
    for w in windows:
        tops.outside[w, place] = stats[1 + w - plan.first[s]]


@inline
def _write_all(blocks: FloatArray, plan: Plan, s: int, out: FloatArray) -> None:
    """Write the statistics of one combination over a span and what its windows trade."""
    a, b = plan.inside.ends[s]
    write_stats(blocks, a, b, plan.inside.bars[s], plan.inside.per_year, out[0])
    for w in range(plan.first[s], plan.first[s + 1]):
        o = plan.traded[w]
        a, b = plan.outside.ends[o]
        bars = plan.outside.bars[o]
        write_stats(blocks, a, b, bars, plan.outside.per_year, out[1 + w - plan.first[s]])


@kernel
def _offer(
    piece: Piece, i: int, plan: Plan, s: int, fitness: float, floor: Floor, tops: Tops,
    stats: FloatArray,
) -> None:  # fmt: skip
    """Offer every combination that a row of blocks stands for.

    Members are sorted, so that the first one that gets no place ends the offers of its like.
    """
    left, right, measured = piece.left, piece.right, False
    x, y = piece.left_row[i], piece.right_row[i]
    for m in range(left.flat.shape[1]):
        if left.flat[x, m] == FAR:
            return
        for n in range(right.flat.shape[1]):
            if right.flat[y, n] == FAR:
                break
            distance = left.distance[x, m] + right.distance[y, n]
            one = fitness, distance, left.flat[x, m] + right.flat[y, n]
            if not _better(one, _needed(tops, floor, s)):
                if n == 0:
                    return
                break
            if not measured:
                _write_all(piece.blocks[i], plan, s, stats)
                measured = True
            _enter(tops, plan, s, one, stats)


@inline
def _add_gains(equity: FloatArray, many: IntArray, plan: Plan, gains: IntArray) -> None:
    """Add the out-of-sample profits of all combinations.

    Whole numbers can be added in any order; a profit is rounded to quanta once, and one beyond
    2**51 of them counts as that. Adding `_SHIFT` rounds and leaves the whole number in the lower
    bits, which several lanes can do at a time.
    """
    n, scale = many.size, 1.0 / plan.quantum
    room = np.empty(n)
    whole = room.view(np.int64)
    for o in range(plan.outside.bars.size):
        a, b = plan.outside.ends[o]
        upper = lower = winners = 0
        for i in range(n):
            profit = equity[b, i] - equity[a, i]
            winners += many[i] if profit > 0.0 else 0
            room[i] = min(max(profit * scale, -_MOST_QUANTA), _MOST_QUANTA) + _SHIFT
        for i in range(n):
            quanta = whole[i] - _SHIFT_BITS
            upper += (quanta >> _LOWER) * many[i]
            lower += (quanta & _MASK) * many[i]
        gains[0, o] += upper
        gains[1, o] += lower
        gains[2, o] += winners


@inline
def _count(
    fitness: Any, trades: Any, least: float, worst: float, many: IntArray, counts: Any, s: int
) -> Any:
    """Count what becomes of combinations in a span; tell whether any may get a place.

    Without a branch, so that several combinations are looked at a time.
    """
    few = undefined = every = hits = 0
    for i in range(many.size):
        enough, known = trades[i] >= least, fitness[i] == fitness[i]
        every += many[i]
        few += 0 if enough else many[i]
        undefined += many[i] if enough & (not known) else 0
        hits += 1 if enough & (fitness[i] >= worst) else 0
    counts[QUALIFIED, s] += every - few - undefined
    counts[UNDEFINED, s] += undefined
    counts[FEW, s] += few
    return hits > 0


@kernel
def rank(piece: Piece, plan: Plan, room: Room, floor: Floor, tops: Tops) -> None:
    """Take a piece into account that was measured into `room`.

    A combination that does not surpass `floor` is counted and gets no place.
    """
    n, left, right = piece.blocks.shape[0], piece.left, piece.right
    many, near, low = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n):
        x, y = piece.left_row[i], piece.right_row[i]
        many[i] = left.many[x] * right.many[y]
        near[i] = left.distance[x, 0] + right.distance[y, 0]
        low[i] = left.flat[x, 0] + right.flat[y, 0]
    stats = np.empty((1 + (plan.first[1:] - plan.first[:-1]).max(), WIDE))
    for s in range(plan.inside.bars.size):
        fitness, trades = room.fitness[s], room.trades[s]
        needed = _needed(tops, floor, s)
        if _count(fitness, trades, plan.least, needed[0], many, tops.counts, s):
            for i in range(n):
                one = fitness[i], near[i], low[i]
                if trades[i] >= plan.least and one[0] >= needed[0] and _better(one, needed):
                    _offer(piece, i, plan, s, fitness[i], floor, tops, stats)
                    needed = _needed(tops, floor, s)
    _add_gains(room.fields[EQUITY], many, plan, tops.gains)


def join_tops(one: Tops, other: Tops, plan: Plan) -> Tops:
    """Return what is remembered of two parts of a search, in either order."""
    keep = one.fitness.shape[1]
    fitness, distance, flat, inside, outside = (
        np.concatenate(pair, axis=1) for pair in zip(one[:5], other[:5], strict=True)
    )
    order = np.lexsort((flat, distance, -fitness), axis=1)[:, :keep]
    by_window = np.repeat(order, np.diff(plan.first), axis=0)
    return Tops(
        np.take_along_axis(fitness, order, 1),
        np.take_along_axis(distance, order, 1),
        np.take_along_axis(flat, order, 1),
        np.take_along_axis(inside, order[:, :, None], 1),
        np.take_along_axis(outside, by_window[:, :, None], 1),
        one.counts + other.counts,
        one.gains + other.gains,
    )


def mean_of(tops: Tops, plan: Plan, combinations: int) -> FloatArray:
    """Return the mean out-of-sample profit of all combinations by span, money, shape (O,)."""
    upper, lower, _ = tops.gains.tolist()
    sums = [(u << _LOWER) + low for u, low in zip(upper, lower, strict=True)]
    return np.array([total * plan.quantum / combinations for total in sums])
