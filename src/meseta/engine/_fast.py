"""The fast engine for one parameter set: the search's tables, walked for trades."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meseta._numba import kernel
from meseta.engine._chain import Costs
from meseta.engine._entries import entry_tables, overlay
from meseta.engine._exits import blank_table, build_ladder, fill_table
from meseta.engine._path import Prices
from meseta.engine._trades import REASONS, Report, Simulation, Trade, Window
from meseta.engine._walk import walk_trades
from meseta.strategies import EntrySets

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.account import Account
    from meseta.bars import Bars
    from meseta.engine._entries import EntryTables, Overlay
    from meseta.strategies import LongRules

__all__ = ["costs_of", "link", "marked_equity", "prices_of", "report_of", "simulate_fast"]


def prices_of(bars: Bars) -> Prices:
    """Return the price arrays of a series for kernels."""
    return Prices(bars.open, bars.high, bars.low, bars.close)


def costs_of(account: Account) -> Costs:
    """Return an account for kernels."""
    a = account
    return Costs(float(a.capital), float(a.cost_per_share), float(a.commission), float(a.lot))


@kernel
def _link(
    bits: IntArray, prices: Prices, levels: FloatArray, rows: IntArray, stops: Overlay, never: int
) -> None:
    below = rows.max() + 1
    for k in range(bits.shape[0]):
        e = bits[k, 3]
        if e >= prices.open.size:
            bits[k, 0] = never
            continue
        stop = stops.at_open[e] if prices.open[e] >= levels[k] else stops.on_way_up[e]
        row = rows[e] if stop < 0 else below + stop
        # Before the exit rule's first bar there is no row, and no chain comes here.
        bits[k, 0] = row if row >= 0 else never


def link(entries: EntryTables, prices: Prices, rows: IntArray, stops: Overlay) -> EntryTables:
    """Return a copy of the entry tables whose events lead to the rows of one exit family.

    Parameters
    ----------
    entries
        From `entry_tables`.
    prices
        The series.
    rows
        Row of each entry bar in the exit table, or -1 (`Ladder.row`).
    stops
        Entries that end on their own bar.
    """
    events = entries.events.copy()
    table = events.reshape(-1, 4)
    never = int(rows.max()) + 1 + stops.price.size
    _link(table.view(np.int64), prices, table[:, 1].copy(), rows, stops, never)
    return entries._replace(events=events)


def simulate_fast(bars: Bars, rules: LongRules, window: Window, account: Account) -> Simulation:
    """Trade one parameter set over one window with the search's tables.

    Parameters and result are those of `simulate` in the reference engine.
    """
    prices = prices_of(bars)
    # Kernels read the tables at this bar and check no bounds.
    first = min(rules.first, len(bars))
    sets = EntrySets(rules.level[None, :], np.array([first]), np.zeros(1, np.int64))
    entries = entry_tables(sets, prices, account.slippage)
    factor = rules.tightening
    ladder = build_ladder(prices, rules.stop, first, entries.reached, float(factor.min()))
    stops = overlay(rules.shield, prices, entries.reached)
    table = blank_table(ladder, stops, account.slippage)
    fill_table(prices, ladder, factor, account.slippage, table)
    out = np.empty((len(bars), 8))
    linked = link(entries, prices, ladder.row, stops)
    ends = (window.start, window.stop)
    last = float(bars.close[window.stop - 1])
    found = walk_trades(table, first, linked, ends, last, costs_of(account), out)
    trades = tuple(_trade(row) for row in out[:found].tolist())
    equity = marked_equity(trades, bars.close, window, account)
    return Simulation(
        window, trades, equity, report_of(trades, equity, bars.close, window, account)
    )


def _trade(row: list[float]) -> Trade:
    entry, leaves, fill, price, shares, reason, pnl, costs = row
    return Trade(int(entry), int(leaves), 1, fill, price, shares, REASONS[int(reason)], pnl, costs)


def marked_equity(
    trades: tuple[Trade, ...], close: FloatArray, window: Window, account: Account
) -> FloatArray:
    """Return the account at every close of a window, open positions marked; money."""
    marks = np.empty(window.stop - window.start)
    equity, done = account.capital, window.start
    for trade in trades:
        marks[done - window.start : trade.entry_bar - window.start] = equity
        held = close[trade.entry_bar : trade.exit_bar]
        paid = account.commission * trade.fill * trade.shares
        inside = slice(trade.entry_bar - window.start, trade.exit_bar - window.start)
        marks[inside] = equity - paid + (held - trade.fill) * trade.dir * trade.shares
        equity, done = equity + trade.pnl, trade.exit_bar
    marks[done - window.start :] = equity
    return marks


def report_of(
    trades: tuple[Trade, ...],
    equity: FloatArray,
    close: FloatArray,
    window: Window,
    account: Account,
) -> Report:
    """Sum both sides of a window from its trades and its marked equity."""
    start, split, _ = window
    before = [trade for trade in trades if trade.exit_bar < split]
    across = [trade for trade in trades if trade.entry_bar < split <= trade.exit_bar]
    total = account.capital
    for trade in before:
        total = total + trade.pnl
    final = total
    for trade in trades[len(before) :]:
        final = final + trade.pnl
    for trade in across:
        total = total + (close[split - 1] - trade.fill) * trade.dir * trade.shares
    is_pnl = float(total - account.capital)
    return Report(
        is_pnl=is_pnl,
        oos_pnl=float(final - account.capital - is_pnl),
        is_trades=len(before) + len(across),
        oos_trades=len(trades) - len(before),
        is_maxdd=_deepest(account.capital, equity[: split - start]),
        oos_maxdd=_deepest(float(equity[split - 1 - start]), equity[split - start :]),
    )


def _deepest(start: float, equity: FloatArray) -> float:
    path = np.concatenate(([start], equity))
    return float((np.maximum.accumulate(path) - path).max())
