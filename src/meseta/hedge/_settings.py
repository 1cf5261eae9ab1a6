"""What of a hedge grid is not searched: account, venue, limits and fill rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GridSettings", "Policy"]

Policy = Literal["throttled-counter", "core-and-scalp"]
_POSITIVE = (
    "capital",
    "tick",
    "lot",
    "max_leverage_used",
    "max_position_size",
    "max_inventory_quote",
)
_NOT_NEGATIVE = (
    "min_quantity",
    "min_notional",
    "slippage_ticks",
    "maintenance_margin",
    "adx_threshold",
    "atr_gate_mult",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSettings:
    """Account, venue and rules of fills; what the market is assumed to do stands at each.

    Money is in the quote coin, quantities in the base coin, prices in quote per base.

    Parameters
    ----------
    capital
        Equity at the start of a back-test.
    tick, lot
        Steps of prices and of quantities. Prices are rounded to the nearest tick, half up,
        quantities down.
    min_quantity, min_notional
        Smallest quantity, and smallest quantity times price, that the venue takes as an order.
    maker_fee, taker_fee
        Fractions of traded value. Rungs and take-profits rest in the book and pay the first;
        stops, flattening, liquidation and marking at the end pay the second.
    slippage_ticks
        Ticks by which a stop, or flattening at the market, is filled worse than its price.
    touch_fills
        Whether a resting order is filled where the price only touches it. False asks for a
        price one tick beyond: at a touch the fill depends on the queue, which no bar shows.
    participation
        Largest part of a bar's volume that all resting orders together fill in it, a fraction;
        None for no cap. A rung is filled in parts; a take-profit waits for a bar that takes
        all of its lot; stops are orders at the market and are not capped.
    leverage
        Largest leverage of the venue: the initial margin is its reciprocal.
    maintenance_margin
        Fraction of the open value below which equity may not fall. The account is liquidated
        at the open, low or high of a bar at which it would, in the order of the bar's path, at
        that price of the last trade.
    max_leverage_used
        Open lots and resting orders of both sides over equity, at most.
    max_position_size
        Open lots and resting orders of a side, base coin, at most.
    max_inventory_quote
        Open lots and resting orders of a side, money, at most.
    max_stop_pct
        Farthest stop from the fill, a fraction of the price; None for no cap, which would make
        `sl_steps` inert without a word.
    policy
        What a trend does to the ladders: ``"throttled-counter"`` thins the side against it,
        ``"core-and-scalp"`` thins both and shrinks the side against it.
    adx_threshold
        A trend needs an ADX of at least this.
    atr_gate_mult
        A trend also needs means that are at least this many average true ranges apart; 0
        asks for nothing.
    funding_window_minutes
        Minutes before a settlement in which costly funding shrinks the paying side, 60 to 1440.
    drawdown_stop
        Fall of equity at a close from its peak, a fraction of it, after which everything is
        closed at the next bar's open and nothing is traded any more; None for no such stop.

    Raises
    ------
    ArgumentError
        A value is not finite or breaks its rule; the message names the setting.
    """

    capital: float = 10_000.0
    tick: float = 0.1
    lot: float = 0.001
    min_quantity: float = 0.001
    min_notional: float = 100.0
    maker_fee: float = 0.0002
    taker_fee: float = 0.0005
    slippage_ticks: int = 1
    touch_fills: bool = False
    participation: float | None = None
    leverage: float = 10.0
    maintenance_margin: float = 0.004
    max_leverage_used: float = 5.0
    max_position_size: float = 0.1
    max_inventory_quote: float = 10_000.0
    max_stop_pct: float | None = None
    policy: Policy = "throttled-counter"
    adx_threshold: float = 20.0
    atr_gate_mult: float = 0.0
    funding_window_minutes: int = 480
    drawdown_stop: float | None = None

    def __post_init__(self) -> None:
        self._require(_POSITIVE, "positive", lambda value: value > 0)
        self._require(_NOT_NEGATIVE, "zero or more", lambda value: value >= 0)
        fees = ("maker_fee", "taker_fee", "maintenance_margin")
        self._require(fees, "a fraction below 1", lambda value: -1 < value < 1)
        for name in ("participation", "max_stop_pct", "drawdown_stop"):
            if getattr(self, name) is not None:
                self._require((name,), "above 0 and at most 1", lambda value: 0 < value <= 1)
        self._require(("leverage",), "at least 1", lambda value: value >= 1)
        self._require(
            ("funding_window_minutes",), "from 60 to 1440", lambda value: 60 <= value <= 1440
        )
        if self.policy not in get_args(Policy):
            raise ArgumentError(
                f"`policy` must be one of {', '.join(get_args(Policy))}, got {self.policy!r}"
            )

    def _require(self, names: tuple[str, ...], rule: str, holds: Callable[[float], bool]) -> None:
        for name in names:
            value = getattr(self, name)
            if not math.isfinite(value) or not holds(value):
                raise ArgumentError(f"`{name}` must be {rule} and finite, got {value!r}")
