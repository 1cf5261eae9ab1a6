"""The ATR-D strategies: a touch of a level above the close, a trailing stop that tightens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta.errors import ArgumentError
from meseta.strategies._atr_d_parameters import ATR_D_L
from meseta.strategies._indicators import (
    Tightenings,
    average_true_range,
    exponential_average,
    relative_width,
    tightening,
    tightening_ratio,
    true_range,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meseta._types import FloatArray, IntArray
    from meseta.bars import Bars
    from meseta.strategies._grids import Grid
    from meseta.strategies._parameters import Parameter

__all__ = ["AtrDLong", "EntrySets", "ExitFamily", "LongRules"]

# The entry bar's protection is never wider than this many of these average true ranges.
_CAP_PERIOD, _CAP_MULTIPLE = 70, 4.0


class LongRules(NamedTuple):
    """Everything a long-only touch strategy decides from closed bars; arrays of shape (N,).

    Parameters
    ----------
    level
        Price of the buy stop for the next bar.
    shield
        Trailing amount on the entry bar, decided with the entry order; none where not positive.
    stop
        Candidate for the final stop at each close; the highest since entry counts.
    tightening
        Factor on the distance from close to final stop, 0 < g <= 1.
    first
        First bar on which a signal may be given.
    """

    level: FloatArray
    shield: FloatArray
    stop: FloatArray
    tightening: FloatArray
    first: int


class EntrySets(NamedTuple):
    """All entry parameter sets of a grid.

    Parameters
    ----------
    level
        Price of the buy stop, shape (sets, N).
    first
        First bar that may signal, int64, shape (sets,).
    offset
        What each set adds to the flat index of a combination, int64, shape (sets,).
    """

    level: FloatArray
    first: IntArray
    offset: IntArray


class ExitFamily(NamedTuple):
    """The exit sets of a grid that share one stop distance and differ in the tightening.

    Parameters
    ----------
    stop, shield
        As in `LongRules`, shape (N,).
    series
        Distinct tightening series.
    first
        First bar that may signal with each series, int64, shape (series,).
    member
        Which series each exit set uses, int64, shape (sets,).
    offset
        What each exit set adds to the flat index, int64, shape (sets,).
    """

    stop: FloatArray
    shield: FloatArray
    series: Tightenings
    first: IntArray
    member: IntArray
    offset: IntArray


@dataclass(frozen=True, slots=True)
class AtrDLong:
    """ATR-D, long side (`spec/atr-d.md` section 3)."""

    name: str = "atr_d_l"
    tradestation_name: str = "ATR-D-v1.5-L"
    summary: str = "Buys a touch above the close; a stop on the ATR that tightens in quiet bands."
    entry_parameters: tuple[str, ...] = (
        "atr_buy_period",
        "atr_buy_multiplier",
        "atr_smooth_period",
    )
    exit_parameters: tuple[str, ...] = (
        "atr_period",
        "atr_multiplier",
        "bb_length",
        "bb_deviation",
        "vol_threshold",
        "min_tightening",
        "scaling_method",
    )
    inert_parameters: tuple[str, ...] = ("equity_price_method",)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The strategy's inputs, in TradeStation's order."""
        return ATR_D_L

    def check(self, bars: Bars, values: Mapping[str, float]) -> dict[str, float]:
        """Return complete, legal parameter values, or raise naming what is wrong."""
        require_positive(self.name, bars)
        known = {parameter.name: parameter for parameter in self.parameters}
        unknown = sorted(set(values) - set(known))
        missing = [name for name in known if name not in values]
        if unknown or missing:
            raise ArgumentError(
                f"`{self.name}` takes {', '.join(known)}; "
                f"unknown: {', '.join(unknown) or 'none'}, missing: {', '.join(missing) or 'none'}"
            )
        return {name: parameter.check(values[name]) for name, parameter in known.items()}

    def rules(self, bars: Bars, values: Mapping[str, float], warmup: int) -> LongRules:
        """Return levels and distances of one parameter set.

        Parameters
        ----------
        bars
            Whole series, positive prices.
        values
            A value for each of `parameters`.
        warmup
            Bars from the start of the data without a signal.
        """
        p = self.check(bars, values)
        market = _Market(bars)
        stop, shield = market.stop(int(p["atr_period"]), p["atr_multiplier"])
        width = relative_width(bars.close, int(p["bb_length"]))
        ratio = tightening_ratio(p["bb_deviation"], p["vol_threshold"])
        return LongRules(
            level=market.level(
                int(p["atr_buy_period"]), p["atr_buy_multiplier"], int(p["atr_smooth_period"])
            ),
            shield=shield,
            stop=stop,
            tightening=tightening(width, ratio, int(p["scaling_method"]), p["min_tightening"]),
            first=max(warmup, _entry_first(p), _exit_first(p)),
        )

    def entry_sets(self, bars: Bars, grid: Grid, warmup: int) -> EntrySets:
        """Return the buy-stop levels of every entry parameter set of a grid."""
        require_positive(self.name, bars)
        market, points, offsets = _Market(bars), *_points(grid, self.entry_parameters)
        level = np.empty((len(points), len(bars)))
        for row, p in enumerate(points):
            level[row] = market.level(
                int(p["atr_buy_period"]), p["atr_buy_multiplier"], int(p["atr_smooth_period"])
            )
        first = np.array([max(warmup, _entry_first(p)) for p in points], np.int64)
        return EntrySets(level, first, offsets)

    def exit_families(self, bars: Bars, grid: Grid) -> Iterator[ExitFamily]:
        """Yield the exit parameter sets of a grid, one family for each stop distance.

        Only `bb_deviation / vol_threshold` reaches the stop, and only where the band is narrow,
        so a family has far fewer distinct tightening series than exit sets.
        """
        require_positive(self.name, bars)
        market = _Market(bars)
        distances, bases = _points(grid, ("atr_period", "atr_multiplier"))
        points, offsets = _points(grid, self.exit_parameters[2:])
        series, member, lengths = _distinct_series(bars.close, points)
        for p, base in zip(distances, bases, strict=True):
            stop, shield = market.stop(int(p["atr_period"]), p["atr_multiplier"])
            first = np.maximum(lengths - 1, max(int(p["atr_period"]), _CAP_PERIOD) - 1)
            yield ExitFamily(stop, shield, series, first, member, offsets + base)

    def inert_offsets(self, grid: Grid) -> IntArray:
        """Return what the parameters that change nothing add to the flat index."""
        return _points(grid, self.inert_parameters)[1]


