"""Drawn bars whose outcome is worked out by hand; each is traded by both simulators.

The centre is 1000 and a step 10, unless said otherwise: longs rest at 990 and 980, shorts at 1010
and 1020, each of 1 with its take-profit 10 away and its stop 20. The tick is 0.5.
"""

from __future__ import annotations

import numpy as np
import pytest
from hedge_world import BEFORE, account, bars_of, both, drawn, grid, play, quoted

from meseta.errors import ArgumentError
from meseta.hedge import REASONS, HedgeMarket, ladder_value, simulate

STILL = (1000.0, 1000.0, 1000.0, 1000.0)
# Falls through the first long rung and stays there.
DIP = (1000.0, 1000.0, 989.5, 990.0)


def ends(lots):
    """Side, level, entry bar, entry price, exit bar, exit price and reason of each lot."""
    return [
        (lot["side"], lot["level"], lot["entry_bar"], lot["entry_price"], lot["exit_bar"],
         lot["exit_price"], REASONS[lot["reason"]])
        for lot in lots
    ]  # fmt: skip


# ------------------------------------------------------------------------------ ladders


def test_a_ladder_is_rounded_to_ticks_and_lots():
    # A step is 10.003; 990.297 is nearest to 990.5, quantities are rounded down.
    orders = quoted(
        [(1000.3, 1000.3, 1000.3, 1000.3)],
        base_qty=1.29, qty_scale=1.5, recenter_trigger_bps=1.0,
    )  # fmt: skip
    assert orders == {
        (1, 1): (990.5, 1.2), (1, 2): (980.5, 1.9),
        (-1, 1): (1010.5, 1.2), (-1, 2): (1020.5, 1.9),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tick", "price", "bps", "rungs"),
    [(0.01, 18.5, 100.0, (18.32, 18.69)), (1e-7, 0.00015, 50.0, (0.0001493, 0.0001508))],
)
def test_rungs_between_two_ticks_go_up(tick, price, bps, rungs):
    # 18.315 and 18.685, and 1492.5 and 1507.5 ticks; in binary numbers some are a bit less.
    quiet, wide = (price,) * 4, (price, 1.02 * price, 0.98 * price, price)
    market = HedgeMarket.make(bars_of([quiet] * BEFORE + [wide, quiet]))
    rules = account(tick=tick, lot=1.0, min_quantity=1.0)
    one = grid(grid_step_bps=bps, grid_levels_long=1, grid_levels_short=1, tp_steps=6)
    assert tuple(both(market, one, rules).lots["entry_price"]) == rungs


def test_a_tie_that_binary_numbers_break_goes_low_first():
    # Both extremes are 13.2 from the open; in binary the upper one is nearer by 1e-13.
    tie = (997.1, 1010.3, 983.9, 997.0)
    assert tie[1] - tie[0] < tie[0] - tie[2]
    market = HedgeMarket.make(bars_of([STILL] * BEFORE + [tie, (997.0,) * 4]))
    lots = both(market, grid(tp_steps=1), account(tick=0.1)).lots
    told = [(lot["side"], REASONS[lot["reason"]], lot["exit_bar"] - BEFORE) for lot in lots]
    # High first, the long would have been bought too late to be sold in the bar.
    assert told == [(1, "take-profit", 0), (-1, "take-profit", 0)]


def test_exits_are_steps_from_the_fill():
    _, lots = play([DIP, STILL])
    assert lots[["step", "take_profit", "stop_loss"]].tolist() == [(10.0, 1000.0, 970.0)]


def test_a_farthest_stop_moves_the_stop():
    _, lots = play([DIP, STILL], settings={"max_stop_pct": 0.01})
    assert lots["stop_loss"].tolist() == [980.0]


@pytest.mark.parametrize("rule", [{"min_notional": 985.0}, {"min_quantity": 1.1}])
def test_rungs_that_the_venue_refuses_are_left_out(rule):
    orders = quoted([STILL], settings=rule)
    expected = {(1, 1), (-1, 1), (-1, 2)} if "min_notional" in rule else set()
    assert set(orders) == expected


def test_rungs_that_would_cross_wait():
    # At 975 both long rungs lie above the market; a close at a rung is not below it.
    assert set(quoted([(1000.0, 1000.0, 975.0, 975.0)], sl_steps=1)) == {(-1, 1), (-1, 2)}


# ------------------------------------------------------------------------------ fills


