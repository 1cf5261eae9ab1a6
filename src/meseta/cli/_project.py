"""`meseta walkforward project.yaml`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from meseta.cli._console import make_console
from meseta.cli._progress import watch
from meseta.cli._run import command_line, say_first_use
from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from meseta.pipeline import ProjectPlan, ProjectResult

__all__ = ["run_project_file"]

_NAMED = 12  # failed members that a message names


def run_project_file(
    file: Path, overrides: Mapping[str, Any], *, resume: bool, force: bool
) -> None:
    """Walk every member of a project file forward, and say what was found.

    Parameters
    ----------
    file
        The project.
    overrides
        Options that win over the file's.
    resume, force
        See `meseta.pipeline.run_project`.

    Raises
    ------
    ArgumentError
        The file or an option breaks a rule; nothing was started.
    RunError
        The project is in the way, or members failed; everything else was written.
    """
    from meseta import pipeline
    from meseta.cli._project_tables import show_project, show_project_plan

    console = make_console()
    project = pipeline.load_project(file, overrides)
    with watch(make_console(stderr=True)) as progress:
        planned = pipeline.plan_project(project, resume=resume, progress=progress)
    show_project_plan(console, planned, resume=resume)
    say_first_use(console)
    console.file.flush()
    began = time.monotonic()
    result = _run(planned, resume=resume, force=force)
    show_project(console, result, time.monotonic() - began)
    if result.failed:
        console.file.flush()
        raise RunError(_failures(result))


def _run(planned: ProjectPlan, *, resume: bool, force: bool) -> ProjectResult:
    from meseta import pipeline

    with watch(make_console(stderr=True)) as progress:
        try:
            return pipeline.run_project(
                planned.project,
                planned=planned,
                command=command_line(sys.argv),
                resume=resume,
                force=force,
                progress=progress,
            )
        except KeyboardInterrupt as error:
            error.add_note(f"What was finished is kept. Continue with:\n  {_again()}")
            raise


def _again() -> str:
    """Return the command line that goes on."""
    parts = [part for part in sys.argv if part not in {"--force", "--resume"}]
    return command_line([*parts, "--resume"])


def _failures(result: ProjectResult) -> str:
    named = [f"{e['symbol']} {e['bar_size']} {e['strategy']}" for e in result.failed]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return (
        f"{len(named)} of {len(result.manifest['members'])} members failed: "
        f"{', '.join(named[:_NAMED])}{more}. The reasons stand above and in project.json; what "
        f"was mended is tried again with:\n  {_again()}"
    )
