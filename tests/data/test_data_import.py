"""Files of every layout into the store."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data.files import AGG, DAILY, EXPORT, KLINES, bring, days, key_of, klines, write
from meseta.bars import load, resample, save
from meseta.data import SeriesKey, Store
from meseta.data._to_bars import to_bars
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from data.conftest import Clock

NEW_YORK = "America/New_York"
PAYMENTS = "1704067200006,8,0.0001\n1704096000009,8,-6.461e-05\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_an_export_of_tradestation_is_stamped_at_the_close_in_new_york(
    tmp_path: Path, store: Store
) -> None:
    text = EXPORT + "".join(
        f"06/07/2024,{time},1,2,1,2,10,20\r\n" for time in ("10:30", "11:30", "12:30")
    )
    made = bring(store, write(tmp_path / "KC_60min.txt.gz", text))
    assert key_of(made) == SeriesKey("files", "KC", "1h", basis="unknown")
    assert made.meta is not None
    assert (made.result, made.rows, made.meta.stamp) == ("imported", 3, "close")
    assert made.meta.timezone == NEW_YORK
    assert made.meta.first == datetime(2024, 6, 7, 14, 30, tzinfo=UTC)
    assert "taken to be those of America/New_York" in made.notes[0]
    frame = store.frame(made.meta)
    assert frame["volume"].to_list() == [30] * 3
    assert frame["up"].to_list() == [10] * 3
    assert frame["ts_open"].null_count() == 3
    path = tmp_path / "KC_60min.txt.gz"
    assert to_bars(made.meta, frame).fingerprint == load(path).fingerprint


def test_a_zone_that_is_said_is_not_noted(tmp_path: Path, store: Store) -> None:
    text = EXPORT + "06/07/2024,08:30,1,2,1,2,1,2\n06/07/2024,09:30,1,2,1,2,1,2\n"
    path = write(tmp_path / "@ES_60min.txt", text)
    made = bring(store, path, timezone="America/Chicago")
    assert made.notes == ()
    assert key_of(made).symbol == "@ES"
    assert made.meta is not None
    assert made.meta.first == datetime(2024, 6, 7, 13, 30, tzinfo=UTC)


def test_daily_bars_of_tradestation_keep_when_they_closed(tmp_path: Path, store: Store) -> None:
    head = '"Date","Time","Open","High","Low","Close","Vol","OI"\n'
    rows = "02/20/2020,13:30,1,2,1,2,5,6\n02/21/2020,13:30,1,2,1,2,5,6\n"
    made = bring(store, write(tmp_path / "KC_daily.txt", head + rows))
    assert made.meta is not None
    frame = store.frame(made.meta)
    assert key_of(made).size == "1d"
    assert frame["session_date"].to_list() == [date(2020, 2, 20), date(2020, 2, 21)]
    assert frame["ts_close"][0] == datetime(2020, 2, 20, 18, 30, tzinfo=UTC)
    assert frame["oi"].to_list() == [6, 6]


def test_daily_bars_with_bare_dates_need_nothing(tmp_path: Path, store: Store) -> None:
    text = DAILY + "2024-01-03,1,2,1,2,1.5,100,0.0\n2024-01-02,1,2,1,2,1.6,100,0.0\n"
    lines = text.splitlines(keepends=True)
    path = write(tmp_path / "SMH.csv.gz", "".join([lines[0], lines[2], lines[1]]))
    made = bring(store, path)
    assert made.meta is not None
    assert made.notes == ()
    assert key_of(made) == SeriesKey("files", "SMH", "1d", basis="unknown")
    frame = store.frame(made.meta)
    assert frame["session_date"].to_list() == [date(2024, 1, 2), date(2024, 1, 3)]
    assert frame["adj_close"].to_list() == [1.6, 1.5]
    assert frame["ts_close"].null_count() == 2
    assert key_of(bring(store, path, basis="split")).basis == "split"


@pytest.mark.parametrize("head", [KLINES, ""], ids=["header", "no header"])
def test_klines_are_stamped_at_the_open_in_utc(tmp_path: Path, store: Store, head: str) -> None:
    made = bring(store, write(tmp_path / "BTCUSDT-1h-2024-01-01.csv", head + klines(3)))
    assert made.meta is not None
    assert key_of(made) == SeriesKey("files", "BTCUSDT", "1h", basis="unknown")
    facts = (made.meta.timezone, made.meta.stamp, made.meta.calendar, made.notes)
    assert facts == ("UTC", "open", "24/7", ())
    frame = store.frame(made.meta)
    assert frame["ts_open"][0] == datetime(2024, 1, 1, tzinfo=UTC)
    assert frame["ts_close"][0] == datetime(2024, 1, 1, 1, tzinfo=UTC)
    assert frame.columns[7:] == [
        "quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume",
    ]  # fmt: skip


def test_mark_prices_have_no_volume(tmp_path: Path, store: Store) -> None:
    text = KLINES + klines(3, volume="0")
    by_name = bring(store, write(tmp_path / "BTCUSDT_perp_mark_1h.csv", text))
    assert key_of(by_name).kind == "mark"
    made = bring(store, write(tmp_path / "ETHUSDT-1h-2024-01.csv", text), kind="mark")
    assert key_of(made) == SeriesKey("files", "ETHUSDT", "1h", "mark", "unknown")
    assert made.meta is not None
    frame = store.frame(made.meta)
    assert len(frame.columns) == 7
    assert frame["volume"].null_count() == 3


def test_a_premium_may_be_negative(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "BTCUSDT-1h.csv", KLINES + klines(3, price=-0.001))
    assert bring(store, path, kind="premium").rows == 3
    with pytest.raises(DataError, match="not positive"):
        bring(store, path)
    assert bring(store, path, allow_nonpositive=True).rows == 3


@pytest.mark.parametrize(
    "text",
    [
        AGG + "7,1.5,19.0,70,71,1704067200958,false\n8,1.5,2,72,72,1704067201056,true\n",
        "7,1.5,19.0,70,71,1704067200958,False,True\n8,1.5,2,72,72,1704067201056,True,True\n",
    ],
    ids=["futures", "spot"],
)
def test_aggregated_trades(tmp_path: Path, store: Store, text: str) -> None:
    made = bring(store, write(tmp_path / "APEUSDT-aggTrades-2024-01-01.csv.gz", text))
    assert key_of(made) == SeriesKey("files", "APEUSDT", "event", kind="trades")
    assert made.meta is not None
    frame = store.frame(made.meta)
    assert frame["id"].to_list() == [7, 8]
    assert frame["buyer_maker"].to_list() == [False, True]
    assert frame["ts"][0] == datetime(2024, 1, 1, 0, 0, 0, 958000, tzinfo=UTC)
    assert frame.columns[7:] == (["best_match"] if "False" in text else [])


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("funding_time,funding_rate\n1704067200006,0.0001\n1704096000009,-6.461e-05\n", None),
        (f"calc_time,funding_interval_hours,last_funding_rate\n{PAYMENTS}", 8),
        (PAYMENTS, 8),
    ],
    ids=["rates", "archive", "no header"],
)
def test_funding(tmp_path: Path, store: Store, text: str, hours: float | None) -> None:
    made = bring(store, write(tmp_path / "BTCUSDT-fundingRate-2024-01.csv", text))
    assert key_of(made) == SeriesKey("files", "BTCUSDT", "event", kind="funding")
    assert made.meta is not None
    frame = store.frame(made.meta)
    assert frame["rate"].to_list() == [0.0001, -6.461e-05]
    assert frame["interval_hours"].to_list() == [hours, hours]
    assert frame["ts"][0] == datetime(2024, 1, 1, 0, 0, 0, 6000, tzinfo=UTC)


def test_a_bad_cell_of_an_event_is_named(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "A-aggTrades.csv", AGG + "7,1.5,x,70,71,1704067200958,false\n")
    with pytest.raises(DataError, match=r"A-aggTrades.csv: row 2: quantity is 'x'"):
        bring(store, path)
    path = write(tmp_path / "A-aggTrades.csv", AGG + "7,1.5,1,70,71,1704067200958,perhaps\n")
    with pytest.raises(DataError, match="row 2: is_buyer_maker is 'perhaps'"):
        bring(store, path)
    path = write(tmp_path / "A-aggTrades.csv", AGG + "7,1.5,1,70,71,noon,false\n")
    with pytest.raises(DataError, match="row 2: the time 'noon' cannot be read"):
        bring(store, path)


def test_events_are_of_their_own_kind_alone(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "A.csv", "funding_time,funding_rate\n1704067200006,0.0001\n")
    with pytest.raises(ArgumentError, match="`--kind` must be funding"):
        bring(store, path, kind="mark")
    bars = write(
        tmp_path / "B.csv", DAILY + "2024-01-02,1,2,1,2,1,1,0\n2024-01-03,1,2,1,2,1,1,0\n"
    )
    with pytest.raises(ArgumentError, match="`--kind` must be that of bars"):
        bring(store, bars, kind="funding")


def test_bars_saved_by_meseta_need_nothing(tmp_path: Path, store: Store) -> None:
    text = EXPORT + "".join(
        f"06/{day:02}/2024,{hour:02}:00,1,2,1,2,1,2\n"
        for day in (3, 4, 5)
        for hour in range(10, 17)
    )
    made_of = resample(load(write(tmp_path / "X.txt", text)), "2h")
    save(made_of, tmp_path / "X_2h.parquet")
    made = bring(store, tmp_path / "X_2h.parquet")
    assert made.notes == ()
    assert made.meta is not None
    again = to_bars(made.meta, store.frame(made.meta))
    assert again.fingerprint == made_of.fingerprint
    assert again.stubs is not None
    assert made_of.stubs is not None
    assert again.stubs.tolist() == made_of.stubs.tolist()


def test_a_single_bar_asks_for_its_length(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "BTCUSDT-1h.csv", KLINES + klines(1))
    with pytest.raises(DataError, match=r"one bar alone .*--interval"):
        bring(store, path)
    assert key_of(bring(store, path, interval="60m")).size == "1h"


def test_bars_that_may_be_open_are_left_out(tmp_path: Path, store: Store, clock: Clock) -> None:
    clock.set("2024-01-01T05:20:00+00:00")
    made = bring(store, write(tmp_path / "BTCUSDT-1h.csv", KLINES + klines(6)))
    assert made.rows == 5
    assert made.notes == ("left out, since they may be open still: 1 of the bars",)
    path = write(tmp_path / "A.csv", days(("2023-12-29", 1), ("2024-01-01", 1)))
    with pytest.raises(DataError, match=r"2 bars that are 3d apart are too few .*--interval"):
        bring(store, path)
    assert bring(store, path, interval="1d").rows == 1
    clock.set("2023-01-01T00:00:00+00:00")
    with pytest.raises(DataError, match="no rows that are finished"):
        bring(store, path, interval="1d")


def test_a_calendar_is_known_by_its_name(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "SMH.csv", days(("2024-01-02", 1), ("2024-01-03", 1)))
    with pytest.raises(ArgumentError, match=r"`calendar` must be .*got 'XNYZ'"):
        bring(store, path, calendar="XNYZ")
    made = bring(store, path, calendar="24/7")
    assert made.meta is not None
    assert made.meta.calendar == "24/7"


def test_what_is_no_data_file_is_said(tmp_path: Path, store: Store) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none.csv"):
        bring(store, tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"empty.csv: .*\n  the source holds no bars"):
        bring(store, write(tmp_path / "empty.csv", DAILY))
    with pytest.raises(DataError, match=r"notes.txt: no column for"):
        bring(store, write(tmp_path / "notes.txt", "to do\nnothing\n"))


@pytest.mark.parametrize("name", ["-", "sample:nasdaq"])
def test_a_file_of_any_name_is_a_file(tmp_path: Path, store: Store, name: str) -> None:
    with pytest.raises(DataError, match="no such file"):
        bring(store, Path(name))
    write(tmp_path / name, days(("2024-01-02", 1), ("2024-01-03", 1)))
    assert key_of(bring(store, Path(name))).symbol == name
