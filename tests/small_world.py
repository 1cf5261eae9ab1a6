"""Searches small enough to simulate every combination bar by bar."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from meseta.account import Account
from meseta.bars import load, pair
from meseta.engine import Window
from meseta.engine._reference import simulate
from meseta.indicators import simple_average
from meseta.search import Problem, SearchStore, candidates, levels_for, score, search
from meseta.selection import Gates, PhaseTotals
from meseta.strategies import (
    Parameter,
    RuleStrategy,
    find_strategy,
    load_grid,
    rule,
    sample_grid,
)
from random_market import bars_of, walk_of

FIELDS = ("is_pnl", "oos_pnl", "is_trades", "oos_trades", "is_maxdd", "oos_maxdd")
LOOSE = Gates(
    min_efficiency=0.1, max_drawdown_to_profit=3.0, max_drawdown_to_in_sample=5.0, min_trades=2
)

# Equal ratios of deviation and threshold (1 / 0.05 and 2 / 0.1), a threshold that never binds,
# an input without effect, and three entry sets, so that lanes and pairs have remainders.
WIDE_GRID = {
    "atr_period": [5, 20],
    "atr_multiplier": [1, 2.5],
    "bb_length": [10, 30],
    "bb_deviation": [1, 2],
    "vol_threshold": [0.001, 0.05, 0.1],
    "min_tightening": [0.3, 0.8],
    "scaling_method": [0, 2],
    "atr_buy_period": 4,
    "atr_buy_multiplier": [0.1, 0.3, 0.6],
    "atr_smooth_period": 3,
    "equity_price_method": [0, 1],
}
# One entry set, two exit tables.
NARROW_GRID = WIDE_GRID | {
    "atr_period": 5,
    "atr_multiplier": 2.5,
    "bb_length": 10,
    "vol_threshold": [0.05, 0.1],
    "min_tightening": 0.3,
    "scaling_method": 0,
    "atr_buy_multiplier": 0.3,
}
# Indicators that begin within the windows, after them, and beyond the data.
LATE_GRID = WIDE_GRID | {
    "atr_period": [5, 90, 240, 400],
    "bb_length": [10, 150],
    "vol_threshold": [0.05, 0.1],
    "atr_multiplier": 1,
    "scaling_method": 1,
    "atr_buy_period": [4, 120],
    "atr_buy_multiplier": [0, 0.2],
    "equity_price_method": 0,
}
WINDOWS = (
    Window(0, 110, 170),
    Window(80, 170, 230),
    Window(130, 210, 280),
    Window(170, 240, 300),
)


class World(NamedTuple):
    """What is searched, and with which gates."""

    problem: Problem
    gates: Gates


def world(
    grid, account, *, strategy="atr_d_l", rows=None, bars=None, gates=LOOSE, windows=WINDOWS,
    warmup=0, sample=None,
):  # fmt: skip
    """A search of some bars, or of a random walk of 300 bars around 100."""
    strategy = find_strategy(strategy) if isinstance(strategy, str) else strategy
    rows = walk_of(11, 300, step=0.01, drift=0.12) if rows is None else rows
    points = load_grid(grid, strategy.parameters)
    return World(
        Problem(
            bars=bars or bars_of(rows),
            strategy=strategy,
            grid=points,
            flats=None if sample is None else sample_grid(points, sample, seed=3),
            windows=windows,
            account=account,
            warmup=warmup,
            levels=levels_for(gates),
            min_drawdown=gates.min_drawdown,
        ),
        gates,
    )


# Values of the named grids on real prices.
REAL_GRID = {
    "atr_period": [4, 52],
    "atr_multiplier": [2, 14],
    "bb_length": 25,
    "bb_deviation": [1.5, 4],
    "vol_threshold": [0.04, 0.32],
    "min_tightening": 0.25,
    "scaling_method": [0, 2],
    "atr_buy_period": [8, 44],
    "atr_buy_multiplier": [0.5, 3.5],
    "atr_smooth_period": 6,
    "equity_price_method": 0,
}
# Both directions: reversals of every kind, an average whose slope is zero at times.
BOTH_GRID = {
    "atr_period": [5, 20],
    "atr_multiplier": [1, 2.5],
    "short_multiplier": [0.5, 1],
    "bb_length": 10,
    "bb_deviation": [1, 2],
    "vol_threshold": [0.001, 0.05],
    "min_tightening": 0.3,
    "scaling_method": [0, 2],
    "atr_buy_period": 4,
    "atr_buy_multiplier": [0.1, 0.6],
    "atr_smooth_period": 3,
    "entry_mode": [0, 1, 2],
    "trend_filter_period": 4,
    "trend_veto_threshold": [0, 0.3],
    "both_triggered_mode": [0, 1],
    "equity_price_method": 0,
}
HULL_GRID = {
    "atr_period": [5, 20],
    "atr_multiplier": [1, 2.5],
    "bb_length": 10,
    "bb_deviation": [1, 2],
    "vol_threshold": [0.001, 0.05],
    "min_tightening": 0.3,
    "scaling_method": 0,
    "atr_buy_period": 4,
    "atr_buy_multiplier": [0.1, 0.6],
    "atr_smooth_period": 3,
    "hma_fast_length": [3, 5, 9],
    "hma_slow_length": [7, 16],
    "equity_price_method": [0, 1],
}
# Constraints inside a part of the grid, between parts, and on an input without effect.
TIED = {
    "constraints": [
        "bb_deviation >= 10 * vol_threshold",
        "atr_buy_multiplier < atr_multiplier - 0.5 or scaling_method == 0",
        "atr_period == 5 or equity_price_method == 0",
    ]
}
# Strategies made of rules: resting stops, without a tightening.
DONCHIAN = str(Path(__file__).resolve().parents[1] / "examples" / "donchian.py")
DONCHIAN_GRID = {
    "channel": [3, 8, 20],
    "atr_period": [5, 12],
    "atr_multiplier": [0.3, 1, 2, 3.5, 8],
}


@rule
def dips(market, depth):
    return market.low - depth * (market.high - market.low)


@rule
def rises(market, calm):
    return np.concatenate((np.zeros(1, np.bool_), np.diff(market.close) > -calm))


@rule
def falls(market, slow, calm):
    return simple_average(market.close, slow) > market.close + calm


@rule
def under(market, slow, width):
    return simple_average(market.low, slow) - width


LEAVING = RuleStrategy(
    name="leaving",
    parameters=(
        Parameter("depth", -5, 5),
        Parameter("calm", 0, 10),
        Parameter("slow", 1, 50, "int"),
        Parameter("width", 0, 50),
    ),
    enter=dips,
    allow=rises,
    leave=falls,
    stop=under,
)
LEAVING_GRID = {"depth": [-1.2, -0.7], "calm": [0.2, 1], "slow": [3, 9], "width": [0.5, 2, 6]}
CALM = Gates(min_efficiency=0.0, max_drawdown_to_profit=5.0, max_drawdown_to_in_sample=10.0)
TICKS = walk_of(5, 300, step=0.012, tick=1.0, level=60.0, drift=0.1)
WORLDS = {
    "plain": lambda: world(WIDE_GRID, Account(capital=10_000)),
    "costs": lambda: world(
        WIDE_GRID,
        Account(capital=20_000, cost_per_share=0.02, commission=0.0004, slippage=0.03),
        warmup=100,
    ),
    # The price moves around the capital, so a share is affordable at times.
    "poor": lambda: world(
        WIDE_GRID,
        Account(capital=107, cost_per_share=0.01, commission=0.0002),
        rows=walk_of(6, 300, step=0.01),
        warmup=20,
    ),
    "fractions": lambda: world(
        WIDE_GRID, Account(capital=37, lot=0.3, slippage=0.01), rows=TICKS, gates=Gates()
    ),
    "hundreds": lambda: world(
        LATE_GRID, Account(capital=6_300, lot=100, commission=0.0001), rows=TICKS
    ),
    "narrow": lambda: world(NARROW_GRID, Account(), rows=TICKS),
    "late": lambda: world(LATE_GRID, Account(capital=1e6), windows=WINDOWS[1:2]),
    "nasdaq": lambda: world(
        REAL_GRID,
        Account(capital=100_000, cost_per_share=0.02),
        bars=load("sample:nasdaq").slice(0, 2600),
        windows=(Window(100, 900, 1400), Window(700, 1500, 2000), Window(1300, 2100, 2600)),
        gates=Gates(max_drawdown_to_profit=3.0),
        warmup=100,
    ),
    "both": lambda: world(
        BOTH_GRID, Account(capital=10_000, commission=0.0002), strategy="atr_d_ls", gates=CALM
    ),
    # A share is affordable at times: reversals that are too small to be ordered.
    "both poor": lambda: world(
        BOTH_GRID | {"trend_veto_threshold": 0},
        Account(capital=104, cost_per_share=0.01, slippage=0.01),
        strategy="atr_d_ls",
        rows=walk_of(8, 300, step=0.01, tick=0.5),
        gates=CALM,
    ),
    "hull": lambda: world(
        HULL_GRID,
        Account(capital=10_000),
        strategy="atr_d_hma_l",
        rows=TICKS,
        gates=CALM,
    ),
    "hull both": lambda: world(
        HULL_GRID | {"short_multiplier": [0.5, 1], "equity_price_method": 1},
        Account(capital=10_000, lot=0.01, slippage=0.005, cost_per_share=0.01),
        strategy="atr_d_hma_ls",
        gates=CALM,
    ),
    "two symbols": lambda: world(
        BOTH_GRID | {"equity_price_method": [0, 1], "trend_veto_threshold": 0},
        Account(capital=10_000),
        strategy="atr_d_duals_ls",
        bars=pair(
            bars_of(walk_of(13, 300, step=0.01)),
            bars_of(walk_of(14, 300, step=0.006, level=40.0), name="index"),
        ),
        gates=CALM,
    ),
    "tied": lambda: world(WIDE_GRID | TIED, Account(capital=10_000)),
    "tied hull": lambda: world(
        HULL_GRID | {"constraints": "hma_fast_length < hma_slow_length"},
        Account(capital=10_000),
        strategy="atr_d_hma_l",
        gates=CALM,
    ),
    "sampled": lambda: world(
        BOTH_GRID, Account(capital=10_000), strategy="atr_d_ls", gates=CALM, sample=300
    ),
    "sampled hull": lambda: world(
        HULL_GRID | {"constraints": "hma_fast_length < hma_slow_length"},
        Account(capital=10_000),
        strategy="atr_d_hma_l",
        gates=CALM,
        sample=150,
    ),
    "own": lambda: world(
        DONCHIAN_GRID,
        Account(capital=10_000, commission=0.0003, slippage=0.01),
        strategy=DONCHIAN,
        gates=CALM,
    ),
    "own tied": lambda: world(
        DONCHIAN_GRID | {"constraints": "channel > 2 * atr_multiplier or atr_period == 5"},
        Account(capital=104, cost_per_share=0.01),
        strategy=DONCHIAN,
        rows=walk_of(8, 300, step=0.01, tick=0.5),
        gates=CALM,
    ),
    "own sampled": lambda: world(
        DONCHIAN_GRID, Account(), strategy=DONCHIAN, gates=CALM, sample=20
    ),
    "own leaving": lambda: world(LEAVING_GRID, Account(), strategy=LEAVING, gates=CALM),
    "drawdowns": lambda: world(
        NARROW_GRID | {"atr_multiplier": [0.5, 1, 1.5, 2, 3, 4, 5, 6, 7]},
        Account(capital=5000),
        gates=Gates(min_efficiency=0.17, min_drawdown=180.0, max_drawdown_to_profit=0.4),
    ),
}


class Brute(NamedTuple):
    """Every searched combination, simulated bar by bar."""

    flats: np.ndarray  # their numbers in the grid, increasing
    totals: np.ndarray  # (combinations, phases, 6)
    trades: list  # one hashable value for the trades of all phases, per combination

    def rows(self, flats):
        """Where combinations stand."""
        return np.searchsorted(self.flats, flats)

    def phase_totals(self):
        """The totals as the plain functions of the selection take them."""
        return PhaseTotals(**{name: self.totals[:, :, k] for k, name in enumerate(FIELDS)})


@cache
def built(name):
    """A world, built once."""
    return WORLDS[name]()


def fresh(name):
    """A world without anything that a search has computed already."""
    return World(replace(built(name).problem), built(name).gates)


@cache
def brute(name):
    """What the reference engine makes of every combination and phase of a world."""
    return brute_of(built(name).problem)


def brute_of(problem):
    """What the reference engine makes of every searched combination and phase."""
    grid = problem.grid
    flats = np.arange(grid.product)
    flats = flats[grid.mask(flats)] if problem.flats is None else problem.flats
    totals = np.empty((flats.size, len(problem.windows), len(FIELDS)))
    trades = []
    for row, flat in enumerate(flats):
        rules = problem.strategy.rules(problem.bars, grid.point(int(flat)), problem.warmup)
        made = [simulate(problem.bars, rules, w, problem.account) for w in problem.windows]
        totals[row] = [run.report for run in made]
        # Prices, bars and shares: a stop and a sale at the open may happen at the same price.
        trades.append(tuple(tuple((*t[:6], t[7]) for t in run.trades) for run in made))
    return Brute(flats, totals, trades)


def scored_in(folder, problem, gates, *, threads=1, required=2, limit=10**6):
    """Search into a folder and score; return the tiles, the scoring and the candidates."""
    store = SearchStore(Path(folder), problem)
    search(problem, store, threads=threads, required=required, gates=gates)
    scored = score(problem, store, gates, required=required, limit=limit, threads=threads)
    return store, scored, candidates(problem, store, scored, gates, threads)


def digest(name, *, threads=1):
    """A hash of everything that a search of a world finds."""
    with tempfile.TemporaryDirectory() as folder:
        _, scored, frame = scored_in(folder, *fresh(name), threads=threads)
        text = json.dumps(scored.funnel) + frame.write_json() + str(scored.exit_tables)
    return hashlib.sha256(text.encode()).hexdigest()
