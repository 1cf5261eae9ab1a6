"""The account that a strategy trades: capital, costs and lot size."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from meseta.errors import ArgumentError

__all__ = ["Account"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Capital and the cost of trading.

    Parameters
    ----------
    capital
        Money at the start of every window. Each phase starts again from it; profits are
        reinvested inside a window.
    cost_per_share
        Money per share for the round trip, taken off at the exit.
    commission
        Fraction of traded value, taken off at the entry and again at the exit.
    slippage
        Price units per share by which every stop and market fill is worse than its price.
        It never moves a trigger, and a position closed at the window's end does not pay it.
    lot
        Shares are bought in multiples of this; less than one lot is no order.

    Raises
    ------
    ArgumentError
        A value is not finite, negative, or zero where it must be positive.
    """

    capital: float = 10_000.0
    cost_per_share: float = 0.0
    commission: float = 0.0
    slippage: float = 0.0
    lot: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = "positive" if field.name in {"capital", "lot"} else "zero or more"
            wrong = value <= 0 if least == "positive" else value < 0
            if wrong or not math.isfinite(value):
                raise ArgumentError(f"`{field.name}` must be {least} and finite, got {value!r}")
        if self.commission >= 1:
            raise ArgumentError(
                "`commission` is a fraction of traded value (0.001 is 0.1 %) and must be below 1, "
                f"got {self.commission!r}"
            )
