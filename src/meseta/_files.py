"""Writing files so that a killed process leaves the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import uuid
from typing import IO, TYPE_CHECKING, Any

from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["atomic_file", "write_json", "write_text"]


@contextlib.contextmanager
def atomic_file(path: Path, *, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; rename it to `path` when the block ends well.

    Parameters
    ----------
    path
        The file to write; its folder is made when missing.
    mode
        Who may read and write it, from its first byte on, less what the user's mask takes away;
        without meaning on Windows.

    Raises
    ------
    RunError
        The folder cannot be written, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(_why(path, error)) from error
    try:
        # Path.open takes no opener; changing the mode afterwards would be too late.
        with open(part, "xb", opener=functools.partial(os.open, mode=mode)) as stream:
            yield stream
        part.replace(path)
    except OSError as error:
        raise RunError(_why(path, error)) from error
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write UTF-8 text, line ends as they are, atomically."""
    with atomic_file(path, mode=mode) as stream:
        stream.write(text.encode("utf-8"))


def write_json(path: Path, value: Any, *, mode: int = 0o666) -> None:
    """Write a JSON document, indented, keys in the order given, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text, mode=mode)


def _why(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"cannot write {path}: {reason}; free some space or choose another folder"
