"""The figures of a study's objective from an account's equity and its trades."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from meseta.bars import session_days
from meseta.bayes import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray
    from meseta.bars import Bars
    from meseta.engine import Trade

__all__ = ["figures"]

# Logarithm of the largest growth a year that is told, as in `meseta.engine.metrics`.
_MOST_GROWTH = 700.0


def figures(
    bars: Bars, equity: FloatArray, trades: Sequence[Trade], capital: float, start: int
) -> Metrics:
    """Return the metrics of an account.

    Daily returns are those from the last close of a session to that of the next; a year has as
    many sessions as the bars have (365.25 where a market never closes, about 252 for shares).

    Parameters
    ----------
    bars
        The series, to the last traded bar or beyond; what is beyond is not looked at.
    equity
        At every close from bar `start` on; money, shape (n,).
    trades
        In order of entries; what was open at the last close was closed there.
    capital
        Money before the first bar.
    start
        Row of the first bar.
    """
    path = np.concatenate(([capital], equity))
    peaks = np.maximum.accumulate(path)
    drawdown = float(((peaks - path) / peaks).max())
    ends = _session_ends(bars.slice(0, start + equity.size), start)
    years = equity.size / bars.bars_per_year
    profits = np.array([trade.pnl for trade in trades])
    return Metrics(
        sharpe=_sharpe(np.concatenate(([capital], equity[ends])), ends.size / years),
        total_return=float(equity[-1]) / capital - 1,
        profit_factor=_profit_factor(profits),
        calmar=_calmar(path, years, drawdown),
        max_drawdown=drawdown,
        trades=len(trades),
        win_rate=float((profits > 0).mean()) if trades else math.nan,
        final_equity=float(equity[-1]),
        fees=float(sum(trade.costs for trade in trades)),
    )


def _session_ends(bars: Bars, start: int) -> FloatArray:
    """Return the places of the sessions' last bars, counted from `start`."""
    days = session_days(bars)[start:]
    return np.append(np.flatnonzero(np.diff(days)), days.size - 1)


def _sharpe(daily: FloatArray, days_per_year: float) -> float:
    """Return mean over standard deviation of the returns, a year; NaN of fewer than two."""
    if daily.size < 3 or float(daily.min()) <= 0:
        return math.nan
    returns = daily[1:] / daily[:-1] - 1
    spread = float(returns.std(ddof=1))
    return float(returns.mean()) / spread * math.sqrt(days_per_year) if spread > 0 else math.nan


def _profit_factor(profits: FloatArray) -> float:
    if not profits.size:
        return math.nan
    won, lost = float(profits[profits > 0].sum()), -float(profits[profits < 0].sum())
    if lost > 0:
        return won / lost
    return math.inf if won > 0 else math.nan


def _calmar(path: FloatArray, years: float, drawdown: float) -> float:
    """Return compound growth over drawdown; NaN without a drawdown, or of a ruined account."""
    if drawdown <= 0 or float(path.min()) <= 0:
        return math.nan
    growth = math.log(float(path[-1]) / float(path[0])) / years
    return math.expm1(growth) / drawdown if growth <= _MOST_GROWTH else math.nan
