"""Range files for TradeStation, of a run and of its variants, in one folder."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from meseta.export import RangeFile, refinement_ranges, write_ranges

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.selection import Plateaus
    from meseta.strategies import Grid, SeparableStrategy

__all__ = ["range_files", "why_not_exported", "write_range_files"]


def why_not_exported(strategy: SeparableStrategy) -> str | None:
    """Return why a strategy has no range files, or None when it has."""
    if not strategy.tradestation_name:
        return f"no files for TradeStation: {strategy.name} has no name there"
    without = [
        p.name
        for p in strategy.parameters
        if not p.tradestation or p.fine_step is None or p.coarse_step is None
    ]
    if without:
        return (
            f"no files for TradeStation: of {strategy.name} it has no input or no steps for "
            f"{', '.join(without)}"
        )
    return None


def write_range_files(
    folder: Path, prefix: str, plateaus: Plateaus, strategy: SeparableStrategy, grid: Grid
) -> tuple[dict[str, Any], list[str]]:
    """Write a range file for each plateau, in place of those of an earlier run.

    Parameters
    ----------
    folder
        Where to.
    prefix
        Path from the run's folder to `folder`, for `plateaus.json`.
    plateaus, strategy, grid
        What was found, and in what.

    Returns
    -------
    tuple
        Content of `plateaus.json`, and warnings.
    """
    name = strategy.tradestation_name
    for old in folder.glob(f"phase5_refine_{name}_rank*.csv"):
        old.unlink()
    ranges, exports, warnings = {}, {}, []
    for plateau in plateaus.plateaus:
        found = refinement_ranges(plateau.top, strategy.parameters, grid)
        file = write_ranges(folder, name, plateau.rank, found)
        ranges[plateau.rank] = {each.parameter: each.to_dict() for each in found}
        exports[plateau.rank] = f"{prefix}{file.file}"
        clamped = [each.input for each in found if each.clamped]
        if clamped:
            warnings.append(
                f"plateau {plateau.rank} reaches beyond what TradeStation's inputs accept: "
                f"{', '.join(clamped)} cut to the legal range"
            )
    return plateaus.to_dict(ranges=ranges, exports=exports), warnings


def range_files(strategy: SeparableStrategy, plateaus: dict[str, Any]) -> list[RangeFile]:
    """Return the range files that `plateaus.json` names."""
    return [
        RangeFile(strategy.tradestation_name, each["rank"], PurePosixPath(each["export"]).name)
        for each in plateaus["plateaus"]
        if each["export"]
    ]
