from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.errors import ArgumentError
from meseta.export import Range, RangeFile, refinement_ranges, write_config, write_ranges
from meseta.export._tradestation import _number
from meseta.strategies._atr_d_parameters import ATR_D_L
from meseta.strategies._grids import Grid, load_grid
from meseta.strategies._parameters import Parameter

SLIM = load_grid("phase1_slim", ATR_D_L)
POINT = {
    "atr_period": 28,
    "atr_multiplier": 4.0,
    "bb_length": 25,
    "bb_deviation": 2.0,
    "vol_threshold": 0.08,
    "min_tightening": 0.4,
    "scaling_method": 1,
    "atr_buy_period": 20,
    "atr_buy_multiplier": 0.5,
    "atr_smooth_period": 6,
    "equity_price_method": 0,
}


def top(**columns):
    """Combinations that differ from `POINT` in the given columns."""
    height = max((len(values) for values in columns.values()), default=1)
    return pl.DataFrame({name: [value] * height for name, value in POINT.items()} | columns)


def ranges(**columns):
    return {r.parameter: r for r in refinement_ranges(top(**columns), ATR_D_L, SLIM)}


def limits(found):
    return found.low, found.high, found.step


def test_the_file_to_the_letter(tmp_path):
    best = top(
        atr_period=[16, 28, 40],
        atr_multiplier=[2.0, 4.0, 6.0],
        bb_length=[10, 25, 25],
        bb_deviation=[0.5, 1.5, 2.0],
        vol_threshold=[0.08, 0.12, 0.04],
        min_tightening=[0.25, 0.25, 0.85],
        scaling_method=[0, 2, 2],
        atr_buy_period=[8, 8, 56],
        atr_buy_multiplier=[0.5, 0.5, 0.5],
        atr_smooth_period=[18, 18, 18],
    )
    found = write_ranges(
        tmp_path / "exports", "ATR-D-v1.5-L", 1, refinement_ranges(best, ATR_D_L, SLIM)
    )
    assert found == RangeFile("ATR-D-v1.5-L", 1, "phase5_refine_ATR-D-v1.5-L_rank1.csv")
    assert (tmp_path / "exports" / found.file).read_bytes() == (
        b"ParameterName,Min,Max,Step\n"
        b"ATR_Period,16,40,8\n"
        b"ATR_Multiplier,2,6,0.25\n"
        b"BB_Length,25,25,1\n"
        b"BB_Deviation,1,2,2\n"
        b"Vol_Threshold,0.08,0.08,1\n"
        b"Min_Tightening,0.25,0.85,0.6\n"
        b"Scaling_Method,2,2,1\n"
        b"ATRBuy_Period,8,56,7\n"
        b"ATRBuyMultiplier,0.5,0.75,0.25\n"
        b"ATR_Smooth_Period,17,19,2\n"
        b"EquityPrice_Method,0,0,1\n"
    )


def test_the_config_to_the_letter(tmp_path):
    names = [
        "ATR-D-v1.5-L",
        "ATR-D-v1.5-LS",
        "ATR-D-HMA-v1.5-L",
        "ATR-D-HMA-v1.5-LS",
        "ATR-D-DualS-v1.5-L",
        "ATR-D-DualS-v1.5-LS",
    ]
    files = [RangeFile(name, 2, f"phase5_refine_{name}_rank2.csv") for name in names]
    path = write_config(tmp_path, files)
    assert path.name == "phase5_refine_config.csv"
    assert path.read_bytes().decode() == (
        "JobNum,StrategyName,StrategyFile,RangeFile,Rank,ShortEnabled,IsDualSymbol\n"
        "1,ATR-D-v1.5-L,_ATR-D-v1.5-L,phase5_refine_ATR-D-v1.5-L_rank2.csv,2,0,0\n"
        "2,ATR-D-v1.5-LS,_ATR-D-v1.5-LS,phase5_refine_ATR-D-v1.5-LS_rank2.csv,2,1,0\n"
        "3,ATR-D-HMA-v1.5-L,_ATR-D-HMA-v1.5-L,phase5_refine_ATR-D-HMA-v1.5-L_rank2.csv,2,0,0\n"
        "4,ATR-D-HMA-v1.5-LS,_ATR-D-HMA-v1.5-LS,"
        "phase5_refine_ATR-D-HMA-v1.5-LS_rank2.csv,2,1,0\n"
        "5,ATR-D-DualS-v1.5-L,_ATR-D-DualS-v1.5-L,"
        "phase5_refine_ATR-D-DualS-v1.5-L_rank2.csv,2,0,1\n"
        "6,ATR-D-DualS-v1.5-LS,_ATR-D-DualS-v1.5-LS,"
        "phase5_refine_ATR-D-DualS-v1.5-LS_rank2.csv,2,1,1\n"
    )


def test_inputs_of_the_first_tier_and_their_steps():
    steps = {r.input: r.step for r in ranges().values() if r.searched}
    assert steps == {
        "ATR_Period": 8,
        "ATR_Multiplier": 0.25,
        "BB_Deviation": 2,
        "Min_Tightening": 0.6,
        "ATRBuy_Period": 7,
        "ATRBuyMultiplier": 0.25,
        "ATR_Smooth_Period": 2,
    }


