"""Six months of one-minute bars through the hedge grid: compiled against bar by bar.

    uv run python benchmarks/hedge_grid.py [folder with the bars and funding of BTCUSDT]

The minutes are no recorded ones: every real 5-minute bar is walked from its open over its nearer
and its other extreme to its close, and that path is cut into five parts of the same length. Both
simulators see the same bars, so the ratio does not depend on it. The compiled one plays all of
the 263,000 bars, best of some rounds on one thread; the reference plays a part, once, and is
timed per bar. The hashes are those of the lots, of the part from either and of the whole.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

import numpy as np

from meseta.bars import load
from meseta.bars._bars import Bars
from meseta.hedge import Funding, GridSettings, HedgeMarket, HedgeProblem, simulate
from meseta.hedge._problem import parts_of

CRYPTO = Path(__file__).resolve().parents[2] / "shared" / "data" / "crypto"
BARS, FUNDING = "BTCUSDT_perp_5m.csv.gz", "BTCUSDT_perp_funding_8h.csv.gz"
MINUTES, PART, ROUNDS = 263_000, 12_000, 7
GRIDS = {
    "baseline": {},
    "narrow": {"grid_step_bps": 12.0, "tp_steps": 2, "recenter_trigger_bps": 80.0},
    "wide, 20 rungs a side": {
        "grid_step_bps": 25.0, "grid_levels_long": 20, "grid_levels_short": 20, "qty_scale": 1.0,
    },
}  # fmt: skip


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else CRYPTO
    if not (folder / BARS).is_file():
        sys.exit(f"there is no {folder / BARS}; give the folder that holds it as the argument")
    bars = load(folder / BARS, timezone="UTC")
    minutes = split(bars.slice(len(bars) - MINUTES // 5, len(bars)))
    market = HedgeMarket.make(minutes, Funding.load(folder / FUNDING))
    settings = GridSettings(min_notional=5.0)
    runner = HedgeProblem.make(market, settings).evaluator()
    print(f"{len(minutes):,} bars of a minute, split from {bars.name}, {minutes.time[0]} on")
    print(f"{'':24}{'milliseconds':>14}{'lots':>8}{'ratio per bar':>15}   hash of the lots")
    for name, params in GRIDS.items():
        row(name, params, runner, market, settings)


def row(name, params, runner, market, settings) -> None:
    """Time one grid with both simulators."""
    fast, whole = timed(lambda: runner.result(params), ROUNDS)
    scored, _ = timed(lambda: runner.metrics(params), ROUNDS)
    parameters, settings = parts_of(params, settings)
    span = (0, PART)
    slow, part = timed(lambda: simulate(market, parameters, settings, span, engine="reference"), 1)
    same = simulate(market, parameters, settings, span)
    per_bar = slow / PART / (fast / len(market.bars))
    print(f"{name:24}{1e3 * fast:14.1f}{len(whole.lots):8,}{'1.0':>15}   {digest(whole)}")
    print(f"{'  figures alone':24}{1e3 * scored:14.1f}")
    print(f"{f'  compiled, {PART:,} bars':24}{'':14}{len(same.lots):8,}{'':15}   {digest(same)}")
    print(f"{f'  by bar, {PART:,} bars':24}{1e3 * slow:14.1f}{len(part.lots):8,}{per_bar:15.0f}"
          f"   {digest(part)}")  # fmt: skip


def split(bars: Bars) -> Bars:
    """Cut the path of each 5-minute bar into five bars of a minute."""
    high_first = bars.high - bars.open < bars.open - bars.low
    near = np.where(high_first, bars.high, bars.low)
    far = np.where(high_first, bars.low, bars.high)
    corners = np.stack([bars.open, near, far, bars.close], axis=1)
    walked = np.cumsum(np.abs(np.diff(corners, axis=1)), axis=1)
    walked = np.concatenate([np.zeros((len(bars), 1)), walked], axis=1)
    rows = [minutes_of(at, path) for at, path in zip(walked, corners, strict=True)]
    o, high, low, close = np.round(np.concatenate(rows), 1).T
    time_ = (bars.time[:, None] + np.arange(5) * np.timedelta64(1, "m")).ravel()
    return Bars.from_arrays(
        time_, o, high, low, close, np.repeat(bars.volume / 5, 5), name=f"{bars.name}, split"
    )


def minutes_of(walked, corners):
    """Return open, high, low and close of five equal parts of a path."""
    cuts = np.linspace(0.0, walked[-1], 6)
    prices = np.interp(cuts, walked, corners)
    made = np.empty((5, 4))
    for k in range(5):
        inside = corners[(walked > cuts[k]) & (walked < cuts[k + 1])]
        seen = np.concatenate([prices[k : k + 2], inside])
        made[k] = prices[k], seen.max(), seen.min(), prices[k + 1]
    return made


def timed(work, rounds):
    """Return the least time of some rounds and the result; of several, one more compiles."""
    result, best = None, np.inf
    for _ in range(rounds + (rounds > 1)):
        begin = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - begin)
    return best, result


def digest(result) -> str:
    """Return a short hash of the lots."""
    return hashlib.sha256(result.lots.tobytes()).hexdigest()[:12]


if __name__ == "__main__":
    main()
