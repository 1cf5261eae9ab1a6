"""Bayesian search: spaces, objectives, constraints and studies over any strategy."""

from __future__ import annotations

from meseta.bayes._constraints import CONSTRAINTS, Constraints
from meseta.bayes._importance import importance
from meseta.bayes._metrics import Metrics
from meseta.bayes._objective import Bounds, Objective
from meseta.bayes._options import StudyOptions
from meseta.bayes._problem import Evaluator, Params, Problem
from meseta.bayes._ranking import AIMS, best_of, nearest_of, pareto_front
from meseta.bayes._record import Identity, StudyRecord
from meseta.bayes._results import cleanup, read_results
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
    "AIMS",
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
    "Identity",
    "Limits",
    "Metrics",
    "Objective",
    "Params",
    "Problem",
    "Space",
    "StudyListener",
    "StudyOptions",
    "StudyProgress",
    "StudyRecord",
    "StudyResult",
    "Tie",
    "Trial",
    "best_of",
    "cleanup",
    "importance",
    "load_space",
    "nearest_of",
    "pareto_front",
    "read_results",
    "run_study",
]
