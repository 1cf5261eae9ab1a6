"""When markets trade, as arrays: from exchange_calendars, or without end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._near import did_you_mean
from meseta.bars._size import DAY
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta._types import IntArray

__all__ = ["ALWAYS", "Sessions", "closings_of", "sessions_of"]

ALWAYS = "24/7"
# The package goes back twenty years by itself; its holidays of New York are right from 1990.
_FIRST = {"XNYS": "1990-01-01"}
# From this length on a session is that of a future or a currency. Their calendars know neither
# the daily pause nor when a product closes early, only the longest hours that there are.
_ROUND_THE_CLOCK = 20 * DAY // 24
# Until 2200.
_DATES = np.arange(230 * 366, dtype=np.int64)


@dataclass(frozen=True, eq=False, slots=True)
class Sessions:
    """Sessions of a market; times in microseconds since 1970, UTC.

    Parameters
    ----------
    dates
        Days since 1970, shape (N,), increasing.
    opens, closes
        Of each session, shape (N,). A close is the latest that any product of the market has.
    begins, ends
        Of trading without a pause, shape (M,), increasing; the break at noon is outside.
    pauses
        Whether `begins` and `ends` are all pauses there are.
    """

    dates: IntArray
    opens: IntArray
    closes: IntArray
    begins: IntArray
    ends: IntArray
    pauses: bool

    def traded(self, moments: IntArray) -> IntArray:
        """Return microseconds of trading from the first session to each moment, any shape."""
        before = np.concatenate(([0], np.cumsum(self.ends - self.begins)))
        piece = np.maximum(np.searchsorted(self.begins, moments, "right") - 1, 0)
        inside = np.clip(moments, self.begins[piece], self.ends[piece]) - self.begins[piece]
        traded: IntArray = before[piece] + inside
        return traded


@lru_cache(maxsize=32)
def sessions_of(name: str) -> Sessions:
    """Return the sessions of a calendar of exchange_calendars, or of ``"24/7"``.

    Raises
    ------
    ArgumentError
        There is no such calendar, or the package fails to make it.
    """
    if name == ALWAYS:
        opens, closes = _DATES * DAY, (_DATES + 1) * DAY
        return Sessions(_DATES, opens, closes, opens, closes, pauses=True)
    # Takes a second, since it brings pandas.
    from exchange_calendars import get_calendar, get_calendar_names, resolve_alias

    known = get_calendar_names()
    if name not in known:
        raise ArgumentError(
            "`calendar` must be a calendar of the package exchange_calendars, such as XNYS for "
            f"New York or 24/7 for a market that never closes, got {name!r}"
            f"{did_you_mean(name, known)}"
        )
    try:
        return _arrays(get_calendar(name, start=_FIRST.get(resolve_alias(name))))
    except (NotImplementedError, ValueError) as error:
        raise ArgumentError(
            f"`calendar` {name}: the package exchange_calendars fails to make it "
            f"({str(error)[:80]}); choose another calendar or none"
        ) from error


@lru_cache(maxsize=32)
def closings_of(name: str | None) -> tuple[IntArray, IntArray]:
    """Return dates and when each of them is over, shape (N,) both, increasing.

    Where no calendar says so it is over when it is so everywhere on earth: at noon in UTC of the
    next date. That holds for each date without a calendar, and before and after a calendar.
    """
    every = _DATES
    over = (every + 1) * DAY + DAY // 2
    if name is None:
        return every, over
    known = sessions_of(name)
    before, after = every < known.dates[0], every > known.dates[-1]
    dates = np.concatenate((every[before], known.dates, every[after]))
    closes = np.concatenate((over[before], known.closes, over[after]))
    return dates, np.maximum.accumulate(closes)


def _arrays(calendar: Any) -> Sessions:
    dates = calendar.sessions.to_numpy().astype("datetime64[D]").astype(np.int64)
    opens, closes = calendar.opens_nanos // 1000, calendar.closes_nanos // 1000
    longest = int((closes - opens).max())
    if longest >= _ROUND_THE_CLOCK:
        closes = opens + longest
        return Sessions(dates, opens, closes, opens, closes, pauses=False)
    rests = ~np.isnat(calendar.break_starts_nanos.view("datetime64[ns]"))
    leaves = calendar.break_starts_nanos[rests] // 1000
    returns = calendar.break_ends_nanos[rests] // 1000
    begins, ends = np.sort(np.append(opens, returns)), np.sort(np.append(closes, leaves))
    return Sessions(dates, opens, closes, begins, ends, pauses=True)
