"""From a stored series to the bars that strategies trade."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from meseta.bars._build import Label, build
from meseta.bars._faults import Columns
from meseta.bars._finding import whole
from meseta.data._file import SOURCE as FILES
from meseta.data._zone import goes_back, to_wall
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from meseta._types import FloatArray
    from meseta.bars import Bars, Finding
    from meseta.data._meta import Meta

__all__ = ["to_bars"]


def to_bars(
    meta: Meta,
    frame: pl.DataFrame,
    *,
    allow_nonpositive: bool = False,
    warnings: tuple[Finding, ...] = (),
) -> Bars:
    """Make bars of the rows of a series.

    Parameters
    ----------
    meta
        Of the series.
    frame
        Its rows, all or some.
    allow_nonpositive
        Let prices of zero and less pass, as additively back-adjusted futures have them.
    warnings
        What is to come first in `Bars.warnings`.

    Returns
    -------
    Bars
        Of the symbol's name, from the source ``"store:<label>"``. `time` is the wall time of
        the bars' start or end in the zone of the series, or the session's date. `volume` is
        None where a bar has none; a warning says so, where others have.

    Raises
    ------
    ArgumentError
        The series has no bars.
    DataError
        There are no rows, a bar is impossible, or its wall time occurs twice.
    """
    key = meta.key
    if key.bar is None:
        raise ArgumentError(f"`symbol` must name bars, but {key.label} are {key.kind}")
    label = Label(
        name=key.symbol,
        timezone=meta.timezone,
        stamp="open" if key.daily else meta.stamp,
        allow_nonpositive=allow_nonpositive,
        source=f"store:{key.label}",
        notes=(*warnings, *_incomplete(meta, frame)),
        size=key.bar,
    )
    return build(_columns(meta, frame), label)


def _columns(meta: Meta, frame: pl.DataFrame) -> Columns:
    marked = frame.schema.get("stub") == pl.Boolean
    return Columns(
        _times(meta, frame),
        _numbers(frame["open"]),
        _numbers(frame["high"]),
        _numbers(frame["low"]),
        _numbers(frame["close"]),
        volume=_volume(frame),
        stubs=frame["stub"].to_numpy() if marked else None,
    )


def _times(meta: Meta, frame: pl.DataFrame) -> npt.NDArray[np.datetime64]:
    if meta.key.daily:
        return frame["session_date"].to_numpy().astype("datetime64[us]")
    name = f"ts_{meta.stamp}"
    if frame[name].null_count():
        raise DataError(
            f"{meta.key.label} is to be stamped at the {meta.stamp} of its bars, which not every "
            "row says; import or fetch it again"
        )
    wall = to_wall(frame[name], meta.timezone)
    at = goes_back(wall)
    if at is not None:
        raise DataError(
            f"{meta.key.label}: the wall time {wall[at]:%Y-%m-%d %H:%M} occurs twice in "
            f"{meta.timezone}, where the clocks go back while the market trades; {_way_out(meta)}"
        )
    return wall.to_numpy()


def _way_out(meta: Meta) -> str:
    if meta.key.source == FILES:
        return "keep such a series in UTC: import it with --timezone UTC --replace"
    return "use its bars up to that night or after it (--end, --start), or those of a day"


def _numbers(column: pl.Series) -> FloatArray:
    return column.fill_null(float("nan")).to_numpy()


def _volume(frame: pl.DataFrame) -> FloatArray | None:
    """Volume; None where a bar has none, since nobody can say what it was."""
    volume = frame["volume"]
    return None if volume.null_count() else _numbers(volume)


def _incomplete(meta: Meta, frame: pl.DataFrame) -> tuple[Finding, ...]:
    lost = frame["volume"].null_count()
    if lost in {0, frame.height}:
        return ()
    what = (
        f"{lost} of {frame.height} bars of {meta.key.label} have no volume: all of it is left out"
    )
    return (whole("volume_incomplete", what),)
