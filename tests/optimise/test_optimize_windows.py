"""Walk-forward optimisation."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from small_markets import daily

from meseta.bayes import Constraints, Objective, Params, Problem, Space, StudyOptions
from meseta.errors import ArgumentError
from meseta.optimise import (
    InstrumentsProblem,
    StrategyProblem,
    WindowProgress,
    WindowStudies,
    optimize_windows,
    space_of,
)
from meseta.walkforward import RollingWindow, WalkForward, plan_windows

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.bars import Bars

LOOSE = Constraints(min_sharpe=-9, max_drawdown=1, min_trades=0, min_win_rate=0,
                    min_profit_factor=0, min_calmar=-99)  # fmt: skip
OPTIONS = StudyOptions(trials=12, seed=4, startup_trials=6, workers=1)
SPEC = WalkForward(in_sample=100, out_of_sample=50, unit="bars")


def problem(bars: Bars) -> StrategyProblem:
    return StrategyProblem(bars=bars, strategy="xbar", warmup=40)


def space() -> Space:
    return space_of(problem(daily()).found, "default")


def walked(bars: Bars, windows: Any = None, **how: Any) -> WindowStudies:
    plan = plan_windows(bars, SPEC, warmup=40).windows if windows is None else windows
    given: dict[str, Any] = {
        "capital": 10_000.0, "objective": Objective(), "constraints": LOOSE, "options": OPTIONS,
    }  # fmt: skip
    return optimize_windows(problem(bars), space(), plan, **given | how)


@pytest.fixture(scope="module")
def both() -> WindowStudies:
    return walked(daily(count=420), compare=True)


def params_of(studies: WindowStudies) -> list[Params | None]:
    return [each.found.params if each.found else None for each in studies.windows]


def test_each_window_trades_the_best_of_its_study_with_the_money_of_the_last(
    both: WindowStudies,
) -> None:
    bars, money = daily(count=420), 10_000.0
    assert len(both.windows) == 6
    for each in both.windows:
        w, found = each.window, each.found
        assert found is not None
        assert each.capital == money
        inside = problem(bars).over(w.in_start, w.in_stop).evaluator()
        assert inside.metrics(found.params) == found.inside
        outside = problem(bars).over(w.out_start, w.out_stop, money).evaluator()
        assert each.traded
        assert outside.metrics(found.params) == each.outside
        np.testing.assert_array_equal(outside.curve(found.params), each.equity)
        money = each.final_equity
    curve = both.curves().filter(pl.col("warm"))
    first = both.windows[0].window.out_start
    assert curve["time"].to_list() == bars.time[first:].tolist()
    assert curve["equity"][-1] == money
    assert both.summary()["final_equity"] == money


def test_the_transfer_is_the_last_windows_best_as_first_trial(both: WindowStudies) -> None:
    warm, cold = both.windows, both.other
    assert [w.window.number for w in warm] == [w.window.number for w in cold]
    assert {w.warm for w in warm} == {True}
    assert {w.warm for w in cold} == {False}
    assert warm[0].found == cold[0].found
    # The best of a study that began with the last window's best is at least as good as that.
    for before, after in itertools.pairwise(warm):
        assert before.found is not None
        assert after.found is not None
        assert after.found.score is not None
        w = after.window
        moved = problem(daily(count=420)).over(w.in_start, w.in_stop).evaluator()
        score = Objective().score(moved.metrics(before.found.params))
        assert score is None or after.found.score >= score
    changed = both.summary()["changed"]
    assert changed["better"] + changed["worse"] <= changed["windows"] == 5
    assert changed["final_equity"] == warm[-1].final_equity - cold[-1].final_equity
    assert both.said().startswith("with the last window's best as first trial, ")
    missing = [replace(w, found=replace(w.found, feasible=not w.found.feasible)) for w in warm]
    assert replace(both, windows=tuple(missing)).summary()["changed"]["windows"] == 0


def test_the_same_walk_is_the_same_and_the_other_way_is_the_comparison(
    both: WindowStudies,
) -> None:
    again = walked(daily(count=420), warm_start=False)
    assert [w.found for w in again.windows] == [w.found for w in both.other]
    assert again.said() == ""
    seeded = walked(daily(count=420), options=StudyOptions(trials=12, seed=5, workers=1))
    assert params_of(seeded) != params_of(both)


def test_no_study_sees_what_comes_after_its_in_sample_rows(both: WindowStudies) -> None:
    bars = daily(count=420)
    for each in both.windows[1:4:2]:
        stop = each.window.in_stop
        # The same history with another future; the walk up to here must find the same.
        other = daily(seed=99, count=420)
        scale = bars.close[stop - 1] / other.open[stop]
        columns = [
            np.append(getattr(bars, p)[:stop], scale * getattr(other, p)[stop:])
            for p in ("open", "high", "low", "close")
        ]
        changed = type(bars).from_arrays(bars.time, *columns)
        windows = [w.window for w in both.windows[: each.window.number]]
        found = walked(changed, windows).windows
        assert [w.found for w in found] == [w.found for w in both.windows[: len(found)]]
        assert found[-1].outside != each.outside


def test_a_window_without_a_feasible_trial_stays_out_of_the_market() -> None:
    strict = Constraints(min_sharpe=1.0, max_drawdown=0.2, min_trades=3, min_win_rate=0.2)
    made = walked(daily(count=420), constraints=strict)
    flat = [each for each in made.windows if not each.traded]
    assert flat
    assert len(flat) < len(made.windows)
    for each in flat:
        assert each.found is not None
        assert not each.found.feasible
        assert (each.equity == each.capital).all()
        assert each.outside is not None
    table = made.table()
    assert table["traded"].sum() == made.summary()["traded"] == len(made.windows) - len(flat)
    assert table.filter(~pl.col("feasible"))["violated"].str.len_chars().min() > 0


def test_the_table_has_both_sides_and_the_parameters(both: WindowStudies) -> None:
    table = both.table()
    assert table.height == 12
    assert table["warm"].to_list() == [True] * 6 + [False] * 6
    bars = daily(count=420)
    row = table.row(2, named=True)
    window = both.windows[2].window
    assert row["in_first"] == bars.time[window.in_start].item()
    assert row["out_last"] == bars.time[window.out_stop - 1].item()
    found = both.windows[2].found
    assert found is not None
    assert {f"param_{k}": v for k, v in found.params.items()}.items() <= row.items()
    assert row["in_total_return"] == found.inside.total_return
    assert {"in_sharpe", "out_sharpe", "out_max_drawdown", "score", "feasible"} <= set(row)
    assert json.dumps(both.summary(), allow_nan=False)


def test_a_stopped_walk_goes_on_where_it_was(tmp_path: Path, both: WindowStudies) -> None:
    told: list[WindowProgress] = []
    first = walked(daily(count=420), compare=True, folder=tmp_path)
    assert [w.found for w in first.windows] == [w.found for w in both.windows]
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 11  # the first window is the same both ways
    (tmp_path / "window-003-warm.json").unlink()
    (tmp_path / "window-005-warm.json").write_text("{")
    again = walked(daily(count=420), compare=True, folder=tmp_path, listener=told.append)
    assert {each.window for each in told} == {3, 5}
    assert [w.found for w in again.windows] == [w.found for w in both.windows]
    assert again.curves().equals(both.curves())
    told.clear()
    walked(daily(count=420), folder=tmp_path, listener=told.append, objective=Objective(sharpe=1))
    assert {each.window for each in told} == set(range(1, 7))


def test_a_space_can_depend_on_the_windows_own_rows() -> None:
    seen: list[tuple[int, int]] = []

    def made(given: Problem) -> Space:
        seen.append(given.span)
        return space()

    bars = daily(count=420)
    windows = [(40, 140, 190), (90, 190, 240)]
    studies = optimize_windows(
        problem(bars), made, windows, capital=5_000.0, objective=Objective(),
        constraints=LOOSE, options=OPTIONS,
    )  # fmt: skip
    assert seen == [(40, 140), (90, 190)]
    assert studies.windows[1].window == RollingWindow(2, 90, 190, 190, 240, partial=False)
    assert studies.windows[0].capital == 5_000.0


def test_several_instruments_walk_together() -> None:
    bars = daily(1, 300)
    given = InstrumentsProblem(problems=(problem(bars), problem(daily(2, 300))))
    plan = plan_windows(bars, SPEC, warmup=40)
    studies = optimize_windows(
        given, space(), given.windows(plan.windows, bars.time), capital=10_000.0,
        objective=Objective(), constraints=LOOSE, options=OPTIONS,
    )  # fmt: skip
    assert len(studies.windows) == 4
    assert studies.curves().height == 160


@pytest.mark.parametrize(
    ("windows", "how", "said"),
    [
        ([], {}, "at least one window"),
        ([(40, 140, 500)], {}, "as window 1"),
        ([(140, 40, 200)], {}, "as window 1"),
        ([(40, 140, 190), (90, 180, 240)], {}, "begins at row 180, before window 1 ends at 190"),
        ([(40, 140, 141)], {}, "at least 2 rows"),
        ([(40, 140, 190)], {"capital": 0.0}, "`capital` must be positive"),
    ],
)
def test_windows_that_cannot_be_walked_are_refused(
    windows: Any, how: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArgumentError) as error:
        walked(daily(), windows, **how)
    assert said in str(error.value)
