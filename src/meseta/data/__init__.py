"""Market data that are fetched and kept: the store, the sources, and what joins them."""

from __future__ import annotations

from meseta.data._calendars import finished
from meseta.data._damage import DamagedError
from meseta.data._dates import wanted
from meseta.data._fetch import Fetched, fetch
from meseta.data._key import Basis, Kind, SeriesKey, parse_bar_size
from meseta.data._listen import Listener, Step, silent
from meseta.data._meta import Entry, Meta
from meseta.data._obtain import Request, obtain
from meseta.data._schema import Schema, schema_of
from meseta.data._store import Store
from meseta.data.sources import find_source

__all__ = [
    "Basis",
    "DamagedError",
    "Entry",
    "Fetched",
    "Kind",
    "Listener",
    "Meta",
    "Request",
    "Schema",
    "SeriesKey",
    "Step",
    "Store",
    "fetch",
    "find_source",
    "finished",
    "obtain",
    "parse_bar_size",
    "schema_of",
    "silent",
    "wanted",
]
