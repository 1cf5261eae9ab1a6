"""The yardstick of the benchmarks agrees with the golden cases, and with itself."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

STRATEGIES = (
    "atr_d_l", "atr_d_ls", "atr_d_hma_l", "atr_d_hma_ls", "atr_d_duals_l", "atr_d_duals_ls"
)  # fmt: skip
CASES = 4
REPORT = ("is_pnl", "oos_pnl", "is_trades", "oos_trades", "is_maxdd", "oos_maxdd")
PRICES = ("open", "high", "low", "close")
BARS = 700
WINDOW = (150, 450, BARS)
COSTS = (100_000.0, 0.01, 0.0005, 0.02, 1.0)


@pytest.fixture(scope="module")
def kernel():
    file = Path(__file__).resolve().parents[2] / "benchmarks" / "bar_by_bar.py"
    spec = importlib.util.spec_from_file_location("bar_by_bar", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def golden_market(kernel, shared, case):
    def read(symbol):
        return pl.read_csv(shared / "data" / "etf_daily" / f"{symbol}.csv.gz")

    table, second = read(case["data"]), None
    if case["data2"] is not None:
        table = table.join(read(case["data2"]), on="date", suffix="2").sort("date")
        second = [table[f"{name}2"].to_numpy() for name in PRICES[1:]]
    assert len(table) == case["bars"]
    return kernel.market_of(*(table[name].to_numpy() for name in PRICES), second)


def costs_of(options):
    money = (options["capital"], options["cost_per_share"], 0.0)
    return (*money, options.get("slippage", 0.0), 1.0)


@pytest.mark.parametrize("number", range(CASES))
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_trades_and_totals_are_those_of_the_golden_cases(kernel, shared, strategy, number):
    cases = json.loads((shared / "spec" / "golden" / f"{strategy}.json").read_text())
    assert len(cases) == CASES
    case = cases[number]
    market = golden_market(kernel, shared, case)
    point = kernel.points_of([case["params"]])[0]
    costs, window = costs_of(case["options"]), tuple(case["window"])
    totals, trades = kernel.trades_of(strategy, market, point, 100, window, costs)
    assert len(trades) == len(case["trades"]) > 0
    for trade, expected in zip(trades, case["trades"], strict=True):
        found = dict(zip(kernel.TRADE, trade.tolist(), strict=True))
        assert found["entry_bar"] == expected["entry_bar"]
        assert found["exit_bar"] == expected["exit_bar"]
        assert 1 - 2 * found["side"] == expected["dir"]
        assert kernel.REASONS[int(found["reason"])] == expected["reason"]
        for name in ("fill", "exit", "shares"):
            assert found[name] == pytest.approx(expected[name], rel=1e-9), name
        # Sums that run along are off by some last bits, which the difference of two values of
        # a large position shows where there is hardly a profit.
        rounding = 1e-12 * expected["fill"] * expected["shares"]
        assert found["pnl"] == pytest.approx(expected["pnl"], rel=1e-9, abs=rounding)
    found = dict(zip(REPORT, totals, strict=True))
    assert found == pytest.approx(case["report"], rel=1e-9, abs=1e-12 * costs[0])


def random_prices(seed, jump=0.02):
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.012, BARS)))
    opened = np.roll(close, 1) * np.exp(rng.normal(0.0, jump / 2, BARS))
    opened[0] = close[0]
    high = np.maximum(opened, close) * (1.0 + np.abs(rng.normal(0.0, 0.006, BARS)))
    low = np.minimum(opened, close) * (1.0 - np.abs(rng.normal(0.0, 0.006, BARS)))
    return opened, high, low, close


def market_for(kernel, strategy, prices, size=BARS):
    second = [price[:size] for price in random_prices(99)[1:]] if "duals" in strategy else None
    return kernel.market_of(*(price[:size] for price in prices), second)


def lively(kernel, **changes):
    """Parameters that trade often, in both directions."""
    values = {
        "atr_period": 10, "atr_multiplier": 2, "bb_length": 20, "bb_deviation": 2,
        "vol_threshold": 0.2, "min_tightening": 0.4, "scaling_method": 1, "atr_buy_period": 8,
        "atr_buy_multiplier": 0.5, "atr_smooth_period": 4, "equity_price_method": 1,
        "short_multiplier": 0.8, "entry_mode": 2, "trend_filter_period": 5,
        "trend_veto_threshold": 0.02, "both_triggered_mode": 0, "hma_fast_length": 8,
        "hma_slow_length": 21,
    }  # fmt: skip
    assert set(values) == set(kernel.COLUMNS)
    return kernel.points_of([values | changes])[0]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_totals_are_those_of_the_trades(kernel, strategy):
    market = market_for(kernel, strategy, random_prices(3))
    totals, trades = kernel.trades_of(strategy, market, lively(kernel), 100, WINDOW, COSTS)
    entered, left, side, fill, price, shares, _, profit = trades.T
    split = WINDOW[1]
    gained = np.where(side == 0, price - fill, fill - price) * shares
    costs = COSTS[1] * shares + COSTS[2] * shares * (fill + price)
    assert len(trades) > 20
    assert profit == pytest.approx(gained - costs, rel=1e-9)
    assert totals[0] + totals[1] == pytest.approx(profit.sum(), rel=1e-9)
    assert totals[2] == (entered < split).sum()
    assert totals[3] == (left >= split).sum()
    marks = (market.c[split - 1] - fill) * shares * np.where(side == 0, 1, -1)
    inside = np.where(left < split, profit, np.where(entered < split, marks, 0.0))
    assert totals[0] == pytest.approx(inside.sum(), rel=1e-9)
    assert set(side) == ({0.0, 1.0} if strategy.endswith("_ls") else {0.0})


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_bars_that_are_not_there_yet_change_no_closed_trade(kernel, strategy):
    prices = random_prices(4)
    whole = market_for(kernel, strategy, prices)
    _, trades = kernel.trades_of(strategy, whole, lively(kernel), 100, WINDOW, COSTS)
    for cut in range(430, 470):
        market = market_for(kernel, strategy, prices, cut)
        window = (WINDOW[0], 300, cut)
        _, early = kernel.trades_of(strategy, market, lively(kernel), 100, window, COSTS)
        closed = trades[trades[:, 1] < cut - 1]
        assert len(closed) > 5
        np.testing.assert_array_equal(early[: len(closed)], closed)


@pytest.mark.parametrize(("mode", "reversed_sides"), [(0, set()), (1, {1.0}), (2, {0.0, 1.0})])
def test_entry_mode_says_which_positions_are_reversed(kernel, mode, reversed_sides):
    found = set()
    for seed in range(10):
        market = market_for(kernel, "atr_d_ls", random_prices(seed))
        point = lively(kernel, entry_mode=mode, atr_multiplier=6)
        _, trades = kernel.trades_of("atr_d_ls", market, point, 100, WINDOW, COSTS)
        turned = trades[:, 6] == kernel.REVERSE
        found |= set(trades[turned, 2])
        into = np.flatnonzero(turned) + 1
        np.testing.assert_array_equal(trades[into, 0], trades[into - 1, 1])
        assert (trades[into, 2] != trades[into - 1, 2]).all()
    assert found == reversed_sides


def test_the_walk_over_given_series_is_that_over_parameters(kernel):
    market = market_for(kernel, "atr_d_l", random_prices(5))
    o, h, low, c, ranges, cap = market[:6]
    # Without tightening and with a buy stop at the close, the series are short to write down.
    point = lively(kernel, vol_threshold=1e-9, atr_buy_multiplier=0)[:11]
    mean = np.empty_like(c)
    kernel.running_mean(ranges, 10, mean)
    stop = ((h + low) / 2 - 2 * mean)[None, :]
    shield = c - ((h + low) / 2 - np.minimum(2 * mean, 4 * cap))[None, :]
    windows = np.array([WINDOW, (120, 300, 600)])
    given = (c[None, :], shield, stop, np.ones((1, BARS)), np.zeros((1, 3), dtype=np.int64))
    many = kernel.simulate_many(o, h, low, c, *given, 100, windows, COSTS)
    rest = (ranges, cap, point[None, :], 100, windows, COSTS)
    found = kernel.simulate_parameters(o, h, low, c, *rest)
    assert (many[0, :, 2:4] > 5).all()
    np.testing.assert_allclose(many, found, rtol=1e-12)
