"""`meseta report`: the page of a run."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import typer

from meseta.cli import _options as opt  # noqa: TC001 - Typer reads annotations
from meseta.cli._guard import command
from meseta.errors import RunError

__all__ = ["find_run", "register"]


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    group = typer.Typer(no_args_is_help=True, help="The page of a run.")
    examples = "meseta report open demo\nmeseta report open runs/demo"
    command(group, "open", examples=examples)(_open)
    app.add_typer(group, name="report", rich_help_panel="Look things up")


def find_run(run: Path) -> Path:
    """Return the folder of a run given by its path or by its name in runs/.

    Raises
    ------
    RunError
        There is no such folder.
    """
    for folder in (run, Path("runs") / run):
        if folder.is_dir():
            return folder
    raise RunError(f"there is no run folder {run} or {Path('runs') / run}; give the run's folder")


def _write(folder: Path) -> None:
    """Write the pages of a run, of whichever kind it is."""
    from meseta.report import (
        write_comparison,
        write_optimize_report,
        write_project_report,
        write_report,
        write_walkforward_report,
    )
    from meseta.runs import RunFolder

    if (folder / "project.json").is_file():
        write_project_report(folder)
        return
    manifest = RunFolder(folder).manifest()
    if manifest.get("kind") == "walkforward":
        write_walkforward_report(folder)
        return
    if manifest.get("kind") == "optimize":
        write_optimize_report(folder)
        return
    write_report(folder)
    if manifest.get("variants"):
        write_comparison(folder)


def _open(run: opt.RunArgument) -> None:
    """Print the path of a run's page and open it in the browser.

    A run made with --no-report gets its page now.
    """
    folder = find_run(run)
    project = folder / "project.json"
    page = folder / ("project.html" if project.is_file() else "report.html")
    if not page.is_file():
        _write(folder)
    typer.echo(page)
    if not webbrowser.open(page.resolve().as_uri()):
        typer.echo("no browser could be opened; open the file yourself", err=True)
