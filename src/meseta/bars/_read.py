"""From a source of any kind to columns that can be judged."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.bars._build import Label
from meseta.bars._faults import Columns
from meseta.bars._finding import and_more
from meseta.bars._layout import find_layout
from meseta.bars._leverage import leverage
from meseta.bars._sources import open_source
from meseta.bars._times import check_order, read_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from meseta.bars._bars import Stamp
    from meseta.bars._finding import Finding
    from meseta.bars._layout import Layout
    from meseta.bars._sources import Source
    from meseta.bars._text import Table
    from meseta.bars._times import DateOrder, Moments

__all__ = ["Options", "read", "read_opened"]

NEW_YORK = "America/New_York"
TIMES = ("moment", "clock")
TRUTHS = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the caller may say about a source; None leaves it to the layout."""

    name: str | None
    timezone: str | None
    date_order: DateOrder | None
    allow_nonpositive: bool
    stamp: Stamp | None

    def __post_init__(self) -> None:
        check_order(self.date_order)


def read(source: Any, options: Options) -> tuple[Columns, Label]:
    """Read a source without judging its numbers.

    Raises
    ------
    ArgumentError
        `source` is of an unknown kind.
    DataError
        The source cannot be opened, or its columns or dates cannot be told apart.
    """
    return read_opened(open_source(source), options)


def read_opened(opened: Source, options: Options) -> tuple[Columns, Label]:
    """Read a source that is open already, as `read` does.

    Raises
    ------
    DataError
        Its columns or dates cannot be told apart.
    """
    table = opened.table
    layout = find_layout(table.headers)
    order = options.date_order or opened.date_order or ("mdy" if layout.tradestation else None)
    clock = layout.roles.get("clock")
    moments = read_times(
        table.columns[layout.roles["moment"]],
        None if clock is None else table.columns[clock],
        order,
    )
    home = NEW_YORK if layout.tradestation else "UTC"
    zone = options.timezone or opened.zone or moments.zone or home
    label = Label(
        name=options.name or opened.name,
        timezone=zone,
        stamp=options.stamp or opened.stamp or ("close" if layout.tradestation else "open"),
        allow_nonpositive=options.allow_nonpositive,
        source=opened.origin,
        size=opened.size,
        session_open=opened.session_open,
    )
    columns = _columns(table, layout, moments, zone)
    return leverage(columns, label, opened.leveraged) if opened.leveraged else (columns, label)


def _columns(table: Table, layout: Layout, moments: Moments, zone: str) -> Columns:
    cells = {
        role: _Cells.read(table.columns[position])
        for role, position in layout.roles.items()
        if role not in {*TIMES, "stub"}
    }
    columns = Columns(
        _wall(moments.values, zone) if moments.instants else moments.values,
        cells["open"].values,
        cells["high"].values,
        cells["low"].values,
        cells["close"].values,
        volume=_volume({role: cell.values for role, cell in cells.items()}),
        instants=moments.values if moments.instants else None,
        stubs=_stubs(table.columns[layout.roles["stub"]]) if "stub" in layout.roles else None,
        row=table.row,
    )
    lost = np.flatnonzero(np.isnat(moments.values))
    unread = [_unread_time(columns, table, layout, lost)] if lost.size else []
    for role, cell in cells.items():
        if cell.unread.size:
            unread.append(cell.finding(columns, role))
    rows = np.concatenate([lost, *(cell.unread for cell in cells.values())])
    return replace(columns, unread=tuple(unread), unread_rows=tuple(rows.tolist()))


@dataclass(frozen=True, eq=False, slots=True)
class _Cells:
    """Numbers of a column and the positions of what is no number."""

    values: npt.NDArray[np.float64]
    unread: npt.NDArray[np.intp]
    column: pl.Series

    @classmethod
    def read(cls, column: pl.Series) -> _Cells:
        if column.dtype.is_numeric():
            return cls(_to_numpy(column.cast(pl.Float64)), np.empty(0, np.intp), column)
        text = column.cast(pl.String).str.strip_chars()
        text = text.set(text == "", None)
        numbers = text.cast(pl.Float64, strict=False)
        unread = np.flatnonzero((numbers.is_null() & text.is_not_null()).to_numpy())
        return cls(_to_numpy(numbers), unread, text)

    def finding(self, columns: Columns, role: str) -> Finding:
        at = int(self.unread[0])
        value = str(self.column[at])
        hint = ", use a decimal point" if re.fullmatch(r"-?\d+,\d+", value) else ""
        what = f"{role} is {value!r}, not a number{hint}{and_more(self.unread.size)}"
        return columns.finding("text", at, value, what)


def _unread_time(
    columns: Columns, table: Table, layout: Layout, lost: npt.NDArray[np.intp]
) -> Finding:
    at = int(lost[0])
    parts = [table.columns[layout.roles[role]][at] for role in TIMES if role in layout.roles]
    value = " ".join(str(part) for part in parts if part is not None).strip()
    what = f"time {value!r} cannot be read" if value else "time is missing"
    return columns.finding("time", at, value, what + and_more(lost.size))


def _to_numpy(column: pl.Series) -> npt.NDArray[np.float64]:
    return column.fill_null(float("nan")).to_numpy()


def _volume(cells: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64] | None:
    """Volume, or what traded up and down together; None where all of it is empty."""
    if "volume" in cells:
        volume = cells["volume"]
    elif {"up", "down"} <= set(cells):
        volume = cells["up"] + cells["down"]
    else:
        return None
    return None if np.isnan(volume).all() else volume


def _stubs(column: pl.Series) -> npt.NDArray[np.bool_] | None:
    """Read the marks of short bars; None where a column of that name holds something else."""
    text = column.cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
    if not text.is_in(list(TRUTHS)).all():
        return None
    return text.replace_strict(TRUTHS, return_dtype=pl.Boolean).to_numpy()


def _wall(instants: npt.NDArray[np.datetime64], zone: str) -> npt.NDArray[np.datetime64]:
    """Instants in UTC to naive wall time."""
    utc = pl.Series(instants).dt.replace_time_zone("UTC")
    wall = utc.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return wall.to_numpy().astype("datetime64[us]")
