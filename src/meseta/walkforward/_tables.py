"""Tables of a walk-forward: a row for each window, for each of its best, for each trade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from meseta.walkforward._path import is_near

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meseta.bars import Bars
    from meseta.strategies import Grid
    from meseta.walkforward._exact import Path
    from meseta.walkforward._gap import Gap
    from meseta.walkforward._rolling import RollingWindow
    from meseta.walkforward._stats import WindowStats

__all__ = ["Choice", "Traded", "best_table", "trade_table", "window_table"]


class Choice(NamedTuple):
    """One combination in one window; statistics of its in-sample and out-of-sample bars."""

    flat: int
    fitness: float
    inside: WindowStats
    outside: WindowStats


class Traded(NamedTuple):
    """What is known of one window.

    Parameters
    ----------
    window
        Its bars.
    best
        The best combinations, best first; none where the window is flat.
    median
        The median combination in the same window.
    qualified, undefined, few
        Combinations that could be chosen, whose fitness was NaN, with too few trades.
    all_mean, all_winning
        Mean out-of-sample profit of all combinations, and the share of them that made money.
    """

    window: RollingWindow
    best: tuple[Choice, ...]
    median: Choice
    qualified: int
    undefined: int
    few: int
    all_mean: float
    all_winning: float

    @property
    def chosen(self) -> Choice | None:
        """What is traded; None for a flat window."""
        return self.best[0] if self.best else None

    @property
    def near_median(self) -> bool:
        """Whether its fitness is within 1 % of the median combination's."""
        return self.chosen is not None and is_near(self.chosen.fitness, self.median.fitness)


def window_table(
    bars: Bars,
    grid: Grid,
    windows: Sequence[Traded],
    pieces: Sequence[Path],
    median: Path,
    exact: Sequence[Path] | None,
    gaps: Sequence[Gap] | None,
) -> pl.DataFrame:
    """Return a row for each window; columns of the exact run are null where there was none.

    Times are of the first and last bar of a side, rows half-open; `is_equity`, `oos_equity` and
    `exact_equity` are the accounts where a side begins. NaN (a fitness that is not defined) is
    null.

    Parameters
    ----------
    bars, grid, windows
        The series, the combinations, what was chosen.
    pieces, median, exact, gaps
        Emulated pieces, the median combination held, pieces of the exact run and their gaps.
    """
    rows = []
    for k, each in enumerate(windows):
        row = _place(bars, each.window) | {"flat": each.chosen is None}
        row |= {"qualified": each.qualified, "undefined": each.undefined, "few": each.few}
        row |= _chosen(grid, each)
        row |= {"is_equity": pieces[k].before, "oos_equity": float(pieces[k].equity[0])}
        held = median.piece(each.window.out_start, each.window.out_stop)
        row["median_net_profit"] = held.profit
        row |= {"all_mean": each.all_mean, "all_winning": each.all_winning}
        row |= _exact(exact[k] if exact else None, gaps[k] if gaps else None, each.window)
        rows.append(row)
    return _finite(pl.DataFrame(rows, infer_schema_length=None))


def _place(bars: Bars, w: RollingWindow) -> dict[str, Any]:
    times = {
        "in_first": w.in_start, "in_last": w.in_stop - 1,
        "out_first": w.out_start, "out_last": w.out_stop - 1,
    }  # fmt: skip
    return {
        "window": w.number,
        **{name: bars.time[row].item() for name, row in times.items()},
        "in_start": w.in_start,
        "in_stop": w.in_stop,
        "out_start": w.out_start,
        "out_stop": w.out_stop,
        "partial": w.partial,
    }


def _chosen(grid: Grid, each: Traded) -> dict[str, Any]:
    chosen, median = each.chosen, each.median
    values: Mapping[str, Any] = grid.point(chosen.flat) if chosen else dict.fromkeys(grid.names)
    return {
        "combination": chosen.flat if chosen else None,
        **{name: None if value is None else float(value) for name, value in values.items()},
        "fitness": chosen.fitness if chosen else None,
        "median_fitness": median.fitness,
        "near_median": each.near_median,
        **_side("is", chosen.inside if chosen else None),
        **_side("oos", chosen.outside if chosen else None),
    }


def _side(side: str, stats: WindowStats | None) -> dict[str, Any]:
    return {
        f"{side}_net_profit": stats.net_profit if stats else 0.0,
        f"{side}_trades": int(stats.trades) if stats else 0,
        f"{side}_drawdown": stats.drawdown if stats else 0.0,
        f"{side}_years": stats.years if stats else None,
    }


def _exact(path: Path | None, gap: Gap | None, w: RollingWindow) -> dict[str, Any]:
    names = ("exact_net_profit", "exact_trades", "exact_equity", "position_emulated",
             "position_exact", "gap")  # fmt: skip
    if path is None or gap is None:
        return dict.fromkeys((*names, "gap_position", "gap_size", "gap_orders"))
    trades = sum(t.entry_bar < w.out_stop and t.exit_bar >= w.out_start for t in path.trades)
    return {
        "exact_net_profit": path.profit,
        "exact_trades": trades,
        "exact_equity": float(path.equity[0]),
        "position_emulated": gap.emulated_held,
        "position_exact": gap.exact_held,
        "gap": gap.total,
        "gap_position": gap.position,
        "gap_size": gap.size,
        "gap_orders": gap.orders,
    }


def best_table(grid: Grid, windows: Sequence[Traded]) -> pl.DataFrame:
    """Return the best combinations of every window, best first."""
    rows = [
        {
            "window": each.window.number,
            "place": place,
            "combination": choice.flat,
            **{name: float(value) for name, value in grid.point(choice.flat).items()},
            "fitness": choice.fitness,
            **{f"is_{name}": value for name, value in choice.inside._asdict().items()},
            **{f"oos_{name}": value for name, value in choice.outside._asdict().items()},
        }
        for each in windows
        for place, choice in enumerate(each.best, 1)
    ]
    return _finite(pl.DataFrame(rows, infer_schema_length=None))


def trade_table(bars: Bars, path: Path, windows: Sequence[RollingWindow]) -> pl.DataFrame:
    """Return the trades of an exact run, each with the window of its entry."""
    starts = np.array([w.out_start for w in windows])
    rows = [
        {
            "entry_time": bars.time[t.entry_bar].item(),
            "exit_time": bars.time[t.exit_bar].item(),
            **{n: getattr(t, n) for n in ("dir", "fill", "exit", "shares", "reason", "pnl")},
            "costs": t.costs,
            "window": windows[int(np.searchsorted(starts, t.entry_bar, "right")) - 1].number,
        }
        for t in path.trades
    ]
    schema: dict[str, Any] = {
        "entry_time": pl.Datetime("us"), "exit_time": pl.Datetime("us"), "dir": pl.Int64,
        "fill": pl.Float64, "exit": pl.Float64, "shares": pl.Float64, "reason": pl.String,
        "pnl": pl.Float64, "costs": pl.Float64, "window": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def _finite(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table without NaN, which JSON and many programs do not know."""
    numbers = [name for name, kind in frame.schema.items() if kind == pl.Float64]
    return frame.with_columns(pl.col(numbers).fill_nan(None))
