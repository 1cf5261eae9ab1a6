"""Which files of the archive hold a span, and what of it none of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Period", "days_of", "midnight", "months_of", "split", "uncovered"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A month or a day of UTC.

    Parameters
    ----------
    start, end
        Half-open.
    label
        As in the names of files, ``"2024-05"`` or ``"2024-05-17"``.
    """

    start: datetime
    end: datetime
    label: str


def split(
    start: datetime, end: datetime, today: datetime, *, daily: bool
) -> tuple[list[Period], list[Period]]:
    """Return the months and the days whose files hold a span, up to `today`.

    A month is taken whole where that is over and at least half of its days are wanted, or where
    there are no `daily` files.
    """
    months, days = [], []
    for month in months_of(start, min(end, today)):
        wanted = days_of(max(start, month.start), min(end, month.end, today))
        many = 2 * len(wanted) * _DAY >= month.end - month.start
        if month.end <= today and (many or not daily):
            months.append(month)
        elif daily:
            days += wanted
    return months, days


def months_of(start: datetime, end: datetime) -> list[Period]:
    """Return the months that a span touches."""
    found, first = [], midnight(start).replace(day=1)
    while first < end:
        after = (first + timedelta(days=31)).replace(day=1)
        found.append(Period(first, after, f"{first:%Y-%m}"))
        first = after
    return found


def days_of(start: datetime, end: datetime) -> list[Period]:
    """Return the days that a span touches."""
    found, first = [], midnight(start)
    while first < end:
        found.append(Period(first, first + _DAY, f"{first:%Y-%m-%d}"))
        first += _DAY
    return found


def midnight(moment: datetime) -> datetime:
    """Return the start of a moment's day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def uncovered(
    start: datetime, end: datetime, covered: Iterable[Period]
) -> list[tuple[datetime, datetime]]:
    """Return the parts of a span that lie in none of the periods, which do not overlap."""
    parts = []
    for period in sorted(covered):
        if start < min(period.start, end):
            parts.append((start, min(period.start, end)))
        start = max(start, period.end)
    return [*parts, (start, end)] if start < end else parts
