"""From a run to what the report's template shows, one function per section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.report._charts import phase_timeline
from meseta.report._format import count, moment, money, plain, rounded, share
from meseta.report._map import plateau_map
from meseta.report._promise import Hold, hold, promise_chart, promises
from meseta.report._spans import Span, SpanKind
from meseta.report._statements import made_up, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.report._figures import Figures
    from meseta.report._record import Asked, Record
    from meseta.report._run import Manifest, Run

__all__ = [
    "GateRow",
    "Luck",
    "VaultView",
    "account_facts",
    "behaviours",
    "costless",
    "data_facts",
    "gate_rows",
    "invented",
    "luck",
    "map_chart",
    "opened",
    "spans",
    "tiles",
    "timeline_chart",
    "vault_view",
]

LUCK_SHARE = (0.006, 0.02)
"""Share of independent combinations without any edge that pass 3 of the 4 default phases."""

_DEFAULT_GATES = {
    "min_efficiency": 0.35,
    "max_drawdown_to_profit": 1.0,
    "max_drawdown_to_in_sample": 3.0,
    "min_drawdown": 0.0,
    "min_trades": 1,
}


@dataclass(frozen=True)
class GateRow:
    """One gate: what it asks, and per phase what it removed alone and what it left."""

    label: str
    alone: list[int | None]
    left: list[int | None]


@dataclass(frozen=True)
class Luck:
    """Number expected to pass by luck alone beside the number found.

    `band` and `found_at` are positions in percent on one common scale.
    """

    searched: str
    low: str
    high: str
    found: int
    band: tuple[float, float]
    found_at: float


@dataclass(frozen=True)
class VaultView:
    """The vault's table: growth per year per centre, the median finalist, buy and hold."""

    chart: str | None
    centres: list[dict[str, Any]]
    median: dict[str, Any]
    profitable: float | None
    finalists: int
    hold: Hold


def spans(run: Run) -> list[Span]:
    """List every phase's two sides, then the vault; empty without bars."""
    if run.bars is None:
        return []
    time = run.bars["time"].to_numpy()
    sides: list[tuple[SpanKind, int, int, str]] = []
    for phase in run.manifest.phases:
        lane = f"phase {phase.number}"
        sides.append(("in-sample", phase.a, phase.o, lane))
        sides.append(("validation", phase.o, phase.z, lane))
    vault = run.manifest.vault
    if vault is not None:
        sides.append(("vault", vault.a, vault.z, "vault"))
    return [
        Span(kind, time[a], time[z - 1], lane)
        for kind, a, z, lane in sides
        if 0 <= a < z <= len(time)
    ]


def timeline_chart(run: Run, rows: Sequence[Span], figures: Figures) -> str | None:
    """Draw the phases and return the name of their chart; None without bars."""
    if run.bars is None:
        return None
    time, close = run.bars["time"].to_numpy(), run.bars["close"].to_numpy()
    return figures.add("timeline", phase_timeline(time, close, rows))


def map_chart(run: Run, figures: Figures) -> str | None:
    """Draw the plateau map and return its name; None without candidates or two axes."""
    if len(run.plateaus.axes) < 2 or not run.plateaus.occupied:
        return None
    return figures.add("map", plateau_map(run.plateaus))


def invented(manifest: Record) -> list[str] | None:
    """Return what the run says about made-up data, maybe nothing; None where the data are real."""
    data, second = manifest.data, manifest.data.second
    names = [data.name, data.source, *([second.name, second.source] if second else [])]
    said = made_up([*manifest.warnings, *(finding.message for finding in data.warnings)])
    return said if said or made_up(names) else None


def data_facts(manifest: Record) -> list[tuple[str, str]]:
    """List the name and value of everything about the data."""
    data, second = manifest.data, manifest.data.second
    facts = [("Data", data.name), ("Source", data.source or "not recorded"), *_asked(data.asked)]
    if second is not None:
        mine, its = second.dropped
        facts += [
            ("Second symbol", second.name),
            ("Its source", second.source or "not recorded"),
            *_asked(second.asked),
            (f"Bars dropped of {data.name}", share(mine, 2)),
            (f"Bars dropped of {second.name}", share(its, 2)),
        ]
    return [
        *facts,
        ("Bars", count(data.rows)),
        ("Bar size", data.bar_size or "not recorded"),
        ("First bar", moment(data.first)),
        ("Last bar", moment(data.last)),
    ]


def _asked(asked: Asked | None) -> list[tuple[str, str]]:
    """Say what a source was asked for; nothing of a file."""
    if asked is None:
        return []
    parts = (asked.symbol, asked.interval, asked.basis, asked.session)
    what = " ".join(part for part in parts if part)
    span = f"{asked.start or 'the earliest'} to {asked.end or 'the latest'}"
    return [("Asked for", f"{what}, {span}, {_from(asked)}")]


def _from(asked: Asked) -> str:
    if asked.fetch:
        return f"from {asked.source}"
    if asked.source == "files":
        return "from files that were imported"
    of = "" if asked.source == "store" else f" of {asked.source}, which was not asked"
    return f"from what is stored{of}"


def account_facts(manifest: Record, capital: str = "Capital per phase") -> list[tuple[str, str]]:
    """List the name and value of everything in the account; `capital` is what its money is."""
    account = manifest.account
    written = {
        "capital": (capital, money),
        "slippage": ("Slippage, price units a share", plain),
        "cost_per_share": ("Cost per share, round trip", plain),
        "commission": ("Commission, each side", lambda value: share(value, 3)),
        "lot": ("Lot", plain),
    }
    facts = [
        (label, show(account[key])) for key, (label, show) in written.items() if key in account
    ]
    others = [(key, plain(value)) for key, value in account.items() if key not in written]
    return facts + others


