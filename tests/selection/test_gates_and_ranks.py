from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from meseta.errors import ArgumentError
from meseta.selection import (
    GATES,
    Gates,
    PhaseTotals,
    funnel,
    gate_masks,
    percentile_ranks,
    stability,
    valid,
)

DEFAULT = Gates()

# is_pnl, oos_pnl, is_trades, oos_trades, is_maxdd, oos_maxdd, and the gates that fail.
CASES = [
    ((1000, 400, 10, 5, 300, 200), set()),
    ((0, 400, 10, 5, 300, 200), {"is_profit", "efficiency"}),
    ((-5, 400, 10, 5, 300, 200), {"is_profit", "efficiency"}),
    ((1000, 0, 10, 5, 300, 0), {"oos_profit", "efficiency"}),
    ((1000, -9, 10, 5, 300, 0), {"oos_profit", "efficiency"}),
    ((1000, 350, 10, 5, 300, 200), {"efficiency"}),
    ((1000, 350.1, 10, 5, 300, 200), set()),
    ((1000, 400, 10, 5, 300, 400), {"drawdown_to_profit"}),
    ((1000, 400, 10, 5, 300, 399), set()),
    ((1000, 4000, 10, 5, 300, 900), {"drawdown_to_in_sample"}),
    ((1000, 4000, 10, 5, 300, 899), set()),
    ((1000, 400, 10, 5, 0, 0), set()),
    ((1000, 400, 0, 5, 300, 200), {"trades"}),
    ((1000, 400, 10, 0, 300, 200), {"trades"}),
    ((math.nan, 400, 10, 5, 300, 200), {"is_profit", "efficiency"}),
    ((1000, 400, 10, 5, 300, math.nan), {"drawdown_to_profit", "drawdown_to_in_sample"}),
]


def totals(rows):
    """One phase, a row per combination."""
    columns = np.array(rows, dtype=float).reshape(-1, 6).T[:, :, None]
    return PhaseTotals(
        is_pnl=columns[0],
        oos_pnl=columns[1],
        is_trades=columns[2].astype(np.int64),
        oos_trades=columns[3].astype(np.int64),
        is_maxdd=columns[4],
        oos_maxdd=columns[5],
    )


@pytest.mark.parametrize(("row", "failing"), CASES)
def test_each_gate_by_hand(row, failing):
    masks = gate_masks(totals([row]), DEFAULT)
    assert tuple(masks) == GATES
    assert {name for name, mask in masks.items() if not mask[0, 0]} == failing
    assert valid(totals([row]), DEFAULT)[0, 0] == (not failing)


def test_small_drawdowns_are_not_asked():
    row = totals([(1000, 400, 10, 5, 50, 400)])
    assert not valid(row, replace(DEFAULT, min_drawdown=399))[0, 0]
    assert valid(row, replace(DEFAULT, min_drawdown=400))[0, 0]


def test_thresholds_are_read():
    row = totals([(1000, 300, 3, 3, 100, 400)])
    loose = Gates(
        min_efficiency=0.2,
        max_drawdown_to_profit=2,
        max_drawdown_to_in_sample=5,
        min_trades=3,
    )
    assert valid(row, loose)[0, 0]
    for change in (
        {"min_efficiency": 0.3},
        {"max_drawdown_to_profit": 1.3},
        {"max_drawdown_to_in_sample": 4},
        {"min_trades": 4},
    ):
        assert not valid(row, replace(loose, **change))[0, 0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"min_efficiency": -0.1}, "`min_efficiency` must be zero or more"),
        ({"max_drawdown_to_profit": 0}, "`max_drawdown_to_profit` must be positive"),
        ({"max_drawdown_to_in_sample": math.inf}, "finite, got inf"),
        ({"min_drawdown": math.nan}, "finite, got nan"),
        ({"min_trades": 1.5}, "`min_trades` must be a whole number, got 1.5"),
        ({"min_trades": -1}, "`min_trades` must be zero or more"),
    ],
)
def test_gates_refuse_nonsense(change, why):
    with pytest.raises(ArgumentError, match=why):
        Gates(**change)


