"""The parameters of the ATR-D family: limits, named grids, TradeStation inputs.

A named grid has the same values in every variant, so that a long-only result can be laid beside
the long-and-short one. The steps of TradeStation's coarse search differ between the variants;
only an export reads them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meseta.strategies._parameters import Parameter, decimal_range

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ATR_D_DUALS_L",
    "ATR_D_DUALS_LS",
    "ATR_D_HMA_L",
    "ATR_D_HMA_LS",
    "ATR_D_L",
    "ATR_D_LS",
]

# A period of 500 bars still leaves the larger part of a ten-year daily history to trade on.
_LONGEST = 500


def _grids(coarse: tuple[float, ...], slim: tuple[float, ...]) -> Mapping[str, tuple[float, ...]]:
    """Return the values of the named grids of a parameter that `phase1` does not widen."""
    return {"ts_coarse": coarse, "phase1_slim": slim, "phase1": slim}


def _with(
    parameters: tuple[Parameter, ...], coarse_step: Mapping[str, float]
) -> tuple[Parameter, ...]:
    """Return `parameters` with other steps of TradeStation's coarse search."""
    return tuple(
        replace(p, coarse_step=coarse_step[p.name]) if p.name in coarse_step else p
        for p in parameters
    )


_ATR_PERIOD = Parameter(
    name="atr_period",
    low=1,
    high=_LONGEST,
    kind="int",
    doc="Bars in the average true range that sets the stop's distance.",
    fine_step=1,
    coarse_step=24,
    tradestation="ATR_Period",
    ts_low=4,
    ts_high=70,
    grids=_grids((8, 32, 56), (4, 16, 28, 40, 52, 64)),
)
_ATR_MULTIPLIER = Parameter(
    name="atr_multiplier",
    low=0.05,
    high=100,
    doc="Stop's distance from the bar's middle, in average true ranges.",
    fine_step=0.25,
    coarse_step=2,
    tradestation="ATR_Multiplier",
    ts_low=1,
    ts_high=30,
    grids=_grids(decimal_range(2, 20, 2), decimal_range(2, 24, 2)),
)
_SHORT_MULTIPLIER = Parameter(
    name="short_multiplier",
    low=0.01,
    high=10,
    doc="Factor on a short's stop: on its average true range's bars and on its multiplier.",
    fine_step=0.1,
    coarse_step=0.4,
    tradestation="Short_Multiplier",
    ts_low=0.2,
    ts_high=1,
    grids=_grids((0.2, 0.6, 1), (0.2, 0.5, 0.8, 1)),
)
_BB_LENGTH = Parameter(
    name="bb_length",
    low=2,
    high=_LONGEST,
    kind="int",
    doc="Bars in the Bollinger band whose width tightens the stop.",
    fine_step=2,
    coarse_step=20,
    tradestation="BB_Length",
    ts_low=6,
    ts_high=70,
    grids=_grids((15, 35, 55), (10, 25, 40, 55)),
)
_BB_DEVIATION = Parameter(
    name="bb_deviation",
    low=0.01,
    high=20,
    doc="Standard deviations from the middle of the Bollinger band to its edge.",
    fine_step=0.25,
    coarse_step=2,
    tradestation="BB_Deviation",
    ts_low=1,
    ts_high=4,
    grids=_grids((1.5, 3.5), decimal_range(0.5, 4, 0.5)),
)
_VOL_THRESHOLD = Parameter(
    name="vol_threshold",
    low=0.001,
    high=10,
    doc="Band width, as a fraction of price, under which the stop tightens.",
    fine_step=0.02,
    coarse_step=0.12,
    tradestation="Vol_Threshold",
    ts_low=0.02,
    ts_high=0.4,
    grids=_grids((0.06, 0.18, 0.3), decimal_range(0.04, 0.32, 0.04)),
)
_MIN_TIGHTENING = Parameter(
    name="min_tightening",
    low=0.001,
    high=1,
    doc="Smallest fraction of its distance to which the stop tightens.",
    fine_step=0.05,
    coarse_step=0.6,
    tradestation="Min_Tightening",
    ts_low=0.1,
    ts_high=0.95,
    grids=_grids((0.2, 0.8), decimal_range(0.1, 0.85, 0.15)),
)
_SCALING_METHOD = Parameter(
    name="scaling_method",
    low=0,
    high=2,
    kind="choice",
    doc="How the stop tightens with the width: 0 linear, 1 square root, 2 quadratic.",
    fine_step=1,
    coarse_step=2,
    tradestation="Scaling_Method",
    grids=_grids((0, 2), (0, 1, 2)),
)
_HMA_FAST_LENGTH = Parameter(
    name="hma_fast_length",
    low=2,
    high=_LONGEST,
    kind="int",
    doc="Length of the fast Hull average; above the slow one the market counts as rising.",
    fine_step=2,
    coarse_step=8,
    tradestation="HMA_Fast_Length",
    ts_low=10,
    ts_high=60,
    grids=_grids(decimal_range(15, 55, 8), decimal_range(10, 60, 5)),
)
_HMA_SLOW_LENGTH = Parameter(
    name="hma_slow_length",
    low=2,
    high=_LONGEST,
    kind="int",
    doc="Length of the slow Hull average, which the fast one crosses.",
    fine_step=2,
    coarse_step=10,
    tradestation="HMA_Slow_Length",
    ts_low=60,
    ts_high=100,
    grids=_grids(decimal_range(45, 85, 10), decimal_range(40, 100, 10)),
)
_ATR_BUY_PERIOD = Parameter(
    name="atr_buy_period",
    low=1,
    high=_LONGEST,
    kind="int",
    doc="Bars in the average true range that sets the entry level's distance.",
    fine_step=1,
    coarse_step=20,
    tradestation="ATRBuy_Period",
    ts_low=4,
    ts_high=70,
    grids=_grids((10, 30, 50), (8, 20, 32, 44, 56)),
)
_ATR_BUY_MULTIPLIER = Parameter(
    name="atr_buy_multiplier",
    low=0,
    high=100,
    doc="Entry level's distance from the close, in smoothed average true ranges.",
    fine_step=0.25,
    coarse_step=1,
    tradestation="ATRBuyMultiplier",
    ts_low=0.5,
    ts_high=4,
    grids=_grids((0.5, 1.5, 2.5, 3.5), decimal_range(0.5, 3.5, 0.5)),
)
_ATR_SMOOTH_PERIOD = Parameter(
    name="atr_smooth_period",
    low=1,
    high=_LONGEST,
    kind="int",
    doc="Length of the exponential average that smooths the entry level's distance.",
    fine_step=1,
    coarse_step=6,
    tradestation="ATR_Smooth_Period",
    ts_low=1,
    ts_high=20,
    grids=_grids((3, 9, 15), (2, 6, 10, 14, 18)),
)
_ENTRY_MODE = Parameter(
    name="entry_mode",
    low=0,
    high=2,
    kind="choice",
    doc="Which positions an entry order may reverse: 0 none, 1 a short, 2 a short and a long.",
    fine_step=1,
    coarse_step=2,
    tradestation="Entry_Mode",
    grids=_grids((0, 2), (0, 1, 2)),
)
_TREND_FILTER_PERIOD = Parameter(
    name="trend_filter_period",
    low=1,
    high=_LONGEST,
    kind="int",
    doc="Length of the exponential average of closes whose slope picks the side of the entry.",
    fine_step=1,
    coarse_step=12,
    tradestation="Trend_Filter_Period",
    ts_low=3,
    ts_high=20,
    grids=_grids((4, 16), (4, 10, 16)),
)
_TREND_VETO_THRESHOLD = Parameter(
    name="trend_veto_threshold",
    low=-1000,
    high=1000,
    doc="Fall of that average in one bar, in price units, beyond which the sell stop works.",
    fine_step=0.1,
    coarse_step=0.05,
    tradestation="Trend_Veto_Threshold",
    ts_low=-0.5,
    ts_high=0.5,
    grids=_grids((0, 0.05), (0, 0.02, 0.05, 0.1)),
)
_BOTH_TRIGGERED_MODE = Parameter(
    name="both_triggered_mode",
    low=0,
    high=1,
    kind="choice",
    doc="Entry where the slope is exactly minus the threshold: 0 the buy stop, 1 none.",
    fine_step=1,
    coarse_step=1,
    tradestation="Both_Triggered_Mode",
    grids=_grids((0, 1), (0, 1)),
)
_EQUITY_PRICE_METHOD = Parameter(
    name="equity_price_method",
    low=0,
    high=1,
    kind="choice",
    doc="Without effect on one symbol; kept because the TradeStation strategy has the input.",
    fine_step=1,
    coarse_step=1,
    tradestation="EquityPrice_Method",
    grids={"ts_coarse": (0,), "phase1_slim": (0,), "phase1": (0, 1)},
)

