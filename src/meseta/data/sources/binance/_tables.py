"""From the vendor's columns to rows of a series, each checked for what cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from meseta.data._schema import UTC_TIME
from meseta.data.sources.binance._layouts import FUNDING, KLINES, TRADES, from_text
from meseta.errors import DataError

if TYPE_CHECKING:
    from meseta.data.sources.binance._layouts import Layout
    from meseta.data.sources.binance._series import Series

__all__ = ["in_order", "layout_of", "moments", "no_rows", "rows_of"]

_PRICES = ("open", "high", "low", "close")
_AMOUNTS = ("volume", "quote_volume", "trades", "taker_buy_volume")
# Below each bound a number counts units of so many to the second; above the last, nanoseconds.
_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6))
_SECOND = 10**6


def layout_of(series: Series) -> Layout:
    """Return the columns of a series' files."""
    if series.key.kind == "funding":
        return FUNDING
    return TRADES if series.key.kind == "trades" else KLINES


def rows_of(series: Series, table: pl.DataFrame, what: str) -> pl.DataFrame:
    """Return the rows that a table holds, in order of `Series.unique`.

    Bars of every size have `ts_open` and `ts_close`.

    Parameters
    ----------
    series
        Whose rows they are.
    table
        Columns as in `layout_of`.
    what
        What messages call the table.

    Raises
    ------
    DataError
        A row cannot be so: a bar off the grid of its size, a high below the close, a price that
        is zero or no number, two different rows of one time.
    """
    if series.key.kind == "funding":
        return _funding(table, what)
    if series.key.kind == "trades":
        return _trades(table, what)
    return _bars(series, table, what)


def no_rows(series: Series) -> pl.DataFrame:
    """Return a frame like that of `rows_of`, without rows."""
    return rows_of(series, from_text(b"", layout_of(series), ""), "")


def in_order(rows: pl.DataFrame, unique: str, what: str, *, sort: bool) -> pl.DataFrame:
    """Drop rows that are there twice; refuse two that differ, and disorder unless `sort`.

    Raises
    ------
    DataError
        Two rows of one `unique` differ, or they do not increase in it.
    """
    if (rows[unique].diff().drop_nulls().cast(pl.Int64) > 0).all():
        return rows
    rows = rows.unique(maintain_order=True)
    rows = rows.sort(unique) if sort else rows
    twice = rows.filter(pl.col(unique).is_duplicated())[unique]
    if len(twice):
        raise DataError(f"{what} has two different rows of {_text(twice[0])}")
    if not rows[unique].is_sorted():
        raise DataError(f"{what} has rows that are not in order of time")
    return rows


def moments(numbers: pl.Series, what: str) -> pl.Series:
    """Read times in UTC, of the unit that their magnitude tells.

    Raises
    ------
    DataError
        Some are of another unit than others, or not positive.
    """
    if numbers.is_empty():
        return numbers.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    low, high = int(numbers.min()), int(numbers.max())  # type: ignore[arg-type]
    units = _unit(low)
    if low <= 0 or units != _unit(high):
        raise DataError(f"{what} has times of more than one unit, from {low} to {high}")
    counted = numbers * (_SECOND // units) if units <= _SECOND else numbers // (units // _SECOND)
    return counted.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _unit(number: int) -> int:
    return next((units for bound, units in _UNITS if number < bound), 10**9)


def _bars(series: Series, table: pl.DataFrame, what: str) -> pl.DataFrame:
    rows = table.with_columns(
        ts_open=moments(table["open_time"], what), last=moments(table["close_time"], what)
    ).with_columns(ts_close=series.closes(pl.col("ts_open")))
    # Bars that an outage cut short end early; none ends outside its own interval.
    inside = pl.col("last").is_between("ts_open", "ts_close", closed="none")
    _refuse(rows, ~_on_grid(series), "ts_open", f"{what} has a bar off the grid of its size, at")
    _refuse(rows, ~inside, "ts_open", f"{what} has a bar that ends where it cannot, opened at")
    _refuse(rows, ~_possible(series), "ts_open", f"{what} has prices that cannot be, at")
    rows = rows.select("ts_open", "ts_close", *_PRICES, *_amounts(series, rows, what))
    return in_order(rows, "ts_open", what, sort=False)


def _amounts(series: Series, rows: pl.DataFrame, what: str) -> list[pl.Expr]:
    """Return what was traded in a bar; of what does not trade there is only an empty volume."""
    if series.key.kind != "bars":
        return [pl.lit(None, pl.Float64).alias("volume")]
    _refuse(rows, ~_counted(_AMOUNTS), "ts_open", f"{what} has a volume that cannot be, at")
    return [pl.col(name) for name in _AMOUNTS]


def _on_grid(series: Series) -> pl.Expr:
    time = pl.col("ts_open")
    length = min(series.length.total_seconds(), 86_400)
    even = time.dt.epoch("us") % int(length * _SECOND) == 0
    if series.key.size == "1w":
        return even & (time.dt.weekday() == 1)
    return even & (time.dt.day() == 1) if series.key.size == "1mo" else even


def _possible(series: Series) -> pl.Expr:
    finite = pl.all_horizontal(pl.col(_PRICES).is_finite())
    highest = pl.col("high") == pl.max_horizontal(_PRICES)
    lowest = pl.col("low") == pl.min_horizontal(_PRICES)
    # The premium index is a difference, so it may be zero or less.
    positive = pl.lit(value=True) if series.key.kind == "premium" else pl.col("low") > 0
    return finite & highest & lowest & positive


def _counted(columns: tuple[str, ...]) -> pl.Expr:
    amounts = pl.col(columns).cast(pl.Float64)
    return pl.all_horizontal(amounts.is_finite() & (amounts >= 0))


def _trades(table: pl.DataFrame, what: str) -> pl.DataFrame:
    times = moments(table["time"], what).alias("ts")
    counts = ("first_id", "last_id")
    rows = table.select("id", times, "price", "quantity", *counts, "buyer_maker")
    possible = (pl.col("price") > 0) & _counted(("price", "quantity"))
    _refuse(rows, ~possible, "ts", f"{what} has a trade that cannot be, at")
    return in_order(rows, "id", what, sort=True)


def _funding(table: pl.DataFrame, what: str) -> pl.DataFrame:
    # Payments are due on whole hours and stamped some milliseconds beside them.
    times = moments(table["time"], what).dt.round("1m").cast(UTC_TIME)
    # Files do not have it.
    marks = table.get_column("mark_price", default=pl.lit(None, pl.Float64).alias("mark_price"))
    rows = table.select(times.alias("ts"), "rate", "interval_hours", marks)
    possible = pl.col("rate").is_finite() & (pl.col("interval_hours").fill_null(1.0) > 0)
    _refuse(rows, ~possible, "ts", f"{what} has a funding rate that cannot be, at")
    return in_order(rows, "ts", what, sort=True)


def _refuse(rows: pl.DataFrame, bad: pl.Expr, time: str, why: str) -> None:
    found = rows.filter(bad)[time]
    if len(found):
        further = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        raise DataError(f"{why} {_text(found[0])}{further}")


def _text(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if hasattr(value, "strftime") else f"id {value}"
