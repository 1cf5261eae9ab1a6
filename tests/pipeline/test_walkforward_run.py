"""A whole walk-forward: what is written adds up, can be made again, and says what went wrong."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from walkforward_run import QUICK, TOUCH, config_of, walked

from meseta import load
from meseta.account import Contract
from meseta.engine import Window, backtest
from meseta.errors import ArgumentError, DataError, MesetaError, RunError
from meseta.pipeline import plan_walkforward, walk_forward
from meseta.runs import RunFolder
from meseta.strategies import find_strategy
from meseta.walkforward_config import load_walkforward_config


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run of a kernel strategy and one of a separable one."""
    out = tmp_path_factory.mktemp("runs")
    return {name: walked(out / name, **changes)
            for name, changes in (("kernel", {}), ("separable", TOUCH))}  # fmt: skip


KINDS = pytest.mark.parametrize("kind", ["kernel", "separable"])


@KINDS
def test_the_curves_add_up_to_the_windows(runs, kind):
    outcome, summary = runs[kind].made.outcome, runs[kind].manifest["summary"]
    windows, curve = outcome.windows, outcome.curve
    for column, profit in (("emulated", "oos_net_profit"), ("exact", "exact_net_profit")):
        assert curve[column][0] == 0.0
        assert curve[column][-1] == pytest.approx(windows[profit].sum(), rel=1e-9)
        assert summary[f"{column}_profit"] == curve[column][-1]
    bars = load("sample:nasdaq")
    assert curve.height == len(bars) - windows["out_start"][0] + 1
    assert curve["median"][-1] == pytest.approx(windows["median_net_profit"].sum(), rel=1e-9)
    parts = windows.select("gap_position", "gap_size", "gap_orders").sum_horizontal()
    np.testing.assert_allclose(parts, windows["gap"], atol=1e-6)
    difference = windows["exact_net_profit"] - windows["oos_net_profit"]
    np.testing.assert_allclose(windows["gap"], difference, atol=1e-6)


@KINDS
def test_windows_follow_each_other(runs, kind):
    windows = runs[kind].made.outcome.windows
    assert windows["out_start"][1:].to_list() == windows["out_stop"][:-1].to_list()
    assert (windows["in_stop"] <= windows["out_start"]).all()
    assert windows["out_stop"][-1] == len(load("sample:nasdaq"))
    assert windows["partial"].to_list() == [False] * (windows.height - 1) + [True]


def test_the_choice_is_that_of_a_plain_walk(runs):
    """Every combination simulated by the reference engine; the best of each window is taken."""
    bars, values = load("sample:nasdaq"), QUICK["grid"]["xbar"]
    windows = runs["kernel"].made.outcome.windows
    account = config_of("runs").account
    start = windows["in_start"][0]
    curves = []
    for value in values:
        made = backtest(
            bars, find_strategy("xbar"), {"xbar": value}, Window(start, start + 1, len(bars)),
            account, engine="reference",
        )  # fmt: skip
        curves.append(np.concatenate(([account.capital], made.equity)))
    for row in windows.iter_rows(named=True):
        a, b, c, d = (row[n] - start for n in ("in_start", "in_stop", "out_start", "out_stop"))
        best = int(np.argmax([curve[b] - curve[a] for curve in curves]))
        assert row["xbar"] == values[best]
        assert row["is_net_profit"] == pytest.approx(curves[best][b] - curves[best][a])
        assert row["oos_net_profit"] == pytest.approx(curves[best][d] - curves[best][c])
        outside = [curve[d] - curve[c] for curve in curves]
        assert row["all_mean"] == pytest.approx(np.mean(outside), abs=1e-3)
        assert row["all_winning"] == pytest.approx(np.mean(np.array(outside) > 0))


def test_promise_and_holding_are_what_they_say(runs):
    """An account that reinvests is promised a share of itself."""
    outcome = runs["kernel"].made.outcome
    windows, curve = outcome.windows, outcome.curve
    rate = windows["is_net_profit"] / (windows["in_stop"] - windows["in_start"])
    rate = rate / windows["is_equity"] * windows["exact_equity"]
    promised = (rate * (windows["out_stop"] - windows["out_start"])).sum()
    assert curve["promise"][-1] == pytest.approx(promised)
    assert windows["exact_equity"][0] == windows["is_equity"][0] == QUICK["capital"]
    bars, first = load("sample:nasdaq"), windows["out_start"][0]
    close = bars.close[first - 1 :]
    shares = np.floor(QUICK["capital"] / close[0])
    np.testing.assert_allclose(curve["hold"], shares * (close - close[0]))


