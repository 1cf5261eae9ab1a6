"""Whether a vendor still says of stored rows what it said when they were stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meseta.data._schema import schema_of

if TYPE_CHECKING:
    import polars as pl

    from meseta.data._key import SeriesKey

__all__ = ["difference", "tick_of"]

_PRICES = ("open", "high", "low", "close")
_DECIMALS = 8
_ROWS = 1000
# Of the compared columns of events; payments and trades are never adjusted.
_EXACT = 1e-12
_SLACK = 1 + 1e-9


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
    both = old.select(unique, *columns).join(
        new.select(unique, *columns), on=unique, how="full", suffix="_new", coalesce=True
    )
    for row in both.sort(unique).iter_rows(named=True):
        for name in columns:
            before, after = row[name], row[f"{name}_new"]
            if before is None or after is None:
                return f"{row[unique]}: {_one_sided(before)}"
            if abs(after - before) > least * _SLACK:
                return f"{row[unique]}: {name} was {before:.10g} and is {after:.10g}"
    return ""


def _compared(key: SeriesKey, tick: float) -> tuple[tuple[str, ...], float]:
    if key.kind == "funding":
        return ("rate",), _EXACT
    return (("price", "quantity"), _EXACT) if key.kind == "trades" else (_PRICES, tick)


def _one_sided(before: float | None) -> str:
    return "there was no row and is one" if before is None else "there was a row and is none"
