"""The fast engine for one parameter set: the search's tables, walked for trades or for blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta.engine._block_walk import period_of, walk_blocks
from meseta.engine._blocks import FIELDS
from meseta.engine._entries import EntrySet, entry_tables, mark_entries
from meseta.engine._exits import SEED, fill_table, leave_table
from meseta.engine._marks import prepare_windows
from meseta.engine._path import sides_of
from meseta.engine._settle import Costs
from meseta.engine._tables import exit_tables, link, side_tables, states_of, words_of
from meseta.engine._trades import REASONS, Report, Simulation, Trade, Window
from meseta.engine._walk import TRADE_WORDS, walk_trades

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.account import Account, Contract
    from meseta.bars import Bars
    from meseta.engine._entries import EntryTables
    from meseta.engine._path import Prices
    from meseta.strategies import Rules

__all__ = ["costs_of", "fast_blocks", "marked_equity", "report_of", "simulate_fast"]


def costs_of(account: Account) -> Costs:
    """Return an account for kernels."""
    a = account
    return Costs(float(a.capital), float(a.cost_per_share), float(a.commission), float(a.lot))


def simulate_fast(bars: Bars, rules: Rules, window: Window, account: Account) -> Simulation:
    """Trade one parameter set over one window with the search's tables.

    Parameters and result are those of `simulate` in the reference engine.
    """
    given = _tables_of(bars, rules, account.slippage)
    out = np.empty((len(bars), TRADE_WORDS))
    cuts = prepare_windows(given.sides, [window])
    found = walk_trades(
        given.table, given.first, given.entries, words_of(given.sides), bars.close, cuts,
        costs_of(account), out,
    )  # fmt: skip
    trades = tuple(_trade(row) for row in out[:found].tolist())
    equity = marked_equity(trades, bars.close, window, account)
    return Simulation(
        window, trades, equity, report_of(trades, equity, bars.close, window, account)
    )


def fast_blocks(
    bars: Bars, rules: Rules, bounds: IntArray, account: Account, contract: Contract
) -> FloatArray:
    """Trade one parameter set over a period; return what it leaves at boundaries.

    Parameters
    ----------
    bars, rules, account, contract
        As for `simulate` in the reference engine.
    bounds
        Boundaries, increasing, int64, shape (B,): the period goes from the first to the last.

    Returns
    -------
    ndarray
        As `blocks_of`, shape (B, FIELDS).
    """
    given = _tables_of(bars, rules, account.slippage)
    period = period_of(bars, given.sides, bounds, account, contract)
    blocks, only = np.empty((1, bounds.size, FIELDS)), np.zeros(1, np.int64)
    words = words_of(given.sides)
    walk_blocks(given.table, given.first, only, given.entries, words, period, blocks)
    return blocks[0]


class _Tables(NamedTuple):
    """The tables of one parameter set, linked."""

    sides: tuple[Prices, ...]
    table: FloatArray
    first: int
    entries: EntryTables


def _tables_of(bars: Bars, rules: Rules, slippage: float) -> _Tables:
    sides = sides_of(bars, rules.short is not None)
    # Kernels read the tables at this bar and check no bounds.
    first = min(rules.first, len(bars))
    reverses = (rules.reverses_long, rules.reverses_short)
    entries = entry_tables(
        [EntrySet(rules.orders, rules.clears, reverses, first)], sides, slippage
    )
    words, reached = words_of(sides), np.zeros((len(sides), len(bars)), np.bool_)
    mark_entries(entries.events, words, reached)
    guards = [guard for guard in (rules.long, rules.short) if guard is not None]
    least = float(rules.tightening.min())
    tables = exit_tables(
        [
            side_tables(own, way, guard, first, row, least)
            for own, way, guard, row in zip(sides, (1, -1), guards, reached, strict=False)
        ],
        tuple(map(leave_table, sides, (rules.leave_long, rules.leave_short))),
        states_of(len(rules.orders), len(bars), turns=rules.turns),
        slippage,
    )
    at = 0
    for own, ladder, leave, state in zip(
        sides, tables.ladders, tables.leaves, tables.states, strict=True
    ):
        rows = tables.blank[at : at + ladder.entry.size]
        fill_table(own, ladder, leave, state, rules.tightening, slippage, rows, SEED)
        at += len(rows)
    return _Tables(sides, tables.blank, first, link(entries, tables))


def _trade(row: list[float]) -> Trade:
    way, entry, leaves, fill, price, shares, reason, pnl, costs = row
    name = REASONS[int(reason)]
    return Trade(int(entry), int(leaves), int(way), fill, price, shares, name, pnl, costs)


def marked_equity(
    trades: tuple[Trade, ...], close: FloatArray, window: Window, account: Account
) -> FloatArray:
    """Return the account at every close of a window, open positions marked; money."""
    marks = np.empty(window.stop - window.start)
    equity, done = account.capital, window.start
    for trade in trades:
        marks[done - window.start : trade.entry_bar - window.start] = equity
        held = close[trade.entry_bar : trade.exit_bar]
        paid = account.commission * abs(trade.fill) * trade.shares
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
    point_value: float = 1.0,
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
        gain = (close[split - 1] - trade.fill) * trade.dir * trade.shares
        total = total + gain * point_value
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
