"""Markets with sessions of their own, for tests that go from a vendor's server to bars."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from data.tradestation_site import bar
from meseta.data._sessions import sessions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def sessions(first: str, last: str) -> Iterator[tuple[datetime, datetime]]:
    """Opens and closes of New York's sessions from `first` to `last`, both included."""
    known = sessions_of("XNYS")
    days = known.dates.astype("datetime64[D]").astype(str)
    for day, opened, closed in zip(days, known.opens, known.closes, strict=True):
        if first <= day <= last:
            yield _EPOCH + int(opened) * _MICROSECOND, _EPOCH + int(closed) * _MICROSECOND


def daily(first: str, last: str) -> list[dict[str, Any]]:
    """A bar of TradeStation's for each session, whose price swings around a slow rise."""
    return [
        bar(f"{closed:%Y-%m-%d %H:%M}", 100 + 0.02 * at + 12 * math.sin(at / 17))
        for at, (_, closed) in enumerate(sessions(first, last))
    ]


def by_minute(first: str, last: str, size: int = 1) -> list[dict[str, Any]]:
    """The bars of whole sessions, each stamped at its end."""
    spans = list(sessions(first, last))
    ends = [
        opened + timedelta(minutes=size * (at + 1))
        for opened, closed in spans
        for at in range((closed - opened) // timedelta(minutes=size))
    ]
    return [bar(f"{end:%Y-%m-%d %H:%M}", 50 + at % 61 / 10) for at, end in enumerate(ends)]


def split(bars: Iterable[dict[str, Any]], factor: float) -> list[dict[str, Any]]:
    """The same bars after a split, of which the vendor adjusts the whole history."""
    prices = ("Open", "High", "Low", "Close")
    return [
        found | {name: f"{float(found[name]) * factor:.2f}" for name in prices} for found in bars
    ]
