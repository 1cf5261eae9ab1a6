"""The page of a Bayesian study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meseta.report import _optimize_how as how
from meseta.report import _optimize_sections as sections
from meseta.report import _optimize_walk as walk
from meseta.report import _sections as shared
from meseta.report._figures import Figures
from meseta.report._format import plain
from meseta.report._optimize_equity import equity_view, lots_views
from meseta.report._optimize_run import IN_SAMPLE, OUT_OF_SAMPLE, read_study
from meseta.report._optimize_verdict import study_tiles, study_verdict
from meseta.report._optimize_words import FIGURES, SIDES, figure, span_text
from meseta.report._page import write_page
from meseta.report._report import FINDINGS, pretty, timings

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.report._optimize_run import Study

__all__ = ["write_optimize_report"]

_TABLE = ("sharpe", "total_return", "max_drawdown", "profit_factor", "trades")


def write_optimize_report(folder: Path) -> Path:
    """Write `report.html` into the folder of a Bayesian study, from what that folder holds.

    The page is one file: it opens from disk without a network, in the reader's light or dark
    theme, on a phone and on paper. What the study does not have (a feasible trial, a vault, null
    markets, a confirmation) is said where it would stand.

    Parameters
    ----------
    folder
        A run folder with at least a `manifest.json` of kind "optimize".

    Returns
    -------
    Path of the page.

    Raises
    ------
    RunError
        There is no manifest, it is of another kind, a file is damaged, or the page cannot be
        written.
    """
    study = read_study(folder)
    figures = Figures()
    content = _statements(study) | _trials(study, figures) | _results(study, figures)
    return write_page(folder / "report.html", "optimize.html.j2", figures, **content)


def _trials(study: Study, figures: Figures) -> dict[str, Any]:
    """Return what the page shows of all trials."""
    return {
        "null_strip": sections.null_strip(study, figures),
        "funnel": sections.funnel(study),
        "misses": sections.misses(study),
        "sides": sections.sides(study),
        "best_sides": sections.best_sides(study),
        "history": sections.history(study, figures),
        "importance": sections.importance(study, figures),
        "slices": sections.slice_views(study, figures),
        "fixed": sections.fixed(study),
        "lines": sections.lines_view(study, figures),
        "pareto": sections.pareto_view(study, figures),
    }


def _results(study: Study, figures: Figures) -> dict[str, Any]:
    """Return what the page shows of the best trial, and of what was tried with it."""
    return {
        "equity": equity_view(study, figures),
        "lots": lots_views(study),
        "confirmed": walk.confirmed(study),
        "windows": walk.windows_view(study, figures),
        "space": how.space_rows(study),
        "terms": how.terms(study),
    }


def _statements(study: Study) -> dict[str, Any]:
    """Return what is said of the study as a whole."""
    manifest = study.manifest
    return {
        "study": study,
        "manifest": manifest,
        "summary": study.summary,
        "tiles": study_tiles(study),
        "verdict": study_verdict(study),
        "made_up": shared.invented(manifest),
        "opened": shared.opened(None if manifest.vault is None else manifest.vault.opened),
        "strategy": manifest.strategy.name,
        "confirmable": manifest.strategy.kind == how.HEDGE,
        "market_facts": how.market_facts(manifest),
        "costless": how.costless(manifest),
        "startup": how.option_of(manifest, "startup_trials"),
        "options": how.option_facts(manifest),
        "rules": how.constraint_facts(manifest),
        "in_sample": span_text(manifest, IN_SAMPLE),
        "beyond": span_text(manifest, OUT_OF_SAMPLE),
        "headings": SIDES,
        "inside": IN_SAMPLE,
        "outside": OUT_OF_SAMPLE,
        "figure": figure,
        "labels": {name: label for name, (label, _) in FIGURES.items()},
        "columns": _TABLE,
        "findings_shown": FINDINGS,
        "environment": [(name, plain(value)) for name, value in manifest.environment.items()],
        "timings": timings(manifest),
        "config": pretty(manifest.config),
    }
