"""Small markets of a hedge grid, drawn bar by bar or at random, and both simulators on them."""

from __future__ import annotations

import numpy as np

from meseta.bars._bars import Bars
from meseta.hedge import Funding, GridParameters, GridSettings, HedgeMarket, simulate
from meseta.hedge._reference import Reference

START = np.datetime64("2024-01-01T00:00", "us")
CURVES = (
    "equity", "realised", "unrealised", "fees", "funding", "long_exposure", "short_exposure",
    "state",
)  # fmt: skip
# Quiet bars before the drawn ones, enough for the detector.
BEFORE = 20
EASY = {
    "capital": 100_000.0, "tick": 0.5, "lot": 0.1, "min_quantity": 0.1, "min_notional": 0.0,
    "max_position_size": 1000.0, "max_inventory_quote": 1e9,
}  # fmt: skip
PLAIN = {
    "grid_step_bps": 100.0, "grid_levels_long": 2, "grid_levels_short": 2, "base_qty": 1.0,
    "qty_scale": 1.0, "tp_steps": 1, "sl_steps": 2, "adx_len": 5, "ema_fast": 5, "ema_slow": 10,
    "recenter_trigger_bps": 10_000.0,
}  # fmt: skip


def bars_of(rows, minutes=60, volume=None, start=START) -> Bars:
    """Bars of open, high, low and close."""
    o, h, low, c = np.array(rows, dtype=float).T
    time = start + np.arange(len(o)) * np.timedelta64(minutes, "m")
    return Bars.from_arrays(time, o, h, low, c, volume, name="drawn")


def drawn(rows, *, funding=None, volume=None) -> HedgeMarket:
    """Bars after quiet ones at 1000; `funding` are rates every 8 hours from the first bar on."""
    quiet = [(1000.0, 1000.0, 1000.0, 1000.0)] * BEFORE
    many = None if volume is None else [1e9] * BEFORE + list(volume)
    bars = bars_of(quiet + list(rows), volume=many)
    if funding is None:
        return HedgeMarket.make(bars)
    return HedgeMarket.make(bars, settled(funding))


def settled(rates, hours=8, start=START) -> Funding:
    time = start + np.arange(len(rates)) * np.timedelta64(hours, "h")
    return Funding.make(time, rates, [float(hours)] * len(rates))


def both(market, parameters, settings, span=None):
    """The result of the compiled simulator, which must be that of the reference."""
    fast = simulate(market, parameters, settings, span)
    slow = simulate(market, parameters, settings, span, engine="reference")
    assert_alike(fast, slow)
    return fast


def assert_alike(fast, slow):
    assert fast.lots.tolist() == slow.lots.tolist()
    for name in CURVES:
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name), name)
    assert fast.stopped_bar == slow.stopped_bar
    assert fast.liquidated == slow.liquidated


def play(rows, *, funding=None, volume=None, settings=None, **parameters):
    """Draw bars and trade them from the first drawn one on; lots have rows from 0 of these."""
    market = drawn(rows, funding=funding, volume=volume)
    made = both(
        market, grid(**parameters), account(**(settings or {})), (BEFORE, len(market.bars))
    )
    lots = made.lots.copy()
    lots["entry_bar"] -= BEFORE
    lots["exit_bar"] -= BEFORE
    return made, lots


def quoted(rows, *, funding=None, settings=None, closes=None, **parameters):
    """Orders that the reference has after the last drawn bar, by side and level."""
    market = drawn(rows, funding=funding)
    run = Reference(
        market, grid(**parameters), account(**(settings or {})), (BEFORE, len(market.bars))
    )
    run.decide(BEFORE - 1)
    for t in range(BEFORE, len(market.bars)):
        run.bar(t)
        run.decide(t)
    return {
        key: (order.rung.price, run.steps.value(order.left)) for key, order in run.orders.items()
    }


def grid(**changes) -> GridParameters:
    return GridParameters(**(PLAIN | changes))


def account(**changes) -> GridSettings:
    return GridSettings(**(EASY | changes))


def random_market(seed, bars=260, *, minutes=5, on_tick=True, size=0.003) -> HedgeMarket:
    """A wild walk near 100 with gaps, quiet spells, volume, and funding at odd hours."""
    draw = np.random.default_rng(seed)
    wild = size * draw.choice([0.0, 0.3, 1.0, 3.0], bars, p=[0.05, 0.3, 0.5, 0.15])
    trend = np.repeat(draw.normal(0, 0.4, bars // 40 + 1), 40)[:bars] * size
    moved = wild * draw.normal(size=bars) + trend
    gap = np.where(draw.random(bars) < 0.1, size * draw.normal(0, 2, bars), 0.0)
    close = np.log(100.0) + np.cumsum(moved + gap)
    o = np.concatenate([[np.log(100.0)], close[:-1]]) + gap
    high = np.maximum(o, close) + wild * draw.random(bars)
    low = np.minimum(o, close) - wild * draw.random(bars)
    rows = np.exp(np.stack([o, high, low, close], axis=1))
    rows = np.round(rows, 2) if on_tick else rows
    hours = int(draw.choice([1, 4, 8]))
    many = bars * minutes // 60 // hours + 3
    rates = draw.normal(0, 0.002, many).clip(-0.02, 0.02)
    first = START - np.timedelta64(hours * 30, "m").astype("timedelta64[h]")
    return HedgeMarket.make(
        bars_of(rows, minutes, draw.random(bars) * 40), settled(rates, hours, first)
    )
