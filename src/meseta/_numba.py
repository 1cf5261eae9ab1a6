"""The one place that decides how kernels are compiled.

Kernels release the GIL, so that plain threads run them side by side; they are compiled with
NumPy's rules for division by zero (inf and NaN, no exception) and without reordering of
floating-point operations, so that a result is the same on every run and every thread count.
Compiled code is cached on disk; `NUMBA_CACHE_DIR` moves the cache, `NUMBA_DISABLE_JIT=1` runs
the same functions as plain Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inline", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function over arrays; cached on disk."""
    return cast("Callable[P, R]", numba.njit(cache=True, **_OPTIONS)(function))


def inline(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a small step that kernels share; merged into its caller's machine code."""
    return cast("Callable[P, R]", numba.njit(forceinline=True, **_OPTIONS)(function))
