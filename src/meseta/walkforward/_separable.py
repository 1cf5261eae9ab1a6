"""Blocks of a separable strategy: every exit table against every entry set, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meseta.engine._block_walk import FamilyWalk, LoneWalk, period_of
from meseta.engine._blocks import FIELDS
from meseta.engine._fast import fast_blocks
from meseta.walkforward._sources import FAR, Item, Members, Piece, grouped, piece_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta._types import FloatArray, IntArray
    from meseta.account import Contract
    from meseta.engine._entries import EntryTables
    from meseta.search import Problem
    from meseta.search._problem import Tile
    from meseta.walkforward._middle import Middle

__all__ = ["SeparableSource"]

# Combinations of a sample whose entry tables are in memory at the same time.
_AT_ONCE = 512


class SeparableSource:
    """All combinations of a problem, walked over its one window.

    Exit tables and entry sets that are equal are walked once, and parameters that change nothing
    not at all; a piece's groups name every combination that they stand for.

    Parameters
    ----------
    problem
        Its only window goes from the first boundary to the last.
    contract
        What is traded.
    bounds
        Boundaries, increasing, int64, shape (B,).
    middle, keep
        The grid's middle, and how many members of a group are named.
    """

    def __init__(
        self, problem: Problem, contract: Contract, bounds: IntArray, middle: Middle, keep: int
    ) -> None:
        self.problem, self.contract, self.bounds = problem, contract, bounds
        self.middle, self.keep = middle, keep
        self.rows = rows_of(bounds.size)

    def items(self) -> list[Item]:
        """Return the tiles."""
        combinations = self.problem.combinations
        return [
            Item(number, tile.name, combinations(tile))
            for number, tile in enumerate(self.problem.tiles())
        ]

    def prepare(self) -> None:
        """Compute what every tile needs."""
        problem, part = self.problem, self.middle.of_part
        problem.prepare()
        self.period = period_of(
            problem.bars, problem.ground.sides, self.bounds, problem.account, self.contract
        )
        self.far_contexts, self.far_entries = part(problem.contexts), part(problem.entries)
        self.far_stops, self.far_factors = part(problem.stops), part(problem.factors)
        free = problem.free
        alone = np.zeros(free.size, np.int64)
        self.inert = grouped(alone, part(free), free.offsets, 1, self.keep)

    def one(self, flat: int) -> FloatArray:
        """Return the blocks of one combination, shape (B, FIELDS)."""
        problem = self.problem
        values = problem.grid.point(flat)
        rules = problem.strategy.rules(problem.bars, values, problem.warmup)
        return fast_blocks(problem.bars, rules, self.bounds, problem.account, self.contract)

    def pieces(self, item: Item) -> Iterator[Piece]:
        """Yield the blocks of a tile."""
        tile = self.problem.tiles()[item.number]
        if self.problem.flats is not None:
            yield from self._sampled(tile)
            return
        for context in range(tile.first_context, tile.last_context):
            yield from self._whole(tile, context)

    def _whole(self, tile: Tile, context: int) -> Iterator[Piece]:
        """Yield the blocks of one shared set of a tile of a whole grid."""
        exits, sets = self.problem.block(tile)
        entries = self.problem.entry_tables(context, sets.tolist())
        walk = self._walk(tile, context, exits, entries)
        # Sets with the same entries, and exits with the same table, are walked once.
        chosen, place = np.unique(entries.like, return_inverse=True)
        right = self._set_groups(sets, place.ravel(), chosen.size)
        series = np.arange(exits.size) if self.problem.lone else self.problem.series.member[exits]
        table_of, kept = walk.number(np.unique(series))
        left = self._exit_groups(tile, context, exits, table_of[series], kept.size)
        room = np.empty((self.rows, self.bounds.size, FIELDS))
        for begin in range(0, kept.size * chosen.size, self.rows):
            pairs = np.arange(begin, min(begin + self.rows, kept.size * chosen.size))
            table, entry = np.divmod(pairs, chosen.size)
            walk.walk(kept[table], chosen[entry], room[: pairs.size])
            yield Piece(room[: pairs.size], left, table, right, entry)

    def _walk(
        self, tile: Tile, context: int, exits: IntArray, entries: EntryTables
    ) -> FamilyWalk | LoneWalk:
        problem = self.problem
        if problem.lone:
            stops = problem.lone_stops(exits, context)
            leaves = problem.leaves(context)
            return LoneWalk(self.period, *stops, leaves, problem.states, entries)
        return self._family(tile.family, context, entries)

    def _family(self, family: int, context: int, entries: EntryTables) -> FamilyWalk:
        problem = self.problem
        return FamilyWalk(
            self.period, problem.exit_tables(family, context), problem.series.kinds,
            problem.exit_first(family, context), entries,
        )  # fmt: skip

    def _exit_groups(
        self, tile: Tile, context: int, exits: IntArray, group: IntArray, groups: int
    ) -> Members:
        """Return the exits that lead to each table."""
        contexts = tile.last_context - tile.first_context
        rows = self.problem.exit_offsets(tile).reshape(contexts, exits.size)
        far = self.far_stops if self.problem.lone else self.far_factors
        base = self.far_contexts[context]
        if not self.problem.lone:
            base = base + self.far_stops[tile.family]
        flat = rows[context - tile.first_context]
        return grouped(group, far[exits] + base, flat, groups, self.keep)

    def _set_groups(self, sets: IntArray, group: IntArray, groups: int) -> Members:
        """Return the entry sets that have each kind of entries, with every inert value."""
        named = self.inert.flat[0] < FAR
        distance, flat = (
            (own[:, None] + inert[0, named]).ravel()
            for own, inert in (
                (self.far_entries[sets], self.inert.distance),
                (self.problem.entries.offsets[sets], self.inert.flat),
            )
        )
        many = np.bincount(group, minlength=groups) * self.inert.many[0]
        spread = np.repeat(group, int(named.sum()))
        return grouped(spread, distance, flat, groups, self.keep)._replace(many=many)

    def _sampled(self, tile: Tile) -> Iterator[Piece]:
        """Yield the blocks of a sample's tile."""
        problem, sample = self.problem, self.problem.sample(tile)
        for context in np.unique(sample["context"]).tolist():
            mine = np.flatnonzero(sample["context"] == context)
            for begin in range(0, mine.size, _AT_ONCE):
                rows = {name: column[mine[begin : begin + _AT_ONCE]]
                        for name, column in sample.items()}  # fmt: skip
                sets, place = np.unique(rows["set"], return_inverse=True)
                entries = problem.build_entries(context, sets.tolist())
                walk = self._family(tile.family, context, entries)
                yield from self._pairs(walk, rows, place.ravel())

    def _pairs(
        self, walk: FamilyWalk, rows: dict[str, IntArray], place: IntArray
    ) -> Iterator[Piece]:
        """Yield the blocks of chosen pairs of series and entry set."""
        series = self.problem.series.member[rows["exit"]]
        order = np.argsort(series, kind="stable")
        room = np.empty((self.rows, self.bounds.size, FIELDS))
        for begin in range(0, order.size, self.rows):
            some = order[begin : begin + self.rows]
            blocks = room[: some.size]
            walk.walk(series[some], place[some], blocks)
            yield piece_of(blocks, rows["flat"][some], self.middle, self.keep)
