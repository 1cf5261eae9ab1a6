"""Figures of a back-test of a hedge grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.bayes import Metrics
from meseta.hedge._result import END, lots_net

if TYPE_CHECKING:
    import numpy.typing as npt

    from meseta._types import FloatArray, IntArray, TimeArray
    from meseta.hedge._result import HedgeResult
    from meseta.hedge._settings import GridSettings

__all__ = ["metrics_of", "midnights"]

_DAY = 86_400_000_000
_YEAR = 365.25 * _DAY
_DAYS_A_YEAR = 365.0


def metrics_of(result: HedgeResult, time: TimeArray, settings: GridSettings) -> Metrics:
    """Return the figures of a back-test.

    The Sharpe ratio is taken of daily returns from midnight to midnight UTC, those of a first
    and a last day that are not whole left out; mean over standard deviation (n - 1) times the
    root of 365, risk-free rate 0. Drawdown is that of the marked-to-market equity at the bars'
    closes, from the capital on. Calmar is the compound growth a year of 365.25 days over it.
    Trades are lots that were closed; those that were open at the end count in the final equity
    alone.

    Parameters
    ----------
    result
        What was simulated.
    time
        Times of all bars, each of its open; those from the span's end on are not read.
    settings
        Those of the simulation.
    """
    first, stop = result.span
    times = time[first:stop].astype("datetime64[us]").astype(np.int64)
    step = int(np.diff(times).min()) if len(times) > 1 else 0
    return figures(result, settings, midnights(times, step), _years(times, step))


def midnights(times: IntArray, step: int) -> IntArray:
    """Return the rows whose closes stand for midnights; -1 is the open of the first.

    Parameters
    ----------
    times
        int64, shape (N,), microseconds of the opens of a span's bars.
    step
        Length of a bar.
    """
    if not step:
        return np.empty(0, np.int64)
    days = (times + step - 1) // _DAY
    last = np.flatnonzero(np.diff(days))
    if (times[-1] + step) % _DAY == 0:
        last = np.append(last, len(times) - 1)
    return np.insert(last, 0, -1) if times[0] % _DAY == 0 else last


def figures(result: HedgeResult, settings: GridSettings, rows: IntArray, years: float) -> Metrics:
    """Return the figures, midnights and length of the span being known."""
    capital, final = settings.capital, float(result.equity[-1])
    drawdown = _drawdown(result.equity, capital)
    trades, win_rate, profit_factor = _of_lots(result.lots)
    return Metrics(
        sharpe=_sharpe(np.where(rows < 0, capital, result.equity[rows])),
        total_return=final / capital - 1.0,
        profit_factor=profit_factor,
        calmar=_growth(final / capital, years) / drawdown if drawdown > 0 else math.nan,
        max_drawdown=drawdown,
        trades=trades,
        win_rate=win_rate,
        final_equity=final,
        fees=float(result.lots["entry_fee"].sum() + result.lots["exit_fee"].sum()),
        funding=float(result.lots["funding"].sum()),
        liquidated=result.liquidated,
    )


def _years(times: IntArray, step: int) -> float:
    return float(times[-1] + step - times[0]) / _YEAR


def _sharpe(daily: FloatArray) -> float:
    if len(daily) < 3 or daily.min() <= 0:
        return math.nan
    returns = daily[1:] / daily[:-1] - 1.0
    spread = float(returns.std(ddof=1))
    return float(returns.mean()) / spread * math.sqrt(_DAYS_A_YEAR) if spread > 0 else math.nan


def _drawdown(equity: FloatArray, capital: float) -> float:
    peaks = np.maximum(np.maximum.accumulate(equity), capital)
    return float(np.max(1.0 - equity / peaks))


def _growth(ratio: float, years: float) -> float:
    """Return the growth a year; a span of minutes cannot overflow it."""
    if not years:
        return math.nan
    return math.exp(min(math.log(ratio) / years, 700.0)) - 1.0 if ratio > 0 else -1.0


def _of_lots(lots: npt.NDArray[Any]) -> tuple[int, float, float]:
    """Return the closed lots, the share of winners, and winnings over losses."""
    net = lots_net(lots[lots["reason"] != END])
    if not len(net):
        return 0, math.nan, math.nan
    won, lost = float(net[net > 0].sum()), float(-net[net < 0].sum())
    factor = won / lost if lost > 0 else math.inf if won > 0 else math.nan
    return len(net), float(np.mean(net > 0)), factor
