"""A Donchian breakout in both directions with a stop on the average true range."""

from meseta.indicators import average_true_range, highest
from meseta.strategies import Parameter, RuleStrategy, rule


@rule
def breakout(market, channel):
    """Buy above the highest high of the channel."""
    return highest(market.high, channel)


@rule
def atr_stop(market, atr_period, atr_multiplier):
    """Sell some average true ranges below the close."""
    return market.close - atr_multiplier * average_true_range(market, atr_period)


donchian = RuleStrategy(
    name="donchian",
    summary="Breaks out of a channel either way; a stop on the average true range.",
    parameters=(
        Parameter("channel", 2, 400, "int", "Bars in the channel."),
        Parameter("atr_period", 1, 200, "int", "Bars in the average true range."),
        Parameter("atr_multiplier", 0.1, 50, "float", "Ranges from the close to the stop."),
    ),
    enter=breakout,
    stop=atr_stop,
    shorts=True,
    reverses=True,
    look_back=lambda p: max(p["channel"], p["atr_period"] + 1),
)
