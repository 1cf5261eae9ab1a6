"""Spaces that a user writes: a mapping, or a YAML file of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meseta._near import did_you_mean
from meseta._yaml import read_yaml
from meseta.bayes._space import Dependent, Dimension, Space
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.bayes._space import About, Bound

__all__ = ["Limits", "Tie", "load_space", "read_entries"]

_FORMS = "a number, a list of numbers, or {low, high} with step or log: true"
_KEYS = ("low", "high", "step", "log")
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a parameter's values can be at all.

    Parameters
    ----------
    low, high
        Both included.
    integer
        Whether values are whole numbers.
    ordered
        False where values are names of methods, none nearer to another.
    """

    low: float
    high: float
    integer: bool = False
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Tie:
    """That a parameter depends on others: the name of its share, and its bound."""

    ratio: str
    bound: Bound


def read_entries(source: str | Path | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name and the entries of a space: a YAML file's, or ``"custom"`` and a mapping's.

    Raises
    ------
    ArgumentError
        There is no such file, or it holds no mapping.
    """
    if isinstance(source, Mapping):
        return "custom", dict(source)
    path = Path(source)
    entries = read_yaml(path, "space")
    if not isinstance(entries, dict) or not entries:
        raise ArgumentError(
            f"the space file {path} must hold a parameter and its values in each line, such as "
            f"`ema_fast: {{low: 5, high: 25}}`, got {type(entries).__name__}"
        )
    return path.stem, entries


def load_space(
    source: str | Path | Mapping[str, Any],
    limits: Mapping[str, Limits],
    *,
    name: str | None = None,
    base: Mapping[str, Any] = _NOTHING,
    ties: Mapping[str, Tie] = _NOTHING,
    about: Mapping[str, About] = _NOTHING,
) -> Space:
    """Return the space that a YAML file or a mapping describes.

    An entry is a number (not searched), a list of numbers (the sampler draws one of them), or
    ``{low: 5, high: 25}`` with ``step: 5`` or ``log: true`` where wanted.

    Parameters
    ----------
    source
        Path of a YAML file, or a mapping.
    limits
        What each parameter's values can be; the space has their order.
    name
        Name of the space; else the file's without suffix, or ``"custom"``.
    base
        Entries of parameters that `source` does not mention.
    ties
        Parameters whose range depends on others, in the order in which they are found.
    about
        What parameters are, for tables.

    Raises
    ------
    ArgumentError
        There is no such file; a parameter is unknown or missing; an entry has another form, lies
        outside the limits or contradicts itself or another.
    """
    called, given = read_entries(source)
    _require_known(given, limits)
    entries = {**base, **given}
    missing = [each for each in limits if each not in entries]
    if missing:
        raise ArgumentError(
            f"the space `{name or called}` must have {_FORMS} for every parameter, missing: "
            f"{', '.join(missing)}"
        )
    read = {each: _read(each, entries[each], limits[each]) for each in limits}
    return _built(name or called, read, ties, about)


def _built(
    name: str,
    read: Mapping[str, Dimension | int | float],
    ties: Mapping[str, Tie],
    about: Mapping[str, About],
) -> Space:
    """Return the space of parameters and what ties them."""
    fixed = {each: entry for each, entry in read.items() if not isinstance(entry, Dimension)}
    tied = {each: _tied(each, read[each], tie) for each, tie in ties.items()}
    free = [d for d in read.values() if isinstance(d, Dimension) and d.name not in ties]
    ratios = [Dimension(ties[each].ratio, 0, 1) for each in ties]
    others = {each: value for each, value in fixed.items() if each not in ties}
    # A fixed value must fit what it depends on too: a range of this one value tells.
    whole = Space(name, (*free, *ratios), tuple(tied.values()), others, tuple(read), about)
    kept = tuple(each for each in whole.dependents if each.name not in fixed)
    drawn = {each.ratio for each in kept}
    shares = tuple(ratio for ratio in ratios if ratio.name in drawn)
    return Space(name, (*free, *shares), kept, fixed, tuple(read), about)


def _tied(name: str, entry: Dimension | float, tie: Tie) -> Dependent:
    if not isinstance(entry, Dimension):
        whole = isinstance(entry, int)
        return Dependent(name, tie.ratio, entry, entry, integer=whole, bound=tie.bound)
    if entry.choices is not None:
        raise ArgumentError(
            f"`{name}` depends on {', '.join(tie.bound.reads)}; give it {{low, high}} with a step "
            f"or one number, not the list {list(entry.choices)!r}"
        )
    return Dependent(
        name, tie.ratio, entry.low, entry.high, entry.step, entry.log, entry.integer,
        bound=tie.bound,
    )  # fmt: skip


def _read(name: str, entry: object, limits: Limits) -> Dimension | int | float:
    """Return what one entry says: a dimension, or a fixed value."""
    if isinstance(entry, list | tuple):
        return _listed(name, entry, limits)
    if not isinstance(entry, Mapping):
        return _number(name, "", entry, limits)
    unknown = next((key for key in entry if key not in _KEYS), None)
    if unknown is not None or not {"low", "high"} <= set(entry):
        hint = did_you_mean(str(unknown), _KEYS) if unknown is not None else ""
        raise ArgumentError(f"`{name}` must be {_FORMS}, got {dict(entry)!r}{hint}")
    return _ranged(name, entry, limits)


def _listed(name: str, entry: list[Any] | tuple[Any, ...], limits: Limits) -> Dimension:
    values = [_number(name, "", value, limits) for value in entry]
    if not values or len(set(values)) < len(values):
        raise ArgumentError(f"`{name}` must list each of its values once, got {list(entry)!r}")
    return Dimension.of_choices(name, sorted(values), ordered=limits.ordered)


def _ranged(name: str, entry: Mapping[str, Any], limits: Limits) -> Dimension:
    low, high = (_number(name, key, entry[key], limits) for key in ("low", "high"))
    step, log = entry.get("step"), entry.get("log", False)
    if not isinstance(log, bool):
        raise ArgumentError(f"`{name}`: log must be true or false, got {log!r}")
    if step is not None and not _is_number(step):
        raise ArgumentError(f"`{name}`: step must be a number, got {step!r}")
    if limits.ordered:
        return Dimension(name, low, high, step, log=log, integer=limits.integer)
    if step is not None or log or low > high:
        raise ArgumentError(
            f"`{name}` names methods, which have no order: give a list, or low and high alone, "
            f"got {dict(entry)!r}"
        )
    return Dimension.of_choices(name, range(int(low), int(high) + 1), ordered=False)


def _number(name: str, key: str, value: Any, limits: Limits) -> int | float:
    """Return a number inside the limits, whole where it must be."""
    where = f"`{name}`: {key}" if key else f"`{name}`"
    kind = "whole number" if limits.integer else "number"
    fits = _is_number(value) and limits.low <= value <= limits.high
    if not fits or (limits.integer and value % 1):
        raise ArgumentError(
            f"{where} must be a {kind} from {limits.low:g} to {limits.high:g}, got {value!r}"
        )
    return int(value) if limits.integer else float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require_known(given: Mapping[str, Any], limits: Mapping[str, Limits]) -> None:
    unknown = next((each for each in given if each not in limits), None)
    if unknown is not None:
        raise ArgumentError(
            f"the space has an unknown parameter {unknown!r}{did_you_mean(str(unknown), limits)} "
            f"(known: {', '.join(limits)})"
        )
