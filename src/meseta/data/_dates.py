"""The days and times between which a user wants data."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from meseta.data._spans import LEAST
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.data._key import SeriesKey

__all__ = ["parse_moment", "wanted"]

# No market's data are older, and every sum of a date and a span stays inside of the calendar.
_YEARS = range(1900, 2200)


def wanted(
    key: SeriesKey, timezone: str, start: str | None, end: str | None
) -> tuple[datetime | None, datetime | None]:
    """Return the moments, half-open in UTC, that a user's dates mean.

    Parameters
    ----------
    key
        Dates of bars of a day or longer are those of sessions.
    timezone
        IANA zone in which a day begins, for all other rows, and in which times without an
        offset are meant.
    start, end
        Dates such as ``"2024-05-31"``, both included, or times such as
        ``"2024-05-31T09:30"``, the end excluded; None where nothing was said.

    Raises
    ------
    ArgumentError
        One is neither, or lies outside of the years 1900 to 2199, or the end does not come after
        the start.
    """
    begin = None if start is None else _moment(key, timezone, "start", start, days=0)
    stop = None if end is None else _moment(key, timezone, "end", end, days=1)
    if begin is not None and stop is not None and begin >= stop:
        raise ArgumentError(f"`end` must come after `start`, got {start} and {end}")
    return begin, stop


def parse_moment(name: str, text: str) -> tuple[datetime, bool]:
    """Read a date or a time, and tell whether it is a date alone.

    Parameters
    ----------
    name
        What errors call it.
    text
        Such as ``"2024-05-31"`` or ``"2024-05-31T09:30"``, with an offset or without.

    Raises
    ------
    ArgumentError
        It is neither, or lies outside of the years 1900 to 2199.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ArgumentError(
            f"`{name}` must be a date such as 2024-05-31, or a time such as 2024-05-31T09:30, "
            f"got {text!r}"
        ) from error
    if moment.year not in _YEARS:
        raise ArgumentError(
            f"`{name}` must lie in the years {_YEARS[0]} to {_YEARS[-1]}, got {text!r}; leave it "
            "out for all that there is"
        )
    return moment, len(text.strip()) <= 10


def _moment(key: SeriesKey, timezone: str, name: str, text: str, *, days: int) -> datetime:
    moment, dated = parse_moment(name, text)
    if key.daily:
        day = moment.date() + timedelta(days=days if dated else 0)
        return datetime.combine(day, time(), UTC)
    if dated:
        midnight = (moment + timedelta(days=days)).replace(tzinfo=ZoneInfo(timezone))
        # A bar that ends at midnight belongs to the day before.
        return midnight.astimezone(UTC) + (LEAST if key.bar else timedelta(0))
    local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
    return local.astimezone(UTC)
