"""Selection: gates, stability, and the plateaus that stable combinations form."""

from __future__ import annotations

from meseta.selection._cells import Cells, CellTotals
from meseta.selection._clusters import Setting
from meseta.selection._gates import Gates, PhaseTotals
from meseta.selection._plain import (
    GATES,
    funnel,
    gate_masks,
    percentile_ranks,
    stability,
    valid,
)
from meseta.selection._plateaus import MIN_CELL, Outcomes, Plateau, Plateaus, find_plateaus

__all__ = [
    "GATES",
    "MIN_CELL",
    "CellTotals",
    "Cells",
    "Gates",
    "Outcomes",
    "PhaseTotals",
    "Plateau",
    "Plateaus",
    "Setting",
    "find_plateaus",
    "funnel",
    "gate_masks",
    "percentile_ranks",
    "stability",
    "valid",
]
