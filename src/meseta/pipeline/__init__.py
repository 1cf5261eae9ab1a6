"""The whole way: bars, windows, search, scoring, finalists, exports, report."""

from meseta.pipeline._job import RunResult
from meseta.pipeline._plan import Plan, Sample, plan
from meseta.pipeline._progress import Progress
from meseta.pipeline._run import rescore, run
from meseta.pipeline._walkforward import (
    WalkForwardPlan,
    WalkForwardResult,
    plan_walkforward,
    rescore_matrix,
    walk_forward,
)

__all__ = [
    "Plan",
    "Progress",
    "RunResult",
    "Sample",
    "WalkForwardPlan",
    "WalkForwardResult",
    "plan",
    "plan_walkforward",
    "rescore",
    "rescore_matrix",
    "run",
    "walk_forward",
]
