"""Members of a project held together, each with an equal share of a yearly risk.

Every out-of-sample window is sized by the in-sample deviation of the combination that was chosen
for it, which was known when it began, never by what it then did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray, IntArray

__all__ = ["Holding", "known_before", "portfolio_of", "summary_of", "yearly_deviation"]

_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, eq=False, slots=True)
class Holding:
    """What a member made out-of-sample, bar by bar.

    Parameters
    ----------
    name
        Its column.
    days
        Session date of each bar as days since 1970-01-01, int64, shape (N,), not decreasing.
    made
        Change of money at the close of each bar, shape (N,).
    starts
        Bars with which its windows begin, from 0, int64, shape (W,).
    deviation
        Yearly standard deviation of money in-sample of what each window trades, shape (W,);
        NaN where it is not known.
    """

    name: str
    days: IntArray
    made: FloatArray
    starts: IntArray
    deviation: FloatArray

    @property
    def scalable(self) -> bool:
        """Whether it can be sized: a deviation is known, or nothing was made."""
        return bool(np.isfinite(self.deviation).any() or not self.made.any())

    def per_risk(self) -> FloatArray:
        """Return what each bar made for a unit of yearly deviation, shape (N,)."""
        lengths = np.diff(self.starts, append=len(self.made))
        known = known_before(self.deviation)
        sizes: FloatArray = np.where(np.isfinite(known), 1 / known, 0.0)
        return self.made * np.repeat(sizes, lengths)


def yearly_deviation(net_profit: FloatArray, years: FloatArray, sharpe: FloatArray) -> FloatArray:
    """Return the yearly standard deviation of money from a profit, its years and its Sharpe.

    The Sharpe ratio is mean over deviation, both a year, so the deviation is mean over Sharpe.
    NaN where that is not a positive number: no profit or loss at all, or no deviation.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = net_profit / years / sharpe
    return np.where(np.isfinite(found) & (found > 0), found, np.nan)


def known_before(values: FloatArray) -> FloatArray:
    """Fill NaN with the value before it, at the beginning with the first after it."""
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return values
    last = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    filled: FloatArray = values[known[np.maximum(last, 0)]]
    return filled


def portfolio_of(holdings: Sequence[Holding], target: float) -> pl.DataFrame:
    """Add members up, each with an equal share of `target` among those of the day.

    A member is there from its first out-of-sample session to its last, also on days on which its
    own market is closed. Correlations are not used: unless members move as one, the sum deviates
    less than `target`.

    Parameters
    ----------
    holdings
        At least one, each of them `scalable`.
    target
        Yearly standard deviation that is shared out; money.

    Returns
    -------
    DataFrame
        A row for each session date of any member: `date`, `portfolio` (money made so far),
        `drawdown` (below its highest so far, or below the beginning), `active` (members of the
        day), and a column for each member with its part of `portfolio`.
    """
    days = np.unique(np.concatenate([each.days for each in holdings]))
    active = np.zeros(len(days), np.int64)
    for each in holdings:
        active += (days >= each.days[0]) & (days <= each.days[-1])
    parts = {each.name: _part(each, days, target / active) for each in holdings}
    made = np.sum(list(parts.values()), axis=0)
    peak = np.maximum.accumulate(np.maximum(made, 0.0))
    columns = {"portfolio": made, "drawdown": peak - made, "active": active}
    return pl.DataFrame({"date": days.astype("datetime64[D]"), **columns, **parts})


def _part(each: Holding, days: IntArray, share: FloatArray) -> FloatArray:
    """Return what a member adds up to by day, with the day's share of the risk."""
    daily = np.bincount(np.searchsorted(days, each.days), each.per_risk(), len(days))
    part: FloatArray = np.cumsum(daily * share)
    return part


def summary_of(portfolio: pl.DataFrame, target: float) -> dict[str, Any]:
    """Sum a portfolio up.

    Parameters
    ----------
    portfolio, target
        From and for `portfolio_of`.

    Returns
    -------
    dict
        `target`, `first`, `last` (dates), `sessions`, `years`, `net_profit`, `per_year`,
        `deviation` (a year, money), `sharpe`, `drawdown` (money), `worst_month` (`month`, such as
        2020-03, and `net_profit`); None where it is not defined.
    """
    dates = portfolio["date"]
    daily = portfolio["portfolio"].diff().fill_null(portfolio["portfolio"][0]).to_numpy()
    first, last = dates[0], dates[-1]
    years = ((last - first).days + 1) / _DAYS_PER_YEAR
    deviation = float(daily.std(ddof=1) * (len(daily) / years) ** 0.5) if len(daily) > 1 else 0.0
    net = float(portfolio["portfolio"][-1])
    return {
        "target": target,
        "first": str(first),
        "last": str(last),
        "sessions": len(daily),
        "years": years,
        "net_profit": net,
        "per_year": net / years,
        "deviation": deviation,
        "sharpe": net / years / deviation if deviation > 0 else None,
        "drawdown": float(portfolio["drawdown"].max()),  # type: ignore[arg-type]
        "worst_month": _worst_month(dates, daily),
    }


def _worst_month(dates: pl.Series, daily: FloatArray) -> dict[str, Any]:
    months = pl.DataFrame({"month": dates.dt.strftime("%Y-%m"), "made": daily})
    worst = months.group_by("month").agg(pl.col("made").sum()).sort("made", "month").row(0)
    return {"month": worst[0], "net_profit": worst[1]}
