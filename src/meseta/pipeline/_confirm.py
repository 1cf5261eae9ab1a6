"""A study's best trials run again by events, and written into its folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from meseta._files import write_json
from meseta.confirm import ENGINE, UNEXPLAINED, confirm, require_engine, write_tables
from meseta.errors import ArgumentError, RunError
from meseta.hedge import HedgeProblem
from meseta.pipeline._manifest import now
from meseta.pipeline._optimize_open import open_study
from meseta.pipeline._optimize_tables import plain, ranked
from meseta.pipeline._progress import Progress
from meseta.runs import RunFolder
from meseta.vault import VaultLedger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meseta.bayes import Trial
    from meseta.confirm import Confirmed
    from meseta.pipeline._optimize_open import OpenedStudy
    from meseta.pipeline._progress import Listener

__all__ = ["ConfirmPlan", "ConfirmResult", "Part", "confirm_study", "plan_confirm"]

Part = Literal["in-sample", "out-of-sample"]
_CENT = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPlan:
    """What will be run again.

    Parameters
    ----------
    study
        The study, opened.
    part
        Side of the vault's edge.
    problem
        The grid over that side.
    trials
        The best: those that meet the constraints first, then those that miss the least.
    """

    study: OpenedStudy
    part: Part
    problem: HedgeProblem
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmResult:
    """A confirmation that is written.

    Parameters
    ----------
    plan
        What was asked.
    confirmed
        The trials on both engines.
    summary
        What the study's `summary.json` holds of it.
    report
        The study's page, written anew; None where it has none.
    """

    plan: ConfirmPlan
    confirmed: tuple[Confirmed, ...]
    summary: dict[str, Any]
    report: Path | None


def plan_confirm(folder: Path, *, top: int = 5, part: Part = "in-sample") -> ConfirmPlan:
    """Open a study and choose what is run again, before any work is done.

    Parameters
    ----------
    folder
        Of the study.
    top
        How many of its best trials.
    part
        ``"out-of-sample"`` looks at the vault, which is written down.

    Raises
    ------
    ArgumentError
        The engine is not installed, the study has no vault, or is none of the hedge grid on
        one market.
    RunError
        There is no such study, it is not finished, or no trial of it is.
    """
    require_engine()
    study = open_study(folder)
    if study.summary is None:
        raise RunError(
            f"the study {folder} is {study.manifest['status']}; finish it with "
            "`meseta optimize ... --resume`"
        )
    trials = tuple(ranked(study.trials, top))
    if not trials:
        raise RunError(f"no trial of {folder} was finished; there is nothing to confirm")
    return ConfirmPlan(study=study, part=part, problem=_problem(study, part), trials=trials)


def _problem(study: OpenedStudy, part: Part) -> HedgeProblem:
    problem = study.plan.problem if part == "in-sample" else study.plan.vault
    if problem is None:
        raise ArgumentError("`part` out-of-sample needs a study with a vault; this one has none")
    if not isinstance(problem, HedgeProblem):
        raise ArgumentError(
            f"only the hedge grid on one market can be confirmed on {ENGINE}; the study "
            f"{study.folder.name} is of {problem.name}"
        )
    return problem


def confirm_study(
    plan: ConfirmPlan,
    *,
    workers: int | None = None,
    timeout: float = 600.0,
    progress: Listener | None = None,
) -> ConfirmResult:
    """Run trials again by events, and write tables, summary and page.

    Parameters
    ----------
    plan
        What `plan_confirm` returned.
    workers, timeout
        As in `meseta.confirm.confirm`.
    progress
        Is told where it is.

    Raises
    ------
    ArgumentError
        `workers` or `timeout` breaks its rule.
    RunError
        Another process works in the folder, it cannot be written, or the engine failed with
        every trial; an earlier confirmation then stays.
    KeyboardInterrupt
        Nothing is written.
    """
    folder, tell = RunFolder(plan.study.folder), progress or (lambda _at: None)
    done, total = list[int](), len(plan.trials)

    def told(each: Confirmed) -> None:
        done.append(each.trial)
        tell(Progress("confirm", len(done), total))

    with folder.locked():
        tell(Progress("confirm", 0, total))
        opened = _open_vault(plan) if plan.part == "out-of-sample" else None
        confirmed = confirm(
            plan.problem.market,
            {trial.number: trial.params for trial in plan.trials},
            plan.problem.settings,
            plan.problem.span,
            workers=workers,
            timeout=timeout,
            listener=told,
        )
        _require_any(confirmed)
        summary = _summary(plan, confirmed) | {"vault_opened": opened}
        return _write(plan, confirmed, plain(summary))


def _require_any(confirmed: Sequence[Confirmed]) -> None:
    if all(each.engine is None for each in confirmed):
        told = "; ".join(f"trial {each.trial} {each.error}" for each in confirmed)
        raise RunError(
            f"no trial is confirmed: {told}. Nothing is written; raise --timeout, or use fewer "
            "--workers where memory is short"
        )


def _open_vault(plan: ConfirmPlan) -> int:
    """Write down that the vault is looked at once more, and return how often that is."""
    study, manifest = plan.study, plan.study.manifest
    bars = plan.problem.market.bars
    ledger = VaultLedger(study.plan.bars.source)
    opened = ledger.open(
        bars.slice(*plan.problem.span),
        run=study.plan.name,
        strategy=manifest["strategy"]["name"],
        grid=study.plan.space.name,
    )
    manifest["vault"]["opened"] = max(manifest["vault"]["opened"] or 0, opened)
    manifest["warnings"] += ledger.warnings
    RunFolder(study.folder).write_manifest(manifest)
    return opened


def _summary(plan: ConfirmPlan, confirmed: Sequence[Confirmed]) -> dict[str, Any]:
    return {
        "engine": ENGINE,
        "created": now(),
        "part": plan.part,
        "trials": [_told(each) for each in confirmed],
        "verdict": _verdict(plan, confirmed),
    }


def _told(each: Confirmed) -> dict[str, Any]:
    return {
        "trial": each.trial,
        "difference": each.difference,
        "unexplained": _unexplained(each),
        "error": each.error,
    }


def _unexplained(each: Confirmed) -> float:
    """Money of a trial that no cause accounts for."""
    return sum((cause.difference for cause in each.causes if cause.name == UNEXPLAINED), 0.0)


def _verdict(plan: ConfirmPlan, confirmed: Sequence[Confirmed]) -> str:
    """Say in two sentences how far the engines are apart, and what of it is understood."""
    run = [each for each in confirmed if each.engine is not None]
    apart = max(run, key=lambda each: abs(each.difference))
    text = f"{len(run)} of {len(confirmed)} trials run on {ENGINE}"
    if abs(apart.difference) < _CENT:
        return f"{text}: both engines end with the same equity to the cent."
    share = abs(apart.difference) / plan.problem.settings.capital
    text = (
        f"{text}: the final equities are at most {abs(apart.difference):,.2f} apart, "
        f"{100 * share:.3f} % of the capital (trial {apart.trial})."
    )
    lost = [each for each in run if any(cause.name == UNEXPLAINED for cause in each.causes)]
    if not lost:
        return f"{text} Every lot that differs is accounted for by a rule."
    most = max(abs(_unexplained(each)) for each in lost)
    numbers = ", ".join(str(each.trial) for each in lost)
    return f"{text} Up to {most:,.2f} of it is not explained (trials {numbers})."


def _write(
    plan: ConfirmPlan, confirmed: tuple[Confirmed, ...], summary: dict[str, Any]
) -> ConfirmResult:
    folder = plan.study.folder
    write_tables(folder, confirmed)
    whole = (plan.study.summary or {}) | {"confirmation": summary}
    write_json(folder / "summary.json", whole)
    page = None
    if (folder / "report.html").is_file():
        from meseta.report import write_optimize_report

        page = write_optimize_report(folder)
    return ConfirmResult(plan=plan, confirmed=confirmed, summary=summary, report=page)
