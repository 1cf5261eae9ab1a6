"""Bayesian search: spaces, objectives, constraints and studies over any strategy."""

from __future__ import annotations

from meseta.bayes._metrics import Metrics
from meseta.bayes._problem import Evaluator, Params, Problem

__all__ = ["Evaluator", "Metrics", "Params", "Problem"]
