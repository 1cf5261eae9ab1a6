"""Eight numbers at a time: vector types that kernels use like scalars.

Numba compiles loops one number at a time and cannot turn a walk through tables, where every
lane reads another row, into vector instructions by itself. The types here are plain LLVM
vectors of eight lanes with the usual operators, so a kernel reads like its scalar twin and runs
on whatever the processor has: one 512-bit register, two of 256 bits, or four of 128. Every
operation is the IEEE operation on each lane, so the lanes give the scalar kernel's bits.

Rows are fetched whole: a table row is eight 64-bit words in one cache line, read with one load
per lane and turned by shuffles into one vector per column, so that a line is fetched once.
Whole numbers in such a row are stored as their bits and read back with `as_int`.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic as _intrinsic
from numba.extending import lower_builtin, register_model, type_callable

__all__ = [
    "LANES",
    "any_lane",
    "as_int",
    "broadcast",
    "floor",
    "gather",
    "larger",
    "load",
    "magnitude",
    "rows",
    "select",
    "short_rows",
    "store",
]

LANES = 8
# A type checker must not look inside: in Python these functions have one argument more.
intrinsic: Any = _intrinsic


class _Lanes(types.Type):
    def __init__(self, name: str, element: Any) -> None:
        self.element = element
        super().__init__(name=f"{name}x{LANES}")


floats = _Lanes("float64", ir.DoubleType())
ints = _Lanes("int64", ir.IntType(64))
mask = _Lanes("bool", ir.IntType(1))


@register_model(_Lanes)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, lanes: _Lanes) -> None:
        super().__init__(manager, lanes, ir.VectorType(lanes.element, LANES))


def _operator(symbol: Any, arguments: tuple[_Lanes, ...], result: _Lanes, emit: Any) -> None:
    """Give `symbol` a meaning for lanes: `emit(builder, values)` is its one instruction."""

    @type_callable(symbol)
    def typed(_context: Any) -> Any:
        return lambda *given: result if given == arguments else None

    @lower_builtin(symbol, *arguments)
    def lowered(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return emit(builder, values)


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, (floats, floats), floats, lambda b, v, n=_name: getattr(b, n)(*v))
for _symbol, _name in (
    (operator.add, "add"),
    (operator.and_, "and_"),
    (operator.rshift, "lshr"),
):
    _operator(_symbol, (ints, ints), ints, lambda b, v, n=_name: getattr(b, n)(*v))
_operator(operator.eq, (ints, ints), mask, lambda b, v: b.icmp_signed("==", *v))
for _symbol, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.ge, ">="),
    (operator.gt, ">"),
):
    _operator(_symbol, (floats, floats), mask, lambda b, v, s=_sign: b.fcmp_ordered(s, *v))
    _operator(_symbol, (ints, ints), mask, lambda b, v, s=_sign: b.icmp_signed(s, *v))
_operator(operator.and_, (mask, mask), mask, lambda b, v: b.and_(*v))
_operator(operator.or_, (mask, mask), mask, lambda b, v: b.or_(*v))
_operator(operator.invert, (mask,), mask, lambda b, v: b.not_(*v))


@intrinsic
def larger(_typing: Any, a: Any, b: Any) -> Any:
    """Return `b` where `b > a`, else `a`; lanes or two floats (no NaN expected)."""

    def emit(_c: Any, builder: Any, _s: Any, v: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", v[1], v[0]), v[1], v[0])

    return a(a, b), emit


def _unary(name: str, a: Any) -> Any:
    def emit(_c: Any, builder: Any, _s: Any, v: Any) -> Any:
        full = f"llvm.{name}.v{LANES}f64" if isinstance(a, _Lanes) else f"llvm.{name}.f64"
        kind = ir.FunctionType(v[0].type, [v[0].type])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, full), v)

    return a(a), emit


@intrinsic
def floor(_typing: Any, a: Any) -> Any:
    """Round down; lanes or one float."""
    return _unary("floor", a)


@intrinsic
def magnitude(_typing: Any, a: Any) -> Any:
    """Drop the sign; lanes or one float."""
    return _unary("fabs", a)


@intrinsic
def select(_typing: Any, which: Any, a: Any, b: Any) -> Any:
    """Return `a` in the lanes where `which` holds and `b` in the others."""

    def emit(_c: Any, builder: Any, _s: Any, v: Any) -> Any:
        return builder.select(v[0], v[1], v[2])

    return a(which, a, b), emit


@intrinsic
def any_lane(_typing: Any, which: Any) -> Any:
    """Tell whether a mask holds in any lane."""

    def emit(_c: Any, builder: Any, _s: Any, v: Any) -> Any:
        bits = builder.bitcast(v[0], ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(which), emit


@intrinsic
def as_int(_typing: Any, a: Any) -> Any:
    """Read the bits of every lane as a whole number."""

    def emit(_c: Any, builder: Any, _s: Any, v: Any) -> Any:
        return builder.bitcast(v[0], ir.VectorType(ir.IntType(64), LANES))

    return ints(a), emit


@intrinsic
def broadcast(_typing: Any, a: Any) -> Any:
    """Put one number into every lane."""
    kind = ints if isinstance(a, types.Integer) else floats
    scalar = types.int64 if kind is ints else types.float64

    def emit(_c: Any, builder: Any, _s: Any, v: Any) -> Any:
        vector = ir.Constant(ir.VectorType(kind.element, LANES), ir.Undefined)
        for lane in range(LANES):
            vector = builder.insert_element(vector, v[0], ir.Constant(ir.IntType(32), lane))
        return vector

    return kind(scalar), emit


def _pointer(context: Any, builder: Any, kind: Any, value: Any, element: Any) -> Any:
    data = context.make_array(kind)(context, builder, value).data
    return builder.bitcast(data, element.as_pointer())


@intrinsic
def load(_typing: Any, source: Any, start: Any) -> Any:
    """Read eight neighbours `source[start : start + 8]` of a flat array."""
    kind = ints if isinstance(source.dtype, types.Integer) else floats

    def emit(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        base = _pointer(context, builder, signature.args[0], v[0], kind.element)
        vector = ir.VectorType(kind.element, LANES)
        place = builder.bitcast(builder.gep(base, [v[1]]), vector.as_pointer())
        return builder.load(place, align=8)

    return kind(source, types.int64), emit


@intrinsic
def store(_typing: Any, target: Any, start: Any, a: Any) -> Any:
    """Write eight lanes to `target[start : start + 8]` of a flat array."""

    def emit(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        base = _pointer(context, builder, signature.args[0], v[0], a.element)
        vector = ir.VectorType(a.element, LANES)
        place = builder.bitcast(builder.gep(base, [v[1]]), vector.as_pointer())
        builder.store(v[2], place, align=8)
        return context.get_dummy_value()

    return types.none(target, types.int64, a), emit


def _transpose(builder: Any, lines: list[Any]) -> list[Any]:
    """Turn rows into columns by rounds of shuffles, within blocks as wide as there are rows."""
    index = ir.VectorType(ir.IntType(32), LANES)
    distance = 1
    while distance < len(lines):
        low = [k - distance + LANES if k & distance else k for k in range(LANES)]
        high = [k + LANES if k & distance else k + distance for k in range(LANES)]
        turned = list(lines)
        for row in range(len(lines)):
            if not row & distance:
                a, b = lines[row], lines[row + distance]
                turned[row] = builder.shuffle_vector(a, b, ir.Constant(index, low))
                turned[row + distance] = builder.shuffle_vector(a, b, ir.Constant(index, high))
        lines = turned
        distance *= 2
    return lines


@intrinsic
def gather(_typing: Any, source: Any, index: Any) -> Any:
    """Read `source[index[k]]` for every lane `k` of a flat array of 32-bit whole numbers."""

    def emit(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        base = _pointer(context, builder, signature.args[0], v[0], ir.IntType(32))
        vector = ir.Constant(ir.VectorType(ir.IntType(32), LANES), ir.Undefined)
        for lane in range(LANES):
            at = ir.Constant(ir.IntType(32), lane)
            value = builder.load(builder.gep(base, [builder.extract_element(v[1], at)]))
            vector = builder.insert_element(vector, value, at)
        return builder.sext(vector, ir.VectorType(ir.IntType(64), LANES))

    return ints(source, ints), emit


def _columns(width: int, context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """Read one row of `width` words for every lane and turn the rows into columns."""
    base = _pointer(context, builder, signature.args[0], values[0], floats.element)
    narrow = ir.VectorType(floats.element, width)
    lines = []
    for lane in range(LANES):
        row = builder.extract_element(values[1], ir.Constant(ir.IntType(32), lane))
        start = builder.mul(row, ir.Constant(ir.IntType(64), width))
        place = builder.bitcast(builder.gep(base, [start]), narrow.as_pointer())
        lines.append(builder.load(place, align=8))
    while len(lines) > width:
        half = len(lines) // 2
        wide = 2 * lines[0].type.count
        joined = ir.Constant(ir.VectorType(ir.IntType(32), wide), list(range(wide)))
        pairs = zip(lines[:half], lines[half:], strict=True)
        lines = [builder.shuffle_vector(a, b, joined) for a, b in pairs]
    return context.make_tuple(builder, signature.return_type, _transpose(builder, lines))


@intrinsic
def short_rows(_typing: Any, table: Any, index: Any) -> Any:
    """Read row `index[k]` of four words for every lane `k`; row `r` starts at `4 * r`."""
    return types.UniTuple(floats, 4)(table, ints), partial(_columns, 4)


@intrinsic
def rows(_typing: Any, table: Any, index: Any) -> Any:
    """Read row `index[k]` (eight words) of a table for every lane `k`.

    Parameters
    ----------
    table
        Flat float64 array; row `r` starts at `8 * r`.
    index
        Row numbers, one per lane.

    Returns
    -------
    tuple of eight vectors
        Column `c` of every lane's row.
    """
    return types.UniTuple(floats, 8)(table, ints), partial(_columns, 8)
