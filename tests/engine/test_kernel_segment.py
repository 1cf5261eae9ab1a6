"""How the compiled loop calls a user's function: what it hands over, and what it lets through."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_world import by_chance

from meseta.account import Account
from meseta.engine import Window, backtest
from meseta.engine._plays import play_of
from meseta.engine._schedule import Switch, simulate_schedule
from meseta.strategies import KernelStrategy, Parameter, StrategyError, rule
from random_market import bars_of, walk_of

BARS = bars_of(walk_of(5, 80))
N = Parameter("n", 1, 99, "int")
X = Parameter("x", -9, 9)


@rule
def shifted(market, n):
    return market.close + n


@rule
def shifted_and_halved(market, n, x):
    return market.close + n, market.close * x


@rule
def at_bar(t, market, broker, n):
    if t == n:
        broker.buy()


@rule
def from_series(t, market, broker, series):
    if series[t] > market.close[t] + 2:
        broker.buy()


@rule
def from_two(t, market, broker, series, n, x):
    shifted, halved = series
    if shifted[t] == market.close[t] + n and halved[t] == x * market.close[t] and t == n:
        broker.buy()


def trades_of(decide, parameters, values, series=None, engine="fast"):
    strategy = KernelStrategy(name="one", parameters=parameters, decide=decide, series=series)
    made = backtest(
        BARS, strategy, values, Window(0, 1, len(BARS)), Account(), warmup=0, engine=engine
    )
    return [trade.entry_bar for trade in made.trades]


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_series_and_parameters_of_any_kind_arrive(engine):
    assert trades_of(at_bar, (N,), {"n": 7}, engine=engine) == [8]
    assert trades_of(from_series, (N,), {"n": 3}, shifted, engine) == [1]
    assert trades_of(from_series, (N,), {"n": 1}, shifted, engine) == []
    given = (from_two, (N, X), {"n": 9, "x": 0.5}, shifted_and_halved)
    assert trades_of(*given, engine) == [10]


@rule
def beyond(t, market, broker, n):
    if t >= n and market.close[t + market.close.size] > 0:
        broker.buy()


@rule
def refuses(t, market, broker, n):
    if t == n:
        raise ValueError("no such bar")


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize(
    ("decide", "why"),
    [(beyond, "raised IndexError"), (refuses, "raised ValueError at bar 40: no such bar")],
)
def test_what_it_raises_in_the_middle_is_told(decide, why, engine):
    with pytest.raises(StrategyError, match=f"`one`: `{decide.py_func.__name__}` .*{why}"):
        trades_of(decide, (N,), {"n": 40}, engine=engine)
    assert trades_of(decide, (N,), {"n": 99}, engine=engine) == []


@rule
def divides(t, market, broker, n):
    flat = 1.0 / broker.position + 1.0 / (broker.bars_held + 1) + n / t
    if flat == np.inf:
        broker.buy()


def test_a_division_by_zero_gives_infinity_in_both_engines():
    both = [trades_of(divides, (N,), {"n": 1}, engine=engine) for engine in ("fast", "reference")]
    assert both == [[1], [1]]


@rule
def writes(t, market, broker, series):
    series[t] = 1.0


def test_a_series_cannot_be_written_to():
    with pytest.raises(StrategyError, match="Cannot modify readonly array"):
        trades_of(writes, (N,), {"n": 1}, shifted)
    play = play_of(
        KernelStrategy(name="one", parameters=(N,), decide=from_series, series=shifted),
        BARS, {"n": 1}, 0,
    )  # fmt: skip
    assert not play.prepared.series.flags.writeable


def test_a_play_can_be_walked_again_and_by_threads():
    from concurrent.futures import ThreadPoolExecutor

    play = play_of(by_chance, BARS, {"seed": 4, "crowd": 3}, 5)

    def walked(_):
        return simulate_schedule(BARS, [Switch(0, play)], len(BARS), Account(capital=1e5)).made

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(walked, range(40)))
    assert len({each.trades for each in made}) == 1
    assert len(made[0].trades) > 5
    assert all(np.array_equal(each.equity, made[0].equity) for each in made)
