"""From a walk-forward's folder to what its page shows, one function per section."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.report._charts import Curve, Line
from meseta.report._format import alike, count, moment, plain
from meseta.report._sampling import drawdown, thinned
from meseta.report._trade_stats import by_reason, by_side, sells_short
from meseta.report._walkforward_charts import (
    CAUSE_NAMES,
    gap_chart,
    geometry_chart,
    path_chart,
    stitched_chart,
)
from meseta.report._walkforward_run import CAUSES, total
from meseta.report._walkforward_verdict import average

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from meseta._types import FloatArray, TimeArray
    from meseta.report._figures import Figures
    from meseta.report._trade_stats import Tally
    from meseta.report._walkforward_run import Walk, WalkManifest

__all__ = [
    "GapView",
    "PathView",
    "Rival",
    "TradesView",
    "WindowsView",
    "contract_facts",
    "curve_view",
    "fitness_text",
    "gap_view",
    "geometry",
    "path_views",
    "rivals",
    "shorts",
    "trades_view",
    "window_facts",
    "windows_view",
]

_POINTS = 1500  # of each curve
_OWN_COLUMNS = 3  # parameters up to which each has a column of its own
_LINES = {
    "exact": ("exact re-run", "accent", False),
    "emulated": ("emulated", "short", True),
    "promise": ("in-sample promise", "in-sample", False),
    "median": ("median combination", "validation", False),
    "hold": ("buy and hold", "hold", True),
}
_RIVALS = {
    "exact": "Walk-forward, exact re-run",
    "emulated": "Walk-forward, emulated",
    "promise": "In-sample promise",
    "median": "Median combination, held",
    "average": "Average of all combinations",
    "hold": "Buy and hold",
}
_FITNESS = {
    "net_profit": "net profit",
    "profit_to_drawdown": "profit ÷ drawdown",
    "profit_factor": "profit factor",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "mar": "MAR",
}


@dataclass(frozen=True)
class Key:
    """One line of a chart's key: name, colour, whether it is dotted."""

    name: str
    role: str
    dotted: bool


@dataclass(frozen=True)
class Rival:
    """What one way to trade the same bars made."""

    name: str
    profit: float | None
    fall: float | None
    ratio: float | None
    own: bool


@dataclass(frozen=True)
class WindowsView:
    """The table of windows.

    Attributes
    ----------
    rows
        Of `windows.parquet`, each with `mark` ("flat", "partial", both or nothing), `values` of
        the searched parameters and the annualised `efficiency`.
    names
        Searched parameters that have a column of their own; where there are too many, none.
    totals
        Sums over the windows, by column.
    money
        How money is written in it.
    """

    rows: list[dict[str, Any]]
    names: list[str]
    totals: dict[str, float | None]
    money: Callable[[Any], str]


@dataclass(frozen=True)
class GapView:
    """Exact less emulated: its chart, a row a boundary, and the totals by cause.

    A cause is its name, its money, that as a share of the exact profit, and at how many
    boundaries it made a difference; `differing` are those where anything did. `money` is how
    the rows write money.
    """

    chart: str
    rows: list[dict[str, Any]]
    causes: list[tuple[str, float | None, float | None, int]]
    total: float | None
    share: float | None
    differing: int
    money: Callable[[Any], str]


@dataclass(frozen=True)
class PathView:
    """One parameter over the windows.

    Attributes
    ----------
    name, chart
        The parameter and its figure.
    grid
        Its range, in words.
    distinct
        How many of its values were chosen.
    changes, mean_steps, mean_share
        Boundaries at which it moved; how far on average, in grid steps and per range.
    chance
        The same share for values drawn at random.
    """

    name: str
    chart: str
    grid: str
    distinct: int
    changes: float | None
    mean_steps: float | None
    mean_share: float | None
    chance: float


@dataclass(frozen=True)
class TradesView:
    """Trades of the exact re-run, counted by side and by reason of exit."""

    tallies: list[Tally]
    sides: bool
    number: int
    costs: float | None


# The curve


def curve_view(walk: Walk, figures: Figures) -> tuple[str, list[Key]] | None:
    """Draw the stitched curve; return its name and its key, None when there is none."""
    mine = [name for name in ("exact", "emulated") if walk.line(name) is not None]
    if not mine:
        return None
    others = [name for name in ("promise", "median", "hold") if walk.line(name) is not None]
    fall = drawdown(_line(walk, mine[0]))
    keep = _kept(walk, [*mine, *others], fall)
    made = [name for name in others if name == "median"]
    lines = [_drawn(walk, name, keep) for name in [*mine, *made]]
    guides = [_drawn(walk, name, keep) for name in others if name not in made]
    chart = stitched_chart(lines, guides, fall[keep], _boundaries(walk)[:-1])
    key = [Key(line.curve.label, line.color, line.dotted) for line in [*lines, *guides]]
    return figures.add("curve", chart), key


