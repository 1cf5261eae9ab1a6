"""A perpetual of a few days, which swings so that a grid trades it, and short studies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.optimize_config import load_optimize_config

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.optimize_config import OptimizeConfig

MINUTES = 5
DAYS = 14
START = np.datetime64("2025-03-03T00:00", "ms")
# What nearly any parameter set that trades keeps.
EASY = {
    "min_sharpe": -1000.0,
    "max_drawdown": 1.0,
    "min_trades": 5,
    "min_win_rate": 0.0,
    "min_profit_factor": 0.0,
    "min_calmar": -1e6,
}
QUICK: dict[str, Any] = {
    "constraints": EASY,
    "trials": 12,
    "startup_trials": 4,
    "workers": 1,
    "timeout": 0,
    "report": False,
}


def prices(seed: int = 1, days: int = DAYS, price: float = 90_000.0) -> pl.DataFrame:
    """Return bars that swing around a price."""
    draw = np.random.default_rng(seed)
    bars = days * 24 * 60 // MINUTES
    steps = draw.normal(0, 0.0012, bars)
    path = np.zeros(bars + 1)
    for at, step in enumerate(steps):
        path[at + 1] = 0.995 * path[at] + step
    close = np.round(price * np.exp(path), 1)
    open_, close = close[:-1], close[1:]
    reach = np.abs(draw.normal(0, 0.0006, (2, bars))) * price
    return pl.DataFrame(
        {
            "open_time": (START + np.arange(bars) * np.timedelta64(MINUTES, "m")).astype(np.int64),
            "open": open_,
            "high": np.round(np.maximum(open_, close) + reach[0], 1),
            "low": np.round(np.minimum(open_, close) - reach[1], 1),
            "close": close,
            "volume": draw.uniform(5, 50, bars).round(3),
        }
    )


def funding(days: int = DAYS) -> pl.DataFrame:
    """Return a rate every eight hours, with the milliseconds that venues stamp."""
    times = START - np.timedelta64(8, "h") + np.arange(3 * days + 2) * np.timedelta64(8, "h")
    rates = np.random.default_rng(2).normal(1e-4, 1e-4, len(times))
    return pl.DataFrame({"funding_time": times.astype(np.int64) + 7, "funding_rate": rates})


def write_market(folder: Path, name: str = "btc", **changes: Any) -> Path:
    """Write bars and their funding beside them; return the path of the bars."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    prices(**changes).write_csv(path)
    funding().write_csv(folder / f"{name}_funding.csv")
    return path


def config_of(bars: Path, out: Path, /, **changes: Any) -> OptimizeConfig:
    """Return a short study on a market that `write_market` wrote."""
    rates = bars.with_name(f"{bars.stem}_funding.csv")
    given = {"bars": str(bars), "funding": str(rates), "out": str(out), "name": "study"}
    return load_optimize_config((), QUICK | given | changes)
