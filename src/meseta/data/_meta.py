"""What is known of a stored series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from meseta.bars._bars import Stamp
    from meseta.data._key import SeriesKey

__all__ = ["Entry", "Meta", "Part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a series' log.

    Parameters
    ----------
    when
        UTC, ISO, to the second.
    action
        ``"fetched"``, ``"extended"``, ``"begun earlier"``, ``"fetched again"``,
        ``"imported"``, ``"set aside"`` or ``"nothing new"``.
    asked
        Start and exclusive end of what was asked for, ISO; None where nobody asked.
    received
        First and last moment of the rows that came, ISO; None where none came.
    rows
        How many came.
    why
        What a reader of the log should know beside that.
    """

    when: str
    action: str
    asked: tuple[str, str] | None
    received: tuple[str, str] | None
    rows: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Parquet file of a series.

    Parameters
    ----------
    file
        Its name, with the first 16 digits of its hash.
    sha256
        Of the file's bytes.
    content
        SHA-256 of the rows, whatever wrote the file.
    rows
        How many.
    first, last
        Moments of the first and of the last row, UTC.
    """

    file: str
    sha256: str
    content: str
    rows: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What is known of a stored series.

    Parameters
    ----------
    key
        Which series it is.
    timezone, stamp, calendar, tick
        As the source's `Facts` say.
    parts
        Files of the rows, in their order; the store sets them.
    content
        SHA-256 of the rows, whatever wrote the files; the store sets it. That of the only part,
        or one over those of the parts.
    vendor
        What the vendor said of the series.
    objects
        SHA-256 of each of the vendor's files that rows come from, by its name.
    notes
        What a user should know of the present rows.
    nothing_before
        From when on the vendor was asked and had nothing before the first row, and when that
        was, ISO; None where nobody asked.
    log
        What was done to the series, oldest first.
    written, version
        Time and meseta version of the last write; the store sets them.
    """

    key: SeriesKey
    timezone: str
    stamp: Stamp
    calendar: str | None = None
    tick: float | None = None
    parts: tuple[Part, ...] = ()
    content: str = ""
    vendor: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    nothing_before: tuple[str, str] | None = None
    log: tuple[Entry, ...] = ()
    written: str = ""
    version: str = ""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(part.rows for part in self.parts)

    @property
    def first(self) -> datetime | None:
        """Moment of the first row, UTC; None without rows."""
        return self.parts[0].first if self.parts else None

    @property
    def last(self) -> datetime | None:
        """Moment of the last row, UTC; None without rows."""
        return self.parts[-1].last if self.parts else None
