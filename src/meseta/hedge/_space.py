"""The grid's 17 parameters: what they are, what they can be, and what of them is searched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meseta._near import did_you_mean
from meseta.bayes import About, AtLeast, AtMost, AtMostMax, Limits, Space, Tie, load_space
from meseta.bayes._space_file import read_entries
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.bayes import Params
    from meseta.hedge._settings import GridSettings

__all__ = [
    "BASELINE",
    "GROUPS",
    "PRESETS",
    "BaseQtyCap",
    "QtyScaleCap",
    "catalogue",
    "hedge_space",
]

_Entries = dict[str, Any]

# What the published strategy file holds; a preset's study can begin with it.
BASELINE: Final[Mapping[str, int | float]] = {
    "grid_step_bps": 50.0,
    "grid_levels_long": 6,
    "grid_levels_short": 6,
    "base_qty": 0.002,
    "qty_scale": 1.05,
    "tp_steps": 3,
    "sl_steps": 5,
    "adx_len": 14,
    "ema_fast": 10,
    "ema_slow": 30,
    "atr_len": 14,
    "hysteresis_bps": 35.0,
    "counter_levels": 4,
    "counter_qty_scale": 0.5,
    "recenter_trigger_bps": 200.0,
    "funding_max_cost_bps": 12.0,
    "max_position_pct": 0.75,
}

_LIMITS: Final = {
    "grid_step_bps": Limits(5, 1000),
    "grid_levels_long": Limits(1, 100, integer=True),
    "grid_levels_short": Limits(1, 100, integer=True),
    "base_qty": Limits(1e-9, 1e9),
    "qty_scale": Limits(0.1, 3),
    "tp_steps": Limits(1, 1000, integer=True),
    "sl_steps": Limits(1, 1000, integer=True),
    "adx_len": Limits(5, 1000, integer=True),
    "ema_fast": Limits(5, 9997, integer=True),
    "ema_slow": Limits(10, 10_000, integer=True),
    "atr_len": Limits(5, 1000, integer=True),
    "hysteresis_bps": Limits(0, 1000),
    "counter_levels": Limits(0, 20, integer=True),
    "counter_qty_scale": Limits(0, 1),
    "recenter_trigger_bps": Limits(1, 10_000),
    "funding_max_cost_bps": Limits(0, 100),
    "max_position_pct": Limits(0.1, 1),
}

_ABOUT: Final = {
    "grid_step_bps": About("grid", "bps of the centre", "distance between rungs"),
    "grid_levels_long": About("grid", "rungs", "buy limits below the centre"),
    "grid_levels_short": About("grid", "rungs", "sell limits above the centre"),
    "base_qty": About("grid", "base coin", "quantity of the rung next to the centre"),
    "qty_scale": About("grid", "ratio", "quantity of a rung over that of the one before"),
    "tp_steps": About("exit", "grid steps", "from a lot's entry to its take-profit"),
    "sl_steps": About("exit", "grid steps", "from a lot's entry to its stop-loss"),
    "adx_len": About("regime", "bars", "length of the ADX, which tells a trend from none"),
    "ema_fast": About("regime", "bars", "length of the fast average"),
    "ema_slow": About("regime", "bars", "length of the slow average"),
    "atr_len": About("regime", "bars", "length of the average true range of the spread's gate"),
    "hysteresis_bps": About("regime", "bps of the slow average", "least spread of a new trend"),
    "counter_levels": About("policy", "rungs", "kept against a trend, nearest to the centre"),
    "counter_qty_scale": About("policy", "factor", "of quantities against a trend"),
    "recenter_trigger_bps": About("rebalance", "bps of the centre", "move that recentres"),
    "funding_max_cost_bps": About("funding", "bps a window", "cost above which a side shrinks"),
    "max_position_pct": About("position", "fraction of equity", "largest notional of a side"),
}

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    group: tuple(name for name, about in _ABOUT.items() if about.group == group)
    for group in dict.fromkeys(about.group for about in _ABOUT.values())
}


def _range(low: float, high: float, step: float | None = None) -> _Entries:
    return {"low": low, "high": high} | ({} if step is None else {"step": step})


_DEFAULT: Final[_Entries] = {
    "grid_step_bps": _range(10, 200),
    "grid_levels_long": _range(3, 10),
    "grid_levels_short": _range(3, 10),
    "base_qty": {"low": 0.001, "high": 0.004, "log": True},
    "qty_scale": _range(1, 1.15),
    "tp_steps": _range(1, 10),
    "sl_steps": _range(3, 20),
    "adx_len": _range(7, 30),
    "ema_fast": _range(5, 25),
    "ema_slow": _range(20, 60),
    "atr_len": _range(7, 30),
    "hysteresis_bps": _range(5, 50),
    "counter_levels": _range(2, 10),
    "counter_qty_scale": _range(0.3, 0.8),
    "recenter_trigger_bps": _range(50, 500),
    "funding_max_cost_bps": _range(5, 50),
    "max_position_pct": _range(0.5, 0.95),
}
# Entries of the presets; what the fast one had to 50 in steps of 2 from 15 ended at 49.
PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": _DEFAULT,
    "fast-1m": _DEFAULT
    | {
        "grid_step_bps": _range(10, 50, 5),
        "grid_levels_long": _range(3, 5),
        "grid_levels_short": _range(3, 5),
        "base_qty": {"low": 0.001, "high": 0.01, "log": True},
        "qty_scale": _range(1, 1.2, 0.05),
        "adx_len": _range(7, 21),
        "ema_fast": _range(5, 15),
        "ema_slow": _range(15, 49, 2),
        "atr_len": _range(7, 21),
        "hysteresis_bps": _range(5, 30, 5),
        "counter_qty_scale": _range(0.3, 1, 0.05),
        "recenter_trigger_bps": _range(25, 200, 25),
        "funding_max_cost_bps": _range(5, 50, 5),
        "max_position_pct": _range(0.5, 0.95, 0.05),
    },
    "wide": _DEFAULT
    | {
        "grid_levels_long": _range(3, 20),
        "grid_levels_short": _range(3, 20),
        "base_qty": {"low": 0.001, "high": 0.1, "log": True},
        "qty_scale": _range(1, 1.5),
    },
}


@dataclass(frozen=True, slots=True)
class _Ladder:
    """The money that the rungs of a side may take at most, whatever the centre is.

    Parameters
    ----------
    price
        Highest price that the centre can have.
    tick
        Step of prices, to which rungs are rounded.
    max_inventory
        Money that all rungs of a side may be worth.
    """

    price: float
    tick: float
    max_inventory: float

    def worth(self, params: Params, qty_scale: float) -> float:
        """Return the money for a base quantity of one, of the side that takes more.

        Quantities are rounded down and prices by half a tick, which is in it.
        """
        step = self.price * params["grid_step_bps"] / 10_000
        sides = {"grid_levels_long": -step, "grid_levels_short": step}
        return max(
            sum(
                qty_scale ** (k - 1) * max(self.price + k * by + self.tick / 2, 0)
                for k in range(1, int(params[levels]) + 1)
            )
            for levels, by in sides.items()
        )


_LEVELS: Final = ("grid_step_bps", "grid_levels_long", "grid_levels_short")


@dataclass(frozen=True, slots=True)
class QtyScaleCap:
    """A ratio of quantities with which the smallest base quantity is within the inventory.

    Parameters
    ----------
    price, tick, max_inventory
        Highest price in-sample, step of prices, money a side may be worth.
    base_qty
        The smallest base quantity that can be drawn.
    """

    price: float
    tick: float
    max_inventory: float
    base_qty: float

    @property
    def reads(self) -> tuple[str, ...]:
        """The ladder's other parameters."""
        return _LEVELS

    def __call__(self, params: Params, low: float, high: float) -> tuple[float, float]:
        """Lower `high`."""
        ladder = _Ladder(self.price, self.tick, self.max_inventory)
        # Room for the last bits, so that the base quantity's range is never empty.
        most = self.max_inventory / self.base_qty * (1 - 1e-9)
        if ladder.worth(params, high) <= most:
            return low, high
        under, over = 0.0, high
        for _ in range(60):
            middle = (under + over) / 2
            fits = ladder.worth(params, middle) <= most
            under, over = (middle, over) if fits else (under, middle)
        return low, under

    def said(self, low: str, high: str) -> tuple[str, str]:
        """Return both ends in words."""
        most = f"what {self.max_inventory:g} a side allow with base_qty {self.base_qty:g}"
        return low, f"min({high}, {most})"


