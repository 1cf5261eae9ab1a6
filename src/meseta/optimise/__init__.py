"""Studies of the registry's strategies: on one series, on several, and walking forward."""

from __future__ import annotations

from meseta.optimise._aggregates import AGGREGATES, Aggregate, find_aggregate
from meseta.optimise._instruments import InstrumentsEvaluator, InstrumentsProblem
from meseta.optimise._mirror import mirrored
from meseta.optimise._spaces import space_of, space_of_grid
from meseta.optimise._strategy import StrategyEvaluator, StrategyProblem

__all__ = [
    "AGGREGATES",
    "Aggregate",
    "InstrumentsEvaluator",
    "InstrumentsProblem",
    "StrategyEvaluator",
    "StrategyProblem",
    "find_aggregate",
    "mirrored",
    "space_of",
    "space_of_grid",
]
