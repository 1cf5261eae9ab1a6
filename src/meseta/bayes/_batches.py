"""A batch of trials: back-tested, to the end or segment by segment, and judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meseta.bayes._trial import Trial
from meseta.bayes._workers import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meseta.bayes._constraints import Constraints
    from meseta.bayes._interrupt import Stop
    from meseta.bayes._objective import Bounds, Objective
    from meseta.bayes._sampler import Draw
    from meseta.bayes._trial import State
    from meseta.bayes._workers import Outcome, Runner

__all__ = ["Judge", "Segments", "run_segments", "run_whole", "segment_ends"]


@dataclass(frozen=True, slots=True)
class Judge:
    """Makes a trial of what became of a draw.

    Parameters
    ----------
    bounds
        Of the epoch that scores belong to.
    """

    objective: Objective
    constraints: Constraints
    bounds: Bounds

    def complete(self, draw: Draw, outcome: Outcome, segments: Sequence[float | None]) -> Trial:
        """Return a trial that was back-tested to the end, or failed on the way."""
        metrics = outcome.metrics
        if metrics is None:
            return self._ended(draw, outcome, segments, "failed")
        fixed_score = self.objective.score(metrics)
        return replace(
            self._ended(draw, outcome, segments, "complete"),
            metrics=metrics,
            score=self.objective.score(metrics, self.bounds),
            fixed_score=fixed_score,
            violation=self.constraints.violation(metrics),
            feasible=fixed_score is not None and self.constraints.feasible(metrics),
            violated=self.constraints.violated(metrics),
        )

    def pruned(self, draw: Draw, outcome: Outcome, segments: Sequence[float | None]) -> Trial:
        """Return a trial that ended after a segment."""
        return self._ended(draw, outcome, segments, "pruned")

    @staticmethod
    def _ended(
        draw: Draw, outcome: Outcome, segments: Sequence[float | None], state: State
    ) -> Trial:
        return Trial(
            number=draw.number,
            state=state,
            params=draw.params,
            drawn=draw.drawn,
            segment_scores=tuple(segments),
            started_at=outcome.started_at,
            duration=outcome.duration,
            attempts=outcome.attempts,
            error=outcome.error,
            generation=draw.generation,
        )


@dataclass(frozen=True, slots=True)
class Segments:
    """Where a trial may end early, and what says so.

    Parameters
    ----------
    ends
        Rows after each segment but the last, which ends with the span.
    prunes
        Takes a trial's number, a segment and the score of the span up to its end.
    """

    ends: Sequence[int]
    prunes: Callable[[int, int, float | None], bool]


def segment_ends(span: tuple[int, int], segments: int) -> list[int]:
    """Return the rows after each of so many equal parts of a span but the last."""
    first, last = span
    return [first + (last - first) * part // segments for part in range(1, segments)]


def run_whole(
    draws: Sequence[Draw], runner: Runner, judge: Judge, stop: Stop, tell: Callable[[Trial], None]
) -> list[Trial]:
    """Back-test draws to the end; return their trials, fewer only when the study should end."""
    by_number = {draw.number: draw for draw in draws}
    made: list[Trial] = []
    for outcome in runner.run([Task(draw.number, draw.params) for draw in draws], stop):
        made.append(judge.complete(by_number[outcome.number], outcome, ()))
        tell(made[-1])
    return made


def run_segments(
    draws: Sequence[Draw],
    runner: Runner,
    judge: Judge,
    stop: Stop,
    tell: Callable[[Trial], None],
    segments: Segments,
) -> list[Trial]:
    """Back-test draws segment by segment, all of them to the end of one before the next.

    Whether a trial is pruned then depends on finished trials alone, not on which of the batch
    comes first. When the study should end before the batch has, there are no trials: those that
    were pruned would have been compared, and the others not.
    """
    alive = {draw.number: _Run(draw) for draw in draws}
    made: list[Trial] = []
    for segment, end in enumerate([*segments.ends, None]):
        tasks = [Task(number, run.draw.params, end) for number, run in alive.items()]
        outcomes = list(runner.run(tasks, stop))
        if len(outcomes) < len(tasks):
            return []
        for outcome in sorted(outcomes, key=lambda each: each.number):
            trial = alive[outcome.number].after(segment, outcome, judge, segments)
            if trial is not None:
                del alive[outcome.number]
                made.append(trial)
                tell(trial)
    return made


class _Run:
    """A draw on its way through the segments."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self._scores: list[float | None] = []
        self._so_far: Outcome | None = None

    def after(
        self, segment: int, outcome: Outcome, judge: Judge, segments: Segments
    ) -> Trial | None:
        """Take what a segment gave; return the trial if it ends there."""
        self._so_far = whole = self._joined(outcome)
        if outcome.metrics is None:
            return judge.complete(self.draw, whole, self._scores)
        # Within the objective's own bounds: segments of different epochs are compared.
        score = judge.objective.score(outcome.metrics)
        self._scores.append(score)
        pruned = segments.prunes(self.draw.number, segment, score)
        if segment == len(segments.ends):
            return judge.complete(self.draw, whole, self._scores)
        return judge.pruned(self.draw, whole, self._scores) if pruned else None

    def _joined(self, outcome: Outcome) -> Outcome:
        before = self._so_far
        if before is None:
            return outcome
        return replace(
            outcome,
            started_at=before.started_at,
            duration=before.duration + outcome.duration,
            attempts=max(before.attempts, outcome.attempts),
        )
