"""Work over threads that can be interrupted."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["in_threads"]

T = TypeVar("T")
R = TypeVar("R")


def in_threads(work: Callable[[T], R], items: Sequence[T], threads: int) -> Iterator[tuple[T, R]]:
    """Yield each item with its result when it is done; on an error or Ctrl-C start no more."""
    stop = threading.Event()

    def guarded(item: T) -> R:
        # What is stopped is never yielded.
        return cast("R", None) if stop.is_set() else work(item)

    with ThreadPoolExecutor(threads) as pool:
        try:
            waiting = {pool.submit(guarded, item): item for item in items}
            while waiting:
                # A wait without an end would not notice Ctrl-C on Windows.
                for future in wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BaseException:
            stop.set()
            raise
