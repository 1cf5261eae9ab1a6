"""Indicators against their definitions, value by value."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.bars import Bars
from meseta.errors import ArgumentError
from meseta.strategies import FLAT, LONG, SHORT, find_strategy
from meseta.strategies._atr_d import ATR_D
from meseta.strategies._indicators import (
    average_true_range,
    exponential_average,
    hull_average,
    hull_first,
    relative_width,
    tightening,
    tightening_ratio,
    true_range,
    weighted_average,
)
from meseta.strategies._market_indicators import relative_strength
from random_market import bars_of, markets, walk_of

LENGTHS = st.integers(1, 80)


def same(found, expected, scale):
    """Equal where defined, up to rounding of numbers as large as `scale`."""
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13 * scale, equal_nan=True)


def first_defined(values):
    known = np.flatnonzero(~np.isnan(values))
    return int(known[0]) if known.size else values.size


def ranges_of(bars):
    return true_range(bars.high, bars.low, bars.close)


@given(markets(2, 60))
def test_true_range_is_its_definition(bars):
    high, low, close = bars.high, bars.low, bars.close
    later = [max(high[t], close[t - 1]) - min(low[t], close[t - 1]) for t in range(1, len(bars))]
    assert ranges_of(bars).tolist() == [high[0] - low[0], *later]


def strength_of(values, length):
    """Wilder's index from its definition: seeded averages of gains and losses."""
    found = [math.nan] * len(values)
    changes = [b - a for a, b in itertools.pairwise(values)]
    if len(changes) < length:
        return found
    gain = math.fsum(max(change, 0.0) for change in changes[:length]) / length
    loss = math.fsum(max(-change, 0.0) for change in changes[:length]) / length
    for t in range(length, len(values)):
        if t > length:
            change = changes[t - 1]
            gain = (gain * (length - 1) + max(change, 0.0)) / length
            loss = (loss * (length - 1) + max(-change, 0.0)) / length
        if gain == loss == 0.0:
            found[t] = 50.0
        elif loss == 0.0:
            found[t] = 100.0
        else:
            found[t] = 100.0 - 100.0 / (1.0 + gain / loss)
    return found


@given(markets(2, 160), LENGTHS)
def test_relative_strength_is_wilder_s(bars, length):
    expected = np.array(strength_of(bars.close.tolist(), length))
    found = relative_strength(bars.close, length)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7, equal_nan=True)
    known = found[~np.isnan(found)]
    assert ((known >= 0) & (known <= 100)).all()


def test_relative_strength_by_hand():
    # Gains 1, 0, 2, 0 and losses 0, 2, 0, 4; two at a time.
    found = relative_strength(np.array([10.0, 11.0, 9.0, 11.0, 7.0]), 2)
    assert np.isnan(found[:2]).all()
    assert found[2:].tolist() == [
        100 * (up / both) for up, both in ((0.5, 1.5), (1.25, 1.75), (0.625, 2.875))
    ]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_relative_strength_without_changes_is_in_the_middle(length):
    found = relative_strength(np.full(8, 12.5), length)
    assert np.isnan(found[:length]).all()
    assert found[length:].tolist() == [50.0] * (8 - length)
    assert relative_strength(np.arange(8.0), length)[length:].tolist() == [100.0] * (8 - length)
    assert relative_strength(-np.arange(8.0), length)[length:].tolist() == [0.0] * (8 - length)


@pytest.mark.parametrize("missing", [0, 3, 9])
def test_relative_strength_ends_at_the_first_missing_value(missing):
    values = 10 + np.arange(12) % 3.0
    whole = relative_strength(values, 4)
    values[missing] = np.nan
    found = relative_strength(values, 4)
    assert np.array_equal(found[:missing], whole[:missing], equal_nan=True)
    assert np.isnan(found[missing:]).all()


@given(markets(2, 120), LENGTHS)
def test_average_true_range_is_a_mean_of_the_last_ranges(bars, length):
    ranges = ranges_of(bars)
    expected = np.full(len(bars), np.nan)
    for t in range(length - 1, len(bars)):
        expected[t] = math.fsum(ranges[t - length + 1 : t + 1]) / length
    same(average_true_range(ranges, length), expected, bars.close.max())


