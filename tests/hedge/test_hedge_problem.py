"""Figures of a back-test, and the grid as a problem for a study."""

from __future__ import annotations

import math
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
from hedge_world import START, account, grid, random_market

from meseta.errors import ArgumentError
from meseta.hedge import LOT, REASONS, HedgeMarket, HedgeProblem, HedgeResult, metrics_of, simulate
from meseta.hedge._metrics import midnights

RULES = account(tick=0.01, capital=5000.0)
PARAMS = {"grid_step_bps": 20.0, "base_qty": 4.0, "ema_slow": 12, "ema_fast": 5, "adx_len": 6}


@pytest.fixture(scope="module")
def market():
    return random_market(5, 700)


@pytest.fixture(scope="module")
def problem(market):
    return HedgeProblem.make(market, RULES, (60, 640))


def made_up(equity, nets, reasons, first=0):
    """A result with an equity at each close and lots of given profits."""
    lots = np.zeros(len(nets), LOT)
    lots["profit"], lots["reason"] = nets, reasons
    empty = np.zeros(len(equity))
    return HedgeResult(
        span=(first, first + len(equity)), lots=lots, equity=np.array(equity, dtype=float),
        realised=empty, unrealised=empty, fees=empty, funding=empty, long_exposure=empty,
        short_exposure=empty, state=empty.astype(np.int8), liquidated=False, stopped_bar=None,
    )  # fmt: skip


def test_figures_by_hand():
    # Three days of bars of 8 hours from a midnight on: closes at 8:00, 16:00 and 0:00.
    time = START + np.arange(9) * np.timedelta64(8, "h")
    equity = [101, 100, 110, 120, 90, 99, 100, 105, 108.9]
    result = made_up(equity, [5.0, -2.0, 4.0, -1.0, 100.0], [0, 1, 0, 1, REASONS.index("end")])
    found = metrics_of(result, time, account(capital=100.0))
    daily = np.array([0.1, -0.1, 0.1])
    assert found.sharpe == pytest.approx(daily.mean() / daily.std(ddof=1) * math.sqrt(365))
    assert found.total_return == pytest.approx(0.089)
    assert found.max_drawdown == pytest.approx(0.25)
    assert found.calmar == pytest.approx((1.089 ** (365.25 / 3) - 1) / 0.25)
    assert (found.trades, found.win_rate, found.profit_factor) == (4, 0.5, 3.0)
    assert found.final_equity == 108.9


def test_costs_count_in_winners():
    result = made_up([100.0, 100.0], [1.0, 1.0], [0, 0])
    result.lots["entry_fee"][0] = 0.6
    result.lots["exit_fee"][0] = 0.6
    result.lots["funding"][1] = -0.5
    time = START + np.arange(2) * np.timedelta64(8, "h")
    found = metrics_of(result, time, account(capital=100.0))
    assert (found.win_rate, found.fees, found.funding) == (0.5, 1.2, -0.5)
    assert found.profit_factor == pytest.approx(1.5 / 0.2)


def test_what_cannot_be_had_is_nan():
    time = START + np.arange(3) * np.timedelta64(1, "h")
    found = metrics_of(made_up([100.0] * 3, [], []), time, account(capital=100.0))
    assert all(math.isnan(found_) for found_ in (found.sharpe, found.calmar, found.win_rate))
    assert math.isnan(found.profit_factor)
    assert (found.trades, found.max_drawdown) == (0, 0.0)
    lucky = metrics_of(made_up([100.0] * 3, [1.0], [0]), time, account(capital=100.0))
    assert lucky.profit_factor == math.inf


def test_a_first_loss_is_a_drawdown():
    time = START + np.arange(2) * np.timedelta64(1, "h")
    found = metrics_of(made_up([90.0, 95.0], [], []), time, account(capital=100.0))
    assert found.max_drawdown == pytest.approx(0.1)


def test_days_that_are_not_whole_are_left_out():
    hour = 3_600_000_000
    at = START.astype(np.int64) + 5 * hour
    # From 5:00: midnights close rows 18 and 42, and the span ends at 8:00.
    assert midnights(at + np.arange(51) * hour, hour).tolist() == [18, 42]
    assert midnights(at - 5 * hour + np.arange(48) * hour, hour).tolist() == [-1, 23, 47]


def test_an_evaluator_does_what_a_simulation_does(market, problem):
    runner, span = problem.evaluator(), (60, 640)
    whole = simulate(market, grid(**grid_of(PARAMS)), RULES, span)
    assert asdict(runner.metrics(grid_of(PARAMS))) == pytest.approx(
        asdict(metrics_of(whole, market.bars.time, RULES)), nan_ok=True
    )
    np.testing.assert_array_equal(runner.curve(grid_of(PARAMS)), whole.equity)
    assert runner.result(grid_of(PARAMS)).lots.tolist() == whole.lots.tolist()
    assert len(whole.lots) > 15


