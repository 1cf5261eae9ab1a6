"""The hedge grid by events against the compiled simulator; needs the extra `nautilus`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grid_world import DESIGNED, PARAMETERS, SETTINGS, WARM, market_of, random_market

from meseta.confirm import UNEXPLAINED, causes_of, confirm
from meseta.hedge import LOT, REASONS, simulate

CENT = 0.005
# Price levels that a designed bar needs: long 1 enters at 990, its stop is at 960, take at 1010.
QUIET = [(1000.0, 1000.2, 999.9, 1000.0)] * WARM
LONG_1 = (1000.0, 1001.0, 989.0, 990.5)


def both(event_driven, market, settings=SETTINGS, parameters=PARAMETERS):
    """What either engine makes of a market, and why they differ."""
    span = (WARM - 1, len(market.bars))
    compiled = simulate(market, parameters, settings, span)
    engine = event_driven(market, parameters, settings, span)
    causes = causes_of(market, parameters, settings, compiled, engine)
    told = {cause.name: cause for cause in causes}
    total = engine.result.equity[-1] - compiled.equity[-1]
    assert sum(cause.difference for cause in causes) == pytest.approx(total, abs=1e-8)
    return compiled, engine, told


def test_without_ambiguous_bars_both_agree_to_the_cent(event_driven):
    compiled, engine, told = both(event_driven, market_of(DESIGNED))
    assert set(told) <= {"rounding"}
    assert not engine.thin
    for name in LOT.names:
        theirs, ours = engine.result.lots[name], compiled.lots[name]
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-7, err_msg=name)
    for name in ("equity", "realised", "unrealised", "fees", "funding", "long_exposure"):
        theirs, ours = getattr(engine.result, name), getattr(compiled, name)
        assert np.abs(theirs - ours).max() < CENT, name


def test_the_designed_case_has_what_a_grid_can_do():
    span = (WARM - 1, len(DESIGNED))
    market = market_of(DESIGNED)
    lots = simulate(market, PARAMETERS, SETTINGS, span, engine="reference").lots
    assert set(lots["side"]) == {1, -1}
    reasons = {REASONS[reason] for reason in lots["reason"]}
    assert reasons == {"take-profit", "stop-loss", "end"}
    assert (lots["entry_bar"] == lots["exit_bar"]).any()
    assert np.bincount(lots["entry_bar"]).max() == 3
    assert lots["funding"].any()
    assert len(np.unique(lots["step"])) > 1


def test_lots_that_are_open_at_the_end_are_closed_there_for_the_taker_fee(event_driven):
    compiled, engine, told = both(event_driven, market_of([*QUIET, LONG_1]))
    (lot,) = engine.result.lots
    assert REASONS[lot["reason"]] == "end"
    assert lot["exit_fee"] == pytest.approx(0.0005 * 0.5 * 990.5)
    assert engine.result.equity[-1] == pytest.approx(compiled.equity[-1], abs=CENT)
    assert set(told) <= {"rounding"}


def test_a_gap_through_a_stop_is_filled_at_the_stop(event_driven):
    gap = (950.0, 950.2, 949.0, 950.0)
    compiled, engine, told = both(event_driven, market_of([*QUIET, LONG_1, gap, gap]))
    assert compiled.lots["exit_price"][0] == pytest.approx(949.9)
    assert engine.result.lots["exit_price"][0] == pytest.approx(959.9)
    # The gap itself fills the two rungs below, and opens beyond no stop of theirs.
    assert set(told) - {"rounding"} == {"gap through a stop"}
    assert told["gap through a stop"].difference == pytest.approx(0.5 * 10 * (1 - 0.0005))


def test_a_bar_with_both_exits_is_a_stop_for_one_and_the_path_for_the_other(event_driven):
    wide = (990.5, 1011.0, 959.0, 1000.0)
    compiled, engine, told = both(event_driven, market_of([*QUIET, LONG_1, wide, *QUIET[:2]]))
    assert REASONS[compiled.lots["reason"][0]] == "stop-loss"
    assert REASONS[engine.result.lots["reason"][0]] == "take-profit"
    assert told["both exits in a bar"].difference > 20


def test_a_thin_bar_closes_a_lot_in_parts(event_driven):
    down = (990.5, 990.6, 955.0, 956.0)
    _, engine, told = both(event_driven, market_of([*QUIET, LONG_1, down, down], volume=1.0))
    assert 0 in engine.thin
    lot = engine.result.lots[0]
    # A quarter of the bar's coin at the stop, the rest where the bar closes.
    assert lot["quantity"] == pytest.approx(0.5)
    assert lot["exit_price"] == pytest.approx((959.9 + 956.0) / 2)
    assert "thin volume" in told
    assert UNEXPLAINED not in told


def test_a_touch_fills_where_the_settings_say_so(event_driven):
    touch = (1000.0, 1001.0, 990.0, 991.0)
    market = market_of([*QUIET, touch, *QUIET[:2]])
    _, engine, told = both(event_driven, market)
    assert not len(engine.result.lots)
    _, engine, told = both(event_driven, market, replace(SETTINGS, touch_fills=True))
    assert len(engine.result.lots) == 1
    assert set(told) <= {"rounding"}


def test_slippage_of_several_ticks_is_a_cause_of_its_own(event_driven):
    down = (990.5, 990.6, 955.0, 956.0)
    market = market_of([*QUIET, LONG_1, down, down])
    _, _, told = both(event_driven, market, replace(SETTINGS, slippage_ticks=0))
    assert set(told) <= {"rounding"}
    _, _, told = both(event_driven, market, replace(SETTINGS, slippage_ticks=5))
    cause = told["slippage"]
    assert cause.difference == pytest.approx(cause.count * 0.5 * 0.4, rel=0.01)


def test_a_drawdown_stop_leaves_at_the_close_instead_of_the_next_open(event_driven):
    down = (990.5, 990.6, 975.0, 976.0)
    later = (970.0, 970.5, 969.0, 970.0)
    market = market_of([*QUIET, LONG_1, down, later, later])
    compiled, engine, told = both(event_driven, market, replace(SETTINGS, drawdown_stop=0.0005))
    assert compiled.stopped_bar == engine.result.stopped_bar + 1
    assert set(told) - {"rounding"} == {"drawdown stop"}


def test_a_liquidation_is_told_and_ends_both(event_driven):
    settings = replace(SETTINGS, capital=600.0, maintenance_margin=0.5)
    parameters = replace(PARAMETERS, max_position_pct=1.0, sl_steps=99)
    short_1, up = (1000.0, 1011.0, 999.5, 1009.0), (1009.0, 1995.0, 1008.9, 1990.0)
    market = market_of([*QUIET, short_1, up, (1990.0, 1991.0, 1989.0, 1990.0)])
    compiled, engine, told = both(event_driven, market, settings, parameters)
    assert compiled.liquidated
    assert engine.result.liquidated
    assert set(told) - {"rounding"} == {"liquidation"}


def test_a_gap_beyond_a_rung_and_its_stop_is_one_through_a_stop(event_driven):
    gap = (950.0, 990.0, 949.0, 985.0)
    compiled, _, told = both(event_driven, market_of([*QUIET, gap, (985.0,) * 4]))
    assert (compiled.lots["entry_bar"] == compiled.lots["exit_bar"]).any()
    assert set(told) - {"rounding"} == {"gap through a stop"}


def test_a_tie_on_the_path_goes_low_first_in_both(event_driven):
    # Both are 13.2 from the open; in binary the upper one is nearer by 1e-13.
    tie = (997.1, 1010.3, 983.9, 997.0)
    _, _, told = both(event_driven, market_of([*QUIET, tie, (997.0,) * 4]))
    assert set(told) <= {"rounding"}


def random_grid(seed):
    """A market, parameters and settings, far from one another where it can matter."""
    pick = np.random.default_rng(seed).choice
    market = random_market(
        seed, 400, step=pick([0.001, 0.003, 0.012]), gap=pick([0.0, 0.1, 0.5]),
        volume=pick([1000.0, 1000.0, 3.0]), rate=pick([0.001, -0.002, 0.0001]),
    )  # fmt: skip
    parameters = replace(
        PARAMETERS, grid_step_bps=float(pick([20, 50, 100])), base_qty=float(pick([0.1, 0.5, 2])),
        grid_levels_long=int(pick([1, 4, 7])), grid_levels_short=int(pick([1, 4, 7])),
        tp_steps=int(pick([1, 2, 3])), sl_steps=int(pick([1, 3, 5])), hysteresis_bps=5.0,
        counter_levels=int(pick([0, 2])), recenter_trigger_bps=float(pick([50, 200, 600])),
        funding_max_cost_bps=float(pick([0, 50])), max_position_pct=float(pick([0.3, 1])),
    )  # fmt: skip
    settings = replace(
        SETTINGS, adx_threshold=float(pick([10, 1000])), slippage_ticks=int(pick([0, 1, 4])),
        touch_fills=bool(pick([0, 1])), policy=str(pick(["throttled-counter", "core-and-scalp"])),
        capital=float(pick([1000, 10_000])), drawdown_stop=pick([None, None, 0.02]),
        max_leverage_used=float(pick([1, 5])),
    )  # fmt: skip
    return market, settings, parameters


@pytest.mark.parametrize("seed", range(24))
def test_on_random_markets_every_difference_is_accounted_for(event_driven, seed):
    market, settings, parameters = random_grid(seed)
    _, engine, told = both(event_driven, market, settings, parameters)
    assert UNEXPLAINED not in told, told
    result = engine.result
    worth = settings.capital + result.realised + result.unrealised - result.fees - result.funding
    np.testing.assert_allclose(result.equity, worth, atol=1e-9)


def test_confirming_runs_each_set_in_a_process_and_says_which_took_too_long(event_driven):
    market = market_of(DESIGNED)
    trials = {7: {}, 3: {"tp_steps": 1}}
    sets = {number: {**_values(), **own} for number, own in trials.items()}
    span = (WARM - 1, len(DESIGNED))
    heard = []
    seven, three = confirm(market, sets, SETTINGS, span, workers=2, listener=heard.append)
    assert (seven.trial, three.trial) == (7, 3)
    assert {each.trial for each in heard} == {3, 7}
    assert not seven.error
    assert abs(seven.difference) < CENT
    assert seven.engine_metrics.trades == seven.compiled_metrics.trades == 11
    (late,) = confirm(market, {7: sets[7]}, SETTINGS, span, workers=1, timeout=0.01)
    assert late.error == "took longer than 0.01 s and was stopped"
    assert late.engine is None
    assert np.isnan(late.difference)


def _values():
    return {name: getattr(PARAMETERS, name) for name in PARAMETERS.__slots__}
