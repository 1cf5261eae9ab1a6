"""What the manifest of every kind of run records, and how the files of a run folder are read.

Every field has a default, so that an unfinished or unusual run still gives a page that says what
is not there.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from meseta.bars._finding import UNREACHABLE
from meseta.errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Asked",
    "Data",
    "Grid",
    "Model",
    "Record",
    "filled",
    "parse",
    "parse_manifest",
    "scan",
]


class Model(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class Finding(Model):
    """One remark of the data check."""

    code: str = ""
    row: int | None = None
    time: str | None = None
    value: str | None = None
    message: str = ""


class Alignment(Model):
    """Bars that joining two symbols left out: counts with `bars`, shares without."""

    bars: int | None = None
    dropped: float | None = None
    dropped_second: float | None = None
    outside: int | None = None

    def share(self, dropped: float | None) -> float | None:
        """Return dropped bars per bar of a symbol in the span that both have, 0 to 1."""
        if dropped is None or self.bars is None:
            return dropped
        return dropped / (self.bars + dropped) if self.bars + dropped else None


class Asked(Model):
    """What a source was asked for; `fetch` is false where only stored bars were to be used."""

    symbol: str = "unnamed symbol"
    source: str | None = None
    interval: str | None = None
    basis: str | None = None
    session: str | None = None
    start: str | None = None
    end: str | None = None
    fetch: bool | None = None


class Second(Model):
    """The second symbol, which the strategy reads and does not trade."""

    name: str = "unnamed data"
    source: str | None = None
    asked: Asked | None = None
    alignment: Alignment | None = None

    @field_validator("alignment", mode="before")
    @classmethod
    def _share_alone(cls, value: Any) -> Any:
        return {"dropped": value} if isinstance(value, int | float) else value

    @property
    def dropped(self) -> tuple[float | None, float | None]:
        """Share of bars dropped of the traded and of this symbol; None: not recorded."""
        known = self.alignment or Alignment()
        return known.share(known.dropped), known.share(known.dropped_second)


class Data(Model):
    """What was loaded."""

    name: str = "unnamed data"
    source: str | None = None
    asked: Asked | None = None
    fingerprint: str | None = None
    rows: int | None = None
    first: str | None = None
    last: str | None = None
    bar_size: str | None = None
    timezone: str | None = None
    stubs: int | None = None
    second: Second | None = None
    warnings: list[Finding] = Field(default_factory=list)

    @property
    def stand_in(self) -> list[str]:
        """Why stored bars stand in for those of a source that could not be reached."""
        return [found.message for found in self.warnings if found.code == UNREACHABLE]


class Sampled(Model):
    """How the searched combinations of a large grid were drawn."""

    count: int
    method: str = "unknown"
    seed: int | None = None


class Grid(Model):
    """What was searched."""

    name: str | None = None
    combinations: int | None = None
    searched: int | None = None
    sampled: Sampled | None = None
    constraints: list[str] = Field(default_factory=list)
    values: dict[str, list[Any]] = Field(default_factory=dict)

    @property
    def product(self) -> int:
        """Number of combinations of the values, without the constraints."""
        return math.prod(len(values) for values in self.values.values())


class Record(Model):
    """What every manifest has: what was run on what, and how to run it again."""

    meseta: str | None = None
    status: str = "unknown"
    created: str | None = None
    command: str | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    data: Data = Field(default_factory=Data)
    grid: Grid = Field(default_factory=Grid)
    account: dict[str, Any] = Field(default_factory=dict)
    timings: dict[str, float | None] = Field(default_factory=dict)
    seed: int | None = None
    warnings: list[str] = Field(default_factory=list)
    environment: dict[str, Any] = Field(default_factory=dict)
    results_hash: str | None = None

    @property
    def searched(self) -> int | None:
        """How many combinations were evaluated; a sampled grid's are fewer than the grid's."""
        if self.grid.searched is not None:
            return self.grid.searched
        return self.grid.combinations if self.grid.sampled is None else self.grid.sampled.count


M = TypeVar("M", bound=Model)


def parse_manifest(folder: Path, model: type[M]) -> M:
    """Read the manifest of a run folder.

    Raises
    ------
    RunError
        There is none, or it is no JSON of the expected shape.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise RunError(f"{folder} is no run folder: it has no manifest.json; name one under runs/")
    return parse(path, model)


def parse(path: Path, model: type[M]) -> M:
    """Read a JSON file; what is no finite number there is missing.

    Raises
    ------
    RunError
        The file is no JSON of the expected shape.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return model.model_validate(json.loads(text, parse_constant=lambda _: None))
    except (ValidationError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}; run the search again") from error


def scan(path: Path) -> pl.LazyFrame | None:
    """Open a Parquet file unread; None where there is none."""
    return pl.scan_parquet(path) if path.is_file() else None


def filled(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Return a frame that has rows; None in place of one that has none."""
    return None if frame.is_empty() else frame
