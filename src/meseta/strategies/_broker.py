"""The broker that a kernel strategy gives its orders to.

`Broker` is what a strategy sees when the reference engine runs it in plain Python. Compiled, the
same method calls and attributes write to and read from the book (`_book.py`): a type of its own
that is nothing but the place of the book in memory, so that a call costs a store.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from llvmlite import ir
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic as _intrinsic
from numba.extending import overload_attribute, overload_method, register_model

from meseta._numba import inline
from meseta._words import Words
from meseta.strategies._book import (
    ASK,
    BAR,
    BEST,
    CLOSE,
    DIRECTION,
    ENTRY_BAR,
    EQUITY,
    FILL,
    LEAVE,
    LIMIT,
    LIMIT_PRICE,
    LOT,
    MARKET,
    MEMORY,
    NONE,
    PAID,
    POINT_VALUE,
    PRICE,
    QUANTITY,
    RESTING,
    SHARES,
    SIDES,
    SIGNAL_STOP,
    SIZE,
    SLOTS,
    STOP,
    STOP_KIND,
    STOP_PRICE,
    TICK,
    side_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from meseta._types import FloatArray

__all__ = ["EXIT", "Broker", "broker_of", "clear_orders"]

# What `LEAVE` says when a strategy leaves at the market; see `engine/_trades.py`.
EXIT = 8
# A price that a rounding error away from a tick is on it.
_NEAR = 1e-9


class Broker:
    """Takes the orders of the next bar, and tells what is held.

    A kernel strategy is called at every close with a broker. Orders live on the next bar alone.
    `buy` and `short` enter, or reverse a position of the other direction; a position of the same
    direction is never added to. `sell` ends a long, `cover` a short. Exit orders also protect a
    position that is entered on that bar. Of several orders of one kind and side the last counts.

    A price that is not finite is no order. Sizes are shares or contracts, rounded down to whole
    lots; less than a lot, or no finite number, is no order. None is what the account says: whole
    lots for all of the equity at the order's price (the close for a market order), or the
    contract's fixed quantity.

    Attributes
    ----------
    position : float
        Shares or contracts held, negative for a short, 0 when flat.
    entry_price : float
        Fill of the position, slippage included; NaN when flat.
    bars_held : int
        Bars from the entry bar to this one; 0 on the entry bar, -1 when flat.
    best : float
        Highest high since the entry of a long, lowest low of a short, the entry bar's included;
        NaN when flat.
    profit : float
        Money that the position has made up to this close, without costs; 0 when flat.
    equity : float
        Realised equity, money.
    """

    def __init__(self, book: FloatArray) -> None:
        self._book = book

    # NumPy's numbers: dividing by one that is 0 gives infinity, as in compiled strategies.

    @property
    def position(self) -> float:
        """Shares or contracts held, negative for a short."""
        return np.float64(self._book[DIRECTION] * self._book[SHARES])

    @property
    def entry_price(self) -> float:
        """Fill of the position."""
        return np.float64(self._book[FILL] if self._book[DIRECTION] else np.nan)

    @property
    def bars_held(self) -> int:
        """Bars since the entry bar."""
        b = self._book
        return cast("int", np.int64(b[BAR] - b[ENTRY_BAR] if b[DIRECTION] else -1))

    @property
    def best(self) -> float:
        """Best price since the entry."""
        return np.float64(self._book[BEST] if self._book[DIRECTION] else np.nan)

    @property
    def profit(self) -> float:
        """Money that the position has made up to this close."""
        b = self._book
        moved = b[DIRECTION] * (b[CLOSE] - b[FILL])
        return np.float64(moved * b[SHARES] * b[POINT_VALUE] if b[DIRECTION] else 0.0)

    @property
    def equity(self) -> float:
        """Realised equity."""
        return np.float64(self._book[EQUITY])

    def buy(self, size: float | None = None) -> None:
        """Buy at the next open; a short is closed there and a long opened."""
        self._enter(1, MARKET, float(self._book[CLOSE]), size)

    def buy_stop(self, price: float, size: float | None = None) -> None:
        """Buy when the next bar rises to `price`, at its open where that is higher."""
        self._enter(1, STOP, self._up(price), size)

    def buy_limit(self, price: float, size: float | None = None) -> None:
        """Buy when the next bar falls below `price`, at its open where that is lower.

        Touching the price is not enough: whoever waits there first is served first.
        """
        self._enter(1, LIMIT, self._down(price), size)

    def short(self, size: float | None = None) -> None:
        """Sell short at the next open; a long is closed there and a short opened."""
        self._enter(-1, MARKET, float(self._book[CLOSE]), size)

    def short_stop(self, price: float, size: float | None = None) -> None:
        """Sell short when the next bar falls to `price`, at its open where that is lower."""
        self._enter(-1, STOP, self._down(price), size)

    def short_limit(self, price: float, size: float | None = None) -> None:
        """Sell short when the next bar rises above `price`, at its open where that is higher."""
        self._enter(-1, LIMIT, self._up(price), size)

    def sell(self) -> None:
        """Sell a long at the next open; nothing when none is open now."""
        if self._book[DIRECTION] > 0:
            self._book[LEAVE] = EXIT

    def sell_stop(self, price: float) -> None:
        """Sell a long when the next bar falls to `price`, at its open where that is lower.

        On the bar that a long is entered on the stop works from the fill, at the open of the bar
        where `price` lies above it.
        """
        self._protect(1, self._down(price))

    def sell_limit(self, price: float) -> None:
        """Sell a long when the next bar rises above `price`, at its open where that is higher."""
        self._aim(1, self._up(price))

    def cover(self) -> None:
        """Close a short at the next open; nothing when none is open now."""
        if self._book[DIRECTION] < 0:
            self._book[LEAVE] = EXIT

    def cover_stop(self, price: float) -> None:
        """Close a short when the next bar rises to `price`; see `sell_stop`."""
        self._protect(-1, self._up(price))

    def cover_limit(self, price: float) -> None:
        """Close a short when the next bar falls below `price`; see `sell_limit`."""
        self._aim(-1, self._down(price))

    def remember(self, slot: int, value: float) -> None:
        """Keep a number in one of 8 slots; they are 0 at the start of a simulation."""
        _require_slot(slot)
        self._book[MEMORY + slot] = value

    def recall(self, slot: int) -> float:
        """Return what `remember` kept in a slot."""
        _require_slot(slot)
        return np.float64(self._book[MEMORY + slot])

    def _enter(self, direction: int, kind: int, price: float, size: float | None) -> None:
        if not math.isfinite(price):
            return
        at, shares = _side(direction), self._shares(price, size)
        if shares > 0:
            self._book[at + ASK : at + SIZE + 1] = kind, price, shares

    def _shares(self, price: float, size: float | None) -> float:
        """Return the size of an order, 0 where that is less than a lot."""
        b = self._book
        lot = float(b[LOT])
        if size is not None:
            shares = math.floor(size / lot) * lot if 0 < size < math.inf else 0.0
        elif b[QUANTITY] > 0:
            return float(b[QUANTITY])
        elif price > 0:
            paid = float(b[PAID]) if b[DIRECTION] else 0.0
            shares = math.floor((float(b[EQUITY]) - paid) / price / lot) * lot
        else:
            return 0.0
        return shares if shares >= lot else 0.0

    def _protect(self, direction: int, price: float) -> None:
        if math.isfinite(price):
            at = _side(direction)
            self._book[at + STOP_KIND], self._book[at + STOP_PRICE] = RESTING, price
            self._book[at + SIGNAL_STOP] = price

    def _aim(self, direction: int, price: float) -> None:
        if math.isfinite(price):
            self._book[_side(direction) + LIMIT_PRICE] = price

    def _up(self, price: float) -> float:
        tick = float(self._book[TICK])
        if tick <= 0 or not math.isfinite(price):
            return price
        return math.ceil(price / tick - _NEAR) * tick

    def _down(self, price: float) -> float:
        tick = float(self._book[TICK])
        if tick <= 0 or not math.isfinite(price):
            return price
        return math.floor(price / tick + _NEAR) * tick


def _side(direction: int) -> int:
    return SIDES[0] if direction > 0 else SIDES[1]


def _require_slot(slot: int) -> None:
    if not 0 <= slot < SLOTS:
        raise ValueError(f"a broker remembers slots 0 to {SLOTS - 1}")


@inline
def clear_orders(book: Any) -> None:
    """Take back every order of the bar before."""
    book[LEAVE] = 0.0
    for at in SIDES:
        book[at + ASK] = NONE
        book[at + STOP_KIND] = 0.0
        book[at + LIMIT_PRICE] = np.nan


# The same for compiled strategies ----------------------------------------------------------

intrinsic: Any = _intrinsic
# Numbers of the book: of whole ones, the compiler would make each a version of its own.
_MARKET, _STOP, _LIMIT = float(MARKET), float(STOP), float(LIMIT)


class _BrokerType(Words):
    """The place of a book, which has a broker's methods and attributes."""


