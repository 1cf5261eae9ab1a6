"""What was chosen over time, and whether choosing had anything to choose."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.strategies import Grid

__all__ = ["NEAR", "NOISE", "is_near", "jumps_of", "path_of"]

# A choice whose fitness lies this near that of the median combination is not told from it.
NEAR = 0.01
# From this share of windows on the search is said to have chosen noise.
NOISE = 0.5


def is_near(fitness: float, median: float) -> bool:
    """Tell whether a fitness lies within 1 % of the median combination's; NaN is not near."""
    if math.isinf(fitness) or math.isinf(median):
        return fitness == median
    return abs(fitness - median) <= NEAR * abs(median)


def jumps_of(grid: Grid, chosen: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return how far each searched parameter jumps from one traded window to the next.

    Parameters
    ----------
    grid
        The combinations.
    chosen
        Numbers of the combinations of the windows that traded, in order.

    Returns
    -------
    dict
        By parameter: `mean_steps`, grid steps; `mean_share`, the same as a share of the axis;
        `random_share`, what `mean_share` is for values drawn blindly, (n + 1) / 3n for n values;
        `changes`, number of boundaries at which the value changes. Nothing for less
        than two windows.
    """
    if len(chosen) < 2:
        return {}
    index = grid.indices(np.array(chosen, np.int64))
    found = {}
    for name in grid.searched:
        many = len(grid.values[name])
        steps = np.abs(np.diff(index[name]))
        found[name] = {
            "mean_steps": float(steps.mean()),
            "mean_share": float(steps.mean()) / (many - 1),
            "random_share": (many + 1) / (3 * many),
            "changes": int((steps > 0).sum()),
        }
    return found


def path_of(grid: Grid, chosen: Sequence[int | None], near: Sequence[bool]) -> dict[str, Any]:
    """Return what the parameter path says.

    Parameters
    ----------
    grid
        The combinations.
    chosen, near
        For every window its combination (None for a flat one), and whether its fitness was
        within 1 % of the median combination's.

    Returns
    -------
    dict
        `near_median`, share of traded windows, 0 to 1, None without one; `noise`, whether that
        is at least one half; `jumps`, see `jumps_of`.
    """
    traded = [flat for flat in chosen if flat is not None]
    close = [each for flat, each in zip(chosen, near, strict=True) if flat is not None]
    share = sum(close) / len(close) if close else None
    noise = share is not None and share >= NOISE and len(grid.searched) > 0
    return {"near_median": share, "noise": noise, "jumps": jumps_of(grid, traded)}
