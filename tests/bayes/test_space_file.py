"""Spaces that a user writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meseta.bayes import AtLeast, Limits, Tie, load_space
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = {
    "ema_fast": Limits(5, 500, integer=True),
    "ema_slow": Limits(10, 500, integer=True),
    "factor": Limits(0, 1),
    "method": Limits(0, 3, integer=True, ordered=False),
}
TIES = {"ema_slow": Tie("ema_ratio", AtLeast("ema_fast", plus=3))}
BASE: dict[str, Any] = {
    "ema_fast": {"low": 5, "high": 25},
    "ema_slow": {"low": 20, "high": 60},
    "factor": [0.5, 0.25, 1],
    "method": {"low": 0, "high": 3},
}


def made(changed: dict[str, Any]) -> Any:
    return load_space(changed, LIMITS, ties=TIES, base=BASE)


def test_a_file_says_ranges_lists_and_fixed_values(tmp_path: Path) -> None:
    file = tmp_path / "narrow.yaml"
    file.write_text(
        "ema_fast: {low: 5, high: 25, step: 5}\nema_slow: {low: 28, high: 60}\n"
        "factor: [0.5, 0.25]\nmethod: 2\n"
    )
    space = load_space(file, LIMITS, ties=TIES)
    assert space.name == "narrow"
    assert [d.name for d in space.dimensions] == ["ema_fast", "factor", "ema_ratio"]
    p = space.params({"ema_fast": 14, "factor": 1, "ema_ratio": 0})
    assert p == {"ema_fast": 15, "ema_slow": 28, "factor": 0.5, "method": 2}
    assert isinstance(p["method"], int)


def test_what_is_not_mentioned_comes_from_the_base() -> None:
    space = made({"ema_fast": 9})
    assert space.fixed == {"ema_fast": 9}
    assert space.order == tuple(LIMITS)
    method = next(d for d in space.dimensions if d.name == "method")
    assert (method.choices, method.ordered) == ((0, 1, 2, 3), False)


def test_a_fixed_value_is_no_share_any_more() -> None:
    space = made({"ema_slow": 30})
    assert "ema_ratio" not in {d.name for d in space.dimensions}
    assert not space.dependents
    assert space.params(space.drawn(space.params({"ema_fast": 25, "factor": 0, "method": 1})))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ema_fats": 5}, "unknown parameter 'ema_fats'; did you mean ema_fast?"),
        ({"ema_fast": {"low": 25, "high": 5}}, "low at most high"),
        ({"ema_fast": {"low": 5, "high": 25, "step": 3}}, "end at 23"),
        ({"ema_fast": {"low": 5, "high": 25, "setp": 5}}, "did you mean step?"),
        ({"ema_fast": {"low": 5}}, "or {low, high} with step or log"),
        ({"ema_fast": {"low": 1, "high": 25}}, "`ema_fast`: low must be a whole number from 5"),
        ({"ema_fast": 7.5}, "whole number from 5 to 500, got 7.5"),
        ({"factor": "1e-1"}, "number from 0 to 1, got '1e-1'"),
        ({"factor": {"low": 0, "high": 1, "log": True}}, "positive low"),
        ({"factor": {"low": 0.1, "high": 1, "log": "yes"}}, "log must be true or false"),
        ({"factor": {"low": 0.1, "high": 1, "step": "x"}}, "step must be a number"),
        ({"method": {"low": 0, "high": 3, "step": 1}}, "have no order"),
        ({"factor": []}, "list each of its values once"),
        ({"factor": [0.5, 0.5]}, "list each of its values once"),
        ({"ema_slow": [30, 40]}, "`ema_slow` depends on ema_fast; give it {low, high}"),
        ({"ema_slow": 20}, "`ema_slow` has no value for ema_fast 25"),
        ({"ema_slow": {"low": 10, "high": 20}}, "which is 28 to 20; widen"),
        (dict.fromkeys(LIMITS, 1) | {"ema_fast": 5, "ema_slow": 10}, "at least one dimension"),
    ],
)
def test_what_contradicts_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError) as error:
        made(changed)
    assert said in str(error.value)


def test_files_that_are_no_space_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    with pytest.raises(ArgumentError, match="cannot read the space file"):
        load_space(file, LIMITS)
    file.write_text("- 3\n")
    with pytest.raises(ArgumentError, match="must hold a parameter and its values"):
        load_space(file, LIMITS)
    with pytest.raises(ArgumentError, match="missing: ema_slow, factor, method"):
        load_space({"ema_fast": 5}, LIMITS)
