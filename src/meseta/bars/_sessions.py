"""Trading days, found from the pauses that the data themselves show.

A session runs from the time of day at which a market opens to the same time on the next day, so
that only the opening has to be known: a shorter day, a hole or an early close changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meseta.bars._size import DAY, MINUTE
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta._types import BoolArray, IntArray, TimeArray
    from meseta.bars._bars import Bars, Stamp

__all__ = [
    "MINUTES",
    "begins_of",
    "days_of",
    "find_open",
    "opening",
    "session_days",
    "session_open",
]

MINUTES = 1440
WEEK = 7 * MINUTES
MOST_CROSSED = 0.10


def session_open(bars: Bars) -> int:
    """Time at which the sessions of a market begin, in minutes from midnight of their date.

    A session has the date on which most of its trading happens: one from 9:30 to 16:00 begins
    at 570, and one from 18:00 to 17:00 at -360, on the evening before, so that the Sunday
    evening of a future belongs to Monday.

    The market shows it by its pauses. Of all times of day at which bars begin after a pause (a
    step longer than a bar) it is the one across which trading most seldom runs without a pause,
    counted in whole percents of the days; of several, the one in whose pauses the market rests
    the longest, so that a lunch break does not end a session, nor a hole in the data. Where
    clocks change in another zone than the bars', it is the hour that cuts no session.

    A market that trades across each of these times on more than 10 % of the days never closes:
    its sessions begin at midnight. Where it does close for weekends, as currencies do, they
    begin when the week does.

    Parameters
    ----------
    bars
        Of any size. Those of a day or longer have one session a date, from midnight. Slices
        and coarser bars keep what the series that they come from shows.

    Returns
    -------
    int
        -1439 to 1439, in the bars' own wall time.
    """
    if bars.session_open is not None:
        return bars.session_open
    return find_open(bars.time, bars.bar_minutes, bars.stamp, bars.stubs)


def session_days(bars: Bars, opens: int | str | None = None) -> IntArray:
    """Day number of the session of each bar.

    Parameters
    ----------
    bars
        Of any size.
    opens
        Time of day at which sessions begin: ``"HH:MM"``, or minutes as `session_open` counts
        them, which it is taken from when None. Bars of a day or longer have one session a
        date, whatever it says.

    Returns
    -------
    ndarray
        int64, shape (N,), days since 1970-01-01.

    Raises
    ------
    ArgumentError
        `opens` is no time of day.
    """
    return days_of(bars.time, bars.bar_minutes, bars.stamp, opening(bars, opens))


def opening(bars: Bars, opens: int | str | None) -> int:
    """Return what the user says about the opening, or what the data show, as `session_open`.

    Raises
    ------
    ArgumentError
        `opens` is neither a time of day nor a number of minutes.
    """
    if opens is None:
        return session_open(bars)
    if isinstance(opens, str):
        found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", opens.strip())
        if found:
            return _dated(bars, 60 * int(found[1]) + int(found[2]))
    elif isinstance(opens, int) and not isinstance(opens, bool) and abs(opens) < MINUTES:
        return opens
    raise ArgumentError(
        "`opens` (--session-open) must be a time of day like '18:00', or minutes from midnight "
        f"of the session's date between -1439 and 1439, got {opens!r}"
    )


def _dated(bars: Bars, minute: int) -> int:
    if bars.bar_minutes is None:
        return minute
    return _Trading.of(bars.time, bars.bar_minutes, bars.stamp, bars.stubs).dated(minute)


def days_of(time: TimeArray, minutes: int | None, stamp: Stamp, opens: int) -> IntArray:
    """Day number of the session of each bar, shape (N,), see `session_days`.

    Parameters
    ----------
    time, minutes, stamp
        Times, length (None for a day or longer) and stamp of the bars.
    opens
        Minutes as `session_open` counts them.
    """
    moments = _inside(time, stamp)
    if minutes is None:
        return moments // DAY
    days: IntArray = (moments - opens * MINUTE) // DAY
    return days


def begins_of(time: TimeArray, minutes: int, stamp: Stamp) -> IntArray:
    """Minute since 1970 in which each bar begins, shape (N,).

    A bar stamped at its close begins its length before, but not before the last one ended.
    """
    begins = time.astype(np.int64) // MINUTE
    if stamp == "close":
        begins[1:] = np.maximum(begins[1:] - minutes, begins[:-1])
        begins[0] -= minutes
    return begins


def find_open(
    time: TimeArray, minutes: int | None, stamp: Stamp, stubs: BoolArray | None = None
) -> int:
    """Find `session_open` for times, shape (N,), and bars of `minutes` (None: a day or longer).

    `stubs` marks bars that end before their length is over, since a pause hides behind them.
    """
    if minutes is None:
        return 0
    trading = _Trading.of(time, minutes, stamp, stubs)
    days = len(np.unique(_inside(time, stamp) // DAY))
    candidates = np.unique(trading.begin[1:][trading.paused] % MINUTES)
    if days < 2 or not candidates.size:
        return 0
    crossed = trading.crossings()[candidates]
    rests = trading.rests()[candidates]
    best = int(np.lexsort((candidates, crossed, -rests, 100 * crossed // days))[0])
    never_closes = crossed[best] > MOST_CROSSED * days and not trading.weekly()
    return 0 if never_closes else trading.dated(int(candidates[best]))


@dataclass(frozen=True, eq=False, slots=True)
class _Trading:
    """When a market trades.

    Parameters
    ----------
    begin, end
        Minutes since 1970 of each bar, shape (N,).
    paused
        Whether the market rests between a bar and the next, shape (N - 1,).
    """

    begin: IntArray
    end: IntArray
    paused: BoolArray

    @classmethod
    def of(cls, time: TimeArray, minutes: int, stamp: Stamp, stubs: BoolArray | None) -> _Trading:
        begin = begins_of(time, minutes, stamp)
        if stamp == "close":
            end = time.astype(np.int64) // MINUTE
        else:
            end = begin + minutes
            end[:-1] = np.minimum(end[:-1], begin[1:])
            if stubs is not None:
                # Where in the bar the session ended is not known, only that it did.
                end[stubs] = begin[stubs] + 1
        return cls(begin, end, begin[1:] > end[:-1])

    def crossings(self) -> IntArray:
        """Count at each minute of the day how often trading ran across it, shape (1440,)."""
        pause_follows = np.append(self.paused, True)
        return _by_minute(self.begin + 1, self.end - pause_follows)

    def rests(self) -> IntArray:
        """Minutes of all the pauses that a minute of the day lies in, shape (1440,)."""
        since, until = self.end[:-1][self.paused], self.begin[1:][self.paused]
        return _by_minute(since, until, np.minimum(until - since, MINUTES))

    def dated(self, minute: int) -> int:
        """Count a time of day from midnight of the date on which most of its session lies."""
        traded = _by_minute(self.begin, self.end - 1)
        return minute - MINUTES if traded[minute:].sum() < traded[:minute].sum() else minute

    def weekly(self) -> bool:
        """Whether there is a pause of a day or longer at least every other week."""
        long = np.count_nonzero(self.begin[1:] - self.end[:-1] >= MINUTES)
        return bool(2 * long >= max((self.end[-1] - self.begin[0]) / WEEK, 4))


def _by_minute(first: IntArray, last: IntArray, weight: IntArray | None = None) -> IntArray:
    """Add up ranges of minutes, both ends included, by minute of the day, shape (1440,).

    A range longer than a day counts as one day, one that ends before it begins not at all.
    """
    since = first % MINUTES
    until = since + np.minimum(last - first + 1, MINUTES)
    edges = np.bincount(since, weight, 2 * MINUTES + 1) - np.bincount(
        until, weight, 2 * MINUTES + 1
    )
    total = np.cumsum(edges)[: 2 * MINUTES].astype(np.int64)
    by_minute: IntArray = total[:MINUTES] + total[MINUTES:]
    return by_minute


def _inside(time: TimeArray, stamp: Stamp) -> IntArray:
    """Return microseconds since 1970 of a moment inside each bar."""
    moments: IntArray = time.astype(np.int64)
    return moments - 1 if stamp == "close" else moments
