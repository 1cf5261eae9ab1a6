"""What can be put to work: which series a strategy is refused on."""

from __future__ import annotations

from pathlib import Path

import pytest

from meseta.account import Account, Contract
from meseta.engine import Window, backtest
from meseta.engine._plays import play_of
from meseta.errors import ArgumentError
from meseta.strategies import find_strategy
from random_market import bars_of, walk_of

DONCHIAN = find_strategy(str(Path(__file__).parents[2] / "examples" / "donchian.py"))
VALUES = {"channel": 5, "atr_period": 4, "atr_multiplier": 1.0}
ROWS = walk_of(3, 60)
ABOVE, BELOW, ZERO = (
    bars_of(ROWS - fall, name="CL", allow_nonpositive=True)
    for fall in (0.0, 100.0, ROWS[:, 2].min())
)


@pytest.mark.parametrize("bars", [BELOW, ZERO])
def test_a_separable_strategy_is_refused_prices_below_zero_and_told_the_way_out(bars):
    said = (
        r"`CL` has prices of zero or less \(down to .*\), and `donchian` is a separable strategy, "
        "which trades positive prices alone; trade it with a kernel strategy and a fixed number "
        "of contracts"
    )
    with pytest.raises(ArgumentError, match=said):
        play_of(DONCHIAN, bars, VALUES, 0)
    with pytest.raises(ArgumentError, match=said):
        backtest(bars, DONCHIAN, VALUES, Window(0, 1, 60), Account(), warmup=0,
                 contract=Contract(quantity=1))  # fmt: skip


def test_positive_prices_and_kernels_are_let_in():
    given = (Window(0, 1, 60), Account(capital=1e5))
    contract = Contract(quantity=1)
    assert backtest(ABOVE, DONCHIAN, VALUES, *given, warmup=0, contract=contract).trades
    for bars in (ABOVE, BELOW):
        made = backtest(
            bars, find_strategy("xbar"), {"xbar": 5}, *given, warmup=0, contract=contract
        )
        assert len(made.trades) > 5
