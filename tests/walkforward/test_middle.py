"""The middle of a grid and what lies near it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_walk import distance

from meseta.search._parts import Part
from meseta.strategies import Grid
from meseta.walkforward._middle import Middle


def grid_of(lengths, constraints=()):
    values = {f"p{n}": tuple(range(length)) for n, length in enumerate(lengths)}
    return Grid("small", values, constraints)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_distances_are_exact(lengths):
    grid = grid_of(lengths)
    middle, flats = Middle(grid), np.arange(grid.product)
    exact = [distance(grid, flat) for flat in flats]
    assert [Fraction(d, middle.unit) for d in middle.of_flats(flats).tolist()] == exact
    assert middle.measured(middle.of_flats(flats)) == pytest.approx([float(d) for d in exact])
    nearest = min(range(grid.product), key=lambda flat: (exact[flat], flat))
    assert middle.nearest() == nearest
    assert grid.point(nearest) == {name: (len(v) - 1) // 2 for name, v in grid.values.items()}


@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.data())
def test_parts_add_up(lengths, data):
    grid = grid_of(lengths)
    cut = data.draw(st.integers(0, len(lengths)))
    one, other = Part(grid, grid.names[:cut]), Part(grid, grid.names[cut:])
    middle = Middle(grid)
    total = middle.of_part(one)[:, None] + middle.of_part(other)
    assert total.ravel().tolist() == middle.of_flats(np.arange(grid.product)).tolist()


@pytest.mark.parametrize(
    "constraints",
    [
        ("p0 < p1",),
        ("p0 > p2", "p3 != 1"),
        ("p1 == 4 or p1 == 0", "p0 + p2 >= 5"),
        ("p0 == p3", "p1 < p2"),
    ],
)
def test_under_constraints_it_is_the_nearest_that_is_allowed(constraints):
    grid = grid_of([4, 5, 4, 3], constraints)
    flats = np.arange(grid.product)
    allowed = flats[grid.mask(flats)].tolist()
    assert Middle(grid).nearest() == min(allowed, key=lambda flat: (distance(grid, flat), flat))


def test_axes_without_a_small_common_unit_are_measured_in_parts():
    lengths = [k + 1 for k in (64, 81, 25, 49, 11, 13, 17, 19, 23, 29, 31, 37, 41)]
    values = {f"p{n}": tuple(range(length)) for n, length in enumerate(lengths)}
    middle = Middle(Grid("long", values))
    assert middle.unit == 1 << 52
    ends = {f"p{n}": np.array([0, length - 1]) for n, length in enumerate(lengths)}
    assert middle.measured(middle.of_indices(ends)).tolist() == [13.0, 13.0]
    assert middle.of_indices({"p0": np.array([32])}).tolist() == [0]
