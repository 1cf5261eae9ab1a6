"""From a study's folder to how it was done: objective, options, space, confirmation, windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import Curve, Line, base_layout, curves_chart, deepened
from meseta.report._format import MISSING, brief, count, day, duration, money, plain, share
from meseta.report._optimize_run import Walked, Way
from meseta.report._optimize_words import constraint_label
from meseta.report._palette import tone
from meseta.report._sampling import thinned
from meseta.report._sections import data_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meseta.report._figures import Figures
    from meseta.report._optimize_run import Changed, Study, StudyManifest

__all__ = [
    "HEDGE",
    "Confirmed",
    "SpaceRow",
    "Starts",
    "Term",
    "WindowsView",
    "confirmed",
    "constraint_facts",
    "market_facts",
    "option_facts",
    "space_rows",
    "terms",
    "windows_view",
]

HEDGE = "hedge"
"""Kind of the one strategy that has funding, lots and a confirmation."""

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
    "population": ("Population of NSGA-II", plain),
    "batch": ("Drawn together", plain),
    "workers": ("Processes", _processes),
    "timeout": ("Time limit of a back-test", _limit),
    "pruner": ("Pruner", _named(_PRUNERS)),
    "segments": ("Segments of a pruned back-test", plain),
    "adaptive": ("Adaptive normalisation", _named(_ADAPTIVE)),
    "epoch_every": ("Trials of an epoch", plain),
}

_COSTS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "slippage": ("Slippage, price units a share", plain),
    "cost_per_share": ("Cost per share, round trip", plain),
    "commission": ("Commission, each side", lambda value: share(value, 3)),
    "lot": ("Lot", plain),
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
    """What the windows made with one kind of start; means are of the windows that traded."""

    name: str
    warm: bool
    windows: int
    traded: int
    score: float | None
    sharpe: float | None
    positive: int
    whole: Way


@dataclass(frozen=True)
class WindowsView:
    """The walk-forward: charts, one row a window, and the two kinds of start compared."""

    curve: str | None
    chart: str
    rows: list[dict[str, Any]]
    names: list[str]
    starts: list[Starts]
    changed: Changed | None


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


def market_facts(manifest: StudyManifest) -> list[tuple[str, str]]:
    """List the name and value of everything about the data and the account."""
    further = [(f"Instrument {n}", data.name) for n, data in enumerate(manifest.further, 2)]
    rates = manifest.funding[0] if manifest.funding else None
    funding = (
        "not charged"
        if rates is None
        else f"{count(rates.settlements)} settlements, {day(rates.first)} to {day(rates.last)}"
    )
    mark = manifest.mark[0] if manifest.mark else None
    grid = [("Funding", funding), ("Mark prices", mark or "none: the last price is taken")]
    hedge = grid if manifest.strategy.kind == HEDGE else []
    return [*data_facts(manifest), *further, *hedge, *_account(manifest)]


def _account(manifest: StudyManifest) -> list[tuple[str, str]]:
    config = manifest.config
    facts = [("Capital", money(config["capital"]))] if "capital" in config else []
    if manifest.strategy.kind != HEDGE:
        return facts + [
            (said, show(config[k])) for k, (said, show) in _COSTS.items() if k in config
        ]
    instrument = config.get("instrument") or {}
    return facts + [(name.replace("_", " "), plain(value)) for name, value in instrument.items()]


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
    walked = study.summary.windows or Walked()
    return WindowsView(
        _curve(study, figures),
        figures.add("windows", _windows_chart(frame)),
        frame.to_dicts(),
        [c.removeprefix("param_") for c in frame.columns if c.startswith("param_")],
        [
            _starts(part, walked, warm=warm)
            for warm in (True, False)
            if len(part := frame.filter(pl.col("warm") == warm))
        ],
        walked.changed,
    )


def _starts(frame: pl.DataFrame, walked: Walked, *, warm: bool) -> Starts:
    traded = frame.filter("traded")
    other = walked.other or Way()
    return Starts(
        "Warm start" if warm else "Cold start",
        warm,
        len(frame),
        len(traded),
        _mean(frame["score"]),
        _mean(traded["out_sharpe"]),
        int((traded["out_total_return"] > 0).sum() or 0),
        walked if warm == walked.warm_start else other,
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
