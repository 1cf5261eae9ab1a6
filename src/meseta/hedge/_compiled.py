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
from meseta.hedge._result import LOT, REASONS, HedgeResult
from meseta.hedge._series import terms_of

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.hedge._parameters import GridParameters
    from meseta.hedge._series import Series
    from meseta.hedge._settings import GridSettings

__all__ = ["CURVES", "play", "run"]

# Floats, for Numba compiles a function anew for each whole number that it is handed.
TAKE_PROFIT, STOP_LOSS, LIQUIDATION, DRAWDOWN, END = (
    float(REASONS.index(reason))
    for reason in ("take-profit", "stop-loss", "liquidation", "drawdown", "end")
)
STOP, TAKE, ENTRY = 0, 1, 2
# Prices half-way between two ticks go up, though binary numbers are a few bits off.
HALF = 0.5 + 1e-6
# Curves beside the equity, in the order of the rows of `track`.
CURVES = ("realised", "unrealised", "fees", "funding", "long_exposure", "short_exposure")
# Columns of a slot, one for each side and level: its rung,
SIDE, LEVEL, PRICE, TRIGGER, GOAL, GOAL_TRIGGER, GUARD, QUANTITY = range(8)
# its order in lot steps, where `WANT` is what the last decision asked for,
FULL, LEFT, WANT = range(8, 11)
# and its lot, with price, exits and step of its own: the rung may have moved since.
SIZE, NUMBER, BAR, FEE, PAID, STOP_FIRST, STEP = range(11, 18)
AT, LOT_GOAL, LOT_GOAL_TRIGGER, LOT_GUARD = range(18, 22)
COLUMNS = 22
# Words of the account. Those of the second line are pairs, long and then short, and those of the
# third are prices that a bar's range or close must reach to matter.
REALISED, FEES, FUNDING, CENTRE, BUDGET, CURSOR, COUNT = range(7)
HELD, OWNED, COST, REST, REFUSED = 7, 9, 11, 13, 15
DOWN_TO, UP_TO, BELOW, ABOVE = 17, 18, 19, 20
WORDS = 21


class Book(NamedTuple):
    """Slots, long ones and then short ones; words of the account; and the table of lots."""

    slot: FloatArray
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
def _unrealised(
    price: float, long_owned: float, short_owned: float, long_cost: float, short_cost: float
) -> float:
    return (long_owned * price - long_cost) + (short_cost - short_owned * price)


@inline
def _equity(price: float, money: FloatArray, capital: float) -> float:
    """Value the account at a price; `_count` must have counted the lots."""
    open_profit = _unrealised(price, money[OWNED], money[OWNED + 1], money[COST], money[COST + 1])
    return capital + money[REALISED] + open_profit - money[FEES] - money[FUNDING]


@kernel
def _count(book: Any, terms: Any) -> None:
    """Add up what the lots of each side are and were bought for."""
    slot, money = book.slot, book.money
    money[HELD] = money[HELD + 1] = money[COST] = money[COST + 1] = 0.0
    for j in range(slot.shape[0]):
        if slot[j, SIZE] > 0.0:
            side = 0 if slot[j, SIDE] > 0.0 else 1
            money[HELD + side] += slot[j, SIZE]
            quantity = _value(slot[j, SIZE], terms.lot, terms.lot_inverse)
            money[COST + side] += quantity * slot[j, AT]
    money[OWNED] = _value(money[HELD], terms.lot, terms.lot_inverse)
    money[OWNED + 1] = _value(money[HELD + 1], terms.lot, terms.lot_inverse)


