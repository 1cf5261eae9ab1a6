"""One number for a back-test: the weighted sum of four normalised figures."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Literal, TypeAlias

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.bayes._metrics import Metrics

__all__ = ["LEAST_TRADES", "Bounds", "Objective", "ProfitMetric"]

ProfitMetric: TypeAlias = Literal["total_return", "profit_factor"]

# With fewer closed trades the ratios say nothing.
LEAST_TRADES = 5
PROFIT_METRICS = ("total_return", "profit_factor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Values between which each figure is normalised to 0 ... 1.

    Parameters
    ----------
    sharpe, calmar, profit_factor
        Lowest and highest value, ratios.
    total_return, max_drawdown
        Lowest and highest value, fractions.

    Raises
    ------
    ArgumentError
        A bound is not finite, or the lower is above the higher.
    """

    sharpe: tuple[float, float] = (-1.0, 5.0)
    total_return: tuple[float, float] = (-0.2, 0.5)
    profit_factor: tuple[float, float] = (0.5, 3.0)
    calmar: tuple[float, float] = (-1.0, 5.0)
    max_drawdown: tuple[float, float] = (0.0, 0.5)

    def __post_init__(self) -> None:
        for each in fields(self):
            low, high = getattr(self, each.name)
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise ArgumentError(
                    f"bounds of `{each.name}` must be finite and in order, got {low!r}, {high!r}"
                )

    def normal(self, name: str, value: float) -> float:
        """Return where a figure lies between its bounds, 0 ... 1; 0.5 where they are equal."""
        low, high = getattr(self, name)
        if high == low:
            return 0.5
        return float((min(max(value, low), high) - low) / (high - low))


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Weights of the figures that a study maximises.

    Parameters
    ----------
    sharpe, profit, calmar, drawdown
        Weights; the drawdown's is negative, because less of it is better. They need no sum.
    profit_metric
        What is meant by profit: ``"total_return"``, or ``"profit_factor"``, which the usual
        constraints count once more.
    bounds
        What figures are normalised between, unless a later epoch of the study says otherwise.

    Raises
    ------
    ArgumentError
        A weight is not finite, all are zero, or there is no such profit metric.
    """

    sharpe: float = 0.30
    profit: float = 0.25
    calmar: float = 0.25
    drawdown: float = -0.20
    profit_metric: ProfitMetric = "total_return"
    bounds: Bounds = field(default_factory=Bounds)

    def __post_init__(self) -> None:
        if self.profit_metric not in PROFIT_METRICS:
            raise ArgumentError(
                f"`profit_metric` must be one of {', '.join(PROFIT_METRICS)}, "
                f"got {self.profit_metric!r}"
            )
        weights = asdict(self).items()
        for name, weight in weights:
            if isinstance(weight, int | float) and not math.isfinite(weight):
                raise ArgumentError(f"the weight `{name}` must be finite, got {weight!r}")
        if not self.weights:
            raise ArgumentError("`weights`: one at least must differ from zero, all are zero")

    @property
    def weights(self) -> dict[str, float]:
        """Weights other than zero, by the name of the figure in `Metrics`."""
        named = {
            "sharpe": self.sharpe,
            self.profit_metric: self.profit,
            "calmar": self.calmar,
            "max_drawdown": self.drawdown,
        }
        return {name: weight for name, weight in named.items() if weight}

    def score(self, metrics: Metrics, bounds: Bounds | None = None) -> float | None:
        """Return the weighted sum of normalised figures, or None where there is none.

        Parameters
        ----------
        metrics
            Of one back-test, feasible or not.
        bounds
            Of an epoch of the study; None for the objective's own.

        Returns
        -------
        float or None
            Between the sums of the negative and of the positive weights (-0.20 ... 0.80). None
            with fewer than five closed trades, or where a figure with a weight is NaN.
        """
        weights = self.weights
        values = {name: float(getattr(metrics, name)) for name in weights}
        if metrics.trades < LEAST_TRADES or any(math.isnan(each) for each in values.values()):
            return None
        within = bounds or self.bounds
        return sum(weights[name] * within.normal(name, values[name]) for name in weights)
