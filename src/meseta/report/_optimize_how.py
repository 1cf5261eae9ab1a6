"""From a study's folder to how it was done: objective, options, space, confirmation, windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import Curve, Line, base_layout, curves_chart, deepened
from meseta.report._format import MISSING, brief, duration, plain, share
from meseta.report._optimize_words import constraint_label
from meseta.report._palette import tone
from meseta.report._sampling import thinned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meseta.report._figures import Figures
    from meseta.report._optimize_run import Study, StudyManifest

__all__ = [
    "Confirmed",
    "SpaceRow",
    "Starts",
    "Term",
    "WindowsView",
    "confirmed",
    "constraint_facts",
    "option_facts",
    "space_rows",
    "terms",
    "windows_view",
]

_POINTS = 1200  # of each stitched curve
_TERMS = {
    "sharpe": ("Sharpe", "sharpe"),
    "profit": ("Profit", "total_return"),
    "calmar": ("Calmar", "calmar"),
    "drawdown": ("Drawdown", "max_drawdown"),
}
_FRACTIONS = ("total_return", "max_drawdown")
_SAMPLERS = {
    "tpe": "TPE (Optuna), multivariate",
    "nsga2": "NSGA-II (Optuna): return, drawdown and Sharpe at once",
    "random": "random, which learns nothing",
}
_PRUNERS = {"none": "none", "median": "median of the other trials"}
_ADAPTIVE = {
    "report-only": "the sampler learns between fixed bounds; what is ranked has the last epoch’s",
    "rebuild": "scores are made anew at every epoch, for the sampler too",
}


def _named(names: Mapping[str, str]) -> Callable[[Any], str]:
    """Return how to write a choice: in words where there are some."""
    return lambda value: names.get(value, plain(value))


def _limit(seconds: Any) -> str:
    return duration(seconds) if seconds else "none"


def _processes(number: Any) -> str:
    return plain(number) if number else "one less than there are cores"


_OPTIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "sampler": ("Sampler", _named(_SAMPLERS)),
    "seed": ("Seed", plain),
    "trials": ("Trials", plain),
    "startup_trials": ("Drawn at random first", plain),
    "batch": ("Drawn together", plain),
    "workers": ("Processes", _processes),
    "timeout": ("Time limit of a back-test", _limit),
    "pruner": ("Pruner", _named(_PRUNERS)),
    "segments": ("Segments of a pruned back-test", plain),
    "adaptive": ("Adaptive normalisation", _named(_ADAPTIVE)),
    "epoch_every": ("Trials of an epoch", plain),
}


@dataclass(frozen=True)
class Term:
    """One term of the objective: its weight and the bounds it is normalised between."""

    name: str
    weight: str
    bounds: str
    last: str


@dataclass(frozen=True)
class SpaceRow:
    """One parameter: what was searched, the best value, and whether it is the last one tried."""

    name: str
    group: str
    range: str
    unit: str
    meaning: str
    best: str
    edge: str


@dataclass(frozen=True)
class Confirmed:
    """One trial on both engines: rows of figures, and the causes of the difference in money."""

    trial: int
    engines: dict[str, dict[str, Any]]
    causes: list[dict[str, Any]]

    def difference(self, name: str) -> float | None:
        """Return NautilusTrader's figure less the compiled one; None where either is missing."""
        one, other = self.engines.get("compiled"), self.engines.get("nautilus")
        if not one or not other or one[name] is None or other[name] is None:
            return None
        return float(other[name] - one[name])


@dataclass(frozen=True)
class Starts:
    """What the windows made out-of-sample with one kind of start, on average."""

    name: str
    windows: int
    feasible: int
    score: float | None
    sharpe: float | None
    total_return: float | None
    positive: int


@dataclass(frozen=True)
class WindowsView:
    """The walk-forward: charts, one row a window, and the two kinds of start compared.

    `better` and `both` count the windows in which the warm start returned more, and those that
    both kinds have.
    """

    curve: str | None
    chart: str
    rows: list[dict[str, Any]]
    names: list[str]
    starts: list[Starts]
    better: int
    both: int


# How it was done


def terms(study: Study) -> list[Term]:
    """List the terms of the objective that have a weight; empty where it was not recorded."""
    objective = study.manifest.objective
    first = objective.get("bounds") or {}
    last = study.summary.adaptive.bounds
    found = []
    for key, (name, metric) in _TERMS.items():
        weight = objective.get(key)
        of = objective.get("profit_metric") or metric if key == "profit" else metric
        said = "Profit factor" if of == "profit_factor" else name
        if isinstance(weight, int | float) and weight:
            found.append(Term(said, plain(weight), _bounds(first, of), _bounds(last, of)))
    return found


def _bounds(bounds: Any, metric: str) -> str:
    pair = bounds.get(metric) if isinstance(bounds, dict) else None
    if not isinstance(pair, list) or len(pair) != 2:
        return MISSING
    write = share if metric in _FRACTIONS else plain
    return " to ".join(write(value) for value in pair)


def option_facts(manifest: StudyManifest) -> list[tuple[str, str]]:
    """List the name and value of every option of the study."""
    options = manifest.options
    known = [
        (said, show(options[key])) for key, (said, show) in _OPTIONS.items() if key in options
    ]
    others = [(k.replace("_", " "), plain(v)) for k, v in options.items() if k not in _OPTIONS]
    return known + others


