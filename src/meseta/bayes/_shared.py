"""A study that several machines share through a PostgreSQL server.

The server's Optuna study is the record there. Each process draws batches of its own, one process
at a time: it takes an advisory lock, reads what all have found and what they are running, draws,
and enters its draws as running trials. A process holds another advisory lock for as long as it
lives; running trials whose process does not hold its lock any more are taken over, so that
nothing is lost with a machine.

What is drawn depends on which results are there at that moment: only a study that one process
runs by itself is repeated by its seed.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

from meseta.bayes._frozen import GENERATION, trial_of
from meseta.bayes._ledger import Ledger
from meseta.bayes._local import in_use
from meseta.bayes._lock import writing
from meseta.bayes._results import Results
from meseta.bayes._sampler import Draw, Running, Sampling
from meseta.bayes._storage import begun_in, freezer, identity_in, postgres_url
from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    import optuna

    from meseta.bayes._interrupt import Stop
    from meseta.bayes._ledger import Setup
    from meseta.bayes._trial import Trial

__all__ = ["SharedBook", "open_shared"]

_OWNER = "process"  # attribute of a running trial
_PAUSE = 0.5  # seconds between two looks at what others do


def open_shared(
    setup: Setup, url: str, folder: Path | None, held: ExitStack, *, resume: bool
) -> SharedBook:
    """Join a shared study, or begin it; `held` leaves it.

    Raises
    ------
    ArgumentError
        `url` is no PostgreSQL address, or psycopg is not installed.
    RunError
        The server cannot be reached, the study exists and is not to be joined, or is another one.
    """
    server = _Server(postgres_url(url), setup.name)
    held.callback(server.close)
    with server.reached(), server.alone():
        study = server.study(setup, resume=resume)
    results = None if folder is None else _results(setup, folder, held)
    book = SharedBook(setup, Ledger(setup, results), server, study)
    with server.reached():
        book.read()
    return book


def _results(setup: Setup, folder: Path, held: ExitStack) -> Results:
    """Return this process's own results store, which is filled from the server."""
    held.enter_context(writing(folder))
    results = Results.of_study(folder)
    held.callback(results.close)
    record = results.study(setup.name)
    if record is not None:
        setup.identity.require_same(record.identity, setup.name)
    return results


class SharedBook:
    """Draws batches among other processes and takes their trials.

    Parameters
    ----------
    setup
        Of the study.
    ledger
        The trials that this process knows of, filled from the server.
    server, study
        Where they are.
    """

    def __init__(self, setup: Setup, ledger: Ledger, server: _Server, study: optuna.Study) -> None:
        self.ledger = ledger
        self.sampling = Sampling(setup.space, setup.constraints, setup.options, setup.first)
        self.notes: tuple[str, ...] = ()
        self._setup, self._server, self._study = setup, server, study
        self._frozen = freezer(setup.space, setup.constraints, setup.options)
        self._drawn = 0  # trials of all processes

    def turn(self, stop: Stop) -> list[Draw]:
        """Return what is to be run next; wait for others; nothing when the study is complete."""
        while not stop.wanted:
            with self._server.reached(), self._server.alone():
                frozen = self.read()
                draws = self._orphans(frozen) or self._new(frozen)
            if draws or len(self.ledger.trials) >= self._setup.options.trials:
                return draws
            time.sleep(_PAUSE)
        return []

    def read(self) -> list[optuna.trial.FrozenTrial]:
        """Enter what others have finished; return what runs."""
        trials = self._study.get_trials(deepcopy=False)
        self._drawn = len(trials)
        new = [
            trial_of(trial)
            for trial in trials
            if trial.state.is_finished() and trial.number not in self.ledger.trials
        ]
        self.ledger.enter(new)
        return [trial for trial in trials if not trial.state.is_finished()]

    def finish(self, made: Sequence[Trial]) -> None:
        """Take the trials of a turn, all or some of them."""
        with self._server.reached():
            for trial in made:
                self._enter(self._server.trial(trial.number), self._frozen(trial))
        self.ledger.enter(made)

    def _orphans(self, running: Sequence[optuna.trial.FrozenTrial]) -> list[Draw]:
        """Take over trials, a batch at most, whose process is gone."""
        lost = [each for each in running if self._server.gone(each.user_attrs[_OWNER])]
        taken = lost[: self._setup.options.batch]
        if taken:
            known = {each.number: _running(each) for each in running}
            self.sampling.start(self.ledger.ordered(), known)
        for trial in taken:
            mine = self._server.trial(trial.number)
            self._server.storage.set_trial_user_attr(mine, _OWNER, self._server.owner)
        return [self._draw(trial) for trial in taken]

    def _new(self, running: Sequence[optuna.trial.FrozenTrial]) -> list[Draw]:
        """Draw a batch and enter it as running."""
        options = self._setup.options
        count = min(options.batch, options.trials - self._drawn)
        if count <= 0:
            return []
        known = {each.number: _running(each) for each in running}
        self.sampling.start(self.ledger.ordered(), known)
        draws = self.sampling.draw(count)
        for draw in draws:
            self._study.add_trial(self._begun(draw))
        return draws

    def _begun(self, draw: Draw) -> optuna.trial.FrozenTrial:
        """Return a draw as a trial that this process runs."""
        from optuna.trial import TrialState, create_trial

        return create_trial(
            state=TrialState.RUNNING,
            params=dict(draw.drawn),
            distributions=self._setup.space.distributions(),
            user_attrs={_OWNER: self._server.owner, "params": dict(draw.params)},
            system_attrs={} if draw.generation is None else {GENERATION: draw.generation},
        )

    def _draw(self, trial: optuna.trial.FrozenTrial) -> Draw:
        drawn = dict(trial.params)
        params = self._setup.space.params(drawn)
        return Draw(trial.number, drawn, params, trial.system_attrs.get(GENERATION))

    def _enter(self, trial_id: int, frozen: optuna.trial.FrozenTrial) -> None:
        """Write a finished trial over the running one, how it ended last."""
        storage = self._server.storage
        for name, value in frozen.user_attrs.items():
            storage.set_trial_user_attr(trial_id, name, value)
        for name, value in frozen.system_attrs.items():
            storage.set_trial_system_attr(trial_id, name, value)
        for step, value in frozen.intermediate_values.items():
            storage.set_trial_intermediate_value(trial_id, step, value)
        storage.set_trial_state_values(trial_id, frozen.state, frozen.values)


