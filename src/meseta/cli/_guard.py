"""What every command has in common: how it ends when something goes wrong."""

from __future__ import annotations

import functools
import inspect
import os
import traceback
from typing import TYPE_CHECKING, ParamSpec

import typer

from meseta.errors import MesetaError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEBUG", "command"]

P = ParamSpec("P")

DEBUG = "MESETA_DEBUG"
_INTERRUPTED = 130


def command(
    app: typer.Typer, name: str, *, panel: str | None = None, examples: str = ""
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Register a function as a command that ends without a traceback.

    Parameters
    ----------
    app
        The group that it belongs to.
    name
        What the user types.
    panel
        Heading under which the help lists it.
    examples
        Command lines for the end of its help, one a line.
    """

    def register(function: Callable[P, None]) -> Callable[P, None]:
        guarded = _guarded(function)
        about = _unwrapped(inspect.getdoc(function) or "")
        app.command(name, help=about, rich_help_panel=panel, epilog=_epilog(examples))(guarded)
        return guarded

    return register


def _unwrapped(text: str) -> str:
    """Join the lines of each paragraph: the terminal decides where they break."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _epilog(examples: str) -> str | None:
    lines = [line.strip() for line in examples.strip().splitlines()]
    # An empty line keeps each example on a line of its own.
    return "\n\n".join(["Examples:", *lines]) if examples else None


def _guarded(function: Callable[P, None]) -> Callable[P, None]:
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except MesetaError as error:
            _tell(_told(str(error), error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            _tell(_told("Interrupted.", error), debug=False)
            raise typer.Exit(_INTERRUPTED) from error
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            _tell(
                f"meseta has a fault: {type(error).__name__}: {error}\n"
                f"Run it again with {DEBUG}=1 (or `meseta --debug ...`) to see where, and please "
                "report that together with the command."
            )
            raise typer.Exit(1) from error

    return run


def _told(text: str, error: BaseException) -> str:
    return "\n".join([text, *getattr(error, "__notes__", [])])


def _tell(text: str, *, debug: bool = True) -> None:
    if debug and os.environ.get(DEBUG, "") not in {"", "0"}:
        traceback.print_exc()
    typer.echo(text, err=True)