def test_files_and_manifest_are_whole(runs):
    folder = RunFolder(runs["separable"].folder)
    manifest = folder.manifest()
    assert manifest == json.loads(json.dumps(runs["separable"].manifest))
    assert manifest["status"] == "finished"
    assert folder.finished()
    for name, table in (("windows", "windows"), ("best", "best"), ("curve", "curve")):
        read = pl.read_parquet(folder.path / f"{name}.parquet")
        assert read.equals(getattr(runs["separable"].made.outcome, table))
    trades = pl.read_parquet(folder.path / "trades.parquet")
    assert trades["pnl"].sum() == pytest.approx(manifest["summary"]["exact_profit"])
    assert manifest["summary"]["trades"] == trades.height


@KINDS
def test_made_again_it_is_the_same(runs, kind, tmp_path):
    config = runs[kind].manifest["config"]
    again = load_walkforward_config(None, config | {"out": str(tmp_path), "threads": 1})
    assert walk_forward(again).manifest["results_hash"] == runs[kind].manifest["results_hash"]


def test_what_is_interrupted_goes_on(runs, tmp_path):
    config = config_of(tmp_path, **TOUCH)

    def stop(at):
        if at.stage == "exact":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk_forward(config, progress=stop)
    with pytest.raises(RunError, match="holds an unfinished run; continue it with --resume"):
        walk_forward(config)
    other = config_of(tmp_path, **TOUCH, capital=5000.0)
    with pytest.raises(RunError, match=r"begun with other options \(capital\)"):
        walk_forward(other, resume=True)
    seen = []
    made = walk_forward(config, resume=True, progress=seen.append)
    # Everything was found finished: the first word of the search is its last.
    assert [at.done for at in seen if at.stage == "walk"] == [24]
    assert made.manifest["results_hash"] == runs["separable"].manifest["results_hash"]
    with pytest.raises(RunError, match="holds a finished run"):
        walk_forward(config)


def test_bars_from_standard_input_are_kept_for_the_rest(runs, tmp_path, monkeypatch):
    def give(content):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    def stop(at):
        if at.stage == "exact":
            raise KeyboardInterrupt

    give(load("sample:nasdaq").to_polars().write_csv().encode())
    config = config_of(tmp_path, bars="-")
    with pytest.raises(KeyboardInterrupt):
        walk_forward(config, progress=stop)
    give(b"")
    made = walk_forward(config, resume=True)
    assert made.folder.name == "walkforward-xbar-stdin-500-250"
    assert made.manifest["results_hash"] == runs["kernel"].manifest["results_hash"]


# What a user may ask for -----------------------------------------------------------------------


def test_no_exact_run_leaves_its_columns_empty(tmp_path):
    made = walked(tmp_path, exact="never")
    assert made.manifest["gap"] is None
    assert made.manifest["summary"]["exact_profit"] is None
    assert made.manifest["efficiency"]["annualised"]["exact"] is None
    assert not (made.folder / "trades.parquet").exists()
    assert made.made.outcome.windows["gap"].null_count() == made.made.outcome.windows.height


@pytest.mark.parametrize("policy", ["carry", "close", "finish"])
def test_every_policy_trades(tmp_path, policy):
    made = walked(tmp_path, policy=policy)
    trades = made.made.outcome.trades
    assert trades.height > 50
    assert ("boundary" in trades["reason"]) == (policy == "close")


def test_anchored_windows_of_months_with_a_purge(tmp_path):
    made = walked(tmp_path, unit="months", in_sample=36, out_of_sample=12, anchored=True, purge=5)
    windows = made.made.outcome.windows
    assert windows["in_start"].n_unique() == 1
    assert (windows["out_start"] - windows["in_stop"] == 5).all()
    assert {day.day <= 5 for day in windows["out_first"].dt.date()} == {True}
    assert set(windows["out_first"].dt.month()) == {windows["out_first"][0].month}


