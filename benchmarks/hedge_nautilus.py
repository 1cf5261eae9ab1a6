"""The same hedge grids compiled and on NautilusTrader: time, ratio, and a hash of the trades.

    uv run --extra nautilus --no-group newest-pandas python benchmarks/hedge_nautilus.py
    ... benchmarks/hedge_nautilus.py [folder with the bars and funding of BTCUSDT]

A month of real one-minute bars with the funding that was paid. The compiled simulator: best of
some rounds on one thread, its indicators prepared once. NautilusTrader: one run in a fresh
process, from the engine's making to its last bar ("run"), in seconds of processor time as the
compiled one; and on the clock with the process's start and imports ("process"). The hash is of
every lot's side, level, quantity, bars, prices and reason, so it is the same where both engines
made the same trades.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

import numpy as np

from meseta.bars import load
from meseta.confirm import ENGINE, causes_of, require_engine
from meseta.confirm._engine import Job, run_job
from meseta.confirm._process import answers_of
from meseta.hedge import Funding, GridSettings, HedgeMarket, HedgeProblem
from meseta.hedge._problem import parts_of

CRYPTO = Path(__file__).resolve().parents[2] / "shared" / "data" / "crypto"
BARS, FUNDING = "BTCUSDT_perp_1m_2025-05.csv.gz", "BTCUSDT_perp_funding_8h.csv.gz"
ROUNDS, LONGEST = 7, 900.0
NARROW = {"grid_step_bps": 10.0, "tp_steps": 2, "sl_steps": 4, "recenter_trigger_bps": 50.0}
GRIDS = {
    "baseline": {},
    "narrow": NARROW | {"base_qty": 0.003},
    "5 bps, 10 rungs a side": NARROW | {
        "grid_step_bps": 5.0, "grid_levels_long": 10, "grid_levels_short": 10, "sl_steps": 3,
        "recenter_trigger_bps": 60.0,
    },
}  # fmt: skip


def main() -> None:
    """Print the table."""
    require_engine()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else CRYPTO
    if not (folder / BARS).is_file():
        sys.exit(f"there is no {folder / BARS}; give the folder that holds it as the argument")
    bars = load(folder / BARS, timezone="UTC")
    market = HedgeMarket.make(bars, Funding.load(folder / FUNDING))
    problem = HedgeProblem.make(market, GridSettings())
    print(f"{len(bars):,} bars of a minute, {bars.name}; {ENGINE}")
    print(f"{'':26}{'lots':>8}{'run, s':>10}{'process, s':>12}{'ratio':>10}   hash of the trades")
    for name, params in GRIDS.items():
        row(name, params, problem)


def row(name: str, params: dict[str, float], problem: HedgeProblem) -> None:
    """Time one grid on both, and say why they differ where they do."""
    runner = problem.evaluator()
    fast, compiled = min((timed(runner, params) for _ in range(ROUNDS)), key=lambda made: made[0])
    parameters, settings = parts_of(params, problem.settings)
    job = Job(problem.market, parameters, settings, problem.span)
    (answer,) = answers_of(clocked, [job], workers=1, timeout=LONGEST)
    print(f"{name:26}{len(compiled.lots):8,}{fast:10.4f}{'':12}{'1':>10}   {digest(compiled)}")
    if answer.value is None:
        sys.exit(f"  NautilusTrader: {answer.error}")
    slow, engine = answer.value
    print(
        f"{'  NautilusTrader':26}{len(engine.result.lots):8,}{slow:10.2f}{answer.seconds:12.2f}"
        f"{slow / fast:10,.0f}   {digest(engine.result)}"
    )
    for cause in causes_of(problem.market, parameters, settings, compiled, engine):
        print(f"    {cause.name}: {cause.difference:.4f} in {cause.count:,} lots")


def timed(runner, params):
    """Return the time of a compiled run and what it made."""
    begin = time.process_time()
    result = runner.result(params)
    return time.process_time() - begin, result


def clocked(job: Job):
    """Return the time of a run on NautilusTrader, imports not counted, and what it made."""
    # Imported before the clock starts; run_job would do it first thing.
    import meseta.confirm._nautilus  # noqa: F401

    begin = time.process_time()
    result = run_job(job)
    return time.process_time() - begin, result


def digest(result) -> str:
    """Return a short hash of the trades, prices to six decimals, whatever their order in a bar."""
    whole, lots = hashlib.sha256(), np.sort(result.lots, order=("entry_bar", "side", "level"))
    for field in ("side", "level", "entry_bar", "exit_bar", "reason"):
        whole.update(lots[field].astype(np.int64).tobytes())
    for field in ("quantity", "entry_price", "exit_price"):
        whole.update(np.round(1e6 * lots[field]).astype(np.int64).tobytes())
    return whole.hexdigest()[:12]


if __name__ == "__main__":
    main()
