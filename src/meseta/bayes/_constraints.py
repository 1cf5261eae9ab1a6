"""What a parameter set must reach to be worth having, and how far it is from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.bayes._metrics import Metrics

__all__ = ["CONSTRAINTS", "UNUSABLE", "Constraints"]

# Figure of `Metrics`, whether more of it is better, weight of a unit in the violation score
# (drawdown and win rate count in percentage points there).
_RULES: tuple[tuple[str, str, bool, float], ...] = (
    ("min_sharpe", "sharpe", True, 1.0),
    ("max_drawdown", "max_drawdown", False, 10.0),
    ("min_trades", "trades", True, 0.01),
    ("min_win_rate", "win_rate", True, 1.0),
    ("min_profit_factor", "profit_factor", True, 1.0),
    ("min_calmar", "calmar", True, 1.0),
)
CONSTRAINTS: tuple[str, ...] = tuple(rule[0] for rule in _RULES)
UNUSABLE = 1000.0
# Deficits in thresholds beyond which one more says nothing; keeps what a sampler sees finite.
_FARTHEST = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Six thresholds.

    A figure that cannot be had (NaN) violates its constraint.

    Parameters
    ----------
    min_sharpe, min_calmar, min_profit_factor
        Least ratio.
    max_drawdown
        Largest drawdown, a fraction.
    min_trades
        Least number of closed trades.
    min_win_rate
        Least fraction of closed trades with a profit.
    strict
        Whether all six must hold; False allows one to be violated.

    Raises
    ------
    ArgumentError
        A threshold is not finite, or a fraction or count that cannot be.
    """

    min_sharpe: float = 1.0
    max_drawdown: float = 0.20
    min_trades: int = 50
    min_win_rate: float = 0.45
    min_profit_factor: float = 1.1
    min_calmar: float = 0.5
    strict: bool = True

    def __post_init__(self) -> None:
        for name in CONSTRAINTS:
            value = getattr(self, name)
            if not math.isfinite(value):
                raise ArgumentError(f"`{name}` must be finite, got {value!r}")
        for name in ("max_drawdown", "min_win_rate"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ArgumentError(
                    f"`{name}` is a fraction (0.2 is 20 %) and must lie in 0 ... 1, got {value!r}"
                )
        if self.min_trades < 0:
            raise ArgumentError(f"`min_trades` must be zero or more, got {self.min_trades!r}")

    def deficits(self, metrics: Metrics) -> tuple[float, ...]:
        """Return what is missing to each threshold, in thresholds; negative where it is kept.

        Parameters
        ----------
        metrics
            Of one back-test.

        Returns
        -------
        tuple of 6 floats
            In the order of `CONSTRAINTS`, finite, within -10 ... 10. A threshold of zero counts
            in units. A figure that cannot be had lacks the whole of its threshold, 1.
        """
        return tuple(
            _bounded(
                _lack(getattr(metrics, figure), getattr(self, name), more=more) / _unit(self, name)
            )
            for name, figure, more, _ in _RULES
        )

    def told(self, metrics: Metrics) -> dict[str, float]:
        """Return what a sampler is told: feasible where every value is zero or less.

        The lenient rule leaves out the largest deficit. ``usable`` is 1 for a liquidated account
        and for metrics without a figure, -1 otherwise.
        """
        lacks = list(self.deficits(metrics))
        if not self.strict:
            largest = max(range(len(lacks)), key=lacks.__getitem__)
            lacks[largest] = min(lacks[largest], 0.0)
        usable = 1.0 if self.unusable(metrics) else -1.0
        return {**dict(zip(CONSTRAINTS, lacks, strict=True)), "usable": usable}

    def violation(self, metrics: Metrics) -> float:
        """Return one number for all deficits, 0 where every threshold is kept.

        The sum of: Sharpe ratio, profit factor and Calmar ratio missing, a tenth of the drawdown's
        excess in percentage points, a hundredth of the trades and of the win rate's points
        missing. 1000 where a figure cannot be had or the account was liquidated.
        """
        if self.unusable(metrics):
            return UNUSABLE
        lacks = (
            max(0.0, _lack(getattr(metrics, figure), getattr(self, name), more=more)) * weight
            for name, figure, more, weight in _RULES
        )
        return float(min(sum(lacks), UNUSABLE))

    def violated(self, metrics: Metrics) -> tuple[str, ...]:
        """Return the names of the thresholds that are not kept, ``liquidated`` last."""
        lacks = zip(CONSTRAINTS, self.deficits(metrics), strict=True)
        names = tuple(name for name, lack in lacks if lack > 0)
        return (*names, "liquidated") if metrics.liquidated else names

    def feasible(self, metrics: Metrics) -> bool:
        """Return whether all thresholds are kept, or all but one under the lenient rule.

        Never where the account was liquidated or a figure cannot be had.
        """
        allowed = 0 if self.strict else 1
        return not self.unusable(metrics) and len(self.violated(metrics)) <= allowed

    @staticmethod
    def unusable(metrics: Metrics) -> bool:
        """Return whether the account was liquidated or a figure cannot be had."""
        figures = (float(getattr(metrics, rule[1])) for rule in _RULES)
        return metrics.liquidated or any(math.isnan(each) for each in figures)


def _lack(value: float, threshold: float, *, more: bool) -> float:
    if math.isnan(value):
        return abs(threshold) or 1.0
    return threshold - value if more else value - threshold


def _unit(constraints: Constraints, name: str) -> float:
    return abs(float(getattr(constraints, name))) or 1.0


def _bounded(value: float) -> float:
    return min(max(value, -_FARTHEST), _FARTHEST)
