"""The compiled simulator; lot by lot and bar by bar equal to `Reference`.

Most bars reach no order, no exit and no price of liquidation, and change no decision. What would
make a bar matter is kept as four prices: `down` and `up` for its range, `below` and `above` for
its close. Only a bar beyond one of them is walked, or decided on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.hedge._reference_regime import warm_bars
from meseta.hedge._regime import regimes
from meseta.hedge._result import END, LOT, REASONS, HedgeResult
from meseta.hedge._series import terms_of

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.hedge._parameters import GridParameters
    from meseta.hedge._series import Series
    from meseta.hedge._settings import GridSettings

__all__ = ["CURVES", "play", "run"]

TAKE_PROFIT, STOP_LOSS, LIQUIDATION, DRAWDOWN = (
    REASONS.index(reason) for reason in ("take-profit", "stop-loss", "liquidation", "drawdown")
)
STOP, TAKE, ENTRY = 0, 1, 2
# Curves beside the equity, in the order of the rows of `track`.
CURVES = ("realised", "unrealised", "fees", "funding", "long_exposure", "short_exposure")
# Columns of a rung.
SIDE, LEVEL, PRICE, TRIGGER, GOAL, GOAL_TRIGGER, GUARD, QUANTITY = range(8)
# Columns of an order, in lot steps; `WANT` is what the last decision asked for.
FULL, LEFT, WANT = range(3)
# Columns of a lot. Price, exits and step are its own: its rung may have moved.
SIZE, NUMBER, BAR, FEE, PAID, STOP_FIRST, STEP, AT, LOT_GOAL, LOT_GOAL_TRIGGER, LOT_GUARD = range(
    11
)
# Words of the account; `LONG` and `SHORT` follow each other in each pair.
REALISED, FEES, FUNDING, CENTRE, BUDGET, CURSOR, COUNT = range(7)
HELD, COST, REST, REFUSED = 7, 9, 11, 13
DOWN_TO, UP_TO, BELOW, ABOVE = 15, 16, 17, 18
WORDS = 19


class Book(NamedTuple):
    """Rungs, orders and lots, a row for each level: long ones, then short ones."""

    rung: FloatArray
    order: FloatArray
    lot: FloatArray
    money: FloatArray
    log: FloatArray


@inline
def _value(count: float, unit: float, inverse: int) -> float:
    """Return the decimal number that so many steps are."""
    return count / inverse if inverse > 0 else count * unit


@inline
def _steps(value: float, unit: float, inverse: int) -> float:
    return value * inverse if inverse > 0 else value / unit


@inline
def _equity(price: float, money: FloatArray, terms: Any) -> float:
    """Value the account at a price; `_count` must have counted the lots."""
    long = _value(money[HELD], terms.lot, terms.lot_inverse) * price - money[COST]
    short = money[COST + 1] - _value(money[HELD + 1], terms.lot, terms.lot_inverse) * price
    worth = terms.capital + money[REALISED] + (long + short)
    return worth - money[FEES] - money[FUNDING]


@kernel
def _count(book: Any, terms: Any) -> None:
    """Add up what the lots of each side are and were bought for."""
    rung, lot, money = book.rung, book.lot, book.money
    money[HELD] = money[HELD + 1] = money[COST] = money[COST + 1] = 0.0
    for j in range(rung.shape[0]):
        if lot[j, SIZE] > 0.0:
            side = 0 if rung[j, SIDE] > 0.0 else 1
            money[HELD + side] += lot[j, SIZE]
            quantity = _value(lot[j, SIZE], terms.lot, terms.lot_inverse)
            money[COST + side] += quantity * lot[j, AT]


@kernel
def _leave(t: int, j: int, price: float, rate: float, reason: int, book: Any, terms: Any) -> None:
    """Close a lot, once and whole; what is left of its rung is cancelled."""
    rung, order, lot, money = book.rung, book.order, book.lot, book.money
    quantity = _value(lot[j, SIZE], terms.lot, terms.lot_inverse)
    fee = rate * (quantity * price)
    profit = rung[j, SIDE] * (price - lot[j, AT]) * quantity
    money[REALISED] += profit
    money[FEES] += fee
    row = book.log[int(lot[j, NUMBER])]
    row[0], row[1], row[2] = lot[j, NUMBER], rung[j, SIDE], rung[j, LEVEL]
    row[3], row[4], row[5], row[6] = quantity, lot[j, STEP], lot[j, BAR], lot[j, AT]
    row[7], row[8], row[9], row[10] = t, price, lot[j, LOT_GOAL], lot[j, LOT_GUARD]
    row[11], row[12], row[13] = reason, lot[j, FEE], fee
    row[14], row[15] = lot[j, PAID], profit
    lot[j, SIZE] = 0.0
    order[j, LEFT] = 0.0


@kernel
def _leave_all(t: int, price: float, slip: float, reason: int, book: Any, terms: Any) -> None:
    for j in range(book.rung.shape[0]):
        if book.lot[j, SIZE] > 0.0:
            at = price - book.rung[j, SIDE] * slip
            _leave(t, j, at, terms.taker, reason, book, terms)
        book.order[j, LEFT] = 0.0


@kernel
def _enter(t: int, j: int, book: Any, terms: Any) -> None:
    """Fill a rung as far as the bar's volume goes, at its own price."""
    rung, order, lot, money = book.rung, book.order, book.lot, book.money
    size = min(order[j, LEFT], money[BUDGET])
    if lot[j, SIZE] == 0.0:
        lot[j, NUMBER], lot[j, BAR] = money[COUNT], t
        lot[j, FEE] = lot[j, PAID] = lot[j, STOP_FIRST] = 0.0
        lot[j, STEP] = money[CENTRE] * terms.step_bps / 10_000.0
        lot[j, AT], lot[j, LOT_GUARD] = rung[j, PRICE], rung[j, GUARD]
        lot[j, LOT_GOAL], lot[j, LOT_GOAL_TRIGGER] = rung[j, GOAL], rung[j, GOAL_TRIGGER]
        money[COUNT] += 1.0
    quantity = _value(size, terms.lot, terms.lot_inverse)
    fee = terms.maker * (quantity * rung[j, PRICE])
    lot[j, SIZE] += size
    lot[j, FEE] += fee
    money[FEES] += fee
    money[BUDGET] -= size
    order[j, LEFT] -= size


