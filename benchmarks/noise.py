"""What studies find where nothing is: the best of 100 trials against its formula, and fairness.

    uv run python benchmarks/noise.py [folder with the market data]

The markets are made by coins (`shuffled`) from 120 days of BTCUSDT and from the first 2,500 bars
of QQQ. First: the Sharpe ratio of the trial with the best score in 40 studies of the hedge grid,
beside what the formula expects of the best of as many independent trials; how often that trial
would pass for sure (a deflated Sharpe ratio of 0.95), and on how many markets some trial meets
all constraints. Then: what parameter sets drawn at random make without costs on 1,000 markets, in
standard errors from nothing. It measures no time; it takes a minute or two.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from meseta.account import Account
from meseta.bars import load
from meseta.bayes import Constraints, Objective, StudyOptions, Trial, run_study
from meseta.bayes._luck import daily_returns, luck_of
from meseta.hedge import GridSettings, HedgeMarket, HedgeProblem, hedge_space
from meseta.optimise import StrategyProblem, space_of
from meseta.strategies import find_strategy

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BARS, SHARES = "crypto/BTCUSDT_perp_5m.csv.gz", "etf_daily/QQQ.csv.gz"
DAYS, MARKETS, TRIALS, FAIR, DRAWS = 120, 40, 100, 1000, 4
SURE = 0.95
FREE = {"maker_fee": 0.0, "taker_fee": 0.0, "slippage_ticks": 0}
STUDIES = {
    "TPE": ("tpe", {}),
    "TPE, no costs": ("tpe", FREE),
    "random, no costs": ("random", FREE),
}
GRIDS = {"atr_d_l": "phase1_slim", "atr_d_ls": "phase1_slim", "ma_cross": "default",
         "rsi_reversion": "default"}  # fmt: skip


def main() -> None:
    """Print both tables."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if not (folder / BARS).is_file():
        sys.exit(f"there is no {folder / BARS}; give the folder that holds it as the argument")
    bars = load(folder / BARS, timezone="UTC").slice(0, DAYS * 288)
    with ProcessPoolExecutor() as pool:
        print(f"{MARKETS} markets of {DAYS} days, {TRIALS} trials; Sharpe ratios are means")
        print(f"{'':20}{'chosen':>8}{'formula':>9}{'beats it':>10}{'sure':>6}{'feasible':>10}")
        for name, (sampler, costs) in STUDIES.items():
            rows = list(pool.map(partial(study, bars, sampler, costs), range(1, MARKETS + 1)))
            chosen, noise, deflated, met = map(np.array, zip(*rows, strict=True))
            print(f"{name:20}{chosen.mean():8.2f}{noise.mean():9.2f}"
                  f"{(chosen > noise).mean():10.0%}{(deflated >= SURE).sum():6}"
                  f"{(met > 0).sum():10}")  # fmt: skip
        shares = load(folder / SHARES).slice(0, 2500)
        print(f"\n{FAIR} markets from {shares.name}, {DRAWS} sets each; returns without costs")
        print(f"{'':20}{'mean':>8}{'error':>9}{'in errors':>10}")
        for name, grid in GRIDS.items():
            made = np.array(list(pool.map(partial(fair, shares, name, grid), range(1, FAIR + 1))))
            error = made.std(ddof=1) / np.sqrt(FAIR)
            print(f"{name:20}{made.mean():8.2%}{error:9.2%}{made.mean() / error:10.1f}")


def study(bars, sampler, costs, seed) -> tuple[float, float, float, int]:
    """Return the chosen Sharpe ratio, the formula's, the deflated one, and feasible trials."""
    settings = GridSettings(min_notional=5.0, **costs)
    problem = HedgeProblem.make(HedgeMarket.make(bars), settings).shuffled(seed)
    space = hedge_space(
        price=float(problem.market.bars.high.max()),
        low_price=float(problem.market.bars.low.min()),
        settings=settings,
        has_funding=False,
    )
    trials = searched(problem, space, sampler, TRIALS, seed)
    scored = [trial for trial in trials if trial.fixed_score is not None]
    best = max(scored, key=lambda trial: trial.fixed_score)
    curve = problem.evaluator().curve(best.params)
    returns, year = daily_returns(problem.time[slice(*problem.span)], curve)
    sharpes = [trial.metrics.sharpe for trial in scored]
    luck = luck_of(sharpes, best.metrics.sharpe, returns, year=year)
    met = sum(trial.feasible for trial in trials)
    return best.metrics.sharpe, luck.sharpe_expected_of_noise, luck.deflated_sharpe or 0.0, met


def fair(bars, name, grid, seed) -> float:
    """Return what some parameter sets drawn at random make on a market on average."""
    strategy, account = find_strategy(name), Account(capital=1_000_000.0)
    problem = StrategyProblem(bars=bars, strategy=strategy, account=account).shuffled(seed)
    made = searched(problem, space_of(strategy, grid), "random", DRAWS, seed)
    return float(np.mean([trial.metrics.total_return for trial in made]))


def searched(problem, space, sampler, trials, seed) -> tuple[Trial, ...]:
    """Return the trials of a study in this process."""
    options = StudyOptions(trials=trials, sampler=sampler, seed=seed, workers=1, timeout=None)
    return run_study(problem, space, Objective(), Constraints(), options, name="noise").trials


if __name__ == "__main__":
    main()
