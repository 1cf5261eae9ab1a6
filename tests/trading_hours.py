"""Markets that open and close: times of bars in given hours, and prices for them."""

from __future__ import annotations

import numpy as np

from meseta.bars import Bars

MINUTE = np.timedelta64(1, "m")


def spans(
    *hours: tuple[int, int], size: int = 15, days: int = 40, stamp: str = "open"
) -> np.ndarray:
    """Times of bars on weekdays, shape (days, bars); hours in minutes, below 0 the day before."""
    dates = np.busday_offset("2024-01-01", np.arange(days)).astype("datetime64[us]")
    begins = np.concatenate([np.arange(*span, size) for span in hours])
    ends = np.concatenate([np.minimum(np.arange(a, z, size) + size, z) for a, z in hours])
    return dates[:, np.newaxis] + (begins if stamp == "open" else ends) * MINUTE


def series(time: np.ndarray, stamp: str = "open", **options: object) -> Bars:
    """Bars at the given times, a small random walk with whole volumes."""
    rng = np.random.default_rng(len(time))
    close = 100 + np.cumsum(rng.integers(-2, 3, len(time))) / 8
    opened = close + rng.integers(-2, 3, len(time)) / 8
    high, low = np.maximum(opened, close) + 0.25, np.minimum(opened, close) - 0.25
    volume = rng.integers(1, 100, len(time))
    options = {"allow_nonpositive": True} | options
    return Bars.from_arrays(time, opened, high, low, close, volume, stamp=stamp, **options)
