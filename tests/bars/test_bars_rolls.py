"""When futures are rolled, as a user writes it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from meseta.account import Contract
from meseta.bars import Bars
from meseta.bars._rolls import parse_rolls
from meseta.engine._terms import rolls_of
from meseta.errors import ArgumentError


def bars_at(time, **how):
    ones = np.ones(len(time))
    return Bars.from_arrays(np.asarray(time, "datetime64[us]"), ones, ones, ones, ones, **how)


# Weekdays of a year and a bit; 1 January 2022 is a Saturday.
DAYS = np.arange("2021-11-15", "2023-02-20", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]
BARS = bars_at(DAYS)


def test_months_and_quarters_begin_with_their_first_bar():
    months, quarters = (parse_rolls(text, BARS) for text in ("monthly", " quarterly "))
    assert len(months) == 15
    assert months[:3] == (date(2021, 12, 1), date(2022, 1, 3), date(2022, 2, 1))
    assert quarters == (
        date(2022, 1, 3), date(2022, 4, 1), date(2022, 7, 1), date(2022, 10, 3), date(2023, 1, 2),
    )  # fmt: skip
    assert set(quarters) < set(months)


def test_dates_are_sorted_and_counted_once():
    found = parse_rolls("2022-03-15, 2021-12-15,2022-03-15", BARS)
    assert found == (date(2021, 12, 15), date(2022, 3, 15))


@pytest.mark.parametrize("stamp", ["open", "close"])
def test_intraday_bars_roll_at_the_first_bar_of_the_month(stamp):
    time = np.arange("2022-01-30T20", "2022-02-03T00", dtype="datetime64[h]")
    bars = bars_at(time, stamp=stamp)
    days = parse_rolls("monthly", bars)
    assert days == (date(2022, 2, 1),)
    row = int(np.flatnonzero(np.diff(rolls_of(bars, Contract(rolls=days))))[0]) + 1
    assert str(bars.time[row])[:13] == "2022-02-01T00"


def test_a_single_month_has_no_roll():
    assert parse_rolls("monthly", bars_at(DAYS[:5])) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("weekly", "`rolls` must be monthly, quarterly, or dates like .* got 'weekly'"),
        ("", "got ''"),
        ("2022-02-30", "got '2022-02-30'"),
        ("2022-02-03,", "got '2022-02-03,'"),
        ("2021-11-15", "must have a date in the data, after 2021-11-15 and up to 2023-02-17"),
        ("2023-02-18", "got '2023-02-18'"),
    ],
)
def test_what_is_no_roll_is_refused(text, why):
    with pytest.raises(ArgumentError, match=why):
        parse_rolls(text, BARS)
    assert parse_rolls("2023-02-17", BARS) == (date(2023, 2, 17),)
