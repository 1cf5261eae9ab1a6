"""What a strategy asks for: its parameters, their limits, and how TradeStation names them."""

from __future__ import annotations

import itertools
import math
import numbers
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Kind", "Parameter", "decimal_range", "exact"]

Kind = Literal["int", "float", "choice"]

_MOST_VALUES = 1_000_000


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a strategy.

    Two ranges are kept apart. `low` and `high` are what the strategy can be simulated with, so
    what a grid may hold. `ts_low` and `ts_high` are what the TradeStation input accepts; they
    are narrower, and only an export clamps to them.

    Parameters
    ----------
    name
        Python name, as in grids and result tables.
    low, high
        Smallest and largest value that the strategy accepts, both included.
    kind
        ``"int"`` a whole number, ``"float"`` any number, ``"choice"`` a whole number that names a
        method and has no order.
    doc
        One line for tables and help texts.
    fine_step
        Step of a fine search in TradeStation; None when the parameter has no such input.
    coarse_step
        Step of a coarse search in TradeStation; None when the parameter has no such input.
    tradestation
        Name of the EasyLanguage input; empty when there is none.
    ts_low, ts_high
        Limits of the EasyLanguage input; None means the strategy's own.
    grids
        Values by name of grid. A named grid exists for a strategy whose parameters all have it.

    Raises
    ------
    ArgumentError
        A limit is not finite, a range is empty, the TradeStation range is not inside the
        strategy's, a step is not positive, or a named grid holds a value that the strategy
        refuses.
    """

    name: str
    low: float
    high: float
    kind: Kind = "float"
    doc: str = ""
    fine_step: float | None = None
    coarse_step: float | None = None
    tradestation: str = ""
    ts_low: float | None = None
    ts_high: float | None = None
    grids: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ArgumentError(f"a parameter's name must be an identifier, got {self.name!r}")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ArgumentError(
                f"`{self.name}`: low and high must be finite, and low at most high, "
                f"got {self.low!r} and {self.high!r}"
            )
        if not self.low <= self.legal[0] <= self.legal[1] <= self.high:
            raise ArgumentError(
                f"`{self.name}`: ts_low and ts_high must lie between {self.low!r} and "
                f"{self.high!r}, got {self.legal[0]!r} and {self.legal[1]!r}"
            )
        for label in ("fine_step", "coarse_step"):
            step = getattr(self, label)
            if step is not None and not 0 < step < math.inf:
                raise ArgumentError(f"`{self.name}`: {label} must be positive, got {step!r}")
        object.__setattr__(
            self, "grids", {name: self.check_all(values) for name, values in self.grids.items()}
        )

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are values."""
        return self.kind != "float"

    @property
    def legal(self) -> tuple[float, float]:
        """Limits of the TradeStation input."""
        return (
            self.low if self.ts_low is None else self.ts_low,
            self.high if self.ts_high is None else self.ts_high,
        )

    @property
    def rule(self) -> str:
        """The rule for a value, in words: ``"a whole number from 1 to 500"``."""
        if self.kind == "choice":
            options = ", ".join(str(v) for v in range(int(self.low), int(self.high) + 1))
            return f"one of {options}"
        noun = "a whole number" if self.whole else "a number"
        return f"{noun} from {self.low:g} to {self.high:g}"

    def check(self, value: object) -> float:
        """Return `value` as an int (whole kinds) or a float.

        Parameters
        ----------
        value
            Any number; 3.0 is accepted as the whole number 3.

        Raises
        ------
        ArgumentError
            `value` is no number, not finite, not whole, or outside the limits.
        """
        if not isinstance(value, bool) and isinstance(value, numbers.Real):
            number = float(value)
            fits = self.low <= number <= self.high  # False for NaN
            if fits and not self.whole:
                return number
            if fits and number.is_integer():
                return int(number)
        raise ArgumentError(f"`{self.name}` must be {self.rule}, got {value!r}")

    def check_all(self, values: Iterable[object]) -> tuple[float, ...]:
        """Return `values` checked one by one and in increasing order.

        Raises
        ------
        ArgumentError
            A value breaks the rule, occurs twice, or there is none.
        """
        checked = tuple(sorted(self.check(value) for value in values))
        if not checked:
            raise ArgumentError(f"`{self.name}` must have at least one value, got none")
        twice = sorted({a for a, b in itertools.pairwise(checked) if a == b})
        if twice:
            raise ArgumentError(f"`{self.name}` must not repeat a value, got {twice[0]!r} twice")
        return checked


def exact(value: float) -> Decimal:
    """Return the shortest decimal number that reads back as `value`: 0.1 is 0.1."""
    return Decimal(str(value))


def decimal_range(low: float, high: float, step: float) -> tuple[float, ...]:
    """Return ``low, low + step, ...`` up to and including `high`.

    The sums are decimal numbers, so 0.1 to 0.85 in steps of 0.15 holds 0.55 and not
    0.5500000000000002.

    Parameters
    ----------
    low, high, step
        Ints give ints, if `low` and `step` both are. `high` is a bound: it is a value only when
        a whole number of steps reaches it.

    Raises
    ------
    ArgumentError
        A number is not finite, `step` is not positive, `high` lies below `low`, or the range has
        more than a million values.
    """
    if not all(math.isfinite(number) for number in (low, high, step)):
        raise ArgumentError(f"min, max and step must be finite, got {low!r}, {high!r}, {step!r}")
    if step <= 0:
        raise ArgumentError(f"step must be positive, got {step!r}")
    if high < low:
        raise ArgumentError(f"max must not lie below min, got min {low!r} and max {high!r}")
    first, by = exact(low), exact(step)
    count = int((exact(high) - first) / by) + 1
    if count > _MOST_VALUES:
        raise ArgumentError(
            f"min {low!r}, max {high!r} and step {step!r} give {count:,} values, "
            f"more than {_MOST_VALUES:,}; use a larger step"
        )
    number = int if isinstance(low, int) and isinstance(step, int) else float
    return tuple(number(first + by * i) for i in range(count))
