"""The page of a walk-forward run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meseta.report import _sections as shared
from meseta.report import _walkforward_sections as sections
from meseta.report._figures import Figures
from meseta.report._format import plain
from meseta.report._page import write_page
from meseta.report._report import FINDINGS, pretty, timings
from meseta.report._statements import SHORT_COSTS, constrained, extent, sample
from meseta.report._walkforward_matrix import matrix_view
from meseta.report._walkforward_run import read_walk
from meseta.report._walkforward_verdict import FORMS, median_text, tiles, verdict

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.report._walkforward_run import Walk, WalkManifest

__all__ = ["write_walkforward_report"]


def write_walkforward_report(folder: Path) -> Path:
    """Write `report.html` into the folder of a walk-forward, from what that folder holds.

    The page is one file: it opens from disk without a network, in the reader's light or dark
    theme, on a phone and on paper. What the run does not have (an exact re-run, a matrix, a
    window that traded) is said where it would stand.

    Parameters
    ----------
    folder
        A run folder with at least a `manifest.json` of kind "walkforward".

    Returns
    -------
    Path of the page.

    Raises
    ------
    RunError
        There is no manifest, it is of another kind, a file is damaged, or the page cannot be
        written.
    """
    walk = read_walk(folder)
    figures = Figures()
    content = _content(walk, figures)
    return write_page(folder / "report.html", "walkforward.html.j2", figures, **content)


def _content(walk: Walk, figures: Figures) -> dict[str, Any]:
    return _statements(walk) | {
        "tiles": tiles(walk),
        "verdict": verdict(walk),
        "forms": FORMS,
        "median": median_text(walk),
        "curve": sections.curve_view(walk, figures),
        "rivals": sections.rivals(walk),
        "geometry": sections.geometry(walk, figures),
        "windows": sections.windows_view(walk),
        "gap": sections.gap_view(walk, figures),
        "paths": sections.path_views(walk, figures),
        "matrix": matrix_view(walk, figures),
        "trades": sections.trades_view(walk),
    }


def _statements(walk: Walk) -> dict[str, Any]:
    """Return what is known before anything was traded."""
    manifest = walk.manifest
    return {
        "manifest": manifest,
        "strategy": manifest.strategy.name,
        "exact": walk.exact,
        "extent": extent(manifest),
        "sample": sample(manifest),
        "constrained": constrained(manifest),
        "behaviours": None,
        "shorts": sections.shorts(walk),
        "short_costs": _short_costs(manifest),
        "made_up": shared.invented(manifest),
        "fitness": sections.fitness_text(manifest),
        "window_facts": sections.window_facts(manifest),
        "data_facts": _data_facts(manifest),
        "account": shared.account_facts(manifest, "Capital") + sections.contract_facts(manifest),
        "costless": shared.costless(manifest) and not manifest.contract.roll_cost,
        "findings_shown": FINDINGS,
        "environment": [(name, plain(value)) for name, value in manifest.environment.items()],
        "timings": timings(manifest),
        "config": pretty(manifest.config),
    }


def _short_costs(manifest: WalkManifest) -> str:
    """Say what shorts are spared; nobody borrows a future to sell it."""
    future = manifest.contract.point_value != 1.0
    return "No margin call is counted." if future else SHORT_COSTS


def _data_facts(manifest: WalkManifest) -> list[tuple[str, str]]:
    stubs = manifest.data.stubs
    cut = [("Shorter bars at a session’s end", plain(stubs))] if stubs else []
    return shared.data_facts(manifest) + cut
