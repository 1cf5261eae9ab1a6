"""Bars of a stored series."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.series import DAILY, MINUTES, TRADES, meta, rows
from meseta.bars import Finding, load
from meseta.data import SeriesKey, schema_of
from meseta.data._to_bars import to_bars
from meseta.data._zone import to_utc, to_wall
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from pathlib import Path

NEW_YORK = "America/New_York"
HOURS = SeriesKey("tradestation", "@ES", "1h")


def hourly(first: datetime, count: int) -> pl.DataFrame:
    ends = [first + timedelta(hours=at) for at in range(count)]
    prices = {name: [float(at + 1) for at in range(count)] for name in ("open", "high", "low")}
    opens = [end - timedelta(hours=1) for end in ends]
    columns = {"ts_open": opens, "ts_close": ends, **prices, "close": prices["open"]}
    return pl.DataFrame({**columns, "volume": [None] * count}, schema=schema_of(HOURS).columns)


def test_daily_bars_have_the_dates_of_sessions() -> None:
    made = to_bars(
        meta(DAILY, timezone=NEW_YORK, stamp="close"), rows(DAILY, [(0, 1), (1, 2), (4, 3)])
    )
    assert (made.name, made.source, made.bar_size) == ("SMH", "store:yahoo SMH 1d split", "1d")
    assert (made.timezone, made.stamp) == (NEW_YORK, "open")
    assert made.time.astype("datetime64[D]").tolist() == [
        date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 5),
    ]  # fmt: skip
    assert made.close.tolist() == [1, 2, 3]
    assert made.volume is not None


@pytest.mark.parametrize(("stamp", "first"), [("open", "08:30"), ("close", "09:30")])
def test_shorter_bars_have_the_wall_time_of_their_zone(stamp: str, first: str) -> None:
    frame = hourly(datetime(2024, 6, 7, 13, 30, tzinfo=UTC), 5)
    made = to_bars(meta(HOURS, timezone=NEW_YORK, stamp=stamp), frame)
    assert made.time[0] == np.datetime64(f"2024-06-07T{first}")
    assert (made.stamp, made.bar_size, made.volume) == (stamp, "1h", None)


def test_two_bars_keep_the_size_of_their_series() -> None:
    frame = rows(MINUTES, [(0, 1), (7, 2)])
    assert to_bars(meta(MINUTES), frame).bar_size == "1m"


def test_warnings_come_before_what_is_suspicious() -> None:
    told = Finding("stored_only", 0, "", "", "the source is unreachable")
    made = to_bars(meta(DAILY), rows(DAILY, [(0, 1), (1, 9)]), warnings=(told,))
    assert [finding.code for finding in made.warnings] == ["stored_only", "jump"]


@pytest.mark.parametrize("days", [2_932_897, -719_163, 10**8])
def test_times_beyond_the_calendar_are_no_times(days: int) -> None:
    when = pl.Series([days], dtype=pl.Int32).cast(pl.Date)
    daily = rows(DAILY, [(0, 1)]).with_columns(session_date=when)
    with pytest.raises(DataError, match=r"session_date .*outside of the years 1 to 9999"):
        schema_of(DAILY).conform(daily)
    moment = pl.Series([days * 86_400 * 10**6]).cast(pl.Datetime("us", "UTC"))
    with pytest.raises(DataError, match=r"ts_close .*outside of the years 1 to 9999"):
        schema_of(MINUTES).conform(rows(MINUTES, [(0, 1)]).with_columns(ts_close=moment))
    edges = pl.Series([-719_162, 2_932_896], dtype=pl.Int32).cast(pl.Date)
    sound = rows(DAILY, [(0, 1), (1, 2)]).with_columns(session_date=edges)
    assert schema_of(DAILY).conform(sound).height == 2


def test_volume_that_a_bar_lacks_is_left_out_and_said() -> None:
    frame = rows(DAILY, [(0, 1), (1, 1), (2, 1)])
    lost = pl.when(pl.col("session_date").dt.day() != 2).then("volume")
    made = to_bars(meta(DAILY), frame.with_columns(volume=lost))
    assert made.volume is None
    assert [finding.code for finding in made.warnings] == ["volume_incomplete"]
    assert made.warnings[0].message.startswith("1 of 3 bars of yahoo SMH 1d split have no volume")
    none = to_bars(meta(DAILY), frame.with_columns(volume=pl.lit(None, pl.Float64)))
    assert (none.volume, none.warnings) == (None, ())


def test_prices_of_zero_and_less_have_to_be_allowed() -> None:
    frame = rows(DAILY, [(0, 1), (1, -1)])
    with pytest.raises(DataError, match="not positive"):
        to_bars(meta(DAILY), frame)
    assert to_bars(meta(DAILY), frame, allow_nonpositive=True).allow_nonpositive


def test_events_are_no_bars() -> None:
    with pytest.raises(ArgumentError, match=r"must name bars, but .* are trades"):
        to_bars(meta(TRADES), rows(TRADES, [(0, 1)]))


def test_an_empty_start_of_bars_is_said() -> None:
    frame = rows(MINUTES, [(0, 1)]).with_columns(ts_open=pl.lit(None, pl.Datetime("us", "UTC")))
    with pytest.raises(DataError, match="stamped at the open of its bars"):
        to_bars(meta(MINUTES), frame)


@pytest.mark.parametrize(("source", "way"), [("files", "--timezone UTC"), ("yahoo", "--end")])
def test_an_hour_that_occurs_twice_is_said_with_the_way_out(source: str, way: str) -> None:
    frame = hourly(datetime(2024, 11, 3, 3, tzinfo=UTC), 6)
    told = f"2024-11-03 01:00 occurs twice in America/New_York.*{way}"
    with pytest.raises(DataError, match=told):
        to_bars(meta(replace(HOURS, source=source), timezone=NEW_YORK, stamp="close"), frame)
    assert len(to_bars(meta(HOURS, stamp="close"), frame)) == 6


def test_short_bars_stay_marked() -> None:
    frame = rows(MINUTES, [(0, 1), (1, 2)]).with_columns(stub=pl.Series([False, True]))
    made = to_bars(meta(MINUTES), frame)
    assert made.stubs is not None
    assert made.stubs.tolist() == [False, True]


def test_an_imported_file_gives_the_bars_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "SMH.csv"
    path.write_text("date,open,high,low,close\n2024-01-01,1,1,1,1\n2024-01-02,2,2,2,2\n")
    frame = rows(DAILY, [(0, 1), (1, 2)]).with_columns(volume=pl.lit(None, pl.Float64))
    assert to_bars(meta(DAILY), frame).fingerprint == load(path).fingerprint


def wall(*times: str) -> pl.Series:
    return pl.Series([datetime.fromisoformat(f"2024-{time}") for time in times])


def test_wall_times_and_moments_around_clock_changes() -> None:
    times = wall("03-09 12:00", "03-10 02:30", "03-10 03:00", "11-03 00:30")
    found = to_utc(times, NEW_YORK)
    hours = [None if at is None else f"{at:%d %H:%M}" for at in found.utc]
    assert hours == ["09 17:00", None, "10 07:00", "03 04:30"]
    assert not found.twice.any()
    known = found.utc.drop_nulls()
    assert to_wall(known, NEW_YORK).to_list() == [times[0], times[2], times[3]]


def test_an_hour_that_occurs_twice_is_read_in_order() -> None:
    once = to_utc(wall("11-03 00:45", "11-03 01:00", "11-03 01:30", "11-03 02:00"), NEW_YORK)
    assert [f"{at:%H:%M}" for at in once.utc] == ["04:45", "05:00", "05:30", "07:00"]
    assert once.twice.to_list() == [False, True, True, False]
    both = to_utc(
        wall("11-03 01:30", "11-03 01:00", "11-03 01:45", "11-03 02:00", "11-04 01:00"), NEW_YORK
    )
    assert [f"{at:%H:%M}" for at in both.utc] == ["05:30", "06:00", "06:45", "07:00", "06:00"]


@given(
    zone=st.sampled_from([NEW_YORK, "Europe/London", "Australia/Sydney", "Asia/Tokyo"]),
    day=st.sampled_from(["2024-03-10", "2024-03-31", "2024-04-07", "2024-10-06", "2024-11-03"]),
    step=st.integers(1, 60),
    begin=st.integers(0, 59),
)
def test_moments_without_a_pause_come_back_from_wall_time(
    zone: str, day: str, step: int, begin: int
) -> None:
    first = datetime.fromisoformat(f"{day}T00:00Z") + timedelta(hours=-12, minutes=begin)
    moments = pl.Series([first + timedelta(minutes=step * at) for at in range(2160 // step)])
    moments = moments.cast(pl.Datetime("us", "UTC"))
    assert to_utc(to_wall(moments, zone), zone).utc.to_list() == moments.to_list()
