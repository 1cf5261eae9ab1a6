"""Statistics of spans from blocks are those of the equity curve and the list of trades."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_walk import PER_YEAR, plain

from meseta.account import Account
from meseta.engine import Window
from meseta.engine._blocks import blocks_of
from meseta.engine._reference import simulate
from meseta.walkforward._stats import (
    BUILT_IN,
    STATS,
    Spans,
    WindowStats,
    measure,
    measure_all,
    room_for,
    span_stats,
)
from random_market import accounts, any_rules, tiny_bars


def spans_of(bounds, ends):
    ends = np.array(ends).reshape(-1, 2)
    return Spans(ends, np.diff(bounds[ends], axis=1)[:, 0].astype(float), PER_YEAR)


@st.composite
def cases(draw):
    """A simulation, boundaries, and some spans in the order that measuring asks for."""
    bars = draw(tiny_bars())
    rules = draw(any_rules(bars))
    account = draw(accounts(8.0, (0.0, 0.001, 0.05)))
    made = simulate(bars, rules, Window(0, 1, len(bars)), account)
    inner = draw(st.sets(st.sampled_from(range(1, len(bars))), max_size=8))
    bounds = np.array(sorted({0, *inner, len(bars)}))
    place = st.integers(0, bounds.size - 1)
    pairs = draw(st.sets(st.tuples(place, place), min_size=1, max_size=12))
    ends = {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]} or {(0, 1)}
    ordered = sorted(ends, key=lambda pair: (pair[1], -pair[0]))
    return made, account.capital, bounds, spans_of(bounds, ordered)


@given(cases())
@settings(max_examples=400)
def test_statistics_are_those_of_the_curve_and_the_trades(case):
    made, capital, bounds, spans = case
    found = span_stats(blocks_of(made, capital, bounds)[None], spans)[0]
    for (a, b), row in zip(bounds[spans.ends].tolist(), found, strict=True):
        got, (expected, nothing) = WindowStats(*row[:STATS]), plain(made, capital, a, b, PER_YEAR)
        marks = np.array([capital, *made.equity])[a : b + 1]
        near = {"rel": 1e-9, "abs": 2 * nothing}
        assert got.trades == expected.trades
        assert (got.bars, got.years) == (expected.bars, expected.years)
        for name in ("net_profit", "gross_profit", "gross_loss", "drawdown"):
            assert getattr(got, name) == pytest.approx(getattr(expected, name), **near), name
        assert row[STATS:] == pytest.approx(
            [marks.max() - marks[0], marks.min() - marks[0], marks[0]], **near
        )
        loose = {"rel": 1e-6, "abs": 1e-9, "nan_ok": True}
        for name, part in (("profit_factor", "gross_loss"), ("profit_to_drawdown", "drawdown"),
                           ("mar", "drawdown")):  # fmt: skip
            # A divisor of nothing but rounding says nothing.
            if getattr(expected, part) == 0 or getattr(expected, part) > 1e6 * nothing:
                assert getattr(got, name) == pytest.approx(getattr(expected, name), **loose), name
        changes = np.diff(marks)
        if expected.bars >= 3 and changes.std() > 1e-4 * np.abs(changes).max():
            assert got.sharpe == pytest.approx(expected.sharpe, **loose)
        assert got.sortino == pytest.approx(expected.sortino, **loose)


@given(st.lists(cases(), min_size=1, max_size=3))
@settings(max_examples=100)
def test_measuring_many_gives_the_bits_of_each(found):
    _, _, bounds, spans = found[0]
    same = [case for case in found if np.array_equal(case[2], bounds)]
    blocks = np.array([blocks_of(made, capital, bounds) for made, capital, *_ in same])
    each, n = span_stats(blocks, spans), len(blocks)
    room = room_for(bounds.size, spans.bars.size, n + 2)
    for kind, name in enumerate(BUILT_IN):
        measure(blocks, spans, kind, room)
        column = each[:, :, WindowStats._fields.index(name)].T
        assert room.fitness[:, :n].tobytes() == np.ascontiguousarray(column).tobytes(), name
        assert np.array_equal(room.trades[:, :n], each[:, :, 1].T)
    out = np.empty((spans.bars.size, n, STATS))
    measure_all(blocks, spans, room, out)
    assert out.tobytes() == np.ascontiguousarray(each[:, :, :STATS].transpose(1, 0, 2)).tobytes()


def account_of(trades, closes, capital=1000.0):
    """Blocks at every bar of hand-made trades (entry bar, exit bar, fill, exit) of one share."""
    from meseta.engine import Simulation, Trade
    from meseta.engine._fast import marked_equity, report_of

    account, window = Account(capital=capital), Window(0, 1, len(closes))
    made = tuple(
        Trade(a, z, 1, fill, price, 1.0, "stop", price - fill, 0.0) for a, z, fill, price in trades
    )
    closes = np.array(closes, float)
    equity = marked_equity(made, closes, window, account)
    report = report_of(made, equity, closes, window, account)
    bounds = np.arange(len(closes) + 1)
    return blocks_of(Simulation(window, made, equity, report), capital, bounds), bounds


def stats_at(blocks, bounds, a, b):
    return WindowStats(*span_stats(blocks[None], spans_of(bounds, [(a, b)]))[0, 0, :STATS])


def test_a_trade_across_a_boundary_counts_on_both_sides_with_its_piece():
    # Bought at 10 on bar 1, sold at 16 on bar 6; 12 at the close of bar 3, 11 at that of bar 4.
    closes = [10, 10, 11, 12, 11, 15, 20, 20]
    blocks, bounds = account_of([(1, 6, 10, 16)], closes)
    before, after = stats_at(blocks, bounds, 0, 4), stats_at(blocks, bounds, 4, 8)
    assert (before.trades, before.gross_profit, before.gross_loss) == (1, 2, 0)
    assert (after.trades, after.gross_profit, after.gross_loss) == (1, 4, 0)
    middle = stats_at(blocks, bounds, 4, 5)
    assert (middle.trades, middle.net_profit, middle.gross_loss) == (1, -1, 1)
    assert middle.profit_factor == 0
    assert before.profit_factor == math.inf
    # A position at the boundary, closed in the span, and another one open at its end.
    blocks, bounds = account_of([(1, 3, 10, 9), (4, 7, 11, 14)], closes)
    both = stats_at(blocks, bounds, 3, 6)
    assert (both.trades, both.gross_profit, both.gross_loss) == (2, 4, 2)


def test_what_cannot_be_divided():
    blocks, bounds = account_of([], [10, 11, 12, 13])
    idle = stats_at(blocks, bounds, 0, 4)
    assert idle[:5] == (0, 0, 0, 0, 0)
    assert all(math.isnan(getattr(idle, name)) for name in BUILT_IN[1:])
    blocks, bounds = account_of([(0, 3, 10, 13)], [10, 11, 12, 13])
    rising = stats_at(blocks, bounds, 0, 4)
    assert [getattr(rising, name) for name in ("profit_factor", "sortino", "mar")] == [
        math.inf
    ] * 3
    assert rising.profit_to_drawdown == math.inf
    assert rising.sharpe > 0
    short = stats_at(blocks, bounds, 1, 3)
    assert math.isnan(short.sharpe)
    assert math.isnan(short.sortino)
    assert math.isnan(stats_at(blocks, bounds, 1, 4).sharpe)  # equal changes, no deviation


def test_a_lone_winner_has_no_loss_left_by_rounding():
    """Sums that hold losses from before the span cancel to nothing, not to a tiny loss."""
    rows = [(10.1, 9.7)] * 7 + [(9.3, 10.9)]
    trades = [(2 * k, 2 * k + 1, fill, price) for k, (fill, price) in enumerate(rows)]
    blocks, bounds = account_of(trades, [10.0] * 16, capital=1234.567)
    last = stats_at(blocks, bounds, 14, 16)
    assert (last.trades, last.gross_loss, last.profit_factor) == (1, 0, math.inf)
    # The last loser is open at the boundary: only its piece after it belongs to the span.
    assert stats_at(blocks, bounds, 13, 16).trades == 2
    assert stats_at(blocks, bounds, 13, 16).gross_loss == pytest.approx(10.0 - 9.7)


def test_drawdown_joins_blocks_from_the_equity_at_the_start():
    closes = [10, 12, 9, 11, 8, 13, 12, 14]
    blocks, bounds = account_of([(0, 7, 10, 14)], closes)
    assert stats_at(blocks, bounds, 0, 8).drawdown == 4  # 12 to 8
    assert stats_at(blocks, bounds, 3, 6).drawdown == 3  # 11 to 8; 9 is where it starts
    assert stats_at(blocks, bounds, 2, 3).drawdown == 3  # from 12, the equity at the start
    assert stats_at(blocks, bounds, 5, 8).drawdown == 1
