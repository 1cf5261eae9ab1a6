"""Rules that no real bar breaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from meseta.bars._finding import Finding, and_more, clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Times = npt.NDArray[np.datetime64]
    Rule = tuple[str, Mask, Callable[[int], tuple[str, str]]]

__all__ = ["Columns", "Faults", "find_faults"]

DUPLICATE = "this time occurs twice; keep one of the bars, or one symbol of several"
UNSORTED = "earlier than the bar before; sort the rows by time"
NEWEST_FIRST = "earlier than the bar before: the rows run newest first; sort them by time"
CLOCK_CHANGE = "this wall time occurs twice when the clocks change; load with timezone UTC"
NONPOSITIVE = (
    "{name} is {value}, not positive; for additively back-adjusted prices allow it "
    "(allow_nonpositive)"
)


def _same(position: int) -> int:
    return position


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """Market data as read, before anybody judged it.

    Parameters
    ----------
    time
        datetime64[us], shape (N,), naive wall time; NaT where it could not be read.
    open, high, low, close
        float64, shape (N,); NaN where missing or unreadable.
    volume
        The same, or None where the source has none.
    instants
        datetime64[us] in UTC, shape (N,), where the source states instants and not wall time.
    stubs
        Which bars the source marks as shorter than the others, bool, shape (N,), or None.
    row
        From position to the row number that the user sees.
    unread
        Findings about cells that could not be read.
    unread_rows
        Positions of those cells.
    """

    time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats | None = None
    instants: Times | None = None
    stubs: Mask | None = None
    row: Callable[[int], int] = _same
    unread: tuple[Finding, ...] = ()
    unread_rows: tuple[int, ...] = ()

    @property
    def order(self) -> Times:
        """The times in which order and steps are measured: instants where they are known."""
        return self.time if self.instants is None else self.instants

    def place(self, position: int) -> str:
        """Row number and time of a bar, as messages name it."""
        time = clock(self.time[position])
        return f"row {self.row(position)}" + (f" ({time})" if time else "")

    def finding(self, code: str, position: int, value: str, what: str) -> Finding:
        """Say `what` of the bar at `position`."""
        message = f"{self.place(position)}: {what}"
        return Finding(code, self.row(position), clock(self.time[position]), value, message)

    def keep(self, rows: Mask) -> Columns:
        """Only the bars where `rows` is true; what could not be read is forgotten."""
        kept = np.flatnonzero(rows)
        return Columns(
            self.time[kept],
            self.open[kept],
            self.high[kept],
            self.low[kept],
            self.close[kept],
            volume=None if self.volume is None else self.volume[kept],
            instants=None if self.instants is None else self.instants[kept],
            stubs=None if self.stubs is None else self.stubs[kept],
            row=lambda position: self.row(int(kept[position])),
        )


@dataclass(frozen=True, eq=False, slots=True)
class Faults:
    """The first fault of each kind, and every row that has one."""

    findings: tuple[Finding, ...]
    rows: Mask = field(repr=False)


def find_faults(columns: Columns, *, allow_nonpositive: bool) -> Faults:
    """Test every bar against every rule.

    Parameters
    ----------
    columns
        At least one bar.
    allow_nonpositive
        Let prices of zero and less pass.
    """
    unread = np.zeros(len(columns.time), dtype=np.bool_)
    unread[list(columns.unread_rows)] = True
    faulty = unread.copy()
    findings = list(columns.unread)
    prices = _price_rules(columns, unread, nonpositive=allow_nonpositive)
    for code, rows, describe in [*_time_rules(columns, unread), *prices]:
        if rows.any():
            at = int(np.argmax(rows))
            value, what = describe(at)
            count = int(np.count_nonzero(rows))
            findings.append(columns.finding(code, at, value, what + and_more(count)))
            faulty |= rows
    return Faults(tuple(findings), faulty)


def _time_rules(columns: Columns, unread: Mask) -> Iterator[Rule]:
    """Each time must be there, and later than the one before."""
    missing = np.isnat(columns.order)
    yield "time", missing & ~unread, lambda _: ("", "time is missing")
    known = np.flatnonzero(~missing)
    order = columns.order[known].astype(np.int64)

    def marked(rows: npt.NDArray[np.intp]) -> Mask:
        mask = np.zeros(len(columns.time), dtype=np.bool_)
        mask[known[rows]] = True
        return mask

    sorting = np.argsort(order, kind="stable")
    repeated = marked(sorting[1:][np.diff(order[sorting]) == 0])
    yield "duplicate_time", repeated, lambda at: (clock(columns.time[at]), DUPLICATE)
    steps = np.diff(order)
    newest_first = len(steps) > 0 and bool(np.all(steps <= 0))
    unsorted = marked(np.flatnonzero(steps < 0) + 1)
    hint = NEWEST_FIRST if newest_first else UNSORTED
    yield "unsorted_time", unsorted, lambda at: (clock(columns.time[at]), hint)
    if columns.instants is not None and not repeated.any() and not unsorted.any():
        wall = np.diff(columns.time[known].astype(np.int64))
        back = marked(np.flatnonzero(wall <= 0) + 1)
        yield "clock_change", back, lambda at: (clock(columns.time[at]), CLOCK_CHANGE)


def _price_rules(columns: Columns, unread: Mask, *, nonpositive: bool) -> Iterator[Rule]:
    names = ("open", "high", "low", "close")
    table = np.stack([columns.open, columns.high, columns.low, columns.close])
    missing, infinite = "{name} is missing", "{name} is {value}"
    yield _cell_rule("missing", names, table, np.isnan(table) & ~unread, missing)
    yield _cell_rule("infinite", names, table, np.isinf(table), infinite)
    if not nonpositive:
        yield _cell_rule("nonpositive", names, table, table <= 0, NONPOSITIVE)
    below = columns.high < columns.low
    yield _pair_rule(columns, "high", "low", "below", below)
    for name in ("open", "close"):
        body = getattr(columns, name)
        yield _pair_rule(columns, "high", name, "below", (columns.high < body) & ~below)
        yield _pair_rule(columns, "low", name, "above", (columns.low > body) & ~below)
    if columns.volume is not None:
        cells = columns.volume[np.newaxis]
        for code, wrong, what in (
            ("volume_missing", np.isnan(cells) & ~unread, "{name} is missing"),
            ("volume_infinite", np.isinf(cells), "{name} is {value}"),
            ("volume_negative", cells < 0, "{name} is negative, {value}"),
        ):
            yield _cell_rule(code, ("volume",), cells, wrong, what)


def _cell_rule(code: str, names: Sequence[str], table: Floats, cells: Mask, what: str) -> Rule:
    """Blame the first cell of a row; `table` and `cells` have shape (columns, N)."""

    def describe(at: int) -> tuple[str, str]:
        column = int(np.argmax(cells[:, at]))
        value = str(float(table[column, at]))
        return value, what.format(name=names[column], value=value)

    return code, np.any(cells, axis=0), describe


def _pair_rule(columns: Columns, name: str, other: str, side: str, rows: Mask) -> Rule:
    def describe(at: int) -> tuple[str, str]:
        value, limit = float(getattr(columns, name)[at]), float(getattr(columns, other)[at])
        return str(value), f"{name} {value} is {side} the {other} {limit}"

    return f"{name}_{side}_{other}", rows, describe
