"""Ctrl-C as a wish to end soon, instead of an exception anywhere."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["GRACE", "Stop", "shielded", "stopping"]

# Seconds that running back-tests have to end after Ctrl-C.
GRACE = 10.0


class Stop:
    """Whether somebody wants the study to end."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self, _signal: int = signal.SIGINT, _frame: FrameType | None = None) -> None:
        """Take the first Ctrl-C as a wish; the second ends at once."""
        if self._since is not None:
            raise KeyboardInterrupt
        self._since = time.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether nothing new should begin."""
        return self._since is not None

    @property
    def overdue(self) -> bool:
        """Whether what runs should be killed."""
        return self._since is not None and time.monotonic() - self._since > GRACE


@contextlib.contextmanager
def stopping() -> Iterator[Stop]:
    """Turn Ctrl-C into a wish within the block; only Python's main thread hears of it."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Start processes within the block that a terminal's Ctrl-C does not end.

    They inherit the block's mask; what arrives meanwhile is delivered after it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
