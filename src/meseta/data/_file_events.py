"""Files of funding payments and of trades, with a header or none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.bars._text import Table
from meseta.bars._times import read_times
from meseta.data._file import Loaded, UnsaidError, named
from meseta.data._file_columns import numbers
from meseta.data._schema import schema_of
from meseta.data._sessions import ALWAYS
from meseta.data._zone import to_utc
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from meseta.data._file import ImportOptions
    from meseta.data._key import Kind

__all__ = ["events_in", "load_events", "with_header"]

# From the store's columns to what files call them; the last ones of each need not be there.
_NAMES: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    "trades": {
        "id": ("agg_trade_id",),
        "price": ("price",),
        "quantity": ("quantity",),
        "first_id": ("first_trade_id",),
        "last_id": ("last_trade_id",),
        "ts": ("transact_time",),
        "buyer_maker": ("is_buyer_maker",),
        "best_match": ("is_best_match",),
    },
    "funding": {
        "ts": ("calc_time", "funding_time"),
        "interval_hours": ("funding_interval_hours",),
        "rate": ("last_funding_rate", "funding_rate"),
        "mark_price": ("mark_price",),
    },
}
_OPTIONAL = {"best_match", "interval_hours", "mark_price"}
_LAYOUTS: Mapping[Kind, str] = {"trades": "Binance aggTrades", "funding": "Binance fundingRate"}
_EPOCH = r"\d{13}|\d{16}"
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?"
# First lines of files without a header; spot trades have a column more.
_LINES: Mapping[Kind, Sequence[str]] = {
    "trades": [r"\d+", _NUMBER, _NUMBER, r"\d+", r"\d+", _EPOCH, *["(?i:true|false)"] * 2],
    "funding": [_EPOCH, r"\d+", _NUMBER],
}


def with_header(table: Table) -> Table:
    """Name the columns of trades or funding where the file does not, and count its first line."""
    for kind, patterns in _LINES.items():
        fields = table.headers
        missing = len(patterns) - len(fields)
        fits = all(map(re.fullmatch, patterns, fields))
        if fits and (missing == 0 or (kind == "trades" and missing == 1)):
            names = [known[0] for known in _NAMES[kind].values()][: len(fields)]
            return Table(tuple(names), _under(fields, table), _counted(table))
    return table


def events_in(table: Table) -> Kind | None:
    """Return whether a table holds trades or funding; None where it holds neither."""
    for kind, names in _NAMES.items():
        if names.keys() - _OPTIONAL <= _positions(table, kind).keys():
            return kind
    return None


def load_events(path: Path, table: Table, kind: Kind, options: ImportOptions) -> Loaded:
    """Read a file of trades or funding.

    Raises
    ------
    UnsaidError
        Its times are wall time of a zone that nobody says.
    ArgumentError
        An option does not fit.
    DataError
        A cell cannot be read, or rows are not in order.
    """
    key = options.key(path, "", kind)
    schema = schema_of(key)
    with named(path):
        positions = _positions(table, kind)
        rows: dict[str, Any] = dict.fromkeys(schema.columns)
        for name, position in positions.items():
            if name == schema.time:
                rows[name] = _moments(path, table, position, options.timezone)
            else:
                type_ = schema.columns.get(name, pl.Boolean)
                rows[name] = numbers(table, position, type_, empty=name in schema.nullable)
        frame = schema.conform(pl.DataFrame(rows))
    return Loaded(
        key=key,
        frame=frame,
        timezone=options.timezone or "UTC",
        stamp="open",
        calendar=options.calendar or ALWAYS,
        layout=_LAYOUTS[kind],
    )


def _positions(table: Table, kind: Kind) -> dict[str, int]:
    plain = [_plain(header) for header in table.headers]
    return {
        column: plain.index(_plain(name))
        for column, names in _NAMES[kind].items()
        for name in names
        if _plain(name) in plain
    }


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _moments(path: Path, table: Table, position: int, zone: str | None) -> pl.Series:
    read = read_times(table.columns[position], None, None)
    times = pl.Series(read.values, dtype=pl.Datetime("us"))
    lost = times.is_null().arg_true()
    if len(lost):
        at = int(lost[0])
        value = table.columns[position][at]
        raise DataError(f"row {table.row(at)}: the time {value!r} cannot be read")
    if read.instants:
        return times.dt.replace_time_zone("UTC")
    if zone is None:
        raise UnsaidError(path, ("timezone",))
    return to_utc(times, zone).utc


def _under(fields: Sequence[str], table: Table) -> tuple[pl.Series, ...]:
    firsts = [pl.Series([field], dtype=pl.String) for field in fields]
    columns = zip(firsts, table.columns, strict=True)
    return tuple(pl.concat([first, column.alias("")]) for first, column in columns)


def _counted(table: Table) -> pl.Series | None:
    if table.rows is None:
        return None
    first = table.row(0) - 1 if len(table.rows) else 1
    return pl.concat([pl.Series([first], dtype=table.rows.dtype), table.rows.alias("")])
