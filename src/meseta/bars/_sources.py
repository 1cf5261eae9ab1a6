"""Opening files, samples, standard input and data frames."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.bars._parquet import read_parquet
from meseta.bars._text import Table, read_text
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from meseta.bars._bars import Stamp
    from meseta.bars._size import BarSize
    from meseta.bars._times import DateOrder

__all__ = ["Source", "describe", "open_source"]

SAMPLES = {"nasdaq": "data/nasdaq/nasdaq.csv.gz", "sp500": "data/sp500/sp500.csv.gz"}
LEVERAGED = "-3x"
SAMPLE = "sample:"
EXTENSIONS = (".gz", ".csv", ".txt", ".tsv", ".parquet")
PARQUET = b"PAR1"


@dataclass(frozen=True, eq=False, slots=True)
class Source:
    """A table and what its origin says about it.

    `leveraged` is the sample from whose prices those of a leveraged fund are to be made up;
    None where the table's prices are the ones asked for. What else is None is not said.
    """

    table: Table
    name: str
    origin: str
    zone: str | None = None
    date_order: DateOrder | None = None
    leveraged: str | None = None
    stamp: Stamp | None = None
    size: BarSize | None = None
    session_open: int | None = None


def describe(source: Any) -> str:
    """Name a source for messages."""
    return str(source) if isinstance(source, str | Path) else "data frame"


def open_source(source: Any) -> Source:
    """Open a path, ``"sample:NAME"``, ``"-"`` or a data frame.

    Raises
    ------
    ArgumentError
        `source` is of another type, or an unknown sample.
    DataError
        The file is missing or unreadable.
    """
    if isinstance(source, pl.DataFrame):
        return Source(_from_polars(source), "frame", describe(source))
    if isinstance(source, str | Path):
        text = str(source)
        if text == "-":
            return Source(read_text(sys.stdin.buffer.read()), "stdin", text)
        if text.startswith(SAMPLE):
            return _sample(text.removeprefix(SAMPLE))
        return _file(Path(source).expanduser(), text)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return Source(_from_pandas(source), "frame", describe(source))
    raise ArgumentError(
        "`source` must be a path, 'sample:nasdaq', '-' or a pandas or Polars DataFrame, "
        f"got {type(source).__name__}"
    )


def _sample(name: str) -> Source:
    base = name.removesuffix(LEVERAGED)
    if base not in SAMPLES:
        names = [f"'{SAMPLE}{known}{tail}'" for tail in ("", LEVERAGED) for known in SAMPLES]
        known = f"{', '.join(names[:-1])} or {names[-1]}"
        raise ArgumentError(f"`source` must be {known} where it is a sample, got {name!r}")
    # The package is large and slow to import; only the place of its files is asked for.
    package = importlib.util.find_spec("arch")
    if package is None or package.origin is None:
        raise DataError("the samples come with the package arch; install it: pip install arch")
    table = read_text(_bytes(Path(package.origin).parent / SAMPLES[base]))
    return Source(
        table,
        name,
        SAMPLE + name,
        zone="America/New_York",
        date_order="mdy",
        leveraged=None if base == name else SAMPLE + base,
    )


def _file(path: Path, origin: str) -> Source:
    data = _bytes(path)
    name = path.name
    for extension in EXTENSIONS:
        name = name.removesuffix(extension)
    if not data.startswith(PARQUET):
        return Source(read_text(data), name, origin)
    frame, kept = read_parquet(data)
    return Source(
        _from_polars(frame),
        name,
        origin,
        zone=kept.timezone,
        stamp=kept.stamp,
        size=kept.size,
        session_open=kept.session_open,
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"cannot read {path}: {reason}; give a CSV or Parquet file, '-', or sample:nasdaq"
        ) from error


def _from_polars(frame: pl.DataFrame) -> Table:
    return Table(tuple(frame.columns), tuple(frame.get_columns()))


def _from_pandas(frame: pd.DataFrame) -> Table:
    """Columns of a frame, after its index where that holds times.

    Column names of several levels, as some vendors return them, count by their first.
    """
    headers = [str(name) for name in frame.columns.get_level_values(0)]
    columns = [_series(frame.iloc[:, at]) for at in range(frame.shape[1])]
    if frame.index.inferred_type in {"datetime64", "date"}:
        headers.insert(0, "datetime")
        columns.insert(0, _series(frame.index.to_series()))
    return Table(tuple(headers), tuple(columns))


def _series(column: pd.Series[Any]) -> pl.Series:
    """One column; mixed objects become text, so that a bad cell can be named."""
    if column.dtype == object:
        missing = column.isna()
        cells = zip(column, missing, strict=True)
        return pl.Series([None if gone else str(cell) for cell, gone in cells], dtype=pl.String)
    return pl.Series(pl.from_pandas(column.reset_index(drop=True)))
