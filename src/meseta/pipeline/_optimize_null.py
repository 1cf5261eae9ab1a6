"""The same study on markets without structure: what this search finds where nothing is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from meseta.bayes import run_study
from meseta.errors import ArgumentError
from meseta.pipeline._progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from meseta.bayes import Problem, Space, Trial
    from meseta.pipeline._optimize_plan import OptimizePlan
    from meseta.pipeline._progress import Listener
    from meseta.runs import RunFolder

__all__ = ["null_markets", "null_summary"]

_FILE = "null.parquet"


def null_markets(plan: OptimizePlan, folder: RunFolder, tell: Listener) -> pl.DataFrame | None:
    """Make the study again on shuffled markets, one row each; None where none are wanted.

    Markets that an earlier run has finished are not searched again.

    Raises
    ------
    KeyboardInterrupt
        What was finished is kept.
    """
    if not plan.config.null_markets:
        return None
    rows = _kept(plan, folder)
    for seed in range(len(rows) + 1, plan.config.null_markets + 1):
        tell(Progress("null", seed - 1, plan.config.null_markets))
        problem = plan.problem.shuffled(seed)
        result = run_study(
            problem,
            _space(plan, problem),
            plan.objective,
            plan.constraints,
            plan.options,
            name=f"{plan.name}-null-{seed}",
            first=plan.first,
        )
        if result.interrupted:
            raise KeyboardInterrupt
        rows.append(_row(seed, result.trials))
        folder.write_frame(_FILE, _frame(rows))
    folder.write_frame(_FILE, _frame(rows))
    tell(Progress("null", plan.config.null_markets, plan.config.null_markets))
    return _frame(rows)


def _space(plan: OptimizePlan, problem: Problem) -> Space:
    """Return the space that the study would have had on this market.

    Quantities that suit the real prices may be no orders at these, or too large.
    """
    try:
        return plan.space_over(problem)
    except ArgumentError:  # a range of one's own that suits the real prices alone
        return plan.space


def _kept(plan: OptimizePlan, folder: RunFolder) -> list[dict[str, Any]]:
    """Return the markets that an earlier run of as many trials has finished."""
    import polars as pl

    path = folder.path / _FILE
    if not path.is_file():
        return []
    kept = pl.read_parquet(path).filter(pl.col("trials") == plan.options.trials)
    return kept.head(plan.config.null_markets).to_dicts()


def best_score(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial of the highest score between the objective's bounds, feasible or not."""
    scored = [each for each in trials if each.fixed_score is not None]
    return max(scored, key=lambda each: (each.fixed_score or 0.0, -each.number), default=None)


def _row(seed: int, trials: Sequence[Trial]) -> dict[str, Any]:
    best = best_score(trials)
    metrics = None if best is None else best.metrics
    return {
        "seed": seed,
        "score": None if best is None else best.fixed_score,
        "sharpe": None if metrics is None or math.isnan(metrics.sharpe) else metrics.sharpe,
        "total_return": None if metrics is None else metrics.total_return,
        "feasible": sum(each.feasible for each in trials),
        "trials": len(trials),
    }


def _frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    import polars as pl

    schema = {
        "seed": pl.Int64,
        "score": pl.Float64,
        "sharpe": pl.Float64,
        "total_return": pl.Float64,
        "feasible": pl.Int64,
        "trials": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema)


def null_summary(frame: pl.DataFrame, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return how the study's best score stands among those of the shuffled markets.

    ``p_score`` is the share of markets, the true one among them, on which the search's best score
    is as good: (1 + as good) / (1 + shuffled). A shuffled market without any score is worse.
    """
    best = best_score(trials)
    own = None if best is None else best.fixed_score
    scores = frame["score"].to_list()
    as_good = sum(each is not None and own is not None and each >= own for each in scores)
    return {
        "runs": frame.height,
        "score": own,
        "best_scores": scores,
        "best_sharpes": frame["sharpe"].to_list(),
        "feasible": frame["feasible"].to_list(),
        "as_good": as_good,
        "p_score": None if own is None else (1 + as_good) / (1 + frame.height),
    }
