"""Looking into folders and files of the store, and saying so where the system forbids it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["content", "may_exist", "subfolders"]


def content(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    FileNotFoundError
        There is none.
    RunError
        It cannot be read.
    """
    with _reading(path):
        return path.read_bytes()


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted; none where it does not exist.

    Raises
    ------
    RunError
        It cannot be read.
    """
    with contextlib.suppress(FileNotFoundError), _reading(folder):
        return sorted(path for path in folder.iterdir() if path.is_dir())
    return []


def may_exist(path: Path) -> bool:
    """Say whether there is a file, or the system will not say."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(
            f"cannot read {path}: {error.strerror or error}; see to its permissions, or choose "
            "another store (--store)"
        ) from error
