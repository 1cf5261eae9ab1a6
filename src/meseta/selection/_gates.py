"""The quality gates, and what a combination brings to them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray

__all__ = ["Gates", "PhaseTotals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Thresholds that a combination must pass in a phase to be valid there.

    In-sample and out-of-sample profit above zero are always asked for. All gates read the
    out-of-sample side, so what passes them is validated over several windows, not proven.

    Parameters
    ----------
    min_efficiency
        Out-of-sample profit / in-sample profit must lie above this.
    max_drawdown_to_profit
        Out-of-sample drawdown must lie below this many out-of-sample profits.
    max_drawdown_to_in_sample
        Out-of-sample drawdown must lie below this many in-sample drawdowns.
    min_drawdown
        Money. The two drawdown gates are asked only above this out-of-sample drawdown.
    min_trades
        Least number of trades on each side.

    Raises
    ------
    ArgumentError
        A threshold is not finite or negative, a drawdown factor is zero, or `min_trades` is no
        whole number.
    """

    min_efficiency: float = 0.35
    max_drawdown_to_profit: float = 1.0
    max_drawdown_to_in_sample: float = 3.0
    min_drawdown: float = 0.0
    min_trades: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            factor = field.name.startswith("max_")
            if not math.isfinite(value) or value < 0 or (factor and value == 0):
                rule = "positive" if factor else "zero or more"
                raise ArgumentError(f"`{field.name}` must be {rule} and finite, got {value!r}")
        if int(self.min_trades) != self.min_trades:
            raise ArgumentError(f"`min_trades` must be a whole number, got {self.min_trades!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTotals:
    """What each combination made in each phase; every array has shape (combinations, phases).

    Parameters
    ----------
    is_pnl, oos_pnl
        Profit in money, in-sample and out-of-sample.
    is_trades, oos_trades
        Number of trades.
    is_maxdd, oos_maxdd
        Largest drawdown in money, zero or more.

    Raises
    ------
    ArgumentError
        The shapes differ, or are not two-dimensional.
    """

    is_pnl: FloatArray
    oos_pnl: FloatArray
    is_trades: IntArray
    oos_trades: IntArray
    is_maxdd: FloatArray
    oos_maxdd: FloatArray

    def __post_init__(self) -> None:
        shapes = {field.name: getattr(self, field.name).shape for field in fields(self)}
        if len(set(shapes.values())) > 1 or self.is_pnl.ndim != 2:
            raise ArgumentError(
                f"phase totals must all have the shape (combinations, phases), got {shapes}"
            )
