"""Where money moves: one trade booked, for one chain or for eight side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

from meseta._numba import inline
from meseta.engine._lanes import floor, larger, magnitude

__all__ = ["Costs", "mark", "settle", "size"]


class Costs(NamedTuple):
    """`Account` for kernels; slippage is already in the tables' prices."""

    capital: float
    cost_per_share: float
    commission: float
    lot: float


@inline
def size(equity: Any, price: Any, lot: Any, unit: Any) -> Any:
    """Return shares for all of `equity` at `price`, in whole lots; zero or negative is no order.

    `unit` says that the lot is 1: dividing and multiplying by 1.0 changes no bit, so both are
    left out.
    """
    if unit:
        return floor(equity / price)
    return floor(equity / price / lot) * lot


@inline
def settle(
    account: Any, shares: Any, fill: Any, price: Any, low: Any, high: Any, fall: Any, costs: Any
) -> Any:
    """Book one trade.

    Prices are the position's own (`_path.py`), so a short is booked like a long.

    Parameters
    ----------
    account
        Equity, running peak of the marked equity, largest drawdown so far.
    shares, fill, price
        The position and its exit price.
    low, high, fall
        Lowest and highest close and largest fall between closes while it was open.
    costs
        Cost per share (round trip) and commission (fraction).

    Returns
    -------
    tuple
        The account after the exit. While the position is open equity is marked at
        `base + (close - fill) * shares`: the deepest mark against the older peak and the
        largest fall inside the trade are the only two ways to a new drawdown. The mark at the
        close of the exit bar is left to `mark`: there the next position may be open already.
    """
    equity, peak, drawdown = account
    per_share, commission = costs
    paid = commission * magnitude(fill) * shares
    base = equity - paid
    after = equity + (
        (price - fill) * shares
        - paid
        - (commission * magnitude(price) * shares + per_share * shares)
    )
    drawdown = larger(drawdown, larger(peak - (base + (low - fill) * shares), fall * shares))
    return after, larger(peak, base + (high - fill) * shares), drawdown


@inline
def mark(account: Any) -> Any:
    """Mark an account without a position at a close."""
    equity, peak, drawdown = account
    return equity, larger(peak, equity), larger(drawdown, peak - equity)
