"""What an optimisation is going to do, and what it found, in tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from meseta.cli._console import count, day, duration, facts, money, number, share, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl
    from rich.console import Console

    from meseta.bars import Bars
    from meseta.bayes import Trial
    from meseta.pipeline import OptimizePlan, OptimizeResult

__all__ = ["show_funnel", "show_importance", "show_plan", "show_result", "show_top"]


def _finely(value: float | None) -> str:
    """Write a fraction in percent with two decimals: a small grid makes little and risks less."""
    return "-" if value is None else f"{value:.2%}".replace("%", " %")


def _factor(value: float | None) -> str:
    """Write a profit factor; infinite is one without a loss."""
    return "no loss" if value == math.inf else number(value)


_ALL = {
    "total_return": ("return", _finely),
    "sharpe": ("Sharpe", number),
    "max_drawdown": ("drawdown", _finely),
    "calmar": ("Calmar", number),
    "profit_factor": ("profit factor", _factor),
    "win_rate": ("win rate", share),
    "trades": ("trades", count),
    "fees": ("fees", money),
    "funding": ("funding", money),
}
_SHORT = {name: _ALL[name] for name in list(_ALL)[:7]}
_CONSTRAINTS = {
    "min_sharpe": ("Sharpe", "at least", number),
    "max_drawdown": ("drawdown", "at most", share),
    "min_trades": ("trades", "at least", count),
    "min_win_rate": ("win rate", "at least", share),
    "min_profit_factor": ("profit factor", "at least", number),
    "min_calmar": ("Calmar", "at least", number),
}
_MOST_IMPORTANT = 8
_MOST_COLUMNS = 10
_MOST_PARETO = 20


def show_plan(console: Console, plan: OptimizePlan) -> None:
    """Print strategy, data, vault, space and study before anything is started."""
    config = plan.config
    pairs = [
        ("Strategy", "hedge_grid" if plan.strategy is None else plan.strategy.name),
        *(("Data", _data(each.bars)) for each in plan.instruments),
        ("In-sample", _span(plan.bars, plan.spans[0])),
        ("Vault", _span(plan.bars, plan.vaults[0]) if plan.vaults else "none"),
        ("Space", f"{plan.space.name}: {len(plan.space.searched)} parameters searched"),
        ("Objective", _objective(plan)),
        ("Constraints", _limits(plan)),
        ("Study", _study(plan)),
    ]
    if config.null_markets:
        pairs.append(("Null", f"the same on {config.null_markets} markets without structure"))
    if plan.windows is not None:
        many = len(plan.windows.windows)
        pairs.append(("Windows", f"a study in each of {many}, with transfer and without"))
    facts(console, pairs)
    console.print()
    for assumed in plan.assumptions:
        console.print(f"Assumed: {assumed}", soft_wrap=True)
    for warning in plan.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)
    console.print()


def _study(plan: OptimizePlan) -> str:
    options = plan.options
    drawn = f"{count(options.trials)} trials, {options.sampler}, seed {options.seed}"
    return f"{plan.name}: {drawn}, in batches of {options.batch} by {options.processes} workers"


def _data(bars: Bars) -> str:
    return (
        f"{bars.name}, {count(len(bars))} bars of {bars.bar_size}, {day(bars.time[0])} to "
        f"{day(bars.time[-1])} ({bars.timezone})"
    )


def _span(bars: Bars, span: tuple[int, int]) -> str:
    first, last = bars.time[span[0]], bars.time[span[1] - 1]
    return f"{day(first)} to {day(last)}, {count(span[1] - span[0])} bars"


def _objective(plan: OptimizePlan) -> str:
    if plan.options.multi:
        return "return, drawdown and Sharpe ratio, each for itself"
    weights = plan.objective.weights
    return ", ".join(f"{weight:+g} {name.replace('_', ' ')}" for name, weight in weights.items())


def _limits(plan: OptimizePlan) -> str:
    limits = plan.constraints
    told = ", ".join(_limit(name, getattr(limits, name)) for name in _CONSTRAINTS)
    return told if limits.strict else f"{told}; one may be missed"


def _limit(name: str, value: float) -> str:
    figure, how, written = _CONSTRAINTS[name]
    return f"{figure} {how} {written(value)}"


def show_result(
    console: Console, result: OptimizeResult, seconds: float, told_before: Sequence[str] = ()
) -> None:
    """Print what was found, what it is worth, and where it is; no warning for a second time."""
    summary = result.summary
    told = summary["best"]
    if told is None:
        show_funnel(console, summary["funnel"], summary["complete"])
        _show_nearest(console, summary["nearest"])
    else:
        _show_best(console, told)
        _show_both(console, result.folder)
    _show_pareto(console, result)
    facts(console, _found(summary, result.manifest["vault"]))
    console.print()
    for warning in (each for each in result.manifest["warnings"] if each not in told_before):
        console.print(f"Note: {warning}", soft_wrap=True)
    console.print(summary["verdict"], soft_wrap=not console.is_terminal)
    console.print(f"\nDone in {duration(seconds)}: {result.folder}", soft_wrap=True)
    for name, path in (("Strategy file", result.best_file), ("Report", result.report)):
        if path is not None:
            console.print(f"{name}: {path}", soft_wrap=True)


def _show_best(console: Console, told: dict[str, Any]) -> None:
    sides = [_cells(told["in_sample"]), _cells(told["out_of_sample"] or {})]
    rows = [
        (figure, *(written(side.get(name)) for side in sides))
        for name, (figure, written) in _ALL.items()
    ]
    table(console, f"Best: trial {told['trial']}", ("", "in-sample", "vault"), rows)
    rows = [(name, f"{value:.6g}") for name, value in told["params"].items()]
    table(console, "Its parameters", ("parameter", "value"), rows)


def _cells(side: dict[str, Any]) -> dict[str, Any]:
    """Return figures of the summary with the infinite profit factor that JSON cannot have."""
    unbeaten = side.get("profit_factor") is None and side.get("trades")
    return side | {"profit_factor": math.inf} if unbeaten else side


def _show_both(console: Console, folder: Path) -> None:
    """Print the finalists on both sides of the vault's edge."""
    import polars as pl

    frame = pl.read_parquet(folder / "spans.parquet")
    outside = {row["trial"]: row for row in _part(frame, "out-of-sample")}
    rows = [
        (
            str(row["rank"]),
            str(row["trial"]),
            "yes" if row["feasible"] else "no",
            _finely(row["total_return"]),
            _finely(outside.get(row["trial"], {}).get("total_return")),
            number(row["sharpe"]),
            number(outside.get(row["trial"], {}).get("sharpe")),
            _finely(row["max_drawdown"]),
            _finely(outside.get(row["trial"], {}).get("max_drawdown")),
            count(row["trades"]),
            count(outside.get(row["trial"], {}).get("trades")),
        )
        for row in _part(frame, "in-sample")
    ]
    heads = ("rank", "trial", "feasible", "return", "vault", "Sharpe", "vault", "drawdown",
             "vault", "trades", "vault")  # fmt: skip
    table(console, "In-sample beside the vault", heads, rows, left=0)


