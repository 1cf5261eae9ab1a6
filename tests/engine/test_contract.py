"""The contract, kept by the strategies and by rules that no strategy would give."""

from __future__ import annotations

import numpy as np
import pytest
from contract import StrategyContract, agree
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from meseta.account import Account
from meseta.engine import Window, backtest
from meseta.engine._fast import simulate_fast
from meseta.engine._path import sides_of
from meseta.engine._reference import simulate
from meseta.errors import ArgumentError
from meseta.strategies import FLAT, Orders, find_strategy
from random_market import accounts, any_rules, bars_of, tiny_bars, windows


def one_of(*values):
    return st.sampled_from(values)


TIGHTENING = {
    "bb_length": st.integers(2, 90),
    "bb_deviation": one_of(0.01, 0.5, 1.5, 2, 3.5, 20),
    "vol_threshold": one_of(0.001, 0.04, 0.06, 0.12, 0.3, 10),
    "min_tightening": one_of(0.001, 0.1, 0.25, 0.55, 0.8, 1),
    "scaling_method": one_of(0, 1, 2),
}
TOUCH = {
    "atr_buy_period": st.integers(1, 60),
    "atr_buy_multiplier": one_of(0, 0.1, 0.25, 0.5, 1, 2),
    "atr_smooth_period": st.integers(1, 30),
}
BOTH = {
    "atr_period": st.integers(1, 80),
    "atr_multiplier": one_of(0.05, 0.5, 1, 2, 4, 10, 100),
    "equity_price_method": one_of(0, 1),
    **TIGHTENING,
    **TOUCH,
}
SHORT_SIDE = {"short_multiplier": one_of(0.01, 0.2, 0.5, 1, 1.3, 3)}
SLOPE = {
    "entry_mode": one_of(2, 1, 0, 2),
    "trend_filter_period": one_of(1, 2, 3, 5, 16, 40),
    "trend_veto_threshold": one_of(0, 0, 0.05, -0.05, 1, -1, 1000),
    "both_triggered_mode": one_of(0, 1),
}
HULLS = {"hma_fast_length": st.integers(2, 40), "hma_slow_length": st.integers(2, 60)}


class TestAtrDLong(StrategyContract):
    strategy = find_strategy("atr_d_l")
    parameters = st.fixed_dictionaries(BOTH)


class TestAtrDBothWays(StrategyContract):
    strategy = find_strategy("atr_d_ls")
    parameters = st.fixed_dictionaries(BOTH | SHORT_SIDE | SLOPE)
    reasons = StrategyContract.reasons | {"reverse"}


class TestHullLong(StrategyContract):
    strategy = find_strategy("atr_d_hma_l")
    parameters = st.fixed_dictionaries(BOTH | HULLS)
    reasons = StrategyContract.reasons | {"cross"}


class TestHullBothWays(StrategyContract):
    strategy = find_strategy("atr_d_hma_ls")
    parameters = st.fixed_dictionaries(BOTH | HULLS | SHORT_SIDE)
    reasons = StrategyContract.reasons | {"cross"}


class TestDualLong(StrategyContract):
    strategy = find_strategy("atr_d_duals_l")
    parameters = st.fixed_dictionaries(BOTH)


class TestDualBothWays(StrategyContract):
    strategy = find_strategy("atr_d_duals_ls")
    parameters = st.fixed_dictionaries(BOTH | SHORT_SIDE | SLOPE)
    reasons = StrategyContract.reasons | {"reverse"}


def drawn(data):
    bars = data.draw(tiny_bars(), label="bars")
    rules = data.draw(any_rules(bars), label="rules")
    window = data.draw(windows(len(bars)), label="window")
    account = data.draw(accounts(8.0, (0.0, 0.001, 0.05, 0.3)), label="account")
    return bars, rules, window, account


@given(st.data())
@settings(max_examples=600)
def test_engines_agree_on_any_rules(data):
    case = drawn(data)
    agree(simulate(*case), simulate_fast(*case))


@given(st.data())
@settings(max_examples=200)
def test_rules_that_never_go_short_are_long_only_rules(data):
    bars, rules, *rest = drawn(data)
    orders = tuple(
        each._replace(direction=np.maximum(each.direction, FLAT)) for each in rules.orders
    )
    both = rules._replace(orders=orders, short=rules.short or rules.long)
    # Three modes then: the last one is never reached.
    if len(orders) == 2:
        both = both._replace(orders=(*orders, orders[0]))
    alone = rules._replace(
        orders=orders[:2], short=None, leave_short=None, turns=False,
        reverses_long=False, reverses_short=False,
    )  # fmt: skip
    agree(simulate_fast(bars, both, *rest), simulate_fast(bars, alone, *rest))


