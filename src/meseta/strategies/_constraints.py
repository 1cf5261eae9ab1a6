"""Conditions between the parameters of a grid: ``hma_fast_length < hma_slow_length``.

A condition is read with Python's own parser, and every node that is not on a short list is
refused, so a grid file can compare and calculate and nothing else.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta._near import did_you_mean
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from meseta._types import BoolArray, FloatArray

__all__ = ["MOST_CELLS", "Component", "Constraint", "components", "read_constraints", "texts_of"]

# Counting this many combinations of parameters that depend on each other takes some seconds.
MOST_CELLS = 200_000_000

_CHUNK = 2**20
_LONGEST = 1000  # characters
_DEEPEST = 100  # nodes inside each other; far from Python's own limit on recursion
# Decimal numbers are stored as the nearest floats, each off by 1.1e-16 of itself at most; every
# calculation adds as much again. This covers thousands of them and is far below any grid step.
_UNIT = 1e-12
_ALLOWED = (
    "a constraint compares parameters and numbers with < <= > >= == !=, "
    "calculates with + - * / and parentheses, and joins comparisons with and, or, not"
)


# What each comparison says of two numbers by the gap between them and its tolerance.
_COMPARISONS: dict[type[ast.cmpop], Callable[[FloatArray, FloatArray], BoolArray]] = {
    ast.Lt: lambda gap, tolerance: gap < -tolerance,
    ast.LtE: lambda gap, tolerance: gap <= tolerance,
    ast.Gt: lambda gap, tolerance: gap > tolerance,
    ast.GtE: lambda gap, tolerance: gap >= -tolerance,
    ast.Eq: lambda gap, tolerance: np.abs(gap) <= tolerance,
    ast.NotEq: lambda gap, tolerance: np.abs(gap) > tolerance,
}


class Constraint:
    """A condition that combinations of a grid have to meet.

    Numbers are compared as the decimals that they are written as: 0.1 + 0.2 equals 0.3. Two
    numbers count as equal when they differ by no more than 1e-12 of the terms that they were
    calculated from. A comparison with something that was divided by zero does not hold.

    Parameters
    ----------
    text
        The condition.
    known
        The parameters of the grid.

    Attributes
    ----------
    text
        The condition with single spaces.
    names
        The parameters that occur in it, in the grid's order.

    Raises
    ------
    ArgumentError
        The text is too long, is no condition, names no parameter or an unknown one, or holds
        something else than comparisons, calculations, ``and``, ``or`` and ``not``.
    """

    def __init__(self, text: str, known: Sequence[str]) -> None:
        self.text = " ".join(text.split())
        self._tree = _parsed(self.text)
        used = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}
        self.names = tuple(name for name in known if name in used)
        self.holds({name: np.ones(1) for name in known})  # refuses what it cannot evaluate
        if not self.names:
            raise _refusal(self.text, "it names no parameter")

    def holds(self, columns: Mapping[str, NDArray[np.generic]]) -> BoolArray:
        """Return where the condition is met.

        Parameters
        ----------
        columns
            Values of each parameter in `names`; arrays that broadcast to one shape.

        Returns
        -------
        ndarray of bool
            In the shape to which the parameters that occur broadcast.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return _Evaluation(self.text, columns).truth(self._tree)


class _Number(NamedTuple):
    """Calculated values, and the size of the terms that limits how exact they are."""

    value: FloatArray
    size: FloatArray


