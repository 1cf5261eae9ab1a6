"""The whole way: bars, windows, search, scoring, finalists, exports, report."""

from meseta.pipeline._confirm import ConfirmPlan, ConfirmResult, confirm_study, plan_confirm
from meseta.pipeline._job import RunResult
from meseta.pipeline._optimize import OptimizeResult, optimize
from meseta.pipeline._optimize_export import (
    enter_results,
    require_exports,
    write_trials_csv,
)
from meseta.pipeline._optimize_open import OpenedStudy, open_study
from meseta.pipeline._optimize_plan import OptimizePlan, plan_optimize
from meseta.pipeline._optimize_tables import funnel_of, ranked, seen_space
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
    "ConfirmPlan",
    "ConfirmResult",
    "Member",
    "OpenedStudy",
    "OptimizePlan",
    "OptimizeResult",
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
    "confirm_study",
    "enter_results",
    "funnel_of",
    "is_project",
    "load_project",
    "open_study",
    "optimize",
    "plan",
    "plan_confirm",
    "plan_optimize",
    "plan_project",
    "plan_walkforward",
    "project_states",
    "ranked",
    "require_exports",
    "rescore",
    "rescore_matrix",
    "run",
    "run_project",
    "seen_space",
    "walk_forward",
    "write_trials_csv",
]
