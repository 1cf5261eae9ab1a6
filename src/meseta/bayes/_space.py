"""What a study draws, and the parameters that a draw stands for.

A sampler draws independent numbers: free parameters, positions in lists, and shares between 0
and 1 for parameters whose range depends on others. `Space.params` turns a draw into what is run
and `Space.drawn` turns it back; neither changes what the sampler is told it drew, so that a study
records what was run.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from meseta._near import did_you_mean
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meseta.bayes._problem import Params

__all__ = [
    "About",
    "AtLeast",
    "AtMost",
    "AtMostMax",
    "Bound",
    "Dependent",
    "Derived",
    "Dimension",
    "Space",
]

# Significant digits of a number without a step. A share that is turned into a number and back
# is off by a few units in the sixteenth digit, which rounding to these removes.
_DIGITS = 8


class About(NamedTuple):
    """What a parameter is, for tables: its group, unit and meaning."""

    group: str = ""
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Numbers from `low` to `high`: in steps from `low`, or any, evenly or by ratio."""

    low: float
    high: float
    step: float | None
    log: bool
    integer: bool

    def require(self, name: str) -> None:
        """Raise where no number could be drawn, or the last step misses `high`."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ArgumentError(
                f"`{name}`: low and high must be finite, and low at most high, got {self.low!r} "
                f"and {self.high!r}"
            )
        if self.log and (self.low <= 0 or self.step is not None):
            raise ArgumentError(
                f"`{name}`: log needs a positive low and no step, got low {self.low!r} and step "
                f"{self.step!r}"
            )
        if self.integer and any(v is not None and v % 1 for v in (self.low, self.high, self.step)):
            raise ArgumentError(
                f"`{name}` is a whole number: low, high and step must be whole too, got "
                f"{self.low!r}, {self.high!r} and {self.step!r}"
            )
        if self.step is not None:
            self._require_step(name, self.step)

    def _require_step(self, name: str, step: float) -> None:
        if not 0 < step < math.inf:
            raise ArgumentError(f"`{name}`: step must be positive, got {step!r}")
        left = (_exact(self.high) - _exact(self.low)) % _exact(step)
        if left:
            raise ArgumentError(
                f"`{name}`: a whole number of steps must lead from low to high, got {self.low!r}, "
                f"{self.high!r} and step {step!r}; end at {float(_exact(self.high) - left):g}"
            )

    @property
    def stride(self) -> float | None:
        """Distance between neighbours; None where there is none that is the same for all."""
        return 1 if self.step is None and self.integer and not self.log else self.step

    def nearest(self, value: float) -> int | float:
        """Return the number of the scale nearest to `value`."""
        inside = min(max(value, self.low), self.high)
        if self.stride is not None:
            return self._stepped(round((inside - self.low) / self.stride))
        return round(inside) if self.integer else self._rounded(inside, self.low, self.high)

    def at(self, share: float, low: float, high: float) -> int | float:
        """Return the number at a share of the way from `low` to `high`."""
        if self.stride is not None:
            first, last = self._steps(low, high)
            return self._stepped(first + min(int(share * (last - first + 1)), last - first))
        if self.integer:
            low, high = max(math.ceil(low), 1) - 0.5, math.floor(high) + 0.5
        exact = low * (high / low) ** share if self.log else low + (high - low) * share
        if self.integer:
            return min(max(round(exact), round(low + 0.5)), round(high - 0.5))
        return self._rounded(exact, low, high)

    def share(self, value: float, low: float, high: float) -> float:
        """Return a share at which `at` gives the number nearest to `value`."""
        if self.stride is not None:
            first, last = self._steps(low, high)
            step = min(max(round((value - self.low) / self.stride), first), last)
            return (step - first + 0.5) / (last - first + 1)
        if self.integer:
            low, high = max(math.ceil(low), 1) - 0.5, math.floor(high) + 0.5
        inside = min(max(value, low), high)
        if high <= low:
            return 0.5
        if self.log:
            return min(max(math.log(inside / low) / math.log(high / low), 0.0), 1.0)
        return (inside - low) / (high - low)

    def holds(self, low: float, high: float) -> bool:
        """Tell whether a number of the scale lies from `low` to `high`."""
        if self.stride is not None:
            first, last = self._steps(low, high)
            return first <= last
        return math.ceil(low) <= math.floor(high) if self.integer else low <= high

    def _steps(self, low: float, high: float) -> tuple[int, int]:
        """Return the first and the last step from `low` to `high`."""
        assert self.stride is not None  # callers asked
        start, stride = _exact(self.low), _exact(self.stride)
        first = math.ceil((_exact(low) - start) / stride)
        return first, math.floor((_exact(high) - start) / stride)

    def _stepped(self, steps: int) -> int | float:
        assert self.stride is not None
        value = _exact(self.low) + steps * _exact(self.stride)
        return int(value) if self.integer else float(value)

    def _rounded(self, value: float, low: float, high: float) -> float:
        return min(max(float(f"{value:.{_DIGITS}g}"), low), high)

    def said(self, low: str, high: str) -> str:
        """Return the range in words."""
        step = f" in steps of {self.step:g}" if self.step not in {None, 1} else ""
        return f"{low} to {high}{step}{' (log)' if self.log else ''}"


@dataclass(frozen=True, slots=True)
class Dimension:
    """A number that the sampler draws.

    Parameters
    ----------
    name
        Of the parameter, or of the share of one that depends on others.
    low, high
        Both included.
    step
        Distance between neighbouring values; it must lead from `low` to `high`. None is 1 for
        whole numbers and no step for others, which have eight significant digits.
    log
        Whether ratios are drawn evenly, not differences.
    integer
        Whether values are whole numbers.
    choices
        Values instead of a range: what is drawn is the position in this list, so that `low` and
        `high` are positions, and neighbours in the list are neighbours to the sampler.
    ordered
        False where `choices` are names of which none is nearer to another.

    Raises
    ------
    ArgumentError
        The bounds contradict each other, or the step does not lead from one to the other.
    """

    name: str
    low: float
    high: float
    step: float | None = None
    log: bool = False
    integer: bool = False
    choices: tuple[float, ...] | None = None
    ordered: bool = True

    def __post_init__(self) -> None:
        if self.choices is None:
            self._scale.require(self.name)
        elif not self.choices or (self.low, self.high) != (0, len(self.choices) - 1):
            raise ArgumentError(
                f"`{self.name}` must have at least one choice, and positions of them as low and "
                f"high, got {self.choices!r}, {self.low!r} and {self.high!r}"
            )

    @classmethod
    def of_choices(cls, name: str, choices: Iterable[float], *, ordered: bool = True) -> Dimension:
        """Return the dimension of a list of values."""
        values = tuple(choices)
        return cls(name, 0, len(values) - 1, integer=True, choices=values, ordered=ordered)

    @property
    def extremes(self) -> tuple[int | float, int | float]:
        """The smallest and the largest value."""
        if self.choices is not None:
            return min(self.choices), max(self.choices)
        return self._scale.nearest(self.low), self._scale.nearest(self.high)

    def value(self, drawn: float) -> int | float:
        """Return the value that a drawn number stands for."""
        if self.choices is not None:
            return self.choices[round(min(max(drawn, self.low), self.high))]
        return self._scale.nearest(drawn)

    def drawn(self, value: float) -> int | float:
        """Return a drawn number that stands for the value nearest to `value`."""
        if self.choices is None:
            return self._scale.nearest(value)
        away = [abs(choice - value) for choice in self.choices]
        return away.index(min(away))

    def distribution(self) -> Any:
        """Return what Optuna calls it."""
        from optuna import distributions

        if not self.ordered:
            return distributions.CategoricalDistribution(range(len(self.choices or ())))
        if self.integer:
            step = 1 if self.step is None else int(self.step)
            return distributions.IntDistribution(int(self.low), int(self.high), self.log, step)
        return distributions.FloatDistribution(self.low, self.high, self.log, self.step)

    @property
    def range(self) -> str:
        """The values in words."""
        if self.choices is None:
            return self._scale.said(f"{self.low:g}", f"{self.high:g}")
        listed = [f"{value:g}" for value in self.choices]
        if len(listed) > 6:
            return f"{listed[0]}, {listed[1]}, ... {listed[-1]} ({len(listed)} values)"
        return ", ".join(listed)

    @property
    def _scale(self) -> _Scale:
        return _Scale(self.low, self.high, self.step, self.log, self.integer)


class Bound(Protocol):
    """How a parameter's range depends on parameters that come before it.

    A frozen dataclass, so that equal bounds have one fingerprint and worker processes can have
    them. It must not leave any range between what it makes of the extremes of what it reads.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        """The parameters that it depends on."""
        ...

    def __call__(self, params: Params, low: float, high: float) -> tuple[float, float]:
        """Return the range that is left of `low` to `high`."""
        ...

    def said(self, low: str, high: str) -> tuple[str, str]:
        """Return both ends in words."""
        ...


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Not below another parameter times `times` plus `plus`."""

    name: str
    times: float = 1
    plus: float = 0

    @property
    def reads(self) -> tuple[str, ...]:
        """The other parameter."""
        return (self.name,)

    def __call__(self, params: Params, low: float, high: float) -> tuple[float, float]:
        """Raise `low`."""
        return max(low, self.times * params[self.name] + self.plus), high

    def said(self, low: str, high: str) -> tuple[str, str]:
        """Return both ends in words."""
        return f"max({low}, {_linear(self.name, self.times, self.plus)})", high


@dataclass(frozen=True, slots=True)
class AtMost:
    """Not above another parameter times `times` plus `plus`."""

    name: str
    times: float = 1
    plus: float = 0

    @property
    def reads(self) -> tuple[str, ...]:
        """The other parameter."""
        return (self.name,)

    def __call__(self, params: Params, low: float, high: float) -> tuple[float, float]:
        """Lower `high`."""
        return low, min(high, self.times * params[self.name] + self.plus)

    def said(self, low: str, high: str) -> tuple[str, str]:
        """Return both ends in words."""
        return low, f"min({high}, {_linear(self.name, self.times, self.plus)})"


@dataclass(frozen=True, slots=True)
class AtMostMax:
    """Not above the largest of some other parameters."""

    names: tuple[str, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """The other parameters."""
        return self.names

    def __call__(self, params: Params, low: float, high: float) -> tuple[float, float]:
        """Lower `high`."""
        return low, min(high, max(params[name] for name in self.names))

    def said(self, low: str, high: str) -> tuple[str, str]:
        """Return both ends in words."""
        return low, f"min({high}, max({', '.join(self.names)}))"


@dataclass(frozen=True, slots=True)
class Dependent:
    """A parameter whose range depends on others; the sampler draws its share of that range.

    Parameters
    ----------
    name
        Of the parameter.
    ratio
        Name of the dimension from 0 to 1 that is drawn for it.
    low, high, step, log, integer
        As those of `Dimension`; steps are counted from `low` whatever is left of the range.
    bound
        What is left of the range.

    Raises
    ------
    ArgumentError
        The bounds contradict each other, or the step does not lead from one to the other.
    """

    name: str
    ratio: str
    low: float
    high: float
    step: float | None = None
    log: bool = False
    integer: bool = False
    bound: Bound = field(kw_only=True)

    def __post_init__(self) -> None:
        self._scale.require(self.name)

    def value(self, share: float, params: Params) -> int | float:
        """Return the value at a share of the range that `params` leave.

        Raises
        ------
        ArgumentError
            They leave none.
        """
        return self._scale.at(min(max(share, 0.0), 1.0), *self.left(params))

    def share(self, value: float, params: Params) -> float:
        """Return a share for the value nearest to `value` in the range that `params` leave.

        Raises
        ------
        ArgumentError
            They leave none.
        """
        return self._scale.share(value, *self.left(params))

    def left(self, params: Params) -> tuple[float, float]:
        """Return the range that `params` leave.

        Raises
        ------
        ArgumentError
            They leave none.
        """
        low, high = self.bound(params, self.low, self.high)
        if self._scale.holds(low, high):
            return low, high
        given = ", ".join(f"{name} {params[name]:g}" for name in self.bound.reads)
        ends = " to ".join(self.bound.said(f"{self.low:g}", f"{self.high:g}"))
        raise ArgumentError(
            f"`{self.name}` has no value for {given}: it must be from {ends}, which is {low:g} "
            f"to {high:g}; widen the range of `{self.name}` or narrow that of "
            f"{' or '.join(self.bound.reads)}"
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """The parameters that its range depends on."""
        return self.bound.reads

    @property
    def range(self) -> str:
        """The values in words."""
        return self._scale.said(*self.bound.said(f"{self.low:g}", f"{self.high:g}"))

    @property
    def _scale(self) -> _Scale:
        return _Scale(self.low, self.high, self.step, self.log, self.integer)


class Derived(Protocol):
    """A parameter that a share and other parameters give: `Dependent`, or one of another kind.

    A frozen dataclass, so that equal ones have one fingerprint.
    """

    @property
    def name(self) -> str:
        """Name of the parameter."""
        ...

    @property
    def ratio(self) -> str:
        """Name of the dimension from 0 to 1 that is drawn for it."""
        ...

    @property
    def reads(self) -> tuple[str, ...]:
        """The parameters before it that its values depend on."""
        ...

    @property
    def range(self) -> str:
        """The values in words."""
        ...

    def value(self, share: float, params: Params) -> int | float:
        """Return the value at a share of those that `params` leave."""
        ...

    def share(self, value: float, params: Params) -> float:
        """Return a share for the value nearest to `value` of those that `params` leave."""
        ...


@dataclass(frozen=True, slots=True)
class Space:
    """Every parameter set that a study may try.

    Parameters
    ----------
    name
        For people: the preset's, the file's.
    dimensions
        What the sampler draws: free parameters, and shares of dependent ones.
    dependents
        In the order in which they are found: each depends on parameters before it.
    fixed
        Parameters that are not searched.
    order
        Names of all parameters in the order of tables; by default as they stand here.
    about
        What parameters are, for tables.

    Raises
    ------
    ArgumentError
        A name is missing, unknown or there twice, or a dependent parameter has no value for
        some draw.
    """

    name: str
    dimensions: tuple[Dimension, ...]
    dependents: tuple[Derived, ...] = ()
    fixed: Mapping[str, int | float] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    about: Mapping[str, About] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.order:
            object.__setattr__(self, "order", tuple(self._names))
        self._require_names()
        self._require_order()
        for corner in self._corners():
            self.params(corner)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides which parameters a draw stands for."""
        fixed = sorted((name, float(value)) for name, value in self.fixed.items())
        said = repr((self.dimensions, self.dependents, fixed))
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def searched(self) -> tuple[str, ...]:
        """The parameters that are searched, in the order of tables."""
        return tuple(name for name in self.order if name not in self.fixed)

    @property
    def sets(self) -> dict[str, str]:
        """The parameter that each dimension sets, by the dimension's name."""
        ratios = {each.ratio: each.name for each in self.dependents}
        return {each.name: ratios.get(each.name, each.name) for each in self.dimensions}

    def distributions(self) -> dict[str, Any]:
        """Return what Optuna calls the dimensions, by name."""
        return {each.name: each.distribution() for each in self.dimensions}

    def params(self, drawn: Mapping[str, float]) -> dict[str, int | float]:
        """Return the parameters that a draw stands for: what is run, and recorded.

        Parameters
        ----------
        drawn
            A number for each dimension; one outside its range counts as the nearest inside.

        Raises
        ------
        ArgumentError
            A dimension is missing, unknown, or not finite.
        """
        self._require_all(drawn, [each.name for each in self.dimensions], "dimension")
        ratios = {each.ratio for each in self.dependents}
        found = dict(self.fixed)
        for free in self.dimensions:
            if free.name not in ratios:
                found[free.name] = free.value(drawn[free.name])
        for each in self.dependents:
            found[each.name] = each.value(drawn[each.ratio], found)
        return {name: found[name] for name in self.order}

    def drawn(self, params: Params) -> dict[str, float]:
        """Return a draw that stands for these parameters, to start a study with them.

        ``params(drawn(p))`` is `p` for every `p` of the space; a value outside is moved to the
        nearest inside, a fixed parameter keeps its fixed value.

        Raises
        ------
        ArgumentError
            A parameter is missing, unknown, or not finite.
        """
        self._require_all(params, self.order, "parameter")
        ratios = {each.ratio for each in self.dependents}
        found, shares = dict(self.fixed), dict[str, float]()
        draws = {d.name: d.drawn(params[d.name]) for d in self.dimensions if d.name not in ratios}
        found |= {d.name: d.value(draws[d.name]) for d in self.dimensions if d.name in draws}
        for each in self.dependents:
            shares[each.ratio] = each.share(params[each.name], found)
            found[each.name] = each.value(shares[each.ratio], found)
        return {d.name: (draws | shares)[d.name] for d in self.dimensions}

    def table(self) -> list[dict[str, str]]:
        """Return a row for each parameter: `name`, `group`, `range`, `unit`, `meaning`."""
        ranges = {each.name: each.range for each in self.dimensions}
        ranges |= {each.name: each.range for each in self.dependents}
        ranges |= {name: f"{value:g} (fixed)" for name, value in self.fixed.items()}
        about = {name: self.about.get(name, About()) for name in self.order}
        return [
            {
                "name": name,
                "group": about[name].group,
                "range": ranges[name],
                "unit": about[name].unit,
                "meaning": about[name].meaning,
            }
            for name in self.order
        ]

    @property
    def _names(self) -> list[str]:
        """Every parameter, as often as something sets it."""
        ratios = {each.ratio for each in self.dependents}
        free = [each.name for each in self.dimensions if each.name not in ratios]
        return [*free, *(each.name for each in self.dependents), *self.fixed]

    def _require_names(self) -> None:
        dimensions = {each.name: each for each in self.dimensions}
        names = [*self._names, *(each.ratio for each in self.dependents)]
        twice = next((n for n in names if names.count(n) > 1), None)
        if not dimensions or twice is not None or len(dimensions) < len(self.dimensions):
            raise ArgumentError(
                f"space `{self.name}` must have at least one dimension, and every name once, got "
                f"{[each.name for each in self.dimensions]!r}, twice: {twice!r}"
            )
        for each in self.dependents:
            ratio = dimensions.get(each.ratio)
            if ratio is None or (ratio.low, ratio.high, ratio.step) != (0, 1, None):
                raise ArgumentError(
                    f"`{each.name}` of space `{self.name}` needs a dimension `{each.ratio}` from "
                    f"0 to 1 without steps, got {ratio!r}"
                )
        if sorted(self.order) != sorted(self._names):
            raise ArgumentError(
                f"the order of space `{self.name}` must hold each parameter once "
                f"({', '.join(self._names)}), got {', '.join(self.order)}"
            )

    def _require_order(self) -> None:
        """Raise when a dependent parameter reads one that is not known before it."""
        known = [name for name in self._names if name not in {d.name for d in self.dependents}]
        for each in self.dependents:
            unknown = next((name for name in each.reads if name not in known), None)
            if unknown is not None:
                raise ArgumentError(
                    f"`{each.name}` of space `{self.name}` depends on {unknown!r}, which is no "
                    f"parameter before it{did_you_mean(unknown, known)}"
                )
            known.append(each.name)

    def _corners(self) -> Iterable[dict[str, float]]:
        """Yield the draws at which ranges of dependent parameters are smallest, among others."""
        middle = {each.name: each.low for each in self.dimensions}
        ends = {each.name: _ends(each) for each in self.dimensions}
        for each in self.dependents:
            sources = self._sources(each)
            for corner in itertools.product(*(ends[name] for name in sources)):
                yield middle | dict(zip(sources, corner, strict=True))

    def _sources(self, dependent: Derived) -> list[str]:
        """Return the dimensions on which a dependent parameter's range depends."""
        ratios = {each.name: each for each in self.dependents}
        found: list[str] = []
        for name in dependent.reads:
            if name in ratios:
                found += [*self._sources(ratios[name]), ratios[name].ratio]
            elif name not in self.fixed:
                found.append(name)
        return list(dict.fromkeys(found))

    def _require_all(self, given: Mapping[str, float], names: Iterable[str], what: str) -> None:
        wanted = list(names)
        unknown = next((name for name in given if name not in wanted), None)
        if unknown is not None:
            raise ArgumentError(
                f"space `{self.name}` has no {what} {unknown!r}{did_you_mean(unknown, wanted)} "
                f"(it has {', '.join(wanted)})"
            )
        missing = [name for name in wanted if name not in given]
        if missing:
            raise ArgumentError(
                f"space `{self.name}` needs a value for every {what}, missing: "
                f"{', '.join(missing)}"
            )
        wrong = next((name for name in wanted if not math.isfinite(given[name])), None)
        if wrong is not None:
            raise ArgumentError(f"`{wrong}` must be finite, got {given[wrong]!r}")


def _ends(dimension: Dimension) -> tuple[float, float]:
    """Return the draws of a dimension's smallest and largest value."""
    low, high = dimension.extremes
    return dimension.drawn(low), dimension.drawn(high)


def _linear(name: str, times: float, plus: float) -> str:
    scaled = name if times == 1 else f"{times:g} {name}"
    return f"{scaled} + {plus:g}" if plus else scaled


def _exact(value: float) -> Decimal:
    """Return the shortest decimal number that reads back as `value`: 0.1 is 0.1."""
    return Decimal(str(value))
