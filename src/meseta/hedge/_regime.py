"""The regime detector, compiled: one pass over the bars for all of its means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meseta._numba import kernel
from meseta.hedge._result import DOWN, SIDEWAYS, UP

if TYPE_CHECKING:
    import numpy.typing as npt

    from meseta._types import FloatArray

__all__ = ["regimes"]


@kernel
def regimes(
    high: FloatArray, low: FloatArray, close: FloatArray, fast_len: int, slow_len: int,
    adx_len: int, atr_len: int, hysteresis: float, threshold: float, gate: float, warm: int,
) -> npt.NDArray[np.int8]:  # fmt: skip
    """Return the regime at each close; sideways before `warm` bars."""
    states = np.zeros(close.size, np.int8)
    state = SIDEWAYS
    fast = slow = rising = falling = ranges = strength = wide = 0.0
    for t in range(close.size):
        price = close[t]
        # Each mean adds up its first values and divides once; from then on it moves.
        if t < fast_len:
            fast += price
            if t == fast_len - 1:
                fast /= fast_len
        else:
            fast += 2.0 / (fast_len + 1) * (price - fast)
        if t < slow_len:
            slow += price
            if t == slow_len - 1:
                slow /= slow_len
        else:
            slow += 2.0 / (slow_len + 1) * (price - slow)
        if t == 0:
            continue
        before = close[t - 1]
        span = max(high[t] - low[t], abs(high[t] - before), abs(low[t] - before))
        up, down = high[t] - high[t - 1], low[t - 1] - low[t]
        plus = up if up > down and up > 0.0 else 0.0
        minus = down if down > up and down > 0.0 else 0.0
        if t <= adx_len:
            rising, falling, ranges = rising + plus, falling + minus, ranges + span
            if t == adx_len:
                rising, falling, ranges = rising / adx_len, falling / adx_len, ranges / adx_len
        else:
            rising = (rising * (adx_len - 1) + plus) / adx_len
            falling = (falling * (adx_len - 1) + minus) / adx_len
            ranges = (ranges * (adx_len - 1) + span) / adx_len
        if t >= adx_len:
            index = 0.0
            if ranges > 0.0:
                di_plus, di_minus = 100.0 * rising / ranges, 100.0 * falling / ranges
                if di_plus + di_minus > 0.0:
                    index = 100.0 * abs(di_plus - di_minus) / (di_plus + di_minus)
            if t < 2 * adx_len:
                strength += index
                if t == 2 * adx_len - 1:
                    strength /= adx_len
            else:
                strength = (strength * (adx_len - 1) + index) / adx_len
        if gate > 0.0:
            if t <= atr_len:
                wide += span
                if t == atr_len:
                    wide /= atr_len
            else:
                wide = (wide * (atr_len - 1) + span) / atr_len
        if t >= warm - 1:
            apart = fast - slow
            spread = 10_000.0 * apart / slow
            if strength < threshold or (gate > 0.0 and abs(apart) < gate * wide):
                state = SIDEWAYS
            elif abs(spread) >= hysteresis and spread != 0.0:
                state = UP if spread > 0.0 else DOWN
            states[t] = state
    return states
