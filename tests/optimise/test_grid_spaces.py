"""Search spaces of strategies' grids and of a user's own ranges."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.errors import ArgumentError
from meseta.optimise import space_of, space_of_grid
from meseta.strategies import Grid, find_strategy, grid_names, load_grid

if TYPE_CHECKING:
    from pathlib import Path

TIED = Grid(
    "tied",
    {"a": (1, 2, 3, 8), "b": (2, 3, 5), "c": (0.5, 1.0), "d": (7,), "e": (1, 2, 3)},
    ("a < b", "b <= 3 or e == 1"),
)
SPACE = space_of_grid(TIED)


@settings(max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_every_draw_is_a_combination_that_meets_the_constraints(draws: list[float]) -> None:
    drawn = {d.name: d.low + u * (d.high - d.low) for d, u in zip(SPACE.dimensions, draws)}  # noqa: B905
    p = SPACE.params(drawn)
    assert TIED.mask(np.array([TIED.flat_of(p)])).all()
    assert SPACE.params(SPACE.drawn(p)) == p


def test_every_combination_can_be_drawn_and_only_the_last_values_are_left_out() -> None:
    every = [TIED.point(k) for k in range(TIED.product) if TIED.mask(np.array([k])).all()]
    assert len(every) == TIED.size
    assert all(SPACE.params(SPACE.drawn(p)) == p for p in every)
    shares = np.linspace(0, 0.999, 40)
    drawn = {d.name: 0 for d in SPACE.dimensions}
    seen = Counter(SPACE.params(drawn | {"a_share": s})["a"] for s in shares)
    assert seen == {1: 14, 2: 13, 3: 13}  # no combination has an a of 8


def test_a_space_of_a_grid_is_pickled_small_and_says_what_ties_it() -> None:
    again = pickle.loads(pickle.dumps(SPACE))
    assert again.fingerprint == SPACE.fingerprint
    assert len(pickle.dumps(SPACE)) < 4_000
    rows = {row["name"]: row["range"] for row in SPACE.table()}
    assert rows["b"] == "2, 3, 5 with `a < b` and `b <= 3 or e == 1`"
    assert rows["d"] == "7 (fixed)"
    other = Grid("tied", TIED.values, ("a < b", "b <= 3 or e == 2"))
    assert space_of_grid(other).fingerprint != SPACE.fingerprint


@pytest.mark.parametrize("name", ["atr_d_ls", "xbar", "rsi_reversion"])
def test_grids_of_any_size_are_spaces(name: str) -> None:
    strategy = find_strategy(name)
    for each in grid_names(strategy.parameters):
        grid = load_grid(each, strategy.parameters)
        space = space_of(strategy, each)
        assert space.order == grid.names
        assert set(space.searched) == set(grid.searched)
        for flat in np.random.default_rng(1).integers(0, grid.product, 20).tolist():
            point = grid.point(flat)
            assert space.params(space.drawn(point)) == point


def test_methods_have_no_order() -> None:
    strategy = find_strategy("atr_d_hma_ls")
    space = space_of(strategy, "phase1")
    kinds = {p.name: p.kind for p in strategy.parameters}
    unordered = {d.name for d in space.dimensions if not d.ordered}
    assert unordered == {n for n in space.searched if kinds[n] == "choice"}
    assert unordered


def test_ranges_of_ones_own_are_told_from_a_grid(tmp_path: Path) -> None:
    strategy = find_strategy("ma_cross")
    fast, slow = (p.name for p in strategy.parameters[:2])
    file = tmp_path / "own.yaml"
    file.write_text(f"{fast}: {{low: 5, high: 20}}\n{slow}: {{low: 30, high: 90, step: 5}}\n")
    rest = {p.name: p.grids["default"][0] for p in strategy.parameters[2:]}
    file.write_text(file.read_text() + "".join(f"{k}: {v}\n" for k, v in rest.items()))
    space = space_of(strategy, file)
    assert {d.name for d in space.dimensions} == {fast, slow}
    assert space.params({fast: 7, slow: 33})[slow] == 35
    grid = space_of(
        strategy, {fast: [5, 10], slow: [30, 90], "constraints": f"{fast} < {slow}", **rest}
    )
    assert {d.name for d in grid.dimensions} == {f"{fast}_share", f"{slow}_share"}
    mixed = {fast: {"low": 5, "high": 20}, slow: 30, "constraints": f"{fast} < {slow}", **rest}
    with pytest.raises(ArgumentError, match="a space of ranges"):
        space_of(strategy, mixed)
    with pytest.raises(ArgumentError, match="named grid"):
        space_of(strategy, "defualt")
    with pytest.raises(ArgumentError, match="at least one dimension"):
        space_of_grid(Grid("one", {"a": (1,)}))