@kernel
def _leave(
    t: int, j: int, price: float, rate: float, reason: float, book: Any, terms: Any
) -> None:
    """Close a lot, once and whole; what is left of its rung is cancelled."""
    slot, money = book.slot, book.money
    quantity = _value(slot[j, SIZE], terms.lot, terms.lot_inverse)
    fee = rate * (quantity * price)
    profit = slot[j, SIDE] * (price - slot[j, AT]) * quantity
    money[REALISED] += profit
    money[FEES] += fee
    row = book.log[int(slot[j, NUMBER])]
    row[0], row[1], row[2] = slot[j, NUMBER], slot[j, SIDE], slot[j, LEVEL]
    row[3], row[4], row[5], row[6] = quantity, slot[j, STEP], slot[j, BAR], slot[j, AT]
    row[7], row[8], row[9], row[10] = t, price, slot[j, LOT_GOAL], slot[j, LOT_GUARD]
    row[11], row[12], row[13] = reason, slot[j, FEE], fee
    row[14], row[15] = slot[j, PAID], profit
    slot[j, SIZE] = 0.0
    slot[j, LEFT] = 0.0


@kernel
def _leave_all(t: int, price: float, slip: float, reason: float, book: Any, terms: Any) -> None:
    for j in range(book.slot.shape[0]):
        if book.slot[j, SIZE] > 0.0:
            at = price - book.slot[j, SIDE] * slip
            _leave(t, j, at, terms.taker, reason, book, terms)
        book.slot[j, LEFT] = 0.0


@kernel
def _enter(t: int, j: int, book: Any, terms: Any) -> None:
    """Fill a rung as far as the bar's volume goes, at its own price."""
    slot, money = book.slot, book.money
    size = min(slot[j, LEFT], money[BUDGET])
    if slot[j, SIZE] == 0.0:
        slot[j, NUMBER], slot[j, BAR] = money[COUNT], t
        slot[j, FEE] = slot[j, PAID] = slot[j, STOP_FIRST] = 0.0
        slot[j, STEP] = money[CENTRE] * terms.step_bps / 10_000.0
        slot[j, AT], slot[j, LOT_GUARD] = slot[j, PRICE], slot[j, GUARD]
        slot[j, LOT_GOAL], slot[j, LOT_GOAL_TRIGGER] = slot[j, GOAL], slot[j, GOAL_TRIGGER]
        money[COUNT] += 1.0
    quantity = _value(size, terms.lot, terms.lot_inverse)
    fee = terms.maker * (quantity * slot[j, PRICE])
    slot[j, SIZE] += size
    slot[j, FEE] += fee
    money[FEES] += fee
    money[BUDGET] -= size
    slot[j, LEFT] -= size


@kernel
def _travel(t: int, way: float, to: float, book: Any, terms: Any) -> None:
    """Fill what the path meets on its way up (1) or down (-1) to a price."""
    slot, money = book.slot, book.money
    nothing = slot.shape[0]
    while True:
        best, kind, met = np.inf, 3, nothing
        for j in range(slot.shape[0]):
            if slot[j, SIDE] == way:
                # What goes with the path takes its profit.
                near = way * slot[j, LOT_GOAL_TRIGGER]
                taken = 0.0 < slot[j, SIZE] <= money[BUDGET] and slot[j, STOP_FIRST] == 0.0
                if taken and near <= way * to and (near < best or (near == best and kind > TAKE)):
                    best, kind, met = near, TAKE, j
                continue
            if slot[j, SIZE] > 0.0:
                near = way * slot[j, LOT_GUARD]
                if near <= way * to and (near < best or (near == best and kind > STOP)):
                    best, kind, met = near, STOP, j
            if slot[j, LEFT] > 0.0 and money[BUDGET] > 0.0:
                near = way * slot[j, TRIGGER]
                if near <= way * to and near < best:
                    best, kind, met = near, ENTRY, j
        if met == nothing:
            return
        money[CURSOR] = way * max(way * money[CURSOR], best)
        if kind == ENTRY:
            _enter(t, met, book, terms)
        elif kind == TAKE:
            money[BUDGET] -= slot[met, SIZE]
            _leave(t, met, slot[met, LOT_GOAL], terms.maker, TAKE_PROFIT, book, terms)
        else:
            # The path may already be beyond the stop: at an open, or where its lot was filled.
            price = way * max(way * slot[met, LOT_GUARD], way * money[CURSOR])
            _leave(t, met, price + way * terms.slip, terms.taker, STOP_LOSS, book, terms)