def rivals(walk: Walk) -> list[Rival]:
    """Compare what was made over the same bars: profit, largest fall between closes."""
    summary = walk.manifest.summary
    known = {
        "exact": (summary.exact_profit, summary.exact_drawdown),
        "emulated": (summary.emulated_profit, summary.emulated_drawdown),
        "promise": (summary.promise, None),
        "median": (summary.median_profit, _fall(walk, "median")),
        "average": (average(walk), None),
        "hold": (summary.hold_profit, _fall(walk, "hold")),
    }
    return [
        Rival(_RIVALS[name], profit, fall, _ratio(profit, fall), name in ("exact", "emulated"))
        for name, (profit, fall) in known.items()
        if profit is not None
    ]


def _line(walk: Walk, name: str) -> FloatArray:
    values = walk.line(name)
    return np.full(len(walk.times), np.nan) if values is None else values


def _fall(walk: Walk, name: str) -> float | None:
    values = walk.line(name)
    return None if values is None else float(np.nanmax(drawdown(values)))


def _ratio(profit: float | None, fall: float | None) -> float | None:
    return None if profit is None or not fall else profit / fall


def _kept(walk: Walk, names: Sequence[str], fall: FloatArray) -> np.ndarray:
    """Positions to draw: lows and highs of every curve, the deepest drawdowns."""
    share = 2 * _POINTS // (3 * len(names))
    levels = [thinned(_line(walk, name), share) for name in names]
    return np.unique(np.concatenate([*levels, thinned(fall, _POINTS // 3)]))


def _drawn(walk: Walk, name: str, keep: np.ndarray) -> Line:
    label, role, dotted = _LINES[name]
    if name == "emulated" and walk.line("exact") is None:
        role, dotted = _LINES["exact"][1:]
    return Line(Curve(label, walk.times[keep], _line(walk, name)[keep]), role, dotted)


def _boundaries(walk: Walk) -> TimeArray:
    """(W + 1,) first bars of the out-of-sample windows, and the last bar."""
    if walk.windows is None:
        return walk.times[[0, -1]]
    first, last = walk.windows["out_first"].to_numpy(), walk.windows["out_last"].to_numpy()
    times: TimeArray = np.concatenate([first, last[-1:]])
    return times


# How it was done


def geometry(walk: Walk, figures: Figures) -> str | None:
    """Draw the windows and return the chart's name; None when they were not written."""
    if walk.windows is None:
        return None
    return figures.add("geometry", geometry_chart(walk.windows))


def window_facts(manifest: WalkManifest) -> list[tuple[str, str]]:
    """List the name and value of everything about the windows and the choice."""
    windows, unit = manifest.windows, manifest.windows.unit
    purge_unit = "bars" if unit == "bars" else "sessions"
    purge = f"{plain(windows.purge)} {purge_unit}" if windows.purge else "none"
    combinations = count(manifest.searched)
    return [
        ("In-sample", f"{plain(windows.in_sample)} {unit}"),
        ("Out-of-sample", f"{plain(windows.out_of_sample)} {unit}"),
        ("Purge between them", purge),
        ("Kind", "anchored: all begin at the start" if windows.anchored else "rolling"),
        ("Windows", _window_count(manifest)),
        ("Analysis from", moment(windows.start)),
        ("Out-of-sample from", moment(windows.first_out)),
        ("to", moment(windows.stop)),
        ("Combinations", combinations),
        ("Chosen by in-sample", fitness_text(manifest)),
        ("Least trades in-sample", plain(manifest.min_trades)),
    ]


def fitness_text(manifest: WalkManifest) -> str:
    """Return the fitness in words."""
    name = manifest.fitness or "not recorded"
    return _FITNESS.get(name, name)


def contract_facts(manifest: WalkManifest) -> list[tuple[str, str]]:
    """List the name and value of everything about the contract; empty for plain shares."""
    contract = manifest.contract
    if not contract.quantity:
        return []
    rolls = contract.rolls
    return [
        ("Contracts in every position", plain(contract.quantity)),
        ("Money per point", plain(contract.point_value)),
        ("Tick", plain(contract.tick) if contract.tick else "none"),
        ("Cost of a roll, per contract", plain(contract.roll_cost)),
        ("Rolls", count(len(rolls)) if isinstance(rolls, list) else plain(rolls)),
    ]


def shorts(walk: Walk) -> bool:
    """Tell whether anything was sold short, as far as the folder shows."""
    if walk.trades is not None and sells_short(walk.trades):
        return True
    frames = [(walk.curve, "emulated_position"), (walk.windows, "position_emulated")]
    return any(
        frame is not None and name in frame.columns and bool((frame[name] < 0).any())
        for frame, name in frames
    )


def _window_count(manifest: WalkManifest) -> str:
    windows = manifest.windows
    more = [f"{count(windows.flat)} flat"] if windows.flat else []
    more += ["the last one shorter"] if windows.partial else []
    return ", ".join([count(windows.count), *more])


# The windows


def windows_view(walk: Walk) -> WindowsView | None:
    """Prepare the table of windows; None when they were not written."""
    if walk.windows is None:
        return None
    names = list(walk.manifest.choices)
    rows = [
        row | {"mark": _mark(row), "values": _values(row, names), "efficiency": _efficiency(row)}
        for row in walk.windows.iter_rows(named=True)
    ]
    summed = [name for name in walk.windows.columns if name.endswith(("profit", "trades"))]
    totals = {name: total(walk.windows, name) for name in [*summed, "gap"]}
    totals["all_mean"] = average(walk)
    own = names if len(names) <= _OWN_COLUMNS else []
    return WindowsView(rows, own, totals, alike(walk.windows["oos_net_profit"]))


def _mark(row: dict[str, Any]) -> str:
    return ", ".join(name for name in ("flat", "partial") if row[name])


def _values(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: row.get(name) for name in names}


def _efficiency(row: dict[str, Any]) -> float | None:
    """Return the recorded efficiency; of money where none is recorded."""
    if row["efficiency"] is not None:
        return float(row["efficiency"])
    """Out-of-sample profit per year as a share of in-sample's; None without a profit there."""
    inside, beyond = row["is_net_profit"], row["oos_net_profit"]
    years = row["is_years"], row["oos_years"]
    if row["flat"] or inside is None or beyond is None or inside <= 0 or not all(years):
        return None
    return float((beyond / years[1]) / (inside / years[0]))


# The gap


def gap_view(walk: Walk, figures: Figures) -> GapView | None:
    """Draw and list what made exact differ from emulated; None without an exact re-run."""
    frame, gap = walk.windows, walk.manifest.gap
    if frame is None or gap is None or frame["gap"].is_null().all():
        return None
    parts = {cause: frame[f"gap_{cause}"] for cause in CAUSES}
    ends = np.concatenate([frame["out_first"].to_numpy()[:1], frame["out_last"].to_numpy()])
    chart = gap_chart(ends, {cause: _numbers(values) for cause, values in parts.items()})
    sums = {cause: total(frame, f"gap_{cause}") for cause in CAUSES}
    causes = [
        (CAUSE_NAMES[cause], sums[cause], _part(walk, sums[cause]), _count(values))
        for cause, values in parts.items()
    ]
    rows = [
        row | {"values": _values(row, list(walk.manifest.choices))}
        for row in frame.iter_rows(named=True)
    ]
    return GapView(
        figures.add("gap", chart),
        rows,
        causes,
        gap.total,
        _part(walk, gap.total),
        _count(frame["gap"]),
        alike(frame["gap"]),
    )


def _numbers(values: pl.Series) -> FloatArray:
    numbers: FloatArray = values.fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _count(values: pl.Series) -> int:
    return int((values.fill_null(0.0) != 0.0).sum())


def _part(walk: Walk, made: float | None) -> float | None:
    """Return money as a share of the exact net profit, with the sign of the money."""
    exact = walk.manifest.summary.exact_profit
    return None if made is None or not exact else made / abs(exact)


# The parameter path


def path_views(walk: Walk, figures: Figures) -> list[PathView]:
    """Draw every searched parameter over the windows; empty where nothing was searched."""
    if walk.windows is None:
        return []
    return [
        _path(walk, walk.windows, number, name, values, figures)
        for number, (name, values) in enumerate(walk.manifest.choices.items(), start=1)
        if name in walk.windows.columns
    ]


def _path(
    walk: Walk,
    windows: pl.DataFrame,
    number: int,
    name: str,
    values: list[Any],
    figures: Figures,
) -> PathView:
    flats, column = windows["flat"].to_list(), windows[name].to_list()
    chosen = [
        None if flat else _position(value, values)
        for flat, value in zip(flats, column, strict=True)
    ]
    middle = _position(walk.manifest.median_combination.get(name), values)
    middle = (len(values) - 1) // 2 if middle is None else middle
    chart = path_chart(name, values, chosen, _boundaries(walk), middle)
    jump = walk.manifest.path.jumps.get(name)
    n = len(values)
    return PathView(
        name=name,
        chart=figures.add(f"path-{number}", chart),
        grid=f"{plain(values[0])} … {plain(values[-1])}, {n} values",
        distinct=len({place for place in chosen if place is not None}),
        changes=None if jump is None else jump.changes,
        mean_steps=None if jump is None else jump.mean_steps,
        mean_share=None if jump is None else jump.mean_share,
        chance=(n + 1) / (3 * n),
    )


def _position(value: Any, values: Sequence[Any]) -> int | None:
    """Find a value in its grid; numbers that differ by rounding alone are the same."""
    for at, known in enumerate(values):
        if value == known or (isinstance(value, float) and _close(value, known)):
            return at
    return None


def _close(value: float, known: Any) -> bool:
    return isinstance(known, int | float) and math.isclose(value, known, rel_tol=1e-9)


# Trades


def trades_view(walk: Walk) -> TradesView | None:
    """Count the trades of the exact re-run; None when there was none."""
    if walk.trades is None:
        return None
    sides = sells_short(walk.trades)
    tallies = (by_side(walk.trades) if sides else []) + by_reason(walk.trades)
    costs = float(walk.trades["costs"].sum()) if "costs" in walk.trades.columns else None
    return TradesView(tallies, sides, len(walk.trades), costs)
