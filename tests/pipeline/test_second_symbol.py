"""Runs on two symbols: loading, keeping, scoring again, and what is refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from tiny_run import (
    GRID,
    SMALL,
    frame,
    nasdaq_csv,
    options,
    same_scores,
    stopped,
)

import meseta
from meseta.bars import load, pair
from meseta.engine import Window, backtest
from meseta.errors import ArgumentError, DataError
from meseta.pipeline import plan, rescore, run
from meseta.strategies import find_strategy

FUND = {"bars": "sample:nasdaq-3x", "bars2": "sample:nasdaq"}


def duals(out, **changes):
    given = {"strategy": "atr_d_duals_l", "grid": SMALL} | FUND
    return options(out, **(given | changes))


def fund_csv(path, days=None):
    """The fund as a file, on some of the days."""
    table = load("sample:nasdaq-3x").to_polars()
    (table if days is None else table.filter(days)).write_csv(path)
    return str(path)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A finished run on two symbols with its variant on one; tests must not change it."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESETA_HOME", str(folder / "home"))
        return run(duals(folder))


def test_both_series_are_kept_and_described(both):
    fund, index = load(FUND["bars"]), load(FUND["bars2"])
    data = both.manifest["data"]
    assert data["fingerprint"] == pair(fund, index).fingerprint != fund.fingerprint
    second = data["second"]
    assert (second["name"], second["source"]) == ("nasdaq", "sample:nasdaq")
    assert (second["fingerprint"], second["rows"]) == (index.fingerprint, len(index))
    assert second["alignment"] == {
        "share": 0.0, "share_second": 0.0, "bars": len(index), "dropped": 0,
        "dropped_second": 0, "outside": 0, "outside_second": 0,
    }  # fmt: skip
    for result in (both, *both.variants):
        for name, bars in (("bars", fund), ("bars2", index)):
            kept = frame(result, name)
            assert kept["close"].to_list() == bars.close.tolist()
            assert kept["time"].to_list() == bars.time.tolist()


def test_candidates_are_back_tests_on_both(both, tmp_path):
    bars = pair(load(FUND["bars"]), load(FUND["bars2"]))
    account = duals(tmp_path).account
    for result in (both, *both.variants):
        row = frame(result).row(0, named=True)
        values = {name: row[name] for name in GRID}
        strategy = find_strategy(result.manifest["strategy"])
        for phase in result.manifest["phases"]:
            window = Window(phase["a"], phase["o"], phase["z"])
            made = backtest(bars, strategy, values, window, account)
            found = [row[f"{field}_{phase['number']}"] for field in made.report._fields]
            assert found == pytest.approx(list(made.report), rel=1e-9)


def test_a_variant_that_reads_one_symbol_is_what_it_is_alone(both, tmp_path):
    alone = run(options(tmp_path, bars=FUND["bars"], grid=SMALL))
    (variant,) = both.variants
    assert frame(variant).equals(frame(alone))
    assert variant.manifest["phases"] == alone.manifest["phases"] == both.manifest["phases"]
    assert variant.manifest["results_hash"] == alone.manifest["results_hash"]
    # The days of the fund are the same vault, whoever reads what beside them.
    assert alone.manifest["vault"]["opened"] == 1
    again = run(duals(tmp_path, name="two"))
    looks = [1]
    for each in (again, *again.variants):
        looks.append(looks[-1] + bool(frame(each, "finalists/finalists").height))
        assert each.manifest["vault"]["opened"] == looks[-1]
    assert looks[-1] > 1


def test_variants_run_on_the_joined_bars(tmp_path):
    """Days without a partner are left out for all, so that phases stay the same."""
    bars = load("sample:nasdaq-3x")
    gaps = ~pl.int_range(pl.len()).is_in([1000, 2000, 3000])
    source = fund_csv(tmp_path / "fund.csv", gaps & (pl.int_range(pl.len()) < len(bars) - 30))
    result = run(duals(tmp_path, bars=source, timezone="America/New_York"))
    (variant,) = result.variants
    alignment = result.manifest["data"]["second"]["alignment"]
    assert (alignment["dropped"], alignment["dropped_second"]) == (0, 3)
    assert alignment["outside_second"] == 30
    assert variant.manifest["data"] == result.manifest["data"]
    assert result.manifest["data"]["rows"] == len(bars) - 33
    assert frame(variant, "bars").height == frame(variant, "bars2").height == len(bars) - 33
    assert variant.manifest["phases"] == result.manifest["phases"]


def test_too_few_shared_bars_are_refused_or_allowed(tmp_path):
    source = fund_csv(tmp_path / "fund.csv", pl.int_range(pl.len()) % 10 > 0)
    given = {"bars": source, "timezone": "America/New_York"}
    with pytest.raises(DataError, match=r"--allow-dropped"):
        plan(duals(tmp_path, **given))
    found = plan(duals(tmp_path, **given, allow_dropped=True))
    assert found.bars.alignment.dropped_second > 400
    assert len(found.bars) == len(found.bars.second)


def test_scoring_again_needs_neither_source(tmp_path):
    fund, index = fund_csv(tmp_path / "fund.csv"), nasdaq_csv(tmp_path / "index.csv")
    first = run(duals(tmp_path, bars=fund, bars2=index))
    Path(fund).unlink()
    Path(index).unlink()
    again = rescore(first.folder)
    same_scores(again, first)
    same_scores(again.variants[0], first.variants[0])
    assert again.manifest["data"] == first.manifest["data"]


@pytest.mark.parametrize("piped", ["bars", "bars2"])
def test_one_of_them_from_standard_input_is_kept_for_the_rest(tmp_path, monkeypatch, both, piped):
    files = {"bars": fund_csv(tmp_path / "a.csv"), "bars2": nasdaq_csv(tmp_path / "b.csv")}
    text = Path(files[piped]).read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    config = duals(tmp_path, **(files | {piped: "-"}))
    stopped(config, lambda at: at.part.startswith("atr_d_l ") and at.stage == "score")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    result = run(config, resume=True)
    assert frame(result).equals(frame(both))
    assert frame(result.variants[0]).equals(frame(both.variants[0]))


def test_resume_refuses_another_second_symbol(tmp_path):
    config = duals(tmp_path)
    stopped(config, lambda at: at.stage == "score")
    with pytest.raises(meseta.RunError, match="was searched with other bars"):
        run(duals(tmp_path, bars2="sample:sp500", allow_dropped=True), resume=True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"bars2": None}, "`bars2` is missing: .*--bars sample:nasdaq-3x --bars2 sample:nasdaq"),
        (
            {"bars": "sample:sp500", "bars2": None},
            "give --bars sample:sp500-3x --bars2 sample:sp500",
        ),
        ({"bars": "TQQQ.csv", "bars2": None}, "give --bars2 a data file"),
        (
            {"strategy": "atr_d_l"},
            "not used: no second symbol is read by atr_d_l; .*atr_d_duals_l, atr_d_duals_ls",
        ),
        ({"bars": "-", "bars2": "-"}, "must not both be '-'"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, change, why):
    with pytest.raises(ArgumentError, match=why):
        run(duals(tmp_path / "out", **change))
    assert not (tmp_path / "out").exists()


def test_scripts_give_two_symbols(both, tmp_path):
    found = meseta.search_phases(
        FUND["bars"], "atr_d_duals_l", SMALL, bars2=FUND["bars2"],
        account=duals(tmp_path).account, threads=1,
    )  # fmt: skip
    assert found.candidates.equals(frame(both))
    values = found.grid.point(0)
    joined = pair(load(FUND["bars"]), load(FUND["bars2"]))
    one = meseta.backtest(FUND["bars"], "atr_d_duals_l", values, bars2=FUND["bars2"])
    assert one.trades == meseta.backtest(joined, "atr_d_duals_l", values).trades
    assert one.trades != meseta.backtest(FUND["bars"], "atr_d_l", values).trades
