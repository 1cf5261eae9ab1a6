"""What a project is going to do, and what came of its members, in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meseta.cli._console import count, day, duration, facts, money, number, share, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from meseta.pipeline import PlannedMember, ProjectPlan, ProjectResult

__all__ = ["show_project", "show_project_plan"]

_MOST = 60
_STATES = {
    "new": "-",
    "kept": "finished, kept",
    "continues": "continues",
    "again": "changed, again",
    "failed": "fails",
}
_KINDS = {
    "symbol": ("symbol", "symbols"),
    "bar_size": ("bar size", "bar sizes"),
    "strategy": ("strategy", "strategies"),
}
_LEGEND = (
    "Median is the combination in the middle of the grid held throughout; hold is buying and "
    "holding. Whoever picks the best member of this table has selected on out-of-sample results: "
    "what it made is not what it will make. The table as a whole is the evidence."
)
_SIZES = (
    "Members are sized window by window by the in-sample deviation of what was chosen, and share "
    "the risk equally among those of the day. Correlations are not used."
)


def show_project_plan(console: Console, planned: ProjectPlan, *, resume: bool) -> None:
    """Print the members before anything is started, and those that cannot be."""
    from meseta.pipeline import project_states

    project, members = planned.project, planned.members
    states = project_states(planned) if resume else ["new"] * len(members)
    facts(console, [("Project", project.name), ("Members", _extent(members))])
    console.print()
    rows = [
        _plan_row(each, "fails" if each.plan is None else _STATES[state])
        for each, state in zip(members, states, strict=True)
    ]
    heads = ("symbol", "bars", "strategy", "combinations", "windows", "out-of-sample from", "")
    _table(console, "Plan", heads, rows)
    failed = [(e.member.label, e.failure.error) for e in members if e.failure is not None]
    _reasons(console, "Cannot be done", failed)
    _notes(console, members)


def _extent(members: Sequence[PlannedMember]) -> str:
    parts = [_kinds(members, field, one, many) for field, (one, many) in _KINDS.items()]
    todo = sum(each.plan.combinations for each in members if each.plan is not None)
    return f"{len(members)} ({', '.join(parts)}), {count(todo)} combinations in all"


def _kinds(members: Sequence[PlannedMember], field: str, one: str, many: str) -> str:
    number = len({getattr(each.member, field) for each in members})
    return f"{number} {one if number == 1 else many}"


def _plan_row(each: PlannedMember, state: str) -> tuple[str, ...]:
    member, plan = each.member, each.plan
    named = (member.symbol, member.bar_size, member.strategy)
    if plan is None:
        return (*named, "-", "-", "-", state)
    first = plan.bars.time[plan.windows.windows[0].out_start]
    return (
        *named,
        count(plan.combinations),
        count(len(plan.windows.windows)),
        day(first),
        state,
    )


def _reasons(console: Console, title: str, failed: Sequence[tuple[str, str]]) -> None:
    """Print each reason once, with the members that it stopped."""
    stopped: dict[str, list[str]] = {}
    for label, error in failed:
        stopped.setdefault(error, []).append(label)
    for error, labels in stopped.items():
        console.print(f"{title}: {', '.join(labels)}: {error}", soft_wrap=True)


def _notes(console: Console, members: Sequence[PlannedMember]) -> None:
    """Print what the data of each symbol look like, once."""
    told = dict.fromkeys(
        f"Note: {each.member.symbol}: {finding.message}"
        for each in members
        if each.plan is not None
        for finding in each.plan.bars.warnings
    )
    for text in told:
        console.print(text, soft_wrap=True)


def show_project(console: Console, result: ProjectResult, seconds: float) -> None:
    """Print what came of the members, what they make together, and where it is."""
    finished = result.results.drop_nulls("net_profit")
    rows = [_row(row) for row in finished.iter_rows(named=True)]
    heads = ("symbol", "bars", "strategy", "profit", "", "drawdown", "efficiency", "winning",
             "trades", "median", "hold")  # fmt: skip
    _table(console, "Out-of-sample", heads, rows)
    facts(console, [*_verdict(result.manifest["summary"]), *_portfolio(result.manifest)])
    console.print()
    for text in (_LEGEND, _SIZES) if finished.height else ():
        console.print(text, soft_wrap=not console.is_terminal)
        console.print()
    failed = [
        (f"{e['symbol']} {e['bar_size']} {e['strategy']}", e["error"]) for e in result.failed
    ]
    _reasons(console, "Failed", failed)
    console.print(f"\nDone in {duration(seconds)}: {result.folder}", soft_wrap=True)
    if result.report is not None:
        console.print(f"Report: {result.report}", soft_wrap=True)


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["symbol"],
        row["bar_size"],
        row["strategy"],
        money(row["net_profit"]),
        row["result"],
        money(row["drawdown"]),
        number(row["efficiency"]),
        share(row["winning"]),
        count(row["trades"]),
        money(row["median_profit"]),
        money(row["hold_profit"]),
    )


def _verdict(found: dict[str, int]) -> Iterator[tuple[str, str]]:
    of = f"of {found['finished']} members"
    yield "Made money", f"{found['made_money']} {of}"
    yield "  more than their median", f"{found['beat_median']} {of}"
    yield "  more than holding", f"{found['beat_hold']} {of}"


def _portfolio(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    found = manifest["portfolio"]
    if found is None:
        return
    month, risk = found["worst_month"], share(manifest["risk"])
    shared = f"shared out {money(found['target'])}, {risk} of the capital"
    yield "Portfolio a year", f"{money(found['per_year'])} over {number(found['years'], 1)} years"
    yield "  deviation a year", f"{money(found['deviation'])}; {shared}"
    yield "  Sharpe", number(found["sharpe"])
    yield "  drawdown", money(found["drawdown"])
    yield "  worst month", f"{money(month['net_profit'])} in {month['month']}"
    if found["left_out"]:
        yield (
            "  left out",
            f"{', '.join(found['left_out'])}: no deviation in-sample to size them by",
        )


def _table(
    console: Console, title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]
) -> None:
    table(console, title, heads, rows[:_MOST], left=3)
    if len(rows) > _MOST:
        console.print(f"... {len(rows) - _MOST} more in project.json\n")
