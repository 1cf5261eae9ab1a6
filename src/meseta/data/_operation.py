"""The fetch log while a line of it is being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.data import _clock
from meseta.data._meta import Entry
from meseta.data._spans import iso

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from meseta.data._spans import Span

__all__ = ["Log", "Operation"]

NOTHING_NEW = "nothing new"


class Operation:
    """What was asked, and what has come of it so far."""

    def __init__(self, action: str, asked: Span | None, why: str = "") -> None:
        self.action, self.asked, self.why = action, asked, why
        self.rows = 0
        self.ends: list[datetime] = []

    def take(self, moments: pl.Series) -> None:
        """Count rows that were not stored before."""
        self.rows += len(moments)
        if len(moments):
            every = sorted([*self.ends, moments[0], moments[-1]])
            self.ends = [every[0], every[-1]]

    @property
    def entry(self) -> Entry:
        """The line as it stands."""
        idle = self.asked is not None and not self.rows
        return Entry(
            when=_clock.stamp(),
            action=NOTHING_NEW if idle else self.action,
            asked=None if self.asked is None else (iso(self.asked[0]), iso(self.asked[1])),
            received=(iso(self.ends[0]), iso(self.ends[1])) if self.ends else None,
            rows=self.rows,
            why=self.why,
        )


class Log:
    """The lines of a series' fetch log, and which of them are new."""

    def __init__(self, lines: tuple[Entry, ...] = ()) -> None:
        self.lines = lines
        self.new: list[Entry] = []
        self.open: Operation | None = None

    def enter(self, operation: Operation) -> tuple[Entry, ...]:
        """Write a line, or write it again as its operation goes on; return all lines.

        Of several questions in a row that brought nothing the last is kept.
        """
        if self.open is operation:
            self.new.pop()
            self.lines = self.lines[:-1]
        self.open, entry = operation, operation.entry
        if self.lines and self.lines[-1].action == entry.action == NOTHING_NEW:
            self.lines = self.lines[:-1]
        self.new.append(entry)
        self.lines += (entry,)
        return self.lines
