"""What a study has found, trial by trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from meseta.bayes._metrics import Metrics
    from meseta.bayes._objective import Bounds
    from meseta.bayes._problem import Params

__all__ = ["State", "StudyListener", "StudyProgress", "StudyResult", "Trial"]

State: TypeAlias = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One parameter set of a study.

    Parameters
    ----------
    number
        From 0, in the order of drawing.
    state
        ``"complete"``: back-tested to the end; ``"pruned"``: ended after a segment; ``"failed"``:
        an error, a crash or too long.
    params
        What was run, exactly.
    drawn
        What the sampler drew, from which the space makes `params`.
    metrics
        Raw figures over the whole span; None unless complete.
    score
        Between the bounds of the study's last epoch; None without metrics, or where they give
        none.
    fixed_score
        Between the objective's own bounds; it decides between equal scores.
    violation
        See `Constraints.violation`; None unless complete.
    feasible, violated
        See `Constraints`; a trial without a score is not feasible.
    segment_scores
        Score of the span up to the end of each segment, between the objective's own bounds;
        None where there was none. Empty without a pruner.
    started_at
        In UTC.
    duration
        Seconds of back-testing, attempts and pauses too.
    attempts
        Back-tests begun for it, more than one only after a crash or a time-out.
    error
        Why it failed; empty otherwise.
    generation
        Of the genetic sampler; None for others.
    """

    number: int
    state: State
    params: Params
    drawn: Mapping[str, float]
    metrics: Metrics | None = None
    score: float | None = None
    fixed_score: float | None = None
    violation: float | None = None
    feasible: bool = False
    violated: tuple[str, ...] = ()
    segment_scores: tuple[float | None, ...] = ()
    started_at: datetime | None = None
    duration: float = 0.0
    attempts: int = 1
    error: str = ""
    generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyProgress:
    """Where a study is.

    Parameters
    ----------
    done, total
        Trials that are finished, and all of the study.
    new
        Those that this run has finished; the others are of earlier runs.
    feasible, pruned, failed
        How many of those done.
    best
        The best feasible trial so far, if any.
    elapsed
        Seconds of this run.
    """

    done: int
    total: int
    new: int
    feasible: int
    pruned: int
    failed: int
    best: Trial | None
    elapsed: float

    @property
    def rate(self) -> float:
        """Trials a second in this run; 0 before the first."""
        return self.new / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds left at this rate; None before the first trial."""
        return (self.total - self.done) / self.rate if self.rate else None


StudyListener: TypeAlias = "Callable[[StudyProgress], None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """A study as far as it went.

    Parameters
    ----------
    trials
        By number, scored between `bounds`.
    best
        The feasible trial of the highest score; None where none is feasible.
    nearest
        Up to ten trials by violation, least first, where none is feasible; else empty.
    pareto
        Numbers of the trials that no other is better than in total return, drawdown and Sharpe
        ratio; empty unless the sampler has several objectives.
    epoch, bounds
        Number of the last epoch of normalisation, and what it normalises between.
    elapsed
        Seconds of this run.
    interrupted
        Whether Ctrl-C ended it; what was finished is kept.
    notes
        What the user should know: a store that could not be written, for one.
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    nearest: tuple[Trial, ...]
    pareto: tuple[int, ...]
    epoch: int
    bounds: Bounds
    elapsed: float
    interrupted: bool = False
    notes: tuple[str, ...] = ()
