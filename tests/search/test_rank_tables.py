"""Ranks of the compiled scoring against the plain ones, on any profits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from meseta.search._codes import (
    Needs,
    Span,
    collect_keys,
    count_profits,
    rank_buckets,
    rank_table,
    ranks_of,
)
from meseta.selection import percentile_ranks

# From close neighbours to both ends of what a profit can be.
PROFITS = st.one_of(
    st.floats(2**-30, 2**30, width=32),
    st.integers(1, 5).map(float),
    st.floats(1000.0, 1000.015625, width=32),
    st.sampled_from([2.0**-149, 2.0**-126, 1.0, float(np.finfo(np.float32).max)]),
)
NEEDS = Needs(efficiency=2, to_profit=1, to_in_sample=1, trades=1)


def codes_of(valid, phases):
    """Codes that pass every gate where the bit of the phase is set, and none elsewhere."""
    passed = valid[:, :, None] >> np.arange(phases) & 1
    return np.where(passed == 1, 0x01010102, 0).astype(np.uint32)


def counted(oos, valid, weights, phase, buckets):
    """The rank table of a phase by counting, and the buckets it was counted in."""
    passed = valid >> phase & 1 == 1
    bits = oos[:, :, phase][passed].view(np.uint32)
    span = Span.over(phase, int(bits.min()), int(bits.max()), buckets)
    bins = np.zeros((1, buckets), np.int64)
    codes = codes_of(valid, oos.shape[2])
    count_profits(oos, codes, weights, NEEDS, np.array([span]), bins)
    return rank_buckets(bins[0], span), span


@st.composite
def tiles(draw):
    tables, sets = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    oos = draw(hnp.arrays(np.float32, (tables, sets, 2), elements=PROFITS))
    valid = draw(hnp.arrays(np.uint8, (tables, sets), elements=st.integers(0, 3)))
    weights = draw(hnp.arrays(np.int64, tables, elements=st.integers(1, 10**6)))
    return oos, valid, weights


@given(tiles(), st.integers(0, 1))
def test_ranks_are_the_plain_ones(drawn, phase):
    oos, valid, weights = drawn
    passed = (valid >> phase & 1).astype(bool)
    keys = np.empty(int(passed.sum()), np.uint64)
    assert collect_keys(oos, codes_of(valid, 2), weights, NEEDS, phase, keys) == keys.size
    repeated = np.repeat(weights, oos.shape[1])
    table = rank_table(keys, int(repeated[passed.ravel()].sum()))
    profits = np.where(passed, oos[:, :, phase], np.float32(np.nan)).ravel()
    found = np.empty(profits.size)
    ranks_of(profits, table, found)
    expected = percentile_ranks(
        oos[:, :, phase].reshape(-1, 1), passed.reshape(-1, 1), repeated
    ).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-12, equal_nan=True)


def test_ranks_by_hand():
    # Profit 5 stands for three combinations, 7 for one: ranks 1 to 3 are shared, 4 is alone.
    keys = np.empty(3, np.uint64)
    oos = np.array([[[7.0], [5.0]], [[5.0], [9.0]]], np.float32)
    valid = np.array([[1, 1], [1, 0]], np.uint8)
    collect_keys(oos, codes_of(valid, 1), np.array([1, 2]), NEEDS, 0, keys)
    table = rank_table(keys, 4)
    assert table.rank.tolist() == [50.0, 100.0]
    found = np.empty(3)
    ranks_of(np.array([5, 7, np.nan], np.float32), table, found)
    assert found[:2].tolist() == [50.0, 100.0]
    assert np.isnan(found[2])


def test_a_million_close_profits_are_told_apart():
    profits = np.float32(1000) + np.arange(200_000, dtype=np.float32) * np.float32(2**-13)
    assert np.unique(profits).size == profits.size
    oos = np.random.default_rng(0).permutation(profits).reshape(-1, 100, 1)
    valid = np.ones(oos.shape[:2], np.uint8)
    keys = np.empty(profits.size, np.uint64)
    collect_keys(oos, codes_of(valid, 1), np.ones(len(oos), np.int64), NEEDS, 0, keys)
    found = np.empty(profits.size)
    ranks_of(profits, rank_table(keys, profits.size), found)
    np.testing.assert_allclose(found, np.arange(1, profits.size + 1) / profits.size * 100)


@pytest.mark.parametrize("wide", [1.0, 1e30])
def test_a_phase_without_a_valid_combination_has_no_ranks(wide):
    table = rank_table(np.empty(0, np.uint64), 0)
    assert table.rank.size == table.key.size == 0
    found = np.empty(1)
    ranks_of(np.array([np.nan], np.float32), table, found)
    assert np.isnan(found[0])


@given(tiles(), st.integers(0, 1), st.sampled_from([1, 4, 64, 1 << 22]))
def test_counted_ranks_are_those_of_profits_cut_to_their_buckets(drawn, phase, buckets):
    oos, valid, weights = drawn
    passed = valid >> phase & 1 == 1
    if not passed.any():
        return
    table, span = counted(oos, valid, weights, phase, buckets)
    profits = oos[:, :, phase][passed]
    bucket = (profits.view(np.uint32).astype(np.int64) - span.low) >> span.shift
    assert 0 <= bucket.min() <= bucket.max() < buckets
    many = np.repeat(weights, oos.shape[1])[passed.ravel()]
    expected, exact = (
        percentile_ranks(values[:, None], np.ones((many.size, 1), bool), many).ravel()
        for values in (bucket, profits)
    )
    found = np.empty(profits.size)
    ranks_of(profits, table, found)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    share = np.bincount(bucket, many)[bucket] / many.sum() * 100
    assert np.all(np.abs(found - exact) <= share / 2)
    # The widest bucket is the narrowest number of steps that keeps their number small.
    steps = int(profits.max().view(np.uint32)) - int(profits.min().view(np.uint32))
    assert span.shift == 0 or steps >> (span.shift - 1) >= buckets


def test_profits_are_told_apart_by_counting_while_there_are_buckets_enough():
    oos = np.random.default_rng(0).uniform(999, 1001, (100, 50, 1)).astype(np.float32)
    valid, weights = np.ones((100, 50), np.uint8), np.full(100, 3)
    keys = np.empty(valid.size, np.uint64)
    collect_keys(oos, codes_of(valid, 1), weights, NEEDS, 0, keys)
    exact = rank_table(keys, 3 * valid.size)
    table, span = counted(oos, valid, weights, 0, 1 << 22)
    assert span.shift == 0
    assert np.array_equal(table.key, exact.key)
    assert np.array_equal(table.rank, exact.rank)
