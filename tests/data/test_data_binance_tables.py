"""Reading Binance's tables: columns, units of time, and rows that cannot be."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from data.binance_site import (
    DAY,
    FUNDING_HEADER,
    HEADER,
    HOUR,
    TRADES_HEADER,
    Row,
    kline,
    klines,
    lines,
    ms,
    trade,
    trade_lines,
)
from meseta.data import SeriesKey
from meseta.data.sources.binance._gaps import gaps
from meseta.data.sources.binance._layouts import from_text
from meseta.data.sources.binance._series import series_of
from meseta.data.sources.binance._tables import layout_of, rows_of
from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from meseta.data._key import Kind

OLD_HEADER = (
    "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,"
    "Taker buy base asset volume,Taker buy quote asset volume,Ignore"
)


def read(text: bytes, kind: Kind = "bars", size: str = "1h") -> pl.DataFrame:
    series = series_of(SeriesKey("binance", "BTCUSDT", size, kind))
    return rows_of(series, from_text(text, layout_of(series), "the file"), "the file")


@pytest.mark.parametrize("header", [HEADER, OLD_HEADER, None])
@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000], ids=["ms", "us", "ns"])
def test_bars_are_read_with_any_header_and_unit(header: str | None, unit: int) -> None:
    opened = ms("2024-05-01 01:00")
    row = [opened, "2.5", "2.75", "2.25", "2.5", "8", opened + HOUR - 1, "20.5", 3, "4", "10", 0]
    rows = read(lines([kline(opened - HOUR, HOUR), row], header, unit))
    assert rows.height == 2
    assert rows.row(1, named=True) == {
        "ts_open": datetime(2024, 5, 1, 1, tzinfo=UTC),
        "ts_close": datetime(2024, 5, 1, 2, tzinfo=UTC),
        "open": 2.5,
        "high": 2.75,
        "low": 2.25,
        "close": 2.5,
        "volume": 8.0,
        "quote_volume": 20.5,
        "trades": 3,
        "taker_buy_volume": 4.0,
    }


def test_seconds_are_a_unit_too() -> None:
    text = b"1714521600,1,1,1,1,0,1714525199,0,0,0,0,0\n"
    assert read(text)["ts_open"][0] == datetime(2024, 5, 1, tzinfo=UTC)


def test_a_file_of_two_units_is_refused() -> None:
    first, second = kline(ms("2024-05-01"), HOUR), kline(ms("2024-05-01 01:00"), HOUR)
    with pytest.raises(DataError, match="more than one unit"):
        read(lines([first]) + lines([second], None, 1000))


@pytest.mark.parametrize("text", [b"", HEADER.encode(), HEADER.encode() + b"\n"])
def test_a_file_without_rows_has_none(text: bytes) -> None:
    assert read(text).is_empty()


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    text = b"\xef\xbb\xbf" + lines(klines("2024-05-01", "2024-05-02")).replace(b"\n", b"\r\n")
    assert read(text).height == 24


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"1714521600000,1,1,1,1,0\n", "12 columns, got "),
        (b"1714521600000,1,1,1,1,0,1714525199999,0,0,0,0,0,7\n", "12 columns, got "),
        (b"1714521600000,1,1,x,1,0,1714525199999,0,0,0,0,0\n", "cannot be read"),
        (b"1714521600000,1,1,1,,0,1714525199999,0,0,0,0,0\n", "empty cells in close"),
        (HEADER.replace("open,high", "high,open").encode() + b"\n", "'open' in the column"),
        (b"open_time,open\n", "12 columns"),
        (b"<html>not found</html>\n", "12 columns"),
    ],
)
def test_other_columns_are_refused(text: bytes, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read(text)


def test_a_further_column_under_a_header_is_left_out() -> None:
    more = [HEADER + ",vwap", ",".join([*map(str, kline(ms("2024-05-01"), HOUR)), "9"])]
    assert read("\n".join(more).encode()).width == 10


def changed(place: int, value: object) -> list[Row]:
    rows = klines("2024-05-01", "2024-05-02")
    rows[3][place] = value
    return rows


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (0, ms("2024-05-01 03:30"), "off the grid.*03:30"),
        (6, ms("2024-05-01 06:00"), "ends where it cannot.*03:00"),
        (2, "1.0", "prices that cannot be.*03:00"),
        (3, "999", "prices that cannot be"),
        (3, "0.0", "prices that cannot be"),
        (1, "NaN", "prices that cannot be"),
        (5, "-1", "volume that cannot be"),
    ],
)
def test_a_bar_that_cannot_be_is_refused(place: int, value: Any, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read(lines(changed(place, value)))


def test_the_same_row_twice_counts_once() -> None:
    rows = klines("2024-05-01", "2024-05-02")
    assert read(lines([*rows, *rows[5:9]])).equals(read(lines(rows)))


def test_two_different_rows_of_one_time_are_refused() -> None:
    rows = klines("2024-05-01", "2024-05-02")
    with pytest.raises(DataError, match=r"the file has two different rows of 2024-05-01 03:00"):
        read(lines([*rows[:4], *changed(5, "7")[3:]]))


def test_bars_in_disorder_are_refused() -> None:
    rows = klines("2024-05-01", "2024-05-02")
    with pytest.raises(DataError, match="not in order"):
        read(lines([*rows[9:], *rows[:9]]))


@pytest.mark.parametrize(
    ("size", "opened", "fits"),
    [
        ("1d", "2024-05-01", True),
        ("1d", "2024-05-01 08:00", False),
        ("1w", "2024-05-06", True),
        ("1w", "2024-05-07", False),
        ("1mo", "2024-05-01", True),
        ("1mo", "2024-05-02", False),
        ("8h", "2024-05-01 16:00", True),
        ("8h", "2024-05-01 12:00", False),
    ],
)
def test_bars_of_each_size_lie_on_its_grid(size: str, opened: str, fits: bool) -> None:
    text = lines([kline(ms(opened), HOUR)])
    if fits:
        assert read(text, size=size).height == 1
    else:
        with pytest.raises(DataError, match="off the grid"):
            read(text, size=size)


def test_a_month_ends_when_the_next_begins() -> None:
    rows = read(lines([kline(ms("2024-02-01"), 29 * DAY)]), size="1mo")
    assert rows["ts_close"][0] == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["mark", "index", "premium"])
def test_what_did_not_trade_has_no_volume(kind: Kind) -> None:
    rows = read(lines(klines("2024-05-01", "2024-05-02")), kind)
    assert rows["volume"].null_count() == 24
    assert rows.columns == ["ts_open", "ts_close", "open", "high", "low", "close", "volume"]


def test_only_the_premium_may_be_zero_or_less() -> None:
    text = b"1714521600000,-0.001,0,-0.002,-0.001,0,1714525199999,0,60,0,0,0\n"
    assert read(text, "premium")["low"][0] == -0.002
    with pytest.raises(DataError, match="prices that cannot be"):
        read(text, "mark")


def test_trades_are_sorted_by_id_and_read_in_both_spellings() -> None:
    rows = [trade(number, ms("2024-05-01") + number) for number in range(8)]
    plain = read(trade_lines(rows), "trades")
    text = trade_lines([rows[4], *rows[:4], *rows[3:]], None)
    text = text.replace(b"true", b"True").replace(b"false", b"False").replace(b"e\n", b"e,True\n")
    assert read(text, "trades").equals(plain)
    assert plain["buyer_maker"].to_list() == [True, False] * 4
    assert plain.row(1)[:4] == (1, datetime(2024, 5, 1, 0, 0, 0, 1000, tzinfo=UTC), 0.7097, 19.0)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("7,0,19,7,7,1714521600000,true", "trade that cannot be"),
        ("7,1,19,7,7,1714521600000,maybe", "cannot be read"),
        ("7,1,19,7,7,1714521600000", "cannot be read"),
        ("7,1,19,7,7,1714521600000,true\n7,2,19,7,7,1714521600000,true", "different rows of id 7"),
    ],
)
def test_trades_that_cannot_be_are_refused(line: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read(f"{TRADES_HEADER}\n{line}\n".encode(), "trades")


def test_payments_fall_on_their_minute() -> None:
    eight = ms("2024-05-01 08:00")
    text = f"{FUNDING_HEADER}\n{eight + 6},8,0.0001\n{eight + 8 * HOUR - 3},8,-0.0002\n"
    rows = read(text.encode(), "funding")
    assert rows["ts"].to_list() == [datetime(2024, 5, 1, hour, tzinfo=UTC) for hour in (8, 16)]
    assert rows["rate"].to_list() == [0.0001, -0.0002]
    assert rows["interval_hours"].to_list() == [8.0, 8.0]
    assert rows["mark_price"].null_count() == 2


def test_gaps_between_bars_are_named() -> None:
    rows = klines("2024-05-01", "2024-05-02")
    found = read(lines(rows[:4] + rows[7:]))
    series = series_of(SeriesKey("binance", "BTCUSDT", "1h"))
    assert gaps(series, found) == ("no bars from 2024-05-01 04:00 UTC to 2024-05-01 07:00 UTC",)
    assert gaps(series, read(lines(rows))) == ()


def test_many_gaps_are_counted() -> None:
    series = series_of(SeriesKey("binance", "BTCUSDT", "1h"))
    found = gaps(series, read(lines(klines("2024-05-01", "2024-05-03")[::2])))
    assert len(found) == 21
    assert found[-1] == "and 3 further gaps"


def test_gaps_between_trades_are_ids_left_out() -> None:
    series = series_of(SeriesKey("binance", "BTCUSDT", "event", "trades"))
    rows = [trade(number, ms("2024-05-01") + number) for number in (1, 2, 6, 7)]
    assert gaps(series, read(trade_lines(rows), "trades")) == ("no trades of the ids 3 to 5",)


def test_a_gap_in_funding_is_longer_than_its_own_interval() -> None:
    series = series_of(SeriesKey("binance", "BTCUSDT", "event", "funding"))
    start = ms("2024-05-01")
    hours = [(0, 8), (8, 8), (16, 8), (20, 4), (24, 4), (32, 4), (40, 8)]
    text = [f"{start + hour * HOUR},{interval},0.0001" for hour, interval in hours]
    assert gaps(series, read("\n".join(text).encode(), "funding")) == (
        "no payments of funding between 2024-05-02 00:00 UTC and 2024-05-02 08:00 UTC",
    )


@pytest.mark.parametrize(
    ("name", "kind", "size", "height"),
    [
        ("um/APEUSDT-aggTrades-2024-10-18.csv.gz", "trades", "event", 45342),
        ("um/BTCUSDT-1h-2024-10-28.csv", "bars", "1h", 24),
        ("um/NEARUSDT-1m-2025-06.csv.gz", "bars", "1m", 43200),
        ("spot/PEPEUSDT-aggTrades-2024-10-27.csv.gz", "trades", "event", 57229),
        ("spot/BTCUSDT-1h-2024-10-28.csv", "bars", "1h", 24),
    ],
)
def test_real_files_are_read(shared: Path, name: str, kind: Kind, size: str, height: int) -> None:
    path = shared / "data" / "binance_layout" / name
    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    rows = read(text, kind, size)
    series = series_of(SeriesKey("binance", "BTCUSDT", size, kind))
    assert rows.height == height
    assert gaps(series, rows) == ()
    assert str(date.fromisoformat(str(rows[series.time][0])[:10]))[:7] in name