@given(markets(2, 120), LENGTHS, st.integers(0, 30))
def test_exponential_average_starts_where_its_input_does(bars, length, missing):
    values = bars.close.copy()
    values[:missing] = np.nan
    expected = np.full(len(bars), np.nan)
    for t in range(missing, len(bars)):
        before = values[t] if t == missing else expected[t - 1]
        expected[t] = before + 2 / (length + 1) * (values[t] - before)
    same(exponential_average(values, length), expected, bars.close.max())


@given(markets(2, 120), st.integers(2, 80))
def test_relative_width_is_two_deviations_over_the_mean(bars, length):
    expected = np.full(len(bars), np.nan)
    for t in range(length - 1, len(bars)):
        part = [Fraction(price) for price in bars.close[t - length + 1 : t + 1].tolist()]
        mean = sum(part) / length
        variance = sum((price - mean) ** 2 for price in part) / length
        expected[t] = 2 * math.sqrt(variance) / mean
    same(relative_width(bars.close, length), expected, 1.0)


@given(
    markets(10, 80),
    st.integers(2, 20),
    st.floats(0.01, 20),
    st.floats(0.001, 10),
    st.sampled_from([0, 1, 2]),
    st.floats(0.001, 1),
)
def test_tightening_is_section_three(bars, length, deviation, threshold, scaling, least):
    width = relative_width(bars.close, length)
    ratio = tightening_ratio(deviation, threshold)
    found = tightening(width, ratio, scaling, least)
    band = width * deviation
    for t in range(len(bars)):
        # A width on the threshold up to rounding may fall on either side: both give 1.
        if np.isnan(band[t]) or band[t] >= threshold:
            expected = 1.0
        else:
            r = band[t] / threshold
            expected = max((r, math.sqrt(r), r * r)[scaling], least)
        assert found[t] == pytest.approx(expected, rel=1e-9)
        assert 0 < found[t] <= 1


@pytest.mark.parametrize(("scaling", "expected"), [(0, 0.25), (1, 0.5), (2, 0.0625)])
def test_scaling_methods_by_hand(scaling, expected):
    # Width per deviation 0.01, two deviations, threshold 0.08: the band fills a quarter of it.
    found = tightening(np.array([0.01]), tightening_ratio(2, 0.08), scaling, 0.001)
    assert found.tolist() == [expected]
    assert tightening(np.array([0.01]), tightening_ratio(2, 0.08), scaling, 0.6).tolist() == [0.6]


def test_a_band_as_wide_as_the_threshold_does_not_tighten():
    widths = np.array([0.25, np.nextafter(0.25, 0), np.nan, 0.5])
    found = tightening(widths, 4.0, 0, 0.1)
    assert found[0] == found[2] == found[3] == 1.0
    assert 0.9999 < found[1] < 1.0


@pytest.mark.parametrize("length", [1, 2, 13, 70])
def test_first_defined_bars(length):
    bars = bars_of(walk_of(5, 90))
    ranges = ranges_of(bars)
    assert first_defined(ranges) == 0
    average = average_true_range(ranges, length)
    assert first_defined(average) == length - 1
    assert first_defined(exponential_average(average, 9)) == length - 1
    assert first_defined(relative_width(bars.close, length)) == length - 1
    assert first_defined(average_true_range(ranges, 91)) == 90
    assert not np.isnan(average[length - 1 :]).any()


def weighted(values, length):
    """The definition: weights 1 to `length`, the newest heaviest; NaN until all are defined."""
    out = np.full(values.size, np.nan)
    for t in range(length - 1, values.size):
        part = [(k + 1) * values[t - length + 1 + k] for k in range(length)]
        out[t] = math.nan if np.isnan(part).any() else math.fsum(part) / sum(range(1, length + 1))
    return out


@given(markets(2, 120), LENGTHS, st.integers(0, 30))
def test_weighted_average_is_heaviest_at_the_newest(bars, length, missing):
    values = bars.close.copy()
    values[:missing] = np.nan
    expected = weighted(values, length)
    same(weighted_average(values, length), expected, bars.close.max())
    assert first_defined(expected) == min(missing + length - 1, len(bars))


def test_weighted_average_by_hand():
    found = weighted_average(np.array([1.0, 2.0, 6.0, 0.0]), 3)
    np.testing.assert_allclose(found[2:], [(1 + 4 + 18) / 6, (2 + 12 + 0) / 6])


