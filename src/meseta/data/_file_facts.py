"""What a file of bars says of its times, and what has to be asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from meseta.data._key import parse_bar_size
from meseta.errors import DataError

if TYPE_CHECKING:
    from meseta.bars._faults import Columns
    from meseta.bars._layout import Layout
    from meseta.bars._size import BarSize
    from meseta.bars._sources import Source
    from meseta.data._file import ImportOptions

    Span = Literal["date", "day", "less"]

__all__ = ["FileFacts"]

_NEW_YORK = "America/New_York"
_ZONE_TAKEN = (
    f"the times are taken to be those of {_NEW_YORK}, as TradeStation's exports have them; say "
    "--timezone where they are not"
)
_STAMP_TAKEN = (
    "the times are taken to mark the start of a bar; say --stamp close where they mark its end"
)


@dataclass(frozen=True, eq=False, slots=True)
class FileFacts:
    """What a file says, or the caller in its place.

    Parameters
    ----------
    opened, layout, options
        The file, its columns, and what the caller says.
    size
        Length of a bar where somebody says it.
    span
        Whether a row is known by its date alone, is a day or longer, or less.
    instants
        Whether times are moments and not wall time.
    zone
        Zone of the times; None where nobody says.
    """

    opened: Source
    layout: Layout
    options: ImportOptions
    size: BarSize | None
    span: Span
    instants: bool
    zone: str | None

    @classmethod
    def of(
        cls, opened: Source, layout: Layout, options: ImportOptions, columns: Columns, zone: str
    ) -> FileFacts:
        """Look at a file that was read in `zone`, which is UTC where it names none."""
        size = parse_bar_size(options.interval) if options.interval else opened.size
        span = _span(columns, size)
        instants = columns.instants is not None
        said = options.timezone or opened.zone or layout.tradestation or zone != "UTC"
        # A day that begins in the evening of the one before would get the wrong date.
        moments = instants and span == "less"
        known = said or moments or _kline(opened)
        return cls(opened, layout, options, size, span, instants, zone if known else None)

    @property
    def kline(self) -> bool:
        """Whether the columns are those of Binance, whose times are UTC and mark the start."""
        return _kline(self.opened)

    @property
    def missing(self) -> tuple[str, ...]:
        """What the caller has to say: ``"timezone"``, ``"stamp"``, both or nothing."""
        zone = self.zone is None and (
            self.span == "less" or (self.span == "day" and self.instants)
        )
        stamp = self.span == "less" and not (self._stamp_said or self.instants)
        return ("timezone",) * zone + ("stamp",) * stamp

    @property
    def notes(self) -> tuple[str, ...]:
        """What was taken for granted."""
        zone = self.layout.tradestation and not self.options.timezone
        stamp = self.span == "less" and not self._stamp_said
        return (_ZONE_TAKEN,) * zone + (_STAMP_TAKEN,) * stamp

    @property
    def name(self) -> str:
        """What kind of file it is."""
        if self.layout.tradestation:
            return "TradeStation export"
        if self.opened.zone:
            return "bars saved by meseta"
        return "Binance klines" if self.kline else "table"

    @property
    def _stamp_said(self) -> bool:
        said = self.options.stamp or self.opened.stamp
        return bool(said or self.layout.tradestation or self.kline)


def _kline(opened: Source) -> bool:
    return any(re.sub(r"\W|_", "", name).lower() == "opentime" for name in opened.table.headers)


def _span(columns: Columns, size: BarSize | None) -> Span:
    times = columns.order[~np.isnat(columns.order)]
    if len(times) == 1 and size is None:
        raise DataError(
            "one bar alone does not say how long it is; say so with --interval, such as 1d or 5m"
        )
    dates = times.astype("datetime64[D]")
    if size and size.minutes:
        return "less"
    if (dates == times).all():
        return "date"
    return "day" if size or len(np.unique(dates)) == len(dates) else "less"
