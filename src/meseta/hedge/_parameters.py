"""The 17 searched parameters of the hedge grid, and the hard limits of each."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from meseta._near import did_you_mean
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.bayes import Params

__all__ = ["GridParameters"]

# Lowest and highest value of each; None where only the rules between parameters bound it.
_LIMITS: dict[str, tuple[float, float]] = {
    "grid_step_bps": (5.0, 1000.0),
    "grid_levels_long": (1, 100),
    "grid_levels_short": (1, 100),
    "base_qty": (0.0, math.inf),
    "qty_scale": (0.0, 3.0),
    "tp_steps": (1, 1000),
    "sl_steps": (1, 1000),
    "adx_len": (5, 10_000),
    "ema_fast": (5, 10_000),
    "ema_slow": (10, 10_000),
    "atr_len": (5, 10_000),
    "hysteresis_bps": (0.0, 1000.0),
    "counter_levels": (0, 20),
    "counter_qty_scale": (0.0, 1.0),
    "recenter_trigger_bps": (0.0, 10_000.0),
    "funding_max_cost_bps": (0.0, 100.0),
    "max_position_pct": (0.1, 1.0),
}
_POSITIVE = {"base_qty", "qty_scale"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridParameters:
    """One parameter set of the hedge grid; the defaults are its baseline.

    A step is ``grid_step_bps`` of the ladder's centre in price units. A rung is one level of a
    ladder, a lot what was filled at a rung.

    Parameters
    ----------
    grid_step_bps
        Distance between rungs, basis points of the centre, 5 to 1000. It is fixed until the
        ladder moves, so that rungs are spaced evenly in price.
    grid_levels_long, grid_levels_short
        Rungs below and above the centre, 1 to 100.
    base_qty
        Quantity of the rungs nearest to the centre, base coin, positive. Rounded down to the
        lot step, and a rung that the venue would refuse as too small is left out.
    qty_scale
        Quantity of a rung over that of the one before it, positive and at most 3.
    tp_steps, sl_steps
        Steps from a lot's fill to its take-profit and to its stop; ``tp_steps`` at most three
        times ``sl_steps``. Both stay where they are when the ladder moves.
    adx_len, ema_fast, ema_slow
        Bars of the trend's strength and of the two means of the close, at least 5, 5 and 10;
        ``ema_fast`` below ``ema_slow``. They read closed bars alone.
    atr_len
        Bars of the average true range, at least 5. It decides nothing while the setting
        ``atr_gate_mult`` is 0.
    hysteresis_bps
        A spread of the means narrower than this, basis points of the slow one, leaves the
        regime as it is; 0 to 1000.
    counter_levels
        Rungs that stay on the side against a trend, those nearest to the centre; 0 to 20,
        0 for none.
    counter_qty_scale
        Factor on their quantities, 0 to 1.
    recenter_trigger_bps
        The ladder moves to the close once that is farther away from its centre, basis points
        of the centre; 0 to 10,000.
    funding_max_cost_bps
        Funding dearer than this over the window (see `GridSettings.funding_window_minutes`),
        basis points, shrinks the paying side's new orders; 0 to 100. The rate is the last
        settled one: the next is not known before it is paid.
    max_position_pct
        Open lots and resting orders of a side over equity, a fraction, 0.1 to 1. It bounds the
        value of the position without leverage.

    Raises
    ------
    ArgumentError
        A value is not finite or breaks its limit; the message names the parameter.
    """

    grid_step_bps: float = 50.0
    grid_levels_long: int = 6
    grid_levels_short: int = 6
    base_qty: float = 0.002
    qty_scale: float = 1.05
    tp_steps: int = 3
    sl_steps: int = 5
    adx_len: int = 14
    ema_fast: int = 10
    ema_slow: int = 30
    atr_len: int = 14
    hysteresis_bps: float = 35.0
    counter_levels: int = 4
    counter_qty_scale: float = 0.5
    recenter_trigger_bps: float = 200.0
    funding_max_cost_bps: float = 12.0
    max_position_pct: float = 0.75

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name), whole=field.type == "int")
        if self.ema_fast >= self.ema_slow:
            raise ArgumentError(
                f"`ema_fast` must be below `ema_slow`, got {self.ema_fast} and {self.ema_slow}"
            )
        if self.tp_steps > 3 * self.sl_steps:
            raise ArgumentError(
                "`tp_steps` must be at most three times `sl_steps`, "
                f"got {self.tp_steps} and {self.sl_steps}"
            )

    @classmethod
    def from_params(cls, params: Params) -> Self:
        """Make a parameter set from values by name; those left out keep the baseline's.

        Whole numbers may come as floats. A ``max_position_pct`` above 1 is taken as per cent
        and warned of.

        Raises
        ------
        ArgumentError
            A name is unknown, or a value breaks its limit.
        """
        types = {field.name: field.type for field in fields(cls)}
        for name in params:
            if name not in types:
                raise ArgumentError(
                    f"`{name}` is no parameter of the hedge grid{did_you_mean(name, types)}"
                )
        given = {name: _typed(value, types[name]) for name, value in params.items()}
        share = given.get("max_position_pct", 0.0)
        if share > 1:
            warnings.warn(
                f"`max_position_pct` {share:g} is taken as per cent: {share / 100:g} of equity",
                stacklevel=2,
            )
            given["max_position_pct"] = share / 100
        return cls(**given)  # type: ignore[arg-type]


def _typed(value: float, kind: object) -> int | float:
    """Return whole numbers as int where the parameter counts something."""
    return int(value) if kind == "int" and value == math.floor(value) else value


def _check(name: str, value: float, *, whole: bool) -> None:
    low, high = _LIMITS[name]
    if whole and not isinstance(value, int):
        raise ArgumentError(f"`{name}` must be a whole number, got {value!r}")
    wrong = value <= low if name in _POSITIVE else value < low
    if not math.isfinite(value) or wrong or value > high:
        least = "above" if name in _POSITIVE else "from"
        most = "" if high == math.inf else f" to {high:g}"
        raise ArgumentError(f"`{name}` must be {least} {low:g}{most}, got {value!r}")
