"""Strategies by name: the product's, installed packages', and a user's own file."""

from __future__ import annotations

import hashlib
import linecache
import sys
import traceback
import types
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from meseta._near import did_you_mean
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
_numbers = count()


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
    path, wanted = _split(name)
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


def _split(name: str) -> tuple[str, str]:
    """Return path and name of a strategy in a file, or two empty texts."""
    if name.endswith(".py"):
        return name, ""
    path, _, wanted = name.rpartition(":")
    return (path, wanted) if path.endswith(".py") else ("", "")


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
                f"({point.value}): {_said(error)}"
            )
        else:
            found[strategy.name] = strategy
    return found, broken


def _loaded(point: EntryPoint, taken: set[str]) -> Strategy:
    strategy = point.load()
    if not isinstance(strategy, Strategy):
        raise StrategyError(f"it is {_kind(strategy)}, no strategy")
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
    file = Path(path).expanduser()
    if not file.is_file():
        raise ArgumentError(f"`strategy` {name!r}: there is no file {file.absolute()}")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ArgumentError(f"`strategy` {name!r}: cannot read {file}: {error}") from error
    held = _strategies_in(str(file.resolve()), content)
    return _chosen(path, wanted, held)


@lru_cache(maxsize=32)
def _strategies_in(path: str, content: bytes) -> dict[str, Any]:
    """Run a file once for each content; return what its variables hold, strategies signed."""
    module = types.ModuleType(f"meseta_strategy_file_{next(_numbers)}")
    module.__file__ = path
    linecache.checkcache(path)
    # Dataclasses look their module up while they are made; afterwards nobody does.
    sys.modules[module.__name__] = module
    try:
        exec(compile(content, path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise StrategyError(_why_not_run(path, error)) from error
    finally:
        del sys.modules[module.__name__]
    held = {key: value for key, value in vars(module).items() if not key.startswith("__")}
    for strategy in _own_of(held).values():
        check_name(strategy.name)
        if strategy.name in _OWN:
            raise StrategyError(
                f"{path}: `{strategy.name}` is the name of one of the product's strategies; "
                "choose another"
            )
        _sign(strategy, content)
    return held


def _own_of(held: dict[str, Any]) -> dict[str, Strategy]:
    """Return the strategies that a file made, by variable."""
    seen = {id(strategy) for strategy in _OWN.values()}
    own: dict[str, Strategy] = {}
    for name, value in held.items():
        if isinstance(value, Strategy) and id(value) not in seen:
            seen.add(id(value))
            own[name] = value
    return own


def _chosen(path: str, wanted: str, held: dict[str, Any]) -> Strategy:
    """Return the strategy of a file that is meant."""
    own = _own_of(held)
    names = sorted({strategy.name for strategy in own.values()})
    listed = ", ".join(names) or "none"
    if not wanted:
        if len(own) == 1:
            return next(iter(own.values()))
        raise ArgumentError(
            f"`strategy`: {path} has {len(own) or 'no'} strategies ({listed}); "
            f"name one, such as {path}:{names[0] if names else 'Name'}"
        )
    meant = held.get(wanted)
    if isinstance(meant, Strategy):
        return meant
    called = [strategy for strategy in own.values() if strategy.name == wanted]
    if len(called) == 1:
        return called[0]
    if called:
        raise ArgumentError(
            f"`strategy`: {path} has {len(called)} strategies called {wanted!r}; "
            f"say which variable: {', '.join(own)}"
        )
    if wanted in held:
        hint = f"; make one: {wanted}()" if isinstance(held[wanted], type) else ""
        raise ArgumentError(
            f"`strategy`: {wanted} in {path} is {_kind(held[wanted])}, no strategy{hint} "
            f"(the file's strategies: {listed})"
        )
    raise ArgumentError(
        f"`strategy`: {path} has no {wanted!r}{did_you_mean(wanted, [*own, *names])} "
        f"(the file's strategies: {listed})"
    )


def _why_not_run(path: str, error: BaseException) -> str:
    """Return what is wrong with a file, with the line of it."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    where = f"{path}:{lines[-1]}" if lines else path
    hint = ""
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = "; a strategy's file stands alone or imports installed packages"
    return f"{where}: {_said(error)}{hint}"


def _said(error: BaseException) -> str:
    own = isinstance(error, ArgumentError)
    return str(error) if own else f"{type(error).__name__}: {error}"


def _kind(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__


def _sign(strategy: Strategy, content: bytes) -> None:
    """Note what a strategy was made from; the first that loads it knows best."""
    if not strategy.source:  # frozen strategies are signed too
        object.__setattr__(strategy, "source", hashlib.sha256(content).hexdigest())
