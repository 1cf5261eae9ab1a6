"""Whole runs on a small grid of the sample data."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from meseta.bars import load
from meseta.config import load_config
from meseta.pipeline import run

GRID = {
    "atr_period": [8, 32],
    "atr_multiplier": [4, 8, 12],
    "bb_length": 35,
    "bb_deviation": [1.5, 3],
    "vol_threshold": [0.06, 0.18],
    "min_tightening": [0.2, 0.8],
    "scaling_method": 0,
    "atr_buy_period": [10, 30],
    "atr_buy_multiplier": [0.5, 1, 1.5],
    "atr_smooth_period": 3,
    "equity_price_method": 0,
}
SIZE = 2 * 3 * 2 * 2 * 2 * 2 * 3
# With shorts; its simpler variant searches GRID.
GRID_LS = GRID | {
    "short_multiplier": 0.6,
    "entry_mode": [0, 2],
    "trend_filter_period": 20,
    "trend_veto_threshold": 16,
    "both_triggered_mode": 0,
}
SMALL = GRID | {"atr_period": 8, "bb_deviation": 3, "atr_buy_period": 10, "vol_threshold": 0.18}
PRICES = ("open", "high", "low", "close")


def options(out, **changes):
    given = {
        "bars": "sample:nasdaq",
        "grid": GRID,
        "capital": 100_000.0,
        "min_cell": 2,
        "report": False,
        "threads": 2,
        "out": str(out),
        "name": "one",
    }
    return load_config(overrides=given | changes)


def both_sides(out, **changes):
    """Options of a run with one variant."""
    return options(out, strategy="atr_d_ls", grid=GRID_LS, **changes)


def frame(result, name="candidates"):
    return pl.read_parquet(result.folder / f"{name}.parquet")


def files_of(folder):
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return found - {".lock"}


def state(folder):
    """Every file's content, to tell whether anything was touched."""
    return {name: (folder / name).read_bytes() for name in files_of(folder)}


def same_scores(one, other):
    assert frame(one).equals(frame(other))
    assert one.plateaus == other.plateaus
    assert one.manifest["funnel"] == other.manifest["funnel"]
    assert one.manifest["behaviours"] == other.manifest["behaviours"]
    assert one.manifest["results_hash"] == other.manifest["results_hash"]


class StopError(Exception):
    """Raised by a listener to end a run early."""


def stopped(config, when, **how):
    """Begin a run and break it off when the listener says so."""

    def listen(at):
        if when(at):
            raise StopError

    with pytest.raises(StopError):
        run(config, progress=listen, **how)
    return Path(config.out) / config.name


def half_way(at):
    return at.stage == "search" and at.done > SIZE / 3


def nasdaq_csv(path, change=None):
    """The sample as a file of the user's, with prices changed."""
    table = load("sample:nasdaq").to_polars()
    if change is not None:
        table = change(table)
    table.write_csv(path)
    return str(path)


def scaled(table, since, factor):
    """Prices from a day on times a factor that differs from bar to bar."""
    late = pl.col("time") >= since
    steps = 1 + (factor - 1) * pl.int_range(pl.len()) / pl.len()
    columns = [pl.when(late).then(pl.col(n) * steps).otherwise(n).alias(n) for n in PRICES]
    return table.with_columns(columns)
