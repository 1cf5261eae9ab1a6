"""From what was chosen to what came of it: curves, gap, efficiency, parameter path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.walkforward._curves import curves, drawdown_of, held_market
from meseta.walkforward._exact import Piece
from meseta.walkforward._gap import gap_of, total_of
from meseta.walkforward._matrix import efficiency_of
from meseta.walkforward._path import path_of
from meseta.walkforward._tables import best_table, trade_table, window_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.engine._reference import Policy
    from meseta.strategies import Grid
    from meseta.walkforward._exact import Path, Trader
    from meseta.walkforward._gap import Gap
    from meseta.walkforward._matrix import Efficiency
    from meseta.walkforward._stats import WindowStats
    from meseta.walkforward._tables import Traded

__all__ = ["Outcome", "exact_profit", "outcome_of"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A walk-forward, told in tables.

    Parameters
    ----------
    windows, best, curve, trades
        A row for each window, for each of its best combinations, for each close, for each trade
        of the exact run (None without one).
    summary, efficiency, gap, path
        See `docs/run-folder.md`; `gap` is None without an exact run.
    warnings
        What the user should know.
    """

    windows: pl.DataFrame
    best: pl.DataFrame
    curve: pl.DataFrame
    trades: pl.DataFrame | None
    summary: dict[str, Any]
    efficiency: dict[str, dict[str, float | None]]
    gap: dict[str, float | None] | None
    path: dict[str, Any]
    warnings: tuple[str, ...]


def pieces_of(grid: Grid, windows: Sequence[Traded]) -> list[Piece]:
    """Return what each window trades."""
    return [
        Piece(
            each.window.out_start,
            each.window.out_stop,
            grid.point(each.chosen.flat) if each.chosen else None,
            each.window.in_start,
        )
        for each in windows
    ]


def exact_profit(trader: Trader, grid: Grid, windows: Sequence[Traded], policy: Policy) -> float:
    """Return the money that the windows make as one account."""
    return trader.schedule(pieces_of(grid, windows), policy).profit


def outcome_of(
    trader: Trader,
    grid: Grid,
    windows: Sequence[Traded],
    policy: Policy | None,
) -> Outcome:
    """Trade what was chosen, and compare.

    Parameters
    ----------
    trader, grid
        Trades parameter sets; the combinations.
    windows
        What was chosen.
    policy
        What happens at boundaries in the exact run; None makes none.
    """
    todo = pieces_of(grid, windows)
    pieces = trader.pieces(todo)
    exact = None if policy is None else trader.schedule(todo, policy)
    parts = None if exact is None else [exact.piece(each.first, each.stop) for each in todo]
    gaps = None
    if parts is not None:
        gaps = [gap_of(*pair) for pair in zip(pieces, parts, strict=True)]
    first, stop = todo[0].first, todo[-1].stop
    middle = Piece(first, stop, grid.point(windows[0].median.flat))
    median = trader.schedule([middle], "carry")
    hold = held_market(trader.bars, first, stop, trader.account, trader.contract)
    reinvests = trader.contract.quantity is None
    promised = [
        _promise(each, piece, part, reinvests=reinvests)
        for each, piece, part in zip(windows, pieces, parts or pieces, strict=True)
    ]
    curve = curves(trader.bars, pieces, exact, promised, median, hold)
    table = _judged(
        window_table(trader.bars, grid, windows, pieces, median, parts, gaps), reinvests=reinvests
    )
    made = exact.trades if exact is not None else ()
    summary = _summary(curve, table, len(made) if exact is not None else None)
    return Outcome(
        windows=table,
        best=best_table(grid, windows),
        curve=curve,
        trades=None
        if exact is None
        else trade_table(trader.bars, exact, [each.window for each in windows]),
        summary=summary,
        efficiency=_efficiency(windows, pieces, parts, reinvests=reinvests),
        gap=None if gaps is None else _gap(gaps, float(summary["exact_profit"])),
        path=path_of(
            grid,
            [each.chosen.flat if each.chosen else None for each in windows],
            [each.near_median for each in windows],
        ),
        warnings=_warnings(windows, curve, trader),
    )


def _promise(each: Traded, piece: Path, traded: Path, *, reinvests: bool) -> float:
    """Return what the in-sample window promises for a bar of the account that trades it.

    An account that reinvests is promised the same share of itself; one that is used up nothing.
    """
    if each.chosen is None or (reinvests and not min(piece.before, traded.equity[0]) > 0):
        return 0.0
    made = each.chosen.inside.net_profit / each.chosen.inside.bars
    return made * float(traded.equity[0]) / piece.before if reinvests else made


