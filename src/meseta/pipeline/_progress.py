"""How a run tells where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Listener", "Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Parameters
    ----------
    stage
        `search`, `score`, `plateaus`, `finalists` or `report`.
    done, total
        Combinations in the search, steps elsewhere.
    facts
        What else is known: `survivors`, combinations so far that are valid in enough phases.
    """

    stage: str
    done: int
    total: int
    facts: Mapping[str, Any] = field(default_factory=dict)


Listener: TypeAlias = "Callable[[Progress], None]"
