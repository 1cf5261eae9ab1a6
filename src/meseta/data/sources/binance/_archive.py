"""Reading a span from Binance's archive: months, then days."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from meseta.data import _clock
from meseta.data._listen import Step
from meseta.data.sources.binance._cache import Cache, cache_folder
from meseta.data.sources.binance._files import Files, connect
from meseta.data.sources.binance._layouts import from_text
from meseta.data.sources.binance._parallel import in_parallel
from meseta.data.sources.binance._plan import days_of, midnight, split, uncovered
from meseta.data.sources.binance._tables import in_order, layout_of, rows_of
from meseta.data.sources.binance._unzip import blocks
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from meseta.data._listen import Listener
    from meseta.data.sources.binance._plan import Period
    from meseta.data.sources.binance._series import Series

__all__ = ["Found", "read_archive", "replaced"]


@dataclass(frozen=True, slots=True)
class Found:
    """What the archive has of a span.

    Parameters
    ----------
    pieces
        Rows of each of its files, in order of time.
    objects
        SHA-256 of each file, by its path.
    missing
        Parts of the span that none of its files covers, half-open, of openings or events.
    """

    pieces: list[pl.DataFrame]
    objects: dict[str, str]
    missing: list[tuple[datetime, datetime]]


def read_archive(series: Series, start: datetime, end: datetime, tell: Listener) -> Found:
    """Read what the archive has of a span of openings or events.

    Raises
    ------
    SourceError
        The archive does not answer, or a file is not what its checksum says.
    DataError
        A file holds something else than its name says, or rows that cannot be.
    """
    months, days = split(start, end, midnight(_clock.now()), daily=series.has_daily_files)
    with connect() as http:
        reading = _Reading(series, (start, end), Files(http, _cache()), tell)
        absent = reading.take(months)
        wanted = [days_of(max(start, month.start), min(end, month.end)) for month in absent]
        wanted = wanted if series.has_daily_files else []
        # Most months without a file lie before the listing. Their first and last days tell
        # whether the others are worth asking for.
        outer = {day for within in wanted for day in (within[0], within[-1])}
        lacking = set(reading.take([*sorted(outer), *days]))
        reading.take([d for w in wanted if not {w[0], w[-1]} <= lacking for d in w[1:-1]])
    pieces = [reading.rows[period] for period in sorted(reading.rows)]
    return Found(pieces, reading.objects, uncovered(start, end, reading.rows))


def replaced(objects: Mapping[str, str], tell: Listener) -> set[str]:
    """Return which of some files have another checksum now than they had.

    A file that the archive no longer has is not replaced.

    Raises
    ------
    SourceError
        The archive does not answer.
    DataError
        A checksum is none.
    """
    changed: set[str] = set()
    seen: list[str] = []

    def compare(path: str, sha256: str | None) -> None:
        seen.append(path)
        tell(Step(f"checksum of {PurePosixPath(path).name}", len(seen), len(objects)))
        if sha256 not in {None, objects[path]}:
            changed.add(path)

    with connect() as http:
        in_parallel(Files(http, _cache()).checksum, list(objects), compare)
    return changed


def _cache() -> Cache:
    return Cache(cache_folder())


@dataclass(slots=True)
class _Reading:
    """The rows of one span as they come together."""

    series: Series
    span: tuple[datetime, datetime]
    files: Files
    tell: Listener
    rows: dict[Period, pl.DataFrame] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    done: int = 0
    planned: int = 0

    def __post_init__(self) -> None:
        self.files.cache.prune()

    def take(self, periods: Sequence[Period]) -> list[Period]:
        """Read the files of some periods; return the periods that have none."""
        self.planned += len(periods)
        in_parallel(lambda period: self.files.obtain(self._path(period)), periods, self._add)
        return [period for period in periods if period not in self.rows]

    def _path(self, period: Period) -> str:
        return self.series.path(period.label)

    def _add(self, period: Period, sha256: str | None) -> None:
        path = self._path(period)
        self.done += 1
        self.tell(Step(PurePosixPath(path).name, self.done, self.planned))
        if sha256 is not None:
            self.rows[period] = self._read(period, sha256)
            self.objects[path] = sha256

    def _read(self, period: Period, sha256: str) -> pl.DataFrame:
        """Return the rows of a file that lie in the span; all of them are checked."""
        path = PurePosixPath(self._path(period))
        file = self.files.cache.path(sha256)
        parts = [
            self._rows(text, period, path.name)
            for text in blocks(file, f"{path.stem}.csv", path.name)
        ]
        rows = pl.concat(parts) if parts else self._rows(b"", period, path.name)
        bars = self.series.key.bar is not None
        return in_order(rows, self.series.unique, path.name, sort=not bars)

    def _rows(self, text: bytes, period: Period, name: str) -> pl.DataFrame:
        rows = rows_of(self.series, from_text(text, layout_of(self.series), name), name)
        time, (start, end) = pl.col(self.series.time), self.span
        if self.series.has_daily_files and self.series.key.bar is not None:
            strange = rows.filter((time < period.start) | (time >= period.end))
            if strange.height:
                raise DataError(f"{name} has {strange.height:,} bars of other days")
        return rows.filter(time.is_between(start, end, closed="left"))
