"""Trading days as the data themselves show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.bars import Bars, load, session_days, session_open
from meseta.errors import ArgumentError
from trading_hours import MINUTE, series, spans

if TYPE_CHECKING:
    from pathlib import Path

NEW_YORK = "America/New_York"


def starts(days: np.ndarray) -> list[int]:
    return np.flatnonzero(np.diff(days, prepend=days[0] - 1)).tolist()


def test_a_session_has_the_date_on_which_most_of_it_trades():
    evening = series(spans((-360, 1020)).ravel())
    assert session_open(evening) == -360
    assert evening.time[0] == np.datetime64("2023-12-31T18:00")
    days = session_days(evening).astype("datetime64[D]")
    assert days[0] == np.datetime64("2024-01-01")
    afternoon = series(spans((810, 1200)).ravel())
    assert session_open(afternoon) == 810
    assert session_days(afternoon)[0] == session_days(evening)[0]


def test_a_lunch_break_ends_no_session_even_where_the_opening_is_crossed_once():
    time = spans((540, 690), (750, 900), size=5)
    assert session_open(series(time.ravel())) == 540
    early = time[3, 0] - np.array([10, 5]) * MINUTE
    odd = np.sort(np.append(time.ravel(), early))
    days = session_days(series(odd))
    assert len(starts(days)) == 40
    assert np.all(days == odd.astype("datetime64[D]").astype(int))


@pytest.mark.parametrize("stamp", ["open", "close"])
@pytest.mark.parametrize(("opens", "closes"), [(570, 960), (-360, 1020), (-390, 990)])
def test_half_days_holes_and_late_starts_change_nothing(stamp: str, opens: int, closes: int):
    time = spans((opens, closes), stamp=stamp)
    day = np.repeat(np.arange(40), time.shape[1]).reshape(time.shape)
    kept = np.ones(time.shape, dtype=bool)
    kept[7, 10:] = kept[9, 4:12] = kept[12, :3] = kept[20, ::2] = kept[30] = False
    bars = series(time[kept], stamp)
    assert session_open(bars) == opens
    assert starts(session_days(bars)) == starts(day[kept])


def test_a_market_that_never_closes_has_dates():
    time = np.datetime64("2024-01-01T15:30", "us") + np.arange(3000) * 15 * MINUTE
    assert session_open(series(time)) == 0
    bars = series(np.delete(time, np.r_[1000:1020, 2000]))
    assert session_open(bars) == 0
    closing = series(bars.time + 15 * MINUTE, "close")
    for one in (bars, closing):
        dates = bars.time.astype("datetime64[D]").astype(int)
        np.testing.assert_array_equal(session_days(one), dates)


def test_a_market_that_closes_for_weekends_alone_begins_its_days_when_its_week_begins():
    week = np.arange(-420, 5 * 1440 - 420, 60)  # Sunday 17:00 to Friday 17:00
    mondays = np.datetime64("2024-01-01", "us") + np.arange(12) * np.timedelta64(7, "D")
    time = (mondays[:, np.newaxis] + week * MINUTE).ravel()
    bars = series(np.delete(time, [300, 301]))
    assert session_open(bars) == -420
    assert bars.calendar.sessions == 60


def test_sundays_that_open_earlier():
    time = spans((-240, 1020), size=30)
    sundays = [row[0] - np.array([120, 90, 60, 30]) * MINUTE for row in time[::5]]
    bars = series(np.sort(np.concatenate([time.ravel(), *sundays])))
    assert session_open(bars) == -360
    assert bars.calendar.sessions == 40


def test_stubs_show_a_pause_that_the_steps_hide():
    time = spans((-360, 1080), size=360).ravel()
    plain = series(time)
    assert np.count_nonzero(np.diff(time) > 360 * MINUTE) == 7  # weekends
    marked = Bars(**{**vars(plain), "session_open": None, "stubs": np.arange(160) % 4 == 3})
    assert session_open(marked) == -360
    winter = np.repeat(np.arange(40) >= 20, 4)
    shifted = Bars(**{**vars(marked), "time": time + winter * 60 * MINUTE})
    assert session_open(shifted) == -360
    assert shifted.calendar.sessions == 40


def test_what_shows_no_pause_or_only_one_date_begins_at_midnight():
    one = spans((570, 960), days=1).ravel()
    assert session_open(series(np.delete(one, [10, 11]))) == 0
    assert session_open(series(one[:1])) == 0
    assert session_open(series(spans((570, 960), days=2).ravel())) == 570


@pytest.mark.parametrize("size", ["1D", "7D"])
def test_daily_and_longer_bars_have_one_session_a_date(size: str):
    time = np.datetime64("2024-01-01T18:00", "us") + np.arange(30) * np.timedelta64(
        int(size[:-1]), "D"
    )
    bars = series(time)
    assert session_open(bars) == 0
    dates = time.astype("datetime64[D]").astype(int)
    np.testing.assert_array_equal(session_days(bars, "18:00"), dates)
    assert bars.calendar.sessions == 30


def test_a_daily_bar_that_ends_at_midnight_belongs_to_the_day_that_it_ends():
    time = np.datetime64("2024-01-02", "us") + np.arange(30) * np.timedelta64(1, "D")
    assert session_days(series(time, "close"))[0] == session_days(series(time))[0] - 1


def test_a_slice_keeps_what_the_whole_series_shows():
    bars = series(spans((-360, 1020)).ravel())
    part = bars.slice(200, 230)
    np.testing.assert_array_equal(session_days(part), session_days(bars)[200:230])
    assert part.calendar.sessions == len(np.unique(session_days(bars)[200:230]))


def test_the_user_can_say_when_a_session_begins():
    night = spans((-450, 330), (525, 915))  # 16:30 to 5:30, then 8:45 to 15:15
    bars = series(night.ravel())
    assert session_open(bars) == 525
    days = session_days(bars, "16:30")
    assert starts(days) == list(range(0, night.size, night.shape[1]))
    assert days[0] == np.datetime64("2024-01-01").astype(int)
    np.testing.assert_array_equal(session_days(bars, -450), days)
    np.testing.assert_array_equal(session_days(bars, 990), days - 1)


@pytest.mark.parametrize("opens", ["24:00", "9.30", "", 1440, -1440, True, 9.5])
def test_what_is_no_time_of_day_is_refused(opens: object):
    with pytest.raises(ArgumentError, match=r"`opens` \(--session-open\) must be .*'18:00'"):
        session_days(series(spans((570, 960)).ravel()), opens)


@given(data=st.data())
@settings(max_examples=150)
def test_sessions_are_recovered_from_what_is_left_of_them(data: st.DataObject):
    size = data.draw(st.sampled_from([5, 15, 30, 60]), "size")
    opens = data.draw(st.integers(-140, 140), "opens") * 5
    length = data.draw(st.integers(3, (1440 - size) // size), "bars") * size
    stamp = data.draw(st.sampled_from(["open", "close"]), "stamp")
    time = spans((opens, opens + length), size=size, stamp=stamp)
    day = np.repeat(np.arange(40), time.shape[1]).reshape(time.shape)
    kept = np.ones(time.shape, dtype=bool)
    for row in data.draw(st.lists(st.integers(0, 39), max_size=8), "holes"):
        first = data.draw(st.integers(0, time.shape[1] - 1))
        kept[row, first : first + data.draw(st.integers(1, 20))] = False
    bars = series(time[kept], stamp)
    days = session_days(bars)
    assert starts(days) == starts(day[kept])
    assert bars.calendar.sessions == len(np.unique(day[kept]))
    middle = time[day[kept][0], 0] + length / 2 * MINUTE
    assert abs((days[0].astype("datetime64[D]") + 720 * MINUTE - middle) / MINUTE) <= 720 + size


@pytest.mark.parametrize(
    ("zone", "opens"),
    [(NEW_YORK, -360), ("UTC", -120), ("Europe/London", -120), ("Asia/Tokyo", 420)],
)
def test_crude_oil_has_the_same_sessions_in_every_zone(shared: Path, zone: str, opens: int):
    bars = load(shared / "data/intraday/CL_15m.csv.gz", timezone=zone, allow_nonpositive=True)
    days = session_days(bars)
    assert session_open(bars) == opens
    assert bars.calendar.sessions == 3146
    begins = np.array(starts(days)[1:])
    assert np.all(bars.time[begins] - bars.time[begins - 1] >= 60 * MINUTE)  # none is cut
    assert set((np.unique(days) + 3) % 7) == {0, 1, 2, 3, 4}
    sizes = np.diff([*starts(days), len(bars)])
    assert np.median(sizes) == sizes.max() == 92


@pytest.mark.parametrize(
    ("path", "opens", "sessions"),
    [
        ("intraday/QQQ_15m.csv.gz", 810, 3107),
        ("intraday/SPY_1h.csv.gz", 540, 5849),
        ("tradestation/KC_60min.txt.gz", 255, 2519),
        ("tradestation/KC_daily.txt.gz", 0, 3286),
        ("tradestation/TQQQ_5min.txt", 570, 10),
        ("tradestation/TQQQ_90min.txt", 540, 30),
        ("crypto/BTCUSDT_perp_5m.csv.gz", 0, 500),
    ],
)
def test_real_markets(shared: Path, path: str, opens: int, sessions: int):
    bars = load(shared / "data" / path)
    assert (session_open(bars), bars.calendar.sessions) == (opens, sessions)


def test_stocks_seen_from_another_zone_close_overnight_all_the_same(shared: Path):
    path = shared / "data/intraday/QQQ_15m.csv.gz"
    bars = load(path, timezone="Asia/Tokyo")
    assert session_open(bars) == -90
    assert {finding.code for finding in bars.warnings} == {"irregular_steps"}
