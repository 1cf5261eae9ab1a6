"""`meseta data list`, `show`, `verify`, `remove` and `import`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from data.files import EPOCH, HOUR, KLINES, days, klines, write
from data.series import DAILY, MINUTES, TRADES, meta, rows
from meseta.cli import _data_import
from meseta.data import Entry, SeriesKey, Store
from meseta.data._find import Pick, find_series
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from pathlib import Path

    from data.conftest import Call, Clock

MARK = SeriesKey("binance", "BTCUSDT", "1h", kind="mark")
WEEK = [("2024-01-02", 1.0), ("2024-01-03", 2.0), ("2024-01-04", 3.0), ("2024-01-05", 4.0)]
WALL = "time,open,high,low,close\n2024-01-02 09:00,1,2,1,2\n2024-01-02 10:00,1,2,1,2\n"


@pytest.fixture
def store(home: Path, clock: Clock) -> Store:
    """Three series in the user's store."""
    made = Store(home / "data")
    entry = Entry(
        when="2024-06-07T22:00:00+00:00", action="fetched", asked=None,
        received=("2024-01-01T00:00:00+00:00", "2024-01-10T00:00:00+00:00"), rows=9,
        why="the first time",
    )  # fmt: skip
    known = meta(
        DAILY, vendor={"currency": "USD"}, log=(entry,), notes=("no dividends before 2010",)
    )
    chosen = [(at, 9.0 if at == 5 else 1.0) for at in range(10) if at != 7]
    made.save(known, rows(DAILY, chosen, adj_close=1.0))
    made.save(meta(MINUTES), rows(MINUTES, [(0, 1), (1, 2)]))
    made.save(meta(TRADES), rows(TRADES, [(0, 1), (1, 2)]))
    return made


def test_list_has_a_row_for_each_series(meseta: Call, store: Store) -> None:
    made = meseta("data", "list")
    assert made.code == 0
    lines = [line.split() for line in made.out.splitlines() if line]
    assert [line[:5] for line in lines[1:]] == [
        ["binance", "APEUSDT", "event", "trades", "unadjusted"],
        ["binance", "BTCUSDT", "1m", "bars", "unadjusted"],
        ["yahoo", "SMH", "1d", "bars", "split"],
    ]
    assert lines[3][5:8] == ["2024-01-01", "2024-01-10", "9"]
    assert lines[2][5:7] == ["2024-01-01", "00:00"]


def test_list_as_json(meseta: Call, store: Store) -> None:
    found = json.loads(meseta("data", "list", "--json").out)
    assert [(row["source"], row["symbol"], row["rows"]) for row in found] == [
        ("binance", "APEUSDT", 2), ("binance", "BTCUSDT", 2), ("yahoo", "SMH", 9),
    ]  # fmt: skip
    assert found[2]["last"] == "2024-01-10T00:00:00+00:00"
    assert found[2]["folder"] == str(store.folder(DAILY))
    files = [path for path in store.folder(DAILY).iterdir() if path.is_file()]
    assert found[2]["bytes"] == sum(path.stat().st_size for path in files)


def test_list_of_nothing_and_of_another_folder(meseta: Call, store: Store, tmp_path: Path) -> None:
    made = meseta("data", "list", "--store", tmp_path / "other")
    assert (made.code, made.out) == (0, f"Nothing is stored in {tmp_path / 'other'}.\n")
    assert meseta("data", "list", "--store", tmp_path / "other", "--json").out == "[]\n"


def test_list_says_what_cannot_be_read(meseta: Call, store: Store) -> None:
    (store.folder(MINUTES) / "meta.json").write_text("{")
    made = meseta("data", "list")
    assert "BTCUSDT" not in made.out
    assert "meta.json was cut off" in made.err
    assert "meseta data verify --set-aside" in made.err


