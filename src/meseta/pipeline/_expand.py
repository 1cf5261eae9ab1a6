"""Expansion: the simpler variants of a strategy, each with a grid and options of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta.config import RunConfig
from meseta.errors import ArgumentError
from meseta.pipeline._series import data_name, file_name
from meseta.strategies import Grid, find_separable, grid_names, load_grid

if TYPE_CHECKING:
    from meseta.strategies import SeparableStrategy as Strategy

__all__ = ["Variant", "fitting_axes", "run_name", "variants_of"]


@dataclass(frozen=True, slots=True)
class Variant:
    """A simpler variant of a strategy.

    Parameters
    ----------
    config
        The run's options with the variant's own strategy, grid, axes and folder.
    strategy, grid
        What is searched.
    notes
        What of the run's grid and options the variant could not take over.
    """

    config: RunConfig
    strategy: Strategy
    grid: Grid
    notes: tuple[str, ...]


def run_name(config: RunConfig) -> str:
    """Return the run's folder name: as asked, or strategy, data and grid."""
    if config.name:
        return config.name
    grid = config.grid if isinstance(config.grid, str) else "grid"
    name = find_separable(config.strategy).name
    return file_name(f"{name}-{data_name(config)}-{Path(grid).stem}".replace("-.", "-"))


def variants_of(config: RunConfig, strategy: Strategy, grid: Grid) -> tuple[Variant, ...]:
    """Return the variants that a run searches beside its own strategy.

    Parameters
    ----------
    config
        The run.
    strategy, grid
        Its strategy, and the grid that it searches.

    Raises
    ------
    ArgumentError
        A variant cannot be run on this grid, or has more combinations than allowed; the message
        names it.
    """
    if not config.expand:
        return ()
    found = []
    for name in strategy.expands:
        try:
            found.append(_variant(config, strategy, grid, find_separable(name)))
            if config.sample is None:
                found[-1].grid.require_at_most(config.max_combinations)
        except ArgumentError as error:
            raise ArgumentError(
                f"variant {name} of {strategy.name}: {error}; or leave the variants out with "
                "--no-expand"
            ) from error
    return tuple(found)


def _variant(config: RunConfig, strategy: Strategy, grid: Grid, variant: Strategy) -> Variant:
    spec: str | dict[str, Any]
    notes: list[str]
    if isinstance(config.grid, str) and config.grid in grid_names(strategy.parameters):
        spec, own, notes = config.grid, load_grid(config.grid, variant.parameters), []
    else:
        spec, own, notes = _reduced(grid, variant)
    axes = fitting_axes(config.axes, own)
    if axes != config.axes:
        notes.append(
            f"{variant.name} has not both of the axes {', '.join(config.axes)}; "
            f"its map is of {', '.join(axes)}"
        )
    changes = {
        "strategy": variant.name,
        "grid": spec,
        "axes": axes,
        "expand": False,
        "out": config.out / run_name(config) / "variants",
        "name": file_name(variant.name),
    }
    return Variant(config.model_copy(update=changes), variant, own, tuple(notes))


def _reduced(grid: Grid, variant: Strategy) -> tuple[dict[str, Any], Grid, list[str]]:
    """Return the part of a grid that is about a variant's parameters, also as a mapping."""
    names = [p.name for p in variant.parameters]
    spec: dict[str, Any] = {n: list(grid.values[n]) for n in names if n in grid.values}
    kept, notes = [], []
    for constraint in grid.constraints:
        foreign = [n for n in _names_in(grid, constraint) if n not in names]
        if foreign:
            notes.append(
                f"constraint `{constraint}` is left out: {variant.name} has no "
                f"{', '.join(foreign)}"
            )
        else:
            kept.append(constraint)
    if kept:
        spec["constraints"] = kept
    return spec, load_grid(spec, variant.parameters, name=grid.name), notes


def _names_in(grid: Grid, constraint: str) -> tuple[str, ...]:
    return Grid(grid.name, grid.values, (constraint,)).constrained


def fitting_axes(axes: tuple[str, str], grid: Grid) -> tuple[str, str]:
    """Return `axes` where a grid has both, else the usual ones, else two that it searches."""
    usual: tuple[str, str] = RunConfig.model_fields["axes"].default
    for pair in (axes, usual):
        if all(name in grid.names for name in pair):
            return pair
    one, other, *_ = (*grid.searched, *grid.names)
    return one, other
