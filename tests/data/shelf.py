"""A vendor of daily and minute bars whose rows, splits and moods a test decides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from meseta.data import SeriesKey, schema_of
from meseta.data.sources import Answer, Facts, Source
from meseta.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta.data import Step

DAILY = SeriesKey("shelf", "SMH", "1d")
MINUTES = SeriesKey("shelf", "BTCUSDT", "5m")


class Shelf(Source):
    """Bars of every session of a calendar; `factor` is what splits have made of all prices."""

    name = "shelf"
    title = "Shelf"

    def __init__(
        self,
        rows: pl.DataFrame,
        *,
        calendar: str | None = "XNYS",
        page: timedelta | None = None,
        earliest: datetime | None = datetime(2000, 1, 1, tzinfo=UTC),
    ) -> None:
        self.rows, self.calendar, self.page, self.earliest = rows, calendar, page, earliest
        self.factor = 1.0
        self.asked: list[tuple[datetime, datetime]] = []
        self.down: int | None = None
        self.replaced: set[str] = set()
        self.notes: tuple[str, ...] = ()

    def facts(self, key: SeriesKey) -> Facts:
        zone = "America/New_York" if key.daily else "UTC"
        return Facts(
            timezone=zone,
            stamp="open" if key.daily else "close",
            calendar=self.calendar,
            earliest=self.earliest,
            page=self.page,
        )

    def fetch(self, key: SeriesKey, start: datetime, end: datetime, tell: object) -> Answer:
        if self.down is not None and len(self.asked) >= self.down:
            raise SourceError("Shelf cannot be reached", temporary=True)
        self.asked.append((start, end))
        moments = schema_of(key).moments(self.rows)
        frame = self.rows.filter((moments >= start) & (moments < end))
        prices = pl.col("open", "high", "low", "close") * self.factor
        return Answer(frame.with_columns(prices.round(4)), {"name": key.symbol}, notes=self.notes)

    def revised(self, key: SeriesKey, objects: Mapping[str, str], tell: object) -> set[str]:
        return self.replaced


def daily_rows(first: str, last: str) -> pl.DataFrame:
    """Bars of each weekday that is a session in New York, prices that tell their date."""
    from meseta.data._sessions import sessions_of

    days = sessions_of("XNYS").dates.astype("datetime64[D]").tolist()
    dates = [day for day in days if first <= day.isoformat() <= last]
    return pl.DataFrame(
        {"session_date": dates, "ts_close": None, **_prices(range(len(dates)))},
        schema_overrides=schema_of(DAILY).columns,
    )


def minute_rows(first: str, count: int) -> pl.DataFrame:
    """Bars of five minutes without a pause."""
    begin = datetime.fromisoformat(first)
    closes = [begin + timedelta(minutes=5 * (at + 1)) for at in range(count)]
    return pl.DataFrame(
        {
            "ts_open": [close - timedelta(minutes=5) for close in closes],
            "ts_close": closes,
            **_prices(range(count)),
        },
        schema_overrides=schema_of(MINUTES).columns,
    )


def _prices(steps: range) -> dict[str, list[float]]:
    closes = [round(100 + 0.25 * (at % 97) + 0.01 * at, 2) for at in steps]
    return {
        "open": closes,
        "high": [close + 1 for close in closes],
        "low": [close - 1 for close in closes],
        "close": closes,
        "volume": [1000.0 + at for at in steps],
    }


def quiet(step: Step) -> None:
    """Listen to nothing."""


def day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
