"""Strategies by name."""

from __future__ import annotations

from typing import TypeAlias

from meseta.errors import ArgumentError
from meseta.strategies._atr_d import AtrDLong
from meseta.strategies._parameters import did_you_mean

__all__ = ["Strategy", "find_strategy", "strategies"]

Strategy: TypeAlias = AtrDLong


def strategies() -> dict[str, Strategy]:
    """Return every strategy by its name."""
    return {strategy.name: strategy for strategy in (AtrDLong(),)}


def find_strategy(name: str) -> Strategy:
    """Return the strategy called `name`.

    Raises
    ------
    ArgumentError
        There is none of that name.
    """
    known = strategies()
    if name not in known:
        hint = did_you_mean(name, list(known))
        raise ArgumentError(f"`strategy` must be one of {', '.join(known)}, got {name!r}{hint}")
    return known[name]
