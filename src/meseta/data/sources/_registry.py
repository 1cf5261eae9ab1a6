"""Sources by name: the product's, installed packages', and a user's own file."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from meseta._near import did_you_mean
from meseta._own_file import Sought, kind_of, read_file, run_file, said, split
from meseta.data._key import BASES, KINDS
from meseta.data.sources._source import Source
from meseta.errors import ArgumentError

__all__ = ["GROUP", "find_source", "sources"]

# Entry points of this group are sources of installed packages.
GROUP = "meseta.sources"

_HOME = "meseta.data.sources"
_TITLES = {
    "tradestation": "TradeStation",
    "binance": "Binance USD-M futures",
    "yahoo": "Yahoo Finance",
}
# What a series says it is from when no source fetched it.
_RESERVED = ("files", "store")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SOUGHT = Sought("source", "sources", Source)


def sources() -> dict[str, str]:
    """Return the title of every source by its name, without loading any.

    The product's own, then those of installed packages.
    """
    others = {point.name: f"of the package {_package(point)}" for point in _installed()}
    return others | _TITLES


def find_source(name: str) -> Source:
    """Return the source called `name`.

    Parameters
    ----------
    name
        ``"tradestation"``, ``"binance"``, ``"yahoo"``, the name of a source of an installed
        package, or ``path/to/file.py:NAME`` for one of a file: the variable that holds it, or
        its own name. ``path/to/file.py`` is enough when the file has one. The file is read
        again when it has changed.

    Raises
    ------
    ArgumentError
        There is none of that name, its file or package cannot be loaded, or it is not what a
        source must be.
    """
    if name in _TITLES:
        built_in: Source = import_module(f"{_HOME}.{name}").SOURCE
        return built_in
    path, wanted = split(name)
    if path:
        return _in_file(name, path, wanted)
    found = [point for point in _installed() if point.name == name]
    if found:
        return _loaded(found[0])
    known = sources()
    raise ArgumentError(
        f"`source` must be one of {', '.join(known)}, or path/to/file.py:NAME, "
        f"got {name!r}{did_you_mean(name, known)}"
    )


def _installed() -> list[EntryPoint]:
    return [point for point in entry_points(group=GROUP) if point.name not in _TITLES]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def _loaded(point: EntryPoint) -> Source:
    try:
        return _checked(point.load(), called=point.name)
    except Exception as error:
        raise ArgumentError(
            f"`source` {point.name!r} of the package {_package(point)} cannot be used "
            f"({point.value}): {said(error)}"
        ) from error


def _in_file(name: str, path: str, wanted: str) -> Source:
    held = _held_in(*read_file("source", name, path))
    others = [thing for thing in held.values() if type(thing).__module__.startswith("meseta.")]
    source = _SOUGHT.choose(path, wanted, held, _SOUGHT.own(held, others))
    try:
        return _checked(source)
    except ArgumentError as error:
        raise ArgumentError(f"`source`: {path}: {error}") from error


@lru_cache(maxsize=32)
def _held_in(path: str, content: bytes) -> dict[str, Any]:
    """Run a file once for each content, so that what a source remembers outlives a call."""
    return run_file(path, content, "source")


def _checked(source: object, called: str = "") -> Source:
    """Return what is a source that can be used; `called` so, where that is fixed.

    Raises
    ------
    ArgumentError
        It is none, or what it says of itself is not allowed.
    """
    if not isinstance(source, Source):
        raise ArgumentError(f"it is {kind_of(source)}, no source")
    name = getattr(source, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ArgumentError(
            "a source's `name` must be lower-case letters, digits and hyphens, begin with a "
            f"letter and have at most 40 of them, got {name!r}"
        )
    if called not in {"", name}:
        raise ArgumentError(f"it calls itself `{name}`")
    if name in {*_TITLES, *_RESERVED}:
        raise ArgumentError(f"`{name}` is taken; choose another `name`")
    if not isinstance(getattr(source, "title", None), str):
        raise ArgumentError(f"the source `{name}` needs a `title`, what messages call it")
    for attribute, known in (("kinds", KINDS), ("bases", BASES)):
        _check_among(name, attribute, getattr(source, attribute), known)
    return source


def _check_among(name: str, attribute: str, given: object, known: tuple[str, ...]) -> None:
    if not isinstance(given, tuple) or not given or not set(given) <= set(known):
        raise ArgumentError(
            f"the source `{name}`: `{attribute}` must be a tuple of some of "
            f"{', '.join(known)}, got {given!r}"
        )
