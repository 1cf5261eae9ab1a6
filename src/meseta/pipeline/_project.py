"""Projects: the same walk-forward on symbols x bar sizes x strategies, failures kept apart."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from meseta._files import atomic_file, write_json
from meseta.errors import MesetaError, RunError
from meseta.pipeline._manifest import data_of, environment_of, now
from meseta.pipeline._progress import Progress
from meseta.pipeline._project_results import results_table, share_out, verdict_of
from meseta.pipeline._series import load_series
from meseta.pipeline._walkforward import (
    changes_of,
    kept_plan,
    plan_walkforward,
    walk_forward,
)
from meseta.runs import RunFolder
from meseta.series_config import SeriesConfig
from meseta.strategies import find_strategy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from meseta.bars import Bars
    from meseta.pipeline._progress import Listener
    from meseta.pipeline._project_file import Member, Project
    from meseta.pipeline._walkforward import WalkForwardPlan
    from meseta.walkforward_config import WalkForwardConfig

__all__ = [
    "Failure",
    "PlannedMember",
    "ProjectPlan",
    "ProjectResult",
    "plan_project",
    "project_states",
    "run_project",
]

State = Literal["new", "kept", "continues", "again", "failed"]
MANIFEST, PAGE = "project.json", "project.html"
_RESULTS, _PORTFOLIO = "results.parquet", "portfolio.parquet"
_TABLES = ("windows.parquet", "best.parquet", "curve.parquet")


class Failure(NamedTuple):
    """Why a member did not finish.

    Parameters
    ----------
    status
        `failed` for what the user can mend, `fault` for what the program did wrong.
    error
        What happened.
    trace
        Where, for a fault.
    """

    status: str
    error: str
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedMember:
    """A member, checked against its data.

    Parameters
    ----------
    member
        What is asked.
    plan
        None where it cannot be done.
    failure
        Why not.
    """

    member: Member
    plan: WalkForwardPlan | None
    failure: Failure | None

    @property
    def cost(self) -> int:
        """Bars that are simulated, of all combinations."""
        return 0 if self.plan is None else self.plan.combinations * len(self.plan.bars)


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """A project, checked against its data before any work is done."""

    project: Project
    members: tuple[PlannedMember, ...]


@dataclass(frozen=True, slots=True)
class ProjectResult:
    """What came of a project: its folder, its manifest, and its tables.

    `portfolio` is None where no member finished.
    """

    folder: Path
    manifest: dict[str, Any]
    results: pl.DataFrame
    portfolio: pl.DataFrame | None
    report: Path | None

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Entries of the manifest of members that did not finish."""
        return [each for each in self.manifest["members"] if each["status"] != "finished"]


def plan_project(
    project: Project, *, resume: bool = False, progress: Listener | None = None
) -> ProjectPlan:
    """Check every member against its data; one that cannot be done is told, not raised.

    Each symbol's series is loaded once, and resampled for each bar size.

    Parameters
    ----------
    project
        What to do.
    resume
        Plan a member that was begun on the bars that it kept, where it is asked for the same and
        its source may have others by now.
    progress
        Is told of fetching, or None.
    """
    series = _Series(progress)
    made = (_planned(each, series, resume=resume) for each in project.members)
    return ProjectPlan(project, tuple(made))


class _Series:
    """The series that was loaded last; members of a symbol follow each other."""

    def __init__(self, progress: Listener | None) -> None:
        self.progress = progress
        self.key: tuple[object, ...] = ()
        self.bars: Bars | MesetaError | None = None

    def of(self, member: Member) -> Bars:
        config = member.config
        key = tuple(getattr(config, name) for name in SeriesConfig.model_fields)
        if key != self.key:
            self.key, self.bars = key, self.loaded_or_why(config)
        if self.bars is None or isinstance(self.bars, MesetaError):
            raise self.bars or RunError(f"{config.bars or config.symbol} could not be loaded")
        return replace(self.bars, name=member.symbol)

    def loaded_or_why(self, config: WalkForwardConfig) -> Bars | MesetaError:
        try:
            return load_series([find_strategy(config.strategy)], config, self.progress)
        except MesetaError as error:
            return error


def _planned(member: Member, series: _Series, *, resume: bool) -> PlannedMember:
    def work() -> WalkForwardPlan:
        kept = _kept(member) if resume else None
        return kept or plan_walkforward(member.config, series.of(member))

    plan, failure = _tried(work)
    return PlannedMember(member, plan, failure)


def _kept(member: Member) -> WalkForwardPlan | None:
    try:
        return kept_plan(member.config)
    except (RunError, KeyError, TypeError):
        return None  # what it kept is damaged, so it is run again


