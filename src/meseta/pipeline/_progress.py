"""How a run tells where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meseta.data import Step

__all__ = ["Listener", "Progress", "steps_of"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Parameters
    ----------
    stage
        `fetch`, `search`, `score`, `plateaus`, `finalists` or `report`; at the end of a run with
        variants `comparison`. Of an optimisation `study`, `null` and `windows`.
    done, total
        Combinations in the search, trials in studies, steps elsewhere; `total` is 0 where nobody
        knows.
    facts
        What else is known: `survivors`, combinations so far that are valid in enough phases;
        `what` is being fetched, or waited for; of a study's trials `feasible`, `pruned`, `failed`
        and the `best` score.
    part
        Which of several variants is at work: ``"atr_d_l (2 of 2)"``; empty where there is one.
        The symbol that is fetched.
    """

    stage: str
    done: int
    total: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""


Listener: TypeAlias = "Callable[[Progress], None]"


def steps_of(listener: Listener | None, symbol: str) -> Callable[[Step], None]:
    """Return what tells a run's listener of the steps in which a symbol is fetched."""

    def tell(step: Step) -> None:
        if listener is not None:
            listener(Progress("fetch", step.done, step.total, {"what": step.what}, symbol))

    return tell
