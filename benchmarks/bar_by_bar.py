"""The yardstick: the six ATR-D strategies as plain Numba loops over bars.

This is how such an optimiser is usually written, and a second opinion on `spec/atr-d.md` that
shares no code with the package. `simulate_points` calls a strategy with parameters: for every
combination and window it computes the series that the strategy looks at, with sums that run
along so that an average costs one addition and one subtraction for a bar, and then walks every
bar. `simulate_many` walks series that were computed beforehand, which costs memory for every
series but no time. Both give the six totals of `meseta.engine.Report`.

There is one kernel; what a strategy does not do is left out of it when it is compiled. A short
position is a long one on mirrored prices (all negative, high and low exchanged), so levels and
stops have a row for longs and, mirrored, a row for shorts. Negation is exact, so this rounds as
the formulas of the short side do.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

# Columns of `points`. A strategy reads the first eleven and those that belong to it.
COLUMNS = (
    "atr_period", "atr_multiplier", "bb_length", "bb_deviation", "vol_threshold",
    "min_tightening", "scaling_method", "atr_buy_period", "atr_buy_multiplier",
    "atr_smooth_period", "equity_price_method", "short_multiplier", "entry_mode",
    "trend_filter_period", "trend_veto_threshold", "both_triggered_mode", "hma_fast_length",
    "hma_slow_length",
)  # fmt: skip
# Columns of a trade log; `side` is 0 for a long and 1 for a short.
TRADE = ("entry_bar", "exit_bar", "side", "fill", "exit", "shares", "reason", "pnl")
# The first three leave the strategy flat, the others may open the opposite position at once.
REASONS = ("trail", "breach", "end", "cross", "reverse")
TRAIL, BREACH, END, CROSS, REVERSE = range(5)
CAP_PERIOD = 70

plain = njit(nogil=True, error_model="numpy")


class Market(NamedTuple):
    """Everything that does not depend on parameters; arrays of shape (N,) or (2, N)."""

    o: np.ndarray
    h: np.ndarray
    low: np.ndarray
    c: np.ndarray
    ranges: np.ndarray  # true ranges
    cap: np.ndarray  # their mean over 70 bars
    widths: np.ndarray  # price of the width, by equity_price_method
    hulls: np.ndarray  # price of the Hull averages, by equity_price_method


def market_of(o, h, low, c, second=None) -> Market:
    """Return what the kernels read; `second` is high, low, close of a second symbol."""
    before = np.concatenate([c[:1], c[:-1]])
    ranges = np.maximum(h, before) - np.minimum(low, before)
    ranges[0] = h[0] - low[0]
    cap = np.empty_like(c)
    running_mean(ranges, CAP_PERIOD, cap)
    hulls = np.stack([(h + low + c) / 3.0, c])
    widths = np.stack([c, c]) if second is None else np.stack([sum(second) / 3.0, second[2]])
    return Market(*map(np.ascontiguousarray, (o, h, low, c, ranges, cap, widths, hulls)))


# ---------------------------------------------------------------------------------- indicators


@plain
def running_mean(values, length, out):
    total = 0.0
    for t in range(values.size):
        total += values[t]
        if t >= length:
            total -= values[t - length]
        out[t] = total / length if t >= length - 1 else np.nan


@plain
def running_hull(values, length, spare, out):
    """Write the Hull average.

    A weighted sum loses the plain sum and gains the newest value, times its length. With zeros
    before the first value it has its full length of values when it is first read.
    """
    half, root = length // 2, hull_smooth(length)
    half_scale, scale, root_scale = weight_of(half), weight_of(length), weight_of(root)
    half_sum, half_total, weighted, total, hull, hull_total = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(values.size):
        value, raw = values[t], 0.0
        half_sum += half * value - half_total
        weighted += length * value - total
        half_total += value - (values[t - half] if t >= half else 0.0)
        total += value - (values[t - length] if t >= length else 0.0)
        if t >= length - 1:
            raw = 2.0 * half_scale * half_sum - scale * weighted
        spare[t] = raw
        hull += root * raw - hull_total
        hull_total += raw - (spare[t - root] if t >= root else 0.0)
        out[t] = root_scale * hull if t >= length + root - 2 else np.nan


@plain
def weight_of(length):
    return 2.0 / (length * (length + 1.0))


@plain
def hull_smooth(length):
    return math.floor(math.sqrt(length) + 0.5)


@plain
def short_period(p):
    return max(1, math.floor(p[0] * p[11] + 0.5))


# --------------------------------------------------------------------------------------- a walk


# Numbers go into these, not arrays: an array costs a count of its users at every call.


@plain
def mirrored(side, o, h, low, c):
    if side == 0:
        return o, h, low, c
    return -o, -low, -h, -c


@plain
def shielded(bar, good, at_open, amount):
    """Return whether the protection of the entry bar closes the position, and at what price."""
    opened, top, bottom, close = bar
    if not amount > 0.0:
        return False, 0.0
    if good:
        return bottom <= top - amount, top - amount
    if at_open and bottom <= opened - amount:
        return True, opened - amount
    return close <= top - amount, top - amount


@plain
def followed(bar, good, best, amount, turn):
    """Return why, where and from which best price an open position is closed; -1 if not.

    `turn` is the level of the order that reverses the position, minus infinity without one.
    """
    opened, top, bottom, close = bar
    if opened <= turn or amount < 0.0 or opened <= best - amount:
        return REVERSE if opened <= turn else BREACH if amount < 0.0 else TRAIL, opened, best
    best = max(best, opened)
    if good:
        best = max(best, top)
    stop = best - amount
    if bottom <= turn and turn >= stop:
        return REVERSE, turn, best
    if bottom <= stop:
        return TRAIL, stop, best
    if not good:
        best = max(best, top)
        if close <= best - amount:
            return TRAIL, best - amount, best
    return -1, 0.0, best


@plain
def crossing(fast, slow, fast_before, slow_before):
    """Return 0 where the fast average crosses to above the slow one, 1 to below, else -1."""
    if fast > slow and fast_before <= slow_before:
        return 0
    return 1 if fast < slow and fast_before >= slow_before else -1


@plain
def wanted_stop(side, slope, modes):
    """Return the side whose entry stop works with the slope filter, -1 if none.

    `side` is that of the open position, which the order would turn, or -1.
    """
    mode, threshold, both = modes
    if slope < -threshold:
        wish = 1
    elif slope > -threshold or both == 0:
        wish = 0
    else:
        return -1
    if side >= 0 and (wish == side or mode == 0 or (mode == 1 and wish == 1)):
        return -1
    return wish


@plain
def gated_stop(stopped, fast, slow):
    """Return the side that may be entered again after it was stopped out, -1 if none."""
    if stopped & 1 and fast > slow:
        return 0
    return 1 if stopped & 2 and fast < slow else -1


@cache
def walk(shorts: bool, hull: bool, logged: bool = False):
    """Compile the walk of one combination through one window.

    Its series: `level` (entry stops), `shield` (protection of the entry bar) and `stop` have a
    row for each side; `tight` is the tightening; `gate` has the slope in its first row, or the
    fast and the slow Hull average. `modes` are entry_mode, the slope's threshold and
    both_triggered_mode. Returns the number of trades, which `log` has if they are wanted.
    """

    @plain
    def settle(trade, t, price, reason, costs, log, closed):
        """Return the profit of a closed position, and log it; prices are those of its side."""
        entered, side, fill, shares, paid = trade
        value = (price if side == 0 else -price) * shares
        profit = (price - fill) * shares - paid - (costs[2] * value + costs[1] * shares)
        if logged:
            log[closed, 0], log[closed, 1], log[closed, 2] = entered, t, side
            log[closed, 3], log[closed, 4], log[closed, 5] = fill, price, shares
            log[closed, 6], log[closed, 7] = reason, profit
        return profit

    @plain
    def simulate(
        o, h, low, c, level, shield, stop, tight, gate, modes, first, window, costs, out, log
    ):
        start, split, end = window
        capital, commission, slippage, lot = costs[0], costs[2], costs[3], costs[4]
        equity, peak, drawdown, trades, closed = capital, capital, 0.0, 0, 0
        side, stopped, entered = -1, 0, 0
        fill, shares, paid, best, final = 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(start, end):
            s, row = t - 1, max(side, 0) if shorts else 0
            bar = mirrored(row, o[t], h[t], low[t], c[t])
            high_first = h[t] - o[t] < o[t] - low[t]
            # The entry order that was decided at the close before, if this bar reaches it.
            wish, cross, at, wanted = -1, -1, -np.inf, 0.0
            if t > start and s >= first:
                if hull:
                    cross = crossing(gate[0, s], gate[1, s], gate[0, s - 1], gate[1, s - 1])
                    if cross >= 0:
                        stopped = 0
                        if cross != side and (shorts or cross == 0):
                            wish = cross
                    elif side < 0:
                        wish = gated_stop(stopped, gate[0, s], gate[1, s])
                elif shorts:
                    wish = wanted_stop(side, gate[0, s], modes)
                elif side < 0:
                    wish = 0
                if wish >= 0 and cross < 0:
                    at = level[wish if shorts else 0, s]
                    if (h[t] if wish == 0 else -low[t]) < at:
                        wish = -1
                if wish >= 0:
                    worth = c[s] if cross >= 0 else at if wish == 0 else -at
                    wanted = math.floor((equity - paid) / worth / lot) * lot
                    if not (wanted >= lot and worth > 0.0):
                        wish = -1
            # An open position: closed at a cross, by its stops or by the order the other way.
            reason, price = -1, 0.0
            if side >= 0:
                if hull and cross >= 0 and cross != side:
                    reason, price = CROSS, bar[0]
                else:
                    amount = ((c[s] if row == 0 else -c[s]) - final) * tight[s]
                    turn = -at if shorts and wish >= 0 else -np.inf
                    good = high_first == (row == 0)
                    reason, price, best = followed(bar, good, best, amount, turn)
                if reason >= 0:
                    trade = (entered, row, fill, shares, paid)
                    equity += settle(trade, t, price - slippage, reason, costs, log, closed)
                    closed += 1
                    stopped |= 1 << row if reason < CROSS else 0
                    side, paid = -1, 0.0
            # An entry: from flat, or where the position was just turned.
            if wish >= 0 and side < 0 and (reason < 0 or reason >= CROSS):
                side, row = wish, wish if shorts else 0
                bar = mirrored(row, o[t], h[t], low[t], c[t])
                shares, entered, trades = wanted, t, trades + 1
                fill = max(bar[0], at) + slippage
                paid = commission * abs(fill) * shares
                best, final = bar[1], stop[row, t]
                good, at_open = high_first == (row == 0), bar[0] >= at
                leaves, price = shielded(bar, good, at_open, shield[row, s])
                if leaves:
                    trade = (entered, row, fill, shares, paid)
                    equity += settle(trade, t, price - slippage, TRAIL, costs, log, closed)
                    closed += 1
                    stopped |= 1 << row
                    side, paid = -1, 0.0
            # The close of the bar: the stop moves, the last bar ends everything, money counts.
            worth, mark = equity, equity
            if side >= 0:
                best, final = max(best, bar[1]), max(final, stop[row, t])
                worth = equity + (bar[3] - fill) * shares
                mark = worth - paid
                if t == end - 1:
                    trade = (entered, row, fill, shares, paid)
                    equity += settle(trade, t, bar[3], END, costs, log, closed)
                    closed += 1
                    mark, side = equity, -1
            peak = max(peak, mark)
            drawdown = max(drawdown, peak - mark)
            if t == split - 1:
                out[0], out[2], out[4] = worth - capital, trades, drawdown
                peak, drawdown, trades = mark, 0.0, 1 if side >= 0 else 0
        out[1], out[3], out[5] = equity - capital - out[0], trades, drawdown
        return closed

    return simulate


@cache
def from_points(shorts: bool, hull: bool, logged: bool = False):
    """Compile the walks of combinations that are given by their parameters."""
    simulate = walk(shorts, hull, logged)
    sides = 2 if shorts else 1

    @plain
    def signals(h, low, c, ranges, cap, width, hulls, p, level, shield, stop, tight, gate):
        """Write the series of one combination; row 2 of `gate` is scratch for Hull."""
        running_mean(ranges, int(p[0]), stop[0])
        running_mean(ranges, int(p[7]), level[0])
        if shorts:
            running_mean(ranges, short_period(p), stop[1])
        if hull:
            running_hull(hulls, int(p[16]), gate[2], gate[0])
            running_hull(hulls, int(p[17]), gate[2], gate[1])
        smooth, weight = np.nan, 2.0 / (p[9] + 1.0)
        average, slope_weight = c[0], 2.0 / (p[13] + 1.0) if shorts and not hull else 0.0
        length, total, squares = int(p[2]), 0.0, 0.0
        for t in range(c.size):
            middle, cap_distance = (h[t] + low[t]) / 2.0, 4.0 * cap[t]
            distance = stop[0, t] * p[1]
            stop[0, t] = middle - distance
            shield[0, t] = c[t] - (middle - min(distance, cap_distance))
            smooth = level[0, t] if np.isnan(smooth) else smooth + weight * (level[0, t] - smooth)
            level[0, t] = c[t] + p[8] * smooth
            if shorts:
                distance = stop[1, t] * (p[1] * p[11])
                stop[1, t] = -(middle + distance)
                shield[1, t] = (middle + min(distance, cap_distance)) - c[t]
                level[1, t] = -(c[t] - p[8] * smooth)
            if shorts and not hull:
                moved = average + slope_weight * (c[t] - average)
                gate[0, t] = moved - average
                average = moved
            total, squares = total + width[t], squares + width[t] * width[t]
            if t >= length:
                gone = width[t - length]
                total, squares = total - gone, squares - gone * gone
            mean = total / length
            ratio = 2.0 * p[3] * math.sqrt(max(squares / length - mean * mean, 0.0)) / mean / p[4]
            if ratio < 1.0:
                if p[6] == 1:
                    ratio = math.sqrt(ratio)
                elif p[6] == 2:
                    ratio *= ratio
                tight[t] = max(ratio, p[5])
            else:
                tight[t] = 1.0

    @plain
    def defined(p, warmup):
        """Return the first bar where a signal may be given."""
        first = max(warmup, int(max(p[0], p[2], p[7], 70.0)) - 1)
        if shorts:
            first = max(first, short_period(p) - 1)
        if hull:
            for length in (int(p[16]), int(p[17])):
                first = max(first, length + hull_smooth(length) - 2)
        elif shorts:
            first = max(first, 1)
        return first

    @plain
    def run(market, points, warmup, windows, costs, log):
        o, h, low, c, ranges, cap, widths, hulls = market
        out = np.zeros((points.shape[0], windows.shape[0], 6))
        level, shield = np.empty((sides, c.size)), np.empty((sides, c.size))
        stop, gate, tight = np.empty((sides, c.size)), np.empty((3, c.size)), np.empty(c.size)
        closed = 0
        for k in range(points.shape[0]):
            p = points[k]
            modes = (int(p[12]), p[14], int(p[15])) if shorts and not hull else (0, 0.0, 0)
            method, first = int(p[10]), defined(p, warmup)
            for w in range(windows.shape[0]):
                end = windows[w, 2]
                signals(
                    h[:end], low[:end], c[:end], ranges[:end], cap, widths[method, :end],
                    hulls[method, :end], p, level, shield, stop, tight, gate,
                )  # fmt: skip
                closed = simulate(
                    o, h, low, c, level, shield, stop, tight, gate, modes, first,
                    (windows[w, 0], windows[w, 1], end), costs, out[k, w], log,
                )  # fmt: skip
        return out, closed

    return run


NO_LOG = np.empty((0, len(TRADE)))


def features(strategy: str) -> tuple[bool, bool]:
    """Return whether a strategy of the family sells short, and whether it has Hull gates."""
    return strategy.endswith("_ls"), "_hma_" in strategy


def points_of(combinations: list[dict[str, float]]) -> np.ndarray:
    """Return parameters by name as rows of `points`, shape (n, 18)."""
    return np.array([[float(each.get(name, 0)) for name in COLUMNS] for each in combinations])


def simulate_points(strategy, market, points, warmup, windows, costs) -> np.ndarray:
    """Run combinations of a strategy over every window; totals of shape (n, windows, 6)."""
    return from_points(*features(strategy))(market, points, warmup, windows, costs, NO_LOG)[0]


def trades_of(strategy, market, point, warmup, window, costs) -> tuple[np.ndarray, np.ndarray]:
    """Return the totals and the trades (columns `TRADE`) of one combination over one window."""
    log = np.zeros((2 * market.c.size, len(TRADE)))
    totals, count = from_points(*features(strategy), logged=True)(
        market, point[None, :], warmup, np.array([window]), costs, log
    )
    trades = log[:count]
    trades[trades[:, 2] == 1, 3:5] *= -1.0
    return totals[0, 0], trades


# ------------------------------------------------------------------------------ ATR-D long alone


@cache
def many_longs():
    simulate = walk(shorts=False, hull=False)

    @plain
    def run(o, h, low, c, levels, shields, stops, series, which, first, windows, costs, log):
        out = np.zeros((which.shape[0], windows.shape[0], 6))
        for k in range(which.shape[0]):
            e, x, g = which[k]
            for w in range(windows.shape[0]):
                simulate(
                    o, h, low, c, levels[e : e + 1], shields[x : x + 1], stops[x : x + 1],
                    series[g], levels[e : e + 1], (0, 0.0, 0), first,
                    (windows[w, 0], windows[w, 1], windows[w, 2]), costs, out[k, w], log,
                )  # fmt: skip
        return out

    return run


def simulate_many(o, h, low, c, levels, shields, stops, series, which, first, windows, costs):
    """Run combinations `which` (entry, exit, series numbers) of ATR-D long over every window."""
    given = (o, h, low, c, levels, shields, stops, series, which, first, windows, costs)
    return many_longs()(*given, NO_LOG)


def simulate_parameters(o, h, low, c, ranges, cap, points, first, windows, costs):
    """Run combinations of ATR-D long given by their parameters, shape (n, 11)."""
    closes = np.stack([c, c])
    market = Market(o, h, low, c, ranges, cap, closes, closes)
    return simulate_points("atr_d_l", market, points.astype(float), first, windows, costs)
