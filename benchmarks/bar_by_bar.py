"""The yardstick: ATR-D long as a plain Numba loop over bars, the way it is usually written.

`simulate` walks every bar of a window and gives the six totals of `meseta.engine.Report`.
`simulate_many` hands it levels, stops and tightening that were computed beforehand, which costs
memory for every series but no time. `simulate_parameters` computes them for each combination
from the prices, as an optimiser does that calls a strategy with parameters; the sums run along,
so that an average costs one addition and one subtraction for a bar.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, error_model="numpy")
def simulate(o, h, low, c, level, shield, stop, tightening, first, window, costs, out):
    """Write profit, trades and drawdown of both sides of one window into `out`."""
    start, split, end = window
    capital, per_share, commission, slippage, lot = costs
    equity, peak, drawdown, trades = capital, capital, 0.0, 0
    holding, fill, shares, paid, top, final, entered = False, 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for t in range(start, end):
        price, leaves = 0.0, False
        if t > start and not holding and t - 1 >= first:
            at = level[t - 1]
            wanted = math.floor(equity / at / lot) * lot
            if wanted >= lot and h[t] >= at:
                holding, shares, entered = True, wanted, t
                fill = max(o[t], at) + slippage
                paid = commission * fill * shares
                trades += 1
                amount = shield[t - 1]
                if amount > 0:
                    if h[t] - o[t] < o[t] - low[t]:
                        leaves, price = low[t] <= h[t] - amount, h[t] - amount
                    elif o[t] >= at and low[t] <= o[t] - amount:
                        leaves, price = True, o[t] - amount
                    else:
                        leaves, price = c[t] <= h[t] - amount, h[t] - amount
        elif holding:
            amount = (c[t - 1] - final) * tightening[t - 1]
            if amount < 0 or o[t] <= top - amount:
                leaves, price = True, o[t]
            else:
                top = max(top, o[t])
                if h[t] - o[t] < o[t] - low[t]:
                    top = max(top, h[t])
                    leaves, price = low[t] <= top - amount, top - amount
                elif low[t] <= top - amount:
                    leaves, price = True, top - amount
                else:
                    top = max(top, h[t])
                    leaves, price = c[t] <= top - amount, top - amount
        if holding and not leaves:
            top = h[t] if t == entered else max(top, h[t])
            final = stop[t] if t == entered else max(final, stop[t])
        price -= slippage
        if holding and not leaves and t == end - 1:
            leaves, price = True, c[t]
        if leaves:
            exit_cost = commission * price * shares + per_share * shares
            equity += (price - fill) * shares - paid - exit_cost
            holding = False
        mark = equity - paid + (c[t] - fill) * shares if holding else equity
        peak = max(peak, mark)
        drawdown = max(drawdown, peak - mark)
        if t == split - 1:
            gained = equity + (c[t] - fill) * shares if holding else equity
            out[0], out[2], out[4] = gained - capital, trades, drawdown
            peak, drawdown, trades = mark, 0.0, 1 if holding else 0
    out[1], out[3], out[5] = equity - capital - out[0], trades, drawdown


@njit(nogil=True, error_model="numpy")
def simulate_many(o, h, low, c, levels, shields, stops, series, which, first, windows, costs):
    """Run combinations `which` (entry, exit, series numbers) over every window."""
    out = np.zeros((which.shape[0], windows.shape[0], 6))
    for k in range(which.shape[0]):
        e, x, g = which[k]
        for w in range(windows.shape[0]):
            simulate(
                o, h, low, c, levels[e], shields[x], stops[x], series[g], first,
                (windows[w, 0], windows[w, 1], windows[w, 2]), costs, out[k, w],
            )  # fmt: skip
    return out


@njit(nogil=True, error_model="numpy")
def running_mean(values, length, out):
    total = 0.0
    for t in range(values.size):
        total += values[t]
        if t >= length:
            total -= values[t - length]
        out[t] = total / length if t >= length - 1 else np.nan


@njit(nogil=True, error_model="numpy")
def signals(h, low, c, ranges, cap, p, level, shield, stop, tight):
    """Write level, shield, stop and tightening of one combination; `p` has its parameters."""
    running_mean(ranges[: c.size], int(p[0]), stop)
    running_mean(ranges[: c.size], int(p[7]), level)
    weight, smooth = 2.0 / (p[9] + 1.0), np.nan
    length, total, squares = int(p[2]), 0.0, 0.0
    for t in range(c.size):
        distance, middle = stop[t] * p[1], (h[t] + low[t]) / 2.0
        stop[t] = middle - distance
        shield[t] = c[t] - (middle - min(distance, 4.0 * cap[t]))
        smooth = level[t] if np.isnan(smooth) else smooth + weight * (level[t] - smooth)
        level[t] = c[t] + p[8] * smooth
        total, squares = total + c[t], squares + c[t] * c[t]
        if t >= length:
            total, squares = total - c[t - length], squares - c[t - length] * c[t - length]
        mean = total / length
        width = 2.0 * p[3] * math.sqrt(max(squares / length - mean * mean, 0.0)) / mean
        ratio = width / p[4]
        if ratio < 1.0:
            ratio = math.sqrt(ratio) if p[6] == 1 else ratio * ratio if p[6] == 2 else ratio
            tight[t] = max(ratio, p[5])
        else:
            tight[t] = 1.0


@njit(nogil=True, error_model="numpy")
def simulate_parameters(o, h, low, c, ranges, cap, points, first, windows, costs):
    """Run combinations given by their parameters, shape (n, 11), over every window."""
    out = np.zeros((points.shape[0], windows.shape[0], 6))
    scratch = np.empty((4, c.size))
    level, shield, stop, tight = scratch[0], scratch[1], scratch[2], scratch[3]
    for k in range(points.shape[0]):
        for w in range(windows.shape[0]):
            end = windows[w, 2]
            signals(
                h[:end], low[:end], c[:end], ranges, cap, points[k],
                level[:end], shield[:end], stop[:end], tight[:end],
            )  # fmt: skip
            simulate(
                o, h, low, c, level, shield, stop, tight, first,
                (windows[w, 0], windows[w, 1], end), costs, out[k, w],
            )  # fmt: skip
    return out
