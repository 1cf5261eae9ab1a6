"""Where the blocks of all combinations come from, whatever kind of strategy makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from meseta.engine._blocks import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta._types import FloatArray, IntArray
    from meseta.walkforward._middle import Middle

__all__ = ["FAR", "BlockSource", "Item", "Members", "Piece", "grouped", "piece_of", "rows_of"]

# A distance, and a number, behind every other.
FAR = np.iinfo(np.int64).max
# Bytes of the blocks that are measured at a time: they stay in a processor's own cache.
_PIECE_BYTES = 1 << 20
_LEAST_ROWS, _MOST_ROWS = 16, 1024


class Members(NamedTuple):
    """Groups of parts of combinations that cannot be told apart by their results.

    Parameters
    ----------
    many
        How many parts each group has, int64, shape (groups,).
    distance, flat
        The parts of each group that lie nearest to the middle, nearest first, of equal ones the
        lower number: what each adds to a combination's distance (`Middle`, in units) and to its
        number; `FAR` where a group has fewer. Int64, shape (groups, keep).
    """

    many: IntArray
    distance: IntArray
    flat: IntArray


class Piece(NamedTuple):
    """Blocks of some combinations.

    Row `i` belongs to every sum of a member of group ``left_row[i]`` of `left` and one of group
    ``right_row[i]`` of `right`.

    Parameters
    ----------
    blocks
        As `blocks_of`, shape (n, B, FIELDS). It is overwritten by the next piece.
    left, left_row, right, right_row
        Groups, and which of them each row belongs to, int64, shape (n,).
    """

    blocks: FloatArray
    left: Members
    left_row: IntArray
    right: Members
    right_row: IntArray


class Item(NamedTuple):
    """What a thread does at a time.

    Parameters
    ----------
    number
        Place in the source's list.
    name
        What its result is called in a folder.
    combinations
        How many combinations it has.
    """

    number: int
    name: str
    combinations: int


class BlockSource(Protocol):
    """Every combination of a search simulated once over a period, in any order.

    Every combination occurs in one item, once; threads ask for different items at the same time.
    """

    def items(self) -> list[Item]:
        """Return the work in order."""
        ...

    def prepare(self) -> None:
        """Compute what every item needs, before threads ask for it at the same time."""
        ...

    def pieces(self, item: Item) -> Iterator[Piece]:
        """Yield the blocks of an item's combinations."""
        ...

    def one(self, flat: int) -> FloatArray:
        """Return the blocks of one combination of the grid, shape (B, FIELDS)."""
        ...


def rows_of(bounds: int) -> int:
    """Return how many combinations a piece should have, by the number of boundaries."""
    return max(_LEAST_ROWS, min(_MOST_ROWS, _PIECE_BYTES // (8 * FIELDS * bounds)))


def grouped(
    group: IntArray, distance: IntArray, flat: IntArray, groups: int, keep: int
) -> Members:
    """Return groups of parts.

    Parameters
    ----------
    group
        Which group each part is in, int64, shape (n,).
    distance, flat
        What each part adds, shape (n,).
    groups, keep
        How many groups there are, and how many members are named.
    """
    order = np.lexsort((flat, distance, group))
    sorted_group = group[order]
    begins = np.searchsorted(sorted_group, np.arange(groups))
    place = np.arange(group.size) - begins[sorted_group]
    near = place < keep
    made = np.full((2, groups, keep), FAR)
    for row, column in zip(made, (distance, flat), strict=True):
        row[sorted_group[near], place[near]] = column[order][near]
    return Members(np.bincount(group, minlength=groups), *made)


def piece_of(blocks: FloatArray, flats: IntArray, middle: Middle, keep: int) -> Piece:
    """Return a piece of combinations of which each stands for itself.

    Parameters
    ----------
    blocks
        Shape (n, B, FIELDS).
    flats
        Numbers of the combinations, int64, shape (n,).
    middle, keep
        The grid's middle, and how many members of a group are named.
    """
    rows, nothing = np.arange(flats.size), np.zeros(1, np.int64)
    own = grouped(rows, middle.of_flats(flats), flats, flats.size, keep)
    none = grouped(nothing, nothing, nothing, 1, keep)
    return Piece(blocks, own, rows, none, np.zeros_like(rows))