@kernel
def _travel(t: int, way: int, to: float, book: Any, terms: Any) -> None:
    """Fill what the path meets on its way up (1) or down (-1) to a price."""
    rung, order, lot, money = book.rung, book.order, book.lot, book.money
    while True:
        best, kind, met = np.inf, 3, -1
        for j in range(rung.shape[0]):
            if rung[j, SIDE] == way:
                # What goes with the path takes its profit.
                near = way * lot[j, LOT_GOAL_TRIGGER]
                taken = 0.0 < lot[j, SIZE] <= money[BUDGET] and lot[j, STOP_FIRST] == 0.0
                if taken and near <= way * to and (near < best or (near == best and kind > TAKE)):
                    best, kind, met = near, TAKE, j
                continue
            if lot[j, SIZE] > 0.0:
                near = way * lot[j, LOT_GUARD]
                if near <= way * to and (near < best or (near == best and kind > STOP)):
                    best, kind, met = near, STOP, j
            if order[j, LEFT] > 0.0 and money[BUDGET] > 0.0:
                near = way * rung[j, TRIGGER]
                if near <= way * to and near < best:
                    best, kind, met = near, ENTRY, j
        if met < 0:
            return
        money[CURSOR] = way * max(way * money[CURSOR], best)
        if kind == ENTRY:
            _enter(t, met, book, terms)
        elif kind == TAKE:
            money[BUDGET] -= lot[met, SIZE]
            _leave(t, met, lot[met, LOT_GOAL], terms.maker, TAKE_PROFIT, book, terms)
        else:
            # The path may already be beyond the stop: at an open, or where its lot was filled.
            price = way * max(way * lot[met, LOT_GUARD], way * money[CURSOR])
            _leave(t, met, price + way * terms.slip, terms.taker, STOP_LOSS, book, terms)