def costless(manifest: Record) -> bool:
    """Tell whether neither slippage nor any cost was assumed."""
    keys = ("slippage", "cost_per_share", "commission")
    return bool(manifest.account) and not any(manifest.account.get(key) for key in keys)


def behaviours(manifest: Manifest) -> str | None:
    """Say how many sets of rules the grid is made of; None when that was not recorded."""
    known = manifest.behaviours
    if not {"entry_sets", "exit_sets"} <= known.keys():
        return None
    text = f"{count(known['entry_sets'])} entry sets times {count(known['exit_sets'])} exit sets"
    if "exit_tables" not in known:
        return f"{text}."
    return f"{text}, of which {count(known['exit_tables'])} behave differently on these bars."


def gate_rows(manifest: Manifest) -> list[GateRow]:
    """Return one row per gate, in the order in which they were applied."""
    phases = manifest.funnel.phases
    keys = list(dict.fromkeys(key for p in phases for key in [*p.sequence, *p.alone]))
    labels = _gate_labels(manifest)
    return [
        GateRow(
            labels.get(key, key.replace("_", " ")),
            [phase.alone.get(key) for phase in phases],
            [phase.sequence.get(key) for phase in phases],
        )
        for key in keys
    ]


def _gate_labels(manifest: Manifest) -> dict[str, str]:
    gates = manifest.gates
    floor = plain(gates.min_drawdown)
    trades = "1 trade" if gates.min_trades == 1 else f"{plain(gates.min_trades)} trades"
    asked = "" if not gates.min_drawdown else f", asked above a drawdown of {floor}"
    return {
        "is_profit": "In-sample profit above 0",
        "oos_profit": "Validation profit above 0",
        "efficiency": f"Validation ÷ in-sample profit above {plain(gates.min_efficiency)}",
        "drawdown_to_profit": "Validation drawdown under "
        f"{plain(gates.max_drawdown_to_profit)} × its profit{asked}",
        "drawdown_to_in_sample": "Validation drawdown under "
        f"{plain(gates.max_drawdown_to_in_sample)} × in-sample drawdown{asked}",
        "trades": f"At least {trades} on each side",
    }


def luck(manifest: Manifest) -> Luck | None:
    """Say what luck alone would pass; None unless phases and gates are the default ones."""
    total = manifest.searched
    default = all(getattr(manifest.gates, k) == v for k, v in _DEFAULT_GATES.items())
    if not (len(manifest.phases) == 4 and manifest.required_phases == 3 and default and total):
        return None
    found = sum(n for phases, n in manifest.funnel.valid_in.items() if phases >= 3)
    low, high = (part * total for part in LUCK_SHARE)
    scale = 100 / (max(found, high) * 1.08)
    text = f"{count(total)}, the sample" if manifest.grid.sampled else count(total)
    return Luck(
        text, rounded(low), rounded(high), found, (low * scale, high * scale), found * scale
    )


def vault_view(run: Run, figures: Figures) -> VaultView | None:
    """Put the vault beside the promise; None when there is no vault or it was not opened."""
    frame = promises(run)
    if run.manifest.vault is None or frame.is_empty() or frame["vault"].is_null().all():
        return None
    holding = hold(run)
    known = frame.drop_nulls(["in_sample", "validation", "vault"])
    chart = None
    if not known.is_empty():
        chart = figures.add("vault", promise_chart(frame, holding))
    paid = frame["vault"].drop_nulls()
    return VaultView(
        chart=chart,
        centres=frame.filter(pl.col("role") == "centre").sort("plateau").to_dicts(),
        median=_medians(frame),
        profitable=float(np.mean(paid.to_numpy() > 0)),
        finalists=len(paid),
        hold=holding,
    )


def _medians(frame: pl.DataFrame) -> dict[str, Any]:
    numbers = frame.select(pl.selectors.numeric())
    return numbers.median().row(0, named=True)


def tiles(run: Run) -> list[tuple[str, str, str]]:
    """List the key figures of the first page: label, value, remark."""
    manifest, funnel = run.manifest, run.manifest.funnel
    total = manifest.searched
    required = funnel.required or manifest.required_phases
    part = share(funnel.stable / total) if funnel.stable is not None and total else "unknown share"
    finalists = 0 if run.finalists is None else len(run.finalists)
    return [
        ("Combinations", count(total), _grid_remark(manifest)),
        ("Stable", count(funnel.stable), f"{part}, valid in {plain(required)} phases or more"),
        ("Candidates", count(funnel.candidates), "the best of these by stability"),
        ("Plateaus", count(len(run.plateaus.plateaus)), "connected regions of the map"),
        ("Finalists", count(finalists), "run again over the whole history"),
        ("Vault", *_vault_tile(manifest)),
    ]


def _grid_remark(manifest: Manifest) -> str:
    name, drawn = manifest.grid.name or "unnamed", sample(manifest)
    if drawn is None:
        return f"every one of grid {name}"
    return f"of {count(manifest.grid.combinations)} in grid {name}: {drawn}"


def _vault_tile(manifest: Manifest) -> tuple[str, str]:
    vault = manifest.vault
    if vault is None:
        return "none", "nothing was kept unseen"
    length = f"{plain(vault.months)} months" if vault.months is not None else "locked"
    return length, opened(vault.opened)


def opened(times: int | None) -> str:
    """Say how often a vault was opened, in words."""
    if times is None:
        return "not recorded how often opened"
    words = {0: "not opened", 1: "opened once", 2: "opened twice"}
    return words.get(times, f"opened {count(times)} times")
