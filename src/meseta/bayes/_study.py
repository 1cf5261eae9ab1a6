"""A study: draws parameter sets, has them back-tested, and keeps what comes out."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from meseta.bayes._batches import Segments, run_segments, run_whole, segment_ends
from meseta.bayes._interrupt import stopping
from meseta.bayes._ledger import Ledger, Setup
from meseta.bayes._local import LocalBook, open_folder
from meseta.bayes._ranking import best_of, nearest_of, order_of, pareto_front
from meseta.bayes._record import identity_of
from meseta.bayes._shared import open_shared
from meseta.bayes._trial import StudyProgress, StudyResult
from meseta.bayes._workers import runner_of
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from meseta.bayes._constraints import Constraints
    from meseta.bayes._interrupt import Stop
    from meseta.bayes._objective import Objective
    from meseta.bayes._options import StudyOptions
    from meseta.bayes._problem import Params, Problem
    from meseta.bayes._sampler import Draw, Sampling
    from meseta.bayes._space import Space
    from meseta.bayes._trial import StudyListener, Trial
    from meseta.bayes._workers import Runner

__all__ = ["run_study"]


def run_study(
    problem: Problem,
    space: Space,
    objective: Objective,
    constraints: Constraints,
    options: StudyOptions,
    *,
    name: str,
    folder: Path | None = None,
    resume: bool = False,
    storage: str | None = None,
    first: Sequence[Params] = (),
    listener: StudyListener | None = None,
) -> StudyResult:
    """Search a space, or go on with a search that was stopped.

    The same seed and options give the same trials with any number of workers, and a study that
    was stopped and resumed is the one that was not stopped.

    Parameters
    ----------
    problem
        What is back-tested; it must be picklable unless it runs in this process.
    space, objective, constraints, options
        What is drawn, what is better, what is good enough, and how it is run.
    name
        Of the study, in its stores.
    folder
        For ``results.db``, every trial of the study, and ``optuna.db``, the same for Optuna's
        tools. None keeps the study in memory; one worker then runs in this process, where no
        back-test is ended. So it does where `options.timeout` is None.
    resume
        Whether to go on with a study of that name, if there is one.
    storage
        Address of a PostgreSQL server over which several processes share the study, instead of
        ``optuna.db``. All but the first of them must `resume`.
    first
        Parameter sets that are tried before any is drawn; one outside the space is moved inside.
    listener
        Told where the study is, at its beginning and after each trial.

    Returns
    -------
    StudyResult
        With `interrupted` where Ctrl-C ended the study: what ran in workers had ten seconds more
        (a back-test in this process ends by itself), what it gave is kept, and `resume` goes on.
        A second Ctrl-C ends it at once, and loses the batch.

    Raises
    ------
    ArgumentError
        An argument breaks its rule, or the problem cannot be sent to worker processes.
    RunError
        The study exists and is not to be resumed, or is not the same; another process is at work
        on it; a store is locked, damaged (it is set aside) or not to be reached; or no worker
        process can be started.
    """
    if not name:
        raise ArgumentError("`name` of the study must not be empty")
    setup = Setup(
        name=name,
        problem=problem,
        space=space,
        objective=objective,
        constraints=constraints,
        options=options,
        first=tuple(first),
        identity=identity_of(problem, space, objective, constraints, options, first),
    )
    with ExitStack() as held:
        stop = held.enter_context(stopping())
        book = _open(setup, folder, storage, held, resume=resume)
        inside = options.processes == 1 and (folder is None or options.timeout is None)
        return _Run(setup, book, stop, listener, inside=inside).go()


class _Book(Protocol):
    """Where a study's draws come from and its trials go."""

    ledger: Ledger
    sampling: Sampling

    @property
    def notes(self) -> tuple[str, ...]: ...

    def turn(self, stop: Stop, /) -> list[Draw]: ...

    def finish(self, made: Sequence[Trial]) -> None: ...


