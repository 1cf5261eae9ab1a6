"""Writes the run folder of a walk-forward, filled with invented numbers that add up.

Nothing in it was traded: prices are a random walk, a window's results are drawn, and curves are
random bridges between them. It exists so that a page can be built and read in tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from synthetic_walk_manifest import CAUSES, WARMUP, manifest_of

from meseta._files import write_json

if TYPE_CHECKING:
    from pathlib import Path

XBAR: dict[str, list[Any]] = {"xbar": list(range(5, 33))}
THREE: dict[str, list[Any]] = {
    "lookback": [10, 20, 40, 80],
    "stop": [round(0.5 * i, 1) for i in range(2, 9)],
    "side": ["long", "both"],
    "hold": [5],
}
TWELVE: dict[str, list[Any]] = {
    f"parameter_{i + 1}": [round((i + 1) * 0.25 * k, 2) for k in range(1, 4 + i)]
    for i in range(12)
}


@dataclass(frozen=True, kw_only=True)
class WalkRecipe:
    """What the invented walk-forward is like."""

    name: str = "synthetic-oil"
    strategy: str = "xbar"
    kind: str = "kernel"
    grid: dict[str, list[Any]] = field(default_factory=lambda: XBAR)
    windows: int = 26
    in_sample: int = 504
    out_of_sample: int = 126
    anchored: bool = False
    purge: int = 0
    partial: bool = True
    flat: tuple[int, ...] = ()
    edge: float = 900.0
    """Mean profit of an out-of-sample window, money."""
    median_edge: float = 500.0
    exact: str = "always"
    policy: str = "carry"
    quantity: float | None = 1.0
    matrix: tuple[list[int], list[int]] | None = ([252, 504, 756, 1008], [63, 126, 252])
    near: float = 0.2
    bar_minutes: int | None = None
    odd: bool = False
    """Put infinity, NaN and None where a run can have them."""
    seed: int = 11

    @property
    def searched(self) -> list[str]:
        return [name for name, values in self.grid.items() if len(values) > 1]

    @property
    def size(self) -> int:
        return math.prod(len(values) for values in self.grid.values())


@dataclass(frozen=True)
class World:
    """Bars, and per window its rows and results."""

    recipe: WalkRecipe
    bars: pl.DataFrame
    windows: pl.DataFrame

    @property
    def first_out(self) -> int:
        return int(self.windows["out_start"][0])

    @property
    def stop(self) -> int:
        return int(self.windows["out_stop"][-1])


def write_walk(folder: Path, recipe: WalkRecipe) -> Path:
    """Write the folder; returns it."""
    rng = np.random.default_rng(recipe.seed)
    bars = _bars(recipe, rng)
    world = World(recipe, bars, _windows(recipe, bars, rng))
    curve = _curve(world, rng)
    matrix = _matrix(recipe, rng)
    folder.mkdir(parents=True, exist_ok=True)
    bars.write_parquet(folder / "bars.parquet")
    world.windows.write_parquet(folder / "windows.parquet")
    curve.write_parquet(folder / "curve.parquet")
    if matrix is not None:
        matrix.write_parquet(folder / "matrix.parquet")
    if recipe.exact != "never":
        _trades(world, rng).write_parquet(folder / "trades.parquet")
    write_json(folder / "manifest.json", manifest_of(world, curve, matrix))
    return folder


def _bars(recipe: WalkRecipe, rng: np.random.Generator) -> pl.DataFrame:
    short = recipe.out_of_sample // 3 if recipe.partial else 0
    span = recipe.in_sample + recipe.purge + recipe.windows * recipe.out_of_sample
    n = WARMUP + span - short
    if recipe.bar_minutes:
        step = np.timedelta64(recipe.bar_minutes, "m")
        time = np.datetime64("2014-01-01T02:00", "us") + np.arange(n) * step
    else:
        days = np.arange(np.datetime64("1990-01-01"), np.datetime64("2090-01-01"))
        time = days[np.is_busday(days)][:n].astype("datetime64[us]")
    close = 60 * np.exp(np.cumsum(rng.standard_t(4, n) * 0.008 + 0.0001))
    opening = close * np.exp(rng.normal(0, 0.003, n))
    high, low = np.maximum(opening, close) * 1.004, np.minimum(opening, close) * 0.996
    return pl.DataFrame({"time": time, "open": opening, "high": high, "low": low, "close": close})


def _chosen(recipe: WalkRecipe, rng: np.random.Generator) -> dict[str, list[Any]]:
    """A value of every parameter for each window: steps of a walk, sometimes a jump."""
    columns = {}
    for name, values in recipe.grid.items():
        at, path = int(rng.integers(len(values))), []
        for _ in range(recipe.windows):
            far = rng.random() < 0.2
            at = int(rng.integers(len(values))) if far else at + int(rng.integers(-1, 2))
            at = min(max(at, 0), len(values) - 1)
            path.append(values[at])
        columns[name] = path
    return columns


def _windows(recipe: WalkRecipe, bars: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n, time = recipe.windows, bars["time"]
    out_start = WARMUP + recipe.in_sample + recipe.purge
    out_start = out_start + np.arange(n) * recipe.out_of_sample
    out_stop = np.minimum(out_start + recipe.out_of_sample, len(bars))
    in_stop = out_start - recipe.purge
    in_start = np.full(n, WARMUP) if recipe.anchored else in_stop - recipe.in_sample
    number = np.arange(1, n + 1)
    flat = np.isin(number, recipe.flat)
    is_years, oos_years = (in_stop - in_start) / 252, (out_stop - out_start) / 252
    promised = rng.uniform(1500, 3500, n) * is_years
    share = (out_stop - out_start) / recipe.out_of_sample
    made = rng.normal(recipe.edge, 2500, n) * share
    frame = {
        "window": number,
        "in_first": time.gather(in_start),
        "in_last": time.gather(in_stop - 1),
        "out_first": time.gather(out_start),
        "out_last": time.gather(out_stop - 1),
        "in_start": in_start,
        "in_stop": in_stop,
        "out_start": out_start,
        "out_stop": out_stop,
        "partial": share < 1,
        "flat": flat,
        "qualified": np.where(flat, 0, rng.integers(1, recipe.size + 1, n)),
        "combination": rng.integers(0, recipe.size, n),
        **_chosen(recipe, rng),
        "fitness": promised,
        "median_fitness": promised * rng.uniform(0.2, 0.95, n),
        "near_median": rng.random(n) < recipe.near,
        "is_net_profit": promised,
        "is_trades": rng.integers(20, 60, n).astype(float),
        "is_drawdown": promised * rng.uniform(0.2, 0.6, n),
        "is_years": is_years,
        "oos_net_profit": made,
        "oos_trades": rng.integers(4, 16, n).astype(float),
        "oos_drawdown": np.abs(rng.normal(1500, 500, n)),
        "oos_years": oos_years,
        "median_net_profit": rng.normal(recipe.median_edge, 2200, n) * share,
        "all_mean": rng.normal(recipe.median_edge * 0.8, 1800, n) * share,
        "all_winning": rng.uniform(0.2, 0.9, n),
    }
    whole = pl.DataFrame(frame)
    blank = ["combination", *recipe.grid, "fitness", "near_median"]
    blank += [c for c in whole.columns if c.startswith("is_")]
    whole = whole.with_columns(
        pl.when(~pl.col("flat")).then(pl.col(name)).alias(name) for name in blank
    ).with_columns(
        pl.when(~pl.col("flat")).then(pl.col(name)).otherwise(0.0).alias(name)
        for name in ("oos_net_profit", "oos_trades", "oos_drawdown")
    )
    return _odd(_with_exact(recipe, whole, rng), recipe)


def _with_exact(recipe: WalkRecipe, frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n = len(frame)
    if recipe.exact == "never":
        names = ["exact_net_profit", "exact_trades", "position_emulated", "position_exact"]
        names += ["gap", *(f"gap_{cause}" for cause in CAUSES)]
        return frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)
    held = rng.integers(-1, 2, (2, n)) * (recipe.quantity or 100.0)
    position = np.where(held[0] == held[1], 0.0, rng.normal(-150, 300, n))
    size = np.zeros(n) if recipe.quantity else rng.normal(0, 60, n)
    orders = np.where(rng.random(n) < 0.4, rng.normal(0, 80, n), 0.0)
    gap = position + size + orders
    return frame.with_columns(
        exact_net_profit=frame["oos_net_profit"] + gap,
        exact_trades=frame["oos_trades"] + 1,
        position_emulated=held[0],
        position_exact=held[1],
        gap=gap,
        gap_position=position,
        gap_size=size,
        gap_orders=orders,
    )


def _odd(frame: pl.DataFrame, recipe: WalkRecipe) -> pl.DataFrame:
    if not recipe.odd:
        return frame
    values = {
        "fitness": math.inf,
        "median_fitness": math.nan,
        "is_net_profit": -12.5,
        "oos_trades": None,
        "oos_drawdown": math.nan,
        "all_mean": None,
        "all_winning": math.nan,
        "median_net_profit": None,
        "near_median": None,
    }
    second = pl.int_range(pl.len()) == 1
    return frame.with_columns(
        pl.when(second).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def _bridge(total: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Changes of `n` bars that add up to `total`."""
    steps = rng.normal(0, 180, n)
    return steps - steps.mean() + total / n


