"""The account and the contract that the options of a command describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meseta.account import Account, Contract
    from meseta.bars import Bars

__all__ = ["account_of", "contract_of"]


def account_of(
    *,
    capital: float | None,
    cost_per_share: float | None,
    commission: float | None,
    slippage: float | None,
    lot: float | None,
) -> Account:
    """Return the account; None is its default."""
    from meseta.account import Account

    given = {
        "capital": capital,
        "cost_per_share": cost_per_share,
        "commission": commission,
        "slippage": slippage,
        "lot": lot,
    }
    return Account(**{name: value for name, value in given.items() if value is not None})


def contract_of(
    bars: Bars,
    *,
    contracts: float | None,
    point_value: float | None,
    tick: float | None,
    roll_cost: float | None,
    rolls: str | None,
) -> Contract | None:
    """Return the contract, None where no option says anything of one.

    Raises
    ------
    ArgumentError
        A value cannot be, or `rolls` names no roll in `bars`.
    """
    from meseta.account import Contract
    from meseta.bars._rolls import parse_rolls

    given = {
        "quantity": contracts,
        "point_value": point_value,
        "tick": tick,
        "roll_cost": roll_cost,
        "rolls": None if rolls is None else parse_rolls(rolls, bars),
    }
    said = {name: value for name, value in given.items() if value is not None}
    return Contract(**said) if said else None  # type: ignore[arg-type]
