"""Rolling windows: where they lie, that nothing is lost, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from meseta.bars import Bars, load, resample, session_days
from meseta.errors import ArgumentError, DataError
from meseta.walkforward import RollingPlan, WalkForward, plan_windows
from trading_hours import series, spans

if TYPE_CHECKING:
    from pathlib import Path


def daily(days: int = 900, first: str = "2001-01-01") -> Bars:
    dates = np.busday_offset(first, np.arange(days), roll="forward")
    return series(dates.astype("datetime64[us]"))


def rows(plan: RollingPlan) -> list[tuple[int, int, int, int]]:
    return [(w.in_start, w.in_stop, w.out_start, w.out_stop) for w in plan.windows]


def months_of(bars: Bars) -> np.ndarray:
    return session_days(bars).astype("datetime64[D]").astype("datetime64[M]").astype(int)


def test_windows_by_hand() -> None:
    spec = WalkForward(in_sample=500, out_of_sample=150, unit="bars")
    plan = plan_windows(daily(), spec)
    assert (plan.start, plan.stop, plan.first_out) == (100, 900, 600)
    assert rows(plan) == [(100, 600, 600, 750), (250, 750, 750, 900)]
    assert [w.number for w in plan.windows] == [1, 2]
    assert not any(w.partial for w in plan.windows)
    assert plan.boundaries.tolist() == [100, 250, 600, 750, 900]
    assert plan.boundaries.dtype == np.int64
    assert plan.notes == ()


def test_purge_anchor_and_a_shorter_last_window_by_hand() -> None:
    spec = WalkForward(in_sample=300, out_of_sample=200, unit="bars", anchored=True, purge=10)
    plan = plan_windows(daily(), spec, warmup=50)
    assert rows(plan) == [(50, 350, 360, 560), (50, 550, 560, 760), (50, 750, 760, 900)]
    assert [w.partial for w in plan.windows] == [False, False, True]
    (note,) = plan.notes
    assert "last out-of-sample window is shorter: the data end on 2004-06-11" in note
    assert note.endswith("in bar 140 of 200")


def test_months_by_hand() -> None:
    bars = daily(760, "2003-01-01")  # to 2005-11-29
    plan = plan_windows(bars, WalkForward(in_sample=12, out_of_sample=5, unit="months"))
    dates = [[str(bars.time[row])[:10] for row in each[:3]] for each in rows(plan)]
    assert dates == [
        ["2003-06-02", "2004-06-01", "2004-06-01"],
        ["2003-11-03", "2004-11-01", "2004-11-01"],
        ["2004-04-01", "2005-04-01", "2005-04-01"],
        ["2004-09-01", "2005-09-01", "2005-09-01"],
    ]
    assert [w.partial for w in plan.windows] == [False, False, False, True]
    assert plan.notes[0].endswith("the data end on 2005-11-29, in month 3 of 5")


def test_a_purge_moves_both_ends_of_months_back_by_sessions() -> None:
    bars = daily(760, "2003-01-01")
    spec = WalkForward(in_sample=12, out_of_sample=5, unit="months", purge=3)
    plan = plan_windows(bars, spec)
    first = plan.windows[0]
    assert str(bars.time[plan.start])[:10] == "2003-06-02"
    assert str(bars.time[first.out_start])[:10] == "2004-07-01"
    assert str(bars.time[first.in_start])[:10] == "2003-06-26"
    assert first.out_start - first.in_stop == 3


@pytest.mark.parametrize(
    ("first", "days", "start", "partial"),
    [
        ("2001-01-04", 123, "2001-01-04", True),  # to Monday 25 June
        ("2001-01-05", 123, "2001-02-01", True),
        ("2001-01-01", 128, "2001-01-01", False),  # to Wednesday 27 June
        ("2001-01-01", 127, "2001-01-01", True),  # to Tuesday 26 June
    ],
)
def test_a_month_counts_as_whole_with_days_off_at_its_edges(
    first: str, days: int, start: str, partial: bool
) -> None:
    bars = daily(days, first)
    spec = WalkForward(in_sample=2, out_of_sample=4, unit="months")
    plan = plan_windows(bars, spec, warmup=0)
    assert str(bars.time[plan.start])[:10] == start
    assert plan.windows[-1].partial is partial


def test_months_without_a_bar_are_counted_and_said() -> None:
    bars = daily(1500, "2001-01-01")
    months = bars.time.astype("datetime64[M]")
    gone = (months >= np.datetime64("2004-03")) & (months <= np.datetime64("2004-05"))
    bars = series(bars.time[~gone])
    plan = plan_windows(bars, WalkForward(in_sample=6, out_of_sample=1, unit="months"))
    starts = [str(bars.time[w.out_start])[:7] for w in plan.windows]
    assert starts[starts.index("2004-02") + 1] == "2004-06"
    assert "months without a bar: 3, the first before 2004-06-01" in plan.notes
    june = next(w for w in plan.windows if str(bars.time[w.out_start])[:7] == "2004-06")
    inside = np.unique(months[~gone][june.in_start : june.in_stop]).astype(str).tolist()
    assert inside == ["2003-12", "2004-01", "2004-02"]
    with pytest.raises(DataError, match=r"no bar is in-sample in window \d+, before 2004-06-01"):
        plan_windows(bars, WalkForward(in_sample=3, out_of_sample=1, unit="months"))


def test_sessions_of_crude_oil_are_never_cut(shared: Path) -> None:
    path = shared / "data/intraday/CL_15m.csv.gz"
    fine = load(path, timezone="America/New_York", allow_nonpositive=True)
    bars = resample(fine, "360m")
    spec = WalkForward(in_sample=504, out_of_sample=126)
    plan = plan_windows(bars, spec)
    days = session_days(bars)
    assert_geometry(bars, plan, spec)
    assert len(plan.windows) == -(-(3146 - 25 - 504) // 126)
    hours = {str(bars.time[row])[11:16] for row in plan.boundaries[:-1]}
    assert hours <= {"18:00", "18:30", "19:30", "20:45"}
    assert np.datetime64(int(days[plan.start]), "D") == np.datetime64("2013-11-05")
    by_month = WalkForward(in_sample=24, out_of_sample=6, unit="months", purge=2)
    assert_geometry(fine, plan_windows(fine, by_month), by_month)


@pytest.mark.parametrize("unit", ["bars", "sessions", "months"])
def test_all_lengths_can_share_one_period(unit: str) -> None:
    bars = daily(2500)
    specs = [
        WalkForward(in_sample=n, out_of_sample=m, unit=unit, purge=1)
        for n in (5, 8, 30)
        for m in (2, 3, 7)
    ]
    latest = max(plan_windows(bars, spec).first_out for spec in specs)
    for spec in specs:
        plan = plan_windows(bars, spec, first_out=latest)
        assert (plan.first_out, plan.stop) == (latest, 2500)
        assert_geometry(bars, plan, spec, moved=True)


@pytest.mark.parametrize(
    ("unit", "history", "words"),
    [
        ("bars", 200, "has 100 bars after the warm-up of 100 bars .* needs 120 bars in-sample"),
        ("sessions", 220, "has 120 sessions .* needs 120 sessions in-sample and at least 1 more"),
        ("months", 220, "has 6 months .*220 bars, 2001-01-01 to 2001-11-02.* 120 months in-sa"),
        ("sessions", 90, "has 0 sessions after the warm-up"),
    ],
)
def test_too_short_a_history_names_its_length_and_the_least(
    unit: str, history: int, words: str
) -> None:
    spec = WalkForward(in_sample=120, out_of_sample=20, unit=unit)
    with pytest.raises(DataError, match=words) as error:
        plan_windows(daily(history), spec)
    assert "use a longer history, a shorter in-sample length or another --unit" in str(error.value)


def test_a_purge_is_part_of_what_is_needed() -> None:
    spec = WalkForward(in_sample=100, out_of_sample=20, purge=5)
    with pytest.raises(DataError, match="100 sessions in-sample and 5 sessions of purge"):
        plan_windows(daily(205), spec)
    assert len(plan_windows(daily(206), spec).windows) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_sample": 0}, "`in_sample` must be a whole number of 1 or more, got 0"),
        ({"in_sample": 2.5}, "`in_sample` .* got 2.5"),
        ({"in_sample": True}, "`in_sample` .* got True"),
        ({"out_of_sample": -3}, "`out_of_sample` must be a whole number of 1 or more, got -3"),
        ({"purge": -1}, "`purge` must be a whole number of 0 or more, got -1"),
        ({"unit": "weeks"}, "`unit` must be 'bars', 'sessions' or 'months', got 'weeks'"),
        ({"anchored": "yes"}, "`anchored` must be true or false, got 'yes'"),
    ],
)
def test_what_is_no_length_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        WalkForward(**({"in_sample": 10, "out_of_sample": 5} | options))


@pytest.mark.parametrize(
    ("unit", "options", "words"),
    [
        ("bars", {"warmup": -1}, "`warmup` must be a whole number of 0 or more, got -1"),
        ("bars", {"first_out": 109}, "row from 110 on, so that 10 bars in-sample fit .* got 109"),
        ("bars", {"first_out": 900}, "and below 900; got 900"),
        ("bars", {"first_out": 200.0}, "`first_out` must be a whole number"),
        ("months", {"first_out": 505}, "first bar of one of the months, such as row 500, got 505"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    unit: str, options: dict[str, object], words: str
) -> None:
    spec = WalkForward(in_sample=10, out_of_sample=5, unit=unit)
    with pytest.raises(ArgumentError, match=words):
        plan_windows(daily(), spec, **options)


def test_a_first_window_that_begins_within_a_session_is_refused() -> None:
    bars = series(spans((-360, 1020), size=60).ravel())
    spec = WalkForward(in_sample=10, out_of_sample=5)
    with pytest.raises(ArgumentError, match="first bar of one of the sessions, such as row 690"):
        plan_windows(bars, spec, first_out=700)
    assert plan_windows(bars, spec, first_out=690).first_out == 690


@st.composite
def histories(draw: st.DrawFn) -> Bars:
    if draw(st.booleans(), label="daily"):
        first = draw(st.sampled_from(["2001-01-01", "2003-08-20"]))
        time, longest = daily(draw(st.integers(150, 700)), first).time, 60
    else:
        size, days = draw(st.sampled_from([60, 180])), draw(st.integers(15, 140))
        grid = spans((-360, 1020), size=size, days=days)
        time, longest = grid.ravel(), grid.shape[1] // 2
    kept = np.ones(len(time), dtype=bool)
    for _ in range(draw(st.integers(0, 3), label="holes")):
        first = draw(st.integers(0, len(time) - 1))
        kept[first : first + draw(st.integers(1, longest))] = False
    return series(time[kept])


@given(
    bars=histories(),
    unit=st.sampled_from(["bars", "sessions", "months"]),
    lengths=st.tuples(st.integers(1, 40), st.integers(1, 15), st.integers(0, 6)),
    anchored=st.booleans(),
    warmup=st.integers(0, 120),
    shift=st.integers(0, 3),
)
@settings(max_examples=400)
def test_every_bar_is_out_of_sample_once_and_no_window_sees_another(
    bars: Bars,
    unit: str,
    lengths: tuple[int, int, int],
    anchored: bool,
    warmup: int,
    shift: int,
) -> None:
    inside, outside, purge = lengths
    if unit == "months":
        inside, outside = 1 + inside // 6, 1 + outside // 4
    spec = WalkForward(
        in_sample=inside, out_of_sample=outside, unit=unit, anchored=anchored, purge=purge
    )
    try:
        plan = plan_windows(bars, spec, warmup=warmup)
        if shift:
            first_out = plan.windows[min(shift, len(plan.windows)) - 1].out_start
            plan = plan_windows(bars, spec, warmup=warmup, first_out=first_out)
            assert plan.first_out == first_out
    except DataError as error:
        if "a hole" in str(error):
            assert unit == "months"
        else:
            assert_too_short(bars, spec, warmup)
        reject()
    assert plan.start >= warmup
    assert_geometry(bars, plan, spec, moved=bool(shift))


def assert_too_short(bars: Bars, spec: WalkForward, warmup: int) -> None:
    """An error is right only where one window does not fit behind the first session."""
    keys = {
        "bars": np.arange(len(bars)),
        "sessions": session_days(bars),
        "months": months_of(bars),
    }[spec.unit]
    begins = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    left = len(begins[begins >= warmup])
    spare = spec.purge if spec.unit != "months" else 2 * (spec.purge > 0) + 1
    assert left <= spec.in_sample + spare


def assert_geometry(
    bars: Bars, plan: RollingPlan, spec: WalkForward, *, moved: bool = False
) -> None:
    days, months = session_days(bars), months_of(bars)
    keys = {"bars": np.arange(len(bars)), "sessions": days, "months": months}[spec.unit]
    windows = plan.windows
    traded = np.concatenate([np.arange(w.out_start, w.out_stop) for w in windows])
    np.testing.assert_array_equal(traded, np.arange(plan.first_out, len(bars)))
    assert plan.stop == len(bars)
    assert [w.number for w in windows] == list(range(1, len(windows) + 1))
    assert not any(w.partial for w in windows[:-1])
    assert not windows[-1].partial or "shorter" in plan.notes[-1]
    holes = bool(np.any(np.diff(months) > 1))
    for w in windows:
        assert plan.start <= w.in_start < w.in_stop <= w.out_start < w.out_stop
        for row in (w.in_start, w.in_stop, w.out_start):
            if spec.unit != "bars" and row:
                assert days[row] != days[row - 1]
        between = keys if spec.unit == "bars" else days
        assert len(np.unique(between[w.in_stop : w.out_start])) == spec.purge
        length = len(np.unique(keys[w.out_start : w.out_stop]))
        if not (w.partial or (spec.unit == "months" and holes)):
            assert length == spec.out_of_sample
        assert length <= spec.out_of_sample
        if spec.anchored:
            assert w.in_start == plan.start
        elif spec.unit != "months":
            assert len(np.unique(keys[w.in_start : w.in_stop])) == spec.in_sample
        elif spec.purge == 0 and not holes:
            expected = months[w.out_start] - spec.in_sample + np.arange(spec.in_sample)
            np.testing.assert_array_equal(np.unique(months[w.in_start : w.in_stop]), expected)
    if not moved and (spec.unit != "months" or not (spec.purge or holes)):
        assert windows[0].in_start == plan.start
    assert set(plan.boundaries) == {plan.start, plan.stop} | set(np.ravel(rows(plan)).tolist())
