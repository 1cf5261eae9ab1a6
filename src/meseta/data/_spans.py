"""Half-open spans of time, ``start <= moment < end``, in UTC."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

__all__ = ["LEAST", "Span", "cut", "iso", "through"]

Span: TypeAlias = tuple[datetime, datetime]

LEAST = timedelta(microseconds=1)
"""Between a moment and the next."""


def through(first: datetime, last: datetime) -> Span:
    """Return the span from one moment to another, both inside."""
    return first, last + LEAST


def cut(span: Span, page: timedelta | None) -> list[Span]:
    """Cut a span into pages, oldest first, each but the first of the full length.

    The newest page is a full one, so that what is fetched first is most.
    """
    begin, stop = span
    cuts = [stop]
    while page is not None and cuts[-1] - page > begin:
        cuts.append(cuts[-1] - page)
    return list(itertools.pairwise([begin, *reversed(cuts)]))


def iso(moment: datetime) -> str:
    """Write a moment in UTC."""
    return moment.astimezone(UTC).isoformat()
