"""Whether rows that came fit those that are stored, and which of them are new."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.bars._finding import and_more
from meseta.data._parts import ends, within
from meseta.data._schema import schema_of
from meseta.data._spans import through

if TYPE_CHECKING:
    from meseta.data._key import SeriesKey

__all__ = ["compare", "new_rows"]

_COMING = " coming"


def new_rows(
    key: SeriesKey, stored: pl.DataFrame, coming: pl.DataFrame
) -> tuple[pl.DataFrame, str]:
    """Return the rows that lie before, after or in a hole of those that are stored.

    Where both have rows, from the first to the last that the store has within the span of
    `coming`, they must have the same ones.

    Parameters
    ----------
    key
        The series.
    stored, coming
        Rows as `schema_of` says.

    Returns
    -------
    tuple
        The new rows, and what the first difference is; empty where both agree.
    """
    known = stored.filter(_among(key, stored, coming))
    common = _among(key, coming, known)
    return coming.filter(~common), compare(key, known, coming.filter(common))


def compare(key: SeriesKey, stored: pl.DataFrame, coming: pl.DataFrame) -> str:
    """Say what the first difference is, in the columns that both have; empty without one."""
    unique = schema_of(key).unique
    names = [name for name in stored.columns if name in coming.columns]
    rows = (
        stored.select(names)
        .join(coming.select(names), on=unique, how="full", suffix=_COMING)
        .sort(pl.coalesce(unique, unique + _COMING))
    )
    masks = {name: _differs(rows[name], rows[name + _COMING]) for name in names}
    wrong = pl.DataFrame(masks).select(pl.any_horizontal(pl.all())).to_series().arg_true()
    if not len(wrong):
        return ""
    at = int(wrong[0])
    name = next(name for name, mask in masks.items() if mask[at])
    return _what(rows.row(at, named=True), unique, name) + and_more(len(wrong))


def _among(key: SeriesKey, frame: pl.DataFrame, others: pl.DataFrame) -> pl.Series:
    """Say which rows lie between the first and the last of the others."""
    if not others.height:
        return ~within(key, frame, None, None)
    return within(key, frame, *through(*ends(key, others)))


def _differs(one: pl.Series, other: pl.Series) -> pl.Series:
    if one.dtype != other.dtype:
        numeric = one.dtype.is_numeric() and other.dtype.is_numeric()
        one, other = (side.cast(pl.Float64 if numeric else pl.String) for side in (one, other))
    return one.ne_missing(other)


def _what(row: dict[str, Any], unique: str, name: str) -> str:
    stored, coming = row[unique], row[unique + _COMING]
    if coming is None:
        return f"the row of {_place(stored)} is stored and did not come"
    if stored is None:
        return f"a row of {_place(coming)} came where none is stored between others"
    return f"at {_place(stored)} {name} is {row[name]} in the store and {row[name + _COMING]} now"


def _place(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return f"number {value}" if isinstance(value, int) else str(value)
