"""The ATR-D family: six strategies composed from shared entry and exit rules.

Entry rules are `Touch` (a stop order above the close), `SlopedTouch` (either side, chosen by a
slope, with reversals) and `HullTouch` (market orders at crosses of two Hull averages, stop orders
after a stop-out). The exit rule is one: a trailing stop on the average true range that tightens
in quiet bands. The definitions are those of `spec/atr-d.md`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import floor as round_down
from typing import TYPE_CHECKING

import numpy as np

from meseta.errors import ArgumentError
from meseta.strategies import _atr_d_parameters as inputs
from meseta.strategies._indicators import (
    average_true_range,
    exponential_average,
    hull_average,
    hull_first,
    relative_width,
    tightening_ratio,
    true_range,
)
from meseta.strategies._rules import FLAT, LONG, SHORT, Orders, Protection
from meseta.strategies._separable import Factor, SeparableStrategy, Study

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from meseta._types import BoolArray, FloatArray
    from meseta.bars import Bars
    from meseta.strategies._parameters import Parameter

__all__ = ["ATR_D", "AtrD", "EntryRule", "HullTouch", "SlopedTouch", "Touch"]

# The entry bar's protection is never wider than this many of these average true ranges.
_CAP_PERIOD, _CAP_MULTIPLE = 70, 4.0
_TOUCH = ("atr_buy_period", "atr_buy_multiplier", "atr_smooth_period")
_BAND = ("bb_length", "bb_deviation", "vol_threshold", "min_tightening", "scaling_method")


class _Market:
    """Indicators of one series, each computed once."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.close = bars.close
        self.middle = (bars.high + bars.low) / 2
        self.ranges = true_range(bars.high, bars.low, bars.close)
        self._known: dict[tuple[object, ...], FloatArray] = {}

    def average(self, period: int) -> FloatArray:
        key = ("range", period)
        if key not in self._known:
            self._known[key] = average_true_range(self.ranges, period)
        return self._known[key]

    def smoothed(self, period: int, smooth: int) -> FloatArray:
        key = ("smoothed", period, smooth)
        if key not in self._known:
            self._known[key] = exponential_average(self.average(period), smooth)
        return self._known[key]

    def trend(self, period: int) -> FloatArray:
        key = ("trend", period)
        if key not in self._known:
            average = exponential_average(self.close, period)
            self._known[key] = np.diff(average, prepend=np.nan)
        return self._known[key]

    def hull(self, method: int, length: int) -> FloatArray:
        key = ("hull", method, length)
        if key not in self._known:
            self._known[key] = hull_average(_price(self.bars, method), length)
        return self._known[key]


def _price(bars: Bars, method: int) -> FloatArray:
    """Return the typical price (0) or the close (1)."""
    return (bars.high + bars.low + bars.close) / 3 if method == 0 else bars.close


class EntryRule(ABC):
    """Which orders open a position; knows which parameters it reads."""

    shared: tuple[str, ...] = ()
    entry: tuple[str, ...] = _TOUCH
    turns = False

    @abstractmethod
    def orders(self, m: _Market, p: Mapping[str, float], shorts: bool) -> tuple[Orders, ...]: ...  # noqa: FBT001

    def reverses(self, p: Mapping[str, float]) -> tuple[bool, bool]:
        _ = p
        return False, False

    def crosses(self, m: _Market, p: Mapping[str, float]) -> tuple[BoolArray, BoolArray] | None:
        """Return the closes at which shorts and longs are left, or None."""
        _ = m, p
        return None

    def first(self, p: Mapping[str, float]) -> int:
        return int(p["atr_buy_period"]) - 1

    def look_back(self, p: Mapping[str, float]) -> int:
        """Return how many bars the orders depend on."""
        return _range_bars(int(p["atr_buy_period"])) + _fading(int(p["atr_smooth_period"]))


