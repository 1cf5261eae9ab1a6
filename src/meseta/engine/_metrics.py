"""What a single simulation's equity and trades say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.engine._trades import Simulation

__all__ = ["METRICS", "metrics"]

METRICS = (
    "net_profit",
    "return_pct",
    "cagr_pct",
    "max_drawdown",
    "max_drawdown_pct",
    "profit_factor",
    "trades",
    "win_rate",
    "avg_trade",
    "sharpe",
    "sortino",
    "mar",
    "exposure",
    "avg_bars_held",
    "worst_trade",
    "costs",
)

# Logarithm of the largest growth a year that is told: a jump within minutes would be more than a
# number can hold.
_MOST_GROWTH = 700.0


def metrics(
    simulation: Simulation, capital: float, bars_per_year: float
) -> dict[str, float | None]:
    """Return the metrics of one simulation.

    Parameters
    ----------
    simulation
        Trades and equity at every close.
    capital
        Money at the start.
    bars_per_year
        Bars in a year of 365.25 days, for annual figures.

    Returns
    -------
    dict
        By the names of `METRICS`. Money in the account's currency; names ending in ``_pct`` in
        percent; `win_rate` and `exposure` (share of bars with a position at the close) as
        fractions; `sharpe` and `sortino` from the changes of equity from close to close without
        a risk-free rate, times the root of `bars_per_year`; `mar` is `cagr_pct` /
        `max_drawdown_pct`. None where a figure is undefined: no trades, no losses, no drawdown,
        and growth and ratios of an account that stood at zero or below.
    """
    equity = np.concatenate(([capital], simulation.equity))
    trades = simulation.trades
    profits = np.array([trade.pnl for trade in trades])
    peak = np.maximum.accumulate(equity)
    fall, share = float((peak - equity).max()), float(((peak - equity) / peak).max())
    held = sum(trade.exit_bar - trade.entry_bar for trade in trades)
    years = simulation.equity.size / bars_per_year
    ruined = float(equity.min()) <= 0
    growth = None if ruined else _growth(float(equity[-1]), capital, years)
    lost = -float(profits[profits < 0].sum()) if profits.size else 0.0
    won = float(profits[profits > 0].sum()) if profits.size else 0.0
    sharpe, sortino = _ratios(equity, bars_per_year)
    return {
        "net_profit": float(equity[-1]) - capital,
        "return_pct": (float(equity[-1]) / capital - 1) * 100,
        "cagr_pct": growth,
        "max_drawdown": fall,
        "max_drawdown_pct": share * 100,
        "profit_factor": won / lost if lost > 0 else None,
        "trades": len(trades),
        "win_rate": float((profits > 0).mean()) if trades else None,
        "avg_trade": float(profits.mean()) if trades else None,
        "sharpe": sharpe,
        "sortino": sortino,
        "mar": growth / (share * 100) if growth is not None and share > 0 else None,
        "exposure": held / simulation.equity.size,
        "avg_bars_held": held / len(trades) if trades else None,
        "worst_trade": float(profits.min()) if trades else None,
        "costs": sum(trade.costs for trade in trades),
    }


def _growth(final: float, capital: float, years: float) -> float | None:
    if years <= 0 or math.log(final / capital) / years > _MOST_GROWTH:
        return None
    return (math.pow(final / capital, 1 / years) - 1) * 100


def _ratios(equity: FloatArray, bars_per_year: float) -> tuple[float | None, float | None]:
    if equity.size < 3 or float(equity.min()) <= 0:
        return None, None
    changes = equity[1:] / equity[:-1] - 1
    mean, root = float(changes.mean()), math.sqrt(bars_per_year)
    spread = float(changes.std(ddof=1))
    below = math.sqrt(float((np.minimum(changes, 0) ** 2).mean()))
    return (
        mean / spread * root if spread > 0 else None,
        mean / below * root if below > 0 else None,
    )