def _summary(curve: pl.DataFrame, table: pl.DataFrame, trades: int | None) -> dict[str, Any]:
    last = {name: curve[name][-1] for name in ("emulated", "exact", "promise", "median", "hold")}
    traded = table.filter(~pl.col("flat"))
    exact = last["exact"] is not None
    profit = traded["exact_net_profit" if exact else "oos_net_profit"]
    return {
        "emulated_profit": last["emulated"],
        "exact_profit": last["exact"],
        "promise": last["promise"],
        "median_profit": last["median"],
        "hold_profit": last["hold"],
        "emulated_drawdown": drawdown_of(curve["emulated"].to_numpy()),
        "exact_drawdown": drawdown_of(curve["exact"].to_numpy()) if exact else None,
        "winning": float((profit > 0).mean()) if traded.height else None,  # type: ignore[arg-type]
        "all_mean": float(table["all_mean"].sum()),
        "trades": int(table["oos_trades"].sum()) if trades is None else trades,
    }


def _efficiency(
    windows: Sequence[Traded],
    pieces: Sequence[Path],
    parts: Sequence[Path] | None,
    *,
    reinvests: bool,
) -> dict[str, dict[str, float | None]]:
    """Return walk-forward efficiency in three forms, of the emulated and the exact pieces."""
    chosen = [(each.chosen, k) for k, each in enumerate(windows) if each.chosen is not None]
    forms: dict[str, Efficiency | None] = {"emulated": None, "exact": None}
    for kind, paths in (("emulated", pieces), ("exact", parts)):
        if paths is None or not chosen:
            continue
        inside = np.array([choice.inside for choice, _ in chosen])
        outside = np.array([_made(choice.outside, paths[k], kind) for choice, k in chosen])
        before = np.array([pieces[k].before for _, k in chosen])
        begin = np.array([paths[k].equity[0] for _, k in chosen])
        forms[kind] = efficiency_of(inside, outside, (before, begin) if reinvests else None)
    names = ("dollars", "annualised", "per_trade")
    return {
        name: {kind: getattr(form, name) if form else None for kind, form in forms.items()}
        for name in names
    }


def _made(stats: WindowStats, path: Path, kind: str) -> WindowStats:
    """Return out-of-sample statistics with what the exact run made instead."""
    if kind == "emulated":
        return stats
    return stats._replace(net_profit=path.profit, trades=float(len(path.trades)))


def _shares(table: pl.DataFrame, *, reinvests: bool) -> pl.DataFrame:
    """Return windows whose profits are shares of the account that they were made with.

    An account that is used up makes no share of itself.
    """
    if not reinvests:
        return table
    sides = ("is", "oos", "exact")
    return table.with_columns(
        pl.when(pl.col(f"{side}_equity") > 0)
        .then(pl.col(f"{side}_net_profit") / pl.col(f"{side}_equity"))
        .otherwise(pl.when(pl.col(f"{side}_net_profit").is_not_null()).then(0.0))
        .alias(f"{side}_net_profit")
        for side in sides
    )


def _judged(table: pl.DataFrame, *, reinvests: bool) -> pl.DataFrame:
    """Return windows with their own efficiency, annualised; null where in-sample made nothing."""
    rows = _shares(table, reinvests=reinvests)
    inside, outside = (
        rows[f"{side}_net_profit"] / rows[f"{side}_years"] for side in ("is", "oos")
    )
    found = pl.select(pl.when(inside > 0).then(outside / inside)).to_series()
    return table.with_columns(efficiency=found)


def _gap(gaps: Sequence[Gap], profit: float) -> dict[str, float | None]:
    total = total_of(gaps)
    return total | {"share": total["total"] / abs(profit) if profit else None}


def _warnings(windows: Sequence[Traded], curve: pl.DataFrame, trader: Trader) -> tuple[str, ...]:
    found = []
    flat = [each for each in windows if each.chosen is None]
    if flat:
        numbers = ", ".join(str(each.window.number) for each in flat[:12])
        more = ", ..." if len(flat) > 12 else ""
        found.append(
            f"{len(flat)} of {len(windows)} windows stay flat, no combination qualifies: "
            f"{numbers}{more} ({_why(flat)})"
        )
    lowest = _lowest(curve, reinvests=trader.contract.quantity is None)
    if lowest is not None and lowest <= -trader.account.capital:
        found.append(
            f"the account of {trader.account.capital:,.0f} was used up: the out-of-sample curve "
            f"fell to {lowest:,.0f}; results after that could not have been traded"
        )
    return tuple(found)


def _lowest(curve: pl.DataFrame, *, reinvests: bool) -> float | None:
    """Return how low the account fell; None where no account of that capital was traded.

    Emulated pieces of an account that reinvests are those of accounts that have grown for years.
    """
    exact = curve["exact"].min()
    if exact is None and reinvests:
        return None
    return float(curve["emulated"].min() if exact is None else exact)  # type: ignore[arg-type]


def _why(flat: Sequence[Traded]) -> str:
    few, undefined = (sum(getattr(e, name) for e in flat) for name in ("few", "undefined"))
    reasons = []
    if few:
        reasons.append(f"too few trades {few:,} times")
    if undefined:
        reasons.append(f"the fitness was NaN {undefined:,} times")
    return " and ".join(reasons) or "no combination was simulated"
