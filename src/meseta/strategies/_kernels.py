"""The product's kernel strategies, which are examples too (`docs/write-a-strategy.md`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.strategies._kernel import KernelStrategy
from meseta.strategies._market_indicators import (
    average_true_range,
    relative_strength,
    simple_average,
)
from meseta.strategies._own import rule
from meseta.strategies._parameters import Parameter, decimal_range

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.strategies._broker import Broker
    from meseta.strategies._own import Market

__all__ = ["KERNELS"]

# Bars of the average true range that stops and targets are measured in.
_RANGES = 20


@rule
def follow(t: int, market: Market, broker: Broker, xbar: int) -> None:
    """Be long above the close some bars ago, short below it."""
    if t < xbar:
        return
    if market.close[t] > market.close[t - xbar]:
        broker.buy()
    elif market.close[t] < market.close[t - xbar]:
        broker.short()


xbar = KernelStrategy(
    name="xbar",
    summary="Long when the close is above that of some bars ago, short when below; always in.",
    parameters=(
        Parameter(
            "xbar", 1, 1000, "int", "Bars to look back.", grids={"default": tuple(range(5, 33))}
        ),
    ),
    decide=follow,
)


@rule
def averages(market: Market, fast: int, slow: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return both averages of the close, and the range that the stop is measured in."""
    close = market.close
    ranges = average_true_range(market, _RANGES)
    return simple_average(close, fast), simple_average(close, slow), ranges


@rule
def cross(
    t: int,
    market: Market,
    broker: Broker,
    series: tuple[FloatArray, FloatArray, FloatArray],
    stop_ranges: float,
) -> None:
    """Turn where the averages cross; trail a stop behind the best price."""
    fast, slow, ranges = series
    room = stop_ranges * ranges[t]
    if fast[t] > slow[t] and not fast[t - 1] > slow[t - 1]:
        broker.buy()
        broker.sell_stop(market.close[t] - room)
    elif fast[t] < slow[t] and not fast[t - 1] < slow[t - 1]:
        broker.short()
        broker.cover_stop(market.close[t] + room)
    if broker.position > 0:
        broker.sell_stop(broker.best - room)
    elif broker.position < 0:
        broker.cover_stop(broker.best + room)


ma_cross = KernelStrategy(
    name="ma_cross",
    summary="Turns where two moving averages cross; a stop follows the best price since entry.",
    parameters=(
        Parameter(
            "fast", 1, 400, "int", "Bars in the fast average.",
            grids={"default": tuple(range(5, 51, 5))},
        ),
        Parameter(
            "slow", 2, 800, "int", "Bars in the slow average.",
            grids={"default": tuple(range(60, 201, 20))},
        ),
        Parameter(
            "stop_ranges", 0.1, 100, "float", "Average true ranges from best price to stop.",
            grids={"default": decimal_range(2, 10, 2)},
        ),
    ),
    series=averages,
    decide=cross,
)  # fmt: skip


@rule
def strength(market: Market, length: int) -> tuple[FloatArray, FloatArray]:
    """Return the relative strength index, and the range that distances are measured in."""
    return relative_strength(market.close, length), average_true_range(market, _RANGES)


@rule
def revert(
    t: int,
    market: Market,
    broker: Broker,
    series: tuple[FloatArray, FloatArray],
    oversold: float,
    dip: float,
    target: float,
    max_bars: int,
) -> None:
    """Buy a dip below an oversold close, sell a spike above an overbought one."""
    index, ranges = series
    close, unit = market.close[t], ranges[t]
    if broker.position > 0:
        broker.sell_limit(broker.entry_price + target * unit)
        if index[t] > 50 or broker.bars_held + 1 >= max_bars:
            broker.sell()
    elif broker.position < 0:
        broker.cover_limit(broker.entry_price - target * unit)
        if index[t] < 50 or broker.bars_held + 1 >= max_bars:
            broker.cover()
    elif index[t] < oversold:
        broker.buy_limit(close - dip * unit)
    elif index[t] > 100 - oversold:
        broker.short_limit(close + dip * unit)


rsi_reversion = KernelStrategy(
    name="rsi_reversion",
    summary="Buys dips when oversold and sells spikes when overbought, by limit order.",
    parameters=(
        Parameter(
            "length", 2, 200, "int", "Bars in the relative strength index.",
            grids={"default": (2, 3, 5, 8, 14)},
        ),
        Parameter(
            "oversold", 1, 49, "float", "Index below which is bought; shorts at 100 less it.",
            grids={"default": (10.0, 15.0, 20.0, 25.0, 30.0)},
        ),
        Parameter(
            "dip", 0, 10, "float", "Average true ranges from the close to the limit order.",
            grids={"default": (0.0, 0.25, 0.5)},
        ),
        Parameter(
            "target", 0.05, 50, "float", "Average true ranges from the entry to the target.",
            grids={"default": (0.5, 1.0, 2.0)},
        ),
        Parameter(
            "max_bars", 1, 500, "int", "Bars after which a position is left.",
            grids={"default": (5, 10, 20)},
        ),
    ),
    series=strength,
    decide=revert,
)  # fmt: skip

KERNELS = (xbar, ma_cross, rsi_reversion)
