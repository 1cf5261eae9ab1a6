"""Random markets, windows and accounts for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from meseta.account import Account
from meseta.bars import Bars
from meseta.engine import Window
from meseta.strategies import LongRules

FIRST_DAY = np.datetime64("2000-01-03", "us")
DAY = np.timedelta64(1, "D")


def bars_of(rows, name="bars"):
    """Daily bars from rows of open, high, low, close."""
    columns = np.asarray(rows, dtype=float).reshape(-1, 4).T
    return Bars.from_arrays(FIRST_DAY + np.arange(columns.shape[1]) * DAY, *columns, name=name)


def walk_of(seed, count, *, step=0.02, gap=0.5, flat=0.05, tick=0.0, level=100.0, drift=0.0):
    """Rows of a random walk that gaps, pauses and ties as real markets do, and more often.

    Parameters
    ----------
    step
        Size of a move, as a fraction of the price.
    gap, flat
        Share of bars that open away from the last close; share of bars without any range.
    tick
        Prices are whole multiples of it; 0 is no tick. A coarse tick makes ties.
    level, drift
        First price; move per bar on top of chance, in steps.
    """
    rng = np.random.default_rng(seed)
    rows, close = np.empty((count, 4)), level
    for t in range(count):
        opened = close * np.exp(step * rng.normal()) if rng.random() < gap else close
        close = opened * np.exp(step * (rng.normal() + drift))
        wicks = np.exp(0.5 * step * np.abs(rng.normal(size=2)) * (rng.random(2) < 0.8))
        if rng.random() < flat:
            rows[t] = close = opened
            continue
        rows[t] = opened, max(opened, close) * wicks[0], min(opened, close) / wicks[1], close
    if not tick:
        return rows
    # Rounding keeps the order of prices, and a half tick up keeps them positive.
    return np.maximum(np.round(rows / tick), 1.0) * tick


@st.composite
def markets(draw, least=30, most=260):
    """Bars: smooth or on a coarse tick, cheap or dear, calm or wild."""
    level = draw(st.sampled_from([100.0, 100.0, 1e-6, 1e9, 7.3]))
    coarse = draw(st.sampled_from([0.0, 0.0, 1 / 40, 1 / 10, 1 / 400]))
    return bars_of(
        walk_of(
            draw(st.integers(0, 2**32 - 1)),
            draw(st.integers(least, most)),
            step=draw(st.sampled_from([0.02, 0.005, 0.08])),
            gap=draw(st.sampled_from([0.5, 0.0, 1.0])),
            flat=draw(st.sampled_from([0.05, 0.0, 0.4])),
            tick=level * coarse,
            level=level,
            drift=draw(st.sampled_from([0.0, 0.2, -0.2])),
        )
    )


@st.composite
def windows(draw, bars):
    """A window anywhere in a series."""
    start = min(
        draw(st.one_of(st.just(0), st.integers(0, bars // 2), st.integers(0, bars))), bars - 3
    )
    split = draw(st.integers(start + 1, bars - 2))
    stop = draw(st.one_of(st.just(bars), st.integers(split + 1, bars)))
    return Window(start, split, stop)


@st.composite
def accounts(draw, price):
    """Capital for a fraction of a share up to thousands, with and without costs.

    Parameters
    ----------
    price
        What a share costs, so that an account fits its market.
    """
    lot = draw(st.sampled_from([1.0, 1.0, 0.01, 0.3, 7.0, 100.0]))
    afford = draw(st.sampled_from([1.5, 3.2, 20.0, 1000.0, 0.7, 100.0]))
    return Account(
        capital=price * lot * afford,
        cost_per_share=price * draw(st.sampled_from([0.0, 0.0004, 0.02])),
        commission=draw(st.sampled_from([0.0, 0.001, 0.05])),
        slippage=price * draw(st.sampled_from([0.0, 0.0003, 0.01])),
        lot=lot,
    )


_PRICES = st.integers(4, 16)


@st.composite
def tiny_bars(draw):
    """A few bars on whole prices, so that nearly every comparison meets a tie."""
    rows = []
    for _ in range(draw(st.integers(4, 24))):
        low, *inner, high = sorted(draw(_PRICES) for _ in range(4))
        if draw(st.booleans()):
            inner.reverse()
        rows.append((inner[0], high, low, inner[1]))
    return bars_of(rows)


@st.composite
def any_rules(draw, bars):
    """Levels and stops near the prices, of a kind that no indicator gives."""
    count = len(bars)

    def column(values):
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), float)

    factors = draw(st.sampled_from([[1.0], [0.5], [0.25, 0.5], [1.0, 0.5, 0.25, 0.1, 0.3, 1 / 3]]))
    return LongRules(
        level=np.maximum(bars.close + column(st.integers(-4, 4)), 1.0),
        shield=column(st.sampled_from([-1.0, 0.0, 1.0, 2.0, 2.5, 5.0, np.nan])),
        stop=bars.close - column(st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, 6.0, 50.0])),
        tightening=column(st.sampled_from(factors)),
        first=draw(st.integers(0, count + 2)),
    )