def constraint_facts(manifest: StudyManifest) -> list[str]:
    """Write every constraint, and how many may be broken."""
    rules = [
        constraint_label(name, value)
        for name, value in manifest.constraints.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if not rules:
        return []
    strict = manifest.constraints.get("strict", True)
    return [*rules, "Strict: all must hold" if strict else "Lenient: one may be broken"]


def space_rows(study: Study) -> list[SpaceRow]:
    """List the parameters with the best trial's values; empty where it was not recorded."""
    best = {} if study.summary.best is None else study.summary.best.params
    return [
        SpaceRow(
            **row,
            best=brief(best.get(row["name"])),
            edge=_edge(study, row["name"], best.get(row["name"])),
        )
        for row in study.space
    ]


def _edge(study: Study, name: str, value: Any) -> str:
    """Say where a value is the lowest or the highest that any trial tried."""
    column = f"param_{name}"
    if study.trials is None or value is None or column not in study.trials.columns:
        return ""
    tried = study.trials[column].drop_nulls()
    if tried.n_unique() < 3:
        return ""
    return {tried.min(): "lowest tried", tried.max(): "highest tried"}.get(value, "")


# Confirmation


def confirmed(study: Study) -> list[Confirmed]:
    """Put both engines side by side, trial by trial; empty before `meseta confirm`."""
    frame = study.confirmation
    if frame is None:
        return []
    trials = frame["trial"].unique(maintain_order=True).to_list()
    return [
        Confirmed(trial, _engines(frame.filter(pl.col("trial") == trial)), _causes(study, trial))
        for trial in trials
    ]


def _engines(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["engine"]: row for row in rows.iter_rows(named=True)}


def _causes(study: Study, trial: int) -> list[dict[str, Any]]:
    if study.causes is None:
        return []
    rows = study.causes.filter(pl.col("trial") == trial)
    return rows.sort(pl.col("difference").abs(), descending=True, nulls_last=True).to_dicts()


# Walk-forward


def windows_view(study: Study, figures: Figures) -> WindowsView | None:
    """Prepare the windows of a walk-forward optimisation; None where there are none."""
    frame = study.windows
    if frame is None:
        return None
    frame = frame.sort("window", ~pl.col("warm"))
    better, both = _compared(frame)
    kinds = [kind for kind in (True, False) if (frame["warm"] == kind).any()]
    return WindowsView(
        _curve(study, figures),
        figures.add("windows", _windows_chart(frame)),
        frame.to_dicts(),
        [c.removeprefix("param_") for c in frame.columns if c.startswith("param_")],
        [_starts(frame.filter(pl.col("warm") == kind), warm=kind) for kind in kinds],
        better,
        both,
    )


def _compared(frame: pl.DataFrame) -> tuple[int, int]:
    sides = [
        frame.filter(pl.col("warm") == kind).select("window", out_total_return="out_total_return")
        for kind in (True, False)
    ]
    joined = sides[0].join(sides[1], on="window", suffix="_cold").drop_nulls()
    better = joined["out_total_return"] > joined["out_total_return_cold"]
    return int(better.sum()), len(joined)


def _starts(frame: pl.DataFrame, *, warm: bool) -> Starts:
    return Starts(
        "Warm start" if warm else "Cold start",
        len(frame),
        int(frame["feasible"].cast(pl.Boolean).sum() or 0),
        _mean(frame["score"]),
        _mean(frame["out_sharpe"]),
        _mean(frame["out_total_return"]),
        int((frame["out_total_return"] > 0).sum() or 0),
    )


def _mean(values: pl.Series) -> float | None:
    known = values.drop_nulls()
    known = known.filter(known.is_finite())
    return None if known.is_empty() else float(np.mean(known.to_numpy()))


def _curve(study: Study, figures: Figures) -> str | None:
    """Draw the stitched out-of-sample equity of each kind of start."""
    frame = study.windows_curve
    if frame is None:
        return None
    looks = {True: ("warm start", "accent"), False: ("cold start", "validation")}
    lines = []
    for warm, (said, color) in looks.items():
        part = frame.filter(pl.col("warm") == warm)
        if len(part):
            level = part["equity"].to_numpy()
            keep = thinned(level, _POINTS)
            lines.append(
                Line(
                    Curve(said, part["time"].to_numpy()[keep], level[keep]), color, dotted=not warm
                )
            )
    return figures.add("windows-curve", deepened(curves_chart(lines)))


def _windows_chart(frame: pl.DataFrame) -> go.Figure:
    """Draw the Sharpe ratio of every window in-sample and out-of-sample, warm starts filled."""
    looks = [("in_sharpe", "in-sample", "in-sample"), ("out_sharpe", "out-of-sample", "accent")]
    figure = go.Figure(
        [
            _dots(frame.filter(pl.col("warm") == warm), column, said, color, warm=warm)
            for column, said, color in looks
            for warm in (True, False)
            if (frame["warm"] == warm).any()
        ]
    )
    figure.update_layout(base_layout(260))
    figure.update_layout(
        xaxis={"title": {"text": "window", "font": {"size": 11}}, "gridcolor": tone("grid")}
        | {"zeroline": False, "tickformat": "d"},
        yaxis={
            "title": {"text": "Sharpe", "font": {"size": 11}},
            "gridcolor": tone("grid"),
            "zeroline": True,
            "zerolinecolor": tone("muted"),
        },
    )
    return figure


def _dots(part: pl.DataFrame, column: str, said: str, color: str, *, warm: bool) -> go.Scatter:
    values = part[column].to_list()
    start = "warm" if warm else "cold"
    return go.Scatter(
        x=[number + (0.0 if warm else 0.18) for number in part["window"]],
        y=[v if v is not None and np.isfinite(v) else None for v in values],
        customdata=part["window"].to_list(),
        mode="markers",
        marker={
            "size": 9,
            "symbol": "circle" if warm else "circle-open",
            "color": tone(color),
        },
        hovertemplate=f"window %{{customdata}}, {said}, {start} start<br>Sharpe %{{y:.2f}}"
        "<extra></extra>",
    )
