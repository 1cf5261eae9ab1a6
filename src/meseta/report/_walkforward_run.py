"""Reads the folder of a walk-forward; whatever its page shows comes from here.

Everything but the manifest may be missing, and any number may be null: nothing was traded in a
flat window, and without an exact re-run there is nothing to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pydantic import AliasChoices, Field

from meseta.errors import RunError
from meseta.report._record import Model, Record, filled, parse_manifest, scan

if TYPE_CHECKING:
    from pathlib import Path

    from meseta._types import FloatArray, TimeArray

__all__ = ["CAUSES", "CURVES", "Walk", "WalkManifest", "amount", "completed", "read_walk", "total"]

CAUSES = ("position", "size", "orders")
"""What can make an exact re-run differ from the emulated pieces."""

CURVES = ("exact", "emulated", "promise", "median", "hold")
"""Columns of `curve.parquet`, money since the first out-of-sample bar."""

_NUMBERS = (
    *("qualified", "combination", "fitness", "median_fitness"),
    *("is_net_profit", "is_trades", "is_drawdown", "is_years"),
    *("oos_net_profit", "oos_trades", "oos_drawdown", "oos_years"),
    *("median_net_profit", "all_mean", "efficiency"),
    *("exact_net_profit", "exact_trades", "position_emulated", "position_exact"),
    *("gap", "gap_position", "gap_size", "gap_orders"),
)
_CELL = (
    *("windows", "flat", "oos_net_profit", "oos_per_year", "oos_drawdown"),
    *("profit_to_drawdown", "efficiency", "winning", "trades", "near_median"),
    "exact_net_profit",
)


class Strategy(Model):
    """What was traded."""

    name: str = "unnamed strategy"
    summary: str | None = None
    kind: str | None = None
    source: str | None = None


class Contract(Model):
    """What one unit of the traded market is; without a quantity the whole equity is put in."""

    point_value: float = 1.0
    quantity: float | None = None
    tick: float | None = None
    roll_cost: float | None = None
    rolls: Any = None


class Windows(Model):
    """How the history was cut; `start`, `first_out` and `stop` are times."""

    in_sample: float | None = None
    out_of_sample: float | None = None
    unit: str = "bars"
    anchored: bool = False
    purge: float | None = None
    count: int | None = None
    flat: int | None = None
    partial: bool | int | None = None
    start: str | None = None
    first_out: str | None = None
    stop: str | None = None


class Exact(Model):
    """Whether there was an exact re-run, and what became of positions at boundaries."""

    mode: str | None = None
    policy: str | None = None


class Summary(Model):
    """Money over the out-of-sample bars; `winning` is a share of the windows that traded."""

    emulated_profit: float | None = None
    exact_profit: float | None = None
    promise: float | None = None
    median_profit: float | None = None
    hold_profit: float | None = None
    emulated_drawdown: float | None = None
    exact_drawdown: float | None = None
    winning: float | None = None
    trades: float | None = None


class Form(Model):
    """One form of the walk-forward efficiency."""

    emulated: float | None = None
    exact: float | None = None


class Efficiency(Model):
    """Out-of-sample per in-sample: of the profits, the profits per year, the profits per trade."""

    dollars: Form = Field(default_factory=Form)
    annualised: Form = Field(default_factory=Form)
    per_trade: Form = Field(default_factory=Form)


class Gap(Model):
    """Exact less emulated, in money and by cause; `share` of the exact net profit."""

    total: float | None = None
    share: float | None = None
    position: float | None = None
    size: float | None = None
    orders: float | None = None


class Jump(Model):
    """How far a parameter moves from window to window, in steps and as a share of its range."""

    mean_steps: float | None = None
    mean_share: float | None = None
    changes: float | None = None


class ParameterPath(Model):
    """The chosen values over time."""

    near_median: float | None = None
    noise: bool = False
    jumps: dict[str, Jump] = Field(default_factory=dict)


class Block(Model):
    """The largest connected block of passing cells, as pairs of lengths."""

    cells: list[tuple[float, float]] = Field(default_factory=list)
    size: int | None = None


class Matrix(Model):
    """What the cells of the matrix had to pass, and how many did."""

    criteria: dict[str, Any] = Field(default_factory=dict)
    cells: int | None = None
    passing: int | None = None
    block: Block | None = None


class Kind(Model):
    """What kind of run a folder is of."""

    kind: str | None = None


class WalkManifest(Record):
    """`manifest.json` of a walk-forward."""

    meseta: str | None = Field(None, validation_alias=AliasChoices("version", "meseta"))
    strategy: Strategy = Field(default_factory=Strategy)
    contract: Contract = Field(default_factory=Contract)
    windows: Windows = Field(default_factory=Windows)
    fitness: str | None = None
    min_trades: float | None = None
    exact: Exact = Field(default_factory=Exact)
    summary: Summary = Field(default_factory=Summary)
    efficiency: Efficiency = Field(default_factory=Efficiency)
    gap: Gap | None = None
    path: ParameterPath = Field(default_factory=ParameterPath)
    matrix: Matrix | None = None
    median_combination: dict[str, Any] = Field(default_factory=dict)

    @property
    def choices(self) -> dict[str, list[Any]]:
        """Parameters with more than one value, and these."""
        return {name: values for name, values in self.grid.values.items() if len(values) > 1}


@dataclass(frozen=True)
class Walk:
    """The folder of a walk-forward, read when asked.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        Its `manifest.json`.
    """

    folder: Path
    manifest: WalkManifest

    @cached_property
    def windows(self) -> pl.DataFrame | None:
        """One row a window, every number there (null where unknown); None when not written."""
        frame = self._read("windows.parquet")
        if frame is None:
            return None
        flags = {name: pl.col(name).fill_null(value=False) for name in ("flat", "partial")}
        return completed(frame, _NUMBERS, ("flat", "partial", "near_median")).with_columns(**flags)

    @cached_property
    def matrix(self) -> pl.DataFrame | None:
        """One row a cell, by length; None when there is no matrix."""
        frame = self._read("matrix.parquet")
        if frame is None:
            return None
        frame = completed(frame, _CELL, ("passes", "block"))
        flags = [pl.col("passes").fill_null(value=False), pl.col("block").fill_null(0)]
        return frame.with_columns(flags).sort("in_sample", "out_of_sample")

    @cached_property
    def curve(self) -> pl.DataFrame | None:
        """Money at every close; None when not written."""
        frame = self._read("curve.parquet")
        return None if frame is None else completed(frame, CURVES, ())

    @cached_property
    def trades(self) -> pl.DataFrame | None:
        """Trades of the exact re-run; None when there was none."""
        return self._read("trades.parquet")

    @property
    def exact(self) -> bool:
        """Whether there is an exact result."""
        return self.manifest.summary.exact_profit is not None

    @property
    def profit(self) -> float | None:
        """Out-of-sample profit: exact where there is one, else emulated."""
        summary = self.manifest.summary
        return summary.exact_profit if self.exact else summary.emulated_profit

    @property
    def profit_column(self) -> str:
        """Column of the windows that holds the same by window."""
        return "exact_net_profit" if self.exact else "oos_net_profit"

    def line(self, name: str) -> FloatArray | None:
        """Return one curve, (N,), NaN where unknown; None where nothing of it is known."""
        if self.curve is None:
            return None
        values = self.curve[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        values = np.where(np.isfinite(values), values, np.nan)
        return None if np.isnan(values).all() else values

    @property
    def times(self) -> TimeArray:
        """(N,) times of the curves."""
        if self.curve is None:
            return np.array([], "datetime64[us]")
        times: TimeArray = self.curve["time"].to_numpy()
        return times

    def _read(self, name: str) -> pl.DataFrame | None:
        lazy = scan(self.folder / name)
        return None if lazy is None else filled(lazy.collect())


def read_walk(folder: Path) -> Walk:
    """Read the manifest of a walk-forward's folder.

    Raises
    ------
    RunError
        There is no manifest, it is damaged, or it is of another kind of run.
    """
    kind = parse_manifest(folder, Kind).kind
    if kind != "walkforward":
        raise RunError(
            f"{folder} holds no walk-forward: its manifest says kind {kind!r}; "
            "`meseta walkforward` writes one"
        )
    return Walk(folder, parse_manifest(folder, WalkManifest))


def total(frame: pl.DataFrame | None, column: str) -> float | None:
    """Add up what is known in a column; None where nothing is."""
    if frame is None:
        return None
    known = frame[column].drop_nulls()
    known = known.filter(known.is_finite())
    return None if known.is_empty() else float(known.sum())


def amount(value: Any) -> float:
    """Return a number for drawing: NaN for what is not known or not finite."""
    number = float("nan") if value is None else float(value)
    return number if np.isfinite(number) else float("nan")


def completed(
    frame: pl.DataFrame, numbers: tuple[str, ...], others: tuple[str, ...]
) -> pl.DataFrame:
    """Add missing columns as null; make numbers float, with null for NaN."""
    absent = [name for name in (*numbers, *others) if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in absent)
    return frame.with_columns(pl.col(list(numbers)).cast(pl.Float64).fill_nan(None))
