"""A market in which nothing can be found: every move with its size, and up or down by a coin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from meseta._types import BoolArray, FloatArray, TimeArray
    from meseta.bars import Bars

__all__ = ["mirrored"]

# Above this ratio of prices a mirrored move takes ever smaller parts of what is left.
_LARGEST = 1.5
_GOLDEN = 0x9E3779B97F4A7C15


def mirrored(bars: Bars, seed: int) -> Bars:
    """Return bars whose moves go up or down by fair coins, of the same sizes.

    A coin decides whether a bar's prices are mirrored at its open, and another whether the gap
    from the last close to the open is. A move of 2 % up becomes one of 2 % down, so that the
    close is a fair game: what is bought at an open or a close has no expected profit before costs,
    however long it is held. Times, sizes, the calm and the wild times, and volumes stay; trends,
    reversals and drift go. The shapes of single bars stay too, so orders that are filled inside
    bars meet what such bars do.

    Coins depend on seed and time alone: the companion series of a pair, and other series of the
    same times, are mirrored with them, so that they move together as before.

    Parameters
    ----------
    bars
        Any series. Where a price is not positive, differences are mirrored instead of ratios.
    seed
        0 or more.
    """
    coins = _coins(bars.time, 2 * seed), _coins(bars.time, 2 * seed + 1)
    second = None if bars.second is None else mirrored(bars.second, seed)
    positive = float(bars.low.min()) > 0
    open_, high, low, close = (_ratios if positive else _differences)(bars, *coins)
    for column in (open_, high, low, close):
        column.setflags(write=False)
    return replace(
        bars, name=f"{bars.name} (mirrored, seed {seed})", open=open_, high=high, low=low,
        close=close, second=second,
    )  # fmt: skip


def _ratios(
    bars: Bars, turned: BoolArray, gap_turned: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    gaps = bars.open[1:] / bars.close[:-1]
    parts = [column / bars.open for column in (bars.high, bars.low, bars.close)]
    gaps, (high, low, close) = _turned(gaps, parts, turned, gap_turned, _mirrored_ratio)
    steps = np.concatenate(([bars.open[0]], gaps)) * np.concatenate(([1.0], close[:-1]))
    open_ = np.cumprod(steps)
    return open_, open_ * high, open_ * low, open_ * close


def _differences(
    bars: Bars, turned: BoolArray, gap_turned: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    gaps = bars.open[1:] - bars.close[:-1]
    parts = [column - bars.open for column in (bars.high, bars.low, bars.close)]
    gaps, (high, low, close) = _turned(gaps, parts, turned, gap_turned, np.negative)
    steps = np.concatenate(([bars.open[0]], gaps)) + np.concatenate(([0.0], close[:-1]))
    open_ = np.cumsum(steps)
    return open_, open_ + high, open_ + low, open_ + close


def _turned(
    gaps: FloatArray,
    parts: list[FloatArray],
    turned: BoolArray,
    gap_turned: BoolArray,
    mirror: Callable[[FloatArray], FloatArray],
) -> tuple[FloatArray, list[FloatArray]]:
    """Return gaps, and highs, lows and closes from the open, some of each mirrored."""
    high, low, close = parts
    return np.where(gap_turned[1:], mirror(gaps), gaps), [
        np.where(turned, mirror(low), high),
        np.where(turned, mirror(high), low),
        np.where(turned, mirror(close), close),
    ]


def _mirrored_ratio(ratio: FloatArray) -> FloatArray:
    """Return 2 - ratio, which has the opposite return; positive and falling for all ratios."""
    return np.where(ratio <= _LARGEST, 2 - ratio, (2 - _LARGEST) * _LARGEST / ratio)


def _coins(time: TimeArray, stream: int) -> BoolArray:
    """Return a fair coin for each time; the same for the same time and stream (splitmix64)."""
    start = np.uint64((stream * _GOLDEN + _GOLDEN) % 2**64)
    z: NDArray[np.uint64] = time.astype(np.int64).astype(np.uint64) * np.uint64(_GOLDEN) ^ start
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, _GOLDEN)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    coins: BoolArray = (z >> np.uint64(63)).astype(np.bool_)
    return coins
