"""What a finished study amounts to: both sides of the vault's edge, luck, curves, a summary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.bayes import importance
from meseta.bayes._luck import daily_returns, luck_of
from meseta.optimize_config import HEDGE_GRID
from meseta.pipeline._optimize_null import null_summary
from meseta.pipeline._optimize_tables import (
    funnel_of,
    metrics_cells,
    metrics_frame,
    plain,
    ranked,
)
from meseta.pipeline._optimize_verdict import verdict_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from meseta.bayes import Metrics, Problem, StudyResult, Trial
    from meseta.optimise import WindowStudies
    from meseta.pipeline._optimize_plan import OptimizePlan

__all__ = ["Outcome", "outcome_of"]

FINALISTS = 10
_NEAREST = 5
_HEDGE_CURVES = (
    "equity", "realised", "unrealised", "fees", "funding", "long_exposure", "short_exposure",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished study amounts to.

    Parameters
    ----------
    summary
        What `summary.json` holds.
    tables
        The folder's tables by their file's stem.
    """

    summary: dict[str, Any]
    tables: dict[str, pl.DataFrame]


def outcome_of(
    plan: OptimizePlan,
    result: StudyResult,
    null: pl.DataFrame | None,
    walked: WindowStudies | None,
) -> Outcome:
    """Evaluate the finalists on both sides of the vault's edge, and sum the study up.

    Parameters
    ----------
    plan
        Of the study.
    result
        Its trials.
    null
        Of `null_markets`; None where there are none.
    walked
        What the rolling windows came to; None without them.
    """
    finalists = ranked(result.trials, FINALISTS)
    outside = _outside(plan, finalists)
    chosen = result.best or (finalists[0] if finalists else None)
    tables = {"spans": _spans(finalists, outside), "importance": _importance(plan, result.trials)}
    if chosen is not None:
        tables |= _curves(plan, chosen)
    if walked is not None:
        tables |= {"windows": walked.table(), "windows_curve": walked.curves()}
    summary = {
        **_counted(plan, result),
        "best": None if result.best is None else _told(result.best, outside),
        "nearest": [_told(each, outside) for each in result.nearest[:_NEAREST]],
        "funnel": funnel_of(result.trials, plan.constraints),
        "luck": _luck(plan, result.trials, chosen),
        "null": None if null is None else null_summary(null, result.trials),
        "confirmation": None,
        "windows": None if walked is None else walked.summary() | {"said": walked.said()},
    }
    told = plain(summary)
    return Outcome(told | {"verdict": verdict_of(told)}, tables)


def _counted(plan: OptimizePlan, result: StudyResult) -> dict[str, Any]:
    """Return what the study was, and how its trials ended."""
    return {
        "study": plan.name,
        "strategy": HEDGE_GRID if plan.strategy is None else plan.strategy.name,
        "market": plan.problem.name,
        "trials": len(result.trials),
        **{state: _count(result.trials, state) for state in ("complete", "pruned", "failed")},
        "error": next((each.error for each in result.trials if each.state == "failed"), None),
        "feasible": sum(each.feasible for each in result.trials),
        "adaptive": {
            "mode": plan.options.adaptive,
            "epoch": result.epoch,
            "bounds": asdict(result.bounds),
        },
        "multi": plan.options.multi,
        "pareto": list(result.pareto),
    }


def _count(trials: Sequence[Trial], state: str) -> int:
    return sum(each.state == state for each in trials)


def _outside(plan: OptimizePlan, finalists: Sequence[Trial]) -> dict[int, Metrics]:
    """Return what the finalists make in the vault, by number."""
    if plan.vault is None or not finalists:
        return {}
    evaluator = plan.vault.evaluator()
    return {each.number: evaluator.metrics(each.params) for each in finalists}


def _spans(finalists: Sequence[Trial], outside: dict[int, Metrics]) -> pl.DataFrame:
    import polars as pl

    rows = []
    for rank, trial in enumerate(finalists, start=1):
        parts = {"in-sample": trial.metrics, "out-of-sample": outside.get(trial.number)}
        rows += [
            {"rank": rank, "trial": trial.number, "feasible": trial.feasible, "part": part}
            | metrics_cells(metrics)
            for part, metrics in parts.items()
            if metrics is not None
        ]
    first = {"rank": pl.Int64, "trial": pl.Int64, "feasible": pl.Boolean, "part": pl.String}
    return metrics_frame(rows, first)


def _importance(plan: OptimizePlan, trials: Sequence[Trial]) -> pl.DataFrame:
    import polars as pl

    found = importance(trials, plan.space)
    return pl.DataFrame(
        {"name": list(found), "importance": list(found.values())},
        schema={"name": pl.String, "importance": pl.Float64},
    )


def _told(trial: Trial, outside: dict[int, Metrics]) -> dict[str, Any]:
    unseen = outside.get(trial.number)
    return {
        "trial": trial.number,
        "score": trial.score,
        "violation": trial.violation,
        "violated": list(trial.violated),
        "params": dict(trial.params),
        "in_sample": metrics_cells(trial.metrics),
        "out_of_sample": None if unseen is None else metrics_cells(unseen),
    }


def _luck(plan: OptimizePlan, trials: Sequence[Trial], chosen: Trial | None) -> dict[str, Any]:
    """Hold the chosen trial against as many trials of noise.

    Trials without a score are left out: the ratios of fewer than five trades say nothing, and
    a single one of them could make the variance of all what it likes. Pruned ones were tries.
    """
    returns, best, year = np.empty(0), float("nan"), 365.0
    if chosen is not None and chosen.metrics is not None:
        start, stop = plan.problem.span
        curve = plan.problem.evaluator().curve(chosen.params)
        returns, year = daily_returns(plan.problem.time[start:stop], curve)
        best = chosen.metrics.sharpe
    sharpes = [
        each.metrics.sharpe
        for each in trials
        if each.metrics is not None and each.score is not None
    ]
    pruned = _count(trials, "pruned")
    return asdict(luck_of(sharpes, best, returns, year=year, others=pruned)) | {
        "trial": None if chosen is None else chosen.number,
        "score_best": None if chosen is None else chosen.score,
    }


def _curves(plan: OptimizePlan, chosen: Trial) -> dict[str, pl.DataFrame]:
    """Return equity and lots of a trial, before the vault and in it."""
    import polars as pl

    parts = {"in-sample": plan.problem, "out-of-sample": plan.vault}
    made = [
        _curve(problem, chosen, part, hedge=plan.strategy is None)
        for part, problem in parts.items()
        if problem is not None
    ]
    return {name: pl.concat([each[name] for each in made]) for name in made[0]}


def _curve(problem: Problem, chosen: Trial, part: str, *, hedge: bool) -> dict[str, pl.DataFrame]:
    import polars as pl

    start, stop = problem.span
    time, evaluator = problem.time[start:stop], problem.evaluator()
    found: Any = getattr(evaluator, "result", None)
    if not hedge or found is None:
        columns: dict[str, Any] = {"equity": evaluator.curve(chosen.params)}
        return {"equity": _timed(time, columns, part)}
    result = found(chosen.params)
    columns = {name: getattr(result, name) for name in _HEDGE_CURVES}
    lots = result.lots_frame(problem.time)
    return {
        "equity": _timed(time, columns, part),
        "lots": lots.with_columns(pl.lit(part).alias("part")),
    }


def _timed(time: Any, columns: dict[str, Any], part: str) -> pl.DataFrame:
    import polars as pl

    frame = pl.DataFrame({"time": time, **columns})
    return frame.with_columns(pl.lit(part).alias("part"))
