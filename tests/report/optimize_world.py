"""Writes the folder of a Bayesian study, filled with invented numbers that add up.

Nothing in it was traded: metrics are drawn around an invented landscape, and curves are random
walks that keep to the cash identity. It exists so that a page can be built and read in tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta._files import write_json

if TYPE_CHECKING:
    from pathlib import Path

HEDGE: tuple[tuple[str, str, float, float, str, str], ...] = (
    ("grid_step_bps", "grid", 10, 200, "bps", "distance of two rungs"),
    ("grid_levels_long", "grid", 3, 10, "rungs", "rungs below the centre"),
    ("grid_levels_short", "grid", 3, 10, "rungs", "rungs above the centre"),
    ("base_qty", "grid", 0.001, 0.004, "base coin", "quantity of the first rung"),
    ("qty_scale", "grid", 1.0, 1.15, "ratio", "quantity of a rung over that before"),
    ("tp_steps", "exit", 1, 10, "steps", "take-profit"),
    ("sl_steps", "exit", 3, 20, "steps", "stop-loss"),
    ("adx_len", "regime", 7, 30, "bars", "length of the ADX"),
    ("ema_fast", "regime", 5, 25, "bars", "length of the fast average"),
    ("ema_slow", "regime", 20, 60, "bars", "length of the slow average"),
    ("atr_len", "regime", 7, 30, "bars", "length of the ATR"),
    ("hysteresis_bps", "regime", 5, 50, "bps", "least spread of a trend"),
    ("counter_levels", "policy", 2, 10, "rungs", "rungs kept against a trend"),
    ("counter_qty_scale", "policy", 0.3, 0.8, "factor", "quantity against a trend"),
    ("recenter_trigger_bps", "rebalance", 50, 500, "bps", "distance that moves the centre"),
    ("funding_max_cost_bps", "funding", 5, 50, "bps", "cost from which the guard acts"),
    ("max_position_pct", "position", 0.5, 0.95, "fraction", "most exposure of a side"),
)
XBAR: tuple[tuple[str, str, float, float, str, str], ...] = (
    ("fast", "averages", 5, 40, "bars", "length of the fast average"),
    ("slow", "averages", 20, 200, "bars", "length of the slow average"),
    ("stop", "exit", 0.5, 6.0, "ATR", "distance of the stop"),
)
METRICS = (
    *("sharpe", "total_return", "profit_factor", "calmar", "max_drawdown", "trades"),
    *("win_rate", "final_equity", "fees", "funding", "liquidated"),
)
THRESHOLDS = {
    "min_sharpe": 1.0,
    "max_drawdown": 0.2,
    "min_trades": 50,
    "min_win_rate": 0.45,
    "min_profit_factor": 1.1,
    "min_calmar": 0.5,
}
EPOCH = {
    "sharpe": [0.1, 3.4],
    "total_return": [-0.04, 0.21],
    "profit_factor": [0.9, 1.5],
    "calmar": [-0.2, 8.5],
    "max_drawdown": [0.03, 0.17],
}
CAPITAL = 10_000.0
MARKET = "BTCUSDT_5m"


@dataclass(frozen=True, kw_only=True)
class StudyRecipe:
    """What the invented study is like."""

    name: str = "hedge-1"
    strategy: str = "hedge_grid"
    trials: int = 120
    edge: float = 0.4
    """Moves the Sharpe ratio of every trial; strongly negative and none is feasible."""
    failed: int = 3
    pruned: int = 5
    vault: bool = True
    null: int = 20
    importance: bool = True
    grid: bool = True
    """Whether the strategy has lots, fees and funding of its own."""
    few: bool = False
    """Search three parameters instead of seventeen."""
    multi: bool = False
    further: bool = False
    """Whether a second instrument was searched together with the first."""
    windows: int = 0
    cold: bool = True
    """Whether windows were searched without a warm start too."""
    confirmed: bool = False
    odd: bool = False
    """Put infinity, NaN and None where a study can have them."""
    bars: int = 6000
    seed: int = 7

    @property
    def space(self) -> tuple[tuple[str, str, float, float, str, str], ...]:
        return HEDGE if self.grid and not self.few else XBAR


@dataclass(frozen=True)
class World:
    """Everything that one folder is written from."""

    recipe: StudyRecipe
    rng: np.random.Generator
    time: np.ndarray
    edge: int
    """Row at which the vault begins; the number of bars without one."""


def write_study(folder: Path, recipe: StudyRecipe) -> Path:
    """Write the folder; returns it."""
    world = _world(recipe)
    trials = _trials(world)
    spans = _spans(world, trials)
    folder.mkdir(parents=True, exist_ok=True)
    frames = {
        "bars": _bars(world),
        "trials": trials,
        "spans": spans,
        "importance": _importance(world),
        "equity": None if trials["score"].is_null().all() else _equity(world),
        "null": _null(world, trials),
        **_confirmation(world, spans),
        **_windows(world),
    }
    if recipe.grid:
        frames["lots"] = _lots(world)
    for name, frame in frames.items():
        if frame is not None:
            frame.write_parquet(folder / f"{name}.parquet")
    summary = _summary(world, trials, spans, frames["null"], frames.get("windows"))
    write_json(folder / "summary.json", summary)
    write_json(folder / "manifest.json", _manifest(world))
    return folder


def parts(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Rows of each part."""
    return {str(key[0]): part for key, part in frame.group_by("part", maintain_order=True)}