@kernel
def _breached(t: int, price: float, book: Any, terms: Any) -> bool:
    """Liquidate where equity no longer covers the maintenance margin."""
    money = book.money
    _count(book, terms)
    gross = money[OWNED] * price + money[OWNED + 1] * price
    if _equity(price, money, terms.capital) >= terms.maintenance * gross:
        return False
    _leave_all(t, price, 0.0, LIQUIDATION, book, terms)
    return True


@inline
def _quiet(price: float, money: FloatArray) -> bool:
    return money[DOWN_TO] < price < money[UP_TO]


@kernel
def _walk(t: int, bar: Any, known: bool, volume: FloatArray, book: Any, terms: Any) -> bool:
    """Walk the path of a bar; return whether the account was liquidated.

    `known` says that the prices which `_watch` found still hold; until the first fill they do.
    """
    opened, high, low, close = bar
    slot, money = book.slot, book.money
    money[BUDGET] = 2.0**60
    if volume.size > 0:
        most = _steps(terms.participation * volume[t], terms.lot, terms.lot_inverse)
        money[BUDGET] = math.floor(most + 1e-9)
    money[CURSOR] = opened
    at_open = not (known and _quiet(opened, money))
    if at_open:
        known = False
        _travel(t, -1.0, opened, book, terms)
        _travel(t, 1.0, opened, book, terms)
    # Of an older lot with both exits in the bar nobody knows which came first: the stop counts.
    for j in range(slot.shape[0]):
        if slot[j, SIZE] > 0.0 and slot[j, BAR] < t:
            if slot[j, SIDE] > 0.0:
                both = low <= slot[j, LOT_GUARD] and high >= slot[j, LOT_GOAL_TRIGGER]
            else:
                both = high >= slot[j, LOT_GUARD] and low <= slot[j, LOT_GOAL_TRIGGER]
            slot[j, STOP_FIRST] = 1.0 if both else 0.0
    if at_open and _breached(t, opened, book, terms):
        return True
    high_first = high - opened < opened - low
    for corner in (0, 1, 2):
        to = close if corner == 2 else (high if high_first == (corner == 0) else low)
        if not (known and _quiet(to, money)):
            known = False
            _travel(t, 1.0 if to > money[CURSOR] else -1.0, to, book, terms)
            if corner < 2 and _breached(t, to, book, terms):
                return True
        money[CURSOR] = to
    return False


@kernel
def _recentre(price: float, book: Any, terms: Any) -> None:
    """Build the ladders around a new centre; lots keep their own exits."""
    slot, money = book.slot, book.money
    money[CENTRE] = price
    step = price * terms.step_bps / 10_000.0
    tick, inverse = terms.tick, terms.tick_inverse
    quantity = terms.base_qty
    for j in range(slot.shape[0]):
        if j == terms.levels_long:
            quantity = terms.base_qty
        side, level = slot[j, SIDE], slot[j, LEVEL]
        at = math.floor(_steps(price - side * (level * step), tick, inverse) + HALF)
        own = _value(at, tick, inverse)
        goal = own + side * (terms.tp_steps * step)
        goal = math.floor(_steps(goal, tick, inverse) + HALF)
        away = min(terms.sl_steps * step, own * terms.max_stop)
        guard = math.floor(_steps(own - side * away, tick, inverse) + HALF)
        slot[j, PRICE] = own
        slot[j, TRIGGER] = _value(at - side * terms.beyond, tick, inverse)
        slot[j, GOAL] = _value(goal, tick, inverse)
        slot[j, GOAL_TRIGGER] = _value(goal + side * terms.beyond, tick, inverse)
        slot[j, GUARD] = _value(guard, tick, inverse)
        slot[j, QUANTITY] = quantity
        book.slot[j, LEFT] = 0.0
        quantity *= terms.qty_scale


@inline
def _wanted(j: int, state: int, tenths: int, book: Any, terms: Any) -> float:
    """Return the lot steps of a rung that policy, guard and venue leave."""
    slot = book.slot
    side, scale = slot[j, SIDE], 1.0
    if state != 0:
        counter = side == -state
        if (counter or terms.core_and_scalp) and slot[j, LEVEL] > terms.counter_levels:
            return 0.0
        if counter:
            scale = terms.counter_scale
    asked = slot[j, QUANTITY] * scale * (tenths / 10)
    size = math.floor(_steps(asked, terms.lot, terms.lot_inverse) + 1e-9)
    quantity = _value(size, terms.lot, terms.lot_inverse)
    price = slot[j, PRICE]
    if size < terms.min_lots or price <= 0.0 or quantity * price < terms.min_notional:
        return 0.0
    return size


