"""An optimisation: searched, held against luck and against the vault, written into a folder."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from meseta._files import write_json, write_text
from meseta.bayes import read_results, run_study
from meseta.bayes._record import differences, identity_of
from meseta.bayes._storage import without_password
from meseta.errors import ArgumentError, RunError
from meseta.optimise import InstrumentsProblem, optimize_windows
from meseta.optimize_config import HEDGE_GRID
from meseta.pipeline._manifest import data_of, environment_of, now, time_of
from meseta.pipeline._optimize_best import best_text
from meseta.pipeline._optimize_files import WINDOWS, clear, clear_outcome, write_instruments
from meseta.pipeline._optimize_null import null_markets
from meseta.pipeline._optimize_outcome import outcome_of
from meseta.pipeline._optimize_tables import plain, trials_frame
from meseta.pipeline._progress import Progress
from meseta.runs import RunFolder
from meseta.vault import VaultLedger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta.bayes import StudyOptions, StudyProgress, StudyResult
    from meseta.hedge import Funding
    from meseta.optimise import WindowProgress, WindowStudies
    from meseta.optimize_config import OptimizeConfig
    from meseta.pipeline._optimize_outcome import Outcome
    from meseta.pipeline._optimize_plan import OptimizePlan
    from meseta.pipeline._progress import Listener

__all__ = ["OptimizeResult", "optimize"]

# Seconds of back-testing that are not worth more processes.
_SHORT = 20.0
# Options of what is made beside the study, and others that do not change what it finds.
_ASIDE = {"in_sample", "null_markets", "out_of_sample", "transfer", "unit", "walk_forward"}
_FREE = _ASIDE | {
    "aggregate", "best_infeasible", "fetch", "name", "out", "report", "storage", "store",
    "strategy_config", "timeout", "trials", "workers",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OptimizeResult:
    """A finished optimisation.

    Parameters
    ----------
    plan
        What was asked.
    folder
        Of the study.
    result
        Its trials, and the best.
    summary
        What `summary.json` holds.
    manifest
        What `manifest.json` holds.
    report
        The page; None without one.
    best_file
        The strategy file of the best trial; None where none was written.
    """

    plan: OptimizePlan
    folder: Path
    result: StudyResult
    summary: dict[str, Any]
    manifest: dict[str, Any]
    report: Path | None
    best_file: Path | None


def optimize(
    planned: OptimizePlan,
    *,
    command: str = "",
    resume: bool = False,
    force: bool = False,
    progress: Listener | None = None,
) -> OptimizeResult:
    """Make a study and write its folder.

    Parameters
    ----------
    planned
        What `plan_optimize` returned.
    command
        The command line, for the manifest.
    resume
        Go on with a study that was interrupted, or to more trials.
    force
        Begin anew where a study exists.
    progress
        Is told where it is.

    Raises
    ------
    RunError
        A study is in the way, the folder cannot be written, or what is to be resumed differs.
    KeyboardInterrupt
        What was finished is kept; `resume` continues.
    """
    folder = RunFolder(Path(planned.config.out) / planned.name)
    _require_free(folder, planned, resume=resume, force=force)
    with folder.locked():
        if resume and folder.exists():
            _require_same(folder, planned)
        else:
            clear(folder)
        return _Work(planned, folder, progress, resume=resume).run(command)


def _require_free(folder: RunFolder, plan: OptimizePlan, *, resume: bool, force: bool) -> None:
    if folder.exists() and not force:
        _require_readable(folder)
    if not (resume and folder.exists() and folder.finished()):
        folder.require_free(resume=resume, force=force)
        return
    before, new = folder.manifest()["config"], plan.config.model_dump(mode="json")
    more = any(before.get(name) != new[name] for name in _ASIDE)
    if before.get("trials", 0) >= new["trials"] and not more:
        raise RunError(
            f"{folder.path} holds a finished study of {before['trials']} trials; raise --trials "
            "to go on with it, choose another --study-name, or begin anew with --force"
        )


def _require_readable(folder: RunFolder) -> None:
    """Say what --force would take, before a user follows the advice to begin anew."""
    try:
        folder.manifest()
    except RunError as error:
        store = folder.path / "results.db"
        if store.is_file():
            error.add_note(f"{store} holds the trials; copy it first, --force removes it")
        raise


def _require_same(folder: RunFolder, plan: OptimizePlan) -> None:
    old = folder.manifest()
    if old.get("kind") != "optimize":
        raise RunError(f"{folder.path} holds no study; choose another --study-name")
    before, new = (
        {name: value for name, value in config.items() if name not in _FREE}
        for config in (old["config"], plan.config.model_dump(mode="json"))
    )
    other = list(differences(before, new))
    if old["fingerprint"] != plan.problem.fingerprint:
        other.append("the data, or what is fixed of the strategy")
    if old["space"]["fingerprint"] != plan.space.fingerprint:
        other.append("the space")
    if other:
        raise RunError(
            f"{folder.path} was begun with other options: {'; '.join(other)}; "
            "continue with those of its manifest, or begin anew with --force"
        )
    _require_identity(folder, plan)


def _require_identity(folder: RunFolder, plan: OptimizePlan) -> None:
    """Refuse before anything of the old study is replaced what `run_study` would refuse."""
    try:
        old = read_results(folder.path, plan.name)[0].identity
    except (ArgumentError, RunError):
        # What is missing or damaged is made again of the Optuna store, or refused there.
        return
    new = identity_of(
        plan.problem, plan.space, plan.objective, plan.constraints, plan.options, plan.first
    )
    new.require_same(old, plan.name)


class _Work:
    """One optimisation on its way."""

    def __init__(
        self, plan: OptimizePlan, folder: RunFolder, progress: Listener | None, *, resume: bool
    ) -> None:
        self.plan, self.folder, self.resume = plan, folder, resume
        self.tell: Listener = progress or (lambda _at: None)
        self.manifest: dict[str, Any] = {}

    def run(self, command: str) -> OptimizeResult:
        began = time.monotonic()
        self.manifest = _begin(self.plan, command)
        # A folder with a manifest is a study that can be continued, so its data come first.
        write_instruments(self.folder, self.plan.instruments)
        self.folder.write_manifest(self.manifest)
        clear_outcome(self.folder)
        try:
            result = self.search()
            beside = _beside(self.plan.options, result)
            null = null_markets(self.plan, self.folder, beside, self.tell)
            windows = self.walk(beside)
        except (KeyboardInterrupt, RunError):
            self.manifest["status"] = "interrupted"
            self.folder.write_manifest(self.manifest)
            raise
        if any(trial.state == "complete" for trial in result.trials):
            self.open_vault()
        outcome = outcome_of(self.plan, result, null, windows)
        self.manifest["timings"] = {
            "seconds": round(time.monotonic() - began, 3),
            "study": round(result.elapsed, 3),
        }
        return self.finish(result, outcome)

    def search(self) -> StudyResult:
        plan = self.plan
        result = run_study(
            plan.problem,
            plan.space,
            plan.objective,
            plan.constraints,
            plan.options,
            name=plan.name,
            folder=self.folder.path,
            resume=self.resume,
            storage=plan.config.storage,
            first=plan.first,
            listener=self.told,
        )
        self.manifest["warnings"] += list(result.notes)
        self.folder.write_frame("trials.parquet", trials_frame(result.trials, plan.space))
        if result.interrupted:
            raise KeyboardInterrupt
        return result

    def told(self, at: StudyProgress) -> None:
        """Pass on where the study is."""
        facts = {
            "feasible": at.feasible,
            "best": None if at.best is None else at.best.score,
            "pruned": at.pruned,
            "failed": at.failed,
        }
        self.tell(Progress("study", at.done, at.total, facts))

    def walk(self, options: StudyOptions) -> WindowStudies | None:
        """Make a study in each rolling window before the vault."""
        plan = self.plan
        if plan.windows is None:
            return None
        windows = plan.windows.windows
        if isinstance(plan.problem, InstrumentsProblem):
            windows = tuple(plan.problem.windows(windows, plan.bars.time))
        made = optimize_windows(
            plan.problem,
            plan.space_over,
            windows,
            capital=plan.config.capital,
            objective=plan.objective,
            constraints=plan.constraints,
            options=options,
            warm_start=plan.config.transfer,
            compare=True,
            name=f"{plan.name}-window",
            folder=self.folder.path / WINDOWS,
            listener=self.told_window,
        )
        if made.interrupted:
            raise KeyboardInterrupt
        return made

    def told_window(self, at: WindowProgress) -> None:
        """Pass on where the walk is: both ways of it, with transfer and without."""
        trials, second = self.plan.options.trials, at.warm != self.plan.config.transfer
        before = (at.windows * second + at.window - 1) * trials
        self.tell(Progress("windows", before + at.study.done, 2 * at.windows * trials))

    def open_vault(self) -> None:
        """Write down that the finalists are about to look at the vault."""
        plan, entry = self.plan, self.manifest["vault"]
        for each, span in zip(plan.instruments, plan.vaults, strict=False):
            ledger = VaultLedger(each.bars.source)
            opened = ledger.open(
                each.bars.slice(*span),
                run=plan.name,
                strategy=self.manifest["strategy"]["name"],
                grid=plan.space.name,
            )
            entry["opened"] = max(entry["opened"] or 0, opened)
            self.manifest["warnings"] += ledger.warnings

    def finish(self, result: StudyResult, outcome: Outcome) -> OptimizeResult:
        for name, table in outcome.tables.items():
            self.folder.write_frame(f"{name}.parquet", table)
        write_json(self.folder.path / "summary.json", outcome.summary)
        best = self.write_best(result, outcome.summary)
        self.manifest["status"] = "finished"
        self.folder.write_manifest(self.manifest)
        page = None
        if self.plan.config.report:
            from meseta.report import write_optimize_report

            self.tell(Progress("report", 0, 1))
            page = write_optimize_report(self.folder.path)
            self.tell(Progress("report", 1, 1))
        return OptimizeResult(
            self.plan, self.folder.path, result, outcome.summary, self.manifest, page, best
        )

    def write_best(self, result: StudyResult, summary: dict[str, Any]) -> Path | None:
        """Write the strategy file of the best, or of the nearest miss where that is wanted."""
        missed = self.plan.config.best_infeasible and summary["nearest"][:1]
        chosen = summary["best"] or (missed[0] if missed else None)
        if chosen is None:
            return None
        kind = "best" if result.best is not None else "best_infeasible"
        path = self.folder.path / f"{self.plan.name}_{kind}.yaml"
        write_text(path, best_text(self.plan, chosen, len(result.trials), summary["verdict"]))
        return path


def _beside(options: StudyOptions, result: StudyResult) -> StudyOptions:
    """Return the options of further studies of the same size.

    Short ones run in this process: starting others, in which kernels may have to be compiled
    anew, would take longer than they save. A process's first trial is slow for that reason, so
    that the one in the middle tells how long a trial takes.
    """
    usual = median([trial.duration for trial in result.trials] or [0.0])
    return replace(options, workers=1) if usual * len(result.trials) < _SHORT else options


def _begin(plan: OptimizePlan, command: str) -> dict[str, Any]:
    """Return the manifest of a study that is about to begin."""
    config, bars = plan.config, plan.bars
    return {
        "kind": "optimize",
        "meseta": version("meseta"),
        "status": "running",
        "name": plan.name,
        "created": now(),
        "command": without_password(command),
        "config": _without_secret(config),
        "strategy": _strategy(plan),
        "base": None if config.strategy_config is None else _plain(plan.base.content),
        "data": data_of(bars, config),
        "further": [data_of(each.bars, config) for each in plan.instruments[1:]],
        "funding": [_funding(each.funding) for each in plan.instruments],
        "mark": [None if each.mark is None else each.mark.name for each in plan.instruments],
        "fingerprint": plan.problem.fingerprint,
        "space": {
            "name": plan.space.name,
            "fingerprint": plan.space.fingerprint,
            "rows": plan.space.table(),
        },
        "objective": asdict(plan.objective),
        "constraints": asdict(plan.constraints),
        "options": asdict(plan.options),
        "spans": _spans(plan),
        "vault": _vault(plan),
        "assumptions": list(plan.assumptions),
        "seed": config.seed,
        "environment": environment_of(None)["environment"] | {"optuna": version("optuna")},
        "timings": {},
        "warnings": list(plan.warnings),
    }


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a YAML file holds as JSON has it: YAML knows dates and infinite numbers."""
    made: dict[str, Any] = plain(json.loads(json.dumps(content, default=str)))
    return made


