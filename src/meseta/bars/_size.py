"""How long a bar lasts, read from the times alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meseta.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["DAY", "MINUTE", "BarSize", "infer_size", "size_name", "steps_of"]

MINUTE = 60_000_000
DAY = 1440 * MINUTE


@dataclass(frozen=True, slots=True)
class BarSize:
    """Length of a bar.

    Parameters
    ----------
    name
        Such as ``"15m"``, ``"4h"``, ``"1d"``, ``"1w"`` or ``"1mo"``.
    minutes
        Length in minutes, or None for bars of a day or longer.
    days
        Length in days, 0 for bars shorter than a day.
    """

    name: str
    minutes: int | None
    days: int

    @property
    def microseconds(self) -> int:
        """Length in microseconds."""
        return self.days * DAY if self.minutes is None else self.minutes * MINUTE


def infer_size(time: npt.NDArray[np.datetime64]) -> BarSize:
    """Take the most frequent step as the bar size; the shorter one where two tie.

    Parameters
    ----------
    time
        Strictly increasing datetime64[us], shape (N,). Where no date occurs twice the bars
        last a day or longer and whole dates are compared, since the hour at which a daily bar
        is stamped moves with early closes. A single bar counts as a daily one.

    Raises
    ------
    DataError
        The most frequent step is not a whole number of minutes.
    """
    if len(time) < 2:
        return BarSize("1d", None, 1)
    dates = steps_of(time.astype("datetime64[D]"))
    if dates.min() > 0:
        days = _most_frequent(dates)
        return BarSize(size_name(days * 1440), None, days)
    step = _most_frequent(steps_of(time))
    if step % MINUTE:
        raise DataError(
            f"bars must last whole minutes, but the most frequent step is {step / 1e6:g} s; "
            "aggregate the data to one minute or longer first"
        )
    return BarSize(size_name(step // MINUTE), step // MINUTE, 0)


def size_name(minutes: int) -> str:
    """Name a bar length given in minutes, in the largest unit that divides it."""
    if 28 * 1440 <= minutes <= 31 * 1440:
        return "1mo"
    for unit, length in (("w", 7 * 1440), ("d", 1440), ("h", 60)):
        if minutes % length == 0:
            return f"{minutes // length}{unit}"
    return f"{minutes}m"


def steps_of(time: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """From each time to the next, in the unit of the array, shape (N - 1,)."""
    moments: npt.NDArray[np.int64] = time.astype(np.int64)
    return moments[1:] - moments[:-1]


def _most_frequent(steps: npt.NDArray[np.int64]) -> int:
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])