@inline
def _crosses(side: float, own: float, price: float) -> bool:
    return own >= price if side > 0.0 else own <= price


@inline
def _fits(
    value: float, own: float, gross: float, equity: float, share: float, most: float,
    leverage: float,
) -> bool:  # fmt: skip
    """Whether an order's value keeps the side and the account within their limits.

    `own` and `gross` are what the side and both sides hold and wait for already.
    """
    return (
        own + value <= share * equity
        and own + value <= most
        and gross + value <= leverage * equity
    )


@kernel
def _add_resting(book: Any, terms: Any) -> None:
    slot, money = book.slot, book.money
    money[REST] = money[REST + 1] = 0.0
    for j in range(slot.shape[0]):
        if slot[j, LEFT] > 0.0:
            quantity = _value(slot[j, LEFT], terms.lot, terms.lot_inverse)
            money[REST + (0 if slot[j, SIDE] > 0.0 else 1)] += quantity * slot[j, PRICE]


@kernel
def _decide(
    price: float, state: int, long_tenths: int, short_tenths: int, renew: bool, book: Any,
    terms: Any,
) -> None:  # fmt: skip
    """Bring the resting orders to what is wanted at a close.

    Without `renew` regime and tenths are those of the last decision, and so are the quantities.
    """
    slot, money = book.slot, book.money
    centre = money[CENTRE]
    if centre == 0.0 or 10_000.0 * abs(price - centre) / centre > terms.recenter_bps:
        _recentre(price, book, terms)
        renew = True
    levels = slot.shape[0]
    for j in range(levels):
        if renew:
            tenths = long_tenths if slot[j, SIDE] > 0.0 else short_tenths
            slot[j, WANT] = _wanted(j, state, tenths, book, terms)
        size = slot[j, WANT]
        # An order has the price of its rung: a ladder that moves takes its orders away.
        other = 100.0 * abs(slot[j, FULL] - size) > size
        gone = slot[j, SIZE] == 0.0 and _crosses(slot[j, SIDE], slot[j, PRICE], price)
        if other or gone:
            slot[j, LEFT] = 0.0
    _add_resting(book, terms)
    waiting_long = waiting_short = 0.0
    for j in range(levels):
        if slot[j, SIDE] > 0.0:
            waiting_long += slot[j, LEFT]
        else:
            waiting_short += slot[j, LEFT]
    money[REFUSED] = money[REFUSED + 1] = np.inf
    equity = _equity(price, money, terms.capital)
    placed = False
    many = max(terms.levels_long, terms.levels_short)
    for k in range(2 * many):
        side, level = k % 2, k // 2
        if level >= (terms.levels_long if side == 0 else terms.levels_short):
            continue
        j = level + side * terms.levels_long
        size = slot[j, WANT]
        taken = slot[j, SIZE] > 0.0 or slot[j, LEFT] > 0.0
        if size == 0.0 or taken or _crosses(slot[j, SIDE], slot[j, PRICE], price):
            continue
        waiting = waiting_long if side == 0 else waiting_short
        # What is refused for its size stays refused until a lot is closed.
        if money[HELD + side] + waiting + size > terms.max_lots:
            continue
        value = _value(size, terms.lot, terms.lot_inverse) * slot[j, PRICE]
        own = money[OWNED + side] * price + money[REST + side]
        both = money[OWNED] * price + money[OWNED + 1] * price
        gross = both + (money[REST] + money[REST + 1])
        share, most = terms.max_position_pct, terms.max_inventory
        if not _fits(value, own, gross, equity, share, most, terms.leverage):
            money[REFUSED + side] = min(money[REFUSED + side], value)
            continue
        slot[j, FULL] = slot[j, LEFT] = size
        placed = True
        money[REST + side] += value
        if side == 0:
            waiting_long += size
        else:
            waiting_short += size
    # Added up anew, as the next close does it.
    if placed:
        _add_resting(book, terms)


