from __future__ import annotations

import itertools
import operator
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meseta.errors import ArgumentError
from meseta.strategies import _constraints
from meseta.strategies._constraints import Constraint, components, read_constraints
from meseta.strategies._grids import Grid

NAMES = ("a", "b", "c")
COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def holds(text, **values):
    columns = {name: np.array([value]) for name, value in values.items()}
    return bool(Constraint(text, tuple(values)).holds(columns)[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", True),
        ("a > b", False),
        ("a <= 1", True),
        ("a >= 2", False),
        ("a == 1 != b", True),
        ("1 <= a < b <= 2", True),
        ("1 < a < b", False),
        ("a < b < a", False),
        ("2 * a + 1 >= b - 1 / 2", True),
        ("-a < 0", True),
        ("b - a - a == 0", True),
        ("(b - a) * -3 == -3", True),
        ("not a < b", False),
        ("a > b or b == 2", True),
        ("a > b or b == 3", False),
        ("a < b and not b < a", True),
        ("a > b or a == 1 and b == 3", False),
        ("(a > b or a == 1) and b == 2", True),
        ("a < 1e3 and b < 2.5", True),
    ],
)
def test_conditions(text, expected):
    assert holds(text, a=1, b=2.0) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a == 0.3 * 2", True),
        ("a > 0.3 * 2", False),
        ("a >= 0.3 * 2", True),
        ("b + c == 0.3", True),
        ("b + c - 0.3 == 0", True),
        ("b + c > 0.3", False),
        ("b + c != 0.3", False),
        ("0.3 - b < c", False),
        ("a / c == 3", True),
        ("a / c < 3", False),
        ("b * 3 < 0.3000000001", True),
        ("b * 3 == 0.3000000001", False),
    ],
)
def test_numbers_are_the_decimals_that_are_written(text, expected):
    assert holds(text, a=0.6, b=0.1, c=0.2) is expected


@pytest.mark.parametrize("comparison", COMPARE)
def test_a_comparison_with_a_division_by_zero_does_not_hold(comparison):
    assert not holds(f"a / b {comparison} 1", a=1.0, b=0.0)
    assert not holds(f"a / b {comparison} a / b", a=1.0, b=0.0)
    assert not holds(f"1 {comparison} a / (b + 0.1 + 0.2 - 0.3)", a=1.0, b=0.0)
    assert holds(f"b == 0 or a / b {comparison} 1", a=1.0, b=0.0)


def test_numbers_beyond_floats_are_unknown_too():
    assert not holds("a * 1e90 * 1e90 * 1e90 * 1e90 > 1", a=1.0)


tenths = st.integers(-40, 40)


@st.composite
def terms(draw, depth=2):
    """An expression over a, b and c with tenths, as text."""
    if depth == 0 or draw(st.booleans()):
        name = draw(st.sampled_from(NAMES))
        return draw(st.sampled_from([name, str(draw(st.integers(0, 40)) / 10)]))
    left, right = draw(terms(depth - 1)), draw(terms(depth - 1))
    if draw(st.integers(0, 4)) == 0:
        return f"-({left})"
    return f"({left} {draw(st.sampled_from('+-*/'))} {right})"


def exactly(text, values):
    """What the decimals in `text` come to, in rational numbers."""
    return eval(re.sub(r"\d+\.\d+", r"F('\g<0>')", text), {"F": Fraction} | values)


@given(terms(), terms(), st.sampled_from(sorted(COMPARE)), st.tuples(tenths, tenths, tenths))
def test_comparisons_agree_with_exact_arithmetic(left, right, comparison, numbers):
    exact = {name: Fraction(number, 10) for name, number in zip(NAMES, numbers, strict=True)}
    try:
        expected = COMPARE[comparison](exactly(left, exact), exactly(right, exact))
    except ZeroDivisionError:
        expected = False
    text = f"{left} {comparison} {right}"
    assume(any(name in text for name in NAMES))
    floats = {name: number / 10 for name, number in zip(NAMES, numbers, strict=True)}
    assert holds(text, **floats) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("abs(a) < 1", r"`abs\(a\)` is not understood as a number; a constraint compares"),
        ("__import__('os')", "is not understood as a condition; .* with < <= > >= == !="),
        ("a.real < 1", "`a.real` is not understood"),
        ("a[0] < 1", r"`a\[0\]` is not understood"),
        ("(lambda: 1) < a", "is not understood"),
        ("a if b else c", "is not understood"),
        ("(a := 1) < b", "is not understood"),
        ("[a < b for a in b]", "is not understood"),
        ("a < b, b < c", "is not understood"),
        ("f'{a}' < b", "is not understood"),
        ("'x' < a", "`'x'` is not understood as a number"),
        ("a < None", "`None` is not understood"),
        ("a < True", "`True` is not understood"),
        ("True", "`True` is not understood as a condition"),
        ("a < 1j", "`1j` is not understood"),
        ("a ** 2 < b", r"`a \*\* 2` is not understood"),
        ("a % 2 == 0", "`a % 2` is not understood"),
        ("a // 2 == 0", "`a // 2` is not understood"),
        ("a & b", "`a & b` is not understood"),
        ("+a < b", r"`\+a` is not understood"),
        ("~a < b", "`~a` is not understood"),
        ("a is b", "`is` is not understood"),
        ("a not in b", "`not in` is not understood"),
        ("a", "`a` is not understood as a condition"),
        ("a + b", r"`a \+ b` is not understood as a condition"),
        ("a and b < c", "`a` is not understood as a condition"),
        ("not a", "`a` is not understood as a condition"),
        ("(a < b) + 1 > 2", "`a < b` is not understood as a number"),
        ("a = b", "invalid syntax.* at character 3"),
        ("a => b", "invalid syntax at character"),
        ("a <", "invalid syntax"),
        ("(a < b", "never closed"),
        ("a < b # why", "`#` is not understood"),
        ("a < 1e999", "too large"),
        ("a < 1" + "0" * 400, "too large"),
        ("a\0 < b", "null"),
        ("1 < 2", "names no parameter"),
        ("a < d", r"no parameter 'd' \(it has a, b, c\)"),
        ("-" * 900 + "a < 1", "nested too deeply"),
        ("a" + " + a" * 200 + " < 1", "nested too deeply"),
        ("a < b or " * 200 + "a < b", "characters, more than 1,000"),
    ],
)
def test_anything_else_is_refused_by_name(text, why):
    with pytest.raises(ArgumentError, match=why) as caught:
        Constraint(text, NAMES)
    assert str(caught.value).startswith(f"constraint `{text[:20]}")


