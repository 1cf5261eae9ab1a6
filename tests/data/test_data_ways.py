"""From a vendor's server to the bars of a run, by the product's own commands."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from cli.conftest import TINY
from data.site import Reply
from data.tradestation_site import (
    CLIENT_ID,
    CLIENT_SECRET,
    Hand,
    TradeStationSite,
    bar,
    failed,
    free_port,
    keep,
    serving,
    texts_of,
)
from data.ways import by_minute, daily, split
from meseta.data import Request, SeriesKey, Store, obtain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Call, Clock, Result

KEY = SeriesKey("tradestation", "SMH", "1d", basis="split")
OF = ("--source", "tradestation")
FETCH = ("data", "fetch", "SMH", *OF)
TEST = ("backtest", "xbar", "--set", "xbar=20", "--symbol", "SMH")
RUN = ("run", "--symbol", "SMH", *OF, "--capital", 100_000, "--min-cell", 2, "--grid", "tiny.yaml")
FAR = "http://127.0.0.1:1/v3"


@pytest.fixture
def site(
    clock: Clock, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TradeStationSite]:
    """TradeStation, signed in to, with bars of the next weeks as well. It is a Friday evening."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    with serving(monkeypatch) as made:
        keep(home, made.signed_in(datetime(2030, 1, 1, tzinfo=UTC)))
        made.vendor.series["SMH"] = daily("2016-01-04", "2024-07-31")
        yield made


@pytest.fixture
def store(site: TradeStationSite, home: Path, meseta: Call) -> Store:
    """The user's store, with all of SMH up to this Friday."""
    assert meseta(*FETCH).code == 0
    site.asked.clear()
    return Store(home / "data")


