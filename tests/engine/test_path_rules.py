"""The path inside a bar, branch by branch, on bars and numbers worked out by hand.

Every case runs on both engines. Row 0 is the signal bar; its buy stop works on row 1.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from meseta.account import Account
from meseta.engine import Report, Window
from meseta.engine._fast import simulate_fast
from meseta.engine._reference import simulate
from meseta.strategies import FLAT, LONG, SHORT, Orders, Protection, Rules
from random_market import bars_of

ENGINES = pytest.mark.parametrize("engine", [simulate, simulate_fast], ids=["reference", "fast"])
SIDES = pytest.mark.parametrize("way", [LONG, SHORT], ids=["long", "short"])
NOWHERE = 1e7  # a buy stop that no bar reaches
FAR = -1e7  # a final stop that no close is near
MIRROR = 200  # a short is worked out on prices p as a long is on 200 - p
SIGNAL = (100, 101, 99, 100)


def filled(count, default, given):
    """A column with the values that are given by the bar on which they are decided."""
    column = np.full(count, default)
    for bar, value in (given or {}).items():
        column[bar] = value
    return column


def stop_orders(count, levels, way=LONG):
    """One side's stop orders; prices that no bar reaches elsewhere."""
    level = filled(count, NOWHERE * way, levels)
    return Orders(np.full(count, way, np.int8), level, np.abs(level))


def protection(count, *, shield=None, stops=None, way=LONG, trailing=True):
    stop = filled(count, FAR * way, stops)
    return Protection(stop, filled(count, math.nan, shield), trailing)


def run(engine, rows, *, levels, shield=None, stops=None, tightening=None, window=None, **account):
    """Simulate rows of a strategy that only buys."""
    count = len(rows)
    rules = Rules(
        orders=(stop_orders(count, levels),),
        clears=np.zeros(count, np.bool_),
        long=protection(count, shield=shield, stops=stops),
        short=None,
        tightening=filled(count, 1.0, tightening),
        leave_long=None,
        leave_short=None,
        turns=False,
        reverses_long=False,
        reverses_short=False,
        first=account.pop("first", 0),
    )
    where = Window(*(window or (0, 1, count)))
    return engine(bars_of(rows), rules, where, Account(**{"capital": 1020.0} | account))


def turned(numbers):
    return {bar: MIRROR - price for bar, price in (numbers or {}).items()}


def run_way(engine, way, rows, *, levels, shield=None, stops=None, slippage=0.0):
    """Simulate rows as they are, or a short on the rows turned upside down."""
    if way == LONG:
        return run(engine, rows, levels=levels, shield=shield, stops=stops, slippage=slippage)
    rows = [(MIRROR - o, MIRROR - low, MIRROR - h, MIRROR - c) for o, h, low, c in rows]
    orders = stop_orders(len(rows), turned(levels), SHORT)
    short = protection(len(rows), shield=shield, stops=turned(stops), way=SHORT)
    return run_rules(engine, rows, [orders], short=short, slippage=slippage)


def run_rules(engine, rows, orders, *, window=None, capital=1020.0, **more):
    """Simulate rows of a strategy that trades both ways; it has no stops unless given.

    `more` holds fields of `Rules` and of `Account`.
    """
    count = len(rows)
    no = np.zeros(count, np.bool_)
    given = {
        "orders": tuple(orders),
        "clears": no,
        "long": protection(count),
        "short": protection(count, way=SHORT),
        "tightening": np.ones(count),
        "leave_long": None,
        "leave_short": None,
        "turns": False,
        "reverses_long": False,
        "reverses_short": False,
        "first": 0,
    }
    account = {name: value for name, value in more.items() if name not in given}
    rules = Rules(**given | {name: value for name, value in more.items() if name in given})
    where = Window(*(window or (0, 1, count)))
    return engine(bars_of(rows), rules, where, Account(capital=capital, **account))


def only(simulation):
    (trade,) = simulation.trades
    return trade


