"""Doing several downloads at once, so that an interruption ends them all."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["in_parallel"]

T = TypeVar("T")
R = TypeVar("R")

_WORKERS = 4
# A wait without an end cannot be interrupted on Windows.
_GLANCE = 0.2
_PATIENCE = 1.0


def in_parallel(work: Callable[[T], R], items: Sequence[T], each: Callable[[T, R], None]) -> None:
    """Call `work` on the items in four threads, and `each` in this one as results come.

    The first exception, of either, ends it: nothing further is begun, and what is under way is
    given a second to end. The threads are daemons, so that the process can end all the same.
    """
    todo: queue.SimpleQueue[T] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[T, R | BaseException]] = queue.SimpleQueue()
    stop = threading.Event()
    for item in items:
        todo.put(item)
    threads = [
        threading.Thread(target=_labour, args=(work, todo, done, stop), daemon=True)
        for _ in range(min(_WORKERS, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in items:
            item, result = _next(done)
            if isinstance(result, BaseException):
                raise result
            each(item, result)
    finally:
        stop.set()
        _part(threads)


def _part(threads: Sequence[threading.Thread]) -> None:
    """Wait for threads to end, but not for a download that hangs."""
    deadline = time.monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))


def _labour(
    work: Callable[[T], R],
    todo: queue.SimpleQueue[T],
    done: queue.SimpleQueue[tuple[T, R | BaseException]],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            item = todo.get_nowait()
        except queue.Empty:
            return
        try:
            done.put((item, work(item)))
        except BaseException as error:
            done.put((item, error))


def _next(done: queue.SimpleQueue[tuple[T, R | BaseException]]) -> tuple[T, R | BaseException]:
    while True:
        try:
            return done.get(timeout=_GLANCE)
        except queue.Empty:
            continue
