"""Turns where two moving averages cross; a stop on the average true range that only tightens."""

from meseta.indicators import average_true_range, simple_average
from meseta.strategies import KernelStrategy, Parameter, rule

STOP = 0  # the slot that remembers the stop's price


@rule
def averages(market, fast, slow):
    """Both averages of the close, and the range that the stop is measured in."""
    close = market.close
    return simple_average(close, fast), simple_average(close, slow), average_true_range(market, 20)


@rule
def decide(t, market, broker, series, stop_ranges):
    """Give the orders of the next bar, at the close of bar `t`."""
    fast, slow, ranges = series
    close, room = market.close[t], stop_ranges * ranges[t]
    if not room > 0:  # the range has no value yet
        return
    if broker.position > 0:
        broker.remember(STOP, max(broker.recall(STOP), close - room))
        broker.sell_stop(broker.recall(STOP))
    elif broker.position < 0:
        broker.remember(STOP, min(broker.recall(STOP), close + room))
        broker.cover_stop(broker.recall(STOP))
    if broker.position <= 0 and fast[t] > slow[t] and fast[t - 1] <= slow[t - 1]:
        broker.buy()
        broker.sell_stop(close - room)
        broker.remember(STOP, close - room)
    elif broker.position >= 0 and fast[t] < slow[t] and fast[t - 1] >= slow[t - 1]:
        broker.short()
        broker.cover_stop(close + room)
        broker.remember(STOP, close + room)


crossover = KernelStrategy(
    name="crossover",
    summary="Turns where two moving averages cross; a stop that only tightens.",
    parameters=(
        Parameter("fast", 1, 400, "int", "Bars in the fast average."),
        Parameter("slow", 2, 800, "int", "Bars in the slow average."),
        Parameter("stop_ranges", 0.1, 100, "float", "Ranges from the close to the stop."),
    ),
    series=averages,
    decide=decide,
)
