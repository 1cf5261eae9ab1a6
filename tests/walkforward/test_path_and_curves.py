"""What was chosen over time, and the curves beside it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.account import Account, Contract
from meseta.strategies import Grid
from meseta.walkforward._curves import drawdown_of, held_market
from meseta.walkforward._path import is_near, jumps_of, path_of
from random_market import bars_of

GRID = Grid("g", {"a": (1, 2, 3, 4, 5), "b": (0.5,), "c": (10, 20)})


@pytest.mark.parametrize(
    ("fitness", "median", "near"),
    [
        (100.0, 100.0, True),
        (101.0, 100.0, True),
        (101.1, 100.0, False),
        (-99.0, -100.0, True),
        (-98.0, -100.0, False),
        (0.0, 0.0, True),
        (0.1, 0.0, False),
        (math.inf, math.inf, True),
        (5.0, math.inf, False),
        (math.nan, 5.0, False),
        (5.0, math.nan, False),
    ],
)
def test_near_is_within_one_percent(fitness, median, near):
    assert is_near(fitness, median) is near


def test_jumps_are_counted_in_grid_steps():
    chosen = [GRID.flat_of({"a": a, "b": 0.5, "c": c}) for a, c in ((1, 10), (5, 10), (4, 20))]
    jumps = jumps_of(GRID, chosen)
    assert set(jumps) == {"a", "c"}
    assert jumps["a"] == {
        "mean_steps": 2.5,
        "mean_share": 0.625,
        "random_share": pytest.approx(0.4),
        "changes": 2,
    }
    assert (jumps["c"]["mean_share"], jumps["c"]["changes"]) == (0.5, 1)
    assert jumps_of(GRID, chosen[:1]) == {}


@given(st.integers(2, 60))
def test_blind_choices_jump_as_far_as_is_said(many):
    """The mean over all pairs of values, which is what two blind draws give."""
    grid = Grid("g", {"a": tuple(range(many))})
    steps = np.abs(np.subtract.outer(np.arange(many), np.arange(many))).mean()
    told = jumps_of(grid, [0, many - 1])["a"]["random_share"]
    assert told == pytest.approx(steps / (many - 1))


def test_half_of_the_traded_windows_near_the_median_is_noise():
    assert path_of(GRID, [0, 1, None, 3], [True, False, False, True])["near_median"] == 2 / 3
    assert path_of(GRID, [0, 1, None, 3], [True, False, False, True])["noise"]
    assert not path_of(GRID, [0, 1, 3], [True, False, False])["noise"]
    assert path_of(GRID, [None], [False]) == {"near_median": None, "noise": False, "jumps": {}}
    lone = Grid("g", {"a": (1,)})
    assert not path_of(lone, [0, 0], [True, True])["noise"]


def test_holding_buys_whole_lots_or_the_quantity():
    bars = bars_of([(7, 7, 7, 7), (8, 8, 8, 8), (10, 10, 10, 10)])
    account = Account(capital=100.0, lot=5.0)
    assert held_market(bars, 1, 3, account, Contract()).tolist() == [0.0, 10.0, 30.0]
    contract = Contract(quantity=2.0, point_value=50.0)
    assert held_market(bars, 1, 3, account, contract).tolist() == [0.0, 100.0, 300.0]


def test_nothing_is_held_where_the_price_is_not_positive():
    bars = bars_of([(-1, -1, -1, -1), (8, 8, 8, 8)], allow_nonpositive=True)
    assert held_market(bars, 1, 2, Account(), Contract()).tolist() == [0.0, 0.0]
    assert held_market(bars, 1, 2, Account(), Contract(quantity=1.0)).tolist() == [0.0, 9.0]


def test_the_drawdown_is_the_largest_fall():
    assert drawdown_of(np.array([0.0, 5, 2, 9, 4, 10])) == 5.0
    assert drawdown_of(np.array([0.0, 1, 2])) == 0.0
