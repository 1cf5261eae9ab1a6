"""Strategies made of rules keep the contract in all its detail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from contract import StrategyContract
from hypothesis import strategies as st

from meseta.strategies import Parameter, RuleStrategy, find_strategy, rule

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "donchian.py"


class TestDonchian(StrategyContract):
    strategy = find_strategy(str(EXAMPLE))
    parameters = st.fixed_dictionaries(
        {
            "channel": st.integers(2, 40),
            "atr_period": st.integers(1, 40),
            "atr_multiplier": st.sampled_from([0.1, 0.5, 1, 2, 4, 10]),
        }
    )
    reasons = frozenset({"stop", "reverse", "end"})


@rule
def jumps(market, size):
    """Buy at the next open after a close far above the open."""
    out = np.full(market.close.size, np.nan)
    far = np.abs(market.close) * size / 100
    out[market.close > market.open + far] = -np.inf
    return out


@rule
def swings(market, days):
    return np.arange(market.close.size) % days > 0


@rule
def falls(market, days):
    """Leave below the close some bars ago."""
    out = np.zeros(market.close.size, np.bool_)
    for t in range(days, out.size):
        out[t] = market.close[t] < market.close[t - days]
    return out


@rule
def low_of(market, depth):
    return market.low - np.abs(market.low) * depth / 100


class TestJumps(StrategyContract):
    strategy = RuleStrategy(
        name="jumps",
        parameters=(
            Parameter("size", 0, 9), Parameter("days", 1, 99, "int"), Parameter("depth", 0, 99),
        ),
        enter=jumps,
        allow=swings,
        stop=low_of,
        leave=falls,
        shorts=True,
    )  # fmt: skip
    parameters = st.fixed_dictionaries(
        {
            "size": st.sampled_from([0, 0.5, 2]),
            "days": st.integers(1, 30),
            "depth": st.sampled_from([0, 1, 5, 30]),
        }
    )
    reasons = frozenset({"stop", "cross", "end"})


class TestNoStop(StrategyContract):
    strategy = RuleStrategy(
        name="no_stop",
        parameters=(Parameter("size", 0, 9), Parameter("days", 1, 99, "int")),
        enter=jumps,
        leave=falls,
        shorts=True,
        reverses=True,
    )
    parameters = st.fixed_dictionaries(
        {"size": st.sampled_from([0, 0.5, 2]), "days": st.integers(1, 60)}
    )
    reasons = frozenset({"cross", "reverse", "end"})
