"""A study's trials for other programs: CSV, and a results file of many studies."""

from __future__ import annotations

import tempfile
from contextlib import closing
from errno import EISDIR
from typing import TYPE_CHECKING

from meseta._files import atomic_file
from meseta.bayes import Bounds, read_results
from meseta.bayes._epochs import Epoch
from meseta.bayes._record import identity_of
from meseta.bayes._results import Results
from meseta.errors import RunError
from meseta.pipeline._optimize_tables import csv_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meseta.bayes import Space, Trial
    from meseta.bayes._record import Identity
    from meseta.pipeline._optimize_plan import OptimizePlan

__all__ = ["enter_results", "require_exports", "write_trials_csv"]


def require_exports(plan: OptimizePlan, csv: Path | None, results: Path | None) -> None:
    """Refuse files that a study could not be written to once it is made.

    Raises
    ------
    RunError
        The CSV file cannot be written, or `results` is no results file, is damaged, locked or
        has another study of that name.
    """
    if csv is not None:
        _require_writable(csv)
    if results is not None:
        identity = identity_of(
            plan.problem, plan.space, plan.objective, plan.constraints, plan.options, plan.first
        )
        with closing(Results(results)) as opened:
            _require_same(opened, results, plan.name, identity)


def _require_writable(path: Path) -> None:
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; choose another file"
        ) from error


def _require_same(results: Results, path: Path, name: str, identity: Identity) -> None:
    old = results.study(name)
    if old is not None and old.identity != identity:
        raise RunError(f"{path} has another study `{name}`; choose another --study-name or file")


def write_trials_csv(path: Path, trials: Sequence[Trial], order: Sequence[str]) -> None:
    """Write all trials as CSV; `order` names the parameters.

    Raises
    ------
    RunError
        The file cannot be written.
    """
    with atomic_file(path) as stream:
        csv_frame(trials, order).write_csv(stream)


def enter_results(path: Path, folder: Path, name: str, space: Space) -> None:
    """Enter a study of a folder into a results file, which may hold others.

    Raises
    ------
    RunError
        The file cannot be written, is damaged, or has another study of that name.
    """
    record, trials = read_results(folder, name)
    bounds = {figure: tuple(pair) for figure, pair in record.epoch["bounds"].items()}
    epoch = Epoch(record.epoch["number"], record.epoch["trials"], Bounds(**bounds))
    with closing(Results(path)) as results:
        _require_same(results, path, name, record.identity)
        results.begin(record, space)
        results.save(name, trials, (), epoch, space)
