"""Binance's archive and REST API on this machine, with made-up rows."""

from __future__ import annotations

import hashlib
import io
import sys
import traceback
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from data.site import Asked, Reply, Site
from meseta.data import _clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)
TRADES_HEADER = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
)
FUNDING_HEADER = "calc_time,funding_interval_hours,last_funding_rate"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
STEPS = {"1m": MINUTE, "1h": HOUR, "4h": 4 * HOUR, "12h": 12 * HOUR, "1d": DAY, "1w": 7 * DAY}
KLINE_PATHS = ("klines", "markPriceKlines", "indexPriceKlines", "premiumIndexKlines")

Row = list[Any]


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def kline(opened: int, step: int) -> Row:
    """A bar whose prices tell when it opened; as the REST API writes it."""
    price = 100 + opened // MINUTE % 997 / 10
    return [
        opened,
        f"{price:.2f}",
        f"{price + 1:.2f}",
        f"{price - 1:.2f}",
        f"{price + 0.5:.2f}",
        f"{opened // MINUTE % 89}",
        opened + step - 1,
        f"{opened // MINUTE % 89 * 100}.5",
        opened // MINUTE % 31,
        "3",
        "300.25",
        "0",
    ]


def klines(start: str, end: str, size: str = "1h") -> list[Row]:
    step = STEPS[size]
    return [kline(opened, step) for opened in range(ms(start), ms(end), step)]


def payment(time: int, rate: str = "0.00010000", mark: str = "100.5") -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "fundingTime": time,
        "fundingRate": rate,
        "markPrice": mark,
        "rateType": "REGULAR",
    }


def trade(number: int, time: int) -> dict[str, Any]:
    maker = number % 2 == 0
    return {"a": number, "p": "0.7097", "q": "19", "f": number, "l": number, "T": time, "m": maker}


def lines(rows: Iterable[Row], header: str | None = HEADER, unit: int = 1) -> bytes:
    """The text of a file; times are multiplied by `unit`."""
    scaled = [[row[0] * unit, *row[1:6], (row[6] + 1) * unit - 1, *row[7:]] for row in rows]
    text = [",".join(str(value) for value in row) for row in scaled]
    return ("\n".join([*([header] if header else []), *text]) + "\n").encode()


def trade_lines(trades: Iterable[dict[str, Any]], header: str | None = TRADES_HEADER) -> bytes:
    text = [
        ",".join([*(str(trade[name]) for name in "apqflT"), str(trade["m"]).lower()])
        for trade in trades
    ]
    return ("\n".join([*([header] if header else []), *text]) + "\n").encode()


def zipped(member: str, text: bytes, **further: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, text)
        for name, content in further.items():
            archive.writestr(name, content)
    return stream.getvalue()


def kline_path(label: str, symbol: str = "BTCUSDT", size: str = "1h", kind: str = "klines") -> str:
    often = "monthly" if len(label) == 7 else "daily"
    return f"data/futures/um/{often}/{kind}/{symbol}/{size}/{symbol}-{size}-{label}.zip"


def event_path(label: str, kind: str, symbol: str = "BTCUSDT") -> str:
    often = "monthly" if len(label) == 7 else "daily"
    return f"data/futures/um/{often}/{kind}/{symbol}/{symbol}-{kind}-{label}.zip"


