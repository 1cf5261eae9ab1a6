"""Rows that a calendar expects and a series has not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.bars._size import DAY
from meseta.data._periods import first_days, midnight, moment_of, next_day, one, unit_of
from meseta.data._sessions import Sessions, sessions_of

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from meseta._types import IntArray
    from meseta.data._key import SeriesKey

__all__ = ["Missing", "missing"]

_MOST_SPANS, _SPANS_SHOWN = 20, 3
_NAMES = {"d": "session", "w": "week", "mo": "month"}


@dataclass(frozen=True, slots=True)
class Missing:
    """Rows that a calendar expects and a series has not.

    Parameters
    ----------
    count
        How many.
    spans
        The first of the times without rows, half-open, in UTC, at most 20.
    unit
        What is counted: ``"session"``, ``"week"``, ``"month"`` or ``"bar"``.
    """

    count: int = 0
    spans: tuple[tuple[datetime, datetime], ...] = ()
    unit: str = "session"

    @property
    def text(self) -> str:
        """For messages, such as ``"3 sessions: 2024-01-03, 2024-02-05 to 2024-02-06"``."""
        shown = ", ".join(self._span(*span) for span in self.spans[:_SPANS_SHOWN])
        more = " and more" if len(self.spans) > _SPANS_SHOWN else ""
        return f"{self.count} {self.unit}{'s' if self.count != 1 else ''}: {shown}{more}"

    def _span(self, start: datetime, end: datetime) -> str:
        if self.unit == "bar":
            return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
        first, last = start.date(), (end - timedelta(days=1)).date()
        return str(first) if first == last else f"{first} to {last}"


def missing(key: SeriesKey, calendar: str | None, moments: pl.Series) -> Missing:
    """Find the rows that a calendar expects between the first row and the last.

    Parameters
    ----------
    key
        The series.
    calendar
        Name, or None.
    moments
        Increasing, in UTC, as `Schema.moments` returns them.

    Returns
    -------
    Missing
        Of bars of less than a day, what lies inside trading hours. Where a market trades round
        the clock, as futures do, its pauses differ from product to product: sessions that have
        no row at all are counted instead. Nothing without a calendar, of events, and of bars of
        several days.
    """
    if calendar is None or key.bar is None or not one(key) or len(moments) < 2:
        return Missing()
    times = moments.dt.epoch("us").to_numpy().astype(np.int64)
    sessions = sessions_of(calendar)
    if key.daily:
        return _dates(sessions, times // DAY, unit_of(key)[1])
    if sessions.pauses:
        return _bars(sessions, times, key.bar.microseconds)
    return _sessions(sessions, times)


def _dates(sessions: Sessions, days: IntArray, unit: str) -> Missing:
    expected = np.unique(first_days(sessions.dates, unit))
    present = np.unique(first_days(days, unit))
    expected = expected[(expected >= present[0]) & (expected <= present[-1])]
    holes = _runs(~np.isin(expected, present))
    spans = tuple(
        (midnight(int(expected[first])), midnight(next_day(int(expected[last]), unit)))
        for first, last in holes[:_MOST_SPANS]
    )
    return Missing(sum(last - first + 1 for first, last in holes), spans, _NAMES[unit])


def _bars(sessions: Sessions, times: IntArray, size: int) -> Missing:
    """Count steps of trading time that are longer than a bar.

    Trading time, not that of the clock, so that it does not matter whether bars of an hour
    begin with the session or with the hour.
    """
    steps = np.diff(sessions.traded(times))
    holes = np.flatnonzero(steps > size)
    lacking = -(-steps[holes] // size) - 1
    spans = tuple(
        (moment_of(int(times[hole])), moment_of(int(times[hole + 1]) - size))
        for hole in holes[:_MOST_SPANS]
    )
    return Missing(int(lacking.sum()), spans, "bar")


def _sessions(sessions: Sessions, times: IntArray) -> Missing:
    inside = (sessions.opens >= times[0]) & (sessions.closes <= times[-1])
    opens, closes = sessions.opens[inside], sessions.closes[inside]
    empty = np.searchsorted(times, opens, "right") == np.searchsorted(times, closes, "right")
    spans = tuple(
        (midnight(int(date)), midnight(int(date) + 1))
        for date in sessions.dates[inside][empty][:_MOST_SPANS]
    )
    return Missing(int(empty.sum()), spans)


def _runs(flags: Any) -> list[tuple[int, int]]:
    """Return first and last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]
