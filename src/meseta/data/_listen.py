"""What long work on data tells of itself while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Listener", "Step", "silent"]


@dataclass(frozen=True, slots=True)
class Step:
    """How far a download is.

    Parameters
    ----------
    what
        What is being fetched, such as ``"BTCUSDT-1m-2024-05.zip"`` or a span of dates; or why
        nothing happens (``"waiting 60 s, as TradeStation asks"``).
    done, total
        Counted in whatever the source counts: pages, files or days. `total` is 0 where nobody
        knows.
    """

    what: str
    done: int = 0
    total: int = 0


Listener: TypeAlias = Callable[[Step], None]
"""Whoever is told."""


def silent(step: Step) -> None:
    """Tell nobody."""
