"""Files of series that are stored already, and folders of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.files import AGG, DAILY, EPOCH, EXPORT, HOUR, KLINES, bring, days, klines, write
from data.series import MINUTES, rows, values
from meseta.data import DamagedError, Meta, SeriesKey, Store
from meseta.data._agree import new_rows
from meseta.data._file import ImportOptions
from meseta.data._file_name import kind_of, symbol_of
from meseta.data._import import files_in, import_files, import_folder
from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from data.conftest import Clock

SMH = SeriesKey("files", "SMH", "1d", basis="unknown")
WEEK = [("2024-01-02", 1.0), ("2024-01-03", 2.0), ("2024-01-04", 3.0), ("2024-01-05", 4.0)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def known(store: Store) -> Meta:
    found = store.read(SMH)
    assert found is not None
    return found


def closes(store: Store) -> list[float]:
    return store.frame(known(store))["close"].to_list()


def test_the_same_file_again_changes_nothing(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "SMH.csv", days(*WEEK))
    first = bring(store, path)
    again = bring(store, path)
    assert (again.result, again.rows, again.meta) == ("unchanged", 0, first.meta)
    assert known(store) == first.meta
    part = write(tmp_path / "part" / "SMH.csv", days(*WEEK[1:3]))
    assert bring(store, part).result == "unchanged"


def test_a_newer_export_that_agrees_extends(tmp_path: Path, store: Store, clock: Clock) -> None:
    bring(store, write(tmp_path / "SMH.csv", days(*WEEK[:2])))
    made = bring(store, write(tmp_path / "new" / "SMH.csv", days(*WEEK)))
    assert (made.result, made.rows) == ("extended", 2)
    assert closes(store) == [1, 2, 3, 4]
    assert [entry.action for entry in known(store).log] == ["imported", "extended"]
    entry = known(store).log[-1]
    assert (entry.rows, entry.why) == (2, "SMH.csv")
    assert entry.received == ("2024-01-04T00:00:00+00:00", "2024-01-05T00:00:00+00:00")


def test_files_come_in_any_order(tmp_path: Path, store: Store) -> None:
    for at, part in enumerate((WEEK[2:3], WEEK[:1], WEEK[3:], WEEK[1:2])):
        path = write(tmp_path / str(at) / "SMH.csv", days(*part))
        bring(store, path, interval="1d")
    assert closes(store) == [1, 2, 3, 4]
    assert store.verify(SMH) == ()


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([*WEEK[:2], ("2024-01-04", 9.0), *WEEK[3:]], "at 2024-01-04 open is 3.0 in the store"),
        ([*WEEK[:2], *WEEK[3:]], "the row of 2024-01-04 is stored and did not come"),
    ],
)
def test_an_export_that_differs_is_refused(
    tmp_path: Path, store: Store, rows: list[tuple[str, float]], what: str
) -> None:
    bring(store, write(tmp_path / "SMH.csv", days(*WEEK)))
    before = known(store)
    with pytest.raises(DataError, match=what):
        bring(store, write(tmp_path / "new" / "SMH.csv", days(*rows)))
    assert known(store) == before


def test_a_row_between_stored_ones_is_refused(tmp_path: Path, store: Store) -> None:
    bring(store, write(tmp_path / "SMH.csv", days(*WEEK[:1], *WEEK[2:])))
    with pytest.raises(
        DataError, match=r"new.SMH.csv: .* a row of 2024-01-03 came .*--symbol.*--replace"
    ):
        bring(store, write(tmp_path / "new" / "SMH.csv", days(*WEEK)))


def test_another_adjusted_close_is_a_difference(tmp_path: Path, store: Store) -> None:
    row = "2024-01-0{day},1,2,1,2,{adjusted},100,0\n"
    text = DAILY + "".join(row.format(day=day, adjusted=2) for day in (2, 3, 4))
    bring(store, write(tmp_path / "SMH.csv", text))
    text = DAILY + "".join(row.format(day=day, adjusted=1.9) for day in (2, 3, 4, 5))
    with pytest.raises(
        DataError, match=r"2024-01-02 adj_close is 2.0 in the store and 1.9 now \(and 2 more\)"
    ):
        bring(store, write(tmp_path / "new" / "SMH.csv", text))


def test_replacing_keeps_a_copy_of_what_was_stored(
    tmp_path: Path, store: Store, clock: Clock
) -> None:
    bring(store, write(tmp_path / "SMH.csv", days(*WEEK)))
    halved = [(day, price / 2) for day, price in WEEK]
    made = bring(store, write(tmp_path / "new" / "SMH.csv", days(*halved)), replace=True)
    assert made.result == "imported"
    assert closes(store) == [0.5, 1, 1.5, 2]
    aside = store.folder(SMH) / "aside" / "2024-06-07T220000Z"
    assert "replaced by" in (aside / "reason.txt").read_text()
    assert len(list(aside.iterdir())) == 3


def test_replacing_mends_a_damaged_series(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "SMH.csv", days(*WEEK))
    bring(store, path)
    (store.folder(SMH) / "meta.json").write_text("{}")
    with pytest.raises(DamagedError):
        bring(store, path)
    assert bring(store, path, replace=True).result == "imported"
    assert closes(store) == [1, 2, 3, 4]


def test_several_files_replace_a_series_together(tmp_path: Path, store: Store) -> None:
    first = write(tmp_path / "in" / "SMH_2023.csv", days(("2023-12-28", 1.0), ("2023-12-29", 1.0)))
    second = write(tmp_path / "in" / "SMH_2024.csv", days(*WEEK))
    bring(store, write(tmp_path / "SMH.csv", days(("2023-12-29", 7.0), *WEEK)))
    options = ImportOptions(replace=True)
    made = import_files([first, second], store, options)
    assert [result.result for result in made] == ["imported", "extended"]
    assert closes(store) == [1, 1, 1, 2, 3, 4]


def test_the_other_end_of_a_bar_is_refused(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "BTCUSDT-1h.csv", KLINES + klines(3))
    bring(store, path)
    with pytest.raises(DataError, match=r"times that mark the open of a bar.* mark the close"):
        bring(store, path, stamp="close")


def test_bars_stay_in_the_zone_that_they_were_imported_for(tmp_path: Path, store: Store) -> None:
    bring(store, write(tmp_path / "BTCUSDT-1h.csv", KLINES + klines(3)))
    more = write(tmp_path / "BTCUSDT-1h-2024.csv", KLINES + klines(3, start=EPOCH + 3 * HOUR))
    made = bring(store, more, timezone="America/New_York")
    assert made.meta is not None
    assert made.meta.timezone == "UTC"
    assert made.notes == ("its bars are used in UTC, as before; --replace changes that",)


def test_a_series_that_meets_a_clock_change_later_is_used_in_utc(
    tmp_path: Path, store: Store
) -> None:
    start = 1_699_142_400_000  # 2023-11-05, the day on which New York's clocks go back
    first = write(tmp_path / "BTCUSDT-1h.csv", KLINES + klines(4, start=start))
    made = bring(store, first, timezone="America/New_York")
    assert made.meta is not None
    assert made.meta.timezone == "America/New_York"
    more = write(tmp_path / "BTCUSDT-1h-2024.csv", KLINES + klines(9, start=start))
    made = bring(store, more, timezone="America/New_York")
    assert made.meta is not None
    assert made.meta.timezone == "UTC"


def test_trades_extend_by_their_numbers(tmp_path: Path, store: Store) -> None:
    row = "{at},1.5,2,{at},{at},{ts},true\n"
    lines = [row.format(at=at, ts=EPOCH + at // 2 * 1000) for at in range(10)]
    bring(store, write(tmp_path / "A-aggTrades-1.csv", AGG + "".join(lines[:4])), symbol="A")
    made = bring(store, write(tmp_path / "A-aggTrades-2.csv", AGG + "".join(lines)), symbol="A")
    assert (made.result, made.rows) == ("extended", 6)
    wrong = [lines[0], row.format(at=1, ts=EPOCH).replace("1.5", "1.6")]
    with pytest.raises(DataError, match=r"at number 1 price is 1.5 in the store and 1.6 now"):
        bring(store, write(tmp_path / "A-aggTrades-3.csv", AGG + "".join(wrong)), symbol="A")


def test_a_folder_is_imported_whatever_one_file_does(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "in"
    write(folder / "SMH.csv", days(*WEEK))
    write(folder / "deep" / "KC_60min.txt.gz", EXPORT + "06/07/2024,10:30,1,2,1,2,1,2\n" * 2)
    write(folder / "deep" / "QQQ.csv", days(*WEEK))
    write(folder / ".hidden" / "X.csv", days(*WEEK))
    write(folder / "README.md", "prices")
    told: list[str] = []
    made = import_folder(folder, store, tell=lambda step: told.append(f"{step.what} {step.done}"))
    assert [(result.path.name, result.result) for result in made] == [
        ("SMH.csv", "imported"), ("KC_60min.txt.gz", "failed"), ("QQQ.csv", "imported"),
    ]  # fmt: skip
    assert "occurs twice" in str(made[1].error)
    assert told == ["SMH.csv 0", "KC_60min.txt.gz 1", "QQQ.csv 2"]
    assert [key.symbol for key in store.keys()] == ["QQQ", "SMH"]  # noqa: SIM118


def test_a_folder_without_data_is_said(tmp_path: Path) -> None:
    write(tmp_path / "in" / "README.md", "prices")
    with pytest.raises(DataError, match=r"in has no data files \(.csv"):
        files_in(tmp_path / "in")


def test_an_answer_holds_for_the_files_that_follow(tmp_path: Path, store: Store) -> None:
    text = "time,open,high,low,close\n2024-01-02 09:00,1,2,1,2\n2024-01-02 10:00,1,2,1,2\n"
    paths = [write(tmp_path / f"{name}_1h.csv", text) for name in ("A", "B")]
    asked: list[tuple[str, ...]] = []

    def ask(error: object, options: ImportOptions) -> ImportOptions:
        asked.append(error.missing)  # type: ignore[attr-defined]
        return ImportOptions(timezone="America/New_York", stamp="open")

    made = import_files(paths, store, ask=ask)
    assert [result.result for result in made] == ["imported"] * 2
    assert asked == [("timezone", "stamp")]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("KC_60min.txt.gz", "KC"), ("KC_daily.txt.gz", "KC"), ("TQQQ_135min.txt", "TQQQ"),
        ("BTCUSDT-1h-2024-10-28.csv", "BTCUSDT"), ("NEARUSDT-1m-2025-06.csv.gz", "NEARUSDT"),
        ("BTCUSDT_perp_5m.csv.gz", "BTCUSDT"), ("BTCUSDT_perp_5m_2026-01.csv.gz", "BTCUSDT"),
        ("BTCUSDT_perp_mark_8h_2025.csv", "BTCUSDT"), ("BTCUSDT_perp_funding_8h.csv", "BTCUSDT"),
        ("APEUSDT-aggTrades-2024-10-18.csv.gz", "APEUSDT"), ("SMH.csv.gz", "SMH"), ("SMH", "SMH"),
        ("BTCUSDT-fundingRate-2024-05.csv", "BTCUSDT"), ("SPY_2010-01-01_2020-12-31.csv", "SPY"),
        ("BRK-B.csv", "BRK-B"), ("BRK.B_5min.csv", "BRK.B"), ("@ES.D_135min.txt", "@ES.D"),
        ("$SPX.X daily.txt", "$SPX.X"), ("SPY 5 min.txt", "SPY"), ("ES 03-25_5m.txt", "ES 03-25"),
        ("CL_M25_1h.csv", "CL_M25"), ("SMH (1).csv", "SMH"), ("7203.T.csv", "7203.T"),
        ("BTC_USDT_spot_1h.csv", "BTC_USDT_spot"), ("5m.csv", "5m"), ("2024.parquet", "2024"),
        ("spot/BTCUSDT-1h-2024-10-28.csv", "BTCUSDT_spot"), ("GOLD_hourly.CSV", "GOLD"),
    ],
)  # fmt: skip
def test_symbols_are_read_from_names(tmp_path: Path, name: str, symbol: str) -> None:
    assert symbol_of(tmp_path / name) == symbol


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("BTCUSDT_perp_mark_1h.csv", "mark"), ("MARK.csv", "mark"), ("DENMARK_daily.csv", "bars"),
        ("BTCUSDT-markPriceKlines-1h.csv", "mark"), ("BTCUSDT_indexPriceKlines.csv", "index"),
        ("BTCUSDT-premiumIndexKlines-1h.csv.gz", "premium"), ("SPX_index.csv", "bars"),
    ],
)  # fmt: skip
def test_kinds_are_read_from_names(tmp_path: Path, name: str, kind: str) -> None:
    assert kind_of(tmp_path / name) == kind


ROWS = st.dictionaries(st.integers(0, 12), st.integers(1, 2), max_size=8)


@given(stored=ROWS, coming=ROWS)
def test_new_rows_are_those_around_what_both_have(
    stored: dict[int, int], coming: dict[int, int]
) -> None:
    frames = [rows(MINUTES, sorted(side.items())) for side in (stored, coming)]
    new, difference = new_rows(MINUTES, *frames)
    inside = [at for at in stored if coming and min(coming) <= at <= max(coming)]
    common = range(min(inside), max(inside) + 1) if inside else range(0)
    agree = all(stored.get(at) == coming.get(at) for at in common)
    assert (difference == "") == agree
    expected = {at: value for at, value in coming.items() if at not in common}
    assert list(values(MINUTES, new).values()) == [expected[at] for at in sorted(expected)]
