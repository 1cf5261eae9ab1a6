"""Handing results over to other programs."""

from __future__ import annotations

from meseta.export._refinement import FileRead, Refinement, refine
from meseta.export._tradestation import (
    CONFIG_FILE,
    Range,
    RangeFile,
    refinement_ranges,
    write_config,
    write_ranges,
)
from meseta.export._workbook import check_workbook, write_workbook

__all__ = [
    "CONFIG_FILE",
    "FileRead",
    "Range",
    "RangeFile",
    "Refinement",
    "check_workbook",
    "refine",
    "refinement_ranges",
    "write_config",
    "write_ranges",
    "write_workbook",
]