ENTRY_BAR = {
    # rows of: entry bar, level, protection A, fill, exit (None: still in at the close)
    "high first, filled on the way up, stopped": ((101, 103, 95, 97), 102, 4, 102, 99),
    "high first, the low just touches": ((101, 103, 95, 97), 102, 8, 102, 95),
    "high first, the low stays above": ((101, 103, 95, 97), 102, 8.5, 102, None),
    "high first, filled at a gap, stopped": ((103, 104, 96, 97), 102, 5, 103, 99),
    "high first, filled at a gap, not stopped": ((103, 104, 96, 97), 102, 9, 103, None),
    "low first at the open, low touches": ((103, 109, 101, 108), 102, 2, 103, 101),
    "low first at the open, neither": ((103, 109, 101, 108), 102, 2.5, 103, None),
    "low first at the open, the close falls": ((103, 109, 101, 106), 102, 2.5, 103, 106.5),
    "low first on the way up, the close falls": ((100, 108, 99, 105), 102, 1, 102, 107),
    "low first on the way up, the close touches": ((100, 108, 99, 105), 102, 3, 102, 105),
    "low first on the way up, neither": ((100, 108, 99, 105), 102, 4, 102, None),
    "the open on the level is a fill at the open": ((100, 108, 99, 107.5), 100, 1, 100, 99),
    "one tick before the tie goes high first": ((99.75, 103.75, 95.5, 103), 102, 2, 102, 101.75),
    "no protection of zero": ((101, 103, 95, 97), 102, 0, 102, None),
    "no protection below zero": ((101, 103, 95, 97), 102, -1, 102, None),
    "no protection before it is defined": ((101, 103, 95, 97), 102, math.nan, 102, None),
    "the high on the level is a fill": ((100, 102, 99, 101), 102, 50, 102, None),
    "a bar without a range": ((102, 102, 102, 102), 102, 1, 102, None),
}


def seen(way, price):
    """A price of the long case on the market of the side that is traded."""
    return price if way == LONG else MIRROR - price


@ENGINES
@SIDES
@pytest.mark.parametrize("case", ENTRY_BAR)
@pytest.mark.parametrize("slippage", [0.0, 0.25])
def test_entry_bar(engine, way, case, slippage):
    bar, level, amount, fill, price = ENTRY_BAR[case]
    rows = [SIGNAL, bar, (bar[3],) * 4]
    made = only(
        run_way(engine, way, rows, levels={0: level}, shield={0: amount}, slippage=slippage)
    )
    worse = slippage * way
    assert (made.dir, made.entry_bar, made.fill) == (way, 1, seen(way, fill) + worse)
    if price is None:
        assert (made.exit_bar, made.exit, made.reason) == (2, seen(way, bar[3]), "end")
    else:
        expected = (1, seen(way, price) - worse, "trail")
        assert (made.exit_bar, made.exit, made.reason) == expected
    assert made.pnl == (made.exit - made.fill) * way * made.shares


@ENGINES
def test_on_the_entry_bar_a_tie_goes_low_first(engine):
    # For the long high first would be stopped at 102; for the short high first would end at 98.
    rows = [SIGNAL, (100, 104, 96, 103), (103, 103, 103, 103)]
    assert only(run(engine, rows, levels={0: 102}, shield={0: 2})).reason == "end"
    orders, short = stop_orders(3, {0: 98}, SHORT), protection(3, shield={0: 2}, way=SHORT)
    made = only(run_rules(engine, rows, [orders], short=short))
    # Filled at 98 on the way down, lowest price 96, bought back on the rise at 98.
    assert (made.fill, made.exit_bar, made.exit, made.reason) == (98, 1, 98, "trail")
    # Low first, the close of 103 comes after the high: an amount that only the close could meet.
    short = protection(3, shield={0: 8}, way=SHORT)
    made = only(run_rules(engine, rows, [orders], short=short))
    assert (made.exit_bar, made.exit) == (1, 104)


@ENGINES
def test_a_high_below_the_level_is_no_fill(engine):
    assert run(engine, [SIGNAL, (100, 101.75, 99, 101), SIGNAL], levels={0: 102}).trades == ()


@ENGINES
def test_an_order_lives_on_one_bar(engine):
    rows = [SIGNAL, (100, 101, 99, 100), (100, 110, 99, 109)]
    assert run(engine, rows, levels={0: 102}).trades == ()


# Filled at the open at 102; highest price 104, close 103, final stop 100: amount 3, stop at 101.
HELD = (102, 104, 101, 103)

NEXT_BAR = {
    # the bar after entry, exit, reason (None: still in)
    "gap below the stop": ((100, 105, 99, 104), 100, "trail"),
    "the open on the stop": ((101, 105, 99, 104), 101, "trail"),
    "high first, a new high, stopped": ((103, 105, 98, 99), 102, "trail"),
    "high first, a new high, the low touches": ((104, 106, 101, 105.75), 103, "trail"),
    "high first, no new high, stopped": ((102, 103, 100, 101), 101, "trail"),
    "high first, not stopped": ((103, 103.75, 102, 103), None, None),
    "low first, the low falls": ((102, 106, 100.5, 105), 101, "trail"),
    "low first, the low touches": ((102, 106, 101, 105), 101, "trail"),
    "low first, the open is the highest price": ((106, 112, 102.5, 111), 103, "trail"),
    "low first, the close falls": ((103, 110, 102, 106.5), 107, "trail"),
    "low first, the close touches": ((103, 110, 102, 107), 107, "trail"),
    "low first, neither": ((103, 110, 102, 107.25), None, None),
    "a bar without a range above the stop": ((103, 103, 103, 103), None, None),
    "a bar without a range below the stop": ((99, 99, 99, 99), 99, "trail"),
}


