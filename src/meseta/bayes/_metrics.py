"""What one back-test says of one parameter set."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures of one back-test, raw: no weight and no bound is in them.

    A figure that cannot be had is NaN: a Sharpe ratio of one day, a profit factor or a win rate
    without a closed trade. Infinite is a profit factor without a loss.

    Parameters
    ----------
    sharpe
        Mean of daily returns over their standard deviation, a year.
    total_return
        Final equity over the capital, less 1: a fraction.
    profit_factor
        Winnings over losses of closed trades, net of fees and funding.
    calmar
        Compound growth a year over `max_drawdown`.
    max_drawdown
        Largest fall of the marked-to-market equity from its peak, a fraction of the peak.
    trades
        Closed trades.
    win_rate
        Closed trades with a profit net of fees and funding, a fraction of all.
    final_equity
        Money at the last bar, open trades marked.
    fees, funding
        Money paid; funding received is negative.
    liquidated
        Whether the account was liquidated.
    """

    sharpe: float
    total_return: float
    profit_factor: float
    calmar: float
    max_drawdown: float
    trades: int
    win_rate: float
    final_equity: float
    fees: float = 0.0
    funding: float = 0.0
    liquidated: bool = False
