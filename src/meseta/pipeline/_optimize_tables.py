"""What a study found, as tables and plain values."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from meseta.bayes import CONSTRAINTS, Dimension, Metrics, Space
from meseta.errors import RunError
from meseta.strategy_file import section_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from meseta.bayes import Constraints, Trial

__all__ = [
    "METRICS",
    "csv_frame",
    "funnel_of",
    "metrics_cells",
    "metrics_frame",
    "plain",
    "ranked",
    "seen_space",
    "trials_frame",
]

METRICS: tuple[str, ...] = tuple(each.name for each in fields(Metrics))
_PERCENT = 100


def plain(value: Any) -> Any:
    """Return a value fit for JSON: None for a number that is none or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def metrics_cells(metrics: Metrics | None) -> dict[str, Any]:
    """Return a table's cells of one back-test; empty where there is none, or a figure is NaN."""
    if metrics is None:
        return dict.fromkeys(METRICS)
    cells = asdict(metrics)
    return {n: None if isinstance(v, float) and math.isnan(v) else v for n, v in cells.items()}


def trials_frame(trials: Sequence[Trial], space: Space) -> pl.DataFrame:
    """Return a row for each trial, in the order of drawing."""
    import polars as pl

    rows = [_trial_row(trial, space) for trial in trials]
    return pl.DataFrame(rows, schema=_trial_schema(space))


def _trial_row(trial: Trial, space: Space) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "score": trial.score,
        "feasible": trial.feasible,
        "violation": trial.violation,
        "violated": ",".join(trial.violated),
        **{f"param_{name}": float(trial.params[name]) for name in space.order},
        **metrics_cells(trial.metrics),
        "duration": trial.duration,
        "attempts": trial.attempts,
        "started_at": trial.started_at,
        "error": trial.error,
    }


def _trial_schema(space: Space) -> dict[str, Any]:
    import polars as pl

    return {
        "number": pl.Int64,
        "state": pl.String,
        "score": pl.Float64,
        "feasible": pl.Boolean,
        "violation": pl.Float64,
        "violated": pl.String,
        **{f"param_{name}": pl.Float64 for name in space.order},
        **metrics_schema(),
        "duration": pl.Float64,
        "attempts": pl.Int64,
        "started_at": pl.Datetime("us", "UTC"),
        "error": pl.String,
    }


def metrics_schema(prefix: str = "") -> dict[str, Any]:
    """Return the columns of a back-test's figures."""
    import polars as pl

    types = {"trades": pl.Int64, "liquidated": pl.Boolean}
    return {prefix + name: types.get(name, pl.Float64) for name in METRICS}


def metrics_frame(rows: Iterable[Mapping[str, Any]], first: Mapping[str, Any]) -> pl.DataFrame:
    """Return a table of back-tests: the columns `first`, then every figure."""
    import polars as pl

    return pl.DataFrame(list(rows), schema={**first, **metrics_schema()})


def csv_frame(trials: Sequence[Trial], order: Sequence[str]) -> pl.DataFrame:
    """Return the trials under the names that the CSV export has.

    Drawdown, win rate and return are in percent here; parameters of a hedge grid carry their
    section: ``grid.grid_step_bps``.
    """
    import polars as pl

    rows = [_csv_row(trial, order) for trial in trials]
    return pl.DataFrame(rows, infer_schema_length=None)


def _csv_row(trial: Trial, order: Sequence[str]) -> dict[str, Any]:
    cells = metrics_cells(trial.metrics)
    started = trial.started_at
    return {
        "id": trial.number,
        "score": trial.score,
        "is_valid": trial.feasible,
        "timestamp": None if started is None else started.isoformat(timespec="seconds"),
        "duration_seconds": trial.duration,
        "sharpe_ratio": cells["sharpe"],
        "profit_factor": cells["profit_factor"],
        "calmar_ratio": cells["calmar"],
        "max_drawdown_pct": _percent(cells["max_drawdown"]),
        "total_trades": cells["trades"],
        "win_rate_pct": _percent(cells["win_rate"]),
        "total_return_pct": _percent(cells["total_return"]),
        **{_dotted(name): trial.params.get(name) for name in order},
        "state": trial.state,
        "violations": ",".join(trial.violated),
        "error": trial.error,
    }


def _percent(value: float | None) -> float | None:
    return None if value is None else _PERCENT * value


def _dotted(name: str) -> str:
    section = section_of(name)
    return f"{section}.{name}" if section else name


def ranked(trials: Iterable[Trial], most: int) -> list[Trial]:
    """Return the best trials: the feasible ones by score, then those that miss the least."""
    done = [each for each in trials if each.state == "complete"]
    return sorted(done, key=_rank)[:most]


def _rank(trial: Trial) -> tuple[bool, float, float, int]:
    score = -math.inf if trial.score is None else trial.score
    miss = math.inf if trial.violation is None else trial.violation
    return (not trial.feasible, 0.0 if trial.feasible else miss, -score, trial.number)


def funnel_of(trials: Iterable[Trial], constraints: Constraints) -> list[dict[str, Any]]:
    """Return how many finished trials pass each constraint, and all of them up to it."""
    violated = [set(each.violated) for each in trials if each.state == "complete"]
    rows, before = list[dict[str, Any]](), set[str]()
    for name in CONSTRAINTS:
        before.add(name)
        rows.append(
            {
                "constraint": name,
                "threshold": getattr(constraints, name),
                "passed": sum(name not in each for each in violated),
                "passed_so_far": sum(before.isdisjoint(each) for each in violated),
            }
        )
    return rows


def seen_space(trials: Sequence[Trial]) -> Space:
    """Return the smallest space that has some trials, for where their own is not known.

    Raises
    ------
    RunError
        There is nothing in them that differs.
    """
    drawn = {
        name: [each.drawn[name] for each in trials] for name in (trials[0].drawn if trials else ())
    }
    ends = {name: (float(min(values)), float(max(values))) for name, values in drawn.items()}
    found = tuple(Dimension(name, *pair) for name, pair in ends.items() if pair[0] < pair[1])
    if not found:
        raise RunError("the study has no two different trials yet; let it run on")
    return Space("seen", found)
