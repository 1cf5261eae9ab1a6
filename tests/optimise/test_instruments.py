"""Several instruments at once."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from small_markets import daily

from meseta.bayes import Metrics
from meseta.errors import ArgumentError
from meseta.optimise import InstrumentsProblem, StrategyProblem, find_aggregate
from meseta.walkforward import WalkForward, plan_windows

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Metrics(sharpe=2, total_return=0.3, profit_factor=3, calmar=2, max_drawdown=0.1,
               trades=60, win_rate=0.6, final_equity=13_000, fees=10, funding=-2)  # fmt: skip
BAD = Metrics(sharpe=-1, total_return=-0.1, profit_factor=1 / 3, calmar=-0.5, max_drawdown=0.3,
              trades=31, win_rate=0.4, final_equity=9_000, fees=20, funding=4)  # fmt: skip


def alone(seed: int, span: tuple[int, int], *, drop: int = 0) -> StrategyProblem:
    bars = daily(seed)
    return StrategyProblem(bars=bars.slice(drop, len(bars)), strategy="xbar", warmup=30,
                           span=span)  # fmt: skip


@pytest.fixture(scope="module")
def params() -> dict[str, float]:
    found = alone(1, (80, 390)).found
    return {each.name: each.grids["default"][0] for each in found.parameters}


def test_the_mean_is_an_average_instrument() -> None:
    made = find_aggregate("mean")([GOOD, BAD])
    assert made.profit_factor == pytest.approx(1)  # 3/4 and 1/4 of what moved was won
    assert (made.sharpe, made.trades, made.max_drawdown) == (0.5, 45, 0.2)
    assert (made.final_equity, made.fees, made.funding) == (11_000, 15, 1)
    lucky = find_aggregate("mean")([replace(GOOD, profit_factor=math.inf), BAD])
    assert lucky.profit_factor == pytest.approx(5 / 3)
    assert math.isnan(find_aggregate("mean")([replace(GOOD, sharpe=math.nan), BAD]).sharpe)
    assert find_aggregate("mean")([replace(GOOD, liquidated=True), BAD]).liquidated is True


def test_the_worst_is_what_every_instrument_reaches() -> None:
    made = find_aggregate("worst")([GOOD, BAD])
    assert made == BAD
    mixed = find_aggregate("worst")([replace(GOOD, max_drawdown=0.4), BAD])
    assert (mixed.max_drawdown, mixed.sharpe) == (0.4, -1)
    assert math.isnan(find_aggregate("worst")([replace(GOOD, calmar=math.nan), BAD]).calmar)


def test_a_function_of_ones_own_decides(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from dataclasses import replace\n"
        "def second(figures):\n    return replace(figures[1], sharpe=figures[0].sharpe)\n"
        "def wrong(figures):\n    return 3\n"
        "def broken(figures):\n    return figures[5]\n"
    )
    given = InstrumentsProblem(
        problems=(alone(1, (80, 390)), alone(2, (80, 390))), aggregate=f"{file}:second"
    )
    assert given.combine([GOOD, BAD]) == replace(BAD, sharpe=2)
    again = pickle.loads(pickle.dumps(given))
    assert again.combine([GOOD, BAD]) == replace(BAD, sharpe=2)
    assert again.fingerprint == given.fingerprint
    for name, said in (
        ("wrong", "must return meseta.bayes.Metrics"),
        ("broken", "raised IndexError"),
        ("secnod", "did you mean second?"),
    ):
        with pytest.raises(ArgumentError, match=said):
            find_aggregate(f"{file}:{name}")
    with pytest.raises(ArgumentError, match="has 3 functions; name one"):
        find_aggregate(str(file))
    with pytest.raises(ArgumentError, match="one of mean, worst, or path"):
        find_aggregate("wosrt")


def test_instruments_are_traded_over_the_period_that_they_share(
    params: dict[str, float],
) -> None:
    first, second = alone(1, (80, 390)), alone(2, (30, 300), drop=60)
    both = InstrumentsProblem(problems=(first, second), aggregate="worst")
    assert [p.span for p in both.problems] == [(90, 360), (30, 300)]
    assert both.span == (90, 360)
    run = both.evaluator()
    parts = [first.over(90, 360).evaluator(), second.evaluator()]
    each = [part.metrics(params) for part in parts]
    assert run.each(params) == each
    assert run.metrics(params) == find_aggregate("worst")(each)
    curves = [part.curve(params) for part in parts]
    np.testing.assert_allclose(run.curve(params), np.mean(curves, axis=0))
    early = [first.over(90, 200), second.over(30, 140)]
    assert run.each(params, 200) == [p.evaluator().metrics(params) for p in early]


def test_other_rows_and_money_are_every_instruments(params: dict[str, float]) -> None:
    both = InstrumentsProblem(problems=(alone(1, (80, 390)), alone(2, (80, 300))))
    moved = both.over(100, 250, capital=5_000.0)
    assert [p.span for p in moved.problems] == [(100, 250)] * 2
    assert {p.account.capital for p in moved.problems} == {5_000.0}  # type: ignore[attr-defined]
    prints = {
        p.fingerprint for p in (both, moved, both.shuffled(1), replace(both, aggregate="worst"))
    }
    assert len(prints) == 4
    shuffled = both.shuffled(1).problems
    ups = [p.bars.close > p.bars.open for p in shuffled]  # type: ignore[attr-defined]
    was = [p.bars.close > p.bars.open for p in both.problems]  # type: ignore[attr-defined]
    moving = [p.bars.close != p.bars.open for p in both.problems]  # type: ignore[attr-defined]
    # One coin turns the bars of all instruments at a time.
    same = (ups[0] == was[0]) == (ups[1] == was[1])
    assert same[moving[0] & moving[1]].all()
    for wrong in ((250, 100), (0, 401)):
        with pytest.raises(ArgumentError):
            both.over(*wrong)


def test_windows_of_one_series_are_found_in_the_common_times() -> None:
    first, second = alone(1, (80, 390)), alone(2, (30, 300), drop=60)
    both = InstrumentsProblem(problems=(first, second))
    bars = second.bars
    plan = plan_windows(bars, WalkForward(in_sample=100, out_of_sample=40, unit="bars"), warmup=30)
    moved = both.windows(plan.windows, bars.time)
    for window, found in zip(plan.windows, moved, strict=True):
        for name in ("in_start", "out_start"):
            assert both.time[getattr(found, name)] == bars.time[getattr(window, name)]
        assert both.time[found.out_stop - 1] == bars.time[window.out_stop - 1]


def test_instruments_without_a_common_period_are_refused() -> None:
    with pytest.raises(ArgumentError, match="period in common"):
        InstrumentsProblem(problems=(alone(1, (80, 100)), alone(2, (120, 390))))
    with pytest.raises(ArgumentError, match="at least one instrument"):
        InstrumentsProblem(problems=())
