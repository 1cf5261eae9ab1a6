"""Running the contract: each promise on many examples, the smallest one that breaks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from meseta.checking._checks import (
    carries_on,
    computes,
    engines_agree,
    no_look_ahead,
    repeats,
    simulated,
)
from meseta.checking._examples import examples_of
from meseta.checking._history import forgets, history_examples
from meseta.checking._shrink import shrink
from meseta.checking._tables import tables_agree
from meseta.errors import ArgumentError
from meseta.strategies import LONG, KernelStrategy, RuleStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.bars import Bars
    from meseta.checking._checks import Find, S
    from meseta.checking._compare import Difference
    from meseta.checking._examples import Example
    from meseta.strategies import SeparableStrategy, Strategy
    from meseta.strategies._separable import Values

__all__ = ["Failure", "Finding", "check_strategy"]

Status = Literal["pass", "fail", "warning", "skipped"]

# Searches of a small grid, and examples for the look-back, for each hundred examples.
_GRIDS, _HISTORIES = 6, 40


@dataclass(frozen=True, slots=True)
class Failure:
    """The smallest example found that breaks a promise.

    Parameters
    ----------
    what
        Sentence.
    values
        Parameter values; None where they do not matter.
    bars
        The series; None where it does not matter.
    bar
        Bar that it is about; None for none.
    seen
        The two values that differ, each with what it is.
    """

    what: str
    values: Values | None = None
    bars: Bars | None = None
    bar: int | None = None
    seen: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise, and whether it was kept.

    Parameters
    ----------
    title
        The promise in a few words.
    status
        ``"pass"``, ``"fail"``, ``"warning"`` or ``"skipped"``.
    detail
        On how many examples, or what the warning says.
    failure
        For ``"fail"``.
    """

    title: str
    status: Status
    detail: str
    failure: Failure | None = None


def check_strategy(
    strategy: Strategy, *, examples: int = 100, seed: int = 0, bars: Bars | None = None
) -> Iterator[Finding]:
    """Check what every engine and search relies on, promise by promise.

    Parameters
    ----------
    strategy
        Any strategy.
    examples
        Random back-tests for each promise.
    seed
        Of everything that is drawn at random; the same seed draws the same examples.
    bars
        Pieces of this series are used beside random markets, for every other example.

    Yields
    ------
    Finding
        In the order in which they are checked. When the rules or functions cannot be run at all,
        or not twice alike, nothing else is checked. How much history is read and whether the
        search agrees is asked of separable strategies, whether the same parameters carry on of
        kernel strategies.

    Raises
    ------
    ArgumentError
        `examples` is not positive, or the strategy cannot be run on `bars`.
    """
    if examples < 1:
        raise ArgumentError(f"`examples` must be at least 1, got {examples}")
    if bars is not None:
        strategy.require(bars)
        if len(bars) < 30:
            raise ArgumentError(f"`bars` must have at least 30 bars, got {len(bars)}")
    given = list(examples_of(strategy, examples, seed, bars))
    kernel = isinstance(strategy, KernelStrategy)
    runs = "functions give orders" if kernel else "rules give values"
    first = _checked(strategy, runs, computes, given)
    yield first
    if first.status == "fail":
        return
    second = _checked(strategy, "the same again", repeats, given)
    yield second
    if second.status == "fail":
        return
    yield _checked(strategy, "no look-ahead", no_look_ahead, given)
    yield _checked(strategy, "both engines agree", engines_agree, given)
    if isinstance(strategy, KernelStrategy):
        yield _checked(strategy, "the same parameters carry on", carries_on, given)
    else:
        yield _histories(strategy, max(1, examples * _HISTORIES // 100), seed)
        yield _searches(strategy, max(1, examples * _GRIDS // 100), seed)
    yield _trades(strategy, given)
    if isinstance(strategy, RuleStrategy) and strategy.shorts:
        yield _mirrored(strategy, given)


def _checked(strategy: S, title: str, find: Find[S], examples: list[Example]) -> Finding:
    for number, example in enumerate(examples, 1):
        found = find(strategy, example)
        if found is not None:
            return Finding(
                title,
                "fail",
                f"example {number} of {len(examples)}",
                _failure(strategy, find, example, found),
            )
    many = len(examples)
    return Finding(title, "pass", f"{many} example{'s' * (many > 1)}")


def _failure(strategy: S, find: Find[S], example: Example, found: Difference) -> Failure:
    """Return the smallest example of a failure."""
    if found.anywhere:
        return Failure(found.what)
    small, found = shrink(strategy, find, example, found)
    return Failure(found.what, small.values, small.bars, found.bar, found.values)


def _histories(strategy: SeparableStrategy, count: int, seed: int) -> Finding:
    title = "no more history than declared"
    examples = list(history_examples(strategy, count, seed))
    if not examples:
        return Finding(title, "skipped", "look_back is not declared: not checked")
    return _checked(strategy, title, forgets, examples)


def _searches(strategy: SeparableStrategy, count: int, seed: int) -> Finding:
    title = "search and back-test agree"
    for number in range(count):
        found = tables_agree(strategy, seed, number)
        if found is not None:
            wrong, values = found
            failure = Failure(wrong.what, values, seen=wrong.values)
            return Finding(title, "fail", f"grid {number + 1} of {count}", failure)
    return Finding(title, "pass", f"{count} grid{'s' * (count > 1)}")


def _trades(strategy: Strategy, examples: list[Example]) -> Finding:
    """Tell whether anything trades: on nothing, every promise is kept."""
    made = [simulated(strategy, example).trades for example in examples]
    traded = sum(bool(trades) for trades in made)
    longs = sum(trade.dir == LONG for trades in made for trade in trades)
    shorts = sum(map(len, made)) - longs
    detail = f"{traded} of {len(made)} examples, {longs:,} longs, {shorts:,} shorts"
    if not traded:
        detail = "no example trades: the checks above say little; are the rules right?"
    elif strategy.shorts and not (longs and shorts):
        detail += ": one direction never trades"
    elif shorts and not strategy.shorts:
        detail += ": it sells short although it is declared with shorts=False"
    else:
        return Finding("it trades", "pass", detail)
    return Finding("it trades", "warning", detail)


def _mirrored(strategy: RuleStrategy, examples: list[Example]) -> Finding:
    """Tell whether rules mean the same when every price is negative."""
    for role in ("enter", "stop"):
        shares = [_above_close(strategy, role, side, examples) for side in (0, 1)]
        if role in strategy.parts and abs(shares[0] - shares[1]) > 0.9:
            return Finding(
                "shorts mirror longs",
                "warning",
                f"rule `{strategy.parts[role].name}` lies above the close at "
                f"{shares[0]:.0%} of the closes for longs and {shares[1]:.0%} for shorts, whose "
                "prices are negative: take percentages of np.abs(price)",
            )
    return Finding("shorts mirror longs", "pass", f"{len(examples)} examples")


def _above_close(strategy: RuleStrategy, role: str, side: int, examples: list[Example]) -> float:
    """Return at which share of the closes a rule's price lies above them."""
    if role not in strategy.parts:
        return 0.0
    above = []
    for example in examples:
        study = strategy.study(example.bars)
        price = study.values(role, side, example.values)
        known = np.isfinite(price)
        above.append((price > study.markets[side].close)[known])
    every = np.concatenate(above)
    return float(every.mean()) if every.size else 0.0