def upside_down(bars, rules):
    """The market with every price negated, and the rules that trade it the other way round."""
    columns = (-bars.open, -bars.low, -bars.high, -bars.close)
    turned = bars_of(np.column_stack(columns), allow_nonpositive=True)
    orders = [
        Orders(-each.direction, -each.level, each.price)
        for each in (rules.orders[0], *rules.orders[:0:-1])
    ]
    long, short = (each._replace(stop=-each.stop) for each in (rules.short, rules.long))
    return turned, rules._replace(
        orders=tuple(orders), long=long, short=short,
        leave_long=rules.leave_short, leave_short=rules.leave_long,
        reverses_long=rules.reverses_short, reverses_short=rules.reverses_long,
    )  # fmt: skip


@given(st.data())
@settings(max_examples=150)
def test_shorts_are_longs_on_the_market_upside_down(data):
    bars, rules, *rest = drawn(data)
    assume(rules.short is not None)
    # A tie of the path goes low first on either market, so there must be none.
    bars = bars_of(np.column_stack((bars.open, bars.high + 0.5, bars.low, bars.close)))
    made, turned = simulate(bars, rules, *rest), simulate(*upside_down(bars, rules), *rest)
    flipped = [
        trade._replace(dir=-trade.dir, fill=-trade.fill, exit=-trade.exit)
        for trade in turned.trades
    ]
    assert list(made.trades) == flipped
    assert made.equity.tobytes() == turned.equity.tobytes()
    assert made.report == turned.report


@given(tiny_bars())
def test_the_short_side_s_own_prices_are_negated(bars):
    long, short = sides_of(bars, shorts=True)
    assert sides_of(bars, shorts=False)[0].high.tolist() == long.high.tolist()
    assert len(sides_of(bars, shorts=False)) == 1
    assert np.array_equal(np.array(long[:4]), (bars.open, bars.high, bars.low, bars.close))
    assert np.array_equal(np.array(short[:4]), (-bars.open, -bars.low, -bars.high, -bars.close))
    # One path for both: what is the high for one is the low for the other.
    first = bars.high - bars.open < bars.open - bars.low
    assert np.array_equal(long.high_first, first)
    assert np.array_equal(short.high_first, ~first)


VALUES = {
    "atr_period": 16,
    "atr_multiplier": 6,
    "bb_length": 25,
    "bb_deviation": 2,
    "vol_threshold": 0.2,
    "min_tightening": 0.4,
    "scaling_method": 0,
    "atr_buy_period": 20,
    "atr_buy_multiplier": 0.5,
    "atr_smooth_period": 6,
    "equity_price_method": 0,
}
BARS = bars_of([(100, 101, 99, 100)] * 90)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"engine": "gpu"}, "`engine` must be 'fast' or 'reference', got 'gpu'"),
        ({"warmup": -1}, "`warmup` must be zero or more bars, got -1"),
        ({"window": Window(0, 0, 9)}, "0 <= A < O < Z <= 90"),
        ({"window": Window(5, 9, 9)}, "got 5:9:9"),
        ({"window": Window(-1, 3, 9)}, "got -1:3:9"),
        ({"window": Window(0, 3, 91)}, "got 0:3:91"),
        ({"values": VALUES | {"atr_period": 0}}, "`atr_period` must be a whole number from 1"),
        ({"values": VALUES | {"x": 0}}, "unknown: x, missing: none"),
        ({"values": {}}, "missing: atr_period"),
    ],
)
def test_what_cannot_be_simulated_is_refused(change, why):
    given_ = {"values": VALUES, "window": Window(0, 50, 90), "warmup": 0, "engine": "fast"}
    given_ |= change
    values, window = given_.pop("values"), given_.pop("window")
    with pytest.raises(ArgumentError, match=why.replace("?", r"\?")):
        backtest(BARS, find_strategy("atr_d_l"), values, window, Account(), **given_)


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("rows", [3, 10, 69, 70, 71, 100])
@pytest.mark.parametrize("warmup", [0, 100, 10_000])
def test_series_shorter_than_an_indicator_do_not_trade(rows, warmup, engine):
    bars = bars_of([(100, 101, 99, 100)] * rows)
    found = backtest(
        bars,
        find_strategy("atr_d_l"),
        VALUES | {"atr_period": 500, "bb_length": 500, "atr_buy_multiplier": 0},
        Window(0, 1, rows),
        Account(),
        warmup=warmup,
        engine=engine,
    )
    assert found.trades == ()
    assert found.equity.tolist() == [10_000.0] * rows
