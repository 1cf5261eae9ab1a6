"""What a source of market data is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    import polars as pl

    from meseta.bars._bars import Stamp
    from meseta.data._key import Basis, Kind, SeriesKey
    from meseta.data._listen import Listener

__all__ = ["Answer", "Facts", "Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a source knows of a series before it asks for any of it.

    Parameters
    ----------
    timezone
        IANA zone in which the bars are used; session dates are the exchange's own.
    stamp
        Whether a bar's time is to be its start (`ts_open`) or its end (`ts_close`).
    calendar
        Name in exchange_calendars, such as ``"XNYS"``; ``"24/7"``; or None where nobody knows
        when the market is open.
    earliest
        Where to begin when nobody says, in UTC; None where the user must say, since all of it
        would be too much.
    page
        Longest span of one call of `Source.fetch`, None without a limit. After each, what was
        fetched is stored.
    tick
        Smallest price step; None reads it off the prices.
    """

    timezone: str
    stamp: Stamp
    calendar: str | None
    earliest: datetime | None
    page: timedelta | None = None
    tick: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """What a source answered.

    Parameters
    ----------
    frame
        Columns as `meseta.data.schema_of` says, in order; no rows where there is nothing.
    vendor
        What else the vendor said of the series (name, exchange, currency), fit for JSON.
    objects
        SHA-256 of each file that the rows come from, by its name; empty where there are none.
    notes
        What a user should know, such as a hole that the vendor's own data have.
    """

    frame: pl.DataFrame
    vendor: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Source(ABC):
    """A vendor of market data.

    A source says what it has and answers one span at a time. What is asked for, what is kept and
    whether it still fits is decided elsewhere. A source of your own is a file with a subclass and
    an instance of it: ``--source path/to/file.py:NAME``.
    """

    name: ClassVar[str]
    """What users type and folders are called: lower-case letters, digits and hyphens."""
    title: ClassVar[str]
    """What messages call it."""
    kinds: ClassVar[tuple[Kind, ...]] = ("bars",)
    """What it has."""
    bases: ClassVar[tuple[Basis, ...]] = ("unadjusted",)
    """Bases of its prices; the first is meant where nobody says."""

    def basis_of(self, symbol: str) -> Basis:
        """Return the basis of a symbol's prices where nobody says: the first of `bases`."""
        del symbol
        return self.bases[0]

    @abstractmethod
    def facts(self, key: SeriesKey) -> Facts:
        """Say what is known of a series, without a request.

        Raises
        ------
        ArgumentError
            There is no such series: the symbol is malformed, or the size, kind, basis or
            session is not to be had.
        """

    @abstractmethod
    def fetch(self, key: SeriesKey, start: datetime, end: datetime, tell: Listener) -> Answer:
        """Return the finished rows of ``start <= moment < end``.

        Parameters
        ----------
        key
            A series that `facts` accepts.
        start, end
            UTC, at most `Facts.page` apart. The moment of a row is that of
            `meseta.data.schema_of`: a bar's end, midnight UTC of a session's date, an event.
        tell
            Told how far it is; called from this thread.

        Returns
        -------
        Answer
            Without a bar that is still open, and without rows outside the span. Nothing in the
            span is an answer too, without rows.

        Raises
        ------
        SourceError
            `temporary` where what is stored may stand in.
        DataError
            The answer is malformed.
        """

    def revised(self, key: SeriesKey, objects: Mapping[str, str], tell: Listener) -> set[str]:
        """Return which of the files that a stored series comes from the vendor has replaced.

        Parameters
        ----------
        key
            The series.
        objects
            What the answers of `fetch` said of them.
        tell
            As in `fetch`.

        Raises
        ------
        SourceError
            The vendor does not answer.
        """
        del key, objects, tell
        return set()
