"""Bayesian search: spaces, objectives, constraints and studies over any strategy."""

from __future__ import annotations

from meseta.bayes._constraints import CONSTRAINTS, Constraints
from meseta.bayes._metrics import Metrics
from meseta.bayes._objective import Bounds, Objective
from meseta.bayes._options import StudyOptions
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
from meseta.bayes._study import run_study
from meseta.bayes._trial import StudyListener, StudyProgress, StudyResult, Trial

__all__ = [
    "CONSTRAINTS",
    "About",
    "AtLeast",
    "AtMost",
    "AtMostMax",
    "Bound",
    "Bounds",
    "Constraints",
    "Dependent",
    "Derived",
    "Dimension",
    "Evaluator",
    "Limits",
    "Metrics",
    "Objective",
    "Params",
    "Problem",
    "Space",
    "StudyListener",
    "StudyOptions",
    "StudyProgress",
    "StudyResult",
    "Tie",
    "Trial",
    "load_space",
    "run_study",
]
