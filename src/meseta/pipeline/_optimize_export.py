"""A study's trials for other programs: CSV, and a results file of many studies."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from meseta._files import atomic_file
from meseta.bayes import Bounds, read_results
from meseta.bayes._epochs import Epoch
from meseta.bayes._results import Results
from meseta.errors import RunError
from meseta.pipeline._optimize_tables import csv_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meseta.bayes import Space, Trial

__all__ = ["enter_results", "write_trials_csv"]


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
        old = results.study(name)
        if old is not None and old.identity != record.identity:
            raise RunError(
                f"{path} has another study `{name}`; choose another --study-name or file"
            )
        results.begin(record, space)
        results.save(name, trials, (), epoch, space)
