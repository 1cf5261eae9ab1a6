"""Speed of the search for a strategy made of rules, beside a plain Numba loop over bars.

    uv run python benchmarks/own_strategy.py           # some 200,000 combinations
    uv run python benchmarks/own_strategy.py --quick   # a few thousand, for a look

The strategy is `examples/donchian.py`: breakouts of a channel in both directions, reversed by
each other, with a resting stop on the average true range. The plain loop is written for it and
shares no code with the package. It is timed twice: from parameters, as such optimisers are
usually written (each combination and window computes its indicators, with running sums and
extremes), and with every indicator given beforehand, so that it walks bars and nothing else.
All use all threads. Prints seconds, combinations x phases per second, the ratios, and for how
many windows all six totals agree.

Data: sample:nasdaq, 2008-05-30 to 2018-12-31 (2,665 bars, ten years and a warm-up), the four
phases of ten years of history, no vault, capital 100,000.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numba import njit

import meseta as ms
from meseta.search import Problem, SearchStore, levels_for, search, thread_count
from meseta.search._walks import walk_rows
from meseta.selection import Gates
from meseta.strategies import find_strategy, load_grid
from meseta.walkforward import plan_phases

BARS, WARMUP = 2665, 100
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "donchian.py"
GRID = {
    "channel": {"min": 5, "max": 200, "step": 1},
    "atr_period": {"min": 5, "max": 100, "step": 5},
    "atr_multiplier": {"min": 0.4, "max": 20, "step": 0.4},
}
QUICK = GRID | {"channel": [10, 20, 40, 80], "atr_period": [10, 40]}
# Combinations that a thread of the plain loop takes at a time.
CHUNK = 512


def problem_of(grid: dict[str, object]) -> Problem:
    bars = ms.load("sample:nasdaq")
    bars = bars.slice(len(bars) - BARS, len(bars))
    strategy, gates = find_strategy(str(EXAMPLE)), Gates()
    return Problem(
        bars=bars,
        strategy=strategy,
        grid=load_grid(grid, strategy.parameters),
        windows=tuple(ms.Window(*phase.window) for phase in plan_phases(bars).phases),
        account=ms.Account(capital=100_000),
        warmup=WARMUP,
        levels=levels_for(gates),
        min_drawdown=0.0,
    )


# The plain loop -------------------------------------------------------------------------------


@njit(nogil=True, error_model="numpy")
def walk(o, h, low, c, top, bottom, away, first, window, capital, out):
    """Trade one combination over one window; write its six totals."""
    start, split, stop = window
    equity, shares, fill, final = capital, 0.0, 0.0, 0.0
    way, entered, trades, inside, across = 0, -1, 0, 0, 0
    order, level, size = 0, 0.0, 0.0
    peak, deepest, is_deepest, at_split = capital, 0.0, 0.0, capital
    for t in range(start, stop):
        if t > start and (order != 0 or way != 0):
            up_first = h[t] - o[t] < o[t] - low[t]
            for leg in range(4):
                if leg == 0:
                    price = o[t]
                elif leg == 3:
                    price = c[t]
                else:
                    price = h[t] if (leg == 1) == up_first else low[t]
                # At the open either side fills, then buys on rises and sells on falls.
                rises = (leg == 1) == up_first or (leg == 3 and not up_first)
                if leg == 2:
                    rises = not up_first
                elif leg == 3:
                    rises = up_first
                filled = order != 0 and order * price >= order * level
                stopped = way != 0 and way * price <= way * final
                if leg > 0:
                    filled = filled and (order > 0) == rises
                    stopped = stopped and (way < 0) == rises
                    if filled and stopped:
                        # Both are on the same side: the nearer one is met first, a tie enters.
                        filled = order * level <= order * final
                        stopped = not filled
                elif filled:
                    stopped = False
                if filled or stopped:
                    at = price if leg == 0 else (level if filled else final)
                    if way != 0:
                        equity += way * (at - fill) * shares
                        across += entered < split <= t
                        way = 0
                if filled:
                    way, fill, shares, entered = order, at, size, t
                    trades += 1
                    inside += t < split
                    final = c[t - 1] - way * away[t - 1]
                    # A stop that the open has passed works at the open.
                    final = min(final, o[t]) if way > 0 else max(final, o[t])
                    order = 0
                elif stopped:
                    order = 0
        order = 0
        if t == stop - 1:
            if way != 0:
                equity += way * (c[t] - fill) * shares
                across += entered < split
                way = 0
        else:
            if way != 0:
                if t == entered:
                    final = c[t - 1] - way * away[t - 1]
                here = c[t] - way * away[t]
                final = max(final, here) if way > 0 else min(final, here)
            if t >= first:
                buy, sell = top[t], bottom[t]
                order = -1 if c[t] - sell < buy - c[t] else 1
                level = sell if order < 0 else buy
                size = math.floor(equity / level)
                if size < 1 or order == way:
                    order = 0
        mark = equity + way * (c[t] - fill) * shares
        peak = max(peak, mark)
        deepest = max(deepest, peak - mark)
        if t == split - 1:
            at_split, is_deepest, peak, deepest = mark, deepest, mark, 0.0
    out[0], out[1] = at_split - capital, equity - at_split
    out[2], out[3] = inside, trades - inside + across
    out[4], out[5] = is_deepest, deepest


@njit(nogil=True, error_model="numpy")
def walk_many(prices, tops, bottoms, ranges, which, multiplier, first, windows, capital, out):
    o, h, low, c = prices
    for k in range(len(which)):
        away = multiplier[k] * ranges[which[k, 1]]
        for w in range(len(windows)):
            walk(
                o, h, low, c, tops[which[k, 0]], bottoms[which[k, 0]], away, first[k],
                windows[w], capital, out[k, w],
            )  # fmt: skip


@njit(nogil=True, error_model="numpy")
def indicators(h, low, c, channel, period, begin, stop, top, bottom, away):
    """Write extremes and average true range of the bars from `begin` on."""
    highest = lowest = begin
    total = 0.0
    for t in range(begin, stop):
        first = max(t - channel + 1, begin)
        if highest < first:
            highest = first
            for k in range(first + 1, t):
                if h[k] >= h[highest]:
                    highest = k
        if lowest < first:
            lowest = first
            for k in range(first + 1, t):
                if low[k] <= low[lowest]:
                    lowest = k
        highest = t if h[t] >= h[highest] else highest
        lowest = t if low[t] <= low[lowest] else lowest
        top[t], bottom[t] = h[highest], low[lowest]
        total += max(h[t], c[t - 1]) - min(low[t], c[t - 1])
        if t - period >= begin:
            k = t - period
            total -= max(h[k], c[k - 1]) - min(low[k], c[k - 1])
        away[t] = total / period


@njit(nogil=True, error_model="numpy")
def walk_parameters(prices, points, first, windows, capital, out):
    """As `walk_many`, from channel, period and multiplier alone."""
    o, h, low, c = prices
    top, bottom, away = np.empty(o.size), np.empty(o.size), np.empty(o.size)
    for k in range(len(points)):
        channel, period = int(points[k, 0]), int(points[k, 1])
        for w in range(len(windows)):
            begin = max(1, windows[w, 0] - max(channel, period))
            indicators(h, low, c, channel, period, begin, windows[w, 2], top, bottom, away)
            for t in range(windows[w, 0], windows[w, 2]):
                away[t] *= points[k, 2]
            walk(o, h, low, c, top, bottom, away, first[k], windows[w], capital, out[k, w])


def rolling(values: np.ndarray, length: int, how: str) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(values, length)
    return np.concatenate((np.full(length - 1, np.nan), getattr(windows, how)(axis=1)))


def in_threads(part, many: int, threads: int) -> float:
    """Return the seconds of `part(rows)` over all rows, once it is compiled."""
    part(slice(0, 2))
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda begin: part(slice(begin, begin + CHUNK)), range(0, many, CHUNK)))
    return time.perf_counter() - began


def plain(problem: Problem, threads: int) -> tuple[float, float, list[np.ndarray]]:
    """Return the seconds of both plain loops over the whole grid, and their totals."""
    bars, grid = problem.bars, problem.grid
    before = np.concatenate((bars.high[:1], bars.close[:-1]))
    true = np.maximum(bars.high, before) - np.minimum(bars.low, before)
    true[0] = bars.high[0] - bars.low[0]
    channels, periods = grid.values["channel"], grid.values["atr_period"]
    tops = np.array([rolling(bars.high, n, "max") for n in channels])
    bottoms = np.array([rolling(bars.low, n, "min") for n in channels])
    ranges = np.array([rolling(true, n, "mean") for n in periods])
    index = grid.indices(np.arange(grid.size))
    which = np.column_stack((index["channel"], index["atr_period"]))
    multiplier = np.array(grid.values["atr_multiplier"])[index["atr_multiplier"]]
    longest = np.maximum(np.array(channels)[which[:, 0]], np.array(periods)[which[:, 1]])
    first = np.maximum(WARMUP, longest - 1)
    prices = (bars.open, bars.high, bars.low, bars.close)
    windows = np.array(problem.windows)
    capital = problem.account.capital
    given, own = (np.empty((grid.size, len(windows), 6)) for _ in range(2))
    points = np.column_stack(list(grid.columns(np.arange(grid.size)).values())).astype(float)

    def from_series(rows: slice) -> None:
        walk_many(
            prices, tops, bottoms, ranges, which[rows], multiplier[rows], first[rows], windows,
            capital, given[rows],
        )  # fmt: skip

    def from_parameters(rows: slice) -> None:
        walk_parameters(prices, points[rows], first[rows], windows, capital, own[rows])

    seconds = [in_threads(part, grid.size, threads) for part in (from_parameters, from_series)]
    return seconds[0], seconds[1], [own, given]


# The search -----------------------------------------------------------------------------------


def searched(problem: Problem, threads: int) -> tuple[float, np.ndarray]:
    """Return the seconds of a search with its tile files, and the totals of its tables."""
    with tempfile.TemporaryDirectory() as folder:
        store = SearchStore(Path(folder), problem)
        began = time.perf_counter()
        search(problem, store, threads=threads, required=3, gates=Gates())
        seconds = time.perf_counter() - began
        totals = np.full((problem.grid.size, len(problem.windows), 6), np.nan)
        for tile in problem.tiles():
            result = store.require(tile)
            exits, sets = problem.exit_offsets(tile), problem.set_offsets(tile)
            x, e = np.divmod(np.arange(exits.size * sets.size), sets.size)
            tables = result.table_of[problem.members(tile)[x]]
            made, _ = walk_rows(problem, tile, result.table_of, tables, e)
            totals[exits[x] + sets[e]] = made
    return seconds, totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="search a few thousand instead")
    parser.add_argument("--threads", type=int, default=thread_count(None))
    options = parser.parse_args()
    searched(problem_of({n: [10] for n in GRID}), 1)  # compiles the kernels
    problem = problem_of(QUICK if options.quick else GRID)
    walks = problem.grid.size * len(problem.windows)
    fast, found = searched(problem, options.threads)
    *slow, totals = plain(problem, options.threads)
    print(
        f"{problem.grid.size:,} combinations, {len(problem.windows)} phases, "
        f"{len(problem.bars):,} bars, {options.threads} threads"
    )
    told = f"{fast:>8.2f} s{walks / fast / 1e6:>8.2f} M combinations x phases / s"
    print(f"{'search':<28}{told}")
    names = ("plain loop, from parameters", "plain loop, series given")
    for name, seconds, plain_totals in zip(names, slow, totals, strict=True):
        apart = np.abs(found - plain_totals) > 1e-9 * np.maximum(1e4, np.abs(plain_totals))
        agree = 1 - apart.any(axis=2).mean()
        print(
            f"{name:<28}{seconds:>8.2f} s{walks / seconds / 1e6:>8.2f} M; search is "
            f"{seconds / fast:.1f} times as fast; {agree:.3%} of windows equal to 1e-9"
        )


if __name__ == "__main__":
    main()
