"""The results store: every trial of every study, in one SQLite file.

One process writes a study, others may read it meanwhile (WAL). Raw metrics are the record; the
score beside them belongs to the epoch that the study's row names.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from meseta._near import did_you_mean
from meseta.bayes._frozen import metrics_of_json, metrics_to_json
from meseta.bayes._ranking import order_of
from meseta.bayes._record import Identity, StudyRecord
from meseta.bayes._trial import Trial
from meseta.errors import ArgumentError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meseta.bayes._epochs import Epoch
    from meseta.bayes._space import Space

__all__ = ["RESULTS", "DamagedError", "Results", "cleanup", "opened", "read_results", "set_aside"]

RESULTS = "results.db"
# Seconds that another process may hold the file before it counts as locked.
PATIENCE = 10.0
# All or nothing: a database that is not of results is left as it was.
_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS studies (
    name TEXT PRIMARY KEY, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    config_json TEXT NOT NULL, data_fingerprint TEXT NOT NULL, code_version TEXT NOT NULL,
    epoch_bounds_json TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS trials (
    id INTEGER PRIMARY KEY, study TEXT NOT NULL REFERENCES studies(name),
    optuna_number INTEGER NOT NULL, state TEXT NOT NULL, params_json TEXT NOT NULL,
    run_params_json TEXT NOT NULL, drawn_json TEXT NOT NULL, metrics_json TEXT, score REAL,
    score_epoch INTEGER, fixed_score REAL, violation_score REAL, is_valid INTEGER NOT NULL,
    violations_json TEXT NOT NULL, segment_scores_json TEXT NOT NULL, started_at TEXT,
    duration_s REAL NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, generation INTEGER,
    UNIQUE (study, optuna_number)
);
CREATE INDEX IF NOT EXISTS trials_by_score ON trials (study, score);
CREATE INDEX IF NOT EXISTS trials_by_state ON trials (study, state);
COMMIT;
PRAGMA journal_mode = WAL;
"""


class Results:
    """The file, open for writing.

    Parameters
    ----------
    path
        Made when missing. The caller keeps other writers away.

    Raises
    ------
    RunError
        The file is locked, cannot be written, is damaged, or is another program's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._link = opened(path, PATIENCE, _TABLES)

    @classmethod
    def of_study(cls, folder: Path) -> Self:
        """Open the file of a study's own folder.

        Raises
        ------
        RunError
            As the class; a damaged file is set aside first.
        """
        path = folder / RESULTS
        try:
            return cls(path)
        except DamagedError as error:
            aside = set_aside(path)
            raise RunError(
                f"{error}; it was set aside as {aside.name}, and nothing was deleted: resume the "
                "study, and its trials are read back from the Optuna store beside it"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._link.close()

    def study(self, name: str) -> StudyRecord | None:
        """Return what is kept of a study, or None."""
        with _said(self._path):
            return _study(self._link, name)

    def trials(self, name: str) -> tuple[Trial, ...]:
        """Return a study's trials by number."""
        with _said(self._path):
            return _trials(self._link, name)

    def begin(self, record: StudyRecord, space: Space) -> None:
        """Enter a study; its parameters become columns."""
        with _said(self._path), self._link:
            have = {row[1] for row in self._link.execute("PRAGMA table_info(trials)")}
            for column in (_column(name) for name in space.order):
                if column not in have:
                    self._link.execute(f"ALTER TABLE trials ADD COLUMN {_quoted(column)} REAL")
            self._link.execute(
                "INSERT OR IGNORE INTO studies VALUES (?, ?, ?, ?, ?, ?, ?)", _study_row(record)
            )

    def save(
        self,
        name: str,
        new: Sequence[Trial],
        rescored: Sequence[Trial],
        epoch: Epoch,
        space: Space,
    ) -> None:
        """Write a batch's trials, and the scores of those that an epoch gave others, at once."""
        with _said(self._path), self._link:
            for trial in new:
                self._insert(_row(name, trial, epoch, space))
            self._link.executemany(
                "UPDATE trials SET score = ?, score_epoch = ? "
                "WHERE study = ? AND optuna_number = ?",
                [(trial.score, epoch.number, name, trial.number) for trial in rescored],
            )
            self._link.execute(
                "UPDATE studies SET updated_at = ?, epoch_bounds_json = ? WHERE name = ?",
                (_now(), json.dumps(asdict(epoch)), name),
            )

    def _insert(self, row: dict[str, Any]) -> None:
        columns = ", ".join(_quoted(column) for column in row)
        marks = ", ".join("?" * len(row))
        self._link.execute(
            f"INSERT OR REPLACE INTO trials ({columns}) VALUES ({marks})", list(row.values())
        )


