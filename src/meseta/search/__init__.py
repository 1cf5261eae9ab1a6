"""Searching grids: every combination, scored over phases."""

from meseta.search._candidates import candidates
from meseta.search._exhaustive import SearchStore, search, thread_count
from meseta.search._lattice import Lattice
from meseta.search._problem import LEVELS, Problem, levels_for
from meseta.search._score import Scored, score

__all__ = [
    "LEVELS",
    "Lattice",
    "Problem",
    "Scored",
    "SearchStore",
    "candidates",
    "levels_for",
    "score",
    "search",
    "thread_count",
]
