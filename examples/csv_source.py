"""Daily bars from a web address that serves a CSV file for each symbol."""

import os
from urllib.parse import quote

import polars as pl

from meseta.data import Step, finished, schema_of
from meseta.data.sources import Answer, Facts, Http, Source, take_all, trusted_url
from meseta.errors import ArgumentError, DataError, SourceError

CALENDAR = "XNYS"
PRICES = ("open", "high", "low", "close", "volume")


class CsvSite(Source):
    """Unadjusted daily bars of shares that trade in New York."""

    name = "csv-site"
    title = "the CSV site"

    def facts(self, key):
        """Say what is known of a series, without a request."""
        if (key.kind, key.size, key.basis, key.session) != ("bars", "1d", "unadjusted", ""):
            raise ArgumentError(f"`source` {self.name} has unadjusted bars of 1d, not {key.label}")
        return Facts(
            timezone="America/New_York", stamp="close", calendar=CALENDAR, earliest=None, tick=0.01
        )

    def fetch(self, key, start, end, tell):
        """Return the finished bars of ``start <= moment < end``."""
        tell(Step(f"{key.symbol}.csv"))
        base = trusted_url("CSV_SITE_URL", os.environ.get("CSV_SITE_URL", "https://example.org"))
        with Http(self.title, judge, tell=tell) as http:
            answer = http.get(f"{base}/{quote(key.symbol, safe='')}.csv")
        if answer.status_code == 404:
            raise SourceError(f"{self.title} has no symbol {key.symbol!r}", temporary=False)
        frame = rows_of(key, answer.content)
        moments = schema_of(key).moments(frame)
        end = min(end, finished(key, CALENDAR))
        return Answer(frame.filter((moments >= start) & (moments < end)))


def judge(answer, attempt):
    """Take the answer that there is no such file, too; wait when the site is at fault."""
    return None if answer.status_code == 404 else take_all(answer, attempt)


def rows_of(key, content):
    """Return the rows of a file with the columns Date,Open,High,Low,Close,Volume."""
    try:
        table = pl.read_csv(content, try_parse_dates=True).rename(str.lower)
        frame = table.select(
            session_date="date", ts_close=pl.lit(None), **{name: name for name in PRICES}
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{key.symbol}.csv is not as expected: {error}") from error
    return schema_of(key).conform(frame.sort("session_date"))


SOURCE = CsvSite()