@kernel
def _breached(t: int, price: float, book: Any, terms: Any) -> bool:
    """Liquidate where equity no longer covers the maintenance margin."""
    money = book.money
    _count(book, terms)
    if money[HELD] + money[HELD + 1] == 0.0:
        return False
    long = _value(money[HELD], terms.lot, terms.lot_inverse) * price
    short = _value(money[HELD + 1], terms.lot, terms.lot_inverse) * price
    if _equity(price, money, terms) >= terms.maintenance * (long + short):
        return False
    _leave_all(t, price, 0.0, LIQUIDATION, book, terms)
    return True


@kernel
def _walk(t: int, bar: Any, volume: FloatArray, book: Any, terms: Any) -> bool:
    """Walk the path of a bar; return whether the account was liquidated."""
    opened, high, low, close = bar
    rung, lot, money = book.rung, book.lot, book.money
    money[BUDGET] = 2.0**60
    if volume.size > 0:
        most = _steps(terms.participation * volume[t], terms.lot, terms.lot_inverse)
        money[BUDGET] = math.floor(most + 1e-9)
    money[CURSOR] = opened
    _travel(t, -1, opened, book, terms)
    _travel(t, 1, opened, book, terms)
    # Of an older lot with both exits in the bar nobody knows which came first: the stop counts.
    for j in range(rung.shape[0]):
        if lot[j, SIZE] > 0.0 and lot[j, BAR] < t:
            if rung[j, SIDE] > 0.0:
                both = low <= lot[j, LOT_GUARD] and high >= lot[j, LOT_GOAL_TRIGGER]
            else:
                both = high >= lot[j, LOT_GUARD] and low <= lot[j, LOT_GOAL_TRIGGER]
            lot[j, STOP_FIRST] = 1.0 if both else 0.0
    if _breached(t, opened, book, terms):
        return True
    high_first = high - opened < opened - low
    for corner in (0, 1, 2):
        to = close if corner == 2 else (high if high_first == (corner == 0) else low)
        _travel(t, 1 if to > money[CURSOR] else -1, to, book, terms)
        money[CURSOR] = to
        if corner < 2 and _breached(t, to, book, terms):
            return True
    return False


@kernel
def _recentre(price: float, book: Any, terms: Any) -> None:
    """Build the ladders around a new centre; lots keep their own exits."""
    rung, money = book.rung, book.money
    money[CENTRE] = price
    step = price * terms.step_bps / 10_000.0
    tick, inverse = terms.tick, terms.tick_inverse
    quantity = terms.base_qty
    for j in range(rung.shape[0]):
        if j == terms.levels_long:
            quantity = terms.base_qty
        side, level = rung[j, SIDE], rung[j, LEVEL]
        at = math.floor(_steps(price - side * (level * step), tick, inverse) + 0.5)
        own = _value(at, tick, inverse)
        goal = own + side * (terms.tp_steps * step)
        goal = math.floor(_steps(goal, tick, inverse) + 0.5)
        away = min(terms.sl_steps * step, own * terms.max_stop)
        guard = math.floor(_steps(own - side * away, tick, inverse) + 0.5)
        rung[j, PRICE] = own
        rung[j, TRIGGER] = _value(at - side * terms.beyond, tick, inverse)
        rung[j, GOAL] = _value(goal, tick, inverse)
        rung[j, GOAL_TRIGGER] = _value(goal + side * terms.beyond, tick, inverse)
        rung[j, GUARD] = _value(guard, tick, inverse)
        rung[j, QUANTITY] = quantity
        book.order[j, LEFT] = 0.0
        quantity *= terms.qty_scale


@inline
def _wanted(j: int, state: int, tenths: int, book: Any, terms: Any) -> float:
    """Return the lot steps of a rung that policy, guard and venue leave."""
    rung = book.rung
    side, scale = rung[j, SIDE], 1.0
    if state != 0:
        counter = side == -state
        if (counter or terms.core_and_scalp) and rung[j, LEVEL] > terms.counter_levels:
            return 0.0
        if counter:
            scale = terms.counter_scale
    asked = rung[j, QUANTITY] * scale * (tenths / 10)
    size = math.floor(_steps(asked, terms.lot, terms.lot_inverse) + 1e-9)
    quantity = _value(size, terms.lot, terms.lot_inverse)
    price = rung[j, PRICE]
    if size < terms.min_lots or price <= 0.0 or quantity * price < terms.min_notional:
        return 0.0
    return size


