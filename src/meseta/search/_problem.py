"""What a search is asked: everything that its numbers depend on, and nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.engine._chain import Levels
from meseta.engine._entries import entry_tables
from meseta.engine._fast import costs_of, prices_of
from meseta.engine._marks import prepare_windows
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta._types import IntArray
    from meseta.account import Account
    from meseta.bars import Bars
    from meseta.engine import Window
    from meseta.engine._chain import Costs
    from meseta.engine._entries import EntryTables
    from meseta.engine._marks import Cuts
    from meseta.engine._path import Prices
    from meseta.selection import Gates
    from meseta.strategies import EntrySets, ExitFamily, Grid, Strategy

__all__ = ["FORMAT", "LEVELS", "Problem", "Tile", "levels_for", "weights_of"]

# Raise when the content of a tile file changes its meaning.
FORMAT = 1

# Thresholds between which `rescore` can choose without another search.
LEVELS = {
    "min_efficiency": tuple(k / 100 for k in range(201)),
    "max_drawdown_to_profit": tuple(k / 20 for k in range(1, 101)),
    "max_drawdown_to_in_sample": tuple(k / 10 for k in range(1, 101)),
}
# The scoring keeps one bit for each phase.
_MOST_PHASES = 32
# Entry sets in one tile: enough work to be worth a file, little enough to lose.
_SETS_PER_TILE = 256


def levels_for(gates: Gates) -> dict[str, tuple[float, ...]]:
    """Return the thresholds that a search remembers: the usual ones and the run's own."""
    return {name: tuple(sorted({*usual, getattr(gates, name)})) for name, usual in LEVELS.items()}


@dataclass(frozen=True, slots=True)
class Tile:
    """One exit family against some entry sets: what a thread does at a time, one file."""

    family: int
    first_set: int
    last_set: int

    @property
    def name(self) -> str:
        """File name without its ending."""
        return f"family{self.family:05d}-sets{self.first_set:05d}"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A search over all combinations of a grid.

    Parameters
    ----------
    bars
        The series, without the vault.
    strategy, grid
        What is searched.
    windows
        Phases as row numbers of `bars`.
    account
        Capital and costs.
    warmup
        Bars from the start of the data without a signal.
    levels
        Gate thresholds that are remembered, increasing, by the names of `LEVELS`.
    min_drawdown
        Money; drawdown gates are passed at or below it.

    Raises
    ------
    ArgumentError
        There are more phases than can be scored.
    """

    bars: Bars
    strategy: Strategy
    grid: Grid
    windows: tuple[Window, ...]
    account: Account
    warmup: int
    levels: dict[str, tuple[float, ...]]
    min_drawdown: float

    def __post_init__(self) -> None:
        if len(self.windows) > _MOST_PHASES:
            raise ArgumentError(
                f"`phases` must be at most {_MOST_PHASES}, got {len(self.windows)}; "
                "search some of them at a time"
            )

    @cached_property
    def prices(self) -> Prices:
        """Price arrays for kernels."""
        return prices_of(self.bars)

    @cached_property
    def cuts(self) -> Cuts:
        """Windows for kernels."""
        return prepare_windows(self.bars.close, self.windows)

    @cached_property
    def costs(self) -> Costs:
        """Account for kernels."""
        return costs_of(self.account)

    @cached_property
    def kernel_levels(self) -> Levels:
        """Levels for kernels."""
        efficiency, to_profit, to_sample = (np.array(self.levels[name]) for name in LEVELS)
        return Levels(efficiency, to_profit, to_sample, float(self.min_drawdown))

    @cached_property
    def entry_sets(self) -> EntrySets:
        """Levels of every entry set."""
        return self.strategy.entry_sets(self.bars, self.grid, self.warmup)

    @cached_property
    def entries(self) -> EntryTables:
        """Entry tables of every entry set.

        Bars outside the windows are no entries: no exit is computed for them, and exit tables
        that differ there alone are one.
        """
        tables = entry_tables(self.entry_sets, self.prices, self.account.slippage)
        reached = tables.reached.copy()
        reached[: min(window.start for window in self.windows) + 1] = False
        reached[max(window.stop for window in self.windows) :] = False
        return tables._replace(reached=reached)

    @cached_property
    def families(self) -> list[ExitFamily]:
        """Exit families; they share one array of tightening series."""
        return list(self.strategy.exit_families(self.bars, self.grid))

    @cached_property
    def inert(self) -> IntArray:
        """Flat-index offsets of the values that change nothing."""
        return self.strategy.inert_offsets(self.grid)

    def tiles(self) -> list[Tile]:
        """Return the work in order."""
        sets = len(self.entry_sets.offset)
        return [
            Tile(family, first, min(first + _SETS_PER_TILE, sets))
            for family in range(len(self.families))
            for first in range(0, sets, _SETS_PER_TILE)
        ]

    def sets_of(self, tile: Tile) -> IntArray:
        """Return the entry sets of a tile."""
        return np.arange(tile.first_set, tile.last_set)

    def combinations(self, tile: Tile) -> int:
        """Return how many combinations of the grid a tile covers."""
        exits = self.families[tile.family].offset.size
        return exits * (tile.last_set - tile.first_set) * self.inert.size

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for tiles of another run to be used."""
        return {
            "format": FORMAT,
            "bars": self.bars.fingerprint,
            "strategy": self.strategy.name,
            "grid": {name: list(values) for name, values in self.grid.values.items()},
            "windows": [list(window) for window in self.windows],
            "account": asdict(self.account),
            "warmup": self.warmup,
            "levels": {name: list(values) for name, values in self.levels.items()},
            "min_drawdown": self.min_drawdown,
        }

    def fingerprint(self) -> str:
        """Return a hash of `identity`."""
        return hashlib.sha256(json.dumps(self.identity()).encode()).hexdigest()


def weights_of(problem: Problem, tile: Tile, table_of: IntArray) -> IntArray:
    """Return how many combinations each exit table of a tile stands for, for one entry set."""
    tables = table_of[problem.families[tile.family].member]
    return np.bincount(tables, minlength=int(table_of.max()) + 1) * problem.inert.size
