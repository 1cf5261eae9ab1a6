"""Binance's USD-M futures: bars, mark, index and premium prices, funding and trades."""

from __future__ import annotations

from meseta.data.sources.binance._binance import Binance

__all__ = ["SOURCE", "Binance"]

SOURCE = Binance()
