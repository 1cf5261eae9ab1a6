"""Writes a run folder in the layout that searches leave behind, filled with invented numbers.

Nothing in it was traded or simulated by an engine: prices are a random walk, and candidates are
drawn around a few bumps on the map. It exists so that a page can be built and read in tests.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta._files import write_json

if TYPE_CHECKING:
    from pathlib import Path

GRID: dict[str, list[float]] = {
    "atr_period": [4, 16, 28, 40, 52, 64],
    "atr_multiplier": [float(v) for v in range(2, 25, 2)],
    "bb_length": [10, 25, 40, 55],
    "bb_deviation": [0.5 * i for i in range(1, 9)],
    "vol_threshold": [round(0.04 * i, 2) for i in range(1, 9)],
    "min_tightening": [round(0.1 + 0.15 * i, 2) for i in range(6)],
    "scaling_method": [0, 1, 2],
    "atr_buy_period": [8, 20, 32, 44, 56],
    "atr_buy_multiplier": [0.5 * i for i in range(1, 8)],
    "atr_smooth_period": [2, 6, 10, 14, 18],
    "equity_price_method": [0],
}
INPUTS = [
    "ATR_Period",
    "ATR_Multiplier",
    "BB_Length",
    "BB_Deviation",
    "Vol_Threshold",
    "Min_Tightening",
    "Scaling_Method",
    "ATRBuy_Period",
    "ATRBuyMultiplier",
    "ATR_Smooth_Period",
    "EquityPrice_Method",
]
METRICS = [
    "net_profit",
    "return_pct",
    "cagr_pct",
    "max_drawdown",
    "max_drawdown_pct",
    "profit_factor",
    "trades",
    "win_rate",
    "avg_trade",
    "sharpe",
    "sortino",
    "mar",
    "exposure",
    "avg_bars_held",
    "worst_trade",
    "costs",
]
SEARCHED = {"ATR_Period", "ATR_Multiplier", "BB_Deviation", "Min_Tightening", "ATRBuy_Period"}
INTEGERS = {"atr_period", "bb_length", "scaling_method", "atr_buy_period", "atr_smooth_period"}
SHORT_GRID: dict[str, list[float]] = {
    "short_multiplier": [0.2, 0.5, 0.8, 1.0],
    "entry_mode": [0, 1, 2],
    "trend_filter_period": [4, 10, 16],
    "trend_veto_threshold": [0, 0.02, 0.05, 0.1],
    "both_triggered_mode": [0, 1],
}
HULL_GRID: dict[str, list[float]] = {
    "hma_fast_length": [float(v) for v in range(10, 61, 5)],
    "hma_slow_length": [float(v) for v in range(40, 101, 10)],
}
BUMPS = (
    (1.2, 1.5, 1.3, 74.0),
    (5.5, 4.2, 1.6, 66.0),
    (9.6, 1.6, 1.1, 58.0),
    (9.0, 5.2, 0.9, 52.0),
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the invented run is like."""

    name: str = "synthetic-fund"
    phases: int = 4
    candidates: int = 20_000
    plateaus: int = 3
    finalists: int = 21
    vault: bool = True
    opened: int | None = 2
    bar_minutes: int | None = None
    years: float = 16.0
    seed: int = 7
    run_seed: int = 70
    strategy: str = "atr_d_l"
    sampled: int | None = None
    second: str | None = None
    tradestation: bool = True

    @property
    def shorts(self) -> bool:
        return self.strategy.endswith("_ls")

    @property
    def grid(self) -> dict[str, list[float]]:
        if "hma" in self.strategy:
            more = {"short_multiplier": SHORT_GRID["short_multiplier"]} if self.shorts else {}
            return GRID | more | HULL_GRID
        return GRID | (SHORT_GRID if self.shorts else {})

    @property
    def size(self) -> int:
        return math.prod(len(values) for values in self.grid.values())

    @property
    def searched(self) -> int:
        return self.sampled or self.size


FAMILY = Recipe(
    name="index-3x",
    strategy="atr_d_duals_ls",
    sampled=1_000_000,
    second="index",
    candidates=4000,
    finalists=4,
    run_seed=73,
)
SIMPLER: dict[str, dict[str, Any]] = {
    "atr_d_duals_l": {"second": "index"},
    "atr_d_ls": {"sampled": 1_000_000},
    "atr_d_l": {},
}


