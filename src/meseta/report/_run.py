"""Reads the folder of a search run; whatever its report shows comes from here.

Everything but the manifest may be missing or empty, and every field of the manifest has a
default, so that an unfinished or unusual run still gives a page that says what is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import Field

from meseta.report._record import Model, Record, filled, parse, parse_manifest, scan

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Manifest", "Phase", "Plateau", "Plateaus", "Run", "Vault", "read_run"]


class WholeGrid(Model):
    """Validation profit, summed over the phases, of every combination that was searched."""

    profitable: float | None = None
    median_oos: float | None = None
    worst_oos: float | None = None


class VariantEntry(Model):
    """One simpler variant that the run searched too; `folder` is relative to the run's."""

    strategy: str
    folder: str
    combinations: int | None = None
    status: str = "unknown"


class Phase(Model):
    """Bars `[a, z)`, split at `o`."""

    number: int
    start: str | None = None
    split: str | None = None
    end: str | None = None
    a: int
    o: int
    z: int


class Vault(Model):
    """The last span, `[a, z)`, which no selection reads."""

    months: float | None = None
    first: str | None = None
    last: str | None = None
    a: int
    z: int
    opened: int | None = None


class Gates(Model):
    """Thresholds of the quality gates."""

    min_efficiency: float | None = None
    max_drawdown_to_profit: float | None = None
    max_drawdown_to_in_sample: float | None = None
    min_drawdown: float | None = None
    min_trades: int | None = None


class FunnelPhase(Model):
    """How many combinations each gate removed alone, and were left in sequence."""

    phase: int
    combinations: int = 0
    alone: dict[str, int] = Field(default_factory=dict)
    sequence: dict[str, int] = Field(default_factory=dict)
    valid: int = 0


class Funnel(Model):
    """The gates of all phases, combined."""

    phases: list[FunnelPhase] = Field(default_factory=list)
    valid_in: dict[int, int] = Field(default_factory=dict)
    required: int | None = None
    relaxed: bool = False
    stable: int | None = None
    candidates: int | None = None


class Manifest(Record):
    """`manifest.json`."""

    strategy: str = "unnamed strategy"
    shorts: bool | None = None
    phases: list[Phase] = Field(default_factory=list)
    required_phases: int | None = None
    vault: Vault | None = None
    gates: Gates = Field(default_factory=Gates)
    funnel: Funnel = Field(default_factory=Funnel)
    whole_grid: WholeGrid | None = None
    variants: list[VariantEntry] = Field(default_factory=list)
    behaviours: dict[str, Any] = Field(default_factory=dict)
    selection: dict[str, Any] = Field(default_factory=dict)

    @property
    def searched(self) -> int | None:
        """How many combinations were evaluated; a sampled grid's are fewer than the grid's."""
        phases = self.funnel.phases
        if self.grid.searched is None and self.grid.sampled is None and phases:
            return phases[0].combinations
        return super().searched


class Cell(Model):
    """One pair of values of the two axes."""

    x: float | str
    y: float | str
    candidates: int = 0
    behaviours: int | None = None
    mean_stability: float | None = None
    mean_oos_pnl: float | None = None
    mean_trades: float | None = None
    valid_in_all: int | None = None
    counts: bool = True
    plateau: int | None = None
    profitable_share: float | None = None
    combinations: int | None = None


class Setting(Model):
    """One setting of the cluster search."""

    eps: float | None = None
    min_samples: int | None = None
    clusters: int | None = None
    noise_share: float | None = None
    reproducibility: float | None = None
    chosen: bool = False


class Range(Model):
    """A parameter's range for the refinement, or the value it is fixed at."""

    min: Any = None
    max: Any = None
    step: Any = None
    tier: int | None = None
    value: Any = None

    @property
    def searched(self) -> bool:
        """Whether the parameter is searched again (tier 1)."""
        return self.tier == 1


class Centre(Model):
    """The combination in the middle of a plateau."""

    flat: int | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class Plateau(Model):
    """One connected region of cells."""

    rank: int
    regime: str | None = None
    cells: list[tuple[float | str, float | str]] = Field(default_factory=list)
    candidates: int | None = None
    behaviours: int | None = None
    worth: float | None = None
    mean_phases: float | None = None
    profitable_share: float | None = None
    median_oos_pnl: float | None = None
    worst_oos_pnl: float | None = None
    edge_drop: float | None = None
    combinations: int | None = None
    centre: Centre = Field(default_factory=Centre)
    ranges: dict[str, Range] = Field(default_factory=dict)
    export: str | None = None


class Plateaus(Model):
    """`plateaus.json`."""

    axes: list[str] = Field(default_factory=list)
    x_values: list[float | str] = Field(default_factory=list)
    y_values: list[float | str] = Field(default_factory=list)
    min_cell: int | None = None
    cells: list[Cell] = Field(default_factory=list)
    settings: list[Setting] = Field(default_factory=list)
    plateaus: list[Plateau] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)

    @property
    def occupied(self) -> bool:
        """Whether any cell has a candidate."""
        return any(cell.candidates for cell in self.cells)


@dataclass(frozen=True)
class Run:
    """A run folder, read when asked.

    Attributes
    ----------
    folder
        Where it is.
    manifest, plateaus
        The two JSON files.
    """

    folder: Path
    manifest: Manifest
    plateaus: Plateaus

    @cached_property
    def bars(self) -> pl.DataFrame | None:
        """Columns time and close, vault included; None when the file is missing or empty."""
        lazy = self._scan("bars.parquet")
        return None if lazy is None else filled(lazy.select("time", "close").collect())

    @cached_property
    def finalists(self) -> pl.DataFrame | None:
        """One row per finalist; None when there are none."""
        lazy = self._scan("finalists/finalists.parquet")
        return None if lazy is None else filled(lazy.collect())

    @cached_property
    def equity(self) -> pl.LazyFrame | None:
        """Every close of every finalist, unread."""
        return self._scan("finalists/equity.parquet")

    @cached_property
    def trades(self) -> pl.LazyFrame | None:
        """Every trade of every finalist, unread."""
        return self._scan("finalists/trades.parquet")

    @property
    def best(self) -> Plateau | None:
        """The plateau of rank 1, or of the lowest rank that there is."""
        return min(self.plateaus.plateaus, key=lambda p: p.rank, default=None)

    def centre(self, plateau: Plateau) -> dict[str, Any] | None:
        """Return the finalist that is the centre of `plateau`; None when it was not run."""
        if self.finalists is None:
            return None
        of = (pl.col("plateau") == plateau.rank) & (pl.col("role") == "centre")
        return next(self.finalists.filter(of).iter_rows(named=True), None)

    def candidates(self, flats: list[int]) -> pl.DataFrame | None:
        """Rows of the candidates with these flat indices; None when the file is missing."""
        lazy = self._scan("candidates.parquet")
        if lazy is None:
            return None
        return filled(lazy.filter(pl.col("flat").is_in(flats)).collect())

    def _scan(self, name: str) -> pl.LazyFrame | None:
        return scan(self.folder / name)


def read_run(folder: Path) -> Run:
    """Read the two JSON files of a run folder.

    Raises
    ------
    RunError
        There is no manifest, or one of the files is no JSON of the expected shape.
    """
    plateaus = folder / "plateaus.json"
    return Run(
        folder,
        parse_manifest(folder, Manifest),
        parse(plateaus, Plateaus) if plateaus.is_file() else Plateaus(),
    )
