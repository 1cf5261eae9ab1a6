"""The study as Optuna keeps it, for Optuna's own tools: beside the results, or shared.

The file beside the results is written from them, and decides nothing while they are whole. Read it
as you like while the study runs: it is in WAL mode, where readers hold up nobody. What writes into
it (optuna-dashboard does where one leaves notes) can make the study wait; the study then goes on
without the file, and writes what it missed with a later batch. The safe way is a copy::

    sqlite3 optuna.db "VACUUM INTO 'copy.db'"
    optuna-dashboard sqlite:///copy.db
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from meseta.bayes._frozen import frozen_of, quiet, trial_of
from meseta.bayes._record import Identity
from meseta.bayes._results import DamagedError, opened, set_aside
from meseta.bayes._sampler import directions_of, told_of, values_of
from meseta.errors import ArgumentError, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import optuna

    from meseta.bayes._constraints import Constraints
    from meseta.bayes._options import StudyOptions
    from meseta.bayes._space import Space
    from meseta.bayes._trial import Trial

__all__ = [
    "OPTUNA",
    "Mirror",
    "begun_in",
    "freezer",
    "identity_in",
    "postgres_url",
    "without_password",
]

OPTUNA = "optuna.db"
# Attribute of a study in which it says what it is.
_IDENTITY = "meseta"
_PATIENCE = 1.0  # seconds that another writer is waited for
_PREFIXES = ("postgresql+psycopg://", "postgresql://", "postgres://")
_ADDRESS = re.compile(
    r"postgresql://([^@/:?#\s]+(:[^@/?#\s]*)?@)?[^@/?#\s]*(/[^@/?#\s]*)?(\?[^@#\s]*)?"
)


def freezer(
    space: Space, constraints: Constraints, options: StudyOptions
) -> Callable[[Trial], optuna.trial.FrozenTrial]:
    """Return what turns trials into Optuna's, scored within the objective's own bounds.

    Values of a store cannot be changed, so they are those that no epoch changes.
    """
    distributions, fixed = space.distributions(), replace(options, adaptive="report-only")

    def frozen(trial: Trial) -> optuna.trial.FrozenTrial:
        told = told_of(trial, constraints)
        return frozen_of(trial, distributions, values_of(trial, fixed), told)

    return frozen


def begun_in(
    storage: optuna.storages.BaseStorage, name: str, options: StudyOptions, identity: Identity
) -> optuna.Study:
    """Return a study of a store, made and told what it is where it is new."""
    import optuna

    with quiet():
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=directions_of(options),
            load_if_exists=True,
        )
    if _IDENTITY not in study.user_attrs:
        study.set_user_attr(_IDENTITY, asdict(identity))
    return study


def identity_in(storage: optuna.storages.BaseStorage, name: str) -> Identity | None:
    """Return what a study of a store says it is; None where there is none of that name.

    Raises
    ------
    ArgumentError
        The study was not made here.
    """
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        return None
    kept: Mapping[str, Any] | None = storage.get_study_user_attrs(study_id).get(_IDENTITY)
    if kept is None:
        raise ArgumentError(
            f"the store has a study `{name}` that another program made; choose another study name"
        )
    return Identity(**kept)


def postgres_url(url: str) -> str:
    """Return a PostgreSQL address without the name of a driver.

    Raises
    ------
    ArgumentError
        It is the address of something else, what is in it is ambiguous, or psycopg is not
        installed.
    """
    prefix = next((each for each in _PREFIXES if url.startswith(each)), None)
    if prefix is None:
        raise ArgumentError(
            f"`storage` must be a PostgreSQL address (postgresql://user@host/database), got "
            f"{url.partition(':')[0]!r}; without it a study is kept in files of its own folder"
        )
    plain = "postgresql://" + url.removeprefix(prefix)
    if _ADDRESS.fullmatch(plain) is None:
        # The server's library would take a part of the password for the host, and say it.
        raise ArgumentError(
            "`storage` must be an address such as postgresql://user:password@host:5432/database; "
            "in names and passwords write %40 for @, %2F for /, %3F for ? and %23 for #"
        )
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ArgumentError(
            "`storage` needs psycopg, which is not installed: install meseta[postgres]"
        ) from error
    return plain


def without_password(text: str) -> str:
    """Return text without the passwords of addresses, for files and terminals."""
    masked = re.sub(r"(://[^:/@\s]+):\S*@", r"\1:***@", text)
    return re.sub(r"([?&]\w*password=)[^&\s'\"]+", r"\1***", masked)


class Mirror:
    """A study's trials in a SQLite file of Optuna's.

    Nothing that goes wrong with the file ends the study; `notes` say it.

    Parameters
    ----------
    path
        Made when missing, set aside when damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._storage: optuna.storages.RDBStorage | None = None
        self._study: optuna.Study | None = None
        self._written = 0  # trials of the study that the file has
        self._aside: tuple[str, ...] = ()
        self._behind: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the file."""
        return (*self._aside, self._behind) if self._behind else self._aside

    def identity(self, name: str) -> Identity | None:
        """Return what a study of the file says it is, without making one."""
        storage = self._opened() if self._path.exists() else None
        return None if storage is None else identity_in(storage, name)

    def trials(self, name: str) -> tuple[Trial, ...]:
        """Return a study's trials; none where the file cannot be read."""
        storage = self._opened() if self._path.exists() else None
        if storage is None or identity_in(storage, name) is None:
            return ()
        study_id = storage.get_study_id_from_name(name)
        return tuple(trial_of(each) for each in storage.get_all_trials(study_id, deepcopy=False))

    def write(
        self,
        name: str,
        trials: Mapping[int, Trial],
        identity: Identity,
        options: StudyOptions,
        frozen: Callable[[Trial], optuna.trial.FrozenTrial],
    ) -> None:
        """Add the trials that the file does not have, up to the first missing number.

        One that another program keeps locked is left as it is until a later call.
        """
        storage = self._opened()
        if storage is None or not self._free():
            return
        with self._tolerant():
            if self._study is None:
                self._study = begun_in(storage, name, options, identity)
                self._written = len(self._study.get_trials(deepcopy=False))
            while self._written in trials:
                self._study.add_trial(frozen(trials[self._written]))
                self._written += 1

    def close(self) -> None:
        """Close the file."""
        if self._storage is not None:
            self._storage.remove_session()
            self._storage.engine.dispose()

    def _opened(self) -> optuna.storages.RDBStorage | None:
        if self._storage is None and self._sound() and self._free():
            from optuna.storages import RDBStorage

            try:
                self._storage = RDBStorage("sqlite:///", {"creator": self._link})
            except RuntimeError as error:
                # A version of Optuna wrote it that this one does not understand.
                self._behind = self._why(error)
        return self._storage

    def _link(self) -> sqlite3.Connection:
        """Connect, whatever characters are in the path: an address would take some for its own."""
        return sqlite3.connect(self._path, timeout=_PATIENCE, check_same_thread=False)

    def _sound(self) -> bool:
        """Set a damaged file aside, and let readers hold up nobody."""
        try:
            opened(self._path, _PATIENCE, "PRAGMA journal_mode = WAL").close()
        except DamagedError as error:
            aside = set_aside(self._path)
            self._aside = (f"{error}; it was set aside as {aside.name} and is written anew",)
        except RunError as error:
            self._behind = self._why(error)
            return False
        return True

    def _free(self) -> bool:
        """Tell whether the file can be written now: Optuna itself would try for long."""
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=_PATIENCE)) as link:
                link.execute("BEGIN IMMEDIATE")
                link.rollback()
        except sqlite3.OperationalError as error:
            self._behind = self._why(error)
            return False
        self._behind = ""
        return True

    @contextlib.contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Go on where the file was locked or lost meanwhile, and say so at the end."""
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (StorageInternalError, SQLAlchemyError) as error:
            self._behind = self._why(error)

    def _why(self, error: Exception) -> str:
        return (
            f"{self._path} was not written ({error}); the study does not need it, and resuming it "
            "brings the file up to date"
        )
