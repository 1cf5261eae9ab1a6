"""Why a walk-forward that is cut from full-period runs differs from one that is traded.

The pieces of a walk-forward curve come from runs that never change their parameters. Traded as
one account, a window begins with what the window before left: another position, another equity
to size with, other orders on their way. Each difference in money is laid to one of these three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meseta.walkforward._exact import entry_bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import BoolArray, FloatArray
    from meseta.walkforward._exact import Path

__all__ = ["Gap", "gap_of", "total_of"]

# Part of the account below which a difference is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Gap:
    """What the exact run of one window made more than the emulated piece; money.

    Parameters
    ----------
    total
        Sum of the three causes.
    position
        While the two hold different positions, because they did at the boundary or because the
        policy ended the one that was open there.
    size
        While both hold the same position in different sizes: they reinvest another equity.
    orders
        While positions differ that were the same at the boundary, or had become the same since:
        what differed was a stop, an order, or what the strategy remembered.
    emulated_held, exact_held
        Signed shares at the boundary.
    """

    total: float
    position: float
    size: float
    orders: float
    emulated_held: float
    exact_held: float


def gap_of(emulated: Path, exact: Path) -> Gap:
    """Return the gap of one window.

    Parameters
    ----------
    emulated, exact
        The same bars of a full-period run of the window's parameter set, and of the run in which
        parameters change.

    Notes
    -----
    A bar counts as size when both accounts hold positions of the same direction and entry bar at
    its two closes, and everything that was filled on it was filled at the same prices. From the
    boundary on all other bars count as position where the positions at the boundary differ, until
    a close at which they are the same; all later ones, and all where they did not, as orders.
    """
    change = _difference(emulated, exact)
    alike = _alike(emulated, exact)
    met = _same_position(emulated, exact)
    # From the first close on at which the positions are the same; a sale at the boundary is
    # the policy's, whatever was held.
    sold = any(t.reason == "boundary" and t.exit_bar == exact.first for t in exact.trades)
    later = np.flatnonzero(met[1:] if sold else met)
    settled = np.arange(change.size) >= (later[0] + sold if later.size else change.size)
    position, orders = ~alike & ~settled, ~alike & settled
    return Gap(
        total=float(change.sum()),
        position=float(change[position].sum()),
        size=float(change[alike].sum()),
        orders=float(change[orders].sum()),
        emulated_held=float(emulated.held[0]),
        exact_held=float(exact.held[0]),
    )


def _difference(emulated: Path, exact: Path) -> FloatArray:
    """Return by how much the accounts' changes differ on each bar; shape (n,).

    The two add up the same trades in another order, so that what is left of equal changes is
    rounding, and is nothing.
    """
    change: FloatArray = np.diff(exact.equity) - np.diff(emulated.equity)
    scale = max(np.abs(exact.equity).max(), np.abs(emulated.equity).max())
    change[np.abs(change) <= _ROUNDING * scale] = 0.0
    return change


def _same_position(one: Path, other: Path) -> BoolArray:
    """Tell at which closes both hold the same position, or none; shape (n + 1,)."""
    same: BoolArray = (entry_bars(one) == entry_bars(other)) & (
        np.sign(one.held) == np.sign(other.held)
    )
    return same


def _alike(one: Path, other: Path) -> BoolArray:
    """Tell on which bars nothing but the sizes differs; shape (n,)."""
    same = _same_position(one, other)
    alike: BoolArray = same[:-1] & same[1:]
    fills = [_fills(path) for path in (one, other)]
    for bar in fills[0].keys() | fills[1].keys():
        if fills[0].get(bar) != fills[1].get(bar):
            alike[bar] = False
    return alike


def _fills(path: Path) -> dict[int, list[tuple[float, ...]]]:
    """Return what was filled on each bar of a path, counted from its first."""
    found: dict[int, list[tuple[float, ...]]] = {}
    many = path.equity.size - 1
    for trade in path.trades:
        for bar, price in ((trade.entry_bar, trade.fill), (trade.exit_bar, trade.exit)):
            if 0 <= bar - path.first < many:
                found.setdefault(bar - path.first, []).append((trade.dir, price))
    return found


def total_of(gaps: Sequence[Gap]) -> dict[str, float]:
    """Return the sums over windows of the money, by the names of `Gap`."""
    names = ("total", "position", "size", "orders")
    return {name: sum(getattr(gap, name) for gap in gaps) for name in names}
