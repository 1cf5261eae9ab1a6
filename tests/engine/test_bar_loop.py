"""The compiled loop over bars and the reference make the same trades, whatever is ordered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_world import breakout, by_chance

from meseta.account import Account, Contract
from meseta.engine import Window, backtest
from meseta.engine._blocks import FINAL, blocks_of
from meseta.engine._plays import play_of
from meseta.engine._schedule import Course, Switch, blocks_of_play, simulate_schedule
from meseta.errors import ArgumentError
from meseta.strategies import KernelStrategy, Parameter, find_strategy, rule
from random_market import accounts, bars_of, markets

DONCHIAN = find_strategy(str(Path(__file__).parents[2] / "examples" / "donchian.py"))
CHANCE = st.fixed_dictionaries({"seed": st.integers(1, 1_000_000), "crowd": st.integers(1, 8)})
BREAKS = st.fixed_dictionaries(
    {
        "channel": st.integers(2, 12),
        "atr_period": st.integers(1, 10),
        "atr_multiplier": st.sampled_from([0.3, 1.0, 2.5]),
    }
)
ATR_D = {
    "atr_period": 5, "atr_multiplier": 2.0, "bb_length": 6, "bb_deviation": 2.0,
    "vol_threshold": 0.2, "min_tightening": 0.2, "scaling_method": 0, "atr_buy_period": 5,
    "atr_buy_multiplier": 0.5, "atr_smooth_period": 3, "equity_price_method": 0,
    "short_multiplier": 0.8, "entry_mode": 2, "trend_filter_period": 4,
    "trend_veto_threshold": 0.0, "both_triggered_mode": 0,
}  # fmt: skip


@st.composite
def contracts(draw, bars):
    """Shares, or futures with a tick, a point value and rolls."""
    if draw(st.booleans()):
        return Contract()
    level = float(np.median(bars.close))
    days = draw(st.lists(st.integers(0, len(bars) - 1), max_size=4))
    rolls = tuple(bars.time[day].item().date() for day in days)
    return Contract(
        point_value=draw(st.sampled_from([1.0, 50.0])),
        quantity=draw(st.sampled_from([1.0, 3.0])),
        tick=level * draw(st.sampled_from([0.0, 1 / 256])),
        roll_cost=level * 0.01 if rolls else 0.0,
        rolls=rolls,
    )


def both(bars, switches, account, contract, policy="carry"):
    given = (bars, switches, len(bars), account, contract)
    fast = simulate_schedule(*given, policy=policy)
    slow = simulate_schedule(*given, policy=policy, reference=True)
    assert fast.made.trades == slow.made.trades
    assert fast.made.equity.tobytes() == slow.made.equity.tobytes()
    assert fast.held.tolist() == slow.held.tolist()
    return fast


@given(st.data())
@settings(max_examples=300)
def test_any_orders_make_the_same_trades(data):
    bars = data.draw(markets(10, 120))
    account = data.draw(accounts(float(np.median(bars.close))))
    contract = data.draw(contracts(bars))
    play = play_of(by_chance, bars, data.draw(CHANCE), data.draw(st.sampled_from([0, 3])))
    made = both(bars, [Switch(0, play)], account, contract)
    for trade in made.made.trades:
        inside_the_bar(bars, trade, account)


def inside_the_bar(bars, trade, account):
    """No fill that the bar's path did not go through, slippage apart."""
    slack = account.slippage + 1e-9 * abs(trade.fill)
    for bar, price in ((trade.entry_bar, trade.fill), (trade.exit_bar, trade.exit)):
        assert bars.low[bar] - slack <= price <= bars.high[bar] + slack


def test_every_kind_of_order_is_used_by_chance():
    bars = bars_of(np.cumsum(np.random.default_rng(3).normal(size=(1500, 1)), 0) + 500
                   + np.array([[0, 1.5, -1.5, 0.4]]))  # fmt: skip
    account = Account(capital=1e6)
    trades = [
        trade
        for seed in range(1, 9)
        for trade in backtest(
            bars, by_chance, {"seed": seed, "crowd": 5}, Window(0, 1, len(bars)), account, warmup=5
        ).trades
    ]
    assert {t.reason for t in trades} == {"stop", "limit", "exit", "reverse", "end"}
    assert {t.dir for t in trades} == {1, -1}
    assert any(t.entry_bar == t.exit_bar and t.reason == "limit" for t in trades)


@given(st.data())
@settings(max_examples=60)
def test_cutting_the_data_changes_no_closed_trade(data):
    bars = data.draw(markets(20, 120))
    cut = data.draw(st.integers(5, len(bars) - 1))
    values = data.draw(CHANCE)
    account = Account(capital=1e5)
    runs = [
        backtest(part, by_chance, values, Window(0, 1, len(part)), account, warmup=2)
        for part in (bars, bars.slice(0, cut))
    ]
    assert [t for t in runs[0].trades if t.exit_bar < cut - 1] == [
        t for t in runs[1].trades if t.exit_bar < cut - 1
    ]
    assert runs[0].equity[: cut - 1].tobytes() == runs[1].equity[: cut - 1].tobytes()