def test_a_touch_is_no_fill():
    touch = (1000.0, 1000.0, 990.0, 995.0)
    assert not len(play([touch, STILL])[1])
    _, lots = play([touch, STILL], settings={"touch_fills": True})
    assert lots["entry_price"].tolist() == [990.0]


def test_a_take_profit_pays_the_maker_fee_twice():
    made, lots = play([DIP, (990.0, 1000.5, 990.0, 1000.5), STILL])
    assert ends(lots) == [(1, 1, 0, 990.0, 1, 1000.0, "take-profit")]
    assert made.equity[-1] == pytest.approx(100_000 + 10 - 0.0002 * (990 + 1000), abs=1e-9)


def test_a_stop_pays_slippage_and_the_taker_fee():
    made, lots = play([DIP, (990.0, 990.0, 970.0, 975.0), STILL], grid_levels_long=1)
    assert ends(lots) == [(1, 1, 0, 990.0, 1, 969.5, "stop-loss")]
    assert lots["profit"].tolist() == [-20.5]
    assert made.fees[-1] == pytest.approx(0.0002 * 990 + 0.0005 * 969.5, abs=1e-12)


def test_an_open_beyond_a_limit_fills_at_the_limit():
    _, lots = play([(985.0, 985.0, 985.0, 985.0), STILL], grid_levels_long=1, tp_steps=2)
    assert ends(lots)[0][:4] == (1, 1, 0, 990.0)


def test_an_open_beyond_a_stop_fills_at_the_open():
    _, lots = play([DIP, (960.0, 960.0, 960.0, 960.0), STILL], grid_levels_long=1)
    assert ends(lots) == [(1, 1, 0, 990.0, 1, 959.5, "stop-loss")]


def test_an_open_beyond_limit_and_stop_opens_and_closes():
    _, lots = play([(960.0, 960.0, 960.0, 960.0), STILL], grid_levels_long=1)
    assert ends(lots) == [(1, 1, 0, 990.0, 0, 959.5, "stop-loss")]


def test_of_two_exits_in_a_bar_the_stop_counts():
    # The high is nearer to the open, so the path itself would reach the take-profit first.
    both_exits = (990.0, 1001.0, 970.0, 990.0)
    _, lots = play([DIP, both_exits, STILL], grid_levels_long=1)
    assert ends(lots) == [(1, 1, 0, 990.0, 1, 969.5, "stop-loss")]
    # An open beyond the take-profit leaves no doubt.
    _, lots = play([DIP, (1001.0, 1001.0, 970.0, 990.0), STILL], grid_levels_long=1)
    assert ends(lots)[0][4:] == (1, 1000.0, "take-profit")


def test_a_lot_can_be_stopped_in_its_own_bar():
    _, lots = play([(1000.0, 1000.0, 969.0, 972.0), STILL], grid_levels_long=1)
    assert ends(lots) == [(1, 1, 0, 990.0, 0, 969.5, "stop-loss")]


def test_a_lot_takes_profit_in_its_own_bar_only_on_the_path_after_its_fill():
    down_up = (1000.0, 1011.0, 989.5, 1005.0)
    _, lots = play([down_up, STILL], grid_levels_long=1)
    assert ends(lots)[0] == (1, 1, 0, 990.0, 0, 1000.0, "take-profit")
    # Up first, then down: the path ends below the take-profit.
    up_down = (1000.0, 1009.0, 989.5, 1000.0)
    _, lots = play([up_down, STILL], grid_levels_long=1)
    assert ends(lots) == [(1, 1, 0, 990.0, 1, 1000.0, "end")]


def test_equal_distances_go_to_the_low_first():
    _, lots = play([(1000.0, 1010.5, 989.5, 1000.0), STILL])
    assert [way[:4] for way in ends(lots)] == [(1, 1, 0, 990.0), (-1, 1, 0, 1010.0)]
    assert ends(lots)[0][5:] == (1000.0, "take-profit")


def test_a_level_is_quoted_again_only_after_its_lot_is_closed():
    rows = [DIP, DIP, (990.0, 1000.5, 990.0, 1000.5), DIP, STILL]
    _, lots = play(rows, grid_levels_long=1)
    assert [(way[2], way[4]) for way in ends(lots)] == [(0, 2), (3, 4)]


def test_both_positions_exist_at_once():
    made, lots = play(
        [DIP, (995.0, 995.0, 995.0, 995.0), (995.0, 1010.5, 995.0, 1010.0)], tp_steps=3
    )
    assert {way[0] for way in ends(lots)} == {1, -1}
    assert made.long_exposure[-1] == made.short_exposure[-1] == 1010.0