def test_show_tells_all_that_is_known(meseta: Call, store: Store) -> None:
    made = meseta("data", "show", "SMH")
    assert made.code == 0
    for text in (
        "Series           yahoo SMH 1d split", "adjusted for splits", "2024-01-01 to 2024-01-10",
        "1 session: 2024-01-08", "24/7", "adj_close", "currency", "USD", "fetched",
        "the first time", "- no dividends before 2010", "Suspicious", "+800.0 %",
    ):  # fmt: skip
        assert text in made.out
    assert meseta("data", "show", "yahoo/SMH").out == made.out
    assert meseta("data", "show", "yahoo/SMH/1d").out == made.out


def test_show_knows_events(meseta: Call, store: Store) -> None:
    made = meseta("data", "show", "APEUSDT")
    assert made.code == 0
    assert "2024-01-01 00:00 to 2024-01-02 07:00 UTC" in made.out
    assert "Suspicious" not in made.out


def test_show_of_a_damaged_series_says_so(meseta: Call, store: Store) -> None:
    next(store.folder(DAILY).glob("*.parquet")).write_bytes(b"PAR1")
    made = meseta("data", "show", "SMH")
    assert made.code == 1
    assert "was cut off or edited" in made.err


def test_a_name_may_mean_several(meseta: Call, store: Store) -> None:
    store.save(meta(MARK), rows(MARK, [(0, 1), (1, 2)]))
    made = meseta("data", "show", "BTCUSDT")
    assert made.code == 2
    assert "binance BTCUSDT 1h mark, binance BTCUSDT 1m" in made.err
    assert "Series           binance BTCUSDT 1h mark" in (
        meseta("data", "show", "BTCUSDT", "--kind", "mark").out
    )
    assert meseta("data", "show", "BTCUSDT", "--interval", "60m").code == 0
    assert meseta("data", "show", "BTCUSDT", "--source", "binance").code == 2
    made = meseta("data", "show", "BTCUSDT", "--basis", "split")
    assert made.code == 2
    assert "; there are binance BTCUSDT 1h mark, binance BTCUSDT 1m" in made.err


def test_a_name_that_is_not_stored(store: Store) -> None:
    with pytest.raises(ArgumentError, match=r"no series SMM is stored in .*; did you mean SMH\?"):
        find_series(store, Pick(name="SMM"))


def test_a_symbol_with_a_slash_is_found(store: Store) -> None:
    key = SeriesKey("yahoo", "BRK/B", "1d")
    store.save(meta(key), rows(key, [(0, 1)]))
    for name in ("BRK/B", "yahoo/BRK/B", "yahoo/BRK/B/1d"):
        assert find_series(store, Pick(name=name)) == key


def test_verify_of_sound_series(meseta: Call, store: Store) -> None:
    made = meseta("data", "verify")
    assert made.code == 0
    assert made.out.count(": sound") == 3
    assert meseta("data", "verify", "SMH").out == "yahoo SMH 1d split: sound\n"


