"""Markets without structure: the bars of a real one, each mirrored by a coin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.bars import Bars
    from meseta.hedge._market import HedgeMarket

__all__ = ["mirrored"]


def mirrored(market: HedgeMarket, tick: float, seed: int) -> HedgeMarket:
    """Return the market with each bar's path turned over, in log prices, by a fair coin.

    Sizes of bars, of gaps between them and volumes stay, and so do their order and with it the
    calm and the stormy times; drift and whatever follows from one bar's direction for the next
    do not. The first open stays. Prices are rounded to the tick. Funding stays as it was
    settled, and mark prices keep their distance from the last trade as a ratio.
    """
    bars = market.bars
    coin = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), len(bars))
    before = np.concatenate([bars.open[:1], bars.close[:-1]])
    gap = coin * np.log(bars.open / before)
    moved = coin * np.log(bars.close / bars.open)
    start = np.log(bars.open[0]) + np.concatenate([[0.0], np.cumsum(gap + moved)[:-1]]) + gap
    up, down = np.log(bars.high / bars.open), np.log(bars.low / bars.open)
    own = replace(
        bars,
        open=_rounded(start, tick),
        high=_rounded(start + np.where(coin > 0, up, -down), tick),
        low=_rounded(start + np.where(coin > 0, down, -up), tick),
        close=_rounded(start + moved, tick),
    )
    return market.with_bars(own, None if market.mark is None else _marks(market.mark, bars, own))


def _rounded(logs: FloatArray, tick: float) -> FloatArray:
    steps = np.maximum(np.rint(np.exp(logs) / tick), 1.0)
    inverse = round(1.0 / tick)
    exact = inverse and abs(inverse * tick - 1.0) < 1e-9
    prices: FloatArray = steps / inverse if exact else steps * tick
    prices.setflags(write=False)
    return prices


def _marks(mark: Bars, bars: Bars, own: Bars) -> Bars:
    """Return mark prices, each bar scaled as the last trade at its open is."""
    at = np.clip(np.searchsorted(bars.time, mark.time) - 1, 0, len(bars) - 1)
    scale = own.close[at] / bars.close[at]
    parts = {name: getattr(mark, name) * scale for name in ("open", "high", "low", "close")}
    for part in parts.values():
        part.setflags(write=False)
    return replace(mark, **parts)
