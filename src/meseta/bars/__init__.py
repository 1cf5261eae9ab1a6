"""Market data: validated bars and the readers that make them."""

from __future__ import annotations

from meseta.bars._bars import Bars, Calendar
from meseta.bars._check import Report, check
from meseta.bars._finding import Finding
from meseta.bars._load import load
from meseta.bars._pair import Alignment, pair
from meseta.bars._parquet import save
from meseta.bars._resample import resample
from meseta.bars._rolls import parse_rolls
from meseta.bars._sessions import session_days, session_open

__all__ = [
    "Alignment",
    "Bars",
    "Calendar",
    "Finding",
    "Report",
    "check",
    "load",
    "pair",
    "parse_rolls",
    "resample",
    "save",
    "session_days",
    "session_open",
]
