"""What trading costs and how positions are sized, for compiled loops over bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta._types import IntArray
    from meseta.account import Account, Contract
    from meseta.bars import Bars

__all__ = ["Terms", "require_sizes", "rolls_of", "shares_for", "terms_of"]


class Terms(NamedTuple):
    """Account and contract for kernels.

    `quantity` is the fixed size of a position, 0 to put in the whole equity. `costs` are paid per
    share or contract at the exit, `roll_cost` per contract at every roll.
    """

    capital: float
    costs: float
    commission: float
    slippage: float
    lot: float
    point_value: float
    quantity: float
    tick: float
    roll_cost: float


def terms_of(account: Account, contract: Contract) -> Terms:
    """Return an account and a contract for kernels."""
    a, c = account, contract
    return Terms(
        float(a.capital), float(a.cost_per_share), float(a.commission), float(a.slippage),
        float(a.lot), float(c.point_value), float(c.quantity or 0.0), float(c.tick),
        float(c.roll_cost),
    )  # fmt: skip


def require_sizes(bars: Bars, contract: Contract) -> None:
    """Raise where positions could not be sized: the equity divided by a price of zero or less.

    Raises
    ------
    ArgumentError
        Such prices need a fixed quantity; without one their orders would be left out.
    """
    least = float(bars.low.min())
    if contract.quantity is None and least <= 0:
        raise ArgumentError(
            f"`{bars.name}` has prices of zero or less (down to {least:g}), by which no equity "
            "can be divided; trade a fixed number of contracts (--contracts 1)"
        )


@inline
def shares_for(terms: Any, equity: float, price: float) -> float:
    """Return the size of an order at `price`; less than a lot is no order."""
    if terms.quantity > 0.0:
        return terms.quantity
    if not price > 0.0:
        return 0.0
    return np.floor(equity / price / terms.lot) * terms.lot


def rolls_of(bars: Bars, contract: Contract) -> IntArray:
    """Return how many rolls there were up to and including each bar, int64, shape (N,).

    A roll falls on the first bar at or after its date; what is open at the close before pays.
    """
    many = np.zeros(len(bars), np.int64)
    days = np.array(sorted(set(contract.rolls)), "datetime64[us]")
    rows = np.searchsorted(bars.time, days)
    np.add.at(many, rows[(rows > 0) & (rows < len(bars))], 1)
    return np.cumsum(many)