@ENGINES
@SIDES
@pytest.mark.parametrize("case", NEXT_BAR)
@pytest.mark.parametrize("slippage", [0.0, 0.5])
def test_trailing_stop(engine, way, case, slippage):
    bar, price, reason = NEXT_BAR[case]
    rows = [SIGNAL, HELD, bar, (bar[3],) * 4]
    made = only(run_way(engine, way, rows, levels={0: 102}, stops={1: 100}, slippage=slippage))
    worse = slippage * way
    assert made.fill == seen(way, 102) + worse
    if reason is None:
        # The final stop stays at 100 and the last bar does not fall.
        assert (made.exit_bar, made.exit, made.reason) == (3, seen(way, bar[3]), "end")
    else:
        expected = (2, seen(way, price) - worse, reason)
        assert (made.exit_bar, made.exit, made.reason) == expected


@ENGINES
def test_a_tie_goes_low_first_while_a_position_is_held(engine):
    # High first would go to 108 and stop at 105.
    rows = [SIGNAL, HELD, (104, 108, 100, 106), (106, 106, 106, 106)]
    assert only(run(engine, rows, levels={0: 102}, stops={1: 100})).exit == 101
    # A short at 98, lowest price 96, close 97, final stop 103: amount 6. High first would buy at
    # 102; low first goes to 92, then buys at 98.
    rows = [SIGNAL, (98, 99, 96, 97), (97, 102, 92, 97), (97, 97, 97, 97)]
    short = protection(4, stops={1: 103}, way=SHORT)
    made = only(run_rules(engine, rows, [stop_orders(4, {0: 98}, SHORT)], short=short))
    assert (made.fill, made.exit_bar, made.exit) == (98, 2, 98)


@ENGINES
def test_tightening_shrinks_the_amount(engine):
    rows = [SIGNAL, HELD, (103, 103.5, 102.5, 103), (103, 103, 103, 103)]
    # Amount 3 * 0.5: stop at 102.5, which the low touches.
    made = only(run(engine, rows, levels={0: 102}, stops={1: 100}, tightening={1: 0.5}))
    assert (made.exit_bar, made.exit) == (2, 102.5)
    assert only(run(engine, rows, levels={0: 102}, stops={1: 100})).reason == "end"


@ENGINES
def test_the_smallest_factor_may_just_touch(engine):
    # Distance 3 - (-9) = 12, a quarter of it is 3: highest price 4, stop at 1, the low.
    rows = [(3, 3.5, 2, 3), (3, 4, 2, 3), (3, 3.5, 1, 1.25), (2, 2, 2, 2)]
    made = only(run(engine, rows, levels={0: 3}, stops={1: -9}, tightening={1: 0.25}))
    assert (made.exit_bar, made.exit, made.reason) == (2, 1, "trail")
    tighter = {1: math.nextafter(0.25, 1), 3: 0.25}
    made = only(run(engine, rows, levels={0: 3}, stops={1: -9}, tightening=tighter))
    assert made.reason == "end"


@ENGINES
def test_the_final_stop_never_falls(engine):
    rows = [SIGNAL, HELD, (103, 106, 102.5, 105), (104, 104, 100.5, 101)]
    # After bar 2: final stop still 100, amount 5, highest price 106: stop at 101.
    made = only(run(engine, rows, levels={0: 102}, stops={1: 100, 2: 95}))
    assert (made.exit_bar, made.exit, made.reason) == (3, 101, "trail")


@ENGINES
def test_the_final_stop_begins_on_the_entry_bar(engine):
    rows = [SIGNAL, HELD, (103, 106, 102.5, 105), (104, 104, 100.5, 101)]
    # The higher stop of the signal bar does not count.
    made = only(run(engine, rows, levels={0: 102}, stops={0: 102.5, 1: 100, 2: 95}))
    assert (made.exit_bar, made.exit) == (3, 101)


@ENGINES
def test_the_highest_price_counts_from_before_the_fill(engine):
    # High first: 104 is reached, then 98. Final stop 95, close 99: amount 4, stop at 100.
    rows = [SIGNAL, (103, 104, 98, 99), (101, 101.5, 99.75, 101), (101, 101, 101, 101)]
    made = only(run(engine, rows, levels={0: 102}, stops={1: 95}))
    assert (made.exit_bar, made.exit) == (2, 100)


