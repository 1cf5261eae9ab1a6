"""What a hedge grid trades: bars, the funding that was settled, and mark prices."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from meseta.bars._finding import clock
from meseta.errors import DataError
from meseta.hedge._funding import LONGEST_HOURS

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray, TimeArray
    from meseta.bars import Bars
    from meseta.hedge._funding import Funding

__all__ = ["HedgeMarket"]

_UTC = {"UTC", "Etc/UTC", "Etc/GMT", "GMT", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu"}
_HOUR = 3_600_000_000
_USUAL_MINUTES = 5  # longer bars pass several rungs and exits at once


@dataclass(frozen=True, eq=False, kw_only=True)
class HedgeMarket:
    """A linear perpetual future; make it with `HedgeMarket.make`, which validates.

    Parameters
    ----------
    bars
        Bars of trades, shorter than a day, UTC, stamped at their open.
    funding
        Settled funding, from before the first bar to the last; None charges none.
    mark
        Mark prices of any bar size, UTC, stamped at their open; None takes the last trade.
    notes
        Sentences about what is assumed of this market.
    """

    bars: Bars
    funding: Funding | None
    mark: Bars | None
    notes: tuple[str, ...]

    @classmethod
    def make(
        cls,
        bars: Bars,
        funding: Funding | None = None,
        mark: Bars | None = None,
        *,
        allow_gaps: bool = False,
    ) -> Self:
        """Validate and note what is assumed.

        Parameters
        ----------
        bars, funding, mark
            As in `HedgeMarket`; bars stamped at their close are stamped anew.
        allow_gaps
            Whether bars may be missing. Orders then rest through the gap and are filled, or
            stopped, at the first open after it.

        Raises
        ------
        DataError
            The bars are daily, not in UTC, off the minute, have gaps, prices of zero or less or
            look like mark prices; funding does not cover them; or no mark price does.
        """
        bars = _at_open(bars, "bars")
        mark = None if mark is None else _at_open(mark, "mark prices")
        _check_trades(bars, mark)
        notes = _gaps(bars, allow_gaps=allow_gaps)
        if (bars.bar_minutes or 0) > _USUAL_MINUTES:
            notes += (
                f"bars of {bars.bar_size} hide in which order prices traded: 1m or 5m are meant",
            )
        if bars.volume is None:
            notes += ("the bars have no volume: nothing shows that they are trades",)
        notes += _funding_notes(bars, funding)
        notes += _mark_notes(bars, funding, mark)
        return cls(bars=bars, funding=funding, mark=mark, notes=notes)

    @property
    def minutes(self) -> int:
        """Length of a bar in minutes."""
        return int(self.bars.bar_minutes or 0)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over bars, funding and mark prices, hexadecimal."""
        digest = hashlib.sha256(b"hedge market")
        for part in (self.bars, self.funding, self.mark):
            digest.update(bytes(32) if part is None else bytes.fromhex(part.fingerprint))
        return digest.hexdigest()

    @cached_property
    def settlements(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Row, rate and mark price of each settlement that lots can be open at.

        The row is that of the first bar which opens at the settlement or later: lots that are
        open before it trades pay. The mark price is the open of the mark bar of that moment,
        else the last trade before it.
        """
        if self.funding is None:
            return np.empty(0, np.int64), np.empty(0), np.empty(0)
        rows = np.searchsorted(self.bars.time, self.funding.time)
        inside = (rows > 0) & (rows < len(self.bars))
        rows, times = rows[inside].astype(np.int64), self.funding.time[inside]
        return rows, self.funding.rate[inside], _marks(self.bars, self.mark, rows, times)

    def with_bars(self, bars: Bars, mark: Bars | None) -> Self:
        """Return the same market at other prices."""
        return replace(self, bars=bars, mark=mark)


def _marks(bars: Bars, mark: Bars | None, rows: IntArray, times: TimeArray) -> FloatArray:
    last = bars.close[rows - 1]
    if mark is None:
        return last
    at = np.minimum(np.searchsorted(mark.time, times), len(mark) - 1)
    return np.where(mark.time[at] == times, mark.open[at], last)


def _at_open(bars: Bars, what: str) -> Bars:
    if bars.timezone not in _UTC:
        raise DataError(
            f"the {what} must be in UTC, as funding is; {bars.name} is in {bars.timezone}; "
            "load it with --timezone UTC where its times are UTC"
        )
    if bars.bar_minutes is None:
        raise DataError(
            f"the {what} must be shorter than a day; {bars.name} has bars of {bars.bar_size}"
        )
    if np.any(bars.time.astype("datetime64[m]") != bars.time):
        raise DataError(f"the {what} must begin at whole minutes; those of {bars.name} do not")
    if bars.stamp == "open":
        return bars
    return replace(bars, time=bars.time - np.timedelta64(bars.bar_minutes, "m"), stamp="open")


def _check_trades(bars: Bars, mark: Bars | None) -> None:
    if bars.low.min() <= 0.0:
        raise DataError(f"prices must be positive; the lowest of {bars.name} is {bars.low.min()}")
    if bars.volume is not None and not bars.volume.any():
        raise DataError(
            f"no bar of {bars.name} has volume: these look like mark or index prices, at which "
            "nothing trades; give bars of trades, and mark prices as such"
        )
    same = mark is not None and len(mark) == len(bars) and np.array_equal(mark.close, bars.close)
    if same:
        raise DataError(f"the bars of {bars.name} are the mark prices; give bars of trades")


def _gaps(bars: Bars, *, allow_gaps: bool) -> tuple[str, ...]:
    steps = np.diff(bars.time) // np.timedelta64(bars.bar_minutes or 1, "m")
    wide = np.flatnonzero(steps != 1)
    if not len(wide):
        return ()
    first, missing = int(wide[0]), int(np.sum(np.maximum(steps[wide] - 1, 0)))
    text = (
        f"{bars.name} has {len(wide)} gaps, {missing} bars of {bars.bar_size} are missing, first "
        f"after {clock(bars.time[first])} up to {clock(bars.time[first + 1])}"
    )
    if not allow_gaps:
        raise DataError(f"{text}; choose dates without, fetch them, or allow gaps")
    return (f"{text}; orders rest through a gap",)


def _funding_notes(bars: Bars, funding: Funding | None) -> tuple[str, ...]:
    if funding is None:
        return ("no funding is charged and the funding guard is off: there are no rates",)
    _check_cover(bars, funding)
    return (
        "the funding guard knows the last settled rate, and not the one that is to be settled",
    )


def _check_cover(bars: Bars, funding: Funding) -> None:
    """Raise where a settlement may be missing between the first bar and the last."""
    hours = funding.interval_hours
    first, last = bars.time[0], bars.time[-1]
    before, after = funding.time[0], funding.time[-1]
    head = before - _wait(hours[0]) > first
    if head or after + _wait(hours[-1]) <= last:
        raise DataError(
            f"funding is known from {clock(before)} to {clock(after)} and must cover the bars, "
            f"{clock(first)} to {clock(last)}; choose dates with --start and --end or give a "
            "longer file"
        )
    steps = np.diff(funding.time).astype(np.int64) / _HOUR
    allowed = np.minimum(np.maximum(hours[1:], hours[:-1]), LONGEST_HOURS)
    inside = (funding.time[1:] >= first) & (funding.time[:-1] <= last)
    holes = np.flatnonzero(inside & (steps > allowed))
    if len(holes):
        a, z = funding.time[holes[0]], funding.time[holes[0] + 1]
        raise DataError(
            f"funding lacks settlements between {clock(a)} and {clock(z)} ({len(holes)} such "
            "holes); choose dates with --start and --end or give a complete file"
        )


def _wait(hours: float) -> np.timedelta64:
    return np.timedelta64(round(min(hours, LONGEST_HOURS) * _HOUR), "us")


def _mark_notes(bars: Bars, funding: Funding | None, mark: Bars | None) -> tuple[str, ...]:
    value = "equity, limits and liquidation are valued at the last trade"
    if funding is None:
        return (value,)
    if mark is None:
        return (f"there are no mark prices: funding is paid on the last trade; {value}",)
    due = funding.time[(funding.time > bars.time[0]) & (funding.time <= bars.time[-1])]
    known = int(np.isin(due, mark.time).sum())
    if len(due) and not known:
        raise DataError(
            f"no bar of the mark prices {mark.name} opens at a settlement from "
            f"{clock(bars.time[0])} to {clock(bars.time[-1])}; give those of the same dates"
        )
    lacking = len(due) - known
    gone = f" ({lacking} of {len(due)} are unknown: the last trade)" if lacking else ""
    return (f"funding is paid on the mark price{gone}; {value}",)