@pytest.mark.parametrize(
    ("parameter", "step"),
    [
        (Parameter("m", 0.2, 1, "float", "", 0.1, 0.4, "Short_Multiplier"), 0.1),
        (Parameter("m", 0, 2, "choice", "", 1, 2, "Entry_Mode"), 2),
        (Parameter("m", -0.5, 0.5, "float", "", 0.1, 0.05, "Trend_Veto_Threshold"), 0.1),
        (Parameter("m", 10, 60, "int", "", 2, 8, "HMA_Fast_Length"), 2),
        (Parameter("m", 10, 100, "int", "", 2, 10, "HMA_Slow_Length", 60, 100), 2),
        (Parameter("m", 0.5, 20, "float", "", 0.25, 6, "ATRBuyMultiplier"), 0.25),
        (Parameter("m", 1, 20, "int", "", 1, 1, "ATR_Smooth_Period"), 1),
        (Parameter("m", 3, 20, "int", "", 1, 12, "Trend_Filter_Period"), None),
        (Parameter("m", 0, 1, "choice", "", 1, 1, "Both_Triggered_Mode"), None),
    ],
)
def test_inputs_of_the_other_strategies(parameter, step):
    value = parameter.check(parameter.legal[0])
    grid = Grid("g", {"m": (value,)})
    (found,) = refinement_ranges(pl.DataFrame({"m": [value]}), [parameter], grid)
    assert found.searched == (step is not None)
    assert found.step == (1 if step is None else step)


def test_ranges_are_clamped_to_what_the_input_accepts():
    found = ranges(bb_deviation=[0.5, 2.0])["bb_deviation"]
    assert (found.low, found.high, found.clamped) == (1.0, 2.0, True)
    below = ranges(bb_deviation=[0.5, 0.5])["bb_deviation"]
    assert (below.low, below.high, below.clamped) == (1.0, 1.25, True)
    assert not ranges()["bb_deviation"].clamped


def test_equal_ones_are_widened_by_decimal_steps_within_the_legal_range():
    assert limits(ranges(min_tightening=[0.4])["min_tightening"]) == (0.35, 0.45, 0.6)
    assert limits(ranges(atr_period=[4, 4])["atr_period"]) == (4, 5, 8)
    assert limits(ranges(atr_period=[64])["atr_period"]) == (63, 65, 8)
    assert type(ranges()["atr_period"].low) is int


def test_a_fixed_input_takes_the_median():
    assert limits(ranges(bb_length=[10, 25, 25, 40, 55])["bb_length"]) == (25, 25, 1)
    assert limits(ranges(vol_threshold=[0.08, 0.08, 0.16])["vol_threshold"]) == (0.08, 0.08, 1)


def test_a_median_that_was_never_tested_gives_way_to_the_mode():
    assert ranges(scaling_method=[0, 0, 1, 1])["scaling_method"].low == 0
    assert ranges(scaling_method=[0, 0, 0, 1, 2, 2])["scaling_method"].low == 0
    assert ranges(bb_length=[10, 10, 25, 40, 40, 40])["bb_length"].low == 40
    assert type(ranges(bb_length=[10, 25])["bb_length"].low) is int


def test_ranges_as_the_plateau_document_has_them():
    found = ranges()
    assert found["atr_period"].to_dict() == {"min": 27, "max": 29, "step": 8, "tier": 1}
    assert found["bb_length"].to_dict() == {
        "min": 25,
        "max": 25,
        "step": 1,
        "tier": 2,
        "value": 25,
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (28, "28"),
        (28.0, "28"),
        (100, "100"),
        (0.25, "0.25"),
        (-0.5, "-0.5"),
        (0.1 + 0.2, "0.3"),
        (0.123456, "0.1235"),
        (-0.00001, "0"),
        (1e-5, "0"),
        (1e22, "10000000000000000000000"),
    ],
)
def test_numbers_are_written_plainly(value, text):
    assert _number(value) == text


@given(st.floats(-1e6, 1e6))
def test_numbers_read_back_within_four_decimals(value):
    text = _number(value)
    assert abs(float(text) - value) <= 0.5e-4 + 1e-9
    assert "e" not in text.lower()
    assert len(text.partition(".")[2]) <= 4


@given(
    st.fixed_dictionaries(
        {
            name: st.lists(st.sampled_from(SLIM.values[name]), min_size=5, max_size=5)
            for name in SLIM.names
        }
    )
)
def test_every_range_is_legal_whatever_the_best_are(columns):
    for parameter, found in zip(
        ATR_D_L, refinement_ranges(top(**columns), ATR_D_L, SLIM), strict=True
    ):
        low, high = parameter.legal
        assert low <= found.low <= found.high <= high
        assert found.step > 0
        assert found.searched == (found.low < found.high)
        assert (parameter.name, parameter.tradestation) == (found.parameter, found.input)


@pytest.mark.parametrize("name", ["ATR,D", "ATR D", "../ATR", "", '"ATR"'])
def test_a_name_that_would_break_the_file_is_refused(tmp_path, name):
    with pytest.raises(ArgumentError, match="must be letters, digits"):
        write_ranges(tmp_path, name, 1, [])
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_refused():
    with pytest.raises(ArgumentError, match="at least one combination"):
        refinement_ranges(top().clear(), ATR_D_L, SLIM)
    with pytest.raises(ArgumentError, match="lack the parameters bb_length"):
        refinement_ranges(top().drop("bb_length"), ATR_D_L, SLIM)
    nameless = [replace(ATR_D_L[0], tradestation="")]
    with pytest.raises(ArgumentError, match="`atr_period` has no TradeStation input"):
        refinement_ranges(top(), nameless, SLIM)
    stepless = [replace(ATR_D_L[0], fine_step=None)]
    with pytest.raises(ArgumentError, match="needs a fine_step"):
        refinement_ranges(top(), stepless, SLIM)


def test_a_row_has_no_quotes_and_four_fields():
    found = Range(parameter="p", input="P", low=-0.5, high=0.5, step=0.1, searched=True)
    assert found.row == "P,-0.5,0.5,0.1"
