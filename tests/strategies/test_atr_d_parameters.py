from __future__ import annotations

import json

import pytest

from meseta.errors import ArgumentError
from meseta.strategies._atr_d_parameters import (
    ATR_D_DUALS_L,
    ATR_D_DUALS_LS,
    ATR_D_HMA_L,
    ATR_D_HMA_LS,
    ATR_D_L,
    ATR_D_LS,
)
from meseta.strategies._grids import grid_names, load_grid

VARIANTS = {
    "atr_d_l": ATR_D_L,
    "atr_d_ls": ATR_D_LS,
    "atr_d_hma_l": ATR_D_HMA_L,
    "atr_d_hma_ls": ATR_D_HMA_LS,
    "atr_d_duals_l": ATR_D_DUALS_L,
    "atr_d_duals_ls": ATR_D_DUALS_LS,
}
NEUTRAL = {"atr_d_l", "atr_d_ls"}  # equity_price_method changes nothing there

# Input, low, high, fine step, coarse step of the six strategies, as published.
L = """
ATR_Period 4 70 1 24
ATR_Multiplier 1 30 0.25 2
BB_Length 6 70 2 20
BB_Deviation 1 4 0.25 2
Vol_Threshold 0.02 0.4 0.02 0.12
Min_Tightening 0.1 0.95 0.05 0.6
Scaling_Method 0 2 1 2
ATRBuy_Period 4 70 1 20
ATRBuyMultiplier 0.5 4 0.25 1
ATR_Smooth_Period 1 20 1 6
EquityPrice_Method 0 1 1 1
"""
LS = """
ATR_Period 4 70 1 24
ATR_Multiplier 1 30 0.25 4
Short_Multiplier 0.2 1 0.1 0.4
BB_Length 6 70 2 20
BB_Deviation 1 4 0.25 2
Vol_Threshold 0.02 0.4 0.02 0.12
Min_Tightening 0.1 0.95 0.05 0.6
Scaling_Method 0 2 1 2
ATRBuy_Period 4 70 1 20
ATRBuyMultiplier 0.5 4 0.25 1
ATR_Smooth_Period 1 20 1 8
Entry_Mode 0 2 1 2
Trend_Filter_Period 3 20 1 12
Trend_Veto_Threshold -0.5 0.5 0.1 0.05
Both_Triggered_Mode 0 1 1 1
EquityPrice_Method 0 1 1 1
"""
HMA_L = """
ATR_Period 4 70 1 24
ATR_Multiplier 1 30 0.25 7
BB_Length 6 70 2 40
BB_Deviation 1 4 0.25 2
Vol_Threshold 0.02 0.4 0.02 0.24
Min_Tightening 0.1 0.95 0.05 0.6
Scaling_Method 0 2 1 2
HMA_Fast_Length 10 60 2 8
HMA_Slow_Length 60 100 2 10
ATRBuy_Period 4 70 1 24
ATRBuyMultiplier 0.5 20 0.25 6
ATR_Smooth_Period 1 20 1 6
EquityPrice_Method 0 1 1 1
"""
SHORT = "Short_Multiplier 0.2 1 0.1 0.4\nBB_Length"
INPUTS = {
    "atr_d_l": L,
    "atr_d_ls": LS,
    "atr_d_hma_l": HMA_L,
    "atr_d_hma_ls": HMA_L.replace("BB_Length", SHORT),
    "atr_d_duals_l": L,
    "atr_d_duals_ls": LS.replace("30 0.25 4", "30 0.25 3"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_inputs_of_tradestation_in_its_order(name):
    found = "".join(
        "{} {:g} {:g} {:g} {:g}\n".format(p.tradestation, *p.legal, p.fine_step, p.coarse_step)
        for p in VARIANTS[name]
    )
    assert found == INPUTS[name].lstrip()


def test_how_many_parameters_each_variant_has():
    assert [len(parameters) for parameters in VARIANTS.values()] == [11, 16, 13, 14, 11, 16]


@pytest.mark.parametrize(
    ("name", "ts_coarse", "phase1_slim"),
    [
        # 3*10*3*2*3*2*2*3*4*3 and 6*12*4*8*8*6*3*5*7*5
        ("atr_d_l", 77_760, 58_060_800),
        # times 3*2*2*2*2 = 48 and 4*3*3*4*2 = 288
        ("atr_d_ls", 3_732_480, 16_721_510_400),
        # times 6*5 = 30 and 11*7 = 77
        ("atr_d_hma_l", 2_332_800, 4_470_681_600),
        # times 3 and 4 more
        ("atr_d_hma_ls", 6_998_400, 17_882_726_400),
        ("atr_d_duals_l", 77_760, 58_060_800),
        ("atr_d_duals_ls", 3_732_480, 16_721_510_400),
    ],
)
def test_the_exact_sizes_of_the_named_grids(name, ts_coarse, phase1_slim):
    parameters = VARIANTS[name]
    assert grid_names(parameters) == ("ts_coarse", "phase1_slim", "phase1")
    sizes = [load_grid(grid, parameters).size for grid in grid_names(parameters)]
    assert sizes == [ts_coarse, phase1_slim, 2 * phase1_slim]


@pytest.mark.parametrize("name", VARIANTS)
def test_phase1_is_phase1_slim_with_both_prices(name):
    slim, full = (load_grid(grid, VARIANTS[name]).values for grid in ("phase1_slim", "phase1"))
    assert full == {**slim, "equity_price_method": (0, 1)}
    assert slim["equity_price_method"] == (0,)


def test_values_of_the_parameters_that_only_some_variants_have():
    ls, hull = (load_grid("phase1_slim", VARIANTS[n]).values for n in ("atr_d_ls", "atr_d_hma_ls"))
    assert ls["short_multiplier"] == hull["short_multiplier"] == (0.2, 0.5, 0.8, 1)
    assert ls["trend_veto_threshold"] == (0, 0.02, 0.05, 0.1)
    assert ls["trend_filter_period"] == (4, 10, 16)
    assert hull["hma_fast_length"] == tuple(range(10, 61, 5))
    assert hull["hma_slow_length"] == tuple(range(40, 101, 10))
    ls, hull = (load_grid("ts_coarse", VARIANTS[n]).values for n in ("atr_d_ls", "atr_d_hma_ls"))
    assert ls["short_multiplier"] == hull["short_multiplier"] == (0.2, 0.6, 1)
    assert (ls["entry_mode"], ls["trend_filter_period"]) == ((0, 2), (4, 16))
    assert (ls["trend_veto_threshold"], ls["both_triggered_mode"]) == ((0, 0.05), (0, 1))
    assert hull["hma_fast_length"] == (15, 23, 31, 39, 47, 55)
    assert hull["hma_slow_length"] == (45, 55, 65, 75, 85)


@pytest.mark.parametrize("grid", ["ts_coarse", "phase1_slim", "phase1"])
def test_a_named_grid_has_the_same_values_in_every_variant(grid):
    whole = {}
    for parameters in VARIANTS.values():
        for name, values in load_grid(grid, parameters).values.items():
            assert whole.setdefault(name, values) == values


@pytest.mark.parametrize(
    ("name", "fits", "refused"),
    [
        ("short_multiplier", (0.01, 2.5, 10), (0, -0.2, 10.1)),
        ("entry_mode", (0, 1, 2), (-1, 3, 0.5)),
        ("trend_filter_period", (1, 500), (0, 501, 3.5)),
        ("trend_veto_threshold", (-1000, 0.005, 1000), (-1001, 1000.5)),
        ("both_triggered_mode", (0, 1), (2,)),
        ("hma_fast_length", (2, 500), (1, 501)),
        ("hma_slow_length", (2, 500), (1, 501)),
    ],
)
def test_what_can_be_simulated_is_wider_than_what_tradestation_accepts(name, fits, refused):
    known = {p.name: p for parameters in VARIANTS.values() for p in parameters}
    for value in fits:
        assert known[name].check(value) == value
    for value in refused:
        with pytest.raises(ArgumentError, match=f"`{name}` must be"):
            known[name].check(value)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_parameter_says_what_it_is_in_one_line(name):
    for parameter in VARIANTS[name]:
        assert parameter.doc.endswith(".")
        assert len(parameter.doc) <= 99
    inert = "Without effect" in VARIANTS[name][-1].doc
    assert inert == (name in NEUTRAL)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_golden_parameters_are_accepted(shared, name):
    for case in json.loads((shared / "spec" / "golden" / f"{name}.json").read_text()):
        assert {p.name for p in VARIANTS[name]} == set(case["params"])
        checked = {p.name: p.check(case["params"][p.name]) for p in VARIANTS[name]}
        assert checked == case["params"]