def _world(recipe: StudyRecipe) -> World:
    time = np.datetime64("2024-01-01T00:00", "us") + np.arange(recipe.bars) * np.timedelta64(
        5, "m"
    )
    edge = recipe.bars * 3 // 4 if recipe.vault else recipe.bars
    return World(recipe, np.random.default_rng(recipe.seed), time, edge)


def _bars(world: World) -> pl.DataFrame:
    close = 60_000 * np.exp(np.cumsum(world.rng.normal(0, 0.0008, len(world.time))))
    names = ("open", "high", "low", "close")
    return pl.DataFrame(
        {"time": world.time, **dict.fromkeys(names, close), "volume": close * 0 + 5}
    )


# Trials


def _draws(world: World) -> dict[str, np.ndarray]:
    """Values of every parameter: the later half nearer to the best place, as a sampler's are."""
    n = world.recipe.trials
    near = np.linspace(1.0, 0.35, n)
    columns = {}
    for name, _, low, high, _, _ in world.recipe.space:
        at = np.clip(0.45 + (world.rng.random(n) - 0.5) * near, 0, 1)
        values = low + at * (high - low)
        whole = isinstance(low, int) and isinstance(high, int) and high - low < 300
        columns[name] = np.round(values) if whole and not name.endswith("bps") else values
    return columns


def _metrics(rng: np.random.Generator, sharpe: np.ndarray) -> dict[str, np.ndarray]:
    """Return metrics that hang together: more Sharpe is more return at less drawdown."""
    n = len(sharpe)
    total = sharpe * 0.07 + rng.normal(0, 0.02, n)
    fall = np.clip(0.16 - 0.03 * sharpe + rng.normal(0, 0.03, n), 0.01, 0.95)
    return {
        "sharpe": sharpe,
        "total_return": total,
        "profit_factor": np.clip(1.02 + 0.14 * sharpe + rng.normal(0, 0.06, n), 0.2, 9),
        "calmar": 3.0 * total / fall,
        "max_drawdown": fall,
        "trades": np.round(rng.uniform(40, 900, n)),
        "win_rate": np.clip(0.5 + 0.03 * sharpe + rng.normal(0, 0.03, n), 0, 1),
        "final_equity": CAPITAL * (1 + total),
        "fees": rng.uniform(80, 400, n),
        "funding": rng.normal(10, 30, n),
        "liquidated": rng.random(n) < 0.01,
    }


