"""Small walk-forwards on embedded data."""

from __future__ import annotations

from meseta.pipeline import walk_forward
from meseta.walkforward_config import load_walkforward_config

QUICK = {
    "strategy": "xbar",
    "grid": {"xbar": [3, 5, 8, 13, 21, 34]},
    "bars": "sample:nasdaq",
    "capital": 1_000_000.0,
    "cost_per_share": 0.5,
    "in_sample": 500,
    "out_of_sample": 250,
    "report": False,
}
TOUCH = {
    "strategy": "atr_d_l",
    "grid": {
        "atr_period": [8, 32],
        "atr_multiplier": [4, 8, 12],
        "bb_length": 35,
        "bb_deviation": 1.5,
        "vol_threshold": [0.06, 0.18],
        "min_tightening": 0.4,
        "scaling_method": 0,
        "atr_buy_period": 10,
        "atr_buy_multiplier": [0.5, 1.5],
        "atr_smooth_period": 3,
        "equity_price_method": 0,
    },
}


def config_of(out, **changes):
    return load_walkforward_config(None, QUICK | {"out": out} | changes)


def walked(out, **changes):
    """Run one."""
    return walk_forward(config_of(out, **changes), force=True)
