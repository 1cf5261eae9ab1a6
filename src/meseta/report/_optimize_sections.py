"""From a study's folder to what its page shows of the trials, one function per section."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.report._format import brief, count, plain
from meseta.report._optimize_charts import (
    history_chart,
    importance_chart,
    null_chart,
    pareto_chart,
    slice_chart,
)
from meseta.report._optimize_how import option_of
from meseta.report._optimize_lines import MOST_AXES, Picked, lines_chart, picked
from meseta.report._optimize_run import IN_SAMPLE, METRICS, OUT_OF_SAMPLE, finite
from meseta.report._optimize_verdict import known_scores
from meseta.report._optimize_words import constraint_label, constraint_metric, figure

if TYPE_CHECKING:
    from meseta.report._figures import Figures
    from meseta.report._optimize_run import Study

__all__ = [
    "Funnel",
    "LinesView",
    "Miss",
    "ParetoView",
    "SidesView",
    "SliceView",
    "best_sides",
    "fixed",
    "funnel",
    "history",
    "importance",
    "lines_view",
    "misses",
    "null_strip",
    "pareto_view",
    "sides",
    "slice_views",
]

_SHOWN = 10  # trials in a table


@dataclass(frozen=True)
class Funnel:
    """The constraints: label, trials that meet it alone, and it with all before it.

    `states` says what became of all trials; `complete` is what the shares are of.
    """

    complete: int
    rows: list[tuple[str, int | None, int | None]]
    states: str


@dataclass(frozen=True)
class Miss:
    """A trial that misses: its numbers, and each constraint that it breaks with its figure."""

    trial: int
    violation: float | None
    score: float | None
    broken: list[tuple[str, str]]


@dataclass(frozen=True)
class SidesView:
    """The best trials on both sides of the vault's edge.

    Attributes
    ----------
    rows
        Rank, trial, whether feasible, and the metrics by part.
    medians
        Of every metric by part.
    vault
        Whether anything is known of the vault.
    """

    rows: list[dict[str, Any]]
    medians: dict[str, dict[str, float | None]]
    vault: bool


@dataclass(frozen=True)
class SliceView:
    """One parameter's chart, its tried range in words, and its share of the variation."""

    name: str
    chart: str
    tried: str
    importance: float | None


@dataclass(frozen=True)
class LinesView:
    """The parallel coordinates, what stands out there, and what has no axis."""

    chart: str
    chosen: Picked
    left_out: list[str]


@dataclass(frozen=True)
class ParetoView:
    """The chart, how many trials have no place in it, and the rows of the front."""

    chart: str | None
    missing: int
    rows: list[dict[str, Any]]


def funnel(study: Study) -> Funnel | None:
    """Count what each constraint leaves; None where that was not recorded."""
    summary = study.summary
    if not summary.funnel:
        return None
    states = [("complete", summary.complete), ("pruned", summary.pruned)]
    known = [f"{count(n)} {name}" for name, n in [*states, ("failed", summary.failed)] if n]
    rows = [
        (constraint_label(step.constraint, step.threshold), step.passed, step.passed_so_far)
        for step in summary.funnel
    ]
    return Funnel(summary.complete or 0, rows, ", ".join(known))


def misses(study: Study) -> list[Miss]:
    """List the trials that miss by least, those of the same parameters once.

    Empty where one is feasible or none is complete.
    """
    if study.summary.best is not None or study.trials is None:
        return []
    done = study.trials.filter(pl.col("state") == "complete", finite("violation"))
    columns = [f"param_{name}" for name in study.parameters] or ["number"]
    nearest = done.sort("violation", "number").unique(columns, keep="first", maintain_order=True)
    return [_miss(study, row) for row in nearest.head(_SHOWN).iter_rows(named=True)]


def _miss(study: Study, row: dict[str, Any]) -> Miss:
    names = [name.strip() for name in (row["violated"] or "").split(",") if name.strip()]
    thresholds = {step.constraint: step.threshold for step in study.summary.funnel}
    broken = []
    for name in names:
        metric = constraint_metric(name)
        known = thresholds.get(name)
        asked = constraint_label(name, known) if known is not None else name.replace("_", " ")
        broken.append((asked, "" if metric is None else figure(metric, row[metric])))
    return Miss(row["number"], row["violation"], row["score"], broken)


def sides(study: Study) -> SidesView | None:
    """Put the best trials' in-sample beside their vault; None where that was not written."""
    if study.spans is None:
        return None
    first = study.spans.filter(pl.col("part") == IN_SAMPLE).sort("rank").head(_SHOWN)
    rows = [
        {
            "rank": row["rank"],
            "trial": row["trial"],
            "feasible": _feasible(study, row["trial"]),
            "parts": {part: study.side(row["trial"], part) for part in _PARTS},
        }
        for row in first.iter_rows(named=True)
    ]
    beyond = [row["parts"][OUT_OF_SAMPLE] for row in rows]
    return SidesView(rows, {p: _medians(study, p) for p in _PARTS}, any(beyond))


