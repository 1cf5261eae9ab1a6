"""The compiled loop over bars: orders decided at one close, worked along the path of the next bar.

It runs what has no tables: kernel strategies, and a change of parameters in the middle of a
position. Everything it knows is in the book (`strategies/_book.py`), so that it can stop at any
close and go on with other rules. `_reference.py` does the same in plain Python, to be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._numba import inline, kernel
from meseta._words import after
from meseta.engine._trades import REASONS
from meseta.strategies._book import (
    ASK,
    BEST,
    DIRECTION,
    ENTRY_BAR,
    EQUITY,
    FILL,
    FINAL,
    FINISHING,
    LEAVE,
    LIMIT,
    LIMIT_PRICE,
    MARKET,
    NONE,
    PAID,
    PRICE,
    RESTING,
    SHARES,
    SIGNAL_STOP,
    SIZE,
    STOP_KIND,
    STOP_PRICE,
    STOPPED,
    TRAILING,
    side_at,
)

if TYPE_CHECKING:
    from meseta.engine._terms import Terms

__all__ = ["BOUNDARY", "BREACH", "CROSS", "TRADE_WORDS", "close_position", "marked", "walk_bar"]

# Direction, entry bar, exit bar, fill, exit price, shares, reason, profit after costs, costs.
TRADE_WORDS = 9
_TRAIL, _REVERSE, _REST = (REASONS.index(name) for name in ("trail", "reverse", "stop"))
_LIMIT, _BREACH = REASONS.index("limit"), REASONS.index("breach")
# What `LEAVE` holds.
BREACH, CROSS, BOUNDARY = (1 + REASONS.index(name) for name in ("breach", "cross", "boundary"))
# What works on a leg of the path.
_NOTHING, _ENTRY, _STOP, _TARGET = range(4)


@inline
def marked(book: Any, close: float, terms: Any) -> float:
    """Return the account with the position marked at a close."""
    if book[DIRECTION] == 0.0:
        return book[EQUITY]
    gain = book[DIRECTION] * (close - book[FILL]) * book[SHARES] * terms.point_value
    return book[EQUITY] - book[PAID] + gain


@inline
def close_position(
    book: Any, t: int, price: float, reason: int, terms: Any, trades: Any, count: int
) -> int:
    """Book the trade that ends at `price`; return the number of trades."""
    way, shares, value = book[DIRECTION], book[SHARES], terms.point_value
    left = terms.commission * abs(price) * shares * value
    left += terms.costs * shares
    pnl = way * (price - book[FILL]) * shares * value - book[PAID] - left
    row = after(trades, count * TRADE_WORDS)
    row[0], row[1], row[2], row[3], row[4] = way, book[ENTRY_BAR], t, book[FILL], price
    row[5], row[6], row[7], row[8] = shares, reason, pnl, book[PAID] + left
    book[EQUITY] += pnl
    book[STOPPED] = way if reason in (_TRAIL, _BREACH, _REST) else 0.0
    book[DIRECTION] = 0.0
    return count + 1


@inline
def _no_entries(book: Any) -> None:
    book[side_at(1) + ASK] = NONE
    book[side_at(-1) + ASK] = NONE


@inline
def _leave(
    book: Any, t: int, price: float, reason: int, terms: Any, trades: Any, count: int
) -> int:
    """Close at `price`; slippage worsens all but limit orders.

    Whoever was stopped out or reached the target is flat for the rest of the bar.
    """
    slip = 0.0 if reason == _LIMIT else terms.slippage
    worse = price - slip if book[DIRECTION] > 0.0 else price + slip
    if reason in (_TRAIL, _BREACH, _REST, _LIMIT):
        _no_entries(book)
    return close_position(book, t, worse, reason, terms, trades, count)


@inline
def _enter(
    book: Any, way: int, t: int, price: float, opened: float, terms: Any, trades: Any, count: int
) -> int:
    """Fill the entry order of one side; a position of the other side is closed there."""
    at = side_at(way)
    if book[DIRECTION] != 0.0:
        count = _leave(book, t, price, _REVERSE, terms, trades, count)
    slip = 0.0 if book[at + ASK] == LIMIT else terms.slippage
    _no_entries(book)
    if book[FINISHING] > 0.0:
        return count
    fill, shares = price + way * slip, book[at + SIZE]
    book[DIRECTION], book[SHARES], book[FILL], book[ENTRY_BAR] = float(way), shares, fill, t
    book[PAID] = terms.commission * abs(fill) * shares * terms.point_value
    book[BEST] = price
    book[FINAL] = book[at + SIGNAL_STOP]
    if book[at + STOP_KIND] == RESTING:
        # A stop that the open has passed already counts as one at the open.
        level = book[at + STOP_PRICE]
        book[at + STOP_PRICE] = min(level, opened) if way > 0 else max(level, opened)
    return count


@inline
def _asks(book: Any, way: int) -> bool:
    """Tell whether the entry order of a side can be filled: from flat, or to reverse."""
    if book[side_at(way) + ASK] == NONE or book[DIRECTION] == way:
        return False
    return not (book[FINISHING] > 0.0 and book[DIRECTION] == 0.0)


@inline
def _passed(kind: float, level: float, way: int, price: float) -> bool:
    """Tell whether the open lies beyond an entry order."""
    if kind == MARKET:
        return True
    if kind == LIMIT:
        return price < level if way > 0 else price > level
    return price >= level if way > 0 else price <= level


@inline
def _opens(book: Any, way: int, opened: float) -> bool:
    """Tell whether the entry order of a side is filled at the open."""
    at = side_at(way)
    return _asks(book, way) and _passed(book[at + ASK], book[at + PRICE], way, opened)


@inline
def _stop_level(book: Any) -> float:
    """Return where the position's stop stands now; NaN for none."""
    at = side_at(1) if book[DIRECTION] > 0.0 else side_at(-1)
    if book[at + STOP_KIND] == TRAILING:
        return book[BEST] - book[DIRECTION] * book[at + STOP_PRICE]
    return book[at + STOP_PRICE] if book[at + STOP_KIND] == RESTING else np.nan


