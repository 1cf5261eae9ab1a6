"""What a protective stop does inside one bar, and what protects a position on its entry bar.

Prices inside a bar run open, nearer extreme, other extreme, close; a tie goes low first. Each
function is one row of `spec/atr-d.md` sections 2 and 3 for a long position and is shared by every
compiled engine, so that all of them fill alike. The reference engine has its own, plain version.

A short position is a long one on the market turned upside down: every price negated, highs and
lows exchanged, and the tie of the path turned too. Negation changes no bit of a sum, a difference
or a comparison, so the short side needs no rules of its own. Prices in that view are called the
side's *own* prices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from meseta._numba import inline

if TYPE_CHECKING:
    from meseta._types import BoolArray, FloatArray
    from meseta.bars import Bars

__all__ = [
    "NOT_STOPPED",
    "Prices",
    "rested",
    "shielded",
    "sides_of",
    "trail_fill",
    "trail_is_last",
    "trails_out",
]

NOT_STOPPED = -1e300


class Prices(NamedTuple):
    """Own prices of one side, each float64 of shape (N,).

    `high_first` tells whether a bar reaches `high` before `low`.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    high_first: BoolArray


def sides_of(bars: Bars, shorts: bool) -> tuple[Prices, ...]:  # noqa: FBT001
    """Return the own prices of longs and, if asked for, of shorts."""
    rises = bars.high - bars.open < bars.open - bars.low
    long = _frozen(bars.open, bars.high, bars.low, bars.close, rises)
    if not shorts:
        return (long,)
    return long, _frozen(-bars.open, -bars.low, -bars.high, -bars.close, ~rises)


def _frozen(*columns: Any) -> Prices:
    """Return prices that cannot be written to: kernels then see one type for both sides."""
    for column in columns:
        column.setflags(write=False)
    return Prices(*columns)


@inline
def trails_out(p: Prices, t: int, amount: float, top: float) -> bool:
    """Tell whether a trailing `amount` below the highest price `top` is hit on bar `t`.

    Never false for a smaller amount when it is true for a larger one: `top - amount` falls as
    the amount grows, also after rounding.
    """
    opened = max(top, p.open[t])
    peak = max(opened, p.high[t])
    if p.high_first[t]:
        return p.low[t] <= peak - amount
    return p.low[t] <= opened - amount or p.close[t] <= peak - amount


@inline
def trail_fill(
    opened: float, high: float, low: float, high_first: Any, amount: float, top: float
) -> float:
    """Return the price of the stop that `trails_out` found hit on a bar with these prices.

    Numbers instead of `Prices`: arrays that are handed on cost more than the arithmetic.
    """
    if opened <= top - amount:
        return opened
    best = max(top, opened)
    if not high_first and low <= best - amount:
        return best - amount
    return max(best, high) - amount


@inline
def trail_is_last(opened: float, low: float, high_first: Any, amount: float, top: float) -> bool:
    """Tell whether that stop is hit after both extremes, on the way to the close."""
    best = max(top, opened)
    return not (high_first or opened <= top - amount or low <= best - amount)


@inline
def shielded(p: Prices, e: int, amount: float, at_open: Any) -> float:
    """Return where the entry bar `e` stops a position out, or `NOT_STOPPED`.

    `amount` is the protection decided with the entry order; `at_open` tells that the order was
    filled at the open and not on the way up.
    """
    if not amount > 0.0:
        return NOT_STOPPED
    if p.high_first[e]:
        return p.high[e] - amount if p.low[e] <= p.high[e] - amount else NOT_STOPPED
    if at_open and p.low[e] <= p.open[e] - amount:
        return p.open[e] - amount
    return p.high[e] - amount if p.close[e] <= p.high[e] - amount else NOT_STOPPED


@inline
def rested(p: Prices, e: int, stop: float, at_open: Any) -> float:
    """Return where a stop order at `stop` ends a position on its entry bar, or `NOT_STOPPED`.

    A stop above the open counts as one at the open. Filled on the way up after the low, only
    the way to the close can reach it.
    """
    price = min(stop, p.open[e])
    reached = p.low[e] if p.high_first[e] or at_open else p.close[e]
    return price if reached <= price else NOT_STOPPED
