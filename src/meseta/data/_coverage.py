"""What of a wanted span is stored, judged by what was received and never by what was asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from meseta.data import _clock
from meseta.data._calendars import last_expected

if TYPE_CHECKING:
    from meseta.data._meta import Meta

__all__ = ["lacks_head", "lacks_tail"]

# How long a vendor's answer is believed that it has nothing earlier: a listing date does not
# move, and yet one empty answer must not hide history for ever.
BELIEVED = timedelta(days=30)


def lacks_tail(meta: Meta, stop: datetime) -> bool:
    """Tell whether rows before `stop` should exist after the last stored one.

    Where nobody knows when the market is open, they may.
    """
    if meta.last is None or meta.last >= stop:
        return meta.last is None
    expected = last_expected(meta.key, meta.calendar, stop)
    return expected is None or meta.last < expected


def lacks_head(meta: Meta, begin: datetime) -> bool:
    """Tell whether rows from `begin` should exist before the first stored one."""
    if meta.first is None or begin >= meta.first:
        return meta.first is None
    if _has_nothing_before(meta, begin):
        return False
    expected = last_expected(meta.key, meta.calendar, meta.first)
    return expected is None or expected >= begin


def _has_nothing_before(meta: Meta, begin: datetime) -> bool:
    if meta.nothing_before is None:
        return False
    asked, when = (datetime.fromisoformat(text) for text in meta.nothing_before)
    return asked <= begin and _clock.now() - when < BELIEVED
