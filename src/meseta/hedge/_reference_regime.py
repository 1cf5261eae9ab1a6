"""The regime detector bar by bar, in plain Python; the compiled one must agree bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.hedge._result import DOWN, SIDEWAYS, UP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.bars import Bars
    from meseta.hedge._parameters import GridParameters
    from meseta.hedge._settings import GridSettings

__all__ = ["adx", "average_true_range", "ema", "regimes", "warm_bars"]

Series = list[float | None]


def warm_bars(parameters: GridParameters, settings: GridSettings) -> int:
    """Return how many closed bars the detector needs before anything is traded."""
    gate = parameters.atr_len + 1 if settings.atr_gate_mult > 0 else 0
    return max(parameters.ema_slow, 2 * parameters.adx_len, gate)


def ema(values: Sequence[float], n: int) -> Series:
    """Exponential mean: the first value is the plain mean of the first `n`."""
    out: Series = [None] * len(values)
    if len(values) < n:
        return out
    level = out[n - 1] = _mean(values[:n])
    for t in range(n, len(values)):
        level += 2.0 / (n + 1) * (values[t] - level)
        out[t] = level
    return out


def wilder(values: Sequence[float], first: int, n: int) -> Series:
    """Wilder's mean of values from index `first` on: first the plain mean of `n` of them."""
    out: Series = [None] * len(values)
    start = first + n - 1
    if len(values) <= start:
        return out
    level = out[start] = _mean(values[first : first + n])
    for t in range(start + 1, len(values)):
        level = out[t] = (level * (n - 1) + values[t]) / n
    return out


def true_ranges(bars: Bars) -> list[float]:
    """Return the true range of each bar; the first has none, and 0 stands in its place."""
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    return [0.0] + [
        max(high[t] - low[t], abs(high[t] - close[t - 1]), abs(low[t] - close[t - 1]))
        for t in range(1, len(bars))
    ]


def adx(bars: Bars, n: int) -> Series:
    """Average directional index after Wilder, known from bar `2 n` on."""
    high, low = bars.high.tolist(), bars.low.tolist()
    rising, falling = [0.0], [0.0]
    for t in range(1, len(bars)):
        up, down = high[t] - high[t - 1], low[t - 1] - low[t]
        rising.append(up if up > down and up > 0 else 0.0)
        falling.append(down if down > up and down > 0 else 0.0)
    smooth = [wilder(values, 1, n) for values in (rising, falling, true_ranges(bars))]
    return wilder([_dx(*parts) for parts in zip(*smooth, strict=True)], n, n)


def _dx(rising: float | None, falling: float | None, ranges: float | None) -> float:
    if rising is None or falling is None or not ranges:
        return 0.0
    plus, minus = 100.0 * rising / ranges, 100.0 * falling / ranges
    return 100.0 * abs(plus - minus) / (plus + minus) if plus + minus > 0 else 0.0


def average_true_range(bars: Bars, n: int) -> Series:
    """Average true range after Wilder, known from bar `n + 1` on."""
    return wilder(true_ranges(bars), 1, n)


def regimes(bars: Bars, parameters: GridParameters, settings: GridSettings) -> list[int]:
    """Return the regime at each close."""
    close = bars.close.tolist()
    fast, slow = ema(close, parameters.ema_fast), ema(close, parameters.ema_slow)
    strength = adx(bars, parameters.adx_len)
    ranges = average_true_range(bars, parameters.atr_len)
    state, states = SIDEWAYS, [SIDEWAYS] * len(bars)
    for t in range(warm_bars(parameters, settings) - 1, len(bars)):
        apart = (fast[t] or 0.0) - (slow[t] or 0.0)
        spread = 10_000.0 * apart / (slow[t] or 1.0)
        gate = settings.atr_gate_mult
        gated = gate > 0 and abs(apart) < gate * (ranges[t] or 0.0)
        if (strength[t] or 0.0) < settings.adx_threshold or gated:
            state = SIDEWAYS
        elif abs(spread) >= parameters.hysteresis_bps and spread != 0:
            state = UP if spread > 0 else DOWN
        states[t] = state
    return states


def _mean(values: Sequence[float]) -> float:
    # Added one after the other: newer Pythons' sum() rounds otherwise than compiled code does.
    total = 0.0
    for value in values:
        total += value
    return total / len(values)
