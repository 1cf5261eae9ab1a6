"""Which rows are missing, said in words; nothing is ever filled in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import datetime

    from meseta.data.sources.binance._series import Series

__all__ = ["edges", "gaps"]

_SHOWN = 20
_DAY = timedelta(days=1)


def gaps(series: Series, rows: pl.DataFrame) -> tuple[str, ...]:
    """Describe each gap between the rows; the first twenty, and how many more.

    Bars are missing where one does not open when the bar before it ends, trades where an id is
    left out, payments of funding where more time passed than from one to the next usually does.
    """
    holes = _holes(series, rows)
    shown = [_described(series, *hole) for hole in holes.head(_SHOWN).iter_rows()]
    further = holes.height - len(shown)
    return (*shown, *([f"and {further} further gaps"] if further else []))


def edges(series: Series, rows: pl.DataFrame, start: datetime, end: datetime) -> tuple[str, ...]:
    """Say where the rows leave more than a day of a span empty, or all of it.

    Parameters
    ----------
    series
        Whose rows they are.
    rows
        In order.
    start, end
        What was asked for, of openings or events.
    """
    first, last = end, end
    if rows.height:
        ends = series.time if series.key.bar is None else "ts_close"
        first, last = rows[series.time][0], rows[ends][-1]
    much = _DAY + series.length
    empty = [(start, first)] if first - start > much else []
    empty += [(last, end)] if end - last > much else []
    return tuple(f"nothing from {_text(since)} to {_text(until)}" for since, until in empty)


def _holes(series: Series, rows: pl.DataFrame) -> pl.DataFrame:
    """Return what comes before and after each gap."""
    if series.key.kind == "funding":
        times = rows["ts"]
        steps = pl.DataFrame({"before": times.shift(1), "after": times, "usual": _usual(rows)})
        return steps.filter(pl.col("after") - pl.col("before") > pl.col("usual")).drop("usual")
    ends, step = ("id", 1) if series.key.kind == "trades" else ("ts_close", timedelta(0))
    steps = rows.select(before=pl.col(ends).shift(1), after=series.unique)
    return steps.filter(pl.col("after") - pl.col("before") > step)


def _usual(rows: pl.DataFrame) -> pl.Series:
    """Return how long each payment may come after the one before it."""
    hours = rows["interval_hours"].fill_null(strategy="forward").fill_null(strategy="backward")
    typical = rows["ts"].diff().dt.total_hours(fractional=True).median() or 0.0
    both = rows.select(now=hours, before=hours.shift(1)).fill_null(typical)
    longest = both.select(pl.max_horizontal("now", "before")).to_series()
    return (longest * 3.6e9).cast(pl.Duration("us"))


def _described(series: Series, before: datetime | int, after: datetime | int) -> str:
    if isinstance(before, int) and isinstance(after, int):
        return f"no trades of the ids {before + 1} to {after - 1}"
    what = "payments of funding between" if series.key.kind == "funding" else "bars from"
    link = "and" if series.key.kind == "funding" else "to"
    return f"no {what} {_text(before)} {link} {_text(after)}"


def _text(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
