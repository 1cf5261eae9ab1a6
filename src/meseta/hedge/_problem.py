"""The hedge grid as a problem for a study."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from meseta.errors import ArgumentError
from meseta.hedge._metrics import figures, midnights
from meseta.hedge._parameters import GridParameters
from meseta.hedge._simulate import check_settings, check_span, check_step

if TYPE_CHECKING:
    import numpy.typing as npt

    from meseta._types import FloatArray, IntArray
    from meseta.bayes import Metrics, Params
    from meseta.hedge._market import HedgeMarket
    from meseta.hedge._result import HedgeResult
    from meseta.hedge._settings import GridSettings

__all__ = ["HedgeEvaluator", "HedgeProblem"]

_GATE = "atr_gate_mult"
_YEAR = 365.25 * 86_400_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class HedgeProblem:
    """The hedge grid on a market over a span of its bars.

    Parameters
    ----------
    market
        All bars, those before and after the span too.
    settings
        What is not searched.
    span
        First traded row, and the row after the last; None for all.

    Raises
    ------
    ArgumentError
        The span is outside the bars, or the settings need a volume that these lack.
    """

    market: HedgeMarket
    settings: GridSettings
    span: tuple[int, int]

    def __post_init__(self) -> None:
        check_span(self.market, self.span)
        check_settings(self.market, self.settings)

    @classmethod
    def make(
        cls, market: HedgeMarket, settings: GridSettings, span: tuple[int, int] | None = None
    ) -> Self:
        """Make a problem over a span, or over all bars."""
        return cls(market=market, settings=settings, span=check_span(market, span))

    @property
    def name(self) -> str:
        """Strategy and market, for people."""
        return f"hedge grid on {self.market.bars.name} {self.market.bars.bar_size}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over market, settings and span, hexadecimal."""
        text = f"{self.market.fingerprint} {self.settings!r} {self.span!r}"
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def time(self) -> npt.NDArray[np.datetime64]:
        """Times of all bars, UTC, each of its open."""
        return self.market.bars.time

    def over(self, start: int, stop: int, capital: float | None = None) -> Self:
        """Return the same problem over other rows; `capital` None keeps that which it has."""
        settings = self.settings if capital is None else replace(self.settings, capital=capital)
        return replace(self, span=(start, stop), settings=settings)

    def shuffled(self, seed: int) -> Self:
        """Return the same problem on a market whose bars are mirrored by a coin."""
        from meseta.hedge._shuffle import mirrored

        return replace(self, market=mirrored(self.market, self.settings.tick, seed))

    def evaluator(self) -> HedgeEvaluator:
        """Return what back-tests parameter sets; called once in each process."""
        return HedgeEvaluator(self)


class HedgeEvaluator:
    """Back-tests parameter sets of one problem; what they have in common is prepared once."""

    def __init__(self, problem: HedgeProblem) -> None:
        from meseta.hedge._series import prepare

        self.problem = problem
        self._series = prepare(problem.market, problem.settings)
        self._days: dict[int, tuple[IntArray, float]] = {}

    def metrics(self, params: Params, stop: int | None = None) -> Metrics:
        """Return what parameters make from the span's first row to `stop` (excluded).

        Parameters
        ----------
        params
            Parameters of the hedge grid by name, and ``atr_gate_mult``, which is a setting;
            what is left out keeps its baseline.
        stop
            Row of the market; None for the span's end. Nothing from `stop` on is read.

        Raises
        ------
        ArgumentError
            A parameter is unknown or breaks its limit, or `stop` is outside the span.
        """
        first, last = self.problem.span
        stop = last if stop is None else stop
        if not first < stop <= last:
            raise ArgumentError(
                f"`stop` must lie in the span, from {first + 1} to {last}; got {stop!r}"
            )
        result = self._run(params, stop, curves=False)
        return figures(result, self.problem.settings, *self._calendar(stop))

    def curve(self, params: Params) -> FloatArray:
        """Return the equity at each bar's close of the span; the last is the final equity."""
        return self._run(params, self.problem.span[1], curves=False).equity

    def result(self, params: Params) -> HedgeResult:
        """Return lots and curves over the span."""
        return self._run(params, self.problem.span[1], curves=True)

    def _run(self, params: Params, stop: int, *, curves: bool) -> HedgeResult:
        from meseta.hedge._compiled import run

        market, first = self.problem.market, self.problem.span[0]
        parameters, settings = parts_of(params, self.problem.settings)
        check_step(market, parameters, settings, stop)
        return run(self._series, parameters, settings, (first, stop), curves=curves)

    def _calendar(self, stop: int) -> tuple[IntArray, float]:
        """Return midnights and years from the span's first row to `stop`."""
        if stop not in self._days:
            market, first = self.problem.market, self.problem.span[0]
            times = market.bars.time[first:stop].astype(np.int64)
            step = market.minutes * 60_000_000
            self._days[stop] = midnights(times, step), (times[-1] + step - times[0]) / _YEAR
        return self._days[stop]


def parts_of(params: Params, settings: GridSettings) -> tuple[GridParameters, GridSettings]:
    """Return parameters and settings of a study's values."""
    own = {name: value for name, value in params.items() if name != _GATE}
    if _GATE in params:
        settings = replace(settings, atr_gate_mult=float(params[_GATE]))
    return GridParameters.from_params(own), settings
