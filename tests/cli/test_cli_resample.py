"""`data resample`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from meseta.bars import load, resample, save, session_open
from trading_hours import series, spans

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call

NEW_YORK = "America/New_York"


@pytest.fixture
def fine(tmp_path: Path) -> Path:
    """Bars of 15 minutes from 18:00 to 17:00 in New York, written as UTC text."""
    frame = series(spans((-360, 1020)).ravel()).to_polars()
    moments = frame["time"].dt.replace_time_zone(NEW_YORK).dt.convert_time_zone("UTC")
    frame.with_columns(time=moments.dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv(
        tmp_path / "market.csv"
    )
    return tmp_path / "market.csv"


def test_the_file_holds_the_bars_that_python_makes(meseta: Call, fine: Path) -> None:
    made = meseta(
        "data", "resample", fine, "--size", "360m", "--out", "coarse.parquet",
        "--timezone", NEW_YORK, "--allow-nonpositive",
    )  # fmt: skip
    assert made.code == 0, made
    bars = load("coarse.parquet", allow_nonpositive=True)
    expected = resample(load(fine, timezone=NEW_YORK, allow_nonpositive=True), "6h")
    assert bars.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(bars.stubs, expected.stubs)
    facts = ("timezone", "stamp", "bar_size", "session_open", "bars_per_year")
    assert all(getattr(bars, fact) == getattr(expected, fact) for fact in facts)
    assert (bars.timezone, session_open(bars), int(bars.stubs.sum())) == (NEW_YORK, -360, 40)
    rows = [" ".join(line.split()) for line in made.out.splitlines()]
    assert "Bars 160 of 6h" in rows
    assert "Sessions 40, from 18:00 on the evening before" in rows
    assert "Made of 3,680 bars of 15m" in rows
    assert "Stubs 40" in rows
    assert meseta("data", "check", "coarse.parquet", "--allow-nonpositive").code == 0


def test_the_opening_can_be_said(meseta: Call, fine: Path) -> None:
    made = meseta(
        "data", "resample", fine, "--size", "6h", "--out", "coarse.parquet",
        "--allow-nonpositive", "--session-open", "00:00",
    )  # fmt: skip
    assert made.code == 0, made
    assert session_open(load("coarse.parquet", allow_nonpositive=True)) == 0


def test_daily_bars_from_standard_input(meseta: Call, fine: Path) -> None:
    options = ("--size", "1d", "--out", "days.parquet", "--allow-nonpositive")
    made = meseta("data", "resample", "-", *options, stdin=fine.read_bytes())
    assert made.code == 0, made
    assert len(load("days.parquet", allow_nonpositive=True)) == 40
    assert "Stubs        0" in made.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "40m", "--out", "x.parquet"), "take '30m' or '45m'"),
        (("--size", "1h", "--out", "x.csv"), "`--out` must name a Parquet file"),
        (
            ("--size", "1h", "--out", "x.parquet", "--session-open", "25:00"),
            "(--session-open) must be a time of day like '18:00'",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    meseta: Call, fine: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    made = meseta("data", "resample", fine, *options, "--allow-nonpositive")
    assert made.code == 2
    assert words in made.err
    assert not (tmp_path / "x.parquet").exists()


def test_the_file_that_is_read_is_not_replaced(meseta: Call, fine: Path, tmp_path: Path) -> None:
    path = tmp_path / "market.parquet"
    save(load(fine, allow_nonpositive=True), path)
    before = path.read_bytes()
    made = meseta("data", "resample", path, "--size", "1h", "--out", path, "--allow-nonpositive")
    assert made.code == 2
    assert "must not be the file that is read" in made.err
    assert path.read_bytes() == before


def test_the_help_shows_examples(meseta: Call) -> None:
    made = meseta("data", "resample", "--help")
    assert made.code == 0
    assert "meseta data resample CL_15m.csv --size 360m --out CL_360m.parquet" in " ".join(
        made.out.split()
    )