def _curve(world: World, rng: np.random.Generator) -> pl.DataFrame:
    bars, frame = world.bars, world.windows
    rows = frame.to_dicts()
    lengths = [row["out_stop"] - row["out_start"] for row in rows]

    def summed(steps: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([[0.0], np.cumsum(np.concatenate(steps))])

    pieces = [
        np.zeros(n) if row["flat"] else _bridge(row["oos_net_profit"], n, rng)
        for row, n in zip(rows, lengths, strict=True)
    ]
    promised = [
        np.full(n, (row["is_net_profit"] or 0.0) / (row["is_years"] or 1.0) / 252)
        for row, n in zip(rows, lengths, strict=True)
    ]
    middle = [
        _bridge(row["median_net_profit"] or 0.0, n, rng)
        for row, n in zip(rows, lengths, strict=True)
    ]
    close = bars["close"].to_numpy()[world.first_out - 1 : world.stop]
    n = len(close)
    never = world.recipe.exact == "never"
    exact = [
        piece + (row["gap"] or 0.0) / len(piece) for piece, row in zip(pieces, rows, strict=True)
    ]
    held = rng.integers(-1, 2, n).astype(float)
    return pl.DataFrame(
        {
            "time": bars["time"][world.first_out - 1 : world.stop],
            "emulated": summed(pieces),
            "exact": pl.Series([None] * n, dtype=pl.Float64) if never else summed(exact),
            "promise": summed(promised),
            "median": summed(middle),
            "hold": (close - close[0]) * 300,
            "emulated_position": held,
            "exact_position": pl.Series([None] * n, dtype=pl.Float64) if never else held,
        }
    )


def _matrix(recipe: WalkRecipe, rng: np.random.Generator) -> pl.DataFrame | None:
    if recipe.matrix is None:
        return None
    rows = []
    for i, inside in enumerate(recipe.matrix[0]):
        for j, beyond in enumerate(recipe.matrix[1]):
            passes = (i + j) % 4 != 0 and (i, j) != (0, 2)
            made = rng.normal(18_000 if passes else -4000, 2500)
            rows.append(
                {
                    "in_sample": inside,
                    "out_of_sample": beyond,
                    "windows": 3200 // beyond,
                    "flat": 0,
                    "oos_net_profit": made,
                    "oos_per_year": made / 12.7,
                    "oos_drawdown": abs(rng.normal(6000, 900)),
                    "profit_to_drawdown": made / 6000,
                    "efficiency": made / 45_000,
                    "winning": 0.62 if passes else 0.41,
                    "trades": float(rng.integers(180, 260)),
                    "near_median": 0.15,
                    "exact_net_profit": made - 900 if recipe.exact == "always" else None,
                    "passes": passes,
                    "block": 0,
                }
            )
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.Series("block", _blocks(rows), dtype=pl.Int64)
    )
    if recipe.odd:
        first = pl.int_range(pl.len()) == 0
        frame = frame.with_columns(
            pl.when(first).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
            for name, value in {
                "profit_to_drawdown": math.inf,
                "efficiency": math.nan,
                "oos_per_year": None,
                "oos_net_profit": math.nan,
                "winning": None,
            }.items()
        )
    return frame