def _without_secret(config: OptimizeConfig) -> dict[str, Any]:
    dumped = config.model_dump(mode="json")
    storage = dumped["storage"]
    return dumped | {"storage": None if storage is None else without_password(storage)}


def _strategy(plan: OptimizePlan) -> dict[str, Any]:
    strategy = plan.strategy
    if strategy is None:
        summary = "a ladder of limit orders on each side of a perpetual's price, in hedge mode"
        return {"name": HEDGE_GRID, "summary": summary, "kind": "hedge", "source": None}
    return {
        "name": strategy.name,
        "summary": strategy.summary,
        "kind": "strategy",
        "source": strategy.source,
    }


def _funding(funding: Funding | None) -> dict[str, Any] | None:
    if funding is None:
        return None
    first, last = (str(funding.time[at].astype("datetime64[s]")) for at in (0, -1))
    return {
        "fingerprint": funding.fingerprint,
        "settlements": len(funding),
        "first": first,
        "last": last,
    }


def _spans(plan: OptimizePlan) -> dict[str, Any]:
    """Return first row, row after the last, and their times, of both sides of the vault's edge."""
    inside, outside = _edge(plan, plan.spans[0]), None
    if plan.vaults:
        outside = _edge(plan, plan.vaults[0])
    return {"in_sample": inside, "vault": outside}


def _edge(plan: OptimizePlan, span: tuple[int, int]) -> list[Any]:
    return [*span, time_of(plan.bars, span[0]), time_of(plan.bars, span[1] - 1)]


def _vault(plan: OptimizePlan) -> dict[str, Any] | None:
    if not plan.vaults:
        return None
    a, z, first, last = _spans(plan)["vault"]
    return {
        "length": plan.config.vault,
        "first": first,
        "last": last,
        "a": a,
        "z": z,
        "opened": None,
    }
