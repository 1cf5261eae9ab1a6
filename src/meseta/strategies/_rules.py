"""What a separable strategy decides from closed bars, in the words that every engine reads.

All prices are the market's own (never mirrored), and every array has one value for each bar of
the whole series: the value at `t` is decided at the close of `t` from bars up to `t`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from meseta._types import BoolArray, FloatArray

__all__ = ["FLAT", "LONG", "SHORT", "Orders", "Protection", "Rules"]

LONG, SHORT, FLAT = 1, -1, 0


class Orders(NamedTuple):
    """The entry order for the next bar, at every close; arrays of shape (N,).

    Parameters
    ----------
    direction
        1 buys, -1 sells short, 0 is no order; int8.
    level
        Price of the stop order. A market order has a level that every price has passed: minus
        infinity to buy, plus infinity to sell.
    price
        Price that sizes the order: the level of a stop order, the close for a market order. An
        order whose price is not positive is not given.
    """

    direction: np.ndarray[tuple[int], np.dtype[np.int8]]
    level: FloatArray
    price: FloatArray


class Protection(NamedTuple):
    """What protects a position of one direction; arrays of shape (N,).

    Parameters
    ----------
    stop
        Candidate for the final stop at each close. While a position is open the best one since
        its entry counts: the highest for a long, the lowest for a short.
    shield
        `trailing`: amount that trails the best price on the entry bar, decided with the entry
        order; none where it is not positive. Not read otherwise.
    trailing
        True: a trailing amount works, the distance from the close to the final stop times the
        tightening (`spec/atr-d.md` section 3). False: a stop order rests at the final stop; on
        the entry bar it rests at the candidate of the signal bar, or at the open of the entry
        bar if that is the worse price.
    """

    stop: FloatArray
    shield: FloatArray
    trailing: bool = True


class Rules(NamedTuple):
    """All decisions of one parameter set.

    Parameters
    ----------
    orders
        Entry orders while flat. One `Orders` when it does not matter how the last position
        ended. Else the first is for a strategy that was not stopped out, the second after a
        long was stopped out, the third (if shorts are traded) after a short was stopped out.
        Stopped out is a position closed by `trail`, `breach` or `stop`.
    clears
        Closes at which "stopped out" is forgotten before the order is chosen; bool, shape (N,).
    long, short
        Protection of each direction; `short` is None for a strategy that only buys.
    tightening
        Factor on trailing amounts, 0 < g <= 1, shape (N,).
    leave_long, leave_short
        Closes at which an open position is closed at the next open (reason `cross`), or None. It
        comes before a breach at the same close.
    turns
        When a position is left at such a close, the entry order of that close (a market order
        the other way, from `orders[0]`) works too: closed and opened at the same open.
    reverses_long, reverses_short
        While a long (a short) is open, the entry order of each close works if it is the other
        way; filled, it closes the position and opens the opposite one (reason `reverse`).
    first
        First bar on which a signal may be given.
    """

    orders: tuple[Orders, ...]
    clears: BoolArray
    long: Protection
    short: Protection | None
    tightening: FloatArray
    leave_long: BoolArray | None
    leave_short: BoolArray | None
    turns: bool
    reverses_long: bool
    reverses_short: bool
    first: int