class BinanceSite(Site):
    """Archive and API behind one address.

    `files` are served with the checksums in `sums`. `rows` are what the API has, by end point
    and symbol. The API allows `limit` of weight in a minute of the tests' clock: who passes it
    gets 429, and who goes on all the same is banned.
    """

    def __init__(self) -> None:
        super().__init__()
        self.server.handle_error = _mind_faults  # type: ignore[method-assign]
        self.files: dict[str, bytes] = {}
        self.sums: dict[str, str] = {}
        self.rows: dict[tuple[str, str], list[Any]] = {}
        self.limit = 2400
        self.used = 0
        self.minute: datetime | None = None
        self.funding_calls: list[datetime] = []
        self.warned = False

    def use(self, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("MESETA_BINANCE_ARCHIVE_URL", self.url)
        patch.setenv("MESETA_BINANCE_REST_URL", self.url)

    def put(self, path: str, text: bytes, sha256: str = "") -> None:
        """Serve a zip that holds `text` under the name that it should have."""
        self.put_zip(path, zipped(path.rpartition("/")[2].replace(".zip", ".csv"), text), sha256)

    def put_zip(self, path: str, content: bytes, sha256: str = "") -> None:
        self.files[path] = content
        self.sums[path] = sha256 or hashlib.sha256(content).hexdigest()

    def put_klines(self, label: str, rows: Iterable[Row], size: str = "1h") -> None:
        self.put(kline_path(label, size=size), lines(rows))

    def asked_files(self) -> list[str]:
        """What was downloaded, short of the folders."""
        return [path.rpartition("/")[2] for path in self.paths() if path.endswith(".zip")]

    def asked_api(self, end_point: str = "") -> list[Asked]:
        with self.lock:
            return [asked for asked in self.asked if f"/fapi/v1/{end_point}" in asked.path]

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith("/fapi/"):
            return self.api(asked.path.removeprefix("/fapi/v1/"), asked.query)
        path = asked.path.removeprefix("/")
        if path.endswith(".CHECKSUM"):
            path = path.removesuffix(".CHECKSUM")
            known = path in self.sums
            text = f"{self.sums[path]}  {path.rpartition('/')[2]}\n" if known else "none"
            return Reply(200 if known else 404, text.encode())
        return Reply(200, self.files[path]) if path in self.files else Reply(404, b"none")

    def api(self, end_point: str, query: dict[str, str]) -> Reply:
        limit = int(query.get("limit", 500))
        if limit > (1500 if end_point in KLINE_PATHS else 1000):
            return fault(-1130, "Data sent for parameter 'limit' is not valid.")
        if late := self.weigh(end_point, limit):
            return late
        if end_point == "exchangeInfo":
            return self.counted(self.exchange())
        name = query.get("pair" if end_point == "indexPriceKlines" else "symbol")
        if (end_point, name) not in self.rows:
            return fault(-1121, "Invalid symbol.")
        if end_point in KLINE_PATHS and query.get("interval") not in {*STEPS, "1M"}:
            return fault(-1120, "Invalid interval.")
        found = self.rows[end_point, str(name)]
        return self.counted(self.page(end_point, found, query, limit))

    def page(self, end_point: str, rows: list[Any], query: dict[str, str], limit: int) -> Any:
        if "fromId" in query:
            return [row for row in rows if row["a"] >= int(query["fromId"])][:limit]
        name: Any = {"fundingRate": "fundingTime", "aggTrades": "T"}.get(end_point, 0)
        start, end = int(query["startTime"]), int(query["endTime"])
        if end_point == "aggTrades":
            assert end - start < HOUR
        return [row for row in rows if start <= row[name] <= end][:limit]

    def weigh(self, end_point: str, limit: int) -> Reply | None:
        now = _clock.now()
        if end_point == "fundingRate":
            recent = [call for call in self.funding_calls if now - call < timedelta(minutes=5)]
            self.funding_calls = [*recent, now]
            return Reply(429, headers={"Retry-After": "300"}) if len(recent) >= 500 else None
        minute = now.replace(second=0, microsecond=0)
        if minute != self.minute:
            self.minute, self.used, self.warned = minute, 0, False
        weight = {"aggTrades": 20, "exchangeInfo": 1}.get(end_point)
        self.used += weight or (
            1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10
        )
        if self.used <= self.limit:
            return None
        status, self.warned = 418 if self.warned else 429, True
        return Reply(status, headers={"Retry-After": str(60 - now.second)})

    def counted(self, value: Any) -> Reply:
        return Reply.json(value, **{"X-MBX-USED-WEIGHT-1M": str(self.used)})

    def exchange(self) -> dict[str, Any]:
        price = {"filterType": "PRICE_FILTER", "tickSize": "0.10"}
        names = sorted({symbol for _, symbol in self.rows})
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
        return {
            "rateLimits": [{**limit, "limit": self.limit}],
            "symbols": [
                {
                    "symbol": name,
                    "status": "TRADING",
                    "filters": [price],
                    "onboardDate": 1569398400000,
                }
                for name in names
            ],
        }


def _mind_faults(*_: object) -> None:
    """Say nothing of a client that hangs up, as one that is interrupted does."""
    error = sys.exception()
    if error is not None and not isinstance(error, OSError):
        traceback.print_exception(error)


def fault(code: int, message: str, status: int = 400) -> Reply:
    return Reply.json({"code": code, "msg": message}, status)
