"""One simulation under parameter sets that change at given closes, in either engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np

from meseta._numba import plain
from meseta.account import Contract
from meseta.engine._fast import report_of
from meseta.engine._reference import Change, Policy, Walk
from meseta.engine._segments import Tape, idle_segment, new_book, new_tape, step
from meseta.engine._terms import require_sizes, rolls_of, terms_of
from meseta.engine._trades import REASONS, Simulation, Trade, Window
from meseta.errors import ArgumentError
from meseta.strategies._book import DIRECTION, FINISHING, LEAVE
from meseta.strategies._broker import clear_orders
from meseta.strategies._own import markets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray, IntArray
    from meseta.account import Account
    from meseta.bars import Bars
    from meseta.engine._reference import Decider
    from meseta.engine._terms import Terms
    from meseta.strategies import Market

__all__ = ["Course", "Play", "Scheduled", "Switch", "blocks_of_play", "simulate_schedule"]

_LEFT = 1 + REASONS.index("boundary")


class Play(Protocol):
    """A parameter set at work in both engines."""

    def segment(
        self, book: FloatArray, course: Course, tape: Tape, begin: int, stop: int, *, resume: bool
    ) -> int:
        """Run bars in the compiled loop; see `rules_segment`."""

    def decider(self) -> Decider:
        """Return what decides in the reference engine."""


@dataclass(frozen=True, slots=True)
class Switch:
    """From the close of bar `at` on, `play` decides; None stays out of the market."""

    at: int
    play: Play | None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A simulation, and what was held at every close of its window (signed shares)."""

    made: Simulation
    held: FloatArray


@dataclass(frozen=True, slots=True)
class Course:
    """What simulations of one market have in common, for the compiled loop.

    Parameters
    ----------
    market
        The series.
    rolls
        Rolls up to and including each bar, shape (N,).
    terms
        Account and contract.
    """

    market: Market
    rolls: FloatArray
    terms: Terms

    @classmethod
    def of(cls, bars: Bars, account: Account, contract: Contract) -> Course:
        """Return the course of a series."""
        rolls = rolls_of(bars, contract).astype(np.float64)
        return cls(markets_of(bars)[0], rolls, terms_of(account, contract))


def simulate_schedule(
    bars: Bars,
    switches: Sequence[Switch],
    stop: int,
    account: Account,
    contract: Contract | None = None,
    *,
    policy: Policy = "carry",
    split: int | None = None,
    reference: bool = False,
) -> Scheduled:
    """Trade parameter sets one after the other, as one account (`spec/walk-forward.md` 2b).

    Parameters
    ----------
    bars
        The whole series.
    switches
        Parameter sets and the closes from which they decide, increasing. Trading begins at the
        first.
    stop
        The bar after the last one; what is open at the last close is closed there.
    account, contract
        Capital and costs; what is traded.
    policy
        What happens to a position that is open where the parameters change. ``"carry"``: it
        stays, with its best price and its final stop; the new set decides from then on.
        ``"close"``: it is sold at the next open, and the new set decides from the close of that
        bar on. ``"finish"``: the old set manages it to its end, opposite entry orders end it
        without opening anything, and the new set decides from the first close without a
        position. Where no set follows, ``carry`` sells as ``close`` does.
    split
        First out-of-sample bar of the report; by default all but the first bar are.
    reference
        Use the reference engine instead of the compiled loop; both give the same trades.

    Raises
    ------
    ArgumentError
        `policy` is unknown, or prices of zero or less are to be bought with the whole equity.
    """
    if policy not in get_args(Policy):
        raise ArgumentError(f"`policy` must be carry, close or finish, got {policy!r}")
    first = switches[0].at
    window = Window(first, first + 1 if split is None else split, stop).require_inside(len(bars))
    contract = contract or Contract()
    require_sizes(bars, contract)
    if reference:
        changes = [Change(s.at, s.play.decider() if s.play else None) for s in switches]
        walk = Walk(bars, changes, window, account, contract, policy)
        return Scheduled(walk.run(), walk.held)
    course = Course.of(bars, account, contract)
    tape = new_tape(first, stop, account.capital, np.zeros(0, np.int64), keep=True)
    _Run(course, tape, policy).through(switches, stop)
    trades = tuple(_trade(row) for row in tape.trades[: int(tape.counts[0])].tolist())
    made = Simulation(
        window, trades, tape.marks, report_of(trades, tape.marks, bars.close, window, account,
                                              contract.point_value),
    )  # fmt: skip
    return Scheduled(made, tape.held)


def blocks_of_play(course: Course, play: Play, bounds: IntArray) -> FloatArray:
    """Run one parameter set from the first boundary to the last; return the boundaries' rows."""
    start, stop = int(bounds[0]), int(bounds[-1])
    tape = new_tape(start, stop, course.terms.capital, bounds, keep=False)
    play.segment(new_book(course.terms), course, tape, start, stop, resume=False)
    return tape.blocks


class _Run:
    """The compiled loop on its way through a schedule."""

    def __init__(self, course: Course, tape: Tape, policy: Policy) -> None:
        self.course, self.tape, self.policy = course, tape, policy
        self.book = new_book(course.terms)
        self.play: Play | None = None

    def through(self, switches: Sequence[Switch], stop: int) -> None:
        ends = [*(switch.at for switch in switches[1:]), stop]
        for switch, end in zip(switches, ends, strict=True):
            self.change(switch, end)

    def change(self, switch: Switch, end: int) -> None:
        """Hand over at the close of bar `switch.at` and run to before `end`."""
        at, book, course = switch.at, self.book, self.course
        step(book, course.market, course.rolls, at, course.terms, self.tape)
        resume = True
        if book[DIRECTION] != 0.0:
            if self.policy == "finish":
                book[FINISHING] = 1.0
                at = self.run(self.play, at, end, resume=True)
            elif self.play is not None and (self.policy == "close" or switch.play is None):
                plain(clear_orders)(book)
                book[LEAVE] = _LEFT
                at, resume = at + 1, False
        if at < end or book[DIRECTION] == 0.0:
            book[FINISHING], self.play = 0.0, switch.play
        self.run(self.play, at, end, resume=resume)

    def run(self, play: Play | None, begin: int, end: int, *, resume: bool) -> int:
        if begin >= end:
            return end
        if play is None:
            return idle_segment(
                self.book, self.course.market, self.course.rolls, begin, end, resume,
                self.course.terms, self.tape,
            )  # fmt: skip
        return play.segment(self.book, self.course, self.tape, begin, end, resume=resume)


def _trade(row: list[Any]) -> Trade:
    way, entry, leaves, fill, price, shares, reason, pnl, costs = row
    name = REASONS[int(reason)]
    return Trade(int(entry), int(leaves), int(way), fill, price, shares, name, pnl, costs)
