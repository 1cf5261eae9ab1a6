"""The source of `docs/write-a-source.md`, against a server that serves CSV files."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from data.site import Asked, Reply, Site
from data.source_contract import Case, SourceContract, utc
from meseta.data import SeriesKey
from meseta.data.sources import find_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data.conftest import Clock

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "examples" / "csv_source.py"
PAGE = ROOT / "docs" / "write-a-source.md"
KEY = SeriesKey("csv-site", "SMH", "1d")
ROWS = """\
Date,Open,High,Low,Close,Volume
2024-06-03,100.5,101,99.25,100.75,5000
2024-06-04,100.75,102,100.5,101.5,6000
2024-06-05,101.5,103,101,102.25,7000
2024-06-06,102.25,103,101.75,102,4000
2024-06-07,102,102.5,101.5,102.5,1000
"""


class CsvFiles(Site):
    def answer(self, asked: Asked) -> Reply:
        return Reply(200, ROWS.encode()) if asked.path == "/SMH.csv" else Reply(404)


def other(**changed: str) -> SeriesKey:
    given = {"source": "csv-site", "symbol": "SMH", "size": "1d", **changed}
    return SeriesKey(**given)  # type: ignore[arg-type]


class TestExample(SourceContract):
    @pytest.fixture
    def case(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
        clock.set("2024-06-07T18:00:00+00:00")
        with CsvFiles() as site:
            monkeypatch.setenv("CSV_SITE_URL", site.url)
            yield Case(
                source=find_source(f"{FILE}:SOURCE"),
                key=KEY,
                start=utc("2024-06-03"),
                end=utc("2024-06-08"),
                rows=pl.DataFrame(
                    {
                        "session_date": pl.date_range(
                            date(2024, 6, 3), date(2024, 6, 6), eager=True
                        ),
                        "ts_close": pl.Series([None] * 4, dtype=pl.Datetime("us", "UTC")),
                        "open": [100.5, 100.75, 101.5, 102.25],
                        "high": [101.0, 102.0, 103.0, 103.0],
                        "low": [99.25, 100.5, 101.0, 101.75],
                        "close": [100.75, 101.5, 102.25, 102.0],
                        "volume": [5000.0, 6000.0, 7000.0, 4000.0],
                    }
                ),
                asked=lambda: len(site.asked),
                unreachable=lambda: monkeypatch.setenv("CSV_SITE_URL", "http://127.0.0.1:1"),
                garbled=lambda: site.script.append(Reply(200, b"<html>Good morning</html>")),
                unknown=other(symbol="NOSUCH"),
                refused=[
                    other(size="5m"),
                    other(basis="split"),
                    other(session="USEQPre"),
                    other(kind="trades"),
                ],
            )


def test_the_page_shows_the_whole_file() -> None:
    assert FILE.read_text(encoding="utf-8") in PAGE.read_text(encoding="utf-8")
