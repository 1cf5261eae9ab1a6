"""The page on market data: its commands are commands, and it knows all of them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from meseta.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app)
LINES = sorted(
    {*re.findall(r"^meseta .+$", PAGE, re.MULTILINE), *re.findall(r"`(meseta [^`]+)`", PAGE)}
)


def found(words: list[str]) -> tuple[object, list[str]]:
    """Return the command that words name, and what is left of them."""
    command = COMMANDS
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_a_command_with_options_that_it_has(line: str) -> None:
    command, rest = found(shlex.split(line, comments=True)[1:])
    assert not hasattr(command, "commands")
    if rest and rest != ["FILE"]:
        command.make_context("meseta", rest)


def test_every_command_is_on_the_page() -> None:
    for name in COMMANDS.commands["data"].commands:
        assert f"| `meseta data {name}` |" in PAGE


def test_every_variable_is_on_the_page() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"MESETA_[A-Z_]+", source))
    assert named == set(re.findall(r"MESETA_[A-Z_]+", PAGE))