class _Market:
    """True ranges and their averages of one series, each computed once."""

    def __init__(self, bars: Bars) -> None:
        self.close = bars.close
        self.middle = (bars.high + bars.low) / 2
        self.ranges = true_range(bars.high, bars.low, bars.close)
        self.averages: dict[int, FloatArray] = {}

    def average(self, period: int) -> FloatArray:
        if period not in self.averages:
            self.averages[period] = average_true_range(self.ranges, period)
        return self.averages[period]

    def level(self, period: int, multiplier: float, smooth: int) -> FloatArray:
        return self.close + multiplier * exponential_average(self.average(period), smooth)

    def stop(self, period: int, multiplier: float) -> tuple[FloatArray, FloatArray]:
        distance = self.average(period) * multiplier
        capped = np.minimum(distance, _CAP_MULTIPLE * self.average(_CAP_PERIOD))
        return self.middle - distance, self.close - (self.middle - capped)


def require_positive(strategy: str, bars: Bars) -> None:
    """Raise when prices are not all positive: sizes and band widths divide by a price."""
    if min(bars.low.min(), bars.close.min()) <= 0:
        raise ArgumentError(
            f"`{strategy}` takes percentages of the price, and `{bars.name}` has prices of "
            "zero or less; use a series that is not back-adjusted below zero"
        )


def _entry_first(p: Mapping[str, float]) -> int:
    return int(p["atr_buy_period"]) - 1


def _exit_first(p: Mapping[str, float]) -> int:
    return int(max(p["atr_period"], _CAP_PERIOD, p["bb_length"])) - 1


def _points(grid: Grid, names: tuple[str, ...]) -> tuple[list[dict[str, float]], IntArray]:
    """Return all combinations of some of a grid's parameters and their share of the flat index."""
    stride, strides = 1, {}
    for name in reversed(grid.names):
        strides[name] = stride
        stride *= len(grid.values[name])
    shape = [len(grid.values[name]) for name in names]
    points, offsets = [], []
    for index in np.ndindex(*shape):
        points.append({n: grid.values[n][i] for n, i in zip(names, index, strict=True)})
        offsets.append(sum(strides[n] * i for n, i in zip(names, index, strict=True)))
    return points, np.array(offsets, np.int64)


def _distinct_series(
    price: FloatArray, points: list[dict[str, float]]
) -> tuple[Tightenings, IntArray, IntArray]:
    """Return distinct tightening series, which one each point uses, and their band lengths.

    Series are compared by a 128-bit digest and not kept: on intraday bars thousands of them
    would fill the memory.
    """
    lengths = sorted({int(p["bb_length"]) for p in points})
    widths = {length: relative_width(price, length) for length in lengths}
    found: dict[tuple[int, float, int, float], int] = {}
    contents: dict[tuple[int, bytes], int] = {}
    kept: list[tuple[int, float, int, float]] = []
    member = np.empty(len(points), np.int64)
    for row, p in enumerate(points):
        ratio = tightening_ratio(p["bb_deviation"], p["vol_threshold"])
        key = (int(p["bb_length"]), ratio, int(p["scaling_method"]), float(p["min_tightening"]))
        if key not in found:
            factor = tightening(widths[key[0]], *key[1:])
            digest = hashlib.blake2b(factor.data, digest_size=16).digest()
            found[key] = contents.setdefault((key[0], digest), len(kept))
            if found[key] == len(kept):
                kept.append(key)
        member[row] = found[key]
    length, ratios, scaling, floor = (np.array(column) for column in zip(*kept, strict=True))
    width = np.array([widths[each] for each in lengths])
    place = np.searchsorted(lengths, length).astype(np.int64)
    series = Tightenings(width, place, ratios, scaling.astype(np.int64), floor)
    return series, member, length.astype(np.int64)