def test_a_fixed_quantity_leaves_no_gap_of_size(tmp_path):
    made = walked(tmp_path, contracts=2.0, point_value=10.0, roll_cost=5.0, rolls="quarterly")
    windows = made.made.outcome.windows
    rate = windows["is_net_profit"] / (windows["in_stop"] - windows["in_start"])
    promised = (rate * (windows["out_stop"] - windows["out_start"])).sum()
    assert made.manifest["summary"]["promise"] == pytest.approx(promised)
    told = made.manifest["efficiency"]["dollars"]["exact"]
    if windows["is_net_profit"].sum() > 0:
        paid = windows["exact_net_profit"].sum() / windows["is_net_profit"].sum()
        assert told == pytest.approx(paid)
    assert made.manifest["gap"]["size"] == 0.0
    assert made.made.outcome.trades["shares"].unique().to_list() == [2.0]
    assert made.manifest["contract"]["rolls"][0] == "1999-04-01"


def test_an_account_that_is_used_up_is_told(tmp_path):
    """A fixed number of contracts is traded whatever is left, and the page must not hide it."""
    poor = walked(tmp_path / "poor", contracts=1.0, point_value=100.0, capital=5000.0)
    assert poor.made.outcome.curve["exact"].min() < -5000
    assert any("the account of 5,000 was used up" in text for text in poor.manifest["warnings"])
    never = walked(tmp_path / "never", contracts=1.0, point_value=100.0, capital=5000.0,
                   exact="never")  # fmt: skip
    assert any("the account of 5,000 was used up" in text for text in never.manifest["warnings"])
    rich = walked(tmp_path / "rich")
    assert not any("was used up" in text for text in rich.manifest["warnings"])


def test_a_sample_searches_some_combinations(tmp_path):
    made = walked(tmp_path, sample=4, seed=3)
    assert made.manifest["grid"]["searched"] == 4
    assert made.made.outcome.windows["qualified"].max() == 4


# What can go wrong -----------------------------------------------------------------------------


def test_windows_that_nothing_qualifies_in_stay_flat(tmp_path):
    made = walked(tmp_path, min_trades=10_000)
    windows = made.made.outcome.windows
    assert windows["flat"].all()
    assert made.made.outcome.curve["emulated"].abs().max() == 0.0
    assert made.made.outcome.curve["exact"].abs().max() == 0.0
    told = f"{windows.height} of {windows.height} windows stay flat, no combination qualifies"
    assert any(told in warning and "too few trades" in warning
               for warning in made.manifest["warnings"])  # fmt: skip
    assert made.manifest["summary"]["winning"] is None


FITNESS = """
from meseta.walkforward import fitness

@fitness
def nothing(stats):
    return 0.0 * stats.net_profit / (0.0 * stats.bars)

@fitness
def rising(stats):
    return stats.net_profit if stats.net_profit > 150000.0 else 0.0 / (0.0 * stats.bars)

@fitness
def calm(stats):
    return -stats.drawdown
"""


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(FITNESS)
    return file


def test_a_fitness_that_is_never_a_number_leaves_all_flat(tmp_path, own):
    made = walked(tmp_path, fitness=f"{own}:nothing")
    assert made.made.outcome.windows["flat"].all()
    assert any("the fitness was NaN" in warning for warning in made.manifest["warnings"])


def test_a_fitness_that_is_sometimes_no_number_chooses_among_the_rest(tmp_path, own):
    windows = walked(tmp_path, fitness=f"{own}:rising").made.outcome.windows
    assert 0 < windows["flat"].sum() < windows.height
    assert (windows.filter(~pl.col("flat"))["is_net_profit"] > 150_000).all()
    assert (windows["undefined"] + windows["qualified"] == 6).all()


def test_an_own_fitness_decides(tmp_path, own):
    best = walked(tmp_path, fitness=f"{own}:calm").made.outcome.best
    first = best.filter(pl.col("place") == 1)
    assert first["fitness"].to_list() == [-value for value in first["is_drawdown"]]
    for _, group in best.group_by("window"):
        assert group["is_drawdown"].is_sorted()


