"""The contract, one function for each promise: what breaks it in an example, or None."""

from __future__ import annotations

import math
import traceback
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from meseta.checking._compare import Difference, decisions, first_difference
from meseta.checking._orders import kernel_decisions
from meseta.engine import Trade, Window, backtest
from meseta.engine._plays import play_of
from meseta.engine._schedule import Switch, simulate_schedule
from meseta.errors import ArgumentError
from meseta.strategies import KernelStrategy
from meseta.strategies._own import RuleCompileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from meseta.checking._examples import Example
    from meseta.engine import Simulation
    from meseta.engine._backtest import Engine
    from meseta.strategies import SeparableStrategy, Strategy

__all__ = [
    "Find",
    "carries_on",
    "computes",
    "engines_agree",
    "no_look_ahead",
    "repeats",
    "simulated",
]

# Closes at which parameters change to the same ones, at most.
_CHANGES = 5
# What prices after the cut are multiplied by.
_LATER = (0.001, 1000.0)
_ROUNDING = 1e-9
_ALONE = "it may depend on bars and parameters alone, not on chance or on what was asked before"
_IN_PYTHON = (
    "the reference calls the function in plain Python, where whole numbers have no limit and "
    "NumPy adds a slice in another order than compiled code: take sums from `series`, or add in "
    "a loop"
)

S = TypeVar("S", bound="Strategy")
# What breaks a promise in an example, or None.
Find: TypeAlias = "Callable[[S, Example], Difference | None]"


def computes(strategy: Strategy, example: Example) -> Difference | None:
    """Find a function that cannot be run, or gives something of another kind."""
    try:
        if isinstance(strategy, KernelStrategy):
            simulated(strategy, example)
        decisions(strategy, example)
    except RuleCompileError as error:
        return Difference(str(error), anywhere=True)
    except ArgumentError as error:
        return Difference(str(error), getattr(error, "bar", None))
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}"
        return Difference(f"{frame.filename}:{frame.lineno}: `{frame.name}` raised {said}")
    return None


def repeats(strategy: Strategy, example: Example) -> Difference | None:
    """Find a value that another call with the same bars and parameters does not give."""
    names = ("first time", "second time")
    found = first_difference(decisions(strategy, example), decisions(strategy, example))
    if found is None:
        # Tables are made of the decisions, a loop over bars calls the strategy again.
        again = isinstance(strategy, KernelStrategy)
        run = _runs_differ(strategy, example, names, ("fast", "fast")) if again else None
        return run and run._replace(what=f"{run.what} when it is run twice; {_ALONE}")
    return Difference(
        f"{found.what} is another one when it is asked for twice; {_ALONE}",
        found.bar,
        found.pair(*names),
    )


def no_look_ahead(strategy: Strategy, example: Example) -> Difference | None:
    """Find a value or a closed trade before a cut that changes when the data are cut."""
    cut, whole = example.cut, decisions(strategy, example)
    try:
        part = decisions(strategy, example, cut)
    except ArgumentError as error:
        return Difference(
            f"{error}, when the bars after {cut - 1} are cut off and only then: it reads the "
            "future",
            getattr(error, "bar", None),
        )
    found = first_difference({name: each[:cut] for name, each in whole.items()}, part)
    if found is None:
        return _moved_otherwise(strategy, example) or _trades_move(strategy, example)
    return Difference(
        f"{found.what} changes when the bars after {cut - 1} are cut off: it reads the future",
        found.bar,
        found.pair("with all bars", f"bars up to {cut - 1}"),
    )


def _moved_otherwise(strategy: Strategy, example: Example) -> Difference | None:
    """Find what depends on later bars and is no value before the cut."""
    if isinstance(strategy, KernelStrategy):
        return _orders_move(strategy, example)
    return _first_moves(strategy, example)


def _orders_move(strategy: KernelStrategy, example: Example) -> Difference | None:
    """Find an order that depends on how high later prices are.

    A comparison with a later price has the same result on most markets. With prices far above
    and far below all others it has not.
    """
    one, other = (kernel_decisions(strategy, example, example.cut, by) for by in _LATER)
    found = first_difference(one, other)
    if found is None:
        return None
    return Difference(
        f"{found.what} changes with the prices after bar {example.cut - 1}: it reads the future "
        "(a negative index is counted from the end)",
        found.bar,
        found.pair(*(f"later prices times {by:g}" for by in _LATER)),
    )


def _first_moves(strategy: SeparableStrategy, example: Example) -> Difference | None:
    """Find a first signal bar that depends on later bars."""
    given, cut = (example.values, example.warmup), example.cut
    whole = strategy.rules(example.bars, *given).first
    part = strategy.rules(example.bars.slice(0, cut), *given).first
    if min(whole, cut) == min(part, cut):
        return None
    return Difference(
        f"the first bar that may signal is {whole} with all bars and {part} without those after "
        f"{cut - 1}: it reads the future",
        min(whole, part),
    )