@pytest.fixture
def gone(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A week later, nobody is at the vendor's address any more."""
    clock.set("2024-06-14T22:00:00+00:00")
    monkeypatch.setenv("MESETA_TRADESTATION_URL", FAR)
    return store


def content(store: Store, key: SeriesKey = KEY) -> str:
    meta = store.read(key)
    assert meta is not None
    assert store.verify(key) == ()
    return meta.content


def last(store: Store) -> str:
    meta = store.read(KEY)
    assert meta is not None
    return f"{meta.last:%Y-%m-%d}"


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def assert_no_secret(site: TradeStationSite, folder: Path, *made: Result) -> None:
    """No secret stands anywhere but in the file of the tokens."""
    texts = texts_of(folder) | {repr(at): at.out + at.err for at in made}
    texts = {name: text for name, text in texts.items() if "credentials" not in name}
    assert len(texts) > 10
    assert not [name for name, text in texts.items() if any(at in text for at in site.issued)]


# The whole way -------------------------------------------------------------------------------


def test_from_the_sign_in_to_the_report_of_a_run(
    meseta: Call,
    site: TradeStationSite,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (home / "credentials" / "tradestation.json").unlink()
    refused = meseta(*FETCH)
    assert refused.code == 1
    assert "not signed in to TradeStation; sign in: meseta data login trades" in refused.err
    hand, uri = Hand(monkeypatch), f"http://localhost:{free_port()}"
    given = ("--client-id", CLIENT_ID, "--redirect-uri", uri)
    login = meseta("data", "login", "tradestation", *given, stdin=f"{CLIENT_SECRET}\n")
    hand.done()
    assert login.code == 0, login
    fetch = meseta(*FETCH)
    assert fetch.code == 0, fetch
    assert re.search(r"SMH +1d split +fetched +2,122 +2,122 +2016-01-04 +2024-06-07", fetch.out)
    asked = len(site.asked_bars())
    looks = [meseta("data", name) for name in ("list", "verify", "status")]
    looks += [meseta("data", "show", "SMH"), meseta(*TEST, *OF), meseta(*TEST)]
    assert [made.code for made in looks] == [0] * 6
    assert "adjusted for splits" in looks[3].out
    run = meseta(*RUN, "--name", "way", "--csv")
    assert run.code == 0, run
    assert "SMH, 2,122 bars of 1d, 2016-01-04 to 2024-06-07 (America/New_York)" in run.out
    assert "Source    tradestation SMH 1d split" in run.out
    assert len(site.asked_bars()) == asked
    data = manifest(tmp_path / "runs" / "way")["data"]
    assert data["asked"] == {
        "symbol": "SMH", "source": "tradestation", "interval": "1d", "basis": None,
        "session": "", "start": None, "end": None, "calendar": None, "fetch": True,
    }  # fmt: skip
    assert data["source"] == "store:tradestation SMH 1d split"
    assert (data["first"][:10], data["last"][:10], data["rows"]) == (
        "2016-01-04",
        "2024-06-07",
        2122,
    )
    assert data["warnings"] == []
    assert data["fingerprint"] == obtain(Request(symbol="SMH")).fingerprint
    assert_no_secret(site, tmp_path, refused, login, fetch, *looks, run)


# A source that is gone -----------------------------------------------------------------------


def test_a_run_goes_on_with_what_is_stored_and_says_so_everywhere(
    meseta: Call, gone: Store, site: TradeStationSite, tmp_path: Path
) -> None:
    told = "TradeStation (127.0.0.1) gave no usable answer in 5 tries, at last ConnectError"
    used = "the bars stored on 2024-06-07 are used, 2016-01-04 to 2024-06-07"
    run = meseta(*RUN, "--name", "far")
    assert run.code == 0, run
    assert run.out.count(f"Note: {told}") == 2
    assert run.out.count(used) == 2
    found = manifest(tmp_path / "runs" / "far")["data"]
    [warning] = found["warnings"]
    assert warning["code"] == "source_unreachable"
    assert told in warning["message"]
    assert used in warning["message"]
    assert found["last"].startswith("2024-06-07")
    page = (tmp_path / "runs" / "far" / "report.html").read_text(encoding="utf-8")
    assert "gave no usable answer in 5 tries" in page
    assert used in page
    assert_no_secret(site, tmp_path, run)


def test_without_anything_stored_there_is_no_run(
    meseta: Call, gone: Store, tmp_path: Path
) -> None:
    for arguments in (RUN, TEST[:4]):
        made = meseta(*arguments, "--symbol", "QQQ", *OF)
        assert (made.code, made.out) == (1, ""), made
        assert "TradeStation (127.0.0.1) gave no usable answer in 5 tries" in made.err
    assert not (tmp_path / "runs").exists()
    assert [key.symbol for key in gone.keys()] == ["SMH"]  # noqa: SIM118 - no mapping


@pytest.mark.parametrize(
    ("reply", "words", "stands_in"),
    [
        (failed(400, "BadRequest", "Invalid unit"), "BadRequest: Invalid unit", False),
        (failed(401, "Unauthorized", "no"), "refuses access .*; sign in again: meseta", True),
        (failed(403, "Forbidden", "no"), "Forbidden: no; the sign-in's scope lacks", False),
        (failed(404, "NotFound", "gone"), r"has no symbol SMH, .*\(NotFound: gone\)", True),
        (failed(429, "TooManyRequests", "quota"), "at last status 429; try again later", True),
        (failed(503, "ServiceUnavailable", "down"), "at last status 503; try again later", True),
        (Reply(200, b'{"Bars": []}' * 9, cut=12), "no usable answer .*RemoteProtocol", True),
        (Reply(200, b"<html>"), "answer is malformed: no JSON", False),
        (Reply.json({"Bars": [{"TimeStamp": "soon"}]}), "TimeStamp is 'soon'", False),
        (Reply.json({"Bars": [bar("2024-06-11 20:00", High="1")]}), "high is not the high", False),
    ],
)
def test_whatever_the_vendor_answers_what_is_stored_stays(
    meseta: Call,
    store: Store,
    site: TradeStationSite,
    clock: Clock,
    reply: Reply,
    words: str,
    stands_in: bool,
) -> None:
    before = content(store)
    clock.set("2024-06-14T22:00:00+00:00")
    site.bars_script = [reply] * 99
    made = meseta(*FETCH)
    assert made.code == 1, made
    assert re.search(words, made.err), made
    assert re.search(r"SMH +1d split +failed", made.out)
    assert "Traceback" not in made.err
    assert content(store) == before
    used = meseta(*TEST, *OF)
    assert used.code == (0 if stands_in else 1), used
    assert ("bars stored on 2024-06-07 are used" in used.err) is stands_in
    assert content(store) == before
    site.bars_script = []
    assert "extended" in meseta(*FETCH).out
    assert last(store) == "2024-06-14"


def test_a_symbol_that_fails_does_not_stop_the_others(
    meseta: Call, site: TradeStationSite, home: Path
) -> None:
    site.vendor.series["QQQ"] = daily("2024-01-02", "2024-07-31")
    site.vendor.series["BAD"] = [bar("2024-06-06 20:00", Low="99")]
    made = meseta("data", "fetch", "SMH", "NOSUCH", "BAD", "QQQ", *OF)
    assert made.code == 1
    rows = [line.split()[:4] for line in made.out.splitlines()[1:5]]
    assert [row[0] for row in rows] == ["SMH", "NOSUCH", "BAD", "QQQ"]
    assert [row[3] for row in rows] == ["fetched", "failed", "failed", "fetched"]
    assert "tradestation NOSUCH 1d split: TradeStation has no symbol NOSUCH" in made.err
    assert "the high is not the highest at 2024-06-06" in made.err
    keys = Store(home / "data").keys()
    assert [key.symbol for key in keys] == ["QQQ", "SMH"]


# The network is left alone -------------------------------------------------------------------


def test_no_fetch_never_asks(
    meseta: Call, store: Store, site: TradeStationSite, clock: Clock
) -> None:
    # Stored whole.
    made = meseta(*TEST, *OF, "--no-fetch")
    assert (made.code, made.err) == (0, "")
    # Nothing came before its first bar, so that none is missing.
    made = meseta(*TEST, *OF, "--no-fetch", "--start", "2015-01-02", "--end", "2024-05-31")
    assert (made.code, made.err) == (0, "")
    # Stored in part: later bars are missing.
    clock.set("2024-06-14T22:00:00+00:00")
    made = meseta(*TEST, *OF, "--no-fetch")
    assert made.code == 0
    assert "stored from 2016-01-04 to 2024-06-07, which is not all that was asked" in made.err
    # Not stored: of this symbol, of this time, at this size.
    for more in (("--symbol", "QQQ"), ("--start", "2024-06-11"), ("--interval", "5m")):
        made = meseta(*TEST, *OF, "--no-fetch", *more)
        assert (made.code, made.out) == (1, ""), made
        assert "nothing of tradestation" in made.err
    assert meseta(*TEST, "--source", "store").code == 0
    assert meseta(*TEST).code == 0
    assert site.asked == []


def test_bars_before_the_stored_ones_are_missed_too(
    meseta: Call, site: TradeStationSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert meseta(*FETCH, "--start", "2020-01-02").code == 0
    site.asked.clear()
    for more in (("--no-fetch",), ()):
        made = meseta(*TEST, *OF, "--start", "2018-01-02", *more)
        assert made.code == 0, made
        assert "2020-01-02 to 2024-06-07" in made.err
        assert site.asked == []
        monkeypatch.setenv("MESETA_TRADESTATION_URL", FAR)
    monkeypatch.setenv("MESETA_TRADESTATION_URL", f"{site.url}/v3")
    assert "Note" not in meseta(*TEST, *OF, "--start", "2018-01-02").err
    assert re.search(r"begun earlier +503 ", meseta("data", "show", "SMH").out)


def test_the_store_alone_says_what_it_has(meseta: Call, store: Store) -> None:
    for more, words in (
        (("--symbol", "SMM"), "SMM 1d bars is not stored; .*; did you mean SMH"),
        (("--interval", "5m"), "5m bars is not stored; .*; there are tradestation SMH 1d split"),
        (("--basis", "total-return"), "is not stored; .*; there are tradestation SMH 1d split"),
    ):
        made = meseta(*TEST, *more)
        assert (made.code, made.out) == (1, "")
        assert re.search(words, made.err)


# The clock -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    [
        "2024-06-08T12:00", "2024-06-09T23:59",  # the weekend
        "2024-06-10T04:01", "2024-06-10T13:00",  # Monday: in New York's night, before it opens
        "2024-06-10T17:00", "2024-06-10T20:15",  # in the session, and just after it
    ],
)  # fmt: skip
def test_a_full_hit_asks_nothing(
    meseta: Call, store: Store, site: TradeStationSite, clock: Clock, moment: str
) -> None:
    before = content(store)
    clock.set(f"{moment}+00:00")
    made = meseta(*FETCH)
    assert made.code == 0
    assert "nothing to ask for" in made.out
    assert meseta(*TEST, *OF).code == 0
    assert site.asked == []
    assert content(store) == before


def test_a_holiday_is_no_missing_session(
    meseta: Call, site: TradeStationSite, clock: Clock, home: Path
) -> None:
    store = Store(home / "data")
    clock.set("2024-05-24T22:00:00+00:00")
    meseta(*FETCH)
    site.asked.clear()
    for moment in ("2024-05-26T22:00", "2024-05-27T22:00", "2024-05-28T19:59"):
        clock.set(f"{moment}+00:00")
        assert "nothing to ask for" in meseta(*FETCH).out
    assert site.asked == []
    clock.set("2024-05-28T20:31:00+00:00")
    assert re.search(r"extended +1 ", meseta(*FETCH).out)
    assert last(store) == "2024-05-28"
    assert "Missing          nothing" in meseta("data", "show", "SMH").out


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2024-06-05T12:00", "2024-06-04"),  # before the open
        ("2024-06-05T17:00", "2024-06-04"),  # in the session
        ("2024-06-05T20:31", "2024-06-05"),
        ("2024-07-03T17:31", "2024-07-03"),  # closes at one
        ("2024-07-04T22:00", "2024-07-03"),
    ],
)
def test_todays_bar_is_never_stored_before_it_is_finished(
    meseta: Call, site: TradeStationSite, clock: Clock, home: Path, moment: str, day: str
) -> None:
    clock.set(f"{moment}:00+00:00")
    known = daily("2024-01-02", moment[:10])
    site.vendor.series["SMH"] = known
    assert meseta(*FETCH).code == 0
    assert last(Store(home / "data")) == day
    # A vendor that takes its price of just now for a closed bar is not believed.
    site.vendor.series["SMH"] = [*daily("2024-01-02", day), bar(moment.replace("T", " "), 42.0)]
    assert meseta(*FETCH, "--store", home / "other").code == (0 if day < moment[:10] else 1)
    assert 42.0 not in closes(home / "other")


