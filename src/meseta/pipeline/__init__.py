"""The whole way: bars, phases, search, scoring, plateaus, finalists, exports, report."""

from meseta.pipeline._plan import Plan, plan
from meseta.pipeline._progress import Progress
from meseta.pipeline._run import RunResult, rescore, run

__all__ = ["Plan", "Progress", "RunResult", "plan", "rescore", "run"]
