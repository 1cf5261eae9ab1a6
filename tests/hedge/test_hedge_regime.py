"""The regime detector: figures worked out by hand, and both versions on random bars."""

from __future__ import annotations

import numpy as np
import pytest
from hedge_world import BEFORE, account, bars_of, both, drawn, grid, random_market

from meseta.hedge._reference_regime import adx, average_true_range, ema, regimes, warm_bars

# High, low and close; a length of 2 keeps the figures short.
BARS = [(10, 8, 9), (12, 9, 11), (13, 10, 12), (12, 7, 8), (9, 6, 7), (14, 8, 13)]


def bars():
    return bars_of([(close, high, low, close) for high, low, close in BARS])


def test_exponential_mean():
    # (9 + 11 + 12) / 3, then half of the way each time.
    found = ema([9.0, 11.0, 12.0, 8.0, 7.0], 3)
    assert found[:2] == [None, None]
    assert found[2:] == pytest.approx([32 / 3, 28 / 3, 49 / 6])


def test_average_true_range():
    # True ranges 3, 3, 5, 3, 7: the first mean is of the first two.
    found = average_true_range(bars(), 2)
    assert found[:2] == [None, None]
    assert found[2:] == pytest.approx([3.0, 4.0, 3.5, 5.25])


def test_average_directional_index():
    # +DM 2, 1, 0, 0, 5 and -DM 0, 0, 3, 1, 0, from the second bar on.
    # Means: +1.5, .75, .375, 2.6875 and -0, 1.5, 1.25, .625. DX 100, 100/3, 700/13, 1650/26.5.
    found = adx(bars(), 2)
    dx = [100.0, 100 / 3, 100 * 0.875 / 1.625, 100 * 2.0625 / 3.3125]
    first = (dx[0] + dx[1]) / 2
    second = (first + dx[2]) / 2
    assert found[:3] == [None, None, None]
    assert found[3:] == pytest.approx([first, second, (second + dx[3]) / 2])


def test_a_flat_market_has_no_direction():
    assert adx(bars_of([(5.0,) * 4] * 12), 5)[9:] == [0.0, 0.0, 0.0]


def climbing(bars):
    """Bars that rise by 2 each, so that every directional figure is one-sided."""
    return [(1000.0 + 2 * t, 1002.0 + 2 * t, 1000.0 + 2 * t, 1002.0 + 2 * t) for t in range(bars)]


def test_hysteresis_keeps_the_regime():
    up = drawn(climbing(12)).bars
    assert set(regimes(up, grid(hysteresis_bps=1000.0), account())) == {0}
    narrow = regimes(up, grid(hysteresis_bps=10.0), account())
    # 5 and 10 bars apart by 10 bps: (2/6 - 2/11) * 2 is 3 bps at the first rise, 10 at the third.
    assert narrow[BEFORE : BEFORE + 4] == [0, 0, 1, 1]


def test_weak_trends_are_sideways():
    up = drawn(climbing(12)).bars
    assert set(regimes(up, grid(hysteresis_bps=0.0), account(adx_threshold=50.0))[-6:]) == {1}
    assert set(regimes(up, grid(hysteresis_bps=0.0), account(adx_threshold=99.0))) == {0}


def test_the_gate_asks_for_true_ranges():
    up = drawn(climbing(30)).bars
    parameters = grid(hysteresis_bps=0.0, atr_len=5)
    assert regimes(up, parameters, account(atr_gate_mult=1.0))[-1] == 1
    assert set(regimes(up, parameters, account(atr_gate_mult=10.0))) == {0}


@pytest.mark.parametrize(
    ("lengths", "gate", "bars"),
    [((20, 5, 9), 0.0, 20), ((12, 8, 30), 0.0, 16), ((12, 5, 30), 0.5, 31)],
)
def test_bars_until_warm(lengths, gate, bars):
    slow, strength, ranges = lengths
    parameters = grid(ema_slow=slow, adx_len=strength, atr_len=ranges)
    assert warm_bars(parameters, account(atr_gate_mult=gate)) == bars


@pytest.mark.parametrize("seed", range(4))
def test_both_detectors_agree(seed):
    market = random_market(seed)
    rules = account(tick=0.01, atr_gate_mult=0.5 * (seed % 2))
    made = both(market, grid(hysteresis_bps=2.0, atr_len=7, adx_len=6), rules)
    assert len(np.unique(made.state)) > 1
