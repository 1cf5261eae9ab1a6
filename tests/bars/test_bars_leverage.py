"""The leveraged fund that is made up from a sample: its arithmetic, and that it says so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.bars import check, load
from meseta.bars._build import Label, build
from meseta.bars._faults import Columns
from meseta.bars._leverage import leverage
from meseta.errors import DataError

LABEL = Label(name="index", timezone="UTC", stamp="open", allow_nonpositive=False, source=None)
PRICES = ("open", "high", "low", "close")


def index(steps: list[tuple[float, float, float, float]], start: float) -> Columns:
    """Daily bars from moves (open, close, over the body, under it) against the close before."""
    rows, before = [], start
    for opened, closed, over, under in steps:
        body = before * (1 + opened), before * (1 + closed)
        rows.append((body[0], max(body) + before * over, min(body) - before * under, body[1]))
        before = body[1]
    time = np.datetime64("2020-01-01", "us") + np.arange(len(rows)) * np.timedelta64(1, "D")
    return Columns(time, *np.array(rows).T, volume=np.ones(len(rows)))


MOVES = st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(0, 0.1), st.floats(0, 0.1))


@given(st.lists(MOVES, min_size=1, max_size=60), st.floats(0.01, 1e5))
def test_the_fund_moves_three_times_as_far_from_close_to_price(steps, start):
    columns = index(steps, start)
    made, label = leverage(columns, LABEL, "sample:index")
    bars = build(made, label)  # raises where a high or low is not one
    np.testing.assert_array_equal(bars.time, columns.time)
    assert bars.close[0] == pytest.approx(100, rel=1e-15)
    assert bars.volume is None
    for field in PRICES:
        was, now = getattr(columns, field), getattr(bars, field)
        assert now[0] == pytest.approx(100 * was[0] / columns.close[0], rel=1e-12)
        for t in range(1, len(steps)):
            move = was[t] / columns.close[t - 1] - 1
            expected = bars.close[t - 1] * (1 + 3 * move - 0.0095 / 252)
            assert now[t] == pytest.approx(expected, rel=1e-12)


def test_flat_days_stay_flat_and_cost_the_yearly_share():
    columns = index([(0.0, 0.0, 0.0, 0.0)] * 253, 7.0)
    made, _ = leverage(columns, LABEL, "sample:index")
    np.testing.assert_array_equal(made.high, made.low)
    assert made.close[-1] / made.close[0] == pytest.approx((1 - 0.0095 / 252) ** 252)


@pytest.mark.parametrize(("fall", "lasts"), [(0.333, True), (0.334, False)])
def test_a_day_that_loses_a_third_ends_the_fund(fall: float, lasts: bool):
    columns = index([(0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, fall)], 50.0)
    if lasts:
        made, _ = leverage(columns, LABEL, "sample:index")
        assert 0 < made.low[1] < 1
        return
    with pytest.raises(DataError, match=r"sample:index falls .* 2020-01-02 .*3 times.*itself"):
        leverage(columns, LABEL, "sample:index")


@pytest.mark.parametrize("base", ["nasdaq", "sp500"])
def test_the_samples_are_made_up_and_say_so(base: str):
    source = f"sample:{base}"
    was, fund = load(source), load(f"{source}-3x")
    assert (fund.name, fund.source) == (f"{base}-3x (made up)", f"{source}-3x")
    assert fund.warnings[0].message == (
        f"made up: 3 times the daily return of {source} less 0.95 % a year; not a fund's prices"
    )
    assert (fund.timezone, fund.bar_size, fund.stamp) == (was.timezone, was.bar_size, was.stamp)
    np.testing.assert_array_equal(fund.time, was.time)
    daily = np.diff(fund.close) / fund.close[:-1]
    np.testing.assert_allclose(
        daily, 3 * np.diff(was.close) / was.close[:-1] - 0.0095 / 252, rtol=0, atol=1e-12
    )
    # The price never falls so low that one share is a rounding error, nor beyond small accounts.
    assert 0.5 < fund.low.min() < fund.high.max() < 1000
    assert not any(finding.code == "made_up" for finding in was.warnings)


def test_a_name_of_the_users_own_says_made_up_too():
    assert load("sample:nasdaq-3x", name="TQQQ").name == "TQQQ (made up)"


def test_check_shows_that_a_sample_is_made_up():
    report = check("sample:nasdaq-3x")
    assert report.faults == ()
    assert report.findings[0].code == "made_up"
    assert report.findings == report.bars.warnings


def test_a_copy_keeps_prices_to_the_bit():
    fund = load("sample:nasdaq-3x")
    again = load(fund.to_polars(), name=fund.name, timezone=fund.timezone)
    assert again.fingerprint == fund.fingerprint
