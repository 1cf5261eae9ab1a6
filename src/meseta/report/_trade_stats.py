"""Trades counted by side and by reason of exit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Tally", "by_reason", "by_side", "sells_short"]

_REASONS = {
    "take-profit": "the lot’s own limit filled",
    "stop-loss": "the lot’s own stop reached",
    "liquidation": "closed because the margin was gone",
    "drawdown": "closed because the account had fallen too far",
    "trail": "trailing stop reached",
    "breach": "closed beyond the final stop, left at the next open",
    "end": "the last close",
    "cross": "averages crossed the other way, left at the next open",
    "reverse": "an entry order the other way filled",
    "stop": "resting stop order reached",
    "limit": "limit order filled",
    "exit": "left at the next open, as the strategy ordered",
    "boundary": "left at the open where the combination changed",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """Some trades together.

    Attributes
    ----------
    label, note
        What they have in common, and what that means.
    trades
        How many.
    winners
        Share with a profit above 0; None without trades.
    profit
        Sum, money.
    average
        Mean profit, money; None without trades.
    """

    label: str
    note: str
    trades: int
    winners: float | None
    profit: float
    average: float | None

    def none(self) -> Tally:
        """Return the same without any trade."""
        return Tally(self.label, self.note, 0, None, 0.0, None)


def sells_short(trades: pl.DataFrame) -> bool:
    """Tell whether any trade is a short; False where the side is not recorded."""
    return "dir" in trades.columns and bool((trades["dir"] < 0).any())


def by_side(trades: pl.DataFrame) -> list[Tally]:
    """Count long and short trades; empty where the side is not recorded.

    Parameters
    ----------
    trades
        Columns `pnl` (money) and `dir` (1 long, -1 short).
    """
    if "dir" not in trades.columns:
        return []
    return [
        _tally("Long", "", trades.filter(pl.col("dir") > 0)),
        _tally("Short", "", trades.filter(pl.col("dir") < 0)),
    ]


def by_reason(trades: pl.DataFrame) -> list[Tally]:
    """Count trades by `reason`, those that occur; empty where it is not recorded."""
    if "reason" not in trades.columns:
        return []
    return [
        _tally(reason, _REASONS.get(reason, ""), trades.filter(pl.col("reason") == reason))
        for reason in _ordered(trades["reason"].drop_nulls().unique().to_list())
    ]


def _ordered(found: Sequence[str]) -> list[str]:
    known = [reason for reason in _REASONS if reason in found]
    return known + sorted(set(found) - set(known))


def _tally(label: str, note: str, trades: pl.DataFrame) -> Tally:
    number, profit = len(trades), float(trades["pnl"].sum())
    if not number:
        return Tally(label, note, 0, None, profit, None)
    winners = int((trades["pnl"] > 0).sum()) / number
    return Tally(label, note, number, winners, profit, profit / number)
