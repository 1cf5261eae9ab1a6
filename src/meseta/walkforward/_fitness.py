"""What makes one combination better than another in an in-sample window."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError, UnsupportedBytecodeError

from meseta._near import did_you_mean
from meseta._own_file import split
from meseta.errors import ArgumentError
from meseta.strategies._own import _Part, _plain
from meseta.strategies._registry import _strategies_in
from meseta.walkforward._stats import BUILT_IN, STATS, WindowStats

if TYPE_CHECKING:
    from collections.abc import Callable

    from meseta._types import FloatArray

__all__ = ["FITNESSES", "Fitness", "FitnessError", "find_fitness", "fitness"]

P = ParamSpec("P")
R = TypeVar("R")

FITNESSES = BUILT_IN
# What an ordinary window looks like, to try a function on.
_TRIAL = WindowStats(1000.0, 12.0, 3000.0, 2000.0, 800.0, 1.5, 1.25, 0.8, 1.2, 0.6, 504.0, 2.0)
_HINT = "write `@fitness` (from meseta.walkforward import fitness) above it"
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": True}


class FitnessError(ArgumentError):
    """A fitness that a user wrote breaks a rule (exit code 2)."""


def fitness(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a fitness, or a helper that it calls, with Numba.

    Parameters
    ----------
    function
        Takes `WindowStats` and returns a number: larger is better, and a combination for which
        it is NaN does not qualify in that window. Dividing by zero gives inf or NaN.

    Examples
    --------
    >>> from meseta.walkforward import fitness
    >>> @fitness
    ... def cautious(stats):
    ...     return stats.net_profit - 2 * stats.drawdown
    """
    return cast("Callable[P, R]", numba.njit(**_OPTIONS)(function))


@dataclass(frozen=True)
class Fitness:
    """A fitness that is ready to be used; `find_fitness` makes it.

    Parameters
    ----------
    name
        As it was asked for.
    kind
        Which of `FITNESSES`, -1 for a user's own.
    function
        The user's own, compiled; else None.
    source
        What a user's own was made from: SHA-256 of its file, or its name and text; else empty.
    """

    name: str
    kind: int
    function: Any = None
    source: str = ""
    _loop: Any = field(default=None, compare=False, repr=False)

    def of(self, stats: WindowStats) -> float:
        """Return the fitness of one window's statistics.

        Raises
        ------
        FitnessError
            A user's function raises.
        """
        if self.function is None:
            return float(getattr(stats, self.name))
        return float(self.of_all(np.array([stats], np.float64))[0])

    def of_all(self, stats: FloatArray) -> FloatArray:
        """Return the fitness of many windows' statistics.

        Parameters
        ----------
        stats
            Fields of `WindowStats` along the last axis, shape (..., STATS), contiguous.

        Raises
        ------
        FitnessError
            A user's function raises.
        """
        if self.function is None:
            return np.ascontiguousarray(stats[..., WindowStats._fields.index(self.name)])
        rows = stats.reshape(-1, STATS)
        out = np.empty(len(rows))
        try:
            self._loop(rows, out)
        except Exception as error:
            raise self._raised(rows, error) from error
        return out.reshape(stats.shape[:-1])

    def _raised(self, rows: FloatArray, error: Exception) -> FitnessError:
        """Name the first window for which the function raises."""
        for row in rows.tolist():
            stats = WindowStats(*row)
            try:
                self.function(stats)
            except Exception as same:
                told = f"raised {type(same).__name__}: {same}; with {stats}"
                return FitnessError(_said(self.name, self.function, told))
        return FitnessError(_said(self.name, self.function, f"raised {error}"))


def find_fitness(wanted: str | Callable[..., Any]) -> Fitness:
    """Return a fitness.

    Parameters
    ----------
    wanted
        One of `FITNESSES`; ``path/to/file.py:name`` for a function of a user's file, where
        ``path/to/file.py`` is enough if it has one; or a function decorated with `fitness`.

    Raises
    ------
    ArgumentError
        There is none of that name or no such file, or the file cannot be run.
    FitnessError
        It is not decorated, cannot be compiled, raises on an ordinary window, or returns no
        number.
    """
    if not isinstance(wanted, str):
        name = getattr(wanted, "__name__", repr(wanted))
        return _own(name, wanted, _text_of(wanted))
    if wanted in FITNESSES:
        return Fitness(wanted, FITNESSES.index(wanted))
    path, name = split(wanted)
    if not path:
        raise ArgumentError(
            f"`fitness` must be one of {', '.join(FITNESSES)}, or path/to/file.py:name, "
            f"got {wanted!r}{did_you_mean(wanted, FITNESSES)}"
        )
    return _in_file(wanted, Path(path).expanduser(), name)


