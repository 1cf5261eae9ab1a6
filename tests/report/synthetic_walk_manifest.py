"""The manifest of an invented walk-forward, worked out from its windows and curves."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from synthetic_walk import World

WARMUP = 100
CAUSES = ("position", "size", "orders")


def total(frame: pl.DataFrame, column: str) -> float:
    """Sum of what is known in a column."""
    return float(frame[column].fill_nan(None).drop_nulls().sum())


def _efficiency(frame: pl.DataFrame, profit: str, trades: str) -> dict[str, float | None]:
    used = frame.filter(~pl.col("flat"))
    inside, beyond = total(used, "is_net_profit"), total(used, profit)
    if inside <= 0 or used[profit].is_null().all():
        return {"dollars": None, "annualised": None, "per_trade": None}
    years = total(used, "is_years"), total(used, "oos_years")
    many = total(used, "is_trades"), total(used, trades)
    return {
        "dollars": beyond / inside,
        "annualised": (beyond / years[1]) / (inside / years[0]),
        "per_trade": (beyond / many[1]) / (inside / many[0]) if many[1] else None,
    }


def _fall(curve: pl.DataFrame, name: str) -> float:
    values = curve[name].to_numpy()
    return float(np.max(np.maximum.accumulate(values) - values))


def _summary(world: World, curve: pl.DataFrame) -> dict[str, Any]:
    frame, never = world.windows, world.recipe.exact == "never"
    used = frame.filter(~pl.col("flat"))
    return {
        "emulated_profit": total(frame, "oos_net_profit"),
        "exact_profit": None if never else total(frame, "exact_net_profit"),
        "promise": float(curve["promise"][-1]),
        "median_profit": total(frame, "median_net_profit"),
        "hold_profit": float(curve["hold"][-1]),
        "emulated_drawdown": _fall(curve, "emulated"),
        "exact_drawdown": None if never else _fall(curve, "exact"),
        "winning": float((used["oos_net_profit"] > 0).mean() or 0.0) if len(used) else None,
        "trades": total(frame, "oos_trades"),
    }


def _gap(world: World) -> dict[str, Any] | None:
    frame = world.windows
    if world.recipe.exact == "never":
        return None
    exact = total(frame, "exact_net_profit")
    sums = {cause: total(frame, f"gap_{cause}") for cause in CAUSES}
    gap = total(frame, "gap")
    return {"total": gap, "share": gap / exact if exact else None, **sums}


def _path(world: World) -> dict[str, Any]:
    frame, jumps = world.windows, {}
    for name in world.recipe.searched:
        values = world.recipe.grid[name]
        places = [values.index(v) for v in frame[name].drop_nulls().to_list()]
        steps = [abs(b - a) for a, b in pairwise(places)]
        mean = float(np.mean(steps)) if steps else None
        jumps[name] = {
            "mean_steps": mean,
            "mean_share": None if mean is None else mean / (len(values) - 1),
            "changes": sum(step > 0 for step in steps),
        }
    known = frame["near_median"].drop_nulls()
    near = float(known.cast(pl.Float64).mean() or 0.0) if len(known) else None
    return {"near_median": near, "noise": (near or 0.0) > 0.5, "jumps": jumps}


def manifest_of(world: World, curve: pl.DataFrame, matrix: pl.DataFrame | None) -> dict[str, Any]:
    recipe, bars, frame = world.recipe, world.bars, world.windows
    emulated = _efficiency(frame, "oos_net_profit", "oos_trades")
    exact = _efficiency(frame, "exact_net_profit", "exact_trades")
    unit = "bars" if recipe.bar_minutes else "sessions"
    return {
        "kind": "walkforward",
        "status": "finished",
        "name": f"{recipe.strategy}-{recipe.name}",
        "version": "0.1.0",
        "created": "2026-05-02T09:14:31+00:00",
        "command": f"meseta walkforward --strategy {recipe.strategy} --bars {recipe.name}.csv "
        f"--in {recipe.in_sample} --out {recipe.out_of_sample} --unit {unit}",
        "config": {"strategy": recipe.strategy, "in_sample": recipe.in_sample},
        "strategy": {
            "name": recipe.strategy,
            "summary": "Long above the close of so many bars before, short below it.",
            "kind": recipe.kind,
            "source": "examples/xbar.py",
        },
        "data": {
            "name": recipe.name,
            "source": f"{recipe.name}.csv",
            "rows": len(bars),
            "first": str(bars["time"][0]),
            "last": str(bars["time"][-1]),
            "bar_size": f"{recipe.bar_minutes}m" if recipe.bar_minutes else "1d",
            "timezone": "America/New_York",
            "fingerprint": "5b1f" * 16,
            "stubs": 17 if recipe.bar_minutes else 0,
        },
        "account": {
            "capital": 100_000.0,
            "cost_per_share": 0.0,
            "commission": 0.0,
            "slippage": 0.02,
            "lot": 1.0,
        },
        "contract": {
            "point_value": 1000.0 if recipe.quantity else 1.0,
            "quantity": recipe.quantity,
            "tick": 0.01,
            "roll_cost": 40.0 if recipe.quantity else 0.0,
            "rolls": ["2015-01-20", "2015-02-20"] if recipe.quantity else [],
        },
        "grid": {
            "name": recipe.strategy,
            "values": recipe.grid,
            "combinations": recipe.size,
            "searched": recipe.size,
            "constraints": [],
        },
        "windows": {
            "in_sample": recipe.in_sample,
            "out_of_sample": recipe.out_of_sample,
            "unit": unit,
            "anchored": recipe.anchored,
            "purge": recipe.purge,
            "count": recipe.windows,
            "flat": len(recipe.flat),
            "partial": recipe.partial,
            "start": str(bars["time"][WARMUP]),
            "first_out": str(bars["time"][world.first_out]),
            "stop": str(bars["time"][world.stop - 1]),
        },
        "fitness": "net_profit",
        "min_trades": 5,
        "exact": {"mode": recipe.exact, "policy": recipe.policy},
        "summary": _summary(world, curve),
        "efficiency": {
            name: {"emulated": emulated[name], "exact": exact[name]} for name in emulated
        },
        "gap": _gap(world),
        "path": _path(world),
        "matrix": None if matrix is None else _matrix_facts(matrix),
        "median_combination": {n: v[(len(v) - 1) // 2] for n, v in recipe.grid.items()},
        "warnings": ["This run folder was invented for a test; nothing in it was traded."],
        "timings": {"load_s": 0.11, "passes_s": 0.24, "windows_s": 0.05},
        "results_hash": "c0de" * 16,
    }


def _matrix_facts(matrix: pl.DataFrame) -> dict[str, Any]:
    block = matrix.filter(pl.col("block") == 1)
    cells = block.select("in_sample", "out_of_sample").rows()
    return {
        "criteria": {"min_efficiency": 0.2, "min_winning": 0.5},
        "cells": len(matrix),
        "passing": int(matrix["passes"].sum()),
        "block": {"cells": [list(cell) for cell in cells], "size": len(cells)},
    }
