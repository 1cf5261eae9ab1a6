"""Yahoo Finance, through the package yfinance."""

from __future__ import annotations

from meseta.data.sources.yahoo._source import SOURCE, Yahoo

__all__ = ["SOURCE", "Yahoo"]
