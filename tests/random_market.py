"""Random markets, windows and accounts for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from meseta.account import Account
from meseta.bars import Bars
from meseta.engine import Window
from meseta.strategies import FLAT, LONG, SHORT, Orders, Protection, Rules

FIRST_DAY = np.datetime64("2000-01-03", "us")
DAY = np.timedelta64(1, "D")


def bars_of(rows, name="bars", **how):
    """Daily bars from rows of open, high, low, close."""
    columns = np.asarray(rows, dtype=float).reshape(-1, 4).T
    time = FIRST_DAY + np.arange(columns.shape[1]) * DAY
    return Bars.from_arrays(time, *columns, name=name, **how)


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
def accounts(draw, price, commissions=(0.0, 0.001, 0.05)):
    """Capital for a fraction of a share up to thousands, with and without costs.

    Parameters
    ----------
    price
        What a share costs, so that an account fits its market.
    commissions
        Fractions of traded value; a large one makes orders fail that were affordable.
    """
    lot = draw(st.sampled_from([1.0, 1.0, 0.01, 0.3, 7.0, 100.0]))
    afford = draw(st.sampled_from([1.5, 3.2, 20.0, 1000.0, 0.7, 100.0]))
    return Account(
        capital=price * lot * afford,
        cost_per_share=price * draw(st.sampled_from([0.0, 0.0004, 0.02])),
        commission=draw(st.sampled_from(commissions)),
        slippage=price * draw(st.sampled_from([0.0, 0.0003, 0.01])),
        lot=lot,
    )


_PRICES = st.integers(4, 16)
_WICKS = st.sampled_from([0, 0, 1, 2, 4])


@st.composite
def _next_to(draw, close):
    """A bar that opens at or beside the last close."""
    opened = max(3, close + draw(st.sampled_from([0, 0, 1, -1])))
    closed = max(3, opened + draw(st.integers(-4, 4)))
    high, low = max(opened, closed) + draw(_WICKS), min(opened, closed) - draw(_WICKS)
    return opened, high, max(1, low), closed


@st.composite
def _anywhere(draw, close):
    """A bar that has nothing to do with the last one."""
    low, *inner, high = sorted(draw(_PRICES) for _ in range(4))
    if draw(st.booleans()):
        inner.reverse()
    return inner[0], high, low, inner[1]


@st.composite
def tiny_bars(draw):
    """A few bars on whole prices, so that nearly every comparison meets a tie.

    They follow each other, so that orders are met on the way, or they jump.
    """
    rows, kind = [(10, 11, 9, 10)], draw(st.sampled_from([_next_to, _anywhere]))
    for _ in range(draw(st.integers(3, 23))):
        rows.append(draw(kind(rows[-1][3])))
    return bars_of(rows)


def column(values, count):
    """A strategy for one value for each bar."""
    values = values if isinstance(values, st.SearchStrategy) else st.sampled_from(values)
    return st.lists(values, min_size=count, max_size=count).map(np.array)


_FACTORS = ([1.0], [0.5], [0.25, 0.5], [1.0, 0.5, 0.25, 0.1, 0.3, 1 / 3])


@st.composite
def any_orders(draw, bars, shorts):
    """Stop orders near the close and market orders, some of them missing."""
    count, close = len(bars), bars.close
    sides = [LONG, FLAT, SHORT] if shorts else [LONG, LONG, FLAT]
    side = draw(column(sides, count)).astype(np.int8)
    offset = draw(column(draw(st.sampled_from([range(-3, 5), range(3)])), count))
    stop = np.maximum(close + side * offset, 1.0)
    kinds = draw(st.sampled_from([["stop"], ["market"], ["stop", "stop", "market"]]))
    market = draw(column(kinds, count)) == "market"
    level = np.where(market, np.where(side == SHORT, np.inf, -np.inf), stop)
    missing = draw(column([0, 0, 0, 0, 0, 0, 0, 0, 1, 2], count))
    level[missing == 1] = np.nan
    return Orders(side, level, np.where(missing == 2, np.nan, np.where(market, close, stop)))


@st.composite
def any_leaves(draw, bars, shorts):
    """Closes at which longs and shorts are left, or None."""
    kinds = st.sampled_from([None, [True, False], [True, False, False, False]])
    given = [draw(kinds) for _ in range(2 if shorts else 1)]
    found = [None if kind is None else draw(column(kind, len(bars))) for kind in given]
    return found[0], found[1] if shorts else None


def turned(orders, leaves, close):
    """Orders that are the other way at every close that leaves a position, as `turns` asks."""
    long, short = (np.zeros(close.size, np.bool_) if each is None else each for each in leaves)
    side, level, price = (each.copy() for each in orders)
    side[long & (side == LONG)] = SHORT
    side[short & (side == SHORT)] = LONG
    side[long & short] = FLAT
    left = long | short
    level[left] = np.where(side == SHORT, np.inf, -np.inf)[left]
    price[left] = np.where(np.isnan(price), np.nan, close)[left]
    return Orders(side, level, price)


@st.composite
def any_protection(draw, bars, way, *, undefined=0):
    """A stop near the close that trails or rests; NaN on bars before `undefined`."""
    count = len(bars)
    kinds = [[-1, 0, 1, 2, 3, 6, 50], [1, 2, 3], [3, 6, 50]]
    stop = bars.close - way * draw(column(draw(st.sampled_from(kinds)), count)).astype(float)
    stop[:undefined] = np.nan
    shield = draw(column([-1.0, 0.0, 1.0, 2.0, 2.5, 5.0, np.nan], count))
    return Protection(stop, shield, draw(st.booleans()))


@st.composite
def any_rules(draw, bars):
    """Rules of every kind, near the prices, as no indicator gives them."""
    count, shorts = len(bars), draw(st.booleans())
    first = draw(st.sampled_from([0, 0, 0, 1, 2, count - 1, count, count + 2]))
    undefined = draw(st.sampled_from([0, first]))
    leaves, turns = draw(any_leaves(bars, shorts)), shorts and draw(st.booleans())
    modes = draw(st.sampled_from([1, 3 if shorts else 2]))
    orders = [draw(any_orders(bars, shorts)) for _ in range(modes)]
    if turns:
        orders[0] = turned(orders[0], leaves, bars.close)
    return Rules(
        orders=tuple(orders),
        clears=draw(column([True, False, False, False], count)),
        long=draw(any_protection(bars, LONG, undefined=undefined)),
        short=draw(any_protection(bars, SHORT, undefined=undefined)) if shorts else None,
        tightening=draw(column(draw(st.sampled_from(_FACTORS)), count)),
        leave_long=leaves[0],
        leave_short=leaves[1],
        turns=turns,
        reverses_long=shorts and draw(st.booleans()),
        reverses_short=shorts and draw(st.booleans()),
        first=first,
    )