def closes(folder: Path) -> list[float]:
    store = Store(folder)
    meta = store.read(KEY)
    return store.frame(meta)["close"].to_list() if meta else []


# Splits --------------------------------------------------------------------------------------


def test_a_split_between_two_fetches_leaves_one_scale(
    meseta: Call, store: Store, site: TradeStationSite, clock: Clock, tmp_path: Path
) -> None:
    old = store.frame(store.read(KEY) or pytest.fail("nothing is stored"))
    site.vendor.series["SMH"] = split(site.vendor.series["SMH"], 0.1)
    # Nobody who asks nothing learns of it.
    assert meseta(*TEST, *OF).err == ""
    clock.set("2024-06-14T22:00:00+00:00")
    run = meseta(*RUN, "--name", "split")
    assert run.code == 0, run
    told = "tradestation SMH 1d split is not what was stored (2024-05-24: open was "
    [warning] = manifest(tmp_path / "runs" / "split")["data"]["warnings"]
    assert warning["code"] == "refetched"
    assert warning["message"].startswith(told)
    assert told in run.out
    new = store.frame(store.read(KEY) or pytest.fail("nothing is stored"))
    assert new.height == old.height + 5
    ratios = (new.head(old.height)["close"] / old["close"]).to_list()
    assert ratios == pytest.approx([0.1] * old.height, rel=0.01)
    steps = (new["close"] / new["close"].shift()).drop_nulls()
    assert 0.9 < min(steps) <= max(steps) < 1.1
    shown = meseta("data", "show", "SMH").out
    assert re.search(r"fetched again +2,127 +2016-01-04 +2024-06-14 +2024-05-24: open was", shown)
    site.asked.clear()
    assert meseta(*FETCH).code == 0
    assert site.asked == []


