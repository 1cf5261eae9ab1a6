"""Files of bars, in every layout that the readers of bars know, to rows of the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.bars._build import build
from meseta.bars._finding import clock
from meseta.bars._layout import find_layout
from meseta.bars._read import Options, read_opened
from meseta.data import _clock
from meseta.data._calendars import finished
from meseta.data._file import Loaded, UnsaidError, named
from meseta.data._file_columns import further_columns
from meseta.data._file_facts import FileFacts
from meseta.data._file_name import kind_of, symbol_of
from meseta.data._key import EVENTS
from meseta.data._parts import within
from meseta.data._schema import schema_of
from meseta.data._sessions import ALWAYS
from meseta.data._zone import goes_back, to_utc
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from pathlib import Path

    from meseta._types import BoolArray, TimeArray
    from meseta.bars import Bars
    from meseta.bars._build import Label
    from meseta.bars._faults import Columns
    from meseta.bars._sources import Source
    from meseta.data._file import ImportOptions
    from meseta.data._key import Kind, SeriesKey

    Notes = tuple[str, ...]

__all__ = ["load_bars"]

_FEW = 10


def load_bars(path: Path, opened: Source, options: ImportOptions) -> Loaded:
    """Read a file of bars.

    Parameters
    ----------
    path
        For names and messages.
    opened
        The file.
    options
        What is said of it.

    Raises
    ------
    UnsaidError
        Bars of less than a day do not say their zone or stamp.
    ArgumentError
        An option does not fit.
    DataError
        Columns or dates cannot be told apart, a bar is impossible, or a time does not exist.
    """
    kind = _kind(path, options)
    columns, label, facts = _read(path, opened, options, kind)
    with named(path):
        columns, twice = _placed(columns, facts)
    bars = build(_in_order(columns), replace(label, size=facts.size))
    if facts.size is None:
        _require_many(path, bars)
    key = options.key(path, bars.bar_size, kind)
    frame = _frame(key, bars, columns)
    if kind == "bars":
        frame = frame.hstack(further_columns(opened.table, facts.layout, key))
    calendar = options.calendar or (ALWAYS if facts.kline else None)
    frame, unfinished = _finished(key, frame, calendar)
    return Loaded(
        key=key,
        frame=frame,
        timezone=label.timezone,
        stamp="open" if key.daily else label.stamp,
        calendar=calendar,
        layout=facts.name,
        notes=(*facts.notes, *twice, *unfinished),
    )


def _kind(path: Path, options: ImportOptions) -> Kind:
    kind = options.kind or kind_of(path)
    if kind in EVENTS:
        raise ArgumentError(f"`--kind` must be that of bars for {path}, got {kind}")
    return kind


def _read(
    path: Path, opened: Source, options: ImportOptions, kind: Kind
) -> tuple[Columns, Label, FileFacts]:
    reading = Options(
        name=options.symbol or symbol_of(path),
        timezone=options.timezone,
        date_order=options.date_order,
        # A premium is a difference, which may have either sign.
        allow_nonpositive=options.allow_nonpositive or kind == "premium",
        stamp=options.stamp,
    )
    with named(path):
        columns, label = read_opened(opened, reading)
        layout = find_layout(opened.table.headers)
        facts = FileFacts.of(opened, layout, options, columns, label.timezone)
    if facts.missing:
        raise UnsaidError(path, facts.missing)
    return columns, label, facts


def _require_many(path: Path, bars: Bars) -> None:
    """Refuse to believe in bars of three days because of a single weekend."""
    usual = bars.bar_minutes is not None or bars.bar_size in {"1d", "1w", "1mo"}
    if len(bars) < _FEW and not usual:
        raise DataError(
            f"{path}: {len(bars)} bars that are {bars.bar_size} apart are too few to say how long "
            "a bar is; say it with --interval, such as 1d"
        )


def _placed(columns: Columns, facts: FileFacts) -> tuple[Columns, Notes]:
    """Add the moments of wall times, and say how many of them the clocks leave open."""
    if facts.span == "date":
        # Midnight in UTC is that date, whatever the zone.
        return replace(columns, time=columns.order, instants=None), ()
    if columns.instants is not None or facts.zone is None:
        return columns, ()
    moments = to_utc(pl.Series(columns.time), facts.zone)
    lost = np.flatnonzero(moments.utc.is_null().to_numpy() & ~np.isnat(columns.time))
    if lost.size:
        raise DataError(
            f"{columns.place(int(lost[0]))}: this wall time does not exist in {facts.zone}, where "
            "the clocks go forward; is --timezone right?"
        )
    utc = moments.utc.dt.replace_time_zone(None).to_numpy()
    return replace(columns, instants=utc), _twice(columns.time, moments.twice.to_numpy())


def _twice(time: TimeArray, twice: BoolArray) -> Notes:
    if not twice.any():
        return ()
    note = (
        f"{np.count_nonzero(twice)} times occur twice because the clocks go back, the first "
        f"{clock(time[np.argmax(twice)])}; they are taken as the first of the two until the rows "
        "themselves go back"
    )
    return (note,)


def _in_order(columns: Columns) -> Columns:
    """Name times in UTC where wall time goes back, since that is no fault of the file."""
    if columns.instants is None or goes_back(pl.Series(columns.instants)) is not None:
        return columns
    repeated = goes_back(pl.Series(columns.time)) is not None
    return replace(columns, time=columns.instants) if repeated else columns


def _frame(key: SeriesKey, bars: Bars, columns: Columns) -> pl.DataFrame:
    rows: dict[str, Any] = {name: getattr(bars, name) for name in ("open", "high", "low", "close")}
    # What a file of mark prices has for a volume is none.
    rows |= {"volume": bars.volume if key.kind == "bars" else None, **_times(key, bars, columns)}
    return schema_of(key).conform(pl.DataFrame(rows))


def _times(key: SeriesKey, bars: Bars, columns: Columns) -> dict[str, Any]:
    """Return the columns of time, of which those that nobody knows are empty."""
    known = columns.instants is not None
    utc = pl.Series(columns.instants).dt.replace_time_zone("UTC") if known else None
    close = utc if bars.stamp == "close" else None
    if key.daily:
        return {"session_date": columns.time.astype("datetime64[D]"), "ts_close": close}
    if utc is None or key.bar is None or bars.stamp == "close":
        return {"ts_open": None, "ts_close": close}
    return {"ts_open": utc, "ts_close": utc + timedelta(microseconds=key.bar.microseconds)}


def _finished(
    key: SeriesKey, frame: pl.DataFrame, calendar: str | None
) -> tuple[pl.DataFrame, Notes]:
    """Leave out bars that may be open still."""
    over = within(key, frame, None, finished(key, calendar, _clock.now()))
    left = frame.height - int(over.sum())
    if not left:
        return frame, ()
    return frame.filter(over), (f"left out, since they may be open still: {left} of the bars",)
