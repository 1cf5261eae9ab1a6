"""When two answers for the same span differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.series import DAILY, TRADES, rows
from meseta.data import SeriesKey, schema_of
from meseta.data._compare import difference, tick_of

FUNDING = SeriesKey("binance", "BTCUSDT", "event", "funding")
START = datetime(2024, 1, 1, tzinfo=UTC)


def payments(*cells: tuple[float, float | None, float | None]) -> pl.DataFrame:
    made = [
        {
            "ts": START + timedelta(hours=8 * at),
            "rate": rate,
            "interval_hours": hours,
            "mark": mark,
        }
        for at, (rate, hours, mark) in enumerate(cells)
    ]
    frame = pl.DataFrame(made).rename({"mark": "mark_price"})
    types: Any = dict(schema_of(FUNDING).columns)
    return frame.cast(types)


def test_a_price_may_move_by_a_tick_and_no_further() -> None:
    old = rows(DAILY, [(0, 10), (1, 11)])
    for step, told in (
        (0.01, ""),
        (-0.01, ""),
        (0.0101, "2024-01-02: close was 11 and is 11.0101"),
    ):
        new = rows(DAILY, [(0, 10), (1, 11)])
        moved = pl.when(pl.col("close") == 11).then(pl.col("close") + step).otherwise("close")
        assert difference(DAILY, old, new.with_columns(close=moved), 0.01) == told


def test_the_first_difference_in_time_is_named_and_a_row_too_many_or_too_few() -> None:
    old, new = rows(DAILY, [(0, 1), (1, 2), (3, 4)]), rows(DAILY, [(0, 1), (2, 3), (3, 9)])
    assert difference(DAILY, old, new, 0.01) == "2024-01-02: there was a row and is none"
    assert difference(DAILY, new, old, 0.01) == "2024-01-02: there was no row and is one"
    assert difference(DAILY, old.clear(), new, 0.01).startswith("2024-01-01: there was no row")
    assert difference(DAILY, old.clear(), new.clear(), 0.01) == ""


def test_empty_cells_differ_from_nothing() -> None:
    """The hours of a payment are known once its month is published, its mark price not always."""
    old = payments((1e-4, None, None), (2e-4, None, 5.0))
    new = payments((1e-4, 8.0, 7.0), (2e-4, 4.0, None))
    assert difference(FUNDING, old, new, 0.0) == ""
    assert difference(FUNDING, new, old, 0.0) == ""
    other = payments((1e-4, 8.0, 7.0), (2.1e-4, 4.0, None))
    assert difference(FUNDING, old, other, 0.0).endswith("rate was 0.0002 and is 0.00021")
    lacking = old.with_columns(rate=pl.lit(None, pl.Float64))
    assert difference(FUNDING, lacking, new, 0.0) == ""


def test_trades_are_never_adjusted() -> None:
    old = rows(TRADES, [(0, 1), (1, 2)])
    new = old.with_columns(quantity=pl.col("quantity") + pl.col("id") * 1e-9)
    assert difference(TRADES, old, new, 5.0).startswith("1: quantity was 1 and is 1.000000001")


CELLS = st.dictionaries(st.integers(0, 6), st.sampled_from([1.0, 1.05, 1.1, 1.3, 2.0]))


@given(old=CELLS, new=CELLS)
def test_it_says_what_a_search_row_by_row_says(
    old: dict[int, float], new: dict[int, float]
) -> None:
    frames = [rows(DAILY, sorted(cells.items())) for cells in (old, new)]
    found = difference(DAILY, *frames, 0.1)
    apart = [at for at in sorted({*old, *new}) if _differ(old.get(at), new.get(at))]
    assert found[:10] == (f"{START + timedelta(days=apart[0]):%Y-%m-%d}" if apart else "")


def _differ(one: float | None, other: float | None) -> bool:
    return one is None or other is None or abs(one - other) > 0.1 + 1e-9


@pytest.mark.parametrize(
    ("closes", "tick"),
    [([100.0, 101.0], 1.0), ([100.25, 101.5], 0.01), ([1.0823, 1.1], 1e-4), ([1e-9, 0.1], 1e-8)],
)
def test_a_tick_is_read_off_the_prices(closes: list[float], tick: float) -> None:
    assert tick_of(pl.DataFrame({"close": closes})) == pytest.approx(tick)
