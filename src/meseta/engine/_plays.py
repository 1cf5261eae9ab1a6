"""Parameter sets at work: what the compiled loop and the reference engine run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.engine._reference_kernel import KernelDecider
from meseta.engine._reference_rules import RulesDecider
from meseta.engine._segments import RuleArrays, kernel_segment, rules_segment
from meseta.errors import ArgumentError
from meseta.strategies import SeparableStrategy
from meseta.strategies._book import BAR
from meseta.strategies._kernel import NOT_COMPILED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from meseta._types import FloatArray
    from meseta.bars import Bars
    from meseta.engine._reference import Decider
    from meseta.engine._schedule import Course, Play
    from meseta.engine._segments import Tape
    from meseta.strategies import KernelStrategy, Market, Rules, Strategy

__all__ = ["KernelPlay", "RulesPlay", "play_of", "require_tables"]


def play_of(
    strategy: Strategy,
    bars: Bars,
    values: Mapping[str, Any],
    warmup: int,
    market: Market | None = None,
) -> Play:
    """Return one parameter set of any strategy, ready to be simulated.

    Parameters
    ----------
    strategy, bars, values
        What is traded, on the whole series, and a value for each parameter.
    warmup
        Bars from the start of the data on which nothing is decided.
    market
        `bars` as kernels see them, where they were made before.

    Raises
    ------
    ArgumentError
        A value is missing, unknown or illegal, or the series cannot be used.
    """
    if isinstance(strategy, SeparableStrategy):
        require_tables(strategy, bars)
        return RulesPlay(strategy.rules(bars, values, warmup))
    return KernelPlay(strategy, bars, values, warmup, market)


def require_tables(strategy: SeparableStrategy, bars: Bars) -> None:
    """Refuse a series on which a separable strategy's orders would be left out without a word.

    Raises
    ------
    ArgumentError
        A price is not positive.
    """
    least = float(min(bars.low.min(), bars.close.min()))
    if least <= 0:
        raise ArgumentError(
            f"`{bars.name}` has prices of zero or less (down to {least:g}), and `{strategy.name}` "
            "is a separable strategy, which trades positive prices alone; trade it with a kernel "
            "strategy and a fixed number of contracts (such as xbar with --contracts 1, see "
            "docs/write-a-strategy.md), or use a series that is not back-adjusted below zero"
        )


class RulesPlay:
    """One parameter set of a separable strategy."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.arrays = rules, RuleArrays.of(rules)

    def segment(
        self, book: FloatArray, course: Course, tape: Tape, begin: int, stop: int, *, resume: bool
    ) -> int:
        """Run bars in the compiled loop."""
        return rules_segment(
            book, course.market, course.rolls, begin, stop, resume, self.arrays, course.terms,
            tape,
        )  # fmt: skip

    def decider(self) -> Decider:
        """Return what decides in the reference engine."""
        return RulesDecider(self.rules)


class KernelPlay:
    """One parameter set of a kernel strategy."""

    def __init__(
        self,
        strategy: KernelStrategy,
        bars: Bars,
        values: Mapping[str, Any],
        warmup: int,
        market: Market | None = None,
    ) -> None:
        self.strategy, self.warmup = strategy, warmup
        self.prepared = strategy.prepare(bars, values, market)

    def segment(
        self, book: FloatArray, course: Course, tape: Tape, begin: int, stop: int, *, resume: bool
    ) -> int:
        """Run bars in the compiled loop.

        Raises
        ------
        StrategyError
            The strategy's function cannot be compiled, or raised.
        """
        strategy, made = self.strategy, self.prepared
        run = kernel_segment(strategy.decide.run, has_series=strategy.series is not None)
        try:
            return run(
                book, course.market, course.rolls, begin, stop, resume, made.series, made.values,
                self.warmup, course.terms, tape,
            )  # fmt: skip
        except NOT_COMPILED as error:
            raise strategy.not_compiled(strategy.decide, error) from error
        except Exception as error:
            raise strategy.raised(error, int(book[BAR])) from error

    def decider(self) -> Decider:
        """Return what decides in the reference engine."""
        return KernelDecider(self.strategy, self.prepared, self.warmup)
