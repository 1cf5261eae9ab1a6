"""Which of the stored series a run means, and by which calendar it is judged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from data.series import DAILY, meta, rows
from meseta.data import Request, SeriesKey, Store, obtain
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from pathlib import Path

    from data.conftest import Clock

FILE = SeriesKey("files", "SMH", "1d", basis="split")
EARLY = SeriesKey("tradestation", "SMH", "1d", basis="split", session="USEQPre")


@pytest.fixture
def store(home: Path, clock: Clock) -> Store:
    """Ten days of SMH, from Yahoo."""
    made = Store(home / "data")
    made.save(meta(DAILY), rows(DAILY, [(at, 1.0) for at in range(10)]))
    return made


def put(store: Store, key: SeriesKey) -> None:
    store.save(meta(key), rows(key, [(at, 2.0) for at in range(10)]))


def test_the_only_one_is_meant(store: Store) -> None:
    bars = obtain(Request(symbol="SMH"))
    assert (bars.name, bars.source) == ("SMH", "store:yahoo SMH 1d split")


def test_of_several_one_is_named_by_its_source(store: Store) -> None:
    put(store, FILE)
    with pytest.raises(ArgumentError, match=r"more than once.*as in --symbol files/SMH"):
        obtain(Request(symbol="SMH"))
    assert obtain(Request(symbol="files/SMH")).close[0] == 2.0
    bars = obtain(Request(symbol="yahoo/SMH"))
    assert (bars.name, bars.close[0]) == ("SMH", 1.0)


def test_other_hours_are_meant_only_where_they_are_said(store: Store) -> None:
    put(store, EARLY)
    assert obtain(Request(symbol="SMH")).close[0] == 1.0
    assert obtain(Request(symbol="SMH", session="USEQPre")).close[0] == 2.0


def test_what_comes_near_is_said(store: Store) -> None:
    with pytest.raises(
        DataError, match=r"SMH 5m bars is not stored; .*list`; there are yahoo SMH"
    ):
        obtain(Request(symbol="SMH", interval="5m"))
    with pytest.raises(DataError, match=r"`symbol` SMM 1d .*list`; did you mean SMH\?"):
        obtain(Request(symbol="SMM"))


def test_the_calendar_of_the_user_counts_though_nothing_is_fetched(store: Store) -> None:
    known = replace(meta(DAILY), calendar=None)
    store.save(known, rows(DAILY, [(at, 1.0) for at in range(10) if at != 2]))
    assert [found.code for found in obtain(Request(symbol="SMH")).warnings] == []
    found = obtain(Request(symbol="SMH", calendar="XNYS", end="2024-01-10")).warnings[0]
    assert (found.code, found.message) == (
        "missing_sessions", "yahoo SMH 1d split lacks 1 session: 2024-01-03",
    )  # fmt: skip
    with pytest.raises(ArgumentError, match="`calendar` must be a calendar"):
        obtain(Request(symbol="SMH", calendar="NYSEX"))