def read_results(path: Path, study: str | None = None) -> tuple[StudyRecord, tuple[Trial, ...]]:
    """Read a study, also while it runs; nothing is written.

    Parameters
    ----------
    path
        The file, or the folder that holds ``results.db``.
    study
        Its name; None for the only one of the file.

    Returns
    -------
    StudyRecord, tuple of Trials
        The trials by number, scored within the study's last epoch.

    Raises
    ------
    RunError
        There is no such file, or it is locked or damaged.
    ArgumentError
        There is no study of that name, or there are several and none was named.
    """
    file = _existing(path)
    with _read(file) as link:
        name = _chosen(link, file, study)
        record = _study(link, name)
        assert record is not None  # it was chosen from those there are
        return record, _trials(link, name)


def cleanup(path: Path, study: str | None, keep: int) -> int:
    """Remove all but the best trials of a study from the results store.

    Feasible trials are kept first, by score, then complete ones by violation, then the others.
    The Optuna store is not touched, so that a resumed study knows all of its trials and enters
    them again.

    Parameters
    ----------
    path
        The file, or the folder that holds ``results.db``.
    study
        Its name; None for the only one of the file.
    keep
        Trials to keep.

    Returns
    -------
    int
        Trials removed.

    Raises
    ------
    ArgumentError
        `keep` is less than 1, or as `read_results`.
    RunError
        As `read_results`, or the study is being run.
    """
    from meseta.bayes._lock import writing

    if keep < 1:
        raise ArgumentError(f"`keep` must be 1 or more, got {keep!r}")
    file = _existing(path)
    with writing(file.parent), contextlib.closing(opened(file, PATIENCE)) as link:
        with _said(file), link:
            name = _chosen(link, file, study)
            worst = sorted(_trials(link, name), key=_kept_first)[keep:]
            link.executemany(
                "DELETE FROM trials WHERE study = ? AND optuna_number = ?",
                [(name, trial.number) for trial in worst],
            )
        return len(worst)


