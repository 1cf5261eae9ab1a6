"""Walk-forward windows: the phases in which a search must prove itself."""

from __future__ import annotations

from meseta.walkforward._by_hand import Dates, YearsBack, parse_phases
from meseta.walkforward._phases import Phase, PhasePlan, plan_phases

__all__ = ["Dates", "Phase", "PhasePlan", "YearsBack", "parse_phases", "plan_phases"]
