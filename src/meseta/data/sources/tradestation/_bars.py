"""From the vendor's bars to the columns of a stored series."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.data._schema import UTC_TIME, schema_of
from meseta.data.sources.tradestation._symbols import has_open_interest
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.data._key import SeriesKey

__all__ = ["ZONE", "frame_of"]

ZONE = "America/New_York"
_PRICES = {"open": "Open", "high": "High", "low": "Low", "close": "Close"}
_VOLUMES = {"volume": "TotalVolume", "up_volume": "UpVolume", "down_volume": "DownVolume"}


def frame_of(
    key: SeriesKey, bars: Sequence[Any], now: datetime
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the finished bars in order, and what a user should know of them.

    Parameters
    ----------
    key
        Which series they belong to.
    bars
        As the vendor writes them, in the order of their download. Of two with the same stamp the
        later download counts.
    now
        A bar that ends after this moment is not finished, whatever its status.

    Raises
    ------
    DataError
        A field is malformed, or two bars claim the same session.
    """
    table = _table(bars, key)
    notes = [_epoch_note(table)]
    # The first bar that a span asks for may be in the download of the span before too.
    table = table.filter("finished", pl.col("ts_close") <= now)
    table = table.unique("ts_close", keep="last", maintain_order=True).sort("ts_close")
    priced = table.drop_nulls(list(_PRICES))
    notes.append(_price_note(table.height - priced.height))
    named = _dated(priced) if key.daily else priced.with_columns(ts_open=_NO_TIME)
    frame = schema_of(key).conform(named.drop("finished", "epoch"))
    return frame, tuple(note for note in notes if note)


# The vendor says when a bar ends. It began a bar's length earlier, unless the session's end cut
# it short, which is not said.
_NO_TIME = pl.lit(None, UTC_TIME)


def _table(bars: Sequence[Any], key: SeriesKey) -> pl.DataFrame:
    for bar in bars:
        if not isinstance(bar, dict):
            raise _malformed("a bar", bar)
    fields = {**_PRICES, **_VOLUMES, "epoch": "Epoch"}
    if has_open_interest(key.symbol):
        fields["open_interest"] = "OpenInterest"
    columns = {name: _numbers(bars, field) for name, field in fields.items()}
    times = pl.Series([_time(bar.get("TimeStamp")) for bar in bars], dtype=UTC_TIME)
    finished = pl.Series([_finished(bar) for bar in bars], dtype=pl.Boolean)
    return pl.DataFrame({"ts_close": times, **columns, "finished": finished})


def _numbers(bars: Sequence[dict[str, Any]], field: str) -> pl.Series:
    """Read a column of numbers, which the vendor writes as text; blank ones are empty."""
    given = (bar.get(field) for bar in bars)
    filled = [None if value is None or value == "" else str(value) for value in given]
    texts = pl.Series(filled, dtype=pl.String)
    numbers = texts.cast(pl.Float64, strict=False)
    wrong = texts.is_not_null() & ~numbers.is_finite().fill_null(value=False)
    if wrong.any():
        raise _malformed(field, texts.filter(wrong)[0])
    return numbers


def _time(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _malformed("TimeStamp", value) from error
    if found.tzinfo is None:
        raise _malformed("TimeStamp", value)
    return found.astimezone(UTC)


def _finished(bar: dict[str, Any]) -> bool:
    status = bar.get("BarStatus")
    return status == "Closed" if status else not bar.get("IsRealtime")


def _dated(table: pl.DataFrame) -> pl.DataFrame:
    """Add the date of the session that a bar ends in: New York's, never UTC's.

    A session that begins on the evening before (Globex, 24-hour trading of shares) ends at 17:00
    or 20:00 in New York, on its own date; in UTC, 20:00 in winter is the next day already.
    """
    ended = pl.col("ts_close").dt.convert_time_zone(ZONE).dt.date()
    return table.with_columns(session_date=ended)


def _epoch_note(table: pl.DataFrame) -> str:
    stamps = table["ts_close"].dt.timestamp("ms").cast(pl.Float64)
    apart = table.filter((table["epoch"] != stamps).fill_null(value=False))
    if apart.is_empty():
        return ""
    return (
        f"bars whose Epoch differs from their TimeStamp: {apart.height}, the first at "
        f"{apart['ts_close'][0]:%Y-%m-%d %H:%M} UTC; TimeStamp is used"
    )


def _price_note(lost: int) -> str:
    return f"bars that came without all their prices and are left out: {lost}" if lost else ""


def _malformed(field: str, value: Any) -> DataError:
    return DataError(f"TradeStation's answer is malformed: {field} is {str(value)[:60]!r}")