def test_a_strategy_that_never_trades(tmp_path):
    file = tmp_path / "still.py"
    file.write_text(
        "from meseta.strategies import KernelStrategy, Parameter, rule\n"
        "@rule\ndef wait(t, market, broker, n):\n    if n > 10_000:\n        broker.buy()\n"
        "still = KernelStrategy(name='still', decide=wait,\n"
        "    parameters=(Parameter('n', 1, 9, 'int'),))\n"
    )
    made = walked(tmp_path, strategy=str(file), grid={"n": [1, 2]})
    assert made.made.outcome.windows["flat"].all()
    assert made.made.outcome.trades.height == 0


def test_a_history_that_is_too_short(tmp_path):
    with pytest.raises(DataError, match=r"4,931 sessions .* 5,000 sessions in-sample"):
        walked(tmp_path, in_sample=5000)
    assert not any(tmp_path.iterdir())


def test_separable_strategies_need_positive_prices(tmp_path, shared):
    file = shared / "data" / "intraday" / "CL_15m.csv.gz"
    config = config_of(
        tmp_path, **TOUCH, bars=str(file), timezone="America/New_York", allow_nonpositive=True,
        bar_size="1d", contracts=1.0,
    )  # fmt: skip
    with pytest.raises(MesetaError, match="prices of zero or less"):
        walk_forward(config)


def test_prices_below_zero_need_a_number_of_contracts(tmp_path, shared):
    file = shared / "data" / "intraday" / "CL_15m.csv.gz"
    config = config_of(
        tmp_path, bars=str(file), timezone="America/New_York", allow_nonpositive=True,
        bar_size="1d",
    )  # fmt: skip
    with pytest.raises(ArgumentError, match=r"down to -24\.29.*--contracts 1"):
        walk_forward(config)


def test_crude_oil_below_zero_is_traded_by_points(tmp_path, shared):
    file = shared / "data" / "intraday" / "CL_15m.csv.gz"
    made = walked(
        tmp_path, bars=str(file), timezone="America/New_York", allow_nonpositive=True,
        bar_size="360m", contracts=1.0, point_value=1000.0, tick=0.01, capital=100_000.0,
    )  # fmt: skip
    trades = made.made.outcome.trades
    below = trades.filter((pl.col("fill") < 0) & (pl.col("exit") < 0))
    assert below.height > 0
    moved = (trades["exit"] - trades["fill"]) * trades["dir"] * 1000.0 - trades["costs"]
    np.testing.assert_allclose(trades["pnl"], moved, atol=1e-6)
    assert made.manifest["data"]["stubs"] > 3000


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"grid": "fine"}, "must be a named grid"),
        ({"matrix": "252x"}, "`matrix` must be in-sample lengths, an x, out-of-sample lengths"),
        ({"matrix": {"in_sample": [5, 5], "out_of_sample": [3]}}, "different positive whole"),
        ({"fitness": "sharp"}, "did you mean sharpe"),
        ({"policy": "sell"}, "`policy` must be 'carry', 'close' or 'finish'"),
        ({"insample": 5}, "there is no option `insample`; did you mean in_sample?"),
        ({"criteria": {"min_win": 1}}, "did you mean min_winning?"),
        ({"min_winning": 0.5}, "it is one of the criteria"),
        ({"roll_cost": 5.0}, "belong to a fixed number of contracts"),
        ({"contracts": 1.0, "roll_cost": 5.0}, "needs the dates of the rolls"),
        ({"contracts": 1.0, "rolls": "weekly"}, "`rolls` must be monthly, quarterly, or dates"),
        ({"bar_size": "90x"}, "90x"),
        ({"in_sample": 0}, "`in_sample` must be greater than or equal to 1, got 0"),
        ({"max_combinations": 3}, "6 combinations"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_written(tmp_path, changes, told):
    with pytest.raises(ArgumentError) as caught:
        walk_forward(config_of(tmp_path, **changes))
    assert told in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_the_plan_says_what_will_be_done(tmp_path):
    planned = plan_walkforward(config_of(tmp_path, contracts=3.0))
    assert planned.combinations == 6
    assert planned.contract == replace(Contract(), quantity=3.0)
    assert planned.windows.windows[0].in_start == 100
    assert not any("net_profit of accounts that reinvest" in text for text in planned.warnings)
    for fitness, told in (("net_profit", True), ("sharpe", False)):
        grown = plan_walkforward(config_of(tmp_path, fitness=fitness)).warnings
        assert any("net_profit of accounts that reinvest" in text for text in grown) is told
