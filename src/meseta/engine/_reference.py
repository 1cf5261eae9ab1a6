"""The reference engine: bar by bar, in plain Python, to be read beside `spec/atr-d.md`.

It is slow and simple on purpose. Every other engine is tested against its trades.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meseta.engine._trades import Report, Simulation, Trade, Window

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.account import Account
    from meseta.bars import Bars
    from meseta.strategies import LongRules

__all__ = ["simulate"]


@dataclass(slots=True)
class _Position:
    entry_bar: int
    fill: float
    shares: float
    entry_cost: float
    top: float = math.nan
    floor: float = -math.inf

    def marked(self, equity: float, price: float) -> float:
        return equity - self.entry_cost + (price - self.fill) * self.shares


def simulate(bars: Bars, rules: LongRules, window: Window, account: Account) -> Simulation:
    """Trade one parameter set over one window.

    Parameters
    ----------
    bars
        The whole series.
    rules
        Levels and distances at every close, computed on the whole series.
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
    """The state of one simulation."""

    def __init__(self, bars: Bars, rules: LongRules, window: Window, account: Account) -> None:
        self.bars, self.rules, self.window, self.account = bars, rules, window, account
        self.equity = account.capital
        self.position: _Position | None = None
        self.trades: list[Trade] = []
        self.marks = np.empty(window.stop - window.start)

    def run(self) -> Simulation:
        first, split, stop = self.window
        at_split = self.equity
        for t in range(first, stop):
            if t > first:
                self.bar(t)
            if t == stop - 1 and self.position is not None:
                self.close(t, float(self.bars.close[t]), "end")
            self.marks[t - first] = self.mark(t)
            if t == split - 1:
                at_split = self.split_equity(t)
        report = self.report(at_split)
        return Simulation(self.window, tuple(self.trades), self.marks, report)

    def bar(self, t: int) -> None:
        """Work the orders that were decided at the close before bar `t`."""
        if self.position is None:
            self.try_entry(t)
        else:
            self.try_exit(t)
        if self.position is not None:
            p = self.position
            stop = float(self.rules.stop[t])
            top = float(self.bars.high[t])
            p.top = top if t == p.entry_bar else max(p.top, top)
            p.floor = stop if t == p.entry_bar else max(p.floor, stop)

    def try_entry(self, t: int) -> None:
        signal = t - 1
        if signal < self.rules.first:
            return
        level = float(self.rules.level[signal])
        shares = math.floor(self.equity / level / self.account.lot) * self.account.lot
        if shares < self.account.lot or self.bars.high[t] < level:
            return
        opened = float(self.bars.open[t])
        fill = max(opened, level) + self.account.slippage
        self.position = _Position(t, fill, shares, self.account.commission * fill * shares)
        self.protect(t, float(self.rules.shield[signal]), at_open=opened >= level)

    def protect(self, t: int, amount: float, *, at_open: bool) -> None:
        """Walk the entry bar from the fill on with a trailing `amount`."""
        if not amount > 0:
            return
        o, h, low, c = self.prices(t)
        if h - o < o - low:
            hit = h - amount if low <= h - amount else None
        elif at_open and low <= o - amount:
            hit = o - amount
        else:
            hit = h - amount if c <= h - amount else None
        if hit is not None:
            self.close(t, hit - self.account.slippage, "trail")

    def try_exit(self, t: int) -> None:
        """Walk bar `t` with the amount decided at the close before."""
        p = self.position
        assert p is not None  # the caller holds a position
        before = t - 1
        distance = float(self.bars.close[before]) - p.floor
        amount = distance * float(self.rules.tightening[before])
        if amount < 0:
            self.close(t, float(self.bars.open[t]) - self.account.slippage, "breach")
            return
        hit = self.trail(t, amount, p.top)
        if hit is not None:
            self.close(t, hit - self.account.slippage, "trail")

    def trail(self, t: int, amount: float, top: float) -> float | None:
        o, h, low, c = self.prices(t)
        if o <= top - amount:
            return o
        top = max(top, o)
        if h - o < o - low:
            top = max(top, h)
            return top - amount if low <= top - amount else None
        if low <= top - amount:
            return top - amount
        top = max(top, h)
        return top - amount if c <= top - amount else None

    def close(self, t: int, price: float, reason: str) -> None:
        p = self.position
        assert p is not None  # the caller holds a position
        exit_cost = self.account.commission * price * p.shares
        exit_cost += self.account.cost_per_share * p.shares
        pnl = (price - p.fill) * p.shares - p.entry_cost - exit_cost
        costs = p.entry_cost + exit_cost
        trade = Trade(p.entry_bar, t, 1, p.fill, price, p.shares, reason, pnl, costs)
        self.trades.append(trade)
        self.equity += pnl
        self.position = None

    def mark(self, t: int) -> float:
        if self.position is None:
            return self.equity
        return self.position.marked(self.equity, float(self.bars.close[t]))

    def split_equity(self, t: int) -> float:
        """Return the equity that divides the profit: marked at the close, no costs yet."""
        p = self.position
        if p is None:
            return self.equity
        return self.equity + (float(self.bars.close[t]) - p.fill) * p.shares

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

    def prices(self, t: int) -> tuple[float, float, float, float]:
        b = self.bars
        return float(b.open[t]), float(b.high[t]), float(b.low[t]), float(b.close[t])


def _drawdown(start: float, marks: FloatArray) -> float:
    peak, deepest = start, 0.0
    for mark in marks:
        peak = max(peak, float(mark))
        deepest = max(deepest, peak - float(mark))
    return deepest
