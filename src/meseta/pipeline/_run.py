"""Running, continuing and scoring again."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta._files import atomic_file, write_json
from meseta.bars import Finding, load
from meseta.errors import RunError
from meseta.export import refinement_ranges, write_config, write_ranges
from meseta.pipeline._finalists import run_finalists
from meseta.pipeline._manifest import begin_manifest, now
from meseta.pipeline._plan import Plan, plan, plan_on
from meseta.pipeline._progress import Progress
from meseta.runs import RunFolder
from meseta.search import Lattice, SearchStore, candidates, score, search, thread_count
from meseta.selection import find_plateaus
from meseta.strategies import Grid
from meseta.vault import VaultLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from meseta.bars import Bars
    from meseta.config import RunConfig
    from meseta.pipeline._finalists import Finalists
    from meseta.pipeline._progress import Listener
    from meseta.search import Scored
    from meseta.selection import Plateaus

__all__ = ["RunResult", "rescore", "run"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run.

    Parameters
    ----------
    folder
        Where its files are.
    manifest, plateaus
        What `manifest.json` and `plateaus.json` say.
    report
        The HTML page, or None when it was not asked for.
    """

    folder: Path
    manifest: dict[str, Any]
    plateaus: dict[str, Any]
    report: Path | None


def run(
    config: RunConfig,
    *,
    planned: Plan | None = None,
    command: str = "",
    resume: bool = False,
    force: bool = False,
    progress: Listener | None = None,
) -> RunResult:
    """Search a grid and write the run folder.

    Parameters
    ----------
    config
        What to do.
    planned
        What `plan` returned for `config`, so that the data are not loaded twice.
    command
        The command line, for the manifest.
    resume
        Continue an unfinished run: tiles that are whole and of the same search are used.
    force
        Begin anew where a run exists.
    progress
        Is told where the run is.

    Returns
    -------
    RunResult
        Folder, manifest, plateaus, report.

    Raises
    ------
    ArgumentError, DataError
        The configuration or the data cannot be used; nothing was written.
    RunError
        A run is in the way, the folder cannot be written, or what is to be resumed differs.
    KeyboardInterrupt
        The tiles in work were finished and kept; `resume` continues.
    """
    folder = RunFolder(Path(config.out) / run_name(config))
    _require_free(folder, resume=resume, force=force)
    planned = planned or _planned(config, folder, resume=resume)
    with folder.locked():
        job = _Job(config, folder, planned, progress)
        store = SearchStore(folder.tiles, planned.problem)
        if resume and folder.exists():
            _require_same(folder, planned)
        else:
            folder.clear()
        job.manifest = begin_manifest(config, planned, command)
        folder.write_manifest(job.manifest)
        folder.write_bars(planned.bars)
        store.begin()
        job.search(store)
        return job.finish(store)


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

    Parameters
    ----------
    path
        Run folder.
    gates
        Thresholds to change; each must be one that the search remembered.
    axes, min_cell
        Axes of the plateaus and least candidates of a cell; None keeps them.
    command, progress
        As for `run`.

    Raises
    ------
    ArgumentError
        A threshold that the search did not remember.
    RunError
        The folder is no finished run, or its tiles are missing or damaged.
    """
    from meseta.config import load_config

    folder = RunFolder(Path(path))
    old = folder.manifest()
    if old.get("status") != "finished":
        raise RunError(f"{path} is not finished; continue it with `meseta run --resume`")
    changes: dict[str, Any] = {"gates": dict(gates or {})}
    changes |= {"axes": axes} if axes else {}
    changes |= {} if min_cell is None else {"min_cell": min_cell}
    config = load_config(overrides=_merged(old["config"], changes))
    planned = _replanned(config, folder, old)
    with folder.locked():
        job = _Job(config, folder, planned, progress)
        job.manifest = begin_manifest(config, planned, old["command"])
        job.manifest |= {"created": old["created"], "rescored": now(), "rescore_command": command}
        job.manifest["timings"] = {"search_s": old.get("timings", {}).get("search_s")}
        return job.finish(SearchStore(folder.tiles, planned.problem))


def _merged(old: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return old | changes | {"gates": old["gates"] | changes["gates"]}


def run_name(config: RunConfig) -> str:
    """Return the run's folder name: as asked, or strategy, data and grid."""
    if config.name:
        return config.name
    data = Path(config.bars.replace("sample:", "")).name.split(".")[0] or "stdin"
    grid = config.grid if isinstance(config.grid, str) else "grid"
    text = f"{config.strategy}-{data}-{Path(grid).stem}"
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text.replace("-.", "-"))


