"""Binance's USD-M futures: bars, mark, index and premium prices, funding and trades."""
