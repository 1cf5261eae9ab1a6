"""Times of files: zones, which end of a bar they mark, and clocks that change."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from data.files import EPOCH, EXPORT, HOUR, bring, key_of, write
from meseta.bars import load
from meseta.data import Store
from meseta.data._file import UnsaidError
from meseta.data._to_bars import to_bars
from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

NEW_YORK = "America/New_York"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


WALL = "time,open,high,low,close\n" + "".join(
    f"2024-01-0{day} {hour:02}:00,1,2,1,2\n" for day in (2, 3) for hour in (9, 10, 11)
)


def test_wall_times_without_zone_and_stamp_are_asked_for(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "SPY_1h.csv", WALL)
    with pytest.raises(
        UnsaidError, match=r"SPY_1h.csv does not say .*--timezone.* and .*--stamp"
    ) as found:
        bring(store, path)
    assert found.value.missing == ("timezone", "stamp")
    with pytest.raises(UnsaidError) as found:
        bring(store, path, timezone=NEW_YORK)
    assert found.value.missing == ("stamp",)
    with pytest.raises(UnsaidError) as found:
        bring(store, path, stamp="open")
    assert found.value.missing == ("timezone",)
    assert store.keys() == []
    made = bring(store, path, stamp="open", timezone=NEW_YORK)
    assert made.meta is not None
    assert made.meta.first == datetime(2024, 1, 2, 15, tzinfo=UTC)
    assert to_bars(made.meta, store.frame(made.meta)).fingerprint == load(path).fingerprint


@pytest.mark.parametrize(
    "times",
    [
        [f"{1704207600 + 900 * at}" for at in range(3)],
        [f"2024-01-02T10:{minute}:00-05:00" for minute in ("00", "15", "30")],
    ],
    ids=["epoch", "offsets"],
)
def test_moments_need_nothing(tmp_path: Path, store: Store, times: list[str]) -> None:
    text = "time,open,high,low,close\n" + "".join(f"{time},1,2,1,2\n" for time in times)
    path = write(tmp_path / "CL_15m.csv", text)
    made = bring(store, path, timezone=NEW_YORK)
    assert made.meta is not None
    assert made.meta.timezone == NEW_YORK
    assert store.frame(made.meta)["ts_open"][0] == datetime(2024, 1, 2, 15, tzinfo=UTC)
    assert "taken to mark the start of a bar" in made.notes[0]
    closed = bring(store, path, symbol="CLOSE", stamp="close")
    assert closed.meta is not None
    assert (closed.notes, closed.meta.timezone, closed.meta.stamp) == ((), "UTC", "close")
    assert store.frame(closed.meta)["ts_close"][0] == datetime(2024, 1, 2, 15, tzinfo=UTC)


def test_dates_as_moments_are_the_same_dates_in_every_zone(tmp_path: Path, store: Store) -> None:
    text = "time,open,high,low,close\n" + "".join(
        f"{EPOCH + day * 24 * HOUR},1,2,1,2\n" for day in range(3)
    )
    made = bring(store, write(tmp_path / "A.csv", text), timezone=NEW_YORK)
    assert made.meta is not None
    assert store.frame(made.meta)["session_date"][0] == date(2024, 1, 1)


def test_days_that_begin_at_a_moment_need_their_zone(tmp_path: Path, store: Store) -> None:
    text = "Date,Open,High,Low,Close\n" + "".join(
        f"2024-01-0{day} 00:00:00+09:00,1,2,1,2\n" for day in (4, 5)
    )
    path = write(tmp_path / "7203.T.csv", text)
    with pytest.raises(UnsaidError) as found:
        bring(store, path)
    assert found.value.missing == ("timezone",)
    made = bring(store, path, timezone="Asia/Tokyo")
    assert made.meta is not None
    assert key_of(made).symbol == "7203.T"
    assert store.frame(made.meta)["session_date"].to_list() == [date(2024, 1, 4), date(2024, 1, 5)]


def hours(*times: str) -> str:
    return "time,open,high,low,close\n" + "".join(f"{time},1,2,1,2\n" for time in times)


def test_a_time_that_does_not_exist_is_refused(tmp_path: Path, store: Store) -> None:
    path = write(
        tmp_path / "A.csv", hours("2024-03-10 01:00", "2024-03-10 02:00", "2024-03-10 03:00")
    )
    with pytest.raises(
        DataError, match=r"row 3 \(2024-03-10 02:00\): .*not exist in America/New_York.*right\?"
    ):
        bring(store, path, timezone=NEW_YORK, stamp="open")
    assert bring(store, path, timezone="UTC", stamp="open").rows == 3


def test_an_hour_that_occurs_twice_is_kept_in_order_and_used_in_utc(
    tmp_path: Path, store: Store
) -> None:
    times = ["00:00", "00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
    path = write(tmp_path / "A.csv", hours(*(f"2023-11-05 {time}" for time in times)))
    made = bring(store, path, timezone=NEW_YORK, stamp="open")
    assert made.meta is not None
    opens = store.frame(made.meta)["ts_open"]
    assert opens[0] == datetime(2023, 11, 5, 4, tzinfo=UTC)
    assert opens.diff().drop_nulls().n_unique() == 1
    assert made.meta.timezone == "UTC"
    assert "4 times occur twice" in made.notes[0]
    assert "2023-11-05 01:00" in made.notes[0]
    assert "used in UTC" in made.notes[1]
    assert len(to_bars(made.meta, store.frame(made.meta))) == 7


def test_an_hour_that_occurs_twice_but_once_in_the_file_is_the_first(
    tmp_path: Path, store: Store
) -> None:
    times = [f"2023-11-05 0{hour}:00" for hour in range(4)]
    made = bring(store, write(tmp_path / "A.csv", hours(*times)), timezone=NEW_YORK, stamp="open")
    assert made.meta is not None
    assert [f"{at:%H}" for at in store.frame(made.meta)["ts_open"]] == ["04", "05", "07", "08"]
    assert made.meta.timezone == NEW_YORK


def test_faults_are_named_in_the_times_of_the_file(tmp_path: Path, store: Store) -> None:
    text = EXPORT + "".join(
        f"06/07/2024,{time},1,2,1,2,10,20\n" for time in ("10:30", "11:30", "11:30")
    )
    with pytest.raises(
        DataError, match=r"A.txt: .*\n  row 4 \(2024-06-07 11:30\): this time occurs"
    ):
        bring(store, write(tmp_path / "A.txt", text))
