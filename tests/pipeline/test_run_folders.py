"""Run folders: not overwritten, continued, locked, refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_run import (
    GRID,
    SIZE,
    frame,
    half_way,
    nasdaq_csv,
    options,
    same_scores,
    scaled,
    state,
    stopped,
)

from meseta.bars import load, pair, resample
from meseta.errors import RunError
from meseta.pipeline import rescore, run
from meseta.runs import RunFolder
from meseta.search import _exhaustive as exhaustive
from trading_hours import series, spans


def test_the_series_that_is_kept_has_its_stubs_and_sessions(tmp_path):
    fine = series(spans((-360, 1020)).ravel(), timezone="America/New_York")
    bars = resample(fine, "6h")
    RunFolder(tmp_path).write_bars(pair(bars, bars))
    for name in ("bars", "bars2"):
        kept = load(tmp_path / f"{name}.parquet", allow_nonpositive=True)
        assert kept.fingerprint == bars.fingerprint
        assert kept.stubs.tolist() == bars.stubs.tolist()
        assert (kept.session_open, kept.bar_minutes) == (-360, 360)


def test_a_run_is_not_overwritten_without_force(done):
    result, config = done
    before = state(result.folder)
    for resume in (False, True):
        with pytest.raises(RunError, match=r"holds a finished run; .*--name.*--force"):
            run(config, resume=resume)
    assert state(result.folder) == before


def test_force_begins_anew_and_keeps_what_is_not_its_own(tmp_path):
    first = run(options(tmp_path))
    (first.folder / "notes.txt").write_text("mine")
    smaller = GRID | {"atr_multiplier": [4, 8]}
    second = run(
        options(tmp_path, grid=smaller, axes=("atr_period", "atr_buy_multiplier")), force=True
    )
    assert second.folder == first.folder
    assert (first.folder / "notes.txt").read_text() == "mine"
    assert len(list(second.folder.glob("tiles/*.tile"))) == 4
    assert second.manifest["grid"]["combinations"] == SIZE * 2 // 3


@pytest.mark.parametrize(
    "when",
    [half_way, lambda at: at.stage == "score", lambda at: at.stage == "finalists"],
    ids=["search", "score", "finalists"],
)
def test_an_unfinished_run_is_continued(done, tmp_path, monkeypatch, when):
    expected, _ = done
    config = options(tmp_path)
    folder = stopped(config, when)
    assert RunFolder(folder).manifest()["status"] == "running"
    with pytest.raises(RunError, match="holds an unfinished run; continue it with --resume"):
        run(config)
    with pytest.raises(RunError, match="is not finished; continue it with `meseta run --resume`"):
        rescore(folder)
    kept, searched = len(list(folder.glob("tiles/*.tile"))), []
    evaluate = exhaustive.evaluate_tile
    monkeypatch.setattr(
        exhaustive, "evaluate_tile", lambda p, tile: searched.append(tile) or evaluate(p, tile)
    )
    result = run(config, resume=True)
    assert len(searched) == 6 - kept < 6
    assert result.manifest["results_hash"] == expected.manifest["results_hash"]
    assert frame(result).equals(frame(expected))
    assert result.manifest["warnings"] == expected.manifest["warnings"]


def test_a_damaged_tile_is_told_in_the_manifest(done, tmp_path):
    config = options(tmp_path)
    folder = stopped(config, lambda at: at.stage == "score")
    tile = next(folder.glob("tiles/family00002-*.tile"))
    tile.write_bytes(tile.read_bytes()[:-5])
    result = run(config, resume=True)
    assert result.manifest["results_hash"] == done[0].manifest["results_hash"]
    assert any(tile.name in warning for warning in result.manifest["warnings"])


def test_resume_without_a_run_begins_one(tmp_path, done):
    result = run(options(tmp_path), resume=True)
    assert result.manifest["results_hash"] == done[0].manifest["results_hash"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"bars": "other"}, "bars"),
        ({"capital": 50_000.0}, "account"),
        ({"slippage": 0.5}, "account"),
        ({"warmup": 150}, "warmup"),
        ({"vault": 24.0}, "bars, windows"),
        ({"grid": GRID | {"atr_period": [8, 33]}}, "grid"),
        ({"phases": [{"years_back": [8, 0], "out_of_sample": 0.4}]}, "windows"),
        ({"gates": {"min_drawdown": 5.0}}, "min_drawdown"),
        ({"gates": {"min_efficiency": 0.1234}}, "levels"),
    ],
)
def test_resume_refuses_other_data_and_options(tmp_path, change, what):
    config = options(tmp_path)
    folder = stopped(config, half_way)
    before = state(folder)
    if change.get("bars") == "other":
        change = {
            "bars": nasdaq_csv(tmp_path / "other.csv", lambda t: scaled(t, t["time"][9], 1.1))
        }
    with pytest.raises(RunError, match=f"was searched with other {what}; .*--force"):
        run(options(tmp_path, **change), resume=True)
    assert state(folder) == before


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"cannot write to .*; choose another folder"):
        run(options(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_folder_that_another_process_works_in(done, tmp_path):
    config = options(tmp_path)
    result = run(config)
    before = state(result.folder)
    with RunFolder(result.folder).locked():
        for act in (lambda: run(config, force=True), lambda: rescore(result.folder)):
            with pytest.raises(RunError, match="another process works in"):
                act()
    assert state(result.folder) == before
    same_scores(run(config, force=True), done[0])


def test_a_damaged_manifest_is_told(tmp_path):
    config = options(tmp_path)
    result = run(config)
    for text, why in (("{", "cannot be read"), ("[]", "holds no mapping")):
        (result.folder / "manifest.json").write_text(text)
        for act in (lambda: run(config), lambda: rescore(result.folder)):
            with pytest.raises(RunError, match=why):
                act()
    assert run(config, force=True).manifest["status"] == "finished"


def test_bars_from_standard_input_are_kept_for_the_rest_of_the_run(tmp_path, monkeypatch, done):
    text = Path(nasdaq_csv(tmp_path / "a.csv")).read_bytes()

    def give(content):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    give(text)
    config = options(tmp_path, bars="-")
    folder = stopped(config, half_way)
    give(b"")
    result = run(config, resume=True)
    assert result.folder == folder
    assert result.manifest["data"]["name"] == "stdin"
    assert frame(result).equals(frame(done[0]))
