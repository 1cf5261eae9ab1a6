"""What is said of a file to import, and what comes of reading it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.data._file_name import symbol_of
from meseta.data._key import SeriesKey
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from meseta.bars._bars import Stamp
    from meseta.bars._times import DateOrder
    from meseta.data._key import Basis, Kind

__all__ = ["SOURCE", "ImportOptions", "Loaded", "UnsaidError", "named"]

SOURCE = "files"
_ASKED = {
    "timezone": "in which time zone its times are (--timezone, such as America/New_York or UTC)",
    "stamp": "whether they mark the start or the end of a bar (--stamp open or close)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the caller says about files; None leaves it to the file.

    Parameters
    ----------
    symbol
        The file's name without bar size and dates by default.
    timezone
        IANA zone of times that are wall time, and in which the bars are used.
    stamp
        Whether times mark the start or the end of a bar.
    date_order
        ``"mdy"``, ``"dmy"`` or ``"ymd"``, where dates leave it open.
    basis
        What prices were adjusted for; funding and trades never are.
    interval
        Length of a bar; the most frequent step by default.
    kind
        ``"mark"`` and the like where the name of the file does not say so.
    allow_nonpositive
        Let prices of zero and less pass, as additively back-adjusted futures have them.
    calendar
        When the market is open, as `meseta.data.sources.Facts` has it.
    replace
        Set a stored series aside and import the file in its place.
    """

    symbol: str | None = None
    timezone: str | None = None
    stamp: Stamp | None = None
    date_order: DateOrder | None = None
    basis: Basis = "unknown"
    interval: str | None = None
    kind: Kind | None = None
    allow_nonpositive: bool = False
    calendar: str | None = None
    replace: bool = False

    def key(self, path: Path, size: str, kind: Kind) -> SeriesKey:
        """Return which series a file is.

        Raises
        ------
        ArgumentError
            `kind` was said to be another.
        """
        events = kind in {"funding", "trades"}
        if self.kind not in {None, kind}:
            raise ArgumentError(f"`--kind` must be {kind} for {path}, got {self.kind}")
        basis = "unadjusted" if events else self.basis
        symbol = symbol_of(path) if self.symbol is None else self.symbol
        return SeriesKey(SOURCE, symbol, size, kind, basis)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Loaded:
    """A file as it was read.

    Parameters
    ----------
    key
        Which series it is.
    frame
        Rows as `schema_of` says.
    timezone, stamp, calendar
        As in `Meta`.
    layout
        What kind of file it is, for users.
    notes
        What a user should know of how it was read.
    """

    key: SeriesKey
    frame: pl.DataFrame
    timezone: str
    stamp: Stamp
    calendar: str | None
    layout: str
    notes: tuple[str, ...] = ()


class UnsaidError(ArgumentError):
    """A file does not say what has to be known of it.

    Parameters
    ----------
    path
        The file.
    missing
        ``"timezone"``, ``"stamp"`` or both.
    """

    def __init__(self, path: Path, missing: tuple[str, ...]) -> None:
        asked = " and ".join(_ASKED[name] for name in missing)
        super().__init__(f"{path} does not say {asked}")
        self.path, self.missing = path, missing


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Begin what is said of data with the name of their file."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
