"""Small markets for both engines: one designed by hand, and random ones."""

from __future__ import annotations

import numpy as np

from meseta.bars import Bars
from meseta.hedge import Funding, GridParameters, GridSettings, HedgeMarket
from random_market import walk_of

START = np.datetime64("2025-05-01T07:45", "us")
MINUTE = np.timedelta64(1, "m")
# Means and trend are warm after ten bars, and a trend is never strong enough to matter.
PARAMETERS = GridParameters(
    grid_step_bps=100.0, grid_levels_long=3, grid_levels_short=3, base_qty=0.5, tp_steps=2,
    sl_steps=3, adx_len=5, ema_fast=5, ema_slow=10, recenter_trigger_bps=300.0,
)  # fmt: skip
SETTINGS = GridSettings(
    min_notional=5.0, max_position_size=100.0, adx_threshold=1000.0, slippage_ticks=1
)
WARM = 12
# Open, high, low, close. Rungs stand at 990, 980, 970 and 1010, 1020, 1030 until the ladder moves.
DESIGNED = [
    *[(1000.0, 1000.2, 999.9, 1000.0)] * WARM,
    (1000.0, 1001.0, 989.0, 990.5),  # long 1
    (990.5, 991.0, 979.0, 980.5),  # long 2
    (980.5, 1005.0, 980.4, 1004.0),  # long 2 takes its profit at 1000
    (1004.0, 1011.0, 1003.5, 1008.0),  # 08:00: long 1 pays funding, then takes its profit; short 1
    (1008.0, 1022.0, 1007.9, 1021.5),  # short 2
    (1021.5, 1041.0, 1021.4, 1040.5),  # short 1 is stopped at 1040, short 3; the ladder moves
    (1040.5, 1040.6, 1005.0, 1006.0),  # long 1, 2, 3 in one leg, short 3 takes its profit
    (1006.0, 1006.5, 985.0, 986.0),  # long 1 and 2 are stopped in one leg
    (986.0, 990.0, 984.9, 989.0),
    (989.0, 989.5, 930.0, 931.0),  # long 2 and 3 are stopped; the ladder moves
    (931.0, 936.0, 930.5, 935.0),
    (935.0, 935.1, 880.0, 882.0),  # three longs in one leg, which goes on to the stops of two
    (882.0, 883.0, 881.0, 882.5),
]


def bars_of(rows, volume=1000.0):
    """Bars of a minute from rows of open, high, low, close."""
    columns = np.asarray(rows, dtype=float).reshape(-1, 4).T
    time = START + np.arange(columns.shape[1]) * MINUTE
    return Bars.from_arrays(time, *columns, np.full(columns.shape[1], volume), name="GRID")


def market_of(rows, volume=1000.0, rate=0.001):
    """A market with a settlement at 08:00, the sixteenth minute, and every eight hours on."""
    at = np.datetime64("2025-05-01T00:00", "us") + np.arange(4) * np.timedelta64(8, "h")
    funding = Funding.make(at, np.full(4, rate))
    return HedgeMarket.make(bars_of(rows, volume), funding)


def random_market(seed, count=300, *, step=0.004, gap=0.3, volume=1000.0, rate=0.001):
    """A walk that gaps, pauses and ties more often than real markets do."""
    rows = walk_of(seed, count, step=step, gap=gap, tick=0.1, level=1000.0)
    # As a file would have them: a whole number of tenths times 0.1 is not the number in the text.
    return market_of(np.round(rows, 1), volume, rate)
