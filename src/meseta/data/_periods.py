"""Days, weeks and months as numbers, and moments as microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.data._spans import LEAST

if TYPE_CHECKING:
    from meseta._types import IntArray
    from meseta.data._key import SeriesKey

__all__ = ["first_days", "micros_of", "midnight", "moment_of", "next_day", "one", "unit_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unit_of(key: SeriesKey) -> tuple[int, str]:
    """Return how many of which unit a bar of a day or more lasts, such as ``(1, "mo")``."""
    digits = len(key.size) - len(key.size.lstrip("0123456789"))
    return int(key.size[:digits]), key.size[digits:]


def one(key: SeriesKey) -> bool:
    """Whether a bar is at most one day, week or month, so that it is known where it begins."""
    return not key.daily or unit_of(key)[0] == 1


def first_days(days: IntArray, unit: str, ahead: int = 0) -> IntArray:
    """Return the first day of the week or month of each day, or of so many `ahead`.

    Parameters
    ----------
    days
        Since 1970, shape (N,).
    unit
        ``"d"``, which changes nothing, ``"w"`` or ``"mo"``.
    ahead
        How many weeks or months later.
    """
    if unit == "d":
        return days
    if unit == "w":
        # 1970 began on a Thursday.
        return days - (days + 3) % 7 + 7 * ahead
    months: Any = days.astype("datetime64[D]").astype("datetime64[M]") + ahead
    first: IntArray = months.astype("datetime64[D]").astype(np.int64)
    return first


def next_day(day: int, unit: str) -> int:
    """Return the next day, or the first day of the next week or month."""
    return day + 1 if unit == "d" else int(first_days(np.array([day]), unit, 1)[0])


def micros_of(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return (moment - _EPOCH) // LEAST


def moment_of(micros: int) -> datetime:
    """Return the moment, in UTC, so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def midnight(day: int) -> datetime:
    """Return midnight UTC of a day since 1970."""
    return _EPOCH + timedelta(days=day)
