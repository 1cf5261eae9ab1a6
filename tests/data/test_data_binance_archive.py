"""Binance's archive: which files are asked for, what is checked, and what is kept."""

from __future__ import annotations

import hashlib
import stat
import threading
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from data.binance_site import (
    MINUTE,
    BinanceSite,
    event_path,
    kline_path,
    klines,
    lines,
    ms,
    trade,
    trade_lines,
    zipped,
)
from data.site import Asked, Reply
from meseta.data import SeriesKey, Step, silent
from meseta.data.sources.binance import Binance
from meseta.data.sources.binance._plan import Period, split, uncovered
from meseta.errors import ArgumentError, DataError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Clock
    from meseta.data._key import Kind
    from meseta.data.sources import Answer

BITCOIN = SeriesKey("binance", "BTCUSDT", "1h")
MAY = kline_path("2024-05")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[BinanceSite]:
    """A site that has no rows yet. It is 22:00 on 2024-06-07."""
    with BinanceSite() as made:
        made.use(monkeypatch)
        yield made


def fetch(start: str, end: str, key: SeriesKey = BITCOIN, **more: Any) -> Answer:
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    return Binance().fetch(key, first, last, more.get("tell", silent))


def cached(home: Path) -> dict[str, bytes]:
    folder = home / "cache" / "binance"
    return {path.name: path.read_bytes() for path in folder.glob("*")} if folder.exists() else {}


def test_months_then_days_then_the_api(site: BinanceSite) -> None:
    site.put_klines("2024-04", klines("2024-04-01", "2024-05-01"))
    site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
    for day in range(1, 6):
        rows = klines(f"2024-06-0{day}", f"2024-06-0{day + 1}")
        site.put_klines(f"2024-06-0{day}", rows)
    site.rows["klines", "BTCUSDT"] = klines("2024-04-01", "2024-06-07 23:00")
    answer = fetch("2024-04-01 01:00", "2024-06-08")
    assert answer.frame.height == (30 + 31 + 6) * 24 + 22
    assert sorted(site.asked_files()) == [
        *(f"BTCUSDT-1h-2024-{month}.zip" for month in ("04", "05")),
        *(f"BTCUSDT-1h-2024-06-0{day}.zip" for day in range(1, 6)),
    ]
    (asked,) = site.asked_api("klines")
    assert asked.query["startTime"] == str(ms("2024-06-06"))
    assert answer.notes == ()
    assert answer.objects[MAY] == site.sums[MAY]
    assert len(answer.objects) == 7


def test_bars_have_the_columns_of_their_size(site: BinanceSite) -> None:
    site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
    hours = fetch("2024-05-02", "2024-05-31").frame
    assert hours["ts_close"][0] == datetime(2024, 5, 2, tzinfo=UTC)
    assert hours["ts_close"][-1] == datetime(2024, 5, 30, 23, tzinfo=UTC)
    more = ["quote_volume", "trades", "taker_buy_volume"]
    assert hours.columns[-4:] == ["volume", *more]
    site.put_klines("2024-05", klines("2024-05-01", "2024-06-01", "1d"), "1d")
    days = fetch("2024-05-02", "2024-05-31", SeriesKey("binance", "BTCUSDT", "1d")).frame
    assert [str(date) for date in days["session_date"][[0, -1]]] == ["2024-05-02", "2024-05-30"]
    assert days.columns == ["session_date", "ts_close", *hours.columns[2:]]


def test_a_month_that_is_not_published_yet_comes_in_days(site: BinanceSite) -> None:
    for day in range(1, 32):
        first = f"2024-05-{day:02}"
        last = f"2024-05-{day + 1:02}" if day < 31 else "2024-06-01"
        site.put_klines(first, klines(first, last))
    answer = fetch("2024-05-01 01:00", "2024-06-01 01:00")
    assert answer.frame.height == 31 * 24
    assert len(answer.objects) == 31
    assert site.asked_api() == []


def test_months_before_the_listing_cost_few_requests(site: BinanceSite) -> None:
    site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
    site.rows["klines", "BTCUSDT"] = klines("2024-04-30 20:00", "2024-06-01")
    answer = fetch("2023-05-01", "2024-06-01")
    assert answer.frame.height == 4 + 31 * 24 - 1
    # Twelve months without a file: each, and its first and last day.
    assert len(site.paths()) == 1 + 12 * 3 + 2 + len(site.asked_api())
    assert answer.notes == ("nothing from 2023-04-30 23:00 UTC to 2024-04-30 20:00 UTC",)


