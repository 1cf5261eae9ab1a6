"""Every layout that is read, from small files."""

from __future__ import annotations

import gzip
import io
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.bars import Bars, check, load
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from pathlib import Path

DAYS = np.datetime64("2024-01-10") + np.arange(6)
VALUES = [(10 + i, 12.5 + i, 9.25 + i, 11 + i, 100 + i) for i in range(6)]


def write(folder: Path, text: str, name: str = "market.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def table(header: str, times: list[str], separator: str = ",") -> str:
    lines = [header]
    for time, row in zip(times, VALUES, strict=True):
        lines.append(separator.join([time, *(str(value) for value in row)]))
    return "\n".join(lines) + "\n"


def expect(bars: Bars, times: np.ndarray = DAYS) -> None:
    """The six bars of `VALUES`, whatever they were read from."""
    np.testing.assert_array_equal(bars.time, times.astype("datetime64[us]"))
    columns = np.array(VALUES, dtype=float).T
    for field, column in zip(("open", "high", "low", "close", "volume"), columns, strict=True):
        np.testing.assert_array_equal(getattr(bars, field), column)


def iso(times: np.ndarray = DAYS) -> list[str]:
    return [str(time) for time in times]


@pytest.mark.parametrize(
    "header",
    [
        "Date,Open,High,Low,Close,Volume",
        "TIME,O,H,L,C,V",
        "timestamp,open,high,low,close,vol",
        "open_time,Open Price,High Price,Low Price,Close Price,Total Volume",
        "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>",
        "date, 1. open , 2. high,3. low,4. close,5. volume",
        ",Open,High,Low,Close,Volume",
        '"Date","Open","High","Low","Close","Volume"',
    ],
)
def test_headers_in_any_case_and_spelling(tmp_path: Path, header: str):
    bars = load(write(tmp_path, table(header, iso())))
    expect(bars)
    assert (bars.name, bars.bar_size, bars.timezone, bars.stamp) == ("market", "1d", "UTC", "open")
    assert bars.source == str(tmp_path / "market.csv")


def test_columns_in_any_order_and_others_ignored(tmp_path: Path):
    lines = ["volume,adj_close,CLOSE,low,Symbol,high,open,date"]
    for day, (opened, high, low, close, volume) in zip(iso(), VALUES, strict=True):
        lines.append(f"{volume},1.5,{close},{low},ABC,{high},{opened},{day}")
    expect(load(write(tmp_path, "\n".join(lines))))


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_line_ends(tmp_path: Path, separator: str, end: str):
    header = separator.join(["Date", "Open", "High", "Low", "Close", "Volume"])
    text = table(header, iso(), separator).replace("\n", end)
    expect(load(write(tmp_path, text, "market.txt")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks(tmp_path: Path, encoding: str):
    path = tmp_path / "market.csv"
    path.write_bytes(table("Date,Open,High,Low,Close,Volume", iso()).encode(encoding))
    expect(load(path))


def test_gzip_is_seen_by_content_and_lost_from_the_name(tmp_path: Path):
    path = tmp_path / "market.csv.gz"
    path.write_bytes(gzip.compress(table("Date,O,H,L,C,V", iso()).encode()))
    bars = load(path)
    expect(bars)
    assert bars.name == "market"


def test_standard_input(monkeypatch: pytest.MonkeyPatch):
    data = table("Date,O,H,L,C,V", iso()).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    bars = load("-")
    expect(bars)
    assert (bars.name, bars.source) == ("stdin", "-")


def test_files_without_volume(tmp_path: Path):
    lines = ["Date,Open,High,Low,Close", *(f"{day},1,1,1,1" for day in iso())]
    assert load(write(tmp_path, "\n".join(lines))).volume is None
    lines = ["Date,Open,High,Low,Close,Volume", *(f"{day},1,1,1,1," for day in iso())]
    assert load(write(tmp_path, "\n".join(lines))).volume is None


def test_options_beat_what_the_file_says(tmp_path: Path):
    path = write(tmp_path, table("Date,O,H,L,C,V", iso()))
    bars = load(path, name="my market", timezone="Europe/Berlin", stamp="close")
    assert (bars.name, bars.timezone, bars.stamp) == ("my market", "Europe/Berlin", "close")


# TradeStation


def test_tradestation_intraday(tmp_path: Path):
    lines = ['"Date","Time","Open","High","Low","Close","Up","Down","High"']
    times = np.datetime64("2024-01-05T09:45") + np.arange(6) * np.timedelta64(15, "m")
    for time, (opened, high, low, close, volume) in zip(times, VALUES, strict=True):
        hour = str(time)[11:]
        lines.append(f"01/05/2024,{hour},{opened},{high},{low},{close},{volume - 40},40,-1")
    bars = load(write(tmp_path, "\r\n".join(lines) + "\r\n", "TQQQ_15min.txt"))
    expect(bars, times)
    assert (bars.name, bars.bar_size, bars.bar_minutes) == ("TQQQ_15min", "15m", 15)
    assert (bars.timezone, bars.stamp) == ("America/New_York", "close")


def test_tradestation_daily(tmp_path: Path):
    lines = ['"Date","Time","Open","High","Low","Close","Vol","OI"']
    for day, (opened, high, low, close, volume) in zip(range(1, 7), VALUES, strict=True):
        lines.append(f"02/{day:02d}/2024,16:00,{opened},{high},{low},{close},{volume},5000")
    path = write(tmp_path, "\n".join(lines))
    times = np.datetime64("2024-02-01T16:00") + np.arange(6) * np.timedelta64(1, "D")
    bars = load(path)
    expect(bars, times)
    assert (bars.bar_size, bars.timezone, bars.stamp) == ("1d", "America/New_York", "close")
    assert load(path, timezone="America/Chicago", stamp="open").timezone == "America/Chicago"


def test_the_short_last_bar_of_a_session_is_normal(tmp_path: Path):
    lines = ['"Date","Time","Open","High","Low","Close","Up","Down"']
    for day in range(3, 8):
        lines += [
            f"06/{day:02d}/2024,{hour},1,1,1,1,5,5"
            for hour in ("11:15", "13:30", "15:45", "16:00")
        ]
    bars = load(write(tmp_path, "\n".join(lines)))
    assert (bars.bar_size, bars.bar_minutes, bars.warnings) == ("135m", 135, ())


# Binance


@pytest.mark.parametrize("unit", [1_000, 1_000_000])
def test_binance_klines_with_and_without_header(tmp_path: Path, unit: int):
    header = (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
        "taker_buy_volume,taker_buy_quote_volume,ignore\n"
    )
    times = np.datetime64("2024-10-28T00:00:00") + np.arange(6) * np.timedelta64(1, "h")
    lines = []
    for time, (opened, high, low, close, volume) in zip(times, VALUES, strict=True):
        stamp = int(time.astype(np.int64)) * unit
        lines.append(f"{stamp},{opened},{high},{low},{close},{volume},{stamp + 1},1,2,3,4,0")
    body = "\n".join(lines)
    for text in (body, header + body):
        bars = load(write(tmp_path, text, "BTCUSDT-1h.csv"))
        expect(bars, times)
        assert (bars.bar_size, bars.timezone, bars.stamp) == ("1h", "UTC", "open")
    assert check(write(tmp_path, body.replace(",12.5,", ",1,"))).faults[0].row == 1


def test_klines_that_change_from_milliseconds_to_microseconds(tmp_path: Path):
    times = np.datetime64("2024-12-29") + np.arange(6)
    stamps = times.astype("datetime64[ms]").astype(np.int64)
    text = [str(stamp if row < 3 else stamp * 1000) for row, stamp in enumerate(stamps)]
    expect(load(write(tmp_path, table("open_time,open,high,low,close,volume", text))), times)


# Frames


@pytest.mark.parametrize("as_index", [True, False])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_pandas_frames(as_index: bool, zone: str | None):
    frame = pd.DataFrame(VALUES, columns=["Open", "High", "Low", "Close", "Volume"])
    times = pd.DatetimeIndex(DAYS.astype("datetime64[ns]"), name="Date", tz=zone)
    if as_index:
        frame.index = times
    else:
        frame.insert(0, "Date", times)
    bars = load(frame, name="mine")
    expect(bars)
    assert (bars.name, bars.source, bars.timezone) == ("mine", "data frame", zone or "UTC")


def test_pandas_frames_with_symbols_over_the_columns_and_dates_as_objects():
    names = pd.MultiIndex.from_product([["Open", "High", "Low", "Close", "Volume"], ["ABC"]])
    frame = pd.DataFrame(VALUES, columns=names, index=[day.item() for day in DAYS])
    expect(load(frame))


def test_a_bad_cell_of_a_pandas_frame_is_named_by_position():
    frame = pd.DataFrame(VALUES, columns=["Open", "High", "Low", "Close", "Volume"])
    frame["Low"] = frame["Low"].astype(object)
    frame.loc[3, "Low"] = "bad"
    frame.loc[4, "Low"] = None
    frame.index = pd.DatetimeIndex(DAYS)
    with pytest.raises(DataError, match=r"row 3 \(2024-01-13\): low is 'bad'") as caught:
        load(frame)
    assert "row 4 (2024-01-14): low is missing" in str(caught.value)


@pytest.mark.parametrize("kind", [pl.Date, pl.Datetime("ms"), pl.Datetime("ns", "Asia/Tokyo")])
def test_polars_frames(kind: pl.DataType):
    columns = ["open", "high", "low", "close", "volume"]
    frame = pl.DataFrame(VALUES, schema=columns, orient="row")
    days = pl.Series("day", DAYS.astype("datetime64[ms]"))
    zoned = isinstance(kind, pl.Datetime) and kind.time_zone is not None
    times = days.dt.replace_time_zone("Asia/Tokyo").cast(kind) if zoned else days.cast(kind)
    bars = load(frame.with_columns(times))
    expect(bars)
    assert bars.timezone == ("Asia/Tokyo" if zoned else "UTC")


def test_an_empty_frame_and_a_missing_time():
    frame = load_frame()
    with pytest.raises(DataError, match="holds no bars"):
        load(frame.clear())
    gone = frame.with_columns(
        pl.when(pl.col("close") == 12).then(None).otherwise("time").alias("time")
    )
    with pytest.raises(DataError, match="row 1: time is missing"):
        load(gone)


def load_frame() -> pl.DataFrame:
    columns = ["open", "high", "low", "close", "volume"]
    frame = pl.DataFrame(VALUES, schema=columns, orient="row")
    return frame.with_columns(pl.Series("time", DAYS.astype("datetime64[ms]")))


def test_bars_survive_both_frames_and_parquet(tmp_path: Path):
    bars = load(load_frame())
    bars.to_polars().write_parquet(tmp_path / "market.parquet")
    for source in (bars.to_polars(), bars.to_pandas(), tmp_path / "market.parquet"):
        assert load(source).fingerprint == bars.fingerprint
    assert load(tmp_path / "market.parquet").name == "market"


def test_other_sources_are_refused():
    with pytest.raises(ArgumentError, match=r"`source` must be a path.*got list"):
        load([1, 2])
    known = "'sample:nasdaq', 'sample:sp500', 'sample:nasdaq-3x' or 'sample:sp500-3x'"
    for name in ("gold", "gold-3x", "nasdaq-3x-3x", "-3x", ""):
        with pytest.raises(ArgumentError, match=f"{known}.*got '{name}'"):
            load(f"sample:{name}")


# Times


@pytest.mark.parametrize(
    ("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
@pytest.mark.parametrize("point", ["", ".0"])
def test_epoch_numbers_are_told_apart_by_magnitude(
    tmp_path: Path, unit: str, scale: int, point: str
):
    times = np.datetime64("2023-06-01T13:30:00") + np.arange(6) * np.timedelta64(15, "m")
    stamps = [f"{int(time.astype(np.int64)) * scale}{point}" for time in times]
    path = write(tmp_path, table("time,o,h,l,c,v", stamps))
    expect(load(path), times)
    bars = load(path, timezone="America/New_York")
    expect(bars, times - np.timedelta64(4, "h"))
    assert bars.timezone == "America/New_York"


def test_epoch_numbers_in_frames():
    stamps = DAYS.astype("datetime64[s]").astype(np.int64)
    for column in (stamps, stamps.astype(float), stamps * 1000):
        expect(load(load_frame().with_columns(pl.Series("time", column))))


def test_an_hour_that_occurs_twice_in_the_zone_is_refused(tmp_path: Path):
    times = np.datetime64("2023-11-05T04:00:00") + np.arange(6) * np.timedelta64(1, "h")
    stamps = [str(time.astype(np.int64)) for time in times]
    path = write(tmp_path, table("time,o,h,l,c,v", stamps))
    expect(load(path), times)
    with pytest.raises(DataError, match=r"row 4 \(2023-11-05 01:00\).*clocks change.*UTC"):
        load(path, timezone="America/New_York")


@pytest.mark.parametrize(
    "shape",
    [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S.%f",
        "%Y/%m/%d %H:%M",
        "%Y.%m.%d %H:%M:%S",
        "%Y%m%d %H%M%S",
        "%Y%m%d%H%M",
        "%Y%m%d%H%M%S",
        "%d.%m.%Y %H:%M:%S.%f",
        "%m/%d/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S%p",
        "%m-%d-%y %H:%M",
    ],
)
def test_spelled_times(tmp_path: Path, shape: str):
    times = np.datetime64("2024-01-25T10:30:00") + np.arange(6) * np.timedelta64(45, "m")
    text = [time.item().strftime(shape) for time in times]
    order = "mdy" if "%y" in shape else None
    path = write(tmp_path, table("time;o;h;l;c;v", text, ";"))
    expect(load(path, date_order=order), times)


@pytest.mark.parametrize("tail", ["Z", "+00:00", "UTC", " +0000"])
def test_times_with_an_offset_are_instants(tmp_path: Path, tail: str):
    text = [f"2024-07-0{day}T12:00:00{tail}" for day in range(1, 7)]
    path = write(tmp_path, table("time,o,h,l,c,v", text))
    noon = np.datetime64("2024-07-01T12:00") + np.arange(6) * np.timedelta64(1, "D")
    expect(load(path), noon)
    expect(load(path, timezone="America/New_York"), noon - np.timedelta64(4, "h"))


def test_offsets_that_change_with_the_season(tmp_path: Path):
    days = ["2024-03-07", "2024-03-08", "2024-03-09", "2024-03-10", "2024-03-11", "2024-03-12"]
    text = [f"{day} 00:00:00-0{5 if day <= '2024-03-10' else 4}:00" for day in days]
    path = write(tmp_path, table("Date,o,h,l,c,v", text))
    bars = load(path, timezone="America/New_York")
    expect(bars, np.array(days, dtype="datetime64[D]"))
    assert bars.warnings == ()


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        ([f"{day:02d}/05/2024" for day in range(10, 16)], "dmy"),
        ([f"05/{day:02d}/2024" for day in range(10, 16)], "mdy"),
        ([f"5-{day}-2024" for day in range(10, 16)], "mdy"),
        ([f"{day}.5.2024" for day in range(10, 16)], "dmy"),
        ([f"05{day:02d}2024" for day in range(10, 16)], "mdy"),
        ([f"{day}/05/99" for day in range(10, 16)], None),
    ],
)
def test_dates_that_exist_in_one_order_alone(tmp_path: Path, dates: list[str], order: str | None):
    path = write(tmp_path, table("Date,o,h,l,c,v", dates))
    year = 2024 if order else 1999
    expected = np.datetime64(f"{year}-05-10") + np.arange(6)
    expect(load(path), expected)
    if order:
        expect(load(path, date_order=order), expected)


def test_ambiguous_dates_are_refused_until_the_order_is_said(tmp_path: Path):
    path = write(tmp_path, table("Date,o,h,l,c,v", [f"01/{day:02d}/2024" for day in range(5, 11)]))
    with pytest.raises(DataError, match=r"01/05/2024 can be read as mdy or dmy.*--date-order"):
        load(path)
    expect(load(path, date_order="mdy"), np.datetime64("2024-01-05") + np.arange(6))
    months = np.arange("2024-05", "2024-11", dtype="datetime64[M]").astype("datetime64[D]")
    expect(load(path, date_order="dmy"), months)
    with pytest.raises(DataError, match="time '01/05/2024' cannot be read"):
        load(path, date_order="ymd")


@pytest.mark.parametrize(
    ("order", "first"), [("mdy", "2003-01-02"), ("dmy", "2003-02-01"), ("ymd", "2001-02-03")]
)
def test_two_digit_years(tmp_path: Path, order: str, first: str):
    path = write(tmp_path, "Date,o,h,l,c\n01/02/03,1,1,1,1\n")
    with pytest.raises(DataError, match="mdy or dmy or ymd"):
        load(path)
    assert load(path, date_order=order).time[0] == np.datetime64(first)


def test_an_unknown_date_order_is_refused(tmp_path: Path):
    with pytest.raises(ArgumentError, match=r"`date_order` must be 'mdy'.*got 'ydm'"):
        load(tmp_path / "any.csv", date_order="ydm")


@pytest.mark.parametrize(
    "hours", [["0", "30", "100", "130", "200", "230"], ["93000", "94500"] * 3]
)
def test_hours_written_as_bare_numbers(tmp_path: Path, hours: list[str]):
    lines = ["Date,Time,O,H,L,C"]
    days = ["20240115"] * 6 if len(set(hours)) == 6 else [f"202401{15 + i // 2}" for i in range(6)]
    lines += [f"{day},{hour},1,1,1,1" for day, hour in zip(days, hours, strict=True)]
    bars = load(write(tmp_path, "\n".join(lines)))
    expected = "2024-01-15T00:00" if hours[0] == "0" else "2024-01-15T09:30"
    assert bars.time[0] == np.datetime64(expected)
    assert bars.bar_minutes == (30 if hours[0] == "0" else 15)


# Round trip

price = st.floats(min_value=1e-12, max_value=1e12)


@st.composite
def bars_of_any_kind(draw: st.DrawFn) -> Bars:
    count = draw(st.integers(1, 12))
    corners = [sorted(draw(st.lists(price, min_size=4, max_size=4))) for _ in range(count)]
    low, one, other, high = np.array(corners).T
    minutes = draw(st.sampled_from([1, 15, 240, 1440, 10080]))
    steps = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    start = np.datetime64("1971-02-03T00:00") + draw(st.integers(0, 10**8 // 5))
    time = start + np.cumsum(steps) * minutes * np.timedelta64(1, "m")
    volume = draw(st.none() | st.lists(st.floats(0, 1e15), min_size=count, max_size=count))
    return Bars.from_arrays(time, one, high, low, other, volume)


@given(bars=bars_of_any_kind(), separator=st.sampled_from([",", ";", "\t"]))
@settings(deadline=None)
def test_valid_bars_written_as_text_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, bars: Bars, separator: str
):
    frame = bars.to_polars()
    rows = [separator.join(frame.columns)]
    for time, *numbers in frame.iter_rows():
        cells = ["" if number is None else repr(number) for number in numbers]
        rows.append(separator.join([time.isoformat(), *cells]))
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    path.write_text("\n".join(rows))
    again = load(path)
    assert again.fingerprint == bars.fingerprint
    assert again.bar_size == bars.bar_size
    assert again.warnings == bars.warnings or again.warnings[0].row == bars.warnings[0].row + 2