class _Evaluation:
    """One walk through a condition's syntax tree; refuses every node that it does not know."""

    def __init__(self, text: str, columns: Mapping[str, NDArray[np.generic]]) -> None:
        self.text = text
        self.columns = columns

    def truth(self, node: ast.expr) -> BoolArray:
        match node:
            case ast.BoolOp(op=op, values=parts):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                found = self.truth(parts[0])
                for part in parts[1:]:
                    found = join(found, self.truth(part))
                return found
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return np.logical_not(self.truth(part))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(self.number(left), ops, others)
        raise self._strange(node, "a condition")

    def number(self, node: ast.expr) -> _Number:
        match node:
            case ast.Name(id=name):
                self._require(name)
                value = self.columns[name].astype(np.float64)
                return _Number(value, np.abs(value))
            case ast.Constant(value=int() | float() as literal) if not isinstance(literal, bool):
                return self._literal(literal)
            case ast.UnaryOp(op=ast.USub(), operand=part):
                value, size = self.number(part)
                return _Number(-value, size)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as op):
                return _calculated(op, self.number(left), self.number(node.right))
        raise self._strange(node, "a number")

    def _compared(self, left: _Number, ops: list[ast.cmpop], others: list[ast.expr]) -> BoolArray:
        found: BoolArray = np.ones(1, np.bool_)
        for op, other in zip(ops, others, strict=True):
            right = self.number(other)
            if type(op) not in _COMPARISONS:
                written = ast.unparse(ast.Compare(ast.Name("a"), [op], [ast.Name("b")]))
                raise _refusal(self.text, f"`{written[2:-2]}` is not understood; {_ALLOWED}")
            tolerance = _UNIT * (left.size + right.size)
            met = _COMPARISONS[type(op)](left.value - right.value, tolerance)
            found, left = found & met & np.isfinite(tolerance), right
        return found

    def _require(self, name: str) -> None:
        if name not in self.columns:
            raise _refusal(
                self.text,
                f"the strategy has no parameter {name!r}{did_you_mean(name, self.columns)} "
                f"(it has {', '.join(self.columns)})",
            )

    def _literal(self, literal: float) -> _Number:
        if not abs(literal) < 1e100:
            raise _refusal(self.text, "a number in it is too large")
        value = np.array([float(literal)])
        return _Number(value, np.abs(value))

    def _strange(self, node: ast.expr, wanted: str) -> ArgumentError:
        return _refusal(
            self.text, f"`{ast.unparse(node)}` is not understood as {wanted}; {_ALLOWED}"
        )


def _calculated(op: ast.operator, a: _Number, b: _Number) -> _Number:
    """Return a sum, difference, product or quotient with its first-order error's size."""
    if isinstance(op, ast.Add | ast.Sub):
        value = a.value + b.value if isinstance(op, ast.Add) else a.value - b.value
        return _Number(value, a.size + b.size)
    if isinstance(op, ast.Mult):
        size = np.abs(a.value) * b.size + np.abs(b.value) * a.size
        return _Number(a.value * b.value, size)
    divisor = np.where(np.abs(b.value) <= _UNIT * b.size, np.nan, b.value)
    value = a.value / divisor
    return _Number(value, (a.size + np.abs(value) * b.size) / np.abs(divisor))