def test_a_day_that_nobody_has_is_a_gap(site: BinanceSite) -> None:
    for day in (1, 2, 4):
        site.put_klines(f"2024-06-0{day}", klines(f"2024-06-0{day}", f"2024-06-0{day + 1}"))
    site.rows["klines", "BTCUSDT"] = []
    answer = fetch("2024-06-01 01:00", "2024-06-05 01:00")
    assert answer.frame.height == 3 * 24
    assert answer.notes == ("no bars from 2024-06-03 00:00 UTC to 2024-06-04 00:00 UTC",)


@pytest.mark.parametrize(("size", "step"), [("1w", 7), ("1d", 1)])
def test_sizes_without_daily_files_go_from_months_to_the_api(
    site: BinanceSite, size: str, step: int
) -> None:
    opens = klines("2024-04-01", "2024-06-07", size)
    site.put_klines("2024-04", [row for row in opens if row[0] < ms("2024-05-01")], size)
    site.rows["klines", "BTCUSDT"] = opens
    answer = fetch("2024-04-01", "2024-06-08", SeriesKey("binance", "BTCUSDT", size))
    assert answer.frame.height == {"1w": 9, "1d": 67}[size]
    daily = [path for path in site.paths() if "/daily/" in path]
    assert bool(daily) == (size == "1d")


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ("mark", "markPriceKlines"),
        ("index", "indexPriceKlines"),
        ("premium", "premiumIndexKlines"),
    ],
)
def test_other_prices_have_folders_and_end_points_of_their_own(
    site: BinanceSite, kind: Kind, folder: str
) -> None:
    rows = klines("2024-06-05", "2024-06-07")
    site.put(kline_path("2024-06-05", kind=folder), lines(rows[:24]))
    site.rows[folder, "BTCUSDT"] = rows
    answer = fetch("2024-06-05 01:00", "2024-06-08", SeriesKey("binance", "BTCUSDT", "1h", kind))
    assert answer.frame.height == 48
    assert answer.frame["volume"].null_count() == 48
    assert list(answer.objects) == [kline_path("2024-06-05", kind=folder)]


def test_trades_of_a_day_come_from_its_file(site: BinanceSite) -> None:
    start = ms("2024-06-05")
    rows = [trade(number, start + number * 20 * MINUTE) for number in range(72)]
    site.put(event_path("2024-06-05", "aggTrades"), trade_lines(rows[30:] + rows[:30]))
    key = SeriesKey("binance", "BTCUSDT", "event", "trades")
    answer = fetch("2024-06-05 01:00", "2024-06-06", key)
    assert answer.frame["id"].to_list() == list(range(3, 72))
    assert answer.notes == ()


def test_a_symbol_of_other_letters_has_an_address(site: BinanceSite) -> None:
    path = kline_path("2024-05", "币安USDT")
    site.put(path, lines(klines("2024-05-01", "2024-06-01")))
    key = SeriesKey("binance", "币安USDT", "1h")
    answer = fetch("2024-05-01 01:00", "2024-06-01 01:00", key)
    assert answer.frame.height == 31 * 24
    assert list(answer.objects) == [path]


def test_what_is_downloaded_is_told(site: BinanceSite) -> None:
    site.put_klines("2024-04", klines("2024-04-01", "2024-05-01"))
    site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
    steps: list[Step] = []
    threads = set()

    def tell(step: Step) -> None:
        steps.append(step)
        threads.add(threading.get_ident())

    fetch("2024-04-01 01:00", "2024-06-01 01:00", tell=tell)
    assert {step.what for step in steps} == {f"BTCUSDT-1h-2024-0{n}.zip" for n in (4, 5)}
    assert [(step.done, step.total) for step in steps] == [(1, 2), (2, 2)]
    assert threads == {threading.get_ident()}


