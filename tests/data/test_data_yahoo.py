"""Yahoo, through yfinance, against a server that speaks as Yahoo does."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from exchange_calendars import get_calendar_names

from data.site import Reply
from data.source_contract import Case, SourceContract, utc
from data.yahoo_site import CHART, Row, Series, YahooSite, daily, minutes, refused, single
from meseta.data import SeriesKey, silent
from meseta.data.sources.yahoo import SOURCE
from meseta.data.sources.yahoo._ask import _library
from meseta.data.sources.yahoo._markets import _EXCHANGES, market_of
from meseta.errors import ArgumentError, DataError, SourceError

pytest.importorskip("yfinance", reason="yfinance, of the extra `yahoo`, is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from data.conftest import Clock

# Friday at two in New York; a week with a holiday on Monday, 2024-05-27, before it.
NOW = "2024-06-07T18:00:00+00:00"
DAYS = ["2024-05-28", "2024-05-29", "2024-05-30", "2024-05-31", "2024-06-03", "2024-06-04"]
DAYS += ["2024-06-05", "2024-06-06", "2024-06-07"]
SMH = SeriesKey("yahoo", "SMH", "1d", basis="split")
TOTAL = SeriesKey("yahoo", "SMH", "1d", basis="total-return")


def of(symbol: str, size: str = "1d", basis: str = "split", **more: str) -> SeriesKey:
    return SeriesKey("yahoo", symbol, size, basis=basis, **more)  # type: ignore[arg-type]


@pytest.fixture
def site(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[YahooSite]:
    from yfinance.data import SingletonMeta

    clock.set(NOW)
    # What yfinance remembers of another server.
    monkeypatch.setattr(SingletonMeta, "_instances", {})
    with YahooSite(NOW) as site:
        monkeypatch.setenv("MESETA_YAHOO_URL", site.url)
        fund = site.series["SMH"] = Series()
        fund.rows["1d"] = daily(fund, DAYS)
        fund.rows["15m"] = minutes(fund, DAYS[-3:], "15m")
        fund.rows["1h"] = minutes(fund, DAYS[-3:], "1h")
        yield site


def fetched(key: SeriesKey, start: str = "2024-05-01", end: str = "2024-06-10") -> pl.DataFrame:
    return SOURCE.fetch(key, utc(start), utc(end), silent).frame


def case_of(
    site: YahooSite,
    monkeypatch: pytest.MonkeyPatch,
    key: SeriesKey,
    rows: pl.DataFrame,
    span: tuple[datetime, datetime],
) -> Case:
    def unreachable() -> None:
        monkeypatch.setenv("MESETA_YAHOO_URL", "http://127.0.0.1:1")

    def garbled() -> None:
        site.script = [Reply(200, b"<html>Sign in to this hotel's network</html>")] * 99

    return Case(
        source=SOURCE,
        key=key,
        start=span[0],
        end=span[1],
        rows=rows,
        asked=lambda: len(site.asked),
        unreachable=unreachable,
        garbled=garbled,
        unknown=of("NOSUCH"),
        refused=[
            of("smh"),
            of("../x"),
            of("SMH?a=1"),
            of("SMH", "1w"),
            of("SMH", "4h"),
            of("SMH", "5m", "total-return"),
            of("SMH", basis="unadjusted"),
            of("SMH", session="USEQPre"),
            of("SMH", kind="trades"),
        ],
    )


class TestDaily(SourceContract):
    @pytest.fixture
    def case(self, site: YahooSite, monkeypatch: pytest.MonkeyPatch) -> Case:
        closed = DAYS[:-1]
        prices = [100.0, 101.37, 102.74, 104.11, 105.48, 106.85, 108.22, 109.59]
        rows = pl.DataFrame(
            {
                "session_date": pl.Series(closed).str.to_date(),
                "ts_close": pl.Series([None] * 8, dtype=pl.Datetime("us", "UTC")),
                "open": prices,
                "high": [round(price + 1.25, 2) for price in prices],
                "low": [round(price - 1.5, 2) for price in prices],
                "close": [round(price + 0.46, 2) for price in prices],
                "volume": [1000.0 + place for place in range(8)],
            }
        )
        span = utc("2024-05-28"), utc("2024-06-08")
        return case_of(site, monkeypatch, SMH, rows, span)


class TestHours(SourceContract):
    @pytest.fixture
    def case(self, site: YahooSite, monkeypatch: pytest.MonkeyPatch) -> Case:
        # Two whole sessions of seven bars, the last of half an hour, and four hours of the third.
        opens = [utc(f"{day} {13 + hour}:30") for day in DAYS[-3:] for hour in range(7)][:18]
        whole = [utc(f"{day} {14 + hour}:30") for day in DAYS[-3:] for hour in range(7)][:18]
        ends = [min(end, end.replace(hour=20, minute=0)) for end in whole]
        prices = [round(100 + 1.37 * (place % 7), 2) for place in range(18)]
        times = pl.Datetime("us", "UTC")
        rows = pl.DataFrame(
            {
                "ts_open": pl.Series(opens, dtype=times),
                "ts_close": pl.Series(ends, dtype=times),
                "open": prices,
                "high": [round(price + 1.25, 2) for price in prices],
                "low": [round(price - 1.5, 2) for price in prices],
                "close": [round(price + 0.46, 2) for price in prices],
                "volume": [1000.0 + place % 7 for place in range(18)],
            }
        )
        span = utc("2024-06-05"), utc("2024-06-08")
        return case_of(site, monkeypatch, of("SMH", "1h"), rows, span)


# Prices --------------------------------------------------------------------------------------


def test_total_return_is_adjusted_by_the_close_and_says_so_itself(site: YahooSite) -> None:
    fund = site.series["SMH"]
    paid = fund.rows["1d"][3].stamp
    fund.dividends[paid] = 2.0
    fund.rows["1d"] = [
        replace(row, adjusted=single((row.close or 0) * (0.98 if row.stamp < paid else 1)))
        for row in fund.rows["1d"]
    ]
    split, total = fetched(SMH), fetched(TOTAL)
    assert split["close"].to_list() == [100.46, 101.83, 103.2, *split["close"][3:]]
    assert split["dividend"].to_list() == [0, 0, 0, 2.0, 0, 0, 0, 0]
    factor = total["close"] / split["close"]
    assert factor.to_list() == pytest.approx([0.98] * 3 + [1] * 5)
    for name in ("open", "high", "low"):
        assert total[name].to_list() == pytest.approx((split[name] * factor).to_list())
    assert total["volume"].equals(split["volume"])
    # A close that is adjusted later would lie beside those adjusted before.
    assert "adjusted" not in split.columns
    assert total.columns == split.columns[:-2]


def test_splits_are_kept_beside_the_prices(site: YahooSite) -> None:
    fund = site.series["SMH"]
    fund.splits[fund.rows["1d"][2].stamp] = (3, 1)
    assert fetched(SMH)["split"].to_list() == [0, 0, 3, 0, 0, 0, 0, 0]


def test_single_precision_is_undone_and_other_numbers_are_left(site: YahooSite) -> None:
    fund = site.series["SMH"]
    first = fund.rows["1d"][0]
    fund.rows["1d"][0] = replace(first, open=123.45999908447266, high=38989.828125, low=0.1234567)
    row = fetched(SMH).row(0, named=True)
    assert (row["open"], row["high"], row["low"]) == (123.46, 38989.83, 0.1234567)


def test_bars_without_prices_are_none(site: YahooSite) -> None:
    rows = site.series["SMH"].rows["1d"]
    rows[1] = Row(rows[1].stamp, None, None, None, None, None)
    rows[2] = replace(rows[2], open=None)
    assert fetched(SMH)["session_date"].dt.to_string().to_list() == [DAYS[0], *DAYS[3:-1]]


def test_an_answer_is_not_remembered(site: YahooSite) -> None:
    before = fetched(SMH)
    rows = site.series["SMH"].rows["1d"]
    site.series["SMH"].rows["1d"] = [replace(row, close=row.open) for row in rows]
    assert fetched(SMH)["close"].to_list() != before["close"].to_list()


def test_what_yahoo_says_of_a_series(site: YahooSite) -> None:
    answer = SOURCE.fetch(SMH, utc("2024-05-01"), utc("2024-06-08"), silent)
    assert answer.vendor == {
        "name": "The SMH fund",
        "exchange": "NasdaqGM",
        "currency": "USD",
        "instrument": "ETF",
        "timezone": "America/New_York",
        "first_trade_date": "2000-06-14",
    }


# Times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2024-06-07T20:29:00+00:00", "2024-06-06"),
        ("2024-06-07T20:30:00+00:00", "2024-06-07"),
        ("2024-06-08T15:00:00+00:00", "2024-06-07"),
    ],
)
def test_today_s_bar_comes_when_the_close_has_settled(
    site: YahooSite, clock: Clock, now: str, last: str
) -> None:
    clock.set(now)
    assert str(fetched(SMH)["session_date"][-1]) == last


def test_yahoo_s_own_day_may_be_longer_than_the_calendar_s(site: YahooSite, clock: Clock) -> None:
    fund = site.series["SMH"]
    late = fund.period(fund.day(site.now.timestamp())) | {"end": int(site.now.timestamp()) + 36000}
    fund.meta["currentTradingPeriod"] = {"regular": late}
    clock.set("2024-06-07T22:00:00+00:00")
    assert str(fetched(SMH)["session_date"][-1]) == "2024-06-06"
    clock.set("2024-06-08T04:30:00+00:00")
    assert str(fetched(SMH)["session_date"][-1]) == "2024-06-07"


def test_prices_that_are_late_leave_their_bar_open(site: YahooSite, clock: Clock) -> None:
    quarters = of("SMH", "15m")
    assert fetched(quarters)["ts_close"][-1] == utc("2024-06-07 18:00")
    site.series["SMH"].meta["regularMarketTime"] = int(utc("2024-06-07 17:40").timestamp())
    assert fetched(quarters)["ts_close"][-1] == utc("2024-06-07 17:30")


def test_the_latest_price_is_no_bar(site: YahooSite, clock: Clock) -> None:
    fund = site.series["SMH"]
    kept = [row for row in fund.rows["15m"] if row.stamp < utc("2024-06-07 17:00").timestamp()]
    paid = int(utc("2024-06-07 17:21:09").timestamp())
    fund.rows["15m"] = [*kept, replace(kept[-1], stamp=paid)]
    clock.set("2024-06-07T22:00:00+00:00")
    assert fetched(of("SMH", "15m"))["ts_close"][-1] == utc("2024-06-07 17:00")


def test_half_hours_are_whole_wherever_a_span_begins(site: YahooSite) -> None:
    halves = of("SMH", "30m")
    whole = fetched(halves)
    assert whole["ts_close"][:2].to_list() == [utc("2024-06-05 14:00"), utc("2024-06-05 14:30")]
    assert whole["volume"][0] == 1000 + 1001
    assert fetched(halves, "2024-06-05 14:10").equals(whole[1:])
    assert site.charts[-1].query["interval"] == "15m"


def test_a_day_without_end_ends_at_midnight(site: YahooSite) -> None:
    coin = site.series["BTC-USD"] = Series("UTC", ("00:00", "23:59"), "CRYPTOCURRENCY")
    coin.rows["1h"] = minutes(coin, ["2024-06-05", "2024-06-06"], "1h")
    ends = fetched(of("BTC-USD", "1h"))["ts_close"].to_list()
    assert [f"{end:%d %H:%M}" for end in ends[22:25]] == ["05 23:00", "06 00:00", "06 01:00"]
    assert len(ends) == 48


@pytest.mark.parametrize(
    ("symbol", "zone", "hours", "days"),
    [
        ("SMH", "America/New_York", ("09:30", "16:00"), ["2024-03-08", "2024-03-11"]),
        ("SMH", "America/New_York", ("09:30", "16:00"), ["2023-11-03", "2023-11-06"]),
        ("VOD.L", "Europe/London", ("08:00", "16:30"), ["2024-03-28", "2024-04-02"]),
        ("AIR.NZ", "Pacific/Auckland", ("10:00", "16:45"), ["2024-04-05", "2024-04-08"]),
        ("EURUSD=X", "Europe/London", ("00:00", "23:59"), ["2024-05-30", "2024-05-31"]),
    ],
)
def test_dates_are_those_of_the_exchange(
    site: YahooSite, symbol: str, zone: str, hours: tuple[str, str], days: list[str]
) -> None:
    series = site.series[symbol] = Series(zone, hours, "CURRENCY" if "=X" in symbol else "EQUITY")
    series.rows["1d"] = daily(series, days)
    frame = fetched(of(symbol), days[0])
    assert frame["session_date"].dt.to_string().to_list() == days
    assert fetched(of(symbol), days[1], days[1]).height == 0
    assert (frame["volume"].null_count() > 0) == ("=X" in symbol)


def test_hours_go_on_when_clocks_change(site: YahooSite) -> None:
    fund = site.series["SMH"]
    fund.rows["1h"] = minutes(fund, ["2024-03-08", "2024-03-11"], "1h")
    ends = fetched(of("SMH", "1h"), "2024-03-01")["ts_close"].to_list()
    assert [f"{end:%d %H:%M}" for end in (ends[0], ends[6], ends[7], ends[-1])] == [
        "08 15:30",
        "08 21:00",
        "11 14:30",
        "11 20:00",
    ]


def test_another_zone_than_expected_is_told(site: YahooSite) -> None:
    series = site.series["X.NOWHERE"] = Series("Asia/Tokyo", ("09:00", "15:00"))
    series.rows["1h"] = minutes(series, ["2024-06-05"], "1h")
    key = of("X.NOWHERE", "1h")
    answer = SOURCE.fetch(key, utc("2024-06-05"), utc("2024-06-06"), silent)
    assert answer.notes == (
        "Yahoo says that X.NOWHERE trades in Asia/Tokyo; its bars are used in UTC",
    )
    assert SOURCE.facts(key).timezone == "UTC"


# What Yahoo has not, and what goes wrong -----------------------------------------------------


def test_what_is_too_old_is_not_asked_for(site: YahooSite) -> None:
    for size, first in {"1m": "2024-05-10", "5m": "2024-04-10", "1h": "2022-06-10"}.items():
        key = of("SMH", size)
        assert SOURCE.facts(key).earliest == utc(first)
        with pytest.raises(SourceError, match=rf"`--start` must be {first} or later") as found:
            SOURCE.fetch(key, utc("2022-01-01"), utc("2022-01-02"), silent)
        assert not found.value.temporary
    assert not site.charts


def test_minutes_are_asked_for_in_pages_that_yahoo_gives(site: YahooSite) -> None:
    key = of("SMH", "1m")
    facts = SOURCE.facts(key)
    assert facts.earliest
    assert facts.page
    start = facts.earliest
    while start < site.now:
        SOURCE.fetch(key, start, start + facts.page, silent)
        start += facts.page
    assert len(site.charts) == 6


@pytest.mark.parametrize(
    "reply",
    [
        refused(400, "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2"),
        Reply.json(
            {
                "chart": {
                    "result": [{"meta": {"symbol": "SMH"}, "indicators": {"quote": [{}]}}],
                    "error": None,
                }
            }
        ),
    ],
    ids=["told", "empty"],
)
def test_a_span_without_prices_is_an_answer(
    site: YahooSite, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    whole = fetched(SMH)
    monkeypatch.setattr(site, "chart", lambda asked: reply)
    frame = fetched(SMH)
    assert frame.height == 0
    assert frame.schema == whole.schema


def test_after_many_requests_yahoo_is_left_alone(
    site: YahooSite, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(site, "chart", lambda asked: Reply(429, b"Too Many Requests"))
    with pytest.raises(SourceError, match=r"refuses to answer for now \(status 429\)") as found:
        fetched(SMH)
    assert found.value.temporary
    assert clock.waits == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503, b"busy"),
        Reply(200, b'{"chart": {}}' * 9, cut=5),
        Reply(200, b"Will be right back"),
    ],
    ids=["busy", "cut off", "down"],
)
def test_a_passing_fault_is_asked_again(
    site: YahooSite, monkeypatch: pytest.MonkeyPatch, clock: Clock, reply: Reply
) -> None:
    good, faults = site.chart, [reply] * 2
    told: list[str] = []
    monkeypatch.setattr(site, "chart", lambda asked: faults.pop() if faults else good(asked))
    answer = SOURCE.fetch(SMH, utc("2024-05-01"), utc("2024-06-08"), lambda s: told.append(s.what))
    assert answer.frame.height == 8
    assert "waiting" in told[-1]
    faults += [reply] * 99
    with pytest.raises(SourceError, match="3 tries") as found:
        fetched(SMH)
    assert found.value.temporary


@pytest.mark.parametrize(
    ("reply", "error", "why"),
    [
        (
            refused(422, "Unprocessable Entity", "No, never"),
            SourceError,
            "not give SMH: No, never",
        ),
        (Reply.json({"chart": {"result": None, "error": None}}), DataError, "makes no sense"),
        (Reply.json({"chart": {"result": [], "error": None}}), DataError, "makes no sense"),
        (Reply.json([]), DataError, "makes no sense"),
        (
            Reply.json(
                {
                    "chart": {
                        "result": [
                            {
                                "meta": {},
                                "timestamp": [1],
                                "indicators": {"quote": [{"open": [1]}]},
                            }
                        ],
                        "error": None,
                    }
                }
            ),
            DataError,
            r"makes no sense \(KeyError",
        ),
    ],
)
def test_an_error_is_never_taken_for_no_data(
    site: YahooSite,
    monkeypatch: pytest.MonkeyPatch,
    reply: Reply,
    error: type[Exception],
    why: str,
) -> None:
    monkeypatch.setattr(site, "chart", lambda asked: reply)
    with pytest.raises(error, match=why) as found:
        fetched(SMH)
    assert not getattr(found.value, "temporary", False)


def test_nobody_at_the_address_is_quiet_but_for_the_error(
    site: YahooSite, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESETA_YAHOO_URL", "http://127.0.0.1:1")
    with pytest.raises(SourceError, match=r"3 tries, at last \w*Error"):
        fetched(SMH)
    assert capfd.readouterr() == ("", "")


def test_the_address_must_be_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESETA_YAHOO_URL", "http://example.org")
    with pytest.raises(ArgumentError, match="`MESETA_YAHOO_URL` must be an https address"):
        fetched(SMH)


def test_without_yfinance_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)
    with pytest.raises(ArgumentError, match=r"pip install 'meseta\[yahoo\]'"):
        _library.__wrapped__()
    assert SOURCE.facts(SMH).calendar == "XNYS"


def test_yfinance_keeps_its_files_in_the_product_s_folder(site: YahooSite) -> None:
    from yfinance import cache

    fetched(SMH)
    location = Path(cache._CookieDBManager.get_location())
    assert location.parts[-2:] == ("cache", "yfinance")
    assert location.is_dir()


# Symbols -------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["^GSPC", "M&M.NS", "BRK-B", "ES=F", "BTC-USD", "000001.SS"])
def test_odd_symbols_are_asked_for_as_they_are(site: YahooSite, symbol: str) -> None:
    site.series[symbol] = site.series["SMH"]
    assert fetched(of(symbol), "2024-05-28", "2024-05-31").height == 3
    assert site.charts[-1].path == CHART + symbol


@pytest.mark.parametrize(
    ("symbol", "market"),
    [
        ("SMH", ("XNYS", "America/New_York")),
        ("BRK-B", ("XNYS", "America/New_York")),
        ("^GSPC", ("XNYS", "America/New_York")),
        ("^N225", ("XTKS", "Asia/Tokyo")),
        ("^NOSUCH", (None, "UTC")),
        ("VOD.L", ("XLON", "Europe/London")),
        ("SAP.DE", ("XETR", "Europe/Berlin")),
        ("OR.PA", ("XPAR", "Europe/Paris")),
        ("RY.TO", ("XTSE", "America/Toronto")),
        ("X.NOWHERE", (None, "UTC")),
        ("ES=F", ("CMES", "America/New_York")),
        ("EURUSD=X", ("24/5", "Europe/London")),
        ("BTC-USD", ("24/7", "UTC")),
    ],
)
def test_markets_are_read_off_symbols(symbol: str, market: tuple[str | None, str]) -> None:
    assert market_of(symbol) == market


def test_every_market_has_a_calendar_and_a_zone() -> None:
    known = get_calendar_names()
    for calendar, zone, *_ in _EXCHANGES:
        assert calendar in known
        assert ZoneInfo(zone).key == zone


@pytest.mark.parametrize(
    ("key", "tick"),
    [(SMH, 0.01), (TOTAL, 0.001), (of("BTC-USD"), None), (of("EURUSD=X", "1h"), None)],
)
def test_the_smallest_step_of_prices(key: SeriesKey, tick: float | None) -> None:
    assert SOURCE.facts(key).tick == tick
