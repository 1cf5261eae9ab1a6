"""Which trials of a study are best."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meseta.bayes._metrics import Metrics
    from meseta.bayes._trial import Trial

__all__ = ["AIMS", "aims_of", "best_of", "nearest_of", "order_of", "pareto_front"]

# What is searched at once without weights, and whether more of it is better.
AIMS = (("total_return", True), ("max_drawdown", False), ("sharpe", True))
_NEAREST = 10


def aims_of(metrics: Metrics) -> tuple[float, ...] | None:
    """Return the figures of `AIMS`, or None where one is not finite."""
    values = tuple(float(getattr(metrics, name)) for name, _ in AIMS)
    return values if all(math.isfinite(each) for each in values) else None


def order_of(trial: Trial) -> tuple[float, float, int]:
    """Return what sorts trials, best last.

    Normalisation cuts the best off at the bounds of an epoch, so that several may have the same
    score; the score within the objective's own, wider bounds decides between them.
    """
    lowest = -math.inf
    return (
        lowest if trial.score is None else trial.score,
        lowest if trial.fixed_score is None else trial.fixed_score,
        -trial.number,
    )


def best_of(trials: Iterable[Trial]) -> Trial | None:
    """Return the feasible trial of the highest score; None where there is none."""
    good = [trial for trial in trials if trial.feasible and trial.score is not None]
    return max(good, key=order_of, default=None)


def nearest_of(trials: Iterable[Trial], count: int = _NEAREST) -> tuple[Trial, ...]:
    """Return the complete trials of the least violation, of equal ones the best score first."""
    found = [trial for trial in trials if trial.violation is not None]
    best_first = sorted(found, key=order_of, reverse=True)
    return tuple(sorted(best_first, key=lambda trial: trial.violation or 0.0)[:count])


def pareto_front(trials: Iterable[Trial]) -> tuple[int, ...]:
    """Return the numbers of the trials that no other is better than.

    Parameters
    ----------
    trials
        Of a study with whatever sampler. Feasible ones are compared, or all that have a score
        where none is feasible.

    Returns
    -------
    tuple of ints
        In the order of total return, highest first: no other trial has a total return and a
        Sharpe ratio as high and a drawdown as low, and one of them better.
    """
    usable = [trial for trial in trials if trial.fixed_score is not None]
    chosen = [trial for trial in usable if trial.feasible] or usable
    points = [(point, trial.number) for trial in chosen if (point := _gains(trial)) is not None]
    points.sort(key=lambda each: (tuple(-gain for gain in each[0]), each[1]))
    front: list[tuple[tuple[float, ...], int]] = []
    for point, number in points:
        # What dominates a point comes before it in this order.
        if not any(_dominates(other, point) for other, _ in front):
            front.append((point, number))
    return tuple(number for _, number in front)


def _gains(trial: Trial) -> tuple[float, ...] | None:
    values = None if trial.metrics is None else aims_of(trial.metrics)
    if values is None:
        return None
    signs = (1.0 if more else -1.0 for _, more in AIMS)
    return tuple(sign * value for sign, value in zip(signs, values, strict=True))


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