def _in_file(wanted: str, file: Path, name: str) -> Fitness:
    import hashlib

    if not file.is_file():
        raise ArgumentError(f"`fitness` {wanted!r}: there is no file {file.absolute()}")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ArgumentError(f"`fitness` {wanted!r}: cannot read {file}: {error}") from error
    held = _strategies_in(str(file.resolve()), content)
    meant = _chosen(file, name, held)
    return _own(f"{file}:{meant}", held[meant], hashlib.sha256(content).hexdigest())


def _chosen(file: Path, name: str, held: dict[str, Any]) -> str:
    """Return the name of the function that is meant."""
    own = [key for key, value in held.items() if isinstance(value, Dispatcher)]
    listed = ", ".join(own) or "none"
    if name in held:
        return name
    if not name and len(own) == 1:
        return own[0]
    if not name:
        raise ArgumentError(
            f"`fitness`: {file} has {len(own) or 'no'} decorated functions ({listed}); name one, "
            f"such as {file}:{own[0] if own else 'name'}"
        )
    raise ArgumentError(
        f"`fitness`: {file} has no {name!r}{did_you_mean(name, own)} "
        f"(the file's decorated functions: {listed})"
    )


def _own(name: str, function: Any, source: str) -> Fitness:
    """Return a user's fitness, compiled and tried."""
    if not isinstance(function, Dispatcher):
        kind = "function" if callable(function) else type(function).__name__
        raise FitnessError(
            f"fitness `{name}` is a {kind} that is not decorated; {_HINT}"
            if callable(function)
            else f"fitness `{name}` is {kind} {function!r}, no function"
        )
    _require_one_argument(name, function)
    _require_number(name, function)
    made = Fitness(name, -1, function, source, _loop_of(function))
    made.of(_TRIAL)
    return made


def _require_one_argument(name: str, function: Any) -> None:
    taken = inspect.signature(function.py_func).parameters
    if len(taken) != 1:
        raise FitnessError(
            _said(name, function, f"must take the window's statistics alone, takes {len(taken)}")
        )


def _require_number(name: str, function: Any) -> None:
    """Compile a function and raise unless it returns a number."""
    given: Any = types.NamedUniTuple(types.float64, STATS, WindowStats)  # type: ignore[no-untyped-call]
    try:
        function.compile((given,))
    except (NumbaError, UnsupportedBytecodeError) as error:
        part = _Part("fitness", function, (), np.float64)
        why = _plain(error, part).replace(
            f"WindowStats(float64 x {STATS})", f"stats, which has {', '.join(WindowStats._fields)}"
        )
        raise FitnessError(_said(name, function, f"cannot be compiled: {why}")) from error
    returned = function.overloads[(given,)].signature.return_type
    if not isinstance(returned, types.Integer | types.Float):
        raise FitnessError(
            _said(name, function, f"must return a number for every window, {_told(returned)}")
        )


def _told(returned: Any) -> str:
    """Return what a function returns instead, in words of the language and not the compiler's."""
    kinds = {
        types.Boolean: "returns true or false",
        types.NoneType: "returns nothing (None)",
        types.Optional: "returns nothing (None) for some",
        types.BaseTuple: "returns several values",
        types.UnicodeType: "returns a text",
        types.StringLiteral: "returns a text",
    }
    return next((text for kind, text in kinds.items() if isinstance(returned, kind)),
                f"returns {returned}")  # fmt: skip


def _loop_of(function: Any) -> Any:
    """Compile a loop that calls a function for many windows."""

    @numba.njit(nogil=True, error_model="numpy")
    def loop(stats: Any, out: Any) -> None:
        for n in range(stats.shape[0]):
            s = stats[n]
            out[n] = function(
                WindowStats(
                    s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10], s[11]
                )
            )

    return loop


def _text_of(function: Any) -> str:
    """Return what tells a function from others: its text, where there is one."""
    plain = getattr(function, "py_func", function)
    try:
        return inspect.getsource(plain)
    except (OSError, TypeError):
        code = getattr(plain, "__code__", None)
        return repr(plain) if code is None else code.co_code.hex() + repr(code.co_consts)


def _said(name: str, function: Any, what: str) -> str:
    code = function.py_func.__code__
    return f"fitness `{name}` ({code.co_filename}:{code.co_firstlineno}) {what}"
