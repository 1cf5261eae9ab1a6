"""The reference engine: bar by bar, in plain Python, to be read beside `spec/atr-d.md`.

At every close the orders of the next bar are decided; on every bar its path is walked from point
to point, and what the moving price reaches first happens first. It is slow and simple on
purpose: every other engine is tested against its trades. Longs and shorts are both written out
in the market's own prices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meseta.engine._trades import Report, Simulation, Trade, Window
from meseta.strategies._rules import FLAT, LONG, SHORT

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.account import Account
    from meseta.bars import Bars
    from meseta.strategies._rules import Orders, Protection, Rules

__all__ = ["simulate"]

STOPPED_OUT = ("trail", "breach", "stop")


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry order for one bar, sized at the close of bar `signal`."""

    direction: int
    level: float
    shares: float
    signal: int

    @property
    def buys(self) -> bool:
        return self.direction == LONG


@dataclass(slots=True)
class _Position:
    """An open position; `best` is the highest price since entry of a long, the lowest of a short.

    `final` is the final stop F.
    """

    direction: int
    entry_bar: int
    fill: float
    shares: float
    entry_cost: float
    best: float = math.nan
    final: float = math.nan

    def gain(self, price: float) -> float:
        if self.direction == LONG:
            return (price - self.fill) * self.shares
        return (self.fill - price) * self.shares


@dataclass(slots=True)
class _Trailing:
    """A stop order that follows the best price of a position at a distance."""

    buys: bool
    best: float
    amount: float
    reason: str = "trail"

    @property
    def level(self) -> float:
        return self.best + self.amount if self.buys else self.best - self.amount

    def follow(self, price: float) -> None:
        self.best = min(self.best, price) if self.buys else max(self.best, price)


@dataclass(frozen=True, slots=True)
class _Resting:
    """A stop order that stands still."""

    buys: bool
    level: float
    reason: str = "stop"

    def follow(self, price: float) -> None:
        pass


def simulate(bars: Bars, rules: Rules, window: Window, account: Account) -> Simulation:
    """Trade one parameter set over one window.

    Parameters
    ----------
    bars
        The whole series.
    rules
        Decisions at every close, computed on the whole series; see `Rules`. Orders are not
        read before `rules.first`, where their values may be NaN.
    window
        Bars to trade.
    account
        Capital and costs.

    Returns
    -------
    Simulation
        Trades, equity at every close, report.
    """
    return _Walk(bars, rules, window, account).run()


