"""Growth per year in-sample, in validation and in the vault, against sums done by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from meseta._files import write_json
from meseta.report._promise import hold, promise_chart, promises
from meseta.report._run import read_run

if TYPE_CHECKING:
    from pathlib import Path

YEAR = np.timedelta64(31_557_600_000_000, "us")
FIRST = np.datetime64("2020-01-01", "us")


def folder_with(
    folder: Path, *, capital: float = 10_000.0, vault_return: float | None = 10.0
) -> Path:
    """Seven bars, a year apart: one phase of two and two years, a vault of one year."""
    time = FIRST + np.arange(7) * YEAR
    close = [100.0, 110.0, 121.0, 100.0, 400.0, 200.0, 150.0]
    pl.DataFrame({"time": time, "close": close}).write_parquet(folder / "bars.parquet")
    write_json(
        folder / "manifest.json",
        {
            "account": {"capital": capital},
            "phases": [{"number": 1, "a": 0, "o": 3, "z": 5}],
            "vault": {"months": 12, "a": 5, "z": 7, "opened": 1},
        },
    )
    pl.DataFrame(
        {"flat": [5, 9], "is_pnl_1": [2100.0, 0.0], "oos_pnl_1": [1210.0, -10_000.0]}
    ).write_parquet(folder / "candidates.parquet")
    (folder / "finalists").mkdir()
    pl.DataFrame(
        {
            "finalist": [0, 1, 2],
            "plateau": [1, 1, 1],
            "role": ["centre", "best", "best"],
            "flat": [5, 9, 77],
            "stability": [50.0, 40.0, 30.0],
            "vault_return_pct": [vault_return, -20.0, 0.0],
        },
        schema_overrides={"vault_return_pct": pl.Float64},
    ).write_parquet(folder / "finalists" / "finalists.parquet")
    return folder


def test_growth_is_of_the_account_and_per_year(tmp_path: Path) -> None:
    frame = promises(read_run(folder_with(tmp_path)))
    centre = frame.row(0, named=True)
    # 10,000 to 12,100 over the two years between the first and the last in-sample bar.
    assert centre["in_sample"] == pytest.approx(10.0)
    # Validation starts from 12,100, not from 10,000: 12,100 to 13,310 in one year.
    assert centre["validation"] == pytest.approx(10.0)
    assert centre["vault"] == pytest.approx(10.0)


def test_a_wiped_out_account_and_an_unknown_flat_have_no_rate(tmp_path: Path) -> None:
    frame = promises(read_run(folder_with(tmp_path)))
    assert frame["in_sample"].to_list() == [pytest.approx(10.0), pytest.approx(0.0), None]
    assert frame["validation"].to_list() == [pytest.approx(10.0), None, None]
    assert frame["finalist"].to_list() == [0, 1, 2]


def test_without_capital_nothing_is_promised(tmp_path: Path) -> None:
    frame = promises(read_run(folder_with(tmp_path, capital=0.0)))
    assert frame["in_sample"].null_count() == 3


def test_without_candidates_the_vault_still_stands(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    (folder / "candidates.parquet").unlink()
    frame = promises(read_run(folder))
    assert frame["in_sample"].null_count() == 3
    assert frame["vault"].to_list() == [pytest.approx(v) for v in (10.0, -20.0, 0.0)]


def test_buy_and_hold_over_the_same_spans(tmp_path: Path) -> None:
    holding = hold(read_run(folder_with(tmp_path)))
    assert holding.in_sample == pytest.approx(10.0)
    assert holding.validation == pytest.approx(300.0)
    assert holding.vault == pytest.approx(-25.0)
    assert holding.vault_return == pytest.approx(-25.0)
    assert holding.vault_drawdown == pytest.approx(25.0)


def test_buy_and_hold_of_prices_below_zero_is_not_defined(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    bars = pl.read_parquet(folder / "bars.parquet").with_columns(pl.col("close") - 160.0)
    bars.write_parquet(folder / "bars.parquet")
    holding = hold(read_run(folder))
    assert holding.in_sample is None
    assert holding.vault_drawdown is None


def test_chart_leaves_out_what_has_no_rate(tmp_path: Path) -> None:
    run = read_run(folder_with(tmp_path))
    figure = promise_chart(promises(run), hold(run))
    centre, holding = figure.data[1], figure.data[2]
    assert list(centre.y) == [pytest.approx(10.0)] * 3
    assert list(holding.y) == [pytest.approx(10.0), pytest.approx(300.0), pytest.approx(-25.0)]
    assert len(figure.data[0].x) == 0
    assert not any(math.isnan(value) for value in centre.y)
