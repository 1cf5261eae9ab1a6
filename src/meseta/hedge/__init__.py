"""The hedge grid: a ladder of orders on each side of the price of a perpetual future."""

from __future__ import annotations

from meseta.hedge._funding import Funding
from meseta.hedge._market import HedgeMarket
from meseta.hedge._metrics import metrics_of
from meseta.hedge._parameters import GridParameters
from meseta.hedge._problem import HedgeEvaluator, HedgeProblem
from meseta.hedge._result import LOT, REASONS, HedgeResult
from meseta.hedge._settings import GridSettings, Policy
from meseta.hedge._simulate import ladder_value, simulate
from meseta.hedge._space import BASELINE, PRESETS, catalogue, hedge_space

__all__ = [
    "BASELINE",
    "LOT",
    "PRESETS",
    "REASONS",
    "Funding",
    "GridParameters",
    "GridSettings",
    "HedgeEvaluator",
    "HedgeMarket",
    "HedgeProblem",
    "HedgeResult",
    "Policy",
    "catalogue",
    "hedge_space",
    "ladder_value",
    "metrics_of",
    "simulate",
]
