"""Strategies by name: the product's, installed packages', and a user's own file."""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeAlias

from meseta._near import did_you_mean
from meseta._own_file import Sought, kind_of, read_file, run_file, said, split
from meseta.errors import ArgumentError
from meseta.strategies._atr_d import ATR_D
from meseta.strategies._kernel import KernelStrategy
from meseta.strategies._kernels import KERNELS
from meseta.strategies._own import StrategyError, check_name
from meseta.strategies._separable import SeparableStrategy

__all__ = [
    "GROUP",
    "Strategy",
    "broken_strategies",
    "find_separable",
    "find_strategy",
    "strategies",
]

Strategy: TypeAlias = SeparableStrategy | KernelStrategy

# Entry points of this group are strategies of installed packages.
GROUP = "meseta.strategies"

_EVERY: tuple[Strategy, ...] = (*ATR_D, *KERNELS)
_OWN = {each.name: each for each in _EVERY}
_SOUGHT = Sought("strategy", "strategies", Strategy)


def strategies() -> dict[str, Strategy]:
    """Return every strategy by its name: the product's, then those of installed packages.

    Packages whose strategy cannot be loaded are left out; `broken_strategies` names them.
    """
    return _OWN | _installed()[0]


def broken_strategies() -> dict[str, str]:
    """Return why strategies of installed packages cannot be used, by their names."""
    return _installed()[1]


def find_strategy(name: str) -> Strategy:
    """Return the strategy called `name`.

    Parameters
    ----------
    name
        Name of a strategy, or ``path/to/file.py:Name`` for one of a file: the variable that
        holds it, or its own name. ``path/to/file.py`` is enough when the file has one. The file
        is read again when it has changed.

    Raises
    ------
    ArgumentError
        There is none of that name, or its file or package cannot be loaded.
    """
    if name in _OWN:
        return _OWN[name]
    path, wanted = split(name)
    if path:
        return _in_file(name, path, wanted)
    found, broken = _installed()
    if name in broken:
        raise StrategyError(broken[name])
    if name not in found:
        known = [*_OWN, *found]
        hint = did_you_mean(name, [*known, *broken])
        raise ArgumentError(
            f"`strategy` must be one of {', '.join(known)}, or path/to/file.py:Name, "
            f"got {name!r}{hint}"
        )
    return found[name]


def find_separable(name: str) -> SeparableStrategy:
    """Return the separable strategy called `name`, as `find_strategy`.

    Raises
    ------
    ArgumentError
        There is none, or it is a kernel strategy, which has no tables to search.
    """
    found = find_strategy(name)
    if isinstance(found, SeparableStrategy):
        return found
    raise ArgumentError(
        f"`strategy` {found.name!r} is a kernel strategy, a loop over bars; the search over "
        "phases takes strategies whose entries and exits are separable. Walk it forward with "
        "`meseta walkforward`, or trade one parameter set with `meseta backtest`"
    )


# Installed packages --------------------------------------------------------------------------


def _installed() -> tuple[dict[str, Strategy], dict[str, str]]:
    """Return the strategies of installed packages, and why others are none."""
    found: dict[str, Strategy] = {}
    broken: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        try:
            strategy = _loaded(point, {*_OWN, *found})
        except Exception as error:
            broken[point.name] = (
                f"strategy `{point.name}` of package {_package(point)} cannot be used "
                f"({point.value}): {said(error)}"
            )
        else:
            found[strategy.name] = strategy
    return found, broken


def _loaded(point: EntryPoint, taken: set[str]) -> Strategy:
    strategy = point.load()
    if not isinstance(strategy, Strategy):
        raise StrategyError(f"it is {kind_of(strategy)}, no strategy")
    if check_name(strategy.name) != point.name:
        raise StrategyError(f"it calls itself `{strategy.name}`")
    if point.name in taken:
        raise StrategyError(f"another strategy is called `{point.name}`")
    file = getattr(sys.modules.get(point.module), "__file__", None)
    _sign(strategy, Path(file).read_bytes() if file else point.value.encode())
    return strategy


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


# A user's file -------------------------------------------------------------------------------


def _in_file(name: str, path: str, wanted: str) -> Strategy:
    held = _strategies_in(*read_file("strategy", name, path))
    strategy: Strategy = _SOUGHT.choose(path, wanted, held, _SOUGHT.own(held, _EVERY))
    return strategy


@lru_cache(maxsize=32)
def _strategies_in(path: str, content: bytes) -> dict[str, Any]:
    """Run a file once for each content; return what its variables hold, strategies signed."""
    held = run_file(path, content, "strategy", StrategyError)
    for strategy in _SOUGHT.own(held, _EVERY).values():
        check_name(strategy.name)
        if strategy.name in _OWN:
            raise StrategyError(
                f"{path}: `{strategy.name}` is the name of one of the product's strategies; "
                "choose another"
            )
        _sign(strategy, content)
    return held


def _sign(strategy: Strategy, content: bytes) -> None:
    """Note what a strategy was made from; the first that loads it knows best."""
    if not strategy.source:  # frozen strategies are signed too
        object.__setattr__(strategy, "source", hashlib.sha256(content).hexdigest())