@inline
def _crosses(side: float, own: float, price: float) -> bool:
    return own >= price if side > 0.0 else own <= price


@inline
def _fits(
    side: int, value: float, price: float, equity: float, money: FloatArray, terms: Any
) -> bool:
    """Whether an order's value keeps the side and the account within their limits."""
    long = _value(money[HELD], terms.lot, terms.lot_inverse) * price
    short = _value(money[HELD + 1], terms.lot, terms.lot_inverse) * price
    own = (long if side == 0 else short) + money[REST + side] + value
    gross = (long + short) + (money[REST] + money[REST + 1]) + value
    return (
        own <= terms.max_position_pct * equity
        and own <= terms.max_inventory
        and gross <= terms.leverage * equity
    )


@kernel
def _add_resting(book: Any, terms: Any) -> None:
    rung, order, money = book.rung, book.order, book.money
    money[REST] = money[REST + 1] = 0.0
    for j in range(rung.shape[0]):
        if order[j, LEFT] > 0.0:
            quantity = _value(order[j, LEFT], terms.lot, terms.lot_inverse)
            money[REST + (0 if rung[j, SIDE] > 0.0 else 1)] += quantity * rung[j, PRICE]


@kernel
def _decide(
    price: float, state: int, long_tenths: int, short_tenths: int, book: Any, terms: Any
) -> None:
    """Bring the resting orders to what is wanted at a close."""
    rung, order, lot, money = book.rung, book.order, book.lot, book.money
    centre = money[CENTRE]
    if centre == 0.0 or 10_000.0 * abs(price - centre) / centre > terms.recenter_bps:
        _recentre(price, book, terms)
    levels = rung.shape[0]
    for j in range(levels):
        size = _wanted(j, state, long_tenths if rung[j, SIDE] > 0.0 else short_tenths, book, terms)
        order[j, WANT] = size
        # An order has the price of its rung: a ladder that moves takes its orders away.
        other = 100.0 * abs(order[j, FULL] - size) > size
        gone = lot[j, SIZE] == 0.0 and _crosses(rung[j, SIDE], rung[j, PRICE], price)
        if other or gone:
            order[j, LEFT] = 0.0
    _add_resting(book, terms)
    waiting_long = waiting_short = 0.0
    for j in range(levels):
        if rung[j, SIDE] > 0.0:
            waiting_long += order[j, LEFT]
        else:
            waiting_short += order[j, LEFT]
    money[REFUSED] = money[REFUSED + 1] = np.inf
    equity = _equity(price, money, terms)
    many = max(terms.levels_long, terms.levels_short)
    for k in range(2 * many):
        side, level = k % 2, k // 2
        if level >= (terms.levels_long if side == 0 else terms.levels_short):
            continue
        j = level + side * terms.levels_long
        size = order[j, WANT]
        taken = lot[j, SIZE] > 0.0 or order[j, LEFT] > 0.0
        if size == 0.0 or taken or _crosses(rung[j, SIDE], rung[j, PRICE], price):
            continue
        waiting = waiting_long if side == 0 else waiting_short
        # What is refused for its size stays refused until a lot is closed.
        if money[HELD + side] + waiting + size > terms.max_lots:
            continue
        value = _value(size, terms.lot, terms.lot_inverse) * rung[j, PRICE]
        if not _fits(side, value, price, equity, money, terms):
            money[REFUSED + side] = min(money[REFUSED + side], value)
            continue
        order[j, FULL] = order[j, LEFT] = size
        money[REST + side] += value
        if side == 0:
            waiting_long += size
        else:
            waiting_short += size
    # Added up anew, as the next close does it.
    _add_resting(book, terms)


