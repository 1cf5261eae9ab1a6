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
from meseta.strategies import LongRules
from random_market import bars_of

ENGINES = pytest.mark.parametrize("engine", [simulate, simulate_fast], ids=["reference", "fast"])
NOWHERE = 1e7  # a buy stop that no bar reaches
FAR = -1e7  # a final stop that no close is near
SIGNAL = (100, 101, 99, 100)


def run(engine, rows, *, levels, shield=None, stops=None, tightening=None, window=None, **account):
    """Simulate rows; levels and distances are given by the bar on which they are decided."""
    count = len(rows)
    columns = []
    for given, default in ((levels, NOWHERE), (shield, math.nan), (stops, FAR), (tightening, 1.0)):
        column = np.full(count, default)
        for bar, value in (given or {}).items():
            column[bar] = value
        columns.append(column)
    rules = LongRules(*columns, account.pop("first", 0))
    where = Window(*(window or (0, 1, count)))
    return engine(bars_of(rows), rules, where, Account(**{"capital": 1020.0} | account))


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
    # High first would be stopped at 102.
    "a tie goes low first": ((100, 104, 96, 103), 102, 2, 102, None),
    "one tick before the tie goes high first": ((99.75, 103.75, 95.5, 103), 102, 2, 102, 101.75),
    "no protection of zero": ((101, 103, 95, 97), 102, 0, 102, None),
    "no protection below zero": ((101, 103, 95, 97), 102, -1, 102, None),
    "no protection before it is defined": ((101, 103, 95, 97), 102, math.nan, 102, None),
    "the high on the level is a fill": ((100, 102, 99, 101), 102, 50, 102, None),
    "a bar without a range": ((102, 102, 102, 102), 102, 1, 102, None),
}


@ENGINES
@pytest.mark.parametrize("case", ENTRY_BAR)
@pytest.mark.parametrize("slippage", [0.0, 0.25])
def test_entry_bar(engine, case, slippage):
    bar, level, amount, fill, price = ENTRY_BAR[case]
    after = (bar[3],) * 4
    made = only(
        run(engine, [SIGNAL, bar, after], levels={0: level}, shield={0: amount}, slippage=slippage)
    )
    assert (made.entry_bar, made.fill) == (1, fill + slippage)
    if price is None:
        assert (made.exit_bar, made.exit, made.reason) == (2, bar[3], "end")
    else:
        assert (made.exit_bar, made.exit, made.reason) == (1, price - slippage, "trail")
    assert made.pnl == (made.exit - made.fill) * made.shares


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
    # High first would go to 108 and stop at 105.
    "a tie goes low first": ((104, 108, 100, 106), 101, "trail"),
    "a bar without a range above the stop": ((103, 103, 103, 103), None, None),
    "a bar without a range below the stop": ((99, 99, 99, 99), 99, "trail"),
}


@ENGINES
@pytest.mark.parametrize("case", NEXT_BAR)
@pytest.mark.parametrize("slippage", [0.0, 0.5])
def test_trailing_stop(engine, case, slippage):
    bar, price, reason = NEXT_BAR[case]
    rows = [SIGNAL, HELD, bar, (bar[3],) * 4]
    made = only(run(engine, rows, levels={0: 102}, stops={1: 100, 2: FAR}, slippage=slippage))
    assert made.fill == 102 + slippage
    if reason is None:
        # The final stop stays at 100 and the last bar does not fall.
        assert (made.exit_bar, made.exit, made.reason) == (3, bar[3], "end")
    else:
        assert (made.exit_bar, made.exit, made.reason) == (2, price - slippage, reason)


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
@pytest.mark.parametrize("opened", [90.0, 103.0, 120.0])
def test_a_close_through_the_final_stop_sells_at_the_next_open(engine, opened):
    rows = [SIGNAL, HELD, (opened, 121, 89, 100), SIGNAL]
    made = only(run(engine, rows, levels={0: 102}, stops={1: 103.25}, slippage=0.5))
    assert (made.exit_bar, made.exit, made.reason) == (2, opened - 0.5, "breach")


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
