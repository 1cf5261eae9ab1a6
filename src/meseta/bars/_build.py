"""From columns as read to `Bars`, or to the reasons why not."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from meseta.bars._bars import Bars, annual_rate
from meseta.bars._faults import find_faults
from meseta.bars._finding import whole
from meseta.bars._sessions import find_open
from meseta.bars._size import infer_size, steps_of
from meseta.bars._suspicions import find_suspicions
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from meseta.bars._bars import Stamp
    from meseta.bars._faults import Columns
    from meseta.bars._finding import Finding
    from meseta.bars._size import BarSize

__all__ = ["Label", "Verdict", "build", "judge"]


T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the caller or the layout says about bars, beside the numbers.

    `notes` are findings about the source as such; they come before those about its numbers.
    What `size` and `session_open` leave open is read from the times.
    """

    name: str
    timezone: str
    stamp: Stamp
    allow_nonpositive: bool
    source: str | None
    notes: tuple[Finding, ...] = ()
    size: BarSize | None = None
    session_open: int | None = None

    def __post_init__(self) -> None:
        if self.stamp not in {"open", "close"}:
            raise ArgumentError(f"`stamp` must be 'open' or 'close', got {self.stamp!r}")
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ArgumentError(
                "`timezone` must be an IANA name such as 'America/New_York' or 'UTC', "
                f"got {self.timezone!r}"
            ) from error


@dataclass(frozen=True, slots=True)
class Verdict:
    """Bars when there is no fault, and everything noticed."""

    bars: Bars | None
    faults: tuple[Finding, ...]
    suspicions: tuple[Finding, ...]


def build(columns: Columns, label: Label) -> Bars:
    """Make `Bars`, or raise a DataError that names the first fault of each kind."""
    verdict = judge(columns, label)
    if verdict.bars is None:
        what = label.source or label.name
        kinds = "1 kind" if len(verdict.faults) == 1 else f"{len(verdict.faults)} kinds"
        lines = [f"{what}: {kinds} of fault in {len(columns.time)} rows"]
        raise DataError("\n  ".join(lines + [fault.message for fault in verdict.faults]))
    return verdict.bars


def judge(columns: Columns, label: Label) -> Verdict:
    """Find all faults and suspicious things; suspicions are sought in the sound rows alone."""
    notes = label.notes
    if not len(columns.time):
        return Verdict(None, (whole("empty", "the source holds no bars"),), notes)
    faults = find_faults(columns, allow_nonpositive=label.allow_nonpositive)
    sound = columns.keep(~faults.rows) if faults.findings else columns
    in_order = len(sound.time) and bool(np.all(steps_of(sound.order) > 0))
    if not in_order:
        return Verdict(None, faults.findings, notes)
    try:
        size = label.size or infer_size(sound.time)
    except DataError as error:
        return Verdict(None, (*faults.findings, whole("bar_size", str(error))), notes)
    opens = label.session_open
    if opens is None:
        opens = find_open(sound.time, size.minutes, label.stamp, sound.stubs)
    suspicions = (*notes, *find_suspicions(sound, size, label.stamp, opens))
    if faults.findings:
        return Verdict(None, faults.findings, suspicions)
    bars = Bars(
        name=label.name,
        time=_own(columns.time),
        open=_own(columns.open),
        high=_own(columns.high),
        low=_own(columns.low),
        close=_own(columns.close),
        volume=None if columns.volume is None else _own(columns.volume),
        bar_size=size.name,
        bar_minutes=size.minutes,
        timezone=label.timezone,
        stamp=label.stamp,
        allow_nonpositive=label.allow_nonpositive,
        source=label.source,
        warnings=suspicions,
        bars_per_year=annual_rate(columns.time, size),
        session_open=opens,
        stubs=None if columns.stubs is None else _own(columns.stubs),
    )
    return Verdict(bars, (), suspicions)


def _own(array: npt.NDArray[T]) -> npt.NDArray[T]:
    """Copy an array so that nobody else can change it."""
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy
