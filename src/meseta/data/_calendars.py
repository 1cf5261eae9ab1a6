"""Which bars are finished, which should be there, and which are missing.

Calendars are those of exchange_calendars by name, such as ``"XNYS"``; ``"24/7"`` is every minute
of every day; None is a market of which nobody knows when it is open. New York is known from 1990,
the others for the last twenty years; of times before and of days that no calendar foresaw (a
mourning, a storm yet to come) nothing is known: a session before them is never called missing,
and an unforeseen closing counts as a session that the vendor has not got.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from meseta.bars._size import DAY
from meseta.data import _clock
from meseta.data._missing import Missing, missing
from meseta.data._periods import first_days, micros_of, midnight, moment_of, one, unit_of
from meseta.data._sessions import Sessions, closings_of, sessions_of
from meseta.data._spans import LEAST

if TYPE_CHECKING:
    from meseta.data._key import SeriesKey

__all__ = ["SETTLE", "Missing", "check_calendar", "finished", "last_expected", "missing"]

SETTLE = timedelta(minutes=30)
"""How long after the close a session's bar may still change: closing auctions and late prints
come for some minutes, and vendors without a fee are up to twenty minutes late."""


def check_calendar(name: str) -> None:
    """Check that there is a calendar of that name.

    Raises
    ------
    ArgumentError
        There is none, or it cannot be used.
    """
    sessions_of(name)


def finished(key: SeriesKey, calendar: str | None, moment: datetime | None = None) -> datetime:
    """Return the end, exclusive, of the rows that are finished at `moment`.

    A session is finished `SETTLE` after its close, and without a calendar when its date is over
    everywhere, at noon in UTC of the next; a week or a month after its last session. Of bars of
    several days, as many sessions (weeks, months) are held back as they may still last. Bars of
    less than a day are finished when they end.

    Parameters
    ----------
    key
        The series.
    calendar
        Name, or None.
    moment
        With a time zone; None is now.

    Returns
    -------
    datetime
        UTC. Midnight after the date of the last finished session, the first day of the first
        unfinished week or month; for shorter bars just after the last whole minute, and for
        events `moment`.
    """
    moment = _clock.now() if moment is None else moment
    if key.bar is None:
        return moment.astimezone(UTC)
    if not key.daily:
        minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
        return minute + LEAST
    dates, closes = closings_of(calendar)
    running = int(np.searchsorted(closes, micros_of(moment - SETTLE), "right"))
    number, unit = unit_of(key)
    if unit == "d":
        return midnight(int(dates[max(running - number, 0)]) + 1)
    return midnight(int(first_days(dates[running : running + 1], unit, 1 - number)[0]))


def last_expected(key: SeriesKey, calendar: str | None, end: datetime) -> datetime | None:
    """Return the moment of the last row that should be there before `end`.

    A series whose last row is at or after it is complete up to `end`.

    Parameters
    ----------
    key, calendar
        As in `finished`.
    end
        Exclusive, as `finished` returns it.

    Returns
    -------
    datetime or None
        UTC. Of weeks and months the first day, since vendors name them by days of their own.
        None for events, without a calendar, beyond its ends, and for bars of several days.
    """
    if calendar is None or key.bar is None or not one(key):
        return None
    sessions = sessions_of(calendar)
    if not key.daily:
        return _last_end(sessions, key.bar.microseconds, micros_of(end))
    before = int(np.searchsorted(sessions.dates, -(-micros_of(end) // DAY)))
    if not 0 < before < len(sessions.dates):
        return None
    return midnight(int(first_days(sessions.dates[before - 1 : before], unit_of(key)[1])[0]))


def _last_end(sessions: Sessions, size: int, end: int) -> datetime | None:
    """Return when the last bar before `end` ended, counted from the start of trading."""
    piece = int(np.searchsorted(sessions.begins, end)) - 1
    if not 0 < piece < len(sessions.begins) - 1:
        return None
    begin, close = int(sessions.begins[piece]), int(sessions.ends[piece])
    whole = begin + (end - 1 - begin) // size * size
    if close < end:
        return moment_of(close)
    return moment_of(whole if whole > begin else int(sessions.ends[piece - 1]))
