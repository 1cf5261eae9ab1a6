"""Speed of the emulated walk-forward.

    uv run python benchmarks/walk_forward.py             # all of it
    uv run python benchmarks/walk_forward.py --quick     # a tenth of the combinations, for a look
    uv run python benchmarks/walk_forward.py --bars QQQ.csv.gz

Prints, for 100,800 combinations of atr_d_l (a piece of phase1_slim) after compilation: seconds
and seconds of processor time of one cell (504 sessions in-sample, 126 out-of-sample, 26 windows)
with each fitness, of a matrix of six by six lengths in the same pass, their ratio, peak memory,
and a hash of the results. On a machine that does other things too processor time is the figure
to compare.

Data: the last 3,880 bars (warm-up, first in-sample window, 26 out-of-sample windows) of the file
given, else of ../shared/data/etf_daily/QQQ.csv.gz beside the checkout, else of sample:nasdaq.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

import meseta as ms
from meseta.search import thread_count
from meseta.strategies import find_strategy, load_grid
from meseta.walkforward import (
    FITNESSES,
    Cell,
    Criteria,
    Emulated,
    Emulation,
    WalkForward,
    emulate,
    find_fitness,
    fitness,
    matrix_of,
    plan_windows,
    score_matrix,
)
from search import PeakMemory

WARMUP, INSIDE, OUTSIDE, WINDOWS = 100, 504, 126, 26
MATRIX = (126, 252, 378, 504, 630, 756), (21, 42, 63, 126, 189, 252)
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "etf_daily" / "QQQ.csv.gz"
# Values of each parameter that are taken from the front of the grid's.
PIECE = {
    "atr_period": 2, "atr_multiplier": 6, "bb_length": 2, "bb_deviation": 2, "vol_threshold": 4,
    "min_tightening": 1,
}  # fmt: skip
QUICK = PIECE | {"atr_multiplier": 3, "bb_deviation": 1, "vol_threshold": 2, "scaling_method": 2}


@fitness
def careful(stats):
    return stats.net_profit - stats.drawdown


class Timing(NamedTuple):
    wall: float
    cpu: float
    found: Emulated


def series(given: str | None) -> ms.Bars:
    source = given or (str(SHARED) if SHARED.is_file() else "sample:nasdaq")
    bars = ms.load(source)
    wanted = WARMUP + INSIDE + WINDOWS * OUTSIDE
    return bars.slice(max(0, len(bars) - wanted), len(bars))


def request_of(bars: ms.Bars, values: dict[str, int], **more: object) -> Emulation:
    strategy = find_strategy("atr_d_l")
    whole = load_grid("phase1_slim", strategy.parameters).values
    taken = {name: list(given[: values.get(name, len(given))]) for name, given in whole.items()}
    grid = load_grid(taken, strategy.parameters, name="piece")
    plan = plan_windows(bars, WalkForward(in_sample=INSIDE, out_of_sample=OUTSIDE), warmup=WARMUP)
    given = {
        "bars": bars,
        "strategy": strategy,
        "grid": grid,
        "windows": rows_of(plan),
        "start": plan.start,
        "stop": plan.stop,
        "account": ms.Account(capital=100_000),
        "warmup": WARMUP,
    }
    return Emulation(**given | more)


def rows_of(plan) -> np.ndarray:
    return np.array([(w.in_start, w.in_stop, w.out_start, w.out_stop) for w in plan.windows])


def matrix_windows(bars: ms.Bars) -> tuple[np.ndarray, list[Cell]]:
    """Return the windows of all cells, which share one out-of-sample period, and the cells."""
    longest = WalkForward(in_sample=max(MATRIX[0]), out_of_sample=1)
    first_out = plan_windows(bars, longest, warmup=WARMUP).first_out
    parts, cells, at = [], [], 0
    for inside in MATRIX[0]:
        for outside in MATRIX[1]:
            spec = WalkForward(in_sample=inside, out_of_sample=outside)
            parts.append(rows_of(plan_windows(bars, spec, warmup=WARMUP, first_out=first_out)))
            cells.append(Cell(inside, outside, at, at + len(parts[-1])))
            at = cells[-1].stop
    return np.concatenate(parts), cells


def timed(request: Emulation, threads: int) -> Timing:
    """Return the quicker of two runs."""
    runs = []
    for _ in range(2):
        wall, cpu = time.perf_counter(), time.process_time()
        found = emulate(request, threads=threads)
        runs.append(Timing(time.perf_counter() - wall, time.process_time() - cpu, found))
    return min(runs, key=lambda run: run.cpu)


def digest(found: list[Emulated]) -> str:
    whole = hashlib.sha256()
    for each in found:
        for field in fields(each):
            whole.update(np.ascontiguousarray(getattr(each, field.name)).tobytes())
    return whole.hexdigest()


def report(name: str, request: Emulation, made: Timing) -> None:
    print(
        f"{name:<42}{request.combinations:>9,}{len(request.windows):>9,}"
        f"{made.wall:>10.2f}{made.cpu:>10.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", help="CSV file of daily bars")
    parser.add_argument("--quick", action="store_true", help="a tenth of the combinations")
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    memory, threads = PeakMemory(), thread_count(options.threads)
    bars, values = series(options.bars), QUICK if options.quick else PIECE
    windows, cells = matrix_windows(bars)
    print(f"{bars.name}, {len(bars):,} bars, {threads} threads")
    tiny = dict.fromkeys(load_grid("phase1_slim", find_strategy("atr_d_l").parameters).names, 1)
    for name in (*FITNESSES, careful):
        emulate(request_of(bars, tiny, fitness=find_fitness(name)), threads=1)
    print(f"{'':<42}{'combin.':>9}{'windows':>9}{'seconds':>10}{'cpu s':>10}")
    found, ratios = [], {}
    for name in (*FITNESSES, careful):
        label = name if isinstance(name, str) else "own function"
        single = request_of(bars, values, fitness=find_fitness(name))
        cell = timed(single, threads)
        report(f"{label}, one cell", single, cell)
        many = request_of(bars, values, fitness=find_fitness(name), windows=windows)
        matrix = timed(many, threads)
        report(f"{label}, {len(cells)} cells", many, matrix)
        found += [cell.found, matrix.found]
        ratios[label] = matrix.cpu / cell.cpu
    for label, ratio in ratios.items():
        print(f"{f'{label}, matrix / cell':<42}{ratio:>9.2f}")
    scored = score_matrix(matrix_of(found[1], cells), Criteria())
    print(f"{'cells that pass with net_profit':<42}{scored['passes'].sum():>9,}")
    print(f"{'peak memory':<42}{memory.bytes / 1e9:>9.2f} GB")
    print(f"{'hash of all results':<42}{digest(found)}")


if __name__ == "__main__":
    main()
