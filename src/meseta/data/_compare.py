"""Whether a vendor still says of stored rows what it said when they were stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from meseta.data._schema import schema_of

if TYPE_CHECKING:
    from meseta.data._key import SeriesKey

__all__ = ["difference", "tick_of"]

_PRICES = ("open", "high", "low", "close")
_DECIMALS = 8
_ROWS = 1000
# Of the compared columns of events; payments and trades are never adjusted.
_EXACT = 1e-12
_SLACK = 1 + 1e-9
_NEW = "_new"


def tick_of(frame: pl.DataFrame) -> float:
    """Return the smallest price step that the last closes show.

    Parameters
    ----------
    frame
        Bars, at least one row.

    Returns
    -------
    float
        A power of ten from 1 to 1e-8, in price units.
    """
    closes = frame["close"].tail(_ROWS).to_numpy()
    for decimals in range(_DECIMALS):
        if np.allclose(np.round(closes, decimals), closes, rtol=1e-12, atol=0):
            return 10.0**-decimals
    return 10.0**-_DECIMALS


def difference(key: SeriesKey, old: pl.DataFrame, new: pl.DataFrame, tick: float) -> str:
    """Return the first thing in which two answers for the same span differ, or an empty text.

    Parameters
    ----------
    key
        Whose rows they are.
    old, new
        What is stored of the span, and what has come now. Neither prices that are a tick apart
        nor other columns make a difference.
    tick
        Smallest price step, in price units; of no meaning for funding and trades.
    """
    unique = schema_of(key).unique
    columns, least = _compared(key, tick)
    both = old.select(unique, *columns, stored=True).join(
        new.select(unique, *columns, came=True), on=unique, how="full", suffix=_NEW, coalesce=True
    )
    apart = both.with_columns(what=_what(columns, least)).drop_nulls("what").sort(unique)
    if not apart.height:
        return ""
    row = apart.row(0, named=True)
    what = row["what"]
    if what in columns:
        what += f" was {row[what]:.10g} and is {row[what + _NEW]:.10g}"
    return f"{row[unique]}: {what}"


def _what(columns: tuple[str, ...], least: float) -> pl.Expr:
    """Name the first column in which rows differ, or say which of the two is missing.

    An empty cell is no value, and so differs from none.
    """
    return pl.coalesce(
        pl.when(pl.col("stored").is_null()).then(pl.lit("there was no row and is one")),
        pl.when(pl.col("came").is_null()).then(pl.lit("there was a row and is none")),
        *(pl.when(_step(name) > least * _SLACK).then(pl.lit(name)) for name in columns),
    )


def _step(name: str) -> pl.Expr:
    return (pl.col(name + _NEW) - pl.col(name)).abs()


def _compared(key: SeriesKey, tick: float) -> tuple[tuple[str, ...], float]:
    if key.kind == "funding":
        return ("rate",), _EXACT
    return (("price", "quantity"), _EXACT) if key.kind == "trades" else (_PRICES, tick)