@dataclass(frozen=True, slots=True)
class BaseQtyCap:
    """A base quantity with which no side's rungs are worth more than the inventory allows.

    Parameters
    ----------
    price, tick, max_inventory
        Highest price in-sample, step of prices, money a side may be worth.
    """

    price: float
    tick: float
    max_inventory: float

    @property
    def reads(self) -> tuple[str, ...]:
        """The ladder's other parameters."""
        return (*_LEVELS, "qty_scale")

    def __call__(self, params: Params, low: float, high: float) -> tuple[float, float]:
        """Lower `high`."""
        ladder = _Ladder(self.price, self.tick, self.max_inventory)
        return low, min(high, self.max_inventory / ladder.worth(params, params["qty_scale"]))

    def said(self, low: str, high: str) -> tuple[str, str]:
        """Return both ends in words."""
        return low, f"min({high}, what {self.max_inventory:g} a side allow)"


def catalogue() -> list[dict[str, Any]]:
    """Return a row for each parameter.

    Returns
    -------
    list of dict
        `name`, `group`, `unit`, `meaning`, `baseline`, and under the name of each preset the
        entry that it has there.
    """
    return [
        {"name": name, "group": about.group, "unit": about.unit, "meaning": about.meaning,
         "baseline": BASELINE[name], **{each: PRESETS[each][name] for each in PRESETS}}
        for name, about in _ABOUT.items()
    ]  # fmt: skip


