"""Studies in one process: what is drawn, told, pruned and scored."""

from __future__ import annotations

import statistics
from dataclasses import replace

import optuna
import pytest

from analytic_problem import SPACE, Hill, content
from meseta.bayes import Constraints, Objective, StudyOptions, importance, run_study
from meseta.errors import ArgumentError

REACHABLE = Constraints(max_drawdown=0.3)


def study(problem=None, constraints=REACHABLE, first=(), listener=None, **options):
    chosen = StudyOptions(**{"trials": 24, "workers": 1, **options})
    problem = problem or Hill()
    return run_study(
        problem,
        SPACE,
        Objective(),
        constraints,
        chosen,
        name="hill",
        first=first,
        listener=listener,
    )


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_what_is_recorded_is_what_was_run(sampler):
    found = study(sampler=sampler, trials=60)
    assert [each.number for each in found.trials] == list(range(60))
    for each in found.trials:
        assert dict(each.params) == SPACE.params(each.drawn)
        again = Hill().evaluator().metrics(each.params)
        assert repr(again) == repr(each.metrics)
        assert each.score == Objective().score(again, found.bounds)
        assert each.feasible == REACHABLE.feasible(again)
    assert found.best.score == max(t.score for t in found.trials if t.feasible)
    assert not found.nearest


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_sampler_learns(sampler):
    found = study(sampler=sampler, trials=60)
    scores = [-1.0 if t.fixed_score is None else t.fixed_score for t in found.trials]
    assert statistics.median(scores[40:]) > statistics.median(scores[:20])


def test_tpe_beats_random_search():
    walk, flat = Hill().evaluator(), {"y": 0.3, "n": 10, "m": 4, "c": 1.0, "idle": 1.0, "k": 3}
    top = max(Objective().score(walk.metrics({"x": x / 200, **flat})) for x in range(200))

    def missed(sampler, seed):
        found = study(sampler=sampler, seed=seed, trials=48, startup_trials=8)
        return top - max(t.fixed_score for t in found.trials if t.feasible)

    pairs = [(missed("tpe", seed), missed("random", seed)) for seed in range(8)]
    assert sum(tpe < random for tpe, random in pairs) >= 7
    assert sum(tpe for tpe, _ in pairs) < sum(random for _, random in pairs) / 3


def test_the_seed_decides():
    assert content(study(seed=5).trials) == content(study(seed=5).trials)
    assert content(study(seed=5).trials) != content(study(seed=6).trials)


def test_the_first_trials_are_given():
    first = [{"x": 0.7, "y": 0.3, "n": 12, "m": 4, "c": 5.0, "idle": 1.0, "k": 3}]
    found = study(first=first)
    assert dict(found.trials[0].params) == pytest.approx(first[0])
    assert found.trials[0].fixed_score == max(
        t.fixed_score for t in found.trials if t.fixed_score is not None
    )


def test_few_trades_give_no_score_and_teach_all_the_same():
    # They are feasible but for that.
    found = study(Hill("rare"), Constraints(max_drawdown=0.3, min_trades=0), trials=60)
    few = [t for t in found.trials if t.metrics.trades < 5]
    assert all(t.score is None and t.state == "complete" and not t.feasible for t in few)
    assert len([t for t in few if t.number < 20]) >= 5
    assert len([t for t in few if t.number >= 40]) <= 3
    assert found.best.score is not None


def test_the_sampler_is_told_of_constraints_and_of_nothing_infinite():
    from meseta.bayes._sampler import Sampling, told_of, values_of

    options = StudyOptions(trials=24, workers=1)
    trials = study().trials
    sampling = Sampling(SPACE, REACHABLE, options)
    sampling.start(trials)
    told = sampling._study.get_trials()
    for mine, theirs in zip(trials, told, strict=True):
        assert theirs.constraints == told_of(mine, REACHABLE)
        assert all(each <= 0 for each in theirs.constraints.values()) == mine.feasible
        complete = theirs.state == optuna.trial.TrialState.COMPLETE
        assert complete == (mine.fixed_score is not None)
        assert theirs.values == (None if not complete else [mine.fixed_score])
    assert values_of(trials[0], replace(options, sampler="nsga2")) == (
        trials[0].metrics.total_return,
        trials[0].metrics.max_drawdown,
        trials[0].metrics.sharpe,
    )


