"""Where market data come from: one module for each vendor."""

from __future__ import annotations

from meseta.data.sources._http import Http, take_all, trusted_url
from meseta.data.sources._registry import find_source, sources
from meseta.data.sources._source import Answer, Facts, Source

__all__ = [
    "Answer",
    "Facts",
    "Http",
    "Source",
    "find_source",
    "sources",
    "take_all",
    "trusted_url",
]
