"""Trades counted by side and reason, against counts done by hand."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.report._trade_stats import Tally, by_reason, by_side, sells_short

ONE = st.tuples(
    st.sampled_from([1, -1]),
    st.sampled_from(["trail", "breach", "end", "cross", "reverse", "stop", "else"]),
    st.floats(-1e6, 1e6),
)


def frame(trades: list[tuple[int, str, float]]) -> pl.DataFrame:
    schema = {"dir": pl.Int64, "reason": pl.String, "pnl": pl.Float64}
    return pl.DataFrame(trades, schema=schema, orient="row")


def test_sides() -> None:
    long, short = by_side(frame([(1, "trail", 10.0), (-1, "stop", -4.0), (1, "end", 0.0)]))
    assert long == Tally("Long", "", 2, 0.5, 10.0, 5.0)
    assert short == Tally("Short", "", 1, 0.0, -4.0, -4.0)


def test_a_side_without_trades_has_no_average() -> None:
    assert by_side(frame([(1, "trail", 10.0)]))[1] == Tally("Short", "", 0, None, 0.0, None)


def test_reasons_stand_in_one_order_and_an_unknown_one_comes_last() -> None:
    names = ["odd", "stop", "reverse", "cross", "end", "breach", "trail"]
    found = by_reason(frame([(1, name, 1.0) for name in names]))
    assert [tally.label for tally in found] == names[::-1]
    assert found[-1].note == ""


@given(st.lists(ONE, max_size=30))
def test_both_ways_of_counting_add_up_to_all(trades: list[tuple[int, str, float]]) -> None:
    made = frame(trades)
    total = made["pnl"].sum()
    for tallies in (by_side(made), by_reason(made)):
        assert sum(tally.trades for tally in tallies) == len(trades)
        assert sum(tally.profit for tally in tallies) == pytest.approx(total, abs=1e-6)
    assert sells_short(made) == any(side < 0 for side, _, _ in trades)


def test_columns_that_are_missing_give_no_rows() -> None:
    bare = pl.DataFrame({"pnl": [1.0]})
    assert by_side(bare) == []
    assert by_reason(bare) == []
    assert not sells_short(bare)