@ENGINES
@SIDES
@pytest.mark.parametrize("opened", [90.0, 103.0, 120.0])
def test_a_close_through_the_final_stop_leaves_at_the_next_open(engine, way, opened):
    rows = [SIGNAL, HELD, (opened, 121, 89, 100), SIGNAL]
    made = only(run_way(engine, way, rows, levels={0: 102}, stops={1: 103.25}, slippage=0.5))
    assert (made.exit_bar, made.exit) == (2, seen(way, opened) - 0.5 * way)
    assert made.reason == "breach"


@ENGINES
def test_a_close_on_the_final_stop_is_no_breach(engine):
    rows = [SIGNAL, HELD, (105, 110, 104.75, 109), SIGNAL]
    # Amount 0: the stop stands on the highest price, which the open has just moved to 105.
    made = only(run(engine, rows, levels={0: 102}, stops={1: 103}))
    assert (made.exit_bar, made.exit, made.reason) == (2, 105, "trail")


@ENGINES
def test_a_late_breach_uses_the_highest_final_stop(engine):
    rows = [SIGNAL, HELD, (103, 104, 102.5, 103), (103, 103.5, 101.5, 101.75), (101, 105, 95, 99)]
    stops = {1: 100, 2: 101.875, 3: 90}
    # Bar 2: amount 1.125, stop at 104 - 1.125 = 102.875: bar 3 opens above and goes through.
    assert only(run(engine, rows, levels={0: 102}, stops=stops)).exit == 102.875
    # With a low that stays above, the close of bar 3 is through the final stop of bar 2.
    rows[3] = (103, 103.5, 102.9375, 102.9375)
    stops[2] = 101.875
    made = only(run(engine, rows, levels={0: 102}, stops=stops | {3: 103.0}))
    assert (made.exit_bar, made.exit, made.reason) == (4, 101, "breach")


@ENGINES
def test_the_end_sells_at_the_close_without_slippage(engine):
    rows = [SIGNAL, HELD, (103, 104, 102, 103.5), (150, 160, 140, 150)]
    made = only(run(engine, rows, levels={0: 102}, window=(0, 1, 3), slippage=0.5))
    assert (made.exit_bar, made.exit, made.reason) == (2, 103.5, "end")


@ENGINES
def test_entry_and_end_on_the_last_bar(engine):
    made = only(run(engine, [SIGNAL, HELD, SIGNAL], levels={0: 102}, window=(0, 1, 2)))
    assert made[:2] == (1, 1)
    assert (made.fill, made.exit, made.reason) == (102, 103, "end")


@ENGINES
def test_a_stop_on_the_last_bar_comes_before_the_end(engine):
    rows = [SIGNAL, HELD, (100, 105, 99, 104)]
    made = only(run(engine, rows, levels={0: 102}, stops={1: 100}))
    assert (made.exit_bar, made.exit, made.reason) == (2, 100, "trail")


@ENGINES
def test_the_first_decision_is_taken_at_the_window_s_start(engine):
    rows = [SIGNAL, HELD, HELD, HELD]
    assert run(engine, rows, levels={0: 102}, window=(1, 2, 4)).trades == ()
    assert only(run(engine, rows, levels={1: 102}, window=(1, 2, 4))).entry_bar == 2


@ENGINES
def test_no_signal_before_the_first_defined_bar(engine):
    rows = [SIGNAL, HELD, HELD, HELD]
    assert run(engine, rows, levels={0: 102}, first=1).trades == ()
    assert only(run(engine, rows, levels={1: 102}, first=1)).entry_bar == 2


@ENGINES
@pytest.mark.parametrize("first", [3, 4, 5, 6, 1000, 10**12])
def test_nothing_is_traded_before_indicators_are_defined(engine, first):
    rows = [SIGNAL, HELD, HELD, HELD]
    made = run(engine, rows, levels={0: 102, 1: 102, 2: 102}, first=first)
    assert made.trades == ()
    assert made.equity.tolist() == [1020.0] * 4


@ENGINES
def test_one_entry_on_a_bar_and_the_next_decision_at_its_close(engine):
    # Stopped out on bar 1 at 99; the order of bar 1's close is filled on bar 2.
    rows = [SIGNAL, (101, 103, 95, 97), (100, 106, 99, 105), (105, 105, 105, 105)]
    made = run(engine, rows, levels={0: 102, 1: 102}, shield={0: 4})
    first, second = made.trades
    assert first[:2] == (1, 1)
    assert second[:2] == (2, 3)
    # 1020 - 10 * 3 = 990 buys 9 at 102.
    assert (first.shares, first.pnl, second.shares) == (10, -30, 9)
    assert made.equity.tolist() == [1020, 990, 990 + 9 * 3, 990 + 9 * 3]


