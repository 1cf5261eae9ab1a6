"""What a kernel strategy orders at every close, as text that can be compared and read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.account import Contract
from meseta.engine._reference import Change, Resting, Walk
from meseta.engine._reference_kernel import KernelDecider
from meseta.strategies import LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from meseta.bars import Bars
    from meseta.checking._examples import Example
    from meseta.engine._reference import Entry
    from meseta.strategies import KernelStrategy
    from meseta.strategies._kernel import Prepared

__all__ = ["kernel_decisions"]

_ENTERS = {LONG: "buy", SHORT: "short"}


def kernel_decisions(
    strategy: KernelStrategy, example: Example, upto: int, later: float | None = None
) -> dict[str, NDArray[Any]]:
    """Return the series and what is ordered at every close, the series first, to be blamed first.

    The strategy knows the first `upto` bars alone and decides at their closes; fills come from
    all bars, so that what it holds at a close does not depend on how much it knows. With `later`
    it is told of the other bars too, but of `later` times their prices.

    Raises
    ------
    StrategyError
        A function of the strategy raises.
    """
    bars = example.bars
    known = bars.slice(0, upto) if later is None else _otherwise(bars, upto, later)
    prepared = strategy.prepare(known, example.values)
    listener = _Listener(KernelDecider(strategy, prepared, example.warmup), upto)
    contract = example.contract or Contract()
    changes = [Change(example.window.start, listener)]
    Walk(bars, changes, example.window, example.account, contract).run()
    orders = {f"function `{strategy.decide.name}`": np.array(listener.told)}
    return {name: each[:upto] for name, each in _series(strategy, prepared).items()} | orders


def _otherwise(bars: Bars, upto: int, times: float) -> Bars:
    """Return bars with other prices from `upto` on."""
    factor = np.where(np.arange(len(bars)) < upto, 1.0, times)
    columns = {name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")}
    return replace(bars, **columns)


def _series(strategy: KernelStrategy, prepared: Prepared) -> dict[str, NDArray[Any]]:
    if strategy.series is None:
        return {}
    name, made = f"function `{strategy.series.name}`", prepared.series
    if not isinstance(made, tuple):
        return {name: made}
    return {f"{name}, its array {k}": each for k, each in enumerate(made, 1)}


class _Listener:
    """Decides as another does, up to the last bar that is known, and writes it down."""

    def __init__(self, decider: KernelDecider, known: int) -> None:
        self.decider = decider
        self.told = [""] * known

    def decide(self, walk: Walk, t: int) -> None:
        if t < len(self.told):
            self.decider.decide(walk, t)
            self.told[t] = "; ".join(_told(walk)) or "nothing"


def _told(walk: Walk) -> Iterator[str]:
    orders = walk.orders
    for entry in orders.entries.values():
        yield _entry(entry)
    if orders.leaves:
        yield "leave at the open"
    if isinstance(orders.stop, Resting):
        yield f"stop at {orders.stop.level!r}"
    for direction, level in orders.targets.items():
        yield f"target of a {'long' if direction == LONG else 'short'} at {level!r}"
    for slot in np.flatnonzero(walk.memory):
        yield f"remembers {float(walk.memory[slot])!r} in slot {slot}"


def _entry(entry: Entry) -> str:
    where = "at the open" if entry.kind == "market" else f"at {entry.level!r} ({entry.kind})"
    guard = f" with a stop at {entry.guard.level!r}" if isinstance(entry.guard, Resting) else ""
    return f"{_ENTERS[entry.direction]} {entry.shares!r} {where}{guard}"