_broker = _BrokerType("Broker")


@intrinsic
def broker_of(_typing: Any, book: Any) -> Any:
    """Return the broker of a book."""
    return _broker(book), lambda _context, _builder, _signature, v: v[0]


@register_model(_BrokerType)
class _BrokerModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.DoubleType().as_pointer())


def _attribute(name: str) -> Callable[[Any], Any]:
    return overload_attribute(_BrokerType, name, jit_options={"forceinline": True})


def _method(name: str) -> Callable[[Any], Any]:
    return overload_method(_BrokerType, name, jit_options={"forceinline": True})


@_attribute("position")
def _position(_b):
    return lambda _b: _b[DIRECTION] * _b[SHARES]


@_attribute("entry_price")
def _entry_price(_b):
    return lambda _b: np.nan if _b[DIRECTION] == 0.0 else _b[FILL]


@_attribute("bars_held")
def _bars_held(_b):
    def held(_b):
        if _b[DIRECTION] == 0.0:
            return -1
        return np.int64(_b[BAR] - _b[ENTRY_BAR])

    return held


@_attribute("best")
def _best(_b):
    return lambda _b: np.nan if _b[DIRECTION] == 0.0 else _b[BEST]


@_attribute("profit")
def _profit(_b):
    def made(_b):
        if _b[DIRECTION] == 0.0:
            return 0.0
        moved = _b[DIRECTION] * (_b[CLOSE] - _b[FILL])
        return moved * _b[SHARES] * _b[POINT_VALUE]

    return made


