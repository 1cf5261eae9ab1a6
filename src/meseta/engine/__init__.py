"""Engines: the plain reference, the fast tables and chains, one back-test with either."""

from meseta.engine._backtest import backtest
from meseta.engine._metrics import METRICS, metrics
from meseta.engine._trades import REASONS, Report, Simulation, Trade, Window

__all__ = [
    "METRICS",
    "REASONS",
    "Report",
    "Simulation",
    "Trade",
    "Window",
    "backtest",
    "metrics",
]