def _trials(world: World) -> pl.DataFrame:
    recipe, rng = world.recipe, world.rng
    n, drawn = recipe.trials, _draws(world)
    place = [(drawn[name] - drawn[name].min()) / max(np.ptp(drawn[name]), 1e-9) for name in drawn]
    hill = 1.6 - 5.0 * (place[0] - 0.45) ** 2 - 1.5 * (place[-1] - 0.6) ** 2
    metrics = _metrics(rng, recipe.edge + hill + rng.normal(0, 0.5, n))
    state = np.full(n, "complete", dtype=object)
    others = rng.permutation(n)[: recipe.failed + recipe.pruned]
    state[others[: recipe.failed]], state[others[recipe.failed :]] = "failed", "pruned"
    frame = pl.DataFrame(
        {"number": np.arange(n), "state": state.astype(str)}
        | {f"param_{name}": values for name, values in drawn.items()}
        | metrics
        | {"duration": rng.uniform(0.04, 0.2, n)}
    ).with_columns(pl.col("trades").cast(pl.Int64))
    return _judged(_odd(frame, recipe))


def _odd(frame: pl.DataFrame, recipe: StudyRecipe) -> pl.DataFrame:
    """Take away what failed trials do not have; strew NaN and infinity where asked."""
    done = pl.col("state") == "complete"
    frame = frame.with_columns(pl.when(done).then(pl.col(name)).alias(name) for name in METRICS)
    if not recipe.odd:
        return frame
    row = pl.int_range(pl.len())
    return frame.with_columns(
        pl.when(row % 7 == 1).then(float("nan")).otherwise(pl.col("sharpe")).alias("sharpe"),
        pl.when(row % 9 == 2)
        .then(float("inf"))
        .otherwise(pl.col("profit_factor"))
        .alias("profit_factor"),
        pl.when(row % 11 != 3).then(pl.col("calmar")).alias("calmar"),
        pl.when(row % 13 != 4).then(pl.col("total_return")).alias("total_return"),
    )


def checks() -> dict[str, pl.Expr]:
    """Whether a trial passes each constraint; what is missing does not."""
    passed = {
        "min_sharpe": pl.col("sharpe") >= 1.0,
        "max_drawdown": pl.col("max_drawdown") <= 0.2,
        "min_trades": pl.col("trades") >= 50,
        "min_win_rate": pl.col("win_rate") >= 0.45,
        "min_profit_factor": pl.col("profit_factor") >= 1.1,
        "min_calmar": pl.col("calmar") >= 0.5,
    }
    known = {"min_sharpe": pl.col("sharpe").is_finite()}
    return {
        name: (check & known.get(name, pl.lit(value=True))).fill_null(value=False)
        for name, check in passed.items()
    }


def _judged(frame: pl.DataFrame) -> pl.DataFrame:
    passing = checks()
    wrong = pl.concat_str(
        [pl.when(~check).then(pl.lit(name)) for name, check in passing.items()],
        separator=",",
        ignore_nulls=True,
    )
    done = pl.col("state") == "complete"
    known = done & pl.col("sharpe").is_finite() & pl.col("total_return").is_finite()
    score = (
        0.3 * ((pl.col("sharpe") + 1) / 6).clip(0, 1)
        + 0.25 * ((pl.col("total_return") + 0.2) / 0.7).clip(0, 1)
        + 0.25 * ((pl.col("calmar").fill_null(0.0) + 1) / 6).clip(0, 1)
        - 0.2 * (pl.col("max_drawdown") / 0.5).clip(0, 1)
    )
    return frame.with_columns(
        score=pl.when(known).then(score),
        feasible=pl.all_horizontal(*passing.values()) & done,
        violated=pl.when(done).then(wrong).otherwise(pl.lit("")),
        violation=pl.when(known)
        .then((1.0 - pl.col("sharpe")).clip(lower_bound=0.0) + 0.1 * wrong.str.len_chars() / 12)
        .otherwise(1000.0),
        error=pl.when(pl.col("state") == "failed").then(pl.lit("RunError: a worker died")),
    )


def ranked(trials: pl.DataFrame) -> list[int]:
    """Numbers of the trials, feasible first by score, then those that miss by least."""
    known = trials.filter(pl.col("score").is_not_null())
    return known.sort(
        ~pl.col("feasible"),
        pl.when(pl.col("feasible")).then(-pl.col("score")).otherwise(pl.col("violation")),
        "number",
    )["number"].to_list()


