"""Stretches of bars under one parameter set, for the compiled loop."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from numba import typeof, types

from meseta._numba import inline, kernel, plain
from meseta._words import after, words, words_of
from meseta.engine._bar_loop import (
    BREACH,
    CROSS,
    TRADE_WORDS,
    close_position,
    marked,
    walk_bar,
)
from meseta.engine._blocks import (
    FIELDS,
    TALLY,
    close_block,
    start_tally,
    tally,
)
from meseta.engine._blocks import (
    FINAL as FINAL_PNL,
)
from meseta.engine._lent import LentType, call_at, lend, lent
from meseta.engine._trades import REASONS
from meseta.strategies._book import (
    ASK,
    BAR,
    BOOK,
    CLOSE,
    DIRECTION,
    ENTRY_BAR,
    EQUITY,
    FINAL,
    FINISHING,
    LEAVE,
    LOT,
    PAID,
    POINT_VALUE,
    PRICE,
    QUANTITY,
    RESTING,
    SHARES,
    SIGNAL_STOP,
    SIZE,
    STOP,
    STOP_KIND,
    STOP_PRICE,
    STOPPED,
    TICK,
    TRAILING,
    side_at,
)
from meseta.strategies._broker import broker_of, clear_orders

if TYPE_CHECKING:
    from collections.abc import Callable

    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.engine._terms import Terms
    from meseta.strategies import Market, Rules

__all__ = [
    "RuleArrays",
    "Tape",
    "idle_segment",
    "kernel_segment",
    "new_book",
    "new_tape",
    "rules_segment",
    "step",
]

_END = REASONS.index("end")
# Room for the trades of one bar where they are not kept.
_FEW = 4
# Words after the tally: trades closed, what they won and lost.
_CLOSED, _WON, _LOST = TALLY, TALLY + 1, TALLY + 2


class Tape(NamedTuple):
    """What a simulation leaves behind; arrays that kernels write to.

    Parameters
    ----------
    words
        Tally of the marks, then number, winnings and losses of closed trades.
    counts
        Trades in `trades`, and boundaries that were passed, shape (2,).
    bounds, blocks
        Boundaries and their rows; see `_blocks.py`.
    marks, held
        Account and signed shares at every close from `start` on; empty where they are not kept.
    trades
        Rows of TRADE_WORDS, or a few that are used again on every bar.
    start, last
        First and last bar of the simulation.
    """

    words: FloatArray
    counts: FloatArray
    bounds: FloatArray
    blocks: FloatArray
    marks: FloatArray
    held: FloatArray
    trades: FloatArray
    start: int
    last: int


def new_tape(start: int, stop: int, capital: float, bounds: IntArray, *, keep: bool) -> Tape:
    """Return an empty tape for the bars `start` to ``stop - 1``; the first boundary is `start`.

    With `keep` marks and trades are kept, else the boundaries' rows alone.
    """
    marks = np.zeros(TALLY + 3)
    plain(start_tally)(marks, capital)
    blocks = np.empty((bounds.size, FIELDS))
    passed = int(bounds.size > 0 and bounds[0] == start)
    if passed:
        plain(close_block)(marks, blocks[0], 0.0, 0.0, 0.0, 0.0)
    many = stop - start if keep else 0
    rows = 2 * many + 2 if keep else _FEW
    return Tape(
        marks, np.array([0.0, passed]), bounds.astype(np.float64), blocks, np.empty(many),
        np.empty(many), np.empty((rows, TRADE_WORDS)), start, stop - 1,
    )  # fmt: skip


def new_book(terms: Terms) -> FloatArray:
    """Return the book of an account without a position or orders."""
    book = np.zeros(BOOK)
    book[EQUITY], book[LOT], book[QUANTITY] = terms.capital, terms.lot, terms.quantity
    book[POINT_VALUE], book[TICK] = terms.point_value, terms.tick
    plain(clear_orders)(book)
    return book


class Reel(NamedTuple):
    """A course and a tape as places in memory; see `Course` and `Tape`.

    `prices` are the places of open, high, low and close.
    """

    prices: Any
    rolls: Any
    words: Any
    counts: Any
    bounds: Any
    blocks: Any
    marks: Any
    held: Any
    trades: Any
    start: int
    last: int
    many_bounds: int
    keep: bool


@inline
def _reel(market: Any, rolls: Any, tape: Any) -> Any:
    prices = (
        words_of(market.open), words_of(market.high), words_of(market.low), words_of(market.close),
    )  # fmt: skip
    return Reel(
        prices, words_of(rolls), words_of(tape.words), words_of(tape.counts),
        words_of(tape.bounds), words_of(tape.blocks), words_of(tape.marks), words_of(tape.held),
        words_of(tape.trades), tape.start, tape.last, tape.bounds.size, tape.marks.size > 0,
    )  # fmt: skip


@inline
def _count_trade(reel: Any, trade: Any) -> None:
    entry, pnl = trade[1], trade[7]
    reel.words[_CLOSED] += 1.0
    if pnl > 0.0:
        reel.words[_WON] += pnl
    else:
        reel.words[_LOST] -= pnl
    # Boundaries since the entry saw this trade open.
    k = int(reel.counts[1]) - 1
    while k >= 0 and reel.bounds[k] > entry:
        reel.blocks[k * FIELDS + FINAL_PNL] = pnl
        k -= 1


@inline
def _step(book: Any, reel: Any, t: int, terms: Any) -> None:
    """Work bar `t`, close at the last bar what is open, and mark the account."""
    before = int(reel.counts[0]) if reel.keep else 0
    count = before
    opened, high, low, closed = reel.prices
    close = closed[t]
    if t > reel.start:
        bar = (opened[t], high[t], low[t], close)
        rolled = reel.rolls[t] - reel.rolls[t - 1]
        count = walk_bar(book, t, bar, rolled, terms, reel.trades, count)
    if t == reel.last and book[DIRECTION] != 0.0:
        count = close_position(book, t, close, _END, terms, reel.trades, count)
    for k in range(before, count):
        _count_trade(reel, after(reel.trades, k * TRADE_WORDS))
    reel.counts[0] = count
    mark = marked(book, close, terms)
    tally(reel.words, mark)
    if reel.keep:
        reel.marks[t - reel.start] = mark
        reel.held[t - reel.start] = book[DIRECTION] * book[SHARES]
    k = int(reel.counts[1])
    if k < reel.many_bounds and reel.bounds[k] == t + 1:
        unrealised = mark - book[EQUITY] if book[DIRECTION] != 0.0 else 0.0
        closed_, won, lost = reel.words[_CLOSED], reel.words[_WON], reel.words[_LOST]
        close_block(reel.words, after(reel.blocks, k * FIELDS), closed_, won, lost, unrealised)
        reel.counts[1] = k + 1


@inline
def _begin_close(book: Any, reel: Any, t: int) -> None:
    clear_orders(book)
    book[BAR], book[CLOSE] = t, reel.prices[3][t]


@kernel
def step(
    book: FloatArray, market: Market, rolls: FloatArray, t: int, terms: Terms, tape: Tape
) -> None:
    """Work bar `t` alone; parameters as of `rules_segment`."""
    _step(words_of(book), _reel(market, rolls, tape), t, terms)


@kernel
def idle_segment(
    book: FloatArray, market: Market, rolls: FloatArray, begin: int, stop: int, resume: bool,
    terms: Terms, tape: Tape,
) -> int:  # fmt: skip
    """Run bars on which nobody decides anything; parameters as of `rules_segment`."""
    place, reel = words_of(book), _reel(market, rolls, tape)
    for t in range(begin, stop):
        if t > begin or not resume:
            _step(place, reel, t, terms)
        _begin_close(place, reel, t)
    return stop


# Separable strategies ----------------------------------------------------------------------


class RuleArrays(NamedTuple):
    """`Rules` for kernels: modes or sides stacked, shape (modes, N) or (2, N).

    A strategy that only buys has zeros for shorts. `flags` holds, for longs and shorts, whether
    the stop trails and whether a position is reversed.
    """

    direction: FloatArray
    level: FloatArray
    price: FloatArray
    clears: BoolArray
    stop: FloatArray
    shield: FloatArray
    tightening: FloatArray
    leaves: BoolArray
    trailing: tuple[bool, bool]
    reverses: tuple[bool, bool]
    turns: bool
    first: int

    @classmethod
    def of(cls, rules: Rules) -> RuleArrays:
        """Return the rules of one parameter set."""
        none = np.zeros(rules.clears.size, np.bool_)
        short = rules.short or rules.long
        leaves = [
            none if found is None else found for found in (rules.leave_long, rules.leave_short)
        ]
        return cls(
            np.array([o.direction for o in rules.orders], np.float64),
            np.array([o.level for o in rules.orders]),
            np.array([o.price for o in rules.orders]),
            np.array(rules.clears),
            np.array([rules.long.stop, short.stop]),
            np.array([rules.long.shield, short.shield]),
            np.array(rules.tightening),
            np.array(leaves),
            (bool(rules.long.trailing), bool(short.trailing)),
            (bool(rules.reverses_long), bool(rules.reverses_short)),
            bool(rules.turns),
            int(rules.first),
        )


@inline
def _order(book: Any, t: int, rules: Any, mode: int) -> None:
    """Give the entry order of a close, with what protects the position on its entry bar."""
    way, price = rules.direction[mode, t], rules.price[mode, t]
    if t < rules.first or way == 0.0 or not price > 0.0 or way == book[DIRECTION]:
        return
    equity = book[EQUITY] - (book[PAID] if book[DIRECTION] != 0.0 else 0.0)
    shares = book[QUANTITY]
    if not shares > 0.0:
        shares = np.floor(equity / price / book[LOT]) * book[LOT]
        if shares < book[LOT]:
            return
    at, side = (side_at(1), 0) if way > 0.0 else (side_at(-1), 1)
    book[at + ASK], book[at + PRICE], book[at + SIZE] = STOP, rules.level[mode, t], shares
    book[at + SIGNAL_STOP] = rules.stop[side, t]
    trails = rules.trailing[0] if side == 0 else rules.trailing[1]
    if not trails:
        book[at + STOP_KIND], book[at + STOP_PRICE] = RESTING, rules.stop[side, t]
    elif rules.shield[side, t] > 0.0:
        book[at + STOP_KIND], book[at + STOP_PRICE] = TRAILING, rules.shield[side, t]


@inline
def _decide(book: Any, t: int, rules: Any) -> None:
    """Decide the orders of the next bar; see `_reference.py`, which is written to be read."""
    if rules.clears[t]:
        book[STOPPED] = 0.0
    way = book[DIRECTION]
    if way == 0.0:
        mode = 0
        if rules.direction.shape[0] > 1 and book[STOPPED] != 0.0:
            mode = 1 if book[STOPPED] > 0.0 else 2
        _order(book, t, rules, mode)
        return
    side, at = (0, side_at(1)) if way > 0.0 else (1, side_at(-1))
    trails = rules.trailing[0] if side == 0 else rules.trailing[1]
    stop = rules.stop[side, t]
    if trails and book[ENTRY_BAR] == t:
        book[FINAL] = stop
    book[FINAL] = max(book[FINAL], stop) if side == 0 else min(book[FINAL], stop)
    if rules.leaves[side, t]:
        book[LEAVE] = CROSS
        if rules.turns:
            _order(book, t, rules, 0)
        return
    if rules.reverses[0] if side == 0 else rules.reverses[1]:
        _order(book, t, rules, 0)
    if not trails:
        book[at + STOP_KIND], book[at + STOP_PRICE] = RESTING, book[FINAL]
        return
    amount = way * (book[CLOSE] - book[FINAL]) * rules.tightening[t]
    if amount < 0.0:
        book[LEAVE] = BREACH
    else:
        book[at + STOP_KIND], book[at + STOP_PRICE] = TRAILING, amount


@kernel
def rules_segment(
    book: FloatArray, market: Market, rolls: FloatArray, begin: int, stop: int, resume: bool,
    rules: RuleArrays, terms: Terms, tape: Tape,
) -> int:  # fmt: skip
    """Run the bars `begin` to ``stop - 1``: work each, then decide at its close.

    Parameters
    ----------
    book, market, rolls, terms, tape
        State, series, rolls up to each bar, costs, results.
    begin, stop
        Bars.
    resume
        Bar `begin` was worked already; only its decision is left.
    rules
        The parameter set.

    Returns
    -------
    int
        `stop`, or while `FINISHING` the bar at whose close the position is gone: it was worked,
        and its decision is left.
    """
    place, reel = words_of(book), _reel(market, rolls, tape)
    for t in range(begin, stop):
        if t > begin or not resume:
            _step(place, reel, t, terms)
        if place[FINISHING] > 0.0 and place[DIRECTION] == 0.0:
            return t
        if t < reel.last:
            _begin_close(place, reel, t)
            _decide(place, t, rules)
    return stop


# Kernel strategies -------------------------------------------------------------------------


@kernel
def _kernel_segment(
    book: FloatArray, market: Market, rolls: FloatArray, begin: int, stop: int, resume: bool,
    call: int, series: Any, values: Any, first: int, terms: Terms, tape: Tape,
) -> int:  # fmt: skip
    place, reel = words_of(book), _reel(market, rolls, tape)
    asked = lend((market, place, series, values))
    for t in range(begin, stop):
        if t > begin or not resume:
            _step(place, reel, t, terms)
        if place[FINISHING] > 0.0 and place[DIRECTION] == 0.0:
            return t
        if t < reel.last:
            _begin_close(place, reel, t)
            if t >= first:
                call_at(call, t, asked)
    return stop


@lru_cache(maxsize=64)
def kernel_segment(decide: Any, *, has_series: bool) -> Callable[..., int]:
    """Return `rules_segment` for a kernel strategy's own function; compiled at the first call.

    It takes the series and the parameters, and the first bar that is decided, in the place of
    `rules`. The loop itself knows the function by its address alone, so that it is compiled once
    for all strategies with the same kinds of series and parameters, and kept on disk; a user's
    function is not, since nobody would notice when what it calls was edited.
    """
    call = _caller(decide, has_series=has_series)
    known: dict[Any, int] = {}

    def segment(
        book: FloatArray, market: Market, rolls: FloatArray, begin: int, stop: int, resume: bool,
        series: Any, values: Any, first: int, terms: Terms, tape: Tape,
    ) -> int:  # fmt: skip
        kinds = (typeof(market), words, typeof(series), typeof(values))
        if kinds not in known:
            known[kinds] = _address(call, types.int64, LentType(types.Tuple(kinds)))
        return _kernel_segment(
            book, market, rolls, begin, stop, resume, known[kinds], series, values, first, terms,
            tape,
        )  # fmt: skip

    return segment


def _caller(decide: Any, *, has_series: bool) -> Any:
    """Return the function that the loop calls: bar, place of market, book, series, values."""
    how: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    # Nobody but the loop calls it.
    how |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    if has_series:

        @numba.njit(**how)
        def call(t: int, asked: Any) -> None:
            market, book, series, values = lent(asked)
            decide(t, market, broker_of(book), series, *values)
    else:

        @numba.njit(**how)
        def call(t: int, asked: Any) -> None:
            market, book, _series, values = lent(asked)
            decide(t, market, broker_of(book), *values)

    return call


def _address(function: Any, *takes: Any) -> int:
    """Compile a function for some types and return where it is; it must outlive its use."""
    function.compile(takes)
    made = function.overloads[takes]
    return int(made.library.get_pointer_to_function(made.fndesc.llvm_func_name))
