"""Bars, funding and mark prices: what is taken, what is noted and what is refused."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest
from hedge_world import START, bars_of, settled

from meseta.bars import Bars
from meseta.errors import ArgumentError, DataError
from meseta.hedge import Funding, GridParameters, GridSettings, HedgeMarket

EIGHTS = np.arange(5) * np.timedelta64(8, "h")
ROWS = [(100.0, 101.0, 99.0, 100.0)] * 30
HEADLESS = "{},8,0.0001\n{},8,-0.0002\n{},8,0.0003\n"
# The second is three milliseconds early.
STAMPS = [1704067200006, 1704095999997, 1704124800031]


# ------------------------------------------------------------------------------ funding


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shared.csv", "funding_time,funding_rate\n{},0.0001\n{},-0.0002\n{},0.0003\n"),
        (
            "archive.csv",
            f"calc_time,funding_interval_hours,last_funding_rate\n{HEADLESS}",
        ),
        ("headless.csv", HEADLESS),
        ("rest.csv", "fundingTime,fundingRate\n{},0.0001\n{},-0.0002\n{},0.0003\n"),
    ],
)
def test_every_layout_of_funding_is_the_same(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text.format(*STAMPS), encoding="utf-8")
    found = Funding.load(file)
    times = ["2024-01-01T00:00", "2024-01-01T08:00", "2024-01-01T16:00"]
    assert (found.time == np.array(times, dtype="datetime64[us]")).all()
    assert found.rate.tolist() == [0.0001, -0.0002, 0.0003]
    assert found.interval_hours.tolist() == [8.0, 8.0, 8.0]


def test_funding_of_the_store_and_of_compressed_files(tmp_path):
    own = settled([0.0001, 0.0002], hours=4)
    frame = pl.DataFrame(
        {"ts": pl.Series(own.time).dt.replace_time_zone("UTC"), "rate": own.rate,
         "interval_hours": [None, 4.0]}
    )  # fmt: skip
    frame.write_parquet(tmp_path / "funding.parquet")
    assert Funding.load(tmp_path / "funding.parquet").fingerprint == own.fingerprint
    text = "funding_time,funding_rate\n1704067200000,0.0001\n1704081600000,0.0002\n"
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert Funding.load(tmp_path / "f.csv.gz").fingerprint == own.fingerprint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("funding_time,price\n1,2\n", "needs a column rate or last_funding_rate"),
        ("funding_time,funding_rate\n1704067200000,0.0001\n", "two settlements or more"),
        ("ts,rate\n1704096000000,0.1\n1704067200000,0.1\n", "must increase by a minute or more"),
        ("ts,rate\n1704067200000,0.1\n1704096000000,2.5\n", "must lie between -1 and 1"),
        ("ts,rate\n1704067200000,0.1\n1704096000000,much\n", "must lie between -1 and 1"),
        ("ts,rate\nsoon,0.1\nlater,0.1\n", "must increase by a minute or more"),
        ("", "cannot be read"),
    ],
)
def test_bad_funding_is_told(tmp_path, text, told):
    (tmp_path / "f.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        Funding.load(tmp_path / "f.csv")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        Funding.load(tmp_path / "none.csv")


# ------------------------------------------------------------------------------ markets


def test_gaps_are_refused_or_noted():
    bars = bars_of(ROWS)
    kept = np.array([0, 1, 2, 6, 7, 9])
    holed = Bars.from_arrays(
        *(getattr(bars, name)[kept] for name in ("time", "open", "high", "low", "close"))
    )
    told = "2 gaps, 4 bars of 1h are missing, first after 2024-01-01 02:00 up to 2024-01-01 06:00"
    with pytest.raises(DataError, match=told):
        HedgeMarket.make(holed)
    assert any(told in note for note in HedgeMarket.make(holed, allow_gaps=True).notes)


@pytest.mark.parametrize(
    ("funding", "told"),
    [
        (settled([0.0] * 3, start=START + np.timedelta64(16, "h")), "must cover the bars"),
        (settled([0.0] * 3), "must cover the bars"),
        (Funding.make(START + EIGHTS[[0, 1, 3, 4]], [0.0] * 4), "lacks settlements"),
    ],
)  # fmt: skip
def test_funding_must_cover_the_bars(funding, told):
    with pytest.raises(DataError, match=told):
        HedgeMarket.make(bars_of(ROWS), funding)


def test_an_hourly_settlement_that_is_missing_is_found():
    hours = np.delete(np.arange(32), 7)
    funding = Funding.make(START + hours * np.timedelta64(1, "h"), [0.0] * 31, [1.0] * 31)
    with pytest.raises(DataError, match="between 2024-01-01 06:00 and 2024-01-01 08:00"):
        HedgeMarket.make(bars_of(ROWS), funding)


def test_settlements_have_the_mark_price_of_their_moment():
    bars = bars_of([(100.0 + t, 101.0 + t, 99.0 + t, 100.5 + t) for t in range(30)])
    funding = settled([0.1, 0.2, 0.3, 0.4])
    rows, rates, marks = HedgeMarket.make(bars, funding).settlements
    assert (rows.tolist(), rates.tolist()) == ([8, 16, 24], [0.2, 0.3, 0.4])
    assert marks.tolist() == [107.5, 115.5, 123.5]
    mark = bars_of([(50.0, 51.0, 49.0, 50.0)] * 3, minutes=480)
    market = HedgeMarket.make(bars, funding, mark)
    assert market.settlements[2].tolist() == [50.0, 50.0, 123.5]
    assert any("1 of 3 are unknown" in note for note in market.notes)
    late = bars_of(
        [(50.0, 51.0, 49.0, 50.0)] * 3, minutes=480, start=np.datetime64("2025-01-01", "us")
    )
    with pytest.raises(DataError, match="no bar of the mark prices"):
        HedgeMarket.make(bars, funding, late)


def test_a_settlement_inside_a_bar_counts_at_the_next_open():
    funding = settled([0.1, 0.2, 0.3, 0.4, 0.5], start=START - np.timedelta64(30, "m"))
    assert HedgeMarket.make(bars_of(ROWS), funding).settlements[0].tolist() == [8, 16, 24]


def test_mark_prices_are_no_bars_of_trades():
    with pytest.raises(DataError, match="look like mark or index prices"):
        HedgeMarket.make(bars_of(ROWS, volume=[0.0] * 30))
    with pytest.raises(DataError, match="are the mark prices"):
        HedgeMarket.make(bars_of(ROWS), None, bars_of(ROWS))


def test_other_bars_are_refused():
    from dataclasses import replace

    bars = bars_of(ROWS)
    with pytest.raises(DataError, match="must be in UTC"):
        HedgeMarket.make(replace(bars, timezone="America/New_York"))
    with pytest.raises(DataError, match="must be shorter than a day"):
        HedgeMarket.make(bars_of(ROWS, minutes=1440))
    with pytest.raises(DataError, match="whole minutes"):
        HedgeMarket.make(replace(bars, time=bars.time + np.timedelta64(1, "s")))
    with pytest.raises(DataError, match="must be positive"):
        HedgeMarket.make(replace(bars, low=bars.low - 100))


def test_long_bars_are_noted():
    rows = [(1000.0, 1001.0, 999.0, 1000.0)] * 4
    noted = [
        any("hide in which order" in note for note in HedgeMarket.make(bars_of(rows, m)).notes)
        for m in (1, 5, 15, 60)
    ]
    assert noted == [False, False, True, True]


def test_bars_stamped_at_their_close_are_stamped_anew():
    from dataclasses import replace

    bars = bars_of(ROWS)
    late = replace(bars, time=bars.time + np.timedelta64(1, "h"), stamp="close")
    assert HedgeMarket.make(late).fingerprint == HedgeMarket.make(bars).fingerprint


def test_markets_differ_by_what_is_in_them():
    bars, funding = bars_of(ROWS), settled([0.0] * 5)
    mark = bars_of([(50.0, 51.0, 49.0, 50.0)] * 4, minutes=480)
    made = [
        HedgeMarket.make(bars),
        HedgeMarket.make(bars, funding),
        HedgeMarket.make(bars, funding, mark),
    ]
    assert len({market.fingerprint for market in made}) == 3


# ------------------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"grid_step_bps": 4.9}, "`grid_step_bps` must be from 5 to 1000, got 4.9"),
        ({"grid_levels_long": 101}, "`grid_levels_long` must be from 1 to 100"),
        ({"base_qty": 0.0}, "`base_qty` must be above 0, got 0.0"),
        ({"qty_scale": 3.01}, "`qty_scale` must be above 0 to 3"),
        ({"tp_steps": 16, "sl_steps": 5}, "`tp_steps` must be at most three times `sl_steps`"),
        ({"ema_fast": 30, "ema_slow": 30}, "`ema_fast` must be below `ema_slow`"),
        ({"adx_len": 4}, "`adx_len` must be from 5"),
        ({"adx_len": 7.5}, "`adx_len` must be a whole number, got 7.5"),
        ({"max_position_pct": 0.05}, "`max_position_pct` must be from 0.1 to 1"),
        ({"hysteresis_bps": float("nan")}, "`hysteresis_bps` must be"),
        ({"grid_stepbps": 20.0}, "did you mean grid_step_bps"),
    ],
)
def test_parameters_have_hard_limits(values, told):
    with pytest.raises(ArgumentError, match=told):
        GridParameters.from_params(values)


def test_parameters_of_a_study():
    made = GridParameters.from_params({"tp_steps": 2.0, "base_qty": 0.01})
    assert (made.tp_steps, type(made.tp_steps), made.sl_steps) == (2, int, 5)
    with pytest.warns(UserWarning, match="75 is taken as per cent"):
        assert GridParameters.from_params({"max_position_pct": 75}).max_position_pct == 0.75


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"capital": 0.0}, "`capital` must be positive"),
        ({"taker_fee": 1.5}, "`taker_fee` must be a fraction below 1"),
        ({"maintenance_margin": -0.1}, "`maintenance_margin` must be zero or more"),
        ({"leverage": 0.5}, "`leverage` must be at least 1"),
        ({"participation": 0.0}, "`participation` must be above 0 and at most 1"),
        ({"funding_window_minutes": 30}, "`funding_window_minutes` must be from 60 to 1440"),
        ({"policy": "martingale"}, "`policy` must be one of throttled-counter, core-and-scalp"),
    ],
)
def test_settings_have_rules(values, told):
    with pytest.raises(ArgumentError, match=told):
        GridSettings(**values)
