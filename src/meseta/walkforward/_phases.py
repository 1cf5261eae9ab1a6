"""Phases: overlapping windows of history, each with an in-sample and an out-of-sample side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from meseta.errors import ArgumentError, DataError
from meseta.walkforward._by_hand import YearsBack, parse_phases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meseta.bars import Bars
    from meseta.walkforward._by_hand import Dates

__all__ = ["Phase", "PhasePlan", "plan_phases"]

YEAR = 31_557_600_000_000  # microseconds in 365.25 days

_LONG = 10.0
_LONG_PHASES: tuple[YearsBack, ...] = (
    YearsBack(10, 5, 0.40),
    YearsBack(8, 3, 0.40),
    YearsBack(6, 1, 0.40),
    YearsBack(4, 0, 0.38),
)
# Shorter histories: least years, number of phases.
_EVEN = ((6.0, 4), (3.0, 3), (1.5, 2))
_LEAST = _EVEN[-1][0]
_LEAST_SHIFT = 0.5  # years; phases closer together would be nearly the same test
_LEAST_SIDE = 2  # bars


@dataclass(frozen=True, slots=True)
class Phase:
    """One window of the history, rows of the bars without the vault.

    Parameters
    ----------
    number
        From 1, in the order of the plan.
    a, o, z
        Rows ``a`` to ``o - 1`` are in-sample, ``o`` to ``z - 1`` out-of-sample.
    """

    number: int
    a: int
    o: int
    z: int

    @property
    def window(self) -> tuple[int, int, int]:
        """``(a, o, z)``."""
        return self.a, self.o, self.z


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """The phases of a search.

    Parameters
    ----------
    phases
        In the order of the plan.
    required
        In how many of them a combination must be valid: more than half.
    notes
        What the user should know about how the plan came about.
    """

    phases: tuple[Phase, ...]
    required: int
    notes: tuple[str, ...]


def plan_phases(
    bars: Bars,
    *,
    warmup: int = 100,
    spec: Literal["auto"] | Sequence[Mapping[str, Any]] = "auto",
) -> PhasePlan:
    """Lay phases over a history (`spec/walk-forward.md` section 1).

    Parameters
    ----------
    bars
        The history without the vault.
    warmup
        No phase starts before this row: indicators need bars to look back on.
    spec
        ``"auto"`` chooses by the history's length: from ten years on four phases of four to
        five years, from six years four, from three years three and from one and a half years
        two, each half the history long and evenly shifted. Or a list of mappings, see
        `parse_phases`.

    Raises
    ------
    DataError
        ``"auto"`` finds the history too short, counted from its first bar to its last.
    ArgumentError
        A phase given by hand is malformed, is the same as another, reaches outside the data, or
        has less than two bars on a side.
    """
    if isinstance(spec, str) and spec == "auto":
        return _automatic(bars, warmup)
    return _by_hand(bars, warmup, parse_phases(spec))


def _automatic(bars: Bars, warmup: int) -> PhasePlan:
    wanted, notes = _even(bars) if bars.years < _LONG else (_LONG_PHASES, [])
    phases: list[Phase] = []
    for number, part in enumerate(wanted, 1):
        phase = _place(bars, number, part, warmup)
        if _too_short(phase):
            notes.append(f"phase {number} is left out: the warm-up of {warmup} bars swallows it")
        else:
            phases.append(replace(phase, number=len(phases) + 1))
    if len(phases) < 2:
        raise DataError(
            f"{_history(bars)}, and its warm-up of {warmup} bars leaves {len(phases)} phases of "
            "the 2 that are needed; use a longer history or shorter bars"
        )
    return _plan(bars, phases, warmup, notes)


def _even(bars: Bars) -> tuple[tuple[YearsBack, ...], list[str]]:
    """Return phases of half the history, evenly shifted, and what to say about them."""
    years = bars.years
    count = next((count for least, count in _EVEN if years >= least), 0)
    if not count:
        raise DataError(
            f"{_history(bars)}; phases need at least {_LEAST:g} years besides the vault. Use a "
            "longer history, a smaller --vault, or give the phases by hand (--phases FILE)"
        )
    span = years / 2
    fits = 1 + int((years - span) / _LEAST_SHIFT)
    notes = [f"{count - fits} phases left out: less than half a year apart"] * (fits < count)
    count = min(count, fits)
    shift = (years - span) / (count - 1)
    starts = [years - shift * k for k in range(count)]
    ends = [*(start - span for start in starts[:-1]), 0.0]
    shares = [0.40] * (count - 1) + [0.38]
    return tuple(map(YearsBack, starts, ends, shares)), notes


def _by_hand(bars: Bars, warmup: int, wanted: Sequence[YearsBack | Dates]) -> PhasePlan:
    phases: list[Phase] = []
    for number, part in enumerate(wanted, 1):
        _require_inside(bars, number, part)
        phase = _place(bars, number, part, warmup)
        if _too_short(phase):
            raise ArgumentError(
                f"`phases` entry {number} must have at least {_LEAST_SIDE} bars in-sample and "
                f"out-of-sample after the warm-up of {warmup} bars, got "
                f"{max(phase.o - phase.a, 0)} and {max(phase.z - phase.o, 0)}"
            )
        twin = next((p.number for p in phases if p.window == phase.window), None)
        if twin is not None:
            raise ArgumentError(
                f"`phases` entry {number} must differ from the others, got the bars of {twin}"
            )
        phases.append(phase)
    return _plan(bars, phases, warmup, [])


def _plan(bars: Bars, phases: Sequence[Phase], warmup: int, notes: Sequence[str]) -> PhasePlan:
    return PhasePlan(tuple(phases), len(phases) // 2 + 1, (*notes, *_moved(bars, phases, warmup)))


def _require_inside(bars: Bars, number: int, part: YearsBack | Dates) -> None:
    if isinstance(part, YearsBack):
        outside = part.start > bars.years
        got = f"{part.start:g} years before the last bar"
    else:
        first, last = bars.calendar.first, bars.calendar.last
        # A date alone as the end means its whole day, which may go beyond the last bar's time.
        outside = part.start.date() < first.date() or part.end.date() > last.date()
        got = f"{part.start.isoformat()} to {part.end.isoformat()}"
    if outside:
        raise ArgumentError(
            f"`phases` entry {number} must lie inside the data, got {got}; {_history(bars)}"
        )


def _place(bars: Bars, number: int, part: YearsBack | Dates, warmup: int) -> Phase:
    """Return the rows of a phase that starts after the warm-up at the earliest."""
    if isinstance(part, YearsBack):
        last = bars.time[-1]
        a = max(_row_at(bars, last - _microseconds(part.start)), warmup)
        z = _row_after(bars, last - _microseconds(part.end))
        return Phase(number, a, _split(a, z, part.out_of_sample), z)
    a, o = (_row_at(bars, np.datetime64(moment, "us")) for moment in (part.start, part.split))
    return Phase(number, max(a, warmup), o, _row_after(bars, np.datetime64(part.end, "us")))


def _moved(bars: Bars, phases: Sequence[Phase], warmup: int) -> list[str]:
    """Say which phases begin where the warm-up ends."""
    late = [str(phase.number) for phase in phases if phase.a == warmup > 0]
    if not late:
        return []
    first = f"{bars.time[warmup].item():%Y-%m-%d}"
    many = "s" if len(late) > 1 else ""
    which = f"phase{many} {', '.join(late)}"
    return [f"{which} cannot start before {first}: the first {warmup} bars are the warm-up"]


def _too_short(phase: Phase) -> bool:
    return phase.o - phase.a < _LEAST_SIDE or phase.z - phase.o < _LEAST_SIDE


def _split(a: int, z: int, share: float) -> int:
    # In decimals: 10 bars with 0.9 out-of-sample have 1 bar in-sample, not 0.99999 of one.
    return a + int((z - a) * (1 - Decimal(str(share))))


def _row_at(bars: Bars, moment: np.datetime64) -> int:
    return int(np.searchsorted(bars.time, moment, side="left"))


def _row_after(bars: Bars, moment: np.datetime64) -> int:
    return int(np.searchsorted(bars.time, moment, side="right"))


def _microseconds(years: float) -> np.timedelta64:
    return np.timedelta64(round(years * YEAR), "us")


def _history(bars: Bars) -> str:
    span = bars.calendar
    return (
        f"the history is {bars.years:.2f} years long ({len(bars):,} bars, "
        f"{span.first:%Y-%m-%d} to {span.last:%Y-%m-%d})"
    )
