"""Studies of the registry's strategies: on one series, on several, and walking forward."""

from __future__ import annotations

from meseta._mirror import mirrored
from meseta.optimise._aggregates import AGGREGATES, Aggregate, find_aggregate
from meseta.optimise._instruments import InstrumentsEvaluator, InstrumentsProblem
from meseta.optimise._spaces import space_of, space_of_grid
from meseta.optimise._strategy import StrategyEvaluator, StrategyProblem
from meseta.optimise._window_results import Found, WindowStudies, WindowStudy
from meseta.optimise._windows import SpaceOf, WindowProgress, optimize_windows

__all__ = [
    "AGGREGATES",
    "Aggregate",
    "Found",
    "InstrumentsEvaluator",
    "InstrumentsProblem",
    "SpaceOf",
    "StrategyEvaluator",
    "StrategyProblem",
    "WindowProgress",
    "WindowStudies",
    "WindowStudy",
    "find_aggregate",
    "mirrored",
    "optimize_windows",
    "space_of",
    "space_of_grid",
]
