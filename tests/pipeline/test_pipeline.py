"""What a run writes, and that it is what back-tests say."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from tiny_run import (
    GRID,
    SIZE,
    files_of,
    frame,
    options,
    same_scores,
)

import meseta
from meseta.bars import Bars, load
from meseta.config import load_config
from meseta.engine import METRICS, Window, backtest, metrics
from meseta.errors import ArgumentError
from meseta.pipeline import Progress, plan, run
from meseta.strategies import find_strategy

FILES = {
    "bars.parquet",
    "candidates.parquet",
    "exports/phase5_refine_config.csv",
    "finalists/equity.parquet",
    "finalists/finalists.parquet",
    "finalists/trades.parquet",
    "manifest.json",
    "plateaus.json",
    "tiles/search.json",
}


def test_files_of_a_run(done):
    result, _ = done
    tiles = {name for name in files_of(result.folder) if name.endswith(".tile")}
    assert len(tiles) == 6
    ranks = range(1, len(result.plateaus["plateaus"]) + 1)
    exports = {f"exports/phase5_refine_ATR-D-v1.5-L_rank{k}.csv" for k in ranks}
    assert exports
    assert files_of(result.folder) == FILES | tiles | exports | {"report.html", "candidates.csv"}
    assert result.report == result.folder / "report.html"
    assert json.loads((result.folder / "manifest.json").read_text()) == result.manifest
    assert json.loads((result.folder / "plateaus.json").read_text()) == result.plateaus
    assert pl.read_csv(result.folder / "candidates.csv").shape == frame(result).shape


def test_manifest(done):
    result, config = done
    found = result.manifest
    bars = load("sample:nasdaq")
    assert found["status"] == "finished"
    assert found["command"] == "meseta run it"
    assert datetime.fromisoformat(found["created"]) <= datetime.fromisoformat(found["finished"])
    assert load_config(overrides=found["config"]) == config
    data = found["data"]
    assert (data["name"], data["source"]) == ("nasdaq", "sample:nasdaq")
    assert (data["fingerprint"], data["rows"]) == (bars.fingerprint, len(bars))
    assert (data["first"][:10], data["last"][:10]) == ("1999-01-04", "2018-12-31")
    assert (data["bar_size"], data["timezone"]) == ("1d", bars.timezone)
    assert found["strategy"] == "atr_d_l"
    assert found["grid"]["combinations"] == SIZE
    assert found["grid"]["values"]["atr_multiplier"] == [4.0, 8.0, 12.0]
    assert found["required_phases"] == 3
    assert [phase["number"] for phase in found["phases"]] == [1, 2, 3, 4]
    for phase in found["phases"]:
        assert phase["start"] == str(bars.time[phase["a"]].astype("datetime64[s]"))
        assert phase["split"] == str(bars.time[phase["o"]].astype("datetime64[s]"))
        assert phase["end"] == str(bars.time[phase["z"] - 1].astype("datetime64[s]"))
        assert phase["z"] <= found["vault"]["a"]
    vault = found["vault"]
    assert (vault["first"][:10], vault["last"][:10]) == ("2018-01-02", "2018-12-31")
    assert (vault["months"], vault["z"], vault["opened"]) == (12.0, len(bars), 1)
    assert found["account"]["capital"] == 100_000.0
    assert found["gates"]["min_efficiency"] == 0.35
    assert found["selection"] == {"axes": ["atr_multiplier", "atr_buy_multiplier"], "min_cell": 2}
    assert set(found["timings"]) == {
        "search_s", "score_s", "plateaus_s", "finalists_s", "report_s",
    }  # fmt: skip
    assert found["environment"]["threads"] == 2
    assert len(found["results_hash"]) == 64
    assert found["funnel"]["candidates"] == frame(result).height > 0
    assert sum(found["funnel"]["valid_in"].values()) == SIZE
    assert found["behaviours"]["entry_sets"] == 6
    assert found["behaviours"]["exit_sets"] == 48
    assert 0 < found["behaviours"]["exit_tables"] <= 48


def test_candidates_are_back_tests(done):
    result, config = done
    bars = load("sample:nasdaq")
    table = frame(result)
    assert table["stability"].is_sorted(descending=True)
    for row in (table.row(0, named=True), table.row(table.height - 1, named=True)):
        values = {name: row[name] for name in GRID}
        for phase in result.manifest["phases"]:
            window = Window(phase["a"], phase["o"], phase["z"])
            # With the vault's bars in sight, which must not matter.
            made = backtest(bars, find_strategy("atr_d_l"), values, window, config.account)
            found = [row[f"{field}_{phase['number']}"] for field in made.report._fields]
            assert found == pytest.approx(list(made.report), rel=1e-12)


def test_finalists_are_back_tests_of_history_and_vault(done):
    result, config = done
    bars, vault = load("sample:nasdaq"), result.manifest["vault"]
    table = frame(result, "finalists/finalists")
    equity, trades = frame(result, "finalists/equity"), frame(result, "finalists/trades")
    assert table["finalist"].to_list() == list(range(table.height))
    for plateau in result.plateaus["plateaus"]:
        rows = table.filter(pl.col("plateau") == plateau["rank"])
        assert rows["role"].to_list() == ["centre", *["best"] * (rows.height - 1)]
        assert rows["flat"][0] == plateau["centre"]["flat"]
        assert rows["flat"].n_unique() == rows.height >= 20
        assert rows["stability"][1:].is_sorted(descending=True)
    spans = (("history", 100, vault["a"], ""), ("vault", vault["a"], vault["z"], "vault_"))
    for row in table.sample(3, seed=1).iter_rows(named=True):
        values = {name: row[name] for name in GRID}
        for span, a, z, prefix in spans:
            made = backtest(
                bars, find_strategy("atr_d_l"), values, Window(a, a + 1, z), config.account
            )
            mine = (pl.col("finalist") == row["finalist"]) & (pl.col("span") == span)
            curve, listed = equity.filter(mine), trades.filter(mine)
            assert curve["equity"].to_list() == made.equity.tolist()
            assert curve["time"].to_list() == bars.time[a:z].tolist()
            peak = np.maximum.accumulate(np.maximum(made.equity, config.capital))
            assert curve["drawdown"].to_list() == (peak - made.equity).tolist()
            assert listed.height == len(made.trades)
            for field in ("entry_bar", "exit_bar", "dir", "fill", "exit", "reason", "pnl"):
                assert listed[field].to_list() == [getattr(t, field) for t in made.trades]
            assert listed["entry_time"].to_list() == bars.time[listed["entry_bar"]].tolist()
            assert listed["exit_time"].to_list() == bars.time[listed["exit_bar"]].tolist()
            expected = metrics(made, config.capital, bars.bars_per_year)
            assert {name: row[prefix + name] for name in METRICS} == expected


def test_max_finalists(tmp_path, done):
    result = run(options(tmp_path, max_finalists=3))
    table = frame(result, "finalists/finalists")
    assert table.equals(frame(done[0], "finalists/finalists").head(3))
    assert frame(result, "finalists/equity")["finalist"].unique().sort().to_list() == [0, 1, 2]


def test_max_candidates(tmp_path, done):
    result = run(options(tmp_path, max_candidates=40))
    assert frame(result).equals(frame(done[0]).head(40))
    assert result.manifest["funnel"]["candidates"] == 40
    assert result.manifest["funnel"]["stable"] == done[0].manifest["funnel"]["stable"]


def test_a_grid_without_any_candidate(tmp_path):
    result = run(options(tmp_path, gates={"min_trades": 255}, report=True))
    assert result.manifest["status"] == "finished"
    assert result.manifest["funnel"]["candidates"] == frame(result).height == 0
    assert result.manifest["funnel"]["relaxed"] is True
    assert result.plateaus["plateaus"] == []
    assert result.manifest["vault"]["opened"] == 0
    assert result.report.exists()
    assert any("no combination is valid in 3 phases" in w for w in result.manifest["warnings"])
    for name in ("finalists", "equity", "trades"):
        assert frame(result, f"finalists/{name}").height == 0


def test_cells_that_no_plateau_can_be_made_of(tmp_path, done):
    result = run(options(tmp_path, min_cell=10_000, report=True))
    assert frame(result).equals(frame(done[0]))
    assert result.plateaus["plateaus"] == []
    assert not any(cell["counts"] for cell in result.plateaus["cells"])
    assert result.report.exists()
    empty = frame(result, "finalists/finalists")
    assert (empty.height, empty.columns) == (0, frame(done[0], "finalists/finalists").columns)
    for name in ("equity", "trades"):
        found = frame(result, f"finalists/{name}")
        assert found.schema == frame(done[0], f"finalists/{name}").schema


def test_one_phase_by_hand(tmp_path):
    phases = [{"start": "2010-01-04", "split": "2013-01-02", "end": "2015-12-31"}]
    result = run(options(tmp_path, phases=phases, report=True))
    found = result.manifest
    assert found["required_phases"] == found["funnel"]["required"] == 1
    (phase,) = found["phases"]
    assert [phase[k][:10] for k in ("start", "split", "end")] == [
        "2010-01-04",
        "2013-01-02",
        "2015-12-31",
    ]
    table = frame(result)
    assert table.height == found["funnel"]["valid_in"]["1"] > 0
    assert table["stability"].to_list() == table["rank_1"].to_list()
    assert "rank_2" not in table.columns


def test_progress_goes_through_every_stage_to_its_end(tmp_path):
    told: list[Progress] = []
    run(options(tmp_path, report=True), progress=told.append)
    stages = list(dict.fromkeys(at.stage for at in told))
    assert stages == ["search", "score", "plateaus", "finalists", "report"]
    for stage in stages:
        steps = [at for at in told if at.stage == stage]
        assert [at.done for at in steps] == sorted(at.done for at in steps)
        assert steps[-1].done == steps[-1].total > 0
        assert len({at.total for at in steps}) == 1
    survivors = [at.facts["survivors"] for at in told if at.stage == "search" and at.facts]
    assert survivors == sorted(survivors)
    assert survivors[-1] > 0


def test_the_number_of_threads_and_the_name_change_nothing(done, tmp_path):
    result = run(options(tmp_path, threads=1, name="another"))
    same_scores(result, done[0])
    for name in ("finalists", "equity", "trades"):
        assert frame(result, f"finalists/{name}").equals(frame(done[0], f"finalists/{name}"))


def test_plan_tells_what_a_run_will_do(tmp_path):
    config = options(tmp_path)
    found = plan(config)
    assert isinstance(found.bars, Bars)
    assert found.combinations == SIZE
    assert len(found.vault_bars) == len(found.bars) - found.vault_row == 251
    assert len(found.before) == found.vault_row
    assert found.seconds > 0
    assert found.memory_bytes > found.disk_bytes > SIZE
    assert list(tmp_path.iterdir()) == []
    assert plan(options(tmp_path, vault=0.0)).vault_bars is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"max_combinations": SIZE - 1}, "more than --max-combinations"),
        ({"strategy": "atr_d"}, "did you mean atr_d_l"),
        ({"grid": GRID | {"atr_period": []}}, "`atr_period` must have at least one value"),
        ({"axes": ("atr_period", "atr_x")}, "`axes` must be two different parameters"),
        ({"vault": 1e6}, "`vault` must leave a history"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(tmp_path, change, why):
    with pytest.raises(ArgumentError, match=why):
        run(options(tmp_path / "out", **change))
    assert not (tmp_path / "out").exists()


def test_the_results_hash_is_of_funnel_and_candidates(done):
    result, _ = done
    digest = hashlib.sha256(json.dumps(result.manifest["funnel"], sort_keys=True).encode())
    table = frame(result)
    for name in ("flat", "stability", "is_pnl", "oos_pnl", "oos_maxdd"):
        digest.update(table[name].to_numpy().tobytes())
    assert result.manifest["results_hash"] == digest.hexdigest()
    assert math.isfinite(table["oos_pnl"].sum())


def test_the_function_for_scripts_finds_what_a_run_finds(done):
    result, config = done
    bars = load("sample:nasdaq")
    found = meseta.search_phases(bars, "atr_d_l", GRID, account=config.account, threads=1)
    assert found.candidates.equals(frame(result))
    assert found.funnel == result.manifest["funnel"]
    assert [p.window for p in found.phases.phases] == [
        (phase["a"], phase["o"], phase["z"]) for phase in result.manifest["phases"]
    ]
    with pytest.raises(ArgumentError, match="more than --max-combinations"):
        meseta.search_phases(bars, "atr_d_l", GRID, max_combinations=SIZE - 1)


def test_the_back_test_for_scripts_trades_after_the_warm_up(tmp_path):
    bars = load("sample:nasdaq")
    values = {name: value[0] if isinstance(value, list) else value for name, value in GRID.items()}
    made = meseta.backtest("sample:nasdaq", "atr_d_l", values, engine="reference")
    assert made.window == Window(100, 100 + int((len(bars) - 100) * 0.6), len(bars))
    again = meseta.backtest(bars, parameters=values, window=made.window)
    assert again.trades == made.trades
    assert len(made.trades) > 20
    short = meseta.backtest(bars.slice(0, 50), parameters=values)
    assert (short.window, short.trades) == (Window(47, 48, 50), ())
