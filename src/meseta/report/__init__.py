"""Reports: self-contained HTML pages of runs, walk-forwards and back-tests, and their charts."""

from __future__ import annotations

from meseta.report._backtest import write_backtest_page
from meseta.report._charts import Curve, Trades, backtest_chart, equity_chart, phase_timeline
from meseta.report._comparison import VariantRow, comparison_rows, write_comparison
from meseta.report._map import plateau_map
from meseta.report._optimize import write_optimize_report
from meseta.report._project import write_project_report
from meseta.report._report import write_report
from meseta.report._spans import Span
from meseta.report._walkforward import write_walkforward_report

__all__ = [
    "Curve",
    "Span",
    "Trades",
    "VariantRow",
    "backtest_chart",
    "comparison_rows",
    "equity_chart",
    "phase_timeline",
    "plateau_map",
    "write_backtest_page",
    "write_comparison",
    "write_optimize_report",
    "write_project_report",
    "write_report",
    "write_walkforward_report",
]