def test_verify_finds_damage_and_sets_it_aside(meseta: Call, store: Store) -> None:
    part = next(store.folder(DAILY).glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    (store.folder(MINUTES) / "meta.json").write_text("{")
    made = meseta("data", "verify")
    assert made.code == 1
    assert f"{part} was cut off or edited" in made.out
    [line] = [line for line in made.out.splitlines() if line.startswith("yahoo SMH")]
    assert line.count("--set-aside") == 1
    assert "meta.json was cut off" in made.out
    assert "binance APEUSDT event trades: sound" in made.out
    assert meseta("data", "verify", "APEUSDT").code == 0
    made = meseta("data", "verify", "--set-aside")
    assert made.code == 1
    assert made.out.count("Moved to ") == 2
    assert [key.symbol for key in store.keys()] == ["APEUSDT"]  # noqa: SIM118
    assert (store.folder(DAILY) / "aside" / "2024-06-07T220000Z" / part.name).exists()
    assert meseta("data", "verify").code == 0


def test_remove_asks_first(meseta: Call, store: Store) -> None:
    for answer in (None, "n\n"):
        made = meseta("data", "remove", "SMH", stdin=answer)
        assert made.code == 1
        assert "Delete yahoo SMH 1d split (9 rows)" in made.out
    assert store.read(DAILY) is not None
    assert meseta("data", "remove", "SMH", stdin="y\n").code == 0
    assert store.read(DAILY) is None
    made = meseta("data", "remove", "BTCUSDT", "--yes")
    assert (made.code, made.out) == (0, "Deleted binance BTCUSDT 1m.\n")
    assert len(store.keys()) == 1


def test_import_says_what_became_of_each_file(meseta: Call, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(folder / "SMH.csv", days(*WEEK[:2]))
    write(folder / "SMH_2024.csv", days(*WEEK))
    write(folder / "broken.csv", "what,is,this\n1,2,3\n")
    write(folder / "SPY_1h.csv", WALL)
    made = meseta("data", "import", folder, "--basis", "split", "--store", tmp_path / "s")
    assert made.code == 1
    lines = [line.split() for line in made.out.splitlines()]
    assert ["SMH.csv", "imported", "SMH", "1d", "bars", "2", "2"] in [line[:7] for line in lines]
    assert ["SMH_2024.csv", "extended", "SMH", "1d", "bars", "2", "4"] in [
        line[:7] for line in lines
    ]
    assert f"Failed: {folder / 'broken.csv'}: no column for time" in made.out
    assert f"Failed: {folder / 'SPY_1h.csv'} does not say" in made.out
    assert "2 of 4 files failed." in made.out
    assert [key.basis for key in Store(tmp_path / "s").keys()] == ["split"]  # noqa: SIM118


def test_import_of_one_file_ends_as_its_error_says(meseta: Call, tmp_path: Path) -> None:
    made = meseta("data", "import", write(tmp_path / "SPY_1h.csv", WALL))
    assert made.code == 2
    assert "--timezone" in made.err
    made = meseta("data", "import", tmp_path / "none.csv")
    assert made.code == 1
    assert "cannot read" in made.err


def test_import_takes_several_files_and_all_options(
    meseta: Call, tmp_path: Path, home: Path
) -> None:
    first = write(tmp_path / "a.csv", KLINES + klines(3, price=-1))
    second = write(tmp_path / "b.csv", KLINES + klines(3, start=EPOCH + 3 * HOUR, price=-1))
    made = meseta(
        "data", "import", first, second, "--symbol", "X", "--interval", "60m", "--kind", "premium",
        "--timezone", "Asia/Tokyo", "--stamp", "close", "--calendar", "24/7", "--replace",
    )  # fmt: skip
    assert made.code == 0, made
    store = Store(home / "data")
    (key,) = store.keys()
    assert key == SeriesKey("files", "X", "1h", "premium", "unknown")
    found = store.read(key)
    assert found is not None
    assert (found.rows, found.timezone, found.stamp) == (6, "Asia/Tokyo", "close")


def test_import_asks_on_a_terminal(
    meseta: Call, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_data_import, "_terminal", lambda: True)
    paths = [write(tmp_path / f"{name}_1h.csv", WALL) for name in ("A", "B")]
    answers = "New York\nAmerica/New_York\nend\nclose\n"
    made = meseta("data", "import", *paths, stdin=answers)
    assert made.code == 0, made
    assert "Time zone of its times" in made.err
    assert "give an IANA name" in made.err
    assert "give open or close" in made.err
    store = Store(home / "data")
    found = [store.read(key) for key in store.keys()]  # noqa: SIM118
    assert [(meta.timezone, meta.stamp) for meta in found if meta] == [
        ("America/New_York", "close")
    ] * 2


@pytest.mark.parametrize("command", ["list", "show", "verify", "remove", "import"])
def test_every_command_has_help_with_examples(meseta: Call, command: str) -> None:
    made = meseta("data", command, "--help")
    assert made.code == 0
    assert f"meseta data {command}" in made.out
    assert "Examples:" in made.out
    assert "--store" in made.out