def test_parts_of_a_rung_share_exits_and_grow():
    # A tenth of the volume: 0.4, then 0.4, then the rest.
    rows = [DIP, DIP, DIP, (990.0, 1000.5, 990.0, 1000.0), (1000.0, 1000.5, 1000.0, 1000.0), STILL]
    made, lots = play(
        rows, volume=[4.0, 4.0, 100.0, 9.0, 10.0, 10.0], settings={"participation": 0.1},
        grid_levels_long=1,
    )  # fmt: skip
    np.testing.assert_allclose(made.long_exposure[:3], [0.4 * 990, 0.8 * 990, 990])
    # The take-profit waits for a bar that takes all of the lot.
    assert ends(lots) == [(1, 1, 0, 990.0, 4, 1000.0, "take-profit")]
    assert lots["quantity"].tolist() == [1.0]


# ------------------------------------------------------------------------------ the ladder moves


def test_a_ladder_moves_and_exits_stay():
    rows = [DIP, (990.0, 990.0, 979.0, 979.0), (979.0, 979.0, 970.0, 975.0), STILL]
    _, lots = play(rows, recenter_trigger_bps=150.0, grid_levels_long=1, sl_steps=3)
    # The centre is 979 from the second bar on; the level is taken, and so is its stop at 960.
    assert ends(lots)[0] == (1, 1, 0, 990.0, 3, 1000.0, "end")
    assert lots[0]["stop_loss"] == 960.0
    orders = quoted(rows[:2], recenter_trigger_bps=150.0, grid_levels_long=2, sl_steps=3)
    # 979 + 9.79 and so on; both long levels are taken.
    assert orders == {(-1, 1): (989.0, 1.0), (-1, 2): (998.5, 1.0)}


def test_exactly_at_the_trigger_the_ladder_stays():
    rows = [(1000.0, 1005.0, 1000.0, 1005.0)]
    assert quoted(rows, recenter_trigger_bps=50.0)[-1, 1] == (1010.0, 1.0)
    assert quoted(rows, recenter_trigger_bps=49.9)[-1, 1] == (1015.0, 1.0)


# ------------------------------------------------------------------------------ funding


def test_funding_is_charged_to_lots_open_at_its_time():
    # Settlements at the opens of drawn bars 4 and 12; longs pay a positive rate.
    rows = (
        [STILL] * 3 + [DIP] + [(990.0, 990.0, 990.0, 990.0)] * 8 + [(990.0, 1000.5, 990.0, 1000.0)]
    )
    made, lots = play(rows, funding=[0.0, 0.0, 0.0, 0.001, 0.002])
    assert lots["funding"].tolist() == pytest.approx([0.001 * 990 + 0.002 * 990])
    assert lots["exit_bar"].tolist() == [12]
    assert made.funding[3] == 0.0
    assert made.funding[4] == pytest.approx(0.99)
    # A lot that opens in the bar of a settlement does not pay it.
    _, lots = play([STILL] * 4 + [DIP] * 8, funding=[0.0, 0.0, 0.0, 0.001, 0.002])
    assert lots["funding"].tolist() == [0.0]


def test_shorts_receive_and_the_mark_price_counts():
    rows = [(1000.0, 1010.5, 1000.0, 1010.0)] + [(1010.0,) * 4] * 8
    market = drawn(rows, funding=[0.0, 0.0, 0.0, 0.001, 0.0])
    marks = drawn([(1100.0,) * 4] * 9).bars
    marked = HedgeMarket.make(market.bars, market.funding, marks)
    span = (BEFORE, len(market.bars))
    # A close at which nothing was open is no settlement of the lot: the fill is in bar 0.
    for world, price in ((market, 1010.0), (marked, 1100.0)):
        made = both(world, grid(), account(), span)
        assert made.lots["funding"].tolist() == pytest.approx([-0.001 * price])
        assert made.equity[5] - made.equity[3] == pytest.approx(0.001 * price)


def test_the_guard_shrinks_the_paying_side_by_tenths():
    # The last settled rate, at drawn bar -4, is 100 bps in 8 hours; the next is due at bar 4.
    rates = [0.0, 0.0, 0.01, 0.0, 0.0]
    for closed, tenths in ((1, 0.3), (2, 0.2), (3, 0.1)):
        orders = quoted([STILL] * closed, funding=rates)
        # 3 hours of 8 are 0.375 and so on, rounded down to tenths.
        assert orders[1, 1][1] == tenths
        assert orders[-1, 1][1] == 1.0
    assert (1, 1) not in quoted([STILL] * 4, funding=rates)
    # Shorts pay a negative rate.
    orders = quoted([STILL], funding=[0.0, 0.0, -0.01, 0.0, 0.0])
    assert (orders[1, 1][1], orders[-1, 1][1]) == (1.0, 0.3)
    # Cheap enough: 12 bps is the limit.
    assert quoted([STILL], funding=[0.0, 0.0, 0.0012, 0.0, 0.0])[1, 1][1] == 1.0


