"""The contract, one function for each promise: what breaks it in an example, or None."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from meseta.checking._compare import Difference, decisions, first_difference
from meseta.engine import Trade, Window, backtest
from meseta.errors import ArgumentError
from meseta.strategies._own import RuleCompileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from meseta.checking._examples import Example
    from meseta.engine import Simulation
    from meseta.engine._backtest import Engine
    from meseta.strategies import SeparableStrategy as Strategy

__all__ = ["Find", "computes", "engines_agree", "no_look_ahead", "repeats", "simulated"]

# What breaks a promise in an example, or None.
Find: TypeAlias = "Callable[[Strategy, Example], Difference | None]"


def computes(strategy: Strategy, example: Example) -> Difference | None:
    """Find a rule that gives no values, or values of another kind."""
    try:
        strategy.rules(example.bars, example.values, example.warmup)
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
    given = strategy, example.bars, example.values, example.warmup
    found = first_difference(decisions(*given), decisions(*given))
    if found is None:
        return None
    return Difference(
        f"{found.name}: its value at bar {found.bar} is another one when it is asked for twice; "
        "it may depend on bars and parameters alone, not on chance or on what was asked before",
        found.bar,
        (("first time", f"{found.one!r}"), ("second time", f"{found.other!r}")),
    )


def no_look_ahead(strategy: Strategy, example: Example) -> Difference | None:
    """Find a value or a closed trade before a cut that changes when the data are cut."""
    whole = decisions(strategy, example.bars, example.values, example.warmup)
    cut = example.cut
    part = decisions(strategy, example.bars.slice(0, cut), example.values, example.warmup)
    found = first_difference({name: each[:cut] for name, each in whole.items()}, part)
    if found is None:
        return _first_moves(strategy, example) or _trades_move(strategy, example)
    return Difference(
        f"{found.name}: its value at bar {found.bar} changes when the bars after {cut - 1} are "
        "cut off: it reads the future",
        found.bar,
        (("with all bars", f"{found.one!r}"), (f"bars up to {cut - 1}", f"{found.other!r}")),
    )


def _first_moves(strategy: Strategy, example: Example) -> Difference | None:
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
    """Find a closed trade that depends on later bars."""
    start, split, stop = example.window
    cut = min(example.cut, stop - 1)
    if cut < start + 2:
        return None
    short = Window(start, min(split, cut - 1), cut)
    whole = simulated(strategy, example)
    part = backtest(
        example.bars.slice(0, cut),
        strategy,
        example.values,
        short,
        example.account,
        warmup=example.warmup,
    )
    return _other_trade(
        tuple(trade for trade in whole.trades if trade.exit_bar < cut),
        tuple(trade for trade in part.trades if trade.reason != "end"),
        ("with all bars", f"bars up to {cut - 1}"),
    )


def engines_agree(strategy: Strategy, example: Example) -> Difference | None:
    """Find a trade or an equity that the engines do not share."""
    slow, fast = (simulated(strategy, example, engine) for engine in ("reference", "fast"))
    names = ("reference engine", "fast engine")
    found = _other_trade(slow.trades, fast.trades, names)
    if found is not None:
        return found
    unequal = np.flatnonzero(slow.equity != fast.equity)
    if not unequal.size:
        return None
    at = int(unequal[0])
    values = tuple(
        (name, f"{made.equity[at]!r}") for name, made in zip(names, (slow, fast), strict=True)
    )
    bar = example.window.start + at
    return Difference(f"the engines' equity differs at bar {bar}", bar, values)


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
    )


def _other_trade(
    one: tuple[Trade, ...], other: tuple[Trade, ...], names: tuple[str, str]
) -> Difference | None:
    """Return the first trade that differs between two lists."""
    for k in range(max(len(one), len(other))):
        pair = [trades[k] if k < len(trades) else None for trades in (one, other)]
        if pair[0] != pair[1]:
            known = next(trade for trade in pair if trade is not None)
            values = tuple(zip(names, map(_told, pair), strict=True))
            return Difference(f"trade {k + 1} differs", known.entry_bar, values)
    return None


def _told(trade: Any) -> str:
    if trade is None:
        return "no trade"
    way = "buys" if trade.dir > 0 else "sells short"
    return (
        f"{way} {trade.shares:g} on bar {trade.entry_bar} at {trade.fill!r}, "
        f"out on bar {trade.exit_bar} at {trade.exit!r} ({trade.reason}), profit {trade.pnl!r}"
    )
