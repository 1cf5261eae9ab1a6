from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.errors import ArgumentError
from meseta.strategies._atr_d_parameters import ATR_D_L
from meseta.strategies._grids import Grid, grid_names, load_grid
from meseta.strategies._parameters import Parameter, decimal_range

SMALL = Grid("small", {"a": (1, 2), "b": (0.5, 1.0, 1.5), "c": (7,)})
PARAMETERS = (
    Parameter("length", 2, 100, "int", grids={"wide": (10, 20), "narrow": (10,)}),
    Parameter("factor", 0.1, 10, grids={"wide": (0.5, 1.5)}),
)


@st.composite
def grids(draw):
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    values = {f"p{i}": tuple(v * 0.5 for v in range(n)) for i, n in enumerate(lengths)}
    return Grid("drawn", values)


def write(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_named_grids_of_atr_d_l():
    assert grid_names(ATR_D_L) == ("ts_coarse", "phase1_slim", "phase1")
    assert load_grid("ts_coarse", ATR_D_L).size == 3 * 10 * 3 * 2 * 3 * 2 * 2 * 3 * 4 * 3
    assert load_grid("phase1_slim", ATR_D_L).size == 58_060_800
    assert load_grid("phase1", ATR_D_L).size == 116_121_600


def test_phase1_differs_from_phase1_slim_in_one_parameter():
    slim, full = (load_grid(name, ATR_D_L).values for name in ("phase1_slim", "phase1"))
    assert {name for name in slim if slim[name] != full[name]} == {"equity_price_method"}
    assert full["equity_price_method"] == (0, 1)


def test_named_values_are_decimal_numbers_of_the_parameters_kind():
    values = load_grid("phase1_slim", ATR_D_L).values
    assert values["min_tightening"] == (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
    assert values["atr_multiplier"] == tuple(float(v) for v in range(2, 25, 2))
    for p in ATR_D_L:
        assert {type(v) for v in values[p.name]} == {float if p.kind == "float" else int}


def test_order_is_c_order():
    points = [SMALL.point(flat) for flat in range(SMALL.size)]
    expected = itertools.product(*SMALL.values.values())
    assert [tuple(point.values()) for point in points] == list(expected)
    assert points[1] == {"a": 1, "b": 1.0, "c": 7}
    assert SMALL.shape == (2, 3, 1)
    assert SMALL.searched == ("a", "b")


@given(grids(), st.data())
def test_flat_and_point_are_inverse(grid, data):
    flat = data.draw(st.integers(0, grid.size - 1))
    point = grid.point(flat)
    assert grid.flat_of(point) == flat
    index = [values.index(point[name]) for name, values in grid.values.items()]
    assert flat == np.ravel_multi_index(index, grid.shape)


@given(grids(), st.data())
def test_columns_are_points_side_by_side(grid, data):
    flats = data.draw(st.lists(st.integers(0, grid.size - 1), max_size=20))
    columns = grid.columns(np.array(flats, dtype=np.int64))
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    assert list(rows) == [tuple(grid.point(flat).values()) for flat in flats]


def test_columns_keep_whole_numbers_whole():
    columns = SMALL.columns(np.arange(6))
    assert [column.dtype.name for column in columns.values()] == ["int64", "float64", "int64"]


def test_a_grid_may_be_larger_than_64_bits_count():
    huge = Grid("huge", {f"p{i}": tuple(range(1000)) for i in range(8)})
    assert huge.size == 10**24
    assert huge.flat_of(huge.point(10**24 - 1)) == 10**24 - 1
    assert huge.columns(np.array([2**62]))["p7"][0] == 2**62 % 1000


@pytest.mark.parametrize("flat", [-1, 6])
def test_numbers_outside_the_grid_are_refused(flat):
    with pytest.raises(ArgumentError, match=f"number from 0 to 5, got {flat}"):
        SMALL.point(flat)
    with pytest.raises(ArgumentError, match=f"number from 0 to 5, got {flat}"):
        SMALL.columns(np.array([0, flat]))


@pytest.mark.parametrize(
    ("point", "why"),
    [
        ({"a": 1, "b": 0.7, "c": 7}, r"`b` must be one of .* \(0.5, 1.0, 1.5\), got 0.7"),
        ({"a": 1, "c": 7}, "missing: b"),
        ({"a": 1, "b": 0.5, "c": 7, "d": 1}, "no parameter 'd'"),
    ],
)
def test_flat_of_refuses(point, why):
    with pytest.raises(ArgumentError, match=why):
        SMALL.flat_of(point)


@pytest.mark.parametrize("values", [(), (2, 1), (1, 1), (1, float("nan"))])
def test_a_grid_refuses_values_out_of_order(values):
    with pytest.raises(ArgumentError, match="must be finite and increasing"):
        Grid("bad", {"a": values})


def test_a_grid_without_parameters_is_refused():
    with pytest.raises(ArgumentError, match="at least one parameter"):
        Grid("bad", {})


def test_a_grid_travels_to_other_processes():
    assert pickle.loads(pickle.dumps(SMALL)) == SMALL


def test_the_size_guard_says_what_to_do():
    grid = load_grid("phase1", ATR_D_L)
    grid.require_at_most(116_121_600)
    with pytest.raises(ArgumentError) as caught:
        grid.require_at_most()
    assert str(caught.value) == (
        "grid `phase1` has 116,121,600 combinations, more than --max-combinations 100,000,000; "
        "search a sample of them (--sample N), raise --max-combinations, or list fewer values "
        "(most values: atr_multiplier (12), bb_deviation (8), vol_threshold (8))"
    )


def test_a_named_grid_needs_values_for_every_parameter():
    assert grid_names(PARAMETERS) == ("wide",)
    assert load_grid("wide", PARAMETERS).values == {"length": (10, 20), "factor": (0.5, 1.5)}


def test_a_file_may_hold_lists_ranges_and_single_values(tmp_path):
    path = write(tmp_path, "factor: {min: 0.1, max: 0.85, step: 0.15}\nlength: [30, 10, 20]\n")
    grid = load_grid(str(path), PARAMETERS)
    assert grid.name == "mine"
    assert grid.values == {"length": (10, 20, 30), "factor": decimal_range(0.1, 0.85, 0.15)}
    assert grid.names == ("length", "factor")
    assert load_grid({"length": 5, "factor": 2}, PARAMETERS).values == {
        "length": (5,),
        "factor": (2.0,),
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("length: 10\n", "missing: factor"),
        ("length: 10\nfactor: 1\nlenght: 3\n", "no parameter 'lenght'; did you mean length"),
        ("length: 101\nfactor: 1\n", "`length` must be a whole number from 2 to 100, got 101"),
        ("length: [10, 10.5]\nfactor: 1\n", "whole number from 2 to 100, got 10.5"),
        ("length: 10\nfactor: [1, yes]\n", "`factor` must be a number from 0.1 to 10, got True"),
        ("length: 10\nfactor: []\n", "`factor` must have at least one value"),
        ("length: 10\nfactor: [1, 1.0]\n", "`factor` must not repeat a value"),
        ("length: 10\nfactor: {min: 1, max: 2}\n", "{values: .*got {'min': 1, 'max': 2}"),
        ("length: 10\nfactor: {range: [1, 2]}\n", r"got {'range': \[1, 2\]}"),
        ("length: 10\nfactor: {range: [1, 2, 3], step: 1}\n", "{range: .low, high., step: s}"),
        ("length: 10\nfactor: {range: [1, x], step: 1}\n", "max must be a number, got 'x'"),
        ("length: 10\nfactor: {values: 3}\n", "got {'values': 3}"),
        ("length: 10\nfactor: {values: [1], step: 2}\n", "`factor` must be a value"),
        ("length: 10\nfactor: {values: []}\n", "`factor` must have at least one value"),
        ("length: 10\nfactor: {values: [[1]]}\n", r"a number from 0.1 to 10, got \[1\]"),
        ("length: 10\nfactor: 1\nconstraint: a\n", "'constraint'; did you mean constraints"),
        ("length: 10\nfactor: 1\nconstraints: [3]\n", r"list of texts such as .*got \[3\]"),
        ("length: 10\nfactor: 1\nconstraints:\n", "list of texts such as .*got None"),
        ("length: 10\nfactor: 1\nconstraints: ' '\n", "list of texts such as .*got ' '"),
        ("length: 10\nfactor: 1\nconstraints: length < width\n", "no parameter 'width'"),
        ("length: 10\nfactor: {min: 1, max: x, step: 1}\n", "max must be a number, got 'x'"),
        ("length: 10\nfactor: {min: 1, max: 2, step: 0}\n", "`factor`: step must be positive"),
        ("length: 10\nfactor: 1\nlength: 20\n", "'length' is given twice"),
        ("length: [10\n", "cannot read the grid file"),
        ("- 10\n", "must map each parameter"),
        ("", "must map each parameter"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path, text, why):
    with pytest.raises(ArgumentError, match=why):
        load_grid(write(tmp_path, text), PARAMETERS)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ArgumentError, match=r"\(ts_coarse, phase1_slim, phase1\).*mean phase1_sl"):
        load_grid("phase_slim", ATR_D_L)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_bytes(b"length: \xff\xfe")
    with pytest.raises(ArgumentError, match="cannot read the grid file"):
        load_grid(path, PARAMETERS)


@pytest.mark.parametrize(
    "entry",
    [
        "[0.1, 0.25, 0.4]",
        "{min: 0.1, max: 0.5, step: 0.15}",
        "{range: [0.1, 0.4], step: 0.15}",
        "{values: [0.4, 0.1, 0.25]}",
    ],
)
def test_every_form_of_an_entry(tmp_path, entry):
    grid = load_grid(write(tmp_path, f"length: 10\nfactor: {entry}\n"), PARAMETERS)
    assert grid.values["factor"] == (0.1, 0.25, 0.4)
    assert grid.constraints == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constraints: factor *  length < 10\n", ("factor * length < 10",)),
        (
            "constraints:\n  - factor * length < 10\n  - factor != 1\n",
            ("factor * length < 10", "factor != 1"),
        ),
        ("constraints: []\n", ()),
    ],
)
def test_a_file_may_hold_constraints(tmp_path, text, expected):
    path = write(tmp_path, f"length: [2, 9]\nfactor: [1, 2]\n{text}")
    assert load_grid(path, PARAMETERS).constraints == expected


