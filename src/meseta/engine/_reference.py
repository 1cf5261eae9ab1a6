"""The reference engine: bar by bar, in plain Python, to be read beside `spec/atr-d.md`.

At every close the orders of the next bar are decided; on every bar its path is walked from point
to point, and what the moving price reaches first happens first. It is slow and simple on
purpose: every other engine is tested against its trades. Longs and shorts are both written out
in the market's own prices. What is decided is the business of a *decider*: one for separable
strategies (`_reference_rules.py`), one for kernels (`_reference_kernel.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from meseta.account import Contract
from meseta.engine._terms import rolls_of
from meseta.engine._trades import Report, Simulation, Trade, Window
from meseta.strategies._rules import FLAT, LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meseta._types import FloatArray
    from meseta.account import Account
    from meseta.bars import Bars
    from meseta.strategies._rules import Rules

__all__ = [
    "Change",
    "Decider",
    "Entry",
    "Policy",
    "Position",
    "Resting",
    "Trailing",
    "Walk",
    "simulate",
]

STOPPED_OUT = ("trail", "breach", "stop")

Policy = Literal["carry", "close", "finish"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry order for one bar, sized at the close before.

    `guard` is the stop order that protects the position from its fill on, None for none;
    `final` the final stop that a resting one begins with.
    """

    direction: int
    kind: Literal["stop", "limit", "market"]
    level: float
    shares: float
    guard: Trailing | Resting | None
    final: float = math.nan

    @property
    def buys(self) -> bool:
        return self.direction == LONG

    @property
    def rising(self) -> bool:
        """Whether the price meets the order on a rise."""
        return self.buys != (self.kind == "limit")

    def reached(self, price: float) -> bool:
        """Tell whether a price is far enough; a limit must be passed, not only touched."""
        if self.kind == "market":
            return True
        if self.kind == "limit":
            return price < self.level if self.buys else price > self.level
        return price >= self.level if self.buys else price <= self.level


@dataclass(slots=True)
class Position:
    """An open position; `best` is the highest price since entry of a long, the lowest of a short.

    `final` is the final stop F, `paid` the commission and the rolls so far.
    """

    direction: int
    entry_bar: int
    fill: float
    shares: float
    paid: float
    best: float = math.nan
    final: float = math.nan

    def gain(self, price: float) -> float:
        if self.direction == LONG:
            return (price - self.fill) * self.shares
        return (self.fill - price) * self.shares


@dataclass(slots=True)
class Trailing:
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
class Resting:
    """A stop order that stands still."""

    buys: bool
    level: float
    reason: str = "stop"

    def follow(self, price: float) -> None:
        pass


class Decider(Protocol):
    """A parameter set at work: gives a walk the orders of the next bar at a close."""

    def decide(self, walk: Walk, t: int) -> None:
        """Set `entries`, `stop`, `targets` and `leaves`, all of them empty."""


class Change(NamedTuple):
    """From the close of bar `at` on `decider` decides; None stays out of the market."""

    at: int
    decider: Decider | None


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that the price meets on a leg; `rank` decides between equal prices."""

    price: float
    rank: int
    entry: Entry | None = None
    reason: str = ""


@dataclass(slots=True)
class _Orders:
    """What the last close decided for the next bar.

    Entry orders by direction; the stop that protects the position, and those that protect one
    that is yet to be entered, by direction, are in the entries; limit orders that end a position,
    by its direction; the reason of a market exit.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    stop: Trailing | Resting | None = None
    targets: dict[int, float] = field(default_factory=dict)
    leaves: str = ""


def simulate(
    bars: Bars,
    rules: Rules,
    window: Window,
    account: Account,
    contract: Contract | None = None,
) -> Simulation:
    """Trade one parameter set of a separable strategy over one window.

    Parameters
    ----------
    bars
        The whole series.
    rules
        Decisions at every close, computed on the whole series; see `Rules`. Orders are not
        read before `rules.first`, where their values may be NaN.
    window
        Bars to trade.
    account, contract
        Capital and costs; what is traded.

    Returns
    -------
    Simulation
        Trades, equity at every close, report.
    """
    from meseta.engine._reference_rules import RulesDecider

    changes = [Change(window.start, RulesDecider(rules))]
    return Walk(bars, changes, window, account, contract or Contract()).run()


