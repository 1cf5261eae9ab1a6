"""What a trailing stop does inside one bar, and what protects a position on its entry bar.

Prices inside a bar run open, nearer extreme, other extreme, close; a tie goes low first. Each
function is one row of `spec/atr-d.md` sections 2 and 3 and is shared by every compiled engine,
so that all of them fill alike. The reference engine has its own, plain version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from meseta._numba import inline

if TYPE_CHECKING:
    from meseta._types import FloatArray

__all__ = ["NOT_STOPPED", "Prices", "high_first", "shielded", "trail_fill", "trails_out"]

NOT_STOPPED = -1e300


class Prices(NamedTuple):
    """Open, high, low and close, each float64 of shape (N,)."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


@inline
def high_first(p: Prices, t: int) -> bool:
    """Tell whether bar `t` reaches its high before its low."""
    return p.high[t] - p.open[t] < p.open[t] - p.low[t]


@inline
def trails_out(p: Prices, t: int, amount: float, top: float) -> bool:
    """Tell whether a trailing `amount` below the highest price `top` is hit on bar `t`.

    Never false for a smaller amount when it is true for a larger one: `top - amount` falls as
    the amount grows, also after rounding.
    """
    opened = max(top, p.open[t])
    peak = max(opened, p.high[t])
    if high_first(p, t):
        return p.low[t] <= peak - amount
    return p.low[t] <= opened - amount or p.close[t] <= peak - amount


@inline
def trail_fill(p: Prices, t: int, amount: float, top: float) -> float:
    """Return the price of the stop that `trails_out` found hit on bar `t`."""
    if p.open[t] <= top - amount:
        return p.open[t]
    opened = max(top, p.open[t])
    peak = max(opened, p.high[t])
    if not high_first(p, t) and p.low[t] <= opened - amount:
        return opened - amount
    return peak - amount


@inline
def shielded(p: Prices, e: int, amount: float, at_open: Any) -> float:
    """Return where the entry bar `e` stops a position out, or `NOT_STOPPED`.

    `amount` is the protection decided with the entry order; `at_open` tells that the order was
    filled at the open and not on the way up.
    """
    if not amount > 0.0:
        return NOT_STOPPED
    if high_first(p, e):
        return p.high[e] - amount if p.low[e] <= p.high[e] - amount else NOT_STOPPED
    if at_open and p.low[e] <= p.open[e] - amount:
        return p.open[e] - amount
    return p.high[e] - amount if p.close[e] <= p.high[e] - amount else NOT_STOPPED