def _spans(world: World, trials: pl.DataFrame) -> pl.DataFrame:
    best = ranked(trials)[:10]
    inside = trials.filter(pl.col("number").is_in(best)).select("number", *METRICS)
    order = pl.DataFrame(
        {"number": best, "rank": np.arange(1, len(best) + 1)},
        schema={"number": pl.Int64, "rank": pl.Int64},
    )
    inside = order.join(inside, on="number", how="left").rename({"number": "trial"})
    inside = inside.with_columns(part=pl.lit("in-sample"))
    if not world.recipe.vault or not best:
        return inside
    known = inside["sharpe"].fill_nan(None).fill_null(0.0).to_numpy()
    beyond = pl.DataFrame(_metrics(world.rng, 0.35 * known - 0.2)).with_columns(
        pl.col("trades").cast(pl.Int64),
        trial=pl.Series(best),
        rank=np.arange(1, len(best) + 1),
        part=pl.lit("out-of-sample"),
    )
    return pl.concat([inside, beyond.select(inside.columns)], how="vertical_relaxed")


def _importance(world: World) -> pl.DataFrame | None:
    if not world.recipe.importance:
        return None
    names = [row[0] for row in world.recipe.space]
    weights = np.sort(world.rng.exponential(1.0, len(names)))[::-1]
    return pl.DataFrame({"name": names, "importance": weights / weights.sum()})


# Equity and lots


