"""Real bars, funding and mark prices through both simulators."""

from __future__ import annotations

import pytest
from hedge_world import both

from meseta.bars import load
from meseta.hedge import Funding, GridParameters, GridSettings, HedgeMarket, metrics_of


@pytest.mark.parametrize(
    ("bars", "mark", "first", "rows"),
    [
        ("BTCUSDT_perp_1m_2025-05", "BTCUSDT_perp_mark_8h_2025", 20_000, 4000),
        ("BTCUSDT_perp_5m_2026-01", "BTCUSDT_perp_mark_1h_2026-01", 1000, 4000),
    ],
)
def test_both_simulators_agree_on_real_bars(shared, bars, mark, first, rows):
    folder = shared / "data" / "crypto"
    own, marks = (load(folder / f"{name}.csv.gz", timezone="UTC") for name in (bars, mark))
    funding = Funding.load(folder / "BTCUSDT_perp_funding_8h.csv.gz")
    market = HedgeMarket.make(own.slice(0, first + rows), funding, marks)
    parameters = GridParameters(
        grid_step_bps=15.0, tp_steps=2, base_qty=0.004, hysteresis_bps=5.0,
        recenter_trigger_bps=60.0, funding_max_cost_bps=0.5, max_position_pct=0.2,
    )  # fmt: skip
    rules = GridSettings()
    made = both(market, parameters, rules, (first, first + rows))
    found = metrics_of(made, own.time, rules)
    assert found.trades > 50
    assert found.funding != 0.0
    assert abs(found.total_return) < 0.2
