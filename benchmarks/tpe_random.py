"""The tree-structured Parzen estimator against random draws, at equal budget, on real markets.

    uv run python benchmarks/tpe_random.py               # both markets, 20 seeds, 100 trials
    uv run python benchmarks/tpe_random.py --seeds 5 --trials 60
    uv run python benchmarks/tpe_random.py --strategy atr_d_hma_ls --grid phase1

For each market and seed it runs two studies of a strategy's grid, one with each sampler, and
compares the best scores they found. Seeds are pairs: a study and its rival have the same. Prints
for each market how often TPE found more, medians of both, the median difference, and one-sided
p-values: of the signs (how likely so many wins are where both are alike) and of Wilcoxon's ranks
of the differences. Constraints are off, so that both look for one and the same thing.

Data: ../shared/data/etf_daily/QQQ.csv.gz beside the checkout, where it is, and sample:nasdaq; all
bars but the first 100. Costs: 5 basis points of traded value, a cent of slippage.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, wilcoxon

import meseta as ms
from meseta.bayes import Constraints, Objective, StudyOptions, run_study
from meseta.optimise import StrategyProblem, space_of

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "etf_daily" / "QQQ.csv.gz"
# Nothing is asked of a trial but a score.
NONE = Constraints(
    min_sharpe=-1e9, max_drawdown=1, min_trades=0, min_win_rate=0, min_profit_factor=-1e9,
    min_calmar=-1e9,
)  # fmt: skip


class Pair(NamedTuple):
    """Best scores of two studies with one seed."""

    tpe: float
    random: float


def best(problem: StrategyProblem, grid: str, sampler: str, seed: int, trials: int) -> float:
    """Return the best score of a study; the worst possible where no trial has one."""
    options = StudyOptions(trials=trials, seed=seed, sampler=sampler, workers=1)
    space = space_of(problem.found, grid)
    study = run_study(problem, space, Objective(), NONE, options, name="race")
    scores = [trial.fixed_score for trial in study.trials if trial.fixed_score is not None]
    return max(scores, default=-1.0)


def race(bars: ms.Bars, strategy: str, grid: str, seeds: int, trials: int) -> list[Pair]:
    """Run both samplers with each seed."""
    account = ms.Account(commission=0.0005, slippage=0.01)
    problem = StrategyProblem(bars=bars, strategy=strategy, account=account)
    return [
        Pair(*(best(problem, grid, sampler, seed, trials) for sampler in ("tpe", "random")))
        for seed in range(seeds)
    ]


def told(name: str, pairs: list[Pair]) -> str:
    """Return a line on a market."""
    tpe, rival = np.array(pairs).T
    gain = tpe - rival
    won, lost = int((gain > 0).sum()), int((gain < 0).sum())
    sign = binomtest(won, won + lost, alternative="greater").pvalue if won + lost else 1.0
    ranks = wilcoxon(gain, alternative="greater").pvalue if won + lost else 1.0
    return (
        f"{name:<16} {won:>3} of {len(pairs):<3} {np.median(tpe):>9.4f} {np.median(rival):>9.4f} "
        f"{np.median(gain):>+10.4f} {sign:>9.4f} {ranks:>9.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--strategy", default="atr_d_ls")
    parser.add_argument("--grid", default="phase1_slim")
    parser.add_argument("--bars", nargs="*", default=None)
    args = parser.parse_args()
    sources = args.bars or [*([str(SHARED)] if SHARED.is_file() else []), "sample:nasdaq"]
    print(f"{args.strategy} {args.grid}, {args.seeds} seeds, {args.trials} trials")
    print(f"{'market':<16} {'TPE won':>10} {'TPE':>9} {'random':>9} {'difference':>10} "
          f"{'p signs':>9} {'p ranks':>9}")  # fmt: skip
    for source in sources:
        bars = ms.load(source)
        begun = time.perf_counter()
        pairs = race(bars, args.strategy, args.grid, args.seeds, args.trials)
        seconds = time.perf_counter() - begun
        print(told(bars.name, pairs), f"  {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
