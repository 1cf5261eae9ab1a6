"""Bars of a symbol, from the store and from its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.data._listen import silent
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.bars import Bars
    from meseta.data._listen import Listener

__all__ = ["Request", "obtain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for."""

    symbol: str
    source: str = "store"
    interval: str = "1d"
    basis: str | None = None
    session: str = ""
    start: str | None = None
    end: str | None = None
    fetch: bool = True
    calendar: str | None = None
    store: Path | None = None


def obtain(request: Request, *, tell: Listener = silent, allow_nonpositive: bool = False) -> Bars:
    """Return the bars that are asked for."""
    del tell, allow_nonpositive
    raise ArgumentError(f"`symbol` is not here yet, got {request.symbol!r}")