def _require_free(folder: RunFolder, *, resume: bool, force: bool) -> None:
    if force or not folder.exists():
        return
    if folder.finished():
        raise RunError(
            f"{folder.path} holds a finished run; choose another --name, "
            "or overwrite it with --force"
        )
    if not resume:
        raise RunError(
            f"{folder.path} holds an unfinished run; continue it with --resume, "
            "or begin anew with --force"
        )


def _planned(config: RunConfig, folder: RunFolder, *, resume: bool) -> Plan:
    """Plan from the source, or for standard input from the copy that an unfinished run kept."""
    if resume and config.bars == "-" and folder.bars.exists():
        old = folder.manifest()
        return plan_on(config, _kept_bars(folder, old), _grid_of(old))
    return plan(config)


def _replanned(config: RunConfig, folder: RunFolder, old: dict[str, Any]) -> Plan:
    """Plan on the run's own bars and grid, with the levels that its search remembered."""
    planned = plan_on(config, _kept_bars(folder, old), _grid_of(old))
    identity = _identity(folder)
    levels = {name: tuple(values) for name, values in identity["levels"].items()}
    problem = replace(planned.problem, levels=levels, min_drawdown=identity["min_drawdown"])
    planned = replace(planned, problem=problem)
    if config.gates.min_drawdown != identity["min_drawdown"]:
        raise RunError(
            f"`min_drawdown` is part of the search ({identity['min_drawdown']:g}); "
            "run the search again to change it"
        )
    _require_same(folder, planned)
    return planned


def _kept_bars(folder: RunFolder, old: dict[str, Any]) -> Bars:
    data = old["data"]
    bars = load(
        folder.bars,
        name=data["name"],
        timezone=data["timezone"],
        stamp=data["stamp"],
        allow_nonpositive=data["allow_nonpositive"],
    )
    if bars.fingerprint != data["fingerprint"]:
        raise RunError(f"{folder.bars} is not the series of this run; run again with --force")
    # The findings name rows of the source, not of the copy.
    findings = tuple(Finding(**each) for each in data["warnings"])
    return replace(bars, source=data["source"], warnings=findings)


def _grid_of(old: dict[str, Any]) -> Grid:
    grid = old["grid"]
    return Grid(grid["name"], {name: tuple(values) for name, values in grid["values"].items()})


def _identity(folder: RunFolder) -> dict[str, Any]:
    path = folder.tiles / "search.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = found["levels"], found["min_drawdown"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} is missing or damaged, so the search cannot be used; run again with --force"
        ) from error
    return found


def _require_same(folder: RunFolder, planned: Plan) -> None:
    """Refuse to continue a search with other data or settings: a resume must not lie."""
    old, new = _identity(folder), json.loads(json.dumps(planned.problem.identity()))
    differ = [name for name in new if old.get(name) != new[name]]
    if differ:
        raise RunError(
            f"{folder.path} was searched with other {', '.join(differ)}; use the same options, "
            "or begin anew with --force"
        )


