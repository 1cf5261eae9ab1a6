"""Funding rates as they were settled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from meseta.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from meseta._types import FloatArray, TimeArray

__all__ = ["Funding"]

# No venue settles less often; a longer step is a settlement that is missing.
LONGEST_HOURS = 8.0
_HEADLESS = ["calc_time", "funding_interval_hours", "last_funding_rate"]
_NAMES = {
    "time": ("ts", "time", "calc_time", "funding_time", "fundingTime"),
    "rate": ("rate", "last_funding_rate", "funding_rate", "fundingRate"),
    "interval_hours": ("interval_hours", "funding_interval_hours"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Funding:
    """Rates that were paid; a rate is known from its own time on and not before.

    Make it with `Funding.make` or `Funding.load`, which validate.

    Parameters
    ----------
    time
        datetime64[us] UTC, shape (S,), strictly increasing, rounded to the nearest minute:
        stamps lie some milliseconds off the minute that they mean.
    rate
        float64, shape (S,), fractions of the position's value; longs pay where it is positive.
    interval_hours
        float64, shape (S,), hours from the settlement before; the next one is taken to come
        after as many. Where the source does not say, the difference of the times.
    """

    time: TimeArray
    rate: FloatArray
    interval_hours: FloatArray

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def make(
        cls,
        time: npt.ArrayLike,
        rate: npt.ArrayLike,
        interval_hours: npt.ArrayLike | None = None,
    ) -> Self:
        """Copy and validate arrays; `interval_hours` may be None or hold NaN.

        Raises
        ------
        DataError
            There are fewer than two settlements, times do not increase, or a rate is NaN or
            larger than 1.
        """
        stamps = np.array(time, dtype="datetime64[us]")
        times = (stamps + np.timedelta64(30, "s")).astype("datetime64[m]")
        rates = np.array(rate, dtype=np.float64)
        _check(times, rates)
        hours = np.diff(times) / np.timedelta64(60, "m")
        hours = np.concatenate([hours[:1], hours])
        if interval_hours is not None:
            given = np.array(interval_hours, dtype=np.float64)
            hours = np.where(given > 0, given, hours)
        return cls(time=times.astype("datetime64[us]"), rate=rates, interval_hours=hours)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a CSV or Parquet file of settlements.

        Binance's archive and REST layouts are known (with a header or none), and files with
        columns ``time`` or ``ts``, ``rate`` and ``interval_hours``, as the data store's.

        Raises
        ------
        DataError
            The file is missing or unreadable, lacks a column, or holds impossible values.
        """
        file = Path(path)
        frame = _with_names(_read(file), file)
        from meseta.bars._times import read_times

        hours = frame["interval_hours"] if "interval_hours" in frame.columns else None
        try:
            return cls.make(
                read_times(frame["time"], None, None).values,
                frame["rate"].cast(float, strict=False).to_numpy(),
                None if hours is None else hours.cast(float, strict=False).to_numpy(),
            )
        except DataError as error:
            raise DataError(f"{file.name}: {error}") from error

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over times, rates and hours, hexadecimal."""
        digest = hashlib.sha256(b"funding" + self.time.astype("<i8").tobytes())
        for column in (self.rate, self.interval_hours):
            digest.update(column.astype("<f8").tobytes())
        return digest.hexdigest()


def _check(times: TimeArray, rates: FloatArray) -> None:
    if times.ndim != 1 or times.shape != rates.shape or len(times) < 2:
        raise DataError(
            f"funding needs two settlements or more, each with a time and a rate; got {len(times)}"
        )
    late = np.flatnonzero(~(np.diff(times) > np.timedelta64(0, "m")))
    if len(late) or np.isnat(times).any():
        at = int(late[0]) + 1 if len(late) else int(np.flatnonzero(np.isnat(times))[0])
        raise DataError(
            f"funding times must increase by a minute or more; settlement {at + 1} is at "
            f"{times[at]}; sort the file and drop what comes twice"
        )
    wrong = np.flatnonzero(~(np.abs(rates) < 1.0))
    if len(wrong):
        raise DataError(
            "a funding rate is a fraction of the position (0.0001 is 0.01 %) and must lie "
            f"between -1 and 1, got {rates[wrong[0]]:g} at {times[wrong[0]]}"
        )


def _read(file: Path) -> pl.DataFrame:
    import polars as pl

    if not file.is_file():
        raise DataError(f"the funding file {file} does not exist")
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file)
        frame = pl.read_csv(file, infer_schema_length=None)
        if _numeric(frame.columns[0]):
            frame = pl.read_csv(file, has_header=False, new_columns=_HEADLESS)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"the funding file {file.name} cannot be read: {error}") from error
    return frame


def _numeric(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _with_names(frame: pl.DataFrame, file: Path) -> pl.DataFrame:
    found = {
        wanted: next((name for name in names if name in frame.columns), None)
        for wanted, names in _NAMES.items()
    }
    for wanted in ("time", "rate"):
        if found[wanted] is None:
            raise DataError(
                f"the funding file {file.name} needs a column {' or '.join(_NAMES[wanted])}; "
                f"it has {', '.join(frame.columns)}"
            )
    return frame.select(frame[name].alias(wanted) for wanted, name in found.items() if name)
