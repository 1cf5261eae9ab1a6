"""What a strategy trades with and what it trades: the account, and the contract of a future."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Account", "Contract"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one unit of the traded market is, and how many of them a position has.

    The default is a share: a point of price is one unit of money, and every position takes the
    whole equity, which takes a fraction of a price. With a fixed `quantity` nothing does, so
    that prices of zero and less, as back-adjusted futures have them, can be traded.

    Parameters
    ----------
    point_value
        Money for one point of price and contract: 1000 for crude oil. Needs `quantity`.
    quantity
        Contracts (or shares) in every position. None puts the whole equity into whole lots.
        A fixed quantity is traded whatever is left of the account: equity may fall below zero,
        and no margin is asked for.
    tick
        Smallest step of the price, 0 for none. Stop and limit prices of kernel strategies are
        rounded to it against you: stops away from the market, limits too. Separable strategies
        have orders of their own definition, which are not rounded.
    roll_cost
        Money per contract each time an open position is rolled into the next contract: the
        spread and both commissions. Needs `quantity`.
    rolls
        Dates of the rolls. What is open at the last close before the date pays at the first bar
        on or after it.

    Raises
    ------
    ArgumentError
        A value is not finite, negative, or zero where it must be positive; or `point_value` or
        `roll_cost` is given without `quantity`.
    """

    point_value: float = 1.0
    quantity: float | None = None
    tick: float = 0.0
    roll_cost: float = 0.0
    rolls: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        for name in ("point_value", "quantity", "tick", "roll_cost"):
            value = getattr(self, name)
            positive = name in {"point_value", "quantity"}
            if value is None:
                continue
            if not math.isfinite(value) or value < 0 or (positive and value == 0):
                least = "positive" if positive else "zero or more"
                option = " (--contracts)" if name == "quantity" else ""
                raise ArgumentError(f"`{name}`{option} must be {least} and finite, got {value!r}")
        if self.quantity is None and (self.point_value != 1 or self.roll_cost > 0):
            raise ArgumentError(
                "`point_value` and `roll_cost` belong to a fixed number of contracts; give "
                f"`quantity` (--contracts 1), got {self.point_value!r} and {self.roll_cost!r}"
            )
        if self.roll_cost > 0 and not self.rolls:
            raise ArgumentError(
                "`roll_cost` needs the dates of the rolls (`rolls`, --rolls monthly), got none"
            )