class _Server:
    """A PostgreSQL server, its Optuna store, and this process's locks on it."""

    def __init__(self, url: str, name: str) -> None:
        import psycopg

        # A password is told to nobody.
        self._where = url.partition("://")[2].rpartition("@")[2].partition("?")[0]
        self._name = name
        self.owner = secrets.randbelow(2**31)
        digest = hashlib.sha256(name.encode()).digest()
        self._turn = int.from_bytes(digest[:8], signed=True)
        self._study = int.from_bytes(digest[8:12], signed=True)
        with self.reached():
            # Idle during a long back-test, it must stay for the lock that it holds.
            self._link = psycopg.connect(
                url, autocommit=True, connect_timeout=10, keepalives_idle=30
            )
            self._ask("SELECT pg_advisory_lock(%s, %s)", self._study, self.owner)
        self._url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        self._storage: optuna.storages.RDBStorage | None = None

    @property
    def storage(self) -> optuna.storages.RDBStorage:
        """Optuna's store; its tables are made at the first call, which must be alone."""
        if self._storage is None:
            from optuna.storages import RDBStorage

            try:
                self._storage = RDBStorage(self._url, engine_kwargs={"pool_pre_ping": True})
            except RuntimeError as error:
                raise RunError(
                    f"the storage {self._where} was made by another version of Optuna: {error}"
                ) from error
        return self._storage

    def study(self, setup: Setup, *, resume: bool) -> optuna.Study:
        """Return the study, made where it is new."""
        old = identity_in(self.storage, setup.name)
        if old is not None and not resume:
            raise RunError(in_use(setup.name, self._where))
        if old is not None:
            setup.identity.require_same(old, setup.name)
        return begun_in(self.storage, setup.name, setup.options, setup.identity)

    def trial(self, number: int) -> int:
        """Return the store's name of a trial of the study."""
        study = self.storage.get_study_id_from_name(self._name)
        return self.storage.get_trial_id_from_study_id_trial_number(study, number)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the study's other processes from drawing meanwhile."""
        self._ask("SELECT pg_advisory_lock(%s)", self._turn)
        try:
            yield
        finally:
            self._ask("SELECT pg_advisory_unlock(%s)", self._turn)

    def gone(self, owner: int) -> bool:
        """Tell whether a process has ended."""
        if owner == self.owner or not self._ask(
            "SELECT pg_try_advisory_lock(%s, %s)", self._study, owner
        ):
            return False
        self._ask("SELECT pg_advisory_unlock(%s, %s)", self._study, owner)
        return True

    @contextlib.contextmanager
    def reached(self) -> Iterator[None]:
        """Say that the server cannot be used, where that is so."""
        import psycopg
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (psycopg.Error, StorageInternalError, SQLAlchemyError) as error:
            raise RunError(
                f"the storage {self._where} cannot be used: {str(error).splitlines()[0]}; check "
                "the address and that the server runs, then go on with --resume: what was "
                "finished is kept there"
            ) from error

    def close(self) -> None:
        """Leave; other processes may then take over what runs."""
        if self._storage is not None:
            self._storage.remove_session()
            self._storage.engine.dispose()
        self._link.close()

    def _ask(self, query: Any, *values: int) -> Any:
        row = self._link.execute(query, values).fetchone()
        return None if row is None else row[0]


def _running(trial: optuna.trial.FrozenTrial) -> Running:
    return Running(trial.params, trial.system_attrs.get(GENERATION))