@ENGINES
@pytest.mark.parametrize(
    ("capital", "lot", "shares"),
    [
        (1020, 1, 10),
        (1019.99, 1, 9),
        (1020, 3, 9),
        (1020, 0.5, 10),
        (1000, 0.5, 9.5),
        (102, 1, 1),
        (101.99, 1, None),
        (305.99, 3, None),
        (306, 3, 3),
        (50, 0.25, 0.25),
        (25.4, 0.25, None),
        # By price, then by lot: 30.6 / 102 / 0.1 is a bit less than 3, 51 / 102 / 0.1 is 5.
        (30.6, 0.1, 0.2),
        (51, 0.1, 0.5),
    ],
)
def test_size_is_whole_lots_at_the_stop_level(engine, capital, lot, shares):
    # A gap fills at 110; the size was decided at the level of 102.
    rows = [SIGNAL, (110, 111, 109, 110), SIGNAL]
    made = run(engine, rows, levels={0: 102}, capital=capital, lot=lot)
    assert [trade.shares for trade in made.trades] == ([] if shares is None else [shares])
    if shares:
        assert made.trades[0].fill == 110


@ENGINES
def test_an_order_for_less_than_a_lot_passes_and_the_next_one_counts(engine):
    rows = [SIGNAL, HELD, (102, 103, 90, 95), (95, 97, 94, 96)]
    # 100 buys nothing at 102 on bars 1 and 2, and one share at 96 on bar 3.
    made = run(engine, rows, levels={0: 102, 1: 102, 2: 96}, capital=100)
    assert only(made)[:2] == (3, 3)
    assert only(made).fill == 96


@ENGINES
def test_costs_by_hand(engine):
    rows = [SIGNAL, HELD, (100, 105, 99, 104), SIGNAL]
    made = run(
        engine, rows, levels={0: 102}, stops={1: 100}, window=(0, 3, 4),
        capital=1500, commission=0.0625, cost_per_share=0.5, slippage=0.5,
    )  # fmt: skip
    trade = only(made)
    # 14 shares of 102 (1500 / 102); bought at 102.5, sold at 99.5.
    assert (trade.shares, trade.fill, trade.exit) == (14, 102.5, 99.5)
    paid, left = 0.0625 * 102.5 * 14, 0.0625 * 99.5 * 14 + 0.5 * 14
    assert trade.costs == pytest.approx(paid + left) == 89.6875 + 94.0625
    assert trade.pnl == -3 * 14 - 183.75
    # Marked at the close of 103 with the entry's commission paid.
    assert made.equity.tolist() == [1500, 1500 - 89.6875 + 0.5 * 14, 1274.25, 1274.25]


# Closes 100, 103, 101, 105, 99, 104; one position from bar 1 (10 shares at 102) to the end.
ACROSS = [
    SIGNAL,
    HELD,
    (103, 103, 101, 101),
    (101, 105, 101, 105),
    (105, 105, 99, 99),
    (99, 104, 99, 104),
]


@ENGINES
@pytest.mark.parametrize(
    ("window", "report"),
    [
        # Marks 1020, 1030, 1010, 1050, 990, 1040.
        ((0, 3, 6), Report(-10, 30, 1, 1, 20, 60)),
        ((0, 4, 6), Report(30, -10, 1, 1, 20, 60)),
        ((0, 5, 6), Report(-30, 50, 1, 1, 60, 0)),
        ((0, 1, 6), Report(0, 20, 0, 1, 0, 60)),
        ((0, 2, 6), Report(10, 10, 1, 1, 0, 60)),
        ((0, 3, 5), Report(-10, -20, 1, 1, 20, 60)),
        ((0, 3, 4), Report(-10, 40, 1, 1, 20, 0)),
        ((0, 1, 2), Report(0, 10, 0, 1, 0, 0)),
    ],
)
def test_a_position_across_the_split_is_marked_at_the_last_close_before_it(engine, window, report):
    assert run(engine, ACROSS, levels={0: 102}, window=window).report == report


@ENGINES
def test_costs_count_where_they_are_paid(engine):
    made = run(
        engine, ACROSS, levels={0: 102}, window=(0, 4, 6), capital=1100, commission=0.125,
        cost_per_share=1,
    )  # fmt: skip
    # Entry commission 0.125 * 1020 = 127.5, exit 0.125 * 1040 + 10 = 140.
    # Profit of the in-sample side is the price change alone; out-of-sample has all the costs.
    assert made.report.is_pnl == 30
    assert made.report.oos_pnl == -10 - 267.5
    # In-sample marks 1100, 982.5, 962.5, 1002.5; out-of-sample from 1002.5: 942.5, 852.5.
    assert made.equity.tolist() == [1100, 982.5, 962.5, 1002.5, 942.5, 852.5]
    assert (made.report.is_maxdd, made.report.oos_maxdd) == (137.5, 150)