_HULL_PRICE = replace(
    _EQUITY_PRICE_METHOD,
    doc="Price that the Hull averages follow: 0 the typical price (H+L+C)/3, 1 the close.",
)
_WIDTH_PRICE = replace(
    _EQUITY_PRICE_METHOD,
    doc="Second symbol's price for the band width: 0 the typical price (H+L+C)/3, 1 the close.",
)
_TIGHTENING = (_BB_LENGTH, _BB_DEVIATION, _VOL_THRESHOLD, _MIN_TIGHTENING, _SCALING_METHOD)
_TREND = (_ENTRY_MODE, _TREND_FILTER_PERIOD, _TREND_VETO_THRESHOLD, _BOTH_TRIGGERED_MODE)
_LS_STEPS = {"atr_multiplier": 4, "atr_smooth_period": 8}
_HULL_STEPS = {
    "atr_multiplier": 7,
    "bb_length": 40,
    "vol_threshold": 0.24,
    "atr_buy_period": 24,
    "atr_buy_multiplier": 6,
}

ATR_D_L: tuple[Parameter, ...] = (
    _ATR_PERIOD,
    _ATR_MULTIPLIER,
    *_TIGHTENING,
    _ATR_BUY_PERIOD,
    _ATR_BUY_MULTIPLIER,
    _ATR_SMOOTH_PERIOD,
    _EQUITY_PRICE_METHOD,
)
ATR_D_LS: tuple[Parameter, ...] = _with(
    (
        _ATR_PERIOD,
        _ATR_MULTIPLIER,
        _SHORT_MULTIPLIER,
        *_TIGHTENING,
        _ATR_BUY_PERIOD,
        _ATR_BUY_MULTIPLIER,
        _ATR_SMOOTH_PERIOD,
        *_TREND,
        _EQUITY_PRICE_METHOD,
    ),
    _LS_STEPS,
)
ATR_D_HMA_L: tuple[Parameter, ...] = _with(
    (
        _ATR_PERIOD,
        _ATR_MULTIPLIER,
        *_TIGHTENING,
        _HMA_FAST_LENGTH,
        _HMA_SLOW_LENGTH,
        _ATR_BUY_PERIOD,
        replace(_ATR_BUY_MULTIPLIER, ts_high=20),
        _ATR_SMOOTH_PERIOD,
        _HULL_PRICE,
    ),
    _HULL_STEPS,
)
ATR_D_HMA_LS: tuple[Parameter, ...] = (*ATR_D_HMA_L[:2], _SHORT_MULTIPLIER, *ATR_D_HMA_L[2:])
ATR_D_DUALS_L: tuple[Parameter, ...] = (*ATR_D_L[:-1], _WIDTH_PRICE)
ATR_D_DUALS_LS: tuple[Parameter, ...] = _with(
    (*ATR_D_LS[:-1], _WIDTH_PRICE), {"atr_multiplier": 3}
)
