"""Two series joined on their common times."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.bars import Alignment, Bars, load, pair
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ("time", "open", "high", "low", "close", "volume")
DAYS = 60
START = np.datetime64("2024-01-01", "us")


def make(days, *, seed: int = 0, name: str = "one", volume: bool = True, **options) -> Bars:
    """Daily bars on some day numbers; the values of a day are the same in any selection."""
    days = np.asarray(sorted(days))
    close = np.random.default_rng(seed).uniform(90, 110, 2000)[days]
    traded = close.round() if volume else None
    time = START + days * np.timedelta64(1, "D")
    return Bars.from_arrays(
        time, close - 0.5, close + 1, close - 1, close, traded, name=name, **options
    )


def other(days, **options) -> Bars:
    return make(days, **({"seed": 1, "name": "two"} | options))


def values(bars: Bars) -> list[np.ndarray]:
    return [getattr(bars, field) for field in FIELDS]


def assert_same(one: Bars, two: Bars) -> None:
    for left, right in zip(values(one), values(two), strict=True):
        np.testing.assert_array_equal(left, right)


# Sets of days with steps of one day most of the time, so that all of them are daily bars.
SOME_DAYS = st.sets(st.integers(0, DAYS - 1), max_size=12).map(lambda gone: {*range(DAYS)} - gone)
SPANS = st.tuples(SOME_DAYS, st.integers(0, 20), st.integers(40, DAYS)).map(
    lambda drawn: {day for day in drawn[0] if drawn[1] <= day < drawn[2]}
)


@given(SPANS, SPANS)
def test_a_pair_holds_the_common_days_with_the_values_of_each(one, two):
    common = one & two
    bars, second = make(one), other(two)
    joined = pair(bars, second, allow_dropped=True)
    assert_same(joined, make(common))
    assert_same(joined.second, other(common))
    first, last = max(min(one), min(two)), min(max(one), max(two))
    inside = [{day for day in days if first <= day <= last} for days in (one, two)]
    assert joined.alignment == Alignment(
        bars=len(common),
        dropped=len(inside[0] - two),
        dropped_second=len(inside[1] - one),
        outside=len(one) - len(inside[0]),
        outside_second=len(two) - len(inside[1]),
    )
    assert joined.alignment.share == pytest.approx(len(inside[0] - two) / len(inside[0]))
    assert joined.alignment.share_second == pytest.approx(len(inside[1] - one) / len(inside[1]))
    codes = [finding.code for finding in joined.warnings]
    lost = [len(inside[0] - two) > 0, len(inside[1] - one) > 0]
    assert codes.count("dropped") == sum(lost)
    assert ("shortened" in codes) == (len(one) > len(inside[0]))
    assert not joined.close.flags.writeable
    assert not joined.second.volume.flags.writeable


@given(SPANS, SPANS, st.data())
def test_cutting_and_joining_commute(one, two, data):
    bars, second = make(one), other(two)
    joined = pair(bars, second, allow_dropped=True)
    a = data.draw(st.integers(0, len(joined) - 1))
    z = data.draw(st.integers(a + 1, len(joined)))
    cut = joined.slice(a, z)
    rows = np.searchsorted(bars.time, joined.time[[a, z - 1]])
    part = bars.slice(int(rows[0]), int(rows[1]) + 1)
    again = pair(part, second, allow_dropped=True)
    assert_same(cut, again)
    assert_same(cut.second, again.second)
    assert cut.fingerprint == again.fingerprint
    assert np.shares_memory(cut.second.close, joined.second.close)
    kept = ("alignment", "warnings", "bars_per_year")
    assert all(getattr(cut, field) == getattr(joined, field) for field in kept)


@given(SPANS, SPANS)
def test_the_join_is_the_same_from_either_side(one, two):
    there = pair(make(one), other(two), allow_dropped=True)
    back = pair(other(two), make(one), allow_dropped=True)
    assert_same(there, back.second)
    assert_same(there.second, back)
    assert there.fingerprint != back.fingerprint
    assert there.bars_per_year == there.second.bars_per_year


@given(st.sampled_from(FIELDS[1:]), st.integers(0, 29), st.booleans())
def test_the_fingerprint_tells_any_value_of_either(field, row, of_second):
    bars, second = make(range(30)), other(range(30))
    arrays = [dict(zip(FIELDS, map(np.copy, values(b)), strict=True)) for b in (bars, second)]
    moved = arrays[of_second]
    moved[field][row] += {"high": 2.0**-20, "low": -(2.0**-20)}.get(field, 2.0**-30)
    changed = pair(*(Bars.from_arrays(**each) for each in arrays))
    assert changed.fingerprint != pair(bars, second).fingerprint
    assert (changed.second.fingerprint == second.fingerprint) == (not of_second)


def test_the_fingerprint_is_that_of_the_bars_with_the_seconds_appended():
    bars, second = make(range(30)), other(range(30), volume=False)
    joined = pair(bars, second)
    digest = hashlib.sha256(b"bars with volume")
    digest.update(bars.time.astype("<i8").tobytes())
    for field in FIELDS[1:]:
        digest.update(getattr(bars, field).tobytes())
    assert bars.fingerprint == digest.hexdigest()
    digest.update(bytes.fromhex(second.fingerprint))
    assert joined.fingerprint == digest.hexdigest()
    assert dataclasses.replace(joined, second=None).fingerprint == bars.fingerprint


def test_a_pair_survives_pickling():
    joined = pair(make(range(30)), other(range(30)))
    assert joined.fingerprint
    again = pickle.loads(pickle.dumps(joined.slice(3, 20)))
    assert again.fingerprint == joined.slice(3, 20).fingerprint
    assert again.alignment == joined.alignment
    assert_same(again.second, joined.second.slice(3, 20))
    assert not again.second.close.flags.writeable


def test_repr_and_frames():
    bars = make(range(30))
    joined = pair(bars, other(range(30)))
    assert repr(joined) == "Bars('one' with 'two', 30 x 1d, 2024-01-01 to 2024-01-30)"
    assert joined.to_polars().equals(bars.to_polars())
    assert joined.to_pandas().equals(bars.to_pandas())


def test_bars_that_lose_nothing_keep_their_facts():
    whole = make(range(400))
    joined = pair(whole.slice(0, 50), other(range(100)))
    assert joined.bars_per_year == whole.bars_per_year
    assert (joined.alignment.outside, joined.alignment.outside_second) == (0, 50)
    assert joined.warnings == ()


def test_bars_per_year_are_counted_anew_where_bars_go():
    joined = pair(make(range(101)), other([0, *range(2, 101)]))
    assert joined.bars_per_year == pytest.approx(99 / (100 / 365.25))
    single = pair(make(range(10)), other([9, *range(10, 20)]))
    assert len(single) == 1
    assert single.bars_per_year == make(range(10)).bars_per_year


def test_the_same_series_twice():
    bars = make(range(30))
    joined = pair(bars, bars)
    assert_same(joined, joined.second)
    assert joined.alignment == Alignment(30, 0, 0, 0, 0)
    assert joined.fingerprint != bars.fingerprint


def test_what_was_left_out_is_told():
    one, two = {*range(100)} - {50}, {*range(10, 120)} - {60}
    shortened, mine, theirs = pair(make(one), other(two)).warnings
    assert (shortened.code, shortened.value) == ("shortened", "10")
    assert shortened.message == (
        "10 of 99 bars of one are not used, since two runs from 2024-01-11 to 2024-04-29"
    )
    assert (mine.code, mine.time, mine.value) == ("dropped", "2024-03-01", "1.1 %")
    assert mine.message == (
        "1.1 % of the bars of one (1 of 89 in the common span) have no partner in two: 2024-03-01"
    )
    assert theirs.message.endswith("bars of two (1 of 89 in the common span) have no partner in "
                                   "one: 2024-02-20")  # fmt: skip


def test_what_the_second_warns_of_is_told_under_its_name():
    jumping = Bars.from_arrays(
        START + np.arange(30) * np.timedelta64(1, "D"),
        *[np.where(np.arange(30) < 15, 10.0, 20.0)] * 4,
        name="split",
    )
    (jump,) = jumping.warnings
    (told,) = pair(make(range(30)), jumping).warnings
    assert told == dataclasses.replace(jump, message=f"split: {jump.message}")


@pytest.mark.parametrize("traded", [True, False])
def test_two_percent_may_go_and_no_more(traded: bool):
    everything, gaps = make(range(50)), other({*range(50)} - {7})
    sides = (everything, gaps) if traded else (gaps, everything)
    assert len(pair(*sides)) == 49
    more = other({*range(50)} - {7, 9, 11, 13})
    sides = (everything, more) if traded else (more, everything)
    with pytest.raises(DataError) as caught:
        pair(*sides)
    assert str(caught.value) == (
        "8 % of the bars of one (4 of 50 in the common span) have no partner in two: 2024-01-08, "
        "2024-01-10, 2024-01-12, ...; more than 2 % is refused: give two series of the same "
        "sessions, or accept it with `allow_dropped` (--allow-dropped)"
    )
    assert len(pair(*sides, allow_dropped=True)) == 46


def test_history_that_one_side_lacks_is_not_dropped():
    joined = pair(make(range(1000)), other(range(990, 1500)))
    assert joined.alignment == Alignment(10, 0, 0, 990, 500)


@pytest.mark.parametrize(
    ("mine", "theirs", "zone"),
    [
        ("UTC", "America/New_York", "America/New_York"),
        ("Asia/Tokyo", "UTC", "Asia/Tokyo"),
        ("Asia/Tokyo", "America/New_York", "Asia/Tokyo"),
    ],
)
def test_different_zones_are_refused(mine: str, theirs: str, zone: str):
    message = f"in {mine} and {theirs}.*--timezone {zone}"
    with pytest.raises(DataError, match=message):
        pair(make(range(9), timezone=mine), other(range(9), timezone=theirs))


def test_different_stamps_and_sizes_are_refused():
    with pytest.raises(DataError, match=r"mark the open of a bar of one and the close.*`stamp`"):
        pair(make(range(9)), other(range(9), stamp="close"))
    with pytest.raises(DataError, match=r"are 1d and 1w long.*same bar size"):
        pair(make(range(29)), other(range(0, 29, 7)))


def test_series_without_a_common_time_are_refused():
    with pytest.raises(DataError, match=r"one has 2024-01-01 to 2024-01-09, two has 2024-01-11"):
        pair(make(range(9)), other(range(10, 20)), allow_dropped=True)
    days = START + np.arange(9) * np.timedelta64(1, "D")
    late = Bars.from_arrays(days + np.timedelta64(16, "h"), *[np.ones(9)] * 4, name="late")
    with pytest.raises(DataError, match=r"overlap: 2024-01-02, .* but 2024-01-01 16:00,.*zone"):
        pair(make(range(9)), late, allow_dropped=True)


def test_no_common_time_where_only_one_side_has_bars_in_the_span():
    one, two = make([0, 1, 2, 9, 10, 11]), other([4, 5, 6])
    with pytest.raises(DataError, match="no time in common"):
        pair(one, two, allow_dropped=True)


def test_a_pair_cannot_be_paired():
    bars, joined = make(range(9)), pair(make(range(9)), other(range(9)))
    with pytest.raises(ArgumentError, match=r"`bars` must be one series.*with 'two'"):
        pair(joined, bars)
    with pytest.raises(ArgumentError, match="`second` must be one series"):
        pair(bars, joined)


def test_a_second_series_out_of_step_is_refused():
    bars = make(range(9))
    with pytest.raises(ArgumentError, match=r"must have the times.*meseta\.bars\.pair"):
        dataclasses.replace(bars, second=other(range(1, 10)))
    with pytest.raises(ArgumentError, match="no second series of its own"):
        dataclasses.replace(bars, second=pair(bars, bars))
    joined = pair(bars, other(range(9)))
    with pytest.raises(ArgumentError, match="must have the times"):
        dataclasses.replace(joined, time=joined.time + np.timedelta64(1, "D"))


# Real series


@pytest.mark.parametrize("strategy", ["atr_d_duals_l", "atr_d_duals_ls"])
def test_the_fund_and_its_index_join_as_in_the_golden_cases(shared: Path, strategy: str):
    folder = shared / "data" / "etf_daily"
    fund, index = load(folder / "TQQQ.csv.gz"), load(folder / "QQQ.csv.gz")
    joined = pair(fund, index)
    cases = json.loads((shared / "spec" / "golden" / f"{strategy}.json").read_text())
    assert cases
    assert {case["bars"] for case in cases} == {len(joined)} == {4080}
    assert joined.alignment == Alignment(4080, 0, 0, 0, 1286)
    assert joined.warnings == ()
    assert_same(joined, fund)
    assert_same(joined.second, index.slice(1286, 5366))
    # The index explains the fund: the rows really are of the same days.
    moves = [np.diff(np.log(each.close)) for each in (joined, joined.second)]
    assert np.corrcoef(*moves)[0, 1] > 0.99


def test_the_made_up_fund_joins_with_its_index():
    joined = pair(load("sample:nasdaq-3x"), load("sample:nasdaq"))
    assert repr(joined).startswith("Bars('nasdaq-3x (made up)' with 'nasdaq', 5031 x 1d")
    assert joined.alignment == Alignment(5031, 0, 0, 0, 0)
    assert joined.warnings[0].code == "made_up"
    back = pair(load("sample:nasdaq"), load("sample:nasdaq-3x"))
    assert back.warnings[0].message.startswith("nasdaq-3x (made up): made up: 3 times")


def test_fund_and_index_of_different_sources_need_one_zone(shared: Path):
    path = shared / "data" / "etf_daily" / "QQQ.csv.gz"
    with pytest.raises(DataError, match="--timezone America/New_York"):
        pair(load("sample:nasdaq"), load(path))
    joined = pair(load("sample:nasdaq"), load(path, timezone="America/New_York"))
    assert joined.alignment.dropped <= 1
    assert str(joined.calendar.first) == "2005-01-03 00:00:00"
    assert joined.warnings[0].code == "shortened"
