"""Walk-forward windows: phases and rolling windows in which a search must prove itself."""

from __future__ import annotations

from meseta.walkforward._by_hand import Dates, YearsBack, parse_phases
from meseta.walkforward._phases import Phase, PhasePlan, plan_phases
from meseta.walkforward._rolling import RollingPlan, RollingWindow, WalkForward, plan_windows

__all__ = [
    "Dates",
    "Phase",
    "PhasePlan",
    "RollingPlan",
    "RollingWindow",
    "WalkForward",
    "YearsBack",
    "parse_phases",
    "plan_phases",
    "plan_windows",
]
