"""TradeStation's bars: which are asked for, which are kept, and when they were."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.conftest import Clock
from data.site import Reply
from data.tradestation_site import TradeStationSite, bar, keep, minutes, moment, serving
from meseta._home import home
from meseta.data import SeriesKey, _clock, schema_of, silent
from meseta.data.sources.tradestation import SOURCE, TradeStation
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.data.sources import Answer

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[TradeStationSite]:
    with serving(monkeypatch) as made:
        keep(home(), made.signed_in(LATER))
        yield made


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def key(symbol: str = "SMH", size: str = "1d", **more: Any) -> SeriesKey:
    return SeriesKey("tradestation", symbol, size, **{"basis": "split", **more})


def fetch(wanted: SeriesKey, start: str, end: str, limit: int = 57_600) -> Answer:
    return TradeStation(limit).fetch(wanted, utc(start), utc(end), silent)


def times(answer: Answer) -> list[str]:
    return [f"{at:%Y-%m-%d %H:%M}" for at in answer.frame["ts_close"].to_list()]


class TestFacts:
    def test_shares_by_the_day(self) -> None:
        facts = SOURCE.facts(key())
        assert (facts.timezone, facts.stamp, facts.calendar) == (
            "America/New_York",
            "close",
            "XNYS",
        )
        assert facts.earliest == datetime(1970, 1, 1, tzinfo=UTC)
        assert facts.page is None

    @pytest.mark.parametrize(("size", "step"), [("1m", 1), ("15m", 15), ("4h", 240)])
    def test_a_page_of_minutes_fits_in_one_answer_with_a_bar_on_each_side(
        self, size: str, step: int
    ) -> None:
        facts = SOURCE.facts(key(size=size))
        assert facts.earliest is None
        assert facts.page is not None
        assert facts.page + timedelta(minutes=3 * step) <= timedelta(minutes=57_600 * step)

    @pytest.mark.parametrize(
        ("symbol", "size", "more", "calendar"),
        [
            ("BRK.B", "1m", {}, "XNYS"),
            ("SMH", "1m", {"session": "USEQPreAndPost"}, None),
            ("SMH", "1d", {"session": "USEQPreAndPost"}, "XNYS"),
            ("@ES", "1d", {"basis": "back-adjusted"}, None),
            ("ESM24", "1d", {}, None),
            ("$SPX.X", "1d", {}, None),
            ("EURUSD", "1d", {}, None),
        ],
    )
    def test_a_calendar_only_where_it_is_sure(
        self, symbol: str, size: str, more: dict[str, Any], calendar: str | None
    ) -> None:
        assert SOURCE.facts(key(symbol, size, **more)).calendar == calendar

    @pytest.mark.parametrize(
        ("symbol", "basis"),
        [
            ("SMH", "split"),
            ("@ES", "back-adjusted"),
            ("@ESH24", "back-adjusted"),
            ("@ES.D=107XC", "back-adjusted"),
            ("@CL=102XR", "back-adjusted"),
            ("@ES=107XN", "unadjusted"),
            ("@ES.D=11INN", "unadjusted"),
        ],
    )
    def test_prices_have_one_basis(self, symbol: str, basis: Any) -> None:
        SOURCE.facts(key(symbol, basis=basis))
        for other in {"split", "back-adjusted", "unadjusted", "total-return"} - {basis}:
            with pytest.raises(ArgumentError, match=f"must be {basis} for"):
                SOURCE.facts(key(symbol, basis=other))

    @pytest.mark.parametrize(
        ("symbol", "size", "more", "told"),
        [
            ("smh", "1d", {}, "'SMH'"),
            ("..", "1d", {}, "`symbol`"),
            ("SMH", "2d", {}, "`interval`"),
            ("SMH", "2w", {}, "`interval`"),
            ("SMH", "event", {"kind": "trades"}, "`kind`"),
            ("SMH", "1d", {"kind": "mark"}, "`kind`"),
            ("SMH", "1m", {"session": "Default"}, "USEQPreAndPost"),
            ("$SPX.X", "1m", {"session": "USEQPre"}, "US shares"),
            ("ESM24", "1m", {"session": "USEQPre"}, "US shares"),
        ],
    )
    def test_what_is_not_to_be_had(
        self, symbol: str, size: str, more: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(ArgumentError, match=told.replace("$", r"\$")):
            SOURCE.facts(key(symbol, size, **more))


class TestAsking:
    @pytest.mark.parametrize(
        ("symbol", "raw"),
        [
            ("@ES", "%40ES"),
            ("$SPX.X", "%24SPX.X"),
            ("SPXW 240621C5400", "SPXW%20240621C5400"),
            ("A/B", "A%2FB"),
            ("@ES=107XN", "%40ES%3D107XN"),
            ("A?B#C%D", "A%3FB%23C%25D"),
        ],
    )
    def test_symbols_of_any_characters(
        self, site: TradeStationSite, symbol: str, raw: str
    ) -> None:
        site.vendor.series[symbol] = [bar("2024-06-06 20:00")]
        basis = SOURCE.bases[symbol.startswith("@")] if "=" not in symbol else "unadjusted"
        answer = fetch(key(symbol, basis=basis), "2024-06-01", "2024-06-08")
        assert answer.frame.height == 1
        assert site.asked[0].raw.startswith(f"/v3/marketdata/barcharts/{raw}?")

    @pytest.mark.parametrize(
        ("size", "more", "query"),
        [
            ("1d", {}, {"unit": "Daily", "interval": "1"}),
            ("1w", {}, {"unit": "Weekly", "interval": "1"}),
            ("1mo", {}, {"unit": "Monthly", "interval": "1"}),
            ("4h", {}, {"unit": "Minute", "interval": "240"}),
            (
                "5m",
                {"session": "USEQ24Hour"},
                {"unit": "Minute", "interval": "5", "sessiontemplate": "USEQ24Hour"},
            ),
        ],
    )
    def test_what_is_asked(
        self, site: TradeStationSite, size: str, more: dict[str, Any], query: dict[str, str]
    ) -> None:
        site.vendor.series["SMH"] = []
        fetch(key(size=size, **more), "2024-04-02", "2024-04-03")
        asked = dict(site.asked[0].query)
        # A bar more on each side, whether the vendor counts the ends in or not.
        assert moment(asked.pop("firstdate")) < utc("2024-04-02")
        assert moment(asked.pop("lastdate")) > utc("2024-04-03")
        assert asked == query

    def test_the_future_is_not_asked_for(self, site: TradeStationSite, clock: Clock) -> None:
        site.vendor.series["SMH"] = []
        fetch(key(), "2024-06-01", "2024-07-01")
        assert moment(site.asked[0].query["lastdate"]) == clock.now()
        assert fetch(key(), "2024-08-01", "2024-09-01").frame.is_empty()
        assert len(site.asked) == 1

    def test_nothing_in_a_span_is_an_answer(self, site: TradeStationSite) -> None:
        site.vendor.series["SMH"] = [bar("2024-06-06 20:00")]
        answer = fetch(key(), "2010-01-01", "2011-01-01")
        assert answer.frame.is_empty()
        assert schema_of(key()).conform(answer.frame).is_empty()
        assert answer.notes == ()

    def test_the_address_of_the_api_is_recorded(self, site: TradeStationSite) -> None:
        site.vendor.series["SMH"] = []
        assert fetch(key(), "2024-06-01", "2024-06-08").vendor == {"api": f"{site.url}/v3"}


class TestSessionDates:
    @pytest.mark.parametrize(
        ("stamp", "session"),
        [
            ("2024-03-08 21:00", "2024-03-08"),  # winter: 16:00 in New York
            ("2024-03-11 20:00", "2024-03-11"),  # summer time since Sunday
            ("2023-11-03 20:00", "2023-11-03"),
            ("2023-11-06 21:00", "2023-11-06"),  # winter since Sunday
            ("2023-11-24 18:00", "2023-11-24"),  # closes at 13:00
            ("2024-01-05 22:00", "2024-01-05"),  # a future: 17:00 in New York
            ("2024-01-06 01:00", "2024-01-05"),  # 24 hours: 20:00, in UTC the next day
            ("2024-06-07 00:00", "2024-06-06"),
        ],
    )
    def test_a_bar_belongs_to_the_day_in_new_york_on_which_it_ends(
        self, site: TradeStationSite, stamp: str, session: str
    ) -> None:
        site.vendor.series["SMH"] = [bar(stamp)]
        day = date.fromisoformat(session)
        answer = fetch(key(), session, f"{day + timedelta(days=1)}")
        assert answer.frame["session_date"].to_list() == [day]
        assert times(answer) == [stamp]
        # No other day has it.
        for away in (-1, 1):
            other = day + timedelta(days=away)
            span = f"{other}", f"{other + timedelta(days=1)}"
            assert fetch(key(), *span).frame.is_empty()

    def test_two_bars_of_one_session_are_refused(self, site: TradeStationSite) -> None:
        site.vendor.series["SMH"] = [bar("2024-06-06 20:00"), bar("2024-06-06 21:00")]
        with pytest.raises(DataError, match="session_date"):
            fetch(key(), "2024-06-01", "2024-06-08")

    @pytest.mark.parametrize("night", ["2024-03-10 06:50", "2023-11-05 05:30"])
    def test_minutes_pass_through_a_change_of_clocks(
        self, site: TradeStationSite, night: str
    ) -> None:
        # In March 02:00 to 03:00 does not exist in New York; in November 01:00 to 02:00 is twice.
        wanted = key("@ES", "1m", basis="back-adjusted")
        site.vendor.series["@ES"] = minutes(night, 120)
        answer = fetch(wanted, night, f"{utc(night) + timedelta(hours=2):%Y-%m-%d %H:%M}")
        assert times(answer) == [
            f"{utc(night) + timedelta(minutes=at):%Y-%m-%d %H:%M}" for at in range(120)
        ]
        assert answer.frame["ts_open"].null_count() == 120


class TestSpans:
    @pytest.mark.parametrize(
        "inclusive", [(False, False), (False, True), (True, False), (True, True)]
    )
    @pytest.mark.parametrize("size", ["5m", "1d", "1w", "1mo"])
    def test_the_start_is_in_it_and_the_end_is_not(
        self, site: TradeStationSite, inclusive: tuple[bool, bool], size: str
    ) -> None:
        site.vendor.inclusive = inclusive
        stamps = ["2024-01-02 21:00", "2024-01-03 21:00", "2024-01-04 21:00", "2024-01-05 21:00"]
        if size == "5m":
            stamps = [
                "2024-01-03 15:00",
                "2024-01-03 15:05",
                "2024-01-03 15:10",
                "2024-01-03 15:15",
            ]
        site.vendor.series["SMH"] = [bar(stamp) for stamp in stamps]
        span = ("2024-01-03", "2024-01-05") if size != "5m" else (stamps[1], stamps[3])
        assert times(fetch(key(size=size), *span)) == stamps[1:3]

    @pytest.mark.parametrize("ends", [False, True])
    @pytest.mark.parametrize("keeps", ["oldest", "newest"])
    def test_a_full_answer_is_asked_for_again_by_halves(
        self, site: TradeStationSite, keeps: str, ends: bool
    ) -> None:
        site.vendor.keeps, site.vendor.limit, site.vendor.inclusive = keeps, 20, (ends, ends)
        site.vendor.series["SMH"] = minutes("2024-01-03 15:00", 100)
        answer = fetch(key(size="1m"), "2024-01-03 15:00", "2024-01-03 16:40", limit=20)
        assert answer.frame["close"].to_list() == [round(10 + at / 100, 2) for at in range(100)]
        assert len(site.asked) > 5

    def test_a_vendor_that_always_answers_in_full_is_not_believed(
        self, site: TradeStationSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = minutes("2024-01-03 15:00", 20)
        site.vendor.series["SMH"] = full
        monkeypatch.setattr(site, "chosen", lambda *_: full)
        with pytest.raises(DataError, match="SMH 1m"):
            fetch(key(size="1m"), "2024-01-03 15:00", "2024-01-03 16:40", limit=20)

    @given(
        present=st.sets(st.integers(0, 60), max_size=60),
        limit=st.integers(10, 25),
        keeps=st.sampled_from(["oldest", "newest"]),
        inclusive=st.tuples(st.booleans(), st.booleans()),
        step=st.sampled_from([1, 5]),
        by_page=st.booleans(),
    )
    @settings(max_examples=20)
    def test_spans_join_without_a_seam(
        self,
        present: set[int],
        limit: int,
        keeps: str,
        inclusive: tuple[bool, bool],
        step: int,
        by_page: bool,
    ) -> None:
        first, source, wanted = utc("2024-01-03"), TradeStation(limit), key(size=f"{step}m")
        page = source.facts(wanted).page if by_page else None
        with pytest.MonkeyPatch.context() as patch, serving(patch) as site:
            keep(home(), site.signed_in(LATER))
            clock = Clock("2024-06-07T22:00:00+00:00")
            patch.setattr(_clock, "now", clock.now)
            patch.setattr(_clock, "sleep", clock.sleep)
            vendor = site.vendor
            vendor.limit, vendor.keeps, vendor.inclusive = limit, keeps, inclusive
            every = minutes("2024-01-03", 61, step)
            vendor.series["SMH"] = [every[at] for at in sorted(present)]
            spans = list(parted(first, first + timedelta(minutes=60 * step), page))
            frames = [source.fetch(wanted, *span, silent).frame for span in spans]
        expected = [moment(every[at]["TimeStamp"]) for at in sorted(present) if at < 60]
        assert pl.concat(frames)["ts_close"].to_list() == expected


def parted(
    start: datetime, end: datetime, page: timedelta | None
) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        stop = end if page is None else min(start + page, end)
        yield start, stop
        start = stop


class TestRows:
    def test_columns(self, site: TradeStationSite) -> None:
        site.vendor.series["SMH"] = [bar("2024-06-06 20:00", 20.5)]
        frame = fetch(key(), "2024-06-01", "2024-06-08").frame
        assert frame.row(0, named=True) == {
            "session_date": date(2024, 6, 6),
            "ts_close": utc("2024-06-06 20:00"),
            "open": 20.5,
            "high": 21.5,
            "low": 19.5,
            "close": 20.5,
            "volume": 300.0,
            "up_volume": 200.0,
            "down_volume": 100.0,
        }

    @pytest.mark.parametrize(
        ("symbol", "basis"), [("@ES", "back-adjusted"), ("ESM24", "split"), ("SPX 1C", "split")]
    )
    def test_open_interest_where_there_is_such_a_thing(
        self, site: TradeStationSite, symbol: str, basis: Any
    ) -> None:
        site.vendor.series[symbol] = [bar("2024-06-06 21:00", OpenInterest="1234")]
        frame = fetch(key(symbol, basis=basis), "2024-06-01", "2024-06-08").frame
        assert frame["open_interest"].to_list() == [1234.0]

    @pytest.mark.parametrize(
        ("changes", "kept"),
        [
            ({"BarStatus": "Open"}, False),
            ({"BarStatus": "Open", "IsRealtime": True}, False),
            ({"BarStatus": "Closed", "IsRealtime": True}, True),
            ({"BarStatus": None, "IsRealtime": True}, False),
            ({"BarStatus": None, "IsRealtime": None}, True),
            ({"BarStatus": "Half"}, False),
            ({"IsEndOfHistory": True}, True),
        ],
    )
    def test_a_bar_that_is_still_built_is_left_out(
        self, site: TradeStationSite, changes: dict[str, Any], kept: bool
    ) -> None:
        site.vendor.series["SMH"] = [bar("2024-06-06 20:00"), bar("2024-06-07 20:00", **changes)]
        answer = fetch(key(), "2024-06-01", "2024-06-08")
        assert answer.frame.height == 1 + kept

    def test_a_bar_that_ends_later_than_now_is_left_out(
        self, site: TradeStationSite, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        clock.set("2024-06-07T19:59:59+00:00")
        site.vendor.series["SMH"] = [bar("2024-06-06 20:00"), bar("2024-06-07 20:00")]
        monkeypatch.setattr(site, "chosen", lambda bars, _: bars)
        assert times(fetch(key(), "2024-06-01", "2024-06-08")) == ["2024-06-06 20:00"]
        clock.set("2024-06-07T20:00:00+00:00")
        assert fetch(key(), "2024-06-01", "2024-06-08").frame.height == 2

    @pytest.mark.parametrize("blank", [None, "", "absent"])
    def test_blank_fields(self, site: TradeStationSite, blank: Any) -> None:
        names = ("TotalVolume", "UpVolume", "DownVolume", "OpenInterest", "Epoch", "BarStatus")
        one, two = bar("2024-06-06 20:00"), bar("2024-06-07 20:00")
        made = {**one, **dict.fromkeys(names, blank), "Surprise": {"new": [1]}}
        made = {name: value for name, value in made.items() if value != "absent"}
        site.vendor.series["SMH"] = [made, two]
        answer = fetch(key(), "2024-06-01", "2024-06-08")
        assert answer.frame["volume"].to_list() == [None, 300.0]
        assert answer.notes == ()

    def test_a_bar_without_a_price_is_left_out_and_told(self, site: TradeStationSite) -> None:
        site.vendor.series["SMH"] = [bar("2024-06-06 20:00", Low=None), bar("2024-06-07 20:00")]
        answer = fetch(key(), "2024-06-01", "2024-06-08")
        assert times(answer) == ["2024-06-07 20:00"]
        assert answer.notes == ("bars that came without all their prices and are left out: 1",)

    def test_an_epoch_that_contradicts_the_stamp_is_told(self, site: TradeStationSite) -> None:
        good = bar("2024-06-07 20:00")
        site.vendor.series["SMH"] = [bar("2024-06-06 20:00", Epoch=good["Epoch"]), good]
        answer = fetch(key(), "2024-06-01", "2024-06-08")
        assert answer.frame.height == 2
        [note] = answer.notes
        assert "Epoch differs from their TimeStamp: 1," in note
        assert "2024-06-06 20:00 UTC" in note

    def test_rows_in_disorder_and_twice(
        self, site: TradeStationSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = [
            bar("2024-06-06 20:00", 1),
            bar("2024-06-05 20:00", 2),
            bar("2024-06-06 20:00", 3),
        ]
        site.vendor.series["SMH"] = given
        answer = fetch(key(), "2024-06-01", "2024-06-08")
        assert times(answer) == ["2024-06-05 20:00", "2024-06-06 20:00"]
        # Of two with one stamp, the later download counts.
        assert answer.frame["close"].to_list() == [2.0, 3.0]

    def test_a_number_may_come_as_a_number(self, site: TradeStationSite) -> None:
        made = bar("2024-06-06 20:00", TotalVolume=7, Close=10.25, High="1.1e1")
        site.vendor.series["SMH"] = [made]
        frame = fetch(key(), "2024-06-01", "2024-06-08").frame
        assert frame.select("high", "close", "volume").row(0) == (11.0, 10.25, 7.0)

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"Open": "ten"}, "Open is 'ten'"),
            ({"High": "NaN"}, "High is 'NaN'"),
            ({"Low": "-inf"}, "Low is '-inf'"),
            ({"Close": "1_0"}, "Close is '1_0'"),
            ({"Close": "1,5"}, "Close is '1,5'"),
            ({"Close": " 1"}, "Close is ' 1'"),
            ({"Close": True}, "Close is 'True'"),
            ({"Close": ["1"]}, "Close is"),
            ({"TotalVolume": "many"}, "TotalVolume is 'many'"),
            ({"Epoch": "then"}, "Epoch is 'then'"),
            ({"TimeStamp": None}, "TimeStamp is 'None'"),
            ({"TimeStamp": "2024-06-06"}, "TimeStamp is '2024-06-06'"),
            ({"TimeStamp": "2024-06-06T20:00:00"}, "TimeStamp is"),
            ({"TimeStamp": 1717704000}, "TimeStamp is"),
            ({"TimeStamp": "yesterday"}, "TimeStamp is 'yesterday'"),
        ],
    )
    def test_a_malformed_field_is_named(
        self, site: TradeStationSite, changes: dict[str, Any], told: str
    ) -> None:
        site.vendor.series["SMH"] = []
        site.bars_script = [
            Reply.json({"Bars": [bar("2024-06-05 20:00"), {**bar("2024-06-06 20:00"), **changes}]})
        ]
        with pytest.raises(DataError, match=f"malformed: {told}"):
            fetch(key(), "2024-06-01", "2024-06-08")

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (b"<html>busy</html>", "no JSON"),
            (b'{"Bars": [', "no JSON"),
            (b"\xff\xfe", "no JSON"),
            (b"[]", "object"),
            (b"null", "object"),
            (b"{}", "no Bars"),
            (b'{"Bars": {}}', "no Bars"),
            (b'{"Bars": "none"}', "no Bars"),
            (b'{"Bars": [1]}', "a bar is '1'"),
            (b'{"Bars": [null]}', "a bar is 'None'"),
        ],
    )
    def test_a_malformed_answer_is_told(
        self, site: TradeStationSite, body: bytes, told: str
    ) -> None:
        site.bars_script = [Reply(200, body)]
        with pytest.raises(DataError, match=f"malformed.*{told}"):
            fetch(key(), "2024-06-01", "2024-06-08")
        assert len(site.asked) == 1

    def test_no_bars_may_be_written_as_null(self, site: TradeStationSite) -> None:
        site.bars_script = [Reply.json({"Bars": None})]
        assert fetch(key(), "2024-06-01", "2024-06-08").frame.is_empty()
