"""What Binance calls a series, and which of its openings or events a span of moments holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    import polars as pl

    from meseta.data._key import Kind, SeriesKey

__all__ = ["SIZES", "Series", "series_of"]

# Names of a size in the archive (ours) and in the REST API.
SIZES = {
    **{size: size for size in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h")},
    **{size: size for size in ("12h", "1d", "3d", "1w")},
    "1mo": "1M",
}
# Sizes whose archive has no daily files.
_MONTHLY_ONLY = {"3d", "1w", "1mo"}
_FOLDERS: dict[Kind, str] = {
    "bars": "klines",
    "mark": "markPriceKlines",
    "index": "indexPriceKlines",
    "premium": "premiumIndexKlines",
    "funding": "fundingRate",
    "trades": "aggTrades",
}
_NOTHING = timedelta(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Series:
    """A series in Binance's words.

    Parameters
    ----------
    key
        One that `series_of` has checked.
    """

    key: SeriesKey

    @property
    def folder(self) -> str:
        """Name of its kind, in the archive's paths and as the REST API's end point."""
        return _FOLDERS[self.key.kind]

    @property
    def has_daily_files(self) -> bool:
        """Whether the archive has a file for each day, not only for each month."""
        return self.key.kind != "funding" and self.key.size not in _MONTHLY_ONLY

    @property
    def time(self) -> str:
        """Column of its openings or events while rows are gathered."""
        return "ts" if self.key.bar is None else "ts_open"

    @property
    def unique(self) -> str:
        """Column that increases from row to row while rows are gathered."""
        return "id" if self.key.kind == "trades" else self.time

    @property
    def lag(self) -> timedelta:
        """From a row's opening or event to its moment."""
        bar = self.key.bar
        return timedelta(minutes=bar.minutes) if bar and bar.minutes else _NOTHING

    @property
    def length(self) -> timedelta:
        """About how long a bar lasts; nothing for events."""
        bar = self.key.bar
        return timedelta(microseconds=bar.microseconds) if bar else _NOTHING

    def closes(self, opens: pl.Expr) -> pl.Expr:
        """Return when bars end, given when they open."""
        return opens.dt.offset_by("1mo") if self.key.size == "1mo" else opens + self.length

    def events(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """Turn a span of moments into one of openings or events, half-open.

        It begins when a bar may open, so that no file is asked for of the bar before.
        """
        first = start - self.lag
        return first + (-(first - _EPOCH) % self.lag if self.lag else _NOTHING), end - self.lag

    def path(self, label: str) -> str:
        """Return where the archive keeps a month (``"2024-05"``) or a day (``"2024-05-17"``).

        Its last part is the name of the file. It is not encoded for an address.
        """
        often = "monthly" if len(label) == len("2024-05") else "daily"
        symbol, size = self.key.symbol, self.key.size
        folder = f"data/futures/um/{often}/{self.folder}/{symbol}"
        if self.key.bar is None:
            return f"{folder}/{symbol}-{self.folder}-{label}.zip"
        return f"{folder}/{size}/{symbol}-{size}-{label}.zip"


def series_of(key: SeriesKey) -> Series:
    """Check that Binance may have a series.

    Raises
    ------
    ArgumentError
        Its symbol is malformed, or its size, basis or session is not to be had.
    """
    if key.symbol != key.symbol.upper() or not key.symbol.replace("_", "").isalnum():
        raise ArgumentError(
            "`symbol` must be as Binance writes it, capital letters and digits such as 'BTCUSDT', "
            f"got {key.symbol!r}"
        )
    if key.bar is not None and key.size not in SIZES:
        raise ArgumentError(
            f"`interval` must be one of {', '.join(SIZES)} for Binance, got {key.size!r}"
        )
    if key.basis != "unadjusted":
        raise ArgumentError(f"`basis` must be 'unadjusted' for Binance, got {key.basis!r}")
    if key.session:
        raise ArgumentError(f"`session` must be empty for Binance, got {key.session!r}")
    return Series(key)
