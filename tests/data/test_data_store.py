"""The store keeps what it is given, and says so when a file is another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data.series import DAILY, MINUTES, TRADES, meta, moment, rows, values
from meseta.data import DamagedError, Store
from meseta.data._meta import Entry
from meseta.errors import DataError, RunError

if TYPE_CHECKING:
    from pathlib import Path

    from data.conftest import Clock
    from meseta.data import SeriesKey

EVERY = pytest.mark.parametrize("key", [DAILY, MINUTES, TRADES], ids=lambda key: key.label)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_the_store_lies_in_the_users_folder(home: Path) -> None:
    assert Store().root == home / "data"


@EVERY
def test_what_is_saved_is_read_back(store: Store, key: SeriesKey, clock: Clock) -> None:
    frame = rows(key, [(at, at + 1) for at in range(60)])
    entry = Entry(when="now", action="fetched", asked=("a", "b"), received=None, rows=60)
    known = meta(key, vendor={"currency": "USD", "of": [1, {"2": None}]}, log=(entry,), tick=0.01)
    written = store.save(known, frame)
    found = store.read(key)
    assert found == written
    assert replace(found, parts=(), content="", written="", version="") == known
    assert (found.written, found.rows) == ("2024-06-07T22:00:00+00:00", 60)
    assert (found.first, found.last) == (moment(key, 0), moment(key, 59))
    assert_frame_equal(store.frame(found), frame)
    assert store.keys() == [key]
    assert store.verify(key) == ()


def test_nothing_is_stored_at_first(store: Store) -> None:
    assert store.read(DAILY) is None
    assert store.keys() == []
    assert not store.root.exists()


def test_a_series_may_have_no_rows(store: Store) -> None:
    written = store.save(meta(DAILY), rows(DAILY, []))
    assert (written.rows, written.first, written.last) == (0, None, None)
    assert store.frame(written).columns == rows(DAILY, []).columns
    assert store.verify(DAILY) == ()


def test_trades_lie_in_a_file_a_month_and_only_changed_months_are_written(store: Store) -> None:
    first = store.save(meta(TRADES), rows(TRADES, [(at, 1) for at in range(60)]))
    assert [part.file[:7] for part in first.parts] == ["2024-01", "2024-02", "2024-03"]
    untouched = store.folder(TRADES) / first.parts[0].file
    before = untouched.stat().st_mtime_ns
    span = (moment(TRADES, 50), moment(TRADES, 61))
    second = store.save(meta(TRADES), rows(TRADES, [(50, 2), (60, 2)]), replace=span)
    assert second.parts[:2] == first.parts[:2]
    assert untouched.stat().st_mtime_ns == before
    assert second.content != first.content
    assert len(values(TRADES, store.frame(second))) == 52


def test_frame_returns_a_half_open_span(store: Store) -> None:
    found = store.save(meta(TRADES), rows(TRADES, [(at, at) for at in range(60)]))
    frame = store.frame(found, moment(TRADES, 20), moment(TRADES, 25))
    assert frame["id"].to_list() == [20, 21, 22, 23, 24]
    assert store.frame(found, None, moment(TRADES, 2))["id"].to_list() == [0, 1]
    assert store.frame(found, moment(TRADES, 58))["id"].to_list() == [58, 59]


def test_further_columns_are_kept_and_empty_where_rows_lack_them(store: Store) -> None:
    store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    span = (moment(DAILY, 1), moment(DAILY, 2))
    found = store.save(meta(DAILY), rows(DAILY, [(1, 2)], adj_close=1.5), replace=span)
    assert store.frame(found)["adj_close"].to_list() == [None, 1.5]
    span = (moment(DAILY, 2), moment(DAILY, 3))
    found = store.save(meta(DAILY), rows(DAILY, [(2, 3)]), replace=span)
    assert store.frame(found)["adj_close"].to_list() == [None, 1.5, None]


def test_rows_outside_of_the_span_are_refused(store: Store) -> None:
    with pytest.raises(DataError, match="outside of the span"):
        store.save(
            meta(DAILY), rows(DAILY, [(5, 1)]), replace=(moment(DAILY, 0), moment(DAILY, 5))
        )


def test_rows_out_of_order_are_refused(store: Store) -> None:
    with pytest.raises(DataError, match="must increase in session_date"):
        store.save(meta(DAILY), rows(DAILY, [(1, 1), (0, 1)]))


def test_facts_that_are_no_json_are_refused_before_anything_is_written(store: Store) -> None:
    with pytest.raises(DataError, match="yahoo says of SMH must be fit for JSON"):
        store.save(meta(DAILY, vendor={"since": datetime.now(UTC)}), rows(DAILY, [(1, 1)]))
    assert store.read(DAILY) is None


@pytest.mark.parametrize("key", [MINUTES, TRADES], ids=lambda key: key.kind)
@settings(max_examples=40)
@given(
    writes=st.lists(
        st.tuples(
            st.none() | st.tuples(st.integers(0, 70), st.integers(0, 30)),
            st.sets(st.integers(0, 99), max_size=40),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_row_of_writes_equals_a_dictionary_of_rows(
    tmp_path_factory: pytest.TempPathFactory,
    key: SeriesKey,
    writes: list[tuple[tuple[int, int] | None, set[int]]],
) -> None:
    store = Store(tmp_path_factory.mktemp("model"))
    model: dict[datetime, float] = {}
    for turn, (span, chosen) in enumerate(writes):
        first, last = (0, 100) if span is None else (span[0], span[0] + span[1])
        new = [(at, turn + 1.0) for at in sorted(chosen) if first <= at < last]
        gone = (moment(key, first), moment(key, last))
        model = {at: value for at, value in model.items() if not gone[0] <= at < gone[1]}
        model |= {moment(key, at): value for at, value in new}
        found = store.save(meta(key), rows(key, new), replace=None if span is None else gone)
        assert values(key, store.frame(found)) == dict(sorted(model.items()))
    assert found.rows == len(model)
    assert {path.name for path in store.folder(key).iterdir()} == {
        "meta.json",
        *(part.file for part in found.parts),
    }
    assert store.verify(key) == ()


def test_the_content_hash_is_that_of_the_rows_alone(store: Store, tmp_path: Path) -> None:
    frame = rows(MINUTES, [(at, at + 1) for at in range(50)])
    whole = store.save(meta(MINUTES), frame)
    other = Store(tmp_path / "other")
    other.save(meta(MINUTES), frame[:20])
    joined = other.save(
        meta(MINUTES), frame[20:], replace=(moment(MINUTES, 20), moment(MINUTES, 50))
    )
    assert joined.content == whole.content
    # Stored series carry it: it must be the same tomorrow.
    assert whole.content == "67dfeb2c9e7bbba2f878261e9e7ab912f83394112ec63e736d081049bee3e3e2"


def test_the_content_hash_tells_values_names_types_and_empty_cells_apart(store: Store) -> None:
    frame = rows(MINUTES, [(0, 1), (1, 2)])
    empty = frame.with_columns(volume=pl.lit(None, pl.Float64))
    others = [
        frame,
        frame.with_columns(close=pl.col("close") + 1e-12),
        empty,
        empty.with_columns(volume=pl.lit(0.0)),
        frame.with_columns(more=pl.lit(0)),
        frame.with_columns(less=pl.lit(0)),
        frame.with_columns(more=pl.lit(0.0)),
        frame.with_columns(more=pl.lit("a")),
        frame.with_columns(more=pl.lit("b")),
        frame.with_columns(more=pl.Series(["a", ""])),
        frame.with_columns(more=pl.Series(["", "a"])),
    ]
    assert len({store.save(meta(MINUTES), other).content for other in others}) == len(others)


def test_a_series_is_set_aside_whole_and_begun_anew(store: Store, clock: Clock) -> None:
    store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    kept = {path.name: path.read_bytes() for path in store.folder(DAILY).iterdir()}
    aside = store.set_aside(DAILY, "a split was applied")
    assert aside == store.folder(DAILY) / "aside" / "2024-06-07T220000Z"
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == {
        **kept,
        "reason.txt": b"a split was applied\n",
    }
    assert store.read(DAILY) is None
    store.save(meta(DAILY), rows(DAILY, [(0, 2)]))
    assert store.set_aside(DAILY, "again").name == "2024-06-07T220000Z-2"
    assert store.keys() == []


def test_a_removed_series_is_gone(store: Store) -> None:
    store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    store.save(meta(MINUTES), rows(MINUTES, [(0, 1)]))
    store.set_aside(DAILY, "why not")
    store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    store.remove(DAILY)
    assert store.keys() == [MINUTES]
    assert not store.folder(DAILY).exists()
    store.remove(DAILY)


def test_a_reader_whose_file_was_replaced_gets_the_new_rows(store: Store) -> None:
    old = store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    store.save(meta(DAILY), rows(DAILY, [(0, 2)]))
    assert list(values(DAILY, store.frame(old)).values()) == [2.0]


def test_a_missing_file_is_damage(store: Store) -> None:
    found = store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    path = store.folder(DAILY) / found.parts[0].file
    path.unlink()
    for use in (
        lambda: store.frame(found),
        lambda: store.save(found, rows(DAILY, []), replace=(moment(DAILY, 0), moment(DAILY, 1))),
    ):
        with pytest.raises(DamagedError, match=rf"{path.name} is missing; .* --set-aside"):
            use()
    assert len(store.verify(DAILY)) == 1


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "yahoo").write_text("in the way")
    store = Store(tmp_path)
    with pytest.raises(RunError, match=r"cannot write .*--store"):
        store.save(meta(DAILY), rows(DAILY, [(0, 1)]))


def test_writers_wait_for_one_another_and_say_so(store: Store, clock: Clock) -> None:
    import threading

    told: list[str] = []
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock(DAILY):
            held.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)

    def tell(step: object) -> None:
        told.append(step.what)  # type: ignore[attr-defined]
        if len(told) == 3:
            done.set()
            holder.join()

    with store.lock(DAILY, tell), store.lock(DAILY):
        assert told == ["waiting for another process that writes yahoo SMH 1d split"] * 3
    assert clock.moment - datetime(2024, 6, 7, 22, tzinfo=UTC) >= timedelta(seconds=10)
