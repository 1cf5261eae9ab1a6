"""The report of a search run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meseta.report import _sections as sections
from meseta.report._figures import Figures
from meseta.report._format import duration, plain
from meseta.report._page import write_page
from meseta.report._plateau_view import plateau_views
from meseta.report._run import read_run
from meseta.report._statements import SHORT_COSTS, constrained, extent, sample, shorts
from meseta.report._variants import COMPARISON, VARIANTS

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.report._record import Record
    from meseta.report._run import Run

__all__ = ["FINDINGS", "pretty", "timings", "write_report"]

FINDINGS = 40  # rows of the data's remarks; a bad file can have thousands


def write_report(run_folder: Path) -> Path:
    """Write `report.html` into a run folder, from what that folder holds and nothing else.

    The page is one file: it opens from disk without a network, in the reader's light or dark
    theme, on a phone and on paper. What the run does not have (no candidates, no plateaus, no
    vault, an early stop) is said where it would stand.

    Parameters
    ----------
    run_folder
        A folder under `runs/` with at least `manifest.json`.

    Returns
    -------
    Path of the page.

    Raises
    ------
    RunError
        There is no manifest, a file is damaged, or the page cannot be written.
    """
    run = read_run(run_folder)
    figures = Figures()
    content = _content(run, figures)
    return write_page(run_folder / "report.html", "report.html.j2", figures, **content)


def _content(run: Run, figures: Figures) -> dict[str, Any]:
    manifest = run.manifest
    rows = sections.spans(run)
    vault = manifest.vault
    return {
        "manifest": manifest,
        "strategy": manifest.strategy,
        "plateaus": run.plateaus,
        "extent": extent(manifest),
        "sample": sample(manifest),
        "constrained": constrained(manifest),
        "shorts": shorts(manifest),
        "short_costs": SHORT_COSTS,
        "made_up": sections.invented(manifest),
        "comparison": _comparison(run),
        "data_facts": sections.data_facts(manifest),
        "tiles": sections.tiles(run),
        "account": sections.account_facts(manifest),
        "behaviours": sections.behaviours(manifest),
        "costless": sections.costless(manifest),
        "timeline": sections.timeline_chart(run, rows, figures),
        "gates": sections.gate_rows(manifest),
        "valid_total": sum(manifest.funnel.valid_in.values()),
        "luck": sections.luck(manifest),
        "map": sections.map_chart(run, figures),
        "views": plateau_views(run, rows, figures),
        "vault": sections.vault_view(run, figures),
        "opened": sections.opened(None if vault is None else vault.opened),
        "findings_shown": FINDINGS,
        "environment": [(name, plain(value)) for name, value in manifest.environment.items()],
        "timings": timings(manifest),
        "config": pretty(manifest.config),
    }


def _comparison(run: Run) -> str | None:
    """Address of the page that compares the variants, from this run's folder; None without."""
    if run.manifest.variants:
        return COMPARISON
    folder = run.folder.resolve().parent
    if folder.name == VARIANTS and (folder.parent / "manifest.json").is_file():
        return f"../../{COMPARISON}"
    return None


def timings(manifest: Record) -> list[tuple[str, str]]:
    """List what took how long."""
    return [
        (name.removesuffix("_s").replace("_", " "), duration(value))
        for name, value in manifest.timings.items()
    ]


def pretty(config: dict[str, Any]) -> str:
    """Write a configuration to be read; nothing for an empty one."""
    return json.dumps(config, indent=2, ensure_ascii=False) if config else ""
