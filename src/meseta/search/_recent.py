"""Things that are expensive to build and used again soon."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Recent"]

T = TypeVar("T")


class Recent(Generic[T]):
    """Keeps what was used last, up to a size; threads may share it.

    Parameters
    ----------
    most
        Bytes that are kept in all; the newest thing is kept whatever its size.
    size_of
        Bytes of one thing.
    """

    def __init__(self, most: float, size_of: Callable[[T], int]) -> None:
        self.most, self.size_of = most, size_of
        self.kept: OrderedDict[Hashable, T] = OrderedDict()
        self.bytes = 0
        self.lock = threading.Lock()
        self.building: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, build: Callable[[], T]) -> T:
        """Return what is kept under `key`, or build it; other threads wait for it."""
        with self.lock:
            if key in self.kept:
                self.kept.move_to_end(key)
                return self.kept[key]
            turn = self.building.setdefault(key, threading.Lock())
        with turn:
            with self.lock:
                if key in self.kept:
                    return self.kept[key]
            made = build()
            with self.lock:
                self._keep(key, made)
        return made

    def _keep(self, key: Hashable, made: T) -> None:
        self.building.pop(key, None)
        self.kept[key] = made
        self.bytes += self.size_of(made)
        while self.bytes > self.most and len(self.kept) > 1:
            self.bytes -= self.size_of(self.kept.popitem(last=False)[1])
