"""Indicators against their definitions, value by value."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.strategies import find_strategy
from meseta.strategies._indicators import (
    average_true_range,
    exponential_average,
    first_defined,
    relative_width,
    tightening,
    tightening_ratio,
    true_range,
)
from random_market import bars_of, markets, walk_of

LENGTHS = st.integers(1, 80)


def same(found, expected, scale):
    """Equal where defined, up to rounding of numbers as large as `scale`."""
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13 * scale, equal_nan=True)


def ranges_of(bars):
    return true_range(bars.high, bars.low, bars.close)


@given(markets(2, 60))
def test_true_range_is_its_definition(bars):
    high, low, close = bars.high, bars.low, bars.close
    later = [max(high[t], close[t - 1]) - min(low[t], close[t - 1]) for t in range(1, len(bars))]
    assert ranges_of(bars).tolist() == [high[0] - low[0], *later]


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
def test_first_signal_waits_for_every_indicator(change, warmup, first):
    bars = bars_of(walk_of(5, 140))
    assert find_strategy("atr_d_l").rules(bars, PARAMETERS | change, warmup).first == first


def test_levels_and_stops_are_section_three():
    bars = bars_of(walk_of(6, 140))
    rules = find_strategy("atr_d_l").rules(bars, PARAMETERS, 0)
    ranges = ranges_of(bars)
    middle = (bars.high + bars.low) / 2
    for t in range(69, 140):
        average, cap = ranges[t - 15 : t + 1].mean(), ranges[t - 69 : t + 1].mean()
        assert rules.stop[t] == pytest.approx(middle[t] - 4 * average)
        shield = bars.close[t] - (middle[t] - min(4 * average, 4 * cap))
        assert rules.shield[t] == pytest.approx(shield)
    smooth = exponential_average(average_true_range(ranges, 20), 6)
    np.testing.assert_allclose(rules.level, bars.close + 0.5 * smooth)


def values_of(bars, length):
    """Every indicator of one series."""
    ranges = ranges_of(bars)
    average = average_true_range(ranges, length)
    width = relative_width(bars.close, length)
    return (
        ranges,
        average,
        exponential_average(average, length),
        width,
        tightening(width, 12.5, 1, 0.2),
    )


@given(markets(20, 120), st.integers(2, 30), st.data())
def test_cutting_the_data_changes_no_bit(bars, length, data):
    cut = data.draw(st.integers(1, len(bars)))
    whole, part = values_of(bars, length), values_of(bars.slice(0, cut), length)
    for long, short in zip(whole, part, strict=True):
        assert long[:cut].tobytes() == short.tobytes()


@given(markets(90, 120), st.data())
def test_cutting_the_data_changes_no_rule(bars, data):
    cut = data.draw(st.integers(75, len(bars)))
    strategy = find_strategy("atr_d_l")
    whole = strategy.rules(bars, PARAMETERS, 10)
    part = strategy.rules(bars.slice(0, cut), PARAMETERS, 10)
    for long, short in zip(whole[:4], part[:4], strict=True):
        assert long[:cut].tobytes() == short.tobytes()
    assert whole.first == part.first


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 60))
def test_equal_decimal_ratios_are_the_same_number(deviation, threshold, factor):
    # In hundredths, as a grid's values are: 0.5 / 0.04, 1.5 / 0.12 and 2.5 / 0.20.
    one = tightening_ratio(deviation / 100, threshold / 100)
    other = tightening_ratio(deviation * factor / 100, threshold * factor / 100)
    assert one == other == deviation / threshold


def test_the_ratio_is_that_of_the_decimals_written():
    assert 0.7 / 0.1 != 7.0  # what dividing the binary neighbours would give
    assert tightening_ratio(0.7, 0.1) == 7.0