class _Job:
    """One run on its way: times its stages and collects its warnings."""

    def __init__(
        self, config: RunConfig, folder: RunFolder, planned: Plan, progress: Listener | None
    ) -> None:
        self.config, self.folder, self.plan = config, folder, planned
        self.threads = thread_count(config.threads)
        self.progress: Listener = progress or (lambda _at: None)
        self.manifest: dict[str, Any] = {}
        self.began = time.perf_counter()

    def tick(self, stage: str) -> Callable[[int, int], None]:
        return lambda done, total: self.progress(Progress(stage, done, total))

    def timed(self, name: str) -> None:
        """Note the seconds since the last stage ended."""
        now = time.perf_counter()
        self.manifest["timings"][f"{name}_s"] = round(now - self.began, 3)
        self.began = now

    def search(self, store: SearchStore) -> None:
        """Search what the store does not have."""
        total = self.plan.combinations
        self.progress(Progress("search", 0, total))
        search(
            self.plan.problem,
            store,
            threads=self.threads,
            required=self.plan.phases.required,
            gates=self.plan.gates,
            damaged=self.manifest["warnings"],
            tick=lambda done, survivors: self.progress(
                Progress("search", done, total, {"survivors": survivors})
            ),
        )
        self.timed("search")

    def finish(self, store: SearchStore) -> RunResult:
        """Score, find plateaus, run the finalists, export, report."""
        scored = score(
            self.plan.problem,
            store,
            self.plan.gates,
            required=self.plan.phases.required,
            limit=self.config.max_candidates,
            threads=self.threads,
            tick=self.tick("score"),
        )
        frame = candidates(self.plan.problem, scored, self.plan.gates, self.threads)
        self._note_scores(scored, frame)
        self.folder.write_frame("candidates.parquet", frame)
        if self.config.csv:
            with atomic_file(self.folder.path / "candidates.csv") as stream:
                frame.write_csv(stream)
        self.timed("score")
        plateaus = self._plateaus(scored, frame)
        self.timed("plateaus")
        self._finalists(plateaus, frame)
        self.timed("finalists")
        content = self._export(plateaus)
        self._conclude()
        return RunResult(self.folder.path, self.manifest, content, self._report())

    def _note_scores(self, scored: Scored, frame: pl.DataFrame) -> None:
        problem = self.plan.problem
        self.manifest["funnel"] = scored.funnel
        self.manifest["behaviours"] = {
            "exit_tables": scored.exit_tables,
            "exit_sets": sum(family.offset.size for family in problem.families),
            "entry_sets": len(problem.entry_sets.offset),
        }
        self.manifest["results_hash"] = _results_hash(scored, frame)
        if scored.funnel["relaxed"]:
            asked, found = self.plan.phases.required, scored.funnel["required"]
            self.manifest["warnings"].append(
                f"no combination is valid in {asked} phases; the candidates are valid in {found}"
            )

    def _plateaus(self, scored: Scored, frame: pl.DataFrame) -> Plateaus:
        self.tick("plateaus")(0, 1)
        lattice = Lattice(self.plan.problem, scored, self.config.axes)
        found = find_plateaus(
            frame,
            self.plan.grid,
            self.config.axes,
            phases=len(self.plan.phases.phases),
            totals=lattice.totals(),
            outcomes=lattice.outcomes,
            min_cell=self.config.min_cell,
            seed=self.config.seed,
        )
        self.manifest["warnings"] += found.warnings
        self.tick("plateaus")(1, 1)
        return found

    def _finalists(self, plateaus: Plateaus, frame: pl.DataFrame) -> Finalists:
        flats = [p.centre for p in plateaus.plateaus]
        flats += [flat for p in plateaus.plateaus for flat in p.best["flat"].to_list()]
        known = frame.filter(frame["flat"].is_in(flats)).select("flat", "stability")
        made = run_finalists(
            self.plan,
            plateaus,
            dict(known.iter_rows()),
            self.config.max_finalists,
            self.threads,
            self.tick("finalists"),
        )
        self._open_vault(bool(made.table.height))
        for name in ("equity", "trades"):
            self.folder.write_frame(f"finalists/{name}.parquet", getattr(made, name))
        self.folder.write_frame("finalists/finalists.parquet", made.table)
        return made

    def _open_vault(self, tested: bool) -> None:  # noqa: FBT001
        vault = self.plan.vault_bars
        if vault is None:
            return
        ledger = VaultLedger(self.plan.bars.source)
        if tested:
            opened = ledger.open(
                vault,
                run=self.folder.path.name,
                strategy=self.plan.strategy.name,
                grid=self.plan.grid.name,
            )
        else:
            opened = ledger.times_opened(vault)
        self.manifest["vault"]["opened"] = opened
        self.manifest["warnings"] += ledger.warnings

    def _export(self, plateaus: Plateaus) -> dict[str, Any]:
        ranges, exports, files = {}, {}, []
        folder = self.folder.path / "exports"
        name = self.plan.strategy.tradestation_name
        for plateau in plateaus.plateaus:
            found = refinement_ranges(plateau.top, self.plan.strategy.parameters, self.plan.grid)
            file = write_ranges(folder, name, plateau.rank, found)
            files.append(file)
            ranges[plateau.rank] = {each.parameter: each.to_dict() for each in found}
            exports[plateau.rank] = f"exports/{file.file}"
            clamped = [each.input for each in found if each.clamped]
            if clamped:
                self.manifest["warnings"].append(
                    f"plateau {plateau.rank} reaches beyond what TradeStation's inputs accept: "
                    f"{', '.join(clamped)} cut to the legal range"
                )
        write_config(folder, files)
        content = plateaus.to_dict(ranges=ranges, exports=exports)
        write_json(self.folder.path / "plateaus.json", content)
        return content

    def _conclude(self) -> None:
        if not self.config.keep_tiles:
            for tile in self.folder.tiles.glob("*.tile"):
                tile.unlink()
        self.manifest["status"] = "finished"
        self.manifest["finished"] = now()
        self.folder.write_manifest(self.manifest)

    def _report(self) -> Path | None:
        if not self.config.report:
            return None
        from meseta.report import write_report

        self.tick("report")(0, 1)
        page = write_report(self.folder.path)
        self.timed("report")
        self.folder.write_manifest(self.manifest)
        self.tick("report")(1, 1)
        return page


def _results_hash(scored: Scored, frame: pl.DataFrame) -> str:
    """Return a hash of the funnel and of every candidate's number, profit and stability."""
    digest = hashlib.sha256(json.dumps(scored.funnel, sort_keys=True).encode())
    for name in ("flat", "stability", "is_pnl", "oos_pnl", "oos_maxdd"):
        digest.update(frame[name].to_numpy().tobytes())
    return digest.hexdigest()
