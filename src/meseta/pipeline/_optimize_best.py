"""The strategy file of a study's best trial."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from meseta.pipeline._manifest import time_of
from meseta.pipeline._optimize_verdict import missed
from meseta.strategy_file import strategy_text

if TYPE_CHECKING:
    from meseta.pipeline._optimize_plan import OptimizePlan

__all__ = ["best_text"]


def best_text(plan: OptimizePlan, told: dict[str, Any], trials: int, verdict: str) -> str:
    """Return the strategy file of a trial, below a heading that says where it comes from.

    Parameters
    ----------
    plan
        Of the study.
    told
        The trial, as the study's summary has it.
    trials
        How many the study had.
    verdict
        What the study is worth.
    """
    import yaml

    heading = [*_heading(plan, told, trials), verdict]
    if plan.settings is not None:
        return strategy_text(plan.base.content, told["params"], asdict(plan.settings), heading)
    content = {"strategy": plan.config.strategy, "parameters": told["params"]}
    head = "".join(f"# {line}\n" for line in heading)
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _heading(plan: OptimizePlan, told: dict[str, Any], trials: int) -> list[str]:
    whence = f"study {plan.name}: trial {told['trial']} of {trials}"
    lines = [
        f"{whence}, in-sample score {_number(told['score'])}",
        f"in-sample {_dates(plan, plan.spans[0])}: {_figures(told['in_sample'])}",
    ]
    if plan.vaults:
        seen = _figures(told["out_of_sample"])
        lines.append(f"out-of-sample {_dates(plan, plan.vaults[0])}: {seen}")
    if told["violated"]:
        lines.append(f"it misses {missed(told['violated'])}")
    names = ", ".join(each.bars.name for each in plan.instruments)
    return [*lines, f"data {names}, fingerprint {plan.problem.fingerprint}"]


def _dates(plan: OptimizePlan, span: tuple[int, int]) -> str:
    return f"{time_of(plan.bars, span[0])} to {time_of(plan.bars, span[1] - 1)}"


def _figures(cells: dict[str, Any] | None) -> str:
    if cells is None:
        return "not run"
    unbeaten = cells["profit_factor"] is None and cells["trades"]
    factor = "infinite (no loss)" if unbeaten else _number(cells["profit_factor"])
    return (
        f"return {_percent(cells['total_return'])}, Sharpe {_number(cells['sharpe'])}, drawdown "
        f"{_percent(cells['max_drawdown'])}, Calmar {_number(cells['calmar'])}, profit factor "
        f"{factor}, win rate {_percent(cells['win_rate'])}, "
        f"{cells['trades']} trades"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
