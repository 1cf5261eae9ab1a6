"""Vector operations against NumPy, bit for bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from meseta._numba import kernel
from meseta.engine._lanes import (
    LANES,
    any_lane,
    as_int,
    broadcast,
    floor,
    gather,
    larger,
    load,
    magnitude,
    rows,
    select,
    short_rows,
    store,
)

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-310])
PLAIN = np.array([1.0, 0.0, 1.0, -2.0, math.inf, math.inf, 3.0, math.nan])
eight = hnp.arrays(np.float64, LANES, elements=st.floats(allow_nan=True, width=64))
finite = hnp.arrays(np.float64, LANES, elements=st.floats(-1e9, 1e9) | st.integers(-9, 9))
whole = hnp.arrays(np.int64, LANES, elements=st.integers(-(2**62), 2**62))


@kernel
def arithmetic(a, b, out):
    one, two = load(a, 0), load(b, 0)
    store(out, 0, one + two)
    store(out, LANES, one - two)
    store(out, 2 * LANES, one * two)
    store(out, 3 * LANES, one / two)
    store(out, 4 * LANES, floor(one))
    store(out, 5 * LANES, magnitude(one))


@kernel
def comparisons(a, b, out):
    one, two = load(a, 0), load(b, 0)
    yes, no = broadcast(1.0), broadcast(0.0)
    store(out, 0, select(one < two, yes, no))
    store(out, LANES, select(one >= two, yes, no))
    store(out, 2 * LANES, select(one > two, yes, no))
    store(out, 3 * LANES, select((one < two) & (one > no), yes, no))
    store(out, 4 * LANES, select((one < two) | (one > no), yes, no))
    store(out, 5 * LANES, select(~(one < two), yes, no))
    store(out, 6 * LANES, select(one <= two, yes, no))


@kernel
def any_less(a, b):
    return any_lane(load(a, 0) < load(b, 0))


@kernel
def whole_sum(a, b, out):
    store(out, 0, load(a, 0) + load(b, 0))


@kernel
def whole_parts(a, b, out):
    one, two = load(a, 0), load(b, 0)
    yes, no = broadcast(1), broadcast(0)
    store(out, 0, one & two)
    store(out, LANES, one >> (two & broadcast(63)))
    store(out, 2 * LANES, select(one == two, yes, no))
    store(out, 3 * LANES, select(one <= two, yes, no))
    store(out, 4 * LANES, select(one > two, yes, no))


@kernel
def choose(a, b, out):
    one, two = load(a, 0), load(b, 0)
    store(out, 0, larger(one, two))
    store(out, LANES, select(one > two, one, two))


@kernel
def choose_whole(a, b, out):
    one, two = load(a, 0), load(b, 0)
    store(out, 0, select(one < two, one, two))
    store(out, LANES, select(one >= two, one, two))


@kernel
def scalars(a, b):
    return larger(a, b), floor(a), magnitude(a)


@kernel
def shifted(source, start, out):
    store(out, 3, load(source, start))


@kernel
def same_everywhere(number, whole_number, out, whole_out):
    store(out, 0, broadcast(number))
    store(whole_out, 0, broadcast(whole_number))


@kernel
def gathered(source, index, out):
    store(out, 0, gather(source, load(index, 0)))


@kernel
def bits_of(source, out):
    store(out, 0, as_int(load(source, 0)))


@kernel
def wide_rows(table, index, out):
    columns = rows(table, load(index, 0))
    store(out, 0, columns[0])
    store(out, LANES, columns[1])
    store(out, 2 * LANES, columns[2])
    store(out, 3 * LANES, columns[3])
    store(out, 4 * LANES, columns[4])
    store(out, 5 * LANES, columns[5])
    store(out, 6 * LANES, columns[6])
    store(out, 7 * LANES, columns[7])


@kernel
def narrow_rows(table, index, out):
    columns = short_rows(table, load(index, 0))
    store(out, 0, columns[0])
    store(out, LANES, columns[1])
    store(out, 2 * LANES, columns[2])
    store(out, 3 * LANES, columns[3])


def run(function, *given_, parts, kind=np.float64):
    out = np.full(parts * LANES, 77, kind)
    function(*given_, out)
    return out.reshape(parts, LANES)


def same_bits(found, expected):
    """Equal lane by lane; a NaN equals a NaN of any payload."""
    expected = np.asarray(expected, found.dtype)
    if found.dtype == np.float64:
        nan = np.isnan(expected)
        assert np.array_equal(np.isnan(found), nan)
        found, expected = found[~nan], expected[~nan]
    assert found.tobytes() == expected.tobytes()


@given(eight, eight)
@example(SPECIAL, PLAIN)
@example(PLAIN, SPECIAL)
def test_arithmetic(a, b):
    found = run(arithmetic, a, b, parts=6)
    with np.errstate(all="ignore"):
        expected = (a + b, a - b, a * b, a / b, np.floor(a), np.abs(a))
    for lane, each in zip(found, expected, strict=True):
        same_bits(lane, each)


@given(eight, eight)
@example(SPECIAL, PLAIN)
@example(PLAIN, SPECIAL)
@example(SPECIAL, SPECIAL)
def test_comparisons_are_false_for_nan(a, b):
    found = run(comparisons, a, b, parts=7)
    less, positive = a < b, a > 0
    expected = (less, a >= b, a > b, less & positive, less | positive, ~less, a <= b)
    for lane, mask in zip(found, expected, strict=True):
        same_bits(lane, mask)


@given(whole, whole)
def test_comparisons_and_sums_of_whole_numbers(a, b):
    out = np.empty(LANES, np.int64)
    whole_sum(a, b, out)
    same_bits(out, a + b)
    assert any_less(a, b) == bool((a < b).any())
    choose_out = np.empty(2 * LANES, np.int64)
    choose_whole(a, b, choose_out)
    same_bits(choose_out[:LANES], np.where(a < b, a, b))
    same_bits(choose_out[LANES:], np.where(a >= b, a, b))


@given(whole, whole | st.integers(0, 63).map(lambda shift: np.full(LANES, shift)))
@example(np.arange(LANES), np.arange(LANES))
@example(np.full(LANES, -1), np.arange(LANES) * 9)
def test_bits_of_whole_numbers(a, b):
    found = run(whole_parts, a, b, parts=5, kind=np.int64)
    # A shift brings in zeros, also into a negative number.
    shifted_right = (a.view(np.uint64) >> (b & 63).astype(np.uint64)).view(np.int64)
    for lane, each in zip(found, (a & b, shifted_right, a == b, a <= b, a > b), strict=True):
        same_bits(lane, each)


@pytest.mark.parametrize("lane", range(LANES))
def test_any_sees_every_lane(lane):
    a = np.zeros(LANES)
    assert any_less(a, a) is False
    b = a.copy()
    b[lane] = 1.0
    assert any_less(a, b) is True
    assert any_less(b, a) is False


@given(finite, finite)
@example(np.zeros(LANES), -np.zeros(LANES))
def test_larger_and_select(a, b):
    first, second = run(choose, a, b, parts=2)
    same_bits(first, np.where(b > a, b, a))
    same_bits(second, np.where(a > b, a, b))


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_scalars_use_the_same_operations(a, b):
    assert scalars(a, b) == (max(a, b), math.floor(a), abs(a))


@given(hnp.arrays(np.float64, 24, elements=st.floats(-9, 9)), st.integers(0, 16))
def test_load_and_store_neighbours(source, start):
    out = np.full(14, 5.0)
    shifted(source, start, out)
    same_bits(out[3:11], source[start : start + 8])
    assert out[:3].tolist() == out[11:].tolist() == [5.0] * 3


@given(st.floats(), st.integers(-(2**62), 2**62))
def test_broadcast(number, whole_number):
    out, whole_out = np.empty(LANES), np.empty(LANES, np.int64)
    same_everywhere(number, whole_number, out, whole_out)
    same_bits(out, np.full(LANES, number))
    same_bits(whole_out, np.full(LANES, whole_number))


@given(st.data())
def test_gather_widens_32_bit_numbers(data):
    source = data.draw(hnp.arrays(np.int32, 50))
    index = data.draw(hnp.arrays(np.int64, LANES, elements=st.integers(0, 49)))
    same_bits(run(gathered, source, index, parts=1, kind=np.int64)[0], source[index])


@given(eight)
@example(SPECIAL)
def test_bits(source):
    same_bits(run(bits_of, source, parts=1, kind=np.int64)[0], source.view(np.int64))


@pytest.mark.parametrize(("function", "width"), [(wide_rows, 8), (narrow_rows, 4)])
@given(st.data())
def test_rows_become_columns(function, width, data):
    table = np.arange(20.0 * width) * 1.5
    index = data.draw(hnp.arrays(np.int64, LANES, elements=st.integers(0, 19)))
    found = run(function, table, index, parts=width)
    same_bits(found, table.reshape(-1, width)[index].T)


def test_rows_carry_whole_numbers_as_their_bits():
    table = np.zeros((3, 8))
    table.view(np.int64)[:, 5] = [7, -(2**40), 1 << 40]
    found = run(wide_rows, table.ravel(), np.array([2, 1, 0, 0, 1, 2, 0, 1]), parts=8)
    expected = [1 << 40, -(2**40), 7, 7, -(2**40), 1 << 40, 7, -(2**40)]
    assert found[5].view(np.int64).tolist() == expected
