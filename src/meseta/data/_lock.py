"""One writer of a series at a time, over all processes."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

from meseta.data import _clock
from meseta.data._listen import Step
from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import filelock

    from meseta.data._listen import Listener

__all__ = ["locked", "writing"]

_POLL = 0.25  # seconds
_TURNS = 20  # polls between two words


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say that a folder of the store cannot be written, where that is so."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write {folder}: {error.strerror or error}; choose another store (--store)"
        ) from error


@contextlib.contextmanager
def locked(folder: Path, label: str, tell: Listener) -> Iterator[None]:
    """Wait until no other process writes in a folder, and keep them out.

    Parameters
    ----------
    folder
        Of a series; need not exist.
    label
        What `tell` calls it.
    tell
        Told every few seconds that another process is waited for.

    Raises
    ------
    RunError
        The store cannot be written.
    """
    import filelock

    # Beside the folder, which may be deleted while it is held.
    path = folder.parent / f".{folder.name}.lock"
    with writing(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path, is_singleton=True)
        _wait(lock, label, tell)
    try:
        yield
    finally:
        lock.release()


def _wait(lock: filelock.BaseFileLock, label: str, tell: Listener) -> None:
    import filelock

    for turn in itertools.count():
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            if turn % _TURNS == 0:
                tell(Step(f"waiting for another process that writes {label}"))
            _clock.sleep(_POLL)
        else:
            return
