"""`meseta check-strategy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Call

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "donchian.py"
AHEAD = """
from meseta.strategies import Parameter, RuleStrategy, rule

@rule
def breakout(market, n):
    out = market.high.copy()
    out[:-1] = market.high[1:]
    return out + n

@rule
def below(market, n):
    return market.low - n

mine = RuleStrategy(
    name="mine", parameters=[Parameter("n", 1, 9, "int")], enter=breakout, stop=below
)
"""


KERNEL = """
from meseta.strategies import KernelStrategy, Parameter, rule

@rule
def decide(t, market, broker, n):
    if market.close[t + 1] > market.close[t] + n:
        broker.buy()
    else:
        broker.short()

mine = KernelStrategy(name="mine", parameters=[Parameter("n", 1, 9, "int")], decide=decide)
"""


@pytest.fixture
def ahead(tmp_path: Path) -> Path:
    path = tmp_path / "ahead.py"
    path.write_text(AHEAD, encoding="utf-8")
    return path


def test_what_keeps_the_contract_passes(meseta: Call) -> None:
    made = meseta("check-strategy", EXAMPLE, "--examples", 6)
    assert made.code == 0, made
    lines = made.out.splitlines()
    assert lines[0] == "Checking donchian on random markets ..."
    marks = [line.split()[0] for line in lines if "  " in line]
    assert marks == ["PASS"] * 8
    assert lines[-1] == "donchian keeps the contract."


def test_a_built_in_strategy_is_checked_on_given_bars(meseta: Call) -> None:
    made = meseta(
        "check-strategy", "atr_d_duals_l", "--examples", 6, "--bars", "sample:nasdaq-3x",
        "--bars2", "sample:nasdaq",
    )  # fmt: skip
    assert made.code == 0, made
    assert "on random markets and on pieces of nasdaq-3x" in made.out


def test_a_kernel_is_checked(meseta: Call) -> None:
    made = meseta("check-strategy", "xbar", "--examples", 6, "--bars", "sample:nasdaq")
    assert made.code == 0, made
    lines = [line for line in made.out.splitlines() if "  " in line]
    assert [line.split()[0] for line in lines] == ["PASS"] * 6
    assert lines[0] == "PASS     functions give orders          6 examples"
    assert lines[4] == "PASS     the same parameters carry on   6 examples"


def test_a_kernel_s_broken_promise_is_shown_with_its_example(meseta: Call, tmp_path: Path) -> None:
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL, encoding="utf-8")
    made = meseta("check-strategy", path, "--examples", 6)
    assert made.code == 1, made
    assert "FAIL     no look-ahead                  example 1 of 6" in made.out
    assert f"no look-ahead: strategy `mine`: `decide` ({path}:4) raised IndexError at bar" in (
        made.out
    )
    assert "it reads the future\n  parameters: n=1\n  on 4 bars\n" in made.out
    assert sum(row.startswith("> ") for row in made.out.splitlines()) == 1


def test_a_broken_promise_is_shown_with_its_example(meseta: Call, ahead: Path) -> None:
    made = meseta("check-strategy", f"{ahead}:mine", "--examples", 6, "--seed", 4)
    assert made.code == 1, made
    assert "FAIL     no look-ahead                  example 1 of 6" in made.out
    assert "PASS     both engines agree" in made.out
    assert "no look-ahead: rule `breakout`: its value at bar" in made.out
    assert "are cut off: it reads the future" in made.out
    assert "  parameters: n=1\n" in made.out
    rows = made.out[made.out.index("bar  time") :].splitlines()
    assert rows[0].split() == ["bar", "time", "open", "high", "low", "close"]
    assert sum(row.startswith("> ") for row in rows) == 1
    again = f"meseta check-strategy {ahead}:mine --examples 6 --seed 4"
    assert f"The same examples again: {again}" in made.out
    assert "Traceback" not in made.out + made.err


def test_warnings_are_counted(meseta: Call, ahead: Path) -> None:
    text = AHEAD.replace("out[:-1] = market.high[1:]", "out[:] = out * 1e9")
    ahead.write_text(text, encoding="utf-8")
    made = meseta("check-strategy", ahead, "--examples", 4)
    assert made.code == 0, made
    assert made.out.splitlines()[-1] == "mine keeps the contract; 1 warning."


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["atr_d_x"], "did you mean atr_d_l"),
        (["no.py"], "there is no file"),
        (["atr_d_l", "--bars2", "sample:nasdaq"], "--bars2 goes with --bars"),
        (["atr_d_l", "--examples", "0"], "--examples"),
    ],
)
def test_what_cannot_be_checked_is_refused(meseta: Call, arguments: list[str], why: str) -> None:
    made = meseta("check-strategy", *arguments)
    assert made.code == 2
    assert why in made.err
