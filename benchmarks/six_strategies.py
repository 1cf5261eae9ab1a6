"""Speed of the exhaustive search for each of the six ATR-D strategies beside a bar-by-bar kernel.

    uv run python benchmarks/six_strategies.py                    # ts_coarse, and 20 M of slim
    uv run python benchmarks/six_strategies.py --quick             # a small part, for a look
    uv run python benchmarks/six_strategies.py --limit 1000000     # about a million of each
    uv run python benchmarks/six_strategies.py --hundred-million   # 99.5 million of atr_d_ls

For each strategy, with the whole of ts_coarse and with a piece of phase1_slim of at most 20
million combinations (fewer stop distances and Hull lengths, then less of the longest lists):
seconds of a search with its tile files, combinations x phases per second, the time of a walk
(one combination over one phase) of the plain kernel in `bar_by_bar.py` on a random sample, the
ratio with both on all threads (the kernel's walks are independent, so its time is divided by the
threads), for how many of the sampled windows all six totals agree, and a hash of the search's
results.

Data: sample:nasdaq, 2008-05-30 to 2018-12-31 (2,665 bars, ten years and a warm-up); the dual
strategies trade sample:nasdaq-3x with sample:nasdaq as the second symbol. The four phases of ten
years of history, no vault, capital 100,000.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import meseta as ms
from bar_by_bar import market_of, points_of, simulate_points
from meseta.bars import pair
from meseta.engine import backtest
from meseta.search import Problem, levels_for, thread_count
from meseta.selection import Gates
from meseta.strategies import find_strategy, load_grid
from meseta.walkforward import plan_phases
from search import timed_search

BARS = 2665
WARMUP = 100
SAMPLE = 500
# The plain kernel's time is the best of these.
REPEATS = 3
QUICK = 20_000
PART = 20_000_000
# Kernels are compiled before the clock starts, by a search that has every mode of a strategy.
FIRST = 2_000
WIDTH = 128
STRATEGIES = (
    "atr_d_l", "atr_d_ls", "atr_d_hma_l", "atr_d_hma_ls", "atr_d_duals_l", "atr_d_duals_ls"
)  # fmt: skip
TOTALS = ("is_pnl", "oos_pnl", "is_trades", "oos_trades", "is_maxdd", "oos_maxdd")
# 99,532,800 combinations of phase1_slim.
HUNDRED_MILLION = {
    "atr_period": [16, 40, 64],
    "atr_multiplier": [4, 8, 12, 16, 20, 24],
    "short_multiplier": [0.2, 0.5, 0.8, 1],
    "bb_length": [10, 40],
    "bb_deviation": [1, 2, 3, 4],
    "vol_threshold": [0.08, 0.16, 0.24, 0.32],
    "min_tightening": [0.1, 0.55],
    "scaling_method": [0, 1, 2],
    "atr_buy_period": [8, 20, 32, 44, 56],
    "atr_buy_multiplier": [0.5, 1, 2, 3, 3.5],
    "atr_smooth_period": [2, 6, 10, 18],
    "entry_mode": [0, 1, 2],
    "trend_filter_period": [4, 10, 16],
    "trend_veto_threshold": [0, 0.02, 0.05, 0.1],
    "both_triggered_mode": [0, 1],
    "equity_price_method": [0],
}


@dataclass(frozen=True)
class Row:
    """What was measured for one strategy; times in seconds."""

    name: str
    grid: str
    combinations: int
    seconds: float
    rate: float
    walk: float
    times: float
    agree: float
    digest: str


def bars_for(strategy: str) -> ms.Bars:
    index = ms.load("sample:nasdaq")
    bars = pair(ms.load("sample:nasdaq-3x"), index) if "duals" in strategy else index
    return bars.slice(len(bars) - BARS, len(bars))


def problem_of(name: str, grid: str | dict[str, object], limit: int | None = None) -> Problem:
    bars, strategy, gates = bars_for(name), find_strategy(name), Gates()
    values = {n: list(v) for n, v in load_grid(grid, strategy.parameters).values.items()}
    if limit is not None:
        kept = {parameter.name for parameter in strategy.parameters if parameter.kind == "choice"}
        cut_to(values, limit, kept, {*strategy.shared, *strategy.stop})
    return Problem(
        bars=bars,
        strategy=strategy,
        grid=load_grid(values, strategy.parameters),
        windows=tuple(ms.Window(*phase.window) for phase in plan_phases(bars).phases),
        account=ms.Account(capital=100_000),
        warmup=WARMUP,
        levels=levels_for(gates),
        min_drawdown=0.0,
    )


def cut_to(values: dict[str, list[float]], limit: int, kept: set[str], first: set[str]) -> None:
    """Drop values until at most `limit` combinations are left.

    Those of the stop's distance and of shared parameters go first, so that what is left is a
    piece of the whole grid and not a coarser one: each distance meets as many entries and
    tightenings as in the whole. Then the longest lists, those in `kept` last.
    """
    while math.prod(map(len, values.values())) > max(limit, 1):
        open_lists = [name for name, listed in values.items() if len(listed) > 1]
        names = [name for name in open_lists if name in first]
        names = names or [name for name in open_lists if name not in kept] or open_lists
        values[max(names, key=lambda name: len(values[name]))].pop()


def plain(
    name: str, problem: Problem, sampled: list[dict[str, float]]
) -> tuple[float, np.ndarray]:
    """Return the bar-by-bar kernel's seconds for a walk on one thread, and its totals."""
    bars, account = problem.bars, problem.account
    second = bars.second and (bars.second.high, bars.second.low, bars.second.close)
    market = market_of(bars.open, bars.high, bars.low, bars.close, second)
    money = (account.capital, account.cost_per_share, account.commission)
    costs = (*money, account.slippage, float(account.lot))
    points, windows = points_of(sampled), np.array(problem.windows)
    simulate_points(name, market, points[:2], WARMUP, windows, costs)
    seconds = math.inf
    for _ in range(REPEATS):
        began = time.perf_counter()
        totals = simulate_points(name, market, points, WARMUP, windows, costs)
        seconds = min(seconds, time.perf_counter() - began)
    return seconds / (len(points) * len(windows)), totals


