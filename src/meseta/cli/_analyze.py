"""`meseta analyze` and `meseta cleanup`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from meseta.cli import _optimize_options as of
from meseta.cli import _options as opt
from meseta.cli._console import count, make_console
from meseta.cli._guard import command
from meseta.cli._report import find_run
from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.bayes import Constraints, Space, Trial

__all__ = ["register"]


class _Found(NamedTuple):
    """What is known of a study."""

    trials: Sequence[Trial]
    space: Space
    names: Sequence[str]
    constraints: Constraints
    verdict: str


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    examples = (
        "meseta analyze btc\n"
        "meseta analyze runs/btc -n 25 --export-csv trials.csv\n"
        "meseta analyze btc --db-path studies.db"
    )
    command(app, "analyze", panel=opt.SEARCH, examples=examples)(_analyze)
    examples = "meseta cleanup btc --keep-top-n 50\nmeseta cleanup btc --db-path studies.db"
    command(app, "cleanup", panel=opt.SEARCH, examples=examples)(_cleanup)


def _analyze(
    *,
    study: of.Study,
    top: of.Top = 10,
    db_path: of.DbPath = None,
    export_csv: of.ExportCsv = None,
) -> None:
    """Show a study's best trials, what they have in common, and where trials fail.

    It works while the study runs, and after it was interrupted.
    """
    from meseta.bayes import importance
    from meseta.cli._optimize_tables import show_funnel, show_importance, show_top
    from meseta.pipeline import funnel_of, ranked, write_trials_csv

    found = _in_folder(study) if db_path is None else _in_file(study, db_path)
    console = make_console()
    complete = sum(each.state == "complete" for each in found.trials)
    show_top(console, ranked(found.trials, top), found.names)
    show_importance(console, importance(found.trials, found.space))
    show_funnel(console, funnel_of(found.trials, found.constraints), complete)
    console.print(found.verdict, soft_wrap=not console.is_terminal)
    if export_csv is not None:
        write_trials_csv(export_csv, found.trials, tuple(found.trials[0].params))
        console.print(f"Trials: {export_csv}", soft_wrap=True)


def _in_folder(study: str) -> _Found:
    from meseta.pipeline import open_study

    opened = open_study(find_run(Path(study)))
    if not opened.trials:
        raise RunError(f"the study in {opened.folder} has no trials yet; let it run on")
    unfinished = f"The study is {opened.manifest['status']}: {count(len(opened.trials))} trials."
    told = unfinished if opened.summary is None else opened.summary["verdict"]
    space = opened.plan.space
    return _Found(opened.trials, space, space.searched, opened.plan.constraints, told)


def _in_file(study: str, path: Path) -> _Found:
    from meseta.bayes import Constraints, read_results
    from meseta.pipeline import seen_space

    record, trials = read_results(path, study)
    limits = Constraints(**record.identity.config["constraints"])
    told = f"Begun {record.created_at}, last changed {record.updated_at}."
    space = seen_space(trials)
    return _Found(trials, space, tuple(trials[0].params), limits, told)


def _cleanup(*, study: of.Study, keep: of.KeepTop = 100, db_path: of.DbPath = None) -> None:
    """Remove all but the best trials from a study's results.

    Trials that meet the constraints are kept first. The Optuna store is never touched, and
    `meseta optimize --resume` enters its trials again.
    """
    from meseta.bayes import cleanup
    from meseta.runs import RunFolder

    if db_path is None:
        folder = find_run(Path(study))
        path, name = folder, str(RunFolder(folder).manifest().get("name", folder.name))
    else:
        path, name = db_path, study
    removed = cleanup(path, name, keep)
    typer.echo(f"{count(removed)} trials of {name} removed, at most {count(keep)} kept")