# Long from 102 at bar 1 (`HELD`): 10 shares, close 103. Sell stops of the close of bar 1.
RACES = {
    # bar 2, final stop at bar 1, sell level; exit, reason
    "the trailing stop is higher": ((103, 103.5, 97, 98), 100, 99, 101, "trail"),
    "the sell stop is higher": ((103, 103.5, 97, 98), 97, 99, 99, "reverse"),
    "both at one price": ((103, 103.5, 97, 98), 100, 101, 101, "reverse"),
    "the open is below both": ((98, 99, 96.5, 98), 100, 99, 98, "reverse"),
    "the open is on the sell stop, the other higher": ((99, 99, 97, 98), 100, 99, 99, "reverse"),
    "the open is between, the stop is higher": ((100, 100, 97, 98), 100, 99, 100, "trail"),
    "the open is between, the sell stop is higher": ((99, 99, 95, 98), 96, 99.5, 99, "reverse"),
    "only the sell stop is reached": ((103, 103.5, 98.5, 101), 97, 99, 99, "reverse"),
    # High first, to 105: the trailing stop moves to 102, the sell stop stays.
    "a new high lifts the trailing stop": ((104, 105, 98, 99), 100, 101.5, 102, "trail"),
    "a new high lifts it to the sell stop": ((104, 105, 98, 99), 100, 102, 102, "reverse"),
    # Low first, to 102, then 110, then the close: the stop is at 107 when the price falls.
    "low first, the sell stop is under the low": ((103, 110, 102, 103), 100, 101, 107, "trail"),
    "low first, the sell stop is met before": ((103, 110, 102, 103), 100, 102.5, 102.5, "reverse"),
    "low first, the trailing stop is met before": ((103, 110, 100, 105), 100, 100.5, 101, "trail"),
}


@ENGINES
@SIDES
@pytest.mark.parametrize("case", RACES)
def test_a_reversal_and_the_trailing_stop_race(engine, way, case):
    bar, stop, level, price, reason = RACES[case]
    assert bar[1] - bar[0] != bar[0] - bar[2], "a tie of the path has no mirror image"
    rows = [SIGNAL, HELD, bar, (bar[3],) * 4]
    sides, levels = np.array([way, -way, 0, 0], np.int8), np.array([102.0, level, 0, 0])
    stops = {1: stop}
    if way == SHORT:
        rows = [(MIRROR - o, MIRROR - low, MIRROR - h, MIRROR - c) for o, h, low, c in rows]
        levels, stops = MIRROR - levels, turned(stops)
    guard = protection(4, stops=stops, way=way)
    made = run_rules(
        engine, rows, [Orders(sides, levels, levels)], reverses_long=True, reverses_short=True,
        **{"long" if way == LONG else "short": guard},
    )  # fmt: skip
    first = made.trades[0]
    assert (first.exit_bar, first.exit, first.reason) == (2, seen(way, price), reason)
    if reason == "trail":
        assert len(made.trades) == 1, "a trailing exit cancels the reversal"
        return
    second = made.trades[1]
    assert second[:4] == (2, 3, -way, seen(way, price))
    assert second.shares == 1020 // seen(way, level)


def two_ways(*sides_and_levels):
    sides, levels = zip(*sides_and_levels, strict=True)
    level = np.array(levels, float)
    return Orders(np.array(sides, np.int8), level, level)


@ENGINES
def test_a_reversed_position_is_protected_on_the_rest_of_the_path(engine):
    # Low first: 96 turns the long at 99 into a short whose lowest price is 96; then it rises.
    rows = [SIGNAL, HELD, (101, 107, 96, 105), (105, 105, 105, 105)]
    orders = two_ways((LONG, 102), (SHORT, 99), (FLAT, 0), (FLAT, 0))
    short = protection(4, shield={1: 5}, way=SHORT)
    made = run_rules(engine, rows, [orders], short=short, reverses_long=True)
    assert [(t.exit_bar, t.exit, t.reason) for t in made.trades] == [
        (2, 99, "reverse"),
        (2, 101, "trail"),
    ]


