"""Why two back-tests differ; needs no engine: what one might have made is written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grid_world import DESIGNED, PARAMETERS, SETTINGS, WARM, market_of, random_market
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.confirm import CAUSES, UNEXPLAINED, EventDriven, causes_of
from meseta.hedge import REASONS, simulate

TAKE, STOP = REASONS.index("take-profit"), REASONS.index("stop-loss")


def played(market, **changed):
    """A back-test under the settings, or under others."""
    span = (WARM - 1, len(market.bars))
    return simulate(market, PARAMETERS, replace(SETTINGS, **changed), span, engine="reference")


def told(market, compiled, lots, thin=(), **changed):
    """Causes by name, where an engine would have had these lots."""
    net = lots["profit"] - lots["entry_fee"] - lots["exit_fee"] - lots["funding"]
    equity = compiled.equity.copy()
    equity[-1] = SETTINGS.capital + net.sum()
    engine = EventDriven(replace(compiled, lots=lots, equity=equity), frozenset(thin))
    own = replace(SETTINGS, **changed)
    causes = causes_of(market, PARAMETERS, own, compiled, engine)
    total = engine.result.equity[-1] - compiled.equity[-1]
    assert sum(cause.difference for cause in causes) == pytest.approx(total, abs=1e-9)
    return {cause.name: cause for cause in causes}


@pytest.fixture(scope="module")
def designed():
    market = market_of(DESIGNED)
    return market, played(market)


def test_what_is_the_same_has_no_causes(designed):
    market, compiled = designed
    assert told(market, compiled, compiled.lots.copy()) == {}


def test_eight_decimals_of_money_are_rounding(designed):
    market, compiled = designed
    lots = compiled.lots.copy()
    lots["entry_fee"][:2] += 4e-9
    assert told(market, compiled, lots).keys() == {"rounding"}
    assert told(market, compiled, lots)["rounding"].count == 2


def test_a_fee_that_no_rule_makes_is_not_explained(designed):
    market, compiled = designed
    lots = compiled.lots.copy()
    lots["entry_fee"][0] += 0.2
    cause = told(market, compiled, lots)[UNEXPLAINED]
    assert (cause.count, cause.difference) == (1, pytest.approx(-0.2))


def test_a_fill_that_the_other_never_had_is_not_explained(designed):
    market, compiled = designed
    (cause,) = told(market, compiled, compiled.lots[1:].copy()).values()
    assert (cause.name, cause.count) == (UNEXPLAINED, 1)


def test_an_exit_on_another_bar_is_not_explained_by_the_rules_of_one_bar(designed):
    market, compiled = designed
    lots = compiled.lots.copy()
    lots["exit_bar"][2] += 1
    assert told(market, compiled, lots).keys() == {UNEXPLAINED}


def test_a_level_that_a_lot_which_differs_still_holds_is_a_consequence(designed):
    market, compiled = designed
    lots = compiled.lots.copy()
    # Long 1 of bar 12 stays open past the next entry of its level.
    again = np.flatnonzero((lots["side"] == 1) & (lots["level"] == 1))[1]
    lots["exit_bar"][0] = lots["entry_bar"][again]
    found = told(market, compiled, np.delete(lots, again), thin=[int(lots["id"][0])])
    assert found.keys() == {"thin volume", "level taken"}


@pytest.mark.parametrize(
    ("last", "cause"),
    [
        ((950.0, 950.2, 949.0, 950.0), "gap through a stop"),
        ((990.5, 990.6, 955.0, 956.0), UNEXPLAINED),
        ((990.5, 990.6, 955.05, 956.0), "prices off the tick"),
    ],
)
def test_a_stop_at_another_price_is_judged_by_the_bar(last, cause):
    quiet = [(1000.0, 1000.2, 999.9, 1000.0)] * WARM
    market = market_of([*quiet, (1000.0, 1001.0, 989.0, 990.5), last, (956.0,) * 4])
    compiled = played(market)
    lots = compiled.lots.copy()
    assert lots["reason"][0] == STOP
    lots["exit_price"][0] += 3.0
    lots["profit"][0] += 1.5
    assert told(market, compiled, lots).keys() == {cause}


def test_slippage_and_participation_are_told_where_the_settings_have_them(designed):
    market, compiled = designed
    lots = compiled.lots.copy()
    stopped = np.flatnonzero(lots["reason"] == STOP)[0]
    lots["exit_price"][stopped] += 0.4
    assert told(market, compiled, lots, slippage_ticks=5).keys() == {"slippage"}
    lots["exit_bar"][stopped] += 1
    assert told(market, compiled, lots, participation=0.1).keys() == {"participation"}


def test_a_bar_with_both_exits_is_told_only_where_it_has_both():
    quiet = [(1000.0, 1000.2, 999.9, 1000.0)] * WARM
    entry = (1000.0, 1001.0, 989.0, 990.5)
    for high, cause in ((1011.0, "both exits in a bar"), (1005.0, UNEXPLAINED)):
        market = market_of([*quiet, entry, (990.5, high, 959.0, 1000.0), (1000.0,) * 4])
        compiled = played(market)
        assert compiled.lots["reason"][0] == STOP
        lots = compiled.lots.copy()
        lots["reason"][0], lots["exit_price"][0], lots["profit"][0] = TAKE, 1010.0, 10.0
        assert told(market, compiled, lots).keys() == {cause}


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    changed=st.sampled_from(
        [{"touch_fills": True}, {"slippage_ticks": 7}, {"taker_fee": 0.001},
         {"max_position_size": 0.7}, {"drawdown_stop": 0.01}, {"participation": 0.0005}]
    ),
)  # fmt: skip
def test_causes_add_up_whatever_the_other_engine_does(seed, changed):
    market = random_market(seed, count=120)
    ours, theirs = played(market), played(market, **changed)
    causes = causes_of(market, PARAMETERS, SETTINGS, ours, EventDriven(theirs, frozenset()))
    total = theirs.equity[-1] - ours.equity[-1]
    assert sum(cause.difference for cause in causes) == pytest.approx(total, abs=1e-8)
    assert [cause.name for cause in causes] == [name for name in CAUSES if name in
                                                {cause.name for cause in causes}]  # fmt: skip
    assert all(cause.count > 0 for cause in causes)


def test_a_tighter_limit_is_not_taken_for_a_rule_of_fills(designed):
    market = random_market(3)
    ours, theirs = played(market), played(market, max_position_size=0.6)
    causes = causes_of(market, PARAMETERS, SETTINGS, ours, EventDriven(theirs, frozenset()))
    assert causes[-1].name == UNEXPLAINED
