"""`meseta backtest`: trades in full precision, windows, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meseta.account import Account, Contract
from meseta.bars import load, pair
from meseta.bars._rolls import parse_rolls
from meseta.engine import Window, backtest
from meseta.strategies import find_strategy

if TYPE_CHECKING:
    from conftest import Call

VALUES = {
    "atr_period": 16,
    "atr_multiplier": 6.0,
    "bb_length": 25,
    "bb_deviation": 2.0,
    "vol_threshold": 0.12,
    "min_tightening": 0.4,
    "scaling_method": 0,
    "atr_buy_period": 10,
    "atr_buy_multiplier": 0.6,
    "atr_smooth_period": 5,
    "equity_price_method": 0,
}
BASE = ["backtest", "atr_d_l", "--bars", "sample:nasdaq", "--capital", "100000"]


def settings(**changes: float | str) -> list[str]:
    return [part for k, v in (VALUES | changes).items() for part in ("--set", f"{k}={v}")]


def in_json(meseta: Call, *options: object) -> dict[str, Any]:
    made = meseta(*BASE, *settings(), "--json", "-", *options)
    assert made.code == 0, made
    found: dict[str, Any] = json.loads(made.out)
    return found


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name in ("entry_bar", "exit_bar", "dir", "reason"):
        assert one[name] == other[name]
    money = ("fill", "exit", "shares", "pnl")
    assert [one[m] for m in money] == pytest.approx([other[m] for m in money], rel=1e-9)


def test_json_is_what_the_engine_made(meseta: Call) -> None:
    found = in_json(meseta, "--window", "500:1500:2500", "--cost-per-share", 0.05)
    made = backtest(
        load("sample:nasdaq"),
        find_strategy("atr_d_l"),
        VALUES,
        Window(500, 1500, 2500),
        Account(capital=100_000, cost_per_share=0.05),
    )
    trades = [{k: v for k, v in t._asdict().items() if k != "costs"} for t in made.trades]
    assert len(trades) > 20
    assert found == {"trades": trades, "report": made.report._asdict()}
    assert list(found["trades"][0]) == [
        "entry_bar", "exit_bar", "dir", "fill", "exit", "shares", "reason", "pnl",
    ]  # fmt: skip
    assert isinstance(found["trades"][0]["shares"], float)


def test_both_engines_print_the_same(meseta: Call) -> None:
    fast, slow = (in_json(meseta, "--engine", engine) for engine in ("fast", "reference"))
    assert len(fast["trades"]) == len(slow["trades"]) > 200
    for one, other in zip(fast["trades"], slow["trades"], strict=True):
        assert_same(one, other)
    assert fast["report"] == pytest.approx(slow["report"], rel=1e-9)


def test_a_second_symbol_is_read(meseta: Call) -> None:
    values = settings(vol_threshold=0.3, equity_price_method=1)
    given = ["--bars", "sample:nasdaq-3x", "--bars2", "sample:nasdaq", *values, "--json", "-"]
    made = meseta("backtest", "atr_d_duals_l", *given)
    assert made.code == 0, made
    bars = pair(load("sample:nasdaq-3x"), load("sample:nasdaq"))
    rows = Window(100, 100 + int((len(bars) - 100) * 0.6), len(bars))
    chosen = VALUES | {"vol_threshold": 0.3, "equity_price_method": 1}
    expected = backtest(bars, find_strategy("atr_d_duals_l"), chosen, rows, Account())
    found = json.loads(made.out)
    assert found["report"] == expected.report._asdict()
    assert len(found["trades"]) == len(expected.trades) > 50


@pytest.mark.parametrize(
    ("strategy", "given", "words"),
    [
        ("atr_d_duals_l", [], "give --bars sample:nasdaq-3x --bars2 sample:nasdaq"),
        ("atr_d_l", ["--bars2", "sample:sp500"], "not used: no second symbol is read by atr_d_l"),
        ("atr_d_duals_l", ["--bars2", "gone.csv"], "cannot read gone.csv"),
        ("atr_d_duals_l", ["--bars", "-", "--bars2", "-"], "must not both be '-'"),
    ],
)
def test_a_second_symbol_that_does_not_fit(
    meseta: Call, strategy: str, given: list[str], words: str
) -> None:
    made = meseta("backtest", strategy, "--bars", "sample:nasdaq", *given, *settings())
    assert made.code in {1, 2}
    assert words in made.err
    assert made.out == ""


XBAR = ["backtest", "xbar", "--bars", "sample:nasdaq", "--set", "xbar=20"]
FUTURE = ["--contracts", "2", "--point-value", "20", "--tick", "0.25", "--cost-per-share", "4"]


def test_a_kernel_trades_contracts(meseta: Call) -> None:
    given = ["--roll-cost", "25", "--rolls", "quarterly"]
    found = json.loads(meseta(*XBAR, *FUTURE, *given, "--json", "-").out)
    bars = load("sample:nasdaq")
    rolls = parse_rolls("quarterly", bars)
    assert len(rolls) == 79
    contract = Contract(quantity=2, point_value=20, tick=0.25, roll_cost=25, rolls=rolls)
    rows = Window(100, 100 + int((len(bars) - 100) * 0.6), len(bars))
    given_ = (bars, find_strategy("xbar"), {"xbar": 20}, rows, Account(cost_per_share=4))
    made = backtest(*given_, contract=contract)
    assert found["report"] == made.report._asdict()
    assert [t["pnl"] for t in found["trades"]] == [t.pnl for t in made.trades]
    without = backtest(*given_, contract=replace(contract, roll_cost=0.0, rolls=()))
    paid = [round(b.pnl - a.pnl, 6) for a, b in zip(made.trades, without.trades, strict=True)]
    assert sum(paid) == 2 * 25 * sum(bars.time[100].item().date() < day for day in rolls)
    assert set(paid) >= {0.0, 50.0}


def test_a_separable_strategy_trades_contracts_alike(meseta: Call, tmp_path: Path) -> None:
    found = in_json(meseta, "--contracts", "3", "--engine", "fast")
    assert found == in_json(meseta, "--contracts", "3", "--engine", "reference")
    assert {trade["shares"] for trade in found["trades"]} == {3.0}
    assert len(found["trades"]) == len(in_json(meseta)["trades"])


def test_the_page_of_a_contract_says_what_is_assumed(meseta: Call, tmp_path: Path) -> None:
    made = meseta(
        *XBAR, *FUTURE, "--rolls", "monthly", "--roll-cost", "25", "--capital", "5000",
        "--html", "t.html",
    )  # fmt: skip
    assert made.code == 0, made
    assert " contracts  " in made.out
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert "xbar on nasdaq" in page
    assert "neither margin nor a margin call is counted" in page
    assert "A share to borrow" not in page
    assert "The account stood at zero or below at" in page
    for name, value in (("contracts", "2"), ("point_value", "20"), ("rolls", "239")):
        assert re.search(rf">{name}</\w+>\s*<\w+[^>]*>{value}<", page), name


DONCHIAN = Path(__file__).resolve().parents[2] / "examples" / "donchian.py"
CHANNEL = ["channel=20", "atr_period=20", "atr_multiplier=3"]


def test_crude_oil_below_zero_is_traded_by_kernels_alone(
    meseta: Call, shared: Path, tmp_path: Path
) -> None:
    data = [
        "--bars", shared / "data" / "intraday" / "CL_15m.csv.gz", "--timezone",
        "America/New_York", "--allow-nonpositive",
    ]  # fmt: skip
    future = [
        "--contracts", "1", "--point-value", "1000", "--tick", "0.01", "--roll-cost", "25",
        "--rolls", "monthly", "--capital", "100000",
    ]  # fmt: skip
    made = meseta(
        "backtest", "xbar", *data, *future, "--set", "xbar=900", "--json", "t.json",
        "--html", "t.html",
    )  # fmt: skip
    assert made.code == 0, made
    trades = json.loads((tmp_path / "t.json").read_text())["trades"]
    assert len(trades) > 100
    assert min(min(trade["fill"], trade["exit"]) for trade in trades) < 0
    assert "xbar on CL_15m" in (tmp_path / "t.html").read_text(encoding="utf-8")
    sets = [part for value in CHANNEL for part in ("--set", value)]
    refused = meseta("backtest", DONCHIAN, *data, *future, *sets)
    assert refused.code == 2
    assert "`donchian` is a separable strategy, which trades positive prices alone" in refused.err
    assert "trade it with a kernel strategy and a fixed number of contracts" in refused.err


def test_the_window_is_everything_after_the_warmup(meseta: Call) -> None:
    assert in_json(meseta) == in_json(meseta, "--window", "100:3058:5031")
    assert in_json(meseta, "--warmup", "200") == in_json(
        meseta, "--warmup", "200", "--window", "200:3098:5031"
    )


def test_a_window_by_dates(meseta: Call) -> None:
    bars = load("sample:nasdaq")
    days = [str(bars.time[row])[:10] for row in (3000, 4000, 4500)]
    assert in_json(meseta, "--window", ":".join(days)) == in_json(
        meseta, "--window", "3000:4000:4501"
    )


@pytest.mark.parametrize("case", range(4))
def test_a_golden_case(meseta: Call, shared: Path, case: int) -> None:
    golden = json.loads((shared / "spec" / "golden" / "atr_d_l.json").read_text())[case]
    options = golden["options"]
    values = [part for k, v in golden["params"].items() for part in ("--set", f"{k}={v}")]
    made = meseta(
        "backtest", "atr_d_l", "--bars", shared / "data" / "etf_daily" / "QQQ.csv.gz", *values,
        "--window", ":".join(map(str, golden["window"])), "--capital", options["capital"],
        "--cost-per-share", options["cost_per_share"],
        "--slippage", options.get("slippage", 0), "--json", "-",
    )  # fmt: skip
    assert made.code == 0, made
    found = json.loads(made.out)
    assert found["report"] == pytest.approx(golden["report"], rel=1e-9)
    assert len(found["trades"]) == len(golden["trades"])
    for one, other in zip(found["trades"], golden["trades"], strict=True):
        assert_same(one, other)


def test_the_terminal_shows_trades_and_report(meseta: Call) -> None:
    made = meseta(*BASE, *settings(), "--window", "100:300:500")
    assert made.code == 0
    found = in_json(meseta, "--window", "100:300:500")
    assert f"{len(found['trades'])} trades" in made.out
    assert made.out.count(" long ") == len(found["trades"])
    for key, digits in (("is_pnl", 2), ("oos_pnl", 2), ("oos_maxdd", 2)):
        assert f"{found['report'][key]:,.{digits}f}" in made.out
    assert "Window  100:300:500 (rows)" in made.out


def test_files_are_written_and_named(meseta: Call, tmp_path: Path) -> None:
    made = meseta(*BASE, *settings(), "--json", "t.json", "--html", "t.html")
    assert made.code == 0
    assert "Written: t.json" in made.out
    assert "Written: t.html" in made.out
    assert json.loads((tmp_path / "t.json").read_text()) == in_json(meseta)
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert "atr_d_l on nasdaq" in page


def test_no_trade_at_all_is_fine(meseta: Call, tmp_path: Path) -> None:
    made = meseta(
        *BASE[:-1],
        "100",
        *settings(),
        "--json",
        tmp_path / "t.json",
        "--html",
        tmp_path / "t.html",
    )
    assert made.code == 0
    assert "0 trades" not in made.err
    found = json.loads((tmp_path / "t.json").read_text())
    assert found["trades"] == []
    assert found["report"]["is_pnl"] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            [*settings(atr_period=501)],
            "`atr_period` must be a whole number from 1 to 500, got 501",
        ),
        ([*settings(atr_period=2.5)], "`atr_period` must be a whole number"),
        ([*settings(atr_period="x")], "`atr_period` must be a number, got 'x'"),
        ([*settings(atr_multiplier="nan")], "`atr_multiplier` must be a number from"),
        ([*settings(), "--set", "period=3"], "unknown: period"),
        ([*settings()[2:]], "missing: atr_period"),
        ([*settings(), "--set", "atr_period=3"], "each name once, got `atr_period` twice"),
        ([*settings(), "--set", "atr_period"], "takes name=value, got 'atr_period'"),
        ([*settings(), "--window", "1:2"], "`window` must be A:O:Z"),
        ([*settings(), "--window", "500:400:600"], "0 <= A < O < Z <= 5031"),
        ([*settings(), "--window", "500:600:9999"], "got 500:600:9999"),
        ([*settings(), "--warmup", "6000"], "`warmup` must leave at least 3 of 5031 bars"),
        ([*settings(), "--warmup", "-1", "--window", "1:2:3"], "`warmup` must be zero or more"),
        ([*settings(), "--commission", "2"], "`commission` is a fraction"),
        ([*settings(), "--lot", "0"], "`lot` must be positive"),
        ([*settings(), "--contracts", "0"], "`quantity` (--contracts) must be positive"),
        ([*settings(), "--point-value", "50"], "give `quantity` (--contracts 1)"),
        ([*settings(), "--contracts", "1", "--roll-cost", "5"], "needs the dates of the rolls"),
        ([*settings(), "--rolls", "weekly"], "`rolls` must be monthly, quarterly, or dates like"),
        ([*settings(), "--rolls", "2030-01-05"], "`rolls` must have a date in the data, after"),
    ],
)
def test_what_is_refused(meseta: Call, options: list[str], words: str) -> None:
    made = meseta(*BASE, *options)
    assert (made.code, made.out) == (2, "")
    assert words in made.err


def test_bars_are_asked_for(meseta: Call) -> None:
    made = meseta("backtest", "atr_d_l", *settings())
    assert made.code == 2
    assert "`bars` is missing" in made.err


def test_an_unwritable_file_is_said(meseta: Call, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    made = meseta(*BASE, *settings(), "--json", "folder")
    assert made.code == 1
    assert "cannot write folder" in made.err
