"""Series of made-up rows for tests of the store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.data import SeriesKey, schema_of
from meseta.data._meta import Meta

if TYPE_CHECKING:
    from collections.abc import Iterable

DAILY = SeriesKey("yahoo", "SMH", "1d", basis="split")
MINUTES = SeriesKey("binance", "BTCUSDT", "1m")
TRADES = SeriesKey("binance", "APEUSDT", "event", kind="trades")
START = datetime(2024, 1, 1, tzinfo=UTC)


def meta(key: SeriesKey, **facts: Any) -> Meta:
    return Meta(**{"key": key, "timezone": "UTC", "stamp": "open", "calendar": "24/7", **facts})


def moment(key: SeriesKey, at: int) -> datetime:
    """Moment of the row number `at`: trades come some a week, so that months are crossed."""
    step = {"1d": timedelta(days=1), "1m": timedelta(minutes=1)}
    return START + at * step.get(key.size, timedelta(hours=31))


def rows(key: SeriesKey, values: Iterable[tuple[int, float]], **further: Any) -> pl.DataFrame:
    """Rows of numbers and values; the value stands in the close or the price."""
    made = [_row(key, at, float(value)) | further for at, value in values]
    return pl.DataFrame(made, schema={**schema_of(key).columns, **_types(further)})


def values(key: SeriesKey, frame: pl.DataFrame) -> dict[datetime, float]:
    """What `rows` was made of, by moment."""
    column = "price" if key.kind == "trades" else "close"
    return dict(zip(schema_of(key).moments(frame), frame[column], strict=True))


def _types(further: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(further, pl.Float64)


def _row(key: SeriesKey, at: int, value: float) -> dict[str, Any]:
    when = moment(key, at)
    if key.kind == "trades":
        ids = {"id": at, "first_id": at, "last_id": at, "buyer_maker": at % 2 == 0}
        return {"ts": when, "price": value, "quantity": 1.0, **ids}
    prices = dict.fromkeys(("open", "high", "low", "close"), value) | {"volume": 5.0}
    if key.daily:
        day = date(when.year, when.month, when.day)
        return {"session_date": day, "ts_close": None, **prices}
    return {"ts_open": when - timedelta(minutes=1), "ts_close": when, **prices}
