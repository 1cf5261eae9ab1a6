"""Market data that are fetched and kept: the store, the sources, and what joins them."""

from __future__ import annotations

from meseta.data._key import SeriesKey, parse_bar_size
from meseta.data._listen import Step, silent
from meseta.data._schema import Schema, schema_of

__all__ = ["Schema", "SeriesKey", "Step", "parse_bar_size", "schema_of", "silent"]
