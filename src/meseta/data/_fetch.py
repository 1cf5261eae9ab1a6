"""Fetching what is missing of a series, and only that, and never joining what does not fit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from meseta.data import _clock
from meseta.data._answers import facts_of
from meseta.data._ask import Asker
from meseta.data._calendars import check_calendar, finished
from meseta.data._coverage import lacks_head, lacks_tail
from meseta.data._keep import Keeper, ends_of
from meseta.data._operation import Operation
from meseta.data._spans import through
from meseta.errors import ArgumentError, DataError, MesetaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from meseta.bars import Finding
    from meseta.data._ask import Page
    from meseta.data._key import SeriesKey
    from meseta.data._listen import Listener
    from meseta.data._meta import Entry, Meta
    from meseta.data._spans import Span
    from meseta.data._store import Store
    from meseta.data.sources import Facts, Source

__all__ = ["Fetched", "fetch"]

# Pages without a row, as a span, after which nothing earlier is expected of a vendor.
NOTHING = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What fetching did.

    Parameters
    ----------
    meta
        The series as it is stored now.
    entries
        Lines that the fetch log has gained; none where nothing had to be asked.
    warnings
        What a user should know.
    """

    meta: Meta
    entries: tuple[Entry, ...]
    warnings: tuple[Finding, ...]


def fetch(
    key: SeriesKey,
    source: Source,
    store: Store,
    *,
    start: datetime | None,
    end: datetime | None,
    tell: Listener,
    calendar: str | None = None,
) -> Fetched:
    """Bring a stored series up to date.

    A full hit asks nothing. Else the gap before or after the stored rows is asked for, together
    with ten rows that are stored already: where one of them differs by more than a tick, or a
    file that the series was made of has been replaced, all of it is fetched again. Rows are
    stored page by page, so that a killed process loses one page.

    Parameters
    ----------
    key, source
        What to fetch from whom.
    store
        Where it is kept. The series is locked while this works.
    start, end
        Wanted moments, half-open, UTC. No start means that of the stored rows, else all that
        the source has; no end means everything that is finished.
    tell
        Told how far it is.
    calendar
        Instead of the one that the source names.

    Raises
    ------
    ArgumentError
        There is no such series, or nothing finished lies between start and end.
    DataError
        The vendor has no rows, or impossible ones.
    SourceError
        The vendor does not answer. What came before stays.
    """
    facts = facts_of(source, key)
    if calendar is not None:
        check_calendar(calendar)
        facts = replace(facts, calendar=calendar)
    with store.lock(key, tell):
        return _Work(key, source, facts, store, tell).run(start, end)


class _ChangedError(Exception):
    """What the vendor says of stored rows is no longer what is stored."""


