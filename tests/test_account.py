"""What an account and a contract refuse."""

from __future__ import annotations

import math
from datetime import date

import pytest

from meseta.account import Account, Contract
from meseta.errors import ArgumentError

DAYS = (date(2024, 1, 18), date(2024, 2, 15))


def test_a_share_is_the_default():
    assert Contract() == Contract(point_value=1, quantity=None, tick=0, roll_cost=0, rolls=())


@pytest.mark.parametrize(
    "given",
    [
        {"quantity": 1, "point_value": 1000, "tick": 0.01, "roll_cost": 25, "rolls": DAYS},
        {"quantity": 0.5},
        {"tick": 0.25},
        {"rolls": DAYS},
        {"quantity": 3, "rolls": DAYS},
    ],
)
def test_a_contract_that_can_be(given):
    made = Contract(**given)
    assert {name: getattr(made, name) for name in given} == given


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"quantity": 0}, r"`quantity` \(--contracts\) must be positive and finite, got 0"),
        ({"quantity": -1.0}, "must be positive and finite, got -1.0"),
        ({"quantity": math.inf}, "got inf"),
        ({"quantity": 1, "point_value": 0}, "`point_value` must be positive and finite, got 0"),
        ({"quantity": 1, "point_value": math.nan}, "`point_value` .* got nan"),
        ({"tick": -0.01}, "`tick` must be zero or more and finite, got -0.01"),
        ({"quantity": 1, "roll_cost": -1, "rolls": DAYS}, "`roll_cost` must be zero or more"),
        ({"point_value": 50}, r"give `quantity` \(--contracts 1\), got 50 and 0.0"),
        ({"roll_cost": 5, "rolls": DAYS}, "belong to a fixed number of contracts"),
        ({"quantity": 1, "roll_cost": 5}, r"needs the dates .* \(`rolls`, --rolls monthly\)"),
    ],
)
def test_a_contract_that_cannot_be(given, why):
    with pytest.raises(ArgumentError, match=why):
        Contract(**given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"capital": 0}, "`capital` must be positive"),
        ({"lot": -1}, "`lot` must be positive"),
        ({"slippage": -0.1}, "`slippage` must be zero or more"),
        ({"commission": 1}, "`commission` is a fraction of traded value"),
        ({"cost_per_share": math.inf}, "`cost_per_share` must be zero or more and finite"),
    ],
)
def test_an_account_that_cannot_be(given, why):
    with pytest.raises(ArgumentError, match=why):
        Account(**given)
