"""A study: draws parameter sets, has them back-tested, and keeps what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meseta.bayes._constraints import Constraints
    from meseta.bayes._objective import Objective
    from meseta.bayes._options import StudyOptions
    from meseta.bayes._problem import Params, Problem
    from meseta.bayes._space import Space
    from meseta.bayes._trial import StudyListener, StudyResult

__all__ = ["run_study"]


def run_study(
    problem: Problem,
    space: Space,
    objective: Objective,
    constraints: Constraints,
    options: StudyOptions,
    *,
    name: str,
    folder: Path | None = None,
    resume: bool = False,
    storage: str | None = None,
    first: Sequence[Params] = (),
    listener: StudyListener | None = None,
) -> StudyResult:
    """Search a space, or go on with a study that was stopped."""
    raise NotImplementedError
