"""Running, continuing and scoring again, with the variants of a strategy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta.errors import RunError
from meseta.pipeline._expand import fitting_axes, run_name
from meseta.pipeline._job import Job, RunResult, identity_of
from meseta.pipeline._plan import Plan, plan, plan_one
from meseta.pipeline._progress import Progress
from meseta.pipeline._series import kept_series
from meseta.runs import RunFolder
from meseta.strategies import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meseta.bars import Bars
    from meseta.config import RunConfig
    from meseta.pipeline._progress import Listener

__all__ = ["RunResult", "rescore", "run"]

# What rescoring may find: a run that is whole, or one whose rescoring was interrupted.
_SCORED = {"finished", "rescoring"}


def run(
    config: RunConfig,
    *,
    planned: Plan | None = None,
    command: str = "",
    resume: bool = False,
    force: bool = False,
    progress: Listener | None = None,
) -> RunResult:
    """Search a grid, and the strategy's simpler variants, and write the run folder.

    Parameters
    ----------
    config
        What to do.
    planned
        What `plan` returned for `config`, so that the data are not loaded twice.
    command
        The command line, for the manifest.
    resume
        Continue an unfinished run: tiles that are whole and of the same search are used, and
        variants that are finished are not run again. Bars of a symbol or of standard input are
        those that it kept.
    force
        Begin anew where a run exists.
    progress
        Is told where the run is.

    Returns
    -------
    RunResult
        Folder, manifest, plateaus, report, and the same of each variant.

    Raises
    ------
    ArgumentError, DataError, SourceError
        The configuration or the data cannot be used, or got; nothing was written.
    RunError
        A run is in the way, the folder cannot be written, or what is to be resumed differs.
    KeyboardInterrupt
        The tiles in work were finished and kept; `resume` continues.
    """
    folder = RunFolder(Path(config.out) / run_name(config))
    folder.require_free(resume=resume, force=force)
    planned = planned or plan(config, resume=resume, progress=progress)
    with folder.locked():
        jobs = _jobs(planned, folder, progress)
        if resume and folder.exists():
            _require_same(jobs)
        else:
            folder.clear()
        _list_variants(jobs, lambda job: "finished" if job.done() else "waiting")
        return _work(jobs, lambda job: job.run(command, resume=resume), progress)


def rescore(
    path: Path,
    *,
    gates: Mapping[str, float] | None = None,
    axes: tuple[str, str] | None = None,
    min_cell: int | None = None,
    command: str = "",
    progress: Listener | None = None,
) -> RunResult:
    """Score a finished search again, with other thresholds or axes, without searching.

    The variants of the run are scored again with it, so that they can be compared as before.

    Parameters
    ----------
    path
        Run folder.
    gates
        Thresholds to change; each must be one that the search remembered.
    axes, min_cell
        Axes of the plateaus and least candidates of a cell; None keeps them. A variant that
        lacks one of the axes keeps its own.
    command, progress
        As for `run`.

    Raises
    ------
    ArgumentError
        A threshold that the search did not remember.
    RunError
        The folder is no finished run, or a variant's; or its tiles are missing or damaged.
    """
    folder = RunFolder(Path(path))
    olds = _finished_manifests(folder)
    changes: dict[str, Any] = {"gates": dict(gates or {}), "axes": axes, "min_cell": min_cell}
    bars = kept_series(folder, olds[0])
    folders = [
        folder,
        *(RunFolder(folder.path / v["folder"]) for v in olds[0].get("variants", [])),
    ]
    plans = [_replanned(each, old, bars, changes) for each, old in zip(folders, olds, strict=True)]
    with folder.locked():
        jobs = _jobs(replace(plans[0], variants=tuple(plans[1:])), folder, progress)
        _list_variants(jobs, lambda _job: "rescoring")
        known = {id(job): old for job, old in zip(jobs, olds, strict=True)}
        return _work(jobs, lambda job: job.rescore(known[id(job)], command), progress)


def _jobs(planned: Plan, folder: RunFolder, progress: Listener | None) -> list[Job]:
    """Return the work in order: the main strategy, then its variants."""
    many = len(planned.whole)
    parts = [f"{each.strategy.name} ({k} of {many})" for k, each in enumerate(planned.whole, 1)]
    extra: dict[str, Any] = {"expanded": many > 1, "variants": []}
    jobs = [Job(planned, folder, progress, extra=extra, part=parts[0] if many > 1 else "")]
    for each, part in zip(planned.variants, parts[1:], strict=True):
        assert each.config.name is not None  # `variants_of` names them
        job = Job(
            each,
            folder.variant(each.config.name),
            progress,
            extra={"variant_of": planned.strategy.name},
            main=folder,
            before=tuple(jobs),
            part=part,
        )
        jobs.append(job)
    return jobs


def _list_variants(jobs: Sequence[Job], status: Callable[[Job], str]) -> None:
    """Say in the main manifest which variants there are."""
    main, *variants = jobs
    main.extra["variants"] = [
        {
            "strategy": job.plan.strategy.name,
            "folder": job.folder.path.relative_to(main.folder.path).as_posix(),
            "combinations": job.plan.combinations,
            "status": status(job),
        }
        for job in variants
    ]


def _work(
    jobs: Sequence[Job], act: Callable[[Job], RunResult], progress: Listener | None
) -> RunResult:
    """Do the main job, then each variant, then compare them."""
    main, *variants = jobs
    result, others = act(main), []
    for job, entry in zip(variants, main.manifest["variants"], strict=True):
        others.append(act(job))
        entry["status"] = "finished"
        main.folder.write_manifest(main.manifest)
    if not others:
        return result
    page = _compare(main, progress)
    return replace(result, variants=tuple(others), comparison=page)


def _compare(main: Job, progress: Listener | None) -> Path | None:
    if not main.config.report:
        return None
    from meseta.report import write_comparison

    tell: Listener = progress or (lambda _at: None)
    tell(Progress("comparison", 0, 1))
    page = write_comparison(main.folder.path)
    tell(Progress("comparison", 1, 1))
    return page


def _require_same(jobs: Sequence[Job]) -> None:
    """Refuse to continue where data or options differ, before anything is written."""
    main, *variants = jobs
    main.require_same()
    for job in variants:
        if job.folder.exists():
            job.require_same()
    known = {job.plan.strategy.name for job in variants}
    begun = [v["strategy"] for v in main.folder.manifest().get("variants", [])]
    gone = [name for name in begun if name not in known]
    if gone:
        raise RunError(
            f"{main.folder.path} was begun with the variants {', '.join(gone)}; continue it "
            "without --no-expand, or begin anew with --force"
        )


def _finished_manifests(folder: RunFolder) -> list[dict[str, Any]]:
    """Return the manifests of a run and of its variants, all of them finished."""
    old = folder.manifest()
    if "variant_of" in old:
        raise RunError(
            f"{folder.path} is a variant of the run in {folder.path.parent.parent}; score that "
            "again, and its variants are too"
        )
    variants = old.get("variants", [])
    if any(each.get("status") not in _SCORED for each in (old, *variants)):
        raise RunError(f"{folder.path} is not finished; continue it with `meseta run --resume`")
    return [old, *(RunFolder(folder.path / each["folder"]).manifest() for each in variants)]


def _replanned(
    folder: RunFolder, old: dict[str, Any], bars: Bars, changes: dict[str, Any]
) -> Plan:
    """Plan on the run's own bars and grid, with the levels that its search remembered."""
    from meseta.config import load_config

    grid, identity = _grid_of(old), identity_of(folder)
    given = {name: value for name, value in changes.items() if value is not None}
    if "variant_of" in old and changes["axes"] is not None:
        fitting = fitting_axes(changes["axes"], grid)
        given["axes"] = fitting if fitting == changes["axes"] else tuple(old["config"]["axes"])
    given["gates"] = old["config"]["gates"] | changes["gates"]
    config = load_config(overrides=old["config"] | given)
    planned = plan_one(config, bars, grid)
    levels = {name: tuple(values) for name, values in identity["levels"].items()}
    problem = replace(planned.problem, levels=levels, min_drawdown=identity["min_drawdown"])
    if config.gates.min_drawdown != identity["min_drawdown"]:
        raise RunError(
            f"`min_drawdown` is part of the search ({identity['min_drawdown']:g}); "
            "run the search again to change it"
        )
    planned = replace(planned, problem=problem)
    Job(planned, folder, None, extra={}).require_same()
    return planned


def _grid_of(old: dict[str, Any]) -> Grid:
    grid = old["grid"]
    values = {name: tuple(values) for name, values in grid["values"].items()}
    return Grid(grid["name"], values, tuple(grid.get("constraints", ())))
