"""Dates on which a future is rolled into the next contract."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.bars._bars import Bars

__all__ = ["parse_rolls"]

_MONTHS = {"monthly": 1, "quarterly": 3}


def parse_rolls(text: str, bars: Bars) -> tuple[date, ...]:
    """Return the dates of the rolls.

    Parameters
    ----------
    text
        Dates such as ``"2024-01-18,2024-02-16"``, or ``"monthly"`` or ``"quarterly"``: the first
        day of each month or quarter that the data reach.
    bars
        The series.

    Raises
    ------
    ArgumentError
        `text` is neither.
    """
    every = _MONTHS.get(text.strip().lower())
    if every is None:
        return tuple(_date(part) for part in text.split(","))
    first, last = (bars.time[k].astype("datetime64[M]").astype(int) for k in (0, -1))
    months = np.arange(first + 1, last + 1)
    days = months[months % every == 0].astype("datetime64[M]").astype("datetime64[D]")
    return tuple(days.tolist())


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise ArgumentError(
            "`rolls` must be dates separated by commas, such as 2024-01-18,2024-02-16, or "
            f"monthly or quarterly, got {text.strip()!r}"
        ) from error