def hedge_space(
    source: str | Path | Mapping[str, Any] = "default",
    *,
    price: float,
    settings: GridSettings,
    low_price: float | None = None,
    has_funding: bool = True,
    warnings: list[str] | None = None,
) -> Space:
    """Return the grid's search space.

    The presets' base quantities were published for prices around 100,000. Where an order of the
    smallest is worth less than the venue takes, their range begins with one that is not, and ends
    with four times as much, if that is more than the preset's end. Where a tick is more than the
    smallest step of a ladder, steps begin with one that is not. Ranges of one's own stay.

    Parameters
    ----------
    source
        A preset (`PRESETS`), or the path of a YAML file or a mapping, in which a parameter has a
        number, a list, or ``{low, high}`` with ``step`` or ``log: true``; ``preset`` names where
        the others come from (by default ``default``), and parameters may stand in sections of
        their groups.
    price
        Highest price of the in-sample span. Base quantities are drawn so that no ladder around
        it is worth more than the settings' inventory.
    settings
        What is not searched.
    low_price
        Lowest price of the span, at which orders must be worth enough; None takes `price`.
    has_funding
        False where the market has none; its guard's parameter would be noise to a sampler.
    warnings
        Gets sentences on entries that were not taken as they stand.

    Raises
    ------
    ArgumentError
        There is no such preset or file, or an entry contradicts itself, another or the settings.
    """
    said: list[str] = [] if warnings is None else warnings
    name, preset, own = _entries(source)
    entries = {**preset, **_with_fraction(own, said)}
    ladder = (price, settings.tick, settings.max_inventory_quote)
    entries |= _with_orders(entries, own, _Ladder(*ladder), low_price or price, settings, said)
    _require_notional(price, entries, settings)
    entries |= _with_ticks(entries, own, low_price or price, settings.tick, said)
    smallest, _ = _ends(entries["base_qty"])
    inert = _inert(settings, has_funding=has_funding)
    said += [f"`{each}` is not searched: {inert[each]}" for each in inert if each in own]
    entries |= {each: BASELINE[each] for each in inert if not _is_number(entries[each])}
    ties = {
        "qty_scale": Tie("scale_ratio", QtyScaleCap(*ladder, smallest)),
        "base_qty": Tie("base_ratio", BaseQtyCap(*ladder)),
        "tp_steps": Tie("tp_ratio", AtMost("sl_steps", times=3)),
        "ema_slow": Tie("ema_ratio", AtLeast("ema_fast", plus=3)),
        "counter_levels": Tie("counter_ratio", AtMostMax(_LEVELS[1:])),
    }
    space = load_space(entries, _LIMITS, name=name, ties=ties, about=_about(inert))
    _require_room(smallest, settings)
    return space


def _entries(source: str | Path | Mapping[str, Any]) -> tuple[str, Mapping[str, Any], _Entries]:
    """Return the name, the preset that says the most, and one's own entries."""
    if isinstance(source, str) and source in PRESETS:
        return source, PRESETS[source], {}
    if isinstance(source, str) and not Path(source).suffix:
        raise _no_preset(source, did_you_mean(source, PRESETS))
    name, given = read_entries(source)
    preset = given.pop("preset", "default")
    if preset not in PRESETS:
        raise _no_preset(preset, did_you_mean(str(preset), PRESETS))
    own: _Entries = {}
    for key, entry in given.items():
        own |= entry if key in GROUPS and isinstance(entry, Mapping) else {key: entry}
    return name, PRESETS[preset], own


def _no_preset(preset: object, hint: str) -> ArgumentError:
    return ArgumentError(
        f"`preset` must be one of {', '.join(PRESETS)}, or a YAML file of your own, got "
        f"{preset!r}{hint}"
    )


def _with_fraction(own: _Entries, said: list[str]) -> _Entries:
    """Return entries with `max_position_pct` as a fraction where it is written in per cent."""
    entry = own.get("max_position_pct")
    if entry is None or _ends(entry)[1] <= 1:
        return own
    said.append("`max_position_pct` is above 1 and was taken as per cent: 75 is 0.75")
    return own | {"max_position_pct": _hundredth(entry)}


def _hundredth(entry: Any) -> Any:
    if isinstance(entry, Mapping):
        return {key: _hundredth(value) for key, value in entry.items()}
    if isinstance(entry, list | tuple):
        return [_hundredth(value) for value in entry]
    return entry / 100 if _is_number(entry) else entry


def _inert(settings: GridSettings, *, has_funding: bool) -> dict[str, str]:
    """Return the parameters that change nothing, and why."""
    reasons = {}
    if not settings.atr_gate_mult:
        reasons["atr_len"] = "inert while atr_gate_mult is 0"
    if not has_funding:
        reasons["funding_max_cost_bps"] = "inert without funding"
    return reasons


def _about(inert: Mapping[str, str]) -> dict[str, About]:
    return {
        name: about._replace(meaning=f"{about.meaning}; {inert[name]}") if name in inert else about
        for name, about in _ABOUT.items()
    }


def _with_ticks(
    entries: _Entries, own: _Entries, price: float, tick: float, said: list[str]
) -> _Entries:
    """Return steps of the ladder that are a tick or more; say where one's own are not."""
    entry, tick_bps = entries["grid_step_bps"], 10_000 * tick / price
    low, high = _ends(entry)
    if tick_bps <= low:
        return {}
    why = f"at a price of {price:g} a tick is {tick_bps:.3g} bps"
    if "grid_step_bps" in own:
        said.append(f"`grid_step_bps` from {low:g} leaves rungs closer than prices are: {why}")
        return {}
    stride = entry.get("step", 1)
    least = low + stride * math.ceil((tick_bps - low) / stride)
    if least > high:
        raise ArgumentError(
            f"`grid_step_bps` to {high:g} makes no step of a tick: {why}; give the tick of this "
            "market, or `grid_step_bps` a range that suits it"
        )
    said.append(f"`grid_step_bps` is searched from {least:g}: {why}")
    return {"grid_step_bps": {**entry, "low": least}}


def _with_orders(
    entries: _Entries,
    own: _Entries,
    ladder: _Ladder,
    price: float,
    settings: GridSettings,
    said: list[str],
) -> _Entries:
    """Return base quantities that make orders of first rungs; say where one's own do not."""
    entry = entries["base_qty"]
    least = _least(entries, ladder, price, settings)
    low, high = _ends(entry)
    if least <= low:
        return {}
    why = f"at a price of {price:g} the venue takes no order below {least:g}"
    if "base_qty" in own:
        said.append(f"`base_qty` from {low:g} leaves out first rungs: {why}")
        return {}
    high = max(high, 4 * least)
    said.append(f"`base_qty` is searched from {least:g} to {high:g}: {why}")
    return {"base_qty": {**entry, "low": least, "high": high}}


def _least(entries: _Entries, ladder: _Ladder, price: float, settings: GridSettings) -> float:
    """Return the smallest quantity that is an order, or what the largest ladder has room for."""
    largest = {name: _ends(entries[name])[1] for name in _LEVELS}
    room = ladder.max_inventory / ladder.worth(largest, _ends(entries["qty_scale"])[0])
    wanted = max(settings.min_quantity, settings.min_notional / price)
    lots = min(math.ceil(wanted / settings.lot - 1e-9), math.floor(room / settings.lot))
    return float(f"{lots * settings.lot:.12g}")


def _require_notional(price: float, entries: _Entries, settings: GridSettings) -> None:
    """Refuse quantities with which no rung could ever be placed."""
    quantity = _ends(entries["base_qty"])[1]
    levels = max(_ends(entries[name])[1] for name in _LEVELS[1:])
    most = quantity * max(_ends(entries["qty_scale"])[1], 1) ** (levels - 1)
    if most < settings.min_quantity or most * price * 2 < settings.min_notional:
        raise ArgumentError(
            f"`base_qty` to {quantity:g} makes no rung larger than {most:g} at prices to "
            f"{price:g}, and an order must have {settings.min_quantity:g} and be worth "
            f"{settings.min_notional:g}; give `base_qty` a range that suits this market"
        )


def _require_room(smallest: float, settings: GridSettings) -> None:
    """Refuse a limit on positions, in base coins, that leaves no room for a first rung."""
    if smallest > settings.max_position_size:
        raise ArgumentError(
            f"`max_position_size` {settings.max_position_size:g} is less than a single order, "
            f"`base_qty` from {smallest:g}; give the base coins that a side of this market may "
            "hold"
        )


def _ends(entry: Any) -> tuple[float, float]:
    """Return the smallest and the largest number of an entry, 1 where there is none.

    An entry that has another form is refused later, by name.
    """
    if isinstance(entry, Mapping):
        entry = [entry.get("low"), entry.get("high")]
    listed = entry if isinstance(entry, list | tuple) else [entry]
    numbers = [float(value) for value in listed if _is_number(value)] or [1.0]
    return min(numbers), max(numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
