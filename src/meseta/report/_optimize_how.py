"""From a study's folder to how it was done: objective, options, constraints, space, data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meseta.report._format import MISSING, brief, count, day, duration, money, plain, share
from meseta.report._optimize_words import constraint_label
from meseta.report._sections import data_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meseta.report._optimize_run import Study, StudyManifest

__all__ = [
    "HEDGE",
    "SpaceRow",
    "Term",
    "constraint_facts",
    "costless",
    "market_facts",
    "option_facts",
    "option_of",
    "space_rows",
    "terms",
]

HEDGE = "hedge"
"""Kind of the one strategy that has funding, lots and a confirmation."""

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

# Options that count under one value of another alone.
_UNDER = {
    "startup_trials": ("sampler", "tpe"),
    "population": ("sampler", "nsga2"),
    "segments": ("pruner", "median"),
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
    """List the name and value of every option of the study that counted."""
    known = [
        (said, show(manifest.options[key]))
        for key, (said, show) in _OPTIONS.items()
        if key in manifest.options and _counts(manifest, key)
    ]
    others = {k: v for k, v in manifest.options.items() if k not in _OPTIONS}
    return known + [(name.replace("_", " "), plain(value)) for name, value in others.items()]


def option_of(manifest: StudyManifest, name: str) -> Any:
    """Return an option of the study; None where it was not recorded or did not count."""
    return manifest.options.get(name) if _counts(manifest, name) else None


def _counts(manifest: StudyManifest, name: str) -> bool:
    """Tell whether an option changes anything under the other ones."""
    other, value = _UNDER.get(name, (name, None))
    return name not in _UNDER or manifest.options.get(other, value) == value


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


def costless(manifest: StudyManifest) -> bool:
    """Tell whether a strategy other than the grid was spared all costs."""
    costs = [manifest.config.get(name) for name in ("slippage", "cost_per_share", "commission")]
    return manifest.strategy.kind != HEDGE and bool(manifest.config) and not any(costs)


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
