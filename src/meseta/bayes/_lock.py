"""One process at a time writes a study's folder."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["writing"]


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep other processes from writing; the lock ends with its process, however that ends.

    Raises
    ------
    RunError
        Another process writes the folder, or it cannot be written at all.
    """
    import filelock

    path = folder / ".study.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path, blocking=False)
        lock.acquire()
    except filelock.Timeout as error:
        raise RunError(
            f"another process is at work on the study in {folder}; wait for it or stop it, or "
            "choose another study name"
        ) from error
    except OSError as error:
        raise RunError(
            f"cannot write {folder}: {error.strerror or error}; choose another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
