"""From Binance's archive and API to bars, by the product's own commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from data.binance_site import (
    HOUR,
    BinanceSite,
    event_path,
    fault,
    kline_path,
    klines,
    lines,
    ms,
    payment,
    trade,
    trade_lines,
    zipped,
)
from data.site import Asked, Reply
from meseta.data import Request, SeriesKey, Store, obtain
from meseta.data.sources import binance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from data.conftest import Call, Clock

OF = ("--source", "binance", "--interval", "1h")
FETCH = ("data", "fetch", "BTCUSDT", *OF)
TEST = ("backtest", "xbar", "--set", "xbar=5", "--symbol", "BTCUSDT", *OF)
KEY = SeriesKey("binance", "BTCUSDT", "1h")
LAST = "2024-06-06"


@pytest.fixture
def site(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[BinanceSite]:
    """Hours from the 1st of June on: in files up to yesterday, and all in the API. It is 22:00."""
    # What a ban or a used-up limit left behind belongs to another test.
    monkeypatch.setattr(binance.SOURCE, "_venues", {})
    with BinanceSite() as made:
        made.use(monkeypatch)
        for day in range(1, 7):
            made.put_klines(f"2024-06-0{day}", klines(f"2024-06-0{day}", f"2024-06-0{day + 1}"))
        made.rows["klines", "BTCUSDT"] = klines("2024-06-01", "2024-06-20")
        yield made


@pytest.fixture
def store(site: BinanceSite, home: Path, meseta: Call) -> Store:
    """The user's store, with the bars of June up to this hour."""
    assert meseta(*FETCH, "--start", "2024-06-01").code == 0
    site.asked.clear()
    return Store(home / "data")


def content(store: Store) -> str:
    meta = store.read(KEY)
    assert meta is not None
    assert store.verify(KEY) == ()
    return meta.content


