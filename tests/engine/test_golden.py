"""The golden cases: trades of an independent simulation on real prices."""

from __future__ import annotations

import json

import pytest

from meseta.account import Account, Contract
from meseta.bars import load, pair
from meseta.engine import Report, Window, backtest
from meseta.strategies import find_strategy
from meseta.strategies._atr_d import ATR_D

CASES = 4
EXACT = ("entry_bar", "exit_bar", "dir", "reason")
CLOSE = ("fill", "exit", "shares", "pnl")


@pytest.fixture(scope="module")
def market(shared):
    """The bars that a golden case trades."""
    known = {}

    def find(case):
        names = case["data"], case.get("data2")
        if names not in known:
            one, two = (
                load(shared / "data" / "etf_daily" / f"{name}.csv.gz") if name else None
                for name in names
            )
            known[names] = one if two is None else pair(one, two)
        return known[names]

    return find


@pytest.fixture(scope="module")
def cases(shared):
    """The golden cases of a strategy."""

    def find(name):
        found = json.loads((shared / "spec" / "golden" / f"{name}.json").read_text())
        assert len(found) == CASES
        return found

    return find


@pytest.mark.parametrize("engine", ["reference", "fast", "loop"])
@pytest.mark.parametrize("number", range(CASES))
@pytest.mark.parametrize("name", [each.name for each in ATR_D])
def test_trades_and_report_are_those_of_an_independent_simulation(
    cases, market, name, number, engine
):
    case = cases(name)[number]
    bars = market(case)
    assert (case["strategy"], case["bars"]) == (name, len(bars))
    found = backtest(
        bars,
        find_strategy(name),
        case["params"],
        Window(*case["window"]),
        Account(**case["options"]),
        warmup=100,
        engine="reference" if engine == "reference" else "fast",
        contract=Contract() if engine == "loop" else None,
    )
    assert len(found.trades) == len(case["trades"]) > 0
    for trade, expected in zip(found.trades, case["trades"], strict=True):
        assert {n: getattr(trade, n) for n in EXACT} == {n: expected[n] for n in EXACT}
        for field in CLOSE:
            assert getattr(trade, field) == pytest.approx(expected[field], rel=1e-9), field
    assert set(case["report"]) == set(Report._fields)
    for field, value in case["report"].items():
        assert getattr(found.report, field) == pytest.approx(value, rel=1e-9, abs=1e-9), field


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("atr_d_l", {"trail"}),
        ("atr_d_ls", {"trail", "reverse"}),
        ("atr_d_hma_l", {"trail", "cross"}),
        ("atr_d_hma_ls", {"trail", "breach", "cross"}),
        ("atr_d_duals_l", {"trail"}),
        ("atr_d_duals_ls", {"trail", "reverse"}),
    ],
)
def test_the_cases_show_how_positions_end(cases, name, reasons):
    trades = [trade for case in cases(name) for trade in case["trades"]]
    assert reasons <= {trade["reason"] for trade in trades}
    assert {trade["dir"] for trade in trades} == ({1, -1} if find_strategy(name).shorts else {1})