@kernel
def _watch(price: float, book: Any, terms: Any) -> None:
    """Find the prices beyond which a bar matters; too near is slow, too far would be wrong."""
    rung, order, lot, money = book.rung, book.order, book.lot, book.money
    down, up = -np.inf, np.inf
    away = money[CENTRE] * terms.recenter_bps / 10_000.0 * (1.0 - 1e-9)
    below, above = money[CENTRE] - away, money[CENTRE] + away
    for j in range(rung.shape[0]):
        long = rung[j, SIDE] > 0.0
        if order[j, LEFT] > 0.0:
            if long:
                down = max(down, rung[j, TRIGGER])
            else:
                up = min(up, rung[j, TRIGGER])
        if lot[j, SIZE] > 0.0:
            lower = lot[j, LOT_GUARD] if long else lot[j, LOT_GOAL_TRIGGER]
            upper = lot[j, LOT_GOAL_TRIGGER] if long else lot[j, LOT_GUARD]
            down, up = max(down, lower), min(up, upper)
        elif order[j, WANT] > 0.0:
            # A close at a rung or on its other side changes whether it would cross.
            if rung[j, PRICE] <= price:
                below = max(below, rung[j, PRICE])
            if rung[j, PRICE] >= price:
                above = min(above, rung[j, PRICE])
    if money[HELD] + money[HELD + 1] > 0.0:
        # Equity less maintenance margin is a straight line in the price.
        long_held = _value(money[HELD], terms.lot, terms.lot_inverse)
        short_held = _value(money[HELD + 1], terms.lot, terms.lot_inverse)
        slope = long_held - short_held - terms.maintenance * (long_held + short_held)
        spare = _equity(price, money, terms) - price * (long_held - short_held)
        if slope > 0.0:
            down = max(down, -spare / slope * (1.0 + 1e-9))
        elif slope < 0.0:
            up = min(up, spare / -slope * (1.0 - 1e-9))
        if spare <= 0.0 and slope <= 0.0:
            down = np.inf
    money[DOWN_TO], money[UP_TO], money[BELOW], money[ABOVE] = down, up, below, above


@kernel
def _empty_book(terms: Any) -> Any:
    levels = terms.levels_long + terms.levels_short
    book = Book(
        np.zeros((levels, 8)), np.zeros((levels, 3)), np.zeros((levels, 11)), np.zeros(WORDS),
        np.zeros((4 * levels + 64, 16)),
    )  # fmt: skip
    for j in range(levels):
        long = j < terms.levels_long
        book.rung[j, SIDE] = 1.0 if long else -1.0
        book.rung[j, LEVEL] = j + 1 if long else j + 1 - terms.levels_long
    book.money[DOWN_TO], book.money[UP_TO] = -np.inf, np.inf
    return book


@kernel
def _with_room(book: Any) -> Any:
    """Return the book with room for a lot at every level."""
    rows, used = book.log.shape[0], int(book.money[COUNT])
    if used + book.rung.shape[0] <= rows:
        return book
    log = np.zeros((2 * rows, 16))
    log[:used] = book.log[:used]
    return Book(book.rung, book.order, book.lot, book.money, log)


