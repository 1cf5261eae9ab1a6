"""Bars in a Parquet file, with the facts that the columns do not show."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meseta._files import atomic_file
from meseta.bars._size import BarSize, size_name
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import polars as pl

    from meseta.bars._bars import Bars, Stamp

__all__ = ["Kept", "read_parquet", "save"]

KEY = "meseta"
FACTS = ("timezone", "stamp", "bar_minutes", "session_open")


@dataclass(frozen=True, slots=True)
class Kept:
    """What `save` noted beside the columns; None where a file says nothing.

    Bars of a day or longer leave `size` to their dates.
    """

    timezone: str | None = None
    stamp: Stamp | None = None
    size: BarSize | None = None
    session_open: int | None = None


def save(bars: Bars, path: str | Path) -> None:
    """Write bars to a Parquet file that `load` reads back without being told anything.

    The columns are time (wall time without a zone), open, high, low, close, volume (empty where
    unknown), and stub where `bars` mark stubs. Time zone, stamp, bar size and the opening of
    sessions stand in the file's metadata. Prices of zero and less still have to be allowed.

    Parameters
    ----------
    bars
        One series.
    path
        The file; one that is there is replaced, as a whole or not at all.

    Raises
    ------
    ArgumentError
        `bars` have a second series.
    RunError
        The file cannot be written.
    """
    import polars as pl

    if bars.second is not None:
        raise ArgumentError(
            f"`bars` must be one series, but {bars!r} is a pair; save each of the two"
        )
    frame = bars.to_polars()
    if bars.stubs is not None:
        frame = frame.with_columns(stub=pl.Series(bars.stubs))
    facts = {name: getattr(bars, name) for name in FACTS}
    with atomic_file(Path(path)) as stream:
        frame.write_parquet(stream, metadata={KEY: json.dumps(facts)})


def read_parquet(data: bytes) -> tuple[pl.DataFrame, Kept]:
    """Read a Parquet file of any origin, and what `save` noted if it wrote it.

    Raises
    ------
    DataError
        The file is damaged.
    """
    import polars as pl

    try:
        frame = pl.read_parquet(data)
        notes = pl.read_parquet_metadata(io.BytesIO(data)).get(KEY, "{}")
        return frame, _kept(notes)
    except (pl.exceptions.PolarsError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"the Parquet file is damaged ({error}); write it again") from error


def _kept(notes: str) -> Kept:
    facts = json.loads(notes)
    minutes = facts.get("bar_minutes")
    return Kept(
        timezone=facts.get("timezone"),
        stamp=facts.get("stamp"),
        size=None if minutes is None else BarSize(size_name(minutes), minutes, 0),
        session_open=facts.get("session_open"),
    )
