"""Things that a user wrote in a file of their own, named as ``path/to/file.py:NAME``."""

from __future__ import annotations

import linecache
import sys
import traceback
import types
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta._near import did_you_mean
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Sought", "kind_of", "read_file", "run_file", "said", "split"]

_numbers = count()


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for in a file.

    Parameters
    ----------
    one, many
        What messages call it, such as ``"strategy"``, which is its option too, and
        ``"strategies"``.
    kind
        Its class, with an attribute `name`.
    """

    one: str
    many: str
    kind: Any

    def own(self, held: dict[str, Any], others: Collection[Any] = ()) -> dict[str, Any]:
        """Return what a file made of it, by variable.

        Parameters
        ----------
        held
            What the file's variables hold.
        others
            What the file may hold without having made it.
        """
        seen = {id(thing) for thing in others}
        own: dict[str, Any] = {}
        for name, value in held.items():
            if isinstance(value, self.kind) and id(value) not in seen:
                seen.add(id(value))
                own[name] = value
        return own

    def choose(self, path: str, wanted: str, held: dict[str, Any], own: dict[str, Any]) -> Any:
        """Return the one of a file that is meant: by variable, by its own name, or alone.

        Raises
        ------
        ArgumentError
            None is, or several are.
        """
        meant = held.get(wanted)
        if isinstance(meant, self.kind):
            return meant
        called = [thing for thing in own.values() if wanted in {"", _name(thing)}]
        if len(called) == 1:
            return called[0]
        raise ArgumentError(f"`{self.one}`: {self._why_none(path, wanted, held, own)}")

    def _why_none(self, path: str, wanted: str, held: dict[str, Any], own: dict[str, Any]) -> str:
        names = sorted({_name(thing) for thing in own.values()})
        listed = ", ".join(names) or "none"
        all_of = f"(the file's {self.many}: {listed})"
        if not wanted:
            return (
                f"{path} has {len(own) or 'no'} {self.many} ({listed}); "
                f"name one, such as {path}:{names[0] if names else 'Name'}"
            )
        if wanted in names:
            called = sum(_name(thing) == wanted for thing in own.values())
            return (
                f"{path} has {called} {self.many} called {wanted!r}; "
                f"say which variable: {', '.join(own)}"
            )
        if wanted in held:
            hint = f"; make one: {wanted}()" if isinstance(held[wanted], type) else ""
            return f"{wanted} in {path} is {kind_of(held[wanted])}, no {self.one}{hint} {all_of}"
        return f"{path} has no {wanted!r}{did_you_mean(wanted, [*own, *names])} {all_of}"


def _name(thing: Any) -> str:
    """Return what a thing calls itself; whoever wrote it may have forgotten to say."""
    return str(getattr(thing, "name", "?"))


def split(name: str) -> tuple[str, str]:
    """Return path and name of a thing in a file, or two empty texts."""
    if name.endswith(".py"):
        return name, ""
    path, _, wanted = name.rpartition(":")
    return (path, wanted) if path.endswith(".py") else ("", "")


def read_file(option: str, name: str, path: str) -> tuple[str, bytes]:
    """Return a file's full path and content.

    Raises
    ------
    ArgumentError
        It is not there or cannot be read; `option` and `name` are what the user gave.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ArgumentError(f"`{option}` {name!r}: there is no file {file.absolute()}")
    try:
        return str(file.resolve()), file.read_bytes()
    except OSError as error:
        raise ArgumentError(f"`{option}` {name!r}: cannot read {file}: {error}") from error


def run_file(
    path: str, content: bytes, what: str, fails: type[ArgumentError] = ArgumentError
) -> dict[str, Any]:
    """Run a file and return what its variables hold.

    Parameters
    ----------
    path, content
        As `read_file` returns them.
    what
        What the file holds, such as ``"strategy"``.
    fails
        What to raise.

    Raises
    ------
    ArgumentError
        It does not run; with the line where it stopped.
    """
    module = types.ModuleType(f"meseta_{what}_file_{next(_numbers)}")
    module.__file__ = path
    linecache.checkcache(path)
    # Dataclasses look their module up while they are made; afterwards nobody does.
    sys.modules[module.__name__] = module
    try:
        exec(compile(content, path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise fails(_why_not_run(path, error, what)) from error
    finally:
        del sys.modules[module.__name__]
    return {key: value for key, value in vars(module).items() if not key.startswith("__")}


def said(error: BaseException) -> str:
    """Return an error's text, with its class where it is none of the product's."""
    own = isinstance(error, ArgumentError)
    return str(error) if own else f"{type(error).__name__}: {error}"


def kind_of(thing: object) -> str:
    """Say what something is, for a message."""
    return f"the class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__


def _why_not_run(path: str, error: BaseException, what: str) -> str:
    """Return what is wrong with a file, with the line of it."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    where = f"{path}:{lines[-1]}" if lines else path
    hint = ""
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = f"; a {what}'s file stands alone or imports installed packages"
    return f"{where}: {said(error)}{hint}"
