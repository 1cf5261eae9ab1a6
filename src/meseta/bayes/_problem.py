"""What a study needs to know of a strategy on a market, whatever strategy it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from meseta._types import FloatArray
    from meseta.bayes._metrics import Metrics

__all__ = ["Evaluator", "Params", "Problem"]

Params: TypeAlias = "Mapping[str, int | float]"


class Evaluator(Protocol):
    """Back-tests parameter sets of one problem, in one process."""

    def metrics(self, params: Params, stop: int | None = None) -> Metrics:
        """Return what parameters make from the span's first row to `stop` (excluded).

        Parameters
        ----------
        params
            A value for each parameter.
        stop
            Row of the history; None for the span's end. Nothing from `stop` on is read.

        Raises
        ------
        ArgumentError
            A parameter breaks its rule.
        """
        ...

    def curve(self, params: Params) -> FloatArray:
        """Return the equity at each bar's close of the span; the last is the final equity."""
        ...


class Problem(Protocol):
    """A strategy on a market over a span of its history; it can be pickled.

    Rows before the span are history: indicators warm up on them and nothing is traded.
    """

    @property
    def name(self) -> str:
        """Strategy and market, for people."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of everything but the parameters that decides a result."""
        ...

    @property
    def time(self) -> npt.NDArray[np.datetime64]:
        """Times of all bars, those before and after the span too."""
        ...

    @property
    def span(self) -> tuple[int, int]:
        """First traded row, and the row after the last."""
        ...

    def over(self, start: int, stop: int, capital: float | None = None) -> Self:
        """Return the same problem over other rows; `capital` None keeps that which it has."""
        ...

    def shuffled(self, seed: int) -> Self:
        """Return the same problem on a market without structure, of the same bars' sizes."""
        ...

    def evaluator(self) -> Evaluator:
        """Return what back-tests parameter sets; called once in each process."""
        ...