def _trades_move(strategy: Strategy, example: Example) -> Difference | None:
    """Find a closed trade, or money at a close, that depends on later bars."""
    start, split, stop = example.window
    cut = min(example.cut, stop - 1)
    if cut < start + 2:
        return None
    short = Window(start, min(split, cut - 1), cut)
    whole = simulated(strategy, example)
    part = simulated(strategy, replace(example, bars=example.bars.slice(0, cut), window=short))
    names = ("with all bars", f"bars up to {cut - 1}")
    return _other_trade(
        tuple(trade for trade in whole.trades if trade.exit_bar < cut),
        tuple(trade for trade in part.trades if trade.reason != "end"),
        names,
    ) or _other_equity(whole, part, cut - 1 - start, names)


def engines_agree(strategy: Strategy, example: Example) -> Difference | None:
    """Find a trade or an equity that the engines do not share."""
    names: tuple[str, str] = ("reference engine", "fast engine")
    if not isinstance(strategy, KernelStrategy):
        return _runs_differ(strategy, example, names, ("reference", "fast"))
    found = _runs_differ(strategy, example, names, ("reference", "fast"), _ROUNDING)
    return found and found._replace(what=f"{found.what}; {_IN_PYTHON}")


def carries_on(strategy: Strategy, example: Example) -> Difference | None:
    """Find a trade that changes when the parameters change to the same ones on the way."""
    start, split, stop = example.window
    rng = np.random.default_rng([start, stop, example.cut])
    ats = {start, *rng.integers(start, stop, _CHANGES).tolist()}
    given = (strategy, example.bars, example.values, example.warmup)
    made = simulate_schedule(
        example.bars,
        [Switch(at, play_of(*given)) for at in sorted(ats)],
        stop,
        example.account,
        example.contract,
        split=split,
    ).made
    told = ", ".join(map(str, sorted(ats - {start}))) or "none"
    names = ("without a change", f"with changes at the closes of bars {told}")
    return _simulations_differ(simulated(strategy, example), made, names)


def simulated(strategy: Strategy, example: Example, engine: Engine = "fast") -> Simulation:
    """Trade an example."""
    return backtest(
        example.bars,
        strategy,
        example.values,
        example.window,
        example.account,
        warmup=example.warmup,
        engine=engine,
        contract=example.contract,
    )


def _runs_differ(
    strategy: Strategy,
    example: Example,
    names: tuple[str, str],
    engines: tuple[Engine, Engine],
    near: float = 0.0,
) -> Difference | None:
    one, other = (simulated(strategy, example, engine) for engine in engines)
    return _simulations_differ(one, other, names, near)


def _simulations_differ(
    one: Simulation, other: Simulation, names: tuple[str, str], near: float = 0.0
) -> Difference | None:
    """Return where two simulations of one window differ by more than `near` of a number."""
    found = _other_trade(one.trades, other.trades, names, near)
    return found or _other_equity(one, other, one.equity.size, names, near)


def _other_equity(
    one: Simulation, other: Simulation, upto: int, names: tuple[str, str], near: float = 0.0
) -> Difference | None:
    """Return the first of some closes at which the money differs."""
    left, right = one.equity[:upto], other.equity[:upto]
    scale = max((abs(trade.fill * trade.shares) for trade in one.trades), default=0.0)
    unequal = np.flatnonzero(np.abs(left - right) > near * (np.abs(left) + scale))
    if not unequal.size:
        return None
    at = int(unequal[0])
    told = (f"{made.equity[at]!r}" for made in (one, other))
    bar = one.window.start + at
    return Difference(
        f"the equity at bar {bar} differs", bar, tuple(zip(names, told, strict=True))
    )


def _other_trade(
    one: tuple[Trade, ...], other: tuple[Trade, ...], names: tuple[str, str], near: float = 0.0
) -> Difference | None:
    """Return the first trade that differs between two lists."""
    for k, (left, right) in enumerate(zip_longest(one, other)):
        known = left or right
        if known is not None and not _same(left, right, near):
            values = tuple(zip(names, map(_told, (left, right)), strict=True))
            return Difference(f"trade {k + 1} differs", known.entry_bar, values)
    return None


def _same(one: Trade | None, other: Trade | None, near: float) -> bool:
    """Tell whether two trades are the same up to rounding."""
    if one is None or other is None or near == 0.0:
        return one == other
    scale = near * abs(one.fill * one.shares)
    fields: list[tuple[Any, Any]] = list(zip(one, other, strict=True))
    return all(
        a == b or (isinstance(a, float) and math.isclose(a, b, rel_tol=near, abs_tol=scale))
        for a, b in fields
    )


def _told(trade: Any) -> str:
    if trade is None:
        return "no trade"
    way = "buys" if trade.dir > 0 else "sells short"
    return (
        f"{way} {trade.shares:g} on bar {trade.entry_bar} at {trade.fill!r}, "
        f"out on bar {trade.exit_bar} at {trade.exit!r} ({trade.reason}), profit {trade.pnl!r}"
    )
