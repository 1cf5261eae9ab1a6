"""Walking forward: phases and rolling windows in which a search must prove itself."""

from __future__ import annotations

from meseta.walkforward._by_hand import Dates, YearsBack, parse_phases
from meseta.walkforward._emulated import Emulated, Emulation, emulate
from meseta.walkforward._fitness import FITNESSES, Fitness, FitnessError, find_fitness, fitness
from meseta.walkforward._matrix import (
    Cell,
    Criteria,
    Efficiency,
    block_of,
    efficiency_of,
    matrix_of,
    score_matrix,
)
from meseta.walkforward._outcome import Outcome
from meseta.walkforward._phases import Phase, PhasePlan, plan_phases
from meseta.walkforward._rolling import RollingPlan, RollingWindow, WalkForward, plan_windows
from meseta.walkforward._stats import WindowStats
from meseta.walkforward._walked import Walked

__all__ = [
    "FITNESSES",
    "Cell",
    "Criteria",
    "Dates",
    "Efficiency",
    "Emulated",
    "Emulation",
    "Fitness",
    "FitnessError",
    "Outcome",
    "Phase",
    "PhasePlan",
    "RollingPlan",
    "RollingWindow",
    "WalkForward",
    "Walked",
    "WindowStats",
    "YearsBack",
    "block_of",
    "efficiency_of",
    "emulate",
    "find_fitness",
    "fitness",
    "matrix_of",
    "parse_phases",
    "plan_phases",
    "plan_windows",
    "score_matrix",
]