def test_a_misspelt_parameter_gets_a_suggestion():
    with pytest.raises(ArgumentError, match="did you mean hma_slow_length"):
        Constraint("hma_fast_length < hma_slow_lenght", ("hma_fast_length", "hma_slow_length"))


def test_names_have_the_grids_order_and_texts_single_spaces():
    constraint = Constraint("  c <\n a ", NAMES)
    assert constraint.names == ("a", "c")
    assert constraint.text == "c < a"


def test_parameters_that_depend_on_each_other_are_counted_together():
    names = ("a", "b", "c", "d", "e", "f")
    read = read_constraints(("a < b", "d < e", "b < d", "f > 1"), names)
    parts = components(read, dict.fromkeys(names, (1, 2, 3, 4)))
    assert {tuple(part.values): part.count for part in parts} == {
        ("a", "b", "d", "e"): 1,
        ("f",): 3,
    }
    with pytest.raises(ArgumentError, match="of a, b, d, e meets `a < b`, `d < e`, `b < d`; wid"):
        components(read, dict.fromkeys(names, (1, 2, 3)))


@given(
    st.lists(st.integers(1, 5), min_size=3, max_size=3),
    st.lists(
        st.sampled_from(["a < b", "b + c <= 5", "a != c", "c == 2 or b == 2", "a * b >= c / 2"]),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 40),
)
def test_size_and_cells_agree_with_counting_one_by_one(lengths, texts, chunk):
    values = dict(zip(NAMES, (tuple(range(1, n + 1)) for n in lengths), strict=True))
    points = [
        dict(zip(NAMES, point, strict=True)) for point in itertools.product(*values.values())
    ]
    allowed = [all(eval(t, {}, point) for t in texts) for point in points]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_constraints, "_CHUNK", chunk)
        if not any(allowed):
            with pytest.raises(ArgumentError, match="no combination"):
                Grid("drawn", values, tuple(texts))
            return
        grid = Grid("drawn", values, tuple(texts))
        assert grid.size == sum(allowed)
        for part in grid.components:
            cells = part.cells()
            assert cells.size == part.count
            assert (np.diff(cells.astype(np.int64)) > 0).all()
            index = np.unravel_index(cells.astype(np.int64), part.shape)
            found = {
                name: np.array(part.values[name])[i]
                for name, i in zip(part.values, index, strict=True)
            }
            assert all(constraint.holds(found).all() for constraint in part.constraints)
    assert grid.mask(np.arange(grid.product)).tolist() == allowed


def test_a_grid_of_billions_is_counted_without_listing_it():
    values = {f"p{i}": tuple(range(100)) for i in range(10)}
    grid = Grid("large", values, ("p0 < p1", "p2 + p3 == 3 * p4"))
    pairs = sum((t <= 99) * (t + 1) + (t > 99) * (199 - t) for t in range(0, 199, 3))
    assert grid.size == 4950 * pairs * 100**5
    assert grid.product == 100**10


def test_too_many_combinations_that_depend_on_each_other_are_refused():
    values = {name: tuple(range(1000)) for name in NAMES}
    with pytest.raises(
        ArgumentError,
        match=r"`a < b`, `b < c` tie a, b, c together.* 1,000,000,000 .*more than 200,000,000",
    ):
        Grid("large", values, ("a < b", "b < c"))
    assert Grid("large", values, ("a < b",)).size == 499_500 * 1000
