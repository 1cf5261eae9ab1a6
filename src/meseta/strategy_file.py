"""Strategy files of a hedge grid: a base that is read, and the best of a study, written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meseta._near import did_you_mean
from meseta._yaml import read_yaml
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from meseta.bayes import Params

__all__ = [
    "SECTIONS",
    "StrategyFile",
    "read_strategy",
    "section_of",
    "strategy_of",
    "strategy_text",
]

# Where a hedge grid's own files have each parameter.
SECTIONS: dict[str, tuple[str, ...]] = {
    "grid": (
        "grid_step_bps", "grid_levels_long", "grid_levels_short", "base_qty", "qty_scale",
    ),
    "exit": ("tp_steps", "sl_steps"),
    "regime": ("adx_len", "ema_fast", "ema_slow", "atr_len", "hysteresis_bps"),
    "policy": ("counter_levels", "counter_qty_scale"),
    "rebalance": ("recenter_trigger_bps",),
    "funding": ("funding_max_cost_bps",),
    "position": ("max_position_pct",),
}  # fmt: skip
_SECTION = {name: section for section, names in SECTIONS.items() for name in names}
# What a section has beside the parameters that are searched, by the instrument's option.
_SETTINGS: dict[str, dict[str, str]] = {
    "exit": {"max_stop_pct": "max_stop_pct"},
    "regime": {"adx_threshold": "adx_threshold", "atr_gate_mult": "atr_gate_mult"},
    "policy": {"strategy": "policy"},
    "rebalance": {"max_inventory_quote": "max_inventory_quote"},
    "funding": {"funding_window_minutes": "funding_window_minutes"},
    "position": {
        "max_position_size": "max_position_size",
        "max_leverage_used": "max_leverage_used",
    },
}
_WHOLE = {
    "grid_levels_long", "grid_levels_short", "tp_steps", "sl_steps", "adx_len", "ema_fast",
    "ema_slow", "atr_len", "counter_levels", "funding_window_minutes",
}  # fmt: skip
_NO_BASE: dict[str, Any] = {"strategy": {"name": "hedge_grid"}}


@dataclass(frozen=True, slots=True)
class StrategyFile:
    """A strategy file as it was read.

    Parameters
    ----------
    content
        All of it.
    params
        The parameters of the grid that it has.
    settings
        The instrument's options that it has.
    notes
        What the user should know about how it was read.
    """

    content: Mapping[str, Any] = field(default_factory=lambda: _NO_BASE)
    params: Params = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_strategy(path: Path) -> StrategyFile:
    """Read a strategy file.

    Raises
    ------
    ArgumentError
        It cannot be read, maps nothing, or has something else than a number where one belongs.
    """
    content = read_yaml(path, "strategy")
    if not isinstance(content, dict):
        raise ArgumentError(
            f"the strategy file {path} must have sections such as `grid: {{grid_step_bps: 50}}`, "
            f"got {content!r}"
        )
    return strategy_of(content, str(path))


def section_of(name: str) -> str:
    """Return the section of a hedge grid's parameter; empty of any other."""
    return _SECTION.get(name, "")


def strategy_of(content: Mapping[str, Any], where: str) -> StrategyFile:
    """Return what a strategy file says; `where` is its path, for messages."""
    params, settings = dict[str, int | float](), dict[str, Any]()
    notes = [
        f"section `{name}` of {where} means nothing to a hedge grid and is kept as it is{meant}"
        for name in content
        if name not in SECTIONS and (meant := did_you_mean(str(name), SECTIONS))
    ]
    for section, names in SECTIONS.items():
        given = content.get(section) or {}
        if not isinstance(given, dict):
            raise ArgumentError(
                f"section `{section}` of the strategy file {where} must map names to values, "
                f"got {given!r}"
            )
        params |= {n: _number(where, section, n, given[n]) for n in names if n in given}
        for name, option in _SETTINGS.get(section, {}).items():
            if given.get(name) is not None:
                settings[option] = _setting(where, section, name, given[name])
        known = (*names, *_SETTINGS.get(section, {}))
        notes += [
            f"`{section}.{name}` of {where} means nothing to a hedge grid and is kept as it is"
            f"{meant}"
            for name in given
            if name not in known and (meant := did_you_mean(str(name), known))
        ]
    if params.get("max_position_pct", 0.0) > 1:
        notes.append(
            f"position.max_position_pct {params['max_position_pct']:g} of {where} is taken for "
            "per cent"
        )
        params["max_position_pct"] /= 100
    return StrategyFile(content, params, settings, tuple(notes))


def _setting(where: str, section: str, name: str, value: Any) -> Any:
    # What policies there are is the instrument's rule.
    return value if name == "strategy" else _number(where, section, name, value)


def _number(where: str, section: str, name: str, value: Any) -> int | float:
    whole = name in _WHOLE
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or (whole and value % 1):
        kind = "a whole number" if whole else "a number"
        raise ArgumentError(
            f"`{section}.{name}` of the strategy file {where} must be {kind}, got {value!r}"
        )
    return int(value) if whole else float(value)


def strategy_text(
    base: Mapping[str, Any], params: Params, settings: Mapping[str, Any], heading: Sequence[str]
) -> str:
    """Return a strategy file with what was run, below a heading of comments.

    Parameters
    ----------
    base
        Content of the file that it began with; its other keys are kept.
    params
        What was run, all parameters.
    settings
        Options of the instrument that were run.
    heading
        Lines for the top.
    """
    import yaml

    content = dict(base)
    for section, names in SECTIONS.items():
        own = {name: params[name] for name in names}
        set_ = {n: settings[option] for n, option in _SETTINGS.get(section, {}).items()}
        kept = {n: v for n, v in (content.get(section) or {}).items() if n not in set_}
        content[section] = kept | own | {n: v for n, v in set_.items() if v is not None}
    head = "".join(f"# {line}\n" if line else "#\n" for line in heading)
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
