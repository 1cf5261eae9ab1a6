"""A study of one process: in memory, or in the files of its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.bayes._ledger import Ledger
from meseta.bayes._lock import writing
from meseta.bayes._results import Results
from meseta.bayes._sampler import Sampling
from meseta.bayes._storage import OPTUNA, Mirror, freezer
from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from meseta.bayes._interrupt import Stop
    from meseta.bayes._ledger import Setup
    from meseta.bayes._sampler import Draw
    from meseta.bayes._trial import Trial

__all__ = ["LocalBook", "in_use", "open_folder"]


class LocalBook:
    """Draws batches and takes their trials.

    A batch is always drawn whole, from the trials before its border, also when some of its trials
    are there from an earlier run or lie beyond the study's end: what is missing is then exactly
    what an uninterrupted study had drawn.

    Parameters
    ----------
    setup
        Of the study.
    ledger
        Its trials so far.
    mirror
        Optuna's file; None keeps none.
    """

    def __init__(self, setup: Setup, ledger: Ledger, mirror: Mirror | None = None) -> None:
        self.ledger = ledger
        self.sampling = Sampling(setup.space, setup.constraints, setup.options, setup.first)
        self._setup, self._mirror = setup, mirror
        self._frozen = freezer(setup.space, setup.constraints, setup.options)
        self._batch: list[Draw] = []
        self._known: int | None = None  # trials that `sampling` knows

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        return () if self._mirror is None else self._mirror.notes

    def turn(self, _stop: Stop) -> list[Draw]:
        """Return what is to be run next; nothing when the study is complete."""
        options, trials = self._setup.options, self.ledger.trials
        number = next((n for n in range(options.trials) if n not in trials), None)
        if number is None:
            return []
        border = number // options.batch * options.batch
        if self._known != border:
            self.sampling.start([trials[earlier] for earlier in range(border)])
        self._batch, self._known = self.sampling.draw(options.batch), None
        return [d for d in self._batch if d.number < options.trials and d.number not in trials]

    def finish(self, made: Sequence[Trial]) -> None:
        """Take the trials of a turn, all or some of them."""
        changed = self.ledger.enter(made)
        trials = self.ledger.trials
        whole = all(draw.number in trials for draw in self._batch)
        if whole and not (changed and self._setup.options.adaptive == "rebuild"):
            self.sampling.tell([trials[draw.number] for draw in self._batch])
            self._known = self._batch[-1].number + 1
        self.write()

    def write(self) -> None:
        """Bring Optuna's file up to date."""
        if self._mirror is not None:
            setup, trials = self._setup, self.ledger.trials
            self._mirror.write(setup.name, trials, setup.identity, setup.options, self._frozen)


def open_folder(setup: Setup, folder: Path, held: ExitStack, *, resume: bool) -> LocalBook:
    """Open a study of a folder, or begin it; `held` closes it.

    Raises
    ------
    RunError
        Another process is at work on it, it exists and is not to be resumed, it is another one,
        or a store is locked or damaged.
    """
    held.enter_context(writing(folder))
    results, mirror = Results.of_study(folder), Mirror(folder / OPTUNA)
    held.callback(mirror.close)
    held.callback(results.close)
    record = results.study(setup.name)
    old = mirror.identity(setup.name) if record is None else record.identity
    if old is not None:
        if not resume:
            raise RunError(in_use(setup.name, str(folder)))
        setup.identity.require_same(old, setup.name)
    kept = _whole(setup, results, mirror) if old is not None else []
    book = LocalBook(setup, Ledger(setup, results, kept), mirror)
    book.write()
    return book


def in_use(name: str, where: str) -> str:
    """Return what is said when a study exists that nobody wants to resume."""
    return (
        f"study `{name}` exists already in {where}; go on with it (--resume), or choose another "
        "study name"
    )


def _whole(setup: Setup, results: Results, mirror: Mirror) -> list[Trial]:
    """Return the trials of earlier runs; those that the results lack from Optuna's file."""
    found = {trial.number: trial for trial in results.trials(setup.name)}
    # Trials of the last batch may be missing: they are run again.
    last = max(found, default=-1) // setup.options.batch * setup.options.batch
    if not found or any(number not in found for number in range(last)):
        found = {trial.number: trial for trial in mirror.trials(setup.name)} | found
        last = max(found, default=-1) // setup.options.batch * setup.options.batch
    missing = [number for number in range(last) if number not in found]
    if missing:
        raise RunError(
            f"study `{setup.name}` cannot be resumed: {len(missing)} of its first {last} trials "
            f"(number {missing[0]} for one) are neither in the results nor in the Optuna store; "
            "begin another study"
        )
    return [found[number] for number in sorted(found)]