@given(st.data())
@settings(max_examples=150)
def test_a_breakout_is_the_same_as_rules_and_as_a_kernel(data):
    bars = data.draw(markets(30, 200))
    price = float(np.median(bars.close))
    account = data.draw(accounts(price, commissions=(0.0, 0.001)))
    values = data.draw(BREAKS)
    # Rules give no signal before every indicator has a value.
    warmup = max(values["channel"], values["atr_period"])
    window = Window(0, 1, len(bars))
    one = backtest(bars, DONCHIAN, values, window, account, warmup=warmup)
    other = backtest(bars, breakout, values, window, account, warmup=warmup)
    assert one.trades == other.trades


# Parameters that change -----------------------------------------------------------------------


@st.composite
def schedules(draw, bars, strategy, values):
    ats = sorted(draw(st.sets(st.integers(0, len(bars) - 3), min_size=1, max_size=5)))
    plays = [play_of(strategy, bars, draw(values), 2) for _ in ats]
    some = [draw(st.integers(0, 5)) > 0 for _ in ats]
    return [
        Switch(at, play if yes else None) for at, play, yes in zip(ats, plays, some, strict=True)
    ]


STRATEGIES = {
    "by_chance": (by_chance, CHANCE),
    "breakout": (breakout, BREAKS),
    "donchian": (DONCHIAN, BREAKS),
    "atr_d_ls": (
        find_strategy("atr_d_ls"),
        st.builds(
            lambda mult, buy, mode: ATR_D | {"atr_multiplier": mult, "atr_buy_multiplier": buy,
                                             "entry_mode": mode},
            st.sampled_from([1.0, 2.0, 5.0]), st.sampled_from([0.5, 1.0]), st.integers(0, 2),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRATEGIES)
@given(data=st.data(), policy=st.sampled_from(["carry", "close", "finish"]))
@settings(max_examples=120)
def test_both_engines_change_parameters_alike(name, data, policy):
    strategy, values = STRATEGIES[name]
    bars = data.draw(markets(90, 160) if name == "atr_d_ls" else markets(12, 90))
    account = data.draw(accounts(float(np.median(bars.close))))
    contract = data.draw(contracts(bars))
    switches = data.draw(schedules(bars, strategy, values))
    made = both(bars, switches, account, contract, policy)
    ends = [switch.at for switch in switches[1:]]
    if policy == "close":
        assert not any(t.entry_bar <= at < t.exit_bar - 1 for t in made.made.trades for at in ends)


@pytest.mark.parametrize("name", STRATEGIES)
@given(data=st.data())
@settings(max_examples=60)
def test_carrying_to_the_same_parameters_changes_nothing(name, data):
    strategy, values = STRATEGIES[name]
    bars = data.draw(markets(90, 160) if name == "atr_d_ls" else markets(12, 90))
    account = data.draw(accounts(float(np.median(bars.close))))
    play = play_of(strategy, bars, data.draw(values), 2)
    ats = [1, *sorted(data.draw(st.sets(st.integers(2, len(bars) - 3), max_size=6)))]
    cut = both(bars, [Switch(at, play) for at in ats], account, Contract())
    whole = both(bars, [Switch(1, play)], account, Contract())
    assert cut.made.trades == whole.made.trades
    assert cut.made.equity.tobytes() == whole.made.equity.tobytes()


@given(st.data())
@settings(max_examples=60)
def test_a_finishing_set_opens_nothing(data):
    bars = data.draw(markets(20, 90))
    plays = [play_of(by_chance, bars, data.draw(CHANCE), 2) for _ in range(2)]
    at = data.draw(st.integers(3, len(bars) - 4))
    made = both(bars, [Switch(1, plays[0]), Switch(at, plays[1])], Account(capital=1e5),
                Contract(), "finish").made  # fmt: skip
    alone = both(bars, [Switch(1, plays[0])], Account(capital=1e5), Contract()).made
    old = [t for t in alone.trades if t.entry_bar <= at]
    assert [t for t in made.trades if t.entry_bar <= at] == old
    later = [t for t in made.trades if t.entry_bar > at]
    assert all(t.entry_bar > max((o.exit_bar for o in old), default=0) for t in later)


def test_an_unknown_policy_is_refused():
    bars = bars_of([[1, 2, 0.5, 1]] * 5)
    with pytest.raises(ArgumentError, match="`policy` must be carry, close or finish, got 'sell'"):
        simulate_schedule(bars, [Switch(0, None)], 5, Account(), policy="sell")


# Boundaries -----------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=150)
def test_boundary_rows_are_those_of_the_curve(data):
    bars = data.draw(markets(12, 120))
    account = data.draw(accounts(float(np.median(bars.close))))
    contract = data.draw(contracts(bars))
    start = data.draw(st.integers(0, 4))
    inner = data.draw(st.sets(st.integers(start + 1, len(bars) - 1), max_size=8))
    bounds = np.array([start, *sorted(inner), len(bars)])
    play = play_of(by_chance, bars, data.draw(CHANCE), 2)
    rows = blocks_of_play(Course.of(bars, account, contract), play, bounds)
    made = simulate_schedule(bars, [Switch(start, play)], len(bars), account, contract)
    plain = blocks_of(made.made, account.capital, bounds)
    np.testing.assert_array_equal(np.isnan(rows[:, FINAL]), np.isnan(plain[:, FINAL]))
    np.testing.assert_allclose(rows, plain, rtol=1e-9, atol=1e-9 * account.capital)


# Fills by hand --------------------------------------------------------------------------------


@rule
def _scripted(t, market, broker, which):
    if t == 1:
        if which == 0:
            broker.buy_limit(9.0)
        elif which == 1:
            broker.buy()
            broker.sell_limit(12.0)
            broker.sell_stop(9.0)
        elif which == 2:
            broker.buy_limit(9.5)
            broker.sell_stop(9.8)
        elif which == 3:
            broker.buy_stop(11.0)
            broker.short_stop(9.0)
        elif which == 4:
            broker.buy_stop(10.501)
    if t == 2:
        if which == 5:
            broker.buy(np.nan)
        elif which == 6:
            broker.buy(0.0)
        elif which == 7:
            broker.buy(-3.0)
        elif which == 8:
            broker.buy(2.5)


scripted = KernelStrategy(
    name="scripted", parameters=(Parameter("which", 0, 9, "int"),), decide=_scripted
)


def play(which, third, fourth=(10, 10, 10, 10), **contract):
    bars = bars_of([(10, 10, 10, 10), (10, 10, 10, 10), third, fourth])
    given = (bars, scripted, {"which": which}, Window(0, 1, 4), Account(capital=1000.0))
    fast = backtest(*given, warmup=0, contract=Contract(**contract))
    slow = backtest(*given, warmup=0, contract=Contract(**contract), engine="reference")
    assert fast.trades == slow.trades
    return [(t.dir, t.fill, t.exit, t.reason) for t in fast.trades]


def test_a_limit_that_is_only_touched_is_not_filled():
    assert play(0, (10, 11, 9.0, 10)) == []
    assert play(0, (10, 11, 8.9, 10)) == [(1, 9.0, 10.0, "end")]
    assert play(0, (8.5, 11, 8.0, 10)) == [(1, 8.5, 10.0, "end")]


def test_stop_and_target_on_the_entry_bar_follow_the_path():
    # Open to high 2.5, to low 2: the low comes first.
    assert play(1, (10, 12.5, 8, 11)) == [(1, 10.0, 9.0, "stop")]
    assert play(1, (10, 12.5, 7, 11)) == [(1, 10.0, 12.0, "limit")]
    assert play(1, (10, 12.0, 9.5, 11)) == [(1, 10.0, 10.0, "end")]


def test_a_stop_above_the_fill_is_no_better_than_the_fill():
    assert play(2, (10, 10.2, 9.0, 10)) == [(1, 9.5, 9.5, "stop")]


def test_one_entry_happens_on_a_bar():
    # Low first: the short is filled, and the buy stop is gone.
    assert play(3, (10, 11.5, 8.9, 10)) == [(-1, 9.0, 10.0, "end")]
    assert play(3, (10, 11.2, 8.5, 10)) == [(1, 11.0, 10.0, "end")]


def test_stop_prices_are_rounded_away_from_the_market():
    assert play(4, (10, 10.6, 10, 10.6), tick=0.25) == []
    assert play(4, (10, 10.8, 10, 10.6), tick=0.25) == [(1, 10.75, 10.0, "end")]


def test_a_size_that_is_no_number_or_nothing_is_no_order():
    """Whoever computes a size and fails must not put in the whole account."""
    for which in (5, 6, 7):
        assert play(which, (10, 10, 10, 10)) == []
    assert play(8, (10, 10, 10, 10)) == [(1, 10.0, 10.0, "end")]


def test_futures_trade_prices_of_zero_and_less():
    bars = bars_of(
        [(1, 1, 1, 1), (1, 1, 1, 1), (-1, 0, -3, -2), (-2, -2, -4, -4), (-4, -4, -4, -4)],
        allow_nonpositive=True,
    )
    contract = Contract(point_value=1000, quantity=2)
    account = Account(capital=1000.0, cost_per_share=5.0)
    made = backtest(
        bars, find_strategy("xbar"), {"xbar": 1}, Window(0, 1, 5), account,
        warmup=1, contract=contract,
    )  # fmt: skip
    # Short at the open of bar 3 after a close below the one before; out at the last close.
    assert [(t.entry_bar, t.fill, t.exit, t.pnl) for t in made.trades] == [
        (3, -2.0, -4.0, 2 * 2 * 1000 - 2 * 5.0)
    ]
    with pytest.raises(ArgumentError, match=r"down to -4.*trade a fixed number of contracts"):
        backtest(bars, find_strategy("xbar"), {"xbar": 1}, Window(0, 1, 5), account)
