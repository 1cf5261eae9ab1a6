from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.errors import ArgumentError
from meseta.strategies import Grid, load_grid, sample_grid
from meseta.strategies._atr_d_parameters import ATR_D_HMA_LS, ATR_D_LS

METHODS = ("sobol", "random")
RULES = ("a < b", "b + c != 6", "a == 1 or c <= 3")
LARGE = load_grid("phase1_slim", ATR_D_LS)


@st.composite
def grids(draw):
    lengths = draw(st.lists(st.integers(1, 7), min_size=3, max_size=5))
    values = {n: tuple(range(1, k + 1)) for n, k in zip("abcde", lengths, strict=False)}
    texts = draw(st.sets(st.sampled_from(RULES)))
    try:
        return Grid("drawn", values, tuple(sorted(texts)))
    except ArgumentError:
        return Grid("drawn", values)


@given(grids(), st.data(), st.sampled_from(METHODS), st.integers(0, 2**40))
def test_samples_are_distinct_increasing_and_allowed(grid, data, method, seed):
    if grid.size == 1:
        return
    count = data.draw(st.integers(1, grid.size - 1))
    flats = sample_grid(grid, count, seed=seed, method=method)
    assert flats.dtype == np.int64
    assert flats.shape == (count,)
    assert (np.diff(flats) > 0).all()
    assert grid.mask(flats).all()  # refuses numbers outside the grid
    assert np.array_equal(flats, sample_grid(grid, count, seed=seed, method=method))


@pytest.mark.parametrize("method", METHODS)
def test_another_seed_gives_another_sample(method):
    one, two = (sample_grid(LARGE, 500, seed=seed, method=method) for seed in (1, 2))
    assert np.intersect1d(one, two).size < 10


@pytest.mark.parametrize("count", [5_000, 16_384])
def test_a_sobol_sample_is_even_over_every_axis(count):
    flats = sample_grid(LARGE, count, seed=3)
    for name, index in LARGE.indices(flats).items():
        many = len(LARGE.values[name])
        shares = np.bincount(index, minlength=many) / count * many
        assert np.abs(shares - 1).max() < 0.02, name


def test_a_random_sample_reaches_every_value():
    flats = sample_grid(LARGE, 5_000, seed=3, method="random")
    for name, index in LARGE.indices(flats).items():
        many = len(LARGE.values[name])
        shares = np.bincount(index, minlength=many) / 5_000 * many
        assert np.abs(shares - 1).max() < 0.25, name


def test_a_constrained_sample_is_even_over_what_is_allowed():
    values = load_grid("phase1_slim", ATR_D_HMA_LS).values
    rules = ("hma_fast_length < hma_slow_length", "atr_multiplier >= 8 * atr_buy_multiplier")
    grid = Grid("tied", values, rules)
    flats = sample_grid(grid, 20_000)
    columns = grid.columns(flats)
    assert (columns["hma_fast_length"] < columns["hma_slow_length"]).all()
    assert (columns["atr_multiplier"] >= 8 * columns["atr_buy_multiplier"]).all()
    pairs = [(f, s) for f in values["hma_fast_length"] for s in values["hma_slow_length"] if f < s]
    for pair in pairs:
        met = (columns["hma_fast_length"] == pair[0]) & (columns["hma_slow_length"] == pair[1])
        assert met.mean() * len(pairs) == pytest.approx(1, abs=0.05)


def test_constraints_that_leave_few_of_many_combinations():
    values = {f"p{i}": tuple(range(100)) for i in range(7)}
    grid = Grid("tight", values, ("p0 + p1 + p2 == 1", "p3 == 5", "p4 == 6 and p5 == 7"))
    assert grid.size == 300
    flats = sample_grid(grid, 299)
    assert np.unique(flats).size == 299
    assert grid.mask(flats).all()


@pytest.mark.parametrize("method", METHODS)
def test_most_of_a_grid_can_be_drawn(method):
    grid = Grid("axis", {"a": tuple(range(5000)), "b": (1, 2)})
    flats = sample_grid(grid, 9_999, method=method)
    assert np.setdiff1d(np.arange(10_000), flats).size == 1


def test_parameters_with_one_value_stay_there():
    grid = Grid("fixed", {"a": (3,), "b": (1, 2, 3), "c": (9,)})
    assert grid.point(int(sample_grid(grid, 1)[0])).keys() == {"a", "b", "c"}


def test_the_largest_grid_that_can_be_numbered():
    grid = Grid("full", {f"p{i}": (0, 1, 2, 3) for i in range(31)})
    flats = sample_grid(grid, 4096)
    assert grid.product == 2**62
    assert flats.max() > 2**61
    halves = grid.indices(flats)["p0"]
    assert np.bincount(halves).tolist() == [1024] * 4


def test_a_grid_that_cannot_be_numbered_is_refused():
    grid = Grid("beyond", {f"p{i}": (0, 1, 2, 3) for i in range(32)})
    with pytest.raises(ArgumentError, match=r"`beyond` has 18,446,744,073,709,551,616 .*fewer"):
        sample_grid(grid, 10)


@pytest.mark.parametrize(
    ("count", "options", "why"),
    [
        (6, {}, "`small` has 6 combinations, got 6; search the whole grid instead"),
        (7, {}, "search the whole grid instead"),
        (0, {}, "from 1 to 1,000,000,000 combinations, got 0"),
        (10**9 + 1, {}, "got 1000000001"),
        (2.0, {}, "got 2.0"),
        (True, {}, "got True"),
        (2, {"seed": -1}, "`seed` must be a whole number, at least 0, got -1"),
        (2, {"seed": 1.5}, "`seed` must be .*got 1.5"),
        (2, {"method": "sobel"}, "one of sobol, random, got 'sobel'; did you mean sobol"),
    ],
)
def test_bad_requests_are_refused(count, options, why):
    grid = Grid("small", {"a": (1, 2), "b": (0.5, 1.0, 1.5)})
    with pytest.raises(ArgumentError, match=why):
        sample_grid(grid, count, **options)


def test_the_constrained_size_limits_a_sample():
    grid = Grid("tied", {"a": (1, 2, 3), "b": (1, 2, 3)}, ("a < b",))
    assert sample_grid(grid, 2).size == 2
    with pytest.raises(ArgumentError, match="has 3 combinations, got 3"):
        sample_grid(grid, 3)
