from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta._near import did_you_mean
from meseta.errors import ArgumentError
from meseta.strategies._atr_d_parameters import ATR_D_L
from meseta.strategies._parameters import Parameter, decimal_range

PERIOD = Parameter("atr_period", 1, 500, "int", ts_low=4, ts_high=70)
FACTOR = Parameter("atr_multiplier", 0.05, 100)
METHOD = Parameter("scaling_method", 0, 2, "choice")

# Name, legal range and fine step of the TradeStation input, as published for the L strategy.
INPUTS = [
    ("ATR_Period", 4, 70, 1),
    ("ATR_Multiplier", 1, 30, 0.25),
    ("BB_Length", 6, 70, 2),
    ("BB_Deviation", 1, 4, 0.25),
    ("Vol_Threshold", 0.02, 0.4, 0.02),
    ("Min_Tightening", 0.1, 0.95, 0.05),
    ("Scaling_Method", 0, 2, 1),
    ("ATRBuy_Period", 4, 70, 1),
    ("ATRBuyMultiplier", 0.5, 4, 0.25),
    ("ATR_Smooth_Period", 1, 20, 1),
    ("EquityPrice_Method", 0, 1, 1),
]


def test_atr_d_l_has_the_inputs_of_the_tradestation_strategy_in_its_order():
    assert [(p.tradestation, *p.legal, p.fine_step) for p in ATR_D_L] == INPUTS


def test_atr_d_l_says_what_each_parameter_is():
    assert all(p.doc.endswith(".") and "\n" not in p.doc for p in ATR_D_L)


def test_atr_d_l_accepts_the_golden_parameters(shared):
    cases = json.loads((shared / "spec" / "golden" / "atr_d_l.json").read_text())
    for case in cases:
        assert {p.name for p in ATR_D_L} == set(case["params"])
        assert {p.name: p.check(case["params"][p.name]) for p in ATR_D_L} == case["params"]


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (PERIOD, 14, 14),
        (PERIOD, 14.0, 14),
        (PERIOD, np.int64(500), 500),
        (FACTOR, 3, 3.0),
        (FACTOR, np.float64(0.05), 0.05),
        (METHOD, 2, 2),
    ],
)
def test_check_returns_the_kinds_own_number(parameter, value, expected):
    checked = parameter.check(value)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize("value", [0, 501, 14.5, math.nan, math.inf, True, "14", None, [14]])
def test_check_names_the_rule_and_the_value(value):
    with pytest.raises(ArgumentError) as caught:
        PERIOD.check(value)
    assert str(caught.value) == (
        f"`atr_period` must be a whole number from 1 to 500, got {value!r}"
    )


def test_a_choice_lists_its_options():
    with pytest.raises(ArgumentError, match="must be one of 0, 1, 2, got 3"):
        METHOD.check(3)


def test_check_all_sorts():
    assert FACTOR.check_all([4, 0.5, 2]) == (0.5, 2.0, 4.0)


@pytest.mark.parametrize(("values", "why"), [([], "at least one"), ([2, 4, 2.0], "2.0 twice")])
def test_check_all_refuses(values, why):
    with pytest.raises(ArgumentError, match=why):
        FACTOR.check_all(values)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "atr period"}, "identifier"),
        ({"low": 600}, "low at most high"),
        ({"high": math.inf}, "finite"),
        ({"ts_high": 501}, "ts_high must lie between"),
        ({"ts_low": math.nan}, "ts_low"),
        ({"fine_step": 0}, "fine_step must be positive"),
        ({"coarse_step": math.inf}, "coarse_step must be positive"),
        ({"grids": {"coarse": (0,)}}, "from 1 to 500, got 0"),
    ],
)
def test_a_parameter_refuses_nonsense(change, why):
    with pytest.raises(ArgumentError, match=why):
        Parameter(**({"name": "n", "low": 1, "high": 500, "kind": "int"} | change))


def test_a_parameter_travels_to_other_processes():
    assert pickle.loads(pickle.dumps(ATR_D_L)) == ATR_D_L
    assert hash(ATR_D_L[0]) == hash(pickle.loads(pickle.dumps(ATR_D_L[0])))


def test_decimal_range_has_no_running_sums():
    assert decimal_range(0.1, 0.85, 0.15) == (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
    assert decimal_range(0.04, 0.32, 0.04) == (0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28, 0.32)
    assert all(type(value) is int for value in decimal_range(4, 64, 12))


def test_decimal_range_stops_before_a_bound_it_does_not_reach():
    assert decimal_range(1, 10, 4) == (1, 5, 9)


@given(
    low=st.integers(-10_000, 10_000),
    count=st.integers(1, 300),
    step=st.integers(1, 500),
    places=st.integers(0, 4),
)
def test_decimal_range_gives_the_nearest_floats(low, count, step, places):
    scale = 10**places
    found = decimal_range(low / scale, (low + step * (count - 1)) / scale, step / scale)
    assert found == tuple((low + step * i) / scale for i in range(count))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((1, 10, 0), "step must be positive"),
        ((1, 10, -1), "step must be positive"),
        ((10, 1, 1), "max must not lie below min"),
        ((1, math.nan, 1), "finite"),
        ((0, 1, 1e-7), "10,000,001 values"),
    ],
)
def test_decimal_range_refuses(arguments, why):
    with pytest.raises(ArgumentError, match=why):
        decimal_range(*arguments)


def test_did_you_mean():
    assert did_you_mean("atr_perid", ["atr_period", "bb_length"]) == "; did you mean atr_period?"
    assert did_you_mean("zzz", ["atr_period", "bb_length"]) == ""
