"""What is said of a study in one sentence."""

from __future__ import annotations

import pytest

from meseta.pipeline._optimize_verdict import verdict_of

LUCKY = {
    "trials": 50,
    "sharpe_best": 1.0,
    "sharpe_expected_of_noise": 1.5,
    "deflated_sharpe": 0.2,
}
SKILLED = LUCKY | {"sharpe_best": 4.0, "deflated_sharpe": 0.99}


def summary(made, *, luck=SKILLED, null=None, liquidated=False):
    unseen = None if made is None else {"total_return": made, "liquidated": liquidated}
    best = {"trial": 7, "out_of_sample": unseen}
    return {"complete": 50, "best": best, "nearest": [], "luck": luck, "null": null}


def test_what_holds_up():
    told = verdict_of(summary(0.05))
    assert told == (
        "Trial 7 meets the constraints in-sample and made +5.0 % in the vault; luck alone does "
        "not explain it."
    )


@pytest.mark.parametrize("made", [-0.01, 0.0])
def test_a_loss_in_the_vault_is_nothing(made):
    assert verdict_of(summary(made)).startswith("Nothing worth having: trial 7 meets")


def test_a_study_whose_trials_all_failed_says_why():
    failed = {"complete": 0, "error": "took longer than 1 s, 2 times", "best": None}
    assert verdict_of(failed) == (
        "Nothing is known: no trial ran to its end; the first: took longer than 1 s, 2 times."
    )


def test_a_liquidation_in_the_vault_is_nothing():
    assert "but was liquidated in the vault" in verdict_of(summary(0.1, liquidated=True))


def test_noise_may_have_as_much():
    told = verdict_of(summary(0.05, luck=LUCKY))
    assert "it may be luck: the best of 50 trials of noise" in told
    assert "1.50 (this one: 1.00)" in told


@pytest.mark.parametrize(("p", "doubted"), [(0.5, True), (0.04, False)])
def test_markets_without_structure_may_have_as_much(p, doubted):
    null = {"p_score": p, "as_good": 9, "runs": 20}
    told = verdict_of(summary(0.05, null=null))
    assert ("scores as well on 9 of 20 markets" in told) is doubted


def test_without_a_vault_nothing_is_claimed():
    assert "no vault says what it makes on unseen data" in verdict_of(summary(None))


def test_none_feasible_names_the_nearest():
    near = [{"trial": 3, "violated": ["min_sharpe", "min_trades"]}]
    told = verdict_of(summary(None) | {"best": None, "nearest": near})
    assert told == (
        "Nothing worth having: none of 50 trials meets the constraints; the nearest, trial 3, "
        "misses min_sharpe and min_trades."
    )
    none = verdict_of(summary(None) | {"best": None})
    assert none.endswith("none of 50 trials meets the constraints.")
