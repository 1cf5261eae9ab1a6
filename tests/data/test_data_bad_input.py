"""What `meseta data` says to nonsense: the argument, the rule, the value and the way out."""

from __future__ import annotations

import io
import json
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from data.files import days, write
from data.series import MINUTES, meta, rows
from data.tradestation_site import TradeStationSite, keep, serving
from data.ways import daily
from meseta.cli._progress import watch
from meseta.data import SeriesKey, Store
from meseta.pipeline import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Call, Clock

FETCH = ("data", "fetch", "SMH", "--source", "tradestation")
TEST = ("backtest", "xbar", "--set", "xbar=20", "--symbol", "SMH")
SMH = SeriesKey("tradestation", "SMH", "1d", basis="split")


@pytest.fixture
def site(clock: Clock, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradeStationSite]:
    with serving(monkeypatch) as made:
        keep(home, made.signed_in(datetime(2030, 1, 1, tzinfo=UTC)))
        for symbol in ("SMH", "QQQ"):
            made.vendor.series[symbol] = daily("2022-01-03", "2024-06-07")
        yield made


@pytest.fixture
def store(site: TradeStationSite, home: Path, meseta: Call) -> Store:
    """The user's store, with SMH of TradeStation."""
    assert meseta(*FETCH).code == 0
    site.asked.clear()
    return Store(home / "data")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            ("--start", "yesterday"),
            "`start` must be a date such as 2024-05-31, .* got 'yesterday'",
        ),
        (("--start", "2024-02-30"), "`start` must be a date .* got '2024-02-30'"),
        (("--end", "2024-13-01"), "`end` must be a date"),
        (("--start", ""), "`start` must be a date .* got ''"),
        (
            ("--start", "0001-01-01"),
            "`start` must lie in the years 1900 to 2199, got '0001-01-01'",
        ),
        (("--end", "9999-12-31"), "`end` must lie in the years .* got '9999-12-31'; leave it out"),
        (("--start", "2024-05-31", "--end", "2024-05-30"), "`end` must come after `start`"),
        (("--kind", "ticks"), "`kind` must be one of bars, mark, .* got 'ticks'"),
        (("--kind", "mark"), "`kind` must be bars with TradeStation, got 'mark'"),
        (("--basis", "raw"), "`basis` must be one of unadjusted, .* got 'raw'"),
        (("--basis", "total-return"), "`basis` must be split for SMH"),
        (("--interval", "1x"), "`interval` must be minutes or hours .* got '1x'"),
        (("--interval", "0d"), "`interval` must be .* got '0d'"),
        (("--session", "../x"), "`session` must be letters and digits"),
        (("--calendar", "NYSEE"), "`calendar` must be a calendar of .* got 'NYSEE'; did you mean"),
        (("--store", "a-file"), "`store` must be a folder, got the file .*a-file; .* --store"),
        (("--source", "tradestatoin"), "`source` must be one of .*; did you mean tradestation"),
        (("--source", "store"), "`source` must be one of"),
        (("smh",), r"`symbol` must be .* in capitals, got 'smh' \(try 'SMH'\)"),
        (("",), "`symbol` must be a name without blanks, got ''"),
        (("S\nMH",), "`symbol` must have .* no control characters"),
    ],
)
def test_nonsense_is_said_once_and_nobody_is_asked(
    meseta: Call, site: TradeStationSite, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    (tmp_path / "a-file").write_text("in the way")
    made = meseta(*FETCH, "QQQ", *more)
    assert (made.code, made.out) == (2, ""), made
    [line] = made.err.splitlines()
    assert re.search(words, line), line
    assert site.asked == []


@pytest.mark.parametrize("start", ["2024-06-08", "2100-01-01"])
def test_nothing_finished_from_there_on(meseta: Call, site: TradeStationSite, start: str) -> None:
    made = meseta(*FETCH, "--start", start)
    assert made.code == 2
    assert f"nothing finished from {start} to before 2024-06-08; give an earlier" in made.err
    assert site.asked == []


def test_a_symbol_given_twice_is_fetched_once(meseta: Call, site: TradeStationSite) -> None:
    made = meseta(*FETCH, "SMH", "--kind", "bars", "--kind", "bars")
    assert made.code == 0
    assert made.out.count("SMH") == 1
    assert len(site.asked_bars()) == 1


@pytest.mark.parametrize("name", ["list", "verify", "show", "remove", "import", "backtest"])
def test_a_file_is_no_store(meseta: Call, tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").write_text("in the way")
    write(tmp_path / "SMH.csv", days(("2024-01-02", 1.0), ("2024-01-03", 2.0)))
    arguments: dict[str, tuple[Any, ...]] = {
        "show": ("data", "show", "SMH"),
        "remove": ("data", "remove", "SMH", "--yes"),
        "import": ("data", "import", tmp_path / "SMH.csv"),
        "backtest": TEST,
    }
    made = meseta(*arguments.get(name, ("data", name)), "--store", tmp_path / "a-file")
    assert (made.code, made.out) == (2, "")
    assert made.err.startswith("`store` must be a folder, got the file ")


def test_an_empty_store_is_said_to_be(meseta: Call, tmp_path: Path) -> None:
    for name in ("list", "verify"):
        made = meseta("data", name, "--store", tmp_path / "none")
        assert (made.code, made.out) == (0, f"Nothing is stored in {tmp_path / 'none'}.\n")
    for arguments in (("show", "SMH"), ("remove", "SMH", "--yes"), ("verify", "SMH")):
        made = meseta("data", *arguments, "--store", tmp_path / "none")
        assert (made.code, made.out) == (2, "")
        assert "no series SMH is stored in" in made.err
        assert "`meseta data list` shows what is" in made.err
    assert not (tmp_path / "none").exists()


def test_a_store_of_any_name(meseta: Call, site: TradeStationSite, tmp_path: Path) -> None:
    folder = tmp_path / "Märkte und mehr (alt)"
    assert meseta(*FETCH, "--store", folder).code == 0
    assert "tradestation  SMH" in meseta("data", "list", "--store", folder).out
    assert meseta("data", "verify", "--store", folder).code == 0
    site.asked.clear()
    assert meseta(*TEST, "--source", "tradestation", "--store", folder).code == 0
    assert site.asked == []


class TestWhatMayNotBeRead:
    """Folders stand for files that the system keeps back: the tests may run as root."""

    def test_a_file_of_rows(self, meseta: Call, store: Store, home: Path) -> None:
        store.save(meta(MINUTES), rows(MINUTES, [(0, 1), (1, 2)]))
        [part] = store.folder(SMH).glob("*.parquet")
        part.rename(home / "kept")
        part.mkdir()
        made = meseta("data", "verify", "--set-aside")
        assert made.code == 1
        assert "binance BTCUSDT 1m: sound" in made.out
        assert f"tradestation SMH 1d split: cannot read {part}: Is a directory; see to" in made.out
        # It may be sound.
        assert "Moved" not in made.out
        for arguments in (("data", "show", "SMH"), (*TEST, "--source", "tradestation"), FETCH):
            made = meseta(*arguments)
            assert made.code == 1
            assert f"cannot read {part}: Is a directory" in made.err
        assert meseta("data", "list").out.count("SMH") == 1
        part.rmdir()
        (home / "kept").rename(part)
        assert meseta("data", "verify").code == 0

    def test_what_is_known_of_a_series(self, meseta: Call, store: Store) -> None:
        store.save(meta(MINUTES), rows(MINUTES, [(0, 1), (1, 2)]))
        path = store.folder(SMH) / "meta.json"
        path.unlink()
        path.mkdir()
        made = meseta("data", "verify", "--set-aside")
        assert (made.code, made.out.count("sound")) == (1, 1)
        assert f"cannot read {path}" in made.out
        assert "Moved" not in made.out
        made = meseta("data", "list")
        assert "BTCUSDT" in made.out
        assert f"cannot read {path}" in made.err
        store.remove(MINUTES)
        assert meseta("data", "list").out.startswith("Nothing that can be read is stored in")
        made = meseta(*FETCH, "QQQ")
        assert made.code == 1
        assert f"tradestation SMH 1d split: cannot read {path}" in made.err
        assert "fetched" in made.out

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may all")
    @pytest.mark.parametrize("above", [0, 1, 2, 3])
    def test_a_folder(self, meseta: Call, store: Store, above: int) -> None:
        folder = [store.folder(SMH), *store.folder(SMH).parents][above]
        folder.chmod(0)
        try:
            for name in ("verify", "list"):
                made = meseta("data", name)
                assert f"cannot read {folder}" in made.out + made.err
            assert meseta("data", "verify").code == 1
            assert meseta(*TEST, "--source", "store").code == 1
        finally:
            folder.chmod(0o755)
        assert meseta("data", "verify").code == 0


def test_what_a_newer_meseta_wrote_is_left_where_it_is(meseta: Call, store: Store) -> None:
    path = store.folder(SMH) / "meta.json"
    text = json.dumps(json.loads(path.read_text()) | {"format": 2})
    path.write_text(text)
    made = meseta("data", "verify", "--set-aside")
    assert made.code == 1
    assert "written by a newer meseta" in made.out
    assert "Moved" not in made.out
    assert path.read_text() == text


class TestOneSymbolOfSeveralSources:
    @pytest.fixture
    def both(self, meseta: Call, store: Store, tmp_path: Path) -> Store:
        rows = [(f"2024-01-{day:02}", float(day)) for day in (2, 3, 4, 5, 8, 9)]
        write(tmp_path / "SMH.csv", days(*rows))
        assert meseta("data", "import", tmp_path / "SMH.csv", "--basis", "split").code == 0
        return store

    def test_it_has_to_be_said_which(self, meseta: Call, both: Store) -> None:
        for arguments in (("data", "show", "SMH"), ("data", "remove", "SMH", "--yes"), TEST):
            made = meseta(*arguments)
            assert (made.code, made.out) == (2, "")
            assert "files SMH 1d split, tradestation SMH 1d split" in made.err
            assert "--source" in made.err
        assert len(both.keys()) == 2

    def test_the_imported_one_is_called_files(
        self, meseta: Call, both: Store, site: TradeStationSite
    ) -> None:
        made = meseta(*TEST, "--source", "files")
        # Six bars are too few for a back-test, and the six are those of the file.
        assert "of 6 bars to trade" in made.err
        made = meseta(*TEST, "--source", "tradestation", "--no-fetch")
        assert made.code == 0
        assert site.asked == []
        made = meseta("data", "fetch", "SMH", "--source", "files")
        assert made.code == 2
        assert "`source` must be one of" in made.err

    def test_verify_means_both(self, meseta: Call, both: Store) -> None:
        assert meseta("data", "verify", "SMH").out.count(": sound") == 2
        assert meseta("data", "verify", "files/SMH").out == "files SMH 1d split: sound\n"


def test_an_import_names_what_is_wrong(meseta: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "SMH.csv", days(("2024-01-02", 1.0), ("2024-01-03", 2.0)))
    for more, words in (
        (("--symbol", ""), "`symbol` must be a name without blanks, got ''"),
        (("--interval", "7q"), "`interval` must be minutes or hours"),
        (("--timezone", "Mars/Olympus"), "`timezone` must be an IANA name"),
        (("--calendar", "XXXX"), "`calendar` must be a calendar of"),
    ):
        made = meseta("data", "import", path, *more)
        assert (made.code, made.out) == (2, ""), made
        assert words in made.err
    assert meseta("data", "list").out.startswith("Nothing is stored")


class TestAFaultAfterAnother:
    """What was done before a source failed is said with the failure."""

    def test_a_damaged_series_and_nobody_to_fetch_it_from(
        self, meseta: Call, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [part] = store.folder(SMH).glob("*.parquet")
        part.write_bytes(part.read_bytes()[:-5])
        monkeypatch.setenv("MESETA_TRADESTATION_URL", "http://127.0.0.1:1/v3")
        made = meseta(*TEST, "--source", "tradestation")
        assert made.code == 1
        assert "TradeStation (127.0.0.1) gave no usable answer" in made.err
        assert f"{part} was cut off or edited since meseta wrote it; it is kept in" in made.err
        # The way out of a damaged file is not offered where it was taken already.
        assert "--set-aside" not in made.err
        [aside] = (store.folder(SMH) / "aside").iterdir()
        assert (aside / part.name).exists()

    def test_bars_of_another_time_do_not_stand_in(
        self, meseta: Call, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock.set("2024-07-12T22:00:00+00:00")
        monkeypatch.setenv("MESETA_TRADESTATION_URL", "http://127.0.0.1:1/v3")
        made = meseta(*TEST, "--source", "tradestation", "--start", "2024-07-01")
        assert made.code == 1
        assert "gave no usable answer" in made.err
        assert "nothing of tradestation SMH 1d split is stored from 2024-07-01" in made.err
        assert "are used" not in made.err


def test_brackets_in_a_symbol_are_no_markup() -> None:
    shown = io.StringIO()
    with watch(Console(file=shown, force_terminal=True, width=80)) as display:
        display(Progress("fetch", 1, 2, {"what": "[/x]"}, "A[/B] 1d"))
    assert "A[/B] 1d" in shown.getvalue()


def test_tables_are_whole_in_pipes_and_narrow_terminals(
    meseta: Call, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = meseta("data", "list").out
    monkeypatch.setenv("COLUMNS", "60")
    assert meseta("data", "list").out == piped
    assert "tradestation  SMH" in piped
    assert "2022-01-03" in piped
    assert not [line for line in piped.splitlines() if line != line.rstrip()]


@pytest.mark.parametrize(
    "name",
    [
        *("fetch", "list", "show", "verify", "import", "remove", "login", "logout", "status"),
        *("check", "resample"),
    ],
)
def test_every_help_ends_with_examples(meseta: Call, name: str) -> None:
    made = meseta("data", name, "--help")
    assert made.code == 0
    assert f"meseta data {name}" in made.out.partition("Examples:")[2]
