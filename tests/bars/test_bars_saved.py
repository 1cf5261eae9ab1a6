"""Bars written to a file and read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from meseta.bars import Bars, load, pair, resample, save, session_days, session_open
from meseta.errors import ArgumentError, DataError, RunError
from trading_hours import series, spans

if TYPE_CHECKING:
    from pathlib import Path


def assert_same(bars: Bars, other: Bars) -> None:
    assert bars.fingerprint == other.fingerprint
    np.testing.assert_array_equal(bars.stubs, other.stubs)
    np.testing.assert_array_equal(session_days(bars), session_days(other))
    for fact in (
        "bar_size", "bar_minutes", "stamp", "timezone", "session_open", "bars_per_year",
    ):  # fmt: skip
        assert getattr(bars, fact) == getattr(other, fact)


@pytest.mark.parametrize("stamp", ["open", "close"])
@pytest.mark.parametrize("size", ["30m", "6h", "23h", "1d", "1w"])
def test_what_is_saved_loads_again_without_being_told(tmp_path: Path, stamp: str, size: str):
    time = spans((-360, 1020), stamp=stamp).ravel()
    bars = resample(series(time, stamp, timezone="America/New_York", name="CL"), size)
    path = tmp_path / "CL.parquet"
    save(bars, path)
    again = load(path, allow_nonpositive=True)
    assert_same(again, bars)
    assert (again.name, again.source) == ("CL", str(path))
    told = {finding.code: finding.message for finding in bars.warnings}
    assert {finding.code: finding.message for finding in again.warnings} == told


def test_sessions_of_the_users_own_are_kept(tmp_path: Path):
    fine = series(spans((-450, 330), (525, 915)).ravel())
    bars = resample(fine, "1h", opens="16:30")
    save(bars, tmp_path / "night.parquet")
    again = load(tmp_path / "night.parquet", allow_nonpositive=True)
    assert session_open(again) == -450
    assert_same(again, bars)


def test_what_the_caller_says_wins(tmp_path: Path):
    bars = series(spans((570, 960), stamp="close").ravel(), "close")
    save(bars, tmp_path / "bars.parquet")
    options = {"timezone": "Asia/Tokyo", "stamp": "open", "name": "market"}
    again = load(tmp_path / "bars.parquet", allow_nonpositive=True, **options)
    assert (again.timezone, again.stamp, again.name) == ("Asia/Tokyo", "open", "market")


def test_prices_below_zero_have_to_be_allowed_again(tmp_path: Path):
    bars = series(spans((570, 960)).ravel())
    below = [getattr(bars, name) - 200 for name in ("open", "high", "low", "close")]
    bars = Bars.from_arrays(bars.time, *below, allow_nonpositive=True)
    save(bars, tmp_path / "bars.parquet")
    with pytest.raises(DataError, match="allow_nonpositive"):
        load(tmp_path / "bars.parquet")
    assert load(tmp_path / "bars.parquet", allow_nonpositive=True).volume is None


def test_a_saved_file_is_a_plain_table(tmp_path: Path):
    bars = resample(series(spans((570, 960)).ravel()), "1h")
    save(bars, tmp_path / "new" / "bars.parquet")
    frame = pl.read_parquet(tmp_path / "new" / "bars.parquet")
    assert frame.columns == ["time", "open", "high", "low", "close", "volume", "stub"]
    assert frame["stub"].sum() == 40
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["bars.parquet"]
    frame.write_csv(tmp_path / "bars.csv")
    again = load(tmp_path / "bars.csv", allow_nonpositive=True)
    np.testing.assert_array_equal(again.stubs, bars.stubs)
    assert "stubs" in [finding.code for finding in again.warnings]


def test_a_column_called_stub_that_marks_nothing_is_ignored():
    frame = series(spans((570, 960)).ravel()).to_polars().with_columns(stub=pl.col("close"))
    assert load(frame, allow_nonpositive=True).stubs is None


def test_stubs_show_the_sessions_where_a_table_alone_is_left():
    bars = resample(series(spans((-360, 1020)).ravel()), "6h")
    frame = bars.to_polars().with_columns(stub=pl.Series(bars.stubs))
    assert session_open(load(frame, allow_nonpositive=True)) == -360


def test_pairs_are_refused_and_a_folder_that_cannot_be_written_is_said(tmp_path: Path):
    bars = series(spans((570, 960)).ravel())
    with pytest.raises(ArgumentError, match="is a pair; save each"):
        save(pair(bars, bars), tmp_path / "pair.parquet")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write"):
        save(bars, tmp_path / "file" / "bars.parquet")


@pytest.mark.parametrize("notes", ["no json", '{"bar_minutes": "long"}', "[]"])
def test_notes_that_were_tampered_with_are_damage(tmp_path: Path, notes: str):
    frame = series(spans((570, 960)).ravel()).to_polars()
    frame.write_parquet(tmp_path / "bars.parquet", metadata={"meseta": notes})
    with pytest.raises(DataError, match="the Parquet file is damaged"):
        load(tmp_path / "bars.parquet")
    frame.write_parquet(tmp_path / "bars.parquet", metadata={"other": json.dumps({"a": 1})})
    assert load(tmp_path / "bars.parquet", allow_nonpositive=True).timezone == "UTC"
