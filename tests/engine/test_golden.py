"""The golden cases: trades of an independent simulation on real prices."""

from __future__ import annotations

import json

import pytest

from meseta.account import Account
from meseta.bars import load
from meseta.engine import Report, Window, backtest
from meseta.strategies import find_strategy

CASES = 4
EXACT = ("entry_bar", "exit_bar", "dir", "reason")
CLOSE = ("fill", "exit", "shares", "pnl")


@pytest.fixture(scope="module")
def golden(shared):
    """Cases and the bars they trade."""
    cases = json.loads((shared / "spec" / "golden" / "atr_d_l.json").read_text())
    bars = load(shared / "data" / "etf_daily" / "QQQ.csv.gz")
    assert len(cases) == CASES
    return cases, bars


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("number", range(CASES))
def test_trades_and_report_are_those_of_an_independent_simulation(golden, number, engine):
    cases, bars = golden
    case = cases[number]
    assert len(bars) == case["bars"]
    found = backtest(
        bars,
        find_strategy(case["strategy"]),
        case["params"],
        Window(*case["window"]),
        Account(**case["options"]),
        warmup=100,
        engine=engine,
    )
    assert len(found.trades) == len(case["trades"]) > 20
    for trade, expected in zip(found.trades, case["trades"], strict=True):
        assert {name: getattr(trade, name) for name in EXACT} == {n: expected[n] for n in EXACT}
        for name in CLOSE:
            assert getattr(trade, name) == pytest.approx(expected[name], rel=1e-9), name
    assert set(case["report"]) == set(Report._fields)
    for name, value in case["report"].items():
        assert getattr(found.report, name) == pytest.approx(value, rel=1e-9), name
