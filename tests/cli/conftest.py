"""A command line to call, a home for ledgers, and a grid that is searched in no time."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, TypeAlias

import pytest
from typer.testing import CliRunner

from meseta.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Call: TypeAlias = "Callable[..., Result]"
Start: TypeAlias = "Callable[..., subprocess.Popen[str]]"

TINY = """
atr_period: [8, 32]
atr_multiplier: {min: 4, max: 12, step: 4}
bb_length: 15
bb_deviation: [1.5, 3.5]
vol_threshold: 0.18
min_tightening: [0.2, 0.8]
scaling_method: [0, 2]
atr_buy_period: [10, 30]
atr_buy_multiplier: [0.5, 1.5, 2.5]
atr_smooth_period: 3
equity_price_method: 0
"""


class Result:
    """What a command ended with."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


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

    def call(*arguments: object, stdin: bytes | None = None) -> Result:
        made = CliRunner().invoke(app, [str(part) for part in arguments], input=stdin)
        return Result(made.exit_code, made.stdout, made.stderr)

    return call


@pytest.fixture(scope="session")
def start() -> Start:
    """Start the command in a process of its own, its output in pipes."""

    def begin(*arguments: object, cwd: Path, home: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "meseta", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, "MESETA_HOME": str(home), "PYTHONUNBUFFERED": "1"},
        )

    return begin


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("grids") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
    start: Start,
    tiny: Path,
) -> tuple[Path, Result]:
    """A finished run of the tiny grid, made in a process of its own, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    process = start(
        "run", "--bars", "sample:nasdaq", "--grid", tiny, "--capital", 100_000,
        "--min-cell", 2, "--name", "tiny", "--csv",
        cwd=folder, home=folder / "home",
    )  # fmt: skip
    out, err = process.communicate(timeout=300)
    return folder / "runs" / "tiny", Result(process.returncode, out, err)
