"""A clock that tests set, and the command line with a store of its own."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import pytest
from typer.testing import CliRunner

from meseta.cli import app
from meseta.data import _clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Call: TypeAlias = "Callable[..., Result]"


class Result:
    """What a command ended with."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class Clock:
    """The time that data code sees; waiting moves it and takes none."""

    def __init__(self, moment: str) -> None:
        self.moment = datetime.fromisoformat(moment)
        self.waits: list[float] = []

    def set(self, moment: str) -> None:
        self.moment = datetime.fromisoformat(moment)

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        from datetime import timedelta

        self.waits.append(seconds)
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Friday 2024-06-07, after New York has closed."""
    made = Clock("2024-06-07T22:00:00+00:00")
    monkeypatch.setattr(_clock, "now", made.now)
    monkeypatch.setattr(_clock, "sleep", made.sleep)
    return made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESETA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MESETA_DEBUG", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def meseta() -> Call:
    """Call the command in this process."""

    def call(*arguments: object, stdin: str | None = None) -> Result:
        made = CliRunner().invoke(app, [str(part) for part in arguments], input=stdin)
        return Result(made.exit_code, made.stdout, made.stderr)

    return call
