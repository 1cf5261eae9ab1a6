"""Calling a compiled function by its address, with more than a few numbers.

What is *lent*, a tuple of arrays and numbers, is written down once and only its place is passed,
which costs less than the arrays' many fields at every call. It keeps nothing alive: the arrays
belong to whoever called the loop, and waits for it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic as _intrinsic
from numba.extending import register_model

__all__ = ["LentType", "call_at", "lend", "lent"]

# A type checker must not look inside: in Python these functions have one argument more.
intrinsic: Any = _intrinsic
_PLACE = ir.IntType(8).as_pointer()


class LentType(types.Type):
    """The place of a tuple."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        super().__init__(name=f"Lent({thing})")


@register_model(LentType)
class _LentModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _PLACE)


def _unowned(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return arrays that no reference is counted of."""
    if isinstance(kind, types.BaseTuple):
        for k, each in enumerate(kind.types):
            part = _unowned(context, builder, each, builder.extract_value(value, k))
            value = builder.insert_value(value, part, k)
    elif isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = ir.Constant(array.meminfo.type, None)
        array.parent = ir.Constant(array.parent.type, None)
        value = array._getvalue()  # noqa: SLF001 - Numba's way to read a struct back
    return value


@intrinsic
def lend(_typing: Any, thing: Any) -> Any:
    """Write a tuple down for as long as the calling function runs; return its place."""

    def emit(context: Any, builder: Any, _signature: Any, v: Any) -> Any:
        value = _unowned(context, builder, thing, v[0])
        return builder.bitcast(cgutils.alloca_once_value(builder, value), _PLACE)

    return LentType(thing)(thing), emit


@intrinsic
def lent(_typing: Any, place: Any) -> Any:
    """Return the tuple that was lent."""

    def emit(context: Any, builder: Any, _signature: Any, v: Any) -> Any:
        kind = context.get_value_type(place.thing)
        return builder.load(builder.bitcast(v[0], kind.as_pointer()))

    return place.thing(place), emit


@intrinsic
def call_at(_typing: Any, _address: Any, _t: Any, place: Any) -> Any:
    """Call the compiled function at an address, ``(int64, place) -> None``; raise what it does."""
    takes = (types.int64, place)

    def emit(context: Any, builder: Any, _signature: Any, v: Any) -> Any:
        convention = context.call_conv
        kind = convention.get_function_type(types.none, takes)
        function = builder.inttoptr(v[0], kind.as_pointer())
        status, _ = convention.call_function(builder, function, types.none, takes, v[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(types.int64, *takes), emit
