"""TradeStation: bars of US shares, funds, indices and futures, for whoever has an account."""

from __future__ import annotations

from meseta.data.sources.tradestation._source import TradeStation

__all__ = ["SOURCE", "TradeStation"]

SOURCE = TradeStation()
