"""Strategies made of rules: what the rules are asked, what becomes of their answers, messages."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta import indicators
from meseta.account import Account
from meseta.engine import Window, backtest
from meseta.errors import ArgumentError
from meseta.strategies import (
    FLAT,
    LONG,
    SHORT,
    AtrD,
    Broker,
    HullTouch,
    Market,
    Parameter,
    RuleStrategy,
    StrategyError,
    find_strategy,
    rule,
)
from meseta.strategies._indicators import hull_average
from random_market import bars_of, tiny_bars, walk_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "write-a-strategy.md").read_text(encoding="utf-8")
A, B, C = (Parameter(name, 0, 100, "int") for name in "abc")
X = Parameter("x", 0, 10)
ROWS = [(10, 12, 9, 11), (11, 15, 10, 14), (14, 14, 8, 9), (9, 11, 9, 10), (10, 13, 7, 8)]
BARS = bars_of(ROWS)


@rule
def above(market, a):
    return market.close + a


@rule
def below(market, b):
    return market.close - b


@rule
def below_with_a(market, a, b):
    return market.close - a - b


@rule
def falls(market, c):
    return market.close < market.open - c


@rule
def at_market(market, a):
    out = np.full(market.close.size, np.nan)
    out[market.close > market.open + a] = -np.inf
    return out


@rule
def never(market, a):
    return np.full(market.close.size, np.inf) + a


def made(**given):
    usual = {"name": "mine", "parameters": (A, B), "enter": above, "stop": below}
    return RuleStrategy(**usual | given)


def orders_of(strategy, bars=BARS, **values):
    (orders,) = strategy.study(bars).orders(values)
    return orders


# Which parameter belongs where ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shared", "entry", "stop"),
    [
        ({}, (), ("a",), ("b",)),
        ({"stop": below_with_a}, ("a",), (), ("b",)),
        ({"parameters": (A, B, C), "leave": falls}, ("c",), ("a",), ("b",)),
        ({"parameters": (A, B, C), "allow": falls}, (), ("a", "c"), ("b",)),
        ({"parameters": (A, C), "stop": None, "leave": falls}, ("c",), ("a",), ()),
        ({"parameters": (A, B, C), "allow": falls, "leave": falls}, ("c",), ("a",), ("b",)),
    ],
)
def test_parts_follow_from_the_arguments(given, shared, entry, stop):
    strategy = made(**given)
    assert (strategy.shared, strategy.entry, strategy.stop) == (shared, entry, stop)
    assert strategy.factor == strategy.inert == ()


# What becomes of a rule's answers -------------------------------------------------------------


def test_a_level_is_a_buy_stop_sized_at_its_price():
    orders = orders_of(made(), a=3)
    assert orders.direction.tolist() == [LONG] * 5
    assert orders.level.tolist() == orders.price.tolist() == [14, 17, 12, 13, 11]


def test_minus_infinity_is_a_market_order_sized_at_the_close():
    orders = orders_of(made(enter=at_market), a=0)
    assert orders.direction.tolist() == [LONG, LONG, FLAT, LONG, FLAT]
    assert orders.level[[0, 1, 3]].tolist() == [-np.inf] * 3
    assert orders.price[[0, 1, 3]].tolist() == [11, 14, 10]


def test_plus_infinity_is_no_order():
    assert orders_of(made(enter=never), a=0).direction.tolist() == [FLAT] * 5


def test_allow_leaves_orders_out():
    strategy = made(parameters=(A, B, C), allow=falls)
    assert orders_of(strategy, a=3, c=0).direction.tolist() == [FLAT, FLAT, LONG, FLAT, LONG]


def test_of_two_orders_the_nearer_one_works_and_a_tie_buys():
    @rule
    def top(market, a):
        return indicators.highest(market.high, a)

    strategy = made(enter=top, shorts=True)
    orders = orders_of(strategy, a=1)
    # High and low are this far from the close: 1 and 2, 1 and 4, 5 and 1, 1 and 1, 5 and 1.
    assert orders.direction.tolist() == [LONG, LONG, SHORT, LONG, SHORT]
    assert orders.level.tolist() == orders.price.tolist() == [12, 15, 8, 11, 7]


def test_prices_that_the_market_has_passed_are_equally_near():
    @rule
    def passed(market, a):
        # Of longs always passed; of shorts too, and further.
        return np.where(market.close > 0, market.close - a, market.close - 2 * a)

    assert orders_of(made(enter=passed, shorts=True), a=2).direction.tolist() == [LONG] * 5


def test_short_market_orders_have_a_level_that_every_price_has_passed():
    orders = orders_of(made(enter=at_market, shorts=True), a=0)
    assert orders.direction.tolist() == [LONG, LONG, SHORT, LONG, SHORT]
    assert orders.level.tolist() == [-np.inf, -np.inf, np.inf, -np.inf, np.inf]
    assert orders.price.tolist() == BARS.close.tolist()


def test_stops_rest_on_both_sides():
    long, short = made(shorts=True).study(BARS).protections({"b": 2})
    assert long.stop.tolist() == (BARS.close - 2).tolist()
    assert short.stop.tolist() == (BARS.close + 2).tolist()
    assert (long.trailing, short.trailing) == (False, False)


def test_without_a_stop_nothing_sells():
    strategy = made(parameters=(A, C), stop=None, leave=falls, shorts=True)
    long, short = strategy.study(BARS).protections({})
    assert set(long.stop) == {-np.inf}
    assert set(short.stop) == {np.inf}
    assert strategy.study(BARS).exit_first({}) == 0
    bars = bars_of(walk_of(3, 200, drift=0.1))
    for engine in ("reference", "fast"):
        found = backtest(
            bars, strategy, {"a": 0, "c": 1}, Window(0, 100, 200), Account(), warmup=0,
            engine=engine,
        )  # fmt: skip
        assert {trade.reason for trade in found.trades} == {"cross", "end"}


def test_leave_closes_longs_on_the_market_and_shorts_on_the_turned_one():
    strategy = made(parameters=(A, B, C), leave=falls, shorts=True)
    long, short = strategy.study(BARS).leaves({"c": 0})
    assert long.tolist() == [False, False, True, False, True]
    assert short.tolist() == [True, True, False, True, False]
    assert made().study(BARS).leaves({}) == ()


def test_no_signal_before_every_stop_is_defined():
    @rule
    def late(market, b):
        return indicators.lowest(market.low, b)

    strategy = made(stop=late)
    values = {"a": 0, "b": 4}
    assert strategy.rules(BARS, values, 0).first == 3
    assert strategy.rules(BARS, values | {"b": 9}, 0).first == 5
    assert strategy.rules(BARS, values | {"b": 1}, 2).first == 2


def test_parameters_arrive_as_their_kind():
    @rule
    def kinds(market, a, x):
        return market.close * 0 + a // 2 + x / 2

    strategy = made(parameters=(A, B, X), enter=kinds)
    assert orders_of(strategy, a=5, x=5).level.tolist() == [4.5] * 5


def test_rules_see_volume_where_there_is_some():
    @rule
    def volume(market, a):
        return market.volume + a

    time = BARS.time
    columns = (BARS.open, BARS.high, BARS.low, BARS.close)
    with_volume = type(BARS).from_arrays(time, *columns, [1, 2, 3, 4, 5])
    strategy = made(enter=volume)
    assert orders_of(strategy, with_volume, a=1).level.tolist() == [2, 3, 4, 5, 6]
    assert orders_of(strategy, a=1).direction.tolist() == [FLAT] * 5


@given(tiny_bars(), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=200)
def test_shorts_are_longs_on_the_market_upside_down(bars, a, b):
    strategy = made(parameters=(A, B, C), leave=falls, shorts=True, enter=at_market)
    turned = np.column_stack((-bars.open, -bars.low, -bars.high, -bars.close))
    turned = bars_of(turned, allow_nonpositive=True)
    p = {"a": a, "b": b, "c": 0}
    one, other = (strategy.study(each) for each in (bars, turned))
    # No price is both above and below, so the tie that buys cannot arise.
    assert one.orders(p)[0].direction.tolist() == (-other.orders(p)[0].direction).tolist()
    for guard, like in zip(one.protections(p), other.protections(p)[::-1], strict=True):
        assert guard.stop.tolist() == (-like.stop).tolist()
    for leaves, like in zip(one.leaves(p), other.leaves(p)[::-1], strict=True):
        assert leaves.tolist() == like.tolist()


@pytest.mark.parametrize("look_back", [None, 7, lambda p: p["a"] + 2])
def test_look_back_is_what_was_declared(look_back):
    expected = {None: None, 7: 7}.get(look_back, 5)
    assert made(look_back=look_back).look_back({"a": 3, "b": 1}) == expected


# Indicators -----------------------------------------------------------------------------------


def test_indicators_are_those_of_their_definitions():
    rng = np.random.default_rng(2)
    values = np.round(rng.normal(size=60), 1)
    windows = np.lib.stride_tricks.sliding_window_view(values, 7)
    assert indicators.highest(values, 7)[6:].tolist() == windows.max(axis=1).tolist()
    assert indicators.lowest(values, 7)[6:].tolist() == windows.min(axis=1).tolist()
    assert np.isnan(indicators.highest(values, 7)[:6]).all()
    np.testing.assert_allclose(indicators.simple_average(values, 7)[6:], windows.mean(axis=1))
    for length in (2, 3, 9, 16, 30):
        np.testing.assert_array_equal(
            indicators.hull_average(values, length), hull_average(values, length)
        )
    market = Market(BARS.open, BARS.high, BARS.low, BARS.close, BARS.close)
    assert indicators.true_range(market).tolist() == [3, 5, 6, 2, 6]
    assert indicators.average_true_range(market, 2)[1:].tolist() == [4, 5.5, 4, 4]


# What is refused ------------------------------------------------------------------------------


def plain(market, a):
    return market.close + a


@rule
def misspelt(market, aa):
    return market.close + aa


@rule
def with_default(market, a=1):
    return market.close + a


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"enter": misspelt}, r"rule `misspelt` \(.*\.py:\d+\) reads `aa`, which is no parameter"),
        ({"parameters": (A, B, C)}, "no rule reads parameter `c`; leave it out"),
        ({"parameters": (A, B, A)}, "has two parameters called `a`"),
        ({"parameters": ()}, "needs at least one parameter"),
        ({"enter": plain}, "`enter` must be a function decorated with @rule, got 'plain'"),
        ({"enter": None}, "`enter` must be a function decorated with @rule, got None"),
        ({"stop": 3}, "`stop` must be a function decorated with @rule, got 3"),
        ({"enter": with_default}, "without defaults or asterisks"),
        ({"stop": None, "parameters": (A,)}, "never ends a position; give it a `stop`"),
        ({"reverses": True}, "reverses=True needs shorts=True"),
        ({"name": "../mine"}, r"`name` must be letters, .* got '\.\./mine'"),
        ({"name": "9"}, "begin with a letter"),
        ({"name": "a" * 61}, "at most 60"),
        ({"name": 3}, "got 3"),
        (
            {"parameters": (Parameter("a", 0, 9, grids={"g": (1,)}), B)},
            "grid `g` has no values for `b`",
        ),
    ],
)
def test_a_strategy_that_cannot_be_is_refused(given, why):
    with pytest.raises(StrategyError, match=why):
        made(**given)


def test_the_right_name_is_suggested():
    @rule
    def enter(market, chanel):
        return market.close + chanel

    with pytest.raises(StrategyError, match="did you mean channel"):
        made(enter=enter, parameters=(Parameter("channel", 1, 9), B))


@rule
def attribute(market, a):
    return market.clse + a


@rule
def calls(market, a):
    return attribute(market, a)


@rule
def unknown(market, a):
    return no_such_thing(market.close) + a  # noqa: F821


@rule
def writes(market, a):
    market.close[0] = a
    return market.close


@rule
def opens(market, a):
    with open("x") as f:  # noqa: PTH123
        f.read()
    return market.close + a


@rule
def outside(market, a):
    return market.close + market.close[a + 1000]


@rule
def raises(market, a):
    if a > 2:
        raise ValueError("a is too large")
    return market.close + a


@rule
def number(market, a):
    return market.close[0] + a


@rule
def nothing(market, a):
    market.close[0] + a


@rule
def short(market, a):
    return market.close[1:] + a


@rule
def yes(market, a):
    return market.close > a


@rule
def holes(market, a):
    return np.where(market.close == 9.0, np.nan, market.close - a)


@pytest.mark.parametrize(
    ("role", "function", "why"),
    [
        ("enter", attribute, r":\d+: Unknown attribute 'clse' of type market, which has open, "),
        ("enter", calls, r"cannot be compiled: .*\.py:\d+: Unknown attribute 'clse'"),
        ("enter", unknown, r"cannot be compiled: .*NameError: name 'no_such_thing'"),
        ("enter", writes, r"cannot be compiled: .*Cannot modify readonly array"),
        ("enter", opens, r"cannot be compiled: .*with.* is not supported"),
        ("enter", outside, r"raised IndexError: .* with a=3"),
        ("enter", raises, r"raised ValueError: a is too large with a=3"),
        ("enter", number, r"must return float64 values, one for each of the 5 bars, got float"),
        ("enter", nothing, r"got nothing \(None\)"),
        ("enter", short, r"got float64 values of shape \(4,\)"),
        ("enter", yes, r"must return float64 values, .* got bool values of shape \(5,\)"),
        ("allow", above, r"must return bool values, .* got float64 values"),
        ("leave", above, r"must return bool values, .* got float64 values"),
        ("stop", holes, r"gave NaN at bar 2 after it had given a price with a=3; .* -np\.inf"),
    ],
)
def test_a_rule_that_goes_wrong_is_named_with_file_line_and_reason(role, function, why):
    strategy = made(**{role: function}, parameters=(A,) if role == "stop" else (A, B))
    name = function.py_func.__name__
    where = rf"strategy `mine`: rule `{name}` \({re.escape(str(Path(__file__)))}:\d+\) .*"
    with pytest.raises(StrategyError, match=f"(?s){where}{why}") as caught:
        strategy.rules(BARS, {p.name: 3 for p in strategy.parameters}, 0)
    said = str(caught.value)
    for internal in ("nopython", "site-packages", "During:", "overload", "CPUDispatcher"):
        assert internal not in said
    assert len(said) < 600


def test_a_look_back_that_raises_is_told():
    strategy = made(look_back=lambda p: p["channel"])
    with pytest.raises(StrategyError, match="look_back raised KeyError: 'channel'"):
        strategy.look_back({"a": 1, "b": 1})


def test_entries_and_exits_of_atr_d_read_different_parameters():
    parameters = find_strategy("atr_d_hma_l").parameters
    with pytest.raises(ArgumentError, match="both read equity_price_method; let the entry rule"):
        AtrD(name="x", summary="", parameters=parameters, opens=HullTouch(), second=True)


# The page -------------------------------------------------------------------------------------


def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("name", ["donchian.py", "ma_cross.py"])
def test_the_page_shows_the_example(name):
    example = (ROOT / "examples" / name).read_text(encoding="utf-8")
    assert example in blocks()


def test_every_order_and_attribute_of_the_broker_is_on_the_page():
    names = [name for name in vars(Broker) if not name.startswith("_")]
    assert len(names) == 20
    assert [n for n in names if f"`{n}`" not in PAGE and f"`{n}(" not in PAGE] == []


def test_the_page_s_seventh_variant_trades(tmp_path):
    path = tmp_path / "hull_duals.py"
    (text,) = (each for each in blocks() if "hull_duals" in each)
    path.write_text(text, encoding="utf-8")
    strategy = find_strategy(str(path))
    assert (strategy.name, strategy.second, strategy.shorts) == ("hull_duals", True, False)
    assert "equity_price_method" in strategy.factor
    assert len(text.splitlines()) <= 30


def test_every_indicator_is_on_the_page():
    assert all(f"`{name}" in PAGE for name in indicators.__all__)
