"""Small markets, and the smallest spaces that find something in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meseta.bars import Bars
from random_market import FIRST_DAY, bars_of, walk_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def daily(seed: int = 3, count: int = 400, **how: float) -> Bars:
    return bars_of(walk_of(seed, count, **how), name=f"walk {seed}")


def hourly(seed: int = 5, days: int = 40) -> Bars:
    """Seven bars a day, 9:00 to 15:00, weekends left out."""
    rows = walk_of(seed, 7 * days, step=0.01)
    weekdays = [d for d in range(2 * days) if d % 7 < 5][:days]  # the first day is a Monday
    hours: NDArray[np.int64] = np.array([24 * d + 9 + h for d in weekdays for h in range(7)])
    time = FIRST_DAY + hours * np.timedelta64(1, "h")
    return Bars.from_arrays(time, *np.array(rows).T, name="hourly")
