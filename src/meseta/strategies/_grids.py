"""Grids: every combination of the values listed for each parameter, numbered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._near import did_you_mean
from meseta._yaml import read_yaml
from meseta.errors import ArgumentError
from meseta.strategies._constraints import components, read_constraints, texts_of
from meseta.strategies._parameters import decimal_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from meseta._types import BoolArray, IntArray
    from meseta.strategies._constraints import Component, Constraint
    from meseta.strategies._parameters import Parameter

__all__ = ["MAX_COMBINATIONS", "Grid", "grid_names", "load_grid"]

MAX_COMBINATIONS = 100_000_000

_ENTRY = (
    "a value, a list of values, {min, max, step}, {range: [low, high], step: s}, "
    "or {values: [...]}"
)
_CONSTRAINTS = "constraints"
_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Grid:
    """All combinations of some values for each parameter that meet the constraints.

    Combinations are numbered 0 to ``product - 1`` in C order: the last parameter changes fastest.
    The numbers are those of the grid without constraints, so a constraint renumbers nothing;
    `mask` says which numbers meet the constraints.

    Parameters
    ----------
    name
        Name for reports and manifests.
    values
        The values of each parameter, increasing, without repeats.
    constraints
        Conditions between parameters, for instance ``hma_fast_length < hma_slow_length``,
        ``atr_multiplier >= 2 * atr_buy_multiplier`` or
        ``8 <= atr_period <= 40 or scaling_method == 0``. Numbers are compared as the decimals
        that they are written as: with `a` 0.1 and `b` 0.2, ``a + b == 0.3`` holds.

    Raises
    ------
    ArgumentError
        There is no parameter; a parameter's values are missing, not finite or not increasing; a
        constraint cannot be read; parameters with more than 200 million combinations depend on
        each other; or no combination meets the constraints.
    """

    name: str
    values: Mapping[str, tuple[float, ...]]
    constraints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.values:
            raise ArgumentError(f"grid `{self.name}` must have at least one parameter, got none")
        for name, values in self.values.items():
            finite = all(math.isfinite(value) for value in values)
            if not values or not finite or list(values) != sorted(set(values)):
                raise ArgumentError(
                    f"grid `{self.name}`: the values of `{name}` must be finite and increasing, "
                    f"at least one, got {list(values)!r}"
                )
        object.__setattr__(self, "values", {k: tuple(v) for k, v in self.values.items()})
        read = read_constraints(texts_of(self.constraints), self.names)
        object.__setattr__(self, "constraints", tuple(constraint.text for constraint in read))
        _ = self.size  # refuses a grid that is empty or cannot be counted

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters, in order."""
        return tuple(self.values)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter."""
        return tuple(len(values) for values in self.values.values())

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """What one step of each parameter adds to a combination's number."""
        return tuple(math.prod(self.shape[i + 1 :]) for i in range(len(self.shape)))

    @cached_property
    def product(self) -> int:
        """Number of combinations without the constraints, exact however large."""
        return math.prod(self.shape)

    @cached_property
    def size(self) -> int:
        """Number of combinations that meet the constraints, exact however large."""
        free = math.prod(
            len(values) for name, values in self.values.items() if name not in self.constrained
        )
        return free * math.prod(component.count for component in self.components)

    @cached_property
    def constrained(self) -> tuple[str, ...]:
        """The parameters that occur in the constraints."""
        used = {name for constraint in self._conditions for name in constraint.names}
        return tuple(name for name in self.names if name in used)

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """The constrained parameters, those together that depend on each other."""
        return components(self._conditions, self.values)

    @cached_property
    def _conditions(self) -> tuple[Constraint, ...]:
        return read_constraints(self.constraints, self.names)

    @cached_property
    def searched(self) -> tuple[str, ...]:
        """The parameters that have more than one value."""
        return tuple(name for name, values in self.values.items() if len(values) > 1)

    def point(self, flat: int) -> dict[str, float]:
        """Return the combination with number `flat`.

        Raises
        ------
        ArgumentError
            `flat` lies outside 0 to ``product - 1``.
        """
        if not 0 <= flat < self.product:
            raise self._outside(flat)
        picked: list[float] = []
        rest = int(flat)
        for name in reversed(self.names):
            values = self.values[name]
            rest, index = divmod(rest, len(values))
            picked.append(values[index])
        return dict(zip(self.names, reversed(picked), strict=True))

    def flat_of(self, point: Mapping[str, float]) -> int:
        """Return the number of the combination `point`.

        Raises
        ------
        ArgumentError
            A parameter is missing or unknown, or a value is not one of the grid's.
        """
        _refuse_unknown(point, self.names, self.name)
        _refuse_missing(point, self.names, self.name)
        flat = 0
        for name, values in self.values.items():
            if point[name] not in values:
                raise ArgumentError(
                    f"`{name}` must be one of the values of grid `{self.name}` "
                    f"({_listed(values)}), got {point[name]!r}"
                )
            flat = flat * len(values) + values.index(point[name])
        return flat

    def indices(self, flats: IntArray) -> dict[str, IntArray]:
        """Return where on its axis each combination stands: grid steps from the first value.

        Parameters
        ----------
        flats
            Numbers of combinations, int64, shape (n,).

        Returns
        -------
        dict
            For each parameter an int64 array of shape (n,).

        Raises
        ------
        ArgumentError
            A number lies outside 0 to ``product - 1``.
        """
        rest = self._inside(flats)
        found: dict[str, IntArray] = {}
        for name in reversed(self.names):
            length = len(self.values[name])
            above = rest // length  # faster than divmod, which has no vector instructions
            rest, found[name] = above, rest - above * length
        return {name: found[name] for name in self.names}

    def columns(self, flats: IntArray) -> dict[str, NDArray[Any]]:
        """Return the parameters' values for many combinations at once.

        Parameters
        ----------
        flats
            Numbers of combinations, int64, shape (n,).

        Returns
        -------
        dict
            For each parameter an array of shape (n,): int64 if all its values are ints, else
            float64.

        Raises
        ------
        ArgumentError
            A number lies outside 0 to ``product - 1``.
        """
        return {
            name: _as_array(self.values[name])[index]
            for name, index in self.indices(flats).items()
        }

    def mask(self, flats: IntArray) -> BoolArray:
        """Return which combinations meet the constraints.

        Parameters
        ----------
        flats
            Numbers of combinations, int64, shape (n,).

        Returns
        -------
        ndarray of bool
            Shape (n,); all true for a grid without constraints.

        Raises
        ------
        ArgumentError
            A number lies outside 0 to ``product - 1``.
        """
        inside = self._inside(flats)
        met = np.ones(inside.shape, np.bool_)
        columns = {name: self._column(name, inside) for name in self.constrained}
        for constraint in self._conditions:
            met &= constraint.holds(columns)
        return met

    def require_at_most(self, limit: int = MAX_COMBINATIONS) -> None:
        """Refuse a grid that is larger than `limit`.

        Raises
        ------
        ArgumentError
            The grid has more combinations; the message says how many and what can be done.
        """
        if self.size <= limit:
            return
        longest = sorted(self.searched, key=lambda name: -len(self.values[name]))[:3]
        axes = ", ".join(f"{name} ({len(self.values[name])})" for name in longest)
        raise ArgumentError(
            f"grid `{self.name}` has {self.size:,} combinations, "
            f"more than --max-combinations {limit:,}; search a sample of them (--sample N), "
            f"raise --max-combinations, or list fewer values (most values: {axes})"
        )

    def _column(self, name: str, inside: IntArray) -> NDArray[Any]:
        """Return one parameter's values."""
        place = self.names.index(name)
        stride, length = self.strides[place], self.shape[place]
        if stride > _LARGEST:  # no number in an int64 array reaches the second value
            return np.full(inside.shape, self.values[name][0])
        above = inside // stride
        column: NDArray[Any] = _as_array(self.values[name])[above - above // length * length]
        return column

    def _inside(self, flats: IntArray) -> IntArray:
        """Return `flats` as int64 when all are combinations of the grid."""
        found = np.asarray(flats, dtype=np.int64)
        if found.size and (found.min() < 0 or int(found.max()) >= self.product):
            raise self._outside(int(found.min() if found.min() < 0 else found.max()))
        return found

    def _outside(self, flat: int) -> ArgumentError:
        return ArgumentError(
            f"a combination of grid `{self.name}` is a number from 0 to {self.product - 1}, "
            f"got {flat}"
        )


def grid_names(parameters: Sequence[Parameter]) -> tuple[str, ...]:
    """Return the names of the grids that every one of `parameters` has values for."""
    first = parameters[0].grids if parameters else {}
    return tuple(name for name in first if all(name in p.grids for p in parameters))


def load_grid(
    spec: str | Path | Mapping[str, object],
    strategy_parameters: Sequence[Parameter],
    *,
    name: str | None = None,
) -> Grid:
    """Return a strategy's named grid, or the grid that a YAML file or a mapping describes.

    Every parameter of the strategy needs an entry: a single value, a list of values,
    ``{min, max, step}``, ``{range: [min, max], step: s}``, or ``{values: [...]}``. The values are
    decimal numbers, never running float sums, and are put in increasing order; a range ends at
    the last step that does not pass its maximum. The key ``constraints`` takes one constraint or
    a list of them (see `Grid`).

    Parameters
    ----------
    spec
        Name of a grid (`grid_names`), path of a YAML file, or a mapping.
    strategy_parameters
        The strategy's parameters; the grid has their order.
    name
        Name for the grid; else the named grid's, the file's without suffix, or ``"custom"``.

    Raises
    ------
    ArgumentError
        There is no such grid or file, the file is no YAML mapping, a parameter is missing or
        unknown, a value breaks its parameter's rule, or a constraint cannot be read or met.
    """
    known = grid_names(strategy_parameters)
    if isinstance(spec, str) and spec in known:
        return Grid(name or spec, {p.name: p.grids[spec] for p in strategy_parameters})
    if isinstance(spec, str | Path):
        path = Path(spec)
        return _build(name or path.stem, _read(path, known), strategy_parameters)
    return _build(name or "custom", spec, strategy_parameters)


def _build(name: str, entries: Mapping[str, object], parameters: Sequence[Parameter]) -> Grid:
    names = tuple(p.name for p in parameters)
    given = {key: entry for key, entry in entries.items() if key != _CONSTRAINTS}
    _refuse_unknown(given, names, name, keys=(_CONSTRAINTS,))
    _refuse_missing(given, names, name)
    values = {p.name: p.check_all(_expand(p, given[p.name])) for p in parameters}
    return Grid(name, values, texts_of(entries.get(_CONSTRAINTS, ())))


def _expand(parameter: Parameter, entry: object) -> Iterable[object]:
    """Return the values that one entry stands for, not yet checked."""
    if isinstance(entry, list | tuple):
        return entry
    if not isinstance(entry, dict):
        return (entry,)
    match entry:
        case {"values": list() | tuple() as values} if len(entry) == 1:
            return values
        case {"min": low, "max": high, "step": step} if len(entry) == 3:
            return _stepped(parameter, {"min": low, "max": high, "step": step})
        case {"range": [low, high], "step": step} if len(entry) == 2:
            return _stepped(parameter, {"min": low, "max": high, "step": step})
    raise ArgumentError(f"`{parameter.name}` must be {_ENTRY}, got {entry!r}")


def _stepped(parameter: Parameter, bounds: dict[str, Any]) -> tuple[float, ...]:
    for key, number in bounds.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ArgumentError(f"`{parameter.name}`: {key} must be a number, got {number!r}")
    try:
        return decimal_range(bounds["min"], bounds["max"], bounds["step"])
    except ArgumentError as error:
        raise ArgumentError(f"`{parameter.name}`: {error}") from error


def _read(path: Path, known: Sequence[str]) -> Mapping[str, object]:
    """Return the mapping in a YAML file."""
    if not path.is_file():
        hint = did_you_mean(str(path), known)
        listed = ", ".join(known) or "none"
        raise ArgumentError(
            f"--grid must be a named grid ({listed}) or a YAML file, got {str(path)!r}{hint}"
        )
    entries = read_yaml(path, "grid")
    if not isinstance(entries, dict):
        raise ArgumentError(
            f"the grid file {path} must map each parameter to {_ENTRY}, got {entries!r}"
        )
    return entries


def _refuse_unknown(
    entries: Iterable[object], names: Sequence[str], grid: str, keys: tuple[str, ...] = ()
) -> None:
    unknown = [entry for entry in entries if entry not in names]
    if unknown:
        hint = did_you_mean(str(unknown[0]), (*names, *keys))
        raise ArgumentError(
            f"grid `{grid}`: the strategy has no parameter {unknown[0]!r}{hint} "
            f"(it has {', '.join(names)})"
        )


def _refuse_missing(entries: Mapping[str, object], names: Sequence[str], grid: str) -> None:
    missing = [name for name in names if name not in entries]
    if missing:
        raise ArgumentError(
            f"grid `{grid}` must give a value for every parameter of the strategy, "
            f"missing: {', '.join(missing)}"
        )


def _as_array(values: tuple[float, ...]) -> NDArray[Any]:
    whole = all(isinstance(value, int) for value in values)
    return np.array(values, dtype=np.int64 if whole else np.float64)


def _listed(values: Sequence[float]) -> str:
    shown = ", ".join(str(value) for value in values[:12])
    return shown if len(values) <= 12 else f"{shown}, ... {values[-1]}"
