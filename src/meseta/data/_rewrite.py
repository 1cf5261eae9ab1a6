"""Which files of a series change when rows do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.data._damage import damaged
from meseta.data._parts import join, read_part, within, write_part
from meseta.data._schema import schema_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import polars as pl

    from meseta.data._key import SeriesKey
    from meseta.data._meta import Part
    from meseta.data._spans import Span

__all__ = ["rewrite"]


def rewrite(
    folder: Path,
    key: SeriesKey,
    old: Sequence[Part],
    frame: pl.DataFrame,
    replace: Span | None,
) -> tuple[Part, ...]:
    """Write the files that change and return all files that there are to be, in order.

    Parameters
    ----------
    folder, key
        The series and where it lies.
    old
        Files that there are.
    frame
        New rows, as `schema_of` says.
    replace
        Span whose old rows give way; None means all of them.
    """
    stored = {_month(key, part.first): part for part in old}
    coming = _by_month(key, frame)
    parts = []
    for month in sorted({*stored, *coming}):
        part, new = stored.get(month), coming.get(month)
        if part and new is None and replace and not _touches(part, replace):
            parts.append(part)
            continue
        rows = join(key, [*_kept(folder, key, part, replace), *([] if new is None else [new])])
        parts += [write_part(folder, key, rows)] if rows.height else []
    return tuple(parts)


def _kept(
    folder: Path, key: SeriesKey, part: Part | None, replace: Span | None
) -> list[pl.DataFrame]:
    if part is None or replace is None:
        return []
    try:
        frame = read_part(folder, part)
    except FileNotFoundError as error:
        raise damaged(folder / part.file, "is missing") from error
    return [frame.filter(~within(key, frame, *replace))]


def _touches(part: Part, span: Span) -> bool:
    return span[0] <= part.last and part.first < span[1] and span[0] < span[1]


def _month(key: SeriesKey, moment: datetime) -> str:
    """Return which file a row belongs to: trades are too many for one."""
    return f"{moment:%Y-%m}" if key.kind == "trades" else ""


def _by_month(key: SeriesKey, frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    if key.kind != "trades":
        return {"": frame} if frame.height else {}
    months = schema_of(key).moments(frame).dt.strftime("%Y-%m")
    return {month: frame.filter(months == month) for month in months.unique()}
