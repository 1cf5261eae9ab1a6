"""Whatever the archive has, the rows of a span are those that there are, once each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from data.binance_site import (
    FUNDING_HEADER,
    HEADER,
    HOUR,
    STEPS,
    BinanceSite,
    event_path,
    kline_path,
    klines,
    lines,
    ms,
    payment,
    trade,
    trade_lines,
)
from data.conftest import Clock
from meseta.data import SeriesKey, _clock, silent
from meseta.data.sources.binance import Binance
from meseta.data.sources.binance._plan import days_of, months_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.data._key import Kind
    from meseta.data.sources import Answer

FIRST, NOW = datetime(2024, 4, 20, tzinfo=UTC), datetime(2024, 6, 7, 22, 30, tzinfo=UTC)
HOURS = round((NOW - FIRST) / timedelta(hours=1)) + 30
EXAMPLES = settings(max_examples=12)
PERIODS = [*months_of(FIRST, NOW)[:-1], *days_of(FIRST, NOW)[:-1]]

moments = st.integers(0, 60 * HOURS).map(lambda minutes: FIRST + timedelta(minutes=minutes))
spans = st.lists(moments, min_size=2, max_size=2, unique=True).map(sorted)
# What the archive lacks, as places in `PERIODS`: none of it, some of it, or most.
lacking = st.sets(st.integers(0, len(PERIODS) - 1), max_size=25) | st.just(
    set(range(len(PERIODS)))
)


@pytest.fixture(scope="module")
def site() -> Iterator[BinanceSite]:
    with BinanceSite() as made, pytest.MonkeyPatch.context() as patch:
        clock = Clock(NOW.isoformat())
        patch.setattr(_clock, "now", clock.now)
        patch.setattr(_clock, "sleep", clock.sleep)
        made.use(patch)
        yield made
        assert not made.warned


def fill(site: BinanceSite, kind: str, stock: dict[int, bytes | None], lacks: set[int]) -> None:
    """Put the texts of the periods that the archive does not lack."""
    site.files.clear()
    site.sums.clear()
    for place, text in stock.items():
        label = PERIODS[place].label
        if place not in lacks and text is not None:
            path = kline_path(label, size=kind) if kind in STEPS else event_path(label, kind)
            site.put(path, text)


def within(rows: list[int], period: int) -> list[int]:
    """Return the places of the times that lie in a period."""
    start, end = (
        round(t.timestamp() * 1000) for t in (PERIODS[period].start, PERIODS[period].end)
    )
    return [place for place, time in enumerate(rows) if start <= time < end]


def fetch(kind: Kind, size: str, span: list[datetime]) -> Answer:
    return Binance().fetch(SeriesKey("binance", "BTCUSDT", size, kind), *span, silent)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@EXAMPLES
@given(data=st.data())
def test_bars(site: BinanceSite, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(["4h", "12h", "1d"]))
    every = klines("2024-04-20", "2024-06-09", size)
    holes = data.draw(st.sets(st.integers(0, len(every) - 1), max_size=9))
    rows = [row for place, row in enumerate(every) if place not in holes]
    header, unit = (
        data.draw(st.sampled_from([HEADER, None])),
        data.draw(st.sampled_from([1, 1000])),
    )
    opens = [row[0] for row in rows]
    stock = {
        place: lines([rows[n] for n in within(opens, place)], header, unit)
        for place in range(len(PERIODS))
    }
    fill(site, size, stock, data.draw(lacking))
    site.rows["klines", "BTCUSDT"] = rows
    start, end = span = data.draw(spans)
    answer = fetch("bars", size, span)
    step = STEPS[size]
    lag = 0 if size == "1d" else step
    closed = [opened for opened in opens if opened + step <= milliseconds(NOW)]
    expected = [o for o in closed if milliseconds(start) <= o + lag < milliseconds(end)]
    ends = answer.frame["ts_close"].dt.epoch("ms").to_list()
    assert [end - step for end in ends] == expected
    between = sum(after - before > step for before, after in pairwise(expected))
    assert sum(note.startswith("no bars") for note in answer.notes) == between


@EXAMPLES
@given(data=st.data())
def test_funding(site: BinanceSite, data: st.DataObject) -> None:
    start, end = ms("2024-04-20"), milliseconds(NOW)
    jitter = st.integers(0, 31)
    times = [time + data.draw(jitter) for time in range(start, end, 8 * HOUR)]
    text = [f"{time},8,0.0001" for time in times]
    stock = {
        place: "\n".join([FUNDING_HEADER, *(text[n] for n in within(times, place))]).encode()
        for place in range(2)
    }
    lacks = data.draw(st.sets(st.integers(0, 1)))
    fill(site, "fundingRate", dict(stock), lacks)
    site.rows["fundingRate", "BTCUSDT"] = [payment(time) for time in times]
    first, last = span = data.draw(spans)
    answer = fetch("funding", "event", span)
    due = [time // HOUR * HOUR for time in times]
    expected = [time for time in due if milliseconds(first) <= time < milliseconds(last)]
    assert answer.frame["ts"].dt.epoch("ms").to_list() == expected
    assert answer.frame["mark_price"].null_count() == 0


@EXAMPLES
@given(data=st.data())
def test_trades(site: BinanceSite, data: st.DataObject) -> None:
    start, end = ms("2024-06-06"), milliseconds(NOW)
    steps = data.draw(st.lists(st.integers(0, 3 * HOUR), min_size=10, max_size=30))
    times = [start + sum(steps[:place]) for place in range(len(steps))]
    trades = [trade(number, time) for number, time in enumerate(times) if time <= end]
    stock = {
        place: trade_lines([trades[n] for n in within([t["T"] for t in trades], place)])
        for place in range(len(PERIODS))
        if PERIODS[place].start >= datetime(2024, 6, 1, tzinfo=UTC)
    }
    fill(site, "aggTrades", dict(stock), data.draw(lacking))
    site.rows["aggTrades", "BTCUSDT"] = trades
    window = st.integers(0, 2 * 24 * 60).map(
        lambda minutes: datetime(2024, 6, 6, tzinfo=UTC) + timedelta(minutes=minutes)
    )
    first, last = span = sorted(data.draw(st.lists(window, min_size=2, max_size=2, unique=True)))
    answer = fetch("trades", "event", span)
    inside = [t["a"] for t in trades if milliseconds(first) <= t["T"] < milliseconds(last)]
    assert answer.frame["id"].to_list() == inside
    assert not any(note.startswith("no trades") for note in answer.notes)