def _tried(work: Callable[[], Any]) -> tuple[Any, Failure | None]:
    """Return what `work` returns, or why it failed; an interruption passes."""
    try:
        return work(), None
    except MesetaError as error:
        return None, Failure("failed", str(error))
    except Exception as error:  # one member's fault must not stop the others
        text = f"meseta has a fault: {type(error).__name__}: {error}"
        return None, Failure("fault", text, traceback.format_exc())


def run_project(
    project: Project,
    *,
    planned: ProjectPlan | None = None,
    command: str = "",
    resume: bool = False,
    force: bool = False,
    progress: Listener | None = None,
    threads: int | None = None,
) -> ProjectResult:
    """Walk every member of a project forward and write its folder.

    A member that fails is recorded with its reason and does not stop the others.

    Parameters
    ----------
    project
        What to do.
    planned
        What `plan_project` returned for it, so that the data are not loaded twice.
    command
        The command line, for the manifests.
    resume
        Go on with a project that was begun: members that are finished with the same options and
        data stay, unfinished ones continue, others are run again. Bars of a symbol that came
        since are no other data: those that a member kept count.
    force
        Begin anew where the project exists.
    progress
        Is told where the project is; `part` names the member, ``facts["overall"]`` is the share
        of the whole, 0 to 1.
    threads
        Of each member in turn, instead of the option; results do not depend on it.

    Raises
    ------
    RunError
        The project exists and is neither to be continued nor begun anew, or its folder cannot
        be written.
    KeyboardInterrupt
        What was finished is kept; `resume` continues.
    """
    folder = RunFolder(project.folder)
    _require_free(project, folder, resume=resume, force=force)
    with folder.locked():
        planned = planned or plan_project(project, resume=resume, progress=progress)
        _clear(project, folder, force=force)
        return _Work(planned, folder, progress, threads).run(command)


def _require_free(project: Project, folder: RunFolder, *, resume: bool, force: bool) -> None:
    if folder.exists():
        raise RunError(f"{folder.path} holds another run; choose another --name")
    begun = [
        folder.path / MANIFEST,
        *(folder.path / m.name / "manifest.json" for m in project.members),
    ]
    if not (resume or force) and any(path.exists() for path in begun):
        raise RunError(
            f"{folder.path} holds this project already; --resume runs what is unfinished, failed "
            "or changed, --force begins anew"
        )


def _clear(project: Project, folder: RunFolder, *, force: bool) -> None:
    """Remove what is about to be told anew, with `force` the members too, and nothing else."""
    for name in (PAGE, _RESULTS, _PORTFOLIO):
        (folder.path / name).unlink(missing_ok=True)
    if force:
        for member in project.members:
            RunFolder(folder.path / member.name).clear()


class _Work:
    """One project on its way."""

    def __init__(
        self,
        planned: ProjectPlan,
        folder: RunFolder,
        progress: Listener | None,
        threads: int | None,
    ) -> None:
        self.planned, self.folder, self.threads = planned, folder, threads
        self.tell: Listener = (lambda _at: None) if progress is None else progress
        self.manifest: dict[str, Any] = {}
        self.spent = 0
        self.states = project_states(planned)
        todo = zip(planned.members, self.states, strict=True)
        self.cost = sum(each.cost for each, state in todo if state not in {"kept", "failed"})

    def of(self, each: PlannedMember) -> RunFolder:
        return RunFolder(self.folder.path / each.member.name)

    def run(self, command: str) -> ProjectResult:
        began = time.monotonic()
        self.manifest = _begin(self.planned, command, self.threads)
        self.write()
        for number, each in enumerate(self.planned.members):
            self.member(number, each)
        return self.finish(began)

    def write(self) -> None:
        write_json(self.folder.path / MANIFEST, self.manifest)

    def member(self, number: int, each: PlannedMember) -> None:
        """Bring one member to its end, whatever that is."""
        entry, began, failure = self.manifest["members"][number], time.monotonic(), each.failure
        if each.plan is not None:
            entry["status"] = "running"
            self.write()
            _, failure = _tried(partial(self.walk, number, each, each.plan))
        entry["status"] = failure.status if failure else "finished"
        if failure is not None:
            entry |= {"error": failure.error, "trace": failure.trace}
        if self.states[number] != "kept":
            entry["seconds"] = round(time.monotonic() - began, 3)
            self.spent += each.cost
        self.write()

    def walk(self, number: int, each: PlannedMember, plan: WalkForwardPlan) -> None:
        state = self.states[number]
        if state == "kept":
            self.page(plan, self.of(each))
            return
        config = plan.config
        if self.threads is not None:
            config = config.model_copy(update={"threads": self.threads})
        walk_forward(
            config,
            planned=replace(plan, config=config),
            command=self.manifest["command"],
            resume=state == "continues",
            force=state == "again",
            progress=self.listener(number, each),
        )

    def page(self, plan: WalkForwardPlan, folder: RunFolder) -> None:
        """Write the page of a member that was finished without one."""
        if plan.config.report and not folder.report.exists():
            from meseta.report import write_walkforward_report

            write_walkforward_report(folder.path)

    def listener(self, number: int, each: PlannedMember) -> Listener:
        part = f"{each.member.label} ({number + 1} of {len(self.planned.members)})"

        def tell(at: Progress) -> None:
            walked = at.done / at.total if at.stage == "walk" and at.total else 1.0
            overall = (self.spent + walked * each.cost) / self.cost
            facts = {**at.facts, "overall": overall}
            self.tell(replace(at, part=part, facts=facts))

        return tell

    def finish(self, began: float) -> ProjectResult:
        """Write what the members are together."""
        project, path = self.planned.project, self.folder.path
        results = results_table(self.manifest["members"], path)
        _write(path / _RESULTS, results)
        plans = {
            each.member.name: each.plan
            for each, entry in zip(self.planned.members, self.manifest["members"], strict=True)
            if entry["status"] == "finished" and each.plan is not None
        }
        shared = share_out(plans, path, project.target)
        if shared is None:
            (path / _PORTFOLIO).unlink(missing_ok=True)
        else:
            _write(path / _PORTFOLIO, shared.curve)
        curve = None if shared is None else shared.curve
        self.manifest |= {
            "summary": verdict_of(results),
            "portfolio": None if shared is None else shared.summary,
            "results_hash": _hash_of(results, curve),
            "timings": {"seconds": round(time.monotonic() - began, 3)},
        }
        return ProjectResult(path, self.manifest, results, curve, self.finished())

    def finished(self) -> Path | None:
        self.write()
        page = None
        if self.planned.project.report:
            from meseta.report import write_project_report

            self.tell(Progress("report", 0, 1))
            page = write_project_report(self.folder.path)
            self.tell(Progress("report", 1, 1))
        self.manifest["status"] = "finished"
        self.write()
        return page


