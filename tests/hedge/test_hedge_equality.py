"""The two simulators against each other, and what holds for both on any market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hedge_world import account, assert_alike, both, grid, random_market
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.hedge import REASONS, simulate

TICK = 0.01
SMALL = {
    "tick": TICK, "lot": 0.01, "min_quantity": 0.01, "capital": 1000.0, "min_notional": 1.0,
    "max_position_size": 25.0, "max_inventory_quote": 5000.0,
}  # fmt: skip


@st.composite
def grids(draw):
    fast = draw(st.integers(5, 8))
    sl = draw(st.integers(1, 8))
    return grid(
        grid_step_bps=draw(st.sampled_from([5.0, 12.5, 20.0, 33.3, 60.0])),
        grid_levels_long=draw(st.integers(1, 6)),
        grid_levels_short=draw(st.integers(1, 6)),
        base_qty=draw(st.sampled_from([0.013, 0.2, 0.9, 3.0])),
        qty_scale=draw(st.sampled_from([0.7, 1.0, 1.15, 2.0])),
        tp_steps=draw(st.integers(1, min(6, 3 * sl))),
        sl_steps=sl,
        adx_len=draw(st.integers(5, 9)),
        ema_fast=fast,
        ema_slow=draw(st.integers(max(10, fast + 1), 15)),
        atr_len=draw(st.integers(5, 20)),
        hysteresis_bps=draw(st.sampled_from([0.0, 5.0, 30.0])),
        counter_levels=draw(st.integers(0, 4)),
        counter_qty_scale=draw(st.sampled_from([0.0, 0.5, 0.995, 1.0])),
        recenter_trigger_bps=draw(st.sampled_from([0.0, 25.0, 80.0, 300.0])),
        funding_max_cost_bps=draw(st.sampled_from([0.0, 5.0, 50.0])),
        max_position_pct=draw(st.sampled_from([0.1, 0.5, 1.0])),
    )


@st.composite
def accounts(draw):
    return account(
        **SMALL
        | {
            "touch_fills": draw(st.booleans()),
            "participation": draw(st.sampled_from([None, None, 0.02, 0.2])),
            "slippage_ticks": draw(st.integers(0, 3)),
            "maintenance_margin": draw(st.sampled_from([0.004, 0.5, 0.99])),
            "max_leverage_used": draw(st.sampled_from([0.4, 5.0])),
            "max_position_size": draw(st.sampled_from([1.0, 25.0])),
            "max_stop_pct": draw(st.sampled_from([None, 0.002])),
            "policy": draw(st.sampled_from(["throttled-counter", "core-and-scalp"])),
            "adx_threshold": draw(st.sampled_from([0.0, 20.0])),
            "atr_gate_mult": draw(st.sampled_from([0.0, 0.5])),
            "drawdown_stop": draw(st.sampled_from([None, None, 0.01])),
            "funding_window_minutes": draw(st.sampled_from([60, 480])),
        }
    )


@settings(max_examples=60)
@given(st.integers(0, 10_000), grids(), accounts(), st.booleans(), st.integers(0, 100))
def test_both_simulators_agree_and_the_books_balance(seed, parameters, rules, on_tick, first):
    market = random_market(seed, on_tick=on_tick)
    made = both(market, parameters, rules, (first, 260))
    money_balances(made, rules)
    lots_are_whole(made)
    if rules.participation is None:
        curves_follow_from_lots(made, market)
    fills_lie_on_the_path(made, market, rules)
    sides_stay_within_their_size(made, rules)


def money_balances(made, rules):
    """Equity is what came in and went out, at every close, and the lots add up to it."""
    expected = rules.capital + made.realised + made.unrealised - made.fees - made.funding
    np.testing.assert_array_equal(made.equity, expected)
    lots = made.lots
    paid = lots["entry_fee"].sum() + lots["exit_fee"].sum()
    own = rules.capital + lots["profit"].sum() - paid - lots["funding"].sum()
    assert made.equity[-1] == pytest.approx(own, abs=1e-8)
    assert made.unrealised[-1] == 0.0


def curves_follow_from_lots(made, market):
    """Every curve but that of the fees, and all funding, from the lots alone."""
    lots, (first, stop) = made.lots, made.span
    close, (due, rates, marks) = market.bars.close, market.settlements
    for t in range(first, stop, 7):
        done = lots[lots["exit_bar"] <= t]
        held = lots[(lots["entry_bar"] <= t) & (lots["exit_bar"] > t)]
        gained = held["side"] * held["quantity"] * (close[t] - held["entry_price"])
        assert made.realised[t - first] == pytest.approx(done["profit"].sum(), abs=1e-9)
        assert made.unrealised[t - first] == pytest.approx(gained.sum(), abs=1e-9)
        longs = held["quantity"][held["side"] > 0].sum() * close[t]
        if t < stop - 1:
            assert made.long_exposure[t - first] == pytest.approx(longs, abs=1e-9)
    for lot in lots:
        # A lot is open before a bar that comes after its entry, up to the bar of its exit.
        paid = (due > lot["entry_bar"]) & (due <= lot["exit_bar"])
        own = lot["side"] * lot["quantity"] * (marks[paid] * rates[paid]).sum()
        assert lot["funding"] == pytest.approx(own, abs=1e-9)


def lots_are_whole(made):
    """Every lot is closed once, and no two of a level are open together."""
    lots = made.lots
    assert lots["id"].tolist() == list(range(len(lots)))
    gross = lots["side"] * (lots["exit_price"] - lots["entry_price"]) * lots["quantity"]
    np.testing.assert_allclose(lots["profit"], gross, rtol=0, atol=1e-12)
    assert (lots["exit_bar"] >= lots["entry_bar"]).all()
    for side in (1, -1):
        for level in range(1, 7):
            own = lots[(lots["side"] == side) & (lots["level"] == level)]
            # Only from the bar after its end may the level be filled again.
            assert (own["entry_bar"][1:] > own["exit_bar"][:-1]).all()


def fills_lie_on_the_path(made, market, rules):
    """Nothing is filled where the price was not, but a limit that an open left behind."""
    bars, lots = market.bars, made.lots
    before = np.concatenate([bars.open[:1], bars.close[:-1]])
    top, bottom = np.maximum(bars.high, before), np.minimum(bars.low, before)
    through = 0.0 if rules.touch_fills else TICK
    entry, side = lots["entry_bar"], lots["side"]
    beyond = np.where(side > 0, bars.low[entry], -bars.high[entry])
    assert (beyond <= side * lots["entry_price"] - through + 1e-9).all()
    if rules.participation is None:
        away = np.where(side > 0, top[entry], -bottom[entry])
        assert (away >= side * lots["entry_price"] - 1e-9).all()
    taken = lots[lots["reason"] == REASONS.index("take-profit")]
    reached = np.where(
        taken["side"] > 0, bars.high[taken["exit_bar"]], -bars.low[taken["exit_bar"]]
    )
    assert (taken["exit_price"] == taken["take_profit"]).all()
    assert (reached >= taken["side"] * taken["take_profit"] + through - 1e-9).all()
    stopped = lots[lots["reason"] == REASONS.index("stop-loss")]
    slip = rules.slippage_ticks * TICK
    price = stopped["exit_price"] + stopped["side"] * slip
    assert (price >= bars.low[stopped["exit_bar"]] - 1e-9).all()
    assert (price <= bars.high[stopped["exit_bar"]] + 1e-9).all()
    assert (stopped["side"] * price <= stopped["side"] * stopped["stop_loss"] + 1e-9).all()


def sides_stay_within_their_size(made, rules):
    stop = made.span[1]
    for side in (1, -1):
        own = made.lots[made.lots["side"] == side]
        change = np.zeros(stop + 1)
        np.add.at(change, own["entry_bar"], own["quantity"])
        np.subtract.at(change, own["exit_bar"] + 1, own["quantity"])
        assert np.cumsum(change).max() <= rules.max_position_size + 1e-9


def test_random_markets_meet_every_way_out():
    """The markets above are no use if nothing happens in them."""
    seen = set()
    wide = grid(
        grid_step_bps=12.0, base_qty=2.4, grid_levels_long=6, grid_levels_short=6, tp_steps=4,
        sl_steps=9, max_position_pct=1.0, recenter_trigger_bps=25.0, counter_levels=6,
    )  # fmt: skip
    for seed in range(12):
        rules = account(
            **SMALL,
            maintenance_margin=0.99 if seed % 3 == 0 else 0.004,
            drawdown_stop=0.01 if seed % 3 == 1 else None,
        )
        made = simulate(random_market(seed), wide, rules)
        seen |= {REASONS[reason] for reason in made.lots["reason"]}
    assert seen == set(REASONS)


@settings(max_examples=20)
@given(st.integers(0, 10_000), grids(), st.integers(60, 250))
def test_the_future_changes_nothing_before(seed, parameters, cut):
    rules = account(**SMALL)
    whole, other = random_market(seed), random_market(seed + 1)
    rows = np.stack([getattr(whole.bars, name) for name in ("open", "high", "low", "close")])
    rest = np.stack([getattr(other.bars, name) for name in ("open", "high", "low", "close")])
    mixed = np.concatenate([rows[:, :cut], rest[:, cut:]], axis=1)
    settled = whole.funding.time < whole.bars.time[cut]
    rates = np.where(settled, whole.funding.rate, -3 * whole.funding.rate)
    changed = replace(
        whole.with_bars(_with_prices(whole.bars, mixed), None),
        funding=replace(whole.funding, rate=rates),
    )
    before = simulate(whole, parameters, rules, (30, 260))
    after = simulate(changed, parameters, rules, (30, 260))
    known = cut - 30
    np.testing.assert_array_equal(before.equity[:known], after.equity[:known])
    np.testing.assert_array_equal(before.funding[:known], after.funding[:known])
    done = [lots[lots["exit_bar"] < cut].tolist() for lots in (before.lots, after.lots)]
    assert done[0] == done[1]


def _with_prices(bars, rows):
    return replace(bars, **dict(zip(("open", "high", "low", "close"), rows, strict=True)))


def test_simulations_repeat_themselves():
    market, rules = random_market(3), account(**SMALL)
    parameters = grid(grid_step_bps=20.0)
    assert_alike(simulate(market, parameters, rules), simulate(market, parameters, rules))
