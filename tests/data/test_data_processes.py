"""Processes that are killed, and processes that want the same series at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from polars.testing import assert_frame_equal

from data.shelf import MINUTES, minute_rows
from data.site import Asked, Reply, Site
from meseta.data import SeriesKey, Store, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

HERE = Path(__file__).parent
DAYS, START, END = 5, "2024-01-01", "2024-01-05"
KEY = SeriesKey("web", "A/B:C", "5m")
ROWS = minute_rows("2024-01-01T00:00+00:00", 288 * 7)


class Days(Site):
    """Answers days of bars; holds back the answer of day `slow` until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.slow: int | None = None
        self.reached, self.go = threading.Event(), threading.Event()

    def answer(self, asked: Asked) -> Reply:
        start, end = (datetime.fromisoformat(asked.query[name]) for name in ("start", "end"))
        if self.slow is not None and len(self.asked) > self.slow:
            self.reached.set()
            self.go.wait(30)
        moments = schema_of(KEY).moments(ROWS)
        frame = ROWS.filter((moments >= start) & (moments < end))
        return Reply(200, frame.write_csv().encode())


@pytest.fixture
def site() -> Iterator[Days]:
    with Days() as made:
        yield made
        made.go.set()


def begin(site: Site, home: Path, symbol: str = KEY.symbol) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "meseta", "data", "fetch", symbol, "--interval", "5m"),
            *("--source", f"{HERE / 'web_source.py'}:SOURCE", "--start", START, "--end", END),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MESETA_HOME": str(home), "WEB_SOURCE_URL": site.url},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def kept(home: Path) -> pl.DataFrame:
    store = Store(home / "data")
    meta = store.read(KEY)
    assert meta is not None
    assert store.verify(KEY) == ()
    return store.frame(meta)


def expected() -> pl.DataFrame:
    # A bar that ends at midnight belongs to the day before.
    return ROWS.slice(0, 288 * DAYS)


def test_a_download_that_was_killed_goes_on_from_the_page_it_was_at(
    site: Days, tmp_path: Path
) -> None:
    site.slow = 3
    process = begin(site, tmp_path)
    assert site.reached.wait(30)
    process.kill()
    process.communicate()
    site.go.set()
    assert kept(tmp_path).height == 288 * 3
    asked = len(site.asked)
    code, text = ended(begin(site, tmp_path))
    assert (code, "begun earlier" in text) == (0, True), text
    # The ten bars that join the two are asked for again, which makes a short page more.
    assert len(site.asked) - asked == DAYS - 3 + 1
    assert_frame_equal(kept(tmp_path), expected())


def test_two_processes_at_once_fetch_a_series_once(site: Days, tmp_path: Path) -> None:
    site.slow = 1
    first = begin(site, tmp_path)
    assert site.reached.wait(30)
    second = begin(site, tmp_path)
    # The second has to find the lock taken before the first goes on.
    waiting = second.stderr
    assert waiting is not None
    line = waiting.readline()
    assert "wait" in line, line
    site.go.set()
    assert ended(first)[0] == 0
    code, text = ended(second)
    assert (code, "nothing to ask for" in text) == (0, True), text
    assert len(site.asked) == DAYS
    assert_frame_equal(kept(tmp_path), expected())


def test_an_interrupt_keeps_what_came_and_says_how_to_go_on(site: Days, tmp_path: Path) -> None:
    site.slow = 2
    process = begin(site, tmp_path)
    assert site.reached.wait(30)
    process.send_signal(subprocess.signal.SIGINT)
    code, text = ended(process)
    assert code == 130, text
    assert "the same command goes on from there" in text
    assert kept(tmp_path).height == 288 * 2


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from data.shelf import MINUTES, minute_rows
from meseta.data import Meta, Store
store = Store(Path(sys.argv[1]))
meta = Meta(key=MINUTES, timezone="UTC", stamp="close")
frames = [minute_rows("2024-01-01T00:00+00:00", rows) for rows in (4000, 5000)]
store.save(meta, frames[0])
print("ready", flush=True)
for turn in range(10**6):
    store.save(meta, frames[turn % 2])
"""


def test_a_writer_that_is_killed_leaves_one_series_or_the_other(tmp_path: Path) -> None:
    store, seen = Store(tmp_path), set()
    for delay in (0.03, 0.08, 0.15):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(HERE.parent)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        threading.Event().wait(delay)
        writer.kill()
        writer.communicate()
        meta = store.read(MINUTES)
        assert meta is not None
        assert store.verify(MINUTES) == ()
        seen.add(store.frame(meta).height)
    assert seen <= {4000, 5000}
    # The next write clears away what the killed ones left.
    meta = store.save(meta, minute_rows(f"{START}T00:00Z", 9))
    files = {path.name for path in store.folder(MINUTES).iterdir() if path.is_file()}
    assert files == {"meta.json", meta.parts[0].file}
    json.loads((store.folder(MINUTES) / "meta.json").read_text())