@kernel
def _watch(price: float, book: Any, terms: Any) -> None:
    """Find the prices beyond which a bar matters; too near is slow, too far would be wrong."""
    slot, money = book.slot, book.money
    down, up = -np.inf, np.inf
    away = money[CENTRE] * terms.recenter_bps / 10_000.0 * (1.0 - 1e-9)
    below, above = money[CENTRE] - away, money[CENTRE] + away
    for j in range(slot.shape[0]):
        buys = slot[j, SIDE] > 0.0
        if slot[j, LEFT] > 0.0:
            if buys:
                down = max(down, slot[j, TRIGGER])
            else:
                up = min(up, slot[j, TRIGGER])
        if slot[j, SIZE] > 0.0:
            lower = slot[j, LOT_GUARD] if buys else slot[j, LOT_GOAL_TRIGGER]
            upper = slot[j, LOT_GOAL_TRIGGER] if buys else slot[j, LOT_GUARD]
            down, up = max(down, lower), min(up, upper)
        elif slot[j, WANT] > 0.0:
            # A close at a rung or on its other side changes whether it would cross.
            if slot[j, PRICE] <= price:
                below = max(below, slot[j, PRICE])
            if slot[j, PRICE] >= price:
                above = min(above, slot[j, PRICE])
    # Equity less maintenance margin is a straight line in the price.
    long, short = money[OWNED], money[OWNED + 1]
    slope = long - short - terms.maintenance * (long + short)
    spare = _equity(price, money, terms.capital) - price * (long - short)
    if slope > 0.0:
        down = max(down, -spare / slope * (1.0 + 1e-9))
    elif slope < 0.0:
        up = min(up, spare / -slope * (1.0 - 1e-9))
    if spare <= 0.0 and slope <= 0.0:
        down = np.inf
    money[DOWN_TO], money[UP_TO], money[BELOW], money[ABOVE] = down, up, below, above


@kernel
def _empty_book(log: FloatArray, terms: Any) -> Any:
    levels = terms.levels_long + terms.levels_short
    book = Book(np.zeros((levels, COLUMNS)), np.zeros(WORDS), log)
    for j in range(levels):
        long = j < terms.levels_long
        book.slot[j, SIDE] = 1.0 if long else -1.0
        book.slot[j, LEVEL] = j + 1 if long else j + 1 - terms.levels_long
    return book


@kernel
def _settle(due: int, series: Any, book: Any, terms: Any) -> None:
    """Charge every open lot for a settlement."""
    slot = book.slot
    for j in range(slot.shape[0]):
        if slot[j, SIZE] > 0.0:
            quantity = _value(slot[j, SIZE], terms.lot, terms.lot_inverse)
            paid = slot[j, SIDE] * quantity * series.due_marks[due] * series.due_rates[due]
            slot[j, PAID] += paid
            book.money[FUNDING] += paid


