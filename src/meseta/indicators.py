"""Indicators that a user's own rules may call; each value comes from bars up to its own alone.

They are compiled, so a `@rule` can call them. Those that take a `market` also work on the market
turned upside down. Values before an indicator's first defined bar are NaN.
"""

from __future__ import annotations

from meseta.strategies._indicators import exponential_average, weighted_average
from meseta.strategies._market_indicators import (
    average_true_range,
    highest,
    hull_average,
    lowest,
    relative_strength,
    simple_average,
    true_range,
)

__all__ = [
    "average_true_range",
    "exponential_average",
    "highest",
    "hull_average",
    "lowest",
    "relative_strength",
    "simple_average",
    "true_range",
    "weighted_average",
]
