"""What the REST API has of a span, page after page."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from meseta.data import _clock
from meseta.data._listen import Step
from meseta.data.sources.binance._layouts import KLINES, TRADES, from_rows
from meseta.data.sources.binance._series import SIZES
from meseta.data.sources.binance._tables import rows_of
from meseta.data.sources.binance._waits import served_at
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.data._listen import Listener
    from meseta.data.sources.binance._rest import Reply, Rest
    from meseta.data.sources.binance._series import Series

    Span: TypeAlias = tuple[datetime, datetime]

__all__ = ["read_pages"]

# Rows in a page of bars and what a page weighs. Few large pages are quicker; where many are
# needed, 499 rows cost least of the allowance for each row.
_LARGE, _CHEAP = (1500, 10), (499, 2)
_SMALL = (99, 1)
_MANY = 20 * _LARGE[0]
_FUNDING_ROWS = 1000
_TRADES_ROWS, _TRADES_WEIGHT = 1000, 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_HOUR = timedelta(hours=1)
# Stamps of funding lie some milliseconds beside the time that they mean.
_JITTER = timedelta(seconds=30)
# Trades can be asked for a year back; a day less is safe.
_KEPT = timedelta(days=364)


def read_pages(rest: Rest, series: Series, span: Span, tell: Listener) -> list[pl.DataFrame]:
    """Return the finished rows of a span of openings or events, a frame for each page.

    Raises
    ------
    SourceError
        Binance does not answer, or will not.
    DataError
        A reply is malformed, or the pages do not advance.
    """
    pages = {"funding": _funding, "trades": _trades}.get(series.key.kind, _bars)
    time, found = pl.col(series.time), []
    for rows in pages(rest, series, span):
        found.append(rows.filter(time.is_between(*span, closed="left")))
        tell(Step(f"{series.key.label}, pages from {span[0]:%Y-%m-%d %H:%M} UTC", len(found)))
    return found


def _bars(rest: Rest, series: Series, span: Span) -> Iterator[pl.DataFrame]:
    what = f"Binance's reply to {series.folder} of {series.key.symbol}"
    start, end = _ms(span[0]), _ms(span[1]) - 1
    limit, weight = _page_size(series, span)
    while start <= end:
        limits = {"startTime": start, "endTime": end, "limit": limit}
        reply = rest.get(f"/fapi/v1/{series.folder}", {**_asked_for(series), **limits}, weight)
        table = from_rows(_list(reply, what), KLINES, what)
        rows = rows_of(series, table, what)
        yield rows.filter(pl.col("ts_close") <= served_at(reply.answer))
        if table.height < limit:
            return
        start = _advanced(start, _ms(rows["ts_close"][-1]), what)


def _asked_for(series: Series) -> dict[str, str]:
    interval = {"interval": SIZES[series.key.size]}
    if series.key.kind == "index":
        # The index belongs to a pair, of which a symbol with an expiry is one of several.
        return {"pair": series.key.symbol.partition("_")[0], **interval}
    return {"symbol": series.key.symbol, **interval}


def _page_size(series: Series, span: Span) -> tuple[int, int]:
    rows = math.ceil((span[1] - span[0]) / series.length)
    if rows > _MANY:
        return _CHEAP
    return next((size for size in (_SMALL, _CHEAP) if rows <= size[0]), _LARGE)


def _funding(rest: Rest, series: Series, span: Span) -> Iterator[pl.DataFrame]:
    what = f"Binance's reply to fundingRate of {series.key.symbol}"
    start, end = _ms(span[0] - _JITTER), _ms(span[1] + _JITTER) - 1
    while start <= end:
        rest.budget.pace_funding()
        limits = {"startTime": start, "endTime": end, "limit": _FUNDING_ROWS}
        reply = rest.get("/fapi/v1/fundingRate", {"symbol": series.key.symbol, **limits}, 0)
        table = _payments(_list(reply, what), what)
        yield rows_of(series, table, what)
        if table.height < _FUNDING_ROWS:
            return
        start = _advanced(start, int(table["time"][-1]) + 1, what)


def _payments(payments: list[Any], what: str) -> pl.DataFrame:
    try:
        columns = {
            "time": [int(payment["fundingTime"]) for payment in payments],
            "rate": [float(payment["fundingRate"]) for payment in payments],
            "interval_hours": [None for _ in payments],
            # Empty for old payments.
            "mark_price": [float(payment.get("markPrice") or 0) or None for payment in payments],
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{what} is malformed: {error!r}") from error
    numbers = dict.fromkeys(("rate", "interval_hours", "mark_price"), pl.Float64)
    return pl.DataFrame(columns, schema={"time": pl.Int64, **numbers})


def _trades(rest: Rest, series: Series, span: Span) -> Iterator[pl.DataFrame]:
    start, end = max(span[0], _clock.now() - _KEPT), span[1]
    # By time until there is one, by id from there on: an hour may hold many pages.
    while start < end:
        until = min(start + _HOUR, end)
        asked = {"startTime": _ms(start), "endTime": _ms(until) - 1}
        rows, _ = _trade_page(rest, series, asked)
        yield rows
        if rows.height:
            yield from _trades_after(rest, series, rows, end)
            return
        start = until


def _trades_after(
    rest: Rest, series: Series, rows: pl.DataFrame, end: datetime
) -> Iterator[pl.DataFrame]:
    full = True
    while full and rows["ts"][-1] < end:
        after = int(rows["id"][-1]) + 1
        rows, full = _trade_page(rest, series, {"fromId": after})
        if rows.height:
            _advanced(after - 1, int(rows["id"][0]), "Binance's reply to aggTrades")
        yield rows


def _trade_page(rest: Rest, series: Series, asked: dict[str, int]) -> tuple[pl.DataFrame, bool]:
    what = f"Binance's reply to aggTrades of {series.key.symbol}"
    asked_of = {"symbol": series.key.symbol, "limit": _TRADES_ROWS}
    reply = rest.get("/fapi/v1/aggTrades", {**asked_of, **asked}, _TRADES_WEIGHT)
    try:
        trades = [[trade[name] for name in "apqflTm"] for trade in _list(reply, what)]
    except (KeyError, TypeError) as error:
        raise DataError(f"{what} is malformed: {error!r}") from error
    rows = rows_of(series, from_rows(trades, TRADES, what), what)
    return rows, len(trades) >= _TRADES_ROWS


def _list(reply: Reply, what: str) -> list[Any]:
    if not isinstance(reply.value, list):
        raise DataError(f"{what} must be a list, got {str(reply.value)[:160]}")
    return reply.value


def _advanced(before: int, after: int, what: str) -> int:
    if after <= before:
        raise DataError(f"{what} does not advance beyond {before}; try again later")
    return after


def _ms(moment: datetime) -> int:
    """Return milliseconds since 1970, rounded up."""
    return -((_EPOCH - moment) // _MS)