@ENGINES
def test_a_reversal_is_sized_without_the_open_profit_and_with_the_commission_paid(engine):
    rows = [SIGNAL, HELD, (103, 120, 102, 119), (119, 119, 90, 95), (95, 95, 95, 95)]
    orders = two_ways((LONG, 102), (FLAT, 0), (SHORT, 100), (FLAT, 0), (FLAT, 0))
    made = run_rules(engine, rows, [orders], reverses_long=True, commission=0.125)
    # Ten shares cost 1020 and 127.5 commission: 892.5 sells 8 at 100.
    assert [t.shares for t in made.trades] == [10, 8]
    assert made.trades[1].fill == made.trades[0].exit == 100


@ENGINES
@pytest.mark.parametrize("later", [True, False])
def test_a_reversal_too_small_to_be_ordered_leaves_the_stop_alone(engine, later):
    # 102 buys one share at 102; 102 sells nothing at 103 or 105, and one share at 100.
    rows = [SIGNAL, HELD, (104, 106, 102.5, 105), (106, 108, 104, 107), (107, 108, 99, 100)]
    side = SHORT if later else FLAT
    orders = two_ways((LONG, 102), (SHORT, 103), (SHORT, 105), (side, 100), (FLAT, 0))
    made = run_rules(engine, rows, [orders], reverses_long=True, capital=102)
    first = made.trades[0]
    if later:
        assert (first.exit_bar, first.exit, first.reason) == (4, 100, "reverse")
        assert made.trades[1][:4] == (4, 4, SHORT, 100)
    else:
        assert (first.exit_bar, first.reason) == (4, "end")
        assert len(made.trades) == 1


@ENGINES
@pytest.mark.parametrize("reverses", [True, False])
def test_only_the_direction_that_reverses_is_reversed(engine, reverses):
    rows = [SIGNAL, HELD, (103, 103.5, 97, 98), (98, 103, 98, 102.5), (103, 103, 103, 103)]
    orders = two_ways((LONG, 102), (SHORT, 99), (LONG, 101), (FLAT, 0), (FLAT, 0))
    made = run_rules(engine, rows, [orders], reverses_long=reverses, reverses_short=not reverses)
    assert [(t.dir, t.reason) for t in made.trades] == (
        [(LONG, "reverse"), (SHORT, "end")] if reverses else [(LONG, "end")]
    )


def market_orders(sides, close):
    side = np.array(sides, np.int8)
    return Orders(side, np.where(side == SHORT, np.inf, -np.inf), np.array(close, float))


@ENGINES
@pytest.mark.parametrize("turns", [True, False])
@pytest.mark.parametrize("breach", [True, False])
def test_a_close_that_leaves_comes_before_a_breach_and_turns_at_the_open(engine, turns, breach):
    rows = [SIGNAL, HELD, (104, 105, 103, 104), (104, 104, 104, 104)]
    closes = [row[3] for row in rows]
    made = run_rules(
        engine, rows, [market_orders([LONG, SHORT, FLAT, FLAT], closes)],
        leave_long=np.array([False, True, False, False]), turns=turns,
        long=protection(4, stops={1: 104} if breach else None), slippage=0.5,
    )  # fmt: skip
    first, *rest = made.trades
    assert (first.fill, first.exit_bar, first.exit, first.reason) == (102.5, 2, 103.5, "cross")
    assert [(t.entry_bar, t.dir, t.fill) for t in rest] == ([(2, SHORT, 103.5)] if turns else [])
    # Sized at the close of 103 by what was realised: 1020 / 103.
    assert [t.shares for t in rest] == ([9] if turns else [])


@ENGINES
def test_a_turn_too_small_to_be_ordered_still_leaves(engine):
    rows = [SIGNAL, HELD, (104, 105, 103, 104), (104, 104, 104, 104)]
    orders = two_ways((LONG, 102), (FLAT, 0), (FLAT, 0), (FLAT, 0))
    market = market_orders([FLAT, SHORT, FLAT, FLAT], [row[3] for row in rows])
    both = Orders(
        *(np.where(np.arange(4) == 1, b, a) for a, b in zip(orders, market, strict=True))
    )
    made = run_rules(
        engine, rows, [both], leave_long=np.array([False, True, False, False]), turns=True,
        capital=102,
    )  # fmt: skip
    assert (only(made).exit_bar, only(made).exit, only(made).reason) == (2, 104, "cross")


