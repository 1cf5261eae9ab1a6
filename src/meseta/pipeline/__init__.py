"""The whole way: bars, windows, search, scoring, finalists, exports, report."""

from meseta.pipeline._job import RunResult
from meseta.pipeline._plan import Plan, Sample, plan
from meseta.pipeline._progress import Progress
from meseta.pipeline._project import (
    PlannedMember,
    ProjectPlan,
    ProjectResult,
    plan_project,
    project_states,
    run_project,
)
from meseta.pipeline._project_file import Member, Project, is_project, load_project
from meseta.pipeline._run import rescore, run
from meseta.pipeline._walkforward import (
    WalkForwardPlan,
    WalkForwardResult,
    plan_walkforward,
    rescore_matrix,
    walk_forward,
)

__all__ = [
    "Member",
    "Plan",
    "PlannedMember",
    "Progress",
    "Project",
    "ProjectPlan",
    "ProjectResult",
    "RunResult",
    "Sample",
    "WalkForwardPlan",
    "WalkForwardResult",
    "is_project",
    "load_project",
    "plan",
    "plan_project",
    "plan_walkforward",
    "project_states",
    "rescore",
    "rescore_matrix",
    "run",
    "run_project",
    "walk_forward",
]
