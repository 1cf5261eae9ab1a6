"""Confirmation of hedge grids on an engine that knows nothing of the compiled simulator."""

from __future__ import annotations

from meseta.confirm._causes import CAUSES, UNEXPLAINED, Cause, causes_of
from meseta.confirm._confirm import Confirmed, confirm
from meseta.confirm._engine import ENGINE, require_engine
from meseta.confirm._outcome import EventDriven
from meseta.confirm._tables import cause_table, engine_table, write_tables

__all__ = [
    "CAUSES",
    "ENGINE",
    "UNEXPLAINED",
    "Cause",
    "Confirmed",
    "EventDriven",
    "cause_table",
    "causes_of",
    "confirm",
    "engine_table",
    "require_engine",
    "write_tables",
]
