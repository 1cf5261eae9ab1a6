"""TradeStation and Binance keep what every source promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from data.binance_site import (
    HOUR,
    MINUTE,
    BinanceSite,
    Row,
    event_path,
    kline_path,
    klines,
    lines,
    ms,
    payment,
    trade,
    trade_lines,
)
from data.site import Reply
from data.source_contract import Case, SourceContract, utc
from data.tradestation_site import TradeStationSite, bar, keep, minutes, serving
from meseta.data import SeriesKey, schema_of
from meseta.data.sources.binance import Binance
from meseta.data.sources.tradestation import TradeStation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Clock
    from data.site import Site

HTML = Reply(200, b"<html>Sign in to this hotel's network</html>")
NOWHERE = "http://127.0.0.1:1"


def moved(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Look for a vendor where nobody is."""
    for name in names:
        monkeypatch.setenv(f"MESETA_{name}_URL", NOWHERE)


def garble(site: Site) -> None:
    site.script = [HTML] * 99


# TradeStation --------------------------------------------------------------------------------


def of_tradestation(symbol: str, size: str, basis: Any = "split", **more: Any) -> SeriesKey:
    return SeriesKey("tradestation", symbol, size, basis=basis, **more)


def of_bars(key: SeriesKey, bars: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows of a vendor's bars, whose dates are those of their ends in New York as in UTC."""
    ends = [datetime.fromisoformat(found["TimeStamp"]).astimezone(UTC) for found in bars]
    times = {"session_date": [at.date() for at in ends]} if key.daily else {"ts_open": None}
    prices = {
        name: [float(found[name.capitalize()]) for found in bars]
        for name in ("open", "high", "low", "close")
    }
    columns = {**times, "ts_close": ends, **prices, "volume": 300.0}
    return pl.DataFrame(columns, schema_overrides=dict(schema_of(key).columns))


def tradestation_case(
    site: TradeStationSite,
    monkeypatch: pytest.MonkeyPatch,
    key: SeriesKey,
    bars: list[dict[str, Any]],
    span: tuple[datetime, datetime],
) -> Case:
    """A case of bars of which the last is not finished yet."""
    site.vendor.series[key.symbol] = [*bars[:-1], bars[-1] | {"BarStatus": "Open"}]
    return Case(
        source=TradeStation(),
        key=key,
        start=span[0],
        end=span[1],
        rows=of_bars(key, bars[:-1]),
        asked=lambda: len(site.asked),
        unreachable=lambda: moved(monkeypatch, "TRADESTATION"),
        garbled=lambda: garble(site),
        unknown=of_tradestation("NOSUCH", key.size),
        refused=[
            of_tradestation("smh", "1d"),
            of_tradestation("..", "1d"),
            of_tradestation("SMH", "2d"),
            of_tradestation("SMH", "1d", "unadjusted"),
            of_tradestation("@ES", "1d", "split"),
            of_tradestation("SMH", "1d", session="Tokyo"),
            of_tradestation("SMH", "event", kind="trades"),
            of_tradestation("SMH", "1d", kind="mark"),
        ],
        secrets=sorted(site.issued),
        unknown_stands_in=True,
    )


@pytest.fixture
def tradestation(
    clock: Clock, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TradeStationSite]:
    """TradeStation on a Friday at two in New York."""
    clock.set("2024-06-07T18:00:05+00:00")
    with serving(monkeypatch) as site:
        keep(home, site.signed_in(datetime(2030, 1, 1, tzinfo=UTC)))
        yield site


class TestTradeStationDays(SourceContract):
    @pytest.fixture
    def case(self, tradestation: TradeStationSite, monkeypatch: pytest.MonkeyPatch) -> Case:
        days = ("2024-05-31", "2024-06-03", "2024-06-04", "2024-06-05", "2024-06-06", "2024-06-07")
        bars = [bar(f"{day} 20:00", 100 + place) for place, day in enumerate(days)]
        span = utc("2024-05-31"), utc("2024-06-08")
        return tradestation_case(
            tradestation, monkeypatch, of_tradestation("SMH", "1d"), bars, span
        )


class TestTradeStationMinutes(SourceContract):
    @pytest.fixture
    def case(self, tradestation: TradeStationSite, monkeypatch: pytest.MonkeyPatch) -> Case:
        bars = minutes("2024-06-07 17:51", 11)
        span = utc("2024-06-07 17:50"), utc("2024-06-07 19:00")
        key = of_tradestation("SMH", "1m")
        return tradestation_case(tradestation, monkeypatch, key, bars, span)


class TestTradeStationFutures(SourceContract):
    @pytest.fixture
    def case(self, tradestation: TradeStationSite, monkeypatch: pytest.MonkeyPatch) -> Case:
        bars = minutes("2024-06-07 17:05", 12, size=5)
        span = utc("2024-06-07 17:00"), utc("2024-06-07 19:00")
        key = of_tradestation("@ES", "5m", "back-adjusted")
        return tradestation_case(tradestation, monkeypatch, key, bars, span)


# Binance -------------------------------------------------------------------------------------


def of_binance(symbol: str = "BTCUSDT", size: str = "1h", **more: Any) -> SeriesKey:
    return SeriesKey("binance", symbol, size, **more)


def binance_case(
    site: BinanceSite,
    monkeypatch: pytest.MonkeyPatch,
    key: SeriesKey,
    rows: pl.DataFrame,
    start: str,
) -> Case:
    return Case(
        source=Binance(),
        key=key,
        start=utc(start),
        end=utc("2024-06-08"),
        rows=rows,
        asked=lambda: len(site.asked),
        unreachable=lambda: moved(monkeypatch, "BINANCE_ARCHIVE", "BINANCE_REST"),
        garbled=lambda: garble(site),
        unknown=of_binance("NOSUCH", kind=key.kind),
        refused=[
            of_binance("btcusdt"),
            of_binance("../x"),
            of_binance("BTC/USDT"),
            of_binance(size="45m"),
            of_binance(basis="split"),
            of_binance(session="USEQPre"),
        ],
    )


@pytest.fixture
def binance(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[BinanceSite]:
    """Binance at 22:00 on 2024-06-07, UTC."""
    with BinanceSite() as site:
        site.use(monkeypatch)
        yield site


def of_klines(key: SeriesKey, rows: list[Row]) -> pl.DataFrame:
    opens = [utc("1970-01-01") + timedelta(milliseconds=row[0]) for row in rows]
    columns: dict[str, Any] = {
        "ts_open": opens,
        "ts_close": [at + timedelta(hours=1) for at in opens],
        **{
            name: [float(row[place]) for row in rows]
            for place, name in enumerate(("open", "high", "low", "close", "volume"), 1)
        },
    }
    return pl.DataFrame(columns, schema_overrides=dict(schema_of(key).columns))


class TestBinanceHours(SourceContract):
    """A day from the archive, and today from the API with the hour that has just begun."""

    @pytest.fixture
    def case(self, binance: BinanceSite, monkeypatch: pytest.MonkeyPatch) -> Case:
        binance.put(kline_path("2024-06-06"), lines(klines("2024-06-06", "2024-06-07")))
        binance.rows["klines", "BTCUSDT"] = klines("2024-06-07", "2024-06-07 23:00")
        key = of_binance()
        rows = of_klines(key, klines("2024-06-06 20:00", "2024-06-07 22:00"))
        return binance_case(binance, monkeypatch, key, rows, "2024-06-06 21:00")


class TestBinanceFunding(SourceContract):
    """Payments of last month from a file and the API, those of this month from the API alone."""

    @pytest.fixture
    def case(self, binance: BinanceSite, monkeypatch: pytest.MonkeyPatch) -> Case:
        due = [ms("2024-05-31 08:00") + 8 * HOUR * number for number in range(22)]
        filed = [f"{time + 5},8,0.00010000\n" for time in due[:2]]
        binance.put(event_path("2024-05", "fundingRate"), "".join(filed).encode())
        binance.rows["fundingRate", "BTCUSDT"] = [payment(time + 3) for time in due]
        key = of_binance(size="event", kind="funding")
        past = [time for time in due if time < ms("2024-06-07 22:00")]
        rows = pl.DataFrame(
            {
                "ts": [utc("1970-01-01") + timedelta(milliseconds=time) for time in past],
                "rate": 0.0001,
                "interval_hours": [8.0, 8.0, *[None] * (len(past) - 2)],
                "mark_price": 100.5,
            },
            schema_overrides=dict(schema_of(key).columns),
        )
        return binance_case(binance, monkeypatch, key, rows, "2024-05-31")


class TestBinanceTrades(SourceContract):
    """Trades of yesterday from a file, those of today from the API."""

    @pytest.fixture
    def case(self, binance: BinanceSite, monkeypatch: pytest.MonkeyPatch) -> Case:
        times = [ms("2024-06-06 23:57") + number * MINUTE for number in range(6)]
        made = [trade(number, time) for number, time in enumerate(times)]
        binance.put(event_path("2024-06-06", "aggTrades"), trade_lines(made[:3]))
        binance.rows["aggTrades", "BTCUSDT"] = made[3:]
        key = of_binance(size="event", kind="trades")
        rows = pl.DataFrame(
            {
                "id": range(6),
                "ts": [utc("1970-01-01") + timedelta(milliseconds=time) for time in times],
                "price": 0.7097,
                "quantity": 19.0,
                "first_id": range(6),
                "last_id": range(6),
                "buyer_maker": [number % 2 == 0 for number in range(6)],
            },
            schema_overrides=dict(schema_of(key).columns),
        )
        return binance_case(binance, monkeypatch, key, rows, "2024-06-06")