def best_sides(study: Study) -> dict[str, dict[str, Any]]:
    """Return the best trial's metrics by part, of the table first: JSON has no infinity."""
    best = study.summary.best
    if best is None:
        return {}
    known = {IN_SAMPLE: best.in_sample, OUT_OF_SAMPLE: best.out_of_sample or {}}
    return {part: study.side(best.trial, part) or made for part, made in known.items()}


_PARTS = (IN_SAMPLE, OUT_OF_SAMPLE)


def _feasible(study: Study, trial: int) -> bool:
    if study.trials is None:
        return False
    return bool(study.trials.filter(pl.col("number") == trial)["feasible"].any())


def _medians(study: Study, part: str) -> dict[str, float | None]:
    frame = pl.DataFrame() if study.spans is None else study.spans
    return frame.filter(pl.col("part") == part).select(pl.col(METRICS).median()).row(0, named=True)


# Charts of the trials


def history(study: Study, figures: Figures) -> str | None:
    """Draw the history and return the chart's name; None where no trial has a score."""
    if study.scored is None or study.trials is None:
        return None
    lost = study.trials.join(study.scored.select("number"), on="number", how="anti")
    startup = option_of(study.manifest, "startup_trials") or 0
    lost = lost.with_columns(
        pl.when(pl.col("state") == "complete")
        .then(pl.lit("no score"))
        .otherwise("state")
        .alias("state")
    )
    return figures.add("history", history_chart(study.scored, lost, _best(study), int(startup)))


def null_strip(study: Study, figures: Figures) -> str | None:
    """Draw the null markets' best scores; None where there are none."""
    null = study.summary.null
    if null is None or not known_scores(null):
        return None
    return figures.add("null", null_chart(known_scores(null), null.score))


def importance(study: Study, figures: Figures) -> str | None:
    """Draw the importance of the parameters; None where it is not known."""
    known = study.importance
    return figures.add("importance", importance_chart(known)) if known else None


def slice_views(study: Study, figures: Figures) -> list[SliceView]:
    """Draw the score against every parameter that varies, the most important first."""
    if study.scored is None:
        return []
    names = _by_importance(study)
    return [
        _slice(study, study.scored, number, name, figures) for number, name in enumerate(names, 1)
    ]


def fixed(study: Study) -> list[tuple[str, str]]:
    """List the parameters that have one value in all trials, and that value."""
    varying = _by_importance(study)
    if study.scored is None:
        return []
    row = study.scored.row(0, named=True)
    return [(n, plain(row[f"param_{n}"])) for n in study.parameters if n not in varying]


def _by_importance(study: Study) -> list[str]:
    """Return the parameters with more than one value, the most important first."""
    frame = study.scored
    if frame is None:
        return []
    varying = [n for n in study.parameters if frame[f"param_{n}"].drop_nulls().n_unique() > 1]
    return sorted(varying, key=lambda name: -study.importance.get(name, 0.0))


def _slice(
    study: Study, scored: pl.DataFrame, number: int, name: str, figures: Figures
) -> SliceView:
    values = scored[f"param_{name}"].cast(pl.Float64)
    chart = figures.add(f"slice-{number}", slice_chart(name, scored, _best(study)))
    tried = f"{brief(values.min())} … {brief(values.max())}"
    return SliceView(name, chart, tried, study.importance.get(name))


def lines_view(study: Study, figures: Figures) -> LinesView | None:
    """Draw the parallel coordinates; None where fewer than two trials or parameters are there."""
    names = _by_importance(study)
    if study.scored is None or len(study.scored) < 2 or len(names) < 2:
        return None
    chosen = picked(study.scored)
    chart = lines_chart(study.scored, names[:MOST_AXES], chosen, _best(study))
    return LinesView(figures.add("lines", chart), chosen, names[MOST_AXES:])


def _best(study: Study) -> int | None:
    return None if study.summary.best is None else study.summary.best.trial


# Return against drawdown


def pareto_view(study: Study, figures: Figures) -> ParetoView | None:
    """Draw return against drawdown; None where no trial was completed."""
    if study.trials is None:
        return None
    done = study.trials.filter(pl.col("state") == "complete")
    known = done.filter(finite("total_return"), finite("max_drawdown"))
    if done.is_empty():
        return None
    chart = pareto_chart(known, _front(known), _best(study)) if len(known) else None
    name = None if chart is None else figures.add("pareto", chart)
    return ParetoView(name, len(done) - len(known), _front_rows(study, done))


def _front(known: pl.DataFrame) -> list[int]:
    """Return the numbers of the trials that no other beats in return and drawdown at once."""
    front, most = [], -math.inf
    ordered = known.sort("max_drawdown", "total_return", descending=[False, True])
    for number, made in ordered.select("number", "total_return").iter_rows():
        if made > most:
            front.append(number)
            most = made
    return front


def _front_rows(study: Study, done: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the trials that a study of several objectives found; none of a study of one."""
    if not study.summary.multi:
        return []
    rows = done.filter(pl.col("number").is_in(study.summary.pareto)).sort("max_drawdown")
    return [
        row | {"values": {name: row[f"param_{name}"] for name in study.parameters}}
        for row in rows.iter_rows(named=True)
    ]
