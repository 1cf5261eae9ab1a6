"""Market data: validated bars and the readers that make them."""

from __future__ import annotations

from meseta.bars._bars import Bars, Calendar
from meseta.bars._check import Report, check
from meseta.bars._finding import Finding
from meseta.bars._load import load

__all__ = ["Bars", "Calendar", "Finding", "Report", "check", "load"]