def test_constraints_of_a_mapping():
    entries = {"length": [2, 9], "factor": [1, 2], "constraints": "factor * length < 10"}
    grid = load_grid(entries, PARAMETERS)
    assert (grid.size, grid.product, grid.names) == (3, 4, ("length", "factor"))
    assert Grid(grid.name, grid.values, grid.constraints) == grid


TIED = Grid("tied", {"a": (1, 2, 3), "b": (2.0, 3.0), "c": (1, 2), "d": (5,)}, ("a < b",))


def test_numbers_of_combinations_run_over_the_product():
    assert (TIED.product, TIED.size) == (12, 6)
    assert TIED.constrained == ("a", "b")
    assert TIED.strides == (4, 2, 1, 1)
    assert TIED.point(11) == {"a": 3, "b": 3.0, "c": 2, "d": 5}  # not allowed, but a number
    assert TIED.flat_of(TIED.point(11)) == 11
    with pytest.raises(ArgumentError, match="number from 0 to 11, got 12"):
        TIED.mask(np.array([12]))


def test_mask_says_which_numbers_meet_the_constraints():
    met = [point["a"] < point["b"] for point in map(TIED.point, range(12))]
    assert TIED.mask(np.arange(12)).tolist() == met
    assert TIED.mask(np.array([], np.int64)).shape == (0,)
    assert SMALL.mask(np.arange(6)).all()