def set_aside(path: Path) -> Path:
    """Rename a damaged file, with what SQLite keeps beside it; return the new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for ending in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside


class DamagedError(RunError):
    """The file is no database, or a broken one."""


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say what is wrong with the file, and the way out."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "no such" in str(error):
            raise RunError(
                f"{path} is a database, but not one of results ({error}); name another file"
            ) from error
        raise RunError(
            f"cannot use the store {path}: {error}; another program may hold the file, or its "
            "folder cannot be written: end that program or choose another folder, then resume; "
            "all trials before this batch are kept"
        ) from error
    except sqlite3.DatabaseError as error:
        raise DamagedError(f"the store {path} is damaged: {error}") from error


def opened(path: Path, patience: float, script: str = "") -> sqlite3.Connection:
    """Return a connection to a sound file, made when missing, after a script has run.

    Raises
    ------
    DamagedError
        The file is no database, or a broken one.
    RunError
        It is locked for longer than `patience` seconds, or cannot be opened.
    """
    with _said(path), contextlib.ExitStack() as held:
        path.parent.mkdir(parents=True, exist_ok=True)
        link = held.enter_context(contextlib.closing(sqlite3.connect(path, timeout=patience)))
        found = link.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise DamagedError(f"the store {path} is damaged: {found}")
        link.executescript(script)
        held.pop_all()
        return link


@contextlib.contextmanager
def _read(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with contextlib.closing(opened(path, PATIENCE)) as link, _said(path):
            yield link
    except DamagedError as error:
        raise RunError(
            f"{error}; where it is a study's own, resume the study: the file is set aside, and "
            "made again of the Optuna store beside it"
        ) from error


def _existing(path: Path) -> Path:
    file = path / RESULTS if path.is_dir() else path
    if not file.is_file():
        raise RunError(f"there are no results at {file}; run a study first, or name its folder")
    return file


def _chosen(link: sqlite3.Connection, path: Path, study: str | None) -> str:
    names = [row[0] for row in link.execute("SELECT name FROM studies ORDER BY name")]
    if study is None and len(names) == 1:
        return str(names[0])
    if study is None or study not in names:
        asked = "several studies, name one" if study is None else f"no study {study!r}"
        raise ArgumentError(
            f"{path} has {asked if names else 'no study'}{did_you_mean(study or '', names)} "
            f"(it has {', '.join(names) or 'none'})"
        )
    return study


def _kept_first(trial: Trial) -> tuple[bool, float, tuple[float, ...]]:
    lack = math.inf if trial.violation is None else trial.violation
    return not trial.feasible, 0.0 if trial.feasible else lack, tuple(-x for x in order_of(trial))


def _study_row(record: StudyRecord) -> tuple[str, ...]:
    identity = record.identity
    return (
        record.name,
        record.created_at,
        record.updated_at,
        json.dumps(identity.config),
        identity.data_fingerprint,
        identity.code_version,
        json.dumps(record.epoch),
    )


def _study(link: sqlite3.Connection, name: str) -> StudyRecord | None:
    row = link.execute("SELECT * FROM studies WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    _, created, updated, config, fingerprint, code, epoch = row
    return StudyRecord(
        name=name,
        identity=Identity(json.loads(config), fingerprint, code),
        created_at=created,
        updated_at=updated,
        epoch=json.loads(epoch),
    )


def _row(name: str, trial: Trial, epoch: Epoch, space: Space) -> dict[str, Any]:
    flat = {_column(key): value for key, value in trial.params.items()}
    return flat | {
        "study": name,
        "optuna_number": trial.number,
        "state": trial.state,
        "params_json": json.dumps(_nested(trial, space)),
        "run_params_json": json.dumps(dict(trial.params)),
        "drawn_json": json.dumps(dict(trial.drawn)),
        "metrics_json": trial.metrics and json.dumps(metrics_to_json(trial.metrics)),
        "score": trial.score,
        "score_epoch": epoch.number,
        "fixed_score": trial.fixed_score,
        "violation_score": trial.violation,
        "is_valid": int(trial.feasible),
        "violations_json": json.dumps(trial.violated),
        "segment_scores_json": json.dumps(trial.segment_scores),
        "started_at": trial.started_at and trial.started_at.isoformat(),
        "duration_s": trial.duration,
        "attempts": trial.attempts,
        "error": trial.error,
        "generation": trial.generation,
    }


def _nested(trial: Trial, space: Space) -> dict[str, dict[str, int | float]]:
    """Return the parameters by the groups of the space."""
    groups: dict[str, dict[str, int | float]] = {}
    for name, value in trial.params.items():
        group = space.about[name].group if name in space.about else ""
        groups.setdefault(group, {})[name] = value
    return groups


def _trials(link: sqlite3.Connection, name: str) -> tuple[Trial, ...]:
    rows = link.execute(
        "SELECT optuna_number, state, run_params_json, drawn_json, metrics_json, score, "
        "fixed_score, violation_score, is_valid, violations_json, segment_scores_json, "
        "started_at, duration_s, attempts, error, generation FROM trials WHERE study = ? "
        "ORDER BY optuna_number",
        (name,),
    )
    return tuple(_trial(row) for row in rows)


def _trial(row: tuple[Any, ...]) -> Trial:
    number, state, params, drawn, metrics, score, fixed, violation, valid, *rest = row
    violated, segments, started, duration, attempts, error, generation = rest
    return Trial(
        number=number,
        state=state,
        params=json.loads(params),
        drawn=json.loads(drawn),
        metrics=metrics and metrics_of_json(json.loads(metrics)),
        score=score,
        fixed_score=fixed,
        violation=violation,
        feasible=bool(valid),
        violated=tuple(json.loads(violated)),
        segment_scores=tuple(json.loads(segments)),
        started_at=started and datetime.fromisoformat(started),
        duration=duration,
        attempts=attempts,
        error=error,
        generation=generation,
    )


def _column(name: str) -> str:
    return f"param_{name}"


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
