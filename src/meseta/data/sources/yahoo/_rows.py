"""Rows of a series from what Yahoo answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from meseta.data._calendars import SETTLE
from meseta.data._schema import UTC_TIME, schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta._types import FloatArray, IntArray
    from meseta.data._key import SeriesKey
    from meseta.data.sources.yahoo._ask import Reply

__all__ = ["closed_before", "rows_of", "vendor_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND, _FIVE_MINUTES = 1_000_000, 300
_PRICES = ("open", "high", "low", "close")
_EVENTS = {"dividend": pl.Float64, "split": pl.Float64}


def rows_of(key: SeriesKey, reply: Reply) -> pl.DataFrame:
    """Return the rows of a reply, columns as `schema_of` says, without those without prices.

    Daily bars of basis ``"split"`` have two columns more: `dividend`, paid for a share as they
    are now, and `split`, new shares for one old; 0 on days without.
    """
    further = _EVENTS if key.daily and key.basis == "split" else {}
    schema = {**schema_of(key).columns, **further}
    if reply.frame is None:
        return pl.DataFrame(schema=schema)
    columns = _daily(reply.frame) if key.daily else _intraday(key, reply)
    columns |= _prices(key, reply.frame)
    if reply.meta.get("instrumentType") == "CURRENCY":
        columns["volume"] = None
    types: Any = schema
    frame = pl.DataFrame({name: columns[name] for name in schema}).cast(types)
    if not key.daily:
        # The latest price comes as a bar that begins when it was paid.
        frame = frame.filter(pl.col("ts_open").dt.truncate("1m") == pl.col("ts_open"))
    return frame.fill_nan(None).drop_nulls(_PRICES)


def closed_before(key: SeriesKey, meta: Mapping[str, Any], now: datetime) -> datetime:
    """Return the end, exclusive, of the rows that Yahoo itself calls closed.

    Its day may be longer than the calendar's, and its prices are late by up to twenty minutes.
    """
    late = now - SETTLE
    if not key.daily:
        traded = _EPOCH + timedelta(seconds=float(meta.get("regularMarketTime") or 0))
        return max(late, min(now, traded)) + timedelta(microseconds=1)
    session = (meta.get("currentTradingPeriod") or {}).get("regular") or {}
    if not {"start", "end"} <= set(session) or _EPOCH + timedelta(seconds=session["end"]) <= late:
        return now + timedelta(days=1)
    zone = ZoneInfo(meta.get("exchangeTimezoneName") or "UTC")
    opens = (_EPOCH + timedelta(seconds=session["start"])).astimezone(zone)
    return datetime(opens.year, opens.month, opens.day, tzinfo=UTC)


def vendor_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Yahoo says of a series."""
    facts = {
        "name": meta.get("longName") or meta.get("shortName"),
        "exchange": meta.get("fullExchangeName") or meta.get("exchangeName"),
        "currency": meta.get("currency"),
        "instrument": meta.get("instrumentType"),
        "timezone": meta.get("exchangeTimezoneName"),
    }
    if isinstance(first := meta.get("firstTradeDate"), int):
        facts["first_trade_date"] = f"{_EPOCH + timedelta(seconds=first):%Y-%m-%d}"
    return {name: fact for name, fact in facts.items() if fact}


def _daily(frame: Any) -> dict[str, Any]:
    dates = frame.index.tz_localize(None).to_numpy().astype("datetime64[D]")
    return {
        "session_date": pl.Series(dates),
        "ts_close": None,
        "dividend": frame["Dividends"].to_numpy(),
        "split": frame["Stock Splits"].to_numpy(),
    }


def _intraday(key: SeriesKey, reply: Reply) -> dict[str, Any]:
    """Return when bars begin and end; the last of a session ends with it."""
    moments = reply.frame.index.tz_convert(None).to_numpy().astype("datetime64[us]")
    opens: IntArray = moments.astype(np.int64)
    size = key.bar.microseconds if key.bar else 0
    ends = _session_ends(reply.meta)
    following = np.append(ends, np.iinfo(np.int64).max)[np.searchsorted(ends, opens, "right")]
    times = {"ts_open": opens, "ts_close": np.minimum(opens + size, following)}
    return {name: pl.Series(time).cast(UTC_TIME) for name, time in times.items()}


def _session_ends(meta: Mapping[str, Any]) -> IntArray:
    """Return when sessions end, microseconds; one that never ends does so at 23:59 for Yahoo."""
    days = meta.get("tradingPeriods") or []
    days = days.get("regular") or [] if isinstance(days, dict) else days
    ends = np.array(sorted(period["end"] for day in days for period in day), dtype=np.int64)
    return -(-ends // _FIVE_MINUTES) * _FIVE_MINUTES * _SECOND


def _prices(key: SeriesKey, frame: Any) -> dict[str, Any]:
    """Return prices in the basis of `key`, and volume.

    Yahoo's prices are adjusted for splits. For total return all four are multiplied by what
    adjusting for dividends makes of the close.
    """
    prices = {name: _shortest(frame[name.capitalize()].to_numpy(np.float64)) for name in _PRICES}
    if key.basis == "total-return":
        adjusted = _shortest(frame["Adj Close"].to_numpy(np.float64))
        factor = adjusted / prices["close"]
        prices = {name: price * factor for name, price in prices.items()} | {"close": adjusted}
    return {**prices, "volume": frame["Volume"].to_numpy(np.float64)}


def _shortest(values: FloatArray) -> FloatArray:
    """Return the shortest decimals that are the same in single precision, shape (N,).

    Yahoo sends single precision: 123.46 arrives as 123.45999908447266. A number that has more
    digits than that stays as it is.
    """
    single = values.astype(np.float32)
    short = single.astype(str).astype(np.float64)
    return np.where(single == values, short, values)