class _Walk:
    """The state of one simulation.

    `order`, `stop` and `leaves` are what the last close decided for the next bar: an entry
    order, the stop order that protects the position, and the reason of a market exit.
    `stopped` is the direction of the last position if it was stopped out, until forgotten.
    """

    def __init__(self, bars: Bars, rules: Rules, window: Window, account: Account) -> None:
        self.bars, self.rules, self.window, self.account = bars, rules, window, account
        self.equity = account.capital
        self.position: _Position | None = None
        self.order: _Entry | None = None
        self.stop: _Trailing | _Resting | None = None
        self.leaves = ""
        self.stopped = FLAT
        self.trades: list[Trade] = []
        self.marks = np.empty(window.stop - window.start)

    def run(self) -> Simulation:
        first, split, stop = self.window
        at_split = self.equity
        for t in range(first, stop):
            if t > first:
                self.walk(t)
            if t < stop - 1:
                self.decide(t)
            elif self.position is not None:
                self.close(t, float(self.bars.close[t]), "end")
            self.marks[t - first] = self.mark(t)
            if t == split - 1:
                at_split = self.split_equity(t)
        return Simulation(self.window, tuple(self.trades), self.marks, self.report(at_split))

    # At the close of bar t.

    def decide(self, t: int) -> None:
        self.order, self.stop, self.leaves = None, None, ""
        if self.rules.clears[t]:
            self.stopped = FLAT
        p = self.position
        if p is None:
            self.order = self.entry_order(t, self.orders_when_flat())
            return
        self.update(t, p)
        if self.is_left(t, p):
            self.leaves = "cross"
            if self.rules.turns:
                self.order = self.opposite_order(t, p)
            return
        if self.reverses(p):
            self.order = self.opposite_order(t, p)
        self.protect(t, p)

    def orders_when_flat(self) -> Orders:
        orders = self.rules.orders
        if len(orders) == 1 or self.stopped == FLAT:
            return orders[0]
        return orders[1] if self.stopped == LONG else orders[2]

    def entry_order(self, t: int, orders: Orders) -> _Entry | None:
        """Size the order of close `t` with the equity realised up to there."""
        direction = int(orders.direction[t])
        if t < self.rules.first or direction == FLAT:
            return None
        price, lot = float(orders.price[t]), self.account.lot
        if not price > 0:
            return None
        equity = self.equity if self.position is None else self.equity - self.position.entry_cost
        shares = math.floor(equity / price / lot) * lot
        if shares < lot:
            return None
        return _Entry(direction, float(orders.level[t]), shares, signal=t)

    def opposite_order(self, t: int, p: _Position) -> _Entry | None:
        order = self.entry_order(t, self.rules.orders[0])
        return order if order is not None and order.direction == -p.direction else None

    def is_left(self, t: int, p: _Position) -> bool:
        leaves = self.rules.leave_long if p.direction == LONG else self.rules.leave_short
        return leaves is not None and bool(leaves[t])

    def reverses(self, p: _Position) -> bool:
        return self.rules.reverses_long if p.direction == LONG else self.rules.reverses_short

    def update(self, t: int, p: _Position) -> None:
        """Move the best price since entry and the final stop to the close of bar `t`."""
        protection = self.protection(p.direction)
        stop = float(protection.stop[t])
        high, low = float(self.bars.high[t]), float(self.bars.low[t])
        if t == p.entry_bar:
            p.best = high if p.direction == LONG else low
            # A resting stop order begins on the signal bar, the trailing one on the entry bar.
            p.final = stop if protection.trailing else float(protection.stop[t - 1])
        p.best = max(p.best, high) if p.direction == LONG else min(p.best, low)
        p.final = max(p.final, stop) if p.direction == LONG else min(p.final, stop)

    def protect(self, t: int, p: _Position) -> None:
        """Decide the stop order of the next bar, or to leave it at the open."""
        buys = p.direction == SHORT
        if not self.protection(p.direction).trailing:
            self.stop = _Resting(buys, p.final)
            return
        close, factor = float(self.bars.close[t]), float(self.rules.tightening[t])
        amount = (p.final - close) * factor if buys else (close - p.final) * factor
        if amount < 0:
            self.leaves = "breach"
        else:
            self.stop = _Trailing(buys, p.best, amount)

    # On bar t.

    def walk(self, t: int) -> None:
        """Work the orders that were decided at the close before, along the path of bar `t`."""
        o, h, low, c = self.prices(t)
        self.at_open(t, o)
        for rising, end in _legs(o, h, low, c):
            self.leg(t, end, rising=rising)

    def at_open(self, t: int, o: float) -> None:
        if self.leaves == "cross":
            self.leave(t, o, "cross")
        if self.order is not None and _reaches(o, self.order):
            self.enter(t, o)
        elif self.leaves == "breach":
            self.leave(t, o, "breach")
        elif self.stop is not None and _reaches(o, self.stop):
            self.leave(t, o, self.stop.reason)
        if self.stop is not None:
            self.stop.follow(o)

    def leg(self, t: int, end: float, *, rising: bool) -> None:
        """Move the price to `end`; buy orders can fill on a rise, sell orders on a fall."""
        order, stop = self.order, self.stop
        if order is not None and (order.buys != rising or not _reaches(end, order)):
            order = None
        if stop is not None and (stop.buys != rising or not _reaches(end, stop)):
            stop = None
        if order is not None and (stop is None or _not_after(order, stop)):
            self.enter(t, order.level)
        elif stop is not None:
            self.leave(t, stop.level, stop.reason)
        if self.stop is not None and self.stop.buys != rising:
            self.stop.follow(end)

    def enter(self, t: int, price: float) -> None:
        """Fill the entry order at `price`; an open position is closed there by it."""
        order = self.order
        assert order is not None  # the caller found it reached
        if self.position is not None:
            self.leave(t, price, "reverse")
        slippage = self.account.slippage
        fill = price + slippage if order.buys else price - slippage
        cost = self.account.commission * abs(fill) * order.shares
        self.position = _Position(order.direction, t, fill, order.shares, cost)
        self.stop = self.entry_bar_stop(t, order, price)
        self.order = None

    def entry_bar_stop(self, t: int, order: _Entry, price: float) -> _Trailing | _Resting | None:
        """Return the stop order that works on the entry bar `t` from the fill at `price` on."""
        protection = self.protection(order.direction)
        buys = not order.buys
        if protection.trailing:
            amount = float(protection.shield[order.signal])
            return _Trailing(buys, price, amount) if amount > 0 else None
        stop, opened = float(protection.stop[order.signal]), float(self.bars.open[t])
        return _Resting(buys, max(stop, opened) if buys else min(stop, opened))

    def leave(self, t: int, price: float, reason: str) -> None:
        """Close at `price`, made worse by slippage. A stopped-out strategy is flat for the bar."""
        p = self.position
        assert p is not None  # what leaves a position works only while it is open
        slippage = self.account.slippage
        self.close(t, price - slippage if p.direction == LONG else price + slippage, reason)
        if reason in STOPPED_OUT:
            self.order = None

    def close(self, t: int, price: float, reason: str) -> None:
        p = self.position
        assert p is not None  # the caller holds a position
        exit_cost = self.account.commission * abs(price) * p.shares
        exit_cost += self.account.cost_per_share * p.shares
        pnl = p.gain(price) - p.entry_cost - exit_cost
        costs = p.entry_cost + exit_cost
        self.trades.append(
            Trade(p.entry_bar, t, p.direction, p.fill, price, p.shares, reason, pnl, costs)
        )
        self.equity += pnl
        self.position, self.stop = None, None
        self.stopped = p.direction if reason in STOPPED_OUT else FLAT

    # What is reported.

    def mark(self, t: int) -> float:
        p = self.position
        if p is None:
            return self.equity
        return self.equity - p.entry_cost + p.gain(float(self.bars.close[t]))

    def split_equity(self, t: int) -> float:
        """Return the equity that divides the profit: marked at the close, no costs yet."""
        p = self.position
        return self.equity if p is None else self.equity + p.gain(float(self.bars.close[t]))

    def report(self, at_split: float) -> Report:
        first, split, _ = self.window
        marked = float(self.marks[split - 1 - first])
        inside = sum(trade.entry_bar < split for trade in self.trades)
        crossing = sum(t.entry_bar < split <= t.exit_bar for t in self.trades)
        is_pnl = at_split - self.account.capital
        return Report(
            is_pnl=is_pnl,
            oos_pnl=self.equity - self.account.capital - is_pnl,
            is_trades=inside,
            oos_trades=len(self.trades) - inside + crossing,
            is_maxdd=_drawdown(self.account.capital, self.marks[: split - first]),
            oos_maxdd=_drawdown(marked, self.marks[split - first :]),
        )

    def protection(self, direction: int) -> Protection:
        found = self.rules.long if direction == LONG else self.rules.short
        assert found is not None  # a strategy that only buys gives no order to sell short
        return found

    def prices(self, t: int) -> tuple[float, float, float, float]:
        b = self.bars
        return float(b.open[t]), float(b.high[t]), float(b.low[t]), float(b.close[t])


def _legs(o: float, h: float, low: float, c: float) -> tuple[tuple[bool, float], ...]:
    """Return the path after the open: whether each leg rises, and the price it ends at."""
    if h - o < o - low:
        return (True, h), (False, low), (True, c)
    return (False, low), (True, h), (False, c)


def _reaches(price: float, order: _Entry | _Trailing | _Resting) -> bool:
    return price >= order.level if order.buys else price <= order.level


def _not_after(order: _Entry, stop: _Trailing | _Resting) -> bool:
    """Tell which of two orders on the same leg the price reaches; at a tie it is the entry."""
    return order.level <= stop.level if order.buys else order.level >= stop.level


def _drawdown(start: float, marks: FloatArray) -> float:
    peak, deepest = start, 0.0
    for mark in marks:
        peak = max(peak, float(mark))
        deepest = max(deepest, peak - float(mark))
    return deepest