def test_the_guard_does_not_know_the_rate_to_be_settled():
    for rate in (0.0, 0.05, -0.05):
        orders = quoted([STILL] * 4, funding=[0.0, 0.0, 0.0, rate, 0.0])
        assert {order[1] for order in orders.values()} == {1.0}
    # One bar after it was settled it is known, with 7 of 8 hours left.
    orders = quoted([STILL] * 5, funding=[0.0, 0.0, 0.0, 0.05, 0.0])
    assert (orders[1, 1][1], orders[-1, 1][1]) == (0.8, 1.0)


# ------------------------------------------------------------------------------ limits


@pytest.mark.parametrize(
    ("rule", "parameters", "left"),
    [
        ({"max_position_size": 1.5}, {}, {(1, 1), (-1, 1)}),
        ({"max_inventory_quote": 1970.0}, {}, {(1, 1), (1, 2), (-1, 1)}),
        ({"capital": 2000.0}, {"max_position_pct": 0.5}, {(1, 1)}),
        ({"capital": 2000.0, "leverage": 1.0}, {"max_position_pct": 1.0}, {(1, 1), (-1, 1)}),
        ({"capital": 1960.0, "max_leverage_used": 1.0}, {"max_position_pct": 1.0}, {(1, 1)}),
    ],
)  # fmt: skip
def test_limits_of_a_side_and_of_both(rule, parameters, left):
    assert set(quoted([STILL], settings=rule, **parameters)) == left


def test_a_refused_order_is_placed_once_it_fits():
    # 990 of 1,980 are half; the profit of the short makes room for the second long rung.
    rows = [
        STILL, (1000.0, 1010.5, 1000.0, 1010.0), (1010.0, 1010.0, 999.0, 999.0), STILL,
        (1000.0, 1000.0, 979.0, 979.0), (979.0,) * 4,
    ]  # fmt: skip
    _, lots = play(
        rows, settings={"capital": 2022.0}, max_position_pct=0.5, grid_levels_long=2,
        grid_levels_short=1,
    )  # fmt: skip
    assert ends(lots)[0][:3] == (-1, 1, 1)
    assert (1, 1) in {way[:2] for way in ends(lots)}


def test_liquidation_at_the_adverse_extreme():
    # 0.9 short at 1010: equity is less than 0.4 % of the value from about 2112.4 on.
    rows = [(1000.0, 1010.5, 1000.0, 1010.0), (1010.0, 2100.0, 1010.0, 2100.0),
            (2100.0, 2120.0, 2090.0, 2095.0), (2095.0,) * 4]  # fmt: skip
    made, lots = play(
        rows, settings={"capital": 1000.0}, base_qty=0.9, grid_levels_short=1, sl_steps=200,
        max_position_pct=1.0,
    )  # fmt: skip
    assert made.liquidated
    assert made.stopped_bar == BEFORE + 2
    assert ends(lots) == [(-1, 1, 0, 1010.0, 2, 2120.0, "liquidation")]
    fees = 0.9 * (0.0002 * 1010 + 0.0005 * 2120)
    assert made.equity[2:] == pytest.approx([1000 - 0.9 * 1110 - fees] * 2)


def test_an_account_that_its_stops_left_with_less_than_nothing_is_liquidated():
    # The open is far beyond the stop at 1040: nothing is left to be closed, and a debt of 72.62.
    rows = [(1000.0, 1010.5, 1000.0, 1010.0), (2200.0,) * 4, (2200.0,) * 4, (2200.0,) * 4]
    made, lots = play(
        rows, settings={"capital": 1000.0}, base_qty=0.9, grid_levels_short=1, sl_steps=3,
        max_position_pct=1.0,
    )  # fmt: skip
    assert ends(lots) == [(-1, 1, 0, 1010.0, 1, 2200.5, "stop-loss")]
    assert made.equity[1:] == pytest.approx([-72.622025] * 3)
    assert (made.liquidated, made.stopped_bar) == (True, BEFORE + 1)


