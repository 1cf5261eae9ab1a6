"""What is asked of a vendor, what is stored of its answers, and what is never joined."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data.shelf import DAILY, MINUTES, Shelf, daily_rows, day, minute_rows, quiet
from meseta.data import Fetched, SeriesKey, Store, fetch, schema_of
from meseta.errors import ArgumentError, DataError, SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from data.conftest import Clock


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(daily_rows("2024-01-02", "2024-12-31"))


def got(
    store: Store,
    shelf: Shelf,
    start: str | None = None,
    end: str | None = None,
    key: SeriesKey = DAILY,
    calendar: str | None = None,
) -> Fetched:
    shelf.asked.clear()
    begin, stop = (None if text is None else day(text) for text in (start, end))
    return fetch(key, shelf, store, start=begin, end=stop, tell=quiet, calendar=calendar)


def kept(store: Store, key: SeriesKey = DAILY) -> pl.DataFrame:
    meta = store.read(key)
    assert meta is not None
    return store.frame(meta)


def actions(done: Fetched) -> list[str]:
    return [entry.action for entry in done.entries]


def test_a_full_miss_fetches_all_that_is_finished(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    done = got(store, shelf)
    assert actions(done) == ["fetched"]
    assert done.meta.first == day("2024-01-02")
    assert done.meta.last == day("2024-06-07")
    assert done.entries[0].rows == done.meta.rows == 110
    assert done.entries[0].received == (
        "2024-01-02T00:00:00+00:00",
        "2024-06-07T00:00:00+00:00",
    )
    assert done.meta.vendor == {"name": "SMH"}


def test_a_hit_asks_nothing(clock: Clock, store: Store, shelf: Shelf) -> None:
    first = got(store, shelf)
    for moment in ("2024-06-08T12:00", "2024-06-09T12:00", "2024-06-10T13:00", "2024-06-10T19:59"):
        clock.set(f"{moment}+00:00")
        done = got(store, shelf)
        assert (shelf.asked, done.entries) == ([], ())
    assert done.meta.content == first.meta.content


def test_todays_unfinished_bar_is_never_asked_for(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    clock.set("2024-06-07T19:59:00+00:00")
    done = got(store, shelf)
    assert done.meta.last == day("2024-06-06")
    assert max(end for _, end in shelf.asked) <= day("2024-06-07")


def test_an_extension_asks_for_the_gap_and_ten_stored_rows(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    old = kept_after(store, shelf)
    clock.set("2024-06-11T22:00:00+00:00")
    done = got(store, shelf)
    assert actions(done) == ["extended"]
    assert shelf.asked == [(day("2024-05-24"), day("2024-06-12"))]
    assert (done.entries[0].rows, done.meta.rows) == (2, old.height + 2)
    assert_frame_equal(kept(store).head(old.height), old)


def kept_after(store: Store, shelf: Shelf, start: str | None = None) -> pl.DataFrame:
    got(store, shelf, start)
    return kept(store)


def test_a_gap_before_the_stored_rows_is_fetched_alone(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    late = kept_after(store, shelf, "2024-05-01")
    done = got(store, shelf, "2024-03-01")
    assert actions(done) == ["begun earlier"]
    [asked] = shelf.asked
    assert asked[0] == day("2024-03-01")
    assert day("2024-05-14") < asked[1] < day("2024-05-15")
    assert_frame_equal(kept(store).tail(late.height), late)
    assert kept(store)["session_date"][0].isoformat() == "2024-03-01"
    assert got(store, shelf, "2024-03-01").entries == ()


def test_what_was_asked_is_not_taken_for_what_was_received(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    """The listing date ends the search for earlier rows, but not for ever."""
    done = got(store, shelf, "2020-01-01")
    assert done.meta.first == day("2024-01-02")
    assert got(store, shelf, "2020-01-01").entries == ()
    assert got(store, shelf, "2021-06-01").entries == ()
    assert actions(got(store, shelf, "2019-01-01")) == ["nothing new"]
    clock.set("2024-07-08T12:00:00+00:00")
    done = got(store, shelf, "2020-01-01")
    assert actions(done) == ["extended", "nothing new"]


def test_a_split_since_the_last_fetch_fetches_all_of_it_again(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    old = kept_after(store, shelf)
    clock.set("2024-06-11T22:00:00+00:00")
    shelf.factor = 0.5
    done = got(store, shelf)
    assert actions(done) == ["fetched again"]
    assert "open was" in done.entries[0].why
    assert [found.code for found in done.warnings] == ["refetched"]
    new = kept(store)
    assert new.height == old.height + 2
    ratio = new["close"].head(old.height) / old["close"]
    assert ratio.min() == pytest.approx(0.5)
    assert ratio.max() == pytest.approx(0.5)


def test_a_difference_of_a_tick_is_none(clock: Clock, store: Store, shelf: Shelf) -> None:
    kept_after(store, shelf)
    clock.set("2024-06-11T22:00:00+00:00")
    nudged = pl.col("close") + pl.when(pl.col("session_date").dt.day() == 5).then(0.01).otherwise(
        0
    )
    shelf.rows = shelf.rows.with_columns(nudged)
    assert actions(got(store, shelf)) == ["extended"]
    clock.set("2024-06-12T22:00:00+00:00")
    shelf.rows = shelf.rows.with_columns(close=pl.col("close") + 0.02)
    assert actions(got(store, shelf)) == ["fetched again"]


def test_a_row_that_appears_or_disappears_in_the_overlap_is_a_change(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    kept_after(store, shelf)
    clock.set("2024-06-11T22:00:00+00:00")
    lost = datetime(2024, 6, 4).date()
    shelf.rows = shelf.rows.filter(pl.col("session_date") != lost)
    done = got(store, shelf)
    assert actions(done) == ["fetched again"]
    assert "there was a row and is none" in done.entries[0].why
    assert lost not in kept(store)["session_date"].to_list()


def test_a_replaced_file_fetches_all_of_it_again(clock: Clock, store: Store, shelf: Shelf) -> None:
    kept_after(store, shelf)
    clock.set("2024-06-11T22:00:00+00:00")
    shelf.replaced = {"SMH-2024-01.zip"}
    done = got(store, shelf)
    assert done.entries[0].why == "SMH-2024-01.zip was replaced"


def test_history_that_the_vendor_drops_is_kept_aside(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    old = kept_after(store, shelf)
    clock.set("2024-06-11T22:00:00+00:00")
    shelf.factor = 2.0
    shelf.rows = shelf.rows.filter(pl.col("session_date") >= datetime(2024, 4, 1).date())
    done = got(store, shelf)
    assert {found.code for found in done.warnings} == {"refetched", "store_shortened"}
    [aside] = (store.folder(DAILY) / "aside").iterdir()
    [rows] = aside.glob("*.parquet")
    assert pl.read_parquet(rows).height == old.height
    assert kept(store)["session_date"][0].isoformat() == "2024-04-01"


def test_a_vendor_that_has_lost_everything_takes_nothing_away(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    old = kept_after(store, shelf)
    clock.set("2024-06-11T22:00:00+00:00")
    shelf.rows = shelf.rows.clear()
    with pytest.raises(DataError, match="it is kept, but not extended"):
        got(store, shelf)
    assert_frame_equal(kept(store), old)


def test_a_damaged_series_is_said_set_aside_and_fetched_again(
    clock: Clock, store: Store, shelf: Shelf
) -> None:
    old = kept_after(store, shelf, "2024-02-01")
    [part] = store.folder(DAILY).glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-9])
    done = got(store, shelf)
    assert actions(done) == ["set aside", "fetched"]
    assert [found.code for found in done.warnings] == ["store_damaged"]
    told = done.warnings[0].message
    assert "--set-aside" not in told
    assert told.endswith(" and fetched anew")
    assert_frame_equal(kept(store), old)
    assert len(list((store.folder(DAILY) / "aside").iterdir())) == 1


def test_a_missing_start_is_asked_for_where_there_is_too_much(clock: Clock, store: Store) -> None:
    shelf = Shelf(minute_rows("2024-06-01T00:00+00:00", 100), calendar="24/7", earliest=None)
    with pytest.raises(ArgumentError, match="`start` is missing: Shelf has so much"):
        got(store, shelf, key=MINUTES)
    assert shelf.asked == []


@pytest.mark.parametrize(("start", "end"), [("2024-06-08", None), ("2030-01-01", "2031-01-01")])
def test_nothing_finished_is_an_error_before_anything_is_asked(
    clock: Clock, store: Store, shelf: Shelf, start: str, end: str | None
) -> None:
    with pytest.raises(ArgumentError, match="nothing finished"):
        got(store, shelf, start, end)
    assert shelf.asked == []


@pytest.mark.parametrize(("name", "value"), [("kind", "mark"), ("basis", "split")])
def test_what_a_source_does_not_call_its_own_is_refused(
    clock: Clock, store: Store, shelf: Shelf, name: str, value: str
) -> None:
    key = SeriesKey("shelf", "SMH", "1d", **{name: value})
    with pytest.raises(
        ArgumentError, match=f"`{name}` must be one of .* for Shelf, got '{value}'"
    ):
        got(store, shelf, key=key)
    assert shelf.asked == []


def test_a_symbol_without_rows_leaves_no_trace(clock: Clock, store: Store, shelf: Shelf) -> None:
    shelf.rows = shelf.rows.clear()
    with pytest.raises(DataError, match="Shelf has no rows of shelf SMH 1d"):
        got(store, shelf)
    assert store.keys() == []


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (pl.col("high") - 2, "the high is not the highest"),
        (pl.col("low") * 0, "a price is not positive"),
        (pl.lit(float("nan")), "a price is no number"),
    ],
)
def test_impossible_prices_are_refused_whole(
    clock: Clock, store: Store, shelf: Shelf, spoil: pl.Expr, what: str
) -> None:
    name = spoil.meta.output_name() if "high" in what or "positive" in what else "close"
    wrong = pl.col("session_date") == datetime(2024, 3, 5).date()
    shelf.rows = shelf.rows.with_columns(
        pl.when(wrong).then(spoil).otherwise(pl.col(name)).alias(name)
    )
    with pytest.raises(DataError, match=f"{what} at 2024-03-05.*nothing of it was stored"):
        got(store, shelf)
    assert store.keys() == []


def test_rows_that_nobody_asked_for_are_refused(
    clock: Clock, store: Store, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Shelf.fetch
    wide = timedelta(days=30)
    monkeypatch.setattr(
        Shelf, "fetch", lambda self, key, a, z, tell: answer(self, key, a, z + wide, tell)
    )
    with pytest.raises(DataError, match="rows lie outside what was asked, the first at"):
        got(store, shelf)


def test_pages_are_stored_as_they_come_and_a_broken_download_goes_on(
    clock: Clock, store: Store
) -> None:
    clock.set("2024-06-07T21:00:00+00:00")
    shelf = Shelf(
        minute_rows("2024-06-01T00:00+00:00", 4000), calendar="24/7", page=timedelta(days=1)
    )
    shelf.down = 3
    with pytest.raises(SourceError):
        got(store, shelf, "2024-06-01", key=MINUTES)
    part = kept(store, MINUTES)
    assert 2 * 288 < part.height < 4 * 288
    shelf.down = None
    done = got(store, shelf, "2024-06-01", key=MINUTES)
    assert actions(done) == ["begun earlier"]
    assert len(shelf.asked) == 4
    closes = schema_of(MINUTES).moments(shelf.rows)
    assert_frame_equal(kept(store, MINUTES), shelf.rows.filter(closes <= clock.moment))


def test_the_way_back_ends_behind_a_long_time_of_nothing(clock: Clock, store: Store) -> None:
    clock.set("2024-06-07T21:00:00+00:00")
    shelf = Shelf(
        minute_rows("2024-06-01T00:00+00:00", 1000), calendar="24/7", page=timedelta(days=100)
    )
    got(store, shelf, "2010-01-01", key=MINUTES)
    assert len(shelf.asked) == 5
    shelf.asked.clear()
    assert got(store, shelf, "2010-01-01", "2024-06-04", key=MINUTES).entries == ()


def test_the_calendar_of_the_user_wins(clock: Clock, store: Store, shelf: Shelf) -> None:
    kept_after(store, shelf)
    clock.set("2024-06-09T12:00:00+00:00")
    assert got(store, shelf).entries == ()
    assert actions(got(store, shelf, calendar="24/7")) == ["nothing new"]
    with pytest.raises(ArgumentError, match="calendar"):
        got(store, shelf, calendar="XNYSE")


def test_questions_that_bring_nothing_fill_no_log(clock: Clock, store: Store) -> None:
    shelf = Shelf(daily_rows("2024-01-02", "2024-06-07"), calendar="24/7")
    for hour in range(5):
        clock.set(f"2024-06-10T1{hour}:00:00+00:00")
        got(store, shelf)
    meta = store.read(DAILY)
    assert meta is not None
    assert [entry.action for entry in meta.log] == ["fetched", "nothing new"]
    assert meta.log[1].when == "2024-06-10T14:00:00+00:00"


MOVES = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from([None, "2023-11-01", "2024-02-15", "2024-05-06"]),
        st.sampled_from([1.0, 1.0, 1.0, 0.5, 3.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40)
@given(moves=MOVES, page=st.sampled_from([None, timedelta(days=45)]))
def test_whatever_happens_what_is_stored_is_what_the_vendor_says_of_that_span(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple], page: timedelta | None
) -> None:
    """Splits, faults in the middle, later and earlier starts: one scale, no hole, nothing open."""
    shelf = Shelf(daily_rows("2023-11-01", "2025-03-31"), page=page)
    store = Store(tmp_path_factory.mktemp("store"))
    now, known = datetime.fromisoformat("2024-06-07T23:00:00+00:00"), 1.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("meseta.data._clock.now", lambda: now)
        for days, start, factor, falls in moves:
            now += timedelta(days=days)
            shelf.factor *= factor
            shelf.down = 2 if falls else None
            shelf.asked.clear()
            try:
                fetch(DAILY, shelf, store, start=start and day(start), end=None, tell=quiet)
            except SourceError:
                assert falls
            else:
                # Nobody who asks nothing learns of a split.
                known = shelf.factor if shelf.asked else known
                check(store, shelf, now, known)
    assert store.read(DAILY) is None or store.verify(DAILY) == ()


def check(store: Store, shelf: Shelf, now: datetime, factor: float) -> None:
    meta = store.read(DAILY)
    assert meta is not None
    assert meta.first is not None
    assert meta.last is not None
    assert now - timedelta(days=5) < meta.last < now - timedelta(hours=20)
    moments = schema_of(DAILY).moments(shelf.rows)
    prices = pl.col("open", "high", "low", "close") * factor
    span = shelf.rows.filter(moments.is_between(meta.first, meta.last))
    assert_frame_equal(store.frame(meta), span.with_columns(prices.round(4)))