class Touch(EntryRule):
    """A buy stop a smoothed average true range above the close (section 3)."""

    def orders(self, m: _Market, p: Mapping[str, float], shorts: bool) -> tuple[Orders, ...]:  # noqa: FBT001
        _ = shorts
        level = m.close + _distance(m, p)
        return (Orders(np.full(level.size, LONG, np.int8), level, level),)


class SlopedTouch(EntryRule):
    """The buy stop or its mirror image, chosen by the slope of an average (section 4)."""

    entry = (
        *_TOUCH,
        "entry_mode",
        "trend_filter_period",
        "trend_veto_threshold",
        "both_triggered_mode",
    )

    def orders(self, m: _Market, p: Mapping[str, float], shorts: bool) -> tuple[Orders, ...]:  # noqa: FBT001
        _ = shorts
        distance = _distance(m, p)
        slope, veto = m.trend(int(p["trend_filter_period"])), -p["trend_veto_threshold"]
        side = (slope > veto).astype(np.int8) - (slope < veto).astype(np.int8)
        if p["both_triggered_mode"] == 0:
            side[slope == veto] = LONG
        level = m.close + side * distance
        return (Orders(side, level, level),)

    def reverses(self, p: Mapping[str, float]) -> tuple[bool, bool]:
        return p["entry_mode"] == 2, p["entry_mode"] >= 1

    def look_back(self, p: Mapping[str, float]) -> int:
        # The slope takes two values of the average.
        return max(super().look_back(p), _fading(int(p["trend_filter_period"])) + 2)