class TestChecksums:
    def test_a_file_that_differs_once_is_fetched_again(self, site: BinanceSite) -> None:
        site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
        good = site.files[MAY]
        served = site.answer

        def answer(asked: Asked) -> Reply:
            first = asked.path.endswith(".zip") and len(site.asked_files()) == 1
            return Reply(200, good[:-9] + b"different") if first else served(asked)

        site.answer = answer  # type: ignore[method-assign]
        assert fetch("2024-05-01 01:00", "2024-06-01 01:00").frame.height == 31 * 24
        assert len(site.asked_files()) == 2

    def test_a_file_that_differs_thrice_ends_it(self, site: BinanceSite, home: Path) -> None:
        site.put(MAY, lines(klines("2024-05-01", "2024-06-01")), sha256="ab" * 32)
        got = hashlib.sha256(site.files[MAY]).hexdigest()
        with pytest.raises(SourceError, match=rf"{MAY}.*expected {'ab' * 32}, got {got}") as found:
            fetch("2024-05-01 01:00", "2024-06-01")
        assert found.value.temporary
        assert len(site.asked_files()) == 3
        assert cached(home) == {}

    @pytest.mark.parametrize("text", [b"", b"<html>", b"12 BTCUSDT-1h-2024-05.zip"])
    def test_a_checksum_that_is_none_is_refused(self, site: BinanceSite, text: bytes) -> None:
        site.script = [Reply(200, text)]
        with pytest.raises(DataError, match=r"2024-05.zip.CHECKSUM .* is none"):
            fetch("2024-05-01 01:00", "2024-06-01")

    def test_the_checksum_of_another_file_is_refused(self, site: BinanceSite) -> None:
        site.script = [Reply(200, b"ab" * 32 + b"  BTCUSDT-1h-2024-04.zip\n")]
        with pytest.raises(DataError, match="is none"):
            fetch("2024-05-01 01:00", "2024-06-01")

    def test_a_checksum_without_a_file_is_no_file(self, site: BinanceSite) -> None:
        site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
        del site.files[MAY]
        site.rows["klines", "BTCUSDT"] = klines("2024-05-01", "2024-06-01")
        answer = fetch("2024-05-01 01:00", "2024-06-01 01:00")
        assert answer.frame.height == 31 * 24
        assert answer.objects == {}

    def test_replaced_files_are_named(self, site: BinanceSite) -> None:
        names = [kline_path(f"2024-0{month}") for month in range(1, 6)]
        for name in names:
            site.put(name, name.encode())
        before = dict(site.sums)
        site.put(names[1], b"revised")
        del site.sums[names[2]]
        steps: list[Step] = []
        assert Binance().revised(BITCOIN, before, steps.append) == {names[1]}
        assert [step.done for step in steps] == [1, 2, 3, 4, 5]
        assert site.asked_files() == []


