"""Markets in which there is nothing to find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_markets import daily

from meseta.bars import Bars, pair
from meseta.optimise import mirrored
from random_market import markets


@settings(max_examples=40)
@given(markets(), st.integers(0, 99))
def test_mirrored_bars_are_bars_of_the_same_sizes(bars: Bars, seed: int) -> None:
    made = mirrored(bars, seed)
    again = Bars.from_arrays(made.time, made.open, made.high, made.low, made.close)  # validates
    assert again.open[0] == bars.open[0]
    assert made.bars_per_year == bars.bars_per_year
    np.testing.assert_allclose(
        (made.high - made.low) / made.open, (bars.high - bars.low) / bars.open, rtol=1e-6
    )
    moves, were = made.close / made.open - 1, bars.close / bars.open - 1
    np.testing.assert_allclose(np.abs(moves), np.abs(were), atol=1e-9)
    gaps, before = made.open[1:] / made.close[:-1] - 1, bars.open[1:] / bars.close[:-1] - 1
    np.testing.assert_allclose(np.abs(gaps), np.abs(before), atol=1e-9)


def test_a_trend_is_gone_and_coins_are_fair() -> None:
    bars = daily(1, 2000, drift=0.3)
    moves = np.array([mirrored(bars, seed).close / mirrored(bars, seed).open for seed in range(8)])
    up = (moves > 1)[:, bars.close != bars.open]
    assert (bars.close > bars.open).mean() > 0.55
    assert abs(up.mean() - 0.5) < 0.02  # 16,000 coins: 5 standard errors
    assert abs((up[:, 1:] == up[:, :-1]).mean() - 0.5) < 0.02
    assert abs((up[1:] == up[:-1]).mean() - 0.5) < 0.02
    # A fair game: the mean of the returns is nothing beside their spread.
    returns = moves - 1
    assert abs(returns.mean()) < 4 * returns.std() / np.sqrt(returns.size)


def test_a_seed_is_a_market_and_later_bars_change_nothing() -> None:
    bars = daily()
    first, other = mirrored(bars, 1), mirrored(bars, 2)
    assert mirrored(bars, 1).fingerprint == first.fingerprint != other.fingerprint
    cut = mirrored(bars.slice(0, 250), 1)
    assert cut.fingerprint == first.slice(0, 250).fingerprint


def test_a_companion_is_mirrored_by_the_same_coins() -> None:
    bars = daily(1)
    joined = pair(bars, Bars.from_arrays(bars.time, *(3 * c for c in (
        bars.open, bars.high, bars.low, bars.close)), name="other"))  # fmt: skip
    made = mirrored(joined, 4)
    assert made.second is not None
    np.testing.assert_allclose(made.second.close, 3 * made.close)


def test_moves_that_no_return_can_undo_stay_positive() -> None:
    bars = Bars.from_arrays(
        np.datetime64("2020-01-06", "us") + np.arange(6) * np.timedelta64(1, "D"),
        [1, 9, 9, 80, 80, 81], [9, 9.5, 90, 85, 82, 900], [0.9, 8, 8, 70, 79, 80],
        [8, 9, 85, 80, 81, 850],
    )  # fmt: skip
    for seed in range(10):
        made = mirrored(bars, seed)
        Bars.from_arrays(made.time, made.open, made.high, made.low, made.close)


def test_prices_below_zero_are_mirrored_by_differences() -> None:
    bars = daily(2, 60)
    low = Bars.from_arrays(
        bars.time, *(c - 95 for c in (bars.open, bars.high, bars.low, bars.close)),
        allow_nonpositive=True,
    )  # fmt: skip
    made = mirrored(low, 1)
    np.testing.assert_allclose(made.high - made.low, low.high - low.low, atol=1e-9)
    assert (made.close - made.open)[5:] == pytest.approx(
        np.where(
            np.sign(made.close - made.open) == np.sign(low.close - low.open), 1, -1
        )[5:] * (low.close - low.open)[5:]
    )  # fmt: skip
