"""Strategies, their parameters and the grids over them."""

from meseta.strategies._atr_d import AtrD, EntryRule, HullTouch, SlopedTouch, Touch
from meseta.strategies._broker import Broker
from meseta.strategies._grids import MAX_COMBINATIONS, Grid, grid_names, load_grid
from meseta.strategies._kernel import KernelStrategy
from meseta.strategies._own import Market, RuleStrategy, StrategyError, rule
from meseta.strategies._parameters import Parameter
from meseta.strategies._registry import (
    Strategy,
    broken_strategies,
    find_separable,
    find_strategy,
    strategies,
)
from meseta.strategies._rules import FLAT, LONG, SHORT, Orders, Protection, Rules
from meseta.strategies._sampling import sample_grid
from meseta.strategies._separable import Factor, SeparableStrategy, Study

__all__ = [
    "FLAT",
    "LONG",
    "MAX_COMBINATIONS",
    "SHORT",
    "AtrD",
    "Broker",
    "EntryRule",
    "Factor",
    "Grid",
    "HullTouch",
    "KernelStrategy",
    "Market",
    "Orders",
    "Parameter",
    "Protection",
    "RuleStrategy",
    "Rules",
    "SeparableStrategy",
    "SlopedTouch",
    "Strategy",
    "StrategyError",
    "Study",
    "Touch",
    "broken_strategies",
    "find_separable",
    "find_strategy",
    "grid_names",
    "load_grid",
    "rule",
    "sample_grid",
    "strategies",
]
