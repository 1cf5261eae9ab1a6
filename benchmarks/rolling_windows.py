"""The yardstick of walk-forward programs: xbar on crude oil, every window from one pass or re-run.

    uv run python benchmarks/rolling_windows.py [CL_15m.csv.gz]

Crude oil (15 minutes, additively back-adjusted, below zero in 2020) is built into bars of 360
minutes. `xbar` has 28 combinations (5 to 32), windows are 504 sessions in-sample and 126
out-of-sample. The first row reads every window from one full-period pass of each combination, the
second simulates every combination on every window by itself, the third reads 36 pairs of lengths
from one pass. All are compiled before they are
timed, run on one thread and are timed five times; the smallest counts.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

import numpy as np

import meseta as ms
from meseta.bars import resample
from meseta.engine._blocks import EQUITY
from meseta.engine._plays import play_of
from meseta.engine._schedule import Course, blocks_of_play
from meseta.strategies import find_strategy, load_grid
from meseta.walkforward import WalkForward, find_fitness, plan_windows
from meseta.walkforward._emulated import Emulation, emulate
from meseta.walkforward._kernel_source import KernelSource
from meseta.walkforward._middle import Middle

ROUNDS = 5
INSIDE, OUTSIDE = (252, 378, 504, 630, 756, 1008), (21, 42, 63, 126, 189, 252)
WARMUP = 100
OIL = Path(__file__).resolve().parents[2] / "shared" / "data" / "intraday" / "CL_15m.csv.gz"
ACCOUNT = ms.Account(capital=100_000, cost_per_share=5, slippage=0.01)
CONTRACT = ms.Contract(point_value=1000, quantity=1, tick=0.01)


def main() -> None:
    """Print the table."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else OIL
    if not file.is_file():
        sys.exit(f"there is no {file}; give 15-minute bars of a future as the argument")
    bars = resample(ms.load(file, timezone="America/New_York", allow_nonpositive=True), "360m")
    strategy = find_strategy("xbar")
    grid = load_grid("default", strategy.parameters)
    spec = WalkForward(in_sample=504, out_of_sample=126, unit="sessions")
    plan = plan_windows(bars, spec, warmup=WARMUP)
    rows = rows_of(plan)
    print(f"{bars!r}, {grid.size} combinations, {len(rows)} windows")
    emulated, found = timed(lambda: one_pass(bars, strategy, grid, rows, plan))
    again, other = timed(lambda: every_window(bars, strategy, grid, rows))
    cells = matrix(bars)
    wide, all_cells = timed(lambda: one_pass(bars, strategy, grid, cells, plan))
    print(f"{'':34}{'seconds':>10}{'ratio':>8}   hash of the choices")
    for name, seconds, chosen in (
        ("one pass, all windows read from it", emulated, found),
        ("every window simulated by itself", again, other),
        (f"6 x 6 matrix, {len(cells):,} windows", wide, all_cells),
    ):
        print(f"{name:34}{seconds:10.4f}{seconds / emulated:8.1f}   {digest(chosen)}")
    same = int((found == other).sum())
    print(f"the same combination in {same} of {len(rows)} windows: a window simulated by itself "
          "begins without a position")  # fmt: skip


def rows_of(plan):
    """Return the windows as rows."""
    return np.array([(w.in_start, w.in_stop, w.out_start, w.out_stop) for w in plan.windows])


def matrix(bars):
    """Return the windows of all pairs of lengths, out-of-sample over the same bars."""

    def planned(inside, outside, first=None):
        spec = WalkForward(in_sample=inside, out_of_sample=outside, unit="sessions")
        return plan_windows(bars, spec, warmup=WARMUP, first_out=first)

    first = planned(max(INSIDE), OUTSIDE[0]).first_out
    cells = [rows_of(planned(a, b, first)) for a in INSIDE for b in OUTSIDE]
    return np.concatenate(cells)


def timed(work):
    """Return the least time of some rounds, after one that compiles, and the result."""
    result, best = work(), np.inf
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - begin)
    return best, result


def one_pass(bars, strategy, grid, rows, plan):
    """Choose in every window from full-period passes."""
    request = Emulation(
        bars=bars, strategy=strategy, grid=grid, windows=rows, start=plan.start, stop=plan.stop,
        account=ACCOUNT, contract=CONTRACT, warmup=WARMUP, fitness=find_fitness("net_profit"),
    )  # fmt: skip
    source = KernelSource(
        bars, strategy, grid, ACCOUNT, CONTRACT, WARMUP, request.bounds, Middle(grid), request.keep
    )
    return emulate(request, threads=1, source=source).best[:, 0]


def every_window(bars, strategy, grid, rows):
    """Choose in every window from simulations of that window alone."""
    course = Course.of(bars, ACCOUNT, CONTRACT)
    profits = np.empty((grid.size, len(rows)))
    for flat in range(grid.size):
        play = play_of(strategy, bars, grid.point(flat), WARMUP, course.market)
        for k, (first, stop, begin, end) in enumerate(rows):
            inside = blocks_of_play(course, play, np.array([first, stop]))
            # What is chosen has to be traded out-of-sample too.
            blocks_of_play(course, play, np.array([begin, end]))
            profits[flat, k] = inside[-1, EQUITY] - ACCOUNT.capital
    return profits.argmax(axis=0)


def digest(chosen) -> str:
    """Return a short hash of the chosen combinations."""
    return hashlib.sha256(np.ascontiguousarray(chosen, np.int64).tobytes()).hexdigest()[:12]


if __name__ == "__main__":
    main()
