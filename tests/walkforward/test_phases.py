"""Phases: where they lie, and what is refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from meseta.bars import Bars
from meseta.errors import ArgumentError, DataError
from meseta.walkforward import Dates, YearsBack, parse_phases, plan_phases

YEAR = np.timedelta64(31_557_600_000_000, "us")


def series(times: np.ndarray) -> Bars:
    price = np.full(len(times), 100.0)
    return Bars.from_arrays(times, price, price + 1, price - 1, price)


def daily(years: float, *, first: str = "2001-01-01") -> Bars:
    days = np.arange(round(years * 365.25) + 1)
    return series(np.datetime64(first, "us") + days * np.timedelta64(1, "D"))


def years_between(bars: Bars, a: int, b: int) -> float:
    return (bars.time[b] - bars.time[a]) / YEAR


def test_ten_years_have_the_four_fixed_phases() -> None:
    bars = daily(12)
    plan = plan_phases(bars)
    spans = [(p.a, p.z - 1) for p in plan.phases]
    back = [
        tuple(round(years_between(bars, row, len(bars) - 1), 2) for row in span) for span in spans
    ]
    assert back == [(10, 5), (8, 3), (6, 1), (4, 0)]
    shares = [(p.z - p.o) / (p.z - p.a) for p in plan.phases]
    assert shares == pytest.approx([0.40, 0.40, 0.40, 0.38], abs=1e-3)
    assert plan.required == 3
    assert plan.notes == ()
    assert [p.number for p in plan.phases] == [1, 2, 3, 4]


def test_the_sample_has_the_windows_computed_by_hand() -> None:
    from meseta.bars import load

    windows = [p.window for p in plan_phases(load("sample:nasdaq")).phases]
    assert windows == [
        (2514, 3268, 3772),
        (3018, 3773, 4277),
        (3520, 4276, 4780),
        (4024, 4648, 5031),
    ]


@pytest.mark.parametrize(
    ("years", "count", "required"),
    [
        (10.01, 4, 3),
        (9.9, 4, 3),
        (6.01, 4, 3),
        (5.9, 3, 2),
        (3.01, 3, 2),
        (2.9, 2, 2),
        (1.51, 2, 2),
    ],
)
def test_shorter_histories_have_fewer_phases(years: float, count: int, required: int) -> None:
    plan = plan_phases(daily(years))
    assert (len(plan.phases), plan.required) == (count, required)


def test_even_phases_span_half_the_history_and_shift_evenly() -> None:
    bars = daily(7)
    phases = plan_phases(bars, warmup=0).phases
    assert [years_between(bars, p.a, p.z - 1) for p in phases] == pytest.approx(
        [3.5] * 4, abs=0.01
    )
    starts = [years_between(bars, 0, p.a) for p in phases]
    assert np.diff(starts) == pytest.approx([7 / 6] * 3, abs=0.01)
    assert (phases[0].a, phases[-1].z) == (0, len(bars))


def test_too_short_a_history_names_its_length_and_the_least() -> None:
    with pytest.raises(DataError, match=r"1\.40 years long .*at least 1\.5 years.*--vault"):
        plan_phases(daily(1.4))


def test_the_warmup_moves_the_first_phase_and_says_so() -> None:
    plan = plan_phases(daily(2), warmup=100)
    assert plan.phases[0].a == 100
    assert plan.phases[1].a > 100
    assert plan.notes == (
        "phase 1 cannot start before 2001-04-11: the first 100 bars are the warm-up",
    )


def test_a_phase_that_the_warmup_swallows_is_left_out_and_said() -> None:
    months = np.arange("2004-01", "2016-02", dtype="datetime64[M]").astype("datetime64[us]")
    plan = plan_phases(series(months), warmup=100)
    assert [p.number for p in plan.phases] == [1, 2, 3]
    assert plan.required == 2
    assert "phase 1 is left out: the warm-up of 100 bars swallows it" in plan.notes


def test_a_warmup_that_leaves_one_phase_is_an_error() -> None:
    weeks = np.arange("2014-01-06", "2016-01-04", 7, dtype="datetime64[D]")
    with pytest.raises(DataError, match=r"warm-up of 100 bars leaves \d phases of the 2"):
        plan_phases(series(weeks.astype("datetime64[us]")))


def test_the_share_is_split_in_decimals() -> None:
    times = np.datetime64("2001-01-01", "us") + np.arange(100) * np.timedelta64(1, "D")
    spec = [{"years_back": [20 / 365.25, 1 / 365.25], "out_of_sample": 0.9}]
    (phase,) = plan_phases(series(times), warmup=0, spec=spec).phases
    assert phase.window == (79, 81, 99)


def test_phases_by_date_take_whole_days() -> None:
    times = np.datetime64("2020-01-01T00:30", "us") + np.arange(24 * 40) * np.timedelta64(60, "m")
    bars = series(times)
    spec = [{"start": date(2020, 1, 10), "split": "2020-01-20T12:00", "end": "2020-01-31"}]
    (phase,) = plan_phases(bars, warmup=10, spec=spec).phases
    bounds = [str(bars.time[row].astype("datetime64[m]")) for row in (phase.a, phase.o)]
    assert bounds == ["2020-01-10T00:30", "2020-01-20T12:30"]
    assert str(bars.time[phase.z - 1].astype("datetime64[m]")) == "2020-01-31T23:30"


@pytest.mark.parametrize(("count", "required"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)])
def test_more_than_half_of_the_phases_by_hand_are_required(count: int, required: int) -> None:
    spec = [{"years_back": [8 - n, 6 - n], "out_of_sample": 0.4} for n in range(count)]
    assert plan_phases(daily(9), spec=spec).required == required


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"years_back": [5, 10], "out_of_sample": 0.4}, "start > end >= 0, got \\[5, 10\\]"),
        ({"years_back": [5], "out_of_sample": 0.4}, "start > end >= 0"),
        ({"years_back": [5, float("nan")], "out_of_sample": 0.4}, "start > end >= 0"),
        ({"years_back": [5, 1], "out_of_sample": 40}, "between 0 and 1 .* got 40"),
        ({"years_back": [5, 1], "out_of_sample": True}, "between 0 and 1 .* got True"),
        ({"start": "2001-01-01", "split": "2001-01-01", "end": "2002-01-01"}, "start < split"),
        ({"start": "01.02.2001", "split": "2001-06-01", "end": "2002-01-01"}, "`start` must be"),
        ({"start": "2001-01-01T00:00Z", "split": "2001-06-01", "end": "2002-01-01"}, "an offset"),
        ({"start": "2001-01-01"}, "entry 1 must be"),
        ([10, 5, 0.4], "entry 1 must be"),
    ],
)
def test_malformed_entries_are_refused_before_data_are_read(entry: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        parse_phases([entry])  # type: ignore[list-item]


@pytest.mark.parametrize("spec", [[], "10,5", {"years_back": [10, 5], "out_of_sample": 0.4}])
def test_anything_but_a_list_of_entries_is_refused(spec: object) -> None:
    with pytest.raises(ArgumentError, match="`phases` must be 'auto' or a list"):
        parse_phases(spec)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([{"years_back": [9, 5], "out_of_sample": 0.4}], "entry 1 must lie inside the data"),
        (
            [{"start": "2000-01-01", "split": "2003-01-01", "end": "2004-01-01"}],
            "entry 1 must lie inside the data, got 2000-01-01",
        ),
        (
            [{"start": "2002-01-01", "split": "2003-01-01", "end": "2030-01-01"}],
            "inside the data, .*8.00 years long",
        ),
        ([{"years_back": [0.003, 0], "out_of_sample": 0.4}], "at least 2 bars .* got 1 and 1"),
        ([{"years_back": [5, 1], "out_of_sample": 0.4}] * 2, "entry 2 must differ .* bars of 1"),
    ],
)
def test_phases_that_do_not_fit_the_data_are_refused(
    spec: list[dict[str, object]], words: str
) -> None:
    with pytest.raises(ArgumentError, match=words):
        plan_phases(daily(8), spec=spec)


def test_parsed_phases_write_what_they_read() -> None:
    parsed = parse_phases(
        [
            {"years_back": [10, 5], "out_of_sample": 0.4},
            {"start": date(2010, 1, 4), "split": date(2012, 6, 1), "end": date(2013, 12, 31)},
        ]
    )
    assert parsed == (
        YearsBack(10, 5, 0.4),
        Dates(
            datetime(2010, 1, 4),
            datetime(2012, 6, 1),
            datetime(2013, 12, 31) + timedelta(days=1, microseconds=-1),
        ),
    )
    assert parse_phases([phase.as_mapping() for phase in parsed]) == parsed


@st.composite
def histories(draw: st.DrawFn) -> Bars:
    """Bars of 1 to 240 minutes, of a day or of a week, with gaps, over 1.6 to 13 years."""
    minutes = draw(st.sampled_from([240, 1440, 10_080]))
    years = draw(st.floats(1.6, 13))
    count = int(years * 365.25 * 1440 / minutes) + 2
    kept = np.random.default_rng(draw(st.integers(0, 2**32))).random(count) < draw(
        st.floats(0.5, 1)
    )
    kept[[0, -1]] = True
    moments = np.flatnonzero(kept) * np.timedelta64(minutes, "m").astype("timedelta64[us]")
    return series(np.datetime64("2003-05-06T07:30", "us") + moments)


@settings(max_examples=60, deadline=None)
@given(bars=histories(), warmup=st.integers(0, 120))
def test_phases_are_ordered_windows_inside_the_data(bars: Bars, warmup: int) -> None:
    try:
        plan = plan_phases(bars, warmup=warmup)
    except DataError:  # weekly bars that the warm-up eats up
        reject()
    for phase, share in zip(plan.phases[::-1], [0.38, 0.40, 0.40, 0.40], strict=False):
        a, o, z = phase.window
        assert warmup <= a < a + 2 <= o < o + 2 <= z <= len(bars)
        assert abs((z - o) - share * (z - a)) <= 1
    assert plan.phases[-1].z == len(bars)
    assert all(
        p.a <= q.a and p.z < q.z for p, q in zip(plan.phases, plan.phases[1:], strict=False)
    )
    assert len(plan.phases) / 2 < plan.required <= len(plan.phases)


@settings(max_examples=60, deadline=None)
@given(
    bars=histories(), back=st.floats(0.3, 1.5), length=st.floats(0.1, 1), share=st.floats(0.1, 0.9)
)
def test_phases_by_hand_hold_their_years_and_share(
    bars: Bars, back: float, length: float, share: float
) -> None:
    end = max(back - length, 0.0)
    spec = [{"years_back": [back, end], "out_of_sample": share}]
    try:
        (phase,) = plan_phases(bars, warmup=0, spec=spec).phases
    except ArgumentError:  # less than two bars on a side
        reject()
    a, o, z = phase.window
    left = (bars.time[-1] - bars.time) / YEAR
    inside = (left <= back + 1e-12) & (left >= end - 1e-12)
    assert np.array_equal(np.flatnonzero(inside), np.arange(a, z))
    assert abs((z - o) - share * (z - a)) <= 1
