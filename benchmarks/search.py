"""Speed of the exhaustive search beside a bar-by-bar kernel, in one run.

    uv run python benchmarks/search.py            # the whole of phase1_slim
    uv run python benchmarks/search.py --quick    # ts_coarse instead, for a look

Prints combinations x phases per second of the search (the whole grid, and about a million of
it), the time of a walk (one combination over one phase) for plain bar-by-bar Numba kernels on a
random sample, the ratio with both on all threads, whether the totals agree, peak memory, the
time to the first tile with a cold and a warm compile cache, and a hash of the results.

Data: sample:nasdaq, 2008-05-30 to 2018-12-31 (2,665 bars, ten years and a warm-up), the four
phases of ten years of history, no vault, capital 100,000.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

import meseta as ms
from bar_by_bar import simulate_many, simulate_parameters
from meseta.engine import backtest
from meseta.search import Problem, SearchStore, levels_for, search
from meseta.selection import Gates
from meseta.strategies import find_strategy, load_grid
from meseta.strategies._indicators import (
    Tightenings,
    average_true_range,
    tightening,
    true_range,
)
from meseta.walkforward import plan_phases

BARS = 2665
SAMPLE = 1_000
FIRST_TILE = """
import time; begin = time.perf_counter()
import sys; sys.path.insert(0, {here!r})
from search import problem_of
from meseta.search._walks import evaluate_tile
problem = problem_of("phase1_slim")
evaluate_tile(problem, problem.tiles()[0])
print(time.perf_counter() - begin)
"""


def problem_of(grid: str | dict[str, object]) -> Problem:
    bars = ms.load("sample:nasdaq")
    bars = bars.slice(len(bars) - BARS, len(bars))
    strategy, gates = find_strategy("atr_d_l"), Gates()
    return Problem(
        bars=bars,
        strategy=strategy,
        grid=load_grid(grid, strategy.parameters),
        windows=tuple(ms.Window(*phase.window) for phase in plan_phases(bars).phases),
        account=ms.Account(capital=100_000),
        warmup=100,
        levels=levels_for(gates),
        min_drawdown=0.0,
    )


def timed_search(problem: Problem, threads: int) -> tuple[float, str]:
    """Return the seconds of a whole search with its tile files, and a hash of every result."""
    with tempfile.TemporaryDirectory() as folder:
        store = SearchStore(Path(folder), problem)
        began = time.perf_counter()
        search(problem, store, threads=threads, required=3, gates=Gates())
        seconds = time.perf_counter() - began
        digest = hashlib.sha256()
        for tile in problem.tiles():
            result = store.require(tile)
            digest.update(result.oos.tobytes() + result.codes.tobytes())
    return seconds, digest.hexdigest()


def million(problem: Problem) -> dict[str, object]:
    """Return about a million combinations of the grid: every exit set of a sixth of the stops."""
    values = {name: list(given) for name, given in problem.grid.values.items()}
    fewer = {"atr_period": 1, "atr_multiplier": 6, "min_tightening": 3, "atr_smooth_period": 2}
    return values | {name: values[name][:count] for name, count in fewer.items()}


def sample(problem: Problem) -> np.ndarray:
    """Return random combinations as numbers of entry set, stop distance and tightening series."""
    rng = np.random.default_rng(1)
    bounds = (problem.entries.size, problem.stops.size, problem.series.kinds.many)
    return np.column_stack([rng.integers(0, bound, SAMPLE) for bound in bounds])


def plain_series(problem: Problem, which: np.ndarray) -> tuple[float, np.ndarray]:
    """Time the plain kernel with series computed beforehand; seconds for a walk, and totals."""
    study, windows = problem.study, np.array(problem.windows)
    levels = np.array([study.orders(p)[0].level for p in problem.entries.points()])
    guards = [study.protections(p)[0] for p in problem.stops.points()]
    stops, shields = (np.array([getattr(g, name) for g in guards]) for name in ("stop", "shield"))
    given = (*problem.ground.sides[0][:4], levels, shields, stops, stored(problem.series.kinds))
    rest = (problem.warmup, windows, costs_of(problem))
    simulate_many(*given, which[:2], *rest)
    began = time.perf_counter()
    totals = simulate_many(*given, which, *rest)
    return (time.perf_counter() - began) / (SAMPLE * len(windows)), totals


def stored(series: Tightenings) -> np.ndarray:
    """Return every tightening series, shape (series, N)."""
    described = zip(series.length, series.ratio, series.scaling, series.floor, strict=True)
    return np.array([tightening(series.width[k], *rest) for k, *rest in described])


def plain_parameters(problem: Problem, which: np.ndarray) -> tuple[float, np.ndarray]:
    """Time the plain kernel with series computed for each combination and window."""
    points = np.array([list(problem.grid.point(flat_of(problem, row)).values()) for row in which])
    prices = problem.ground.sides[0][:4]
    ranges = true_range(*prices[1:])
    given = (*prices, ranges, average_true_range(ranges, 70))
    windows = np.array(problem.windows)
    rest = (problem.warmup, windows, costs_of(problem))
    simulate_parameters(*given, points[:2], *rest)
    began = time.perf_counter()
    totals = simulate_parameters(*given, points, *rest)
    return (time.perf_counter() - began) / (SAMPLE * len(windows)), totals


def costs_of(problem: Problem) -> tuple[float, ...]:
    a = problem.account
    return (a.capital, a.cost_per_share, a.commission, a.slippage, a.lot)


def flat_of(problem: Problem, row: np.ndarray) -> int:
    exit_set = int(np.flatnonzero(problem.series.member == row[2])[0])
    return int(
        problem.entries.offsets[row[0]]
        + problem.stops.offsets[row[1]]
        + problem.factors.offsets[exit_set]
    )


def fast_totals(problem: Problem, which: np.ndarray) -> np.ndarray:
    """Return the fast engine's totals of the same combinations."""
    totals = np.empty((len(which), len(problem.windows), 6))
    for k, row in enumerate(which):
        values = problem.grid.point(flat_of(problem, row))
        for w, window in enumerate(problem.windows):
            made = backtest(problem.bars, problem.strategy, values, window, problem.account)
            totals[k, w] = made.report
    return totals


