"""Spans of history: what was searched, what validated it, and what was kept locked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SPAN_NAMES", "Span", "SpanKind"]

SpanKind = Literal["in-sample", "validation", "vault"]

SPAN_NAMES: dict[SpanKind, str] = {
    "in-sample": "In-sample",
    "validation": "Validation",
    "vault": "Vault",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of history and the part it plays.

    Parameters
    ----------
    kind
        "in-sample", "validation" (the out-of-sample side of a phase, which the gates read) or
        "vault" (which no selection reads).
    first, last
        Times of the first and the last bar.
    lane
        Name of the row below the chart in which it is drawn, for example "phase 1".
    """

    kind: SpanKind
    first: np.datetime64
    last: np.datetime64
    lane: str