def project_states(planned: ProjectPlan) -> list[State]:
    """Tell what `resume` does with each member, by what its folder holds.

    Returns
    -------
    list
        `new`; `kept`, it is finished; `continues`, it was interrupted; `again`, its options or
        data are others than its folder's; `failed`, it cannot be done.
    """
    path = planned.project.folder
    return [_state_of(each, RunFolder(path / each.member.name)) for each in planned.members]


def _state_of(each: PlannedMember, folder: RunFolder) -> State:
    if each.plan is None:
        return "failed"
    if not folder.exists():
        return "new"
    try:
        return _state(folder, folder.manifest(), each.plan)
    except (RunError, KeyError, TypeError):
        return "again"  # its manifest is damaged


def _state(folder: RunFolder, manifest: dict[str, Any], plan: WalkForwardPlan) -> State:
    if manifest.get("kind") != "walkforward":
        return "new"  # which then finds another run in its way
    same = not changes_of(manifest, plan)
    if manifest["status"] != "finished":
        return "continues" if same else "again"
    whole = all((folder.path / name).exists() for name in _TABLES)
    return "kept" if same and whole else "again"


def _begin(planned: ProjectPlan, command: str, threads: int | None) -> dict[str, Any]:
    """Return the manifest of a project that is about to begin."""
    project = planned.project
    return {
        "kind": "project",
        "status": "running",
        "name": project.name,
        "version": version("meseta"),
        "created": now(),
        "command": command,
        "file": str(project.file),
        "risk": project.risk,
        "capital": project.capital,
        "members": [_entry(each) for each in planned.members],
        **environment_of(threads),
        "summary": None,
        "portfolio": None,
        "timings": {},
    }


def _entry(each: PlannedMember) -> dict[str, Any]:
    member, plan = each.member, each.plan
    return {
        "name": member.name,
        "symbol": member.symbol,
        "bar_size": member.bar_size,
        "strategy": member.strategy,
        "status": "waiting",
        "error": None,
        "trace": None,
        "seconds": None,
        "config": member.config.model_dump(mode="json"),
        "data": None if plan is None else data_of(plan.bars, plan.config),
    }


def _hash_of(results: pl.DataFrame, portfolio: pl.DataFrame | None) -> str:
    """Return a hash of what every member found and what they make together."""
    told = results.select("symbol", "bar_size", "strategy", "status", "hash").write_csv()
    return sha256(
        (told + ("" if portfolio is None else portfolio.write_csv())).encode()
    ).hexdigest()


def _write(path: Path, frame: pl.DataFrame) -> None:
    with atomic_file(path) as stream:
        frame.write_parquet(stream, compression="zstd", compression_level=1)
