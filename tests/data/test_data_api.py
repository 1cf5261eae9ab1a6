"""`meseta.fetch`: bars of a symbol in Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import meseta as ms
from data.site import Asked, Reply, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data.conftest import Clock

SOURCE = str(Path(__file__).resolve().parents[2] / "examples" / "csv_source.py")
ROWS = """\
Date,Open,High,Low,Close,Volume
2024-06-03,100.5,101,99.25,100.75,5000
2024-06-04,100.75,102,100.5,101.5,6000
2024-06-05,101.5,103,101,102.25,7000
2024-06-06,102.25,103,101.75,102,4000
"""


class Files(Site):
    def answer(self, asked: Asked) -> Reply:
        return Reply(200, ROWS.encode())


@pytest.fixture
def site(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    clock.set("2024-06-07T18:00:00+00:00")
    with Files() as made:
        monkeypatch.setenv("CSV_SITE_URL", made.url)
        yield made


def test_what_is_missing_is_fetched_and_kept(site: Site, tmp_path: Path) -> None:
    given = {"source": SOURCE, "store": str(tmp_path / "kept")}
    bars = ms.fetch("SMH", start="2024-06-03", end="2024-06-05", **given)
    assert (bars.name, len(bars), bars.close[-1]) == ("SMH", 3, 102.25)
    assert bars.source == "store:csv-site SMH 1d"
    asked = len(site.asked)
    assert len(ms.fetch("SMH", end="2024-06-04", **given)) == 2
    assert len(site.asked) == asked
    assert len(ms.fetch("SMH", **given)) == 4


def test_the_network_is_left_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ms.DataError, match="nothing of csv-site SMH 1d is stored"):
        ms.fetch("SMH", source=SOURCE, fetch=False)
    ms.fetch("SMH", source=SOURCE, start="2024-06-03")
    site.asked.clear()
    for given in ({"source": SOURCE, "fetch": False}, {"source": "store"}):
        bars = ms.fetch("SMH", **given)  # type: ignore[arg-type]
        assert len(bars) == 4
        found = ms.fetch("SMH", start="2024-05-01", calendar="XNYS", **given)  # type: ignore[arg-type]
        assert [each.code for each in found.warnings] == ["stored_only"]
    assert site.asked == []
    monkeypatch.setenv("CSV_SITE_URL", "http://127.0.0.1:1")
    bars = ms.fetch("SMH", source=SOURCE, start="2024-05-01")
    assert bars.warnings[0].code == "source_unreachable"
    with pytest.raises(ms.SourceError, match="try again later"):
        ms.fetch("QQQ", source=SOURCE, start="2024-05-01")


def test_what_is_not_to_be_had_is_said(site: Site) -> None:
    with pytest.raises(ms.ArgumentError, match="has unadjusted bars of 1d"):
        ms.fetch("SMH", source=SOURCE, interval="5m", start="2024-06-03")
    with pytest.raises(ms.ArgumentError, match="`source` must be one of"):
        ms.fetch("SMH", source="yaho")
