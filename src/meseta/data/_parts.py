"""Parquet files of a stored series: written once, known by their hash."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta._files import atomic_file
from meseta.data._damage import DamagedError, damaged
from meseta.data._look import content
from meseta.data._meta import Part
from meseta.data._schema import schema_of
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from meseta.data._key import SeriesKey

__all__ = [
    "content_of",
    "ends",
    "faults_of",
    "join",
    "read_part",
    "whole_content",
    "within",
    "write_part",
]

_DIGITS = 16


def write_part(folder: Path, key: SeriesKey, frame: pl.DataFrame) -> Part:
    """Write rows, at least one, to a file named after its first month and its hash.

    Raises
    ------
    RunError
        The file cannot be written.
    """
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    facts = _facts(key, frame)
    file = f"{facts['first']:%Y-%m}-{digest[:_DIGITS]}.parquet"
    with atomic_file(folder / file) as stream:
        stream.write(data)
    return Part(file=file, sha256=digest, **facts)


def read_part(folder: Path, part: Part) -> pl.DataFrame:
    """Return all rows of a file that is what was written.

    Raises
    ------
    DamagedError
        Its bytes are others.
    FileNotFoundError
        It is gone.
    RunError
        It cannot be read.
    """
    path = folder / part.file
    data = content(path)
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise damaged(path, "was cut off or edited since meseta wrote it")
    return pl.read_parquet(data)


def faults_of(folder: Path, key: SeriesKey, part: Part) -> tuple[str, ...]:
    """Say what is wrong with a file; nothing where it is sound."""
    path = folder / part.file
    try:
        facts = _facts(key, schema_of(key).conform(read_part(folder, part)))
    except FileNotFoundError:
        return (f"{path} is missing",)
    except DamagedError as error:
        return (error.fault,)
    except DataError as error:
        return (f"{path}: {error}",)
    other = [name for name, value in facts.items() if getattr(part, name) != value]
    return (f"{path} does not hold what the metadata say ({', '.join(other)})",) if other else ()


def join(key: SeriesKey, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return all rows in order; a further column that a frame lacks is empty there.

    Raises
    ------
    DataError
        A row occurs twice, or a further column is of types that do not go together.
    """
    schema = schema_of(key)
    try:
        # Relaxed, so that whole numbers and fractions go together.
        frame = pl.concat([schema.empty(), *frames], how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"the rows of {key.label} do not go together: {error}") from error
    return schema.conform(frame.sort(schema.unique))


def within(
    key: SeriesKey, frame: pl.DataFrame, start: datetime | None, end: datetime | None
) -> pl.Series:
    """Say of each row whether ``start <= moment < end``; None is no bound."""
    moments = schema_of(key).moments(frame)
    inside = pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
    if start is not None:
        inside &= moments >= start
    return inside if end is None else inside & (moments < end)


def ends(key: SeriesKey, frame: pl.DataFrame) -> tuple[datetime, datetime]:
    """Return the first and the last moment of rows, at least one."""
    moments: Any = schema_of(key).moments(frame)
    return moments.min(), moments.max()


def content_of(frame: pl.DataFrame) -> str:
    """Hash rows by their values alone: names, types, empty cells and little-endian values."""
    digest = hashlib.sha256(f"{frame.height} rows".encode())
    for column in frame.get_columns():
        for piece in _pieces(column):
            digest.update(piece)
    return digest.hexdigest()


def whole_content(parts: Sequence[Part]) -> str:
    """Hash the rows of a series: that of the only part, or one over those of the parts."""
    if len(parts) == 1:
        return parts[0].content
    return hashlib.sha256(" ".join(part.content for part in parts).encode()).hexdigest()


def _facts(key: SeriesKey, frame: pl.DataFrame) -> dict[str, Any]:
    first, last = ends(key, frame)
    return {"content": content_of(frame), "rows": frame.height, "first": first, "last": last}


def _pieces(column: pl.Series) -> Iterator[bytes]:
    yield f"\n{column.name} {_type_name(column.dtype)}\n".encode()
    yield np.packbits(column.is_null().to_numpy()).tobytes()
    if column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == pl.Boolean:
        values = column.to_physical().fill_null(0).to_numpy()
        yield values.astype(values.dtype.newbyteorder("<")).tobytes()
        return
    texts = [text.encode() for text in column.cast(pl.String).fill_null("")]
    yield np.array([len(text) for text in texts], dtype="<i8").tobytes()
    yield b"".join(texts)


def _type_name(kind: pl.DataType) -> str:
    if isinstance(kind, pl.Datetime):
        return f"Datetime {kind.time_unit} {kind.time_zone}"
    return str(kind)
