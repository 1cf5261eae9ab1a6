"""Times in every spelling that price files use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from meseta.bars._size import DAY
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Micros = npt.NDArray[np.datetime64]

__all__ = ["DateOrder", "Moments", "check_order", "read_times"]

DateOrder = Literal["mdy", "dmy", "ymd"]
ORDERS: tuple[DateOrder, ...] = ("mdy", "dmy", "ymd")
DIGITS = r"^-?\d+(\.\d*)?$"
# All digits and yet a date: 20240105, 202401050930 or 20240105093000.
COMPACT = r"^(19|20)\d{2}(0\d|1[0-2])[0-3]\d(\d{4}(\d{2})?)?$"
PATTERN = (
    r"^(?:(?P<a>\d{1,4})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{1,4})|(?P<compact>\d{8}|\d{6}))"
    r"(?:[T\s,]*(?P<hour>\d{1,2}):?(?P<minute>\d{2})"
    r"(?::?(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?\s*(?P<half>[AaPp][Mm])?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$"
)
NO_TIME = np.iinfo(np.int64).min
FIRST_YEAR, LAST_YEAR = 1800, 2200
SMALLEST_EPOCH = 100_000_000
PIVOT = 69


@dataclass(frozen=True, eq=False, slots=True)
class Moments:
    """Times as read.

    Parameters
    ----------
    values
        datetime64[us], shape (N,); NaT where a time could not be read.
    instants
        Whether `values` are instants in UTC; else they are wall time of an unstated zone.
    zone
        IANA zone that the source itself names, or None.
    """

    values: Micros
    instants: bool
    zone: str | None = None


def check_order(order: str | None) -> None:
    """Raise ArgumentError for an unknown date order."""
    if order is not None and order not in ORDERS:
        raise ArgumentError(f"`date_order` must be 'mdy', 'dmy' or 'ymd', got {order!r}")


def read_times(moment: pl.Series, clock: pl.Series | None, order: DateOrder | None) -> Moments:
    """Read a column of dates or times, or one of dates and one of hours.

    Parameters
    ----------
    moment
        Text (ISO, or day, month and year in any order with ``/ - .`` or nothing between),
        numbers (epoch in seconds, milliseconds, microseconds or nanoseconds, told apart by
        magnitude; or 20240105), dates or datetimes.
    clock
        Hours, such as 930, "09:30" or "093000"; None where `moment` holds them.
    order
        How to read dates that begin with the day or the month. None takes the order under
        which every date exists, where there is only one.

    Raises
    ------
    DataError
        The dates can be read in more than one order.
    """
    kind = moment.dtype
    if isinstance(kind, pl.Datetime) and clock is None:
        values = moment.cast(pl.Datetime("us", kind.time_zone)).to_physical().to_numpy()
        empty = moment.is_null().to_numpy()
        stamps = np.where(empty, NO_TIME, values).astype("datetime64[us]")
        return Moments(stamps, kind.time_zone is not None, kind.time_zone)
    text = _plain_text(moment)
    if clock is None and _mostly(text, DIGITS) and not _mostly(text, COMPACT):
        numbers = text.cast(pl.Float64, strict=False).to_numpy()
        if np.nanmax(np.abs(numbers)) >= SMALLEST_EPOCH:
            return Moments(_epoch(numbers), instants=True)
    return _spelled(text if clock is None else text + " " + _hours(clock), order)


def _plain_text(column: pl.Series) -> pl.Series:
    """Strip text; whole numbers lose their point, nothing becomes the empty string."""
    if column.dtype.is_float():
        column = column.cast(pl.Decimal(scale=6), strict=False).cast(pl.String)
        column = column.str.replace(r"\.0*$", "")
    return column.cast(pl.String).fill_null("").str.strip_chars()


def _mostly(text: pl.Series, pattern: str) -> bool:
    return 2 * int(text.str.contains(pattern).sum()) > len(text)


def _epoch(numbers: npt.NDArray[np.float64]) -> Micros:
    """Epoch of any unit to datetime64[us], the unit told by the largest number."""
    top = float(np.nanmax(np.abs(numbers)))
    limits = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))
    factor = next((factor for limit, factor in limits if top < limit), 1e-3)
    micros = numbers * factor
    if factor == 1:
        # Binance went from milliseconds to microseconds in 2025; joined files hold both.
        micros = np.where(np.abs(numbers) < 1e14, numbers * 1e3, numbers)
    year = 365.25 * DAY
    known = (micros > (FIRST_YEAR - 1970) * year) & (micros < (LAST_YEAR - 1970) * year)
    whole = np.where(known, np.rint(np.where(known, micros, 0)), NO_TIME)
    return whole.astype(np.int64).astype("datetime64[us]")


def _hours(clock: pl.Series) -> pl.Series:
    """Hours as text; bare digits are filled up to HHMM, or HHMMSS where one is that long."""
    text = _plain_text(clock)
    if not _mostly(text, r"^\d{1,6}$"):
        return text
    return text.str.zfill(6 if (text.str.len_chars() > 4).any() else 4)


def _spelled(text: pl.Series, order: DateOrder | None) -> Moments:
    parts = text.str.extract_groups(PATTERN).struct.unnest()
    days = _days(_date_parts(parts, order), order)
    fields = {name: _whole(parts[name]) for name in ("hour", "minute", "second")}
    hour, minute, second = (np.maximum(field, 0) for field in fields.values())
    half = parts["half"].str.to_lowercase()
    twelve = half.is_not_null().to_numpy()
    hour = np.where(
        twelve, hour % 12 + 12 * (half == "pm").fill_null(value=False).to_numpy(), hour
    )
    fraction = np.maximum(_whole(parts["fraction"].str.pad_end(6, "0").str.slice(0, 6)), 0)
    within = ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    zoned = parts["zone"].is_not_null().to_numpy()
    good = (days != NO_TIME) & (hour < 24) & (minute < 60) & (second < 60)
    good &= zoned == bool(zoned.any())
    moments = np.where(good, days, 0) * DAY + within - _offset(parts["zone"])
    values = np.where(good, moments, NO_TIME).astype("datetime64[us]")
    return Moments(values, instants=bool(zoned.any()))


def _offset(zone: pl.Series) -> Ints:
    """East of Greenwich in microseconds; 0 where none is stated."""
    digits = zone.str.extract_groups(r"^(?<sign>[+-])(?<hours>\d{2}):?(?<minutes>\d{2})?").struct
    minutes = 60 * np.maximum(_whole(digits.field("hours")), 0)
    minutes += np.maximum(_whole(digits.field("minutes")), 0)
    west = (digits.field("sign") == "-").fill_null(value=False).to_numpy()
    return np.where(west, -minutes, minutes) * 60_000_000


def _date_parts(parts: pl.DataFrame, order: DateOrder | None) -> pl.DataFrame:
    """Columns a, b, c of text, with dates written without separators cut up."""
    compact = parts["compact"]
    if compact.is_null().all():
        return parts.select("a", "b", "c")
    year_first = order in {None, "ymd"} and _mostly(compact.fill_null(""), COMPACT)
    cuts = ((0, 4), (4, 2), (6, 2)) if year_first else ((0, 2), (2, 2), (4, 4))
    return parts.select(
        pl.coalesce(name, pl.col("compact").str.slice(begin, length)).alias(name)
        for name, (begin, length) in zip("abc", cuts, strict=True)
    )


def _days(parts: pl.DataFrame, order: DateOrder | None) -> Ints:
    """Days since 1970, shape (N,); `NO_TIME` where there is no such date."""
    numbers = [_whole(parts[name]) for name in "abc"]
    readings = {one: _date(numbers, one) for one in _orders(parts, order)}
    wrong = {one: int(np.count_nonzero(days == NO_TIME)) for one, days in readings.items()}
    least = min(wrong.values())
    best = [one for one, count in wrong.items() if count == least]
    if len(best) > 1 and least < parts.height:
        sample = "/".join(parts.row(0)) if None not in parts.row(0) else "?"
        raise DataError(
            f"dates such as {sample} can be read as {' or '.join(best)}; "
            f"say which with `date_order` (--date-order)"
        )
    return readings[best[0]]


def _orders(parts: pl.DataFrame, order: DateOrder | None) -> tuple[DateOrder, ...]:
    """Orders that the four-digit year leaves open; a year in front settles it."""
    if _mostly(parts["a"].fill_null(""), r"^\d{4}$"):
        return ("ymd",)
    if order is not None:
        return (order,)
    return ("mdy", "dmy") if _mostly(parts["c"].fill_null(""), r"^\d{4}$") else ORDERS


def _date(numbers: list[Ints], order: DateOrder) -> Ints:
    year, month, day = (numbers[order.index(letter)] for letter in "ymd")
    year = np.where((year >= 0) & (year < 100), year + np.where(year < PIVOT, 2000, 1900), year)
    good = (month >= 1) & (month <= 12) & (day >= 1) & (year >= FIRST_YEAR) & (year < LAST_YEAR)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    dates = months.astype("datetime64[D]") + np.where(good, day - 1, 0)
    good &= dates.astype("datetime64[M]") == months
    return np.where(good, dates.astype(np.int64), NO_TIME)


def _whole(text: pl.Series) -> Ints:
    """Integers, -1 where there is none."""
    return text.cast(pl.Int64, strict=False).fill_null(-1).to_numpy()
