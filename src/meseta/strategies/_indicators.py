"""Indicators of the ATR-D family, as `spec/atr-d.md` section 1 defines them.

Every value at bar `t` is computed from bars up to `t` alone and in an order of additions that
does not depend on how many bars follow, so cutting the data changes no bit of what is left.
Values before an indicator's first defined bar are NaN.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta._numba import inline, kernel

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray

__all__ = [
    "Tightenings",
    "average_true_range",
    "exponential_average",
    "hull_average",
    "hull_first",
    "relative_width",
    "tightening",
    "tightening_ratio",
    "true_range",
    "weighted_average",
    "write_tightening",
]


@kernel
def true_range(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Return max(high, previous close) - min(low, previous close), shape (N,), price units."""
    out = np.empty_like(close)
    for t in range(close.size):
        before = close[t - 1] if t else high[0]
        top = max(high[t], before) if t else high[0]
        bottom = min(low[t], before) if t else low[0]
        out[t] = top - bottom
    return out


@kernel
def _rolling_mean(values: FloatArray, length: int) -> FloatArray:
    out = np.full_like(values, np.nan)
    for t in range(length - 1, values.size):
        total = 0.0
        for k in range(t - length + 1, t + 1):
            total += values[k]
        out[t] = total / length
    return out


def average_true_range(true_ranges: FloatArray, length: int) -> FloatArray:
    """Return the simple mean of the last `length` true ranges, first defined at `length - 1`."""
    return _rolling_mean(true_ranges, length)


@kernel
def exponential_average(values: FloatArray, length: int) -> FloatArray:
    """Return e[t] = e[t-1] + 2 / (length + 1) * (x[t] - e[t-1]), from the first defined x on."""
    out = np.full_like(values, np.nan)
    weight = 2.0 / (length + 1)
    average = np.nan
    for t in range(values.size):
        value = values[t]
        average = value if np.isnan(average) else average + weight * (value - average)
        out[t] = average
    return out


@kernel
def relative_width(price: FloatArray, length: int) -> FloatArray:
    """Return 2 * population standard deviation / mean over `length` bars, per unit of deviation.

    The band's width in the specification is this times `bb_deviation`. A mean that is not
    positive gives a meaningless value: strategies that use it require positive prices.
    """
    out = np.full_like(price, np.nan)
    for t in range(length - 1, price.size):
        total = 0.0
        for k in range(t - length + 1, t + 1):
            total += price[k]
        mean = total / length
        squares = 0.0
        for k in range(t - length + 1, t + 1):
            squares += (price[k] - mean) * (price[k] - mean)
        out[t] = 2.0 * math.sqrt(squares / length) / mean
    return out


def tightening_ratio(deviation: float, threshold: float) -> float:
    """Return deviation / threshold, exact for the decimal numbers that were written.

    Only this ratio reaches the stop. Dividing the decimals (not their binary neighbours) makes
    0.5 / 0.04 and 1.5 / 0.12 the same number, so parameter sets that behave alike are equal bit
    for bit and are evaluated once.
    """
    return float(Fraction(repr(float(deviation))) / Fraction(repr(float(threshold))))


class Tightenings(NamedTuple):
    """Many tightening series, described instead of stored.

    Parameters
    ----------
    width
        `relative_width` for each band length, shape (lengths, N).
    length
        Which width each series uses, int64, shape (series,).
    ratio, scaling, floor
        As for `tightening`, shape (series,); `scaling` is int64.
    """

    width: FloatArray
    length: IntArray
    ratio: FloatArray
    scaling: IntArray
    floor: FloatArray

    @property
    def many(self) -> int:
        """Number of series."""
        return self.ratio.size


@inline
def write_tightening(
    width: FloatArray, ratio: float, scaling: int, floor: float, out: FloatArray
) -> None:
    """Write what `tightening` returns into `out`."""
    for t in range(width.size):
        r = width[t] * ratio
        if r < 1.0:
            if scaling == 1:
                r = math.sqrt(r)
            elif scaling == 2:
                r = r * r
            out[t] = max(r, floor)
        else:
            out[t] = 1.0


@kernel
def tightening(width: FloatArray, ratio: float, scaling: int, floor: float) -> FloatArray:
    """Return the factor that pulls the stop in when the band is narrow; shape (N,), 0 < g <= 1.

    Parameters
    ----------
    width
        `relative_width` of the width price.
    ratio
        `tightening_ratio(bb_deviation, vol_threshold)`; the band is narrow where
        `width * ratio < 1`. NaN (not yet defined) gives 1.
    scaling
        0 linear, 1 square root, 2 quadratic.
    floor
        `min_tightening`, the least factor.
    """
    out = np.empty_like(width)
    write_tightening(width, ratio, scaling, floor, out)
    return out


@kernel
def weighted_average(values: FloatArray, length: int) -> FloatArray:
    """Return the mean with weights 1 to `length`, the newest heaviest; first after NaN ends."""
    out = np.full_like(values, np.nan)
    for t in range(length - 1, values.size):
        total = 0.0
        for k in range(length):
            total += (k + 1) * values[t - length + 1 + k]
        out[t] = total / (0.5 * length * (length + 1))
    return out


def hull_average(values: FloatArray, length: int) -> FloatArray:
    """Return WMA(2 WMA(x, n // 2) - WMA(x, n), round(sqrt(n))), n = `length`, at least 2.

    First defined at `hull_first(length)`. After A. Hull, whose averages these are.
    """
    quick = 2.0 * weighted_average(values, length // 2) - weighted_average(values, length)
    return weighted_average(quick, _root(length))


def hull_first(length: int) -> int:
    """Return the first bar on which `hull_average` is defined."""
    return length + _root(length) - 2


def _root(length: int) -> int:
    return math.floor(math.sqrt(length) + 0.5)
