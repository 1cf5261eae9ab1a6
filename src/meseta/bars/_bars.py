"""The price series that every strategy trades."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from meseta.bars._finding import clock
from meseta.bars._sessions import session_days
from meseta.bars._size import DAY
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt
    import pandas as pd
    import polars as pl

    from meseta._types import BoolArray
    from meseta.bars._faults import Columns
    from meseta.bars._finding import Finding
    from meseta.bars._pair import Alignment
    from meseta.bars._size import BarSize

__all__ = ["Bars", "Calendar", "Stamp", "annual_rate"]

Stamp = Literal["open", "close"]
YEAR = 365.25 * DAY
PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Calendar:
    """When the bars happened.

    Parameters
    ----------
    first, last
        Time of the first and of the last bar, naive wall time.
    years
        From the first bar to the last in years of 365.25 days; 0 for a single bar.
    bars_per_year
        Bars after the first, divided by `years`. A slice keeps the figure of the whole
        series, so that a short window annualises like the history it was cut from.
    sessions
        Trading days with at least one bar, see `meseta.bars.session_days`.
    """

    first: datetime
    last: datetime
    years: float
    bars_per_year: float
    sessions: int


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Bars:
    """Validated bars of one market, immutable.

    Make them with `meseta.bars.load` or `Bars.from_arrays`, which validate; the plain
    constructor trusts its arguments, but for the times of `second`. Two `Bars` hold the same
    market data when their `fingerprint` is the same.

    Parameters
    ----------
    name
        What reports call the market.
    time
        datetime64[us], shape (N,), strictly increasing, wall time in `timezone`.
    open, high, low, close
        float64, shape (N,), finite, in price units. Positive unless `allow_nonpositive`.
    volume
        float64, shape (N,), zero or more; None where the source has none.
    bar_size, bar_minutes
        Length of a bar, such as ``"15m"`` and 15, or ``"1d"`` and None for a day or longer.
    timezone
        IANA name of the zone in which `time` is meant.
    stamp
        Whether `time` marks the start or the end of a bar. Daily bars that carry a date
        alone are "open".
    allow_nonpositive
        Whether prices of zero and less were let in, as additively back-adjusted futures have.
    source
        Path, ``"sample:nasdaq"`` or the like; None for arrays.
    warnings
        What looks wrong without being impossible. A slice keeps those of the whole series.
    bars_per_year
        See `Calendar`.
    second
        A companion that a strategy reads and never trades, with the same times and no second
        of its own; None where there is none. `meseta.bars.pair` makes it.
    alignment
        What joining with `second` left out; None where there is none. A slice keeps that of
        the whole series.
    session_open
        When a trading day begins, see `meseta.bars.session_open`; None leaves it to be found.
        A slice keeps that of the whole series.
    stubs
        Bars that cover less than their length because their session ends, bool, shape (N,);
        None where nobody looked. `meseta.bars.resample` marks them. No part of the fingerprint.

    Raises
    ------
    ArgumentError
        `second` has other times, or a second of its own.
    """

    name: str
    time: npt.NDArray[np.datetime64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64] | None
    bar_size: str
    bar_minutes: int | None
    timezone: str
    stamp: Stamp
    allow_nonpositive: bool
    source: str | None
    warnings: tuple[Finding, ...]
    bars_per_year: float
    second: Bars | None = None
    alignment: Alignment | None = None
    session_open: int | None = None
    stubs: BoolArray | None = None

    def __post_init__(self) -> None:
        if self.second is None:
            return
        if self.second.second is not None:
            raise ArgumentError("`second` must have no second series of its own")
        if not np.array_equal(self.time, self.second.time):
            raise ArgumentError(
                "`second` must have the times of the bars that it goes with; "
                "join the two with meseta.bars.pair"
            )

    @classmethod
    def from_arrays(
        cls,
        time: npt.ArrayLike,
        open: npt.ArrayLike,  # noqa: A002 - the field's own term
        high: npt.ArrayLike,
        low: npt.ArrayLike,
        close: npt.ArrayLike,
        volume: npt.ArrayLike | None = None,
        *,
        name: str = "bars",
        timezone: str = "UTC",
        stamp: Stamp = "open",
        allow_nonpositive: bool = False,
    ) -> Bars:
        """Copy and validate arrays.

        Parameters
        ----------
        time
            datetime64 of any unit, shape (N,), naive wall time in `timezone`.
        open, high, low, close, volume
            Numbers, shape (N,); NaN is refused.
        name, timezone, stamp, allow_nonpositive
            As in `Bars`.

        Raises
        ------
        ArgumentError
            The arrays differ in length or have more than one dimension, or an option is
            unknown.
        DataError
            A price, volume or time is impossible; the message names the first of each kind.
        """
        from meseta.bars._build import Label, build
        from meseta.bars._faults import Columns

        columns = Columns(
            np.asarray(time, dtype="datetime64[us]"),
            np.asarray(open, dtype=np.float64),
            np.asarray(high, dtype=np.float64),
            np.asarray(low, dtype=np.float64),
            np.asarray(close, dtype=np.float64),
            volume=None if volume is None else np.asarray(volume, dtype=np.float64),
        )
        _check_shapes(columns)
        label = Label(
            name=name,
            timezone=timezone,
            stamp=stamp,
            allow_nonpositive=allow_nonpositive,
            source=None,
        )
        return build(columns, label)

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        first, last = clock(self.time[0]), clock(self.time[-1])
        names = repr(self.name) + (f" with {self.second.name!r}" if self.second else "")
        return f"Bars({names}, {len(self)} x {self.bar_size}, {first} to {last})"

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Unpickled arrays come back writeable.
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        self.__dict__.update(state)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over times, prices and volume, hexadecimal; the name plays no part.

        Where there is a second series, its own fingerprint (32 bytes) is hashed at the end.
        """
        digest = hashlib.sha256(b"bars" if self.volume is None else b"bars with volume")
        digest.update(self.time.astype("<i8").tobytes())
        columns = [getattr(self, price) for price in PRICES]
        for column in columns if self.volume is None else [*columns, self.volume]:
            digest.update(column.astype("<f8").tobytes())
        if self.second is not None:
            digest.update(bytes.fromhex(self.second.fingerprint))
        return digest.hexdigest()

    @cached_property
    def calendar(self) -> Calendar:
        """First and last time, years, bars per year and sessions."""
        return Calendar(
            first=self.time[0].item(),
            last=self.time[-1].item(),
            years=self.years,
            bars_per_year=self.bars_per_year,
            sessions=len(np.unique(session_days(self))),
        )

    @property
    def years(self) -> float:
        """From the first bar to the last in years of 365.25 days."""
        return _years(self.time)

    def slice(self, a: int, z: int) -> Bars:
        """Rows `a` to `z - 1` as views, those of `second` with them.

        Bar size, zone, warnings, alignment, bars per year and session open are kept.

        Raises
        ------
        ArgumentError
            The range is empty or outside the series.
        """
        if not 0 <= a < z <= len(self):
            raise ArgumentError(
                f"`a`, `z` must satisfy 0 <= a < z <= {len(self)}, the number of bars; "
                f"got {a!r}, {z!r}"
            )
        cut = {field: getattr(self, field)[a:z] for field in ("time", *PRICES)}
        volume = None if self.volume is None else self.volume[a:z]
        stubs = None if self.stubs is None else self.stubs[a:z]
        second = None if self.second is None else self.second.slice(a, z)
        return replace(self, **cut, volume=volume, stubs=stubs, second=second)

    def to_polars(self) -> pl.DataFrame:
        """Columns time (naive), open, high, low, close, volume; volume null where unknown.

        The second series is left out; it has a `to_polars` of its own.
        """
        import polars as pl

        columns = {field: pl.Series(getattr(self, field)) for field in ("time", *PRICES)}
        volume = pl.lit(None, pl.Float64) if self.volume is None else pl.Series(self.volume)
        return pl.DataFrame(columns).with_columns(volume=volume)

    def to_pandas(self) -> pd.DataFrame:
        """Columns open, high, low, close, volume over a naive DatetimeIndex called time.

        Volume is NaN where unknown. The second series is left out.
        """
        import pandas as pd

        volume = np.full(len(self), np.nan) if self.volume is None else self.volume
        columns = {price: getattr(self, price) for price in PRICES} | {"volume": volume}
        return pd.DataFrame(columns, index=pd.DatetimeIndex(self.time, name="time"), copy=True)


def annual_rate(time: npt.NDArray[np.datetime64], size: BarSize) -> float:
    """Bars per year; a single bar is taken to repeat without a pause."""
    years = _years(time)
    return (len(time) - 1) / years if years else YEAR / size.microseconds


def _check_shapes(columns: Columns) -> None:
    shape = (len(columns.time),)
    for field in ("time", *PRICES, "volume"):
        array = getattr(columns, field)
        if array is not None and array.shape != shape:
            raise ArgumentError(
                f"`{field}` must have one value per time, shape {shape}; got {array.shape}"
            )


def _years(time: npt.NDArray[np.datetime64]) -> float:
    return float((time[-1] - time[0]).astype(np.int64)) / YEAR
