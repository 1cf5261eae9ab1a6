"""Markets without structure: the bars of a real perpetual, mirrored by coins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from meseta import _mirror

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.bars import Bars
    from meseta.hedge._market import HedgeMarket

__all__ = ["mirrored"]

_PRICES = ("open", "high", "low", "close")


def mirrored(market: HedgeMarket, tick: float, seed: int) -> HedgeMarket:
    """Return the market with its moves turned up or down by fair coins (`meseta._mirror`).

    Sizes of bars and volumes stay, and so do their order and with it the calm and the stormy
    times; drift and whatever follows from one bar's direction for the next do not. Prices are
    rounded to the tick. Funding stays as it was settled, so that whoever is paid by it still is,
    and mark prices keep their distance from the last trade as a ratio.
    """
    bars = market.bars
    drawn = _mirror.mirrored(bars, seed)
    open_, high, low, close = (_rounded(getattr(drawn, name), tick) for name in _PRICES)
    own = replace(drawn, open=open_, high=high, low=low, close=close)
    return market.with_bars(own, None if market.mark is None else _marks(market.mark, bars, own))


def _rounded(values: FloatArray, tick: float) -> FloatArray:
    steps = np.maximum(np.rint(values / tick), 1.0)
    inverse = round(1.0 / tick)
    exact = inverse and abs(inverse * tick - 1.0) < 1e-9
    prices: FloatArray = steps / inverse if exact else steps * tick
    prices.setflags(write=False)
    return prices


def _marks(mark: Bars, bars: Bars, own: Bars) -> Bars:
    """Return mark prices, each bar scaled as the last trade at its open is."""
    at = np.clip(np.searchsorted(bars.time, mark.time) - 1, 0, len(bars) - 1)
    scale = own.close[at] / bars.close[at]
    parts = {name: getattr(mark, name) * scale for name in _PRICES}
    for part in parts.values():
        part.setflags(write=False)
    return replace(mark, **parts)
