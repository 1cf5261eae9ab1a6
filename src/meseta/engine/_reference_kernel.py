"""A kernel strategy in plain Python: its own function, called with the plain broker."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from meseta._numba import plain
from meseta.engine._reference import Entry, Resting
from meseta.engine._trades import REASONS
from meseta.strategies import Broker
from meseta.strategies._book import (
    ASK,
    BAR,
    BEST,
    BOOK,
    CLOSE,
    DIRECTION,
    ENTRY_BAR,
    EQUITY,
    FILL,
    LEAVE,
    LIMIT_PRICE,
    LOT,
    MEMORY,
    PAID,
    POINT_VALUE,
    PRICE,
    QUANTITY,
    SHARES,
    SIDES,
    SIZE,
    SLOTS,
    STOP_KIND,
    STOP_PRICE,
    TICK,
)
from meseta.strategies._broker import clear_orders
from meseta.strategies._rules import LONG, SHORT

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.engine._reference import Walk
    from meseta.strategies import KernelStrategy
    from meseta.strategies._kernel import Prepared

__all__ = ["KernelDecider"]

_KINDS: tuple[Literal["market", "stop", "limit"], ...] = ("market", "stop", "limit")


class KernelDecider:
    """One parameter set of a kernel strategy."""

    def __init__(self, strategy: KernelStrategy, prepared: Prepared, warmup: int) -> None:
        self.strategy, self.prepared, self.warmup = strategy, prepared, warmup

    def decide(self, walk: Walk, t: int) -> None:
        """Call the strategy's function, and take over the orders that it gave."""
        if t < self.warmup:
            return
        book = _book_of(walk, t)
        self.call(t, Broker(book))
        walk.memory[:] = book[MEMORY : MEMORY + SLOTS]
        if book[LEAVE]:
            walk.orders.leaves = REASONS[int(book[LEAVE]) - 1]
        for direction, at in zip((LONG, SHORT), SIDES, strict=True):
            _take(walk, direction, book[at:])

    def call(self, t: int, broker: Broker) -> None:
        """Call the function with numbers that divide as compiled ones do, by zero too."""
        made, function = self.prepared, self.strategy.decide.run.py_func
        series = () if self.strategy.series is None else (made.series,)
        values = [np.int64(v) if isinstance(v, int) else np.float64(v) for v in made.values]
        try:
            with np.errstate(all="ignore"):
                function(np.int64(t), made.market, broker, *series, *values)
        except Exception as error:
            raise self.strategy.raised(error, t) from error


def _book_of(walk: Walk, t: int) -> FloatArray:
    """Write down what a strategy may ask the broker for."""
    book, p, c = np.zeros(BOOK), walk.position, walk.contract
    plain(clear_orders)(book)
    book[EQUITY], book[BAR], book[CLOSE] = walk.equity, t, walk.bars.close[t]
    book[LOT], book[QUANTITY] = walk.account.lot, c.quantity or 0.0
    book[POINT_VALUE], book[TICK] = c.point_value, c.tick
    book[MEMORY : MEMORY + SLOTS] = walk.memory
    if p is not None:
        book[DIRECTION], book[SHARES], book[FILL] = p.direction, p.shares, p.fill
        book[ENTRY_BAR], book[PAID], book[BEST] = p.entry_bar, p.paid, p.best
    return book


def _take(walk: Walk, direction: int, side: FloatArray) -> None:
    """Take over the orders of one side."""
    p, guard = walk.position, None
    if side[STOP_KIND]:
        guard = Resting(direction == SHORT, float(side[STOP_PRICE]))
    if p is not None and p.direction == direction:
        walk.orders.stop = guard
    if not math.isnan(side[LIMIT_PRICE]):
        walk.orders.targets[direction] = float(side[LIMIT_PRICE])
    if side[ASK]:
        kind, price = _KINDS[int(side[ASK]) - 1], float(side[PRICE])
        entry = Entry(direction, kind, price, float(side[SIZE]), guard)
        walk.orders.entries[direction] = entry
