"""What the headers of an answer say of time."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from meseta.data import _clock
from meseta.errors import SourceError

if TYPE_CHECKING:
    from datetime import datetime

    import httpx2

__all__ = ["bearable", "retry_after", "served_at"]

_LONGEST_WAIT = 300.0


def bearable(seconds: float, who: str) -> float:
    """Return how long to wait, or raise where that is too long to wait for.

    Raises
    ------
    SourceError
        It is more than five minutes.
    """
    if seconds <= _LONGEST_WAIT:
        return seconds
    until = _clock.now() + timedelta(seconds=seconds)
    raise SourceError(
        f"{who} asks not to be asked again before {until:%Y-%m-%d %H:%M:%S} UTC", temporary=True
    )


def retry_after(answer: httpx2.Response) -> float | None:
    """Return how many seconds an answer asks to wait, None where it does not say."""
    text = answer.headers.get("Retry-After", "")
    if text.isdigit():
        return float(text)
    try:
        return (parsedate_to_datetime(text) - _clock.now()).total_seconds()
    except (TypeError, ValueError):
        return None


def served_at(answer: httpx2.Response) -> datetime:
    """Return the earlier of the vendor's time and ours: a bar that either has open is open."""
    try:
        return min(parsedate_to_datetime(answer.headers.get("Date", "")), _clock.now())
    except (TypeError, ValueError):
        return _clock.now()
