"""Fewer points for a chart, chosen so that the extremes stay."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray, TimeArray

__all__ = ["drawdown", "thinned", "time_labels"]


def thinned(values: FloatArray, limit: int) -> IntArray:
    """Choose the positions of at most about `limit` points that keep every bucket's low and high.

    Parameters
    ----------
    values
        (N,); NaN is passed over unless a bucket holds nothing else.
    limit
        Largest number of points; N or more keeps all.

    Returns
    -------
    (M,) int64, ascending, first and last included.
    """
    n = len(values)
    if n <= limit:
        return np.arange(n)
    edges = np.linspace(0, n, max(limit // 2, 1) + 1).astype(np.int64)
    low = np.where(np.isnan(values), np.inf, values)
    high = np.where(np.isnan(values), -np.inf, values)
    spans = [(a, z) for a, z in pairwise(edges) if z > a]
    keep = [a + np.argmin(low[a:z]) for a, z in spans] + [
        a + np.argmax(high[a:z]) for a, z in spans
    ]
    return np.unique(np.array([0, n - 1, *keep], dtype=np.int64))


def drawdown(equity: FloatArray) -> FloatArray:
    """Measure the fall from the running peak in money, (N,); NaN where `equity` is NaN."""
    peak = np.fmax.accumulate(equity)
    return np.asarray(peak - equity, dtype=np.float64)


def time_labels(times: TimeArray) -> list[str]:
    """Write times for a chart's axis: days when every time is midnight, else minutes."""
    days = times.astype("datetime64[D]")
    unit = "D" if bool(np.all(days == times)) else "m"
    labels: list[str] = np.datetime_as_string(times.astype(f"datetime64[{unit}]")).tolist()
    return [label.replace("T", " ") for label in labels]
