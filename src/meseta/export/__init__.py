"""Handing results over to other programs."""

from __future__ import annotations

from meseta.export._tradestation import (
    CONFIG_FILE,
    Range,
    RangeFile,
    refinement_ranges,
    write_config,
    write_ranges,
)

__all__ = [
    "CONFIG_FILE",
    "Range",
    "RangeFile",
    "refinement_ranges",
    "write_config",
    "write_ranges",
]
