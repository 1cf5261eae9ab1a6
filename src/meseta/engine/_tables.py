"""What stands before a walk: the ground of a search, and exit tables of one stop distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta._numba import kernel
from meseta.engine._entries import AT_OPEN, BAR, HALF, overlay
from meseta.engine._exits import States, blank_table, build_ladder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.engine._entries import EntryTables, Overlay
    from meseta.engine._exits import Ladder, Leave
    from meseta.engine._marks import Cuts
    from meseta.engine._path import Prices
    from meseta.engine._settle import Costs
    from meseta.strategies import Protection

__all__ = [
    "ExitTables",
    "Ground",
    "SideTables",
    "exit_tables",
    "link",
    "side_tables",
    "states_of",
    "words_of",
]


class Ground(NamedTuple):
    """What every walk of a search stands on.

    Parameters
    ----------
    sides
        Own prices of longs, and of shorts where they are traded.
    cuts, costs
        Windows and account.
    slippage
        Price units per share.
    reverses
        Whether any position is reversed by an opposite order.
    """

    sides: tuple[Prices, ...]
    cuts: Cuts
    costs: Costs
    slippage: float
    reverses: bool = True

    @property
    def both(self) -> int | bool | None:
        """The kind of strategy, as `walk_lanes` is told."""
        if len(self.sides) == 1:
            return None
        return 1 if self.reverses else True


def words_of(sides: tuple[Prices, ...]) -> int:
    """Return the number of words of an event."""
    return 4 if len(sides) == 1 else 8


def states_of(modes: int, bars: int, *, turns: bool) -> tuple[States, States]:
    """Return the states after exits of longs and of shorts.

    Parameters
    ----------
    modes
        1, or more when the strategy remembers that it was stopped out.
    bars
        Length of the series.
    turns
        Whether the entry of the close at which a position is left works too.
    """
    left, several = (-1 if turns else 0), modes > 1
    shifts = [min(mode, modes - 1) * (bars + 1) for mode in (1, 2)]
    return States(shifts[0], left, several), States(shifts[1], left, several)


class SideTables(NamedTuple):
    """What all tightening series of one stop distance share, for one side."""

    ladder: Ladder
    stops: Overlay


def side_tables(
    prices: Prices, way: int, guard: Protection, first: int, reached: BoolArray, least: float
) -> SideTables:
    """Build the tables of one protection.

    Parameters
    ----------
    prices, way
        The side, 1 for longs and -1 for shorts.
    guard
        Its protection, in the market's prices.
    first
        Earliest bar that may signal with it.
    reached
        Bars on which the side may be entered.
    least
        Smallest tightening factor of any series.
    """
    stop = way * guard.stop
    ladder = build_ladder(prices, stop, first, reached, least, trailing=guard.trailing)
    shield = guard.shield if guard.trailing else stop
    return SideTables(ladder, overlay(shield, guard.trailing, prices, reached))


@dataclass(frozen=True, slots=True)
class ExitTables:
    """One stop distance made ready for its walks.

    Parameters
    ----------
    ladders, stops, leaves, states
        By side.
    blank
        Table with the rows that do not depend on the tightening, shape (rows, 8).
    """

    ladders: tuple[Ladder, ...]
    stops: tuple[Overlay, ...]
    leaves: tuple[Leave, ...]
    states: tuple[States, ...]
    blank: FloatArray

    @property
    def leaves_early(self) -> bool:
        """Whether any close leaves a position."""
        return any(bool((leave.close < leave.close.size).any()) for leave in self.leaves)

    def like(self, other: ExitTables) -> bool:
        """Tell whether nothing but such closes differs."""
        return all(a is b for a, b in zip(self.ladders, other.ladders, strict=True))


def exit_tables(
    tables: Sequence[SideTables],
    leaves: tuple[Leave, ...],
    states: tuple[States, States],
    slippage: float,
) -> ExitTables:
    """Join the tables of both sides."""
    ladders, stops = tuple(t.ladder for t in tables), tuple(t.stops for t in tables)
    kept = states[: len(ladders)]
    if len(ladders) > 1:
        kept = tuple(state._replace(distinct=True) for state in kept)
    return ExitTables(ladders, stops, leaves, kept, blank_table(ladders, stops, kept, slippage))


@kernel
def _link(
    events: FloatArray, words: int, rows: tuple[IntArray, ...], stops: tuple[Overlay, ...],
    base: tuple[int, ...], never: int,
) -> None:  # fmt: skip
    bits = events.view(np.int64).reshape(-1, words)
    for k in range(bits.shape[0]):
        e = bits[k, 3] & BAR
        row = never
        if e < rows[0].size:
            side = 0 if events[words * k + 1] > 0.0 else len(rows) - 1
            at_open = (bits[k, 3] >> AT_OPEN) & 1
            stop = stops[side].at_open[e] if at_open else stops[side].on_way_up[e]
            if stop >= 0:
                row = base[2 * side + 1] + stop
            elif rows[side][e] >= 0:
                # Before the exit rule's first bar there is no row, and no chain comes here.
                row = base[2 * side] + rows[side][e]
        bits[k, 0] = ((bits[k, 0] >> HALF) << HALF) | row


def link(entries: EntryTables, tables: ExitTables) -> EntryTables:
    """Return a copy of the entry tables whose events lead to the rows of exit tables."""
    events = entries.events.copy()
    rows = tuple(ladder.row for ladder in tables.ladders)
    sizes = [ladder.entry.size for ladder in tables.ladders]
    stops = [each.bar.size for each in tables.stops]
    base: list[int] = []
    for side in range(len(rows)):
        base += [sum(sizes[:side]), sum(sizes) + sum(stops[:side])]
    words = 4 if len(rows) == 1 else 8
    _link(events, words, rows, tables.stops, tuple(base), len(tables.blank) - 1)
    return entries._replace(events=events)
