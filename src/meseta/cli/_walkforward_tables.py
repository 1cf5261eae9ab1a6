"""What a walk-forward is going to do, and what it found, in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meseta.cli._console import count, day, duration, facts, money, number, share, table
from meseta.cli._run_tables import source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl
    from rich.console import Console

    from meseta.pipeline import WalkForwardPlan, WalkForwardResult

__all__ = ["show_matrix", "show_plan", "show_result"]

_MOST_WINDOWS = 60
_LEGEND = (
    "Promise is what the chosen combinations made in-sample, at the same pace. Median is the "
    "combination in the middle of the grid held throughout; hold is buying and holding. Choosing "
    "is worth something where out-of-sample beats both."
)


def show_plan(console: Console, plan: WalkForwardPlan) -> None:
    """Print strategy, data, windows and grid before anything is started."""
    config, windows = plan.config, plan.windows
    lengths = f"{config.in_sample} in-sample, {config.out_of_sample} out-of-sample {config.unit}"
    how = "anchored" if config.anchored else "rolling"
    pairs = [
        ("Strategy", f"{plan.strategy.name}, {plan.strategy.summary}"),
        ("Data", _data(plan)),
        *source(plan.bars),
        ("Size", _sized(plan)),
        ("Windows", f"{len(windows.windows)} {how}, {lengths}" + _purge(plan)),
        ("Out-of-sample", f"{day(plan.bars.time[windows.windows[0].out_start])} to the end"),
        ("Grid", f"{plan.grid.name}: {count(plan.combinations)} combinations"),
        ("Fitness", f"{config.fitness}; fewest in-sample trades {config.min_trades}"),
    ]
    if plan.cells:
        pairs.append(("Matrix", f"{len(plan.cells)} pairs of lengths in the same pass"))
    facts(console, pairs)
    console.print()
    for warning in plan.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)


def _sized(plan: WalkForwardPlan) -> str:
    quantity, value = plan.contract.quantity, plan.contract.point_value
    if quantity is None:
        return "the whole equity in whole lots"
    return f"{quantity:g} in every position, {value:g} a point"


def _data(plan: WalkForwardPlan) -> str:
    bars = plan.bars
    stubs = 0 if bars.stubs is None else int(bars.stubs.sum())
    cut = f", {count(stubs)} of them cut short by a session's end" if stubs else ""
    return (
        f"{bars.name}, {count(len(bars))} bars of {bars.bar_size}{cut}, "
        f"{day(bars.time[0])} to {day(bars.time[-1])} ({bars.timezone})"
    )


def _purge(plan: WalkForwardPlan) -> str:
    config = plan.config
    if not config.purge:
        return ""
    return f", {config.purge} {'bars' if config.unit == 'bars' else 'sessions'} between them"


def show_result(console: Console, result: WalkForwardResult, seconds: float) -> None:
    """Print what came of it, and where it is."""
    manifest = result.manifest
    assert result.made is not None  # it was made just now
    _show_windows(console, result.made.outcome.windows)
    facts(console, [*_found(manifest), *_doubts(manifest)])
    console.print()
    console.print(_LEGEND, soft_wrap=not console.is_terminal)
    console.print()
    if result.made.matrix is not None:
        show_matrix(console, result.folder, manifest)
    for warning in manifest["warnings"]:
        console.print(f"Note: {warning}", soft_wrap=True)
    console.print(f"\nDone in {duration(seconds)}: {result.folder}", soft_wrap=True)
    if result.report is not None:
        console.print(f"Report: {result.report}", soft_wrap=True)


def _show_windows(console: Console, windows: pl.DataFrame) -> None:
    exact = windows["exact_net_profit"].null_count() == 0
    rows = []
    for row in windows.head(_MOST_WINDOWS).iter_rows(named=True):
        chosen = "flat" if row["flat"] else count(row["combination"])
        rows.append(
            (
                f"{row['window']}{'*' if row['partial'] else ''}",
                day(row["out_first"]),
                day(row["out_last"]),
                chosen,
                number(row["fitness"]),
                money(row["is_net_profit"]),
                money(row["oos_net_profit"]),
                money(row["exact_net_profit"]) if exact else "-",
                money(row["median_net_profit"]),
            )
        )
    heads = ("window", "from", "to", "combination", "fitness", "in-sample", "out-of-sample",
             "exact", "median")  # fmt: skip
    table(console, "Windows (* shorter than the others)", heads, rows, left=3)
    if windows.height > _MOST_WINDOWS:
        console.print(f"... {windows.height - _MOST_WINDOWS} more in windows.parquet\n")


def _found(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    s, e = manifest["summary"], manifest["efficiency"]
    exact = s["exact_profit"] is not None
    kind = "exact" if exact else "emulated"
    profit = s[f"{kind}_profit"]
    yield "Out-of-sample", f"{money(profit)} ({kind}), drawdown {money(s[f'{kind}_drawdown'])}"
    yield "  promise", money(s["promise"])
    yield "  median", money(s["median_profit"])
    yield "  hold", money(s["hold_profit"])
    forms = ", ".join(
        f"{number(e[name][kind])} {told}"
        for name, told in (
            ("annualised", "annualised"), ("dollars", "in dollars"), ("per_trade", "per trade"),
        )
    )  # fmt: skip
    yield "Efficiency", forms
    yield "Winning windows", share(s["winning"])
    if manifest["gap"] is not None:
        g = manifest["gap"]
        parts = ", ".join(f"{name} {money(g[name])}" for name in ("position", "size", "orders"))
        yield "Gap", f"{money(g['total'])} ({share(g['share'])} of net profit): {parts}"


def _doubts(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    path = manifest["path"]
    if path["near_median"] is None:
        return
    told = f"{share(path['near_median'])} of the choices within 1 % of the median combination"
    yield "Choice", told + ("; the search chose noise" if path["noise"] else "")


def show_matrix(console: Console, folder: Path, manifest: dict[str, Any]) -> None:
    """Print the matrix of a run, and which of it passes."""
    import polars as pl

    frame = pl.read_parquet(folder / "matrix.parquet")
    rows = [
        (
            str(row["in_sample"]),
            str(row["out_of_sample"]),
            count(row["windows"]),
            money(row["oos_net_profit"]),
            money(row["oos_drawdown"]),
            number(row["efficiency"]),
            share(row["winning"]),
            count(row["trades"]),
            "block" if row["block"] == 1 else "passes" if row["passes"] else "-",
        )
        for row in frame.iter_rows(named=True)
    ]
    heads = ("in-sample", "out-of-sample", "windows", "profit", "drawdown", "efficiency",
             "winning", "trades", "")  # fmt: skip
    table(console, "Matrix", heads, rows, left=0)
    found = manifest["matrix"]
    console.print(
        f"{found['passing']} of {found['cells']} cells pass, {found['block']['size']} of them "
        "connected. All cells are out-of-sample over the same bars. The block is what to trade, "
        "not the best cell; either is a selection that has read out-of-sample results.",
        soft_wrap=not console.is_terminal,
    )