@inline
def _stop_reason(book: Any) -> int:
    at = side_at(1) if book[DIRECTION] > 0.0 else side_at(-1)
    return _TRAIL if book[at + STOP_KIND] == TRAILING else _REST


@inline
def _follow(book: Any, price: float) -> None:
    if book[DIRECTION] > 0.0:
        book[BEST] = max(book[BEST], price)
    elif book[DIRECTION] < 0.0:
        book[BEST] = min(book[BEST], price)


@inline
def _at_open(book: Any, t: int, opened: float, terms: Any, trades: Any, count: int) -> int:
    """Work what the open has reached: leaving, then an entry, then stop and target."""
    leave = int(book[LEAVE])
    if leave > 0 and leave != BREACH and book[DIRECTION] != 0.0:
        count = _leave(book, t, opened, leave - 1, terms, trades, count)
    if _opens(book, 1, opened):
        return _enter(book, 1, t, opened, opened, terms, trades, count)
    if _opens(book, -1, opened):
        return _enter(book, -1, t, opened, opened, terms, trades, count)
    if book[DIRECTION] == 0.0:
        return count
    way = book[DIRECTION]
    level, target = (
        _stop_level(book),
        book[(side_at(1) if way > 0.0 else side_at(-1)) + LIMIT_PRICE],
    )
    if leave == BREACH:
        return _leave(book, t, opened, _BREACH, terms, trades, count)
    if way * opened <= way * level:
        return _leave(book, t, opened, _stop_reason(book), terms, trades, count)
    if way * opened > way * target:
        return _leave(book, t, opened, _LIMIT, terms, trades, count)
    return count


