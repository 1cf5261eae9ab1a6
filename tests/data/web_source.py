"""A source in a file, as a user writes one: five-minute bars by the day, over HTTP."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from meseta.data import SeriesKey, schema_of
from meseta.data.sources import Answer, Facts, Source
from meseta.data.sources._http import Http, take_all

if TYPE_CHECKING:
    from meseta.data import Listener


class Web(Source):
    """Bars of `WEB_SOURCE_URL`, a page for each day."""

    name = "web"
    title = "Web"

    def facts(self, key: SeriesKey) -> Facts:
        return Facts(
            timezone="UTC",
            stamp="close",
            calendar="24/7",
            earliest=datetime(2024, 1, 1, tzinfo=UTC),
            page=timedelta(days=1),
        )

    def fetch(self, key: SeriesKey, start: datetime, end: datetime, tell: Listener) -> Answer:
        params = {"symbol": key.symbol, "start": start.isoformat(), "end": end.isoformat()}
        with Http(self.title, take_all, tell=tell) as http:
            body = http.get(f"{os.environ['WEB_SOURCE_URL']}/bars", params).content
        frame = pl.read_csv(io.BytesIO(body), schema_overrides=dict(schema_of(key).columns))
        return Answer(frame)


SOURCE = Web()
