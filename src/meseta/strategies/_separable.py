"""Separable strategies: entries and exits that do not know of each other.

Where the next entry is depends on entry parameters and the bar one is flat on, where a position
ends on exit parameters and the bar it was entered on. A strategy says which of its parameters
belong where, and gives, for one choice of each, orders, protections and tightening; every engine
is built on these answers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meseta._near import did_you_mean
from meseta.errors import ArgumentError
from meseta.strategies._rules import Rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta._types import BoolArray, FloatArray
    from meseta.bars import Bars
    from meseta.strategies._parameters import Parameter
    from meseta.strategies._rules import Orders, Protection

__all__ = ["BaseStrategy", "Factor", "SeparableStrategy", "Study", "Values"]

Values = dict[str, float]


class Factor(NamedTuple):
    """One tightening series, described: `tightening(widths[width], ratio, scaling, floor)`.

    `width` names the series of band widths (`Study.width`); equal descriptions are one series.
    """

    width: tuple[int, ...]
    ratio: float
    scaling: int
    floor: float


class Study(ABC):
    """A strategy on one series, with indicators computed once.

    Every method takes parameter values by name and reads only those of its own part: `orders`
    the shared and the entry parameters, `leaves` and `clears` the shared ones, `protections` the
    shared and the stop parameters, `factor` the tightening parameters.
    """

    def __init__(self, bars: Bars) -> None:
        self.bars = bars

    @abstractmethod
    def orders(self, p: Mapping[str, float]) -> tuple[Orders, ...]:
        """Return entry orders, as `Rules.orders`."""

    @abstractmethod
    def protections(self, p: Mapping[str, float]) -> tuple[Protection, ...]:
        """Return what protects longs and, for a strategy with shorts, shorts."""

    def reverses(self, p: Mapping[str, float]) -> tuple[bool, bool]:
        """Tell whether longs and shorts are reversed by an opposite order (entry parameters)."""
        _ = p
        return False, False

    def leaves(self, p: Mapping[str, float]) -> tuple[BoolArray, ...]:
        """Return the closes at which longs (and shorts) are left, or nothing."""
        _ = p
        return ()

    def clears(self, p: Mapping[str, float]) -> BoolArray:
        """Return the closes at which "stopped out" is forgotten."""
        _ = p
        return np.zeros(len(self.bars), np.bool_)

    def factor(self, p: Mapping[str, float]) -> Factor:
        """Return the tightening; by default none."""
        _ = p
        return Factor((), 1.0, 0, 1.0)

    def width(self, which: tuple[int, ...]) -> FloatArray:
        """Return the series of band widths that `Factor.width` names; infinite never tightens."""
        _ = which
        return np.full(len(self.bars), np.inf)

    def entry_first(self, p: Mapping[str, float]) -> int:
        """Return the first bar on which the entry's indicators are defined (shared and entry)."""
        _ = p
        return 0

    def exit_first(self, p: Mapping[str, float]) -> int:
        """Return the same for the stop parameters."""
        _ = p
        return 0

    def factor_first(self, p: Mapping[str, float]) -> int:
        """Return the same for the tightening parameters."""
        _ = p
        return 0


class BaseStrategy:
    """What every strategy has: a name, parameters, and what it needs.

    `source` is the SHA-256 of the file that a user's strategy came from, empty for the product's
    own.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    tradestation_name: str = ""
    source: str = ""
    shorts: bool = False
    second: bool = False
    expands: tuple[str, ...] = ()

    def check(self, bars: Bars, values: Mapping[str, Any]) -> Values:
        """Return complete, legal parameter values, or raise naming what is wrong."""
        self.require(bars)
        known = {parameter.name: parameter for parameter in self.parameters}
        unknown = sorted(set(values) - set(known))
        missing = [name for name in known if name not in values]
        if unknown or missing:
            hint = did_you_mean(unknown[0], known) if unknown else ""
            raise ArgumentError(
                f"`{self.name}` takes {', '.join(known)}; unknown: "
                f"{', '.join(unknown) or 'none'}, missing: {', '.join(missing) or 'none'}{hint}"
            )
        return {name: parameter.check(values[name]) for name, parameter in known.items()}

    def require(self, bars: Bars) -> None:
        """Raise when the strategy cannot be run on a series."""
        if self.second and bars.second is None:
            raise ArgumentError(
                f"`{self.name}` measures on a second symbol; give it with --bars2, such as "
                "--bars TQQQ.csv --bars2 QQQ.csv"
            )


class SeparableStrategy(BaseStrategy, ABC):
    """A strategy whose entries and exits are searched apart.

    A parameter belongs to one part: `shared` (entries and exits both depend on it), `entry`,
    `stop` (the protection's distance), `factor` (the tightening). What is in none of them
    changes nothing.
    """

    turns: bool = False
    shared: tuple[str, ...] = ()
    entry: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    factor: tuple[str, ...] = ()

    @abstractmethod
    def study(self, bars: Bars) -> Study:
        """Return the strategy on a series.

        Raises
        ------
        ArgumentError
            The strategy cannot be run on it.
        """

    def look_back(self, p: Mapping[str, float]) -> int | None:
        """Return how many bars, the last one included, a decision depends on.

        Parameters
        ----------
        p
            A value for each of `parameters`.

        Returns
        -------
        int or None
            Dropping all earlier bars moves no level by more than 1e-9 of itself; None does not
            say.
        """
        _ = p
        return None

    @property
    def inert(self) -> tuple[str, ...]:
        """Parameters that change nothing."""
        used = {*self.shared, *self.entry, *self.stop, *self.factor}
        return tuple(each.name for each in self.parameters if each.name not in used)

    def rules(self, bars: Bars, values: Mapping[str, Any], warmup: int) -> Rules:
        """Return the decisions of one parameter set.

        Parameters
        ----------
        bars
            Whole series.
        values
            A value for each of `parameters`.
        warmup
            Bars from the start of the data without a signal.

        Raises
        ------
        ArgumentError
            A value is missing, unknown or illegal, or the series cannot be used.
        """
        from meseta.strategies._indicators import tightening

        p = self.check(bars, values)
        study = self.study(bars)
        width, ratio, scaling, floor = study.factor(p)
        protections = study.protections(p)
        reverses, leaves = study.reverses(p), study.leaves(p)
        firsts = (study.entry_first(p), study.exit_first(p), study.factor_first(p))
        return Rules(
            orders=study.orders(p),
            clears=study.clears(p),
            long=protections[0],
            short=protections[1] if self.shorts else None,
            tightening=tightening(study.width(width), ratio, scaling, floor),
            leave_long=leaves[0] if leaves else None,
            leave_short=leaves[1] if len(leaves) > 1 else None,
            turns=self.turns,
            reverses_long=reverses[0],
            reverses_short=reverses[1],
            first=max(warmup, *firsts),
        )
