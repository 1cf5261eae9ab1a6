"""Rolling windows: optimise in-sample, trade what follows, move on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from meseta.bars import session_days
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import IntArray
    from meseta.bars import Bars

__all__ = ["RollingPlan", "RollingWindow", "Unit", "WalkForward", "plan_windows"]

Unit = Literal["bars", "sessions", "months"]
# Days off, weekend and holidays together, with which a month may begin or end.
DAYS_OFF = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForward:
    """How a history is walked: lengths of the windows, in one unit.

    Parameters
    ----------
    in_sample, out_of_sample
        Lengths of the side that is optimised and of the side that is traded, 1 or more.
    unit
        ``"bars"``; ``"sessions"``, trading days as `meseta.bars.session_days` finds them; or
        ``"months"``, calendar months of session dates.
    anchored
        Every in-sample window begins at the start of the analysis and grows, instead of moving
        along.
    purge
        Bars (where the unit is bars) or sessions left out between in-sample and out-of-sample.
        0 says that nothing known only later went into the decisions of the last in-sample bar;
        positions that are open at its close do not, since they are marked there.

    Raises
    ------
    ArgumentError
        A length is no whole number or too small, or the unit is unknown.
    """

    in_sample: int
    out_of_sample: int
    unit: Unit = "sessions"
    anchored: bool = False
    purge: int = 0

    def __post_init__(self) -> None:
        for name, least in (("in_sample", 1), ("out_of_sample", 1), ("purge", 0)):
            _require_whole(name, getattr(self, name), least)
        if self.unit not in get_args(Unit):
            raise ArgumentError(
                f"`unit` must be 'bars', 'sessions' or 'months', got {self.unit!r}"
            )
        if not isinstance(self.anchored, bool):
            raise ArgumentError(f"`anchored` must be true or false, got {self.anchored!r}")


@dataclass(frozen=True, slots=True)
class RollingWindow:
    """One step of the walk, rows of the bars.

    Parameters
    ----------
    number
        From 1, in the order of time.
    in_start, in_stop
        Rows ``in_start`` to ``in_stop - 1`` are in-sample.
    out_start, out_stop
        Rows ``out_start`` to ``out_stop - 1`` are out-of-sample.
    partial
        Whether the data end before the out-of-sample side has its length.
    """

    number: int
    in_start: int
    in_stop: int
    out_start: int
    out_stop: int
    partial: bool


@dataclass(frozen=True, slots=True)
class RollingPlan:
    """The windows of a walk.

    Parameters
    ----------
    spec
        What was asked for.
    start, stop
        The analysis period, rows ``start`` to ``stop - 1``; the data end with it.
    windows
        At least one. Their out-of-sample sides follow each other without a gap up to `stop`.
    notes
        What the user should know about how the plan came about.
    """

    spec: WalkForward
    start: int
    stop: int
    windows: tuple[RollingWindow, ...]
    notes: tuple[str, ...]

    @property
    def first_out(self) -> int:
        """Row with which the first out-of-sample window begins."""
        return self.windows[0].out_start

    @property
    def boundaries(self) -> IntArray:
        """All rows at which the period or a window begins or ends, increasing, int64, (B,)."""
        rows = [(w.in_start, w.in_stop, w.out_start, w.out_stop) for w in self.windows]
        return np.unique(np.array([self.start, self.stop, *np.ravel(rows)], dtype=np.int64))


def plan_windows(
    bars: Bars,
    spec: WalkForward,
    *,
    warmup: int = 100,
    first_out: int | None = None,
    opens: int | str | None = None,
) -> RollingPlan:
    """Lay rolling windows over a history (`spec/walk-forward.md` section 2).

    The analysis starts with the first unit (bar, session or month) that begins at or after
    `warmup`. The first out-of-sample window begins when in-sample and purge have passed, and
    each next one where the last ended; all bars up to the end are out-of-sample once. In-sample
    windows end `purge` before. Boundaries of months are the first bars of calendar months; a
    purge moves both ends of the in-sample months back by sessions.

    Parameters
    ----------
    bars
        The history without the vault.
    spec
        Lengths and unit.
    warmup
        No window starts before this row: indicators need bars to look back on.
    first_out
        Row with which the first out-of-sample window is to begin instead, so that windows of
        several lengths are compared on the same period. The first bar of a unit.
    opens
        When the trading day begins; see `meseta.bars.session_days`.

    Raises
    ------
    DataError
        The history is too short for one window, or a hole swallows a whole in-sample window.
    ArgumentError
        `warmup` or `first_out` are no rows, or `first_out` does not begin a unit or leaves no
        room for the first in-sample window.
    """
    _require_whole("warmup", warmup, 0)
    scale = _scale(bars, spec, warmup, opens)
    first = _first(scale, spec)
    if first is None:
        raise DataError(_too_short(bars, scale, spec, warmup))
    if first_out is not None:
        first = _at(scale, spec, first_out, first)
    windows = tuple(_windows(scale, spec, first))
    empty = next((w for w in windows if w.in_start == w.in_stop), None)
    if empty is not None:
        raise DataError(
            f"no bar is in-sample in window {empty.number}, before "
            f"{bars.time[empty.out_start].item():%Y-%m-%d}: the data have a hole there; use a "
            "longer in-sample length, or fill the hole"
        )
    return RollingPlan(spec, scale.start, scale.stop, windows, _notes(bars, scale, spec, windows))


@dataclass(frozen=True, eq=False, slots=True)
class _Scale:
    """A history divided into units.

    Parameters
    ----------
    unit
        What they are called.
    edges
        Rows at which units begin and, last, the end of the data; never decreasing, since a
        month without bars begins where the next does. At least the end.
    marks
        Rows that a purge counts: those at which bars or sessions begin, increasing.
    complete
        Whether the last unit has ended with the data.
    """

    unit: str
    edges: IntArray
    marks: IntArray
    complete: bool = True

    @property
    def count(self) -> int:
        """Number of units."""
        return len(self.edges) - 1

    @property
    def start(self) -> int:
        return int(self.edges[0])

    @property
    def stop(self) -> int:
        return int(self.edges[-1])

    def before(self, edge: int, purge: int) -> int:
        """Row `purge` marks before a unit begins; -1 where that lies before the start."""
        at = int(np.searchsorted(self.marks, self.edges[edge])) - purge
        return int(self.marks[at]) if at >= 0 and self.marks[at] >= self.start else -1


def _scale(bars: Bars, spec: WalkForward, warmup: int, opens: int | str | None) -> _Scale:
    stop = len(bars)
    if spec.unit == "bars":
        rows = np.arange(min(warmup, stop), stop + 1)
        return _Scale("bars", rows, rows)
    days = session_days(bars, opens)
    sessions = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    sessions = np.append(sessions[sessions >= warmup], stop)
    if spec.unit == "sessions":
        return _Scale("sessions", sessions, sessions)
    return _months(days.astype("datetime64[D]"), sessions)


def _months(dates: Any, sessions: IntArray) -> _Scale:
    """Divide into calendar months, from the first that begins with one of the sessions."""
    stop, months = len(dates), dates.astype("datetime64[M]")
    numbers = months.astype(np.int64)
    first_day, last_day = (int((dates[k] - months[k]) / np.timedelta64(1, "D")) for k in (0, -1))
    length = int(((months[-1] + 1).astype("datetime64[D]") - months[-1]) / np.timedelta64(1, "D"))
    changes = np.diff(numbers, prepend=numbers[0] - (first_day <= DAYS_OFF)) != 0
    begins = np.flatnonzero(changes)
    begins = begins[begins >= sessions[0]]
    complete = length - 1 - last_day <= DAYS_OFF
    if not begins.size:
        return _Scale("months", np.array([stop]), sessions, complete)
    wanted = np.arange(numbers[begins[0]], numbers[-1] + 1)
    edges = np.append(np.searchsorted(numbers, wanted), stop)
    return _Scale("months", edges, sessions, complete)


def _first(scale: _Scale, spec: WalkForward) -> int | None:
    """Find the unit with which the first out-of-sample window can begin."""
    for unit in range(spec.in_sample, scale.count):
        if scale.before(unit - spec.in_sample, spec.purge) >= 0:
            return unit
    return None


def _at(scale: _Scale, spec: WalkForward, first_out: int, earliest: int) -> int:
    """Find the unit that begins at a row, where the first window leaves room for it."""
    _require_whole("first_out", first_out, 0)
    least = int(scale.edges[earliest])
    if not least <= first_out < scale.stop:
        raise ArgumentError(
            f"`first_out` must be a row from {least} on, so that {_needed(spec)} fit before it, "
            f"and below {scale.stop}; got {first_out}"
        )
    unit = int(np.searchsorted(scale.edges, first_out, side="right")) - 1
    if scale.edges[unit] != first_out:
        raise ArgumentError(
            f"`first_out` must be the first bar of one of the {scale.unit}, such as row "
            f"{scale.edges[unit]}, got {first_out}"
        )
    return unit


def _windows(scale: _Scale, spec: WalkForward, first: int) -> list[RollingWindow]:
    windows: list[RollingWindow] = []
    for unit in range(first, scale.count, spec.out_of_sample):
        after = unit + spec.out_of_sample
        out_start, out_stop = (int(scale.edges[min(u, scale.count)]) for u in (unit, after))
        if out_start == out_stop:
            continue  # months without a bar
        in_start = scale.before(unit - spec.in_sample, spec.purge)
        windows.append(
            RollingWindow(
                number=len(windows) + 1,
                in_start=scale.start if spec.anchored else in_start,
                in_stop=scale.before(unit, spec.purge),
                out_start=out_start,
                out_stop=out_stop,
                partial=after > scale.count or (after == scale.count and not scale.complete),
            )
        )
    return windows


def _notes(
    bars: Bars, scale: _Scale, spec: WalkForward, windows: Sequence[RollingWindow]
) -> tuple[str, ...]:
    notes, last = [], windows[-1]
    empty = int(np.count_nonzero(np.diff(scale.edges) == 0))
    if empty:
        row = scale.edges[np.argmin(np.diff(scale.edges))]
        until = f"{bars.time[row].item():%Y-%m-%d}"
        notes.append(f"months without a bar: {empty}, the first before {until}")
    if last.partial:
        reached = scale.count - int(np.searchsorted(scale.edges, last.out_start))
        notes.append(
            f"the last out-of-sample window is shorter: the data end on "
            f"{bars.calendar.last:%Y-%m-%d}, in {scale.unit[:-1]} {reached:,} of "
            f"{spec.out_of_sample:,}"
        )
    return tuple(notes)


def _too_short(bars: Bars, scale: _Scale, spec: WalkForward, warmup: int) -> str:
    span = bars.calendar
    return (
        f"the history has {scale.count:,} {scale.unit} after the warm-up of {warmup} bars "
        f"({len(bars):,} bars, {span.first:%Y-%m-%d} to {span.last:%Y-%m-%d}), and a walk needs "
        f"{_needed(spec)} and at least 1 more out-of-sample; use a longer history, a shorter "
        "in-sample length or another --unit"
    )


def _needed(spec: WalkForward) -> str:
    purge = "bars" if spec.unit == "bars" else "sessions"
    gap = f" and {spec.purge:,} {purge} of purge" if spec.purge else ""
    return f"{spec.in_sample:,} {spec.unit} in-sample{gap}"


def _require_whole(name: str, value: Any, least: int) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ArgumentError(f"`{name}` must be a whole number of {least} or more, got {value!r}")