def _piece(world: World, start: int, stop: int, drift: float, part: str) -> pl.DataFrame:
    """One run: begins with the capital; cash identity holds at every bar."""
    rng, n = world.rng, stop - start
    move = rng.normal(drift, 6.0, n)
    move[n // 2] -= 400.0  # one bar's fall, which a thinned curve must keep
    realised = np.cumsum(np.where(rng.random(n) < 0.06, rng.exponential(12.0, n), 0.0))
    fees = np.cumsum(np.where(rng.random(n) < 0.06, 0.9, 0.0))
    funding = np.cumsum(np.where(np.arange(n) % 96 == 0, rng.normal(0.2, 0.6, n), 0.0))
    profit = np.cumsum(move)
    equity = CAPITAL + profit
    columns = {"time": world.time[start:stop], "equity": equity}
    if world.recipe.grid:
        columns |= {
            "realised": realised,
            "unrealised": profit - realised + fees + funding,
            "fees": fees,
            "funding": funding,
            "long_exposure": np.abs(rng.normal(2500, 900, n)),
            "short_exposure": np.abs(rng.normal(2200, 900, n)),
        }
    return pl.DataFrame(columns).with_columns(part=pl.lit(part))


def _equity(world: World) -> pl.DataFrame:
    inside = _piece(world, 0, world.edge, 0.35, "in-sample")
    if not world.recipe.vault:
        return inside
    beyond = _piece(world, world.edge, len(world.time), -0.05, "out-of-sample")
    return pl.concat([inside, beyond])


def _lots(world: World) -> pl.DataFrame:
    """Lots of both runs; none is carried over the vault's edge."""
    edges = {"in-sample": (0, world.edge), "out-of-sample": (world.edge, len(world.time))}
    made = [_part_lots(world, a, z).with_columns(part=pl.lit(p)) for p, (a, z) in edges.items()]
    return pl.concat(made)


def _part_lots(world: World, start: int, stop: int) -> pl.DataFrame:
    rng, n = world.rng, (stop - start) // 20
    entry = np.sort(rng.integers(start, max(stop - 60, start + 1), n))
    leave = entry + rng.integers(1, 60, n)
    reason = rng.choice(["take-profit", "stop-loss", "end"], n, p=[0.6, 0.37, 0.03])
    profit = np.where(reason == "take-profit", 14.0, -17.0) + rng.normal(0, 2, n)
    fees, funding = (0.02, 0.05), rng.normal(0.01, 0.05, n)
    return pl.DataFrame(
        {
            "id": np.arange(n),
            "side": rng.choice(["long", "short"], n),
            "level": rng.integers(1, 6, n),
            "quantity": rng.uniform(0.001, 0.004, n),
            "entry_time": world.time[entry],
            "entry_price": rng.normal(60_000, 900, n),
            "exit_time": world.time[leave],
            "exit_price": rng.normal(60_000, 900, n),
            "reason": reason,
            "entry_fee": np.full(n, fees[0]),
            "exit_fee": np.full(n, fees[1]),
            "funding": funding,
            "profit": profit,
            "net": profit - sum(fees) - funding,
        }
    )


# What luck finds, confirmation, windows


def _null(world: World, trials: pl.DataFrame) -> pl.DataFrame | None:
    n = world.recipe.null
    if not n:
        return None
    rng = world.rng
    return pl.DataFrame(
        {
            "seed": np.arange(n),
            "score": 0.22 + rng.normal(0, 0.05, n),
            "sharpe": 0.9 + rng.normal(0, 0.3, n),
            "total_return": 0.04 + rng.normal(0, 0.03, n),
            "feasible": np.where(rng.random(n) < 0.2, rng.integers(1, 5, n), 0),
            "trials": np.full(n, world.recipe.trials),
        }
    )


def _confirmation(world: World, spans: pl.DataFrame) -> dict[str, pl.DataFrame]:
    if not world.recipe.confirmed:
        return {}
    rows, causes = [], []
    for row in spans.filter(part="in-sample").head(5).iter_rows(named=True):
        known = {name: row[name] for name in ("fees", "funding", "total_return", "max_drawdown")}
        rows.append(
            {"trial": row["trial"], "engine": "compiled", "trades": row["trades"], **known}
        )
        other = {name: value * 0.98 for name, value in known.items()}
        rows.append(
            {"trial": row["trial"], "engine": "nautilus", "trades": row["trades"] - 3, **other}
        )
        causes.append(
            {"trial": row["trial"], "cause": "touch fills", "difference": -12.4, "count": 3}
        )
        causes.append({"trial": row["trial"], "cause": "bar path", "difference": 3.1, "count": 1})
    return {"confirmation": pl.DataFrame(rows), "confirmation_causes": pl.DataFrame(causes)}


def _windows(world: World) -> dict[str, pl.DataFrame]:
    n = world.recipe.windows
    if not n:
        return {}
    kinds = [True, False] if world.recipe.cold else [True]
    frames, curves = [], []
    length = len(world.time) // (n + 2)
    for warm in kinds:
        frames.append(_window_rows(world, n, length, warm=warm))
        size = n * length
        equity = CAPITAL + np.cumsum(world.rng.normal(0.1 if warm else 0.02, 4.0, size))
        time = world.time[2 * length : 2 * length + size]
        curves.append(pl.DataFrame({"time": time, "equity": equity, "warm": [warm] * size}))
    return {"windows": pl.concat(frames), "windows_curve": pl.concat(curves)}


def _window_rows(world: World, n: int, length: int, *, warm: bool) -> pl.DataFrame:
    rng, at = world.rng, np.arange(n) * length
    inside = _metrics(rng, 1.6 + rng.normal(0, 0.4, n))
    beyond = _metrics(rng, (0.6 if warm else 0.3) + rng.normal(0, 0.8, n))
    columns: dict[str, Any] = {
        "window": np.arange(1, n + 1),
        "in_first": world.time[at],
        "in_last": world.time[at + 2 * length - 1],
        "out_first": world.time[at + 2 * length],
        "out_last": world.time[at + 3 * length - 1],
        "warm": [warm] * n,
        "score": rng.uniform(0.2, 0.5, n),
        "feasible": (fits := rng.random(n) < 0.7),
        "traded": fits,
        "capital": np.full(n, CAPITAL),
    }
    columns |= {f"in_{name}": values for name, values in inside.items()}
    columns |= {f"out_{name}": values for name, values in beyond.items()}
    for name, _, low, high, _, _ in world.recipe.space:
        columns[f"param_{name}"] = rng.uniform(low, high, n)
    return pl.DataFrame(columns)


# The two JSON files


def _side(spans: pl.DataFrame, trial: int, part: str) -> dict[str, Any] | None:
    found = spans.filter(pl.col("trial") == trial, pl.col("part") == part)
    return found.select(METRICS).row(0, named=True) if len(found) else None


def _funnel(trials: pl.DataFrame) -> list[dict[str, Any]]:
    done, rows, left = trials.filter(pl.col("state") == "complete"), [], pl.lit(value=True)
    for name, check in checks().items():
        left = left & check
        rows.append(
            {
                "constraint": name,
                "threshold": THRESHOLDS[name],
                "passed": len(done.filter(check)),
                "passed_so_far": len(done.filter(left)),
            }
        )
    return rows


def _parameters(trials: pl.DataFrame, number: int) -> dict[str, float]:
    row = trials.row(number, named=True)
    return {k.removeprefix("param_"): v for k, v in row.items() if k.startswith("param_")}


def _summary(
    world: World,
    trials: pl.DataFrame,
    spans: pl.DataFrame,
    null: pl.DataFrame | None,
    windows: pl.DataFrame | None,
) -> dict[str, Any]:
    recipe, order = world.recipe, ranked(trials)
    feasible = trials.filter("feasible")
    best = order[0] if len(feasible) else None
    counts = {s: int((trials["state"] == s).sum()) for s in ("complete", "pruned", "failed")}
    known = trials["sharpe"].fill_nan(None).drop_nulls()
    return {
        "study": recipe.name,
        "strategy": recipe.strategy,
        "market": MARKET,
        "trials": recipe.trials,
        **counts,
        "feasible": len(feasible),
        "best": None
        if best is None
        else {
            "trial": best,
            "score": trials["score"][best],
            "params": _parameters(trials, best),
            "in_sample": _side(spans, best, "in-sample"),
            "out_of_sample": _side(spans, best, "out-of-sample"),
        },
        "nearest": [] if best is not None else order[:10],
        "funnel": _funnel(trials),
        "luck": {
            "trials": counts["complete"],
            "sharpe_best": known.max() if best is None else trials["sharpe"][best],
            "sharpe_expected_of_noise": 1.27,
            "sharpe_variance": float(known.var() or 0.0),
            "deflated_sharpe": 0.97,
            "score_best": trials["score"].max(),
        },
        "null": None if null is None else _null_summary(null, _own_score(trials)),
        "adaptive": {"mode": "report-only", "bounds": EPOCH},
        "verdict": _verdict(best, len(feasible), recipe),
        "confirmation": None,
        "windows": None if windows is None else _walked(world, windows),
        "multi": recipe.multi,
        "pareto": _front(trials) if recipe.multi else [],
    }


def _walked(world: World, windows: pl.DataFrame) -> dict[str, Any]:
    def way(*, warm: bool) -> dict[str, Any]:
        rows = windows.filter(pl.col("warm") == warm)
        made = 0.0512 if warm else 0.0123
        return {
            "windows": len(rows),
            "traded": int(rows["traded"].sum()),
            "final_equity": CAPITAL * (1 + made),
            "total_return": made,
            "max_drawdown": 0.0345 if warm else 0.0456,
        }

    summary = way(warm=True) | {"warm_start": True, "changed": None}
    if not world.recipe.cold:
        return summary
    n = world.recipe.windows - 1
    changed = {"windows": n, "better": n - 2, "worse": 1, "score": 0.021, "final_equity": 389.0}
    return summary | {"other": way(warm=False), "changed": changed}


def _own_score(trials: pl.DataFrame) -> float | None:
    """Best score between the objective's own bounds; a little off that of the last epoch."""
    best = trials["score"].max()
    return None if best is None else float(best) - 0.031  # type: ignore[arg-type]


def _null_summary(null: pl.DataFrame, own: float | None) -> dict[str, Any]:
    scores = null["score"].to_list()
    as_good = sum(own is not None and score >= own for score in scores)
    return {
        "runs": len(null),
        "score": own,
        "best_scores": scores,
        "best_sharpes": null["sharpe"].to_list(),
        "feasible": null["feasible"].to_list(),
        "as_good": as_good,
        "p_score": None if own is None else (1 + as_good) / (1 + len(null)),
    }


def _verdict(best: int | None, feasible: int, recipe: StudyRecipe) -> str:
    if best is None:
        return f"None of {recipe.trials} trials meets the constraints."
    return f"{feasible} of {recipe.trials} trials meet the constraints; the best is trial {best}."


def _front(trials: pl.DataFrame) -> list[int]:
    known = trials.filter(pl.col("score").is_not_null()).sort("max_drawdown")
    front, most = [], -np.inf
    for number, made in known.select("number", "total_return").iter_rows():
        if made > most:
            front.append(number)
            most = made
    return front


def _funding(time: list[str]) -> dict[str, Any]:
    return {"fingerprint": "f00d" * 16, "settlements": 63, "first": time[0], "last": time[-1]}


def _manifest(world: World) -> dict[str, Any]:
    recipe, time = world.recipe, [str(t)[:16] for t in world.time]
    a, o, z = 0, world.edge, len(time)
    rows = [
        {"name": n, "group": g, "range": f"{low:g} to {high:g}", "unit": u, "meaning": m}
        for n, g, low, high, u, m in recipe.space
    ]
    vault: dict[str, Any] = {"length": "20%", "a": o, "z": z, "opened": 1}
    vault |= {"first": time[min(o, z - 1)], "last": time[-1]}
    return {
        "meseta": "0.1.0",
        "kind": "optimize",
        "status": "finished",
        "created": "2026-05-02T09:14:31+00:00",
        "command": f"meseta optimize --strategy {recipe.strategy} --bars {MARKET}.parquet",
        "config": {
            "strategy": recipe.strategy,
            "trials": recipe.trials,
            "capital": CAPITAL,
            "slippage": 0.02,
            "cost_per_share": 0.0,
            "commission": 0.0,
            "lot": 1.0,
            "instrument": {"maker_fee": 0.0002, "taker_fee": 0.0005, "touch_fills": False},
        },
        "strategy": {
            "name": recipe.strategy,
            "summary": "a ladder of limit orders on each side of the price",
            "kind": "hedge" if recipe.grid else "strategy",
            "source": None,
        },
        "further": [{"name": "ETHUSDT_5m"}] if recipe.further else [],
        "funding": [_funding(time)] if recipe.grid else [None],
        "mark": ["BTCUSDT_mark" if recipe.grid else None],
        "space": {"name": "default", "rows": rows},
        "objective": {
            "sharpe": 0.3,
            "profit": 0.25,
            "calmar": 0.25,
            "drawdown": -0.2,
            "bounds": {
                "sharpe": [-1, 5],
                "total_return": [-0.2, 0.5],
                "profit_factor": [0.5, 3],
                "calmar": [-1, 5],
                "max_drawdown": [0, 0.5],
            },
            "profit_metric": "total_return",
        },
        "constraints": {**THRESHOLDS, "strict": True},
        "options": {
            "trials": recipe.trials,
            "seed": 0,
            "sampler": "nsga2" if recipe.multi else "tpe",
            "startup_trials": 10,
            "batch": 4,
            "workers": 2,
            "timeout": 600.0,
            "pruner": "median",
            "segments": 5,
            "adaptive": "report-only",
            "epoch_every": 20,
        },
        "spans": {
            "in_sample": [a, o, time[a], time[o - 1]],
            "vault": [o, z, vault["first"], time[-1]] if recipe.vault else None,
        },
        "assumptions": [
            "a resting limit fills only where the path trades through it by a tick",
            "the funding guard uses the last settled rate",
        ],
        "vault": vault if recipe.vault else None,
        "data": {
            "name": MARKET,
            "source": f"{MARKET}.parquet",
            "rows": z,
            "first": time[0],
            "last": time[-1],
            "bar_size": "5m",
            "timezone": "UTC",
            "fingerprint": "5b1f" * 16,
        },
        "seed": 0,
        "timings": {"load_s": 0.4, "trials_s": 41.5},
        "warnings": ["This study was invented for a test; nothing in it was traded."],
        "environment": {"python": "3.11.9", "optuna": "5.0.0"},
    }
