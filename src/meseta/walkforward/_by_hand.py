"""Phases as a user writes them down, checked before any data are read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Dates", "YearsBack", "parse_phases"]

_FORMS = (
    "{years_back: [10, 5], out_of_sample: 0.4} or "
    "{start: 2010-01-04, split: 2012-06-01, end: 2013-12-31}"
)


@dataclass(frozen=True, slots=True)
class YearsBack:
    """A phase counted back from the last bar.

    Parameters
    ----------
    start, end
        Years of 365.25 days before the last bar's time, ``start > end >= 0``.
    out_of_sample
        Share of the phase's bars that lies after the split, between 0 and 1.
    """

    start: float
    end: float
    out_of_sample: float

    def as_mapping(self) -> dict[str, Any]:
        """Return the form that a configuration file has."""
        return {"years_back": [self.start, self.end], "out_of_sample": self.out_of_sample}


@dataclass(frozen=True, slots=True)
class Dates:
    """A phase by wall times in the data's timezone.

    Parameters
    ----------
    start, split
        The first bar at or after `start` is the first in-sample, the first at or after `split`
        the first out-of-sample.
    end
        The last bar at or before it is the last. A date alone includes its whole day.
    """

    start: datetime
    split: datetime
    end: datetime

    def as_mapping(self) -> dict[str, Any]:
        """Return the form that a configuration file has."""
        return {name: getattr(self, name).isoformat() for name in ("start", "split", "end")}


def parse_phases(entries: Sequence[Mapping[str, Any]]) -> tuple[YearsBack | Dates, ...]:
    """Read phases written as mappings.

    Parameters
    ----------
    entries
        One mapping per phase, ``{"years_back": [10, 5], "out_of_sample": 0.4}`` or
        ``{"start": ..., "split": ..., "end": ...}`` with dates or ISO texts.

    Raises
    ------
    ArgumentError
        There is no phase, an entry has another form, or its numbers or dates are out of order.
    """
    if not isinstance(entries, list | tuple) or not entries:
        raise ArgumentError(
            f"`phases` must be 'auto' or a list with an entry like {_FORMS} for each phase, "
            f"got {entries!r}"
        )
    return tuple(_parse(f"`phases` entry {n}", entry) for n, entry in enumerate(entries, 1))


def _parse(place: str, entry: Any) -> YearsBack | Dates:
    keys = set(entry) if isinstance(entry, dict) else set()
    if keys == {"years_back", "out_of_sample"}:
        return _years_back(place, entry)
    if keys == {"start", "split", "end"}:
        return _dates(place, entry)
    raise ArgumentError(f"{place} must be {_FORMS}, got {entry!r}")


def _years_back(place: str, entry: Mapping[str, Any]) -> YearsBack:
    years, share = entry["years_back"], entry["out_of_sample"]
    pair = isinstance(years, list | tuple) and len(years) == 2 and all(map(_is_number, years))
    if not pair or not years[0] > years[1] >= 0:
        raise ArgumentError(
            f"{place}: `years_back` must be [start, end] with start > end >= 0, got {years!r}"
        )
    if not _is_number(share) or not 0 < share < 1:
        raise ArgumentError(
            f"{place}: `out_of_sample` is a share between 0 and 1 (0.4 is 40 %), got {share!r}"
        )
    return YearsBack(float(years[0]), float(years[1]), float(share))


def _dates(place: str, entry: Mapping[str, Any]) -> Dates:
    start, split = (_moment(place, name, entry[name]) for name in ("start", "split"))
    end = _moment(place, "end", entry["end"], whole_day=True)
    if not start < split < end:
        raise ArgumentError(
            f"{place} must have start < split < end, got {start.isoformat()}, "
            f"{split.isoformat()} and {end.isoformat()}"
        )
    return Dates(start, split, end)


def _moment(place: str, name: str, value: Any, *, whole_day: bool = False) -> datetime:
    """Read a date, a datetime or an ISO text; the last moment of a date with `whole_day`."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise ArgumentError(
            f"{place}: `{name}` must be a date like 2012-06-01 or 2012-06-01T09:30, wall time of "
            f"the data without an offset, got {str(value)!r}"
        )
    if whole_day and _is_date(value):
        return datetime.combine(found.date(), time.max)
    return found


def _is_date(value: Any) -> bool:
    return len(str(value).strip()) == len(date.min.isoformat())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
