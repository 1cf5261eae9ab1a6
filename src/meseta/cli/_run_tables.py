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

__all__ = ["show_plan", "show_result", "source"]

_GATES = {
    "is_profit": "in-sample profit",
    "oos_profit": "validation profit",
    "efficiency": "efficiency",
    "drawdown_to_profit": "drawdown to profit",
    "drawdown_to_in_sample": "drawdown to in-sample",
    "trades": "trades",
}
_METHODS = {"sobol": "a Sobol", "random": "a random"}
_MOST_PLATEAUS = 12
_LEGEND = (
    "Over all searched combinations of the plateau's cells, validation profit summed over phases: "
    "profitable is the share above zero, validation the median. Vault: the centre's profit in it."
)


_VARIANTS = (
    "Best plateau: its stability, and the median validation profit of its combinations; it is the "
    "best of as many combinations as stand beside it, and the best of more is better by luck "
    "alone. All: median validation profit and share above zero of everything searched, which a "
    "larger number does not help. Vault: the best plateau's centre in it."
)


def show_plan(console: Console, config: RunConfig, plan: Plan) -> None:
    """Print grid, data, vault, phases and estimates before anything is started."""
    from meseta.search import thread_count

    estimate = (
        f"about {duration(sum(each.seconds for each in plan.whole))} with "
        f"{thread_count(config.threads)} threads, "
        f"{size(max(each.memory_bytes for each in plan.whole))} of memory, "
        f"{size(sum(each.disk_bytes for each in plan.whole))} on disk"
    )
    pairs = [
        ("Strategy", _strategy(plan)),
        ("Data", _data(plan.bars)),
        *source(plan.bars),
        *_second(plan.bars),
        ("Vault", _vault(config, plan)),
        ("Grid", _grid(plan)),
        ("Estimate", estimate),
    ]
    facts(console, pairs)
    console.print()
    _show_variants(console, plan)
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
    notes = [f"{each.strategy.name}: {note}" for each in plan.variants for note in each.notes]
    for warning in (*plan.warnings, *notes):
        console.print(f"Note: {warning}", soft_wrap=True)


def _strategy(plan: Plan) -> str:
    name, there = plan.strategy.name, plan.strategy.tradestation_name
    return f"{name} ({there})" if there else name


def _grid(plan: Plan) -> str:
    of = f"combinations of {len(plan.grid.searched)} searched parameters"
    constraints = plan.grid.constraints
    if constraints:
        of += f" that meet {len(constraints)} constraint{'s' * (len(constraints) > 1)}"
    if plan.sample is None:
        return f"{plan.grid.name}: {count(plan.combinations)} {of}"
    return f"{plan.grid.name}: {_drawn(plan)} of {count(plan.grid.size)} {of}"


def _drawn(plan: Plan) -> str:
    if plan.sample is None:
        return count(plan.combinations)
    method = _METHODS[plan.sample.method]
    return f"{method} sample (seed {plan.sample.seed}) of {count(plan.combinations)}"


def _show_variants(console: Console, plan: Plan) -> None:
    if not plan.variants:
        return
    rows = [
        (
            each.strategy.name,
            count(each.combinations),
            count(each.grid.size),
            str(len(each.grid.searched)),
            duration(each.seconds),
        )
        for each in plan.whole
    ]
    title = "Variants, on the same bars, phases and vault"
    heads = ("strategy", "searched", "combinations", "parameters", "about")
    table(console, title, heads, rows)


def source(bars: Bars) -> Iterator[tuple[str, str]]:
    """Say where bars come from that are fetched and kept; nothing of a file, which is named."""
    for each, name in ((bars, "Source"), (bars.second, "Second from")):
        if each is not None and each.source is not None and each.source.startswith("store:"):
            yield name, each.source.removeprefix("store:")


def _second(bars: Bars) -> Iterator[tuple[str, str]]:
    if bars.second is None or bars.alignment is None:
        return
    made = bars.alignment
    text = (
        f"{bars.second.name}, {count(made.bars)} bars shared; without partner "
        f"{count(made.dropped)} of the first ({share(made.share)}) and "
        f"{count(made.dropped_second)} of the second ({share(made.share_second)})"
    )
    yield "Second", text


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
    manifest, all_ = result.manifest, (result, *result.variants)
    console.print(f"{manifest['strategy']}: {_searched(manifest['grid'])}\n", soft_wrap=True)
    _show_funnel(console, manifest["funnel"])
    _show_plateaus(console, result)
    _show_comparison(console, result)
    notes = [warning for each in all_ for warning in _warnings(each, named=len(all_) > 1)]
    for warning in (*_stand_ins(manifest), *notes):
        console.print(f"Note: {warning}", soft_wrap=True)
    opened = [each.manifest["vault"]["opened"] or 0 for each in all_ if each.manifest["vault"]]
    if any(opened):
        console.print(_opened(max(opened), len(all_)), soft_wrap=True)
    console.print(f"Done in {duration(seconds)}.")
    facts(console, [("Run", str(result.folder)), *_files(result)])


def _searched(grid: dict[str, Any]) -> str:
    """Say how many combinations were searched, and of a sample how they were drawn."""
    sampled = grid["sampled"]
    if sampled is None:
        return f"all {count(grid['combinations'])} combinations of {grid['name']} searched"
    return (
        f"{count(grid['searched'])} of {count(grid['combinations'])} combinations of "
        f"{grid['name']} searched, {_METHODS[sampled['method']]} sample with seed "
        f"{sampled['seed']}"
    )


def _stand_ins(manifest: dict[str, Any]) -> list[str]:
    """Return why stored bars stand in for those that a source has now, said again at the end."""
    from meseta.bars._finding import UNREACHABLE

    findings = manifest["data"]["warnings"]
    return [each["message"] for each in findings if each["code"] == UNREACHABLE]


def _warnings(result: RunResult, *, named: bool) -> list[str]:
    name = result.manifest["strategy"]
    return [f"{name}: {text}" if named else text for text in result.manifest["warnings"]]


def _show_comparison(console: Console, result: RunResult) -> None:
    if not result.variants:
        return
    from meseta.report import comparison_rows

    rows = [
        (
            row.strategy,
            count(row.combinations) + (" (sample)" if row.sampled else ""),
            number(row.plateau_stability, 2),
            money(row.plateau_oos_median),
            money(row.median_all),
            share(row.share_profitable),
            money(row.vault_profit),
        )
        for row in comparison_rows(result.folder)
    ]
    heads = (
        "variant", "combinations", "best plateau", "validation", "all: median", "profitable",
        "vault",
    )  # fmt: skip
    table(console, "Variants", heads, rows)
    console.print(_VARIANTS, soft_wrap=not console.is_terminal)
    console.print()


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


def _opened(times: int, variants: int) -> str:
    if variants > 1:
        return (
            f"Each of the {variants} variants opened the vault, which has been opened {times} "
            "times by now: the more often it is looked at, the less its results prove."
        )
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
    if result.variants:
        yield "Variants", str(result.folder / "variants")
    if result.report is not None:
        yield "Report", str(result.report)
    if result.comparison is not None:
        yield "Comparison", str(result.comparison)
