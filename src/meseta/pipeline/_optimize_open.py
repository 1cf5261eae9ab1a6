"""A study that was made, opened again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meseta.bayes import read_results
from meseta.config import parse_options
from meseta.errors import RunError
from meseta.optimize_config import OptimizeConfig
from meseta.pipeline._optimize_files import read_instruments
from meseta.pipeline._optimize_plan import OptimizePlan, plan_instruments
from meseta.runs import RunFolder
from meseta.strategy_file import StrategyFile, strategy_of

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.bayes import Problem, Trial

__all__ = ["OpenedStudy", "open_study"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStudy:
    """A study as its folder has it.

    Parameters
    ----------
    folder
        Of the study.
    manifest
        What `manifest.json` holds.
    config
        What was asked.
    plan
        The study planned again on the data that it kept.
    trials
        What it has found so far, by number.
    summary
        What `summary.json` holds; None before the study is finished.
    """

    folder: Path
    manifest: dict[str, Any]
    config: OptimizeConfig
    plan: OptimizePlan
    trials: tuple[Trial, ...]
    summary: dict[str, Any] | None

    @property
    def problem(self) -> Problem:
        """The strategy over the span before the vault."""
        return self.plan.problem


def open_study(folder: Path) -> OpenedStudy:
    """Open a study from its folder alone: with the data that it kept.

    Parameters
    ----------
    folder
        Of the study.

    Raises
    ------
    RunError
        It is no folder of a study, or something in it is damaged.
    """
    run = RunFolder(folder)
    manifest = run.manifest()
    if manifest.get("kind") != "optimize":
        raise RunError(f"{folder} holds no study; make one with `meseta optimize`")
    # The strategy file may have changed, or be gone: the manifest has what was read of it.
    config = parse_options(
        OptimizeConfig, manifest["config"] | {"strategy_config": None, "storage": None}
    )
    base = strategy_of(manifest["base"], "of the study") if manifest["base"] else StrategyFile()
    return OpenedStudy(
        folder=folder,
        manifest=manifest,
        config=config,
        plan=plan_instruments(config, read_instruments(run, manifest), base),
        trials=read_results(folder, manifest["name"])[1],
        summary=_summary(folder / "summary.json"),
    )


def _summary(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}; run the study again") from error
    return found if isinstance(found, dict) else None