def test_a_drawdown_closes_everything_at_the_next_open():
    rows = [DIP, (990.0, 990.0, 975.0, 975.0), (974.0, 974.0, 974.0, 974.0), DIP]
    made, lots = play(
        rows, settings={"capital": 1000.0, "drawdown_stop": 0.01}, max_position_pct=1.0
    )
    assert made.stopped_bar == BEFORE + 2
    assert ends(lots) == [(1, 1, 0, 990.0, 2, 973.5, "drawdown")]
    assert not made.liquidated


def test_the_end_marks_what_is_open():
    made, lots = play([DIP, (990.0, 995.0, 990.0, 995.0)])
    assert ends(lots) == [(1, 1, 0, 990.0, 1, 995.0, "end")]
    assert made.equity[0] == pytest.approx(100_000 - 0.0002 * 990)
    assert made.equity[1] == pytest.approx(100_000 + 5 - 0.0002 * 990 - 0.0005 * 995)
    assert made.long_exposure[1] == 995.0


# ------------------------------------------------------------------------------ the rest


def test_the_policies_in_a_trend():
    # Rises of 2 a bar: the short side is against the trend.
    rows = [(1000.0 + 2 * t, 1002.0 + 2 * t, 1000.0 + 2 * t, 1002.0 + 2 * t) for t in range(4)]
    common = {"counter_levels": 1, "counter_qty_scale": 0.5, "hysteresis_bps": 5.0, "tp_steps": 3}
    assert quoted(rows, **common) == {
        (1, 1): (990.0, 1.0), (1, 2): (980.0, 1.0), (-1, 1): (1010.0, 0.5)
    }  # fmt: skip
    core = quoted(rows, settings={"policy": "core-and-scalp"}, **common)
    assert core == {(1, 1): (990.0, 1.0), (-1, 1): (1010.0, 0.5)}
    assert (-1, 1) not in quoted(rows, **common | {"counter_levels": 0})
    falls = [(2000 - o, 2000 - low, 2000 - h, 2000 - c) for o, h, low, c in rows]
    assert set(quoted(falls, **common)) == {(1, 1), (-1, 1), (-1, 2)}


def test_nothing_is_traded_before_the_detector_is_warm():
    # The second drawn bar can be traded by who decides at the close of the first.
    market = drawn([STILL, DIP, STILL])
    for warm, entries in ((BEFORE + 1, [BEFORE + 1]), (BEFORE + 2, [])):
        made = both(market, grid(ema_slow=warm), account())
        assert made.lots["entry_bar"].tolist() == entries


def test_the_table_for_people():
    market = drawn([DIP, (990.0, 1000.5, 990.0, 1000.5), STILL])
    made = simulate(market, grid(), account(), (BEFORE, BEFORE + 3))
    row = made.lots_frame(market.bars.time).row(0, named=True)
    assert (row["side"], row["level"], row["reason"]) == ("long", 1, "take-profit")
    assert row["exit_time"] == market.bars.time[BEFORE + 1].item()
    assert row["net"] == pytest.approx(10 - 0.0002 * 1990)


def test_value_of_a_full_ladder():
    assert ladder_value(grid(base_qty=2.0, qty_scale=1.5), 1000.0) == (
        2 * 990 + 3 * 980, 2 * 1010 + 3 * 1020
    )  # fmt: skip


def test_rungs_meet_at_a_tick_where_the_price_has_fallen_far():
    # A step is 3 at 300, and a tick 8: rungs at 297 and 294 are both at 296.
    down = [(1000.0 - 70 * t, 1000.0 - 70 * t, 930.0 - 70 * t, 930.0 - 70 * t) for t in range(10)]
    rest = [(300.0,) * 4, (300.0, 300.0, 287.0, 300.0), (300.0,) * 4]
    market = drawn(down + rest)
    made = both(market, grid(recenter_trigger_bps=50.0), account(tick=8.0), (31, 33))
    assert made.lots["entry_price"].tolist() == [296.0, 296.0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"span": (5, 5)}, "`span` must satisfy 0 <= first < stop <= 21"),
        ({"settings": {"tick": 20.0}}, "`tick` 20 is more than a step of the ladder, 10"),
        ({"settings": {"participation": 0.1}}, "`participation` 0.1 caps fills"),
        ({"engine": "fast"}, "`engine` must be compiled or reference"),
    ],
)
def test_what_cannot_be_simulated_is_told(change, told):
    rules = account(**change.pop("settings", {}))
    with pytest.raises(ArgumentError, match=told):
        simulate(drawn([STILL]), grid(), rules, **change)