def _open(
    setup: Setup, folder: Path | None, storage: str | None, held: ExitStack, *, resume: bool
) -> _Book:
    if storage is not None:
        return open_shared(setup, storage, folder, held, resume=resume)
    if folder is not None:
        return open_folder(setup, folder, held, resume=resume)
    return LocalBook(setup, Ledger(setup))


class _Run:
    """One process's work on a study."""

    def __init__(
        self,
        setup: Setup,
        book: _Book,
        stop: Stop,
        listener: StudyListener | None,
        *,
        inside: bool,
    ) -> None:
        self._setup, self._book, self._stop, self._listener = setup, book, stop, listener
        self._inside = inside
        self._runner: Runner | None = None
        self._began = time.monotonic()
        self._tally = _Tally(book.ledger.ordered())
        self._epoch = book.ledger.epoch
        self._new = 0

    def go(self) -> StudyResult:
        """Run the study to its end, or to Ctrl-C."""
        self._tell()
        killed = False
        try:
            while not self._stop.wanted and (draws := self._book.turn(self._stop)):
                self._book.finish(self._batch(draws))
                self._count()
        except KeyboardInterrupt:
            killed = True
        finally:
            if self._runner is not None:
                self._runner.close()
        return self._result(interrupted=killed or self._stop.wanted)

    def _batch(self, draws: Sequence[Draw]) -> list[Trial]:
        options, problem, judge = self._setup.options, self._setup.problem, self._book.ledger.judge
        if self._runner is None:
            self._runner = runner_of(
                problem, options.processes, options.timeout, inside=self._inside
            )
        if options.pruner == "none":
            return run_whole(draws, self._runner, judge, self._stop, self._add)
        ends = segment_ends(problem.span, options.segments)
        segments = Segments(ends, self._book.sampling.prunes)
        return run_segments(draws, self._runner, judge, self._stop, self._add, segments)

    def _count(self) -> None:
        """Count again where the trials' scores are new, or others have added some."""
        ledger = self._book.ledger
        if ledger.epoch != self._epoch or len(ledger.trials) != self._tally.done:
            self._epoch = ledger.epoch
            self._tally.recount(ledger.ordered())

    def _add(self, trial: Trial) -> None:
        self._new += 1
        self._tally.add(trial)
        self._tell()

    def _tell(self) -> None:
        if self._listener is not None:
            total, elapsed = self._setup.options.trials, time.monotonic() - self._began
            self._listener(self._tally.progress(total, self._new, elapsed))

    def _result(self, *, interrupted: bool) -> StudyResult:
        ledger = self._book.ledger
        trials = ledger.ordered()
        best = best_of(trials)
        return StudyResult(
            trials=trials,
            best=best,
            nearest=() if best is not None else nearest_of(trials),
            pareto=pareto_front(trials) if self._setup.options.multi else (),
            epoch=ledger.epoch.number,
            bounds=ledger.epoch.bounds,
            elapsed=time.monotonic() - self._began,
            interrupted=interrupted,
            notes=self._book.notes,
        )


class _Tally:
    """Counts of a study's trials."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self.recount(trials)

    def recount(self, trials: Iterable[Trial]) -> None:
        """Forget all counts and make them of these."""
        self.done = self._feasible = self._pruned = self._failed = 0
        self._best: Trial | None = None
        for trial in trials:
            self.add(trial)

    def add(self, trial: Trial) -> None:
        self.done += 1
        self._feasible += trial.feasible
        self._pruned += trial.state == "pruned"
        self._failed += trial.state == "failed"
        rivals = [each for each in (self._best, trial) if each is not None and each.feasible]
        scored = [each for each in rivals if each.score is not None]
        self._best = max(scored, key=order_of, default=self._best)

    def progress(self, total: int, new: int, elapsed: float) -> StudyProgress:
        return StudyProgress(
            done=self.done,
            total=total,
            new=new,
            feasible=self._feasible,
            pruned=self._pruned,
            failed=self._failed,
            best=self._best,
            elapsed=elapsed,
        )
