"""Strategies, their parameters and the grids over them."""

from meseta.strategies._atr_d import AtrDLong, EntrySets, ExitFamily, LongRules
from meseta.strategies._grids import MAX_COMBINATIONS, Grid, grid_names, load_grid
from meseta.strategies._parameters import Parameter
from meseta.strategies._registry import Strategy, find_strategy, strategies

__all__ = [
    "MAX_COMBINATIONS",
    "AtrDLong",
    "EntrySets",
    "ExitFamily",
    "Grid",
    "LongRules",
    "Parameter",
    "Strategy",
    "find_strategy",
    "grid_names",
    "load_grid",
    "strategies",
]
