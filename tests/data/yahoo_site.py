"""A server that speaks the protocol of Yahoo's charts, as yfinance asks for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from data.site import Asked, Reply, Site

CHART = "/v8/finance/chart/"
MINUTES = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "90m": 90}


@dataclass(frozen=True)
class Row:
    """A bar as Yahoo sends it; `adjusted` is the close, adjusted for dividends."""

    stamp: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: int | None = 1000
    adjusted: float | None = None


@dataclass
class Series:
    """What Yahoo has of a symbol."""

    zone: str = "America/New_York"
    hours: tuple[str, str] = ("09:30", "16:00")
    kind: str = "ETF"
    rows: dict[str, list[Row]] = field(default_factory=dict)
    dividends: dict[int, float] = field(default_factory=dict)
    splits: dict[int, tuple[int, int]] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    def moment(self, day: date, hour: str) -> int:
        local = datetime.combine(day, time.fromisoformat(hour), ZoneInfo(self.zone))
        return int(local.timestamp())

    def period(self, day: date) -> dict[str, Any]:
        start, end = (self.moment(day, hour) for hour in self.hours)
        return {"timezone": "EST", "start": start, "end": end, "gmtoffset": 0}

    def day(self, stamp: float) -> date:
        return datetime.fromtimestamp(stamp, ZoneInfo(self.zone)).date()


class YahooSite(Site):
    """Yahoo with what `series` says, at the moment `now` (ISO, with a zone)."""

    def __init__(self, now: str) -> None:
        super().__init__()
        self.now = datetime.fromisoformat(now)
        self.series: dict[str, Series] = {}
        self.crumbs = 0

    @property
    def charts(self) -> list[Asked]:
        """Requests for prices."""
        with self.lock:
            return [asked for asked in self.asked if asked.path.startswith(CHART)]

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/v1/test/getcrumb":
            return Reply(200, b"a.crumb")
        if asked.path.startswith(CHART):
            return self.chart(asked)
        return Reply(404, b"")

    def chart(self, asked: Asked) -> Reply:
        symbol = asked.path.removeprefix(CHART)
        if symbol not in self.series:
            return refused(404, "Not Found", "No data found, symbol may be delisted")
        first, last = int(asked.query["period1"]), int(asked.query["period2"])
        size = asked.query["interval"]
        limit = {"1m": 30, "1h": 730, "1d": 99999}.get(size, 60)
        if first < (self.now - timedelta(days=limit)).timestamp():
            told = f"{size} data not available for startDate={first} and endDate={last}."
            return refused(422, "Unprocessable Entity", told)
        if size == "1m" and last - first > 8 * 86400:
            return refused(422, "Unprocessable Entity", "Only 8 days worth of 1m are allowed")
        return self.rows(symbol, size, first, last)

    def rows(self, symbol: str, size: str, first: int, last: int) -> Reply:
        series = self.series[symbol]
        known = [row for row in series.rows.get(size, []) if row.stamp < self.now.timestamp()]
        rows = [row for row in known if first <= row.stamp < last]
        # The latest price comes along, whatever was asked for.
        rows += [row for row in known[-1:] if rows and row.stamp >= last]
        result: dict[str, Any] = {"meta": self.meta(symbol, size, rows)}
        names = ("open", "high", "low", "close", "volume")
        quote = {name: [getattr(row, name) for row in rows] for name in names}
        result["indicators"] = {"quote": [quote if rows else {}]}
        if rows:
            result |= {"timestamp": [row.stamp for row in rows], "events": events(series)}
        if size == "1d":
            adjusted = [row.close if row.adjusted is None else row.adjusted for row in rows]
            result["indicators"]["adjclose"] = [{"adjclose": adjusted} if rows else {}]
        return Reply.json({"chart": {"result": [result], "error": None}})

    def meta(self, symbol: str, size: str, rows: list[Row]) -> dict[str, Any]:
        series, now = self.series[symbol], self.now.timestamp()
        today = series.period(series.day(now))
        meta = {
            "symbol": symbol,
            "currency": "USD",
            "exchangeName": "NGM",
            "fullExchangeName": "NasdaqGM",
            "instrumentType": series.kind,
            "firstTradeDate": 961_000_000,
            "regularMarketTime": int(min(now, today["end"])),
            "exchangeTimezoneName": series.zone,
            "longName": f"The {symbol} fund",
            "priceHint": 2,
            "currentTradingPeriod": {"regular": today},
            "dataGranularity": size,
            "validRanges": ["1d", "5d", "max"],
        }
        if size != "1d":
            days = sorted({series.day(row.stamp) for row in rows})
            meta["tradingPeriods"] = [[series.period(day)] for day in days]
        return meta | series.meta


def events(series: Series) -> dict[str, Any]:
    return {
        "dividends": {
            str(stamp): {"amount": amount, "date": stamp}
            for stamp, amount in series.dividends.items()
        },
        "splits": {
            str(stamp): {"date": stamp, "numerator": new, "denominator": old}
            for stamp, (new, old) in series.splits.items()
        },
    }


def refused(status: int, code: str, told: str) -> Reply:
    error = {"code": code, "description": told}
    return Reply.json({"chart": {"result": None, "error": error}}, status)


def single(value: float) -> float:
    """Return what single precision makes of a number, as Yahoo sends it."""
    import numpy as np

    return float(np.float32(value))


def daily(series: Series, days: list[str], first: float = 100.0) -> list[Row]:
    """Return a bar for each day, each a little higher than the last."""
    prices = [round(first + 1.37 * place, 2) for place in range(len(days))]
    return [
        Row(
            series.moment(date.fromisoformat(day), series.hours[0]),
            *(single(price + step) for step in (0.0, 1.25, -1.5, 0.46)),
            volume=1000 + place,
        )
        for place, (day, price) in enumerate(zip(days, prices, strict=True))
    ]


def minutes(series: Series, days: list[str], size: str) -> list[Row]:
    """Return the bars of whole sessions."""
    rows: list[Row] = []
    for day in days:
        period = series.period(date.fromisoformat(day))
        stamps = range(period["start"], period["end"], 60 * MINUTES[size])
        rows += [
            replace(row, stamp=stamp)
            for row, stamp in zip(daily(series, [day] * len(stamps)), stamps, strict=True)
        ]
    return rows
