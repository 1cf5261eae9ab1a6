"""Reads the folder of a project; whatever its page shows comes from here.

Everything but `project.json` may be missing: an interrupted project has no tables yet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meseta.errors import RunError
from meseta.report._record import Data  # noqa: TC001 - pydantic reads annotations

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Entry", "Held", "Portfolio", "Project", "ProjectManifest", "read_project"]

_MANIFEST = "project.json"


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class Entry(_Model):
    """One member."""

    name: str
    symbol: str
    bar_size: str
    strategy: str
    status: str = "unknown"
    error: str | None = None
    data: Data | None = None

    @property
    def label(self) -> str:
        """What sentences call it."""
        return f"{self.symbol} {self.bar_size} {self.strategy}"


class Summary(_Model):
    """How many members did what."""

    members: int = 0
    finished: int = 0
    failed: int = 0
    made_money: int = 0
    beat_median: int = 0
    beat_hold: int = 0


class Month(_Model):
    """A calendar month and what was made in it."""

    month: str
    net_profit: float


class Held(_Model):
    """What became of a member in the portfolio; deviations are a year's, in money."""

    curve: str | None = None
    first: str | None = None
    last: str | None = None
    net_profit: float | None = None
    deviation: float | None = None
    least_deviation: float | None = None
    most_deviation: float | None = None


class Portfolio(_Model):
    """What the members make together."""

    target: float
    first: str
    last: str
    sessions: int | None = None
    years: float | None = None
    net_profit: float | None = None
    per_year: float | None = None
    deviation: float | None = None
    sharpe: float | None = None
    drawdown: float | None = None
    worst_month: Month | None = None
    members: dict[str, Held] = Field(default_factory=dict)
    left_out: list[str] = Field(default_factory=list)


class ProjectManifest(_Model):
    """`project.json`."""

    name: str = "unnamed project"
    status: str = "unknown"
    version: str | None = None
    created: str | None = None
    command: str | None = None
    file: str | None = None
    risk: float | None = None
    capital: float | None = None
    members: list[Entry] = Field(default_factory=list)
    summary: Summary | None = None
    portfolio: Portfolio | None = None
    environment: dict[str, Any] = Field(default_factory=dict)
    timings: dict[str, float] = Field(default_factory=dict)
    results_hash: str | None = None


@dataclass(frozen=True)
class Project:
    """A project's folder.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        `project.json`.
    results
        A row for each member that finished; None without the table.
    curve
        The portfolio's; None without it.
    """

    folder: Path
    manifest: ProjectManifest
    results: pl.DataFrame | None
    curve: pl.DataFrame | None

    @property
    def failed(self) -> list[Entry]:
        """Members that ended without a result."""
        return [each for each in self.manifest.members if each.status in {"failed", "fault"}]

    @property
    def unfinished(self) -> list[Entry]:
        """Members that have not ended."""
        done = {"finished", "failed", "fault"}
        return [each for each in self.manifest.members if each.status not in done]

    def has_page(self, name: str) -> bool:
        """Tell whether a member has a page of its own."""
        return (self.folder / name / "report.html").is_file()


def read_project(folder: Path) -> Project:
    """Read a project's folder.

    Raises
    ------
    RunError
        It has no `project.json`, or a file is damaged.
    """
    path = folder / _MANIFEST
    if not path.is_file():
        raise RunError(f"{folder} is no project's folder: it has no {_MANIFEST}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = ProjectManifest.model_validate(content)
        results, curve = _table(folder / "results.parquet"), _table(folder / "portfolio.parquet")
    except (ValidationError, ValueError, OSError, pl.exceptions.PolarsError) as error:
        raise RunError(
            f"{folder} is damaged: {error}; run the project again with --resume"
        ) from error
    if results is not None:
        results = results.drop_nulls("net_profit")
    return Project(folder, manifest, results, curve)


def _table(path: Path) -> pl.DataFrame | None:
    if not path.is_file():
        return None
    found = pl.read_parquet(path)
    return None if found.is_empty() else found
