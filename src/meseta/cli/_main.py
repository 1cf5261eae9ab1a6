"""The command's groups, and its own options."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from meseta.cli import (
    _analyze,
    _backtest,
    _catalogue,
    _check_strategy,
    _confirm,
    _data,
    _optimize,
    _refine,
    _report,
    _run,
    _walkforward,
)
from meseta.cli._guard import DEBUG

__all__ = ["app", "main"]

_ABOUT = """Search all parameter combinations of a trading strategy and find plateaus that hold up.

Phases validate what is found over several windows of the history; the vault at its end is the \
only unseen data. Exit codes: 0 done, 1 data or run at fault, 2 wrong option or no feasible \
trial, 130 interrupted."""

app = typer.Typer(
    name="meseta",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Begin with `meseta demo`; `meseta run --help` shows how to use your own data.",
)


def _show_version(asked: bool) -> None:  # noqa: FBT001
    if asked:
        from importlib.metadata import version

        typer.echo(f"meseta {version('meseta')}")
        raise typer.Exit


@app.callback(help=_ABOUT)
def _meseta(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show where an error happened ({DEBUG}=1 does too).")
    ] = False,
) -> None:
    """Set up what all commands share."""
    if debug:
        os.environ[DEBUG] = "1"


for _part in (
    _run,
    _walkforward,
    _optimize,
    _analyze,
    _confirm,
    _backtest,
    _refine,
    _data,
    _catalogue,
    _check_strategy,
    _report,
):
    _part.register(app)


def main() -> None:
    """Run the command line; ends the process."""
    app(prog_name="meseta")
