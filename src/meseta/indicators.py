"""Indicators that a user's own rules may call; each value comes from bars up to its own alone.

They are compiled, so a `@rule` can call them. Those that take a `market` also work on the market
turned upside down. Values before an indicator's first defined bar are NaN.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from meseta._numba import kernel
from meseta.strategies._indicators import _rolling_mean, exponential_average, weighted_average
from meseta.strategies._indicators import true_range as _true_range

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.strategies._own import Market

__all__ = [
    "average_true_range",
    "exponential_average",
    "highest",
    "hull_average",
    "lowest",
    "simple_average",
    "true_range",
    "weighted_average",
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
