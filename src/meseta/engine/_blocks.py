"""What an equity curve leaves at boundary bars, so that no window needs the curve itself.

The analysis period is cut at *boundaries*, increasing row numbers. A row of a block belongs to
boundary `b` and says how things stand at the close before bar `b`, and what the marks did since
the boundary before. Every statistic of a window between two boundaries follows from the rows in
between: sums are differences, drawdown is joined block by block.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._numba import inline

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray
    from meseta.engine._trades import Simulation

__all__ = [
    "CLOSED",
    "DOWN",
    "EQUITY",
    "FALL",
    "FIELDS",
    "FINAL",
    "HIGH",
    "LOST",
    "LOW",
    "OPEN",
    "SQUARES",
    "TALLY",
    "WON",
    "blocks_of",
    "close_block",
    "closed_block",
    "fresh_tally",
    "settle_open",
    "start_tally",
    "tallied",
    "tally",
]

# Fields of a block's row:
# account marked at the close before the boundary; trades closed so far, what the winners among
# them made and the losers lost; unrealised money of the position that is open then, what it paid
# included (0 without one), and what that position made in the end (NaN without one); sums over
# all bars so far of the squared change of the mark from close to close, and of the squared falls;
EQUITY, CLOSED, WON, LOST, OPEN, FINAL, SQUARES, DOWN = range(8)
# highest mark, lowest mark and largest fall between marks since the boundary before.
HIGH, LOW, FALL = 8, 9, 10
FIELDS = 11

# Words of a tally: last mark, sums of squares, then highest, lowest and fall of the block.
TALLY = 6


@inline
def start_tally(words: Any, capital: float) -> None:
    """Begin with `capital` as the last mark."""
    words[0], words[1], words[2] = capital, 0.0, 0.0
    words[3], words[4], words[5] = -np.inf, np.inf, 0.0


@inline
def tally(words: Any, mark: float) -> None:
    """Count the account marked at the next close."""
    change = mark - words[0]
    words[1] += change * change
    if change < 0.0:
        words[2] += change * change
    words[0] = mark
    words[3], words[4] = max(words[3], mark), min(words[4], mark)
    words[5] = max(words[5], words[3] - mark)


@inline
def close_block(
    words: Any, row: Any, closed: float, won: float, lost: float, unrealised: float
) -> None:
    """Write the row of a boundary after the close before it was counted; begin a new block."""
    row[EQUITY], row[CLOSED], row[WON], row[LOST] = words[0], closed, won, lost
    row[OPEN], row[FINAL] = unrealised, np.nan
    row[SQUARES], row[DOWN] = words[1], words[2]
    row[HIGH], row[LOW], row[FALL] = words[3], words[4], words[5]
    words[3], words[4], words[5] = -np.inf, np.inf, 0.0


# The same three for loops that hand a tally on from close to close instead of keeping it in
# memory, which takes longer than the arithmetic. Bit for bit what the words would hold.


@inline
def fresh_tally(capital: float) -> Any:
    """Return a tally: what `start_tally` writes."""
    return capital, 0.0, 0.0, -np.inf, np.inf, 0.0


@inline
def tallied(state: Any, mark: float) -> Any:
    """Return the tally after the next close: `tally`.

    Without a branch that the market decides: a fall that is none adds nothing.
    """
    last, squares, down, high, low, fall = state
    change = mark - last
    squares += change * change
    lost = min(change, 0.0)
    down += lost * lost
    high, low = max(high, mark), min(low, mark)
    return mark, squares, down, high, low, max(fall, high - mark)


@inline
def closed_block(
    state: Any, row: Any, closed: float, won: float, lost: float, unrealised: float
) -> Any:
    """Write the row of a boundary; return the tally of a new block: `close_block`."""
    last, squares, down, high, low, fall = state
    row[EQUITY], row[CLOSED], row[WON], row[LOST] = last, closed, won, lost
    row[OPEN], row[FINAL] = unrealised, np.nan
    row[SQUARES], row[DOWN] = squares, down
    row[HIGH], row[LOW], row[FALL] = high, low, fall
    return last, squares, down, -np.inf, np.inf, 0.0


@inline
def settle_open(blocks: Any, since: int, until: int, pnl: float) -> None:
    """Tell the boundaries `since` to `until - 1`, at which a trade was open, what it made."""
    for k in range(since, until):
        blocks[k, FINAL] = pnl


def blocks_of(made: Simulation, capital: float, bounds: IntArray) -> FloatArray:
    """Return the rows of all boundaries of a simulation, in plain Python.

    Parameters
    ----------
    made
        A simulation whose window begins at ``bounds[0]`` and ends at ``bounds[-1]``.
    capital
        Its money at the start.
    bounds
        Boundaries, increasing, int64, shape (B,).

    Returns
    -------
    ndarray
        Shape (B, FIELDS).
    """
    start = made.window.start
    marks = [capital, *made.equity.tolist()]  # marks[k] is the mark at the close before start + k
    out = np.empty((bounds.size, FIELDS))
    for k, bound in enumerate(bounds.tolist()):
        upto = marks[: bound - start + 1]
        changes = [b - a for a, b in itertools.pairwise(upto)]
        closed = [trade for trade in made.trades if trade.exit_bar < bound]
        held = [t for t in made.trades if t.entry_bar < bound <= t.exit_bar]
        realised = capital + math.fsum(trade.pnl for trade in closed)
        block = upto[int(bounds[k - 1]) - start + 1 :] if k else []
        falls = [max(block[: n + 1]) - mark for n, mark in enumerate(block)]
        out[k] = (
            upto[-1],
            len(closed),
            sum(trade.pnl for trade in closed if trade.pnl > 0),
            -sum(trade.pnl for trade in closed if trade.pnl < 0),
            upto[-1] - realised if held else 0.0,
            held[0].pnl if held else math.nan,
            sum(change * change for change in changes),
            sum(change * change for change in changes if change < 0),
            max(block, default=-math.inf),
            min(block, default=math.inf),
            max(falls, default=0.0),
        )
    return out