class TestCache:
    def test_what_is_there_is_not_downloaded_again(self, site: BinanceSite, home: Path) -> None:
        site.put_klines("2024-04", klines("2024-04-01", "2024-05-01"))
        site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"), "1h")
        site.put_zip(MAY, site.files[MAY], sha256="ab" * 32)
        with pytest.raises(SourceError):
            fetch("2024-04-01 01:00", "2024-06-01 01:00")
        assert list(cached(home)) == [f"{site.sums[kline_path('2024-04')]}.zip"]
        site.put_zip(MAY, site.files[MAY])
        site.asked.clear()
        assert fetch("2024-04-01 01:00", "2024-06-01 01:00").frame.height == (30 + 31) * 24
        assert site.asked_files() == ["BTCUSDT-1h-2024-05.zip"]

    def test_a_damaged_file_is_downloaded_again(self, site: BinanceSite, home: Path) -> None:
        site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
        first = fetch("2024-05-01 01:00", "2024-06-01 01:00")
        (path,) = (home / "cache" / "binance").glob("*")
        path.write_bytes(path.read_bytes()[:-1])
        again = fetch("2024-05-01 01:00", "2024-06-01 01:00")
        assert again.frame.equals(first.frame)
        assert len(site.asked_files()) == 2

    def test_old_files_are_deleted(self, site: BinanceSite, home: Path, clock: Clock) -> None:
        site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
        fetch("2024-05-01 01:00", "2024-06-01 01:00")
        fetch("2024-05-01 01:00", "2024-06-01 01:00")
        assert len(cached(home)) == 1
        clock.moment += timedelta(days=8)
        site.put_klines("2024-04", klines("2024-04-01", "2024-05-01"))
        fetch("2024-04-01 01:00", "2024-05-01")
        assert list(cached(home)) == [f"{site.sums[kline_path('2024-04')]}.zip"]

    def test_the_oldest_go_where_there_are_too_many(
        self, site: BinanceSite, home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for month in (3, 4, 5):
            site.put_klines(f"2024-0{month}", klines(f"2024-0{month}-01", f"2024-0{month + 1}-01"))
            fetch(f"2024-0{month}-01 01:00", f"2024-0{month + 1}-01 01:00")
            fetch(f"2024-0{month}-01 01:00", f"2024-0{month + 1}-01 01:00")
            clock.moment += timedelta(hours=1)
        room = 2 * len(site.files[MAY]) + 99
        monkeypatch.setattr("meseta.data.sources.binance._cache._ROOM", room)
        fetch("2024-05-01 01:00", "2024-06-01 01:00")
        kept = {f"{site.sums[kline_path(f'2024-0{month}')]}.zip" for month in (4, 5)}
        assert set(cached(home)) == kept


class TestHostileFiles:
    NAME = "BTCUSDT-1h-2024-05.csv"
    TEXT = lines(klines("2024-05-01", "2024-06-01"))

    def refused(self, site: BinanceSite, content: bytes, why: str) -> None:
        site.put_zip(MAY, content)
        with pytest.raises(DataError, match=why):
            fetch("2024-05-01 01:00", "2024-06-01")

    @pytest.mark.parametrize(
        "name",
        [
            "../BTCUSDT-1h-2024-05.csv",
            "/etc/BTCUSDT-1h-2024-05.csv",
            "C:\\BTCUSDT-1h-2024-05.csv",
            "..\\..\\BTCUSDT-1h-2024-05.csv",
            "BTCUSDT-1h-2024-05.csv\x00.exe",
            "BTCUSDT-1h-2024-04.csv",
            "btcusdt-1h-2024-05.csv",
            "BTCUSDT-1h-2024-05.csv/",
        ],
    )
    def test_another_name_inside_is_refused(
        self, site: BinanceSite, tmp_path: Path, name: str
    ) -> None:
        content = zipped("N" * len(name), self.TEXT).replace(b"N" * len(name), name.encode())
        before = set(tmp_path.rglob("*.csv"))
        self.refused(site, content, "must hold 'BTCUSDT-1h-2024-05.csv' and nothing else")
        assert set(tmp_path.rglob("*.csv")) == before

    def test_several_files_inside_are_refused(self, site: BinanceSite) -> None:
        self.refused(site, zipped(self.NAME, self.TEXT, more=b"1"), "nothing else, but holds")

    def test_none_inside_is_refused(self, site: BinanceSite) -> None:
        self.refused(site, b"PK\x05\x06" + b"\0" * 18, "nothing else, but holds")

    def test_a_link_is_refused(self, site: BinanceSite, tmp_path: Path) -> None:
        path = tmp_path / "link.zip"
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo(self.NAME)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
        self.refused(site, path.read_bytes(), "encrypted or a link")

    def test_an_encrypted_file_is_refused(self, site: BinanceSite) -> None:
        content = bytearray(zipped(self.NAME, self.TEXT))
        content[6] |= 1
        content[content.rindex(b"PK\x01\x02") + 8] |= 1
        self.refused(site, bytes(content), "encrypted or a link")

    def test_a_bomb_is_refused(self, site: BinanceSite) -> None:
        self.refused(site, zipped(self.NAME, b"0" * 2**24), r"would swell to 16,777,216 bytes")

    def test_a_size_that_lies_is_refused(self, site: BinanceSite) -> None:
        content = bytearray(zipped(self.NAME, b"0" * 2**24))
        for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            at = content.rindex(mark) + place
            content[at : at + 4] = (1000).to_bytes(4, "little")
        self.refused(site, bytes(content), "no sound zip file|cannot be read|12 columns")

    @pytest.mark.parametrize("keep", [0, 40, 0.5, -4])
    def test_a_file_that_is_cut_short_is_refused(self, site: BinanceSite, keep: float) -> None:
        whole = zipped(self.NAME, self.TEXT)
        length = int(keep * len(whole)) if keep == 0.5 else int(keep)
        self.refused(site, whole[:length], "no sound zip file")

    def test_damage_inside_is_refused(self, site: BinanceSite) -> None:
        content = bytearray(zipped(self.NAME, self.TEXT))
        content[len(content) // 2] ^= 0xFF
        self.refused(site, bytes(content), "no sound zip file")

    def test_bars_of_another_month_are_refused(self, site: BinanceSite) -> None:
        self.refused(
            site, zipped(self.NAME, lines(klines("2024-04-30", "2024-06-01"))), "24 bars of other"
        )

    def test_a_long_line_is_refused(
        self, site: BinanceSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("meseta.data.sources.binance._unzip.BLOCK", 1000)
        self.refused(site, zipped(self.NAME, self.TEXT + b"7" * 3000), "line of it is longer")

    def test_a_file_is_read_in_blocks_of_whole_lines(
        self, site: BinanceSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
        whole = fetch("2024-05-01 01:00", "2024-06-01 01:00")
        monkeypatch.setattr("meseta.data.sources.binance._unzip.BLOCK", 1000)
        assert fetch("2024-05-01 01:00", "2024-06-01 01:00").frame.equals(whole.frame)


def test_an_interruption_ends_it_and_leaves_nothing_half_done(
    site: BinanceSite, home: Path
) -> None:
    for month in range(1, 6):
        site.put_klines(f"2024-0{month}", klines(f"2024-0{month}-01", f"2024-0{month + 1}-01"))

    def interrupt(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("2024-01-01 01:00", "2024-06-01", tell=interrupt)
    whole = {name for name in cached(home) if not name.startswith(".")}
    assert whole
    for name in whole:
        assert hashlib.sha256(cached(home)[name]).hexdigest() == name.removesuffix(".zip")


@pytest.mark.parametrize(
    ("status", "why"), [(403, "refuses to answer"), (451, "does not serve this region")]
)
def test_an_archive_that_refuses_is_named(site: BinanceSite, status: int, why: str) -> None:
    site.script = [Reply(status)]
    with pytest.raises(SourceError, match=rf"archive \(127.0.0.1\) {why} \(status {status}\)"):
        fetch("2024-05-01 01:00", "2024-06-01")


def test_a_busy_archive_is_waited_for(site: BinanceSite, clock: Clock) -> None:
    site.put_klines("2024-05", klines("2024-05-01", "2024-06-01"))
    site.script = [Reply(429, headers={"Retry-After": "7"}), Reply(503)]
    assert fetch("2024-05-01 01:00", "2024-06-01 01:00").frame.height == 31 * 24
    assert clock.waits[0] == 7
    site.script = [Reply(429, headers={"Retry-After": "7200"})]
    with pytest.raises(SourceError, match="not to be asked again before 2024-06-0"):
        fetch("2024-05-01 01:00", "2024-06-01")


def test_a_span_without_an_end_before_its_start_asks_nothing(site: BinanceSite) -> None:
    assert fetch("2024-06-09", "2024-06-10").frame.is_empty()
    assert site.asked == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"symbol": "btcusdt"}, r"`symbol`.*'btcusdt'"),
        ({"symbol": "../BTC"}, "`symbol`"),
        ({"symbol": "BTC USDT"}, "`symbol`"),
        ({"size": "7m"}, "`interval` must be one of 1m, 3m"),
        ({"size": "2d"}, "`interval`"),
        ({"basis": "split"}, "`basis`"),
        ({"session": "Default"}, "`session`"),
    ],
)
def test_series_that_cannot_be_are_refused(change: dict[str, Any], why: str) -> None:
    key = SeriesKey(**{"source": "binance", "symbol": "BTCUSDT", "size": "1h", **change})
    with pytest.raises(ArgumentError, match=why):
        Binance().facts(key)


@pytest.mark.parametrize(
    ("kind", "size", "earliest", "page"),
    [
        ("bars", "1d", True, False),
        ("mark", "1h", True, False),
        ("bars", "1m", False, False),
        ("funding", "event", True, False),
        ("trades", "event", False, True),
    ],
)
def test_facts(kind: Kind, size: str, earliest: bool, page: bool) -> None:
    facts = Binance().facts(SeriesKey("binance", "币安USDT", size, kind))
    assert (facts.timezone, facts.stamp, facts.calendar) == ("UTC", "open", "24/7")
    assert facts.earliest == (datetime(2019, 9, 1, tzinfo=UTC) if earliest else None)
    assert facts.page == (timedelta(days=31) if page else None)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "months", "days"),
    [
        ("2024-04-01", "2024-06-07 12:00", ["2024-04", "2024-05"], 6),
        ("2024-04-17", "2024-05-01", [], 14),
        ("2024-04-16", "2024-05-01", ["2024-04"], 0),
        ("2024-06-07 03:00", "2024-06-07 12:00", [], 0),
        ("2023-12-31 23:00", "2024-02-01", ["2024-01"], 1),
    ],
)
def test_half_a_month_is_taken_whole(start: str, end: str, months: list[str], days: int) -> None:
    whole, single = split(at(start), at(end), at("2024-06-07"), daily=True)
    assert [month.label for month in whole] == months
    assert len(single) == days


def test_what_no_file_covers() -> None:
    days = [Period(at(f"2024-06-0{n}"), at(f"2024-06-0{n + 1}"), "") for n in (2, 3, 5)]
    spans = uncovered(at("2024-06-01 12:00"), at("2024-06-07 06:00"), days)
    assert spans == [
        (at("2024-06-01 12:00"), at("2024-06-02")),
        (at("2024-06-04"), at("2024-06-05")),
        (at("2024-06-06"), at("2024-06-07 06:00")),
    ]
    assert uncovered(at("2024-06-02 12:00"), at("2024-06-03 06:00"), days) == []
