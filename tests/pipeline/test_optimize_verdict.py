"""What is said of a study in a sentence or two."""

from __future__ import annotations

import pytest

from meseta.bayes import CONSTRAINTS
from meseta.cli._optimize_tables import _cells, _factor
from meseta.pipeline._optimize_best import _figures
from meseta.pipeline._optimize_verdict import missed, verdict_of

LUCKY = {
    "trials": 50,
    "sharpe_best": 1.0,
    "sharpe_expected_of_noise": 1.5,
    "deflated_sharpe": 0.2,
}
SKILLED = LUCKY | {"sharpe_best": 4.0, "deflated_sharpe": 0.991}
NEAR = LUCKY | {"sharpe_best": 2.0, "deflated_sharpe": 0.7}
CLEAR = {"p_score": 1 / 21, "as_good": 0, "runs": 20}


def summary(made, *, luck=SKILLED, null=None, windows=None, liquidated=False, trades=40):
    unseen = {"total_return": made, "liquidated": liquidated, "trades": trades}
    best = {"trial": 7, "violated": [], "out_of_sample": None if made is None else unseen}
    return {
        "complete": 50, "best": best, "nearest": [], "luck": luck, "null": null,
        "windows": windows,
    }  # fmt: skip


def walked(made, traded=3):
    return {"total_return": made, "traded": traded, "windows": 4}


def test_what_holds_up_says_against_what():
    told = verdict_of(summary(0.05, null=CLEAR, windows=walked(0.012)))
    assert told == (
        "Trial 7 meets the constraints in-sample and made +5.00 % in the vault (40 trades). "
        "Against luck: the deflated Sharpe ratio is 99 %; the same search scores as well on none "
        "of 20 markets without structure; walking forward made +1.20 % out-of-sample."
    )


def test_what_was_not_tried_is_said():
    told = verdict_of(summary(0.05))
    assert told.endswith("is 99 %; markets without structure were not tried.")


@pytest.mark.parametrize(("made", "said"), [(-0.01, "made -1.00 %"), (0.0, "made nothing")])
def test_a_loss_in_the_vault_is_nothing(made, said):
    assert verdict_of(summary(made, trades=1)) == (
        f"Nothing worth having: trial 7 meets the constraints in-sample, but {said} in the vault "
        "(1 trade)."
    )


def test_a_study_whose_trials_all_failed_says_why():
    failed = {"complete": 0, "error": "took longer than 1 s, 2 times", "best": None}
    assert verdict_of(failed) == (
        "Nothing to judge: no trial was completed; the first: took longer than 1 s, 2 times."
    )


def test_a_liquidation_in_the_vault_is_nothing():
    told = verdict_of(summary(0.1, liquidated=True))
    assert told.startswith("Nothing worth having")
    assert "but was liquidated in the vault" in told


@pytest.mark.parametrize(
    ("luck", "said"),
    [
        (LUCKY, "1.00, is no more than the 1.50 that the best of 50 trials of noise would have."),
        (NEAR, "of noise would have (the deflated Sharpe ratio is 70 %)."),
        (SKILLED | {"deflated_sharpe": None}, "too much alike, for a test against noise."),
    ],
)  # fmt: skip
def test_noise_may_have_as_much(luck, said):
    told = verdict_of(summary(0.05, luck=luck))
    assert "(40 trades). It may be luck: its" in told
    assert told.endswith(said)


@pytest.mark.parametrize(
    ("null", "doubted", "said"),
    [
        ({"p_score": 10 / 21, "as_good": 9, "runs": 20}, True, "as well on 9 of 20 markets"),
        ({"p_score": 2 / 61, "as_good": 1, "runs": 60}, False, "as well on 1 of 60 markets"),
        ({"p_score": 0.25, "as_good": 0, "runs": 3}, False, "; 3 markets without structure are"),
        ({"p_score": 0.5, "as_good": 1, "runs": 3}, True, "as well on 1 of 3 markets"),
        ({"p_score": None, "as_good": 0, "runs": 3}, False, "is 99 %."),
    ],
)  # fmt: skip
def test_markets_without_structure_may_have_as_much(null, doubted, said):
    told = verdict_of(summary(0.05, null=null))
    assert ("It may be luck" in told) is doubted
    assert said in told


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        (walked(-0.03), "It may be luck: walking forward made -3.00 % out-of-sample."),
        (walked(0.0, traded=0), "no window of the walk-forward had a trial that meets the"),
    ],
)
def test_walking_forward_may_say_otherwise(windows, said):
    assert said in verdict_of(summary(0.05, null=CLEAR, windows=windows))


def test_a_constraint_that_is_forgiven_is_told():
    given = summary(-0.01)
    given["best"]["violated"] = ["min_calmar"]
    told = verdict_of(given)
    assert "trial 7 meets all constraints but one (Calmar ratio) in-sample, but made" in told


def test_without_a_vault_nothing_is_claimed():
    told = verdict_of(summary(None, luck=LUCKY))
    assert "in-sample; there is no vault to say what it makes on unseen data. It may be" in told


def test_none_feasible_names_the_nearest():
    near = [{"trial": 3, "violated": ["min_sharpe", "min_win_rate", "min_trades"]}]
    none = summary(None) | {"best": None}
    assert verdict_of(none | {"nearest": near}) == (
        "Nothing worth having: none of 50 trials meets the constraints; the nearest, trial 3, "
        "misses Sharpe ratio, win rate and trades."
    )
    assert verdict_of(none).endswith("none of 50 trials meets the constraints.")
    scoreless = [{"trial": 3, "violated": []}]
    assert verdict_of(none | {"nearest": scoreless}).endswith(
        "misses a score, for want of trades."
    )
    told = verdict_of(none | {"windows": walked(0.03)})
    assert told.endswith(
        " In 3 windows of the walk-forward one did, and out-of-sample they made +3.00 %."
    )
    assert (
        verdict_of(none | {"complete": 0, "error": None})
        == "Nothing to judge: no trial was completed."
    )


def test_every_constraint_has_words():
    assert not [name for name in (*CONSTRAINTS, "liquidated") if "_" in missed([name])]


@pytest.mark.parametrize(
    ("factor", "trades", "table", "heading"),
    [(None, 3, "no loss", "infinite (no loss)"), (None, 0, "-", "-"), (1.5, 3, "1.50", "1.5")],
)
def test_a_factor_without_a_loss_is_not_one_that_is_missing(factor, trades, table, heading):
    names = ("total_return", "sharpe", "max_drawdown", "calmar", "win_rate")
    side = dict.fromkeys(names, 0.1) | {"profit_factor": factor, "trades": trades}
    assert _factor(_cells(side)["profit_factor"]) == table
    assert f"profit factor {heading}, win rate" in _figures(side)