@_attribute("equity")
def _equity(_b):
    return lambda _b: _b[EQUITY]


@inline
def _sized(b: Any, price: float, size: Any) -> float:
    lot = b[LOT]
    if size is not None:
        shares = np.floor(size / lot) * lot if 0.0 < size < np.inf else 0.0
    elif b[QUANTITY] > 0.0:
        return b[QUANTITY]
    elif price > 0.0:
        paid = b[PAID] if b[DIRECTION] != 0.0 else 0.0
        shares = np.floor((b[EQUITY] - paid) / price / lot) * lot
    else:
        return 0.0
    return shares if shares >= lot else 0.0


@inline
def _ask(b: Any, direction: float, kind: float, price: float, size: Any) -> None:
    if np.isfinite(price):
        shares = _sized(b, price, size)
        if shares > 0.0:
            at = side_at(direction)
            b[at + ASK] = kind
            b[at + PRICE] = price
            b[at + SIZE] = shares


@inline
def _rest(b: Any, direction: float, price: float) -> None:
    if np.isfinite(price):
        at = side_at(direction)
        b[at + STOP_KIND] = float(RESTING)
        b[at + STOP_PRICE] = price
        b[at + SIGNAL_STOP] = price


@inline
def _target(b: Any, direction: float, price: float) -> None:
    if np.isfinite(price):
        b[side_at(direction) + LIMIT_PRICE] = price


@inline
def _rounded_up(b: Any, price: float) -> float:
    tick = b[TICK]
    return np.ceil(price / tick - _NEAR) * tick if tick > 0.0 else price


@inline
def _rounded_down(b: Any, price: float) -> float:
    tick = b[TICK]
    return np.floor(price / tick + _NEAR) * tick if tick > 0.0 else price


@_method("buy")
def _buy(_b, size=None):
    return lambda _b, size=None: _ask(_b, 1.0, _MARKET, _b[CLOSE], size)


@_method("buy_stop")
def _buy_stop(_b, price, size=None):
    return lambda _b, price, size=None: _ask(_b, 1.0, _STOP, _rounded_up(_b, price), size)


@_method("buy_limit")
def _buy_limit(_b, price, size=None):
    return lambda _b, price, size=None: _ask(_b, 1.0, _LIMIT, _rounded_down(_b, price), size)


@_method("short")
def _short(_b, size=None):
    return lambda _b, size=None: _ask(_b, -1.0, _MARKET, _b[CLOSE], size)


@_method("short_stop")
def _short_stop(_b, price, size=None):
    return lambda _b, price, size=None: _ask(_b, -1.0, _STOP, _rounded_down(_b, price), size)


@_method("short_limit")
def _short_limit(_b, price, size=None):
    return lambda _b, price, size=None: _ask(_b, -1.0, _LIMIT, _rounded_up(_b, price), size)


@_method("sell")
def _sell(_b):
    def leave(_b):
        if _b[DIRECTION] > 0.0:
            _b[LEAVE] = float(EXIT)

    return leave


@_method("sell_stop")
def _sell_stop(_b, price):
    return lambda _b, price: _rest(_b, 1.0, _rounded_down(_b, price))


@_method("sell_limit")
def _sell_limit(_b, price):
    return lambda _b, price: _target(_b, 1.0, _rounded_up(_b, price))


@_method("cover")
def _cover(_b):
    def leave(_b):
        if _b[DIRECTION] < 0.0:
            _b[LEAVE] = float(EXIT)

    return leave


@_method("cover_stop")
def _cover_stop(_b, price):
    return lambda _b, price: _rest(_b, -1.0, _rounded_up(_b, price))


@_method("cover_limit")
def _cover_limit(_b, price):
    return lambda _b, price: _target(_b, -1.0, _rounded_down(_b, price))


@inline
def _keep(b: Any, index: int, value: float) -> None:
    b[index] = float(value)


@inline
def _checked(slot: int) -> int:
    if slot < 0 or slot >= SLOTS:
        raise ValueError("a broker remembers slots 0 to 7")
    return slot


@_method("remember")
def _remember(_b, slot, value):
    return lambda _b, slot, value: _keep(_b, MEMORY + _checked(slot), value)


@_method("recall")
def _recall(_b, slot):
    return lambda _b, slot: _b[MEMORY + _checked(slot)]
