"""What a search is asked: everything that its numbers depend on, and nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.engine._chain import Levels
from meseta.engine._entries import EntrySet, EntryTables, entry_tables, mark_entries
from meseta.engine._exits import leave_table
from meseta.engine._fast import costs_of
from meseta.engine._marks import prepare_windows
from meseta.engine._path import sides_of
from meseta.engine._tables import Ground, SideTables, exit_tables, side_tables, states_of, words_of
from meseta.errors import ArgumentError
from meseta.search._parts import Part, Series, series_of
from meseta.search._recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.account import Account
    from meseta.bars import Bars
    from meseta.engine import Window
    from meseta.engine._exits import Leave, States
    from meseta.engine._path import Prices
    from meseta.engine._tables import ExitTables
    from meseta.selection import Gates
    from meseta.strategies import Grid, Protection, SeparableStrategy
    from meseta.strategies._separable import Study, Values

__all__ = ["FORMAT", "LEVELS", "Problem", "Tile", "levels_for", "weights_of"]

# Raise when the content of a tile file changes its meaning.
FORMAT = 2

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
# On long series fewer, so that the entry tables of a tile stay below some bytes.
_BLOCK_BYTES = 150e6
# Stop distances in one tile where each has a single exit table.
_STOPS_PER_TILE = 128
# Combinations of a tile that covers several shared sets, and of a tile of a sample.
_TILE, _SAMPLE_TILE = 300_000, 20_000
# Which bars are entered at all is asked of every entry set up to this many; above it every bar
# inside the windows counts as one.
_MOST_ASKED = 50_000
# Bytes of entry tables, and of tables of stop distances, that are kept for the next tile.
_ENTRY_BYTES, _SIDE_BYTES = 400e6, 200e6


def levels_for(gates: Gates) -> dict[str, tuple[float, ...]]:
    """Return the thresholds that a search remembers: the usual ones and the run's own."""
    return {name: tuple(sorted({*usual, getattr(gates, name)})) for name, usual in LEVELS.items()}


