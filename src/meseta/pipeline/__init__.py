"""The whole way: bars, phases, search, scoring, plateaus, finalists, exports, report."""

from meseta.pipeline._job import RunResult
from meseta.pipeline._plan import Plan, Sample, plan
from meseta.pipeline._progress import Progress
from meseta.pipeline._run import rescore, run

__all__ = ["Plan", "Progress", "RunResult", "Sample", "plan", "rescore", "run"]
