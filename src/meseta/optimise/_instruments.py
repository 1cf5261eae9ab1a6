"""Several instruments at once: one parameter set has to do for all of them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from meseta._own_file import split
from meseta.errors import ArgumentError
from meseta.optimise._aggregates import AGGREGATES, OwnAggregate, find_aggregate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray, TimeArray
    from meseta.bayes import Evaluator, Metrics, Params, Problem
    from meseta.optimise._aggregates import Aggregate
    from meseta.walkforward import RollingWindow

__all__ = ["InstrumentsEvaluator", "InstrumentsProblem"]


@dataclass(frozen=True, eq=False, kw_only=True)
class InstrumentsProblem:
    """One strategy on several instruments; a `meseta.bayes.Problem`.

    Each instrument is traded alone with its own capital. What is put together is its figures, not
    its score: objective and constraints then read one and the same set, a study stores it as it
    stores that of one instrument, and scores can be found again from it under other bounds.

    Rows are those of the instruments' times together, and the span is the period that all have in
    common.

    Parameters
    ----------
    problems
        The instruments, one or more, over the same strategy.
    aggregate
        ``"mean"``, the average instrument; ``"worst"``, each figure's worst, so that every
        instrument alone meets the constraints; or ``path/to/file.py:name``, a function that
        takes a sequence of `Metrics` and returns one.
    span
        First row of `time` and the row after the last; None for the common period.

    Raises
    ------
    ArgumentError
        There is no instrument, the aggregate is unknown, or the instruments have no period in
        common.
    """

    problems: tuple[Problem, ...]
    aggregate: str = "mean"
    span: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if not self.problems:
            raise ArgumentError("`problems` must have at least one instrument, got none")
        if self.aggregate not in AGGREGATES and split(self.aggregate)[0]:
            # Another process may run in another folder.
            object.__setattr__(self, "aggregate", os.path.abspath(self.aggregate))  # noqa: PTH100
        _ = self.combine
        span = self._common() if self.span == (0, 0) else self.span
        object.__setattr__(self, "span", span)
        if span[1] - span[0] < 1:
            names = ", ".join(problem.name for problem in self.problems)
            raise ArgumentError(
                f"instruments must have a period in common, {names} have none; choose dates "
                "(--start, --end) or files that overlap"
            )
        object.__setattr__(self, "problems", self._moved(span, None))

    def __getstate__(self) -> dict[str, Any]:
        # A function of a user's file is read again.
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @cached_property
    def combine(self) -> Aggregate:
        """What makes one set of figures from those of each instrument."""
        return find_aggregate(self.aggregate)

    @property
    def name(self) -> str:
        """The instruments, and what is made of them."""
        return f"{self.aggregate} of {', '.join(problem.name for problem in self.problems)}"

    @property
    def fingerprint(self) -> str:
        """Hash of every instrument's, and of the aggregate."""
        own = self.combine.source if isinstance(self.combine, OwnAggregate) else self.aggregate
        parts = [own, *(problem.fingerprint for problem in self.problems)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @cached_property
    def time(self) -> TimeArray:
        """Times at which any instrument has a bar, increasing."""
        return np.unique(np.concatenate([problem.time for problem in self.problems]))

    def over(self, start: int, stop: int, capital: float | None = None) -> Self:
        """Return the same problem over other rows; each instrument has the capital.

        Raises
        ------
        ArgumentError
            The rows are not in the series, or an instrument has too few bars there.
        """
        if not 0 <= start < stop <= self.time.size:
            raise ArgumentError(
                f"`span` must satisfy 0 <= start < stop <= {self.time.size}, got {start}, {stop}"
            )
        parts = self._moved((start, stop), capital)
        return replace(self, span=(start, stop), problems=parts)

    def shuffled(self, seed: int) -> Self:
        """Return the same problem, each instrument without structure."""
        parts = tuple(problem.shuffled(seed) for problem in self.problems)
        return replace(self, problems=parts)

    def windows(self, windows: Sequence[RollingWindow], time: TimeArray) -> list[RollingWindow]:
        """Return windows planned on the rows of one series as rows of `time`.

        Parameters
        ----------
        windows
            As `meseta.walkforward.plan_windows` lays them.
        time
            Times of the series' bars.
        """
        end = np.searchsorted(self.time, time[-1:], side="right")
        at = np.concatenate((np.searchsorted(self.time, time), end)).tolist()
        return [
            replace(
                w, in_start=at[w.in_start], in_stop=at[w.in_stop], out_start=at[w.out_start],
                out_stop=at[w.out_stop],
            )
            for w in windows
        ]  # fmt: skip

    def evaluator(self) -> InstrumentsEvaluator:
        """Return what back-tests parameter sets on every instrument."""
        return InstrumentsEvaluator(self)

    def rows(self, problem: Problem, start: int, stop: int) -> tuple[int, int]:
        """Return an instrument's rows in a period of `time`."""
        first = int(np.searchsorted(problem.time, self.time[start]))
        return first, int(np.searchsorted(problem.time, self.time[stop - 1], side="right"))

    def _moved(self, span: tuple[int, int], capital: float | None) -> tuple[Problem, ...]:
        return tuple(p.over(*self.rows(p, *span), capital) for p in self.problems)

    def _common(self) -> tuple[int, int]:
        spans = [(p.time[p.span[0]], p.time[p.span[1] - 1]) for p in self.problems]
        first, last = max(a for a, _ in spans), min(z for _, z in spans)
        start = int(np.searchsorted(self.time, first))
        return start, int(np.searchsorted(self.time, last, side="right"))


class InstrumentsEvaluator:
    """Back-tests parameter sets of an `InstrumentsProblem`."""

    def __init__(self, problem: InstrumentsProblem) -> None:
        self._problem = problem
        self._parts: list[Evaluator] = [each.evaluator() for each in problem.problems]

    def metrics(self, params: Params, stop: int | None = None) -> Metrics:
        """Return the aggregate of the instruments' figures.

        Raises
        ------
        ArgumentError
            A parameter breaks its rule, an instrument has too few bars before `stop`, or a
            user's aggregate fails.
        """
        return self._problem.combine(self.each(params, stop))

    def each(self, params: Params, stop: int | None = None) -> list[Metrics]:
        """Return the figures of each instrument, in order."""
        given = self._problem
        start, last = given.span
        stops = [given.rows(problem, start, stop or last)[1] for problem in given.problems]
        return [part.metrics(params, at) for part, at in zip(self._parts, stops, strict=True)]

    def curve(self, params: Params) -> FloatArray:
        """Return the mean of the instruments' equities at each time of the span.

        Where an instrument has no bar its last equity counts, before its first one its first.
        """
        given = self._problem
        times = given.time[slice(*given.span)]
        curves = [
            _at(times, problem.time[slice(*problem.span)], part.curve(params))
            for problem, part in zip(given.problems, self._parts, strict=True)
        ]
        total: FloatArray = np.mean(curves, axis=0)
        return total


def _at(times: TimeArray, own: TimeArray, equity: FloatArray) -> FloatArray:
    """Return an equity at other times: the last one known."""
    return equity[np.maximum(np.searchsorted(own, times, side="right") - 1, 0)]
