"""Things that a real market can do but that more often come from bad data.

Each kind is reported once, at its worst place, with the number of places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meseta.bars._finding import Finding, and_more, clock
from meseta.bars._sessions import days_of
from meseta.bars._size import DAY, MINUTE, size_name, steps_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from meseta.bars._bars import Stamp
    from meseta.bars._faults import Columns
    from meseta.bars._size import BarSize

    Ints = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

__all__ = ["STUBS", "find_suspicions", "stubs_finding"]

STUBS = "stubs"

JUMP = 0.4
JUMP_STEPS = 100.0
QUIET_SESSIONS = 5
HOUR = 60 * MINUTE


def find_suspicions(
    columns: Columns, size: BarSize, stamp: Stamp, opens: int
) -> tuple[Finding, ...]:
    """Look for jumps, holes, weeks without volume, irregular steps and mixed bar sizes.

    Parameters
    ----------
    columns
        Sound bars, at least one, in order.
    size
        Their bar size.
    stamp
        Where in the bar the time lies; only a bar stamped at its close shows as a short stub.
    opens
        When sessions begin, see `session_open`.
    """
    days = days_of(columns.time, size.minutes, stamp, opens)
    found = [_jump(columns), _quiet(columns, days)]
    if size.minutes is None:
        found += [_hole(columns, _longest_pause_days(size.days)), _mixed_days(columns, size)]
    else:
        sessions = _Sessions(columns, size, stamp, days)
        found += [_hole(columns, sessions.longest_pause), sessions.mixed(), sessions.irregular()]
    if columns.stubs is not None:
        found.append(stubs_finding(columns.stubs, columns.time, size))
    return tuple(finding for finding in found if finding is not None)


def stubs_finding(stubs: Mask, time: npt.NDArray[np.datetime64], size: BarSize) -> Finding | None:
    """Say how many bars are stubs; None where none is."""
    count = int(np.count_nonzero(stubs))
    if not count:
        return None
    what = f"{count} of {len(stubs)} bars cover less than their {size.name}"
    message = f"{what}, because the session ends in them"
    return Finding(STUBS, 0, clock(time[np.argmax(stubs)]), str(count), message)


def _jump(columns: Columns) -> Finding | None:
    """From a close to the next open or close: over 40 %, or far beyond the usual step.

    A ratio means nothing in a back-adjusted series that crosses zero, so there a jump is
    measured in usual (median) steps.
    """
    before = columns.close[:-1]
    moves = np.stack([columns.close[1:] - before, columns.open[1:] - before])
    if not moves.size:
        return None
    with_signs = min(columns.close.min(), columns.open.min()) <= 0
    sizes = np.abs(moves) / (_usual(moves[0]) if with_signs else before)
    side = np.argmax(sizes, axis=0)
    worst = sizes.max(axis=0)
    rows = worst > (JUMP_STEPS if with_signs else JUMP)
    if not rows.any():
        return None
    at = int(np.argmax(np.where(rows, worst, 0)))
    move, old = float(moves[side[at], at]), float(before[at])
    value = f"{move:+.6g}" if with_signs else f"{100 * move / old:+.1f} %"
    kind = ("close", "open")[side[at]]
    what = f"{kind} {old + move:.6g} after a close of {old:.6g} ({value})"
    cause = "a split, a roll, a bad price or news"
    count = and_more(int(np.count_nonzero(rows)))
    return columns.finding("jump", at + 1, value, f"{what}: {cause}{count}")


def _usual(moves: npt.NDArray[np.float64]) -> float:
    sizes = np.abs(moves[moves != 0])
    return float(np.median(sizes)) if sizes.size else 1.0


def _longest_pause_days(days: int) -> int:
    """Longest pause in microseconds that bars of a day or longer may have."""
    return max(7, 3 * days if days > 1 else 0) * DAY


def _hole(columns: Columns, longest: int) -> Finding | None:
    steps = steps_of(columns.order)
    rows = steps > longest
    if not rows.any():
        return None
    at = int(np.argmax(steps))
    value = _span(int(steps[at]))
    what = f"{value} without a bar since {clock(columns.time[at])}"
    return columns.finding("hole", at + 1, value, what + and_more(int(np.count_nonzero(rows))))


def _quiet(columns: Columns, days: Ints) -> Finding | None:
    """Five sessions in a row without volume, where there is volume elsewhere."""
    if columns.volume is None or not columns.volume.any():
        return None
    starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    quiet = np.add.reduceat(columns.volume, starts) == 0
    begins, lengths = _runs(quiet)
    long = lengths >= QUIET_SESSIONS
    if not long.any():
        return None
    worst = int(np.argmax(lengths))
    what = f"{lengths[worst]} sessions in a row without volume"
    count = and_more(int(np.count_nonzero(long)))
    at = int(starts[begins[worst]])
    return columns.finding("no_volume", at, str(lengths[worst]), what + count)


def _mixed_days(columns: Columns, size: BarSize) -> Finding | None:
    """Three steps in a row that do not fit bars of a day or longer."""
    low, high = (1, 4) if size.days == 1 else (size.days // 2, size.days + size.days // 2)
    steps = steps_of(columns.time.astype("datetime64[D]"))
    begins, lengths = _runs((steps < low) | (steps > high))
    if not lengths.size or lengths.max() < 3:
        return None
    worst = int(np.argmax(lengths))
    at, length = int(begins[worst]), int(lengths[worst])
    usual = size_name(1440 * int(np.median(steps[at : at + length])))
    what = f"{length} bars in a row are about {usual} apart, not {size.name}: mixed bar sizes"
    return columns.finding("mixed_sizes", at + 1, usual, what)


class _Sessions:
    """Steps of bars shorter than a day, seen within their sessions.

    A market with a tenth of its bars on Saturdays and on Sundays never closes; any other
    pauses overnight and at weekends.
    """

    def __init__(self, columns: Columns, size: BarSize, stamp: Stamp, days: Ints) -> None:
        self.columns = columns
        self.size = size
        self.days = days
        self.steps = steps_of(columns.order)
        weekdays = np.bincount((days + 3) % 7, minlength=7) / len(days)
        self.open_always = bool(weekdays[5:].min() >= 0.1)
        self.stubs_show = stamp == "close"
        self.starts = np.flatnonzero(np.diff(self.days, prepend=self.days[0] - 1))
        bars = np.diff(self.starts, append=len(self.days))
        self.session = np.repeat(np.arange(len(bars)), bars)
        self.mixed_sessions = self._find_mixed(bars)

    @property
    def longest_pause(self) -> int:
        """Longest step in microseconds that is no hole: holidays beside a weekend are none."""
        return max(6 * HOUR, 3 * self.size.microseconds) if self.open_always else 5 * DAY

    def _find_mixed(self, bars: Ints) -> Mask:
        """Sessions in which most steps differ from the bar size, or of lone bars in a row."""
        within = np.diff(self.days) == 0
        regular = within & (self.steps == self.size.microseconds)
        steps = np.bincount(self.session[1:][within], minlength=len(bars))
        good = np.bincount(self.session[1:][regular], minlength=len(bars))
        mixed: Mask = (steps >= 4) & (2 * good < steps)
        begins, lengths = _runs((bars == 1) & bool(np.median(bars) >= 4))
        for begin, length in zip(begins, lengths, strict=True):
            mixed[begin : begin + length] |= length >= QUIET_SESSIONS
        return mixed

    def mixed(self) -> Finding | None:
        """Report sessions that hold bars of another size."""
        count = int(np.count_nonzero(self.mixed_sessions))
        if not count:
            return None
        first = int(np.argmax(self.mixed_sessions))
        at = min(int(self.starts[first]), len(self.steps) - 1)
        value = _span(int(self.steps[at]))
        what = f"in {count} of {len(self.starts)} sessions, this the first, bars are not "
        how = f"{self.size.name} but for instance {value} apart"
        return self.columns.finding("mixed_sizes", at, value, what + how)

    def irregular(self) -> Finding | None:
        """Report steps inside a session that are not the bar size.

        A session's last bar may be shorter, and a step that comes again at the same hour in
        one session of five is a break that the market takes. Less would not do: of bars lost
        at random, a share p, the same step shows at one hour in p (1 - p)^2 of the sessions,
        0.148 at most. More would not do: clocks that change move the break of a future by an
        hour for a third of the year, seen in UTC, and it has none on Fridays and Sundays.
        """
        same = self.steps <= self.longest_pause if self.open_always else np.diff(self.days) == 0
        odd = same & (self.steps != self.size.microseconds)
        odd &= ~self.mixed_sessions[self.session[1:]]
        if self.stubs_show:
            ends = np.append(self.steps[1:] > self.size.microseconds, True)
            odd &= ~((self.steps < self.size.microseconds) & ends)
        rows = np.flatnonzero(odd)
        rows = rows[~self._recurs(rows)]
        if not rows.size:
            return None
        at = int(rows[np.argmax(np.abs(self.steps[rows] - self.size.microseconds))])
        value = _span(int(self.steps[at]))
        what = f"{value} after the bar before inside a session, where bars are {self.size.name}"
        return self.columns.finding("irregular_steps", at + 1, value, what + and_more(len(rows)))

    def _recurs(self, rows: npt.NDArray[np.intp]) -> Mask:
        hours = self.columns.time[1:][rows].astype(np.int64) % DAY
        pairs = np.stack([hours, self.steps[rows]], axis=1)
        _, kind, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        recurs: Mask = counts[kind] >= max(3, 0.2 * len(self.starts))
        return recurs


def _runs(flags: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Begin and length of each run of true values."""
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    begins = np.flatnonzero(edges == 1)
    return begins, np.flatnonzero(edges == -1) - begins


def _span(microseconds: int) -> str:
    """Write a length of time in the unit that suits it."""
    for unit, length in (("days", DAY), ("hours", HOUR)):
        if microseconds >= 2 * length:
            return f"{microseconds / length:.3g} {unit}"
    return f"{microseconds / MINUTE:.3g} minutes"
