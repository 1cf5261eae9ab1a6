"""From Binance's archive and API to a study of the hedge grid, by the product's own command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data.binance_site import HOUR, MINUTE, BinanceSite, ms, payment
from meseta.data import Store
from meseta.data.sources import binance
from optimize_market import EASY, prices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Call, Clock

DAYS = ("2024-06-03", "2024-06-04", "2024-06-05")
OPTIMIZE = (
    "optimize", "--symbol", "BTCUSDT", "--source", "binance", "--interval", "5m",
    "--start", DAYS[0], "--end", DAYS[-1], "--trials", 4, "--workers", 1, "--timeout", 0,
    "--no-report", "--study-name", "btc",
)  # fmt: skip
EASIER = [f"--{name.replace('_', '-')}={value}" for name, value in EASY.items()]


def rows(day: str) -> list[list[Any]]:
    """Five-minute bars of a day on which a grid has something to do."""
    begin, step = ms(day), 5 * MINUTE
    columns = ("open", "high", "low", "close", "volume")
    return [
        [begin + at * step, *(str(row[name]) for name in columns), begin + (at + 1) * step - 1,
         "0", 1, "0", "0", "0"]
        for at, row in enumerate(prices(seed=int(day[-1]), days=1).iter_rows(named=True))
    ]  # fmt: skip


@pytest.fixture
def site(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[BinanceSite]:
    monkeypatch.setattr(binance.SOURCE, "_venues", {})
    with BinanceSite() as made:
        made.use(monkeypatch)
        for day in DAYS:
            made.put_klines(day, rows(day), size="5m")
        made.rows["fundingRate", "BTCUSDT"] = [
            payment(ms(DAYS[0]) + 8 * HOUR * number) for number in range(12)
        ]
        yield made


def test_bars_and_funding_are_fetched_kept_and_charged(
    meseta: Call, site: BinanceSite, home: Path, tmp_path: Path
) -> None:
    made = meseta(*OPTIMIZE, *EASIER)
    assert made.code in {0, 2}, made
    store = Store(home / "data")
    assert [key.kind for key in store.keys()] == ["bars", "funding"]  # noqa: SIM118
    folder = tmp_path / "runs" / "btc"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["data"]["asked"]["symbol"] == "BTCUSDT"
    assert manifest["data"]["rows"] == 3 * 288
    assert manifest["funding"][0]["settlements"] >= 9
    paid = pl.read_parquet(folder / "trials.parquet")["funding"].to_numpy()
    assert np.count_nonzero(paid) > 0

    # What is stored does without Binance, and finds the same.
    site.asked.clear()
    again = meseta(*OPTIMIZE[:-1], "again", "--no-fetch", *EASIER)
    assert again.code == made.code
    assert site.asked == []
    first, second = (
        pl.read_parquet(tmp_path / "runs" / name / "trials.parquet").drop("duration", "started_at")
        for name in ("btc", "again")
    )
    assert_frame_equal(first, second)
