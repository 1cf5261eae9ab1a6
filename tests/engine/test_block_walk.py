"""The blocks of a chain are those of the bar-by-bar simulation."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.account import Account, Contract
from meseta.engine import Window
from meseta.engine._blocks import (
    CLOSED,
    DOWN,
    EQUITY,
    FALL,
    FINAL,
    HIGH,
    LOST,
    LOW,
    OPEN,
    SQUARES,
    WON,
    blocks_of,
)
from meseta.engine._fast import fast_blocks
from meseta.engine._reference import simulate
from meseta.strategies import find_strategy
from random_market import accounts, any_rules, bars_of, markets, tiny_bars

EXACT = (EQUITY, CLOSED, FINAL, HIGH, LOW, FALL)
MONEY = (WON, LOST, OPEN)
SQUARED = (SQUARES, DOWN)
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "donchian.py"
BAND = {
    "bb_length": st.integers(2, 30),
    "bb_deviation": st.sampled_from([0.5, 1, 2]),
    "vol_threshold": st.sampled_from([0.001, 0.04, 0.3]),
    "min_tightening": st.sampled_from([0.1, 0.5, 1]),
    "scaling_method": st.integers(0, 2),
}
TOUCH = {
    "atr_buy_period": st.integers(1, 20),
    "atr_buy_multiplier": st.sampled_from([0, 0.1, 0.5]),
    "atr_smooth_period": st.integers(1, 8),
    "equity_price_method": st.integers(0, 1),
}
STOP = {
    "atr_period": st.integers(1, 30),
    "atr_multiplier": st.sampled_from([0.5, 2, 6]),
}
SHORTS = {"short_multiplier": st.sampled_from([0.5, 1, 2])}
SLOPE = {
    "entry_mode": st.integers(0, 2),
    "trend_filter_period": st.integers(1, 20),
    "trend_veto_threshold": st.sampled_from([0, 0.2]),
    "both_triggered_mode": st.integers(0, 1),
}
HULLS = {"hma_fast_length": st.integers(2, 12), "hma_slow_length": st.integers(2, 25)}
PARAMETERS = {
    "atr_d_l": BAND | TOUCH | STOP,
    "atr_d_ls": BAND | TOUCH | STOP | SHORTS | SLOPE,
    "atr_d_hma_l": BAND | TOUCH | STOP | HULLS,
    "atr_d_hma_ls": BAND | TOUCH | STOP | HULLS | SHORTS,
    "atr_d_duals_l": BAND | TOUCH | STOP,
    "atr_d_duals_ls": BAND | TOUCH | STOP | SHORTS | SLOPE,
    str(EXAMPLE): {
        "channel": st.integers(2, 40),
        "atr_period": st.integers(1, 40),
        "atr_multiplier": st.sampled_from([0.1, 0.5, 1, 2, 4, 10]),
    },
}


@st.composite
def boundaries(draw, bars, made=None):
    """Rows of a period and boundaries inside: few, many, or every one, next to each other too."""
    start = draw(st.one_of(st.just(0), st.integers(0, bars // 2)))
    stop = draw(st.one_of(st.just(bars), st.integers(start + 2, bars)))
    inner = st.sampled_from(range(start + 1, stop))
    kind = draw(st.sampled_from(["few", "many", "all"]))
    if kind == "all":
        return np.arange(start, stop + 1)
    chosen = draw(st.sets(inner, max_size=3 if kind == "few" else 40))
    return np.array(sorted({start, *chosen, stop}))


def truth(bars, rules, bounds, account, contract=None):
    start, stop = int(bounds[0]), int(bounds[-1])
    return simulate(bars, rules, Window(start, start + 1, stop), account, contract)


def alike(found, expected, capital):
    """Assert that blocks agree: bit for bit where they are taken from the same sums."""
    for field in EXACT:
        assert np.array_equal(found[:, field], expected[:, field], equal_nan=True), field
    scale = max(np.abs(expected[:, EQUITY]).max(), expected[:, (WON, LOST)].max(), capital)
    for field in MONEY:
        assert found[:, field] == pytest.approx(expected[:, field], rel=1e-9, abs=1e-12 * scale)
    for field in SQUARED:
        assert found[:, field] == pytest.approx(expected[:, field], rel=1e-9, abs=1e-24 * scale)


@given(st.data())
@settings(max_examples=500)
def test_any_rules_leave_what_the_reference_leaves(data):
    bars = data.draw(tiny_bars(), label="bars")
    rules = data.draw(any_rules(bars), label="rules")
    account = data.draw(accounts(8.0, (0.0, 0.001, 0.05, 0.3)), label="account")
    bounds = data.draw(boundaries(len(bars)), label="bounds")
    expected = blocks_of(truth(bars, rules, bounds, account), account.capital, bounds)
    alike(fast_blocks(bars, rules, bounds, account, Contract()), expected, account.capital)


@pytest.mark.parametrize("name", PARAMETERS)
def test_strategies_leave_what_the_reference_leaves(name):
    strategy, crossed = find_strategy(name), []

    @given(st.data())
    @settings(max_examples=60, database=None)
    def check(data):
        bars = data.draw(markets(100, 260), label="bars")
        if strategy.second:
            bars = replace(bars, second=data.draw(markets(len(bars), len(bars)), label="second"))
        values = data.draw(st.fixed_dictionaries(PARAMETERS[name]), label="values")
        account = data.draw(accounts(float(np.median(bars.close))), label="account")
        bounds = data.draw(boundaries(len(bars)), label="bounds")
        rules = strategy.rules(bars, values, 0)
        made = truth(bars, rules, bounds, account)
        crossed.extend(t for t in made.trades if np.any((t.entry_bar < bounds) & (bounds <= t[1])))
        expected = blocks_of(made, account.capital, bounds)
        alike(fast_blocks(bars, rules, bounds, account, Contract()), expected, account.capital)

    check()
    ways = {1, -1} if strategy.shorts else {1}
    assert {trade.dir for trade in crossed} == ways
    assert len(crossed) > 10


@given(st.data())
@settings(max_examples=100)
def test_boundaries_on_entry_and_exit_bars(data):
    """A trade is open at the boundary after its entry bar, and at that of its exit bar."""
    bars = data.draw(tiny_bars(), label="bars")
    rules = data.draw(any_rules(bars), label="rules")
    account = Account(capital=1000.0)
    whole = np.array([0, len(bars)])
    trades = truth(bars, rules, whole, account).trades
    edges = {t for trade in trades for b in trade[:2] for t in (b, b + 1)}
    bounds = np.array(sorted({0, *edges, len(bars)}))
    found = fast_blocks(bars, rules, bounds, account, Contract())
    for row, bound in zip(found, bounds, strict=True):
        held = [t for t in trades if t.entry_bar < bound <= t.exit_bar]
        assert [t.pnl for t in held] == [row[FINAL]] * len(held)
        assert math.isnan(row[FINAL]) == (not held)
        assert row[CLOSED] == sum(t.exit_bar < bound for t in trades)


@given(st.data())
@settings(max_examples=200)
def test_a_fixed_quantity_leaves_what_the_reference_leaves(data):
    bars = data.draw(tiny_bars(), label="bars")
    rules = data.draw(any_rules(bars), label="rules")
    bounds = data.draw(boundaries(len(bars)), label="bounds")
    days = data.draw(st.lists(st.integers(-2, len(bars) + 2), max_size=4), label="rolls")
    first = bars.time[0].item().date()
    contract = Contract(
        quantity=data.draw(st.sampled_from([1.0, 3.0, 0.5])),
        point_value=data.draw(st.sampled_from([1.0, 50.0])),
        roll_cost=data.draw(st.sampled_from([0.0, 2.5])) if days else 0.0,
        rolls=tuple(first + timedelta(days=day) for day in days),
    )
    account = data.draw(accounts(8.0), label="account")
    found = fast_blocks(bars, rules, bounds, account, contract)
    made = truth(bars, rules, bounds, account, contract)
    expected = blocks_of(made, account.capital, bounds)
    assert np.array_equal(found[:, CLOSED], expected[:, CLOSED])
    scale = max(np.abs(expected[:, EQUITY]).max(), expected[:, (WON, LOST)].max(), 8.0)
    for field in (EQUITY, WON, LOST, OPEN, FINAL, HIGH, LOW, FALL):
        near = pytest.approx(expected[:, field], rel=1e-9, abs=1e-12 * scale, nan_ok=True)
        assert found[:, field] == near, field
    for field in SQUARED:
        near = pytest.approx(expected[:, field], rel=1e-9, abs=1e-12 * scale**2)
        assert found[:, field] == near, field


def test_a_fixed_quantity_is_reversed_whatever_is_left_of_the_account():
    # Ever wider swings of three bars, and a stop that none of them reaches.
    close = 200.0 + np.cumsum(np.repeat([2.0, -3.0, 5.0, -8.0, 10.0, -12.0], 3))
    opened = np.concatenate(([200.0], close[:-1]))
    ends = np.maximum(opened, close), np.minimum(opened, close)
    bars = bars_of(np.column_stack((opened, *ends, close)))
    values = {"channel": 2, "atr_period": 1, "atr_multiplier": 50}
    rules = find_strategy(str(EXAMPLE)).rules(bars, values, 0)
    bounds, account = np.arange(len(bars) + 1), Account(capital=5.0)
    contract = Contract(quantity=3.0, point_value=10.0)
    made = truth(bars, rules, bounds, account, contract)
    assert [trade.reason for trade in made.trades].count("reverse") > 2
    assert made.equity.min() < 0
    found = fast_blocks(bars, rules, bounds, account, contract)
    assert found[:, EQUITY] == pytest.approx([5.0, *made.equity], rel=1e-12)


def test_a_roll_is_paid_by_what_was_open_at_the_close_before():
    strategy = find_strategy(str(EXAMPLE))
    values = {"channel": 2, "atr_period": 1, "atr_multiplier": 10}
    # Ever narrower bars, but for the one that breaks out.
    rows = [(10, 10.5 - t / 20, 9.5 + t / 20, 10) for t in range(4)]
    rows += [(10, 12, 10, 11), *((11, 11.9 - t / 20, 10.1 + t / 20, 11) for t in range(7))]
    bars = bars_of(rows)
    day = bars.time[0].item().date()
    rules = strategy.rules(bars, values, 0)
    bounds = np.arange(13)
    marks = {}
    for roll in (4, 5, 7, 11):
        contract = Contract(quantity=2.0, roll_cost=3.0, rolls=(day + timedelta(days=roll),))
        made = fast_blocks(bars, rules, bounds, Account(capital=100.0), contract)
        marks[roll] = made[:, EQUITY]
    free = fast_blocks(bars, rules, bounds, Account(capital=100.0), Contract(quantity=2.0))
    assert free[5, CLOSED] == 0
    assert not math.isnan(free[5, FINAL])
    assert np.array_equal(marks[4], free[:, EQUITY])
    for roll in (5, 7, 11):
        toll = np.where(np.arange(13) > roll, 6.0, 0.0)
        assert marks[roll] == pytest.approx(free[:, EQUITY] - toll, rel=1e-12)