class _Work:
    """One fetch, under the series' lock."""

    def __init__(
        self, key: SeriesKey, source: Source, facts: Facts, store: Store, tell: Listener
    ) -> None:
        self.key, self.facts, self.title = key, facts, source.title
        self.asker = Asker(source, key, facts, tell)
        self.keeper = Keeper(key, facts, store)

    def run(self, start: datetime | None, end: datetime | None) -> Fetched:
        meta, lost = self.keeper.stored()
        limit = finished(self.key, self.facts.calendar, _clock.now())
        stop = limit if end is None else min(end, limit)
        with self.noted():
            begin = self.begin(meta, start, lost)
            made = self.first(begin, stop) if meta is None else self.extended(meta, begin, stop)
        return Fetched(made, tuple(self.keeper.log.new), tuple(self.keeper.warnings))

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Let a failure tell what was done before it."""
        try:
            yield
        except MesetaError as error:
            for found in self.keeper.warnings:
                error.add_note(found.message)
            raise

    def begin(self, meta: Meta | None, start: datetime | None, lost: datetime | None) -> datetime:
        """Return from when on rows are wanted: at least from where a `lost` series began."""
        if start is None:
            start = lost or (meta and meta.first) or self.facts.earliest
        if start is None:
            raise ArgumentError(
                f"`start` is missing: {self.title} has so much of {self.key.label} that "
                "the first day has to be said; give --start 2023-01-01 or the like"
            )
        return start if lost is None else min(start, lost)

    def first(self, begin: datetime, stop: datetime) -> Meta:
        """Fetch a series of which nothing is stored."""
        if begin >= stop:
            raise ArgumentError(
                f"`start` and `end` must leave something finished to fetch, but {self.key.label} "
                f"has nothing finished from {self.said(begin)} to before {self.said(stop)}; give "
                "an earlier --start or a later --end"
            )
        made = self.backwards(self.keeper.blank(), "fetched", (begin, stop))
        if not made.parts:
            raise DataError(
                f"{self.title} has no rows of {self.key.label} from {self.said(begin)} to "
                f"before {self.said(stop)}; check the symbol and the dates"
            )
        return made

    def extended(self, meta: Meta, begin: datetime, stop: datetime) -> Meta:
        """Fetch the gaps after and before the stored rows; all of it where they do not fit."""
        tail, head = lacks_tail(meta, stop), lacks_head(meta, begin)
        if not (tail or head):
            return meta
        try:
            self.require_same(self.asker.replaced(meta.objects))
            meta = self.forwards(meta, stop) if tail else meta
            if not head:
                return meta
            span = begin, self.keeper.overlap_end(meta)
            return self.backwards(meta, "begun earlier", span)
        except _ChangedError as error:
            return self.again(meta, begin, stop, str(error))

    def backwards(self, meta: Meta, action: str, span: Span) -> Meta:
        """Fetch what came before the stored rows, newest page first."""
        operation, nothing = Operation(action, span), timedelta(0)
        for page in self.asker.pages(span, newest_first=True):
            self.require_same(self.keeper.difference(meta, page))
            if page.rows.height:
                meta, nothing = self.keeper.add(meta, operation, page), timedelta(0)
            else:
                nothing += page.span[1] - page.span[0]
            if nothing >= NOTHING:
                break
        # What did not come does not exist; behind a long time of nothing nobody looks.
        if meta.first is None or meta.first == span[0]:
            return meta
        return self.keeper.note_nothing_before(meta, operation, span[0])

    def forwards(self, meta: Meta, stop: datetime) -> Meta:
        """Fetch what came after the stored rows, oldest page first."""
        span = (self.keeper.overlap_start(meta), stop)
        operation = Operation("extended", span)
        for page in self.asker.pages(span):
            self.require_same(self.keeper.difference(meta, page))
            meta = self.keeper.add(meta, operation, page)
        return meta

    def again(self, meta: Meta, begin: datetime, stop: datetime, why: str) -> Meta:
        """Fetch all of a series that has changed; the old rows stay until the new ones are there.

        Trades, which are never adjusted and of which there are too many, change page by page.
        """
        stored = through(*ends_of(meta))
        span = (min(begin, stored[0]), max(stop, stored[1]))
        operation, pages = Operation("fetched again", span, why), self.asker.pages(span)
        warning = f"{self.key.label} is not what was stored ({why}): all of it is fetched again"
        self.keeper.warn("refetched", warning)
        if self.key.kind != "trades":
            return self.renewed(meta, operation, list(pages))
        for page in pages:
            meta = self.keeper.add(meta, operation, page)
        return meta

    def renewed(self, meta: Meta, operation: Operation, pages: Sequence[Page]) -> Meta:
        """Put a whole new series in the place of the stored one, unless it is empty."""
        if not any(page.rows.height for page in pages):
            raise DataError(
                f"{self.title} has nothing of {self.key.label} any more, and what is stored does "
                f"not fit ({operation.why}); it is kept, but not extended"
            )
        return self.keeper.renew(meta, operation, pages)

    def said(self, moment: datetime) -> str:
        """Write a moment for users."""
        return f"{moment:%Y-%m-%d}" if self.key.daily else f"{moment:%Y-%m-%d %H:%M} UTC"

    def require_same(self, difference: str) -> None:
        if difference:
            raise _ChangedError(difference)