@ENGINES
@pytest.mark.parametrize("clears", [None, 1, 2])
@SIDES
def test_orders_after_a_stop_out_wait_until_it_is_forgotten(engine, way, clears):
    # Stopped out on the entry bar 1; then flat, with other orders until the stop-out is cleared.
    rows = [SIGNAL, (101, 103, 95, 97), (97, 104, 96, 100), (100, 107, 94, 100), SIGNAL]
    if way == SHORT:
        rows = [(MIRROR - o, MIRROR - low, MIRROR - h, MIRROR - c) for o, h, low, c in rows]
    fresh = stop_orders(5, {0: seen(way, 102), 2: seen(way, 105)}, way)
    again = stop_orders(5, {1: seen(way, 103), 2: seen(way, 106)}, way)
    other = stop_orders(5, dict.fromkeys(range(5), seen(way, 100)), way)
    guard = protection(5, shield={0: 4, 1: 4}, way=way)
    made = run_rules(
        engine, rows, [fresh, again, other] if way == LONG else [fresh, other, again],
        clears=np.arange(5) == (-1 if clears is None else clears),
        **{"long" if way == LONG else "short": guard},
    )  # fmt: skip
    # Not cleared: in again at 103 and stopped out, then at 106. Cleared at 2: the same until then.
    fills = {None: [102, 103, 106], 1: [102, 105], 2: [102, 103, 105]}[clears]
    assert [seen(way, t.fill) for t in made.trades] == fills


RESTING = {
    # entry bar, buy level, stop at the signal, exit on the entry bar (None: still in)
    "high first, the low reaches it": ((101, 103, 95, 97), 102, 96, 96),
    "high first, it is above the open": ((101, 103, 95, 97), 102, 101.5, 101),
    "high first, the low stays above": ((101, 103, 95, 97), 102, 94, None),
    "low first at the open, the low reaches it": ((103, 109, 101, 108), 102, 101, 101),
    "low first at the open, above the open": ((103, 109, 103, 108), 102, 104, 103),
    "low first on the way up, the low was before": ((100, 108, 98, 105), 102, 99, None),
    "low first on the way up, the close reaches it": ((100, 108, 98, 99), 102, 99, 99),
    "low first on the way up, above the open": ((100, 108, 98, 99), 102, 101, 100),
}


@ENGINES
@SIDES
@pytest.mark.parametrize("case", RESTING)
def test_a_resting_stop_on_the_entry_bar(engine, way, case):
    bar, level, stop, price = RESTING[case]
    rows = [SIGNAL, bar, (bar[3],) * 4]
    if way == SHORT:
        rows = [(MIRROR - o, MIRROR - low, MIRROR - h, MIRROR - c) for o, h, low, c in rows]
    guard = protection(3, stops={0: seen(way, stop)}, way=way, trailing=False)
    # The final stop goes on from the signal bar's: on the last bar it must not be met.
    rows[2] = (seen(way, 150),) * 4 if price is None else rows[2]
    guards = {"long" if way == LONG else "short": guard}
    orders = [stop_orders(3, {0: seen(way, level)}, way)]
    made = only(run_rules(engine, rows, orders, slippage=0.25, **guards))
    if price is None:
        assert made.reason == "end"
    else:
        expected = (1, seen(way, price) - 0.25 * way, "stop")
        assert (made.exit_bar, made.exit, made.reason) == expected


@ENGINES
def test_a_resting_stop_rises_and_never_falls(engine):
    rows = [SIGNAL, HELD, (103, 106, 102.5, 105), (104, 104, 100.5, 101), (101, 102, 97, 98)]
    for stops, expected in (
        ({0: 98, 1: 101, 2: 90}, (3, 101)),
        ({0: 98, 1: 95, 2: 90}, (4, 98)),
        # A gap through it.
        ({0: 98, 1: 104}, (2, 103)),
        ({0: 90}, (4, 98)),
    ):
        guard = protection(5, stops=stops, trailing=False)
        made = only(run_rules(engine, rows, [stop_orders(5, {0: 102})], long=guard))
        assert (made.exit_bar, made.exit) == expected
        assert made.reason == ("stop" if stops != {0: 90} else "end")


# A short of ten shares at 98 with closes 97, 99, 95: marks 1020 + 10 * (98 - close).
SHORT_ACROSS = [SIGNAL, (98, 99, 96, 97), (97, 99, 97, 99), (99, 99, 95, 95)]


@ENGINES
@pytest.mark.parametrize(
    ("window", "report"),
    [
        # Marks 1020, 1030, 1010, 1050.
        ((0, 2, 4), Report(10, 20, 1, 1, 0, 20)),
        ((0, 3, 4), Report(-10, 40, 1, 1, 20, 0)),
        ((0, 1, 4), Report(0, 30, 0, 1, 0, 20)),
        ((0, 2, 3), Report(10, -20, 1, 1, 0, 20)),
    ],
)
def test_a_short_earns_what_the_price_falls(engine, window, report):
    orders = stop_orders(4, {0: 98}, SHORT)
    made = run_rules(engine, SHORT_ACROSS, [orders], window=window)
    assert made.report == report
    # 1020 at 98 sells ten.
    assert only(made).shares == 10
    assert only(made).dir == SHORT
