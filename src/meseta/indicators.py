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
    """Return the largest of the last `length` values, first defined at `length - 1`."""
    out = np.full(values.size, np.nan)
    for t in range(length - 1, values.size):
        top = values[t - length + 1]
        for k in range(t - length + 2, t + 1):
            top = max(top, values[k])
        out[t] = top
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
