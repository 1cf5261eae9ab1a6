"""What is kept of a series beside it: what was damaged, and what others took the place of."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

from meseta._files import write_text
from meseta.data import _clock

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["META", "copy_aside", "move_aside", "series_files"]

META = "meta.json"
_ASIDE = "aside"


def move_aside(folder: Path, why: str) -> Path:
    """Move the files of a series into ``aside/<UTC time>`` in its folder; return where to."""
    aside = _new_aside(folder, why)
    # The metadata last: as long as they are here, no file counts as left over.
    for path in sorted(series_files(folder), key=lambda path: path.name == META):
        path.replace(aside / path.name)
    return aside


def copy_aside(folder: Path, why: str) -> Path:
    """Copy the files of a series as `move_aside` moves them."""
    aside = _new_aside(folder, why)
    for path in series_files(folder):
        shutil.copy2(path, aside / path.name)
    return aside


def series_files(folder: Path) -> list[Path]:
    """Return the files of a series, without what was set aside."""
    return [path for path in folder.iterdir() if path.is_file()]


def _new_aside(folder: Path, why: str) -> Path:
    """Make the folder for what is kept of a series, with the reason in it."""
    aside = _free(folder / _ASIDE / f"{_clock.now():%Y-%m-%dT%H%M%SZ}")
    write_text(aside / "reason.txt", why + "\n")
    return aside


def _free(path: Path) -> Path:
    """Return `path`, or with the first number that nothing has."""
    tails = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    paths = (path.with_name(path.name + tail) for tail in tails)
    return next(free for free in paths if not free.exists())
