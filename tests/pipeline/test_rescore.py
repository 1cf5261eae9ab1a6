"""Scoring a finished search again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_run import (
    PRICES,
    files_of,
    frame,
    nasdaq_csv,
    options,
    same_scores,
    state,
)

from meseta.errors import ArgumentError, RunError
from meseta.pipeline import rescore, run
from random_market import walk_of


@pytest.mark.parametrize(
    "gates",
    [
        {"min_efficiency": 0.5},
        {"max_drawdown_to_profit": 1.5, "min_efficiency": 0.0},
        {"min_trades": 20},
        {"max_drawdown_to_in_sample": 1.0},
    ],
)
def test_rescoring_is_a_fresh_run_with_these_gates(done, tmp_path, gates):
    first = run(options(tmp_path, name="first"))
    fresh = run(options(tmp_path, name="fresh", gates=gates))
    again = rescore(first.folder, gates=gates, command="meseta rescore")
    assert again.folder == first.folder
    same_scores(again, fresh)
    assert again.manifest["results_hash"] != done[0].manifest["results_hash"]
    assert again.manifest["config"]["gates"] == fresh.manifest["config"]["gates"]
    assert again.manifest["gates"] == fresh.manifest["gates"]
    assert again.manifest["status"] == "finished"
    assert frame(again, "finalists/trades").equals(frame(fresh, "finalists/trades"))
    assert files_of(again.folder) == files_of(fresh.folder)


def test_rescoring_back_is_the_run_itself(done, tmp_path):
    first = run(options(tmp_path))
    rescore(first.folder, gates={"min_efficiency": 0.8}, min_cell=3)
    same_scores(rescore(first.folder, gates={"min_efficiency": 0.35}, min_cell=2), done[0])


def test_rescoring_with_other_axes(tmp_path):
    axes = ("atr_period", "atr_buy_multiplier")
    first = run(options(tmp_path, name="first"))
    fresh = run(options(tmp_path, name="fresh", axes=axes, min_cell=5))
    again = rescore(first.folder, axes=axes, min_cell=5)
    same_scores(again, fresh)
    assert again.plateaus["axes"] == list(axes)


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        ({"gates": {"min_efficiency": 0.1234}}, ArgumentError, "remembered"),
        ({"gates": {"min_drawdown": 9.0}}, RunError, "`min_drawdown` is part of the search"),
        ({"gates": {"min_eficiency": 0.5}}, ArgumentError, "min_eficiency"),
        ({"axes": ("atr_period", "x")}, ArgumentError, "`axes` must be two different parameters"),
        ({"min_cell": 0}, ArgumentError, "`min_cell`"),
    ],
)
def test_rescoring_refuses_and_leaves_the_run_as_it_is(done, change, error, why):
    result, _ = done
    before = state(result.folder)
    with pytest.raises(error, match=why):
        rescore(result.folder, **change)
    assert state(result.folder) == before


def test_rescoring_refuses_another_folder(tmp_path):
    with pytest.raises(RunError, match=r"is no run folder: it has no manifest\.json"):
        rescore(tmp_path / "none")


def test_rescoring_a_file_that_has_changed_since_uses_the_run_s_own_bars(tmp_path):
    source = nasdaq_csv(tmp_path / "prices.csv")
    first = run(options(tmp_path, bars=source))
    before = frame(first)
    Path(source).write_text("gone")
    again = rescore(first.folder)
    assert frame(again).equals(before)
    assert again.manifest["data"] == first.manifest["data"]


def test_rescoring_needs_its_bars_and_tiles(tmp_path):
    first = run(options(tmp_path))
    bars = first.folder / "bars.parquet"
    whole = bars.read_bytes()
    pl.read_parquet(bars).with_columns(
        pl.col("close") + 0.001 * (pl.col("high") - pl.col("close"))
    ).write_parquet(bars)
    with pytest.raises(RunError, match="is not the series of this run; run again with --force"):
        rescore(first.folder)
    bars.write_bytes(whole)
    next(first.folder.glob("tiles/family00001-*.tile")).unlink()
    with pytest.raises(RunError, match="is missing or damaged"):
        rescore(first.folder)
    (first.folder / "tiles" / "search.json").write_text("{")
    with pytest.raises(RunError, match=r"search\.json is missing or damaged"):
        rescore(first.folder)


def test_without_tiles_a_run_cannot_be_scored_again(done, tmp_path):
    result = run(options(tmp_path, keep_tiles=False))
    assert list(result.folder.glob("tiles/*.tile")) == []
    same_scores(result, done[0])
    before = state(result.folder)
    with pytest.raises(RunError, match="is missing or damaged"):
        rescore(result.folder)
    assert state(result.folder) == before


def test_hours_without_volume_are_kept_and_scored_again(tmp_path):
    rows = walk_of(3, 7 * 900, step=0.004, drift=0.1)
    hours = np.datetime64("2015-01-05T10:00", "us") + np.arange(7) * np.timedelta64(1, "h")
    days = np.arange(900) * np.timedelta64(1, "D")
    table = pl.DataFrame(dict(zip(PRICES, rows.T, strict=True)))
    table.insert_column(0, pl.Series("time", (days[:, None] + hours).ravel()))
    table.write_csv(tmp_path / "hours.csv")
    first = run(
        options(
            tmp_path,
            bars=str(tmp_path / "hours.csv"),
            timezone="America/New_York",
            vault=3.0,
            gates={"min_efficiency": 0.0, "max_drawdown_to_profit": 5.0},
        )
    )
    data = first.manifest["data"]
    assert (data["bar_size"], data["timezone"]) == ("1h", "America/New_York")
    before = frame(first)
    assert before.height
    again = rescore(first.folder)
    assert frame(again).equals(before)
    assert again.manifest["data"] == data
