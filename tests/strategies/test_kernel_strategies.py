"""Kernel strategies: what they are made of, what they are told, and messages."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from meseta.account import Account
from meseta.engine import Window, backtest
from meseta.errors import ArgumentError
from meseta.strategies import (
    Broker,
    KernelStrategy,
    Parameter,
    StrategyError,
    find_separable,
    find_strategy,
    rule,
)
from meseta.strategies._book import BOOK
from meseta.strategies._kernel import _ORDERS
from random_market import bars_of, walk_of

A, B = (Parameter(name, 0, 100, "int") for name in "ab")
BARS = bars_of(walk_of(2, 40))


@rule
def decide(t, market, broker, a):
    if market.close[t] > a:
        broker.buy()


@rule
def with_series(t, market, broker, series, a):
    if series[t] > a:
        broker.buy()


@rule
def lifted(market, b):
    return market.close + b


def made(**given):
    return KernelStrategy(**{"name": "mine", "parameters": (A,), "decide": decide} | given)


# What it is made of ---------------------------------------------------------------------------


def test_parameters_are_told_by_the_functions_that_read_them():
    strategy = made(parameters=(B, A), decide=with_series, series=lifted)
    prepared = strategy.prepare(BARS, {"a": 3.0, "b": 2})
    assert prepared.values == (3,)
    assert isinstance(prepared.values[0], int)
    assert prepared.series.tolist() == (BARS.close + 2).tolist()
    assert made().prepare(BARS, {"a": 1}).series == 0.0


def plain(t, market, broker, a):
    pass


@rule
def too_few(t, market):
    pass


@rule
def misspelt(t, market, broker, aa):
    pass


@rule
def with_default(t, market, broker, a=1):
    pass


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"decide": plain}, "`decide` must be a function decorated with @rule, got 'plain'"),
        ({"decide": None}, "`decide` must be a function decorated with @rule, got None"),
        ({"series": 3}, "`series` must be a function decorated with @rule, got 3"),
        ({"decide": too_few}, "must take the bar, the market, the broker and then parameters"),
        ({"decide": with_default}, "without defaults or asterisks"),
        (
            {"decide": too_few, "series": lifted, "parameters": (A, B)},
            "must take the bar, the market, the broker, the series and then parameters",
        ),
        ({"decide": misspelt}, r"`misspelt` \(.*\.py:\d+\) reads `aa`, which is no parameter"),
        ({"parameters": (A, B)}, "no rule reads parameter `b`; leave it out"),
        ({"parameters": (A, A)}, "has two parameters called `a`"),
        ({"parameters": ()}, "needs at least one parameter"),
        ({"name": "../mine"}, r"`name` must be letters, .* got '\.\./mine'"),
        (
            {
                "decide": with_series, "series": lifted,
                "parameters": (Parameter("a", 0, 9, grids={"g": (1,)}), B),
            },
            "grid `g` has no values for `b`",
        ),
    ],
)  # fmt: skip
def test_a_strategy_that_cannot_be_is_refused(given, why):
    with pytest.raises(StrategyError, match=why):
        made(**given)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "`mine` takes a; unknown: none, missing: a"),
        ({"a": 1, "c": 2}, "unknown: c, missing: none"),
        ({"a": 1.5}, "`a` must be a whole number from 0 to 100, got 1.5"),
        ({"a": 101}, "got 101"),
    ],
)
def test_values_that_cannot_be_are_refused(values, why):
    with pytest.raises(ArgumentError, match=why):
        made().prepare(BARS, values)


# What goes wrong in a series ------------------------------------------------------------------


@rule
def short(market, b):
    return market.close[1:] + b


@rule
def one_short(market, b):
    return market.close, market.close[b:]


@rule
def number(market, b):
    return market.close[0] + b


@rule
def attribute(market, b):
    return market.clse + b


@rule
def raises(market, b):
    if b > 1:
        raise ValueError("b is too large")
    return market.close


@pytest.mark.parametrize(
    ("series", "why"),
    [
        (short, r"must return an array .* each of the 40 bars, or a tuple .* ndarray \(39,\)"),
        (one_short, r"got ndarray \(38,\)"),
        (number, "or a tuple of such arrays, got float "),
        (attribute, r"cannot be compiled: .*\.py:\d+: Unknown attribute 'clse' of type market"),
        (raises, "raised ValueError: b is too large with b=2"),
    ],
)
def test_a_series_that_goes_wrong_is_named_with_file_line_and_reason(series, why):
    strategy = made(decide=with_series, series=series, parameters=(A, B))
    where = rf"strategy `mine`: `{series.py_func.__name__}` \({re.escape(str(Path(__file__)))}:"
    with pytest.raises(StrategyError, match=f"{where}.*{why}"):
        strategy.prepare(BARS, {"a": 1, "b": 2})


# What goes wrong in `decide` ------------------------------------------------------------------


@rule
def no_such_order(t, market, broker, a):
    broker.byu(a)


@rule
def no_such_thing(t, market, broker, a):
    broker.portfolio(a)


@rule
def no_price(t, market, broker, a):
    broker.buy_stop()


@rule
def a_size_too_many(t, market, broker, a):
    broker.sell(5, a)


@rule
def unknown(t, market, broker, a):
    no_such_function(a)  # noqa: F821


@rule
def sets(t, market, broker, a):
    broker.position = a


@rule
def column(t, market, broker, a):
    if market.clse[t] > a:
        broker.buy()


@rule
def slot(t, market, broker, a):
    broker.remember(a, 1.0)


@rule
def outside(t, market, broker, a):
    if market.close[t + a + 40] > 0:
        broker.buy()


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (
            no_such_order,
            r"compiled: .*\.py:\d+: Unknown attribute 'byu' of the broker; did you",
        ),
        (no_such_thing, r"compiled: .*\.py:\d+: Unknown attribute 'portfolio' of the broker$"),
        (no_price, r"compiled: .*\.py:\d+: `broker\.buy_stop` takes \(price, size\), got \(\)$"),
        (a_size_too_many, r"`broker\.sell` takes \(\), got \(5, int64\)$"),
        (unknown, "cannot be compiled: NameError: name 'no_such_function' is not defined$"),
        (sets, r"cannot be compiled: No definition for lowering Broker\.position"),
        (column, r"compiled: .*\.py:\d+: Unknown attribute 'clse' of type market, which has ope"),
        (slot, "raised ValueError at bar 0: a broker remembers slots 0 to 7$"),
        (outside, "raised IndexError at bar 0: index is out of bounds$"),
    ],
)
def test_a_function_that_goes_wrong_is_named_with_file_line_and_reason(function, why):
    where = re.escape(f"`{function.py_func.__name__}` ({Path(__file__)}:")
    with pytest.raises(StrategyError, match=f"(?s)strategy `mine`: {where}.*{why}") as caught:
        backtest(
            BARS, made(decide=function), {"a": 9}, Window(0, 1, 40), Account(), warmup=0
        )  # fmt: skip
    said = str(caught.value)
    for internal in ("nopython", "site-packages", "During:", "CPUDispatcher", "Literal"):
        assert internal not in said
    assert len(said) < 400


def test_every_order_has_a_signature():
    assert {"buy", "sell_limit", "cover_stop", "remember", "recall"} <= set(_ORDERS)
    assert _ORDERS["buy_limit"] == "price, size"
    assert _ORDERS["cover"] == ""


# The broker in plain Python -------------------------------------------------------------------


def test_a_broker_without_a_position_says_so():
    broker = Broker(np.zeros(BOOK))
    assert (broker.position, broker.bars_held, broker.profit, broker.equity) == (0, -1, 0, 0)
    assert np.isnan([broker.entry_price, broker.best]).all()
    broker.remember(7, 2.5)
    assert [broker.recall(slot) for slot in range(8)] == [0.0] * 7 + [2.5]
    for slot_ in (-1, 8):
        with pytest.raises(ValueError, match="a broker remembers slots 0 to 7"):
            broker.remember(slot_, 1.0)
        with pytest.raises(ValueError, match="a broker remembers slots 0 to 7"):
            broker.recall(slot_)


# By name --------------------------------------------------------------------------------------


def test_a_kernel_is_found_by_name_and_not_searched():
    assert isinstance(find_strategy("xbar"), KernelStrategy)
    with pytest.raises(ArgumentError, match="'ma_cross' is a kernel strategy, a loop over bars"):
        find_separable("ma_cross")
    assert find_separable("atr_d_l") is find_strategy("atr_d_l")
