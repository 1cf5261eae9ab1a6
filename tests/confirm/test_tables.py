"""The tables of a confirmation, and what is asked before one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import polars as pl
import pytest
from grid_world import DESIGNED, PARAMETERS, SETTINGS, WARM, market_of

from meseta.confirm import (
    Cause,
    Confirmed,
    EventDriven,
    cause_table,
    confirm,
    engine_table,
    require_engine,
    write_tables,
)
from meseta.errors import ArgumentError
from meseta.hedge import metrics_of, simulate


@pytest.fixture(scope="module")
def confirmed():
    """A trial on both engines, and one that failed on one of them."""
    market = market_of(DESIGNED)
    span = (WARM - 1, len(DESIGNED))
    result = simulate(market, PARAMETERS, SETTINGS, span, engine="reference")
    metrics = metrics_of(result, market.bars.time, SETTINGS)
    both = {"params": {}, "compiled": result, "compiled_metrics": metrics, "seconds": 1.0}
    causes = (Cause("thin volume", 1.5, 2), Cause("rounding", -0.25, 3))
    engine = EventDriven(result, frozenset())
    return [
        Confirmed(trial=4, engine=engine, engine_metrics=metrics, causes=causes, error="", **both),
        Confirmed(trial=9, engine=None, engine_metrics=None, causes=(), error="late", **both),
    ]


def test_each_engine_has_a_row_and_one_that_failed_has_none(confirmed):
    table = engine_table(confirmed)
    assert table.select("trial", "engine").rows() == [
        (4, "compiled"), (4, "nautilus"), (9, "compiled"),
    ]  # fmt: skip
    assert table["trades"].to_list() == [11, 11, 11]
    assert table["max_drawdown"].is_between(0, 1).all()


def test_causes_keep_money_and_counts(confirmed):
    assert cause_table(confirmed).rows() == [
        (4, "thin volume", 1.5, 2), (4, "rounding", -0.25, 3),
    ]  # fmt: skip


def test_no_causes_are_a_table_of_the_same_columns(confirmed):
    assert cause_table(confirmed[1:]).schema == cause_table(confirmed).schema


def test_the_files_hold_the_tables(confirmed, tmp_path):
    write_tables(tmp_path, confirmed)
    read = pl.read_parquet(tmp_path / "confirmation.parquet")
    assert read.equals(engine_table(confirmed))
    read = pl.read_parquet(tmp_path / "confirmation_causes.parquet")
    assert read.equals(cause_table(confirmed))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "confirmation.parquet", "confirmation_causes.parquet",
    ]  # fmt: skip


def test_without_the_extra_confirmation_says_how_to_get_it():
    try:
        version("nautilus_trader")
    except PackageNotFoundError:
        market = market_of(DESIGNED)
        with pytest.raises(ArgumentError, match=r"pip install 'meseta\[nautilus\]'"):
            confirm(market, {0: {}}, SETTINGS)
    else:
        pytest.skip("the extra is installed")


def test_another_version_is_refused(tmp_path, monkeypatch):
    info = tmp_path / "nautilus_trader-1.223.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nautilus_trader\nVersion: 1.223.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ArgumentError, match=r"needs nautilus_trader 1\.221\.0 exactly.*1\.223\.0"):
        require_engine()
