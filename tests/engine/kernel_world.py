"""Kernel strategies for tests: orders by chance, and a breakout that separable rules know too."""

from __future__ import annotations

import numpy as np

from meseta.indicators import average_true_range, highest, lowest
from meseta.strategies import KernelStrategy, Parameter, rule


@rule
def _ranges(market, seed):
    return average_true_range(market, 3) + 0.0 * seed


@rule
def _by_chance(t, market, broker, ranges, seed, crowd):  # noqa: PLR0912 - every kind of order
    x = broker.recall(0)
    if x == 0.0:
        x = 1.0 + seed
    close, unit = market.close[t], ranges[t]
    for _ in range(crowd):
        x = (x * 16807.0) % 2147483647.0
        kind = int(x) % 17
        x = (x * 16807.0) % 2147483647.0
        away = (x / 2147483647.0 - 0.3) * 3.0 * unit
        if kind == 0:
            broker.buy()
        elif kind == 1:
            broker.short()
        elif kind == 2:
            broker.buy_stop(close + away)
        elif kind == 3:
            broker.short_stop(close - away)
        elif kind == 4:
            broker.buy_limit(close - away)
        elif kind == 5:
            broker.short_limit(close + away)
        elif kind == 6:
            broker.sell()
        elif kind == 7:
            broker.cover()
        elif kind in (8, 9):
            broker.sell_stop(close - away)
        elif kind in (10, 11):
            broker.cover_stop(close + away)
        elif kind == 12:
            broker.sell_limit(close + away)
        elif kind == 13:
            broker.cover_limit(close - away)
        elif kind == 14:
            broker.buy(3.7)
        elif kind == 15 and broker.position > 0:
            broker.sell_stop(broker.best - unit)
            broker.sell_limit(broker.entry_price + broker.bars_held * unit)
        elif kind == 16 and broker.profit < 0:
            broker.sell()
            broker.cover()
    broker.remember(0, x)
    broker.remember(7, broker.equity)


by_chance = KernelStrategy(
    name="by_chance",
    parameters=(
        Parameter("seed", 1, 1_000_000, "int"),
        Parameter("crowd", 1, 8, "int"),
    ),
    series=_ranges,
    decide=_by_chance,
)


@rule
def _channel(market, channel, atr_period):
    ranges = average_true_range(market, atr_period)
    return highest(market.high, channel), lowest(market.low, channel), ranges


@rule
def _breakout(t, market, broker, series, atr_multiplier):
    """Trade `examples/donchian.py` as a kernel: the nearer order, a stop that only tightens."""
    high, low, ranges = series
    if not ranges[t] >= 0.0 or np.isnan(high[t]):
        return
    close, room = market.close[t], atr_multiplier * ranges[t]
    long_stop, short_stop = close - room, close + room
    up, down = max(high[t] - close, 0.0), max(close - low[t], 0.0)
    if broker.position > 0:
        broker.remember(1, max(broker.recall(1), long_stop))
        broker.sell_stop(broker.recall(1))
    elif broker.position < 0:
        broker.remember(2, min(broker.recall(2), short_stop))
        broker.cover_stop(broker.recall(2))
    if not down < up:
        if broker.position <= 0:
            broker.buy_stop(high[t])
            broker.sell_stop(long_stop)
            broker.remember(1, long_stop)
    elif broker.position >= 0:
        broker.short_stop(low[t])
        broker.cover_stop(short_stop)
        broker.remember(2, short_stop)


breakout = KernelStrategy(
    name="breakout",
    parameters=(
        Parameter("channel", 2, 400, "int"),
        Parameter("atr_period", 1, 200, "int"),
        Parameter("atr_multiplier", 0.1, 50, "float"),
    ),
    series=_channel,
    decide=_breakout,
)