def write_family(folder: Path, recipe: Recipe, simpler: dict[str, dict[str, Any]]) -> Path:
    """Write a run with variants: `simpler` is what differs from `recipe`, by strategy."""
    write_run(folder, recipe)
    variants = []
    for number, (strategy, changes) in enumerate(simpler.items(), start=1):
        given = {"strategy": strategy, "plateaus": recipe.plateaus} | changes
        one = replace(recipe, sampled=None, second=None, run_seed=recipe.run_seed + number)
        one = replace(one, **given)
        write_run(folder / "variants" / strategy, one)
        variants.append(
            {
                "strategy": strategy,
                "folder": f"variants/{strategy}",
                "combinations": one.searched,
                "status": "finished",
            }
        )
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    write_json(folder / "manifest.json", manifest | {"variants": variants})
    return folder


def write_run(folder: Path, recipe: Recipe) -> Path:
    """Write the folder; returns it."""
    bars = _bars(recipe, np.random.default_rng(recipe.seed))
    rng = np.random.default_rng(recipe.run_seed)
    phases, vault = _geometry(recipe, bars["time"].to_numpy())
    candidates = _candidates(recipe, phases, rng)
    plateaus = _plateaus(recipe, candidates)
    folder.mkdir(parents=True, exist_ok=True)
    bars.write_parquet(folder / "bars.parquet")
    candidates.drop("cx", "cy").write_parquet(folder / "candidates.parquet")
    write_json(folder / "plateaus.json", plateaus)
    write_json(folder / "manifest.json", _manifest(recipe, bars, phases, vault, candidates))
    _finalists(folder / "finalists", recipe, bars, vault, candidates, plateaus, rng)
    return folder


def _bars(recipe: Recipe, rng: np.random.Generator) -> pl.DataFrame:
    end = np.datetime64("2026-05-01", "D")
    days = np.arange(end - np.timedelta64(int(recipe.years * 365.25), "D"), end)
    days = days[np.is_busday(days)]
    time = days.astype("datetime64[us]")
    if recipe.bar_minutes:
        steps = np.arange(9 * 60 + 30, 16 * 60, recipe.bar_minutes) * np.timedelta64(1, "m")
        time = (time[:, None] + steps[None, :]).ravel()
    n = len(time)
    scale = 0.016 * math.sqrt(252 * recipe.years / n)
    close = 12.0 * np.exp(np.cumsum(rng.standard_t(4, n) * scale + 0.0004 * scale / 0.016))
    opening = close * np.exp(rng.normal(0, scale / 3, n))
    high = np.maximum(opening, close) * (1 + rng.uniform(0, scale, n))
    low = np.minimum(opening, close) * (1 - rng.uniform(0, scale, n))
    volume = rng.integers(1e5, 1e6, n).astype(float)
    return pl.DataFrame(
        {"time": time, "open": opening, "high": high, "low": low, "close": close, "volume": volume}
    )


