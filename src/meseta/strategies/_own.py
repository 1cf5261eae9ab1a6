"""Strategies that users write: rules for buying, given as small compiled functions over arrays.

A rule sees the whole series and returns one value a bar. For shorts the same rules are called
with the market turned upside down, and what they return is turned back, so both directions are
one piece of text.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError, UnsupportedBytecodeError

from meseta._near import did_you_mean
from meseta.errors import ArgumentError
from meseta.strategies._rules import FLAT, LONG, SHORT, Orders, Protection
from meseta.strategies._separable import SeparableStrategy, Study

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meseta._types import BoolArray, FloatArray
    from meseta.bars import Bars
    from meseta.strategies._parameters import Parameter

__all__ = [
    "Market",
    "RuleStrategy",
    "StrategyError",
    "check_name",
    "markets_of",
    "part_of",
    "rule",
]

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")
# Rules whose values a study keeps: a search asks for the same ones again.
_KEPT = 64
# Parts of a compiler's message that speak of the compiler.
_INTERNAL = re.compile(
    r"Failed in nopython mode|During: |raised from |Overload |With argument|- Of "
)
_PLACE = re.compile(r'^File "(?P<file>.+)", line (?P<line>\d+):', re.MULTILINE)
_REJECTED = re.compile(r"^\s*Numba\w*Error: (?P<why>.+)$", re.MULTILINE)
_PACKAGE = Path(__file__).parents[1]
_COLUMN = re.compile(r"(readonly )?array\(float64, 1d, [CA]\)")


class StrategyError(ArgumentError):
    """A strategy that a user wrote breaks a rule (exit code 2).

    Parameters
    ----------
    text
        What is wrong.
    bar
        Bar that it is about; None for none.
    """

    def __init__(self, text: str, *, bar: int | None = None) -> None:
        super().__init__(text)
        self.bar = bar


class RuleCompileError(StrategyError):
    """A rule cannot be compiled, whatever it is called with."""


class Market(NamedTuple):
    """What a rule sees; each float64 of shape (N,), not to be written to.

    Parameters
    ----------
    open, high, low, close
        Prices. For shorts they are negated, and high and low exchanged: a percentage of the
        price is a percentage of ``np.abs(price)``.
    volume
        As in the data, never negated; NaN where they have none.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray


def rule(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a rule, or a helper that rules call, with Numba.

    Indexes are checked, nothing is reordered, and division by zero gives inf or NaN as in
    NumPy. Compiling happens at the first call.
    """
    how: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": True}
    return cast("Callable[P, R]", numba.njit(**how)(function))


class _Part(NamedTuple):
    """One rule of a strategy: what it is called with, and what it returns."""

    role: str
    run: Any
    reads: tuple[str, ...]
    result: type

    @property
    def name(self) -> str:
        return str(self.run.py_func.__name__)

    @property
    def place(self) -> str:
        code = self.run.py_func.__code__
        return f"{code.co_filename}:{code.co_firstlineno}"


class RuleStrategy(SeparableStrategy):
    """A strategy made of rules that are written for buying.

    Rules are functions decorated with `rule`. The first argument is the `Market`, the others
    are names of parameters; which parameter belongs to the entries and which to the exits
    follows from who reads it. A rule returns an array with one value for each bar, computed
    from bars up to that one.

    Parameters
    ----------
    name
        Letters, digits, ``_`` and ``-``, beginning with a letter; run folders are named after it.
    summary
        One line on what it does.
    parameters
        What it can be tuned with. Every one must be read by a rule.
    enter
        Returns float64: the price of the buy stop that works on the next bar only. NaN is no
        order, minus infinity a market order.
    stop
        Returns float64: candidate for the sell stop at each close. The order rests at the
        highest candidate since the close before the entry, so it only tightens. Bars before
        its first value cannot signal; NaN after it is an error; minus infinity never sells.
        None is a strategy without a stop.
    allow
        Returns bool: closes that may give an entry order. None allows all.
    leave
        Returns bool: closes after which a position is sold at the next open.
    shorts
        Whether it sells short too, by the same rules on the market turned upside down.
    reverses
        Whether the order of the other direction works while a position is open; filled, it
        closes the one and opens the other.
    look_back
        Bars, the last one included, that a value depends on: a number, or a function of the
        parameter values (a mapping) that returns it. None does not say.

    Raises
    ------
    StrategyError
        A rule or a parameter breaks one of these conditions; the message says which.

    Notes
    -----
    One entry order works on a bar. Where both directions would have one, it is the one nearer
    to the close, of two at the same distance the buy; a price that the market has passed is at
    no distance. Which one it is then depends on the entry's parameters alone, and entries and
    exits can be searched apart.
    """

    def __init__(
        self,
        *,
        name: str,
        parameters: Sequence[Parameter],
        enter: Callable[..., FloatArray],
        stop: Callable[..., FloatArray] | None = None,
        allow: Callable[..., BoolArray] | None = None,
        leave: Callable[..., BoolArray] | None = None,
        summary: str = "",
        shorts: bool = False,
        reverses: bool = False,
        look_back: int | Callable[[Mapping[str, float]], int] | None = None,
    ) -> None:
        self.name, self.summary = check_name(name), summary
        self.parameters, self.shorts, self.reverses = tuple(parameters), shorts, reverses
        self._look_back = look_back
        given = {"enter": enter, "allow": allow, "stop": stop, "leave": leave}
        self.parts = {
            role: part_of(name, role, function)
            for role, function in given.items()
            if function is not None or role == "enter"
        }
        self._require_ways_out()
        _require_parameters(name, self.parameters, list(self.parts.values()))
        self._sort_parameters()

    def _require_ways_out(self) -> None:
        if self.reverses and not self.shorts:
            raise StrategyError(f"strategy `{self.name}`: reverses=True needs shorts=True")
        if not (self.reverses or "stop" in self.parts or "leave" in self.parts):
            raise StrategyError(
                f"strategy `{self.name}` never ends a position; give it a `stop` or a `leave` rule"
            )

    def _sort_parameters(self) -> None:
        """Find which part each parameter belongs to."""
        read = {role: set(part.reads) for role, part in self.parts.items()}
        entry = read["enter"] | read.get("allow", set())
        shared = read.get("leave", set()) | (entry & read.get("stop", set()))
        names = [parameter.name for parameter in self.parameters]
        self.shared = tuple(name for name in names if name in shared)
        self.entry = tuple(name for name in names if name in entry - shared)
        self.stop = tuple(name for name in names if name in read.get("stop", set()) - shared)

    def study(self, bars: Bars) -> RuleStudy:
        """Return the strategy on a series."""
        self.require(bars)
        return RuleStudy(bars, self)

    def look_back(self, p: Mapping[str, float]) -> int | None:
        """Return the declared number of bars that a value depends on, or None."""
        if self._look_back is None or isinstance(self._look_back, int):
            return self._look_back
        try:
            return int(self._look_back(p))
        except Exception as error:
            raise StrategyError(
                f"strategy `{self.name}`: look_back raised {type(error).__name__}: {error}; it is "
                "called with a mapping of the parameter values"
            ) from error


class RuleStudy(Study):
    """A `RuleStrategy` on one series."""

    def __init__(self, bars: Bars, strategy: RuleStrategy) -> None:
        super().__init__(bars)
        self.strategy = strategy
        self.whole = {parameter.name for parameter in strategy.parameters if parameter.whole}
        self.markets = markets_of(bars)[: 2 if strategy.shorts else 1]
        self._kept: dict[tuple[object, ...], Any] = {}

    def orders(self, p: Mapping[str, float]) -> tuple[Orders, ...]:
        """Return the one kind of entry orders."""
        levels = [self._level(side, p) for side in range(len(self.markets))]
        buy = levels[0]
        sells = np.zeros(buy.size, np.bool_)
        if len(levels) > 1:
            away = [_away(*pair) for pair in zip(levels, self.markets, strict=True)]
            sells = away[1] < away[0]
        own = np.where(sells, levels[-1], buy)
        direction = np.select([np.isnan(own), sells], [FLAT, SHORT], LONG).astype(np.int8)
        level = np.where(sells, -own, own)
        return (Orders(direction, level, np.where(np.isinf(level), self.bars.close, level)),)

    def reverses(self, p: Mapping[str, float]) -> tuple[bool, bool]:
        """Tell whether positions are reversed by an opposite order."""
        _ = p
        return self.strategy.reverses, self.strategy.reverses

    def leaves(self, p: Mapping[str, float]) -> tuple[BoolArray, ...]:
        """Return the closes at which longs (and shorts) are left, or nothing."""
        if "leave" not in self.strategy.parts:
            return ()
        return tuple(self.values("leave", side, p) for side in range(len(self.markets)))

    def protections(self, p: Mapping[str, float]) -> tuple[Protection, ...]:
        """Return a resting stop order for each side."""
        none = np.zeros(len(self.bars))
        return tuple(
            Protection(stop if side == 0 else -stop, none, trailing=False)
            for side, stop in enumerate(self._stops(p))
        )

    def exit_first(self, p: Mapping[str, float]) -> int:
        """Return the first bar on which every side has a stop."""
        return max(_first(stop) for stop in self._stops(p))

    def _level(self, side: int, p: Mapping[str, float]) -> FloatArray:
        """Return the price of the order in the side's own prices; NaN is no order."""
        level = self.values("enter", side, p)
        if "allow" in self.strategy.parts:
            level = np.where(self.values("allow", side, p), level, np.nan)
        # No price reaches plus infinity.
        return np.where(level == np.inf, np.nan, level)

    def _stops(self, p: Mapping[str, float]) -> list[FloatArray]:
        if "stop" not in self.strategy.parts:
            return [np.full(len(self.bars), -np.inf)] * len(self.markets)
        stops: list[FloatArray] = [
            self.values("stop", side, p) for side in range(len(self.markets))
        ]
        for stop in stops:
            self._require_whole(stop, p)
        return stops

    def _require_whole(self, stop: FloatArray, p: Mapping[str, float]) -> None:
        """Raise where a stop is missing after its first value."""
        holes = np.flatnonzero(np.isnan(stop[_first(stop) :]))
        if holes.size:
            part, bar = self.strategy.parts["stop"], int(holes[0]) + _first(stop)
            raise self._error(
                part,
                f"gave NaN at bar {bar} after it had given a price{_with(part, p)}; a position "
                "needs a stop at every close: repeat the last one, or give -np.inf for none",
                bar,
            )

    def values(self, role: str, side: int, p: Mapping[str, float]) -> Any:
        """Return what a rule says, checked; shape (N,).

        Parameters
        ----------
        role
            ``"enter"``, ``"allow"``, ``"stop"`` or ``"leave"``.
        side
            0 for longs, 1 for shorts, in their own prices.
        p
            Parameter values.

        Raises
        ------
        StrategyError
            The rule cannot be compiled, raises, or returns something else.
        """
        part = self.strategy.parts[role]
        given = [int(p[n]) if n in self.whole else float(p[n]) for n in part.reads]
        key = (role, side, *given)
        found = self._kept.get(key)
        if found is None:
            found = self._run(part, side, given, p)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = found
        return found

    def _run(self, part: _Part, side: int, given: list[float], p: Mapping[str, float]) -> Any:
        try:
            made = part.run(self.markets[side], *given)
        except (NumbaError, UnsupportedBytecodeError) as error:
            what = f"cannot be compiled: {_plain(error, part)}"
            raise RuleCompileError(self._said(part, what)) from error
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise self._error(part, f"raised {said}{_with(part, p)}") from error
        count, kind = len(self.bars), part.result.__name__
        if not (isinstance(made, np.ndarray) and made.dtype == part.result) or made.shape != (
            count,
        ):
            raise self._error(
                part,
                f"must return {kind} values, one for each of the {count} bars, "
                f"got {_described(made)}",
            )
        return made

    def _error(self, part: _Part, what: str, bar: int | None = None) -> StrategyError:
        return StrategyError(self._said(part, what), bar=bar)

    def _said(self, part: _Part, what: str) -> str:
        return f"strategy `{self.strategy.name}`: rule `{part.name}` ({part.place}) {what}"


def check_name(name: object) -> str:
    """Return a strategy's name, or raise when no folder should be called that."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise StrategyError(
        "a strategy's `name` must be letters, digits, _ and -, begin with a letter and have at "
        f"most 60 of them, got {name!r}"
    )


def part_of(
    strategy: str, role: str, function: object, *, skip: int = 1, given: str = "the market"
) -> _Part:
    """Return a rule with the parameters that it reads, which come after `skip` arguments."""
    if not isinstance(function, Dispatcher):
        raise StrategyError(
            f"strategy `{strategy}`: `{role}` must be a function decorated with @rule, "
            f"got {getattr(function, '__name__', function)!r}"
        )
    read = list(inspect.signature(function.py_func).parameters.values())
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    part = _Part(role, function, tuple(p.name for p in read[skip:]),
                 np.bool_ if role in {"allow", "leave"} else np.float64)  # fmt: skip
    if len(read) < skip or any(p.kind != plain or p.default is not p.empty for p in read):
        raise StrategyError(
            f"strategy `{strategy}`: rule `{part.name}` ({part.place}) must take {given} and "
            "then parameters of the strategy by name, without defaults or asterisks"
        )
    return part


def _require_parameters(
    strategy: str, parameters: tuple[Parameter, ...], parts: list[_Part]
) -> None:
    """Raise unless parameters and the rules' arguments are the same names."""
    names = [parameter.name for parameter in parameters]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise StrategyError(f"strategy `{strategy}` has two parameters called `{twice[0]}`")
    if not names:
        raise StrategyError(f"strategy `{strategy}` needs at least one parameter, got none")
    for part in parts:
        for name in part.reads:
            if name not in names:
                raise StrategyError(
                    f"strategy `{strategy}`: rule `{part.name}` ({part.place}) reads `{name}`, "
                    f"which is no parameter{did_you_mean(name, names)} "
                    f"(parameters: {', '.join(names)})"
                )
    for name in names:
        if not any(name in part.reads for part in parts):
            raise StrategyError(
                f"strategy `{strategy}`: no rule reads parameter `{name}`; "
                "leave it out, or name it as an argument of a rule"
            )
    _require_grids(strategy, parameters)


def _require_grids(strategy: str, parameters: tuple[Parameter, ...]) -> None:
    """Raise when some parameters have values for a named grid and others have not."""
    for grid in dict.fromkeys(grid for parameter in parameters for grid in parameter.grids):
        missing = [each.name for each in parameters if grid not in each.grids]
        if missing:
            raise StrategyError(
                f"strategy `{strategy}`: grid `{grid}` has no values for "
                f"{', '.join(f'`{name}`' for name in missing)}; give every parameter some"
            )


def markets_of(bars: Bars) -> tuple[Market, Market]:
    """Return the market as longs see it, and upside down."""
    volume = np.full(len(bars), np.nan) if bars.volume is None else bars.volume
    long = (bars.open, bars.high, bars.low, bars.close, volume)
    short = (-bars.open, -bars.low, -bars.high, -bars.close, volume)
    return _frozen(long), _frozen(short)


def _frozen(columns: tuple[FloatArray, ...]) -> Market:
    """Return columns that cannot be written to, of one type for the compiler."""
    made = [np.array(column, np.float64) for column in columns]
    for column in made:
        column.setflags(write=False)
    return Market(*made)


def _away(level: FloatArray, market: Market) -> FloatArray:
    """Return how far the market must rise to an order; infinite for none."""
    return np.where(np.isnan(level), np.inf, np.maximum(level - market.close, 0.0))


def _first(stop: FloatArray) -> int:
    """Return the first bar with a value, or the number of bars."""
    defined = ~np.isnan(stop)
    return int(defined.argmax()) if defined.any() else stop.size


def _with(part: _Part, p: Mapping[str, float]) -> str:
    told = ", ".join(f"{name}={p[name]!r}" for name in part.reads)
    return f" with {told}" if told else ""


def _described(made: object) -> str:
    if isinstance(made, np.ndarray):
        return f"{made.dtype} values of shape {made.shape}"
    return "nothing (None)" if made is None else f"{type(made).__name__} {made!r}"


def _plain(error: Exception, part: _Part) -> str:
    """Return what a compiler error says about the user's text: the place, then the reason."""
    text = str(error)
    reason = _REJECTED.search(text)
    said = [line.strip() for line in text.split("\nFile ", maxsplit=1)[0].splitlines()]
    lines = [line for line in said if line and not _INTERNAL.match(line)]
    why = reason["why"] if reason else " ".join(lines[:3])
    why = _COLUMN.sub("array", why)
    why = re.sub(r"Market\(array x \d+\)", f"market, which has {', '.join(Market._fields)}", why)
    return f"{_where(error, part)}{why.removesuffix('. Raised from None').rstrip('.')}"


def _where(error: Exception, part: _Part) -> str:
    """Return the file and line that a compiler error is about."""
    found, loc = _PLACE.search(str(error)), getattr(error, "loc", None)
    if found is not None:
        file, line = found["file"], found["line"]
    elif loc is not None:
        file, line = loc.filename, loc.line
    else:
        return ""
    # Numba writes paths as seen from the working folder.
    path = Path(file).resolve()
    if path.is_relative_to(_PACKAGE):
        # Without a place of its own an error has that of the loop which calls the function.
        return ""
    return f"{path if path.is_file() else part.place.rpartition(':')[0]}:{line}: "
