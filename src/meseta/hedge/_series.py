"""A market and its rules as the arrays and numbers that the compiled simulator reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.hedge._market import HedgeMarket
    from meseta.hedge._parameters import GridParameters
    from meseta.hedge._settings import GridSettings

__all__ = ["Series", "Terms", "prepare", "terms_of"]


class Series(NamedTuple):
    """What every parameter set has in common.

    ``guard_cost`` is the cost of funding over the window, basis points, with the sign of the
    rate, 0 where there is no settlement ahead in the window; ``guard_tenths`` what the paying
    side may then order. ``due_rows`` are rows before which ``due_rates`` are paid on
    ``due_marks``. ``volume`` is empty where nothing caps fills.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    guard_cost: FloatArray
    guard_tenths: Any
    due_rows: IntArray
    due_rates: FloatArray
    due_marks: FloatArray


class Terms(NamedTuple):
    """Parameters and settings; what is switched off is infinite, prices' steps as reciprocals."""

    step_bps: float
    levels_long: int
    levels_short: int
    base_qty: float
    qty_scale: float
    tp_steps: int
    sl_steps: int
    counter_levels: int
    counter_scale: float
    recenter_bps: float
    max_cost: float
    max_position_pct: float
    capital: float
    tick: float
    tick_inverse: int
    lot: float
    lot_inverse: int
    min_lots: int
    min_notional: float
    maker: float
    taker: float
    slip: float
    beyond: int
    participation: float
    maintenance: float
    leverage: float
    max_lots: int
    max_inventory: float
    max_stop: float
    core_and_scalp: bool
    drawdown_stop: float


def prepare(market: HedgeMarket, settings: GridSettings) -> Series:
    """Return the arrays of a market."""
    bars = market.bars
    cost, tenths = _guard(market, settings.funding_window_minutes)
    capped = settings.participation is not None and bars.volume is not None
    rows, rates, marks = market.settlements
    volume = bars.volume if capped and bars.volume is not None else np.empty(0)
    prices = (bars.open, bars.high, bars.low, bars.close)
    arrays = (*prices, volume, cost, tenths, rows, rates, marks)
    return Series(*(_read_only(array) for array in arrays))


def _read_only(array: Any) -> Any:
    """Return a view of an array: the kernel is compiled for one kind of arrays alone."""
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view


def _guard(market: HedgeMarket, window: int) -> tuple[FloatArray, Any]:
    """Return cost and tenths at each close, from the last rate settled before it."""
    rows, funding = len(market.bars), market.funding
    cost, tenths = np.zeros(rows), np.full(rows, 10, np.int8)
    if funding is None:
        return cost, tenths
    opens = market.bars.time.astype("datetime64[m]").astype(np.int64)
    settled = funding.time.astype("datetime64[m]").astype(np.int64)
    now = opens + market.minutes
    last = np.searchsorted(settled, now) - 1
    known = np.maximum(last, 0)
    rate, hours = funding.rate[known], funding.interval_hours[known]
    ahead = settled[known] + np.rint(hours * 60).astype(np.int64) - now
    inside = (last >= 0) & (ahead >= 0) & (ahead <= window)
    paid = np.abs(rate) * 10_000.0 * (window / 60) / hours
    cost[inside] = np.copysign(paid, rate)[inside]
    tenths[inside] = (10 * ahead // window)[inside]
    return cost, tenths


def terms_of(p: GridParameters, s: GridSettings) -> Terms:
    """Return parameters and settings as numbers."""
    inverse = _reciprocal(s.lot)
    return Terms(
        float(p.grid_step_bps), p.grid_levels_long, p.grid_levels_short, float(p.base_qty),
        float(p.qty_scale), p.tp_steps, p.sl_steps, p.counter_levels, float(p.counter_qty_scale),
        float(p.recenter_trigger_bps), float(p.funding_max_cost_bps), float(p.max_position_pct),
        float(s.capital), float(s.tick), _reciprocal(s.tick), float(s.lot), inverse,
        max(1, math.ceil(_steps(s.min_quantity, s.lot, inverse) - 1e-9)), float(s.min_notional),
        float(s.maker_fee), float(s.taker_fee), float(s.slippage_ticks * s.tick),
        0 if s.touch_fills else 1, float(s.participation or math.inf),
        float(s.maintenance_margin), float(min(s.max_leverage_used, s.leverage)),
        math.floor(_steps(s.max_position_size, s.lot, inverse) + 1e-9),
        float(s.max_inventory_quote), float(s.max_stop_pct or math.inf),
        s.policy == "core-and-scalp", float(s.drawdown_stop or math.inf),
    )  # fmt: skip


def _reciprocal(unit: float) -> int:
    """Return how many units make 1; 0 where that is no whole number."""
    inverse = round(1.0 / unit)
    return inverse if inverse and abs(inverse * unit - 1.0) < 1e-9 else 0


def _steps(value: float, unit: float, inverse: int) -> float:
    return value * inverse if inverse else value / unit
