"""Everything that a parameter combination decides, as named arrays, and where two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta.checking._orders import kernel_decisions
from meseta.strategies import KernelStrategy, RuleStrategy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta._types import BoolArray
    from meseta.checking._examples import Example
    from meseta.strategies import Orders, Protection, Rules, SeparableStrategy, Strategy

__all__ = ["Difference", "decisions", "first_difference"]

Decisions = dict[str, "NDArray[Any]"]


class Difference(NamedTuple):
    """Where something is not what it must be.

    Parameters
    ----------
    what
        A sentence for the user.
    bar
        The bar that it is about; None for none.
    values
        The two values, each with what it is.
    anywhere
        It is so on every market, so no example is needed.
    """

    what: str
    bar: int | None = None
    values: tuple[tuple[str, str], ...] = ()
    anywhere: bool = False


class Unequal(NamedTuple):
    """The first place in which two sets of decisions differ."""

    name: str
    bar: int
    one: object
    other: object

    @property
    def what(self) -> str:
        """The value that differs, and its bar."""
        noun = "what it orders" if isinstance(self.one, str) else "its value"
        return f"{self.name}: {noun} at bar {self.bar}"

    def pair(self, one: str, other: str) -> tuple[tuple[str, str], ...]:
        """Return the two values, each with what it is called."""
        told = [v if isinstance(v, str) else repr(v) for v in (self.one, self.other)]
        return (one, told[0]), (other, told[1])


def decisions(strategy: Strategy, example: Example, upto: int | None = None) -> Decisions:
    """Return what a strategy decides at every close when it knows the first `upto` bars (all).

    Raises
    ------
    ArgumentError
        A function of the strategy raises.
    """
    upto = len(example.bars) if upto is None else upto
    if isinstance(strategy, KernelStrategy):
        return kernel_decisions(strategy, example, upto)
    return _rule_decisions(strategy, example, upto)


def _rule_decisions(strategy: SeparableStrategy, example: Example, upto: int) -> Decisions:
    """Return what every rule says, the rules of a user first, so that they are the ones blamed."""
    made: Decisions = {}
    bars, values = example.bars.slice(0, upto), example.values
    if isinstance(strategy, RuleStrategy):
        p, study = strategy.check(bars, values), strategy.study(bars)
        for side in range(len(study.markets)):
            for role, part in strategy.parts.items():
                below = ", called for shorts," if side else ""
                made[f"rule `{part.name}`{below}"] = study.values(role, side, p)
    return made | _named(strategy.rules(bars, values, example.warmup))


def _named(rules: Rules) -> Decisions:
    """Return the arrays of rules by names that mean something in a message."""
    made: Decisions = {}
    modes = ("", " after a stopped-out long", " after a stopped-out short")
    for orders, mode in zip(rules.orders, modes, strict=False):
        made |= _of_orders(orders, mode)
    made |= _of_protection(rules.long, "long")
    if rules.short is not None:
        made |= _of_protection(rules.short, "short")
    made |= {"tightening": rules.tightening, "clears": rules.clears}
    leaves = {"leave_long": rules.leave_long, "leave_short": rules.leave_short}
    return made | {name: each for name, each in leaves.items() if each is not None}


def _of_orders(orders: Orders, mode: str) -> Decisions:
    return {f"orders' {name}{mode}": each for name, each in orders._asdict().items()}


def _of_protection(guard: Protection, side: str) -> Decisions:
    return {f"stop of a {side}": guard.stop, f"shield of a {side}": guard.shield}


def first_difference(
    one: Decisions, other: Decisions, *, near: NDArray[np.float64] | None = None
) -> Unequal | None:
    """Return the first array that differs, and the first bar in it.

    Parameters
    ----------
    one, other
        Arrays of the same names and lengths.
    near
        Differences up to 1e-9 of the values or of these prices are none; None compares exactly.
    """
    for name, left in one.items():
        right = other[name]
        unequal = np.flatnonzero(~_equal(name, left, right, near))
        if unequal.size:
            bar = int(unequal[0])
            return Unequal(name, bar, left[bar].item(), right[bar].item())
    return None


def _equal(
    name: str, left: NDArray[Any], right: NDArray[Any], near: NDArray[np.float64] | None
) -> BoolArray:
    equal: BoolArray = np.equal(left, right)
    if left.dtype.kind != "f":
        return equal
    equal |= np.isnan(left) & np.isnan(right)
    if near is None:
        return equal
    scale = np.maximum(np.abs(left), np.abs(right))
    scale = scale if name == "tightening" else np.maximum(scale, np.abs(near))
    with np.errstate(invalid="ignore"):
        close: BoolArray = np.abs(left - right) <= 1e-9 * scale
    return equal | close
