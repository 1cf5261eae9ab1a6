"""A stored series while it is fetched: what is there, what is added, what takes its place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from meseta.bars._finding import whole
from meseta.data import _clock
from meseta.data._compare import difference, tick_of
from meseta.data._damage import DamagedError, NewerError
from meseta.data._meta import Meta
from meseta.data._operation import Log, Operation
from meseta.data._schema import schema_of
from meseta.data._spans import LEAST, iso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from meseta.bars import Finding
    from meseta.data._ask import Page
    from meseta.data._key import SeriesKey
    from meseta.data._spans import Span
    from meseta.data._store import Store
    from meseta.data.sources import Answer, Facts

__all__ = ["OVERLAP", "Keeper", "ends_of"]

# Rows that are asked for again at each extension, so that a change of scale shows.
OVERLAP = 10


class Keeper:
    """Whoever reads and writes a series whose lock is held.

    Parameters
    ----------
    key, facts
        The series, and what its source knows of it.
    store
        Where it is kept.
    """

    def __init__(self, key: SeriesKey, facts: Facts, store: Store) -> None:
        self.key, self.facts, self.store = key, facts, store
        self.schema = schema_of(key)
        self.log = Log()
        self.warnings: list[Finding] = []

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
            self._set_aside(error.fault)
            return None, began
        self.log = Log(meta.log)
        # What a source says of a series may change with its version, and the user's calendar.
        return replace(meta, calendar=self.facts.calendar), None

    def blank(self) -> Meta:
        """Return the series without rows."""
        return Meta(
            key=self.key,
            timezone=self.facts.timezone,
            stamp=self.facts.stamp,
            calendar=self.facts.calendar,
            tick=self.facts.tick,
            log=self.log.lines,
        )

    def overlap_start(self, meta: Meta) -> datetime:
        """Return the moment of the tenth stored row from the end."""
        moments = self.schema.moments(self.store.frame(meta, meta.parts[-1].first))
        start: datetime = moments[-min(OVERLAP, len(moments))]
        return start

    def overlap_end(self, meta: Meta) -> datetime:
        """Return the end of the tenth stored row from the start."""
        moments = self.schema.moments(self.store.frame(meta, end=meta.parts[0].last + LEAST))
        row: datetime = moments[min(OVERLAP, len(moments)) - 1]
        return row + LEAST

    def difference(self, meta: Meta, page: Page) -> str:
        """Say in what a page differs from the stored rows of its span; empty where it does not."""
        if not meta.parts or page.span[0] > ends_of(meta)[1] or page.span[1] <= ends_of(meta)[0]:
            return ""
        new = page.rows.filter(self.schema.moments(page.rows).is_between(*ends_of(meta)))
        old = self.store.frame(meta, *page.span)
        if not old.height:
            return ""
        tick = self.facts.tick or (tick_of(old) if self.key.bar else 0.0)
        return difference(self.key, old, new, tick)

    def add(self, meta: Meta, operation: Operation, page: Page) -> Meta:
        """Store a page in the place of what is stored of its span."""
        moments = self.schema.moments(page.rows)
        known = meta.first is not None
        operation.take(moments.filter(~moments.is_between(*ends_of(meta))) if known else moments)
        meta = replace(_told(meta, page.answer), log=self.log.enter(operation))
        return self.store.save(meta, page.rows, replace=page.span)

    def note_nothing_before(self, meta: Meta, operation: Operation, begin: datetime) -> Meta:
        """Store that a vendor, asked for rows from `begin` on, has none before the first."""
        known = (iso(begin), iso(_clock.now()))
        meta = replace(meta, nothing_before=known, log=self.log.enter(operation))
        return self.store.save(meta, self.schema.empty(), replace=(begin, begin))

    def renew(self, meta: Meta, operation: Operation, pages: Sequence[Page]) -> Meta:
        """Put a whole new series, of at least one row, in the place of the stored one."""
        frame = pl.concat([page.rows for page in pages], how="diagonal")
        moments = self.schema.moments(frame)
        self._keep_longer(meta, (moments[0], moments[-1]), operation.why)
        operation.take(moments)
        made = replace(self.blank(), log=self.log.enter(operation))
        for page in pages:
            made = _told(made, page.answer)
        return self.store.save(made, frame)

    def warn(self, code: str, message: str) -> None:
        """Note what a user should know."""
        self.warnings.append(whole(code, message))

    def _set_aside(self, why: str) -> None:
        aside = self.store.set_aside(self.key, why)
        self.warn("store_damaged", f"{why}; it is kept in {aside}, and fetched anew")
        self.log.enter(Operation("set aside", None, why))

    def _keep_longer(self, meta: Meta, ends: Span, why: str) -> None:
        """Keep a copy of a series that was longer than its successor.

        The vendor no longer has those rows; on an old scale they are still evidence.
        """
        first, last = ends_of(meta)
        if ends[0] > first or ends[1] < last:
            aside = self.store.copy_aside(self.key, why)
            self.warn("store_shortened", f"{self.key.label} was longer; that is kept in {aside}")


def ends_of(meta: Meta) -> Span:
    """Return the first and the last moment of a series that has rows."""
    if meta.first is None or meta.last is None:
        raise ValueError("the series has no rows")
    return meta.first, meta.last


def _told(meta: Meta, answer: Answer) -> Meta:
    """Return the metadata with what an answer says of the series."""
    notes = dict.fromkeys([*meta.notes, *answer.notes])
    return replace(
        meta,
        vendor={**meta.vendor, **answer.vendor},
        objects={**meta.objects, **answer.objects},
        notes=tuple(notes),
    )
