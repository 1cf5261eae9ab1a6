"""Where a simulation keeps its account, position and orders: words of one float64 array.

The compiled loop over bars, the orders that a kernel strategy gives and the switch from one
parameter set to the next all work on the same words, so that a simulation can stop at any close
and go on with other rules.
"""

from __future__ import annotations

from meseta._numba import inline

__all__ = [
    "ASK",
    "BAR",
    "BEST",
    "BOOK",
    "CLOSE",
    "DIRECTION",
    "ENTRY_BAR",
    "EQUITY",
    "FILL",
    "FINAL",
    "FINISHING",
    "LEAVE",
    "LIMIT",
    "LIMIT_PRICE",
    "LOT",
    "MARKET",
    "MEMORY",
    "NONE",
    "PAID",
    "POINT_VALUE",
    "PRICE",
    "QUANTITY",
    "RESTING",
    "SHARES",
    "SIDES",
    "SIDE_WORDS",
    "SIGNAL_STOP",
    "SIZE",
    "SLOTS",
    "STOP",
    "STOPPED",
    "STOP_KIND",
    "STOP_PRICE",
    "TICK",
    "TRAILING",
    "side_at",
]

# Account and position: realised equity; direction (1, -1, 0), shares and fill of the position,
# its entry bar, what it has paid so far (commission, rolls); the best price since entry (highest
# of a long, lowest of a short) and its final stop; direction of the last position if it was
# stopped out.
EQUITY, DIRECTION, SHARES, FILL, ENTRY_BAR, PAID, BEST, FINAL, STOPPED = range(9)
# The close at which orders are given: its bar and price. Why the position is left at the next
# open (a number of REASONS plus one, 0 for not). Whether the position is only to be ended, so
# that an opposite entry order closes it and opens nothing.
BAR, CLOSE, LEAVE, FINISHING = range(9, 13)
# Account and contract, which size and round orders.
LOT, QUANTITY, POINT_VALUE, TICK = range(13, 17)
# Orders of the next bar, first the side that longs need, then that of shorts: kind, price and
# size of the entry order; kind and price (or trailing amount) of the stop that protects a
# position of this side; price of the limit order that ends it, NaN for none.
ASK, PRICE, SIZE, STOP_KIND, STOP_PRICE, LIMIT_PRICE, SIGNAL_STOP = range(7)
SIDE_WORDS = 7
SIDES = (17, 17 + SIDE_WORDS)
# What a kernel strategy wants to remember.
MEMORY = SIDES[1] + SIDE_WORDS
SLOTS = 8
BOOK = MEMORY + SLOTS

NONE, MARKET, STOP, LIMIT = range(4)
RESTING, TRAILING = 1, 2


@inline
def side_at(direction: float) -> int:
    """Return where the orders of longs (1) or shorts (-1) begin."""
    return SIDES[0] if direction > 0 else SIDES[1]
