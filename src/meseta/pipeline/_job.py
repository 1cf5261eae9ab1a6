"""One strategy's search on its way into its folder: search, score, plateaus, finalists, pages."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._files import atomic_file, write_json
from meseta.errors import RunError
from meseta.export import write_config
from meseta.pipeline._exports import range_files, why_not_exported, write_range_files
from meseta.pipeline._finalists import run_finalists
from meseta.pipeline._manifest import begin_manifest, now
from meseta.pipeline._progress import Progress
from meseta.search import Lattice, SearchStore, candidates, score, search, thread_count
from meseta.selection import find_plateaus
from meseta.vault import VaultLedger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from meseta.export import RangeFile
    from meseta.pipeline._finalists import Finalists
    from meseta.pipeline._plan import Plan
    from meseta.pipeline._progress import Listener
    from meseta.runs import RunFolder
    from meseta.search import Scored
    from meseta.selection import Plateaus

__all__ = ["Job", "RunResult", "identity_of"]

# Options that decide what is made of a search; those of the search itself are its identity.
_OF_THE_RESULT = ("gates", "axes", "min_cell", "max_candidates", "max_finalists", "seed")


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
    variants
        The strategy's simpler variants, when they were searched too.
    comparison
        The HTML page that compares the variants, or None.
    """

    folder: Path
    manifest: dict[str, Any]
    plateaus: dict[str, Any]
    report: Path | None
    variants: tuple[RunResult, ...] = ()
    comparison: Path | None = None


def identity_of(folder: RunFolder) -> dict[str, Any]:
    """Return what a folder's search was asked.

    Raises
    ------
    RunError
        The record is missing or damaged.
    """
    path = folder.tiles / "search.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = found["levels"], found["min_drawdown"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} is missing or damaged, so the search cannot be used; run again with --force"
        ) from error
    return found


