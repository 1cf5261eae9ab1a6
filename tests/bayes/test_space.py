"""What is drawn, and the parameters it stands for."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.bayes import (
    About,
    AtLeast,
    AtMost,
    AtMostMax,
    Dependent,
    Dimension,
    Space,
)
from meseta.errors import ArgumentError

RATIO = {"low": 0, "high": 1}


def ladder_space() -> Space:
    return Space(
        "ladder",
        (
            Dimension("fast", 5, 25, integer=True),
            Dimension("stop", 3, 20, integer=True),
            Dimension("left", 3, 10, integer=True),
            Dimension("right", 3, 9, step=2, integer=True),
            Dimension("width", 0.1, 0.85, step=0.15),
            Dimension("size", 0.001, 0.1, log=True),
            Dimension("length", 3, 3000, log=True, integer=True),
            Dimension.of_choices("method", (2, 5, 1.5)),
            Dimension("slow_ratio", **RATIO),
            Dimension("take_ratio", **RATIO),
            Dimension("kept_ratio", **RATIO),
            Dimension("scale_ratio", **RATIO),
            Dimension("span_ratio", **RATIO),
        ),
        (
            Dependent("slow", "slow_ratio", 20, 60, integer=True, bound=AtLeast("fast", plus=3)),
            Dependent("take", "take_ratio", 1, 10, integer=True, bound=AtMost("stop", times=3)),
            Dependent(
                "kept", "kept_ratio", 2, 10, step=2, integer=True,
                bound=AtMostMax(("left", "right")),
            ),
            Dependent("scale", "scale_ratio", 0.01, 3, log=True, bound=AtMost("size", times=40)),
            Dependent(
                "span", "span_ratio", 20, 4000, log=True, integer=True, bound=AtLeast("slow")
            ),
        ),
        {"fixed": 14},
        about={"fast": About("regime", "bars", "fast average")},
    )  # fmt: skip


SPACE = ladder_space()


@st.composite
def draws(draw: st.DrawFn) -> dict[str, float]:
    return {d.name: draw(st.floats(d.low, d.high)) for d in SPACE.dimensions}


@settings(max_examples=150, deadline=None)
@given(draws())
def test_a_draw_keeps_every_bound_and_is_found_again_from_its_parameters(
    drawn: dict[str, float],
) -> None:
    before = dict(drawn)
    p = SPACE.params(drawn)
    assert drawn == before
    assert tuple(p) == SPACE.order
    assert max(20, p["fast"] + 3) <= p["slow"] <= 60
    assert 1 <= p["take"] <= min(10, 3 * p["stop"])
    assert 2 <= p["kept"] <= max(p["left"], p["right"])
    assert p["kept"] % 2 == 0
    assert 0.01 <= p["scale"] <= min(3, 40 * p["size"])
    assert p["slow"] <= p["span"] <= 4000
    assert p["width"] in {0.1, 0.25, 0.4, 0.55, 0.7, 0.85}
    assert p["method"] in {2, 5, 1.5}
    whole = {"fast", "slow", "stop", "take", "left", "right", "kept", "length", "span"}
    assert all(isinstance(p[name], int) for name in whole)
    assert SPACE.params(SPACE.drawn(p)) == p
    assert SPACE.drawn(SPACE.params(SPACE.drawn(p))) == SPACE.drawn(p)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_ends_of_a_share_are_the_ends_of_what_is_left(share: float) -> None:
    drawn = SPACE.drawn(SPACE.params({d.name: d.high for d in SPACE.dimensions}))
    drawn |= {each.ratio: share for each in SPACE.dependents}
    p = SPACE.params(drawn | {"stop": 3, "size": 0.001, "left": 5, "right": 3})
    low = {"slow": 28, "take": 1, "kept": 2, "scale": 0.01}
    high = {"slow": 60, "take": 9, "kept": 4, "scale": 0.04}
    wanted = high if share else low
    assert {name: p[name] for name in wanted} == wanted


def test_every_value_of_a_dependent_is_as_likely_as_any_other() -> None:
    slow = SPACE.dependents[0]
    values = [slow.value((k + 0.5) / 3300, {"fast": 25}) for k in range(3300)]
    counts = {value: values.count(value) for value in values}
    assert set(counts) == set(range(28, 61))
    assert set(counts.values()) == {100}


def test_what_lies_outside_is_moved_to_the_nearest_inside() -> None:
    inside = SPACE.params({d.name: d.low for d in SPACE.dimensions})
    wide = inside | {"fast": 40, "slow": 21, "width": 0.3, "fixed": 99, "method": 4, "take": 99}
    p = SPACE.params(SPACE.drawn(wide))
    assert (p["fast"], p["slow"], p["width"], p["fixed"], p["method"]) == (25, 28, 0.25, 14, 5)
    assert p["take"] == min(10, 3 * p["stop"])


def test_optuna_draws_what_the_space_understands() -> None:
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    for _ in range(30):
        trial = study.ask(SPACE.distributions())
        p = SPACE.params(trial.params)
        assert SPACE.params(SPACE.drawn(p)) == p
        study.enqueue_trial(SPACE.drawn(p))
        assert SPACE.params(study.ask(SPACE.distributions()).params) == p


def test_the_fingerprint_is_of_what_is_searched_not_of_what_is_said() -> None:
    again = pickle.loads(pickle.dumps(SPACE))
    assert again == SPACE
    assert hash(again) == hash(SPACE)
    assert again.params(SPACE.drawn(again.params({d.name: 0.5 for d in SPACE.dimensions})))
    named = Space("other", SPACE.dimensions, SPACE.dependents, {"fixed": 14.0})
    assert named.fingerprint == SPACE.fingerprint
    for changed in (
        Space("x", SPACE.dimensions, SPACE.dependents, {"fixed": 15}),
        Space("x", (*SPACE.dimensions[1:], Dimension("fast", 5, 24, integer=True)),
              SPACE.dependents, SPACE.fixed),
    ):  # fmt: skip
        assert changed.fingerprint != SPACE.fingerprint


def test_a_table_says_what_ranges_depend_on() -> None:
    rows = {row["name"]: row for row in SPACE.table()}
    assert rows["slow"]["range"] == "max(20, fast + 3) to 60"
    assert rows["take"]["range"] == "1 to min(10, 3 stop)"
    assert rows["kept"]["range"] == "2 to min(10, max(left, right)) in steps of 2"
    assert rows["size"]["range"] == "0.001 to 0.1 (log)"
    assert rows["fixed"]["range"] == "14 (fixed)"
    assert rows["fast"] == {
        "name": "fast", "group": "regime", "range": "5 to 25", "unit": "bars",
        "meaning": "fast average",
    }  # fmt: skip
    assert SPACE.sets["slow_ratio"] == "slow"
    assert SPACE.sets["fast"] == "fast"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Dimension("a", 5, 3), "`a`: low and high must be finite, and low at most high"),
        (lambda: Dimension("a", 0, 1, step=0.3), "end at 0.9"),
        (lambda: Dimension("a", 0, 1, step=0), "step must be positive"),
        (lambda: Dimension("a", 0, 1, log=True), "log needs a positive low"),
        (lambda: Dimension("a", 0.5, 3, integer=True), "whole number"),
        (lambda: Dimension.of_choices("a", ()), "at least one choice"),
        (lambda: Space("s", ()), "at least one dimension"),
        (lambda: Space("s", (Dimension("a", 0, 1),), fixed={"a": 3}), "twice: 'a'"),
        (lambda: Space("s", (Dimension("a", 0, 1),), order=("b",)), "order of space `s`"),
        (
            lambda: Space(
                "s", (Dimension("a", 0, 1),), (Dependent("b", "r", 0, 1, bound=AtLeast("a")),)
            ),
            "needs a dimension `r`",
        ),
        (
            lambda: Space(
                "s",
                (Dimension("fast", 0, 1), Dimension("r", 0, 1)),
                (Dependent("b", "r", 0, 1, bound=AtLeast("fats")),),
            ),
            "did you mean fast?",
        ),
        (
            lambda: Space(
                "s",
                (Dimension("fast", 5, 25, integer=True), Dimension("r", 0, 1)),
                (Dependent("slow", "r", 10, 20, integer=True, bound=AtLeast("fast", plus=3)),),
            ),
            (
                "`slow` has no value for fast 25: it must be from max(10, fast + 3) to 20, "
                "which is 28 to 20"
            ),
        ),
    ],
)
def test_spaces_that_contradict_themselves_are_refused(make: object, said: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()  # type: ignore[operator]
    assert said in str(error.value)


def test_draws_and_parameters_must_be_complete_known_and_finite() -> None:
    space = Space("s", (Dimension("fast", 5, 25), Dimension("slow", 5, 25)))
    with pytest.raises(ArgumentError, match="no dimension 'fats'; did you mean fast"):
        space.params({"fats": 3, "slow": 3})
    with pytest.raises(ArgumentError, match="every parameter, missing: slow"):
        space.drawn({"fast": 3})
    with pytest.raises(ArgumentError, match="`slow` must be finite, got nan"):
        space.params({"fast": 3, "slow": float("nan")})