@given(markets(2, 160), st.integers(2, 80))
def test_hull_average_is_section_one(bars, length):
    quick = 2 * weighted(bars.close, length // 2) - weighted(bars.close, length)
    expected = weighted(quick, math.floor(math.sqrt(length) + 0.5))
    same(hull_average(bars.close, length), expected, bars.close.max())
    assert first_defined(expected) == min(hull_first(length), len(bars))


@pytest.mark.parametrize(
    ("length", "root", "first"), [(2, 1, 1), (6, 2, 6), (7, 3, 8), (16, 4, 18), (55, 7, 60)]
)
def test_hull_average_s_smoothing_rounds_the_root(length, root, first):
    # 6 has the root 2.449, 7 has 2.646: halves round up.
    assert hull_first(length) == first == length + root - 2
    assert first_defined(hull_average(np.arange(100.0) ** 2, length)) == first


PARAMETERS = {
    "atr_period": 16,
    "atr_multiplier": 4.0,
    "bb_length": 25,
    "bb_deviation": 2.0,
    "vol_threshold": 0.2,
    "min_tightening": 0.4,
    "scaling_method": 1,
    "atr_buy_period": 20,
    "atr_buy_multiplier": 0.5,
    "atr_smooth_period": 6,
    "equity_price_method": 0,
}
MORE = {
    "short_multiplier": 0.5,
    "entry_mode": 2,
    "trend_filter_period": 7,
    "trend_veto_threshold": 0.05,
    "both_triggered_mode": 0,
    "hma_fast_length": 6,
    "hma_slow_length": 12,
}
EVERY = pytest.mark.parametrize("name", [each.name for each in ATR_D])


def parameters_of(name, change=()):
    """Values for one strategy; what it does not take is left out."""
    known = {parameter.name for parameter in find_strategy(name).parameters}
    values = PARAMETERS | MORE | dict(change)
    return {key: value for key, value in values.items() if key in known}


def paired(bars):
    return replace(bars, second=bars_of(walk_of(8, len(bars), step=0.004)))


def rules_of(name, bars, change=(), warmup=0):
    strategy = find_strategy(name)
    return strategy.rules(paired(bars), parameters_of(name, change), warmup)


@pytest.mark.parametrize(
    ("change", "warmup", "first"),
    [
        ({}, 0, 69),  # the cap's average of 70 ranges
        ({"atr_period": 90}, 0, 89),
        ({"bb_length": 81}, 0, 80),
        ({"atr_buy_period": 77}, 0, 76),
        ({"atr_smooth_period": 300}, 0, 69),  # an exponential average starts at once
        ({}, 70, 70),
        ({"atr_period": 90}, 100, 100),
    ],
)
@EVERY
def test_first_signal_waits_for_every_indicator(name, change, warmup, first):
    assert rules_of(name, bars_of(walk_of(5, 140)), change, warmup).first == first


@pytest.mark.parametrize(
    ("name", "change", "first"),
    [
        ("atr_d_ls", {"atr_period": 50, "short_multiplier": 1.63}, 81),  # 81.5 rounds to 82
        ("atr_d_ls", {"trend_filter_period": 300}, 69),
        ("atr_d_hma_l", {"hma_slow_length": 90}, 90 + 9 - 2),
        ("atr_d_hma_ls", {"hma_fast_length": 90}, 90 + 9 - 2),
        ("atr_d_hma_ls", {"atr_period": 50, "short_multiplier": 2}, 99),
        ("atr_d_hma_l", {"atr_period": 50, "short_multiplier": 2}, 69),
    ],
)
def test_first_signal_waits_for_what_a_variant_adds(name, change, first):
    assert rules_of(name, bars_of(walk_of(5, 140)), change).first == first


@EVERY
def test_stops_are_section_three(name):
    bars = bars_of(walk_of(6, 140))
    rules = rules_of(name, bars)
    ranges = ranges_of(bars)
    middle = (bars.high + bars.low) / 2
    for t in range(69, 140):
        average, cap = ranges[t - 15 : t + 1].mean(), ranges[t - 69 : t + 1].mean()
        assert rules.long.stop[t] == pytest.approx(middle[t] - 4 * average)
        shield = bars.close[t] - (middle[t] - min(4 * average, 4 * cap))
        assert rules.long.shield[t] == pytest.approx(shield)
        if rules.short is not None:
            # Half the bars and half the multiplier; the cap is not scaled.
            average = ranges[t - 7 : t + 1].mean()
            assert rules.short.stop[t] == pytest.approx(middle[t] + 2 * average)
            shield = middle[t] + min(2 * average, 4 * cap) - bars.close[t]
            assert rules.short.shield[t] == pytest.approx(shield)
    assert rules.long.trailing
    assert (rules.short is not None) == find_strategy(name).shorts


def distance_of(bars):
    return 0.5 * exponential_average(average_true_range(ranges_of(bars), 20), 6)


@pytest.mark.parametrize("name", ["atr_d_l", "atr_d_duals_l"])
def test_touch_levels_are_section_three(name):
    bars = bars_of(walk_of(6, 140))
    (orders,) = rules_of(name, bars).orders
    np.testing.assert_allclose(orders.level, bars.close + distance_of(bars))
    assert np.array_equal(orders.price, orders.level, equal_nan=True)
    assert set(orders.direction.tolist()) == {LONG}


@pytest.mark.parametrize("name", ["atr_d_ls", "atr_d_duals_ls"])
def test_the_slope_chooses_the_side(name):
    bars = bars_of(walk_of(6, 140))
    (orders,) = rules_of(name, bars).orders
    average = exponential_average(bars.close, 7)
    for t in range(69, 140):
        short = average[t] - average[t - 1] < -0.05
        assert orders.direction[t] == (SHORT if short else LONG)
        way = -1 if short else 1
        assert orders.level[t] == pytest.approx(bars.close[t] + way * distance_of(bars)[t])
        assert orders.price[t] == orders.level[t]
    assert set(orders.direction[69:].tolist()) == {LONG, SHORT}


@pytest.mark.parametrize(("mode", "side"), [(0, LONG), (1, FLAT)])
def test_a_slope_on_the_threshold_is_told_by_a_parameter(mode, side):
    # Every close a quarter lower, and an average of one bar: the slope is the threshold.
    closes = 100 - 0.25 * np.arange(90)
    bars = bars_of(np.column_stack((closes, closes + 1, closes - 1, closes)))
    change = {"trend_filter_period": 1, "both_triggered_mode": mode}
    exact = rules_of("atr_d_ls", bars, change | {"trend_veto_threshold": 0.25})
    assert set(exact.orders[0].direction[1:].tolist()) == {side}
    for threshold, expected in ((0.2, SHORT), (0.3, LONG)):
        made = rules_of("atr_d_ls", bars, change | {"trend_veto_threshold": threshold})
        assert set(made.orders[0].direction[1:].tolist()) == {expected}


@pytest.mark.parametrize(
    ("mode", "reverses"), [(0, (False, False)), (1, (False, True)), (2, (True, True))]
)
def test_entry_mode_tells_what_is_reversed(mode, reverses):
    rules = rules_of("atr_d_ls", bars_of(walk_of(6, 90)), {"entry_mode": mode})
    assert (rules.reverses_long, rules.reverses_short) == reverses


@pytest.mark.parametrize("name", ["atr_d_hma_l", "atr_d_hma_ls"])
@pytest.mark.parametrize("method", [0, 1])
def test_hull_crosses_are_section_five(name, method):
    bars = bars_of(walk_of(6, 140))
    rules = rules_of(name, bars, {"equity_price_method": method})
    price = bars.close if method else (bars.high + bars.low + bars.close) / 3
    fast, slow = hull_average(price, 6), hull_average(price, 12)
    shorts = find_strategy(name).shorts
    crosses = 0
    for t in range(14, 140):
        bull = fast[t] > slow[t] and fast[t - 1] <= slow[t - 1]
        bear = fast[t] < slow[t] and fast[t - 1] >= slow[t - 1]
        fresh, after_long, *after_short = rules.orders
        assert fresh.direction[t] == (LONG if bull else SHORT if bear and shorts else FLAT)
        if bull or bear:
            assert fresh.level[t] == (-math.inf if bull else math.inf)
            assert fresh.price[t] == bars.close[t]
        calm = not bull and not bear
        assert after_long.direction[t] == (LONG if calm and fast[t] > slow[t] else FLAT)
        for orders in after_short:
            assert orders.direction[t] == (SHORT if calm and fast[t] < slow[t] else FLAT)
        assert rules.clears[t] == (bull or bear)
        assert rules.leave_long[t] == bear
        assert rules.leave_short is None or rules.leave_short[t] == bull
        crosses += bull or bear
    assert crosses > 5
    assert len(rules.orders) == (3 if shorts else 2)
    assert rules.turns == shorts == (rules.leave_short is not None)
    distance = distance_of(bars)
    np.testing.assert_allclose(rules.orders[1].level, bars.close + distance)
    if shorts:
        np.testing.assert_allclose(rules.orders[2].level, bars.close - distance)


@pytest.mark.parametrize("name", ["atr_d_duals_l", "atr_d_duals_ls"])
@pytest.mark.parametrize("method", [0, 1])
def test_a_dual_strategy_measures_its_width_on_the_second_symbol(name, method):
    bars = bars_of(walk_of(6, 140))
    second = paired(bars).second
    rules = rules_of(name, bars, {"equity_price_method": method})
    price = second.close if method else (second.high + second.low + second.close) / 3
    ratio = tightening_ratio(2.0, 0.2)
    expected = tightening(relative_width(price, 25), ratio, 1, 0.4)
    assert rules.tightening.tobytes() == expected.tobytes()
    alone = rules_of("atr_d_l", bars, {"equity_price_method": method})
    own = tightening(relative_width(bars.close, 25), ratio, 1, 0.4)
    assert alone.tightening.tobytes() == own.tobytes() != expected.tobytes()


def test_a_dual_strategy_needs_a_second_symbol_and_positive_prices():
    bars, strategy = bars_of(walk_of(6, 90)), find_strategy("atr_d_duals_l")
    with pytest.raises(ArgumentError, match="--bars2"):
        strategy.rules(bars, parameters_of("atr_d_duals_l"), 0)
    below = Bars.from_arrays(
        bars.time, *(column - 200 for column in (bars.open, bars.high, bars.low, bars.close)),
        allow_nonpositive=True,
    )  # fmt: skip
    for each in (replace(bars, second=below), replace(below, second=bars)):
        with pytest.raises(ArgumentError, match="zero or less"):
            strategy.rules(each, parameters_of("atr_d_duals_l"), 0)
    with pytest.raises(ArgumentError, match="zero or less"):
        find_strategy("atr_d_l").rules(below, PARAMETERS, 0)


def values_of(bars, length):
    """Every indicator of one series."""
    ranges = ranges_of(bars)
    average = average_true_range(ranges, length)
    width = relative_width(bars.close, length)
    return (
        ranges,
        average,
        exponential_average(average, length),
        weighted_average(bars.close, length),
        hull_average(bars.close, length),
        width,
        tightening(width, 12.5, 1, 0.2),
    )


@given(markets(20, 120), st.integers(2, 30), st.data())
def test_cutting_the_data_changes_no_bit(bars, length, data):
    cut = data.draw(st.integers(1, len(bars)))
    whole, part = values_of(bars, length), values_of(bars.slice(0, cut), length)
    for long, short in zip(whole, part, strict=True):
        assert long[:cut].tobytes() == short.tobytes()


def arrays_of(rules):
    """Every array of a set of rules."""
    for field in rules:
        if isinstance(field, np.ndarray):
            yield field
        elif isinstance(field, tuple):
            yield from arrays_of(field)


@EVERY
@given(markets(90, 120), st.data())
@settings(max_examples=30)
def test_cutting_the_data_changes_no_rule(name, bars, data):
    cut = data.draw(st.integers(75, len(bars)))
    strategy, values = find_strategy(name), parameters_of(name)
    pair = paired(bars)
    whole = strategy.rules(pair, values, 10)
    part = strategy.rules(pair.slice(0, cut), values, 10)
    assert whole.first == part.first
    both = list(zip(arrays_of(whole), arrays_of(part), strict=True))
    assert len(both) >= 7
    for long, short in both:
        assert long[:cut].tobytes() == short.tobytes()


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 60))
def test_equal_decimal_ratios_are_the_same_number(deviation, threshold, factor):
    # In hundredths, as a grid's values are: 0.5 / 0.04, 1.5 / 0.12 and 2.5 / 0.20.
    one = tightening_ratio(deviation / 100, threshold / 100)
    other = tightening_ratio(deviation * factor / 100, threshold * factor / 100)
    assert one == other == deviation / threshold


def test_the_ratio_is_that_of_the_decimals_written():
    assert 0.7 / 0.1 != 7.0  # what dividing the binary neighbours would give
    assert tightening_ratio(0.7, 0.1) == 7.0
