"""When futures are rolled, as a user writes it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from meseta.bars._sessions import session_days
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.bars._bars import Bars

__all__ = ["parse_rolls"]

_MONTHS = {"monthly": 1, "quarterly": 3}


def parse_rolls(text: str, bars: Bars) -> tuple[date, ...]:
    """Read the dates of rolls for `Contract.rolls`.

    Parameters
    ----------
    text
        ISO dates separated by commas, ``"2024-01-18,2024-02-15"``; or ``"monthly"`` or
        ``"quarterly"`` for the day of the first bar of every month or quarter of the data but
        the first.
    bars
        The data.

    Returns
    -------
    tuple of date
        Increasing, each once.

    Raises
    ------
    ArgumentError
        The text is something else, or no date lies between the first bar and the last.
    """
    if text.strip() in _MONTHS:
        return _first_days(bars, _MONTHS[text.strip()])
    try:
        days = sorted({date.fromisoformat(part.strip()) for part in text.split(",")})
    except ValueError as error:
        raise ArgumentError(
            "`rolls` must be monthly, quarterly, or dates like 2024-01-18,2024-02-15, "
            f"got {text!r}"
        ) from error
    first, last = (bars.time[k].item().date() for k in (0, -1))
    if not any(first < day <= last for day in days):
        raise ArgumentError(
            f"`rolls` must have a date in the data, after {first} and up to {last}, got {text!r}"
        )
    return tuple(days)


def _first_days(bars: Bars, months: int) -> tuple[date, ...]:
    days = session_days(bars).astype("datetime64[D]")
    periods = days.astype("datetime64[M]").astype(np.int64) // months
    starts = 1 + np.flatnonzero(np.diff(periods))
    return tuple(days[starts].tolist())
