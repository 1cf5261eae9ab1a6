"""The contract, kept by the strategies and by rules that no strategy would give."""

from __future__ import annotations

import pytest
from contract import StrategyContract, agree
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.account import Account
from meseta.engine import Window, backtest
from meseta.engine._fast import simulate_fast
from meseta.engine._reference import simulate
from meseta.errors import ArgumentError
from meseta.strategies import find_strategy
from random_market import accounts, any_rules, bars_of, tiny_bars, windows


def one_of(*values):
    return st.sampled_from(values)


class TestAtrDLong(StrategyContract):
    strategy = find_strategy("atr_d_l")
    parameters = st.fixed_dictionaries(
        {
            "atr_period": st.integers(1, 80),
            "atr_multiplier": one_of(0.05, 0.5, 1, 2, 4, 10, 100),
            "bb_length": st.integers(2, 90),
            "bb_deviation": one_of(0.01, 0.5, 1.5, 2, 3.5, 20),
            "vol_threshold": one_of(0.001, 0.04, 0.06, 0.12, 0.3, 10),
            "min_tightening": one_of(0.001, 0.1, 0.25, 0.55, 0.8, 1),
            "scaling_method": one_of(0, 1, 2),
            "atr_buy_period": st.integers(1, 60),
            "atr_buy_multiplier": one_of(0, 0.1, 0.25, 0.5, 1, 2),
            "atr_smooth_period": st.integers(1, 30),
            "equity_price_method": one_of(0, 1),
        }
    )


@given(st.data())
@settings(max_examples=600)
def test_engines_agree_on_any_rules(data):
    bars = data.draw(tiny_bars(), label="bars")
    rules = data.draw(any_rules(bars), label="rules")
    window = data.draw(windows(len(bars)), label="window")
    account = data.draw(accounts(8.0), label="account")
    agree(simulate(bars, rules, window, account), simulate_fast(bars, rules, window, account))


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
