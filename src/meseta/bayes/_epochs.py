"""Bounds of normalisation that follow what a study has seen, in numbered epochs.

A score is a number within one epoch. Raw metrics are what is kept, and when an epoch begins all
scores are made anew, so that two trials are always compared within the same bounds. An epoch is a
function of the trials before the border of a batch, and of nothing else: not of the order in
which they ended, nor of when a study was stopped and resumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from meseta.bayes._objective import Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.bayes._objective import Objective
    from meseta.bayes._options import StudyOptions
    from meseta.bayes._trial import Trial

__all__ = ["Epoch", "epoch_of", "rescored"]

_LEAST = 10  # observations
_TAIL = 5.0  # per cent on either side


@dataclass(frozen=True, slots=True)
class Epoch:
    """Bounds, the number of their epoch, and of how many first trials they were made."""

    number: int
    trials: int
    bounds: Bounds


def epoch_of(trials: Sequence[Trial], objective: Objective, options: StudyOptions) -> Epoch:
    """Return the epoch that a study is in.

    Parameters
    ----------
    trials
        Finished trials by number; counted up to the first missing number.

    Returns
    -------
    Epoch
        Between the 5th and the 95th percentile of the usable trials before the last border of a
        batch with a multiple of `epoch_every` trials behind it; epoch 0, the objective's own
        bounds, before there are ten of them.
    """
    done = next((at for at, trial in enumerate(trials) if trial.number != at), len(trials))
    number = next(
        (k for k in range(done // options.epoch_every, 0, -1) if _border(k, options) <= done), 0
    )
    basis = trials[: _border(number, options)]
    seen = [trial for trial in basis if trial.fixed_score is not None]
    if len(seen) < _LEAST:
        return Epoch(0, 0, objective.bounds)
    return Epoch(number, len(basis), _bounds(seen, objective.bounds))


def rescored(trials: Sequence[Trial], objective: Objective, epoch: Epoch) -> tuple[Trial, ...]:
    """Return the trials with scores within an epoch's bounds."""
    return tuple(
        replace(trial, score=objective.score(trial.metrics, epoch.bounds))
        if trial.metrics is not None
        else trial
        for trial in trials
    )


def _border(number: int, options: StudyOptions) -> int:
    """Return the border of a batch at which an epoch begins."""
    return math.ceil(number * options.epoch_every / options.batch) * options.batch


def _bounds(seen: Sequence[Trial], own: Bounds) -> Bounds:
    return Bounds(**{each.name: _between(seen, each.name, own) for each in fields(Bounds)})


def _between(seen: Sequence[Trial], name: str, own: Bounds) -> tuple[float, float]:
    import numpy as np

    values = [float(getattr(trial.metrics, name)) for trial in seen]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        low, high = getattr(own, name)
        return low, high
    low, high = np.percentile(finite, [_TAIL, 100 - _TAIL])
    return float(low), float(high)
