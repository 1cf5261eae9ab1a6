"""Indicators over a market or over values, which `meseta.indicators` offers to users' rules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from meseta._numba import kernel
from meseta.strategies._indicators import _rolling_mean, weighted_average
from meseta.strategies._indicators import true_range as _true_range

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.strategies._own import Market

__all__ = [
    "average_true_range",
    "highest",
    "hull_average",
    "lowest",
    "relative_strength",
    "simple_average",
    "true_range",
]


@kernel
def true_range(market: Market) -> FloatArray:
    """Return max(high, previous close) - min(low, previous close), shape (N,), price units."""
    return _true_range(market.high, market.low, market.close)


@kernel
def simple_average(values: FloatArray, length: int) -> FloatArray:
    """Return the mean of the last `length` values, first defined at `length - 1`."""
    return _rolling_mean(values, length)


@kernel
def average_true_range(market: Market, length: int) -> FloatArray:
    """Return the mean of the last `length` true ranges, first defined at `length - 1`."""
    return _rolling_mean(_true_range(market.high, market.low, market.close), length)


@kernel
def highest(values: FloatArray, length: int) -> FloatArray:
    """Return the largest of the last `length` values, first defined at `length - 1`.

    NaN where any of them is.
    """
    out = np.full(values.size, np.nan)
    best, gap = 0, -1
    for t in range(values.size):
        if np.isnan(values[t]):
            gap = t
        if best <= t - length or np.isnan(values[best]):
            best = max(t - length + 1, gap + 1)
            for k in range(best + 1, t + 1):
                best = k if values[k] >= values[best] else best
        elif values[t] >= values[best]:
            best = t
        if t >= length - 1 and gap <= t - length:
            out[t] = values[best]
    return out


@kernel
def lowest(values: FloatArray, length: int) -> FloatArray:
    """Return the smallest of the last `length` values, first defined at `length - 1`."""
    return -highest(-values, length)


@kernel
def hull_average(values: FloatArray, length: int) -> FloatArray:
    """Return the Hull average, `length` at least 2.

    First defined at `length + round(sqrt(length)) - 2`.
    """
    quick = 2.0 * weighted_average(values, length // 2) - weighted_average(values, length)
    return weighted_average(quick, math.floor(math.sqrt(length) + 0.5))


@kernel
def relative_strength(values: FloatArray, length: int) -> FloatArray:
    """Return the relative strength index, 0 to 100, first defined at `length`.

    Averages of gains and losses are seeded with the mean of the first `length` changes and
    smoothed by 1 / `length` (Wilder, New Concepts in Technical Trading Systems, 1978). Without
    gains and losses it is 50. NaN from the first NaN on.
    """
    out = np.full(values.size, np.nan)
    gain = loss = 0.0
    for t in range(1, values.size):
        change = values[t] - values[t - 1]
        up, down = max(change, 0.0), max(-change, 0.0)
        if np.isnan(change):
            break
        if t <= length:
            gain, loss = gain + up / length, loss + down / length
        else:
            gain += (up - gain) / length
            loss += (down - loss) / length
        if t >= length:
            # The ratio first: it is never above 1, and 100 times it never above 100.
            out[t] = 100.0 * (gain / (gain + loss)) if gain + loss > 0.0 else 50.0
    return out
