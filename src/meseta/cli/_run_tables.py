"""What a run is going to do, and what it found, in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meseta.cli._console import count, day, duration, facts, money, number, share, size, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from meseta.bars import Bars
    from meseta.config import RunConfig
    from meseta.pipeline import Plan, RunResult

__all__ = ["show_plan", "show_result"]

_GATES = {
    "is_profit": "in-sample profit",
    "oos_profit": "validation profit",
    "efficiency": "efficiency",
    "drawdown_to_profit": "drawdown to profit",
    "drawdown_to_in_sample": "drawdown to in-sample",
    "trades": "trades",
}
_MOST_PLATEAUS = 12
_LEGEND = (
    "Over all combinations of the plateau's cells, validation profit summed over phases: "
    "profitable is the share above zero, validation the median. Vault: the centre's profit in it."
)


def show_plan(console: Console, config: RunConfig, plan: Plan) -> None:
    """Print grid, data, vault, phases and estimates before anything is started."""
    from meseta.search import thread_count

    grid = (
        f"{plan.grid.name}: {count(plan.combinations)} combinations of "
        f"{len(plan.grid.searched)} searched parameters"
    )
    estimate = (
        f"about {duration(plan.seconds)} with {thread_count(config.threads)} threads, "
        f"{size(plan.memory_bytes)} of memory, {size(plan.disk_bytes)} on disk"
    )
    pairs = [
        ("Strategy", f"{plan.strategy.name} ({plan.strategy.tradestation_name})"),
        ("Data", _data(plan.bars)),
        ("Vault", _vault(config, plan)),
        ("Grid", grid),
        ("Estimate", estimate),
    ]
    facts(console, pairs)
    console.print()
    rows = [
        (
            str(phase.number),
            *_span(plan.before, phase.a, phase.o),
            *_span(plan.before, phase.o, phase.z),
        )
        for phase in plan.phases.phases
    ]
    many = len(plan.phases.phases)
    title = f"Phases (a combination must hold up in {plan.phases.required} of {many})"
    table(console, title, ("phase", "in-sample", "bars", "validation", "bars"), rows)
    for warning in plan.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)


def _data(bars: Bars) -> str:
    return (
        f"{bars.name}, {count(len(bars))} bars of {bars.bar_size}, "
        f"{day(bars.time[0])} to {day(bars.time[-1])} ({bars.timezone})"
    )


def _vault(config: RunConfig, plan: Plan) -> str:
    from meseta.vault import VaultLedger

    vault = plan.vault_bars
    if vault is None:
        return "none: nothing unseen will be left to test on"
    opened = VaultLedger(plan.bars.source).times_opened(vault)
    times = {0: "never opened", 1: "opened once before"}.get(
        opened, f"opened {opened} times before"
    )
    return (
        f"{config.vault:g} months, {day(vault.time[0])} to {day(vault.time[-1])}, "
        f"{count(len(vault))} bars, {times}"
    )


def _span(bars: Bars, a: int, z: int) -> tuple[str, str]:
    first, last = (str(bars.time[row])[:10] for row in (a, z - 1))
    return f"{first} to {last}", count(z - a)


def show_result(console: Console, result: RunResult, seconds: float) -> None:
    """Print the gate funnel, the plateaus, where the files are, and how long it took."""
    manifest = result.manifest
    _show_funnel(console, manifest["funnel"])
    _show_plateaus(console, result)
    for warning in manifest["warnings"]:
        console.print(f"Note: {warning}", soft_wrap=True)
    if manifest["vault"] and manifest["vault"]["opened"]:
        console.print(_opened(manifest["vault"]["opened"]), soft_wrap=True)
    console.print(f"Done in {duration(seconds)}.")
    facts(console, [("Run", str(result.folder)), *_files(result)])


def _show_funnel(console: Console, funnel: dict[str, Any]) -> None:
    phases = funnel["phases"]
    rows = [("all", *(count(phase["combinations"]) for phase in phases))]
    rows += [
        (label, *(count(phase["sequence"][gate]) for phase in phases))
        for gate, label in _GATES.items()
    ]
    heads = ("gate", *(f"phase {phase['phase']}" for phase in phases))
    table(console, "Gates: combinations left after each", heads, rows)
    shares = [f"{count(n)} in {many}" for many, n in reversed(funnel["valid_in"].items())]
    stable = f"{count(funnel['stable'])} combinations, valid in at least {funnel['required']}"
    facts(
        console,
        [
            ("Valid in phases", ", ".join(shares)),
            ("Stable", stable),
            ("Candidates", _candidates(funnel)),
        ],
    )
    console.print()


def _candidates(funnel: dict[str, Any]) -> str:
    kept = count(funnel["candidates"])
    return kept if funnel["candidates"] >= funnel["stable"] else f"{kept}, the most stable ones"


def _show_plateaus(console: Console, result: RunResult) -> None:
    plateaus = result.plateaus["plateaus"]
    if not plateaus:
        console.print("No plateau: no region of the map holds enough stable combinations.")
        console.print()
        return
    centres, axes = _centres(result.folder), result.plateaus["axes"]
    rows = [
        (
            str(p["rank"]),
            p["regime"],
            count(p["candidates"]),
            number(p["worth"], 2),
            share(p["profitable_share"]),
            money(p["median_oos_pnl"]),
            " x ".join(f"{p['centre']['parameters'][axis]:g}" for axis in axes),
            money(centres.get(p["rank"], {}).get("vault_net_profit")),
        )
        for p in plateaus[:_MOST_PLATEAUS]
    ]
    heads = ("#", "regime", "candidates", "worth", "profitable", "validation", "centre", "vault")
    table(console, f"Plateaus on {' x '.join(axes)}", heads, rows, left=2)
    console.print(_LEGEND, soft_wrap=not console.is_terminal)
    if len(plateaus) > _MOST_PLATEAUS:
        console.print(f"{len(plateaus) - _MOST_PLATEAUS} more plateaus are in plateaus.json.")
    console.print()


def _centres(folder: Path) -> dict[int, dict[str, Any]]:
    """Return the finalists that are plateaus' centres, by the plateau's rank."""
    import polars as pl

    table_ = pl.read_parquet(folder / "finalists" / "finalists.parquet")
    centres = table_.filter(pl.col("role") == "centre")
    return {row["plateau"]: row for row in centres.iter_rows(named=True)}


def _opened(times: int) -> str:
    if times == 1:
        return "The vault was opened for the first time: its results are the only unseen ones."
    return (
        f"The vault was opened for the {_ordinal(times)} time: the more often it is looked at, "
        "the less its results prove."
    )


def _ordinal(number_: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number_ % 10, "th")
    return f"{number_}{'th' if 10 < number_ % 100 < 14 else suffix}"


def _files(result: RunResult) -> Iterator[tuple[str, str]]:
    exports = sorted((result.folder / "exports").glob("*"))
    if exports:
        yield "TradeStation", f"{result.folder / 'exports'} ({len(exports)} files)"
    if result.report is not None:
        yield "Report", str(result.report)
