"""Two series of bars joined on the times that both have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from meseta.bars._finding import Finding, clock
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from meseta.bars._bars import Bars

    Rows = npt.NDArray[np.intp]

__all__ = ["Alignment", "pair"]

MOST_DROPPED = 0.02
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Alignment:
    """What joining two series left out.

    The common span runs from the later of the two first times to the earlier of the two last
    times, both included.

    Parameters
    ----------
    bars
        Bars that both series have: the length of each after the join.
    dropped, dropped_second
        Bars inside the common span whose time the other series lacks, of the series that is
        traded and of the second: holes, other holidays, other sessions.
    outside, outside_second
        Bars before or after the common span: history that the other series lacks.
    """

    bars: int
    dropped: int
    dropped_second: int
    outside: int
    outside_second: int

    @property
    def share(self) -> float:
        """Dropped bars per bar of the traded series in the common span, 0 to 1."""
        return self.dropped / (self.bars + self.dropped)

    @property
    def share_second(self) -> float:
        """Dropped bars per bar of the second series in the common span, 0 to 1."""
        return self.dropped_second / (self.bars + self.dropped_second)


def pair(bars: Bars, second: Bars, *, allow_dropped: bool = False) -> Bars:
    """Join two series on the timestamps that both have.

    Two series seldom begin on the same day, so bars before the later beginning and after the
    earlier end are lack of history, not disagreement: they are counted apart (`outside`) and
    never refused. The limit of 2 % is on the bars inside the common span, on each side by
    itself. Indicators of the result begin at its first bar, on both sides.

    Bars of the same time are taken to end together. Daily bars that carry a date alone cannot
    show whether they do: where the second market closes after the traded one, its close of the
    day is not known yet when a decision is taken, and results on such a pair look ahead.

    Parameters
    ----------
    bars
        The series that is traded.
    second
        The series that is only read. It may be the same one.
    allow_dropped
        Accept that more than 2 % of the bars of a side are dropped.

    Returns
    -------
    Bars
        `bars` at the common times, with `second` at the same times as its `second` and the
        counts as its `alignment`. Its `warnings` also tell of dropped bars, of traded bars
        outside the common span, and what `second` warns of. Where all times of `bars` are
        common it keeps its bars per year, else they are counted anew.

    Raises
    ------
    ArgumentError
        One of the two has a second series already.
    DataError
        Bar size, time zone or stamp differ, no time is common, or more than 2 % of the bars
        of a side are dropped and `allow_dropped` is not set.
    """
    _require_alike(bars, second)
    time, rows, rows_second = np.intersect1d(
        bars.time, second.time, assume_unique=True, return_indices=True
    )
    sides = (_Side(bars, second, rows), _Side(second, bars, rows_second))
    if not time.size:
        raise DataError(_nothing_common(sides))
    alignment = Alignment(
        len(time), len(sides[0].dropped), len(sides[1].dropped), sides[0].outside, sides[1].outside
    )
    if max(alignment.share, alignment.share_second) > MOST_DROPPED and not allow_dropped:
        raise DataError(_too_many(sides))
    joined = _taken(bars, rows)
    partner = replace(_taken(second, rows_second), bars_per_year=joined.bars_per_year)
    told = (Finding(f.code, f.row, f.time, f.value, f"{second.name}: {f.message}")
            for f in second.warnings)  # fmt: skip
    warnings = (*bars.warnings, *_warnings(sides), *told)
    return replace(joined, second=partner, alignment=alignment, warnings=warnings)


@dataclass(frozen=True, eq=False, slots=True)
class _Side:
    """One of the two series, the other, and the rows that stay."""

    bars: Bars
    other: Bars
    rows: Rows

    @property
    def span(self) -> slice:
        """Rows in the common span; empty where there is none."""
        first, last = self.other.time[0], self.other.time[-1]
        low = int(np.searchsorted(self.bars.time, first))
        high = int(np.searchsorted(self.bars.time, last, side="right"))
        return slice(low, max(low, high))

    @property
    def outside(self) -> int:
        """Number of bars before or after the common span."""
        return len(self.bars) - len(self.rows) - len(self.dropped)

    @property
    def dropped(self) -> npt.NDArray[np.datetime64]:
        """Times inside the common span that the other lacks."""
        return np.setdiff1d(self.bars.time[self.span], self.bars.time[self.rows])

    @property
    def share(self) -> float:
        return len(self.dropped) / (len(self.rows) + len(self.dropped))

    def tell(self) -> str:
        """Name share, counts and first examples of the dropped bars."""
        count, span = len(self.dropped), len(self.rows) + len(self.dropped)
        return (
            f"{100 * self.share:.2g} % of the bars of {self.bars.name} ({count} of {span} in "
            f"the common span) have no partner in {self.other.name}: {_examples(self.dropped)}"
        )


def _require_alike(bars: Bars, second: Bars) -> None:
    for argument, one in (("bars", bars), ("second", second)):
        if one.second is not None:
            raise ArgumentError(f"`{argument}` must be one series, but {one!r} is a pair already")
    what = f"{bars.name} and {second.name} cannot be joined:"
    if bars.bar_size != second.bar_size:
        raise DataError(
            f"{what} their bars are {bars.bar_size} and {second.bar_size} long; "
            "give two series of the same bar size"
        )
    if bars.timezone != second.timezone:
        # UTC is what a file without a zone is taken to be, so the other is the likelier one.
        zone = second.timezone if bars.timezone == "UTC" else bars.timezone
        raise DataError(
            f"{what} their times are in {bars.timezone} and {second.timezone}; "
            f"name one zone for both with `timezone` (--timezone {zone})"
        )
    if bars.stamp != second.stamp:
        raise DataError(
            f"{what} the times mark the {bars.stamp} of a bar of {bars.name} and the "
            f"{second.stamp} of one of {second.name}; give two exports of the same kind, or "
            "load both with the `stamp` that is right"
        )


def _taken(bars: Bars, rows: Rows) -> Bars:
    """Keep the bars at `rows`, increasing; the series itself where that is all of them."""
    if len(rows) == len(bars):
        return bars
    fields = ("time", "open", "high", "low", "close")
    columns = {field: getattr(bars, field)[rows] for field in fields}
    for field in ("volume", "stubs"):
        column = getattr(bars, field)
        columns[field] = None if column is None else column[rows]
    for column in columns.values():
        if column is not None:
            column.setflags(write=False)
    taken = replace(bars, **columns)
    return replace(taken, bars_per_year=(len(rows) - 1) / taken.years) if taken.years else taken


def _nothing_common(sides: Sequence[_Side]) -> str:
    spans = (
        f"{s.bars.name} has {clock(s.bars.time[0])} to {clock(s.bars.time[-1])}" for s in sides
    )
    names = " and ".join(side.bars.name for side in sides)
    if not all(len(side.dropped) for side in sides):
        return f"{names} have no time in common: {', '.join(spans)}; give series that overlap"
    times = " but ".join(f"{_examples(side.dropped)} in {side.bars.name}" for side in sides)
    return (
        f"{names} have no time in common, though their spans overlap: {times}; "
        "name the zone of both with `timezone` (--timezone) or export both in the same way"
    )


def _too_many(sides: Sequence[_Side]) -> str:
    return (
        "; ".join(side.tell() for side in sides if side.share > MOST_DROPPED)
        + f"; more than {100 * MOST_DROPPED:g} % is refused: give two series of the same "
        "sessions, or accept it with `allow_dropped` (--allow-dropped)"
    )


def _warnings(sides: Sequence[_Side]) -> list[Finding]:
    """Tell what was left out of the traded series or, inside the common span, of either."""
    found = []
    traded = sides[0]
    if traded.outside:
        first, last = clock(traded.other.time[0]), clock(traded.other.time[-1])
        message = (
            f"{traded.outside} of {len(traded.bars)} bars of {traded.bars.name} are not used, "
            f"since {traded.other.name} runs from {first} to {last}"
        )
        found.append(Finding("shortened", 0, "", str(traded.outside), message))
    for side in sides:
        if len(side.dropped):
            value = f"{100 * side.share:.2g} %"
            found.append(Finding("dropped", 0, clock(side.dropped[0]), value, side.tell()))
    return found


def _examples(times: npt.NDArray[np.datetime64]) -> str:
    """Write the first few times, and that there are more."""
    tail = ", ..." if len(times) > EXAMPLES else ""
    return ", ".join(clock(time) for time in times[:EXAMPLES]) + tail
