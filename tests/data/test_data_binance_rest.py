"""Binance's REST API: pages, limits, bans, and what its errors mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from data.binance_site import (
    DAY,
    HOUR,
    MINUTE,
    BinanceSite,
    event_path,
    fault,
    kline,
    klines,
    ms,
    payment,
    trade,
)
from data.site import Asked, Reply
from meseta.data import SeriesKey, Step, silent
from meseta.data.sources.binance import Binance
from meseta.errors import DataError, MesetaError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data.conftest import Clock
    from meseta.data.sources import Answer

BITCOIN = SeriesKey("binance", "BTCUSDT", "1h")
MINUTES = SeriesKey("binance", "BTCUSDT", "1m")
FUNDING = SeriesKey("binance", "BTCUSDT", "event", "funding")
TRADES = SeriesKey("binance", "BTCUSDT", "event", "trades")
TODAY, NOW = ("2024-06-07 01:00", "2024-06-08")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[BinanceSite]:
    """A site whose archive is empty and whose API has the hours of today. It is 22:00."""
    with BinanceSite() as made:
        made.use(monkeypatch)
        made.rows["klines", "BTCUSDT"] = klines("2024-06-07", "2024-06-07 23:00")
        yield made


def fetch(start: str, end: str, key: SeriesKey = BITCOIN, **more: Any) -> Answer:
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    source = more.get("source") or Binance()
    return source.fetch(key, first, last, more.get("tell", silent))


def after_exchange(site: BinanceSite, *replies: Reply) -> None:
    """Answer with these once the API has said what its limits are."""
    site.script = [site.counted(site.exchange()), *replies]


class TestPages:
    def test_the_bar_that_is_still_open_is_left_out(self, site: BinanceSite) -> None:
        answer = fetch(TODAY, NOW)
        assert answer.frame["ts_close"][-1] == datetime(2024, 6, 7, 22, tzinfo=UTC)
        assert answer.frame.height == 22

    def test_a_bar_that_is_open_by_the_vendor_s_clock_is_left_out(
        self, site: BinanceSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Ours, which says 22:00, is fast.
        handler = site.server.RequestHandlerClass
        date = "Fri, 07 Jun 2024 20:30:00 GMT"
        monkeypatch.setattr(handler, "date_time_string", lambda *_: date)
        assert fetch(TODAY, NOW).frame["ts_close"][-1] == datetime(2024, 6, 7, 20, tzinfo=UTC)

    def test_one_small_page_weighs_least(self, site: BinanceSite) -> None:
        fetch(TODAY, NOW)
        (asked,) = site.asked_api("klines")
        assert asked.query == {
            "symbol": "BTCUSDT",
            "interval": "1h",
            "startTime": str(ms("2024-06-07")),
            # The end is inclusive, on the opening.
            "endTime": str(ms("2024-06-07 21:00")),
            "limit": "99",
        }

    @pytest.mark.parametrize(
        ("days", "limit", "pages"), [(2, 1500, 2), (3, 499, 9)], ids=["quick", "light"]
    )
    def test_pages_follow_each_other(
        self,
        site: BinanceSite,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
        days: int,
        limit: int,
        pages: int,
    ) -> None:
        monkeypatch.setattr("meseta.data.sources.binance._pages._MANY", 3000)
        start = ms("2024-06-07") - (days - 1) * DAY
        count = (ms("2024-06-07 22:00") - start) // MINUTE
        rows = [kline(start + number * MINUTE, MINUTE) for number in range(count)]
        site.rows["klines", "BTCUSDT"] = rows
        since = datetime.fromtimestamp(start / 1000, UTC) + timedelta(minutes=1)
        steps: list[Step] = []
        answer = Binance().fetch(MINUTES, since, clock.now() + timedelta(hours=1), steps.append)
        assert answer.frame.height == count
        assert answer.notes == ()
        asked = site.asked_api("klines")
        assert {call.query["limit"] for call in asked} == {str(limit)}
        assert len(asked) == pages
        assert steps[-1].done == pages

    def test_the_index_is_asked_for_by_pair(self, site: BinanceSite) -> None:
        key = SeriesKey("binance", "BTCUSDT_240628", "1h", "index")
        site.rows["indexPriceKlines", "BTCUSDT"] = klines("2024-06-07", "2024-06-07 23:00")
        assert fetch(TODAY, NOW, key).frame.height == 22
        (asked,) = site.asked_api("indexPriceKlines")
        assert (asked.query["pair"], "symbol" in asked.query) == ("BTCUSDT", False)

    def test_months_have_a_name_of_their_own(self, site: BinanceSite) -> None:
        months = [kline(ms(f"2024-0{month}-01"), 29 * DAY) for month in range(1, 7)]
        site.rows["klines", "BTCUSDT"] = months
        answer = fetch("2024-01-01", NOW, SeriesKey("binance", "BTCUSDT", "1mo"))
        assert [str(date)[5:7] for date in answer.frame["session_date"]] == [
            "01", "02", "03", "04", "05",
        ]  # fmt: skip
        assert site.asked_api("klines")[0].query["interval"] == "1M"

    def test_a_cursor_that_does_not_advance_ends_it(self, site: BinanceSite) -> None:
        page = [kline(ms("2024-06-06") + number * MINUTE, MINUTE) for number in range(1500)]
        after_exchange(site, Reply(404), Reply.json(page), Reply.json(page))
        site.script.insert(0, site.script.pop(1))
        with pytest.raises(DataError, match="does not advance"):
            fetch("2024-06-06 00:01", NOW, MINUTES)

    @pytest.mark.parametrize(
        ("reply", "why"),
        [
            (Reply(200, b"<html>"), "no JSON"),
            (Reply.json({"rows": []}), "must be a list"),
            (Reply.json([[1, 2]]), "rows of 12 values"),
            (Reply.json([["x", *kline(0, HOUR)[1:]]]), "must have 'open_time'|cannot be read"),
            (Reply.json([kline(ms("2024-06-07 00:30"), HOUR)]), "off the grid"),
        ],
    )
    def test_a_malformed_reply_is_refused(self, site: BinanceSite, reply: Reply, why: str) -> None:
        after_exchange(site, reply)
        with pytest.raises(DataError, match=why):
            fetch(TODAY, NOW)

    def test_what_the_exchange_says_of_a_symbol(self, site: BinanceSite) -> None:
        assert fetch(TODAY, NOW).vendor == {
            "tick": 0.1,
            "listed": "2019-09-25",
            "status": "TRADING",
        }

    def test_the_exchange_is_asked_once(self, site: BinanceSite) -> None:
        source = Binance()
        for _ in range(3):
            fetch(TODAY, NOW, source=source)
        assert len(site.asked_api("exchangeInfo")) == 1
        assert len(site.asked_api("klines")) == 3


class TestFunding:
    def test_a_payment_has_its_hours_and_its_mark_price(self, site: BinanceSite) -> None:
        times = [ms("2024-05-31 16:00") + 8 * HOUR * number for number in range(6)]
        text = f"{times[0] + 6},8,0.00010000\n".encode()
        site.put(event_path("2024-05", "fundingRate"), text)
        site.rows["fundingRate", "BTCUSDT"] = [
            payment(time + 4, mark="" if number == 1 else "70000.5")
            for number, time in enumerate(times)
        ]
        answer = fetch("2024-05-15", "2024-06-02 08:00", FUNDING)
        assert answer.frame["interval_hours"].to_list() == [8.0, None, None, None, None]
        assert answer.frame["mark_price"].to_list() == [70000.5, None, *[70000.5] * 3]
        assert answer.frame["rate"].to_list() == [0.0001] * 5
        assert answer.frame["ts"][0] == datetime(2024, 5, 31, 16, tzinfo=UTC)
        assert answer.notes == ("nothing from 2024-05-15 00:00 UTC to 2024-05-31 16:00 UTC",)
        assert all("/daily/" not in path for path in site.paths())

    def test_rates_that_differ_are_noted(self, site: BinanceSite) -> None:
        time = ms("2024-05-31 16:00")
        site.put(event_path("2024-05", "fundingRate"), f"{time},8,0.0002\n".encode())
        site.rows["fundingRate", "BTCUSDT"] = [payment(time)]
        answer = fetch("2024-05-31", "2024-06-01", FUNDING)
        assert answer.frame["rate"].to_list() == [0.0002]
        assert answer.notes[0].startswith("1 rates of funding are other ones")
        assert answer.notes[0].endswith("2024-05-31 16:00 UTC")

    def test_payments_come_a_thousand_at_a_time_and_not_too_fast(
        self, site: BinanceSite, clock: Clock
    ) -> None:
        times = range(ms("2023-06-07"), ms("2024-06-07"), 4 * HOUR)
        site.rows["fundingRate", "BTCUSDT"] = [payment(time + 3) for time in times]
        assert fetch("2023-06-07", "2024-06-07 01:00", FUNDING).frame.height == len(times)
        assert len(site.asked_api("fundingRate")) == 3
        assert clock.waits == pytest.approx([0.75, 0.75])

    def test_a_clock_that_was_set_back_is_not_waited_for(
        self, site: BinanceSite, clock: Clock
    ) -> None:
        source = Binance()
        site.rows["fundingRate", "BTCUSDT"] = [payment(ms("2024-06-07 08:00"))]
        fetch(TODAY, NOW, FUNDING, source=source)
        clock.set("2024-06-07T20:00:00+00:00")
        fetch(TODAY, NOW, FUNDING, source=source)
        assert clock.waits == pytest.approx([0.75])

    def test_a_jitter_across_the_start_of_a_span_is_minded(self, site: BinanceSite) -> None:
        site.rows["fundingRate", "BTCUSDT"] = [payment(ms("2024-06-07 08:00") - 2)]
        assert fetch("2024-06-07 08:00", "2024-06-07 16:00", FUNDING).frame.height == 1
        assert fetch("2024-06-07", "2024-06-07 08:00", FUNDING).frame.height == 0

    def test_a_malformed_payment_is_refused(self, site: BinanceSite) -> None:
        after_exchange(site, Reply.json([{"fundingTime": "soon"}]))
        with pytest.raises(DataError, match="fundingRate of BTCUSDT is malformed"):
            fetch(TODAY, NOW, FUNDING)


class TestTrades:
    def test_trades_are_followed_by_id(self, site: BinanceSite) -> None:
        start = ms("2024-06-07 03:10")
        site.rows["aggTrades", "BTCUSDT"] = [trade(n, start + 1000 * n) for n in range(2600)]
        answer = fetch("2024-06-07", NOW, TRADES)
        assert answer.frame["id"].to_list() == list(range(2600))
        asked = [call.query for call in site.asked_api("aggTrades")]
        assert [("startTime" in query, query.get("fromId")) for query in asked] == [
            *[(True, None)] * 4,
            (False, "1000"),
            (False, "2000"),
        ]

    def test_trades_end_where_the_span_does(self, site: BinanceSite) -> None:
        start = ms("2024-06-07 03:10")
        site.rows["aggTrades", "BTCUSDT"] = [trade(n, start + 1000 * n) for n in range(2600)]
        answer = fetch("2024-06-07 03:10:10", "2024-06-07 03:20", TRADES)
        assert answer.frame["id"].to_list() == list(range(10, 600))

    def test_trades_older_than_a_year_are_not_asked_for(self, site: BinanceSite) -> None:
        site.rows["aggTrades", "BTCUSDT"] = []
        answer = fetch("2023-01-01", "2023-01-11", TRADES)
        assert site.asked_api("aggTrades") == []
        assert answer.notes == ("nothing from 2023-01-01 00:00 UTC to 2023-01-11 00:00 UTC",)

    def test_a_cursor_that_does_not_advance_ends_it(self, site: BinanceSite) -> None:
        page = Reply.json([trade(n, ms("2024-06-07") + n) for n in range(1000)])
        after_exchange(site, page, page)
        with pytest.raises(DataError, match="does not advance"):
            fetch("2024-06-07", NOW, TRADES)

    def test_a_malformed_trade_is_refused(self, site: BinanceSite) -> None:
        after_exchange(site, Reply.json([{"a": 1}]))
        with pytest.raises(DataError, match="aggTrades of BTCUSDT is malformed"):
            fetch("2024-06-07", NOW, TRADES)


class TestLimits:
    def test_the_limit_is_never_passed(self, site: BinanceSite, clock: Clock) -> None:
        site.limit = 30
        start = ms("2024-06-07") - 4 * DAY
        count = (ms("2024-06-07 22:00") - start) // MINUTE
        rows = [kline(start + number * MINUTE, MINUTE) for number in range(count)]
        site.rows["klines", "BTCUSDT"] = rows
        since = datetime.fromtimestamp(start / 1000, UTC) + timedelta(minutes=1)
        steps: list[Step] = []
        answer = Binance().fetch(MINUTES, since, clock.now(), steps.append)
        assert answer.frame.height == count - 1
        assert not site.warned
        assert clock.waits == [60.0, 60.0]
        assert Step("waiting 60 s to stay below Binance's limit") in steps

    def test_other_programs_use_of_the_limit_counts(self, site: BinanceSite, clock: Clock) -> None:
        site.weigh = lambda end_point, limit: None  # type: ignore[method-assign]
        site.used = 1920
        fetch(TODAY, NOW)
        assert clock.waits == [60.0]

    def test_429_is_waited_for_as_long_as_it_says(self, site: BinanceSite, clock: Clock) -> None:
        after_exchange(site, Reply(429, headers={"Retry-After": "47"}))
        steps: list[Step] = []
        assert fetch(TODAY, NOW, tell=steps.append).frame.height == 22
        assert clock.waits == [47.0]
        assert steps[-2].what == "waiting 47 s for Binance (status 429)"

    def test_429_without_a_time_is_waited_for_a_minute(
        self, site: BinanceSite, clock: Clock
    ) -> None:
        after_exchange(site, fault(-1003, "Too many requests.", 429))
        assert fetch(TODAY, NOW).frame.height == 22
        assert clock.waits == [60.0]

    def test_429_after_429_gives_up(self, site: BinanceSite) -> None:
        after_exchange(site, *[Reply(429, headers={"Retry-After": "1"})] * 9)
        with pytest.raises(SourceError, match="still has too many requests") as found:
            fetch(TODAY, NOW)
        assert found.value.temporary
        assert len(site.asked_api("klines")) == 3

    def test_a_long_wait_is_not_slept_through(self, site: BinanceSite, clock: Clock) -> None:
        after_exchange(site, Reply(429, headers={"Retry-After": "3600"}))
        with pytest.raises(SourceError, match="not to be asked again before 2024-06-07 23:00:00"):
            fetch(TODAY, NOW)
        assert clock.waits == []

    @pytest.mark.parametrize(
        ("ban", "until"),
        [
            (Reply(418, headers={"Retry-After": "600"}), "22:10:00"),
            (Reply(418), "22:02:00"),
            (fault(-1003, f"IP banned until {ms('2024-06-07 21:59')}.", 418), "22:02:00"),
            (
                fault(-1003, f"IP banned until {ms('2024-06-07 22:30')}. Use websockets.", 418),
                "22:30:00",
            ),
        ],
        ids=["header", "silent", "over", "text"],
    )
    def test_a_ban_ends_everything_until_it_is_over(
        self, site: BinanceSite, clock: Clock, ban: Reply, until: str
    ) -> None:
        after_exchange(site, ban)
        source = Binance()
        for _ in range(3):
            with pytest.raises(SourceError, match=rf"banned .* until 2024-06-07 {until}") as found:
                fetch(TODAY, NOW, source=source)
            assert found.value.temporary
        assert len(site.asked_api("klines")) == 1
        assert clock.waits == []
        clock.set(f"2024-06-07T{until}+00:00")
        assert fetch(TODAY, NOW, source=source).frame.height == 22

    def test_a_server_at_fault_is_asked_again(self, site: BinanceSite, clock: Clock) -> None:
        after_exchange(site, Reply(503), fault(-1007, "Timeout", 408), Reply(200, b"[]", cut=1))
        assert fetch(TODAY, NOW).frame.height == 22
        assert len(clock.waits) == 3


class TestRefusals:
    @pytest.mark.parametrize(
        ("reply", "why", "temporary"),
        [
            (Reply(403, b"<html>"), "firewall refuses.*wait five minutes", True),
            (Reply(451), "does not serve this region.*archive may", True),
            (fault(-1121, "Invalid symbol."), "knows no symbol BTCUSDT", False),
            (fault(-1120, "Invalid interval."), "no bars of this size.*Invalid interval", False),
            (fault(-1130, "Bad limit."), r"status 400, code -1130\): Bad limit", False),
        ],
    )
    def test_errors_say_what_to_do(
        self, site: BinanceSite, reply: Reply, why: str, temporary: bool
    ) -> None:
        after_exchange(site, reply)
        with pytest.raises(SourceError, match=why) as found:
            fetch(TODAY, NOW)
        assert found.value.temporary is temporary
        assert len(site.asked_api("klines")) == 1

    @pytest.mark.parametrize("reply", [Reply(451), fault(-1121, "Invalid symbol.")])
    def test_the_archive_is_enough_where_the_api_refuses(
        self, site: BinanceSite, reply: Reply
    ) -> None:
        site.put_klines("2024-06-06", klines("2024-06-06", "2024-06-07"))
        served = site.answer
        site.answer = lambda asked: (  # type: ignore[method-assign]
            reply if "/fapi/" in asked.path else served(asked)
        )
        answer = fetch("2024-06-06 01:00", NOW)
        assert answer.frame.height == 24
        assert answer.notes[0].startswith("only what the archive has: Binance's REST API")

    def test_a_symbol_that_nobody_knows(self, site: BinanceSite) -> None:
        with pytest.raises(SourceError, match="knows no symbol NOSUCH") as found:
            fetch("2024-03-01", NOW, SeriesKey("binance", "NOSUCH", "1h"))
        assert not found.value.temporary

    def test_an_exchange_that_says_nothing_of_limits(self, site: BinanceSite) -> None:
        site.script = [Reply.json({"rateLimits": [], "symbols": []})]
        answer = fetch(TODAY, NOW)
        assert answer.frame.height == 22
        assert answer.vendor == {}

    def test_an_exchange_that_is_malformed(self, site: BinanceSite) -> None:
        site.script = [Reply.json([1])]
        with pytest.raises(DataError, match="exchangeInfo is malformed"):
            fetch(TODAY, NOW)

    @pytest.mark.parametrize("variable", ["REST", "ARCHIVE"])
    def test_addresses_must_be_safe(
        self, site: BinanceSite, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(f"MESETA_BINANCE_{variable}_URL", "http://example.org")
        with pytest.raises(MesetaError, match=f"MESETA_BINANCE_{variable}_URL"):
            fetch("2024-06-06", NOW)


def test_limits_are_honoured(site: BinanceSite) -> None:
    """The site refuses what the API does."""
    asked = Asked("GET", "", "/fapi/v1/klines", {"limit": "1501"}, {}, b"")
    assert site.answer(asked).status == 400
