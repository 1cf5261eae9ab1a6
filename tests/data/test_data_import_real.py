"""Real files, where they are at hand, through the command and without options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meseta.bars import load
from meseta.data import Store
from meseta.data._to_bars import to_bars

if TYPE_CHECKING:
    from pathlib import Path

    from data.conftest import Call

# File, label of its series, rows, first and last moment.
FILES = [
    ("tradestation/KC_60min.txt.gz", "KC 1h unknown", 24947, "2010-02-23T10:15", "2020-02-21T18"),
    ("tradestation/KC_daily.txt.gz", "KC 1d unknown", 3286, "2007-02-02", "2020-02-21"),
    ("tradestation/TQQQ_5min.txt", "TQQQ 5m unknown", 780, "2025-05-23T13:35", "2025-06-06T20:00"),
    ("tradestation/TQQQ_15min.txt", "TQQQ 15m unknown", 260, "2025-05-23T13:45", "2025-06-06T20"),
    ("tradestation/TQQQ_90min.txt", "TQQQ 90m unknown", 149, "2025-04-25T16:00", "2025-06-06T20"),
    ("tradestation/TQQQ_135min.txt", "TQQQ 135m unknown", 120, "2025-04-25T15", "2025-06-06T20"),
    ("binance_layout/spot/BTCUSDT-1h-2024-10-28.csv", "BTCUSDT_spot 1h unknown", 24,
     "2024-10-28T01:00", "2024-10-29T00:00"),
    ("binance_layout/spot/PEPEUSDT-aggTrades-2024-10-27.csv.gz", "PEPEUSDT_spot event trades",
     57229, "2024-10-27T00:00:02.368", "2024-10-27T23:59:56"),
    ("binance_layout/um/APEUSDT-aggTrades-2024-10-18.csv.gz", "APEUSDT event trades", 45342,
     "2024-10-18T00:00:03.958", "2024-10-18T23:59:41.272"),
    ("binance_layout/um/BTCUSDT-1h-2024-10-28.csv", "BTCUSDT 1h unknown", 24,
     "2024-10-28T01:00", "2024-10-29T00:00"),
    ("binance_layout/um/NEARUSDT-1m-2025-06.csv.gz", "NEARUSDT 1m unknown", 43200,
     "2025-06-01T00:01", "2025-07-01T00:00"),
    ("crypto/BTCUSDT_perp_1m_2025-05.csv.gz", "BTCUSDT 1m unknown", 43199,
     "2025-05-04T15:34", "2025-06-03T15:32"),
    ("crypto/BTCUSDT_perp_5m.csv.gz", "BTCUSDT 5m unknown", 143900,
     "2023-01-01T00:05", "2024-05-14T15:40"),
    ("crypto/BTCUSDT_perp_5m_2026-01.csv.gz", "BTCUSDT 5m unknown", 9727,
     "2025-12-26T22:40", "2026-01-29T17:10"),
    ("crypto/BTCUSDT_perp_funding_8h.csv.gz", "BTCUSDT event funding", 4604,
     "2022-01-01T00:00:00.006", "2026-03-15T08:00"),
    ("crypto/BTCUSDT_perp_mark_1h_2026-01.csv.gz", "BTCUSDT 1h mark unknown", 810,
     "2025-12-27T00:00", "2026-01-29T17:00"),
    ("crypto/BTCUSDT_perp_mark_8h.csv.gz", "BTCUSDT 8h mark unknown", 1498,
     "2023-01-01T08:00", "2024-05-14T08:00"),
    ("crypto/BTCUSDT_perp_mark_8h_2025.csv.gz", "BTCUSDT 8h mark unknown", 266,
     "2025-03-07T00:00", "2025-06-03T08:00"),
    ("etf_daily/QQQ.csv.gz", "QQQ 1d unknown", 5366, "2005-01-03", "2026-05-01"),
    ("etf_daily/SMH.csv.gz", "SMH 1d unknown", 5366, "2005-01-03", "2026-05-01"),
    ("etf_daily/SPY.csv.gz", "SPY 1d unknown", 5366, "2005-01-03", "2026-05-01"),
    ("etf_daily/TQQQ.csv.gz", "TQQQ 1d unknown", 4080, "2010-02-11", "2026-05-01"),
    ("intraday/QQQ_15m.csv.gz", "QQQ 15m unknown", 80512, "2013-08-01T13:45", "2025-12-05T21:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "label", "rows", "first", "last"), FILES, ids=[file for file, *_ in FILES]
)
def test_a_real_file_needs_no_option(
    meseta: Call, shared: Path, home: Path, name: str, label: str, rows: int, first: str, last: str
) -> None:
    path = shared / "data" / name
    if not path.exists():
        pytest.skip(f"{name} is not at hand")
    made = meseta("data", "import", path)
    assert made.code == 0, made
    store = Store(home / "data")
    (key,) = store.keys()
    meta = store.read(key)
    assert meta is not None
    assert key.label == f"files {label}"
    assert meta.rows == rows
    assert f"{meta.first:%Y-%m-%dT%H:%M:%S.%f}".startswith(first)
    assert f"{meta.last:%Y-%m-%dT%H:%M:%S.%f}".startswith(last)
    assert store.verify(key) == ()
    if key.kind == "bars" and not (key.daily and meta.vendor["layout"] == "TradeStation export"):
        loaded = load(path)
        assert to_bars(meta, store.frame(meta)).fingerprint == loaded.fingerprint


@pytest.mark.parametrize("folder", ["tradestation", "binance_layout", "crypto", "etf_daily"])
def test_a_folder_of_real_files_is_imported_in_one_command(
    meseta: Call, shared: Path, folder: str
) -> None:
    made = meseta("data", "import", shared / "data" / folder)
    assert made.code == 0, made
    again = meseta("data", "import", shared / "data" / folder)
    assert again.code == 0, again
    assert "imported" not in again.out
    assert again.out.count("unchanged") == made.out.count("imported") + made.out.count("extended")
    assert meseta("data", "verify").code == 0


def test_prices_below_zero_and_wall_times_have_to_be_explained(meseta: Call, shared: Path) -> None:
    oil, spy = (shared / "data" / "intraday" / name for name in ("CL_15m.csv.gz", "SPY_1h.csv.gz"))
    assert "not positive" in meseta("data", "import", oil).err
    made = meseta("data", "import", oil, "--allow-nonpositive", "--timezone", "America/New_York")
    assert made.code == 0, made
    refused = meseta("data", "import", spy)
    assert refused.code == 2
    assert "--timezone" in refused.err
    assert "--stamp" in refused.err
    made = meseta("data", "import", spy, "--timezone", "America/New_York", "--stamp", "open")
    assert made.code == 0, made