@kernel
def play(
    series: Any, states: Any, terms: Any, warm: int, first: int, stop: int, equity: FloatArray,
    track: FloatArray, log: FloatArray,
) -> Any:  # fmt: skip
    """Play a span; return the number of lots, whether the account was liquidated, and where.

    `equity` has a value for each bar; `track` a row for each of `CURVES`, or no columns. `log`
    has a row for each lot; where they are too few the number of lots is -1 and nothing counts.
    """
    # Taken out of their tuples once: that counts references, and a quiet bar has no time for it.
    highs, lows, closes = series.high, series.low, series.close
    guard_cost, guard_tenths, due_rows = series.guard_cost, series.guard_tenths, series.due_rows
    capital, max_cost, drawdown_stop = terms.capital, terms.max_cost, terms.drawdown_stop
    share, most, leverage = terms.max_position_pct, terms.max_inventory, terms.leverage
    tracked = track.size > 0
    book = _empty_book(log, terms)
    money = book.money
    realised = fees = funding = long = short = long_cost = short_cost = 0.0
    long_rest = short_rest = 0.0
    long_refused = short_refused = up = np.inf
    down, below, above = -np.inf, 0.0, 0.0
    peak, due = capital, 0
    flatten = halted = liquidated = False
    stopped, last_state, last_long, last_short = -1, 0, 10, 10
    while due < due_rows.size and due_rows[due] < first:
        due += 1
    next_due = due_rows[due] if due < due_rows.size else stop
    for t in range(max(first - 1, 0), stop):
        close = closes[t]
        changed = False
        if t >= first:
            i = t - first
            while t == next_due:
                _settle(due, series, book, terms)
                due += 1
                next_due = due_rows[due] if due < due_rows.size else stop
                # It moves the price of liquidation, so that the bar is walked.
                changed = True
            if flatten and not halted:
                _leave_all(t, series.open[t], terms.slip, DRAWDOWN, book, terms)
                halted, stopped, changed = True, t, True
            if not halted and (changed or lows[t] <= down or highs[t] >= up):
                if int(money[COUNT]) + book.slot.shape[0] > log.shape[0]:
                    return -1, False, -1
                bar = (series.open[t], highs[t], lows[t], close)
                if _walk(t, bar, not changed, series.volume, book, terms):
                    halted, liquidated, stopped = True, True, t
                changed = True
            if changed:
                _count(book, terms)
                realised, fees, funding = money[REALISED], money[FEES], money[FUNDING]
                long, short = money[OWNED], money[OWNED + 1]
                long_cost, short_cost = money[COST], money[COST + 1]
            if tracked:
                track[4, i], track[5, i] = long * close, short * close
            if t == stop - 1:
                _leave_all(t, close, 0.0, END, book, terms)
                realised, fees = money[REALISED], money[FEES]
                long = short = long_cost = short_cost = 0.0
            open_profit = _unrealised(close, long, short, long_cost, short_cost)
            worth = capital + realised + open_profit - fees - funding
            equity[i] = worth
            if tracked:
                track[0, i], track[1, i] = realised, open_profit
                track[2, i], track[3, i] = fees, funding
            if halted or t == stop - 1:
                continue
            peak = max(peak, worth)
            if peak - worth > drawdown_stop * peak:
                # From the next open on there is nothing left to decide.
                flatten = True
                for j in range(book.slot.shape[0]):
                    book.slot[j, LEFT] = 0.0
                continue
        if t + 1 < warm:
            continue
        long_tenths = short_tenths = 10
        cost, state = guard_cost[t], int(states[t])
        if cost > max_cost:
            long_tenths = int(guard_tenths[t])
        elif -cost > max_cost:
            short_tenths = int(guard_tenths[t])
        renew = state != last_state or long_tenths != last_long or short_tenths != last_short
        again = changed or renew or not below < close < above
        # A refused order may fit now: the smallest of each side tells.
        if not again and (long_refused < np.inf or short_refused < np.inf):
            open_profit = _unrealised(close, long, short, long_cost, short_cost)
            worth = capital + realised + open_profit - fees - funding
            gross = (long * close + short * close) + (long_rest + short_rest)
            own = long * close + long_rest
            again = _fits(long_refused, own, gross, worth, share, most, leverage)
            own = short * close + short_rest
            again |= _fits(short_refused, own, gross, worth, share, most, leverage)
        if again:
            _decide(close, state, long_tenths, short_tenths, renew, book, terms)
            _watch(close, book, terms)
            down, up, below, above = money[DOWN_TO], money[UP_TO], money[BELOW], money[ABOVE]
            long_rest, short_rest = money[REST], money[REST + 1]
            long_refused, short_refused = money[REFUSED], money[REFUSED + 1]
            last_state, last_long, last_short = state, long_tenths, short_tenths
    return int(money[COUNT]), liquidated, stopped


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
    rows, count = 4096, -1
    while count < 0:
        log = np.zeros((rows, len(LOT.names or ())))
        count, liquidated, stopped = play(
            series, states, terms, warm, first, stop, equity, track, log
        )
        rows *= 4
    return HedgeResult(
        span=span,
        lots=_lots(log[:count]),
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
