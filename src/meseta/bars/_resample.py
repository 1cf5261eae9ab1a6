"""Coarser bars from finer ones, session by session."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from meseta.bars._bars import annual_rate
from meseta.bars._sessions import MINUTES, begins_of, days_of, opening
from meseta.bars._size import DAY, MINUTE, BarSize, size_name
from meseta.bars._suspicions import STUBS, stubs_finding
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta._types import BoolArray, IntArray, TimeArray
    from meseta.bars._bars import Bars, Stamp
    from meseta.bars._finding import Finding

__all__ = ["resample"]

DAY_BARS = {"1d": BarSize("1d", None, 1), "1w": BarSize("1w", None, 7)}
LEAST_OPENINGS = 5
SIZE = r"\s*(\d{1,4})\s*(m|min|h|d|w)\s*"

T = TypeVar("T", bound=np.generic)


def resample(bars: Bars, size: str, *, opens: int | str | None = None) -> Bars:
    """Join bars to coarser ones that do not cross the end of a session.

    Bars of minutes and hours are counted from the session's opening. Its last bar is shorter
    where the length does not divide the session, on half days and where the data end: such
    stubs are kept and marked. A day's bar is a session, a week's the sessions of Monday to
    Sunday; they are never stubs.

    Parameters
    ----------
    bars
        One series, of any size up to `size`.
    size
        Such as ``"30m"``, ``"360m"`` or ``"6h"``, a whole multiple of the bars' own below a
        day; or ``"1d"`` or ``"1w"``.
    opens
        When sessions begin, see `session_days`; the bars are counted from that time of day.
        None finds it, and follows an opening that moves for five sessions or more: where
        clocks change in another zone than the bars', or hours of trading do. To resample in
        steps, give the same to each.

    Returns
    -------
    Bars
        The bars themselves where they have that size. Else first open, highest high, lowest
        low, last close and total volume, with the time of the first bar joined (of the last,
        where times mark the close), the date of the session for ``"1d"`` and that of the
        week's first for ``"1w"``. `warnings` are those of `bars`, and how many stubs there are.

    Raises
    ------
    ArgumentError
        `size` is malformed, finer than the bars or no multiple of theirs; `opens` is no time
        of day; or `bars` have a second series.
    """
    if bars.second is not None:
        raise ArgumentError(
            f"`bars` must be one series, but {bars!r} is a pair; resample each of the two and "
            "join them with meseta.bars.pair"
        )
    wanted = _parse(size)
    start = opening(bars, opens)
    if wanted.name == bars.bar_size:
        return bars if bars.session_open == start else replace(bars, session_open=start)
    _require_coarser(bars, wanted, size)
    days = days_of(bars.time, bars.bar_minutes, bars.stamp, start)
    if wanted.minutes is None:
        return _joined(bars, wanted, _by_date(days, wanted))
    return _joined(bars, wanted, _by_step(bars, days, start, wanted.minutes, follow=opens is None))


@dataclass(frozen=True, eq=False, slots=True)
class _Groups:
    """Which bars are joined.

    Parameters
    ----------
    starts
        Rows with which groups begin, increasing from 0.
    time
        Of each joined bar.
    stamp
        Whether that marks its start or its end.
    opens
        When sessions begin, see `session_open`.
    stubs
        Whether each joined bar is one; None where there can be none.
    """

    starts: IntArray
    time: TimeArray
    stamp: Stamp
    opens: int = 0
    stubs: BoolArray | None = None


def _by_date(days: IntArray, size: BarSize) -> _Groups:
    """Join sessions, or the sessions of weeks, which begin on Mondays; day 0 is a Thursday."""
    starts = _starts(days if size.days == 1 else (days + 3) // 7)
    return _Groups(starts, (days[starts] * DAY).astype("datetime64[us]"), "open")


def _by_step(bars: Bars, days: IntArray, opens: int, minutes: int, *, follow: bool) -> _Groups:
    """Join in steps of `minutes` from the opening of each session."""
    own = bars.bar_minutes or minutes
    begins = begins_of(bars.time, own, bars.stamp)
    opened = days * MINUTES + opens
    if follow:
        opened = opened + _moved(begins - opened, _starts(days))
    # A bar stamped at its close ends in the step that it belongs to, however short it is.
    closing = bars.stamp == "close"
    moments = bars.time.astype(np.int64) // MINUTE
    steps = ((moments - 1 if closing else begins) - opened) // minutes
    starts = np.flatnonzero(_changes(days) | _changes(steps))
    short = (moments if closing else begins + own) < opened + (steps + 1) * minutes
    if bars.stubs is not None:
        short |= bars.stubs
    lasts = _lasts(starts, len(days))
    stubs = short[lasts] & np.append(_changes(days)[1:], True)[lasts]
    return _Groups(starts, bars.time[lasts if closing else starts], bars.stamp, opens, stubs)


def _moved(since: IntArray, sessions: IntArray) -> IntArray:
    """How much later than the earliest opening the session of each bar opened, shape (N,).

    A time is an opening of its own where five sessions or more have it and two of three follow
    one that has it too: clocks stay changed for weeks, while lost bars and late first trades do
    not repeat themselves. A session that begins late opened when the last one did that began on
    time.

    Parameters
    ----------
    since
        Minutes from the earliest opening to the begin of each bar, shape (N,).
    sessions
        Rows with which sessions begin.
    """
    late = np.maximum(since[sessions], 0)
    times, which, counts = np.unique(late, return_inverse=True, return_counts=True)
    repeated = np.bincount(which[1:][late[1:] == late[:-1]], minlength=len(times))
    usual = (counts >= LEAST_OPENINGS) & (3 * repeated >= 2 * counts)
    openings = np.union1d(times[usual], [0])
    moved = openings[np.searchsorted(openings, late, side="right") - 1]
    on_time = np.flatnonzero(moved == late)
    if on_time.size:
        last = np.searchsorted(on_time, np.arange(len(late)), side="right") - 1
        moved = np.minimum(moved, late[on_time[np.maximum(last, 0)]])
    each: IntArray = np.repeat(moved, np.diff(sessions, append=len(since)))
    return each


def _joined(bars: Bars, size: BarSize, groups: _Groups) -> Bars:
    starts, volume = groups.starts, bars.volume
    return replace(
        bars,
        time=_fixed(groups.time),
        open=_fixed(bars.open[starts]),
        high=_fixed(np.maximum.reduceat(bars.high, starts)),
        low=_fixed(np.minimum.reduceat(bars.low, starts)),
        close=_fixed(bars.close[_lasts(starts, len(bars))]),
        volume=None if volume is None else _fixed(np.add.reduceat(volume, starts)),
        stubs=None if groups.stubs is None else _fixed(groups.stubs),
        bar_size=size.name,
        bar_minutes=size.minutes,
        stamp=groups.stamp,
        session_open=groups.opens,
        bars_per_year=annual_rate(groups.time, size),
        warnings=_warnings(bars, size, groups),
    )


def _fixed(array: NDArray[T]) -> NDArray[T]:
    array.setflags(write=False)
    return array


def _warnings(bars: Bars, size: BarSize, groups: _Groups) -> tuple[Finding, ...]:
    kept = tuple(finding for finding in bars.warnings if finding.code != STUBS)
    told = None if groups.stubs is None else stubs_finding(groups.stubs, groups.time, size)
    return kept if told is None else (*kept, told)


def _parse(size: str) -> BarSize:
    found = re.fullmatch(SIZE, size) if isinstance(size, str) else None
    if found:
        number, unit = int(found[1]), found[2]
        if unit in "dw" and number == 1:
            return DAY_BARS[f"1{unit}"]
        minutes = number * (60 if unit == "h" else 1)
        if unit not in "dw" and 0 < minutes < 1440:
            return BarSize(size_name(minutes), minutes, 0)
    raise ArgumentError(
        "`size` must be a number of minutes or hours below a day, such as '30m', '360m' or '6h', "
        f"or '1d' or '1w'; got {size!r}"
    )


def _require_coarser(bars: Bars, wanted: BarSize, size: str) -> None:
    what = f"the bars of {bars.name} last {bars.bar_size}"
    if bars.bar_minutes is None:
        ways = ("1d", "1w") if bars.bar_size == "1d" else (bars.bar_size,)
        if wanted.name not in ways:
            names = " or ".join(map(repr, ways))
            raise ArgumentError(
                f"`size` must be {names} where {what}, got {size!r}; load finer bars for others"
            )
    elif wanted.minutes is not None:
        _require_multiple(bars.bar_minutes, wanted.minutes, f"{what}, got {size!r}")


def _require_multiple(minutes: int, wanted: int, what: str) -> None:
    if wanted < minutes:
        raise ArgumentError(f"`size` must not be finer than the data, but {what}; load finer bars")
    if wanted % minutes:
        low = wanted // minutes * minutes
        near = " or ".join(repr(f"{each}m") for each in (low, low + minutes) if each < MINUTES)
        raise ArgumentError(
            f"`size` must be a whole multiple of the data's, and {what}; take {near}, or load "
            "finer bars"
        )


def _starts(keys: IntArray) -> IntArray:
    return np.flatnonzero(_changes(keys))


def _lasts(starts: IntArray, count: int) -> IntArray:
    lasts: IntArray = np.append(starts[1:], count) - 1
    return lasts


def _changes(keys: IntArray) -> BoolArray:
    changes: BoolArray = np.diff(keys, prepend=keys[0] - 1) != 0
    return changes