def test_phase_totals_refuse_shapes_that_differ():
    with pytest.raises(ArgumentError, match="all have the shape"):
        replace(totals([CASES[0][0]]), is_pnl=np.zeros((2, 1)))


def test_funnel_by_hand():
    rows = totals(
        [
            (1000, 400, 10, 5, 300, 200),  # valid
            (-1, -1, 10, 5, 300, 200),  # neither profit
            (1000, 100, 10, 5, 300, 200),  # poor efficiency, and drawdown above profit
            (1000, 400, 10, 0, 300, 200),  # no trades
        ]
    )
    assert funnel(rows, DEFAULT, np.array([1, 10, 100, 1000])) == {
        "phases": [
            {
                "phase": 1,
                "combinations": 1111,
                "alone": {
                    "is_profit": 10,
                    "oos_profit": 10,
                    "efficiency": 110,
                    "drawdown_to_profit": 110,
                    "drawdown_to_in_sample": 0,
                    "trades": 1000,
                },
                "sequence": {
                    "is_profit": 1101,
                    "oos_profit": 1101,
                    "efficiency": 1001,
                    "drawdown_to_profit": 1001,
                    "drawdown_to_in_sample": 1001,
                    "trades": 1,
                },
                "valid": 1,
            }
        ],
        "valid_in": {"0": 1110, "1": 1},
    }


def test_funnel_counts_phases_apart():
    one = totals([CASES[0][0], CASES[1][0]])
    other = totals([CASES[0][0], CASES[0][0]])
    names = PhaseTotals.__dataclass_fields__
    both = PhaseTotals(
        **{name: np.hstack([getattr(one, name), getattr(other, name)]) for name in names}
    )
    found = funnel(both, DEFAULT)
    assert [phase["valid"] for phase in found["phases"]] == [1, 2]
    assert found["valid_in"] == {"0": 0, "1": 1, "2": 1}


@st.composite
def ranked(draw):
    shape = (draw(st.integers(0, 30)), draw(st.integers(1, 4)))
    oos = draw(hnp.arrays(np.float64, shape, elements=st.integers(-3, 6).map(float)))
    passed = draw(hnp.arrays(np.bool_, shape))
    weights = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(1, 9)))
    return oos, passed, weights


@given(ranked())
def test_ranks_are_those_of_scipy_over_grid_combinations(drawn):
    oos, passed, weights = drawn
    ranks = percentile_ranks(oos, passed, weights)
    assert np.array_equal(np.isnan(ranks), ~passed)
    for p in range(oos.shape[1]):
        repeated = np.repeat(oos[passed[:, p], p], weights[passed[:, p]])
        expected = rankdata(repeated) / max(len(repeated), 1) * 100
        found = np.repeat(ranks[passed[:, p], p], weights[passed[:, p]])
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert np.all((found > 0) & (found <= 100))


def test_ranks_without_weights_count_each_row_once():
    oos = np.array([[5.0], [7.0], [5.0], [1.0]])
    passed = np.array([[True], [True], [True], [False]])
    ranks = percentile_ranks(oos, passed)
    np.testing.assert_allclose(ranks[:3, 0], [50.0, 100.0, 50.0])


def test_stability_by_hand():
    ranks = np.array([[90.0, 70.0, np.nan, 80.0], [60.0, np.nan, np.nan, np.nan]])
    passed = ~np.isnan(ranks)
    spread = math.sqrt((100 + 100 + 0) / 3)
    expected = [80 * 1.2 / (1 + spread / 20), 60.0]
    np.testing.assert_allclose(stability(ranks, passed), expected)


def test_stability_is_undefined_where_nothing_is_valid():
    found = stability(np.full((1, 4), 50.0), np.zeros((1, 4), bool))
    assert np.isnan(found[0])
