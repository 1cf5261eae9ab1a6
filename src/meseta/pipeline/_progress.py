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
        `search`, `score`, `plateaus`, `finalists` or `report`; at the end of a run with
        variants `comparison`.
    done, total
        Combinations in the search, steps elsewhere.
    facts
        What else is known: `survivors`, combinations so far that are valid in enough phases.
    part
        Which of several variants is at work: ``"atr_d_l (2 of 2)"``; empty where there is one.
    """

    stage: str
    done: int
    total: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""


Listener: TypeAlias = "Callable[[Progress], None]"
