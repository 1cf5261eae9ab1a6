"""Parameter sets run again by events, beside what the compiled simulator made of them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.confirm._causes import causes_of
from meseta.confirm._engine import Job, require_engine, run_job
from meseta.confirm._process import Answer, answers_of
from meseta.errors import ArgumentError
from meseta.hedge import metrics_of, simulate
from meseta.hedge._problem import parts_of
from meseta.hedge._simulate import check_span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meseta.bayes import Metrics, Params
    from meseta.confirm._causes import Cause
    from meseta.confirm._outcome import EventDriven
    from meseta.hedge import GridSettings, HedgeMarket, HedgeResult

__all__ = ["Confirmed", "confirm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """One parameter set on both engines.

    Parameters
    ----------
    trial
        Its number.
    params
        As run.
    compiled, engine
        What each made of it; `engine` is None where it failed.
    compiled_metrics, engine_metrics
        Figures of the two, by the same definitions.
    causes
        Why the two differ; their differences add up to `difference`.
    error
        Why the engine failed; empty where it did not.
    seconds
        How long its process took.
    """

    trial: int
    params: Params
    compiled: HedgeResult
    engine: EventDriven | None
    compiled_metrics: Metrics
    engine_metrics: Metrics | None
    causes: tuple[Cause, ...]
    error: str
    seconds: float

    @property
    def difference(self) -> float:
        """Final equity by events less the compiled one, money; NaN where the engine failed."""
        if self.engine_metrics is None:
            return math.nan
        return self.engine_metrics.final_equity - self.compiled_metrics.final_equity


def confirm(
    market: HedgeMarket,
    trials: Mapping[int, Params],
    settings: GridSettings,
    span: tuple[int, int] | None = None,
    *,
    workers: int | None = None,
    timeout: float = 600.0,
    listener: Callable[[Confirmed], None] | None = None,
) -> tuple[Confirmed, ...]:
    """Run parameter sets on the event-driven engine, each in a fresh process.

    Parameters
    ----------
    market, settings
        What is traded, and how.
    trials
        Parameter sets by number; their values may hold ``atr_gate_mult``.
    span
        First traded row, and the row after the last; None for all bars.
    workers
        Processes at a time; None for the cores less one. Each takes 500 MB and more.
    timeout
        Seconds after which the process of a parameter set is killed.
    listener
        Called with each as it is ready.

    Returns
    -------
    tuple of Confirmed
        In the order of `trials`; those that failed say why.

    Raises
    ------
    ArgumentError
        The extra is not installed, or an argument breaks its rule.
    """
    require_engine()
    workers, timeout = _checked(workers, timeout)
    rows, numbers = check_span(market, span), list(trials)
    jobs = [Job(market, *parts_of(trials[number], settings), rows) for number in numbers]
    # What a parameter set makes wrong is said before the first process starts.
    compiled = [simulate(market, job.parameters, job.settings, rows) for job in jobs]
    found: dict[int, Confirmed] = {}
    for answer in answers_of(run_job, jobs, workers=workers, timeout=timeout):
        number = numbers[answer.number]
        ours = compiled[answer.number]
        found[number] = _confirmed(number, trials[number], jobs[answer.number], ours, answer)
        if listener is not None:
            listener(found[number])
    return tuple(found[number] for number in numbers)


def _checked(workers: int | None, timeout: float) -> tuple[int, float]:
    chosen = max(1, (os.cpu_count() or 1) - 1) if workers is None else workers
    if chosen < 1:
        raise ArgumentError(f"`workers` must be at least 1, got {workers!r}")
    if not timeout > 0:
        raise ArgumentError(f"`timeout` must be more than 0 seconds, got {timeout!r}")
    return chosen, timeout


def _confirmed(
    number: int, params: Params, job: Job, compiled: HedgeResult, answer: Answer[EventDriven]
) -> Confirmed:
    time, engine = job.market.bars.time, answer.value
    causes = (
        ()
        if engine is None
        else causes_of(job.market, job.parameters, job.settings, compiled, engine)
    )
    return Confirmed(
        trial=number,
        params=params,
        compiled=compiled,
        engine=engine,
        compiled_metrics=metrics_of(compiled, time, job.settings),
        engine_metrics=None if engine is None else metrics_of(engine.result, time, job.settings),
        causes=causes,
        error=answer.error,
        seconds=answer.seconds,
    )
