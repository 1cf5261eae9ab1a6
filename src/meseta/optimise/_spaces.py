"""Search spaces of the registry's strategies: of their grids, and of a user's own ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.bayes import About, Dimension, Limits, Space, load_space
from meseta.bayes._space_file import read_entries
from meseta.errors import ArgumentError
from meseta.strategies import grid_names, load_grid
from meseta.strategies._constraints import components, read_constraints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meseta.bayes import Params
    from meseta.strategies import Grid, Strategy
    from meseta.strategies._constraints import Component

__all__ = ["AllowedValue", "space_of", "space_of_grid"]

_Values = tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True)
class AllowedValue:
    """A grid's parameter that constraints tie to others: one of the values that they leave.

    A share is a place in the list of those values of the parameter that, with what is chosen
    before it, some combination of the grid has. So every draw is a combination that meets the
    constraints, none is drawn again, and a share keeps its meaning: small is small.

    Parameters
    ----------
    name, ratio
        Of the parameter, and of the dimension that is drawn for it.
    values
        Names and values of all parameters that are tied together, in the grid's order.
    constraints
        What ties them.
    """

    name: str
    ratio: str
    values: _Values
    constraints: tuple[str, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """The tied parameters before it."""
        names = [name for name, _ in self.values]
        return tuple(names[: names.index(self.name)])

    @property
    def range(self) -> str:
        """The values in words."""
        listed = Dimension.of_choices(self.name, dict(self.values)[self.name]).range
        return f"{listed} with {' and '.join(f'`{text}`' for text in self.constraints)}"

    def value(self, share: float, params: Params) -> int | float:
        """Return the value at a share of those that `params` leave."""
        left = self._left(params)
        return left[min(max(int(share * len(left)), 0), len(left) - 1)]

    def share(self, value: float, params: Params) -> float:
        """Return a share for the value nearest to `value` of those that `params` leave."""
        left = self._left(params)
        away = [abs(each - value) for each in left]
        return (away.index(min(away)) + 0.5) / len(left)

    def _left(self, params: Params) -> list[float]:
        """Return the values with which some allowed combination begins as `params` do."""
        cells = _cells(self.values, self.constraints)
        place, begin = len(self.reads), 0
        for name, values in self.values[:place]:
            begin = begin * len(values) + values.index(params[name])
        own = self.values[place][1]
        below = math.prod(len(values) for _, values in self.values[place + 1 :])
        edges = (begin * len(own) + np.arange(len(own) + 1, dtype=np.int64)) * below
        counts = np.diff(np.searchsorted(cells, edges))
        return [value for value, count in zip(own, counts.tolist(), strict=True) if count]


@lru_cache(maxsize=16)
def _cells(values: _Values, constraints: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the numbers of the allowed combinations of tied parameters, increasing."""
    return _component(values, constraints).cells().astype(np.int64)


def _component(values: _Values, constraints: tuple[str, ...]) -> Component:
    read = read_constraints(constraints, [name for name, _ in values])
    return components(read, dict(values))[0]


def space_of_grid(grid: Grid, strategy: Strategy | None = None) -> Space:
    """Return the space of a grid's combinations.

    The sampler draws places in the lists of values, so that neighbours in a list are neighbours
    to it, however far apart they are. A parameter that constraints tie to others is drawn from
    the values that they leave (see `AllowedValue`).

    Parameters
    ----------
    grid
        The grid, of any size.
    strategy
        Tells which parameters are names of methods without an order, and what they mean; None
        takes all for ordered.

    Raises
    ------
    ArgumentError
        The grid has one combination, which leaves nothing to search.
    """
    known = {each.name: each for each in strategy.parameters} if strategy else {}
    tied = [each for part in grid.components for each in _tied(part)]
    names = {each.name for each in tied}
    free = [
        Dimension.of_choices(
            name, values, ordered=name not in known or known[name].kind != "choice"
        )
        for name, values in grid.values.items()
        if name not in names and len(values) > 1
    ]
    ratios = [Dimension(each.ratio, 0, 1) for each in tied]
    fixed = {n: v[0] for n, v in grid.values.items() if n not in names and len(v) == 1}
    return Space(grid.name, (*free, *ratios), tuple(tied), fixed, grid.names, _about(strategy))


def _tied(part: Component) -> list[AllowedValue]:
    values = tuple(part.values.items())
    texts = tuple(constraint.text for constraint in part.constraints)
    return [AllowedValue(name, f"{name}_share", values, texts) for name, _ in values]


def space_of(strategy: Strategy, source: str | Path | Mapping[str, Any]) -> Space:
    """Return a strategy's search space.

    Parameters
    ----------
    strategy
        The strategy.
    source
        Name of one of its grids; or a mapping, or the path of a YAML file, either of a grid (as
        `meseta.strategies.load_grid` takes it) or of a space: one in which an entry is
        ``{low: 5, high: 25}``, with ``step`` or ``log: true`` where wanted.

    Raises
    ------
    ArgumentError
        There is no such grid or file, or an entry breaks its parameter's rule or another's.
    """
    named = isinstance(source, str) and source in grid_names(strategy.parameters)
    if not named and (isinstance(source, Mapping) or Path(source).is_file()):
        _, entries = read_entries(source)
        if any(isinstance(entry, Mapping) and "low" in entry for entry in entries.values()):
            limits = {
                each.name: Limits(each.low, each.high, each.whole, each.kind != "choice")
                for each in strategy.parameters
            }
            if "constraints" in entries:
                raise ArgumentError(
                    "`constraints` tie the values of a grid, and this is a space of ranges; list "
                    "the parameters' values, or give {min, max, step} instead of {low, high}"
                )
            return load_space(source, limits, about=_about(strategy))
    return space_of_grid(load_grid(source, strategy.parameters), strategy)


def _about(strategy: Strategy | None) -> dict[str, About]:
    parameters = strategy.parameters if strategy else ()
    return {each.name: About(meaning=each.doc) for each in parameters}
