"""Random back-tests: a market, parameter values, a window, an account, and where to cut."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from meseta.account import Account, Contract
from meseta.bars import Bars
from meseta.engine import Window
from meseta.strategies import KernelStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta._types import FloatArray
    from meseta.strategies import Parameter, Strategy
    from meseta.strategies._separable import Values

__all__ = ["Example", "draw_values", "examples_of", "smooth_market"]

_FIRST_DAY, _DAY = np.datetime64("2000-01-03", "us"), np.timedelta64(1, "D")
# Parameter values are mostly drawn where a short series can show what they do.
_USUAL = 60


@dataclass(frozen=True)
class Example:
    """One random back-test.

    Parameters
    ----------
    bars, values, window, account, warmup
        As for a back-test.
    cut
        Bars that are left when the series is cut, at least 1 and fewer than there are.
    contract
        As for a back-test; None for shares.
    """

    bars: Bars
    values: Values
    window: Window
    account: Account
    warmup: int
    cut: int
    contract: Contract | None = None


def examples_of(strategy: Strategy, count: int, seed: int, bars: Bars | None) -> Iterator[Example]:
    """Yield random examples; every other one on a piece of `bars` where they are given."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        given = bars is not None and number % 2 == 1
        market = _piece_of(bars, rng) if bars is not None and given else _market(strategy, rng)
        yield _example(strategy, market, rng)


def _example(strategy: Strategy, bars: Bars, rng: np.random.Generator) -> Example:
    many = len(bars)
    start = int(rng.integers(0, many // 2)) if rng.random() < 1 / 3 else 0
    split = int(rng.integers(start + 1, many - 1))
    stop = int(rng.integers(split + 1, many + 1)) if rng.random() < 1 / 2 else many
    price = float(np.median(np.abs(bars.close)))
    example = Example(
        bars,
        draw_values(strategy.parameters, rng),
        Window(start, split, stop),
        _account(price, rng),
        int(rng.choice([0, 0, 1, 70])),
        int(rng.integers(2, many)),
    )
    if isinstance(strategy, KernelStrategy) and rng.random() < 1 / 3:
        return replace(example, contract=_contract(price, rng))
    return example


def _account(price: float, rng: np.random.Generator) -> Account:
    """Return an account that buys a few shares up to thousands, with and without costs."""
    lot = float(rng.choice([1.0, 1.0, 0.01, 7.0]))
    return Account(
        capital=price * lot * float(rng.choice([3.2, 20.0, 100.0, 1000.0])),
        cost_per_share=price * float(rng.choice([0.0, 0.0004])),
        commission=float(rng.choice([0.0, 0.001, 0.02])),
        slippage=price * float(rng.choice([0.0, 0.0003, 0.01])),
        lot=lot,
    )


def _contract(price: float, rng: np.random.Generator) -> Contract:
    """Return one or a few futures, with and without a tick that orders are rounded to."""
    return Contract(
        quantity=float(rng.choice([1.0, 3.0])),
        point_value=float(rng.choice([1.0, 50.0])),
        tick=price * float(rng.choice([0.0, 1 / 256])),
    )


def draw_values(parameters: tuple[Parameter, ...], rng: np.random.Generator) -> Values:
    """Return random legal values, most or few of them from named grids where there are some."""
    share = rng.choice([0.1, 0.9])
    return {each.name: _value(each, rng, share) for each in parameters}


def _value(parameter: Parameter, rng: np.random.Generator, share: float) -> float:
    named = [value for values in parameter.grids.values() for value in values]
    if named and rng.random() < share:
        return parameter.check(float(rng.choice(named)))
    low, high = parameter.low, parameter.high
    if parameter.whole:
        low, most = int(low), int(high) if rng.random() < 0.1 else int(min(high, low + _USUAL))
        return parameter.check(int(rng.integers(low, most + 1)))
    # As often around 0.1 as around 10; either sign where both are allowed.
    size = max(abs(low), abs(high))
    least = min(max(low, 0.01), size)
    drawn = math.exp(rng.uniform(math.log(least), math.log(size))) if size > 0 else 0.0
    sign = -1.0 if low < 0 and rng.random() < 1 / 2 else 1.0
    return parameter.check(_clip(sign * drawn, low, high))


def _clip(value: float, low: float, high: float) -> float:
    return float(min(max(round(value, 3), low), high))


def _market(strategy: Strategy, rng: np.random.Generator) -> Bars:
    """Return a random market, smooth or with gaps and ties, and its second symbol if needed."""
    many = int(rng.integers(150, 360))
    bars = _bars(_walk(many, rng, level=float(rng.choice([100.0, 100.0, 7.3, 5e4]))), rng)
    if not strategy.second:
        return bars
    return replace(bars, second=_bars(_walk(many, rng, level=100.0), rng))


def smooth_market(strategy: Strategy, many: int, rng: np.random.Generator) -> Bars:
    """Return a market without ties, on which equal prices decide nothing, near its first price."""
    bars = _bars(_walk(many, rng, level=100.0, calm=True), rng)
    if not strategy.second:
        return bars
    return replace(bars, second=_bars(_walk(many, rng, level=100.0, calm=True), rng))


def _piece_of(bars: Bars, rng: np.random.Generator) -> Bars:
    many = min(len(bars), int(rng.integers(150, 600)))
    start = int(rng.integers(0, len(bars) - many + 1))
    return bars.slice(start, start + many)


def _walk(many: int, rng: np.random.Generator, *, level: float, calm: bool = False) -> FloatArray:
    """Return rows of open, high, low and close that gap, pause and tie more than markets do."""
    step = 0.01 if calm else float(rng.choice([0.02, 0.005, 0.06]))
    gaps, flats = rng.choice([0.0, 0.5, 1.0]), 0.0 if calm else rng.choice([0.0, 0.05, 0.3])
    drift = 0.0 if calm else float(rng.choice([0.0, 0.15, -0.15]))
    rows, close = np.empty((many, 4)), level
    for t in range(many):
        opened = close * math.exp(step * rng.normal()) if rng.random() < gaps else close
        close = opened * math.exp(step * (rng.normal() + drift))
        if rng.random() < flats:
            close = opened
        up, down = np.exp(0.5 * step * np.abs(rng.normal(size=2)) * (rng.random(2) < 0.8))
        rows[t] = opened, max(opened, close) * up, min(opened, close) / down, close
    tick = 0.0 if calm else level * float(rng.choice([0.0, 1 / 40, 1 / 400]))
    return np.maximum(np.round(rows / tick), 1.0) * tick if tick else rows


def _bars(rows: FloatArray, rng: np.random.Generator) -> Bars:
    time = _FIRST_DAY + np.arange(len(rows)) * _DAY
    volume = np.round(rng.lognormal(10.0, 1.0, len(rows)))
    opened, high, low, close = rows.T
    return Bars.from_arrays(time, opened, high, low, close, volume, name="random market")