def test_a_split_of_which_not_all_can_be_fetched_is_said(
    meseta: Call, store: Store, site: TradeStationSite, clock: Clock
) -> None:
    """What is stored is on one scale still, though no longer the vendor's."""
    before = content(store)
    site.vendor.series["SMH"] = split(site.vendor.series["SMH"], 0.1)
    clock.set("2024-06-14T22:00:00+00:00")

    def fail_from_now_on() -> None:
        if len(site.asked_bars()) > 1:
            site.bars_script = [failed(503, "ServiceUnavailable", "down")]

    site.on_bars = fail_from_now_on
    made = meseta(*TEST, *OF)
    assert made.code == 0, made
    assert "gave no usable answer" in made.err
    assert "tradestation SMH 1d split is not what was stored (2024-05-24: open was" in made.err
    assert "the bars stored on 2024-06-07 are used" in made.err
    assert content(store) == before


# Damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["*.parquet", "meta.json"])
def test_a_damaged_store_is_said_set_aside_and_fetched_anew(
    meseta: Call, store: Store, site: TradeStationSite, tmp_path: Path, what: str
) -> None:
    before, folder = content(store), store.folder(KEY)
    [path] = folder.glob(what)
    if what == "meta.json":
        path.write_text(path.read_text().replace("XNYS", "XLON"))
    else:
        path.write_bytes(path.read_bytes()[:-100])
    run = meseta(*RUN, "--name", "damaged", "--no-report")
    assert run.code == 0, run
    told = f"{path} was {'edited' if what == 'meta.json' else 'cut off or edited'} since meseta"
    [warning] = manifest(tmp_path / "runs" / "damaged")["data"]["warnings"]
    assert warning["code"] == "store_damaged"
    assert told in warning["message"]
    assert told in run.out
    assert content(store) == before
    [aside] = (folder / "aside").iterdir()
    assert (aside / path.name).exists()
    assert told in (aside / "reason.txt").read_text()
    assert "set aside" in meseta("data", "show", "SMH").out