def _show_pareto(console: Console, result: OptimizeResult) -> None:
    """Print the trade-offs of a study with several objectives, the highest return first."""
    trials, front = {each.number: each for each in result.result.trials}, result.result.pareto
    rows = [
        (str(number), *_figures(trials[number]), "yes" if trials[number].feasible else "no")
        for number in front[:_MOST_PARETO]
    ]
    among = "feasible trials" if result.summary["feasible"] else "all trials, none feasible"
    title = f"Trade-offs of return, drawdown and Sharpe: {len(front)} of {among}"
    heads = ("trial", *(head for head, _ in _SHORT.values()), "feasible")
    table(console, title, heads, rows, left=1)


def _figures(trial: Trial) -> Iterator[str]:
    """Yield a trial's figures as text."""
    for name, (_, written) in _SHORT.items():
        yield written(None if trial.metrics is None else getattr(trial.metrics, name))


def _part(frame: pl.DataFrame, part: str) -> Iterator[dict[str, Any]]:
    return frame.filter(frame["part"] == part).iter_rows(named=True)


def _show_nearest(console: Console, nearest: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            str(each["trial"]),
            *(
                written(_cells(each["in_sample"]).get(name))
                for name, (_, written) in _SHORT.items()
            ),
            _missed(each["violated"]),
        )
        for each in nearest
    ]
    heads = ("trial", *(head for head, _ in _SHORT.values()), "misses")
    table(console, "Nearest misses, in-sample", heads, rows, left=1, wrap=("misses",))