def test_constraints_on_a_grid_larger_than_64_bits_count():
    values = {f"p{i}": tuple(range(1, 1001)) for i in range(8)}
    huge = Grid("huge", values, ("p0 < p1", "p6 + p7 <= 3", "p3 == 7"))
    assert huge.size == (1000 * 999 // 2) * 3 * 1 * 1000**3
    # A number of 64 bits never leaves the first value of p0 and of p1.
    assert not huge.mask(np.array([0, 2**62])).any()
    flat = np.array([6 * 1000**4])
    loose = Grid("huge", values, ("p0 == p1", "p3 == 7"))
    assert loose.mask(flat).tolist() == [True]
    assert loose.mask(flat - 1).tolist() == [False]


def test_a_constrained_grid_travels_to_other_processes():
    copy = pickle.loads(pickle.dumps(TIED))
    assert copy == TIED
    assert copy.mask(np.arange(12)).sum() == 6


def test_grids_with_other_constraints_differ():
    assert Grid("tied", TIED.values, ("b > a",)) != TIED


def test_the_size_guard_counts_what_the_constraints_leave():
    TIED.require_at_most(6)
    with pytest.raises(ArgumentError, match="`tied` has 6 combinations, more than"):
        TIED.require_at_most(5)


def test_constraints_that_leave_nothing_are_refused():
    with pytest.raises(ArgumentError, match="no combination of the values of a, b meets `a > b`"):
        Grid("none", {"a": (1, 2), "b": (2, 3), "c": (1, 2)}, ("c < 2", "a > b"))


def test_one_constraint_may_be_given_without_a_list():
    assert Grid("one", {"a": (1, 2)}, "a < 2").constraints == ("a < 2",)
