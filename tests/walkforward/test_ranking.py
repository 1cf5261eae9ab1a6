"""Ranking while combinations pass by gives what sorting all of them would give."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.engine._blocks import EQUITY, FIELDS
from meseta.walkforward._ranking import (
    FEW,
    QUALIFIED,
    UNDEFINED,
    Plan,
    floor_of,
    join_tops,
    mean_of,
    rank,
    tops_for,
)
from meseta.walkforward._sources import FAR, Piece, grouped
from meseta.walkforward._stats import Spans, room_for

BARS = 10.0
WORST = [-math.inf, -1.0, 0.0, 0.0, 1.0, 2.5, math.inf, math.nan]


def spans_of(*ends):
    return Spans(np.array(ends), np.full(len(ends), BARS), 252.0)


# Two in-sample spans; the first has two windows, the second one.
PLAN = Plan(
    spans_of((0, 1), (0, 2)),
    spans_of((1, 2), (2, 3)),
    np.array([0, 2, 3]),
    np.array([0, 1, 1]),
    3.0,
    2.0**-20,
)


@st.composite
def groups(draw, base):
    """Groups of parts: for each its members' distances and numbers, all numbers different."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    distances = [draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)) for n in sizes]
    numbers = draw(st.permutations(range(sum(sizes))))
    flats = np.split(np.array(numbers) * base, np.cumsum(sizes)[:-1])
    return [list(zip(d, f.tolist(), strict=True)) for d, f in zip(distances, flats, strict=True)]


def members_of(parts, keep):
    group = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    distance, flat = np.array([each for part in parts for each in part]).T
    return grouped(group, distance, flat, len(parts), keep)


@st.composite
def pieces(draw, number, keep):
    """Rows of blocks and what each stands for, with numbers that no other piece has."""
    left, right = draw(groups(100)), draw(groups(1))
    n = len(left) * len(right)
    blocks = np.zeros((n, 4, FIELDS))
    money = st.lists(st.sampled_from([-7.5, 0.0, 3.25, 1e5]), min_size=n, max_size=n)
    for bound in range(4):
        blocks[:, bound, EQUITY] = draw(money)
    at = np.arange(n)
    left = [[(d, f + 10_000 * number) for d, f in part] for part in left]
    piece = Piece(blocks, members_of(left, keep), at // len(right), members_of(right, keep),
                  at % len(right))  # fmt: skip
    value = st.lists(st.sampled_from(WORST), min_size=n, max_size=n)
    trades = st.lists(st.sampled_from([0.0, 2.0, 3.0, 9.0]), min_size=n, max_size=n)
    measured = [(draw(value), draw(trades)) for _ in range(2)]
    each = [
        [(a + c, b + d) for a, b in left[x] for c, d in right[y]]
        for x in range(len(left))
        for y in range(len(right))
    ]
    return piece, measured, each


def taken(piece, measured, floor, tops):
    n = len(piece.blocks)
    room = room_for(4, 2, n + 3)
    room.fields[EQUITY, :, :n] = piece.blocks[:, :, EQUITY].T
    for s, (fitness, trades) in enumerate(measured):
        room.fitness[s, :n], room.trades[s, :n] = fitness, trades
    rank(piece, PLAN, room, floor, tops)


@given(st.data(), st.integers(1, 6))
@settings(max_examples=200)
def test_the_best_are_found_whatever_the_order_and_the_parts(data, keep):
    found = [data.draw(pieces(k, keep)) for k in range(data.draw(st.integers(1, 4)))]
    parts = [tops_for(PLAN, keep)]
    for piece, measured, _ in found:
        # Each piece in a part of its own, or joined to the last, knowing of the others or not.
        seen = parts[0]
        for other in parts[1:] if data.draw(st.booleans()) else []:
            seen = join_tops(seen, other, PLAN)
        if data.draw(st.booleans()):
            parts.append(tops_for(PLAN, keep))
        taken(piece, measured, floor_of(seen), parts[-1])
    whole = tops_for(PLAN, keep)
    for part in data.draw(st.permutations(parts)):
        whole = join_tops(whole, part, PLAN)
    for s in range(2):
        rows = [
            (measured[s][0][i], measured[s][1][i], distance, flat, piece.blocks[i, :, EQUITY])
            for piece, measured, each in found
            for i in range(len(each))
            for distance, flat in each[i]
        ]
        enough = [row for row in rows if row[1] >= 3]
        known = [row for row in enough if not math.isnan(row[0])]
        best = sorted(known, key=lambda row: (-row[0], row[2], row[3]))[:keep]
        empty = keep - len(best)
        assert whole.flat[s].tolist() == [row[3] for row in best] + [FAR] * empty
        assert whole.fitness[s].tolist() == [row[0] for row in best] + [-math.inf] * empty
        assert whole.distance[s].tolist() == [row[2] for row in best] + [FAR] * empty
        counts = [0, 0, 0]
        counts[QUALIFIED], counts[UNDEFINED] = len(known), len(enough) - len(known)
        counts[FEW] = len(rows) - len(enough)
        assert whole.counts[:, s].tolist() == counts
        a, b = PLAN.inside.ends[s]
        profits = [row[4][b] - row[4][a] for row in best]
        assert whole.inside[s, : len(best), 0].tolist() == profits
        for w in range(PLAN.first[s], PLAN.first[s + 1]):
            a, b = PLAN.outside.ends[PLAN.traded[w]]
            profits = [row[4][b] - row[4][a] for row in best]
            assert whole.outside[w, : len(best), 0].tolist() == profits
            every = [row[4][b] - row[4][a] for row in rows]
            assert mean_of(whole, PLAN, len(rows))[PLAN.traded[w]] == math.fsum(every) / len(rows)
            assert whole.gains[2, PLAN.traded[w]] == sum(profit > 0 for profit in every)


def test_profits_beyond_all_quanta_count_as_the_largest():
    blocks = np.zeros((2, 4, FIELDS))
    blocks[:, 2:, EQUITY] = [[1e30, 2e30], [-1e30, -1e30]]
    none = grouped(np.zeros(1, int), np.zeros(1, int), np.zeros(1, int), 1, 1)
    own = grouped(np.arange(2), np.zeros(2, int), np.arange(2), 2, 1)
    piece = Piece(blocks, own, np.arange(2), none, np.zeros(2, int))
    tops = tops_for(PLAN, 1)
    taken(piece, [([0.0, 0.0], [3.0, 3.0])] * 2, floor_of(tops_for(PLAN, 1)), tops)
    assert mean_of(tops, PLAN, 2).tolist() == [0.0, (2.0**51 - 1) * 2.0**-20 / 2]