@kernel
def play(
    series: Any, states: Any, terms: Any, warm: int, first: int, stop: int, equity: FloatArray,
    track: FloatArray,
) -> Any:  # fmt: skip
    """Play a span; return the lots, whether the account was liquidated and where it ended.

    `equity` has a value for each bar; `track` a row for each of `CURVES`, or none.
    """
    book = _empty_book(terms)
    money = book.money
    peak, due = terms.capital, 0
    flatten = halted = liquidated = False
    stopped, last_state, last_long, last_short = -1, 0, 10, 10
    while due < series.due_rows.size and series.due_rows[due] < first:
        due += 1
    for t in range(max(first - 1, 0), stop):
        close = series.close[t]
        changed = t <= first
        if t >= first:
            while due < series.due_rows.size and series.due_rows[due] == t:
                for j in range(book.rung.shape[0]):
                    if book.lot[j, SIZE] > 0.0:
                        quantity = _value(book.lot[j, SIZE], terms.lot, terms.lot_inverse)
                        paid = book.rung[j, SIDE] * quantity * series.due_marks[due]
                        paid *= series.due_rates[due]
                        book.lot[j, PAID] += paid
                        money[FUNDING] += paid
                        changed = True
                due += 1
            if flatten and not halted:
                _leave_all(t, series.open[t], terms.slip, DRAWDOWN, book, terms)
                halted, stopped, changed = True, t, True
            # Funding that was just paid moves the price of liquidation, so the bar is walked.
            reached = series.low[t] <= money[DOWN_TO] or series.high[t] >= money[UP_TO]
            if not halted and (reached or (changed and t > first)):
                book = _with_room(book)
                bar = (series.open[t], series.high[t], series.low[t], close)
                if _walk(t, bar, series.volume, book, terms):
                    halted, liquidated, stopped = True, True, t
                changed = True
            if changed:
                _count(book, terms)
            i = t - first
            if track.size > 0:
                track[4, i] = _value(money[HELD], terms.lot, terms.lot_inverse) * close
                track[5, i] = _value(money[HELD + 1], terms.lot, terms.lot_inverse) * close
            if t == stop - 1:
                _leave_all(t, close, 0.0, END, book, terms)
                _count(book, terms)
            equity[i] = _equity(close, money, terms)
            if track.size > 0:
                long = _value(money[HELD], terms.lot, terms.lot_inverse) * close - money[COST]
                short = _value(money[HELD + 1], terms.lot, terms.lot_inverse) * close
                track[0, i], track[1, i] = money[REALISED], long + (money[COST + 1] - short)
                track[2, i], track[3, i] = money[FEES], money[FUNDING]
            if halted or t == stop - 1:
                continue
            peak = max(peak, equity[i])
            if peak - equity[i] > terms.drawdown_stop * peak:
                flatten = True
                money[DOWN_TO], money[UP_TO] = -np.inf, np.inf
                for j in range(book.rung.shape[0]):
                    book.order[j, LEFT] = 0.0
                continue
        if t + 1 < warm:
            continue
        long_tenths = short_tenths = 10
        if abs(series.guard_cost[t]) > terms.max_cost:
            if series.guard_cost[t] > 0.0:
                long_tenths = int(series.guard_tenths[t])
            else:
                short_tenths = int(series.guard_tenths[t])
        state = int(states[t])
        again = changed or not money[BELOW] < close < money[ABOVE] or state != last_state
        again = again or long_tenths != last_long or short_tenths != last_short
        # A refused order may fit now: the smallest of each side tells.
        for side in range(2):
            if not again and money[REFUSED + side] < np.inf:
                now = _equity(close, money, terms)
                again = _fits(side, money[REFUSED + side], close, now, money, terms)
        if again:
            _decide(close, state, long_tenths, short_tenths, book, terms)
            _watch(close, book, terms)
            last_state, last_long, last_short = state, long_tenths, short_tenths
    return book.log[: int(money[COUNT])], liquidated, stopped


def run(
    series: Series,
    parameters: GridParameters,
    settings: GridSettings,
    span: tuple[int, int],
    *,
    curves: bool,
) -> HedgeResult:
    """Back-test; without `curves` all but the equity are empty."""
    first, stop = span
    warm, terms = warm_bars(parameters, settings), terms_of(parameters, settings)
    states = _states(series, parameters, settings, stop, warm)
    equity = np.empty(stop - first)
    track = np.empty((len(CURVES), stop - first if curves else 0))
    log, liquidated, stopped = play(series, states, terms, warm, first, stop, equity, track)
    return HedgeResult(
        span=span,
        lots=_lots(log),
        equity=equity,
        state=states[first:],
        liquidated=liquidated,
        stopped_bar=None if stopped < 0 else stopped,
        **dict(zip(CURVES, track, strict=True)),
    )


def _states(series: Series, p: GridParameters, s: GridSettings, stop: int, warm: int) -> Any:
    return regimes(
        series.high[:stop], series.low[:stop], series.close[:stop], p.ema_fast, p.ema_slow,
        p.adx_len, p.atr_len, float(p.hysteresis_bps), float(s.adx_threshold),
        float(s.atr_gate_mult), warm,
    )  # fmt: skip


def _lots(log: FloatArray) -> Any:
    lots = np.empty(len(log), LOT)
    for column, name in enumerate(LOT.names or ()):
        lots[name] = log[:, column]
    return lots
