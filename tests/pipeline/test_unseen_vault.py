"""The vault: never read by a choice, and every look at it counted."""

from __future__ import annotations

import polars as pl
import pytest
from tiny_run import (
    frame,
    nasdaq_csv,
    options,
    same_scores,
    scaled,
)

from meseta.bars import load
from meseta.engine import METRICS
from meseta.pipeline import rescore, run


def test_every_look_into_the_vault_is_counted(tmp_path):
    config = options(tmp_path)
    result = run(config)
    assert result.manifest["vault"]["opened"] == 1
    assert run(config, force=True).manifest["vault"]["opened"] == 2
    assert rescore(result.folder, gates={"min_efficiency": 0.5}).manifest["vault"]["opened"] == 3
    nobody = run(options(tmp_path, name="two", min_cell=10_000))
    assert nobody.manifest["vault"]["opened"] == 3
    # The same days from a file are the same vault.
    copy = nasdaq_csv(tmp_path / "copy.csv")
    other = run(options(tmp_path, name="three", bars=copy))
    assert other.manifest["vault"]["opened"] == 4
    assert (tmp_path / "copy.csv.vault.json").exists()


def test_without_a_vault_nothing_is_kept_back(tmp_path):
    result = run(options(tmp_path, vault=0.0))
    assert result.manifest["vault"] is None
    assert result.manifest["phases"][-1]["z"] == len(load("sample:nasdaq"))
    table = frame(result, "finalists/finalists")
    assert all(table[f"vault_{name}"].null_count() == table.height > 0 for name in METRICS)
    assert frame(result, "finalists/equity")["span"].unique().to_list() == ["history"]


@pytest.mark.parametrize("factor", [0.5, 1.9])
def test_nothing_is_chosen_by_the_vault_s_prices(tmp_path, factor):
    first = load("sample:nasdaq").time[4780]
    day = first.item()
    one = run(options(tmp_path, name="one", bars=nasdaq_csv(tmp_path / "a.csv")))
    changed = nasdaq_csv(tmp_path / "b.csv", lambda table: scaled(table, day, factor))
    other = run(options(tmp_path, name="two", bars=changed))
    assert one.manifest["vault"]["first"] == other.manifest["vault"]["first"]
    assert one.manifest["data"]["fingerprint"] != other.manifest["data"]["fingerprint"]
    same_scores(one, other)
    assert one.manifest["phases"] == other.manifest["phases"]
    here, there = frame(one, "finalists/finalists"), frame(other, "finalists/finalists")
    seen = [name for name in here.columns if not name.startswith("vault_")]
    assert here.select(seen).equals(there.select(seen))
    assert here["vault_net_profit"].to_list() != there["vault_net_profit"].to_list()
    for name in ("equity", "trades"):
        history = [
            frame(result, f"finalists/{name}").filter(pl.col("span") == "history")
            for result in (one, other)
        ]
        assert history[0].equals(history[1])


def test_prices_before_the_vault_are_read(tmp_path, done):
    day = load("sample:nasdaq").time[4740].item()
    changed = nasdaq_csv(tmp_path / "a.csv", lambda table: scaled(table, day, 0.9))
    result = run(options(tmp_path, bars=changed))
    assert result.manifest["results_hash"] != done[0].manifest["results_hash"]


def test_a_vault_of_two_bars_and_finalists_without_a_trade_in_it(tmp_path):
    result = run(options(tmp_path, vault=0.1))
    vault = result.manifest["vault"]
    assert 2 <= vault["z"] - vault["a"] <= 3
    table = frame(result, "finalists/finalists")
    assert 0 in table["vault_trades"].to_list()
    idle = table.filter(pl.col("vault_trades") == 0)
    assert idle["vault_net_profit"].to_list() == [0.0] * idle.height
    assert idle["vault_win_rate"].null_count() == idle.height