def hours(store: Store) -> list[int]:
    """Hours since the 1st of June at which bars open."""
    meta = store.read(KEY)
    assert meta is not None
    opens = store.frame(meta)["ts_open"].dt.epoch("ms")
    return [(int(at) - ms("2024-06-01")) // HOUR for at in opens]


# The whole way -------------------------------------------------------------------------------


def test_bars_funding_and_trades_in_one_command(
    meseta: Call, site: BinanceSite, home: Path
) -> None:
    site.rows["fundingRate", "BTCUSDT"] = [
        payment(ms("2024-06-06") + 8 * HOUR * n) for n in (0, 1)
    ]
    site.put(
        event_path("2024-06-06", "aggTrades"), trade_lines([trade(1, ms("2024-06-06 05:00"))])
    )
    site.rows["aggTrades", "BTCUSDT"] = []
    span = ("--start", "2024-06-06", "--end", "2024-06-06")
    made = meseta(*FETCH, *span, "--kind", "bars", "--kind", "funding", "--kind", "trades")
    assert made.code == 0, made
    assert re.search(r"1h +fetched +24 +24", made.out)
    assert re.search(r"event funding +fetched +2 +2 ", made.out)
    assert re.search(r"event trades +fetched +1 +1 ", made.out)
    keys = Store(home / "data").keys()
    assert [key.kind for key in keys] == ["bars", "funding", "trades"]
    assert meseta("data", "verify").out.count(": sound") == 3
    for kind in ("funding", "trades"):
        shown = meseta("data", "show", "BTCUSDT", "--kind", kind)
        assert f"binance BTCUSDT event {kind}" in shown.out


def test_binance_is_asked_for_nothing_older_than_itself(
    meseta: Call, site: BinanceSite, home: Path
) -> None:
    made = meseta(*FETCH, "--start", "1900-01-01", "--end", "2024-06-02")
    assert made.code == 0, made
    months = sorted(re.findall(r"\d{4}-\d{2}(?=\.zip)", " ".join(a.path for a in site.asked)))
    assert months[0] == "2019-09"
    known = Store(home / "data").read(KEY)
    assert known is not None
    assert any("nothing from 1900-01-01" in note for note in known.notes)


def test_hours_go_on_through_the_days_when_others_change_their_clocks(
    meseta: Call, site: BinanceSite, home: Path
) -> None:
    for day in ("2024-03-09", "2024-03-10", "2024-03-11"):
        site.put_klines(day, klines(day, f"{np.datetime64(day) + 1}"))
    span = ("--start", "2024-03-09", "--end", "2024-03-11")
    assert meseta(*FETCH, *span).code == 0
    request = Request(
        symbol="BTCUSDT", source="binance", interval="1h", start=span[1], end=span[3], fetch=False
    )
    bars = obtain(request)
    assert (bars.timezone, bars.stamp) == ("UTC", "open")
    # The prices are made up, and jump.
    assert {found.code for found in bars.warnings} == {"jump"}
    assert bars.time[0] == np.datetime64("2024-03-09T00:00")
    assert bars.time[-1] == np.datetime64("2024-03-11T23:00")
    assert set(np.diff(bars.time)) == {np.timedelta64(1, "h")}


def test_a_full_hit_asks_nothing_and_an_hour_later_one_bar_is_asked_for(
    meseta: Call, store: Store, site: BinanceSite, clock: Clock
) -> None:
    assert hours(store) == list(range(6 * 24 + 22))
    clock.set("2024-06-07T22:59:59+00:00")
    assert "nothing to ask for" in meseta(*FETCH).out
    assert site.asked == []
    clock.set("2024-06-07T23:00:01+00:00")
    assert re.search(r"extended +1 ", meseta(*FETCH).out)
    assert hours(store) == list(range(6 * 24 + 23))
    assert site.asked_files() == []


def test_rows_of_the_api_are_held_against_the_file_that_comes_later(
    meseta: Call, store: Store, site: BinanceSite, clock: Clock
) -> None:
    clock.set("2024-06-08T09:00:01+00:00")
    other = klines("2024-06-07", "2024-06-08")
    other[20][2:5] = ["999", "1", "500"]
    site.put_klines("2024-06-07", other)
    made = meseta(*FETCH)
    assert made.code == 0
    assert "is not what was stored (2024-06-07 21:00:00+00:00: high was" in made.out
    assert hours(store) == list(range(7 * 24 + 9))
    meta = store.read(KEY)
    assert meta is not None
    assert 999.0 in store.frame(meta)["high"].to_list()


def test_a_file_that_was_replaced_fetches_all_of_it_again(
    meseta: Call, store: Store, site: BinanceSite, clock: Clock
) -> None:
    changed = klines("2024-06-02", "2024-06-03")
    changed[3][2] = "900.00"
    site.put_klines("2024-06-02", changed)
    clock.set("2024-06-07T23:00:01+00:00")
    made = meseta(*FETCH)
    assert made.code == 0
    assert "BTCUSDT-1h-2024-06-02.zip was replaced" in made.out
    meta = store.read(KEY)
    assert meta is not None
    assert 900.0 in store.frame(meta)["high"].to_list()


@pytest.mark.parametrize("symbol", ["btcusdt", "BTC/USDT", "../BTCUSDT", "BTC USDT", "BTC%2e", ""])
def test_a_symbol_is_checked_before_anything_is_asked(
    meseta: Call, site: BinanceSite, home: Path, symbol: str
) -> None:
    made = meseta("data", "fetch", symbol, *OF, "--start", "2024-06-01")
    assert (made.code, made.out) == (2, "")
    assert "`symbol` must be" in made.err
    assert site.asked == []
    assert not (home / "data").exists()


# Hostile and broken files --------------------------------------------------------------------


@pytest.mark.parametrize(
    "member", ["../../../evil.csv", "/tmp/evil.csv", "..\\evil.csv", "BTCUSDT-1h-2024-06-05.csv"]
)
def test_a_hostile_name_in_an_archive_harms_nothing(
    meseta: Call, site: BinanceSite, home: Path, tmp_path: Path, member: str
) -> None:
    text = lines(klines("2024-06-06", "2024-06-07"))
    site.put_zip(kline_path(LAST), zipped(member, text))
    made = meseta(*FETCH, "--start", LAST)
    assert made.code == 1
    assert "must hold 'BTCUSDT-1h-2024-06-06.csv' and nothing else, but holds" in made.err
    assert Store(home / "data").keys() == []
    assert not list(tmp_path.rglob("*.csv"))
    assert not Path("/tmp/evil.csv").exists()


def test_a_wrong_checksum_once_is_fetched_again(
    meseta: Call, site: BinanceSite, home: Path
) -> None:
    served, wrong = site.answer, [Reply(200, b"PK something else")]

    def answer(asked: Asked) -> Reply:
        is_file = asked.path.endswith(f"{LAST}.zip")
        return wrong.pop() if is_file and wrong else served(asked)

    site.answer = answer  # type: ignore[method-assign]
    made = meseta(*FETCH, "--start", LAST, "--end", LAST)
    assert made.code == 0, made
    assert re.search(r"fetched +24 +24 ", made.out)
    assert site.asked_files().count(f"BTCUSDT-1h-{LAST}.zip") == 2
    meta = Store(home / "data").read(KEY)
    assert meta is not None
    assert list(meta.objects.values()) == [site.sums[kline_path(LAST)]]


def test_a_wrong_checksum_for_ever_is_said_and_what_was_stored_stays(
    meseta: Call, store: Store, site: BinanceSite, clock: Clock
) -> None:
    before = content(store)
    clock.set("2024-06-08T09:00:01+00:00")
    site.put(kline_path("2024-06-07"), lines(klines("2024-06-07", "2024-06-08")), "0" * 64)
    made = meseta(*FETCH)
    assert made.code == 1
    assert "BTCUSDT-1h-2024-06-07.zip of Binance's archive is thrice not what its ch" in made.err
    assert f"expected {'0' * 64}, got" in made.err
    assert site.asked_files().count("BTCUSDT-1h-2024-06-07.zip") == 3
    assert content(store) == before
    # A run goes on with what is stored.
    made = meseta(*TEST)
    assert made.code == 0
    assert "thrice not what its checksum says" in made.err
    assert "the bars stored on 2024-06-07 are used" in made.err
    site.put_klines("2024-06-07", klines("2024-06-07", "2024-06-08"))
    assert "extended" in meseta(*FETCH).out
    assert hours(store) == list(range(7 * 24 + 9))


ARCHIVE, API = ".CHECKSUM", "/fapi/v1/klines"


@pytest.mark.parametrize(
    ("where", "reply", "words", "stands_in"),
    [
        (ARCHIVE, Reply(403), "archive .* refuses to answer .status 403", True),
        (ARCHIVE, Reply(429), "archive .*5 tries, at last status 429", True),
        (ARCHIVE, Reply(503), "archive .*5 tries, at last status 503", True),
        (ARCHIVE, Reply(200, b"0" * 200, cut=20), "5 tries, at last RemoteProtocolError", True),
        (ARCHIVE, Reply(200, b"<html>"), "CHECKSUM of Binance's archive is none", False),
        (API, Reply(403), "firewall refuses this address .*wait five minutes", True),
        (
            API,
            Reply(418, headers={"Retry-After": "600"}),
            "banned .* until 2024-06-07 23:10",
            True,
        ),
        (API, Reply(429, headers={"Retry-After": "9"}), "still has too many requests", True),
        (API, Reply(500), "5 tries, at last status 500", True),
        (API, Reply(200, b"[[1,2", cut=3), "5 tries, at last RemoteProtocolError", True),
        (API, Reply(200, b"[[1,2"), "reply to /fapi/v1/klines is no JSON", False),
        (API, Reply.json({"a": 1}), "must be a list", False),
        (API, Reply.json([[1, "2"]]), "Binance's reply to klines of BTCUSDT", False),
        (API, fault(-1130, "Bad limit."), r"code -1130\): Bad limit", False),
    ],
)
def test_whatever_the_vendor_answers_what_is_stored_stays(
    meseta: Call,
    store: Store,
    site: BinanceSite,
    clock: Clock,
    where: str,
    reply: Reply,
    words: str,
    stands_in: bool,
) -> None:
    before = content(store)
    served = site.answer
    site.answer = lambda asked: (  # type: ignore[method-assign]
        reply if where in asked.path else served(asked)
    )
    clock.set("2024-06-07T23:00:01+00:00")
    made = meseta(*FETCH)
    assert made.code == 1, made
    assert re.search(words, made.err), made
    assert "Traceback" not in made.err
    assert content(store) == before
    used = meseta(*TEST)
    assert used.code == (0 if stands_in else 1), used
    assert ("the bars stored on 2024-06-07 are used" in used.err) is stands_in
    assert content(store) == before


def test_a_region_that_is_not_served_has_the_archive(
    meseta: Call, site: BinanceSite, home: Path
) -> None:
    served = site.answer
    site.answer = lambda asked: (  # type: ignore[method-assign]
        Reply(451) if "/fapi/" in asked.path else served(asked)
    )
    made = meseta(*FETCH, "--start", "2024-06-05")
    assert made.code == 0, made
    assert "only what the archive has: Binance's REST API does not serve this region" in made.out
    assert hours(Store(home / "data")) == list(range(4 * 24, 6 * 24))


# Processes -----------------------------------------------------------------------------------


class Slow(BinanceSite):
    """Holds back one file until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.held = ""
        self.reached, self.go = threading.Event(), threading.Event()
        for day in range(1, 10):
            label = f"2024-01-0{day}"
            rows = klines(label, f"{np.datetime64(label) + 1}")
            self.put_klines(label, rows)

    def answer(self, asked: Asked) -> Reply:
        if self.held and asked.path.endswith(self.held):
            self.reached.set()
            self.go.wait(60)
        return super().answer(asked)


@pytest.fixture
def slow() -> Iterator[Slow]:
    with Slow() as made:
        yield made
        made.go.set()


def begin(site: BinanceSite, home: Path) -> subprocess.Popen[str]:
    address = {f"MESETA_BINANCE_{name}_URL": site.url for name in ("ARCHIVE", "REST")}
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "meseta", *FETCH),
            *("--start", "2024-01-01", "--end", "2024-01-09"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **address, "MESETA_HOME": str(home)},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=90)
    return process.returncode, out + err


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(3000):
        if what():
            return
        threading.Event().wait(0.02)
    pytest.fail("it never came about")


def test_a_download_that_was_killed_goes_on_with_the_files_it_has(
    slow: Slow, tmp_path: Path
) -> None:
    slow.held = "2024-01-05.zip"
    cache = tmp_path / "cache" / "binance"
    process = begin(slow, tmp_path)
    assert slow.reached.wait(60)
    wait_for(lambda: len(list(cache.glob("*.zip"))) == 8)
    process.kill()
    process.communicate()
    slow.go.set()
    assert Store(tmp_path / "data").keys() == []
    slow.asked.clear()
    code, text = ended(begin(slow, tmp_path))
    assert code == 0, text
    assert slow.asked_files() == ["BTCUSDT-1h-2024-01-05.zip"]
    check(tmp_path)


def test_two_processes_fetch_a_symbol_once(slow: Slow, tmp_path: Path) -> None:
    slow.held = "2024-01-05.zip"
    first = begin(slow, tmp_path)
    assert slow.reached.wait(60)
    second = begin(slow, tmp_path)
    assert second.stderr is not None
    line = second.stderr.readline()
    assert "waiting for another process that writes binance BTCUSDT 1h" in line
    slow.go.set()
    assert ended(first)[0] == 0
    code, text = ended(second)
    assert (code, "nothing to ask for" in text) == (0, True), text
    assert len(slow.asked_files()) == 9
    check(tmp_path)


def check(home: Path) -> None:
    """All nine days are stored, and nothing else."""
    store = Store(home / "data")
    meta = store.read(KEY)
    assert meta is not None
    assert store.verify(KEY) == ()
    opens = store.frame(meta)["ts_open"].dt.epoch("ms").to_list()
    assert opens == [row[0] for row in klines("2024-01-01", "2024-01-10")]
    assert len(meta.objects) == 9
