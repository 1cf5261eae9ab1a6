"""Bars themselves: what they promise once they exist."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest

from meseta.bars import Bars
from meseta.errors import ArgumentError, DataError

NOON = np.datetime64("2024-01-01T12:00", "us")
PRICES = ("open", "high", "low", "close")


def make(days: int = 30, **options: object) -> Bars:
    rng = np.random.default_rng(5)
    close = 100 + np.cumsum(rng.normal(size=days))
    time = np.datetime64("2024-01-01") + np.arange(days)
    volume = rng.integers(1, 1000, days)
    return Bars.from_arrays(time, close, close + 1, close - 1, close, volume, **options)


def test_arrays_are_owned_contiguous_and_read_only():
    close = np.linspace(1.0, 2.0, 20)[::2]
    time = NOON + np.arange(10) * np.timedelta64(15, "m")
    bars = Bars.from_arrays(time, close, close, close, close)
    close[0] = 99
    assert bars.close[0] == 1.0
    for field in ("time", *PRICES):
        array = getattr(bars, field)
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    assert bars.time.dtype == np.dtype("datetime64[us]")
    assert bars.close.dtype == np.float64
    assert bars.volume is None


def test_fields_cannot_be_replaced_and_arrays_stay_read_only_after_pickling():
    bars = make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        bars.name = "other"
    again = pickle.loads(pickle.dumps(bars))
    assert again.fingerprint == bars.fingerprint
    assert not again.close.flags.writeable
    assert not again.volume.flags.writeable


def test_fingerprint_is_of_the_market_data_alone():
    bars = make()
    assert len(bars.fingerprint) == 64
    assert make(name="other", timezone="Asia/Tokyo").fingerprint == bars.fingerprint
    fields = {name: getattr(bars, name).copy() for name in ("time", *PRICES, "volume")}
    prints = {bars.fingerprint}
    for name, array in fields.items():
        step = np.timedelta64(1, "s") if name == "time" else 2.0**-30
        array[-1] += step
        if name == "close":
            array[-1] -= 2 * step
        changed = fields | {name: array}
        prints.add(Bars.from_arrays(**changed).fingerprint)
        array[-1] = getattr(bars, name)[-1]
    prints.add(Bars.from_arrays(**(fields | {"volume": None})).fingerprint)
    assert len(prints) == 8


def test_fingerprint_is_a_plain_hash_that_anybody_can_compute():
    close = np.array([1.0, 2.0, 3.0])
    time = np.datetime64("1970-01-02") + np.arange(3)
    days = struct.pack("<3q", *(day * 86_400_000_000 for day in (1, 2, 3)))
    prices = struct.pack("<3d", 1.0, 2.0, 3.0)
    bare = Bars.from_arrays(time, close, close, close, close)
    assert bare.fingerprint == hashlib.sha256(b"bars" + days + 4 * prices).hexdigest()
    traded = Bars.from_arrays(time, close, close, close, close, close)
    expected = hashlib.sha256(b"bars with volume" + days + 5 * prices).hexdigest()
    assert traded.fingerprint == expected


def test_importing_the_package_imports_no_data_frame_library():
    code = (
        "import sys, meseta.bars;"
        "print([name for name in ('pandas', 'polars', 'arch', 'pyarrow') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_slice_views_the_rows_and_keeps_the_facts():
    bars = make(60, name="market", timezone="Asia/Tokyo", stamp="close")
    part = bars.slice(10, 20)
    assert len(part) == 10
    for field in ("time", *PRICES, "volume"):
        whole, cut = getattr(bars, field), getattr(part, field)
        np.testing.assert_array_equal(cut, whole[10:20])
        assert np.shares_memory(cut, whole)
        assert not cut.flags.writeable
    kept = ("name", "bar_size", "bar_minutes", "timezone", "stamp", "warnings", "source")
    assert all(getattr(part, field) == getattr(bars, field) for field in kept)
    assert part.calendar.bars_per_year == bars.calendar.bars_per_year
    assert part.calendar.first == bars.time[10].item()
    assert part.calendar.sessions == 10
    assert part.years == pytest.approx(9 / 365.25)
    assert part.fingerprint != bars.fingerprint
    assert len(bars.slice(3, 4)) == 1


@pytest.mark.parametrize("rows", [(5, 5), (-1, 4), (0, 31), (7, 3)])
def test_slice_refuses_a_range_outside_or_empty(rows: tuple[int, int]):
    with pytest.raises(ArgumentError, match=r"0 <= a < z <= 30.*got"):
        make(30).slice(*rows)


def test_calendar_counts_years_sessions_and_bars():
    time = np.concatenate(
        [
            np.datetime64(day) + np.arange(4) * np.timedelta64(6, "h")
            for day in ("2023-01-02", "2023-01-04")
        ]
    )
    close = np.ones(8)
    calendar = Bars.from_arrays(time, close, close, close, close).calendar
    assert str(calendar.first) == "2023-01-02 00:00:00"
    assert str(calendar.last) == "2023-01-04 18:00:00"
    assert calendar.years == pytest.approx(2.75 / 365.25)
    assert calendar.bars_per_year == pytest.approx(7 / (2.75 / 365.25))
    assert calendar.sessions == 2
    closing = Bars.from_arrays(time, close, close, close, close, stamp="close").calendar
    assert closing.sessions == 2  # from 18:00, so that the bars that end at midnight begin one


@pytest.mark.parametrize(
    ("step", "size", "minutes"),
    [
        ("1m", "1m", 1),
        ("15m", "15m", 15),
        ("90m", "90m", 90),
        ("60m", "1h", 60),
        ("240m", "4h", 240),
        ("1D", "1d", None),
        ("7D", "1w", None),
        ("3D", "3d", None),
    ],
)
def test_bar_size_is_the_usual_step(step: str, size: str, minutes: int | None):
    length = np.timedelta64(int(step[:-1]), step[-1])
    time = NOON + np.arange(40) * length
    time[-3:] += length * 2  # a gap does not matter
    close = np.ones(40)
    bars = Bars.from_arrays(time, close, close, close, close)
    assert (bars.bar_size, bars.bar_minutes) == (size, minutes)


def test_monthly_bars_and_a_single_bar_have_a_size():
    months = np.arange("2020-01", "2022-01", dtype="datetime64[M]")
    close = np.ones(24)
    assert Bars.from_arrays(months, close, close, close, close).bar_size == "1mo"
    one = Bars.from_arrays(months[:1], *[close[:1]] * 4)
    assert (one.bar_size, one.years) == ("1d", 0.0)
    assert one.calendar.bars_per_year == pytest.approx(365.25)


def test_early_closes_do_not_change_the_size_of_daily_bars():
    time = np.datetime64("2024-01-01T16:00") + np.arange(20) * np.timedelta64(1, "D")
    time[[4, 9]] -= np.timedelta64(3, "h")
    close = np.ones(20)
    bars = Bars.from_arrays(time, close, close, close, close, stamp="close")
    assert (bars.bar_size, bars.bar_minutes, bars.warnings) == ("1d", None, ())


def test_bars_of_seconds_are_refused():
    time = NOON + np.arange(10) * np.timedelta64(15, "s")
    close = np.ones(10)
    with pytest.raises(DataError, match=r"whole minutes.*15 s"):
        Bars.from_arrays(time, close, close, close, close)


def test_frames_hold_the_same_values():
    bars = make()
    polars = bars.to_polars()
    assert polars.columns == ["time", *PRICES, "volume"]
    np.testing.assert_array_equal(polars["time"].to_numpy(), bars.time)
    np.testing.assert_array_equal(polars["volume"].to_numpy(), bars.volume)
    pandas = bars.to_pandas()
    assert pandas.index.name == "time"
    assert pandas.index.tz is None
    np.testing.assert_array_equal(pandas["close"].to_numpy(), bars.close)
    pandas.loc[pandas.index[0], "close"] = -1.0
    assert bars.close[0] > 0


def test_frames_without_volume_have_an_empty_column():
    bars = make()
    bare = Bars.from_arrays(bars.time, bars.open, bars.high, bars.low, bars.close)
    assert bare.to_polars()["volume"].null_count() == len(bare)
    assert bare.to_pandas()["volume"].isna().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stamp": "middle"}, "`stamp` must be 'open' or 'close', got 'middle'"),
        ({"timezone": "Mars/Olympus"}, "`timezone` must be an IANA name .* got 'Mars/Olympus'"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, str], message: str):
    with pytest.raises(ArgumentError, match=message):
        make(**options)


def test_arrays_of_different_length_are_refused():
    close = np.ones(5)
    time = NOON + np.arange(5)
    with pytest.raises(ArgumentError, match=r"`low` must have one value per time.*\(5,\).*\(4,\)"):
        Bars.from_arrays(time, close, close, close[1:], close)
    with pytest.raises(ArgumentError, match="`volume`"):
        Bars.from_arrays(time, close, close, close, close, np.ones((5, 1)))