class HullTouch(EntryRule):
    """Market orders at crosses of two Hull averages; a touch after a stop-out (section 5)."""

    shared = ("hma_fast_length", "hma_slow_length", "equity_price_method")
    turns = True

    def orders(self, m: _Market, p: Mapping[str, float], shorts: bool) -> tuple[Orders, ...]:  # noqa: FBT001
        fast, slow = self.averages(m, p)
        up, down = _crosses(fast, slow), _crosses(slow, fast)
        calm = ~(up | down)
        distance = _distance(m, p)
        at_market = np.where(up, -np.inf, np.inf)
        side = np.select([up, down & shorts], [LONG, SHORT], FLAT).astype(np.int8)
        fresh = Orders(side, at_market, m.close)
        buy, sell = m.close + distance, m.close - distance
        after_long = Orders(_only(LONG, (fast > slow) & calm), buy, buy)
        after_short = Orders(_only(SHORT, (fast < slow) & calm), sell, sell)
        return (fresh, after_long, after_short) if shorts else (fresh, after_long)

    def crosses(self, m: _Market, p: Mapping[str, float]) -> tuple[BoolArray, BoolArray]:
        fast, slow = self.averages(m, p)
        return _crosses(fast, slow), _crosses(slow, fast)

    def first(self, p: Mapping[str, float]) -> int:
        lengths = (int(p["hma_fast_length"]), int(p["hma_slow_length"]))
        return max(super().first(p), *(hull_first(length) for length in lengths))

    def look_back(self, p: Mapping[str, float]) -> int:
        # The last bar's number is one less than the bars, and a cross takes two values.
        lengths = (int(p["hma_fast_length"]), int(p["hma_slow_length"]))
        return max(super().look_back(p), *(hull_first(length) + 2 for length in lengths))

    def averages(self, m: _Market, p: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
        """Return the fast and the slow average."""
        method = int(p["equity_price_method"])
        return m.hull(method, int(p["hma_fast_length"])), m.hull(method, int(p["hma_slow_length"]))


def _range_bars(period: int) -> int:
    """Return how many bars an average true range depends on: a range needs the close before."""
    return period + 1


def _fading(period: int) -> int:
    """Return the bars after which an exponential average has forgotten where it began.

    What is left of a value after n bars is less than exp(-2 n / (period + 1)), here exp(-30), so
    1e-13 of it.
    """
    return 15 * (period + 1)


def _crosses(fast: FloatArray, slow: FloatArray) -> BoolArray:
    """Return where `fast` lies above `slow` and did not at the bar before; false at NaN."""
    before = np.concatenate(([False], fast[:-1] <= slow[:-1]))
    return (fast > slow) & before


def _only(direction: int, where: BoolArray) -> NDArray[np.int8]:
    return np.where(where, direction, FLAT).astype(np.int8)


def _distance(m: _Market, p: Mapping[str, float]) -> FloatArray:
    smoothed = m.smoothed(int(p["atr_buy_period"]), int(p["atr_smooth_period"]))
    return p["atr_buy_multiplier"] * smoothed


class _AtrDStudy(Study):
    def __init__(self, bars: Bars, strategy: AtrD) -> None:
        super().__init__(bars)
        self.strategy, self.market = strategy, _Market(bars)

    def orders(self, p: Mapping[str, float]) -> tuple[Orders, ...]:
        return self.strategy.opens.orders(self.market, p, self.strategy.shorts)

    def reverses(self, p: Mapping[str, float]) -> tuple[bool, bool]:
        return self.strategy.opens.reverses(p)

    def leaves(self, p: Mapping[str, float]) -> tuple[BoolArray, ...]:
        crosses = self.strategy.opens.crosses(self.market, p)
        if crosses is None:
            return ()
        up, down = crosses
        return (down, up) if self.strategy.shorts else (down,)

    def clears(self, p: Mapping[str, float]) -> BoolArray:
        crosses = self.strategy.opens.crosses(self.market, p)
        return super().clears(p) if crosses is None else crosses[0] | crosses[1]

    def protections(self, p: Mapping[str, float]) -> tuple[Protection, ...]:
        long = self._long(int(p["atr_period"]), p["atr_multiplier"])
        if not self.strategy.shorts:
            return (long,)
        return long, self._short(_short_period(p), p["atr_multiplier"] * p["short_multiplier"])

    def _long(self, period: int, multiplier: float) -> Protection:
        m, (distance, capped) = self.market, self._distances(period, multiplier)
        return Protection(m.middle - distance, m.close - (m.middle - capped))

    def _short(self, period: int, multiplier: float) -> Protection:
        m, (distance, capped) = self.market, self._distances(period, multiplier)
        return Protection(m.middle + distance, (m.middle + capped) - m.close)

    def _distances(self, period: int, multiplier: float) -> tuple[FloatArray, FloatArray]:
        distance = self.market.average(period) * multiplier
        return distance, np.minimum(distance, _CAP_MULTIPLE * self.market.average(_CAP_PERIOD))

    def factor(self, p: Mapping[str, float]) -> Factor:
        length, method = int(p["bb_length"]), 1
        if self.strategy.second:
            method = int(p["equity_price_method"])
        ratio = tightening_ratio(p["bb_deviation"], p["vol_threshold"])
        return Factor((length, method), ratio, int(p["scaling_method"]), p["min_tightening"])

    def width(self, which: tuple[int, ...]) -> FloatArray:
        length, method = which
        second = self.bars.second if self.strategy.second else None
        return relative_width(_price(second or self.bars, method), length)

    def entry_first(self, p: Mapping[str, float]) -> int:
        return self.strategy.opens.first(p)

    def exit_first(self, p: Mapping[str, float]) -> int:
        longest = max(int(p["atr_period"]), _CAP_PERIOD)
        return max(longest, _short_period(p) if self.strategy.shorts else 0) - 1

    def factor_first(self, p: Mapping[str, float]) -> int:
        return int(p["bb_length"]) - 1


def _short_period(p: Mapping[str, float]) -> int:
    return max(1, round_down(p["atr_period"] * p["short_multiplier"] + 0.5))


@dataclass(frozen=True, kw_only=True)
class AtrD(SeparableStrategy):
    """One member of the family.

    Parameters
    ----------
    name, tradestation_name, summary, parameters
        As everywhere.
    opens
        Entry rule.
    shorts
        Whether it trades both directions.
    second
        Whether the band's width is measured on a second symbol.
    expands
        Simpler variants that a search also runs, to show what this one adds.
    """

    name: str
    tradestation_name: str = ""
    summary: str
    parameters: tuple[Parameter, ...]
    opens: EntryRule
    shorts: bool = False
    second: bool = False
    expands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        distance = ("atr_period", "atr_multiplier")
        parts = {
            "shared": self.opens.shared,
            "entry": self.opens.entry,
            "stop": (*distance, "short_multiplier") if self.shorts else distance,
            "factor": (*_BAND, "equity_price_method") if self.second else _BAND,
            "turns": self.opens.turns and self.shorts,
        }
        for name, value in parts.items():
            object.__setattr__(self, name, value)
        twice = {*self.shared, *self.entry} & {*self.stop, *self.factor}
        if twice:
            raise ArgumentError(
                f"strategy `{self.name}`: entries and exits both read {', '.join(sorted(twice))}; "
                "let the entry rule read another parameter, or a fixed value"
            )

    def look_back(self, p: Mapping[str, float]) -> int:
        periods = [int(p["atr_period"]), _CAP_PERIOD]
        if self.shorts:
            periods.append(_short_period(p))
        return max(self.opens.look_back(p), _range_bars(max(periods)), int(p["bb_length"]))

    def require(self, bars: Bars) -> None:
        super().require(bars)
        for each in (bars, bars.second if self.second else None):
            if each is not None:
                require_positive(self.name, each)

    def study(self, bars: Bars) -> Study:
        self.require(bars)
        return _AtrDStudy(bars, self)


def require_positive(strategy: str, bars: Bars) -> None:
    """Raise when prices are not all positive: sizes and band widths divide by a price."""
    if min(bars.low.min(), bars.close.min()) <= 0:
        raise ArgumentError(
            f"`{strategy}` takes percentages of the price, and `{bars.name}` has prices of "
            "zero or less; use a series that is not back-adjusted below zero"
        )


ATR_D: tuple[AtrD, ...] = (
    AtrD(
        name="atr_d_l",
        tradestation_name="ATR-D-v1.5-L",
        summary="Buys a touch above the close; a stop on the ATR that tightens in quiet bands.",
        parameters=inputs.ATR_D_L,
        opens=Touch(),
    ),
    AtrD(
        name="atr_d_ls",
        tradestation_name="ATR-D-v1.5-LS",
        summary="Both directions, chosen by a slope; may reverse from one into the other.",
        parameters=inputs.ATR_D_LS,
        opens=SlopedTouch(),
        shorts=True,
        expands=("atr_d_l",),
    ),
    AtrD(
        name="atr_d_hma_l",
        tradestation_name="ATR-D-HMA-v1.5-L",
        summary="Buys crosses of two Hull averages; back in by a touch after a stop-out.",
        parameters=inputs.ATR_D_HMA_L,
        opens=HullTouch(),
    ),
    AtrD(
        name="atr_d_hma_ls",
        tradestation_name="ATR-D-HMA-v1.5-LS",
        summary="The Hull crosses in both directions.",
        parameters=inputs.ATR_D_HMA_LS,
        opens=HullTouch(),
        shorts=True,
        expands=("atr_d_hma_l",),
    ),
    AtrD(
        name="atr_d_duals_l",
        tradestation_name="ATR-D-DualS-v1.5-L",
        summary="Trades a leveraged fund and measures the quiet bands on its index.",
        parameters=inputs.ATR_D_DUALS_L,
        opens=Touch(),
        second=True,
        expands=("atr_d_l",),
    ),
    AtrD(
        name="atr_d_duals_ls",
        tradestation_name="ATR-D-DualS-v1.5-LS",
        summary="The fund in both directions, with the bands of its index.",
        parameters=inputs.ATR_D_DUALS_LS,
        opens=SlopedTouch(),
        shorts=True,
        second=True,
        expands=("atr_d_duals_l", "atr_d_ls", "atr_d_l"),
    ),
)
