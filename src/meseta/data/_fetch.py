"""Fetching what is missing of a series, and only that, and never joining what does not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from meseta.bars._finding import whole
from meseta.data import _clock
from meseta.data._answers import checked, spans
from meseta.data._calendars import check_calendar, finished
from meseta.data._compare import difference, tick_of
from meseta.data._coverage import lacks_head, lacks_tail
from meseta.data._listen import Step
from meseta.data._meta import Meta, NewerError
from meseta.data._operation import Log, Operation, iso
from meseta.data._schema import schema_of
from meseta.data._store import DamagedError
from meseta.errors import ArgumentError, DataError, MesetaError, SourceError

if TYPE_CHECKING:
    from datetime import datetime

    from meseta.bars import Finding
    from meseta.data._answers import Span
    from meseta.data._key import SeriesKey
    from meseta.data._listen import Listener
    from meseta.data._meta import Entry
    from meseta.data._store import Store
    from meseta.data.sources import Answer, Facts, Source

__all__ = ["OVERLAP", "Fetched", "fetch"]

# Rows that are asked for again at each extension, so that a change of scale shows.
OVERLAP = 10
# Pages without a row, as a span, after which nothing earlier is expected of a vendor.
NOTHING = timedelta(days=400)
_LEAST = timedelta(microseconds=1)


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
    facts = source.facts(key)
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
        self.key, self.source, self.facts = key, source, facts
        self.store, self.tell = store, tell
        self.schema = schema_of(key)
        self.log = Log()
        self.warnings: list[Finding] = []

    def run(self, start: datetime | None, end: datetime | None) -> Fetched:
        meta, lost = self.stored()
        begin = self.begin(meta, start, lost)
        limit = finished(self.key, self.facts.calendar, _clock.now())
        stop = limit if end is None else min(end, limit)
        made = self.first(begin, stop) if meta is None else self.extended(meta, begin, stop)
        return Fetched(made, tuple(self.log.new), tuple(self.warnings))

    def stored(self) -> tuple[Meta | None, datetime | None]:
        """Return the sound series; where it is damaged, None and when it began."""
        began = None
        try:
            meta = self.store.read(self.key)
            if meta is None:
                return None, None
            began = meta.first
            if self.key.kind != "trades":
                self.store.frame(meta)
        except NewerError:
            raise
        except DamagedError as error:
            aside = self.store.set_aside(self.key, str(error))
            self.warn("store_damaged", f"{error}; it is kept in {aside} and fetched anew")
            self.log.enter(Operation("set aside", None, str(error)))
            return None, began
        self.log = Log(meta.log)
        # What a source says of a series may change with its version, and the user's calendar.
        return replace(meta, calendar=self.facts.calendar), None

    def begin(self, meta: Meta | None, start: datetime | None, lost: datetime | None) -> datetime:
        if start is None:
            start = lost or (meta and meta.first) or self.facts.earliest
        if start is None:
            raise ArgumentError(
                f"`start` is missing: {self.source.title} has so much of {self.key.label} that "
                "the first day has to be said; give --start 2023-01-01 or the like"
            )
        return start if lost is None else min(start, lost)

    # What is asked for ---------------------------------------------------------------------

    def first(self, begin: datetime, stop: datetime) -> Meta:
        """Fetch a series of which nothing is stored."""
        if begin >= stop:
            raise ArgumentError(
                f"`start` and `end` must leave something finished to fetch, but {self.key.label} "
                f"has nothing finished from {iso(begin)} to before {iso(stop)}"
            )
        made = self.backwards(self.blank(), "fetched", (begin, stop))
        if not made.parts:
            raise DataError(
                f"{self.source.title} has no rows of {self.key.label} from {iso(begin)} to "
                f"before {iso(stop)}; check the symbol and the dates"
            )
        return made

    def extended(self, meta: Meta, begin: datetime, stop: datetime) -> Meta:
        """Fetch the gaps after and before the stored rows; all of it where they do not fit."""
        tail, head = lacks_tail(meta, stop), lacks_head(meta, begin)
        if not (tail or head):
            return meta
        try:
            self.require_same_files(meta)
            meta = self.forwards(meta, stop) if tail else meta
            if not head:
                return meta
            return self.backwards(meta, "begun earlier", (begin, self.overlap_end(meta)))
        except _ChangedError as error:
            return self.again(meta, begin, stop, str(error))

    def backwards(self, meta: Meta, action: str, span: Span) -> Meta:
        """Fetch what came before the stored rows, newest page first."""
        operation, nothing = Operation(action, span), timedelta(0)
        for page, told in self.pages(span, newest_first=True):
            frame, answer = self.ask(page, told)
            self.require_same(meta, frame, page)
            if frame.height:
                meta, nothing = self.keep(meta, operation, frame, answer, page), timedelta(0)
            else:
                nothing += page[1] - page[0]
            if nothing >= NOTHING:
                break
        # What did not come does not exist; behind a long time of nothing nobody looks.
        if meta.first is None or meta.first == span[0]:
            return meta
        known = replace(meta, nothing_before=(iso(span[0]), iso(_clock.now())))
        return self.keep(known, operation, self.schema.empty(), None, (span[0], span[0]))

    def forwards(self, meta: Meta, stop: datetime) -> Meta:
        """Fetch what came after the stored rows, oldest page first."""
        span = (self.overlap_start(meta), stop)
        operation = Operation("extended", span)
        for page, told in self.pages(span):
            frame, answer = self.ask(page, told)
            self.require_same(meta, frame, page)
            meta = self.keep(meta, operation, frame, answer, page)
        return meta

    def again(self, meta: Meta, begin: datetime, stop: datetime, why: str) -> Meta:
        """Fetch all of a series that has changed; the old rows stay until the new ones are there.

        Trades, which are never adjusted and of which there are too many, change page by page.
        """
        first, last = _ends(meta)
        span = (min(begin, first), max(stop, last + _LEAST))
        operation = Operation("fetched again", span, why)
        answers = []
        for page, told in self.pages(span):
            frame, answer = self.ask(page, told)
            answers.append((frame, answer))
            if self.key.kind == "trades":
                meta = self.keep(meta, operation, frame, answer, page)
        self.warn("refetched", f"{self.key.label} is not what was stored ({why}): fetched again")
        return meta if self.key.kind == "trades" else self.renewed(meta, operation, answers)

    # What comes of it ----------------------------------------------------------------------

    def pages(self, span: Span, *, newest_first: bool = False) -> list[tuple[Span, Step]]:
        """Return the pages of a span, and what is told before each."""
        pages = spans(*span, self.facts.page)
        return [
            (
                page,
                Step(f"{self.key.label} {page[0]:%Y-%m-%d} to {page[1]:%Y-%m-%d}", at, len(pages)),
            )
            for at, page in enumerate(reversed(pages) if newest_first else pages)
        ]

    def ask(self, page: Span, told: Step) -> tuple[pl.DataFrame, Answer]:
        self.tell(told)
        try:
            answer = self.source.fetch(self.key, *page, self.tell)
        except MesetaError:
            raise
        except Exception as error:
            if type(self.source).__module__.startswith("meseta."):
                raise
            raise SourceError(
                f"the source {self.source.title} failed with {type(error).__name__}: {error}; "
                "mend its file, or ask who wrote it",
                temporary=False,
            ) from error
        return checked(self.source, self.key, answer, page), answer

    def require_same_files(self, meta: Meta) -> None:
        replaced = sorted(self.source.revised(self.key, meta.objects, self.tell))
        if replaced:
            more = f" and {len(replaced) - 1} more" if len(replaced) > 1 else ""
            raise _ChangedError(f"{replaced[0]}{more} was replaced")

    def require_same(self, meta: Meta, frame: pl.DataFrame, page: Span) -> None:
        """Hold the rows that are stored already against what has come of the same span."""
        if not meta.parts or page[0] > _ends(meta)[1] or page[1] <= _ends(meta)[0]:
            return
        new = frame.filter(self.schema.moments(frame).is_between(*_ends(meta)))
        old = self.store.frame(meta, *page)
        if not old.height:
            return
        tick = self.facts.tick or (tick_of(old) if self.key.bar else 0.0)
        found = difference(self.key, old, new, tick)
        if found:
            raise _ChangedError(found)

    def keep(
        self,
        meta: Meta,
        operation: Operation,
        frame: pl.DataFrame,
        answer: Answer | None,
        page: Span,
    ) -> Meta:
        """Store one page."""
        moments = self.schema.moments(frame)
        new = moments if meta.first is None else moments.filter(~moments.is_between(*_ends(meta)))
        operation.take(new)
        meta = replace(meta, log=self.log.enter(operation))
        return self.store.save(
            meta if answer is None else _told(meta, answer), frame, replace=page
        )

    def renewed(
        self,
        meta: Meta,
        operation: Operation,
        answers: list[tuple[pl.DataFrame, Answer]],
    ) -> Meta:
        """Put a whole new series in the place of the stored one."""
        frame = pl.concat([rows for rows, _ in answers], how="diagonal")
        if not frame.height:
            raise DataError(
                f"{self.source.title} has nothing of {self.key.label} any more, and what is "
                f"stored does not fit ({operation.why}); it is kept, but not extended"
            )
        moments = self.schema.moments(frame)
        first, last = _ends(meta)
        if moments[0] > first or moments[-1] < last:
            # The vendor no longer has what is stored; rows on an old scale are still evidence.
            aside = self.store.copy_aside(self.key, operation.why)
            self.warn("store_shortened", f"{self.key.label} was longer; that is kept in {aside}")
        operation.take(moments)
        made = replace(self.blank(), log=self.log.enter(operation))
        for _, answer in answers:
            made = _told(made, answer)
        return self.store.save(made, frame)

    def blank(self) -> Meta:
        """Return the series without rows."""
        return Meta(
            key=self.key,
            timezone=self.facts.timezone,
            stamp=self.facts.stamp,
            calendar=self.facts.calendar,
            tick=self.facts.tick,
            vendor={},
            objects={},
            log=self.log.lines,
        )

    def overlap_start(self, meta: Meta) -> datetime:
        """Return the moment of the tenth stored row from the end."""
        moments = self.schema.moments(self.store.frame(meta, meta.parts[-1].first))
        start: datetime = moments[-min(OVERLAP, len(moments))]
        return start

    def overlap_end(self, meta: Meta) -> datetime:
        """Return the end of the tenth stored row from the start."""
        moments = self.schema.moments(self.store.frame(meta, end=meta.parts[0].last + _LEAST))
        row: datetime = moments[min(OVERLAP, len(moments)) - 1]
        return row + _LEAST

    def warn(self, code: str, message: str) -> None:
        self.warnings.append(whole(code, message))


def _told(meta: Meta, answer: Answer) -> Meta:
    """Return the metadata with what an answer says of the series."""
    notes = dict.fromkeys([*meta.notes, *answer.notes])
    return replace(
        meta,
        vendor={**meta.vendor, **answer.vendor},
        objects={**meta.objects, **answer.objects},
        notes=tuple(notes),
    )


def _ends(meta: Meta) -> Span:
    if meta.first is None or meta.last is None:
        raise ValueError("the series has no rows")
    return meta.first, meta.last
