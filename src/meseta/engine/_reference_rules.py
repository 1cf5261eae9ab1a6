"""What a separable strategy decides at a close, in plain Python; see `spec/atr-d.md`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from meseta.engine._reference import Entry, Resting, Trailing
from meseta.strategies._rules import FLAT, LONG, SHORT

if TYPE_CHECKING:
    from meseta.engine._reference import Position, Walk
    from meseta.strategies._rules import Orders, Protection, Rules

__all__ = ["RulesDecider"]


class RulesDecider:
    """One parameter set of a separable strategy."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def decide(self, walk: Walk, t: int) -> None:
        """Give the orders of the next bar."""
        if self.rules.clears[t]:
            walk.stopped = FLAT
        p = walk.position
        if p is None:
            self.order(walk, t, self.orders_when_flat(walk))
            return
        self.update(t, p)
        if self.is_left(t, p):
            walk.orders.leaves = "cross"
            if self.rules.turns:
                self.order(walk, t, self.rules.orders[0])
            return
        if self.reverses(p):
            self.order(walk, t, self.rules.orders[0])
        self.protect(walk, t, p)

    def orders_when_flat(self, walk: Walk) -> Orders:
        orders = self.rules.orders
        if len(orders) == 1 or walk.stopped == FLAT:
            return orders[0]
        return orders[1] if walk.stopped == LONG else orders[2]

    def order(self, walk: Walk, t: int, orders: Orders) -> None:
        """Give the entry order of close `t`, sized with the equity realised up to there."""
        direction, p = int(orders.direction[t]), walk.position
        if t < self.rules.first or direction == FLAT or (p and p.direction == direction):
            return
        price = float(orders.price[t])
        if not price > 0:
            return
        equity = walk.equity if p is None else walk.equity - p.paid
        shares = walk.sized(equity, price)
        if shares > 0:
            guard, final = self.guard(direction, t)
            level = float(orders.level[t])
            walk.orders.entries[direction] = Entry(direction, "stop", level, shares, guard, final)

    def guard(self, direction: int, t: int) -> tuple[Trailing | Resting | None, float]:
        """Return what protects an entry on its bar, and the final stop that it begins with.

        A resting stop order begins on the signal bar, the trailing one on the entry bar.
        """
        protection, buys = self.protection(direction), direction == SHORT
        if protection.trailing:
            amount = float(protection.shield[t])
            return (Trailing(buys, math.nan, amount) if amount > 0 else None), math.nan
        stop = float(protection.stop[t])
        return Resting(buys, stop), stop

    def is_left(self, t: int, p: Position) -> bool:
        leaves = self.rules.leave_long if p.direction == LONG else self.rules.leave_short
        return leaves is not None and bool(leaves[t])

    def reverses(self, p: Position) -> bool:
        return self.rules.reverses_long if p.direction == LONG else self.rules.reverses_short

    def update(self, t: int, p: Position) -> None:
        """Move the final stop to the close of bar `t`."""
        protection = self.protection(p.direction)
        stop = float(protection.stop[t])
        if t == p.entry_bar and protection.trailing:
            p.final = stop
        p.final = max(p.final, stop) if p.direction == LONG else min(p.final, stop)

    def protect(self, walk: Walk, t: int, p: Position) -> None:
        """Decide the stop order of the next bar, or to leave it at the open."""
        buys = p.direction == SHORT
        if not self.protection(p.direction).trailing:
            walk.orders.stop = Resting(buys, p.final)
            return
        close, factor = float(walk.bars.close[t]), float(self.rules.tightening[t])
        amount = (p.final - close) * factor if buys else (close - p.final) * factor
        if amount < 0:
            walk.orders.leaves = "breach"
        else:
            walk.orders.stop = Trailing(buys, p.best, amount)

    def protection(self, direction: int) -> Protection:
        found = self.rules.long if direction == LONG else self.rules.short
        assert found is not None  # a strategy that only buys gives no order to sell short
        return found