@dataclass(frozen=True, slots=True)
class Tile:
    """What a thread does at a time, one file: exits of one stop distance against entry sets.

    Parameters
    ----------
    family
        Number of the stop distance.
    first_context, last_context
        Shared parameter sets, from the first to before the last. A sample's tile has none.
    first_set, last_set
        Entry sets, counted within `rectangle`; combinations in a sample's tile.
    rectangle
        Which of the blocks of exits and entries that the constraints leave.
    """

    family: int
    first_context: int
    last_context: int
    first_set: int
    last_set: int
    rectangle: int = 0

    @property
    def name(self) -> str:
        """File name without its ending."""
        shared = f"shared{self.first_context:05d}-{self.last_context:05d}"
        sets = f"sets{self.first_set:08d}-{self.last_set:08d}"
        return f"family{self.family:05d}-{shared}-block{self.rectangle:03d}-{sets}"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A search over all combinations of a grid, or over a sample of them.

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
    flats
        Numbers of the combinations to search, increasing, int64; None for the whole grid.

    Raises
    ------
    ArgumentError
        There are more phases than can be scored.
    """

    bars: Bars
    strategy: SeparableStrategy
    grid: Grid
    windows: tuple[Window, ...]
    account: Account
    warmup: int
    levels: dict[str, tuple[float, ...]]
    min_drawdown: float
    flats: IntArray | None = None

    def __post_init__(self) -> None:
        if len(self.windows) > _MOST_PHASES:
            raise ArgumentError(
                f"`phases` must be at most {_MOST_PHASES}, got {len(self.windows)}; "
                "search some of them at a time"
            )
        if self.grid.product >= 1 << 62:
            raise ArgumentError(
                f"grid `{self.grid.name}` has {self.grid.product:,} combinations, more than can "
                "be numbered; list fewer values"
            )

    @cached_property
    def study(self) -> Study:
        """The strategy on the series."""
        return self.strategy.study(self.bars)

    @cached_property
    def ground(self) -> Ground:
        """Prices, windows and account for kernels."""
        sides = sides_of(self.bars, self.strategy.shorts)
        cuts = prepare_windows(sides, self.windows)
        entries = (self.contexts.point(0) | p for p in self.entries.points())
        reverses = self.strategy.shorts and any(any(self.study.reverses(p)) for p in entries)
        return Ground(sides, cuts, costs_of(self.account), self.account.slippage, reverses)

    @cached_property
    def kernel_levels(self) -> Levels:
        """Levels for kernels."""
        efficiency, to_profit, to_sample = (np.array(self.levels[name]) for name in LEVELS)
        return Levels(efficiency, to_profit, to_sample, float(self.min_drawdown))

    @cached_property
    def contexts(self) -> Part:
        """Parameters that entries and exits share."""
        return Part(self.grid, self.strategy.shared)

    @cached_property
    def entries(self) -> Part:
        """Parameters of the entry, and inert ones on which a constraint depends."""
        tied = tuple(n for n in self.strategy.inert if n in self.grid.constrained)
        return Part(self.grid, (*self.strategy.entry, *tied))

    @cached_property
    def stops(self) -> Part:
        """Parameters of the stop's distance."""
        return Part(self.grid, self.strategy.stop)

    @cached_property
    def factors(self) -> Part:
        """Parameters of the tightening."""
        return Part(self.grid, self.strategy.factor)

    @cached_property
    def free(self) -> Part:
        """Parameters that change nothing, and on which no constraint depends."""
        names = tuple(n for n in self.strategy.inert if n not in self.grid.constrained)
        return Part(self.grid, names)

    @cached_property
    def inert(self) -> IntArray:
        """Flat-index offsets of the values that change nothing."""
        return self.free.offsets if self.flats is None else np.zeros(1, np.int64)

    @cached_property
    def series(self) -> Series:
        """Tightening series of the grid."""
        return series_of(self.study, self.factors)

    @property
    def total(self) -> int:
        """How many combinations are searched."""
        return self.grid.size if self.flats is None else self.flats.size

    # What tiles are made of ---------------------------------------------------------------

    @cached_property
    def reached(self) -> BoolArray:
        """Bars on which longs (and shorts) may be entered, shape (sides, N).

        Bars outside the windows are no entries: no exit is computed for them, and exit tables
        that differ there alone are one.
        """
        sides = self.ground.sides
        shape = (len(sides), len(self.bars))
        if self.contexts.size * self.entries.size > _MOST_ASKED:
            reached = np.ones(shape, np.bool_)
        else:
            reached = np.zeros(shape, np.bool_)
            for context in range(self.contexts.size):
                for first in range(0, self.entries.size, self._sets):
                    last = min(first + self._sets, self.entries.size)
                    made = self.entry_tables(context, range(first, last))
                    mark_entries(made.events, words_of(sides), reached)
        reached[:, : min(window.start for window in self.windows) + 1] = False
        reached[:, max(window.stop for window in self.windows) :] = False
        return reached

    @cached_property
    def _kept_entries(self) -> Recent[EntryTables]:
        return Recent(_ENTRY_BYTES, lambda made: made.following.nbytes + made.events.nbytes)

    @cached_property
    def _kept_sides(self) -> Recent[SideTables]:
        return Recent(_SIDE_BYTES, _bytes_of)

    def entry_tables(self, context: int, sets: Iterable[int]) -> EntryTables:
        """Return the entry tables of some entry sets with one shared set."""
        numbers = tuple(sets)
        return self._kept_entries.get(
            (context, numbers), lambda: self.build_entries(context, numbers, compare=True)
        )

    def build_entries(
        self, context: int, sets: Iterable[int], *, compare: bool = False
    ) -> EntryTables:
        """Build entry tables that will not be asked for again."""
        shared = self.contexts.point(context)
        clears = self.study.clears(shared)
        made = (self._entry_set(shared | self.entries.point(n), clears) for n in sets)
        slippage = self.account.slippage
        return entry_tables(made, self.ground.sides, slippage, compare=compare)

    def _entry_set(self, p: Values, clears: BoolArray) -> EntrySet:
        study = self.study
        first = max(self.warmup, study.entry_first(p))
        return EntrySet(study.orders(p), clears, study.reverses(p), first)

    def exit_first(self, family: int, context: int) -> IntArray:
        """Return the first bar that may signal with each tightening series of a family."""
        return np.maximum(self.series.first, self.study.exit_first(self._stop(family, context)))

    def _stop(self, family: int, context: int) -> Values:
        return self.contexts.point(context) | self.stops.point(family)

    def leaves(self, context: int) -> tuple[Leave, ...]:
        """Return where positions of each side are left with a shared set."""
        sides = self.ground.sides
        closes = self.study.leaves(self.contexts.point(context)) or (None,) * len(sides)
        return tuple(leave_table(*pair) for pair in zip(sides, closes, strict=True))

    def exit_tables(self, family: int, context: int) -> ExitTables:
        """Return a stop distance made ready for its walks with a shared set."""
        guards = self.study.protections(self._stop(family, context))
        first = int(self.exit_first(family, context).min())
        sides = [
            self._side(*parts, first)
            for parts in zip(self.ground.sides, (1, -1), guards, self.reached, strict=False)
        ]
        return exit_tables(sides, self.leaves(context), self.states, self.account.slippage)

    def _side(
        self, own: Prices, way: int, guard: Protection, reached: BoolArray, first: int
    ) -> SideTables:
        """Return one side's tables; a distance that another family shares is not built again."""
        digest = hashlib.blake2b(guard.stop.tobytes(), digest_size=16)
        digest.update(guard.shield.tobytes())
        least = float(self.series.kinds.floor.min())
        return self._kept_sides.get(
            (way, first, guard.trailing, digest.digest()),
            lambda: side_tables(own, way, guard, first, reached, least),
        )

    @cached_property
    def lone(self) -> bool:
        """Whether a stop order rests that nothing tightens: one exit table for each distance.

        A tile then covers many distances, which stand in the place of tightenings.
        """
        guards = self.study.protections(self._stop(0, 0))
        return not self.strategy.factor and not any(guard.trailing for guard in guards)

    def lone_stops(self, numbers: IntArray, context: int) -> tuple[FloatArray, IntArray]:
        """Return some distances for `search_lone`: their stops and first bars.

        Candidates for the stop in the sides' own prices, shape (distances, sides, N), and the
        first bar that may signal with each.
        """
        stops = np.empty((numbers.size, len(self.ground.sides), len(self.bars)))
        first = np.empty(numbers.size, np.int64)
        for row, number in enumerate(numbers.tolist()):
            p = self._stop(number, context)
            for side, guard in enumerate(self.study.protections(p)[: stops.shape[1]]):
                np.multiply(guard.stop, 1 if side == 0 else -1, out=stops[row, side])
            first[row] = max(int(self.series.first[0]), self.study.exit_first(p))
        return stops, first

    def prepare(self) -> None:
        """Compute what every tile needs, before threads ask for it at the same time."""
        _ = self.ground, self.series, self.states, self.tiles()
        if not self.lone:
            _ = self.reached

    @cached_property
    def states(self) -> tuple[States, States]:
        """States after exits."""
        return states_of(self.modes, len(self.bars), turns=self.strategy.turns)

    @cached_property
    def modes(self) -> int:
        """In how many ways the strategy is flat."""
        return len(self.study.orders(self.contexts.point(0) | self.entries.point(0)))

    # Tiles and what they hold -------------------------------------------------------------

    def tiles(self) -> list[Tile]:
        """Return the work in order."""
        return self._whole_tiles if self.flats is None else self._sample_tiles

    @cached_property
    def _whole_tiles(self) -> list[Tile]:
        return [
            Tile(family, first, last, begin, min(begin + self._sets, sets.size), number)
            for family in range(self._families)
            for first, last in self._spans()
            for number, (_, sets) in enumerate(self.rectangles(family, first))
            for begin in range(0, sets.size, self._sets)
        ]

    @property
    def _sets(self) -> int:
        """Entry sets in one tile."""
        most = int(_BLOCK_BYTES / (8 * words_of(self.ground.sides) * len(self.bars)))
        return max(1, min(_SETS_PER_TILE, most))

    @property
    def _families(self) -> int:
        """Number of stop distances, or of groups of them."""
        return -(-self.stops.size // _STOPS_PER_TILE) if self.lone else self.stops.size

    def _exits(self, family: int) -> tuple[Part, IntArray, int]:
        """Return a family's exits: their part of the grid, which of it, and what they add to."""
        if self.lone:
            begin = family * _STOPS_PER_TILE
            last = min(begin + _STOPS_PER_TILE, self.stops.size)
            return self.stops, np.arange(begin, last), 0
        return self.factors, np.arange(self.factors.size), int(self.stops.offsets[family])

    def _spans(self) -> list[tuple[int, int]]:
        """Return runs of shared sets that one tile covers; one at a time under constraints."""
        many, step = self.contexts.size, 1
        if not self.grid.constrained:
            sets = min(self.entries.size, self._sets)
            step = max(1, _TILE // (self._exits(0)[1].size * sets))
        return [(first, min(first + step, many)) for first in range(0, many, step)]

    def rectangles(self, family: int, context: int) -> list[tuple[IntArray, IntArray]]:
        """Return exits and entries that the constraints allow together, block by block.

        Returns
        -------
        list of (exits, sets)
            Numbers of tightening and entry combinations, int64; every pair is allowed, and
            every allowed pair is in one block.
        """
        key = family, context if self.grid.constrained else None
        if key not in self._blocks:
            self._blocks[key] = self._cut_blocks(family, context)
        return self._blocks[key]

    @cached_property
    def _blocks(self) -> dict[tuple[int, int | None], list[tuple[IntArray, IntArray]]]:
        return {}

    def _cut_blocks(self, family: int, context: int) -> list[tuple[IntArray, IntArray]]:
        part, exits, base = self._exits(family)
        if not self.grid.constrained:
            return [(exits, np.arange(self.entries.size))]
        base += int(self.contexts.offsets[context])
        exit_kind, exit_first = self._kinds(part)
        set_kind, set_first = self._kinds(self.entries)
        flats = base + part.offsets[exit_first][:, None] + self.entries.offsets[set_first]
        allowed = self.grid.mask(flats.ravel()).reshape(flats.shape)
        patterns, pattern_of = np.unique(allowed, axis=0, return_inverse=True)
        found = pattern_of.ravel()[exit_kind[exits]]
        blocks = [
            (exits[found == k], np.flatnonzero(row[set_kind])) for k, row in enumerate(patterns)
        ]
        return [(some, sets) for some, sets in blocks if some.size and sets.size]

    def _kinds(self, part: Part) -> tuple[IntArray, IntArray]:
        """Return which combinations of a part the constraints cannot tell apart.

        The kind of each combination, and the first combination of each kind.
        """
        index = dict(
            zip(part.names, np.unravel_index(np.arange(part.size), part.shape), strict=True)
        )
        seen = [index[name] for name in part.names if name in self.grid.constrained]
        if not seen:
            return np.zeros(part.size, np.int64), np.zeros(1, np.int64)
        _, first, kind = np.unique(np.array(seen), axis=1, return_index=True, return_inverse=True)
        return kind.ravel(), first

    @cached_property
    def _sample_order(self) -> dict[str, IntArray]:
        """Return the sample by family, then tightening: parts of every combination."""
        assert self.flats is not None  # only a sampled problem asks
        index = self.grid.indices(self.flats)
        parts = {
            "family": self.stops.numbers(index),
            "context": self.contexts.numbers(index),
            "exit": self.factors.numbers(index),
            "set": self.entries.numbers(index),
        }
        order = np.lexsort((parts["set"], parts["context"], parts["exit"], parts["family"]))
        return {name: column[order] for name, column in parts.items()} | {
            "flat": self.flats[order]
        }

    @cached_property
    def _sample_tiles(self) -> list[Tile]:
        family = self._sample_order["family"]
        bounds = np.searchsorted(family, np.arange(self.stops.size + 1))
        return [
            Tile(k, 0, 0, begin, min(begin + _SAMPLE_TILE, int(bounds[k + 1])))
            for k in range(self.stops.size)
            for begin in range(int(bounds[k]), int(bounds[k + 1]), _SAMPLE_TILE)
        ]

    def sample(self, tile: Tile) -> dict[str, IntArray]:
        """Return the combinations of a sample's tile: context, exit, set, flat; shape (n,)."""
        rows = slice(tile.first_set, tile.last_set)
        return {name: column[rows] for name, column in self._sample_order.items()}

    def block(self, tile: Tile) -> tuple[IntArray, IntArray]:
        """Return the tightening and the entry combinations of a tile of a whole grid."""
        exits, sets = self.rectangles(tile.family, tile.first_context)[tile.rectangle]
        return exits, sets[tile.first_set : tile.last_set]

    def members(self, tile: Tile) -> IntArray:
        """Return where in `TileResult.table_of` each exit set of a tile stands."""
        if self.flats is not None:
            return np.arange(tile.last_set - tile.first_set)
        exits, many = self.block(tile)[0], self.series.kinds.many
        series = np.arange(exits.size) if self.lone else self.series.member[exits]
        many = exits.size if self.lone else many
        shifts = np.arange(tile.last_context - tile.first_context) * many
        return (shifts[:, None] + series).ravel()

    def exit_offsets(self, tile: Tile) -> IntArray:
        """Return what each exit set of a tile adds to the flat index."""
        if self.flats is not None:
            return self.sample(tile)["flat"]
        shared: IntArray = self.contexts.offsets[tile.first_context : tile.last_context]
        part, _, base = self._exits(tile.family)
        exits: IntArray = part.offsets[self.block(tile)[0]] + base
        return (shared[:, None] + exits).ravel()

    def set_offsets(self, tile: Tile) -> IntArray:
        """Return what each entry set of a tile adds to the flat index."""
        if self.flats is not None:
            return np.zeros(1, np.int64)
        return self.entries.offsets[self.block(tile)[1]]

    def combinations(self, tile: Tile) -> int:
        """Return how many combinations of the grid a tile covers."""
        if self.flats is not None:
            return tile.last_set - tile.first_set
        exits, sets = self.block(tile)
        contexts = tile.last_context - tile.first_context
        return contexts * exits.size * sets.size * self.inert.size

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for tiles of another run to be used."""
        return {
            "format": FORMAT,
            "bars": self.bars.fingerprint,
            "strategy": self.strategy.name,
            "source": self.strategy.source,
            "grid": {name: list(values) for name, values in self.grid.values.items()},
            "constraints": list(self.grid.constraints),
            "sample": None if self.flats is None else _digest(self.flats),
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
    tables = table_of[problem.members(tile)]
    return np.bincount(tables, minlength=int(table_of.max()) + 1) * problem.inert.size


def _digest(flats: IntArray) -> str:
    return hashlib.sha256(flats.astype("<i8").tobytes()).hexdigest()


def _bytes_of(tables: SideTables) -> int:
    arrays = (*tables.ladder, *tables.stops)
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