# Minutes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "end", "changed"),
    [("2024-03-07", "2024-03-12", "2024-03-11"), ("2023-11-02", "2023-11-07", "2023-11-06")],
)
def test_minutes_keep_new_york_s_hours_when_clocks_change(
    meseta: Call, site: TradeStationSite, home: Path, first: str, end: str, changed: str
) -> None:
    site.vendor.series["SMH"] = by_minute(first, end, 30)
    asked = ("--interval", "30m", "--start", first, "--end", end)
    assert meseta(*FETCH, *asked).code == 0
    request = Request(symbol="SMH", interval="30m", start=first, end=end, fetch=False)
    bars = obtain(request)
    assert bars.warnings == ()
    assert (bars.timezone, bars.stamp) == ("America/New_York", "close")
    times = pl.DataFrame({"time": bars.time}).group_by(
        pl.col("time").dt.date(), maintain_order=True
    )
    hours = {str(day[0]): rows["time"].dt.strftime("%H:%M").to_list() for day, rows in times}
    assert len(hours) == 4
    assert changed in hours
    day = [f"{10 + half // 2}:{30 * (half % 2):02}" for half in range(13)]
    assert list(hours.values()) == [day] * 4
    # Day by day it comes to the same.
    site.asked.clear()
    assert meseta(*FETCH, "--store", home / "other", "--interval", "30m", "--start", changed,
                  "--end", changed).code == 0  # fmt: skip
    assert meseta(*FETCH, "--store", home / "other", *asked).code == 0
    again = obtain(replace(request, store=home / "other"))
    assert again.fingerprint == bars.fingerprint


def test_an_hour_that_occurs_twice_is_not_told_to_import_what_was_fetched(
    meseta: Call, site: TradeStationSite
) -> None:
    """Of a market that trades on the night when clocks go back."""
    ends = [f"2023-11-05 {hour:02}:00" for hour in range(1, 12)]
    site.vendor.series["BTCUSD"] = [bar(end) for end in ends]
    night = ("--interval", "1h", "--start", "2023-11-05", "--end", "2023-11-05")
    assert meseta("data", "fetch", "BTCUSD", *OF, *night).code == 0
    made = meseta(*TEST[:4], "--symbol", "BTCUSD", *OF, *night)
    assert made.code == 1
    assert "the wall time 2023-11-05 01:00 occurs twice in America/New_York" in made.err
    assert "import" not in made.err


# Symbols -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "basis"),
    [
        ("@ES", "back-adjusted"),
        ("@ES=107XN", "unadjusted"),
        ("$SPX.X", "split"),
        ("BRK.B", "split"),
        ("SPXW 240621C5400", "split"),
        ("A/../B", "split"),
        ("CON", "split"),
        ("NUL.X", "split"),
        ("Ä[/B]%00{}", "split"),
    ],
)
def test_symbols_of_odd_characters_in_every_command(
    meseta: Call, site: TradeStationSite, home: Path, symbol: str, basis: str
) -> None:
    site.vendor.series[symbol] = daily("2022-01-03", "2024-06-07")
    made = meseta("data", "fetch", symbol, *OF)
    assert made.code == 0, made
    folders = [path.relative_to(home / "data") for path in (home / "data").rglob("*")]
    assert all(re.fullmatch(r"[A-Za-z0-9._+/-]+", path.as_posix()) for path in folders)
    [meta] = (home / "data").glob("tradestation/*/*/meta.json")
    assert json.loads(meta.read_text())["key"]["symbol"] == symbol
    listed = json.loads(meseta("data", "list", "--json").out)
    assert [(row["symbol"], row["basis"]) for row in listed] == [(symbol, basis)]
    for name in (symbol, f"tradestation/{symbol}", f"tradestation/{symbol}/1d"):
        assert meseta("data", "verify", name).out.endswith(": sound\n")
        assert f"tradestation {symbol} 1d" in meseta("data", "show", name).out
    for more in ((), (*OF, "--no-fetch")):
        made = meseta(*TEST[:4], "--symbol", symbol, *more)
        assert made.code == 0, made
    assert meseta("data", "remove", symbol, "--yes").code == 0
    assert json.loads(meseta("data", "list", "--json").out) == []
