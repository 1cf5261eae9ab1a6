"""A leveraged fund made up from the prices of its index."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from meseta.bars._finding import clock, whole
from meseta.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from meseta.bars._build import Label
    from meseta.bars._faults import Columns
    from meseta.bars._finding import Finding

__all__ = ["leverage"]

TIMES = 3
COST = 0.0095
SESSIONS = 252
START = 100.0


def leverage(columns: Columns, label: Label, base: str) -> tuple[Columns, Label]:
    """Make up a fund that holds an index three times, rebalanced at every close.

    Parameters
    ----------
    columns
        Daily prices of the index, shape (N,), N >= 1, positive.
    label
        What the result is to be called; its name gets the words "made up", whoever chose it.
    base
        Source of the index, for the note that every output shows.

    Returns
    -------
    tuple of Columns and Label
        From one close to a price of the next day the fund moves three times as far as the
        index, less 0.95 % / 252; its first close is 100. A fund has no index volume, so
        there is none. Rounding keeps the order of the prices of a day: they go through the
        same steps, each of which is monotone.

    Raises
    ------
    DataError
        The index loses a third within a day, so that nothing would be left of the fund.
    """
    before = columns.close[:-1]

    def growth(price: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        grown: npt.NDArray[np.float64] = 1 + TIMES * (price[1:] / before - 1) - COST / SESSIONS
        return grown

    _require_positive(growth(columns.low), columns, base)
    scale = START / columns.close[0]
    close = np.cumprod(np.concatenate([[columns.close[0] * scale], growth(columns.close)]))

    def fund(price: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.concatenate([[price[0] * scale], close[:-1] * growth(price)])

    made = replace(
        columns,
        open=fund(columns.open),
        high=fund(columns.high),
        low=fund(columns.low),
        close=close,
        volume=None,
    )
    return made, replace(label, name=f"{label.name} (made up)", notes=(_note(base),))


def _require_positive(growth: npt.NDArray[np.float64], columns: Columns, base: str) -> None:
    lost = np.flatnonzero(growth <= 0)
    if lost.size:
        raise DataError(
            f"{base} falls so far on {clock(columns.time[lost[0] + 1])} that a fund with "
            f"{TIMES} times its daily return would be worth nothing; use {base} itself"
        )


def _note(base: str) -> Finding:
    message = (
        f"made up: {TIMES} times the daily return of {base} less {100 * COST:g} % a year; "
        "not a fund's prices"
    )
    return whole("made_up", message)
