"""The trials of a study in one process's hands, scored within one epoch, and kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meseta.bayes._batches import Judge
from meseta.bayes._epochs import epoch_of, rescored
from meseta.bayes._record import StudyRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meseta.bayes._constraints import Constraints
    from meseta.bayes._epochs import Epoch
    from meseta.bayes._objective import Objective
    from meseta.bayes._options import StudyOptions
    from meseta.bayes._problem import Params, Problem
    from meseta.bayes._record import Identity
    from meseta.bayes._results import Results
    from meseta.bayes._space import Space
    from meseta.bayes._trial import Trial

__all__ = ["Ledger", "Setup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything that a study is asked for."""

    name: str
    problem: Problem
    space: Space
    objective: Objective
    constraints: Constraints
    options: StudyOptions
    first: tuple[Params, ...]
    identity: Identity


class Ledger:
    """Trials by number, all scored within the same epoch, and the results store behind them.

    Parameters
    ----------
    setup
        Of the study.
    results
        Where they are kept; None keeps them in memory.
    kept
        Trials of earlier runs.
    """

    def __init__(
        self, setup: Setup, results: Results | None = None, kept: Iterable[Trial] = ()
    ) -> None:
        self._setup, self._results = setup, results
        self.trials: dict[int, Trial] = {}
        self.epoch: Epoch = epoch_of((), setup.objective, setup.options)
        if results is not None:
            results.begin(self._record(), setup.space)
        self.enter(kept)

    @property
    def judge(self) -> Judge:
        """What scores trials within the epoch."""
        return Judge(self._setup.objective, self._setup.constraints, self.epoch.bounds)

    def ordered(self) -> tuple[Trial, ...]:
        """Return the trials by number."""
        return tuple(self.trials[number] for number in sorted(self.trials))

    def enter(self, new: Iterable[Trial]) -> bool:
        """Take finished trials; tell whether they begin an epoch, and all scores are new."""
        entered = {trial.number: trial for trial in new}
        self.trials |= entered
        epoch = epoch_of(self.ordered(), self._setup.objective, self._setup.options)
        changed = epoch != self.epoch
        if changed:
            self.epoch = epoch
            self._rescore()
        if self._results is not None and entered:
            written = [self.trials[number] for number in entered]
            others = self.ordered() if changed else ()
            self._results.save(self._setup.name, written, others, epoch, self._setup.space)
        return changed

    def _rescore(self) -> None:
        scored = rescored(self.ordered(), self._setup.objective, self.epoch)
        self.trials = {trial.number: trial for trial in scored}

    def _record(self) -> StudyRecord:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return StudyRecord(
            name=self._setup.name,
            identity=self._setup.identity,
            created_at=now,
            updated_at=now,
            epoch=asdict(self.epoch),
        )
