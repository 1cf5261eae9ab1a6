"""Projects on small grids of the sample data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.bars import load
from meseta.pipeline import ProjectResult, load_project, run_project
from random_market import walk_of

if TYPE_CHECKING:
    from pathlib import Path

TINY = """
symbols:
  NDX: sample:nasdaq
  LATE: late.csv
strategies:
  xbar: {grid: {xbar: [5, 20]}}
  cross: {strategy: ma_cross, grid: {fast: [5, 10], slow: [30, 60], stop_ranges: 3}}
options:
  {in_sample: 756, out_of_sample: 504, capital: 100000, fitness: sharpe, report: false, threads: 2}
"""


def late_csv(path: Path) -> None:
    """Write a random market that begins in 2009, inside the span of the samples."""
    days = load("sample:nasdaq").time
    days = days[days >= np.datetime64("2009-06-01")]
    names = ("open", "high", "low", "close")
    prices = dict(zip(names, walk_of(4, len(days), step=0.01).T, strict=True))
    pl.DataFrame({"time": days} | prices).write_csv(path)


def write_project(folder: Path, text: str = TINY, name: str = "tiny.yaml") -> Path:
    late_csv(folder / "late.csv")
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def made(path: Path, *, over: dict[str, Any] | None = None, **how: Any) -> ProjectResult:
    """Run a project file into the folder beside it."""
    project = load_project(path, {"out": path.parent / "runs"} | (over or {}))
    return run_project(project, **how)


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    return found


class Heard(list):
    """What a listener was told; `stop` makes it interrupt."""

    def __init__(self, stop=lambda _at: False):
        super().__init__()
        self.stop = stop

    def __call__(self, at):
        self.append(at)
        if self.stop(at):
            raise KeyboardInterrupt

    @property
    def parts(self):
        return list(dict.fromkeys(at.part for at in self if at.part))
