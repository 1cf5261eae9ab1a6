"""What every page says in the same words: how much was searched, what was assumed, what is unreal.

Nothing here looks a strategy up: a page is made from the run folder alone, also long after the
strategy was changed, so what a strategy does is read off its grid's parameters and its name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meseta.report._format import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meseta.report._record import Record
    from meseta.report._run import Manifest

__all__ = ["CONTRACT_COSTS", "SHORT_COSTS", "constrained", "extent", "made_up", "sample", "shorts"]

SHORT_COSTS = (
    "A share to borrow is always there, and neither borrow cost nor the dividends that a short "
    "owes nor a margin call is counted. A real account has all of them, so shorts look better "
    "here than they are."
)

CONTRACT_COSTS = (
    "The same number of contracts is traded whatever is left of the account: neither margin nor a "
    "margin call is counted, and equity may fall below zero."
)

_MADE_UP = re.compile(r"\bmade[ -]up\b", re.IGNORECASE)


def made_up(texts: Iterable[str | None]) -> list[str]:
    """Return those of `texts` that say that data are made up, each once."""
    return list(dict.fromkeys(text for text in texts if text and _MADE_UP.search(text)))


def sample(manifest: Record) -> str | None:
    """Say how combinations were drawn, "Sobol sample, seed 0"; None where all were searched."""
    drawn = manifest.grid.sampled
    if drawn is None:
        return None
    method = "Sobol" if drawn.method == "sobol" else drawn.method
    return f"{method} sample" + ("" if drawn.seed is None else f", seed {drawn.seed}")


def extent(manifest: Record) -> str:
    """Say how many combinations were searched, of how many, and how they were drawn."""
    total, drawn = count(manifest.searched), sample(manifest)
    if drawn is None:
        return f"{total} combinations"
    return f"{total} of {count(manifest.grid.combinations)} combinations, {drawn}"


def constrained(manifest: Record) -> str | None:
    """Say how many combinations the constraints leave; None when that was not recorded."""
    grid = manifest.grid
    if not grid.constraints or grid.combinations is None or not grid.values:
        return None
    return f"{count(grid.combinations)} of {count(grid.product)} combinations meet them."


def shorts(manifest: Manifest) -> bool:
    """Tell whether the strategy sells short."""
    if manifest.shorts is not None:
        return manifest.shorts
    return manifest.strategy.endswith("_ls") or "short_multiplier" in manifest.grid.values
