"""How a study is run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, TypeAlias

from meseta._near import did_you_mean
from meseta.errors import ArgumentError

__all__ = ["Adaptive", "PrunerName", "SamplerName", "StudyOptions"]

SamplerName: TypeAlias = Literal["tpe", "nsga2", "random"]
PrunerName: TypeAlias = Literal["none", "median"]
Adaptive: TypeAlias = Literal["report-only", "rebuild"]

MOST_TRIALS = 10_000
_NAMES = {
    "sampler": ("tpe", "nsga2", "random"),
    "pruner": ("none", "median"),
    "adaptive": ("report-only", "rebuild"),
}
_LEAST = {
    "trials": 1, "seed": 0, "startup_trials": 1, "population": 2, "batch": 1, "segments": 2,
    "epoch_every": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOptions:
    """How a study draws, runs and stops its trials.

    Parameters
    ----------
    trials
        All trials of the study, those of earlier runs too; 1 to 10,000.
    seed
        Of every draw. The same seed and options draw the same study, whatever `workers` is.
    sampler
        ``"tpe"`` maximises the objective's score; ``"nsga2"`` looks for all trade-offs of total
        return, drawdown and Sharpe ratio; ``"random"`` learns nothing.
    startup_trials
        Trials that TPE draws at random before it learns.
    population
        Trials of a generation of NSGA-II, of which the first is drawn at random.
    batch
        Trials drawn together, before any of them has a result. It decides what is drawn, and
        more `workers` than this have nothing to do.
    workers
        Processes; None for one less than there are cores.
    timeout
        Seconds after which a back-test is ended and its trial fails; None for no limit.
    pruner
        ``"median"`` ends a trial whose score lies below the median of the others' at the end of
        one of `segments`. It favours parameters that suit the first part of the history.
    segments
        Parts of the span, in order of time, after which ``"median"`` looks.
    adaptive
        Whether the sampler learns from scores between the objective's own bounds
        (``"report-only"``), or from all scores made anew between each epoch's
        (``"rebuild"``). What is ranked has the last epoch's bounds in both.
    epoch_every
        Trials from one epoch to the next.

    Raises
    ------
    ArgumentError
        A number is out of its range, or a name is none of those above.
    """

    trials: int = 100
    seed: int = 0
    sampler: SamplerName = "tpe"
    startup_trials: int = 10
    population: int = 20
    batch: int = 4
    workers: int | None = None
    timeout: float | None = 600.0
    pruner: PrunerName = "none"
    segments: int = 5
    adaptive: Adaptive = "report-only"
    epoch_every: int = 20

    def __post_init__(self) -> None:
        for name, names in _NAMES.items():
            _require_name(name, getattr(self, name), names)
        for name, least in _LEAST.items():
            _require_least(name, getattr(self, name), least)
        if self.trials > MOST_TRIALS:
            raise ArgumentError(f"`trials` must be at most {MOST_TRIALS}, got {self.trials}")
        if self.workers is not None:
            _require_least("workers", self.workers, 1)
        if self.timeout is not None and not self.timeout > 0:
            raise ArgumentError(f"`timeout` must be positive seconds, got {self.timeout!r}")
        if self.sampler == "nsga2" and self.pruner != "none":
            raise ArgumentError(
                "`pruner` compares one score, and the sampler nsga2 has three objectives; "
                "use pruner none"
            )

    @property
    def processes(self) -> int:
        """Workers that are used: no more than a batch has trials."""
        wanted = self.workers or max(1, _cores() - 1)
        return min(wanted, self.batch, self.trials)

    @property
    def multi(self) -> bool:
        """Whether several objectives are searched at once."""
        return self.sampler == "nsga2"


def _require_name(option: str, value: str, names: tuple[str, ...]) -> None:
    if value not in names:
        raise ArgumentError(
            f"`{option}` must be one of {', '.join(names)}, got {value!r}"
            f"{did_you_mean(str(value), names)}"
        )


def _require_least(option: str, value: int, least: int) -> None:
    if value < least:
        raise ArgumentError(f"`{option}` must be {least} or more, got {value!r}")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
