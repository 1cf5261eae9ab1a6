"""What happened between two boundaries, from the blocks of an account alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._numba import inline, kernel
from meseta.engine._blocks import (
    CLOSED,
    DOWN,
    EQUITY,
    FALL,
    FIELDS,
    FINAL,
    HIGH,
    LOST,
    LOW,
    OPEN,
    SQUARES,
    WON,
)

if TYPE_CHECKING:
    from meseta._types import FloatArray, IntArray

__all__ = [
    "BUILT_IN",
    "STATS",
    "WIDE",
    "Room",
    "Spans",
    "WindowStats",
    "measure",
    "measure_all",
    "room_for",
    "span_stats",
    "write_stats",
]


class WindowStats(NamedTuple):
    """What one combination did between two boundaries; every one a float.

    The account is marked at closes, so a span's profit is the change of the marked equity of one
    continuous simulation; a trade that is open at a boundary counts on both sides, each with the
    piece of its money that was made there.

    Parameters
    ----------
    net_profit
        Money: marked equity at the end less that at the start.
    trades
        Trades that were closed in the span, and one more if one is open at its end.
    gross_profit, gross_loss
        Money, both zero or more: sums over the pieces of trades that won and that lost. What is
        below a ten-thousand-millionth of the account is rounding, and is nothing.
    drawdown
        Money: largest fall of the marks from their peak, which starts at the span's first equity.
    profit_factor
        `gross_profit` / `gross_loss`; infinite without a loss, NaN without either.
    profit_to_drawdown
        `net_profit` / `drawdown`; without a drawdown infinite for a profit, else NaN.
    sharpe
        Mean over standard deviation (one degree of freedom taken off) of the changes of marked
        money from close to close, times the root of the bars in a year. Money and not percent:
        an account that trades a fixed quantity may be anything. NaN for fewer than three bars or
        without any deviation.
    sortino
        The same with the root of the mean square of the falls, over all bars. Without a fall
        infinite for a profit, else NaN; NaN for fewer than three bars.
    mar
        Net profit a year / `drawdown`, as `profit_to_drawdown`.
    bars, years
        Length; years are bars over bars per year.
    """

    net_profit: float
    trades: float
    gross_profit: float
    gross_loss: float
    drawdown: float
    profit_factor: float
    profit_to_drawdown: float
    sharpe: float
    sortino: float
    mar: float
    bars: float
    years: float


STATS = len(WindowStats._fields)
# The same with highest and lowest mark less the equity at the start, to join spans, and with
# that equity.
WIDE = STATS + 3
# Built-in fitnesses are named after the statistic that they are.
BUILT_IN = ("net_profit", "profit_to_drawdown", "profit_factor", "sharpe", "sortino", "mar")
_NET, _TO_DRAWDOWN, _FACTOR, _SHARPE, _SORTINO, _MAR = range(len(BUILT_IN))
# Sums that cancel leave this part of what was added up.
_ROUNDING = 1e-10


class Spans(NamedTuple):
    """Spans that are measured for every combination.

    Parameters
    ----------
    ends
        First and last boundary of each span, places in the list of boundaries, int64, shape
        (S, 2); increasing by the last, of equal ones decreasing by the first.
    bars
        Bars in each, float64, shape (S,).
    per_year
        Bars in a year.
    """

    ends: IntArray
    bars: FloatArray
    per_year: float


class Room(NamedTuple):
    """What measuring writes to.

    Parameters
    ----------
    fields
        Blocks turned so that combinations lie side by side, shape (FIELDS, B, n).
    low, fall
        A drawdown on its way, shape (n,).
    drawdown, trades, fitness
        By span, shape (S, n).
    """

    fields: FloatArray
    low: FloatArray
    fall: FloatArray
    drawdown: FloatArray
    trades: FloatArray
    fitness: FloatArray


def room_for(bounds: int, spans: int, rows: int) -> Room:
    """Return room for `rows` combinations."""
    by_span = (np.empty((spans, rows)) for _ in range(3))
    return Room(np.empty((FIELDS, bounds, rows)), np.empty(rows), np.empty(rows), *by_span)


@inline
def _open(final: Any) -> Any:
    """Tell whether a trade is open at a boundary: only then is it known what it made."""
    return final == final  # noqa: PLR0124 - false for NaN alone


# The arithmetic below decides by choosing between values and not by branching, so that several
# combinations are computed at a time.


@inline
def _ratio(profit: Any, loss: Any) -> Any:
    found = profit / loss
    nothing = np.inf if profit > 0.0 else np.nan
    return found if loss > 0.0 else nothing


@inline
def _deviation_ratio(net: Any, squares: Any, bars: Any, root: Any) -> Any:
    mean = net / bars
    spread = squares - net * mean
    found = mean / math.sqrt(spread / (bars - 1.0)) * root
    return found if (bars >= 3.0) & (spread > _ROUNDING * squares) else np.nan


@inline
def _falls_ratio(net: Any, down: Any, bars: Any, root: Any) -> Any:
    found = _ratio(net / bars * root, math.sqrt(down / bars))
    return found if bars >= 3.0 else np.nan


@inline
def _gross(
    closed: Any, won: Any, lost: Any, open_a: Any, final_a: Any, open_b: Any, final_b: Any,
    scale: Any,
) -> Any:  # fmt: skip
    """Return profit and loss of the pieces of trades.

    Parameters
    ----------
    closed, won, lost
        What the span adds to a block's sums: whole trades, by the span in which they end.
    open_a, final_a, open_b, final_b
        Unrealised money at either end, and what those trades made in the end.
    scale
        Money whose rounding is nothing.
    """
    began, ended, goes_on = _open(final_a), _open(final_b), closed > 0.0
    # Of the trade at the beginning only the piece after it belongs here; where any trade ended,
    # that one did, and its whole money is among the sums.
    whole = final_a if began & goes_on else 0.0
    piece = ((final_a if goes_on else open_b) - open_a) if began else 0.0
    # What is open at the end and was not at the beginning.
    rest = open_b if ended & (goes_on | (not began)) else 0.0
    won += max(piece, 0.0) + max(rest, 0.0) - max(whole, 0.0)
    lost += min(whole, 0.0) - min(piece, 0.0) - min(rest, 0.0)
    nothing = _ROUNDING * scale
    return won if won > nothing else 0.0, lost if lost > nothing else 0.0


@inline
def _gross_of(first: Any, last: Any) -> Any:
    """Return profit and loss between two rows of a block."""
    scale = max(abs(first[EQUITY]), abs(last[EQUITY]), last[WON], last[LOST])
    return _gross(
        last[CLOSED] - first[CLOSED], last[WON] - first[WON], last[LOST] - first[LOST],
        first[OPEN], first[FINAL], last[OPEN], last[FINAL], scale,
    )  # fmt: skip


@inline
def _write(first: Any, last: Any, drawdown: float, bars: float, per_year: float, out: Any) -> None:
    """Write `WindowStats` between two rows of a block."""
    net, years, root = last[EQUITY] - first[EQUITY], bars / per_year, math.sqrt(per_year)
    won, lost = _gross_of(first, last)
    out[0] = net
    out[1] = last[CLOSED] - first[CLOSED] + (1.0 if _open(last[FINAL]) else 0.0)
    out[2], out[3], out[4] = won, lost, drawdown
    out[5], out[6] = _ratio(won, lost), _ratio(net, drawdown)
    out[7] = _deviation_ratio(net, last[SQUARES] - first[SQUARES], bars, root)
    out[8] = _falls_ratio(net, last[DOWN] - first[DOWN], bars, root)
    out[9] = _ratio(net / years, drawdown)
    out[10], out[11] = bars, years


@inline
def write_stats(
    blocks: FloatArray, a: int, b: int, bars: float, per_year: float, out: FloatArray
) -> None:
    """Write `WindowStats`, then highest and lowest mark less the equity at the start, and that.

    Parameters
    ----------
    blocks
        One combination, shape (B, FIELDS).
    a, b
        Places of the first and the last boundary.
    bars, per_year
        Bars between them, and bars in a year.
    out
        Result, shape (WIDE,).
    """
    begin = peak = low = blocks[a, EQUITY]
    drawdown = 0.0
    for k in range(a + 1, b + 1):
        drawdown = max(drawdown, peak - blocks[k, LOW], blocks[k, FALL])
        peak, low = max(peak, blocks[k, HIGH]), min(low, blocks[k, LOW])
    _write(blocks[a], blocks[b], drawdown, bars, per_year, out)
    out[STATS], out[STATS + 1], out[STATS + 2] = peak - begin, low - begin, begin


@kernel
def span_stats(blocks: FloatArray, spans: Spans) -> FloatArray:
    """Return the statistics of some combinations over some spans.

    Parameters
    ----------
    blocks
        Shape (n, B, FIELDS).
    spans
        In any order.

    Returns
    -------
    ndarray
        Shape (n, S, WIDE): `WindowStats`, then highest and lowest mark less the equity at the
        start, and that equity.
    """
    out = np.empty((blocks.shape[0], spans.bars.size, WIDE))
    for i in range(blocks.shape[0]):
        for s in range(spans.bars.size):
            a, b = spans.ends[s]
            write_stats(blocks[i], a, b, spans.bars[s], spans.per_year, out[i, s])
    return out


@inline
def _turn(blocks: FloatArray, wanted: Any, out: FloatArray) -> None:
    """Lay some fields of all combinations side by side."""
    for b in range(blocks.shape[1]):
        for i in range(blocks.shape[0]):
            for field in wanted:
                out[field, b, i] = blocks[i, b, field]


@inline
def _drawdowns(spans: Spans, n: int, room: Room) -> None:
    """Write the drawdown of every span: blocks are joined backwards, once for all that end alike.

    A span's drawdown is the largest of the falls inside its blocks, of those from a block's high
    to a later low, and of that from the equity at its start to the lowest low.
    """
    fields = room.fields
    equity, high, lowest, deepest = fields[EQUITY], fields[HIGH], fields[LOW], fields[FALL]
    low, fall, k = room.low, room.fall, -1
    for s in range(spans.bars.size):
        a, b = spans.ends[s]
        if s == 0 or b != spans.ends[s - 1, 1]:
            low[:n], fall[:n], k = np.inf, 0.0, b
        while k > a:
            for i in range(n):
                fall[i] = max(fall[i], deepest[k, i], high[k, i] - low[i])
                low[i] = min(low[i], lowest[k, i])
            k -= 1
        for i in range(n):
            room.drawdown[s, i] = max(fall[i], equity[a, i] - low[i])


@inline
def _count_trades(fields: FloatArray, spans: Spans, n: int, out: FloatArray) -> None:
    closed, final = fields[CLOSED], fields[FINAL]
    for s in range(spans.bars.size):
        a, b = spans.ends[s]
        for i in range(n):
            out[s, i] = closed[b, i] - closed[a, i] + (1.0 if _open(final[b, i]) else 0.0)


@inline
def _profit_factors(spans: Spans, n: int, room: Room) -> None:
    f, out = room.fields, room.fitness
    for s in range(spans.bars.size):
        a, b = spans.ends[s]
        for i in range(n):
            equity = max(abs(f[EQUITY, a, i]), abs(f[EQUITY, b, i]))
            won, lost = _gross(
                f[CLOSED, b, i] - f[CLOSED, a, i], f[WON, b, i] - f[WON, a, i],
                f[LOST, b, i] - f[LOST, a, i], f[OPEN, a, i], f[FINAL, a, i], f[OPEN, b, i],
                f[FINAL, b, i], max(equity, f[WON, b, i], f[LOST, b, i]),
            )  # fmt: skip
            out[s, i] = _ratio(won, lost)


@inline
def _from_drawdown(kind: int, spans: Spans, n: int, room: Room) -> None:
    equity, drawdown, out = room.fields[EQUITY], room.drawdown, room.fitness
    for s in range(spans.bars.size):
        a, b = spans.ends[s]
        # Dividing by 1.0 changes no bit.
        years = spans.bars[s] / spans.per_year if kind == _MAR else 1.0
        for i in range(n):
            out[s, i] = _ratio((equity[b, i] - equity[a, i]) / years, drawdown[s, i])


@inline
def _from_squares(kind: int, spans: Spans, n: int, room: Room) -> None:
    equity, out = room.fields[EQUITY], room.fitness
    squares = room.fields[SQUARES if kind == _SHARPE else DOWN]
    for s in range(spans.bars.size):
        a, b = spans.ends[s]
        bars, root = spans.bars[s], math.sqrt(spans.per_year)
        if kind == _SHARPE:
            for i in range(n):
                net, more = equity[b, i] - equity[a, i], squares[b, i] - squares[a, i]
                out[s, i] = _deviation_ratio(net, more, bars, root)
        else:
            for i in range(n):
                net, more = equity[b, i] - equity[a, i], squares[b, i] - squares[a, i]
                out[s, i] = _falls_ratio(net, more, bars, root)


@inline
def _profits(spans: Spans, n: int, room: Room) -> None:
    equity, out = room.fields[EQUITY], room.fitness
    for s in range(spans.bars.size):
        a, b = spans.ends[s]
        for i in range(n):
            out[s, i] = equity[b, i] - equity[a, i]


@kernel
def measure(blocks: FloatArray, spans: Spans, kind: int, room: Room) -> None:
    """Write trades and a built-in fitness of some combinations for every span.

    Parameters
    ----------
    blocks
        Shape (n, B, FIELDS).
    spans
        The in-sample spans.
    kind
        Which of `BUILT_IN`; -1 writes drawdowns and no fitness.
    room
        For n combinations or more; its `fields` hold marked equity afterwards.

    The numbers are those of `write_stats`, bit for bit; only what the fitness needs is computed.
    """
    n, fields = blocks.shape[0], room.fields
    if kind == _NET:
        _turn(blocks, (EQUITY, CLOSED, FINAL), fields)
        _profits(spans, n, room)
    elif kind == _FACTOR:
        _turn(blocks, (EQUITY, CLOSED, FINAL, WON, LOST, OPEN), fields)
        _profit_factors(spans, n, room)
    elif kind in (_SHARPE, _SORTINO):
        _turn(blocks, (EQUITY, CLOSED, FINAL, SQUARES, DOWN), fields)
        _from_squares(kind, spans, n, room)
    else:
        _turn(blocks, (EQUITY, CLOSED, FINAL, HIGH, LOW, FALL), fields)
        _drawdowns(spans, n, room)
        if kind >= 0:
            _from_drawdown(kind, spans, n, room)
    _count_trades(fields, spans, n, room.trades)


@kernel
def measure_all(blocks: FloatArray, spans: Spans, room: Room, out: FloatArray) -> None:
    """Write `WindowStats` of some combinations for every span, shape (S, n, STATS).

    `room` has to hold what `measure` leaves for no built-in fitness.
    """
    for s in range(spans.bars.size):
        a, b = spans.ends[s]
        bars, per_year = spans.bars[s], spans.per_year
        for i in range(blocks.shape[0]):
            drawdown = room.drawdown[s, i]
            _write(blocks[i, a], blocks[i, b], drawdown, bars, per_year, out[s, i])