def agreement(fast: np.ndarray, plain: np.ndarray) -> str:
    """Say for how many windows all six totals are equal, and how far the others are off."""
    apart = np.abs(fast - plain) > 1e-9 * np.maximum(1.0, np.abs(plain))
    return f"{(~apart.any(axis=2)).mean():.3%} of windows equal to 1e-9"


def first_tile(cache: str) -> float:
    """Return the seconds from the start of a fresh process to the first tile."""
    code = FIRST_TILE.format(here=str(Path(__file__).parent))
    made = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
        capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    return float(made.stdout)


class PeakMemory:
    """Watches this process's resident memory."""

    def __init__(self) -> None:
        self.bytes = 0
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self) -> None:
        me = psutil.Process()
        while True:
            self.bytes = max(self.bytes, me.memory_info().rss)
            time.sleep(0.05)


def report(name: str, problem: Problem, seconds: float) -> float:
    walks = problem.grid.size * len(problem.windows)
    print(
        f"{name:<28}{problem.grid.size:>12,} combinations{seconds:>9.2f} s"
        f"{walks / seconds / 1e6:>9.1f} M combinations x phases / s"
    )
    return seconds / walks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="search ts_coarse instead")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    memory = PeakMemory()
    whole = problem_of("ts_coarse" if options.quick else "phase1_slim")
    part = problem_of(million(whole))
    print(f"{len(whole.bars):,} bars, {len(whole.windows)} phases, {options.threads} threads")
    timed_search(problem_of({n: v[:1] for n, v in whole.grid.values.items()}), 1)
    seconds, _ = timed_search(part, options.threads)
    report("search, part of the grid", part, seconds)
    seconds, digest = timed_search(whole, options.threads)
    each = report("search, whole grid", whole, seconds)
    which = sample(whole)
    fast = fast_totals(whole, which)
    for name, kernel in (("series given", plain_series), ("from parameters", plain_parameters)):
        plain, totals = kernel(whole, which)
        ratio = plain / options.threads / each
        print(
            f"{'bar by bar, ' + name:<28}{plain * 1e6:>12.2f} us a walk on one thread, "
            f"search {ratio:,.0f} times as fast; {agreement(fast, totals)}"
        )
    print(f"{'peak memory':<28}{memory.bytes / 1e9:>12.2f} GB")
    with tempfile.TemporaryDirectory() as cache:
        print(f"{'first tile, cold cache':<28}{first_tile(cache):>12.1f} s")
        print(f"{'first tile, warm cache':<28}{first_tile(cache):>12.1f} s")
    print(f"{'hash of all results':<28}{digest}")


if __name__ == "__main__":
    main()