def _geometry(
    recipe: Recipe, time: np.ndarray
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    year = np.timedelta64(int(365.25 * 86400), "s")
    stop = time[-1]
    vault = None
    if recipe.vault:
        first = int(np.searchsorted(time, stop - year))
        vault = {"months": 12, "first": str(time[first]), "last": str(time[-1])}
        vault |= {"a": first, "z": len(time), "opened": recipe.opened}
        stop = time[first - 1]
    span = (stop - time[min(100, len(time) // 10)]) / year
    half = span / (1 if recipe.phases == 1 else 2)
    phases = []
    for i in range(recipe.phases):
        shift = 0.0 if recipe.phases == 1 else half * i / (recipe.phases - 1)
        from_, to = stop - year * (span - shift), stop - year * (span - shift - half)
        a, z = int(np.searchsorted(time, from_)), int(np.searchsorted(time, to, side="right"))
        o = a + int((z - a) * 0.6)
        facts = {"start": str(time[a]), "split": str(time[o]), "end": str(time[z - 1])}
        phases.append({"number": i + 1, **facts, "a": a, "o": o, "z": z})
    return phases, vault


def _height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    hills = [h * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * w * w)) for a, b, w, h in BUMPS]
    return np.maximum.reduce(hills)


def _candidates(
    recipe: Recipe, phases: list[dict[str, Any]], rng: np.random.Generator
) -> pl.DataFrame:
    n = recipe.candidates
    nx, ny = len(GRID["atr_multiplier"]), len(GRID["atr_buy_multiplier"])
    gx, gy = np.meshgrid(np.arange(nx), np.arange(ny), indexing="ij")
    density = np.maximum(_height(gx, gy) - 9, 0).ravel() ** 1.3
    cell = rng.choice(nx * ny, size=n, p=density / density.sum())
    index = {name: rng.integers(0, len(values), n) for name, values in recipe.grid.items()}
    index["atr_multiplier"], index["atr_buy_multiplier"] = np.divmod(cell, ny)
    flat = np.zeros(n, np.int64)
    for name, values in recipe.grid.items():
        flat = flat * len(values) + index[name]
    columns: dict[str, Any] = {"flat": flat}
    columns |= {
        name: np.array(values)[index[name]].astype(int if name in INTEGERS else float)
        for name, values in recipe.grid.items()
    }
    x, y = index["atr_multiplier"], index["atr_buy_multiplier"]
    height = _height(x, y)
    columns |= {"cx": x, "cy": y, "behaviour": flat // 40}
    columns["stability"] = np.clip(height + rng.normal(0, 6, n), 5, 130)
    columns["phases_valid"] = rng.integers(min(3, recipe.phases), recipe.phases + 1, n)
    columns |= _phase_columns(height, phases, rng)
    frame = pl.DataFrame(columns).with_columns(pl.col("phases_valid").cast(pl.Int32))
    return frame.unique("flat").sort(["stability", "flat"], descending=[True, False])


def _phase_columns(
    height: np.ndarray, phases: list[dict[str, Any]], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    n, out = len(height), {}
    for phase in phases:
        p = phase["number"]
        inside = 60 * height + rng.normal(2500, 900, n)
        beyond = inside * rng.uniform(0.4, 1.6, n)
        out |= {f"is_pnl_{p}": inside, f"oos_pnl_{p}": beyond}
        out |= {
            f"is_trades_{p}": rng.integers(12, 40, n),
            f"oos_trades_{p}": rng.integers(6, 25, n),
        }
        out |= {f"is_maxdd_{p}": inside * 0.6, f"oos_maxdd_{p}": np.abs(beyond) * 0.5}
        out |= {f"rank_{p}": rng.uniform(1, 100, n), f"efficiency_{p}": beyond / inside}
    for side in ("is_pnl", "oos_pnl", "is_trades", "oos_trades"):
        out[side] = sum(out[f"{side}_{phase['number']}"] for phase in phases)
    out["oos_maxdd"] = np.max([out[f"oos_maxdd_{phase['number']}"] for phase in phases], axis=0)
    return out


def _plateaus(recipe: Recipe, candidates: pl.DataFrame) -> dict[str, Any]:
    xs, ys = GRID["atr_multiplier"], GRID["atr_buy_multiplier"]
    cells = []
    for (x, y), part in candidates.group_by(["cx", "cy"], maintain_order=True):
        cells.append(_cell(int(x), int(y), part, recipe))
    cells.sort(key=lambda cell: (cell["x"], cell["y"]))
    ranks = {cell["plateau"] for cell in cells} - {None}
    plateaus = [
        _plateau(rank, [c for c in cells if c["plateau"] == rank], candidates, recipe)
        for rank in sorted(ranks)
    ]
    settings = [
        {
            "eps": eps,
            "min_samples": least,
            "clusters": 9 - least + i,
            "noise_share": 0.08 * i + 0.05 * least,
            "reproducibility": 0.9 - 0.06 * abs(least - 4) - 0.09 * i,
            "chosen": (eps, least) == (1.0, 4),
        }
        for i, eps in enumerate((1.0, 1.41, 2.0, 2.24))
        for least in (3, 4, 5, 8)
    ]
    return {
        "axes": ["atr_multiplier", "atr_buy_multiplier"],
        "x_values": xs,
        "y_values": ys,
        "min_cell": 50,
        "cells": cells,
        "settings": settings if cells else [],
        "plateaus": plateaus,
    }


def _cell(x: int, y: int, part: pl.DataFrame, recipe: Recipe) -> dict[str, Any]:
    near = [math.hypot(x - a, y - b) / w for a, b, w, _ in BUMPS[: recipe.plateaus]]
    rank = int(np.argmin(near)) + 1 if near and min(near) < 1.25 else None
    mean = {
        c: float(part[c].mean()) for c in ("stability", "phases_valid", "oos_pnl", "oos_trades")
    }
    counts = len(part) >= 50
    return {
        "x": GRID["atr_multiplier"][x],
        "y": GRID["atr_buy_multiplier"][y],
        "candidates": len(part),
        "behaviours": part["behaviour"].n_unique(),
        "mean_stability": mean["stability"],
        "max_stability": float(part["stability"].max()),
        "mean_phases": mean["phases_valid"],
        "valid_in_all": int((part["phases_valid"] == recipe.phases).sum()),
        "mean_oos_pnl": mean["oos_pnl"],
        "max_oos_pnl": float(part["oos_pnl"].max()),
        "mean_trades": mean["oos_trades"],
        "counts": counts,
        "plateau": rank if counts else None,
        "profitable_share": min(0.98, 0.25 + mean["stability"] / 110),
        "combinations": recipe.searched // 84,
    }


def _plateau(
    rank: int, cells: list[dict[str, Any]], candidates: pl.DataFrame, recipe: Recipe
) -> dict[str, Any]:
    inside = _inside(cells, candidates)
    center = inside.row(len(inside) // 8, named=True)
    x = float(inside["atr_multiplier"].mean())
    ranges = {
        name: _range(name, center[column], GRID[column])
        for name, column in zip(INPUTS, GRID, strict=True)
    }
    return {
        "rank": rank,
        "regime": "TIGHT" if x < 5 else "MEDIUM" if x < 12 else "WIDE",
        "cells": [[c["x"], c["y"]] for c in cells],
        "candidates": len(inside),
        "behaviours": inside["behaviour"].n_unique(),
        "worth": float(inside["stability"].mean()),
        "mean_phases": float(inside["phases_valid"].mean()),
        "profitable_share": float(np.mean([c["profitable_share"] for c in cells])),
        "median_oos_pnl": float(inside["oos_pnl"].median()),
        "worst_oos_pnl": float(inside["oos_pnl"].min()) - 9000.0,
        "edge_drop": 11.25 + rank,
        "combinations": len(cells) * (recipe.searched // 84),
        "centre": {"flat": center["flat"], "parameters": {n: center[n] for n in recipe.grid}},
        "ranges": ranges if recipe.tradestation else {},
        "export": f"exports/phase5_refine_ATR-D-v1.5-L_rank{rank}.csv"
        if recipe.tradestation
        else None,
    }


def _range(name: str, value: float, values: list[float]) -> dict[str, Any]:
    if name not in SEARCHED:
        return {"min": value, "max": value, "step": 1, "tier": 2, "value": value}
    at = values.index(value)
    low, high = values[max(at - 1, 0)], values[min(at + 1, len(values) - 1)]
    return {"min": low, "max": high, "step": 0.25 if isinstance(value, float) else 8, "tier": 1}


def _inside(cells: list[dict[str, Any]], candidates: pl.DataFrame) -> pl.DataFrame:
    pairs = pl.DataFrame(
        {"atr_multiplier": [c["x"] for c in cells], "atr_buy_multiplier": [c["y"] for c in cells]}
    )
    return candidates.join(pairs, on=pairs.columns, how="semi", maintain_order="left")


def _manifest(
    recipe: Recipe,
    bars: pl.DataFrame,
    phases: list[dict[str, Any]],
    vault: dict[str, Any] | None,
    candidates: pl.DataFrame,
) -> dict[str, Any]:
    stable = round(recipe.searched * 0.032951733355) if recipe.candidates else 0
    gates = ["is_profit", "oos_profit", "efficiency", "drawdown_to_profit"]
    gates += ["drawdown_to_in_sample", "trades"]
    left = [0.71, 0.52, 0.43, 0.31, 0.305, 0.302] if recipe.candidates else [0.2, 0, 0, 0, 0, 0]
    alone = [0.29, 0.34, 0.52, 0.61, 0.07, 0.012]
    funnel_phases = [
        {
            "phase": phase["number"],
            "combinations": recipe.searched,
            "alone": {g: int(recipe.searched * s) for g, s in zip(gates, alone, strict=True)},
            "sequence": {
                g: int(recipe.searched * s * (1 - 0.08 * i))
                for g, s in zip(gates, left, strict=True)
            },
            "valid": int(recipe.searched * left[-1] * (1 - 0.08 * i)),
        }
        for i, phase in enumerate(phases)
    ]
    required = min(3, recipe.phases)
    valid_in = _valid_in(recipe, stable)
    return {
        "meseta": "0.1.0",
        "status": "finished",
        "created": "2026-05-02T09:14:31+00:00",
        "command": f"meseta search {recipe.name}.csv --grid phase1_slim --name synthetic",
        "config": {"grid": "phase1_slim", "vault_months": 12 if recipe.vault else 0},
        "data": {
            "name": recipe.name,
            "source": f"{recipe.name}.csv",
            "fingerprint": "5b1f" * 16,
            "rows": len(bars),
            "first": str(bars["time"][0]),
            "last": str(bars["time"][-1]),
            "bar_size": f"{recipe.bar_minutes}m" if recipe.bar_minutes else "1d",
            "timezone": "America/New_York",
            "second": recipe.second
            and {
                "name": recipe.second,
                "source": f"{recipe.second}.csv",
                "alignment": {"bars": 396, "dropped": 4, "dropped_second": 99, "outside": 1234},
            },
            "warnings": [
                {
                    "code": "gap",
                    "row": 1204,
                    "time": "2014-11-28T00:00:00",
                    "value": "6 days",
                    "message": "six days without a bar; the longest expected is four",
                }
            ],
        },
        "strategy": recipe.strategy,
        "grid": {
            "name": "phase1_slim",
            "combinations": recipe.size,
            "searched": recipe.searched,
            "sampled": recipe.sampled
            and {"count": recipe.sampled, "method": "sobol", "seed": recipe.seed},
            "values": recipe.grid,
        },
        "whole_grid": {
            "profitable": 0.41 + 0.002 * (recipe.run_seed % 7),
            "median_oos": -250.5 + 131.25 * (recipe.run_seed % 7),
            "worst_oos": -31_000.0,
        },
        "phases": phases,
        "required_phases": required,
        "vault": vault,
        "account": {
            "capital": 10000.0,
            "cost_per_share": 0.0,
            "commission": 0.0,
            "slippage": 0.01,
            "lot": 1.0,
        },
        "gates": {
            "min_efficiency": 0.35,
            "max_drawdown_to_profit": 1.0,
            "max_drawdown_to_in_sample": 3.0,
            "min_drawdown": 0.0,
            "min_trades": 1,
        },
        "funnel": {
            "phases": funnel_phases,
            "valid_in": valid_in,
            "required": required,
            "relaxed": False,
            "stable": stable,
            "candidates": len(candidates),
        },
        "behaviours": {"exit_tables": 297_112, "exit_sets": 331_776, "entry_sets": 175},
        "selection": {"axes": ["atr_multiplier", "atr_buy_multiplier"], "min_cell": 50},
        "timings": {"load_s": 0.11, "search_s": 48.2, "score_s": 9.7, "finalists_s": 2.4},
        "seed": 0,
        "warnings": ["This run folder was invented for a test; nothing in it was traded."],
        "environment": {
            "python": "3.12.4",
            "numba": "0.68.0",
            "numpy": "2.4.0",
            "threads": 8,
            "platform": "Linux x86_64",
        },
        "results_hash": "c0de" * 16,
    }


def _valid_in(recipe: Recipe, stable: int) -> dict[str, int]:
    parts = {3: int(stable * 0.83), 4: stable - int(stable * 0.83)}
    if recipe.phases != 4:
        parts = {recipe.phases: stable}
    rest = recipe.searched - sum(parts.values())
    low = [k for k in range(recipe.phases + 1) if k not in parts]
    for k in low:
        parts[k] = rest // len(low)
    parts[0] += recipe.searched - sum(parts.values())
    return {str(k): parts[k] for k in sorted(parts)}


def _finalists(
    folder: Path,
    recipe: Recipe,
    bars: pl.DataFrame,
    vault: dict[str, Any] | None,
    candidates: pl.DataFrame,
    plateaus: dict[str, Any],
    rng: np.random.Generator,
) -> None:
    folder.mkdir(exist_ok=True)
    rows, curves = [], []
    for plateau in plateaus["plateaus"]:
        cells = [c for c in plateaus["cells"] if c["plateau"] == plateau["rank"]]
        inside = _inside(cells, candidates)
        best = inside.filter(pl.col("flat") != plateau["centre"]["flat"])
        chosen = [inside.filter(pl.col("flat") == plateau["centre"]["flat"])]
        chosen.append(best.head(recipe.finalists - 1))
        for k, row in enumerate(pl.concat(chosen).iter_rows(named=True)):
            number = len(rows)
            curve = _equity(number, bars, vault, rng)
            curves.append(curve)
            identity = {"finalist": number, "plateau": plateau["rank"]}
            identity |= {"role": "best" if k else "centre", "flat": row["flat"]}
            identity |= {name: row[name] for name in recipe.grid} | {"stability": row["stability"]}
            rows.append(identity | _metrics(curve, "history", ""))
            rows[-1] |= _metrics(curve, "vault", "vault_")
    if not rows:
        return
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(folder / "finalists.parquet")
    pl.concat(curves).write_parquet(folder / "equity.parquet")
    pl.concat([_trades(recipe, row, rng) for row in rows]).write_parquet(folder / "trades.parquet")


def _trades(recipe: Recipe, row: dict[str, Any], rng: np.random.Generator) -> pl.DataFrame:
    """Trades of one finalist, as many as its metrics say, none of them made by rules."""
    reasons = ["trail", "breach"]
    reasons += ["reverse"] if recipe.shorts else []
    reasons += ["cross"] if "hma" in recipe.strategy else []
    frames = []
    for span, prefix in (("history", ""), ("vault", "vault_")):
        n = row[f"{prefix}trades"] or 0
        frames.append(
            pl.DataFrame(
                {
                    "finalist": np.full(n, row["finalist"], np.int64),
                    "span": [span] * n,
                    "dir": rng.choice([1, -1] if recipe.shorts else [1], n).astype(np.int64),
                    "reason": rng.choice(reasons, n).tolist(),
                    "pnl": rng.normal(30, 200, n),
                },
                schema_overrides={"span": pl.String, "reason": pl.String},
            )
        )
    return pl.concat(frames)


def _equity(
    number: int, bars: pl.DataFrame, vault: dict[str, Any] | None, rng: np.random.Generator
) -> pl.DataFrame:
    close = bars["close"].to_numpy()
    n = len(close)
    held = (np.cumsum(rng.choice([0, 1], n, p=[0.94, 0.06])) % 2).astype(float)
    change = np.diff(np.log(close), prepend=np.log(close[0])) * held * 0.8 + held * 0.0003
    parts = (
        [("history", 100, n)]
        if vault is None
        else [
            ("history", 100, vault["a"]),
            ("vault", vault["a"], n),
        ]
    )
    frames = []
    for span, a, z in parts:
        equity = 10_000 * np.exp(np.cumsum(change[a:z]))
        frames.append(
            pl.DataFrame(
                {
                    "finalist": np.full(z - a, number, np.int64),
                    "time": bars["time"][a:z],
                    "equity": equity,
                    "drawdown": np.maximum.accumulate(equity) - equity,
                    "span": [span] * (z - a),
                }
            )
        )
    return pl.concat(frames)


def _metrics(curve: pl.DataFrame, span: str, prefix: str) -> dict[str, Any]:
    part = curve.filter(pl.col("span") == span)
    if part.is_empty():
        return {prefix + name: None for name in METRICS}
    equity, fall = part["equity"].to_numpy(), part["drawdown"].to_numpy()
    profit = equity[-1] - 10_000
    years = max((part["time"][-1] - part["time"][0]).days / 365.25, 0.1)
    trades = max(int(len(part) / 34), 1)
    growth = ((equity[-1] / 10_000) ** (1 / years) - 1) * 100
    worst = float(np.max(fall / np.maximum.accumulate(equity)) * 100)
    step = np.diff(np.log(equity))
    sharpe = float(step.mean() / step.std() * math.sqrt(len(part) / years))
    values = [profit, profit / 100, growth, fall.max(), worst, 1.2 + sharpe / 2, trades, 0.44]
    values += [profit / trades, sharpe, sharpe * 1.4, growth / worst, 0.5, 16.5, -fall.max() / 2]
    values += [trades * 1.1]
    return dict(zip((prefix + name for name in METRICS), map(float, values), strict=True)) | {
        f"{prefix}trades": trades
    }
