"""What came of a project: a table of its members, and what they make together."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from meseta.bars import session_days
from meseta.pipeline._portfolio import Holding, portfolio_of, summary_of, yearly_deviation
from meseta.runs import RunFolder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from meseta._types import FloatArray, IntArray
    from meseta.pipeline._walkforward import WalkForwardPlan

__all__ = ["Portfolio", "results_table", "share_out", "verdict_of"]

_SCHEMA: dict[str, Any] = {
    "symbol": pl.String,
    "bar_size": pl.String,
    "strategy": pl.String,
    "status": pl.String,
    "error": pl.String,
    "combinations": pl.Int64,
    "windows": pl.Int64,
    "flat": pl.Int64,
    "first_out": pl.Datetime("us"),
    "last": pl.Datetime("us"),
    "net_profit": pl.Float64,
    "result": pl.String,
    "drawdown": pl.Float64,
    "efficiency": pl.Float64,
    "winning": pl.Float64,
    "trades": pl.Int64,
    "median_profit": pl.Float64,
    "hold_profit": pl.Float64,
    "near_median": pl.Float64,
    "gap_share": pl.Float64,
    "folder": pl.String,
    "hash": pl.String,
}


class Portfolio(NamedTuple):
    """Members held together: the curve, its summary, and what became of each member."""

    curve: pl.DataFrame
    summary: dict[str, Any]


def results_table(members: Sequence[Mapping[str, Any]], folder: Path) -> pl.DataFrame:
    """Return a row for each member of a project.

    Parameters
    ----------
    members
        Those of `project.json`.
    folder
        The project's, with the members' run folders.

    Returns
    -------
    DataFrame
        `result` says whether `net_profit`, `drawdown`, `efficiency` (annualised), `winning` and
        `trades` are of the exact run or emulated. Members that did not finish have null there.
    """
    rows = [_row(each, folder) for each in members]
    return pl.DataFrame(rows, schema=_SCHEMA)


def _row(member: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    told = {name: member[name] for name in ("symbol", "bar_size", "strategy", "status", "error")}
    if member["status"] != "finished":
        return dict.fromkeys(_SCHEMA) | told
    return (
        told | _found(RunFolder(folder / member["name"]).manifest()) | {"folder": member["name"]}
    )


def _found(manifest: Mapping[str, Any]) -> dict[str, Any]:
    summary, windows, gap = (manifest[name] for name in ("summary", "windows", "gap"))
    kind = "emulated" if summary["exact_profit"] is None else "exact"
    return {
        "combinations": manifest["grid"]["searched"],
        "windows": windows["count"],
        "flat": windows["flat"],
        "first_out": datetime.fromisoformat(windows["first_out"]),
        "last": datetime.fromisoformat(windows["stop"]),
        "net_profit": summary[f"{kind}_profit"],
        "result": kind,
        "drawdown": summary[f"{kind}_drawdown"],
        "efficiency": manifest["efficiency"]["annualised"][kind],
        "winning": summary["winning"],
        "trades": summary["trades"],
        "median_profit": summary["median_profit"],
        "hold_profit": summary["hold_profit"],
        "near_median": manifest["path"]["near_median"],
        "gap_share": None if gap is None else gap["share"],
        "hash": manifest["results_hash"],
    }


def verdict_of(results: pl.DataFrame) -> dict[str, int]:
    """Count the members, those that finished, and those that beat what needs no choosing."""
    done = results.filter(pl.col("status") == "finished")
    return {
        "members": results.height,
        "finished": done.height,
        "failed": results.height - done.height,
        "made_money": int((done["net_profit"] > 0).sum()),
        "beat_median": int((done["net_profit"] > done["median_profit"]).sum()),
        "beat_hold": int((done["net_profit"] > done["hold_profit"]).sum()),
    }


def share_out(
    plans: Mapping[str, WalkForwardPlan], folder: Path, target: float
) -> Portfolio | None:
    """Hold the finished members together; None where there is none that can be sized.

    Parameters
    ----------
    plans
        Those members by name.
    folder
        The project's.
    target
        Yearly standard deviation that is shared out; money.
    """
    found = {name: _holding(name, folder / name, plan) for name, plan in plans.items()}
    used = {name: each for name, (each, _) in found.items() if each.scalable}
    if not used:
        return None
    curve = portfolio_of(list(used.values()), target)
    members = {name: _told(each, found[name][1], curve) for name, each in used.items()}
    left_out = [name for name in found if name not in used]
    return Portfolio(curve, summary_of(curve, target) | {"members": members, "left_out": left_out})


def _holding(name: str, folder: Path, plan: WalkForwardPlan) -> tuple[Holding, str]:
    """Return what a member made, and whether that is the exact run's.

    Sizes follow the in-sample deviation of a combination's own simulation. One that puts in the
    whole equity is another size than the exact account that it is traded in, so only its own
    simulation, the emulated piece, has the deviation it was sized by; contracts of a fixed number
    are the same in both, and the exact run is what was traded.
    """
    windows = pl.read_parquet(folder / "windows.parquet")
    curve = pl.read_parquet(folder / "curve.parquet")
    fixed = plan.contract.quantity is not None and curve["exact"].null_count() == 0
    kind = "exact" if fixed else "emulated"
    starts = windows["out_start"].to_numpy().astype(np.int64)
    days = _closing_days(plan)
    holding = Holding(
        name=name,
        days=days[starts[0] : windows["out_stop"][-1]],
        made=np.diff(curve[kind].to_numpy()),
        starts=starts - starts[0],
        deviation=_deviations(windows, pl.read_parquet(folder / "best.parquet")),
    )
    return holding, kind


def _closing_days(plan: WalkForwardPlan) -> IntArray:
    """Return the date on which each bar's money is there, days since 1970-01-01, shape (N,).

    A week's bar has the date of its first session; its close is known on the Friday.
    """
    days = session_days(plan.bars, plan.config.session_open)
    if plan.bars.bar_size == "1w" and plan.bars.stamp == "open":
        return days + (4 - (days + 3) % 7)  # day 0 is a Thursday
    return days


def _deviations(windows: pl.DataFrame, best: pl.DataFrame) -> FloatArray:
    """Return the yearly in-sample deviation of what each window trades; NaN where not known."""
    if not best.height:
        return np.full(windows.height, np.nan)
    first = best.filter(pl.col("place") == 1)
    columns = ("is_net_profit", "is_years", "is_sharpe")
    chosen = windows.select("window").join(
        first.select("window", *columns), on="window", how="left", maintain_order="left"
    )
    return yearly_deviation(*(_floats(chosen[name]) for name in columns))


def _floats(column: pl.Series) -> FloatArray:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _told(each: Holding, kind: str, curve: pl.DataFrame) -> dict[str, Any]:
    """Say what became of a member in the portfolio."""
    within = curve.filter(
        pl.col("date").is_between(*(_date(day) for day in (each.days[0], each.days[-1])))
    )
    daily = within[each.name].diff().drop_nulls().to_numpy()
    years = (int(each.days[-1] - each.days[0]) + 1) / 365.25
    known = each.deviation[np.isfinite(each.deviation)]
    return {
        "curve": kind,
        "first": str(within["date"][0]),
        "last": str(within["date"][-1]),
        "net_profit": float(curve[each.name][-1]),
        "deviation": _spread(daily, years),
        "least_deviation": float(known.min()) if known.size else None,
        "most_deviation": float(known.max()) if known.size else None,
    }


def _date(day: Any) -> Any:
    return np.datetime64(int(day), "D").item()


def _spread(daily: FloatArray, years: float) -> float | None:
    """Return the yearly standard deviation of daily changes."""
    if len(daily) < 2:
        return None
    return float(daily.std(ddof=1) * (len(daily) / years) ** 0.5)
