"""Real files: the samples of the installed package, and market data where it is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from meseta.bars import check, load
from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

NEW_YORK = "America/New_York"
FILES = [
    ("etf_daily/QQQ.csv.gz", 5366, "1d", "UTC", "2005-01-03", "2026-05-01"),
    ("etf_daily/SMH.csv.gz", 5366, "1d", "UTC", "2005-01-03", "2026-05-01"),
    ("etf_daily/SPY.csv.gz", 5366, "1d", "UTC", "2005-01-03", "2026-05-01"),
    ("etf_daily/TQQQ.csv.gz", 4080, "1d", "UTC", "2010-02-11", "2026-05-01"),
    ("crypto/BTCUSDT_perp_5m.csv.gz", 143900, "5m", "UTC", "2023-01-01", "2024-05-14T15:35"),
    (
        "crypto/BTCUSDT_perp_1m_2025-05.csv.gz",
        43199,
        "1m",
        "UTC",
        "2025-05-04T15:33",
        "2025-06-03T15:31",
    ),
    ("crypto/BTCUSDT_perp_mark_8h.csv.gz", 1498, "8h", "UTC", "2023-01-01", "2024-05-14"),
    ("binance_layout/um/NEARUSDT-1m-2025-06.csv.gz", 43200, "1m", "UTC", "2025-06-01", None),
    ("binance_layout/um/BTCUSDT-1h-2024-10-28.csv", 24, "1h", "UTC", "2024-10-28", None),
    ("binance_layout/spot/BTCUSDT-1h-2024-10-28.csv", 24, "1h", "UTC", "2024-10-28", None),
    (
        "intraday/QQQ_15m.csv.gz",
        80512,
        "15m",
        "UTC",
        "2013-08-01T13:30",
        "2025-12-05T20:45",
    ),
    ("intraday/SPY_1h.csv.gz", 40832, "1h", "UTC", "1998-01-02T09:00", "2021-03-31T15:00"),
    (
        "tradestation/KC_60min.txt.gz",
        24947,
        "1h",
        NEW_YORK,
        "2010-02-23T05:15",
        "2020-02-21T13:30",
    ),
    (
        "tradestation/KC_daily.txt.gz",
        3286,
        "1d",
        NEW_YORK,
        "2007-02-02T13:30",
        "2020-02-21T13:30",
    ),
    ("tradestation/TQQQ_5min.txt", 780, "5m", NEW_YORK, "2025-05-23T09:35", "2025-06-06T16:00"),
    ("tradestation/TQQQ_15min.txt", 260, "15m", NEW_YORK, "2025-05-23T09:45", "2025-06-06T16:00"),
    ("tradestation/TQQQ_90min.txt", 149, "90m", NEW_YORK, "2025-04-25T12:00", "2025-06-06T16:00"),
    (
        "tradestation/TQQQ_135min.txt",
        120,
        "135m",
        NEW_YORK,
        "2025-04-25T11:15",
        "2025-06-06T16:00",
    ),
]
# Everything that is suspicious in these files: the market was shut after 2001-09-11, the coffee
# future went without volume in 2008, and the exchange stopped on 2013-08-22.
SUSPICIOUS = {
    "intraday/SPY_1h.csv.gz": {"hole": "6.75 days"},
    "intraday/QQQ_15m.csv.gz": {"irregular_steps": "3 hours"},
    "tradestation/KC_daily.txt.gz": {"no_volume": "13"},
}


@pytest.mark.parametrize(("sample", "close"), [("nasdaq", 2208.050049), ("sp500", 1228.099976)])
def test_samples_load_at_once(sample: str, close: float):
    bars = load(f"sample:{sample}")
    assert (bars.name, bars.source, bars.timezone) == (sample, f"sample:{sample}", NEW_YORK)
    assert (len(bars), bars.bar_size, bars.warnings) == (5031, "1d", ())
    assert str(bars.calendar.first) == "1999-01-04 00:00:00"
    assert str(bars.calendar.last) == "2018-12-31 00:00:00"
    assert bars.close[0] == close
    assert bars.years == pytest.approx(20, abs=0.02)
    assert bars.calendar.bars_per_year == pytest.approx(251.6, abs=0.1)


@pytest.mark.parametrize(("path", "rows", "size", "zone", "first", "last"), FILES)
def test_market_data_loads(
    shared: Path, path: str, rows: int, size: str, zone: str, first: str, last: str | None
):
    bars = load(shared / "data" / path)
    assert (len(bars), bars.bar_size, bars.timezone) == (rows, size, zone)
    assert bars.stamp == ("close" if path.startswith("tradestation") else "open")
    assert bars.time[0] == np.datetime64(first)
    if last is not None:
        assert bars.time[-1] == np.datetime64(last)
    found = {finding.code: finding.value for finding in bars.warnings}
    assert found == SUSPICIOUS.get(path, {})


def test_prices_below_zero_load_on_request_and_the_roll_is_flagged(shared: Path):
    path = shared / "data" / "intraday" / "CL_15m.csv.gz"
    with pytest.raises(DataError, match=r"not positive.*allow_nonpositive.*\(and 1804 more\)"):
        load(path)
    bars = load(path, timezone=NEW_YORK, allow_nonpositive=True)
    assert bars.time[0] == np.datetime64("2013-09-30T18:00")
    assert bars.low.min() < 0
    findings = {finding.code: finding for finding in bars.warnings}
    assert findings["jump"].time.startswith("2020-04-20")
    assert set(findings) <= {"jump", "irregular_steps"}


def test_volume_is_up_and_down_together(shared: Path):
    bars = load(shared / "data" / "tradestation" / "KC_60min.txt.gz")
    assert bars.volume[0] == 126 + 224


def test_trades_are_no_bars(shared: Path):
    folder = shared / "data" / "binance_layout"
    for path in (
        folder / "um" / "APEUSDT-aggTrades-2024-10-18.csv.gz",
        folder / "spot" / "PEPEUSDT-aggTrades-2024-10-27.csv.gz",
    ):
        report = check(path)
        assert report.bars is None
        assert "no column for " in report.faults[0].message


def test_check_gives_the_bars_where_nothing_stops_them(shared: Path):
    path = shared / "data" / "tradestation" / "KC_daily.txt.gz"
    report = check(path)
    assert (report.source, report.rows, report.faults) == (str(path), 3286, ())
    assert report.bars is not None
    assert report.bars.fingerprint == load(path).fingerprint
    assert report.findings == report.bars.warnings
