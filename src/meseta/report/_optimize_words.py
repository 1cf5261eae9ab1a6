"""Words and units of a study's page: metrics, constraints, sides of the vault's edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meseta.report._format import count, day, money, plain, ratio, share
from meseta.report._optimize_run import IN_SAMPLE, OUT_OF_SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meseta.report._optimize_run import StudyManifest

__all__ = [
    "FIGURES",
    "SIDES",
    "constraint_label",
    "constraint_metric",
    "figure",
    "label",
    "many",
    "span_text",
]


def _finely(value: Any) -> str:
    """Write a fraction in percent with two decimals: a small grid makes little and risks less."""
    return share(value, 2)


FIGURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "sharpe": ("Sharpe", ratio),
    "total_return": ("Return", _finely),
    "max_drawdown": ("Drawdown", _finely),
    "calmar": ("Calmar", ratio),
    "profit_factor": ("Profit factor", ratio),
    "trades": ("Trades", count),
    "win_rate": ("Winners", share),
    "final_equity": ("Final equity", money),
    "fees": ("Fees paid", money),
    "funding": ("Funding paid", money),
}
"""Metric to its heading and how it is written; returns and drawdowns are fractions."""

SIDES = {IN_SAMPLE: "In-sample", OUT_OF_SAMPLE: "Vault, out-of-sample"}
"""Part to its heading."""

_CONSTRAINTS = {
    "sharpe": "Sharpe at least {}",
    "drawdown": "Drawdown at most {}",
    "trades": "Trades at least {}",
    "win_rate": "Winners at least {}",
    "profit_factor": "Profit factor at least {}",
    "calmar": "Calmar at least {}",
}
_SHARES = ("max_drawdown", "win_rate")
_METRIC_OF = {"drawdown": "max_drawdown"}


def figure(name: str, value: Any) -> str:
    """Write a metric in its unit."""
    return FIGURES[name][1](value)


def label(name: str) -> str:
    """Return the heading of a metric."""
    return FIGURES[name][0]


def constraint_metric(name: str) -> str | None:
    """Return the metric that a constraint reads; None for one that is not known."""
    bare = name.removeprefix("min_").removeprefix("max_")
    return _METRIC_OF.get(bare, bare) if bare in _CONSTRAINTS else None


def constraint_label(name: str, threshold: float | None) -> str:
    """Write a constraint with its threshold: "Drawdown at most 20.0 %"."""
    metric = constraint_metric(name)
    if metric is None:
        known = "" if threshold is None else f" {plain(threshold)}"
        return name.replace("_", " ") + known
    bare = name.removeprefix("min_").removeprefix("max_")
    return _CONSTRAINTS[bare].format((share if metric in _SHARES else plain)(threshold))


def many(number: float | None, one: str, more: str | None = None) -> str:
    """Write a count with its noun: "1 trial", "120 trials"."""
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def span_text(manifest: StudyManifest, part: str) -> str:
    """Write the dates of a side: "2024-01-01 to 2024-03-05"; empty where not recorded."""
    spans: Mapping[str, list[Any] | None] = {
        IN_SAMPLE: manifest.spans.in_sample,
        OUT_OF_SAMPLE: manifest.spans.vault,
    }
    span = spans[part]
    return "" if span is None or len(span) < 4 else f"{day(span[2])} to {day(span[3])}"
