"""Blocks of a kernel strategy: every combination is a loop over the bars."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from meseta.engine._blocks import FIELDS
from meseta.engine._plays import play_of
from meseta.engine._schedule import Course, blocks_of_play
from meseta.walkforward._sources import Item, Piece, piece_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta._types import FloatArray, IntArray
    from meseta.account import Account, Contract
    from meseta.bars import Bars
    from meseta.strategies import Grid, KernelStrategy
    from meseta.walkforward._middle import Middle

__all__ = ["KernelSource"]

# Bars that one item walks: some tenths of a second.
_ITEM_BARS = 10_000_000


class KernelSource:
    """All combinations of a kernel strategy, each simulated once over the period.

    Parameters
    ----------
    bars, strategy, grid
        What is simulated.
    account, contract, warmup
        Capital and costs, what is traded, bars without decisions.
    bounds
        Boundaries, increasing, int64, shape (B,).
    middle, keep
        The grid's middle, and how many members of a group are named.
    flats
        Numbers of the combinations to simulate, increasing, int64; None for the whole grid.
    """

    def __init__(
        self,
        bars: Bars,
        strategy: KernelStrategy,
        grid: Grid,
        account: Account,
        contract: Contract,
        warmup: int,
        bounds: IntArray,
        middle: Middle,
        keep: int,
        flats: IntArray | None = None,
    ) -> None:
        self.bars, self.strategy, self.grid, self.warmup = bars, strategy, grid, warmup
        self.bounds, self.middle, self.keep, self.asked = bounds, middle, keep, flats
        self.course = Course.of(bars, account, contract)
        self.rows = rows_of(bounds.size)
        self.step = max(1, _ITEM_BARS // len(bars))

    @cached_property
    def flats(self) -> IntArray:
        """Numbers of the combinations, increasing."""
        if self.asked is not None:
            return self.asked
        every = np.arange(self.grid.product)
        return every[self.grid.mask(every)] if self.grid.constrained else every

    def items(self) -> list[Item]:
        """Return runs of combinations."""
        many = self.flats.size
        begins = range(0, many, self.step)
        return [
            Item(k, f"kernel-{begin:010d}", min(begin + self.step, many) - begin)
            for k, begin in enumerate(begins)
        ]

    def prepare(self) -> None:
        """Compile the strategy before threads ask for it at the same time."""
        self.one(int(self.flats[0]))

    def pieces(self, item: Item) -> Iterator[Piece]:
        """Yield the blocks of an item's combinations."""
        begin = item.number * self.step
        mine = self.flats[begin : begin + item.combinations]
        for first in range(0, mine.size, self.rows):
            part = mine[first : first + self.rows]
            blocks = np.empty((part.size, self.bounds.size, FIELDS))
            for row, flat in enumerate(part.tolist()):
                blocks[row] = self.one(flat)
            yield piece_of(blocks, part, self.middle, self.keep)

    def one(self, flat: int) -> FloatArray:
        """Return the blocks of one combination of the grid, shape (B, FIELDS)."""
        values = self.grid.point(flat)
        play = play_of(self.strategy, self.bars, values, self.warmup, self.course.market)
        return blocks_of_play(self.course, play, self.bounds)