def test_several_objectives_give_a_front():
    found = study(sampler="nsga2", trials=40)
    assert found.pareto
    assert max(t.metrics.total_return for t in found.trials if t.feasible) == (
        found.trials[found.pareto[0]].metrics.total_return
    )
    assert not study(sampler="tpe").pareto


def test_nothing_feasible_gives_the_nearest_misses():
    found = study(constraints=Constraints(min_sharpe=50))
    assert found.best is None
    assert len(found.nearest) == 10
    violations = [t.violation for t in found.nearest]
    assert violations == sorted(violations)
    assert found.trials[found.nearest[0].number].score is not None


def test_epochs_only_report_unless_rebuilt():
    fixed = study(trials=44)
    never = study(trials=44, epoch_every=100)
    rebuilt = study(trials=44, adaptive="rebuild")
    assert fixed.epoch == rebuilt.epoch == 2
    assert never.epoch == 0
    assert never.bounds == Objective().bounds
    drawn = [[dict(t.drawn) for t in each.trials] for each in (fixed, never, rebuilt)]
    assert drawn[0] == drawn[1]
    assert drawn[0][:20] == drawn[2][:20]
    assert drawn[0] != drawn[2]
    for each in (fixed, rebuilt):
        assert {t.score for t in each.trials} == {
            Objective().score(t.metrics, each.bounds) for t in each.trials
        }


def test_pruning_ends_the_worse_half():
    found = study(pruner="median", trials=48, segments=4)
    pruned = [t for t in found.trials if t.state == "pruned"]
    assert 0 < len(pruned) < 48
    for each in pruned:
        assert each.metrics is each.score is each.violation is None
        assert 2 <= len(each.segment_scores) < 4
        assert not each.feasible
        earlier = [
            max(s for s in t.segment_scores[: len(each.segment_scores)] if s is not None)
            for t in found.trials
            if t.state == "complete"
            and t.number < each.number // 4 * 4
            and t.segment_scores[len(each.segment_scores) - 1] is not None
        ]
        assert len(earlier) >= 5
        best = max(s for s in each.segment_scores if s is not None)
        assert best < max(earlier)
    for each in found.trials:
        if each.state == "complete":
            assert len(each.segment_scores) == 4
            assert each.segment_scores[-1] == each.fixed_score


def test_an_exception_fails_its_trial_alone():
    found = study(Hill("raises"))
    failed = [t for t in found.trials if t.state == "failed"]
    assert failed
    assert all(t.error == "ValueError: x is too large" and t.attempts == 1 for t in failed)
    assert all(t.params["x"] > 0.8 for t in failed)
    assert all(t.metrics is not None for t in found.trials if t not in failed)


def test_progress_counts_what_the_result_has():
    told = []
    found = study(Hill("raises"), listener=told.append)
    assert [each.done for each in told] == list(range(25))
    last = told[-1]
    assert (last.total, last.new) == (24, 24)
    assert last.feasible == sum(t.feasible for t in found.trials)
    assert last.failed == sum(t.state == "failed" for t in found.trials)
    assert last.best.fixed_score == found.best.fixed_score
    assert last.left == 0
    assert told[0].left is None


def test_importance_finds_what_matters():
    found = importance(study(trials=100, sampler="random").trials, SPACE)
    assert sum(found.values()) == pytest.approx(1.0)
    assert set(found) == {"x", "y", "n", "m", "c", "idle"}
    assert {*list(found)[:2]} <= {"x", "y", "m"}
    assert importance(study(trials=5).trials, SPACE) == {}


def test_a_study_leaves_optunas_logging_as_it_was(capfd):
    before = optuna.logging.get_verbosity()
    study(trials=4)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_a_study_needs_a_name():
    with pytest.raises(ArgumentError, match="name"):
        run_study(Hill(), SPACE, Objective(), Constraints(), StudyOptions(workers=1), name="")