class Job:
    """One strategy's run: times its stages and collects its warnings.

    Parameters
    ----------
    planned
        What to do.
    folder
        Where it goes.
    progress
        Is told where it is, or None.
    extra
        What the manifest says beside the usual.
    main
        For a variant the folder of the run that it belongs to, which has the exports of all.
    before
        The jobs whose exports come first.
    part
        Name for the listener, see `Progress`.
    """

    def __init__(
        self,
        planned: Plan,
        folder: RunFolder,
        progress: Listener | None,
        *,
        extra: dict[str, Any],
        main: RunFolder | None = None,
        before: tuple[Job, ...] = (),
        part: str = "",
    ) -> None:
        self.plan, self.config, self.folder = planned, planned.config, folder
        self.main, self.before, self.extra, self.part = main, before, extra, part
        self.threads = thread_count(self.config.threads)
        self.listener: Listener = progress or (lambda _at: None)
        self.store = SearchStore(folder.tiles, planned.problem)
        self.manifest: dict[str, Any] = {}
        self.began = 0.0

    def require_same(self) -> None:
        """Refuse to continue a search with other data or settings: a resume must not lie.

        Raises
        ------
        RunError
            The folder's search was another one.
        """
        old, new = identity_of(self.folder), json.loads(json.dumps(self.plan.problem.identity()))
        said = {"source": "contents of the strategy's file"}
        differ = [said.get(name, name) for name in new if old.get(name) != new[name]]
        if differ:
            raise RunError(
                f"{self.folder.path} was searched with other {', '.join(differ)}; use the same "
                "options, or begin anew with --force"
            )

    def done(self) -> bool:
        """Tell whether the folder holds the finished result of the same search and options."""
        if not self.folder.exists():
            return False
        old, new = self.folder.manifest(), self.config.model_dump(mode="json")
        same = all(old["config"].get(name) == new[name] for name in _OF_THE_RESULT)
        return same and old.get("status") == "finished"

    def run(self, command: str, *, resume: bool) -> RunResult:
        """Do all of it; with `resume` only what the folder does not have."""
        if resume and self.done():
            return self._again()
        if not (resume and self.folder.exists()):
            self.folder.clear()
        self.manifest = begin_manifest(self.plan, command) | self.extra
        # A folder with a manifest is a run that can be continued, so the rest comes first.
        self.store.begin()
        self.folder.write_bars(self.plan.bars)
        self.folder.write_manifest(self.manifest)
        self._begin_clock()
        self._search()
        return self._finish()

    def rescore(self, old: dict[str, Any], command: str) -> RunResult:
        """Score what the folder's search kept; `old` is its manifest."""
        self.manifest = begin_manifest(self.plan, old["command"]) | self.extra
        self.manifest |= {
            "status": "rescoring",
            "created": old["created"],
            "rescored": now(),
            "rescore_command": command,
        }
        self.manifest["timings"] = {"search_s": old.get("timings", {}).get("search_s")}
        self._begin_clock()
        return self._finish()

    def tick(self, stage: str) -> Callable[[int, int], None]:
        """Return what tells the listener of steps done and in all."""
        return lambda done, total: self.tell(stage, done, total)

    def tell(self, stage: str, done: int, total: int, **facts: Any) -> None:
        """Tell the listener where the job is."""
        self.listener(Progress(stage, done, total, facts, self.part))

    def range_files(self) -> list[RangeFile]:
        """Return the range files that the folder's result names."""
        if why_not_exported(self.plan.strategy) is not None:
            return []
        return range_files(self.plan.strategy, self.folder.plateaus())

    def _begin_clock(self) -> None:
        self.began = time.perf_counter()

    def _timed(self, name: str) -> None:
        """Note the seconds since the last stage ended."""
        before = self.began
        self._begin_clock()
        self.manifest["timings"][f"{name}_s"] = round(self.began - before, 3)

    def _again(self) -> RunResult:
        """Return the result that is there, with the page if it is still missing."""
        self.manifest = self.folder.manifest() | self.extra
        self.folder.write_manifest(self.manifest)
        self._list_exports()
        self._begin_clock()
        page = self.folder.report if self.config.report else None
        if page is not None and not page.exists():
            page = self._report()
        return RunResult(self.folder.path, self.manifest, self.folder.plateaus(), page)

    def _search(self) -> None:
        """Search what the store does not have."""
        total = self.plan.combinations
        self.tell("search", 0, total)
        search(
            self.plan.problem,
            self.store,
            threads=self.threads,
            required=self.plan.phases.required,
            gates=self.plan.gates,
            damaged=self.manifest["warnings"],
            tick=lambda done, survivors: self.tell("search", done, total, survivors=survivors),
        )
        self._timed("search")

    def _finish(self) -> RunResult:
        """Score, find plateaus, run the finalists, export, report."""
        scored = score(
            self.plan.problem,
            self.store,
            self.plan.gates,
            required=self.plan.phases.required,
            limit=self.config.max_candidates,
            threads=self.threads,
            tick=self.tick("score"),
        )
        frame = candidates(self.plan.problem, self.store, scored, self.plan.gates, self.threads)
        self._note_scores(scored, frame)
        self._replace_results(frame)
        self._timed("score")
        plateaus = self._plateaus(frame)
        self._timed("plateaus")
        self._finalists(plateaus, frame)
        self._timed("finalists")
        content = self._export(plateaus)
        self._conclude()
        page = self._report() if self.config.report else None
        return RunResult(self.folder.path, self.manifest, content, page)

    def _note_scores(self, scored: Scored, frame: pl.DataFrame) -> None:
        problem = self.plan.problem
        self.manifest["funnel"] = scored.funnel
        # A sample is no product of entry sets and exit sets.
        self.manifest["behaviours"] = (
            {}
            if problem.flats is not None
            else {
                "exit_tables": scored.exit_tables,
                "exit_sets": problem.contexts.size * problem.stops.size * problem.factors.size,
                "entry_sets": problem.entries.size,
            }
        )
        self.manifest["results_hash"] = _results_hash(scored, frame)
        if scored.funnel["relaxed"]:
            asked, found = self.plan.phases.required, scored.funnel["required"]
            self.manifest["warnings"].append(
                f"no combination is valid in {asked} phases; the candidates are valid in {found}"
            )

    def _replace_results(self, frame: pl.DataFrame) -> None:
        """Write the candidates; from here on until the end the folder is not finished."""
        self.folder.write_manifest(self.manifest)
        self.folder.clear_pages()
        if self.main is not None:
            self.main.comparison.unlink(missing_ok=True)
        self.folder.write_frame("candidates.parquet", frame)
        if self.config.csv:
            with atomic_file(self.folder.path / "candidates.csv") as stream:
                frame.write_csv(stream)

    def _plateaus(self, frame: pl.DataFrame) -> Plateaus:
        self.tell("plateaus", 0, 1)
        lattice = Lattice(self.plan.problem, self.store, self.config.axes, threads=self.threads)
        totals = lattice.totals()
        found = find_plateaus(
            frame,
            self.plan.grid,
            self.config.axes,
            phases=len(self.plan.phases.phases),
            totals=totals,
            outcomes=lattice.outcomes,
            min_cell=self.config.min_cell,
            seed=self.config.seed,
        )
        median, worst, profitable = lattice.outcomes(np.argwhere(totals.combinations > 0))
        self.manifest["whole_grid"] = {
            "profitable": profitable,
            "median_oos": median,
            "worst_oos": worst,
        }
        self.manifest["warnings"] += found.warnings
        self.tell("plateaus", 1, 1)
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
                run=(self.main or self.folder).path.name,
                strategy=self.plan.strategy.name,
                grid=self.plan.grid.name,
            )
        else:
            opened = ledger.times_opened(vault)
        self.manifest["vault"]["opened"] = opened
        self.manifest["warnings"] += ledger.warnings

    def _export(self, plateaus: Plateaus) -> dict[str, Any]:
        strategy, reason = self.plan.strategy, why_not_exported(self.plan.strategy)
        if reason is not None:
            content = plateaus.to_dict()
            self.manifest["warnings"].append(reason)
        else:
            folder = (self.main or self.folder).exports
            prefix = "exports/" if self.main is None else "../../exports/"
            content, warnings = write_range_files(
                folder, prefix, plateaus, strategy, self.plan.grid
            )
            self.manifest["warnings"] += warnings
        write_json(self.folder.path / "plateaus.json", content)
        self._list_exports()
        return content

    def _list_exports(self) -> None:
        """List the range files of this job and of those before it."""
        jobs = [job for job in (*self.before, self) if why_not_exported(job.plan.strategy) is None]
        if jobs:
            files = [file for job in jobs for file in job.range_files()]
            write_config((self.main or self.folder).exports, files)

    def _conclude(self) -> None:
        if not self.config.keep_tiles:
            for tile in self.folder.tiles.glob("*.tile"):
                tile.unlink()
        self.manifest["status"] = "finished"
        self.manifest["finished"] = now()
        self.folder.write_manifest(self.manifest)

    def _report(self) -> Path:
        from meseta.report import write_report

        self.tell("report", 0, 1)
        page = write_report(self.folder.path)
        self._timed("report")
        self.folder.write_manifest(self.manifest)
        self.tell("report", 1, 1)
        return page


def _results_hash(scored: Scored, frame: pl.DataFrame) -> str:
    """Return a hash of the funnel and of every candidate's number, profit and stability."""
    digest = hashlib.sha256(json.dumps(scored.funnel, sort_keys=True).encode())
    for name in ("flat", "stability", "is_pnl", "oos_pnl", "oos_maxdd"):
        digest.update(frame[name].to_numpy().tobytes())
    return digest.hexdigest()
