"""Bayesian search: spaces, objectives, constraints and studies over any strategy."""

from __future__ import annotations

from meseta.bayes._metrics import Metrics
from meseta.bayes._problem import Evaluator, Params, Problem
from meseta.bayes._space import (
    About,
    AtLeast,
    AtMost,
    AtMostMax,
    Bound,
    Dependent,
    Derived,
    Dimension,
    Space,
)
from meseta.bayes._space_file import Limits, Tie, load_space

__all__ = [
    "About",
    "AtLeast",
    "AtMost",
    "AtMostMax",
    "Bound",
    "Dependent",
    "Derived",
    "Dimension",
    "Evaluator",
    "Limits",
    "Metrics",
    "Params",
    "Problem",
    "Space",
    "Tie",
    "load_space",
]
