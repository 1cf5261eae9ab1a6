"""Trials as Optuna has them, and back."""

from __future__ import annotations

import contextlib
import math
import threading
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from meseta.bayes._metrics import Metrics
from meseta.bayes._trial import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import optuna

__all__ = [
    "GENERATION",
    "finish_of",
    "frozen_of",
    "metrics_of_json",
    "metrics_to_json",
    "quiet",
    "trial_of",
]

# Where Optuna's genetic sampler keeps the generation of a trial.
GENERATION = "NSGAIISampler:generation"
_VERBOSITY = threading.RLock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from telling of studies that it makes; what the user has set comes back.

    One thread at a time, or one would put back what another has set.
    """
    from optuna import logging

    with _VERBOSITY:
        before = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)
        try:
            yield
        finally:
            logging.set_verbosity(before)


def finish_of(trial: Trial, values: Sequence[float] | None) -> optuna.trial.TrialState:
    """Return how a trial ended for a sampler.

    A complete trial without values, of too few trades, is told as pruned: with its constraints it
    says what does not work, which a failed one would not.
    """
    from optuna.trial import TrialState

    if trial.state == "failed":
        return TrialState.FAIL
    return TrialState.PRUNED if values is None else TrialState.COMPLETE


def frozen_of(
    trial: Trial,
    distributions: Mapping[str, Any],
    values: Sequence[float] | None,
    constraints: Mapping[str, float],
) -> optuna.trial.FrozenTrial:
    """Return a finished trial as Optuna has it, with everything that `trial_of` reads."""
    from optuna.trial import create_trial

    steps = enumerate(trial.segment_scores)
    made = create_trial(
        state=finish_of(trial, values),
        values=values,
        params=dict(trial.drawn),
        distributions=dict(distributions),
        user_attrs=attributes(trial),
        system_attrs={} if trial.generation is None else {GENERATION: trial.generation},
        intermediate_values={step: score for step, score in steps if score is not None},
        constraints=dict(constraints),
    )
    if trial.started_at is not None:
        # Optuna's times are naive, in the machine's zone.
        made.datetime_start = trial.started_at.astimezone().replace(tzinfo=None)
        made.datetime_complete = made.datetime_start + timedelta(seconds=trial.duration)
    return made


def attributes(trial: Trial) -> dict[str, Any]:
    """Return what of a trial Optuna has no place for, in JSON's types."""
    return {
        "params": dict(trial.params),
        "metrics": None if trial.metrics is None else metrics_to_json(trial.metrics),
        # One attribute, because each is a row that takes its time.
        "run": {
            "state": trial.state,
            "feasible": trial.feasible,
            "violated": list(trial.violated),
            "violation": trial.violation,
            "fixed_score": trial.fixed_score,
            "segment_scores": list(trial.segment_scores),
            "started_at": None if trial.started_at is None else trial.started_at.isoformat(),
            "duration": trial.duration,
            "attempts": trial.attempts,
            "error": trial.error,
        },
    }


def trial_of(frozen: optuna.trial.FrozenTrial) -> Trial:
    """Return a trial of Optuna's as it was before; its score is that of no epoch."""
    kept, run = frozen.user_attrs, frozen.user_attrs["run"]
    started = run["started_at"]
    return Trial(
        number=frozen.number,
        state=run["state"],
        params=kept["params"],
        drawn=dict(frozen.params),
        metrics=None if kept["metrics"] is None else metrics_of_json(kept["metrics"]),
        score=run["fixed_score"],
        fixed_score=run["fixed_score"],
        violation=run["violation"],
        feasible=run["feasible"],
        violated=tuple(run["violated"]),
        segment_scores=tuple(run["segment_scores"]),
        started_at=None if started is None else datetime.fromisoformat(started).astimezone(UTC),
        duration=run["duration"],
        attempts=run["attempts"],
        error=run["error"],
        generation=frozen.system_attrs.get(GENERATION),
    )


def metrics_to_json(metrics: Metrics) -> dict[str, Any]:
    """Return metrics in JSON's types: NaN is null, infinite the text ``"inf"`` or ``"-inf"``.

    An infinite profit factor has a score, so that it must come back as what it was.
    """
    return {name: _to_json(value) for name, value in asdict(metrics).items()}


def metrics_of_json(kept: Mapping[str, Any]) -> Metrics:
    """Return metrics that were written by `metrics_to_json`."""
    values = {each.name: kept[each.name] for each in fields(Metrics)}
    floats = {name: _of_json(value) for name, value in values.items() if name != "trades"}
    floats["liquidated"] = bool(values["liquidated"])
    return Metrics(trades=values["trades"], **floats)


def _to_json(value: float) -> Any:
    if isinstance(value, bool | int):
        return value
    number = float(value)
    if math.isnan(number):
        return None
    return number if math.isfinite(number) else str(number)


def _of_json(value: Any) -> Any:
    return math.nan if value is None else float(value)
