"""Making a failing example as small as it gets: shorter series, then simpler parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meseta.account import Account
from meseta.engine import Window
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.bars import Bars
    from meseta.checking._checks import Find, S
    from meseta.checking._compare import Difference
    from meseta.checking._examples import Example
    from meseta.strategies import Parameter, Strategy

__all__ = ["shrink"]

# Examples tried at most.
_TRIES = 600
_FEWEST = 4


def shrink(
    strategy: S, find: Find[S], example: Example, found: Difference
) -> tuple[Example, Difference]:
    """Return the smallest example that breaks the same promise, and how it does.

    Greedy: the first simpler example that still fails is taken, until none does.
    """
    left = _TRIES
    while left > 0:
        for simpler in _simpler(strategy, example):
            left -= 1
            still = _fails(strategy, find, simpler)
            if still is not None:
                example, found = simpler, still
                break
            if left <= 0:
                break
        else:
            break
    return example, found


def _fails(strategy: S, find: Find[S], example: Example) -> Difference | None:
    """Return how an example fails; one that is refused is another failure, so none."""
    try:
        return find(strategy, example)
    except ArgumentError:
        return None


def _simpler(strategy: Strategy, example: Example) -> Iterator[Example]:
    yield from _plainer(example)
    yield from _shorter(example)
    for parameter in strategy.parameters:
        for value in _smaller(parameter, example.values[parameter.name]):
            yield replace(example, values=example.values | {parameter.name: value})


def _plainer(example: Example) -> Iterator[Example]:
    """Yield it without costs, without warm-up, and over all bars."""
    many = len(example.bars)
    account = Account(capital=example.account.capital)
    whole = Window(0, many // 2, many)
    plain = {"account": account, "contract": None, "warmup": 0, "window": whole}
    for name, value in plain.items():
        if getattr(example, name) != value:
            yield replace(example, **{name: value})  # type: ignore[arg-type]


def _shorter(example: Example) -> Iterator[Example]:
    """Yield it without bars at the end, then without bars at the start."""
    many = len(example.bars)
    drops = sorted({many // 2, many // 4, many // 8, many // 16, 4, 1}, reverse=True)
    for drop in drops:
        if 0 < drop <= many - _FEWEST:
            yield _on(example, example.bars.slice(0, many - drop), 0)
    for drop in drops:
        if 0 < drop <= many - _FEWEST:
            yield _on(example, example.bars.slice(drop, many), drop)
    if example.cut < many - 1:
        yield replace(example, cut=many - 1)


def _on(example: Example, bars: Bars, shift: int) -> Example:
    """Return the example on a part of its bars, its window and cut moved to fit."""
    many = len(bars)
    start = min(max(example.window.start - shift, 0), many - 3)
    split = min(max(example.window.split - shift, start + 1), many - 2)
    stop = min(max(example.window.stop - shift, split + 1), many)
    cut = min(max(example.cut - shift, 1), many - 1)
    return replace(example, bars=bars, window=Window(start, split, stop), cut=cut)


def _smaller(parameter: Parameter, value: float) -> Iterator[float]:
    """Yield simpler values: the least, one half way to it, one less, whole numbers."""
    low = parameter.low
    tried: tuple[float, ...] = (low, 1.0, float(round(value)), round(value, 1))
    if parameter.whole:
        tried = (int(low), int(low + value) // 2, int(value) - 1)
    for each in dict.fromkeys(tried):
        if parameter.low <= each <= parameter.high and _rank(parameter, each) < _rank(
            parameter, value
        ):
            yield parameter.check(each)


def _rank(parameter: Parameter, value: float) -> tuple[int, float]:
    """Return how simple a value is: few digits, then small."""
    return (0 if parameter.whole else len(repr(float(value)))), abs(value)
