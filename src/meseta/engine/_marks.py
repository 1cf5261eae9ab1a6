"""Windows prepared for the chains: what closes do between a trade's bars and a boundary.

A trade that is open across a split or at a window's end has its drawdown cut in two. Lowest
close, highest close and largest fall from every bar to the boundary, and from the boundary to
every bar, are computed once for a window, so that a cut trade costs no more than a whole one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta._numba import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray, IntArray
    from meseta.engine._path import Prices
    from meseta.engine._trades import Window

__all__ = ["Cuts", "prepare_windows"]

# Where no close lies between two bars: the lowest is above and the highest below every price.
_ABOVE, _BELOW = 1e300, -1e300


class Cuts(NamedTuple):
    """Windows and the closes around their boundaries.

    Rows of four words: lowest close, highest close, largest fall, unused. The rows of longs come
    first, those of shorts (on their own prices) after them, `N + 1` each.

    Parameters
    ----------
    windows
        Start, split and stop of each window, int64, shape (W, 3).
    boundary
        Close before the split and last close of each window, shape (W, 2).
    to_split
        From bar e to the last in-sample bar; rows by e, shape (W, 4 * sides * (N + 1)).
    from_split
        From the first out-of-sample bar to the bar before x, rows by x.
    to_stop
        From bar e to the bar before the window's last, rows by e.
    """

    windows: IntArray
    boundary: FloatArray
    to_split: FloatArray
    from_split: FloatArray
    to_stop: FloatArray


@kernel
def _backwards(close: FloatArray, last: int, out: FloatArray) -> None:
    low, high, fall = _ABOVE, _BELOW, 0.0
    for e in range(last, -1, -1):
        if low < _ABOVE:
            fall = max(fall, close[e] - low)
        low, high = min(low, close[e]), max(high, close[e])
        out[4 * e], out[4 * e + 1], out[4 * e + 2] = low, high, fall


@kernel
def _forwards(close: FloatArray, first: int, stop: int, out: FloatArray) -> None:
    low, high, fall = _ABOVE, _BELOW, 0.0
    for x in range(first + 1, stop):
        if high > _BELOW:
            fall = max(fall, high - close[x - 1])
        low, high = min(low, close[x - 1]), max(high, close[x - 1])
        out[4 * x], out[4 * x + 1], out[4 * x + 2] = low, high, fall


def prepare_windows(sides: tuple[Prices, ...], windows: Sequence[Window]) -> Cuts:
    """Prepare windows of one series."""
    close = sides[0].close
    many, words = len(windows), 4 * (close.size + 1)
    blank = np.tile(np.array([_ABOVE, _BELOW, 0.0, 0.0]), (many, len(sides) * (close.size + 1)))
    to_split, from_split, to_stop = blank, blank.copy(), blank.copy()
    for k, window in enumerate(windows):
        for side, own in enumerate(sides):
            rows = slice(side * words, (side + 1) * words)
            _backwards(own.close, window.split - 1, to_split[k, rows])
            _forwards(own.close, window.split, window.stop, from_split[k, rows])
            _backwards(own.close, window.stop - 2, to_stop[k, rows])
    boundary = np.array([(close[w.split - 1], close[w.stop - 1]) for w in windows])
    return Cuts(np.array(windows, np.int64), boundary, to_split, from_split, to_stop)
