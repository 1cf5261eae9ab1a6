"""What the event-driven engine leaves of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meseta.hedge._result import HedgeResult

__all__ = ["EventDriven"]


@dataclass(frozen=True, eq=False)
class EventDriven:
    """A back-test by events, in the form of the compiled one.

    Parameters
    ----------
    result
        Lots and curves; exit prices are means where a lot was closed in parts.
    thin
        Numbers of the lots that were closed in several fills, because a bar's volume was thin.
    """

    result: HedgeResult
    thin: frozenset[int]
