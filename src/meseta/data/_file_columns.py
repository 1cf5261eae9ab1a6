"""Cells of files as numbers, and columns that no schema asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.data._schema import schema_of
from meseta.errors import DataError

if TYPE_CHECKING:
    from meseta.bars._layout import Layout
    from meseta.bars._text import Table
    from meseta.data._key import SeriesKey

__all__ = ["further_columns", "numbers"]

# Roles whose columns the store has in another form.
_STORED = {"moment", "clock", "open", "high", "low", "close", "volume"}
# The end of a kline follows from its start, and its last column means nothing.
_NO_COLUMN = {"", "close_time", "ignore"}


def numbers(table: Table, position: int, kind: Any, *, empty: bool = False) -> pl.Series:
    """Read a column of numbers, or of true and false.

    Parameters
    ----------
    table, position
        The column.
    kind
        Type to read it as.
    empty
        Whether cells may be empty.

    Raises
    ------
    DataError
        A cell holds another thing; the message names its row.
    """
    text = _stripped(table.columns[position].cast(pl.String))
    if kind == pl.Boolean:
        truths = {"true": True, "false": False}
        read = text.str.to_lowercase().replace_strict(truths, default=None, return_dtype=kind)
    else:
        read = text.cast(kind, strict=False)
    lost = (read.is_null() & (text.is_not_null() | (not empty))).arg_true()
    if len(lost):
        at = int(lost[0])
        what = "is empty" if text[at] is None else f"is {text[at]!r}, which cannot be read"
        raise DataError(f"row {table.row(at)}: {table.headers[position]} {what}")
    return read


def further_columns(table: Table, layout: Layout, key: SeriesKey) -> list[pl.Series]:
    """Return the columns of bars that are kept as they are, under plain names."""
    stored = {layout.roles[role] for role in _STORED & layout.roles.keys()}
    found: dict[str, pl.Series] = {}
    for position, header in enumerate(table.headers):
        name = re.sub(r"\W+", "_", header.strip().lower()).strip("_")
        taken = name in _NO_COLUMN or name in found or name in schema_of(key).columns
        if position not in stored and not taken:
            found[name] = _plain(table.columns[position]).alias(name)
    return list(found.values())


def _plain(column: pl.Series) -> pl.Series:
    """Numbers where every cell is one."""
    if column.dtype != pl.String:
        return column
    text = _stripped(column)
    read = text.cast(pl.Float64, strict=False)
    return text if read.null_count() > text.null_count() else read


def _stripped(column: pl.Series) -> pl.Series:
    text = column.str.strip_chars()
    return text.set(text == "", None)
