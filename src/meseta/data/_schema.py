"""The columns of a stored series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.bars._size import DAY
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta.data._key import SeriesKey

__all__ = ["UTC_TIME", "Schema", "schema_of"]

_EPOCH = date(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = (date.min - _EPOCH).days, (date.max - _EPOCH).days
UTC_TIME = pl.Datetime("us", "UTC")
_PRICES = dict.fromkeys(("open", "high", "low", "close"), pl.Float64)
_INTRADAY = {"ts_open": UTC_TIME, "ts_close": UTC_TIME, **_PRICES, "volume": pl.Float64}
_DAILY = {"session_date": pl.Date, "ts_close": UTC_TIME, **_PRICES, "volume": pl.Float64}
_FUNDING = {
    "ts": UTC_TIME,
    "rate": pl.Float64,
    "interval_hours": pl.Float64,
    "mark_price": pl.Float64,
}
_TRADES = {
    "id": pl.Int64,
    "ts": UTC_TIME,
    "price": pl.Float64,
    "quantity": pl.Float64,
    "first_id": pl.Int64,
    "last_id": pl.Int64,
    "buyer_maker": pl.Boolean,
}


@dataclass(frozen=True, slots=True)
class Schema:
    """Columns that a frame must have, in their order.

    Parameters
    ----------
    columns
        From name to type. A frame may have more columns after them, which are kept.
    time
        The column that says when: the end of a bar of less than a day (`ts_close`, UTC), the
        date of a session (`session_date`, the exchange's), or the moment of an event (`ts`).
    unique
        The column that increases from row to row; `time` but for trades.
    nullable
        Columns that may be empty.
    """

    columns: Mapping[str, Any]
    time: str
    unique: str
    nullable: frozenset[str]

    def empty(self) -> pl.DataFrame:
        """Return a frame without rows."""
        return pl.DataFrame(schema=dict(self.columns))

    def moments(self, frame: pl.DataFrame) -> pl.Series:
        """Return the moment of each row in UTC; midnight UTC of a session's date."""
        time = frame[self.time]
        dated = time.dtype == pl.Date
        return time.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") if dated else time

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with these columns first, of these types, or raise.

        Raises
        ------
        DataError
            A column is missing or of another type, has empty cells, a time is beyond the calendar,
            or rows are not in order.
        """
        missing = [name for name in self.columns if name not in frame.columns]
        if missing:
            raise DataError(f"the series lacks the columns {', '.join(missing)}")
        further = [name for name in frame.columns if name not in self.columns]
        try:
            types: Any = dict(self.columns)
            frame = frame.select(*self.columns, *further).cast(types)
        except pl.exceptions.PolarsError as error:
            raise DataError(f"a column of the series has another type: {error}") from error
        for name in self.columns:
            if name not in self.nullable and frame[name].null_count():
                raise DataError(f"the column {name} of the series has empty cells")
        if not _in_calendar(frame[self.time]):
            raise DataError(f"{self.time} of the series lies outside of the years 1 to 9999")
        if not frame[self.unique].is_sorted() or frame[self.unique].n_unique() < frame.height:
            raise DataError(f"the rows of the series must increase in {self.unique}")
        return frame


def _in_calendar(time: pl.Series) -> bool:
    """Whether all times are such that they can be told; others make Polars and Python fail."""
    days = time.to_physical() // (1 if time.dtype == pl.Date else DAY)
    return bool(days.is_between(_FIRST_DAY, _LAST_DAY).all())


def schema_of(key: SeriesKey) -> Schema:
    """Return the columns of a series.

    Bars shorter than a day are known by their end, `ts_close`; `ts_open` may be empty where a
    vendor says only that. Bars of a day and longer are known by `session_date`; `ts_close` may be
    empty. Volume is empty where a vendor has none.
    """
    if key.kind == "funding":
        return Schema(_FUNDING, "ts", "ts", frozenset({"interval_hours", "mark_price"}))
    if key.kind == "trades":
        return Schema(_TRADES, "ts", "id", frozenset())
    if key.daily:
        return Schema(_DAILY, "session_date", "session_date", frozenset({"ts_close", "volume"}))
    return Schema(_INTRADAY, "ts_close", "ts_close", frozenset({"ts_open", "volume"}))
