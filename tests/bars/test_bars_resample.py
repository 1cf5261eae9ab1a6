"""Coarser bars: every fine bar once, in its own session, and what comes of real files."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.bars import Bars, load, pair, resample, session_days, session_open
from meseta.errors import ArgumentError
from trading_hours import MINUTE, series, spans

if TYPE_CHECKING:
    from pathlib import Path

NEW_YORK = "America/New_York"
COLUMNS = ("time", "open", "high", "low", "close", "volume")


def hours(bars: Bars, row: int = 0) -> list[str]:
    """Time of day of all bars of a session."""
    days = session_days(bars)
    return [str(time)[11:16] for time in bars.time[days == np.unique(days)[row]]]


def same(bars: Bars, other: Bars) -> None:
    assert bars.fingerprint == other.fingerprint
    np.testing.assert_array_equal(bars.stubs, other.stubs)
    for fact in ("bar_size", "bar_minutes", "stamp", "session_open", "bars_per_year"):
        assert getattr(bars, fact) == getattr(other, fact)


def test_bars_are_counted_from_the_opening_and_end_with_the_session():
    coarse = resample(series(spans((-360, 1020)).ravel()), "360m")
    assert (coarse.bar_size, coarse.bar_minutes, coarse.stamp) == ("6h", 360, "open")
    assert hours(coarse) == ["18:00", "00:00", "06:00", "12:00"]
    assert coarse.stubs.reshape(40, 4).tolist() == [[False, False, False, True]] * 40
    finding = coarse.warnings[-1]
    assert (finding.code, finding.value, finding.time) == ("stubs", "40", "2024-01-01 12:00")
    assert finding.message.startswith("40 of 160 bars cover less than their 6h")
    assert session_open(coarse) == -360


def test_bars_stamped_at_their_close_keep_that():
    coarse = resample(series(spans((570, 960), stamp="close").ravel(), "close"), "90m")
    assert hours(coarse) == ["11:00", "12:30", "14:00", "15:30", "16:00"]
    assert np.flatnonzero(coarse.stubs)[:2].tolist() == [4, 9]


def test_half_days_and_the_end_of_the_data_make_stubs_but_holes_do_not():
    time = spans((570, 960), size=10)
    kept = np.ones(time.shape, dtype=bool)
    kept[3, 21:] = kept[5, 2:17] = kept[6, 0] = kept[39, 5:] = False
    coarse = resample(series(time[kept]), "130m")
    assert hours(coarse, 0) == ["09:30", "11:40", "13:50"]
    assert hours(coarse, 3) == ["09:30", "11:40"]
    assert hours(coarse, 5) == ["09:30", "12:20", "13:50"]
    short = session_days(coarse)[coarse.stubs]
    assert np.unique(session_days(coarse))[[3, 39]].tolist() == short.tolist()


@pytest.mark.parametrize(("size", "each"), [("30m", 13), ("1h", 7), ("195m", 2), ("390m", 1)])
def test_lengths_that_divide_a_session_leave_no_stub(size: str, each: int):
    coarse = resample(series(spans((570, 960)).ravel()), size)
    assert len(coarse) == 40 * each
    assert np.count_nonzero(coarse.stubs) == (40 if size == "1h" else 0)
    assert [finding.code for finding in coarse.warnings] == ["stubs"] * (size == "1h")


def test_days_have_the_date_of_their_session_and_weeks_that_of_their_first():
    fine = series(np.delete(spans((-360, 1020)), [0, 5, 6], axis=0).ravel())
    daily = resample(fine, "1d")
    assert (daily.bar_size, daily.bar_minutes, daily.stamp) == ("1d", None, "open")
    assert [str(time)[:10] for time in daily.time[:4]] == [
        "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05",
    ]  # fmt: skip
    assert (daily.stubs, session_open(daily)) == (None, 0)
    weekly = resample(fine, "1w")
    assert weekly.bar_size == "1w"
    assert [str(time)[:10] for time in weekly.time[:3]] == [
        "2024-01-02", "2024-01-10", "2024-01-15",
    ]  # fmt: skip
    same(resample(daily, "1w"), weekly)


def test_clocks_that_change_in_another_zone_move_the_count_with_the_opening():
    summer, winter = np.arange(0, 60), np.arange(60, 120)
    time = spans((-120, 1260), days=120)
    time[winter] += 60 * MINUTE
    kept = np.ones(time.shape, dtype=bool)
    kept[30, :7] = kept[90, :3] = False  # one begins when the others do in winter
    fine = series(time[kept])
    coarse = resample(fine, "6h")
    assert session_open(coarse) == -120
    assert hours(coarse, 0) == ["22:00", "04:00", "10:00", "16:00"]
    assert hours(coarse, 70) == ["23:00", "05:00", "11:00", "17:00"]
    assert hours(coarse, 30) == ["23:45", "04:00", "10:00", "16:00"]
    assert hours(coarse, 90) == ["23:45", "05:00", "11:00", "17:00"]
    assert np.count_nonzero(coarse.stubs) == summer.size + winter.size
    strict = resample(fine, "6h", opens="22:00")
    assert hours(strict, 70) == ["23:00", "04:00", "10:00", "16:00"]


def test_late_first_trades_do_not_move_the_count():
    time = spans((570, 960), size=1, days=60)
    rng = np.random.default_rng(2)
    late = np.minimum(rng.geometric(0.3, 60) - 1, 9)
    kept = np.arange(time.shape[1]) >= late[:, np.newaxis]
    coarse = resample(series(time[kept]), "30m")
    assert set((coarse.time.astype("datetime64[m]").astype(int) % 30)[1::13]) == {0}
    assert len(coarse) == 60 * 13


def test_the_user_says_from_when_to_count():
    fine = series(spans((570, 960)).ravel())
    coarse = resample(fine, "1h", opens="09:00")
    assert hours(coarse)[:3] == ["09:30", "10:00", "11:00"]
    assert session_open(coarse) == 540
    same(resample(fine, "1h", opens=540), coarse)


def test_the_same_size_gives_the_bars_themselves():
    fine = series(spans((570, 960), size=60).ravel())
    assert resample(fine, "60m") is fine
    assert session_open(resample(fine, "1h", opens="08:00")) == 480
    daily = series(np.datetime64("2024-01-01") + np.arange(30))
    assert resample(daily, "1d") is daily


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("40m", r"whole multiple of the data's, and .* last 15m, got '40m'; take '30m' or '45m'"),
        ("5m", r"not be finer than the data, but the bars of bars last 15m, got '5m'"),
        ("1mo", r"'30m', '360m' or '6h', or '1d' or '1w'; got '1mo'"),
        ("0m", "got '0m'"),
        ("24h", "below a day"),
        ("2d", "got '2d'"),
        ("", "got ''"),
        (30, "got 30"),
    ],
)
def test_sizes_that_cannot_be_are_refused(size: str, words: str):
    with pytest.raises(ArgumentError, match=words):
        resample(series(spans((570, 960)).ravel()), size)


def test_daily_and_weekly_bars_become_nothing_finer():
    daily = series(np.datetime64("2024-01-01") + np.arange(60))
    with pytest.raises(ArgumentError, match=r"must be '1d' or '1w' where .* last 1d, got '6h'"):
        resample(daily, "6h")
    with pytest.raises(ArgumentError, match=r"must be '1w' where .* last 1w, got '1d'"):
        resample(resample(daily, "1w"), "1d")


def test_a_pair_is_refused():
    fine = series(spans((570, 960)).ravel())
    with pytest.raises(ArgumentError, match="is a pair; resample each"):
        resample(pair(fine, fine), "30m")


def test_stubs_go_where_their_bars_go():
    coarse = resample(series(spans((570, 960)).ravel()), "1h")
    assert not coarse.stubs.flags.writeable
    part = coarse.slice(5, 9)
    assert part.stubs.tolist() == [False, True, False, False]
    assert part.session_open == 570
    again = pickle.loads(pickle.dumps(coarse))
    np.testing.assert_array_equal(again.stubs, coarse.stubs)
    assert not again.stubs.flags.writeable
    joined = pair(coarse, coarse.slice(3, 200))
    np.testing.assert_array_equal(joined.stubs, coarse.stubs[3:200])
    np.testing.assert_array_equal(joined.second.stubs, coarse.stubs[3:200])
    bare = Bars(**{**vars(coarse), "stubs": None})
    assert bare.fingerprint == coarse.fingerprint


def test_negative_prices_are_carried():
    fine = series(spans((570, 960)).ravel())
    below = Bars.from_arrays(
        fine.time, *[getattr(fine, name) - 100 for name in COLUMNS[1:5]], allow_nonpositive=True
    )
    coarse = resample(below, "1d")
    assert coarse.allow_nonpositive
    assert coarse.low.min() == below.low.min() < 0
    assert coarse.volume is None


@st.composite
def markets(draw: st.DrawFn) -> Bars:
    size = draw(st.sampled_from([5, 15]))
    opens = draw(st.integers(-28, 28)) * 15
    length = draw(st.integers(20, (1440 - size) // size)) * size
    stamp = draw(st.sampled_from(["open", "close"]))
    time = spans((opens, opens + length), size=size, days=25, stamp=stamp)
    kept = np.ones(time.shape, dtype=bool)
    for row in draw(st.lists(st.integers(0, 24), max_size=5)):
        # A lost first bar leaves it open where a coarse bar stamped at its close began.
        first = draw(st.integers(0 if stamp == "open" else 12, time.shape[1] - 1))
        kept[row, first : first + draw(st.integers(1, 40))] = False
    return series(time[kept], stamp)


@given(bars=markets(), size=st.sampled_from(["15m", "30m", "45m", "90m", "6h", "1d", "1w"]))
@settings(max_examples=150)
def test_every_bar_is_in_one_coarse_bar_of_its_own_session(bars: Bars, size: str):
    coarse = resample(bars, size)
    days = session_days(bars)
    if coarse is bars:
        return
    if size in {"1d", "1w"}:
        dates = session_days(coarse)
        home = np.searchsorted(dates, days, side="right") - 1
        assert np.all(days - dates[home] < (1 if size == "1d" else 7))
    elif bars.stamp == "open":
        home = np.searchsorted(coarse.time, bars.time, side="right") - 1
    else:
        home = np.searchsorted(coarse.time, bars.time)
    assert np.array_equal(np.unique(home), np.arange(len(coarse)))
    for row in range(len(coarse)):
        rows = np.flatnonzero(home == row)
        assert np.all(np.diff(rows) == 1)
        made = [getattr(coarse, name)[row] for name in COLUMNS[1:]]
        assert made == [
            bars.open[rows[0]],
            bars.high[rows].max(),
            bars.low[rows].min(),
            bars.close[rows[-1]],
            bars.volume[rows].sum(),
        ]
        if size not in {"1d", "1w"}:
            assert len(np.unique(days[rows])) == 1
            assert session_days(coarse)[row] == days[rows[0]]
            span = bars.time[rows[-1]] - bars.time[rows[0]] + bars.bar_minutes * MINUTE
            assert span <= coarse.bar_minutes * MINUTE
            if coarse.stubs[row]:
                assert span < coarse.bar_minutes * MINUTE
                assert rows[-1] == len(bars) - 1 or days[rows[-1] + 1] != days[rows[-1]]
    assert coarse.bars_per_year == pytest.approx((len(coarse) - 1) / coarse.years)


@given(bars=markets(), way=st.sampled_from(["30m,1h", "30m,90m", "1h,6h", "45m,1d", "1h,1d,1w"]))
@settings(max_examples=100)
def test_steps_lead_where_one_leads(bars: Bars, way: str):
    sizes = way.split(",")
    step = bars
    for size in sizes:
        step = resample(step, size)
    same(step, resample(bars, sizes[-1]))


def test_crude_oil_in_six_hours_is_the_same_in_every_zone(shared: Path):
    path = shared / "data/intraday/CL_15m.csv.gz"
    fine = load(path, timezone=NEW_YORK, allow_nonpositive=True)
    coarse = resample(fine, "360m")
    days, rows = np.unique(session_days(coarse), return_index=True)
    sizes = np.diff(rows, append=len(coarse))
    assert (len(days), np.median(sizes), sizes.max()) == (3146, 4, 4)
    full = sizes == 4
    assert np.mean(full) > 0.99
    assert np.all(coarse.stubs[(rows + sizes - 1)[full]])
    assert not np.any(coarse.stubs[np.setdiff1d(np.arange(len(coarse)), rows + sizes - 1)])
    assert coarse.low.min() == fine.low.min() < 0
    elsewhere = resample(load(path, allow_nonpositive=True), "360m")
    for name in ("open", "high", "low", "close", "stubs"):
        np.testing.assert_array_equal(getattr(elsewhere, name), getattr(coarse, name))


def test_fifteen_minutes_make_the_days_of_the_daily_file(shared: Path):
    fine = load(shared / "data/intraday/QQQ_15m.csv.gz", timezone=NEW_YORK)
    daily = load(shared / "data/etf_daily/QQQ.csv.gz")
    made = resample(fine, "1d")
    common = (daily.time >= made.time[0]) & (daily.time <= made.time[-1])
    np.testing.assert_array_equal(made.time, daily.time[common])
    np.testing.assert_allclose(made.close, daily.close[common], rtol=0.0085)
    weeks = resample(daily, "1w")
    assert len(weeks) == len(np.unique((session_days(daily) + 3) // 7))


def test_five_minutes_make_the_fifteen_of_tradestation(shared: Path):
    folder = shared / "data/tradestation"
    made, real = resample(load(folder / "TQQQ_5min.txt"), "15m"), load(folder / "TQQQ_15min.txt")
    assert made.fingerprint == real.fingerprint
    assert (made.bar_minutes, made.stamp) == (real.bar_minutes, real.stamp)
    assert not made.stubs.any()


@pytest.mark.parametrize(("minutes", "each"), [(90, 5), (135, 4)])
def test_five_minutes_make_the_bars_and_stubs_of_tradestation(
    shared: Path, minutes: int, each: int
):
    """The genuine files count from 9:00, and their first bars hold trades before 9:30."""
    folder = shared / "data/tradestation"
    made = resample(load(folder / "TQQQ_5min.txt"), f"{minutes}m", opens="09:00")
    real = load(folder / f"TQQQ_{minutes}min.txt")
    real = real.slice(len(real) - len(made), len(real))
    assert session_open(real) == 540
    np.testing.assert_array_equal(made.time, real.time)
    np.testing.assert_array_equal(made.close, real.close)
    later = np.arange(len(made)) % each > 0
    for name in COLUMNS[1:]:
        np.testing.assert_array_equal(getattr(made, name)[later], getattr(real, name)[later])
    assert np.all(made.high[~later] <= real.high[~later])
    assert [str(time)[11:16] for time in made.time[made.stubs]] == ["16:00"] * 10
