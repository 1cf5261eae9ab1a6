"""What looks wrong is reported once for each kind, at its worst place, and loads all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from meseta.bars import Bars, Finding, check

if TYPE_CHECKING:
    from pathlib import Path

DAY = np.timedelta64(1, "D")
MINUTE = np.timedelta64(1, "m")


def weekdays(count: int) -> np.ndarray:
    return np.busday_offset("2024-01-01", np.arange(count)).astype("datetime64[us]")


def intraday(days: int, bars: int = 26, minutes: int = 15) -> np.ndarray:
    opening = weekdays(days)[:, np.newaxis] + 570 * MINUTE
    return (opening + np.arange(bars) * minutes * MINUTE).ravel()


def around_the_clock(count: int, minutes: int = 60) -> np.ndarray:
    return np.datetime64("2024-01-01T00:00", "us") + np.arange(count) * minutes * MINUTE


def found(time: np.ndarray, close: np.ndarray | None = None, **options: object) -> list[Finding]:
    """Warnings of bars that open where the one before closed."""
    price = np.ones(len(time)) if close is None else close
    opened = np.concatenate([price[:1], price[:-1]])
    high, low = np.maximum(opened, price), np.minimum(opened, price)
    opened = options.pop("opened", opened)
    volume = options.pop("volume", None)
    return list(Bars.from_arrays(time, opened, high, low, price, volume, **options).warnings)


@pytest.mark.parametrize(
    "time", [weekdays(300), intraday(60), around_the_clock(600), around_the_clock(500, 240)]
)
def test_regular_bars_raise_nothing(time: np.ndarray):
    assert found(time, volume=np.ones(len(time))) == []


def test_a_jump_over_forty_percent():
    close = np.full(100, 100.0)
    close[40:] = 50.0
    close[80:] = 80.0
    finding = only(found(weekdays(100), close))
    assert (finding.code, finding.row, finding.value) == ("jump", 80, "+60.0 %")
    assert "close 80 after a close of 50 (+60.0 %)" in finding.message
    assert finding.message.endswith("(and 1 more)")
    close[40:] = 65.0
    assert found(weekdays(100), close) == []


def test_a_jump_overnight_that_is_gone_at_the_close():
    time = weekdays(50)
    price = np.full(50, 10.0)
    opened = price.copy()
    opened[7] = 15.0
    bars = Bars.from_arrays(time, opened, np.maximum(opened, price), price, price)
    finding = only(bars.warnings)
    assert (finding.row, finding.value) == (7, "+50.0 %")
    assert finding.message.startswith("row 7 (2024-01-10): open 15 after a close of 10")


def test_prices_that_cross_zero_are_measured_in_usual_steps():
    close = np.cumsum(np.where(np.arange(200) % 2, 0.5, -0.5)) + 0.2
    close[150:] += 60
    finding = only(found(weekdays(200), close, allow_nonpositive=True))
    assert (finding.code, finding.row) == ("jump", 150)
    assert finding.value == "+59.5"
    close[150:] -= 40
    assert found(weekdays(200), close, allow_nonpositive=True) == []


def test_a_hole_in_daily_bars_is_longer_than_a_week():
    time = weekdays(100)
    time[60:] += 7 * DAY
    time[80:] += 14 * DAY
    finding = only(found(time))
    assert (finding.code, finding.row, finding.value) == ("hole", 80, "17 days")
    assert finding.message.endswith("(and 1 more)")
    time = weekdays(100)
    time[61:] += 4 * DAY  # from a Monday to the next: 9/11
    assert found(time[:62]) == []


def test_a_hole_in_weekly_bars():
    time = weekdays(1) + 7 * DAY * np.arange(60)
    time[20:] += 14 * DAY
    assert found(time) == []
    time[20:] += 7 * DAY
    assert [finding.code for finding in found(time)] == ["hole"]


def test_weekends_and_holidays_are_no_hole_in_a_market_with_sessions():
    time = intraday(40)
    holiday = np.datetime64("2024-01-19") <= time
    holiday &= time < np.datetime64("2024-01-23")
    assert found(time[~holiday]) == []  # Friday and Monday beside a weekend
    week = np.datetime64("2024-01-15") <= time
    week &= time < np.datetime64("2024-01-20")
    finding = only(found(time[~week]))
    assert (finding.code, finding.value) == ("hole", "9.74 days")


def test_a_market_that_never_closes_has_holes_of_hours():
    time = around_the_clock(1000)
    time[500:] += 5 * 60 * MINUTE
    assert [finding.code for finding in found(time)] == ["irregular_steps"]
    time[500:] += 5 * 60 * MINUTE
    finding = only(found(time))
    assert (finding.code, finding.row, finding.value) == ("hole", 500, "11 hours")


def test_a_week_without_volume():
    time = weekdays(100)
    volume = np.ones(100)
    volume[[10, 11, 12, 13]] = 0
    assert found(time, volume=volume) == []
    volume[50:56] = 0
    volume[80:85] = 0
    finding = only(found(time, volume=volume))
    assert (finding.code, finding.row, finding.value) == ("no_volume", 50, "6")
    assert finding.message.endswith("6 sessions in a row without volume (and 1 more)")
    assert found(time, volume=np.zeros(100)) == []


def test_volume_counts_by_session_in_shorter_bars():
    time = intraday(20)
    volume = np.zeros(len(time))
    volume[::26] = 5  # one trade a day
    assert found(time, volume=volume) == []
    volume[26 * 4 : 26 * 9] = 0
    assert only(found(time, volume=volume)).row == 26 * 4


def test_a_missing_bar_inside_a_session():
    time = np.delete(intraday(40), [100, 300, 301])
    finding = only(found(time))
    assert (finding.code, finding.row, finding.value) == ("irregular_steps", 299, "45 minutes")
    assert finding.message.endswith("inside a session, where bars are 15m (and 1 more)")


def test_a_break_that_comes_every_day_is_no_irregular_step():
    time = intraday(60).reshape(60, 26)
    assert found(np.delete(time, [10, 11, 12, 13], axis=1).ravel()) == []


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
def test_bars_missing_at_random_are_never_taken_for_breaks(share: float):
    time = intraday(200)
    kept = np.random.default_rng(11).random(len(time)) >= share
    assert "irregular_steps" in [finding.code for finding in found(time[kept])]


def test_a_short_bar_that_does_not_end_a_session_is_irregular():
    time = intraday(60)
    ends = time.copy()
    ends[25] -= 7 * MINUTE  # the last of a day
    assert found(ends, stamp="close") == []
    ends[40] -= 7 * MINUTE
    assert only(found(ends, stamp="close")).code == "irregular_steps"


def test_sizes_that_change_inside_a_file():
    time = intraday(60)
    hourly = np.concatenate([time[: 26 * 20].reshape(20, 26)[:, ::4].ravel(), time[26 * 20 :]])
    finding = only(found(hourly))
    assert (finding.code, finding.row) == ("mixed_sizes", 0)
    assert "in 20 of 60 sessions" in finding.message
    daily = np.concatenate([time[: 26 * 20 : 26], time[26 * 20 :]])
    assert "in 20 of 60 sessions" in only(found(daily)).message


def test_weekly_bars_among_daily_ones():
    time = np.concatenate([weekdays(60)[:25:5], weekdays(60)[25:]])
    finding = only(found(time))
    assert (finding.code, finding.value) == ("mixed_sizes", "1w")
    assert "5 bars in a row are about 1w apart, not 1d" in finding.message
    time = np.concatenate([weekdays(200)[:190:5], weekdays(200)[190:]])
    finding = only(found(time))
    assert "about 1d apart, not 1w" in finding.message


def test_everything_at_once_stays_readable():
    time = np.delete(intraday(200), np.arange(3, 5000, 11))
    rng = np.random.default_rng(3)
    price = np.exp(rng.normal(size=len(time)))
    volume = np.where(np.arange(len(time)) % 1000 < 400, 0.0, 1.0)
    assert 3 <= len(found(time, price, volume=volume)) <= 5


def test_suspicions_are_sought_in_the_sound_rows_of_a_faulty_file(tmp_path: Path):
    lines = ["Date,O,H,L,C"]
    for day, price in zip(weekdays(30), [10] * 20 + [20] * 10, strict=True):
        lines.append(f"{str(day)[:10]},{price},{price},{price},{price}")
    lines[6] = "2024-01-08,10,9,11,10"
    path = tmp_path / "market.csv"
    path.write_text("\n".join(lines))
    report = check(path)
    assert [fault.code for fault in report.faults] == ["high_below_low"]
    assert [(finding.code, finding.row) for finding in report.findings] == [("jump", 22)]
    lines[10:12] = lines[11:9:-1]
    path.write_text("\n".join(lines))
    assert "unsorted_time" in [fault.code for fault in check(path).faults]


def only(findings: list[Finding] | tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]
