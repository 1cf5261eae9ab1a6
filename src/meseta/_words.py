"""Arrays as bare places in memory, for the inner loops of kernels.

Numba counts references whenever an array is handed to another function or read out of a tuple,
also in inlined code, and in a loop over bars that costs more than the arithmetic. A `Words` is
the address of a float64 array and nothing else: it is read and written by index, unchecked, and
the array must outlive it, as a kernel's arguments do.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic as _intrinsic
from numba.extending import overload, register_model

__all__ = ["Words", "after", "words", "words_of"]

# A type checker must not look inside: in Python these functions have one argument more.
intrinsic: Any = _intrinsic
_POINTER = ir.DoubleType().as_pointer()


class Words(types.Type):
    """The address of float64 values."""

    def __init__(self, name: str = "Words") -> None:
        super().__init__(name=name)


words = Words()


@register_model(Words)
class _WordsModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _POINTER)


@intrinsic
def words_of(_typing: Any, array: Any) -> Any:
    """Return the place of a contiguous float64 array."""

    def emit(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, v[0]).data
        return builder.bitcast(data, _POINTER)

    return words(array), emit


@intrinsic
def after(_typing: Any, place: Any, many: Any) -> Any:
    """Return the place `many` values further on."""
    return words(place, types.int64), lambda _c, builder, _s, v: builder.gep(v[0], [v[1]])


@intrinsic
def _get(_typing: Any, place: Any, index: Any) -> Any:
    def emit(_context: Any, builder: Any, _signature: Any, v: Any) -> Any:
        return builder.load(builder.gep(v[0], [v[1]]))

    return types.float64(place, types.int64), emit


@intrinsic
def _set(_typing: Any, place: Any, index: Any, value: Any) -> Any:
    def emit(context: Any, builder: Any, _signature: Any, v: Any) -> Any:
        builder.store(v[2], builder.gep(v[0], [v[1]]))
        return context.get_dummy_value()

    return types.none(place, types.int64, types.float64), emit


@overload(operator.getitem, jit_options={"forceinline": True})
def _item(place, index):
    if isinstance(place, Words):
        return lambda place, index: _get(place, index)  # noqa: PLW0108 - names must match
    return None


@overload(operator.setitem, jit_options={"forceinline": True})
def _put(place, index, value):
    if isinstance(place, Words):
        return lambda place, index, value: _set(place, index, value)  # noqa: PLW0108
    return None
