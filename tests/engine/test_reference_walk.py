"""The reference engine on bars and numbers worked out by hand, rule by rule of `spec/atr-d.md`.

Rules are made by hand: row 0 is a signal bar, its order works on row 1. Unless a case says
otherwise an order is sized at a price of 100, which the capital of 1050 makes ten shares.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.account import Account
from meseta.bars import Bars
from meseta.engine import REASONS, Report, Window
from meseta.engine._reference import simulate
from meseta.strategies._rules import Orders, Protection, Rules

FAR = 1e7  # a final stop that no close is near
SIGNAL = (100, 101, 99, 100)
MARKET = {1: -math.inf, -1: math.inf}
BUY, SELL = 1, -1


def bars_of(rows):
    days = np.datetime64("2000-01-03", "us") + np.arange(len(rows)) * np.timedelta64(1, "D")
    return Bars.from_arrays(days, *np.asarray(rows, float).T)


def column(count, default, given=None):
    values = np.full(count, default)
    for bar, value in (given or {}).items():
        values[bar] = value
    return values


def orders_of(count, given):
    """Orders from {bar: (direction, level[, price])}; NaN where there is none."""
    made = Orders(np.zeros(count, np.int8), np.full(count, np.nan), np.full(count, np.nan))
    for bar, (direction, level, *price) in given.items():
        made.direction[bar] = direction
        made.level[bar] = level
        made.price[bar] = price[0] if price else 100.0
    return made


def at(count, bars):
    marked = np.zeros(count, bool)
    marked[list(bars)] = True
    return marked


def play(rows, *orders, **given):
    """Simulate rows; what is not given never happens."""
    count = len(rows)
    trailing = given.pop("trailing", True)
    leave_long, leave_short = given.pop("leave_long", None), given.pop("leave_short", None)
    rules = Rules(
        orders=tuple(orders_of(count, one) for one in orders),
        clears=at(count, given.pop("clears", ())),
        long=Protection(
            column(count, -FAR, given.pop("stops", None)),
            column(count, np.nan, given.pop("shields", None)),
            trailing,
        ),
        short=Protection(
            column(count, FAR, given.pop("short_stops", None)),
            column(count, np.nan, given.pop("short_shields", None)),
            trailing,
        ),
        tightening=column(count, 1.0, given.pop("tightening", None)),
        leave_long=None if leave_long is None else at(count, leave_long),
        leave_short=None if leave_short is None else at(count, leave_short),
        turns=given.pop("turns", False),
        reverses_long="long" in given.get("reverses", ""),
        reverses_short="short" in given.pop("reverses", ""),
        first=given.pop("first", 0),
    )
    window = Window(*given.pop("window", (0, 1, count)))
    return simulate(bars_of(rows), rules, window, Account(**{"capital": 1050.0} | given))


def told(simulation):
    """Direction, bars, prices and reason of every trade."""
    return [(t.dir, t.entry_bar, t.exit_bar, t.fill, t.exit, t.reason) for t in simulation.trades]


def test_every_reason_is_known():
    assert REASONS[:6] == ("trail", "breach", "end", "cross", "reverse", "stop")
    assert REASONS[6:] == ("limit", "exit", "boundary")


# Section 2: orders and fills.

FILLS = {
    "a buy stop on the way up": ((BUY, 102), (100, 104, 99, 103), 102),
    "a buy stop that the open passed": ((BUY, 102), (103, 104, 99, 103), 103),
    "a buy stop that the open meets": ((BUY, 102), (102, 104, 99, 103), 102),
    "a buy stop that the high meets": ((BUY, 102), (100, 102, 99, 101), 102),
    "a buy stop above the high": ((BUY, 102), (100, 101.75, 99, 101), None),
    "a sell stop on the way down": ((SELL, 98), (100, 101, 96, 97), 98),
    "a sell stop that the open passed": ((SELL, 98), (97, 101, 96, 97), 97),
    "a sell stop that the open meets": ((SELL, 98), (98, 101, 96, 97), 98),
    "a sell stop that the low meets": ((SELL, 98), (100, 101, 98, 99), 98),
    "a sell stop below the low": ((SELL, 98), (100, 101, 98.25, 99), None),
    "a market order to buy": ((BUY, -math.inf), (97, 101, 96, 97), 97),
    "a market order to sell": ((SELL, math.inf), (103, 104, 99, 103), 103),
}


@pytest.mark.parametrize("case", FILLS)
@pytest.mark.parametrize("slippage", [0.0, 0.5])
def test_fills(case, slippage):
    order, bar, fill = FILLS[case]
    made = play([SIGNAL, bar], {0: order}, slippage=slippage)
    direction = order[0]
    expected = [(direction, 1, 1, fill and fill + direction * slippage, bar[3], "end")]
    assert told(made) == (expected if fill else [])


@pytest.mark.parametrize("direction", [BUY, SELL])
@pytest.mark.parametrize(
    ("price", "lot", "shares"),
    [(100, 1, 10), (105, 1, 10), (105.25, 1, 9), (1050, 1, 1), (1050.5, 1, None), (100, 4, 8),
     (100, 0.25, 10.5), (0.0, 1, None), (-5.0, 1, None), (math.nan, 1, None)],
)  # fmt: skip
def test_an_order_is_whole_lots_at_its_price(direction, price, lot, shares):
    made = play([SIGNAL, SIGNAL], {0: (direction, MARKET[direction], price)}, lot=lot)
    assert [trade.shares for trade in made.trades] == ([shares] if shares else [])


def test_an_order_lives_on_one_bar():
    rows = [SIGNAL, (100, 101, 99, 100), (100, 110, 90, 100)]
    assert told(play(rows, {0: (BUY, 102)})) == told(play(rows, {0: (SELL, 98)})) == []


def test_signals_begin_with_the_window_and_the_indicators():
    rows, orders = [SIGNAL] * 6, dict.fromkeys(range(6), (SELL, math.inf))
    for window, first, entry in [((0, 1, 6), 0, 1), ((2, 3, 6), 0, 3), ((0, 1, 6), 3, 4)]:
        made = play(rows, orders, window=window, first=first)
        assert told(made) == [(SELL, entry, 5, 100, 100, "end")]
    for window, first in [((0, 1, 6), 5), ((0, 1, 6), 10**12), ((0, 1, 2), 1)]:
        assert told(play(rows, orders, window=window, first=first)) == []


# Section 3 and its mirror: the entry bar.

ENTRY_BAR = {
    # order, entry bar, amount, fill, exit (None: still in at the close)
    "long, high first, on the way up": ((BUY, 102), (101, 103, 95, 97), 4, 102, 99),
    "long, high first, the low touches": ((BUY, 102), (101, 103, 95, 97), 8, 102, 95),
    "long, high first, the low stays above": ((BUY, 102), (101, 103, 95, 97), 8.5, 102, None),
    "long, high first, at the open": ((BUY, 102), (103, 104, 96, 97), 5, 103, 99),
    "long, low first, at the open": ((BUY, 102), (103, 109, 101, 108), 2, 103, 101),
    "long, low first, at the open, the close": ((BUY, 102), (103, 109, 101, 106), 2.5, 103, 106.5),
    "long, low first, at the open, neither": ((BUY, 102), (103, 109, 101, 108), 2.5, 103, None),
    "long, low first, on the way up": ((BUY, 102), (100, 108, 99, 105), 1, 102, 107),
    "long, low first, the close touches": ((BUY, 102), (100, 108, 99, 105), 3, 102, 105),
    "long, low first, the close stays above": ((BUY, 102), (100, 108, 99, 105), 4, 102, None),
    # High first would be stopped at 102.
    "long, a tie goes low first": ((BUY, 102), (100, 104, 96, 103), 2, 102, None),
    "long, market, low first": ((BUY, -math.inf), (103, 109, 101, 108), 2, 103, 101),
    "short, low first, on the way down": ((SELL, 98), (99, 105, 97, 103), 4, 98, 101),
    "short, low first, the high touches": ((SELL, 98), (99, 105, 97, 103), 8, 98, 105),
    "short, low first, the high stays below": ((SELL, 98), (99, 105, 97, 103), 8.5, 98, None),
    "short, low first, at the open": ((SELL, 98), (97, 104, 96, 103), 5, 97, 101),
    "short, high first, at the open": ((SELL, 98), (97, 99, 91, 92), 2, 97, 99),
    "short, high first, at the open, the close": ((SELL, 98), (97, 99, 91, 94), 2.5, 97, 93.5),
    "short, high first, at the open, neither": ((SELL, 98), (97, 99, 91, 92), 2.5, 97, None),
    "short, high first, on the way down": ((SELL, 98), (100, 101, 92, 95), 1, 98, 93),
    "short, high first, the close touches": ((SELL, 98), (100, 101, 92, 95), 3, 98, 95),
    "short, high first, the close stays below": ((SELL, 98), (100, 101, 92, 95), 4, 98, None),
    # High first would still be in: the close is below 98.
    "short, a tie goes low first": ((SELL, 98), (100, 104, 96, 97), 2, 98, 98),
    "short, a quarter off the tie": ((SELL, 98), (99.75, 103.5, 95.5, 97), 2, 98, None),
    "short, market, high first": ((SELL, math.inf), (97, 99, 91, 92), 2, 97, 99),
    "no protection of zero": ((SELL, 98), (99, 105, 97, 103), 0, 98, None),
    "no protection below zero": ((SELL, 98), (99, 105, 97, 103), -1, 98, None),
    "no protection before it is defined": ((SELL, 98), (99, 105, 97, 103), math.nan, 98, None),
}


@pytest.mark.parametrize("case", ENTRY_BAR)
@pytest.mark.parametrize("slippage", [0.0, 0.25])
def test_entry_bar(case, slippage):
    order, bar, amount, fill, price = ENTRY_BAR[case]
    side = order[0]
    shields = {"shields" if side == BUY else "short_shields": {0: amount}}
    made = play([SIGNAL, bar, (bar[3],) * 4], {0: order}, slippage=slippage, **shields)
    if price is None:
        expected = (side, 1, 2, fill + side * slippage, bar[3], "end")
    else:
        expected = (side, 1, 1, fill + side * slippage, price - side * slippage, "trail")
    assert told(made) == [expected]
    (trade,) = made.trades
    assert trade.pnl == side * (trade.exit - trade.fill) * 10


# While in a position. Both are entered at the open of bar 1; at its close the long's highest
# price is 104, its final stop 100, its amount 103 - 100 = 3 and its stop 101; the short's lowest
# price is 96, its final stop 100, its amount 100 - 97 = 3 and its stop 99.

LONG_HELD = (102, 104, 101, 103)
SHORT_HELD = (98, 99, 96, 97)

NEXT_BAR = {
    # direction, bar after the entry, exit (None: still in)
    "long, gap below the stop": (BUY, (100, 105, 99, 104), 100),
    "long, the open on the stop": (BUY, (101, 105, 99, 104), 101),
    "long, high first, a new high": (BUY, (103, 105, 98, 99), 102),
    "long, high first, no new high": (BUY, (102, 103, 100, 101), 101),
    "long, high first, not stopped": (BUY, (103, 103.75, 102, 103), None),
    "long, low first, the low": (BUY, (102, 106, 100.5, 105), 101),
    "long, low first, the open is the highest": (BUY, (106, 112, 102.5, 111), 103),
    "long, low first, the close": (BUY, (103, 110, 102, 107), 107),
    "long, low first, neither": (BUY, (103, 110, 102, 107.25), None),
    "long, a tie goes low first": (BUY, (104, 108, 100, 106), 101),
    "short, gap above the stop": (SELL, (100, 101, 95, 96), 100),
    "short, the open on the stop": (SELL, (99, 101, 95, 96), 99),
    "short, low first, a new low": (SELL, (97, 102, 95, 101), 98),
    "short, low first, no new low": (SELL, (98, 100, 97, 99), 99),
    "short, low first, not stopped": (SELL, (97, 98, 96.25, 97), None),
    "short, high first, the high": (SELL, (98, 99.5, 94, 95), 99),
    "short, high first, the open is the lowest": (SELL, (94, 97.5, 88, 89), 97),
    "short, high first, the close": (SELL, (97, 98, 90, 93), 93),
    "short, high first, neither": (SELL, (97, 98, 90, 92.75), None),
    # High first would be stopped at 99.
    "short, a tie goes low first": (SELL, (96, 100, 92, 94), 95),
}


def held(direction, *rows, **given):
    """Play rows after a bar on which a position of ten shares was entered at the open."""
    name, row = ("stops", LONG_HELD) if direction == BUY else ("short_stops", SHORT_HELD)
    first, *later = given.pop("orders", [{}])
    final = given.pop("final", {1: 100.0})
    orders = [{0: (direction, row[0])} | first, *later]
    return play([SIGNAL, row, *rows], *orders, **{name: final}, **given)


@pytest.mark.parametrize("case", NEXT_BAR)
@pytest.mark.parametrize("slippage", [0.0, 0.5])
def test_trailing_stop(case, slippage):
    direction, bar, price = NEXT_BAR[case]
    made = held(direction, bar, slippage=slippage)
    fill = (102 if direction == BUY else 98) + direction * slippage
    if price is None:
        assert told(made) == [(direction, 1, 2, fill, bar[3], "end")]
    else:
        assert told(made) == [(direction, 1, 2, fill, price - direction * slippage, "trail")]


@pytest.mark.parametrize(
    ("direction", "bar", "price"),
    # Half the amount is 1.5: the long's stop is at 102.5, the short's at 97.5.
    [(BUY, (103, 103.25, 102.5, 103), 102.5), (SELL, (97, 97.5, 96.75, 97), 97.5)],
)
def test_tightening_shrinks_the_amount(direction, bar, price):
    assert told(held(direction, bar, tightening={1: 0.5}))[0][4:] == (price, "trail")
    assert told(held(direction, bar))[0][5] == "end"


@pytest.mark.parametrize(
    ("direction", "rows", "final", "price"),
    [
        # Close 105, final stop still 100: amount 5 from the high of 106.
        (BUY, [(103, 106, 102.5, 105), (104, 104, 100.5, 101)], {1: 100, 2: 95}, 101),
        # Close 105, final stop 102: amount 3.
        (BUY, [(103, 106, 102.5, 105), (104, 104, 100.5, 101)], {1: 100, 2: 102}, 103),
        # Close 95, final stop still 100: amount 5 from the low of 94.
        (SELL, [(97, 97.5, 94, 95), (96, 99.5, 96, 99)], {1: 100, 2: 105}, 99),
        (SELL, [(97, 97.5, 94, 95), (96, 99.5, 96, 99)], {1: 100, 2: 98}, 97),
        # The candidate of the signal bar does not count.
        (BUY, [(103, 103, 101.5, 102), (102, 102, 98, 98)], {0: 102.5, 1: 97}, 99),
        (SELL, [(97, 98.5, 97, 98), (98, 102, 98, 102)], {0: 97.5, 1: 103}, 101),
    ],
)
def test_the_best_final_stop_counts(direction, rows, final, price):
    made = told(held(direction, *rows, final=final | {3: final[1]}))
    assert made[0][2:] == (3, 102 if direction == BUY else 98, price, "trail")


@pytest.mark.parametrize(
    ("direction", "bar", "after", "stop", "price"),
    [
        # High 104 before the low of 98; close 99, final stop 95: amount 4, stop at 100.
        (BUY, (103, 104, 98, 99), (101, 101.5, 99.75, 101), 95.0, 100),
        # Low 96 before the high of 102; close 101, final stop 105: amount 4, stop at 100.
        (SELL, (97, 102, 96, 101), (99, 100.25, 98.5, 99), 105.0, 100),
    ],
)
def test_the_best_price_of_the_entry_bar_is_its_extreme(direction, bar, after, stop, price):
    final = {"stops" if direction == BUY else "short_stops": {1: stop}}
    made = play([SIGNAL, bar, after], {0: (direction, 100 + 2 * direction)}, **final)
    assert told(made)[0][4:] == (price, "trail")


@pytest.mark.parametrize("opened", [90.0, 100.0, 110.0])
@pytest.mark.parametrize(("direction", "stop"), [(BUY, 103.25), (SELL, 96.75)])
def test_a_close_through_the_final_stop_leaves_at_the_next_open(direction, stop, opened):
    made = held(direction, (opened, 120, 80, 100), SIGNAL, final={1: stop}, slippage=0.5)
    assert told(made)[0][2] == 2
    assert told(made)[0][4:] == (opened - direction * 0.5, "breach")


@pytest.mark.parametrize(
    ("direction", "stop", "bar", "price"),
    # Amount 0: the stop stands on the best price, which the open has just moved.
    [(BUY, 103, (105, 110, 104.75, 109), 105), (SELL, 97, (95, 95.25, 90, 91), 95)],
)
def test_a_close_on_the_final_stop_is_no_breach(direction, stop, bar, price):
    assert told(held(direction, bar, final={1: stop}))[0][4:] == (price, "trail")


def test_a_position_that_was_closed_can_be_followed_on_the_next_bar():
    # Short stopped out on its entry bar at 97 + 4; the order of that close works on bar 2.
    rows = [SIGNAL, (99, 105, 97, 103), (103, 106, 102, 105), SIGNAL]
    orders = {0: (SELL, 98), 1: (BUY, 104)}
    made = play(rows, orders, short_shields={0: 4})
    assert told(made) == [(SELL, 1, 1, 98, 101, "trail"), (BUY, 2, 3, 104, 100, "end")]
    # 1050 - 30 = 1020 is realised: ten shares at 100, nine at 102.5.
    assert [trade.shares for trade in made.trades] == [10, 10]
    made = play(rows, orders | {1: (BUY, 104, 102.5)}, short_shields={0: 4})
    assert [trade.shares for trade in made.trades] == [10, 9]


# Section 4: reversals. The position is `held` with its stop at 101 (long) or 99 (short); the
# order of bar 1 works on bar 2.

REVERSALS = {
    # direction held, bar 2, level of the order, final stop, price, reason
    "long: the open passed the order": (BUY, (102, 103, 99, 100), 102.5, 100, 102, "reverse"),
    "long: the open meets the order": (BUY, (102, 103, 99, 100), 102, 100, 102, "reverse"),
    "long: the open passed both": (BUY, (100.5, 103, 99, 100), 101.5, 100, 100.5, "reverse"),
    "long: the open passed the stop alone": (BUY, (101, 103, 95, 96), 100, 100, 101, "trail"),
    "long: same leg, the order first": (BUY, (103, 103.5, 98, 99), 102, 100, 102, "reverse"),
    "long: same leg, the stop first": (BUY, (103, 103.5, 98, 99), 100, 100, 101, "trail"),
    "long: same leg, same price": (BUY, (103, 103.5, 98, 99), 101, 100, 101, "reverse"),
    # High first: the new high of 106 lifts the stop to 103.
    "long: a new high lifts the stop": (BUY, (103.5, 106, 98, 99), 102, 100, 103, "trail"),
    "long: a new high, same price": (BUY, (103.5, 106, 98, 99), 103, 100, 103, "reverse"),
    # Low first: the order is met before the high.
    "long: the low comes before": (BUY, (103.5, 110, 98, 99), 102, 100, 102, "reverse"),
    # A tie goes low first, so the stop is still at 101.
    "long: a tie goes low first": (BUY, (103, 106, 100, 101), 102, 100, 102, "reverse"),
    # Low first, the low of 102 meets nothing; from 110 the close of 106 passes 107.
    "long: the last leg is the stop's": (BUY, (103, 110, 102, 106), 101.5, 100, 107, "trail"),
    "long: breach, the open passed": (BUY, (102, 103, 99, 100), 102.5, 104, 102, "reverse"),
    "long: breach, the open meets": (BUY, (102, 103, 99, 100), 102, 104, 102, "reverse"),
    "long: breach cancels an order below": (BUY, (102, 103, 99, 100), 101, 104, 102, "breach"),
    "long: a market order": (BUY, (105, 106, 104, 105), math.inf, 100, 105, "reverse"),
    "short: the open passed the order": (SELL, (98, 101, 97, 100), 97.5, 100, 98, "reverse"),
    "short: the open passed both": (SELL, (99.5, 101, 97, 100), 98.5, 100, 99.5, "reverse"),
    "short: the open passed the stop alone": (SELL, (99, 105, 97, 104), 100, 100, 99, "trail"),
    "short: same leg, the order first": (SELL, (97, 102, 96.5, 101), 98, 100, 98, "reverse"),
    "short: same leg, the stop first": (SELL, (97, 102, 96.5, 101), 100, 100, 99, "trail"),
    "short: same leg, same price": (SELL, (97, 102, 96.5, 101), 99, 100, 99, "reverse"),
    # Low first: the new low of 94 brings the stop to 97.
    "short: a new low lowers the stop": (SELL, (96.5, 102, 94, 101), 98, 100, 97, "trail"),
    "short: a new low, same price": (SELL, (96.5, 102, 94, 101), 97, 100, 97, "reverse"),
    # High first: the order is met before the low.
    "short: the high comes before": (SELL, (96.5, 102, 90, 101), 98, 100, 98, "reverse"),
    # A tie goes low first: the stop is at 94 + 3 when the price comes back.
    "short: a tie goes low first": (SELL, (97, 100, 94, 99), 98, 100, 97, "trail"),
    "short: the last leg is the stop's": (SELL, (97, 98, 90, 94), 98.5, 100, 93, "trail"),
    "short: breach, the open passed": (SELL, (98, 101, 97, 100), 97.5, 96, 98, "reverse"),
    "short: breach cancels an order above": (SELL, (98, 101, 97, 100), 99, 96, 98, "breach"),
    "short: a market order": (SELL, (95, 96, 94, 95), -math.inf, 100, 95, "reverse"),
}  # fmt: skip


@pytest.mark.parametrize("case", REVERSALS)
@pytest.mark.parametrize("slippage", [0.0, 0.25])
def test_what_the_path_reaches_first_closes_the_position(case, slippage):
    direction, bar, level, final, price, reason = REVERSALS[case]
    made = held(
        direction, bar, orders=[{1: (-direction, level)}], final={1: float(final)},
        reverses="long, short", slippage=slippage,
    )  # fmt: skip
    fill = (102 if direction == BUY else 98) + direction * slippage
    worse = price - direction * slippage
    expected = [(direction, 1, 2, fill, worse, reason)]
    if reason == "reverse":
        expected.append((-direction, 2, 2, worse, bar[3], "end"))
    assert told(made) == expected


SHIELDED = {
    # direction held, bar 2, level, amount of the new position, its fill and exit (None: still in)
    "short, high first, the close": (BUY, (103, 103.5, 98, 100.5), 102, 2, 102, 100),
    "short, high first, the close stays below": (BUY, (103, 103.5, 98, 99.5), 102, 2, 102, None),
    "short, low first, the high": (BUY, (103, 110, 98, 99), 102, 2, 102, 100),
    "short, high first, at the open": (BUY, (101.5, 103.5, 98, 99), 102, 2, 101.5, 103.5),
    "short, low first, at the open": (BUY, (101.5, 108, 98, 99), 102, 2, 101.5, 100),
    "long, low first, the close": (SELL, (97, 102, 96.5, 99.5), 98, 2, 98, 100),
    "long, low first, the close stays above": (SELL, (97, 102, 96.5, 100.5), 98, 2, 98, None),
    "long, high first, the low": (SELL, (97, 102, 90, 101), 98, 2, 98, 100),
    "long, low first, at the open": (SELL, (98.5, 102, 96.5, 101), 98, 2, 98.5, 96.5),
}


@pytest.mark.parametrize("case", SHIELDED)
def test_after_a_reversal_the_protection_walks_the_rest_of_the_path(case):
    direction, bar, level, amount, fill, price = SHIELDED[case]
    shields = {"short_shields" if direction == BUY else "shields": {1: amount}}
    made = held(
        direction, bar, orders=[{1: (-direction, level)}], reverses="long, short", **shields
    )
    reason = "end" if price is None else "trail"
    assert told(made)[1:] == [(-direction, 2, 2, fill, price or bar[3], reason)]
    assert told(made)[0][4:] == (fill, "reverse")


def test_only_the_allowed_direction_reverses():
    for direction, bar, level in [(BUY, (103, 103.5, 101.5, 102), 102),
                                  (SELL, (97, 98.5, 96.5, 98), 98)]:  # fmt: skip
        for reverses in ("", "long", "short", "long, short"):
            made = held(direction, bar, orders=[{1: (-direction, level)}], reverses=reverses)
            turned = ("long" if direction == BUY else "short") in reverses
            assert told(made)[0][5] == ("reverse" if turned else "end")
            assert len(made.trades) == 1 + turned


def test_an_order_in_the_position_s_own_direction_does_not_work():
    made = held(BUY, (103, 106, 102.5, 105), orders=[{1: (BUY, 104)}], reverses="long")
    assert told(made) == [(BUY, 1, 2, 102, 105, "end")]


def test_a_reversal_can_be_reversed_on_the_next_bar():
    rows = [(103, 103.5, 101.5, 102), (102, 103.5, 101.75, 103), SIGNAL]
    orders = [{1: (SELL, 102.5), 2: (BUY, 103), 3: (SELL, 90)}]
    made = held(BUY, *rows, orders=orders, reverses="long, short")
    assert told(made) == [
        (BUY, 1, 2, 102, 102.5, "reverse"),
        (SELL, 2, 3, 102.5, 103, "reverse"),
        (BUY, 3, 4, 103, 100, "end"),
    ]


def test_orders_may_reverse_from_the_close_of_the_entry_bar_but_not_on_it():
    rows = [SIGNAL, (100, 104, 96, 100), (100, 101, 97.5, 100)]
    # The sell stop of bar 0 does not exist: one order works on a bar.
    made = play(rows, {0: (BUY, 102), 1: (SELL, 98)}, reverses="long")
    assert told(made) == [(BUY, 1, 2, 102, 98, "reverse"), (SELL, 2, 2, 98, 100, "end")]


def test_a_reversal_of_less_than_a_lot_is_no_order():
    bar = (103, 103.5, 98, 99)
    for price in (1051.0, -1.0):
        made = held(BUY, bar, orders=[{1: (SELL, 102, price)}], reverses="long")
        assert told(made) == [(BUY, 1, 2, 102, 101, "trail")]


def test_a_reversal_is_sized_with_realised_equity():
    # Entry commission 0.0625 * 102 * 10 = 63.75 leaves 986.25 of 1050; that the position is
    # worth 10 more at the close of bar 1 does not count.
    bar = (103, 103.5, 101.5, 102)
    for price, shares in [(98.625, 10), (98.75, 9)]:
        made = held(
            BUY, bar, orders=[{1: (SELL, 102.5, price)}], reverses="long", commission=0.0625
        )
        assert [trade.shares for trade in made.trades] == [10, shares]
        exit_cost = 0.0625 * 102.5 * 10
        assert made.trades[0].pnl == 0.5 * 10 - 63.75 - exit_cost
        entry, leaving = 0.0625 * 102.5 * shares, 0.0625 * 102 * shares
        assert made.trades[1].pnl == 0.5 * shares - entry - leaving


def test_no_reversal_is_decided_before_the_indicators_are_defined_or_at_the_end():
    bar = (103, 103.5, 101.5, 102)
    made = held(BUY, bar, bar, orders=[{2: (SELL, 102)}], reverses="long", window=(0, 1, 3))
    assert told(made) == [(BUY, 1, 2, 102, 102, "end")]


# Section 5: leaving at a cross, and turning.


@pytest.mark.parametrize("direction", [BUY, SELL])
@pytest.mark.parametrize("turns", [False, True])
@pytest.mark.parametrize("opened", [90.0, 100.0, 110.0])
def test_a_cross_leaves_at_the_next_open(direction, turns, opened):
    leaves = {"leave_long" if direction == BUY else "leave_short": [1]}
    order = {1: (-direction, MARKET[-direction])}
    bar = (opened, 120, 80, 101)
    made = held(direction, bar, orders=[order], turns=turns, slippage=0.5, **leaves)
    worse = opened - direction * 0.5
    fill = (102 if direction == BUY else 98) + direction * 0.5
    expected = [(direction, 1, 2, fill, worse, "cross")]
    if turns:
        expected.append((-direction, 2, 2, worse, 101, "end"))
    assert told(made) == expected


@pytest.mark.parametrize(("direction", "final"), [(BUY, 104.0), (SELL, 96.0)])
def test_a_cross_comes_before_a_breach(direction, final):
    leaves = {"leave_long" if direction == BUY else "leave_short": [1]}
    assert told(held(direction, SIGNAL, final={1: final}, **leaves))[0][4:] == (100, "cross")
    assert told(held(direction, SIGNAL, final={1: final}))[0][4:] == (100, "breach")


def test_only_the_cross_of_the_position_s_direction_leaves():
    bar = (103, 103.5, 102, 103)
    assert told(held(BUY, bar, leave_short=[1]))[0][5] == "end"
    assert told(held(BUY, bar, leave_short=[1], leave_long=[0, 2]))[0][5] == "end"


def test_a_position_that_was_stopped_out_has_nothing_to_leave():
    made = held(BUY, (100, 105, 99, 104), SIGNAL, SIGNAL, leave_long=[2], turns=True)
    assert told(made) == [(BUY, 1, 2, 102, 100, "trail")]


def test_turning_is_sized_with_realised_equity_and_needs_a_lot():
    # As for the reversal: 986.25 is realised at the close of bar 1.
    for price, shares in [(98.625, [10, 10]), (98.75, [10, 9]), (987.0, [10])]:
        order = {1: (SELL, math.inf, price)}
        made = held(BUY, SIGNAL, orders=[order], leave_long=[1], turns=True, commission=0.0625)
        assert [trade.shares for trade in made.trades] == shares
        assert made.trades[0].reason == "cross"


def test_turning_takes_the_first_orders_and_only_the_other_way():
    turn = {1: (SELL, math.inf)}
    again = {1: (BUY, -math.inf)}
    for orders, trades in [([turn, {}, {}], 2), ([{}, turn, turn], 1), ([again, {}, {}], 1)]:
        made = held(BUY, SIGNAL, orders=orders, leave_long=[1], turns=True)
        assert len(made.trades) == trades


def test_after_turning_the_entry_bar_protects():
    # Sold at the open of 100; high first, 101 is within 1.5, the low 95, the close 97 is not.
    made = held(
        BUY, (100, 101, 95, 97), orders=[{1: (SELL, math.inf)}], leave_long=[1], turns=True,
        short_shields={1: 1.5},
    )  # fmt: skip
    assert told(made)[1] == (SELL, 2, 2, 100, 96.5, "trail")


def test_a_cross_without_turning_cancels_the_reversal():
    order = {1: (SELL, 101)}
    made = held(BUY, (102, 103, 99, 100), orders=[order], leave_long=[1], reverses="long")
    assert told(made) == [(BUY, 1, 2, 102, 102, "cross")]


# Stopped out: which orders work when flat. A market order of each kind is sized at its own price,
# so that the number of shares tells which one was filled.

KINDS = [(10, 100.0), (5, 200.0), (2, 500.0)]


def stopped_out(direction, how, clears=()):
    """Shares of what is entered on bar 3 after a position that ended on bar 2."""
    name = "stops" if direction == BUY else "short_stops"
    row = LONG_HELD if direction == BUY else SHORT_HELD
    final = 100.0 + 10 * direction if how == "breach" else 100.0
    # Far through the stop on bar 2, and a bar on which nothing can be stopped.
    bar = (100, 105, 95, 100)
    given = {"leave_long": [1], "leave_short": [1]} if how == "cross" else {}
    market = {2: (BUY, -math.inf)}
    orders = [{2: (*market[2], price)} for _, price in KINDS]
    orders[0][0] = (direction, row[0], 100.0)
    made = play(
        [SIGNAL, row, bar, (100, 100, 100, 100)], *orders, clears=clears, **{name: {1: final}},
        trailing=how != "stop", **given,
    )  # fmt: skip
    assert made.trades[0].reason == how
    return made.trades[1].shares


@pytest.mark.parametrize("how", ["trail", "breach", "stop"])
def test_orders_after_being_stopped_out(how):
    assert stopped_out(BUY, how) == 5
    assert stopped_out(SELL, how) == 2


@pytest.mark.parametrize("how", ["trail", "breach", "stop"])
@pytest.mark.parametrize("direction", [BUY, SELL])
def test_being_stopped_out_is_forgotten_before_the_order_is_chosen(direction, how):
    assert stopped_out(direction, how, clears=[2]) == 10
    # What was cleared before the position ended is not this.
    assert stopped_out(direction, how, clears=[0, 1, 3]) != 10


@pytest.mark.parametrize("direction", [BUY, SELL])
def test_a_cross_is_not_being_stopped_out(direction):
    assert stopped_out(direction, "cross") == 10


def test_being_stopped_out_lasts_until_it_is_forgotten():
    rows = [SIGNAL, (99, 105, 97, 103), *[SIGNAL] * 4]
    orders = [{0: (SELL, 98)}, {}, {4: (SELL, math.inf)}]
    made = play(rows, *orders, short_shields={0: 4})
    assert [trade.entry_bar for trade in made.trades] == [1, 5]
    assert len(play(rows, *orders, short_shields={0: 4}, clears=[3]).trades) == 1
    # On the entry bar, too, and for a single kind of orders it makes no difference.
    orders = [{0: (SELL, 98), 1: (SELL, math.inf)}]
    assert len(play(rows, *orders, short_shields={0: 4}).trades) == 2


# A resting stop order.

RESTING_ENTRY = {
    # order, entry bar, candidate of the signal bar, fill, exit (None: still in)
    "long, high first, on the way up": ((BUY, 102), (101, 103, 95, 97), 96, 102, 96),
    "long, high first, the low meets": ((BUY, 102), (101, 103, 95, 97), 95, 102, 95),
    "long, high first, the low stays above": ((BUY, 102), (101, 103, 95, 97), 94, 102, None),
    "long, low first, the low is before": ((BUY, 102), (100, 108, 97, 105), 98, 102, None),
    "long, low first, the close": ((BUY, 102), (100, 108, 97, 97.5), 98, 102, 98),
    "long, low first, at the open": ((BUY, 102), (103, 109, 101, 108), 101.5, 103, 101.5),
    "long, candidate above the open": ((BUY, 102), (101, 103, 95, 97), 102.5, 102, 101),
    "long, candidate above, low first": ((BUY, 102), (100, 108, 99, 101), 101, 102, None),
    "long, filled at the open, candidate above": ((BUY, 102), (103, 104, 102, 104), 104, 103, 103),
    "short, low first, on the way down": ((SELL, 98), (99, 105, 97, 103), 104, 98, 104),
    "short, low first, the high stays below": ((SELL, 98), (99, 105, 97, 103), 106, 98, None),
    "short, high first, the high is before": ((SELL, 98), (100, 103, 92, 95), 102, 98, None),
    "short, high first, the close": ((SELL, 98), (100, 103, 92, 102.5), 102, 98, 102),
    "short, high first, at the open": ((SELL, 98), (97, 99, 91, 92), 98.5, 97, 98.5),
    "short, candidate below the open": ((SELL, 98), (99, 105, 97, 103), 97.5, 98, 99),
    "short, filled at the open, candidate below": ((SELL, 98), (97, 98, 96, 96), 96, 97, 97),
}  # fmt: skip


@pytest.mark.parametrize("case", RESTING_ENTRY)
@pytest.mark.parametrize("slippage", [0.0, 0.25])
def test_a_resting_stop_on_the_entry_bar(case, slippage):
    order, bar, candidate, fill, price = RESTING_ENTRY[case]
    side = order[0]
    # The shield is not read.
    name = "" if side == BUY else "short_"
    given = {f"{name}stops": {0: candidate}, f"{name}shields": {0: 0.25}}
    made = play([SIGNAL, bar], {0: order}, trailing=False, slippage=slippage, **given)
    if price is None:
        expected = (side, 1, 1, fill + side * slippage, bar[3], "end")
    else:
        expected = (side, 1, 1, fill + side * slippage, price - side * slippage, "stop")
    assert told(made) == [expected]


RESTING_NEXT = {
    # direction, candidates, rows after the entry bar, bar and price of the exit
    "long, the open": (BUY, {0: 99, 1: 100}, [(99.5, 105, 99, 104)], (2, 99.5)),
    "long, the open meets": (BUY, {0: 99, 1: 100}, [(100, 105, 99, 104)], (2, 100)),
    "long, the low meets": (BUY, {0: 99, 1: 100}, [(103, 105, 100, 104)], (2, 100)),
    "long, low before a high that would trail": (BUY, {1: 99}, [(103, 130, 102, 104)], None),
    "long, the signal bar's": (BUY, {0: 100.5, 1: 90}, [(103, 105, 100, 104)], (2, 100.5)),
    "long, the highest so far": (BUY, {1: 100, 2: 101, 3: 95}, [SIGNAL, SIGNAL], (2, 100)),
    "long, raised": (BUY, {1: 98, 2: 99.5, 3: 95}, [SIGNAL, SIGNAL], (3, 99.5)),
    # The close below it is no breach: the order is at the market, the open decides.
    "long, above the close": (BUY, {0: 90, 1: 103.5}, [(104, 105, 103, 105)], (2, 103.5)),
    "short, the open": (SELL, {0: 101, 1: 100}, [(100.5, 101, 95, 96)], (2, 100.5)),
    "short, the high meets": (SELL, {0: 101, 1: 100}, [(97, 100, 95, 96)], (2, 100)),
    "short, the signal bar's": (SELL, {0: 99.5, 1: 110}, [(97, 100, 95, 96)], (2, 99.5)),
    "short, lowered": (SELL, {1: 102, 2: 100.5, 3: 105}, [SIGNAL, SIGNAL], (3, 100.5)),
    "short, not met": (SELL, {1: 102}, [SIGNAL, SIGNAL], None),
}  # fmt: skip


@pytest.mark.parametrize("case", RESTING_NEXT)
def test_a_resting_stop_on_later_bars(case):
    direction, candidates, rows, out = RESTING_NEXT[case]
    made = held(direction, *rows, final=candidates, trailing=False, tightening={1: 0.01})
    (trade,) = made.trades
    if out is None:
        assert trade.reason == "end"
    else:
        assert (trade.exit_bar, trade.exit, trade.reason) == (*out, "stop")


@pytest.mark.parametrize(
    ("level", "price", "reason"),
    [(101, 101, "reverse"), (100, 100, "reverse"), (99.5, 100, "stop")],
)
def test_a_resting_stop_and_a_reversal_race(level, price, reason):
    made = held(
        BUY, (103, 103.5, 98, 99), orders=[{1: (SELL, level)}], reverses="long", trailing=False,
        final={0: 90, 1: 100},
    )  # fmt: skip
    assert told(made)[0][4:] == (price, reason)
    assert len(made.trades) == 1 + (reason == "reverse")


# Section 7: what a window reports.


def test_a_short_s_money_by_hand():
    made = play(
        [SIGNAL, SHORT_HELD, (97, 98, 95, 96), SIGNAL], {0: (SELL, 98)}, window=(0, 2, 3),
        commission=0.0625, cost_per_share=0.5, slippage=0.5,
    )  # fmt: skip
    (trade,) = made.trades
    # Sold at 97.5, ended at 96 without slippage.
    paid, left = 0.0625 * 97.5 * 10, 0.0625 * 96 * 10 + 0.5 * 10
    assert (trade.fill, trade.exit, trade.costs) == (97.5, 96, paid + left)
    assert trade.pnl == 15 - paid - left
    # Marked at 97: 5 of profit, the entry's commission paid.
    assert made.equity.tolist() == [1050, 1050 - paid + 5, 1050 + trade.pnl]
    marked = 1050 - paid + 5
    assert made.report == Report(
        5, trade.pnl - 5, 1, 1, 1050 - marked, max(0, marked - made.equity[2])
    )


def test_a_short_across_the_split():
    rows = [SIGNAL, SHORT_HELD, (97, 99, 97, 99), (98, 98, 95, 95)]
    # Ten short at 98; marks 1050, 1060, 1040, 1080.
    for window, report in [
        ((0, 2, 4), Report(10, 20, 1, 1, 0, 20)),
        ((0, 3, 4), Report(-10, 40, 1, 1, 20, 0)),
        ((0, 1, 4), Report(0, 30, 0, 1, 0, 20)),
        ((0, 1, 3), Report(0, -10, 0, 1, 0, 20)),
    ]:
        assert play(rows, {0: (SELL, 98)}, window=window).report == report


def test_trades_of_a_reversal_at_the_split_belong_to_the_side_of_their_entry():
    rows = [(103, 103.5, 101.5, 102), (102, 102, 101, 101)]
    made = held(BUY, *rows, orders=[{1: (SELL, 102.5)}], reverses="long", window=(0, 2, 4))
    # In-sample: long marked at 103. Out-of-sample: 102.5 - 103, and 102.5 - 101 for the short.
    assert made.report == Report(10, 10, 1, 2, 0, 0)
    # At the close of bar 2: 1050 + 5 + 5, and the long at 103 was worth as much.
    assert made.equity.tolist() == [1050, 1060, 1060, 1070]


# What mirrors must mirror: prices p and 40 - p, longs and shorts exchanged.

WHOLE = st.integers(10, 30).map(float)


@st.composite
def worlds(draw):
    """Rows without ties, and columns of what may be decided at each close."""
    rows = []
    for _ in range(draw(st.integers(4, 20))):
        low, one, two, high = sorted(draw(WHOLE) for _ in range(4))
        opened, closed = (one, two) if draw(st.booleans()) else (two, one)
        if high - opened == opened - low and high > low:
            opened += 0.25
        rows.append((opened, high, low, closed))
    many = len(rows)

    def each(values):
        return draw(st.lists(values, min_size=many, max_size=many))

    near = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, 6.0])
    level = near | st.sampled_from([math.inf, -math.inf])
    return {
        "rows": rows,
        "orders": [
            [each(st.sampled_from([-1, 0, 1, 1])), each(level), each(st.sampled_from([5.0, 9.0]))]
            for _ in range(draw(st.sampled_from([1, 3])))
        ],
        "stop": [each(near), each(near)],
        "shield": [each(near), each(near)],
        "trailing": draw(st.booleans()),
        "tightening": each(st.sampled_from([1.0, 0.5, 0.25])),
        "clears": each(st.booleans()),
        "leave": draw(st.booleans()) and [each(st.booleans()), each(st.booleans())],
        "turns": draw(st.booleans()),
        "reverses": [draw(st.booleans()), draw(st.booleans())],
    }


def play_world(world, mirrored):
    """Trades of a world or of its mirror image."""
    o, h, low, c = np.array(world["rows"]).T
    sign = 1
    if mirrored:
        o, h, low, c, sign = 40 - o, 40 - low, 40 - h, 40 - c, -1
    orders = []
    for direction, away, price in world["orders"]:
        side = sign * np.array(direction)
        # Infinity passes every price only on one side; it is kept for a market order alone.
        distance = np.where(np.isinf(away), -np.inf, away)
        level = c + np.where(side == 0, 1, side) * distance
        orders.append(Orders(side.astype(np.int8), level, np.array(price)))
    if mirrored and len(orders) == 3:
        orders = [orders[0], orders[2], orders[1]]
    stops, shields = np.array(world["stop"]), np.array(world["shield"])
    leave = np.array(world["leave"]) if world["leave"] else None
    one, two = (0, 1) if sign == 1 else (1, 0)
    rules = Rules(
        tuple(orders),
        np.array(world["clears"]),
        Protection(c - stops[one], shields[one], world["trailing"]),
        Protection(c + stops[two], shields[two], world["trailing"]),
        np.array(world["tightening"]),
        None if leave is None else leave[one],
        None if leave is None else leave[two],
        world["turns"],
        world["reverses"][one],
        world["reverses"][two],
        0,
    )
    bars = bars_of(np.stack([o, h, low, c], axis=1))
    account = Account(capital=1000.0, cost_per_share=0.25, slippage=0.5)
    return simulate(bars, rules, Window(0, 2, len(o)), account)


@given(worlds())
@settings(max_examples=400)
def test_the_mirrored_market_makes_the_mirrored_trades(world):
    plain, mirror = play_world(world, mirrored=False), play_world(world, mirrored=True)
    turned = [
        trade._replace(dir=-trade.dir, fill=40 - trade.fill, exit=40 - trade.exit)
        for trade in mirror.trades
    ]
    assert turned == list(plain.trades)
    assert mirror.equity.tolist() == plain.equity.tolist()
    assert mirror.report == plain.report


@given(worlds())
@settings(max_examples=200)
def test_trades_follow_each_other(world):
    made = play_world(world, mirrored=False)
    for before, after in pairwise(made.trades):
        if before.reason in ("reverse", "cross") and before.exit_bar == after.entry_bar:
            assert after.dir == -before.dir
            # A reversal closes and opens with one fill; both pay the same slippage.
            assert before.reason == "cross" or after.fill == before.exit
        else:
            assert after.entry_bar > before.exit_bar
    entries = [trade.entry_bar for trade in made.trades]
    assert len(set(entries)) == len(entries)
    assert made.equity[-1] == 1000 + sum(trade.pnl for trade in made.trades)
