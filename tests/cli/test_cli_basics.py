"""Help, exit codes, start-up, and what is shown when something goes wrong."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from meseta.cli._guard import command
from meseta.errors import ArgumentError, DataError, MesetaError, RunError

if TYPE_CHECKING:
    from conftest import Call

COMMANDS = [
    "demo",
    "run",
    "rescore",
    "backtest",
    "refine",
    "strategies",
    "grids",
    "check-strategy",
    "data check",
    "report open",
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(meseta: Call, name: str) -> None:
    made = meseta(*name.split(), "--help")
    assert made.code == 0
    assert f"Usage: meseta {name}" in made.out
    assert made.out.count(f"meseta {name} ") + made.out.count(f"meseta {name}\n") >= 2
    assert "Examples:" in made.out


def test_the_help_shows_the_defaults_that_hold(meseta: Call) -> None:
    from meseta.config import load_config

    text = " ".join(meseta("run", "--help").out.replace("│", " ").split())
    config = load_config(None, {"bars": "a"})
    for value in (config.strategy, config.grid, config.out, *config.axes):
        assert str(value) in text
    for value in (config.capital, config.max_combinations):
        assert f"Default: {value:,.0f}." in text
    for value in (config.vault, config.gates.min_efficiency, config.min_cell, config.warmup):
        assert f"Default: {value:g}." in text


def test_version(meseta: Call) -> None:
    assert meseta("--version").out == f"meseta {version('meseta')}\n"


def test_without_a_command_the_help_is_shown(meseta: Call) -> None:
    made = meseta()
    assert "meseta demo" in made.out + made.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["rum"],
        ["run", "--grids", "phase1"],
        ["run", "--capital", "much"],
        ["run", "--date-order", "xyz"],
        ["backtest"],
        ["data", "check"],
    ],
)
def test_wrong_usage_ends_with_2(meseta: Call, arguments: list[str]) -> None:
    made = meseta(*arguments)
    assert made.code == 2
    assert made.out == ""
    assert "Traceback" not in made.err


def test_a_mistyped_command_is_guessed(meseta: Call) -> None:
    assert "Did you mean 'run'?" in meseta("rum").err


def failing(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    def fail() -> None:
        raise error

    command(app, "fail")(fail)
    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [(MesetaError, 1), (DataError, 1), (RunError, 1), (ArgumentError, 2)],
)
def test_an_error_is_its_text_alone(error: type[MesetaError], code: int) -> None:
    made = CliRunner().invoke(failing(error("`lot` must be [positive]")), [])
    assert (made.exit_code, made.stdout) == (code, "")
    assert made.stderr == "`lot` must be [positive]\n"


def test_a_fault_of_the_program_says_how_to_see_more(monkeypatch: pytest.MonkeyPatch) -> None:
    app = failing(ZeroDivisionError("float division by zero"))
    made = CliRunner().invoke(app, [])
    assert made.exit_code == 1
    assert made.stderr.startswith("meseta has a fault: ZeroDivisionError: float division by zero")
    assert "MESETA_DEBUG=1" in made.stderr
    assert "Traceback" not in made.stderr
    monkeypatch.setenv("MESETA_DEBUG", "1")
    made = CliRunner().invoke(app, [])
    assert made.exit_code == 1
    assert "Traceback" in made.stderr
    assert "in fail" in made.stderr


def test_an_interrupt_ends_with_130_and_its_notes() -> None:
    error = KeyboardInterrupt()
    error.add_note("Continue with --resume")
    made = CliRunner().invoke(failing(error), [])
    assert made.exit_code == 130
    assert made.stderr == "Interrupted.\nContinue with --resume\n"


def test_starting_loads_nothing_heavy() -> None:
    heavy = "numba numpy polars pandas plotly sklearn scipy pydantic pyarrow yaml"
    code = (
        "import sys\n"
        "from meseta.cli import app\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout == "[]\n"


def test_a_closed_pipe_is_no_error() -> None:
    listing = subprocess.Popen(
        [sys.executable, "-m", "meseta", "grids", "atr_d_l"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.close()
    with listing.stderr as errors:
        assert errors.read() == ""
    listing.wait(60)