def _missed(names: Sequence[str]) -> str:
    """Return the figures that violate their constraints."""
    return ", ".join(_CONSTRAINTS[name][0] if name in _CONSTRAINTS else name for name in names)


def _found(summary: dict[str, Any], vault: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    ends = [f"{count(summary[n])} {n}" for n in ("pruned", "failed") if summary[n]]
    told = [f"{count(summary['trials'])}", f"{count(summary['feasible'])} feasible", *ends]
    yield "Trials", ", ".join(told)
    if summary["failed"]:
        yield "Failed", f"the first: {summary['error']}"
    if summary["luck"]["trials"]:
        yield "Luck", _luck(summary["luck"])
    if summary["null"] is not None:
        yield "Null", _null(summary["null"])
    if summary["windows"] is not None:
        yield "Windows", _walked(summary["windows"])
    if vault is not None and (vault["opened"] or 0) > 1:
        yield "Vault", f"opened {vault['opened']} times for these data: each look wears it"


def _luck(luck: dict[str, Any]) -> str:
    return (
        f"in-sample Sharpe {number(luck['sharpe_best'])} of trial {luck['trial']}, "
        f"{number(luck['sharpe_expected_of_noise'])} expected of the best of "
        f"{count(luck['trials'])} independent trials of noise; deflated Sharpe ratio "
        f"{share(luck['deflated_sharpe'])}, where 95 % would be sure"
    )


def _null(null: dict[str, Any]) -> str:
    scores = ", ".join(number(each, 3) for each in null["best_scores"])
    passed = sum(bool(each) for each in null["feasible"])
    return (
        f"best in-sample score {number(null['score'], 3)} between fixed bounds; on "
        f"{null['runs']} markets without structure {scores}; p = {number(null['p_score'])}; "
        f"on {passed} of them a trial meets the constraints"
    )


def _walked(walk: dict[str, Any]) -> str:
    traded = f"{walk['traded']} of {walk['windows']} traded"
    figures = (_finely(walk[name]) for name in ("total_return", "max_drawdown"))
    made = "{} out-of-sample, drawdown {}".format(*figures)
    return "; ".join(filter(None, [f"{traded}, {made}", walk["said"]]))


def show_funnel(console: Console, funnel: Sequence[dict[str, Any]], trials: int) -> None:
    """Print how many trials pass each constraint, and all of them so far."""
    rows = [
        (
            _limit(each["constraint"], each["threshold"]),
            count(each["passed"]),
            count(each["passed_so_far"]),
        )
        for each in funnel
    ]
    title = f"Constraints, of {count(trials)} complete trials"
    table(console, title, ("constraint", "pass it", "pass all up to it"), rows)


def show_top(console: Console, trials: Sequence[Trial], names: Sequence[str]) -> None:
    """Print trials with their figures, and the parameters that were searched."""
    rows = [
        (
            str(each.number),
            number(each.score, 4),
            "yes" if each.feasible else "no",
            *_figures(each),
            _missed(each.violated),
        )
        for each in trials
    ]
    heads = ("trial", "score", "feasible", *(head for head, _ in _SHORT.values()), "misses")
    table(console, "Best trials, in-sample", heads, rows, left=0, wrap=("misses",))
    shown = trials[:_MOST_COLUMNS]
    values = [(name, *(f"{each.params[name]:.6g}" for each in shown)) for name in names]
    heads = ("", *(str(each.number) for each in shown))
    table(console, "Parameters by trial", heads, values)


def show_importance(console: Console, importance: dict[str, float]) -> None:
    """Print which parameters the best trials have in common."""
    most = list(importance.items())[:_MOST_IMPORTANT]
    rows = [(name, share(value)) for name, value in most]
    table(console, "Importance (PED-ANOVA)", ("parameter", "share"), rows)
    if not rows:
        console.print("Importance: it takes ten trials with different scores.\n")
