"""Binance's USD-M futures as a source of market data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from meseta.data import _clock
from meseta.data._schema import schema_of
from meseta.data.sources._source import Answer, Facts, Source
from meseta.data.sources.binance._archive import read_archive, replaced
from meseta.data.sources.binance._gaps import edges, gaps
from meseta.data.sources.binance._joined import joined
from meseta.data.sources.binance._pages import read_pages
from meseta.data.sources.binance._rest import RefusedError, Rest, rest_address
from meseta.data.sources.binance._series import series_of
from meseta.data.sources.binance._tables import no_rows
from meseta.data.sources.binance._venue import Venue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta.data._key import SeriesKey
    from meseta.data._listen import Listener
    from meseta.data.sources.binance._archive import Found
    from meseta.data.sources.binance._series import Series

    Span: TypeAlias = tuple[datetime, datetime]

__all__ = ["Binance"]

# The exchange opened for futures then.
_OPENED = datetime(2019, 9, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_TRADES_PAGE = timedelta(days=31)
_INSTANT = timedelta(microseconds=1)


class Binance(Source):
    """The public archive of files, and the REST API for what it does not have yet.

    Of a span come first the files of whole months, then those of days, each against its
    checksum, and last the REST API: for today, and for whatever there is no file of.
    """

    name = "binance"
    title = "Binance USD-M futures"
    kinds = ("bars", "mark", "index", "premium", "funding", "trades")
    bases = ("unadjusted",)

    def __init__(self) -> None:
        # By address. A limit that is used up, or a ban, is one for everything that is fetched.
        self._venues: dict[str, Venue] = {}

    def facts(self, key: SeriesKey) -> Facts:
        """Say what is known of a series, without a request.

        Raises
        ------
        ArgumentError
            The symbol is malformed, or the size, basis or session is not to be had.
        """
        series = series_of(key)
        light = key.kind == "funding" or series.length >= _HOUR
        return Facts(
            timezone="UTC",
            stamp="open",
            calendar="24/7",
            earliest=_OPENED if light else None,
            page=_TRADES_PAGE if key.kind == "trades" else None,
        )

    def fetch(self, key: SeriesKey, start: datetime, end: datetime, tell: Listener) -> Answer:
        """Return the finished rows of ``start <= moment < end``.

        Bars of what traded have `quote_volume`, `trades` and `taker_buy_volume` besides.

        Raises
        ------
        SourceError
            Binance does not answer, has banned this address, or knows no such symbol; or a file
            is not what its checksum says.
        DataError
            A file or a reply is malformed, or has rows that cannot be.
        """
        series = series_of(key)
        asked = series.events(start, min(end, _clock.now() + _INSTANT))
        span = max(asked[0], _OPENED), asked[1]
        if span[0] >= span[1]:
            nothing = no_rows(series)
            return Answer(_shaped(series, nothing), notes=edges(series, nothing, *asked))
        found = read_archive(series, *span, tell)
        pages, vendor, refused = self._ask(series, span, found, tell)
        rows, notes = joined(series, found.pieces, pages)
        rows = _finished(rows)
        notes = (*refused, *notes, *gaps(series, rows), *edges(series, rows, *asked))
        return Answer(_shaped(series, rows), vendor, found.objects, notes)

    def revised(self, key: SeriesKey, objects: Mapping[str, str], tell: Listener) -> set[str]:
        """Return which of the archive's files have another checksum than they had.

        Raises
        ------
        SourceError
            The archive does not answer.
        DataError
            A checksum is malformed.
        """
        del key
        return replaced(objects, tell)

    def _ask(
        self, series: Series, span: Span, found: Found, tell: Listener
    ) -> tuple[list[pl.DataFrame], dict[str, Any], tuple[str, ...]]:
        """Ask the REST API for what the archive lacks; say so where it will not answer."""
        # Only the REST API has the mark price of a payment.
        spans = [span] if series.key.kind == "funding" else found.missing
        if not spans:
            return [], {}, ()
        address = rest_address()
        venue = self._venues.setdefault(address, Venue())
        try:
            with Rest(address, venue.budget, tell) as rest:
                vendor = venue.about(rest, series.key.symbol)
                pages = [page for s in spans for page in read_pages(rest, series, s, tell)]
        except RefusedError as refusal:
            if not found.objects:
                raise
            return [], {}, (f"only what the archive has: {refusal}",)
        return pages, vendor, ()


def _finished(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out bars that are still open."""
    return rows.filter(pl.col("ts_close") <= _clock.now()) if "ts_close" in rows.columns else rows


def _shaped(series: Series, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of a stored series."""
    if series.key.daily:
        rows = rows.select(
            pl.col("ts_open").dt.date().alias("session_date"), pl.exclude("ts_open")
        )
    return schema_of(series.key).conform(rows)
