"""What time it is, and waiting: the one place where data code asks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["now", "sleep", "stamp"]


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def stamp() -> str:
    """Return the present time in UTC as it is written down: ISO, to the second."""
    return now().isoformat(timespec="seconds")


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
