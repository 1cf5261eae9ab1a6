"""Finished, expected and missing bars, on days that are easily taken for others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.data import SeriesKey, schema_of
from meseta.data._calendars import (
    SETTLE,
    Missing,
    check_calendar,
    finished,
    last_expected,
    missing,
)
from meseta.errors import ArgumentError

CALENDARS = ["XNYS", "XLON", "XTKS", "XASX", "CMES", "24/5", "24/7", None]


def key(size: str, kind: str = "bars") -> SeriesKey:
    return SeriesKey("yahoo", "SMH", size, kind=kind)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2024-06-07 20:29", "2024-06-07"),  # Friday, the close has not settled
        ("2024-06-07 20:30", "2024-06-08"),
        ("2024-06-08 12:00", "2024-06-08"),  # Saturday
        ("2024-06-10 13:00", "2024-06-08"),  # Monday before the open
        ("2024-06-10 19:59", "2024-06-08"),
        ("2023-11-24 18:29", "2023-11-23"),  # half day after Thanksgiving: 13:00 in New York
        ("2023-11-24 18:30", "2023-11-25"),
        ("2023-11-23 22:00", "2023-11-23"),  # Thanksgiving itself
        ("2024-03-29 22:00", "2024-03-29"),  # Good Friday
        ("2024-03-08 21:29", "2024-03-08"),  # Friday before clocks go forward
        ("2024-03-08 21:30", "2024-03-09"),
        ("2024-03-11 20:30", "2024-03-12"),  # Monday after: an hour earlier in UTC
        ("2024-11-01 20:30", "2024-11-02"),  # Friday before clocks go back
        ("2024-11-04 20:30", "2024-11-02"),
        ("2024-11-04 21:30", "2024-11-05"),
        ("2012-10-30 23:00", "2012-10-27"),  # closed by a storm since Monday
    ],
)
def test_sessions_of_new_york_are_finished_after_their_close(moment: str, end: str) -> None:
    assert finished(key("1d"), "XNYS", at(moment)) == at(end)


@pytest.mark.parametrize(
    ("calendar", "moment", "end"),
    [
        ("XTKS", "2024-06-07 06:29", "2024-06-07"),  # Tokyo closed at 15:00 until November 2024
        ("XTKS", "2024-06-07 06:30", "2024-06-08"),
        ("24/7", "2024-06-09 00:29", "2024-06-08"),
        ("24/7", "2024-06-09 00:30", "2024-06-09"),
        ("CMES", "2023-11-24 19:30", "2023-11-24"),  # crude oil trades on when indices have closed
        ("CMES", "2023-11-24 23:30", "2023-11-25"),
        (None, "2024-06-08 12:29", "2024-06-07"),
        (None, "2024-06-08 12:30", "2024-06-08"),
        ("XNYS", "2150-01-01 12:30", "2150-01-01"),  # no calendar goes that far
        ("XNYS", "1975-01-01 12:30", "1975-01-01"),
    ],
)
def test_sessions_of_other_markets(calendar: str | None, moment: str, end: str) -> None:
    assert finished(key("1d"), calendar, at(moment)) == at(end)


@pytest.mark.parametrize(
    ("size", "moment", "end"),
    [
        ("1w", "2024-06-07 20:29", "2024-06-03"),
        ("1w", "2024-06-07 20:30", "2024-06-10"),
        ("1w", "2024-03-28 20:30", "2024-04-01"),  # Good Friday ends the week on Thursday
        ("2w", "2024-06-07 20:30", "2024-06-03"),
        ("1mo", "2024-06-28 20:29", "2024-06-01"),
        ("1mo", "2024-06-28 20:30", "2024-07-01"),  # the 29th and 30th are a weekend
        ("3mo", "2024-06-28 20:30", "2024-05-01"),
        ("3d", "2024-06-10 20:30", "2024-06-07"),  # one that begins on Friday needs Tuesday
    ],
)
def test_longer_bars_are_finished_with_their_last_session(
    size: str, moment: str, end: str
) -> None:
    assert finished(key(size), "XNYS", at(moment)) == at(end)


def test_short_bars_are_finished_when_they_end_and_events_at_once() -> None:
    moment = at("2024-06-07 13:45:59.5")
    just_after = at("2024-06-07 13:45:00.000001")
    assert finished(key("15m"), "XNYS", moment) == finished(key("1h"), None, moment) == just_after
    assert finished(key("event", "trades"), "24/7", moment) == moment


def between(first: int, last: int) -> st.SearchStrategy[datetime]:
    inside = st.datetimes(datetime(first, 1, 1), datetime(last, 12, 31))
    return inside.map(lambda moment: moment.replace(tzinfo=UTC))


# Beyond what the calendars know, at both ends.
moments = between(2000, 2040)
sizes = st.sampled_from(["1m", "1h", "1d", "3d", "1w", "1mo"])


@given(st.sampled_from(CALENDARS), sizes, moments, st.timedeltas(timedelta(0), timedelta(60)))
def test_what_is_finished_stays_so(
    calendar: str | None, size: str, moment: datetime, later: timedelta
) -> None:
    assert finished(key(size), calendar, moment) <= finished(key(size), calendar, moment + later)


@given(st.sampled_from(CALENDARS), moments)
def test_nothing_of_tomorrow_is_finished(calendar: str | None, moment: datetime) -> None:
    assert finished(key("1m"), calendar, moment) <= moment + timedelta(microseconds=1)
    tomorrow = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert finished(key("1d"), calendar, moment) <= tomorrow


@given(st.sampled_from(["XNYS", "XLON", "XTKS", "XASX", "XHKG"]), between(2015, 2025))
def test_a_session_that_has_not_closed_is_never_finished(calendar: str, moment: datetime) -> None:
    from exchange_calendars import get_calendar

    schedule = get_calendar(calendar)
    last = finished(key("1d"), calendar, moment) - timedelta(days=1)
    session = schedule.date_to_session(last.date(), "previous")
    assert schedule.session_close(session) + SETTLE <= moment
    following = schedule.next_session(session)
    assert schedule.session_close(following) + SETTLE > moment


@pytest.mark.parametrize(
    ("size", "calendar", "end", "last"),
    [
        ("1d", "XNYS", "2024-06-09", "2024-06-07"),
        ("1d", "XNYS", "2024-06-07", "2024-06-06"),
        ("1d", "24/7", "2024-06-09", "2024-06-08"),
        ("1d", None, "2024-06-09", None),
        ("1d", "XNYS", "1975-06-09", None),
        ("1d", "XNYS", "2150-06-09", None),
        ("3d", "XNYS", "2024-06-09", None),
        ("1w", "XNYS", "2024-06-10", "2024-06-03"),
        ("1mo", "XNYS", "2024-06-01", "2024-05-01"),
        ("5m", "XNYS", "2024-06-08 12:00", "2024-06-07 20:00"),
        ("5m", "XNYS", "2024-06-10 13:30", "2024-06-07 20:00"),
        ("5m", "XNYS", "2024-06-10 13:33", "2024-06-07 20:00"),
        ("5m", "XNYS", "2024-06-10 13:35:00.000001", "2024-06-10 13:35"),
        ("5m", "XNYS", "2024-06-10 13:35", "2024-06-07 20:00"),
        ("1h", "XNYS", "2024-06-10 19:59", "2024-06-10 19:30"),
        ("5m", "XNYS", "2023-11-24 19:00", "2023-11-24 18:00"),
        ("1h", "24/7", "2024-06-09 07:59", "2024-06-09 07:00"),
        ("1h", "XTKS", "2024-06-07 03:00", "2024-06-07 02:30"),  # in the break at noon
        ("1h", "XNYS", "1975-06-09", None),
        ("1h", None, "2024-06-09", None),
    ],
)
def test_the_last_row_that_should_be_there(
    size: str, calendar: str | None, end: str, last: str | None
) -> None:
    assert last_expected(key(size), calendar, at(end)) == (at(last) if last else None)


def test_nobody_expects_an_event() -> None:
    assert last_expected(key("event", "funding"), "24/7", at("2024-06-09")) is None


@given(st.sampled_from(["XNYS", "24/7"]), st.sampled_from(["5m", "1h", "1d"]), moments)
def test_what_is_expected_is_finished(calendar: str, size: str, moment: datetime) -> None:
    end = finished(key(size), calendar, moment)
    last = last_expected(key(size), calendar, end)
    assert last is None or last < end


def dates(*texts: str) -> pl.Series:
    frame = pl.DataFrame({"session_date": [date.fromisoformat(text) for text in texts]})
    return schema_of(key("1d")).moments(frame)


def times(*texts: str) -> pl.Series:
    return pl.Series([at(text) for text in texts], dtype=pl.Datetime("us", "UTC"))


def test_sessions_that_are_missing_are_told() -> None:
    # The 4th is a holiday, the 6th and 7th a weekend.
    found = missing(
        key("1d"), "XNYS", dates("2024-07-02", "2024-07-03", "2024-07-08", "2024-07-11")
    )
    assert found.count == 3
    assert found.text == "3 sessions: 2024-07-05, 2024-07-09 to 2024-07-10"
    assert found.spans[0] == (at("2024-07-05"), at("2024-07-06"))


def test_holidays_weekends_and_days_before_the_calendar_are_not_missing() -> None:
    rows = dates("1975-01-01", "2001-09-10", "2001-09-17")
    found = missing(key("1d"), "XNYS", rows)
    assert found.spans[0][0] == at("1990-01-02")
    assert missing(key("1d"), "XNYS", rows[1:]) == Missing()
    assert missing(key("1d"), None, rows) == Missing()
    assert missing(key("1d"), "XNYS", rows[:1]) == Missing()


def test_weeks_and_months_are_found_whichever_of_their_days_names_them() -> None:
    assert missing(key("1w"), "XNYS", dates("2024-06-03", "2024-06-14", "2024-06-17")).count == 0
    found = missing(key("1w"), "XNYS", dates("2024-06-07", "2024-06-28"))
    assert found.text == "2 weeks: 2024-06-10 to 2024-06-23"
    found = missing(key("1mo"), "XNYS", dates("2024-01-31", "2024-03-01"))
    assert found.text == "1 month: 2024-02-01 to 2024-02-29"


def test_a_market_that_never_closes_has_no_weekend() -> None:
    assert missing(key("1d"), "24/7", dates("2024-06-07", "2024-06-10")).count == 2
    found = missing(key("1h"), "24/7", times("2024-06-07 23:00", "2024-06-08 02:00"))
    assert found.text == "2 bars: 2024-06-07 23:00 to 2024-06-08 01:00 UTC"


def test_bars_are_missing_inside_trading_hours_alone() -> None:
    over_night = times("2024-06-07 19:55", "2024-06-07 20:00", "2024-06-10 13:35")
    assert missing(key("5m"), "XNYS", over_night).count == 0
    found = missing(key("5m"), "XNYS", times("2024-06-07 19:50", "2024-06-10 13:40"))
    assert found.count == 3
    assert found.spans == ((at("2024-06-07 19:50"), at("2024-06-10 13:35")),)
    half_day = times("2023-11-24 17:55", "2023-11-24 18:00", "2023-11-27 14:35")
    assert missing(key("5m"), "XNYS", half_day).count == 0


@pytest.mark.parametrize(
    "day",
    [
        ["14:30", "15:30", "16:30", "17:30", "18:30", "19:30", "20:00"],
        ["14:00", "15:00", "16:00", "17:00", "18:00", "19:00", "20:00"],
    ],
    ids=["from the open", "on the hour"],
)
def test_hours_may_begin_with_the_session_or_the_clock(day: list[str]) -> None:
    rows = [f"2024-06-{date} {time}" for date in ("06", "07") for time in day]
    assert missing(key("1h"), "XNYS", times(*rows)).count == 0
    assert missing(key("1h"), "XNYS", times(*rows[:2], *rows[3:])).count == 1


def test_the_break_at_noon_is_not_missing() -> None:
    rows = times("2024-06-07 02:00", "2024-06-07 02:30", "2024-06-07 04:00")
    assert missing(key("30m"), "XTKS", rows).count == 0


def test_of_futures_only_whole_sessions_are_missing() -> None:
    rows = times("2024-06-04 15:00", "2024-06-05 15:00", "2024-06-07 15:00", "2024-06-10 15:00")
    assert missing(key("5m"), "CMES", rows).text == "1 session: 2024-06-06"


def test_a_text_names_three_holes() -> None:
    found = missing(key("1d"), "24/7", dates(*(f"2024-06-{day:02}" for day in range(1, 30, 2))))
    assert found.text == "14 sessions: 2024-06-02, 2024-06-04, 2024-06-06 and more"


def test_spans_are_not_listed_without_end() -> None:
    many = dates(*(f"2024-{month:02}-{day:02}" for month in (1, 3) for day in range(1, 30, 2)))
    found = missing(key("1d"), "24/7", many)
    assert len(found.spans) == 20
    assert found.count == 59


def test_calendars_by_name() -> None:
    check_calendar("XNYS")
    check_calendar("NYSE")
    check_calendar("24/7")
    with pytest.raises(ArgumentError, match=r"`calendar` .*'XNYX'; did you mean XNYS\?"):
        check_calendar("XNYX")


def test_a_calendar_that_the_package_cannot_make_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import exchange_calendars

    def broken(name: str, start: str | None) -> None:
        raise ValueError("special dates are no sessions")

    monkeypatch.setattr(exchange_calendars, "get_calendar", broken)
    with pytest.raises(ArgumentError, match=r"`calendar` XBUD: .* fails to make it \(special"):
        check_calendar("XBUD")