class Walk:
    """The state of one simulation.

    `stopped` is the direction of the last position if it was stopped out, until forgotten;
    `finishing` says that the position is only to be ended, and `held` what is held at each close.
    """

    def __init__(
        self,
        bars: Bars,
        changes: Sequence[Change],
        window: Window,
        account: Account,
        contract: Contract,
        policy: Policy = "carry",
    ) -> None:
        self.bars, self.window, self.account, self.contract = bars, window, account, contract
        self.changes = {change.at: change.decider for change in changes}
        self.policy = policy
        self.decider: Decider | None = None
        self.following: Decider | None = None
        self.finishing = False
        self.equity = account.capital
        self.position: Position | None = None
        self.orders = _Orders()
        self.stopped = FLAT
        self.memory = np.zeros(8)
        self.trades: list[Trade] = []
        self.marks = np.empty(window.stop - window.start)
        self.held = np.zeros(window.stop - window.start)
        self.rolls = rolls_of(bars, contract)

    def run(self) -> Simulation:
        first, split, stop = self.window
        at_split = self.equity
        for t in range(first, stop):
            if t > first:
                self.walk(t)
            if t == stop - 1 and self.position is not None:
                self.close(t, float(self.bars.close[t]), "end")
            self.marks[t - first] = self.mark(t)
            if self.position is not None:
                self.held[t - first] = self.position.direction * self.position.shares
            if t == split - 1:
                at_split = self.split_equity(t)
            if t < stop - 1:
                self.decide(t)
        return Simulation(self.window, tuple(self.trades), self.marks, self.report(at_split))

    # At the close of bar t.

    def decide(self, t: int) -> None:
        """Take back what is left of the last orders and give new ones."""
        self.orders = _Orders()
        if t in self.changes and not self.change(t):
            return
        if self.finishing and self.position is None:
            self.decider, self.finishing = self.following, False
        if self.decider is not None:
            self.decider.decide(self, t)

    def change(self, t: int) -> bool:
        """Hand over to the next parameter set; tell whether anything is decided at this close."""
        self.following = self.changes[t]
        if self.position is not None and self.policy == "finish":
            self.finishing = True
            return True
        self.decider, self.finishing = self.following, False
        if self.position is None or (self.policy == "carry" and self.decider is not None):
            return True
        self.orders.leaves = "boundary"
        return False

    # On bar t.

    def walk(self, t: int) -> None:
        """Work the orders that were decided at the close before, along the path of bar `t`."""
        o, h, low, c = self.prices(t)
        self.roll(t)
        self.at_open(t, o)
        self.follow(o)
        price = o
        for rising, end in _legs(o, h, low, c):
            self.leg(t, price, end, rising=rising)
            price = end
        self.remember_best(t, h, low)

    def roll(self, t: int) -> None:
        if self.position is not None:
            rolls = int(self.rolls[t] - self.rolls[t - 1])
            self.position.paid += self.contract.roll_cost * self.position.shares * rolls

    def at_open(self, t: int, o: float) -> None:
        leaves = self.orders.leaves
        if self.position is not None and leaves not in {"", "breach"}:
            self.leave(t, o, leaves)
        entry = next((each for each in self.open_entries() if each.reached(o)), None)
        p, stop = self.position, self.orders.stop
        if entry is not None:
            self.enter(t, o, entry)
        elif p is None:
            return
        elif leaves == "breach":
            self.leave(t, o, "breach")
        elif stop is not None and (o >= stop.level if stop.buys else o <= stop.level):
            self.leave(t, o, stop.reason)
        elif self.passes_target(p, o):
            self.leave(t, o, "limit")

    def leg(self, t: int, start: float, end: float, *, rising: bool) -> None:
        """Move the price from `start` to `end`; what it meets first happens first."""
        price = start
        while True:
            met = list(self.met(price, end, rising=rising))
            if not met:
                break
            event = min(met, key=lambda e: (e.price if rising else -e.price, e.rank))
            price = event.price
            if event.entry is not None:
                self.enter(t, price, event.entry)
            else:
                self.leave(t, price, event.reason)
        self.follow(end)

    def met(self, price: float, end: float, *, rising: bool) -> Iterator[_Event]:
        """Yield what works between two prices; what was passed already happens at once."""
        for entry in self.open_entries():
            if entry.rising == rising and entry.reached(end):
                yield _Event(entry.level, 0, entry)
        p, stop = self.position, self.orders.stop
        if p is None:
            return
        if stop is not None and stop.buys == rising:
            level = stop.level
            if end >= level if rising else end <= level:
                yield _Event(_farther(level, price, rising=rising), 1, reason=stop.reason)
        if (p.direction == LONG) == rising and self.passes_target(p, end):
            level = self.orders.targets[p.direction]
            yield _Event(_farther(level, price, rising=rising), 2, reason="limit")

    def open_entries(self) -> Iterator[Entry]:
        """Yield the entry orders that can be filled: from flat, or to reverse."""
        held = FLAT if self.position is None else self.position.direction
        for direction in (LONG, SHORT):
            if direction in self.orders.entries and direction != held:
                if self.finishing and held == FLAT:
                    continue
                yield self.orders.entries[direction]

    def passes_target(self, p: Position, price: float) -> bool:
        level = self.orders.targets.get(p.direction, math.nan)
        return price > level if p.direction == LONG else price < level

    def follow(self, price: float) -> None:
        if self.orders.stop is not None:
            self.orders.stop.follow(price)

    def enter(self, t: int, price: float, order: Entry) -> None:
        """Fill an entry order at `price`; an open position is closed there by it."""
        if self.position is not None:
            self.leave(t, price, "reverse")
        self.orders.entries = {}
        if self.finishing:
            return
        slippage = 0.0 if order.kind == "limit" else self.account.slippage
        fill = price + slippage if order.buys else price - slippage
        value = self.contract.point_value
        paid = self.account.commission * abs(fill) * order.shares * value
        self.position = Position(order.direction, t, fill, order.shares, paid, final=order.final)
        self.orders.stop = self.entry_bar_stop(t, order, price)

    def entry_bar_stop(self, t: int, order: Entry, price: float) -> Trailing | Resting | None:
        """Return the stop order that works on the entry bar `t` from the fill at `price` on."""
        guard = order.guard
        if isinstance(guard, Trailing):
            return Trailing(guard.buys, price, guard.amount)
        if guard is None:
            return None
        opened = float(self.bars.open[t])
        level = max(guard.level, opened) if guard.buys else min(guard.level, opened)
        return Resting(guard.buys, level)

    def leave(self, t: int, price: float, reason: str) -> None:
        """Close at `price`, made worse by slippage unless it is a limit order's.

        Whoever was stopped out or reached the target is flat for the rest of the bar.
        """
        p = self.position
        assert p is not None  # what leaves a position works only while it is open
        slippage = 0.0 if reason == "limit" else self.account.slippage
        self.close(t, price - slippage if p.direction == LONG else price + slippage, reason)
        if reason in STOPPED_OUT or reason == "limit":
            self.orders.entries = {}

    def close(self, t: int, price: float, reason: str) -> None:
        p, value = self.position, self.contract.point_value
        assert p is not None  # the caller holds a position
        exit_cost = self.account.commission * abs(price) * p.shares * value
        exit_cost += self.account.cost_per_share * p.shares
        pnl = p.gain(price) * value - p.paid - exit_cost
        costs = p.paid + exit_cost
        self.trades.append(
            Trade(p.entry_bar, t, p.direction, p.fill, price, p.shares, reason, pnl, costs)
        )
        self.equity += pnl
        self.position, self.orders.stop = None, None
        self.stopped = p.direction if reason in STOPPED_OUT else FLAT

    def remember_best(self, t: int, high: float, low: float) -> None:
        """Move the best price since entry to the bar's extreme, the entry bar's from its start."""
        p = self.position
        if p is None:
            return
        extreme = high if p.direction == LONG else low
        if t == p.entry_bar:
            p.best = extreme
        p.best = max(p.best, extreme) if p.direction == LONG else min(p.best, extreme)

    # What is reported.

    def mark(self, t: int) -> float:
        p = self.position
        if p is None:
            return self.equity
        gain = p.gain(float(self.bars.close[t])) * self.contract.point_value
        return self.equity - p.paid + gain

    def split_equity(self, t: int) -> float:
        """Return the equity that divides the profit: marked at the close, no costs yet."""
        p = self.position
        if p is None:
            return self.equity
        return self.equity + p.gain(float(self.bars.close[t])) * self.contract.point_value

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

    def sized(self, equity: float, price: float) -> float:
        """Return the size of an order at `price`, 0 where it is less than a lot."""
        if self.contract.quantity is not None:
            return self.contract.quantity
        lot = self.account.lot
        shares = math.floor(equity / price / lot) * lot
        return shares if shares >= lot else 0.0

    def prices(self, t: int) -> tuple[float, float, float, float]:
        b = self.bars
        return float(b.open[t]), float(b.high[t]), float(b.low[t]), float(b.close[t])


def _legs(o: float, h: float, low: float, c: float) -> tuple[tuple[bool, float], ...]:
    """Return the path after the open: whether each leg rises, and the price it ends at.

    A tie goes low first. A leg of no length still has its direction.
    """
    if h - o < o - low:
        return (True, h), (False, low), (True, c)
    return (False, low), (True, h), (False, c)


def _farther(level: float, price: float, *, rising: bool) -> float:
    """Return an order's level, or the price where it has passed the level already."""
    return max(level, price) if rising else min(level, price)


def _drawdown(start: float, marks: FloatArray) -> float:
    peak, deepest = start, 0.0
    for mark in marks:
        peak = max(peak, float(mark))
        deepest = max(deepest, peak - float(mark))
    return deepest
