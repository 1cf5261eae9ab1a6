"""Metrics of a simulation, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meseta.engine import METRICS, Report, Simulation, Trade, Window, metrics

NOTHING = Report(0.0, 0.0, 0, 0, 0.0, 0.0)


def trade(entry, leaves, pnl, costs=0.0):
    return Trade(entry, leaves, 1, 10.0, 11.0, 5.0, "trail", pnl, costs)


def simulation(equity, trades=()):
    window = Window(10, 11, 10 + len(equity))
    return Simulation(window, tuple(trades), np.array(equity, float), NOTHING)


def test_metrics_by_hand():
    trades = [trade(11, 13, 50.0, 1.0), trade(13, 13, -20.0, 2.0), trade(14, 15, -10.0, 0.5)]
    equity = [1000, 1010, 1060, 1030, 1020, 1020]
    found = metrics(simulation(equity, trades), 1000.0, 3.0)
    assert tuple(found) == METRICS
    changes = [0, 0.01, 50 / 1010, -30 / 1060, -10 / 1030, 0]
    mean, root = sum(changes) / 6, math.sqrt(3)
    spread = math.sqrt(sum((c - mean) ** 2 for c in changes) / 5)
    below = math.sqrt(sum(min(c, 0) ** 2 for c in changes) / 6)
    growth = (math.sqrt(1.02) - 1) * 100  # six bars at three a year: two years
    expected = {
        "net_profit": 20,
        "return_pct": 2,
        "cagr_pct": growth,
        "max_drawdown": 40,
        "max_drawdown_pct": 40 / 1060 * 100,
        "profit_factor": 50 / 30,
        "trades": 3,
        "win_rate": 1 / 3,
        "avg_trade": 20 / 3,
        "sharpe": mean / spread * root,
        "sortino": mean / below * root,
        "mar": growth / (40 / 1060 * 100),
        "exposure": 3 / 6,  # in position at the closes of bars 11, 12 and 14
        "avg_bars_held": 1,
        "worst_trade": -20,
        "costs": 3.5,
    }
    assert found == pytest.approx(expected)


def test_what_nothing_traded_leaves_undefined():
    found = metrics(simulation([500.0] * 5), 500.0, 252.0)
    undefined = {name for name, value in found.items() if value is None}
    assert undefined == {
        "profit_factor", "win_rate", "avg_trade", "sharpe", "sortino", "mar", "avg_bars_held",
        "worst_trade",
    }  # fmt: skip
    assert {found[name] for name in METRICS if name not in undefined} == {0.0}


def test_without_a_loss_there_is_no_profit_factor():
    found = metrics(simulation([100, 110, 120], [trade(11, 12, 20.0)]), 100.0, 1.0)
    assert found["profit_factor"] is found["sortino"] is found["mar"] is None
    assert found["max_drawdown"] == found["max_drawdown_pct"] == 0
    assert found["win_rate"] == 1


def test_the_drawdown_counts_from_the_capital():
    assert metrics(simulation([90, 95, 80]), 100.0, 1.0)["max_drawdown"] == 20


def test_an_account_that_lost_everything_has_no_growth():
    found = metrics(simulation([50, 0, -10], [trade(11, 12, -110.0)]), 100.0, 252.0)
    assert found["cagr_pct"] is found["sharpe"] is found["sortino"] is found["mar"] is None
    assert found["net_profit"] == -110
    assert found["max_drawdown_pct"] == pytest.approx(110)


def test_an_account_that_was_below_zero_has_no_growth_even_when_it_recovered():
    found = metrics(simulation([50, -10, 130], [trade(11, 12, 30.0)]), 100.0, 252.0)
    undefined = ("cagr_pct", "sharpe", "sortino", "mar")
    assert [found[name] for name in undefined] == [None] * 4
    assert found["return_pct"] == pytest.approx(30)
    assert found["max_drawdown"] == 110


def test_a_jump_within_minutes_has_no_growth_a_year_that_a_number_could_hold():
    found = metrics(simulation([100, 110]), 100.0, 98_280.0)
    assert found["cagr_pct"] is None
    assert found["return_pct"] == pytest.approx(10)
