"""The one place that decides how kernels are compiled.

Kernels release the GIL, so that plain threads run them side by side; they are compiled with
NumPy's rules for division by zero (inf and NaN, no exception) and without reordering of
floating-point operations, so that a result is the same on every run and every thread count.

Compiled code is cached on disk. Numba notices that a kernel's own file has changed, but not that
a function in another file has, whose machine code the kernel contains; so the cache's folder is
named after a hash of all of the package's sources. It lies in `NUMBA_CACHE_DIR` when that is
set, else in the user's cache folder. `NUMBA_DISABLE_JIT=1` is of no use here: the vector types of
`engine/_lanes.py` exist in compiled code alone.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numba
from platformdirs import user_cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["first_use", "inline", "kernel", "plain"]

P = ParamSpec("P")
R = TypeVar("R")

_config: Any = numba.config
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}


@cache
def _cache_folder() -> str:
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        digest.update(source.relative_to(package).as_posix().encode() + b"\0")
        digest.update(source.read_bytes())
    given = _config.CACHE_DIR or user_cache_dir("meseta", appauthor=False)
    for parent in (given, tempfile.gettempdir()):
        folder = Path(parent) / f"meseta-kernels-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return ""


def first_use() -> bool:
    """Tell whether kernels have yet to be compiled on this machine, which takes some seconds."""
    return not _cache_folder() or next(Path(_cache_folder()).rglob("*.nbi"), None) is None


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function over arrays; cached on disk."""
    folder, before = _cache_folder(), _config.CACHE_DIR
    # Numba reads the folder when a function is decorated, so others' kernels are not moved.
    _config.CACHE_DIR = folder
    try:
        return cast("Callable[P, R]", numba.njit(cache=bool(folder), **_OPTIONS)(function))
    finally:
        _config.CACHE_DIR = before


def inline(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a small step that kernels share; merged into its caller's machine code."""
    return cast("Callable[P, R]", numba.njit(forceinline=True, **_OPTIONS)(function))


def plain(function: Callable[P, R]) -> Callable[P, R]:
    """Return the Python function of an `inline` step, for calls too few to be compiled for."""
    return cast("Callable[P, R]", cast("Any", function).py_func)
