"""Scores, constraints, epochs and rankings: what a study says of a back-test."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.bayes import (
    CONSTRAINTS,
    Bounds,
    Constraints,
    Metrics,
    Objective,
    StudyOptions,
    Trial,
    best_of,
    nearest_of,
    pareto_front,
)
from meseta.bayes._epochs import epoch_of, rescored
from meseta.errors import ArgumentError

GOOD = Metrics(
    sharpe=2.0,
    total_return=0.15,
    profit_factor=1.5,
    calmar=2.0,
    max_drawdown=0.1,
    trades=100,
    win_rate=0.6,
    final_equity=11_500.0,
)
FIGURES = ("sharpe", "total_return", "profit_factor", "calmar", "max_drawdown", "win_rate")
anything = st.floats(-50, 50) | st.sampled_from([math.nan, math.inf, -math.inf])
metrics = st.builds(
    lambda values, trades, dead: replace(
        GOOD, **dict(zip(FIGURES, values, strict=True)), trades=trades, liquidated=dead
    ),
    st.tuples(*[anything] * len(FIGURES)),
    st.integers(0, 300),
    st.booleans(),
)


def trial(number, state="complete", **changes):
    made = None if state != "complete" else replace(GOOD, **changes)
    score = None if made is None else Objective().score(made)
    return Trial(
        number=number,
        state=state,
        params={"x": number},
        drawn={"x": number},
        metrics=made,
        score=score,
        fixed_score=score,
        violation=None if made is None else Constraints().violation(made),
        feasible=made is not None and Constraints().feasible(made),
    )


def test_score_is_the_weighted_sum_by_hand():
    # (2+1)/6, (0.15+0.2)/0.7, (2+1)/6 and 0.1/0.5
    expected = 0.30 * 0.5 + 0.25 * 0.5 + 0.25 * 0.5 - 0.20 * 0.2
    assert Objective().score(GOOD) == pytest.approx(expected, abs=1e-15)


def test_profit_factor_can_be_the_profit():
    # (1.5-0.5)/2.5 instead of 0.5
    assert Objective(profit_metric="profit_factor").score(GOOD) == pytest.approx(
        0.30 * 0.5 + 0.25 * 0.4 + 0.25 * 0.5 - 0.20 * 0.2
    )


def test_bounds_of_an_epoch_replace_the_own():
    bounds = Bounds(
        sharpe=(2.0, 2.0), total_return=(0.2, 0.3), calmar=(0, 1), max_drawdown=(0, 0.1)
    )
    # Equal bounds give a half; below and above are cut off.
    assert Objective().score(GOOD, bounds) == pytest.approx(0.15 + 0.0 + 0.25 - 0.20)


@given(metrics)
@settings(max_examples=60)
def test_scores_are_finite_and_within_the_weights(found):
    score = Objective().score(found)
    parts = (found.sharpe, found.total_return, found.calmar, found.max_drawdown)
    assert (score is None) == (found.trades < 5 or any(math.isnan(each) for each in parts))
    assert score is None or -0.20 - 1e-12 <= score <= 0.80 + 1e-12


def test_a_figure_without_a_weight_may_be_missing():
    assert Objective(calmar=0.0).score(replace(GOOD, calmar=math.nan)) is not None


@given(metrics, st.booleans())
@settings(max_examples=80)
def test_constraints_agree_with_each_other(found, strict):
    rule = Constraints(strict=strict)
    lacks, told = rule.deficits(found), rule.told(found)
    assert all(math.isfinite(each) for each in lacks)
    assert all(math.isfinite(each) for each in told.values())
    names = tuple(n for n, lack in zip(CONSTRAINTS, lacks, strict=True) if lack > 0)
    assert rule.violated(found) == (names + ("liquidated",) * found.liquidated)
    assert rule.feasible(found) == all(each <= 0 for each in told.values())
    if Constraints().feasible(found):
        assert rule.feasible(found)
        assert rule.violation(found) == 0
    if found.liquidated or any(math.isnan(getattr(found, n)) for n in FIGURES[:1] + FIGURES[2:]):
        assert rule.violation(found) == 1000


def test_violation_and_deficits_by_hand():
    poor = replace(
        GOOD,
        sharpe=0.4,
        max_drawdown=0.25,
        trades=30,
        win_rate=0.40,
        profit_factor=0.9,
        calmar=0.3,
    )
    rule = Constraints()
    # 0.6 + 5 points x 0.1 + 20 x 0.01 + 5 points x 0.01 + 0.2 + 0.2
    assert rule.violation(poor) == pytest.approx(0.6 + 0.5 + 0.2 + 0.05 + 0.2 + 0.2)
    expected = (0.6, 0.25, 0.4, 0.05 / 0.45, 0.2 / 1.1, 0.4)
    assert rule.deficits(poor) == pytest.approx(expected)
    assert rule.violated(poor) == CONSTRAINTS


def test_a_missing_figure_violates_its_constraint():
    found = replace(GOOD, win_rate=math.nan)
    assert Constraints().violated(found) == ("min_win_rate",)
    assert not Constraints(strict=False).feasible(found)


def test_lenient_allows_one_and_not_two():
    one, two = replace(GOOD, sharpe=0.1), replace(GOOD, sharpe=0.1, calmar=0.1)
    assert not Constraints().feasible(one)
    assert Constraints(strict=False).feasible(one)
    assert not Constraints(strict=False).feasible(two)


def test_a_threshold_of_zero_counts_in_units():
    assert Constraints(min_calmar=0).deficits(replace(GOOD, calmar=-2.0))[5] == 2.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Bounds(sharpe=(2, 1)), "`sharpe`"),
        (lambda: Objective(sharpe=math.nan), "`sharpe`"),
        (lambda: Objective(sharpe=0, profit=0, calmar=0, drawdown=0), "all are zero"),
        (lambda: Objective(profit_metric="money"), "profit_metric"),
        (lambda: Constraints(max_drawdown=20), "20 %"),
        (lambda: Constraints(min_trades=-1), "min_trades"),
        (lambda: Constraints(min_sharpe=math.inf), "min_sharpe"),
        (lambda: StudyOptions(trials=0), "trials"),
        (lambda: StudyOptions(trials=10_001), "10000"),
        (lambda: StudyOptions(sampler="tpee"), "did you mean tpe"),
        (lambda: StudyOptions(workers=0), "workers"),
        (lambda: StudyOptions(timeout=0), "timeout"),
        (lambda: StudyOptions(sampler="nsga2", pruner="median"), "three objectives"),
    ],
)
def test_wrong_arguments_are_named(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


def test_workers_are_no_more_than_a_batch():
    assert StudyOptions(workers=8, batch=3).processes == 3
    assert StudyOptions(workers=2, batch=3).processes == 2
    assert StudyOptions().processes >= 1


def test_epochs_follow_borders_of_batches():
    options = StudyOptions(epoch_every=10, batch=4)
    trials = [trial(n, sharpe=float(n)) for n in range(25)]
    numbers = [epoch_of(trials[:n], Objective(), options).number for n in range(25)]
    assert numbers == [0] * 12 + [1] * 8 + [2] * 5
    bounds = epoch_of(trials[:14], Objective(), options).bounds
    assert bounds.sharpe == pytest.approx((0.55, 10.45))  # of 0 ... 11, not of 13
    assert bounds.calmar == (2.0, 2.0)


def test_an_epoch_needs_ten_observations_and_no_gap():
    options = StudyOptions(epoch_every=10, batch=2)
    failed = [trial(n, "failed") for n in range(3)]
    few = failed + [trial(n) for n in range(3, 12)]
    assert epoch_of(few, Objective(), options).number == 0
    whole = [trial(n) for n in range(12)]
    assert epoch_of(whole, Objective(), options).number == 1
    assert epoch_of([t for t in whole if t.number != 9], Objective(), options).number == 0


def test_rescoring_changes_all_and_only_scores():
    options = StudyOptions(epoch_every=10, batch=2)
    trials = [trial(n, sharpe=0.1 * n, profit_factor=math.inf) for n in range(10)]
    trials.append(trial(10, "failed"))
    epoch = epoch_of(trials, Objective(), options)
    made = rescored(trials, Objective(), epoch)
    assert [t.score for t in made[:10]] == [
        Objective().score(t.metrics, epoch.bounds) for t in trials[:10]
    ]
    assert [replace(t, score=None) for t in made] == [replace(t, score=None) for t in trials]
    assert epoch.bounds.profit_factor == Bounds().profit_factor  # nothing finite was seen


def test_best_is_feasible_and_nearest_is_not_far():
    trials = [trial(0, sharpe=5.0, max_drawdown=0.3), trial(1), trial(2, sharpe=2.5)]
    assert best_of(trials).number == 2
    assert best_of(trials[:1]) is None
    far = [trial(0, sharpe=0.0), trial(1, sharpe=0.8), trial(2, "failed"), trial(3, sharpe=0.8)]
    assert [each.number for each in nearest_of(far)] == [1, 3, 0]


def test_equal_scores_are_decided_by_the_own_bounds():
    ahead = replace(trial(7, sharpe=4.0), score=0.7)
    assert best_of([replace(trial(1), score=0.7), ahead]) is ahead


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=12))
@settings(max_examples=40)
def test_pareto_front_is_what_nothing_dominates(points):
    trials = [
        trial(n, total_return=r / 10, max_drawdown=d / 100, sharpe=1.0 + s)
        for n, (r, d, s) in enumerate(points)
    ]

    def dominated(one):
        return any(
            o[0] >= one[0] and o[1] <= one[1] and o[2] >= one[2] and o != one for o in points
        )

    expected = {n for n, point in enumerate(points) if not dominated(point)}
    assert set(pareto_front(trials)) == expected


def test_pareto_front_prefers_the_feasible():
    trials = [trial(0, total_return=0.9, max_drawdown=0.5), trial(1)]
    assert pareto_front(trials) == (1,)
    assert pareto_front(trials[:1]) == (0,)