@inline
def _first_on_leg(book: Any, price: float, end: float, travel: int) -> Any:
    """Return what the leg from `price` to `end` reaches first, its price, and the side.

    At the same price an entry order comes before the stop, and the stop before the target.
    Prices are compared in the direction of travel (1 up, -1 down).
    """
    what, where, side = _NOTHING, np.inf, 0
    for way in (1, -1):
        at = side_at(way)
        if not _asks(book, way):
            continue
        level = book[at + PRICE]
        # A stop order is met in the direction of its side, a limit order against it.
        meets = travel == (-way if book[at + ASK] == LIMIT else way)
        ahead = travel * level
        reached = travel * end > ahead if book[at + ASK] == LIMIT else travel * end >= ahead
        if meets and reached and ahead < where:
            what, where, side = _ENTRY, ahead, way
    if book[DIRECTION] == 0.0:
        return what, travel * where, side
    way = int(book[DIRECTION])
    if travel == -way:
        level = travel * _stop_level(book)
        # What the price has passed before the order began to work is filled at the price.
        ahead = max(level, travel * price)
        if travel * end >= level and ahead < where:
            what, where, side = _STOP, ahead, way
    else:
        level = travel * book[side_at(way) + LIMIT_PRICE]
        ahead = max(level, travel * price)
        if travel * end > level and ahead < where:
            what, where, side = _TARGET, ahead, way
    return what, travel * where, side


@inline
def _leg(book: Any, t: int, leg: Any, opened: float, terms: Any, trades: Any, count: int) -> int:
    """Move the price along a leg (start, end, direction) and work what it reaches, in order."""
    price, end, travel = leg
    while True:
        what, where, way = _first_on_leg(book, price, end, travel)
        if what == _NOTHING:
            break
        price = where
        if what == _ENTRY:
            count = _enter(book, way, t, price, opened, terms, trades, count)
        elif what == _STOP:
            count = _leave(book, t, price, _stop_reason(book), terms, trades, count)
        else:
            count = _leave(book, t, price, _LIMIT, terms, trades, count)
    _follow(book, end)
    return count


@inline
def _works(book: Any) -> bool:
    """Tell whether any order is left that the bar may reach after its open."""
    if _asks(book, 1) or _asks(book, -1):
        return True
    if book[DIRECTION] == 0.0:
        return False
    at = side_at(1) if book[DIRECTION] > 0.0 else side_at(-1)
    return book[at + STOP_KIND] != 0.0 or not np.isnan(book[at + LIMIT_PRICE])


@inline
def _path(book: Any, t: int, bar: Any, terms: Any, trades: Any, count: int) -> int:
    """Walk from the open over both extremes to the close; a tie goes low first."""
    opened, high, low, close = bar
    _follow(book, opened)
    # A leg of no length still has its direction.
    travel = 1 if high - opened < opened - low else -1
    first, second = (high, low) if travel > 0 else (low, high)
    count = _leg(book, t, (opened, first, travel), opened, terms, trades, count)
    count = _leg(book, t, (first, second, -travel), opened, terms, trades, count)
    return _leg(book, t, (second, close, travel), opened, terms, trades, count)


@kernel
def walk_bar(
    book: Any, t: int, bar: tuple[float, float, float, float], rolled: float, terms: Terms,
    trades: Any, count: int,
) -> int:  # fmt: skip
    """Work the orders of the close before along the path of bar `t`.

    Parameters
    ----------
    book
        Place of account, position and orders; see `strategies/_book.py`.
    t, bar
        Number of the bar; open, high, low, close.
    rolled
        Rolls since the bar before.
    terms
        Costs and sizes.
    trades
        Place that receives the trades that end, rows of TRADE_WORDS, from row `count` on; a bar
        ends at most two.
    count
        Trades so far.

    Returns
    -------
    int
        Trades so far.
    """
    opened, high, low, _ = bar
    if rolled > 0 and book[DIRECTION] != 0.0:
        book[PAID] += terms.roll_cost * book[SHARES] * rolled
    count = _at_open(book, t, opened, terms, trades, count)
    if _works(book):
        count = _path(book, t, bar, terms, trades, count)
    if book[DIRECTION] != 0.0:
        extreme = high if book[DIRECTION] > 0.0 else low
        if book[ENTRY_BAR] == t:
            book[BEST] = extreme
        _follow(book, extreme)
    return count