def grid_of(params):
    own = grid(**params)
    return {name: getattr(own, name) for name in own.__slots__}


def test_figures_up_to_a_row_read_nothing_after_it(market, problem):
    bars, stop = market.bars, 400
    prices = {
        name: np.concatenate([getattr(bars, name)[:stop], np.full(300, 1e9)])
        for name in ("open", "high", "low", "close")
    }
    spoilt = replace(problem, market=market.with_bars(replace(bars, **prices), None))
    cut = HedgeMarket.make(bars.slice(0, stop), market.funding)
    short = HedgeProblem.make(cut, RULES, (60, stop))
    expected = asdict(short.evaluator().metrics(PARAMS))
    assert expected["trades"] > 10
    for one in (problem, spoilt):
        found = asdict(one.evaluator().metrics(PARAMS, stop))
        assert found == pytest.approx(expected, nan_ok=True, rel=0, abs=0)


def test_a_gate_moves_to_the_settings(problem):
    runner = problem.evaluator()
    gated = replace(problem, settings=replace(RULES, atr_gate_mult=2.0)).evaluator()
    found = runner.metrics({**PARAMS, "atr_gate_mult": 2.0, "hysteresis_bps": 0.0})
    assert found == gated.metrics({**PARAMS, "hysteresis_bps": 0.0})
    assert found != runner.metrics({**PARAMS, "hysteresis_bps": 0.0})


@pytest.mark.parametrize(
    ("params", "stop", "told"),
    [
        ({"grid_step": 10.0}, None, "did you mean grid_step_bps"),
        ({"grid_step_bps": 1.0}, None, "must be from 5"),
        ({}, 60, "`stop` must lie in the span, from 61 to 640"),
        ({}, 641, "`stop` must lie in the span"),
    ],
)
def test_wrong_questions_are_told(problem, params, stop, told):
    with pytest.raises(ArgumentError, match=told):
        problem.evaluator().metrics(params, stop)


def test_other_rows_and_capital(problem):
    other = problem.over(100, 300, capital=900.0)
    assert (other.span, other.settings.capital) == ((100, 300), 900.0)
    assert problem.over(100, 300).settings == RULES
    assert len(other.evaluator().curve(PARAMS)) == 200
    prints = {one.fingerprint for one in (problem, other, problem.over(100, 300))}
    assert len(prints) == 3
    with pytest.raises(ArgumentError, match="`span` must satisfy"):
        problem.over(300, 701)


def test_a_problem_can_be_sent(problem):
    sent = pickle.loads(pickle.dumps(problem))
    assert sent.fingerprint == problem.fingerprint
    assert sent.evaluator().metrics(PARAMS) == problem.evaluator().metrics(PARAMS)
    assert sent.name == "hedge grid on drawn 5m"


def test_a_mirrored_market_keeps_sizes_alone(problem):
    own, bars = problem.shuffled(1).market, problem.market.bars
    made = own.bars
    assert made.open[0] == bars.open[0]
    assert (made.high >= np.maximum(made.open, made.close)).all()
    assert (made.low <= np.minimum(made.open, made.close)).all()
    np.testing.assert_array_equal(made.volume, bars.volume)
    sizes = [(one.high - one.low) / one.open for one in (made, bars)]
    np.testing.assert_allclose(sizes[0], sizes[1], atol=3e-4)
    moves = [one.close / one.open - 1 for one in (made, bars)]
    np.testing.assert_allclose(np.abs(moves[0]), np.abs(moves[1]), atol=3e-4)
    turned = np.mean(np.sign(moves[0]) == np.sign(moves[1]))
    assert 0.4 < turned < 0.65
    assert own.funding is problem.market.funding
    assert problem.shuffled(1).fingerprint == problem.shuffled(1).fingerprint
    assert problem.shuffled(1).fingerprint != problem.shuffled(2).fingerprint


def test_mirrored_markets_of_other_rows_turn_together(market):
    own = HedgeProblem.make(market, RULES).shuffled(3).market.bars
    later = HedgeMarket.make(market.bars.slice(150, len(market.bars)), market.funding)
    part = HedgeProblem.make(later, RULES).shuffled(3).market.bars
    moves = own.close[150:] / own.open[150:] - 1, part.close / part.open - 1
    np.testing.assert_allclose(moves[0], moves[1], atol=3e-4)


def test_a_mirrored_market_keeps_the_distance_of_mark_prices(market):
    marks = market.bars
    shifted = replace(
        marks, **{name: getattr(marks, name) * 1.01 for name in ("open", "high", "low", "close")}
    )
    marked = HedgeMarket.make(market.bars, market.funding, shifted)
    own = HedgeProblem.make(marked, RULES).shuffled(4).market
    rows, _, prices = own.settlements
    ratio = marked.settlements[2] / marked.bars.close[rows - 1]
    np.testing.assert_allclose(prices / own.bars.close[rows - 1], ratio, rtol=1e-6)