def fast(problem: Problem, sampled: list[dict[str, float]]) -> np.ndarray:
    """Return the fast engine's totals, one combination and window at a time."""
    given = (problem.bars, problem.strategy)
    reports = (
        backtest(*given, values, window, problem.account, warmup=WARMUP).report
        for values in sampled
        for window in problem.windows
    )
    totals = [[getattr(report, name) for name in TOTALS] for report in reports]
    return np.array(totals, dtype=float).reshape(len(sampled), len(problem.windows), len(TOTALS))


def agreement(found: np.ndarray, expected: np.ndarray, capital: float) -> float:
    """Return the share of windows whose six totals agree.

    Numbers of trades are equal, and money is to a billionth of itself or of the capital: a
    total can be the small difference of large positions, which the plain kernel's running sums
    move by some last bits.
    """
    apart = np.abs(found - expected) > 1e-9 * np.maximum(capital, np.abs(expected))
    return float((~apart.any(axis=2)).mean())


def measure(name: str, grid: str, problem: Problem, threads: int, samples: int) -> Row:
    timed_search(problem_of(name, problem.grid.values, FIRST), 1)
    seconds, digest = timed_search(problem, threads)
    walks = problem.total * len(problem.windows)
    flats = np.random.default_rng(1).integers(0, problem.grid.size, samples)
    sampled = [problem.grid.point(int(flat)) for flat in flats]
    walk, totals = plain(name, problem, sampled)
    return Row(
        name=name,
        grid=grid,
        combinations=problem.total,
        seconds=seconds,
        rate=walks / seconds,
        walk=walk,
        times=walk / threads / (seconds / walks),
        agree=agreement(fast(problem, sampled), totals, problem.account.capital),
        digest=digest,
    )


def table_of(rows: list[Row]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("\nstrategy", no_wrap=True)
    table.add_column("\ngrid", no_wrap=True)
    for title in (
        "\ncombinations", "search\ns", "M combinations\nx phases / s", "bar by bar\nus a walk",
        "search is\ntimes as fast", "windows\nthat agree",
    ):  # fmt: skip
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("\nhash", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name, row.grid, f"{row.combinations:,}", f"{row.seconds:.2f}",
            f"{row.rate / 1e6:.1f}", f"{row.walk * 1e6:.1f}", f"{row.times:,.0f}",
            f"{row.agree:.2%}", row.digest[:12],
        )  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"at most {QUICK:,} of each")
    parser.add_argument("--limit", type=int, help="at most so many combinations of each")
    parser.add_argument("--only", choices=STRATEGIES, help="one strategy")
    parser.add_argument(
        "--hundred-million", action="store_true", help="also 99.5 million of atr_d_ls"
    )
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    threads = thread_count(options.threads)
    limit = QUICK if options.quick else options.limit
    samples = SAMPLE // 10 if options.quick else SAMPLE
    console = Console(width=max(Console().width, WIDTH))
    names = [name for name in STRATEGIES if options.only in {None, name}]
    jobs = [(name, "ts_coarse", "ts_coarse", limit) for name in names]
    if limit is None:
        jobs += [(name, "piece of slim", "phase1_slim", PART) for name in names]
    if options.hundred_million:
        jobs.append(("atr_d_ls", "99.5 M", HUNDRED_MILLION, None))
    rows = []
    for name, title, grid, most in jobs:
        problem = problem_of(name, grid, most)
        sizes = f"{problem.total:,} combinations, {len(problem.windows)} phases"
        console.print(f"{name:<16}{sizes}, {len(problem.bars):,} bars, {threads} threads")
        rows.append(measure(name, title, problem, threads, samples))
        done = rows[-1]
        console.print(f"{'':<16}{done.seconds:.2f} s, {done.times:,.0f} times as fast")
    console.print(table_of(rows))


if __name__ == "__main__":
    main()