def _parsed(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise _refusal(
            f"{text[:40]}...",
            f"it has {len(text):,} characters, more than {_LONGEST:,}; write several constraints",
        )
    if "#" in text:
        raise _refusal(text, f"`#` is not understood; {_ALLOWED}")
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        where = f" at character {error.offset}" if error.offset else ""
        raise _refusal(text, f"{error.msg}{where}; {_ALLOWED}") from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise _refusal(text, f"{error}; {_ALLOWED}") from error
    if _depth(tree) > _DEEPEST:
        raise _refusal(text, "it is too long or nested too deeply; write several constraints")
    return tree


def _depth(tree: ast.AST) -> int:
    """Return how deeply a syntax tree is nested, without recursion."""
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [part for node in level for part in ast.iter_child_nodes(node)]
    return depth


def _refusal(text: str, why: str) -> ArgumentError:
    return ArgumentError(f"constraint `{text}`: {why}")


def texts_of(entry: object) -> tuple[str, ...]:
    """Return constraints that are given as one text or as a list of texts.

    Raises
    ------
    ArgumentError
        `entry` is neither, or a text is empty.
    """
    texts = (entry,) if isinstance(entry, str) else entry
    if isinstance(texts, list | tuple) and all(isinstance(t, str) and t.strip() for t in texts):
        return tuple(texts)
    raise ArgumentError(
        "`constraints` must be a text or a list of texts "
        f"such as `hma_fast_length < hma_slow_length`, got {entry!r}"
    )


def read_constraints(texts: Iterable[str], known: Sequence[str]) -> tuple[Constraint, ...]:
    """Return conditions on the parameters `known`, read from their texts.

    Raises
    ------
    ArgumentError
        As `Constraint`.
    """
    return tuple(Constraint(text, known) for text in texts)


@dataclass(frozen=True)
class Component:
    """Parameters that depend on each other through constraints, and on no other parameter.

    Parameters
    ----------
    values
        The values of each parameter, in the grid's order.
    constraints
        The constraints in which they occur.

    Raises
    ------
    ArgumentError
        The values have more than 200 million combinations, or none that meets the constraints.
    """

    values: Mapping[str, tuple[float, ...]]
    constraints: tuple[Constraint, ...]

    def __post_init__(self) -> None:
        if math.prod(self.shape) > MOST_CELLS:
            raise ArgumentError(
                f"the constraints {self._written} tie {', '.join(self.values)} together, whose "
                f"values have {math.prod(self.shape):,} combinations, more than {MOST_CELLS:,} "
                "to count; list fewer values, or constrain fewer parameters together"
            )
        if not self.count:
            raise ArgumentError(
                f"no combination of the values of {', '.join(self.values)} meets "
                f"{self._written}; widen the values or drop a constraint"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter."""
        return tuple(len(values) for values in self.values.values())

    @cached_property
    def count(self) -> int:
        """Number of combinations of the parameters that meet the constraints."""
        return sum(int(np.count_nonzero(met)) for met in self._truths())

    def cells(self) -> NDArray[np.uint32]:
        """Return the combinations that meet the constraints: C-order numbers, increasing."""
        found, first = np.empty(self.count, np.uint32), 0
        filled = 0
        for met in self._truths():
            places = np.flatnonzero(met)
            found[filled : filled + places.size] = places + first
            filled, first = filled + places.size, first + met.size
        return found

    @property
    def _written(self) -> str:
        return ", ".join(f"`{constraint.text}`" for constraint in self.constraints)

    def _truths(self) -> Iterator[BoolArray]:
        """Yield which combinations meet the constraints, in C order, some at a time."""
        arrays = [np.array(values, np.float64) for values in self.values.values()]
        for block in _blocks(self.shape):
            parts = [array[part] for array, part in zip(arrays, block, strict=True)]
            columns = dict(zip(self.values, np.ix_(*parts), strict=True))
            met: BoolArray = np.ones(tuple(part.size for part in parts), np.bool_)
            for constraint in self.constraints:
                met &= constraint.holds(columns)
            yield met


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield parts of an array of that shape: each consecutive in C order and small."""
    rest = math.prod(shape[1:])
    length = max(1, _CHUNK // rest)
    for first in range(0, shape[0], length):
        part = slice(first, min(first + length, shape[0]))
        if rest <= _CHUNK:
            yield (part, *(slice(0, many) for many in shape[1:]))
        else:
            yield from ((part, *inner) for inner in _blocks(shape[1:]))


def components(
    constraints: Sequence[Constraint], values: Mapping[str, tuple[float, ...]]
) -> tuple[Component, ...]:
    """Return the constrained parameters, those together that depend on each other.

    Parameters
    ----------
    constraints
        Conditions on parameters of the grid.
    values
        The grid's values of each parameter, in order.

    Raises
    ------
    ArgumentError
        As `Component`.
    """
    groups: list[set[str]] = []
    for constraint in constraints:
        joined = {*constraint.names}.union(*(g for g in groups if g & {*constraint.names}))
        groups = [g for g in groups if not g & joined] + [joined]
    return tuple(
        Component(
            {name: values[name] for name in values if name in group},
            tuple(c for c in constraints if group.issuperset(c.names)),
        )
        for group in groups
    )