def _blocks(rows: list[dict[str, Any]]) -> list[int]:
    """Number the connected groups of passing cells, the largest first."""
    xs = sorted({row["in_sample"] for row in rows})
    ys = sorted({row["out_of_sample"] for row in rows})
    at = {(xs.index(r["in_sample"]), ys.index(r["out_of_sample"])): r["passes"] for r in rows}
    groups: list[set[tuple[int, int]]] = []
    left = {place for place, passes in at.items() if passes}
    while left:
        group, edge = set(), [min(left)]
        while edge:
            x, y = edge.pop()
            if (x, y) in left:
                left.remove((x, y))
                group.add((x, y))
                edge += [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
        groups.append(group)
    groups.sort(key=lambda group: (-len(group), min(group)))
    places = [(xs.index(r["in_sample"]), ys.index(r["out_of_sample"])) for r in rows]
    return [next((k + 1 for k, g in enumerate(groups) if p in g), 0) for p in places]


def _trades(world: World, rng: np.random.Generator) -> pl.DataFrame:
    """As many trades as each window's exact result says, none of them made by rules."""
    frames = [
        _window_trades(world, window, rng)
        for window in world.windows.iter_rows(named=True)
        if not window["flat"]
    ]
    return pl.concat(frames) if frames else pl.DataFrame({"pnl": [], "window": []})


def _window_trades(world: World, window: dict[str, Any], rng: np.random.Generator) -> pl.DataFrame:
    many = int(window["exact_trades"] or 5)
    start = np.sort(rng.integers(window["out_start"], window["out_stop"] - 1, many))
    time = world.bars["time"]
    return pl.DataFrame(
        {
            "entry_time": time.gather(start),
            "exit_time": time.gather(np.minimum(start + 3, len(time) - 1)),
            "dir": rng.choice([-1, 1], many),
            "fill": np.full(many, 60.0),
            "exit": np.full(many, 61.0),
            "shares": np.full(many, world.recipe.quantity or 100.0),
            "reason": rng.choice(["reverse", "stop", "exit", "boundary"], many).tolist(),
            "pnl": (window["exact_net_profit"] or 0.0) / many + rng.normal(0, 50, many),
            "costs": np.full(many, 12.0),
            "window": np.full(many, window["window"]),
        }
    )


def windows_of(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "windows.parquet")
