"""Chosen parameter sets, traded in pieces and as one account, and what lies between the two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.account import Account, Contract
from meseta.strategies import find_strategy
from meseta.walkforward._exact import Piece, Trader
from meseta.walkforward._gap import gap_of, total_of
from random_market import accounts, bars_of, markets, walk_of

DONCHIAN = find_strategy(str(File(__file__).parents[2] / "examples" / "donchian.py"))
XBAR, CROSS = find_strategy("xbar"), find_strategy("ma_cross")
VALUES = {
    "donchian": st.fixed_dictionaries(
        {
            "channel": st.integers(2, 9),
            "atr_period": st.integers(1, 6),
            "atr_multiplier": st.sampled_from([0.5, 2.0]),
        }
    ),
    "xbar": st.fixed_dictionaries({"xbar": st.integers(1, 9)}),
    "ma_cross": st.fixed_dictionaries(
        {
            "fast": st.integers(1, 4),
            "slow": st.integers(5, 9),
            "stop_ranges": st.sampled_from([0.5, 3.0]),
        }
    ),
}
STRATEGIES = {"donchian": DONCHIAN, "xbar": XBAR, "ma_cross": CROSS}
POLICIES = st.sampled_from(["carry", "close", "finish"])


@st.composite
def scenes(draw, name):
    """A trader, and windows that follow each other with parameter sets by chance."""
    bars = draw(markets(60, 150))
    quantity = draw(st.sampled_from([None, 2.0]))
    trader = Trader(
        bars, STRATEGIES[name], 5, len(bars), draw(accounts(float(np.median(bars.close)))),
        Contract(quantity=quantity), 5,
    )  # fmt: skip
    inner = draw(st.sets(st.integers(25, len(bars) - 3), max_size=5))
    bounds = [24, *sorted(inner), len(bars)]
    values = [draw(st.one_of(st.none(), VALUES[name], VALUES[name])) for _ in bounds[1:]]
    pieces = [Piece(*row) for row in zip(bounds, bounds[1:], values, strict=False)]
    return trader, pieces


@pytest.mark.parametrize("name", STRATEGIES)
@given(data=st.data(), policy=POLICIES)
@settings(max_examples=60)
def test_both_engines_give_the_same_pieces_and_the_same_whole(name, data, policy):
    trader, pieces = data.draw(scenes(name))
    slow = replace(trader, reference=True)
    made, plain = trader.schedule(pieces, policy), slow.schedule(pieces, policy)
    assert made.equity.tobytes() == plain.equity.tobytes()
    assert made.trades == plain.trades
    for one, other in zip(trader.pieces(pieces), slow.pieces(pieces), strict=True):
        assert one.equity.tobytes() == other.equity.tobytes()
        assert one.trades == other.trades


@pytest.mark.parametrize("name", STRATEGIES)
@given(data=st.data(), policy=POLICIES)
@settings(max_examples=80)
def test_the_causes_add_up_to_the_gap(name, data, policy):
    trader, pieces = data.draw(scenes(name))
    exact = trader.schedule(pieces, policy)
    emulated = trader.pieces(pieces)
    parts = [exact.piece(piece.first, piece.stop) for piece in pieces]
    gaps = [gap_of(*pair) for pair in zip(emulated, parts, strict=True)]
    money = 1e-9 * trader.account.capital
    for gap in gaps:
        assert gap.total == pytest.approx(gap.position + gap.size + gap.orders, abs=money)
        if trader.contract.quantity:
            assert gap.size == pytest.approx(0.0, abs=money)
    total = total_of(gaps)["total"]
    difference = exact.profit - sum(piece.profit for piece in emulated)
    assert total == pytest.approx(difference, abs=10 * money)
    assert sum(part.profit for part in parts) == pytest.approx(exact.profit, abs=10 * money)


def one_set(contract, policy="carry"):
    bars = bars_of(walk_of(4, 300))
    trader = Trader(bars, XBAR, 10, 300, Account(capital=1e6), contract, 10)
    pieces = [Piece(at, min(at + 50, 300), {"xbar": 7}) for at in range(100, 300, 50)]
    exact = trader.schedule(pieces, policy)
    emulated = trader.pieces(pieces)
    parts = [exact.piece(piece.first, piece.stop) for piece in pieces]
    return [gap_of(*pair) for pair in zip(emulated, parts, strict=True)]


def test_the_same_set_carried_differs_by_where_it_begins_alone():
    first, *others = one_set(Contract(quantity=1.0))
    # The full-period run is in the market at the first boundary, the account is not.
    assert (first.exact_held, abs(first.emulated_held)) == (0.0, 1.0)
    assert first.position != 0
    assert (first.size, first.orders) == (0.0, 0.0)
    assert all(gap.total == gap.position == 0.0 for gap in others)


def test_reinvesting_another_equity_is_size():
    _, *others = one_set(Contract())
    assert all(gap.size == pytest.approx(gap.total) != 0 for gap in others)
    assert all(gap.position == gap.orders == 0 for gap in others)


def test_closing_at_the_boundary_is_position():
    _, *others = one_set(Contract(quantity=1.0), "close")
    assert any(gap.position != 0 for gap in others)
    assert all(gap.orders == gap.size == 0 for gap in others)


def test_a_flat_window_sells_what_is_open_and_stays_out():
    bars = bars_of(walk_of(4, 200))
    trader = Trader(bars, XBAR, 10, 200, Account(capital=1e6), Contract(quantity=1.0), 10)
    pieces = [Piece(50, 100, {"xbar": 5}), Piece(100, 150, None), Piece(150, 200, {"xbar": 5})]
    exact = trader.schedule(pieces, "carry")
    held = exact.piece(100, 150).held
    assert held[0] != 0
    assert not held[1:].any()
    assert [t.exit_bar for t in exact.trades if t.reason == "boundary"] == [100]
    assert trader.pieces(pieces)[1].profit == 0.0
