"""Strategies of the registry as a study sees them."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_markets import daily, hourly

from meseta.account import Account, Contract
from meseta.bars import session_days
from meseta.engine import Window, backtest
from meseta.errors import ArgumentError
from meseta.optimise import StrategyProblem
from meseta.strategies import find_strategy, load_grid

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.bars import Bars

COSTS = Account(commission=0.0005, slippage=0.01)


def problem(bars: Bars, strategy: str = "atr_d_ls", **how: Any) -> StrategyProblem:
    return StrategyProblem(bars=bars, strategy=strategy, account=COSTS, warmup=60, **how)


def some(strategy: str, many: int, seed: int = 0) -> list[dict[str, float]]:
    found = find_strategy(strategy)
    grid = load_grid("ts_coarse" if strategy.startswith("atr") else "default", found.parameters)
    flats = np.random.default_rng(seed).integers(0, grid.product, many).tolist()
    return [grid.point(flat) for flat in flats]


@pytest.mark.parametrize("strategy", ["atr_d_l", "atr_d_ls", "atr_d_hma_ls", "xbar"])
def test_figures_are_those_of_the_engine(strategy: str) -> None:
    bars = daily()
    run = problem(bars, strategy, span=(80, 390)).evaluator()
    for params in some(strategy, 4):
        made = backtest(bars, find_strategy(strategy), params, Window(80, 81, 390), COSTS,
                        warmup=60, engine="reference")  # fmt: skip
        m = run.metrics(params)
        np.testing.assert_allclose(run.curve(params), made.equity, rtol=1e-12)
        assert m.final_equity == pytest.approx(made.equity[-1])
        assert m.trades == len(made.trades)
        pnl = np.array([t.pnl for t in made.trades])
        assert m.fees == pytest.approx(sum(t.costs for t in made.trades))
        if pnl.size:
            assert m.win_rate == (pnl > 0).mean()
        path = np.append(COSTS.capital, made.equity)
        assert m.max_drawdown == pytest.approx(max(1 - path[k] / path[: k + 1].max()
                                                   for k in range(path.size)))  # fmt: skip
        daily_returns = path[1:] / path[:-1] - 1  # a bar is a session here
        if daily_returns.any():
            year = bars.bars_per_year
            assert m.sharpe == pytest.approx(
                daily_returns.mean() / daily_returns.std(ddof=1) * math.sqrt(year)
            )
            growth = (path[-1] / path[0]) ** (year / 310) - 1
            assert m.calmar == pytest.approx(growth / m.max_drawdown)


def test_intraday_ratios_are_of_sessions_and_years_of_them() -> None:
    bars = hourly()
    given = problem(bars, "xbar", span=(70, 280))
    params = some("xbar", 1)[0]
    curve, m = given.evaluator().curve(params), given.evaluator().metrics(params)
    days = session_days(bars)[70:]
    last = [curve[days == day][-1] for day in np.unique(days)]
    path = np.array([COSTS.capital, *last])
    returns = path[1:] / path[:-1] - 1
    sessions_per_year = bars.bars_per_year / 7
    assert 240 < sessions_per_year < 280
    assert m.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1)
                                     * math.sqrt(sessions_per_year))  # fmt: skip


@pytest.mark.parametrize("strategy", ["atr_d_ls", "xbar"])
def test_nothing_beyond_the_stop_is_read(strategy: str) -> None:
    bars = daily()
    params = some(strategy, 1, seed=4)[0]
    whole = problem(bars, strategy, span=(80, 390))
    cut = problem(bars.slice(0, 250), strategy, span=(80, 250))
    assert whole.evaluator().metrics(params, 250) == cut.evaluator().metrics(params)
    assert whole.over(80, 250).evaluator().metrics(params) == cut.evaluator().metrics(params)
    assert whole.over(80, 250).fingerprint == cut.fingerprint
    assert (whole.evaluator().curve(params).size, cut.evaluator().curve(params).size) == (310, 170)


def test_other_rows_other_money_and_other_markets_are_other_problems() -> None:
    given = problem(daily(), span=(80, 390))
    richer = given.over(80, 390, capital=50_000.0)
    assert richer.account == Account(capital=50_000.0, commission=0.0005, slippage=0.01)
    others = [given.over(80, 389), richer, given.shuffled(1), given.shuffled(2),
              problem(daily(), "atr_d_l", span=(80, 390)),
              problem(daily(), span=(80, 390), contract=Contract(quantity=3.0))]  # fmt: skip
    prints = {each.fingerprint for each in [given, *others]}
    assert len(prints) == 7
    assert given.over(80, 390).fingerprint == given.fingerprint
    assert given.shuffled(1).evaluator().metrics(some("atr_d_ls", 1)[0]).final_equity > 0


def test_another_process_finds_the_strategy_by_its_name() -> None:
    source = find_strategy("xbar")
    for given in (
        problem(daily(), span=(80, 390)),
        StrategyProblem(bars=daily(), strategy=source, warmup=60),
    ):
        again = pickle.loads(pickle.dumps(given))
        assert again.found is given.found
        assert again.fingerprint == given.fingerprint
        assert again.bars.fingerprint == given.bars.fingerprint
    assert problem(daily(), "xbar").span == (60, 400)


def test_a_strategy_of_ones_own_file_goes_along_and_its_text_is_in_the_fingerprint(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.py"
    text = (
        "from meseta.strategies import Parameter, RuleStrategy, rule\n"
        "@rule\ndef up(market, share):\n    return market.close * (1 + share)\n"
        "@rule\ndef out(market, share):\n    return market.close * (1 - share)\n"
        "mine = RuleStrategy(name='mine', summary='', enter=up, stop=out,\n"
        "    parameters=(Parameter('share', 0.001, 0.5, 'float', ''),))\n"
    )
    file.write_text(text)
    given = problem(daily(), f"{file}:mine", span=(80, 390))
    again = pickle.loads(pickle.dumps(given))
    params = {"share": 0.02}
    assert given.evaluator().metrics(params).trades > 3
    assert again.evaluator().metrics(params) == given.evaluator().metrics(params)
    assert again.fingerprint == given.fingerprint
    file.write_text(text + "# changed\n")
    assert problem(daily(), f"{file}:mine", span=(80, 390)).fingerprint != given.fingerprint


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"strategy": "atr_d_sl"}, "did you mean"),
        ({"span": (80, 81)}, "`span` must hold at least 2 rows"),
        ({"span": (80, 401)}, "`span` must hold at least 2 rows"),
        ({"strategy": "atr_d_duals_l"}, "second symbol"),
    ],
)
def test_problems_that_cannot_be_run_are_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError) as error:
        problem(daily(), **how)
    assert said in str(error.value)


def test_parameters_that_break_a_rule_are_refused() -> None:
    run = problem(daily(), "xbar").evaluator()
    with pytest.raises(ArgumentError, match="takes"):
        run.metrics({"lenght": 3})
    with pytest.raises(ArgumentError, match="`stop` must be from 62 to 400"):
        run.metrics(some("xbar", 1)[0], 61)
