"""Bars of a symbol: from the store, brought up to date first where that is wanted and possible."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from meseta.bars._finding import UNREACHABLE, whole
from meseta.data import _clock
from meseta.data._answers import facts_of
from meseta.data._calendars import check_calendar, finished, missing
from meseta.data._coverage import lacks_head, lacks_tail
from meseta.data._dates import wanted
from meseta.data._fetch import fetch
from meseta.data._file import SOURCE as FILES
from meseta.data._find import Pick, listed, near, picked
from meseta.data._key import SeriesKey
from meseta.data._listen import silent
from meseta.data._schema import schema_of
from meseta.data._store import Store
from meseta.data._to_bars import to_bars
from meseta.data.sources import find_source
from meseta.errors import ArgumentError, DataError, SourceError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import polars as pl

    from meseta.bars import Bars, Finding
    from meseta.data._key import Basis
    from meseta.data._listen import Listener
    from meseta.data._meta import Meta

__all__ = ["STORED", "Request", "obtain"]

STORE = "store"
# What is stored is all that there is of these: of any source, and of imported files.
STORED = {STORE, FILES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Bars that a user wants.

    Parameters
    ----------
    symbol
        As the vendor writes it.
    source
        Name of a source, see `meseta.data.find_source`; ``"store"`` takes whatever is stored of
        that symbol, from one source or another; of several ``SOURCE/SYMBOL`` names one.
        ``"files"`` takes what was imported.
    interval
        Length of the vendor's bars, such as ``"1d"`` or ``"5m"``.
    basis
        What prices are adjusted for, see `SeriesKey`; None for the source's usual one.
    session
        The vendor's name of other trading hours than the usual.
    start, end
        Dates, both included, or times; None for all that is stored, or that there is.
    fetch
        Whether what is missing may be fetched; False never touches the network.
    calendar
        Of exchange_calendars, or ``"24/7"``, instead of the source's.
    store
        Folder of the store; None for the user's own.
    """

    symbol: str
    source: str = STORE
    interval: str = "1d"
    basis: str | None = None
    session: str = ""
    start: str | None = None
    end: str | None = None
    fetch: bool = True
    calendar: str | None = None
    store: Path | None = None


def obtain(request: Request, *, tell: Listener = silent, allow_nonpositive: bool = False) -> Bars:
    """Return the bars of a symbol.

    What is missing is fetched and stored first. Where the source cannot be reached the stored
    bars are used, and `Bars.warnings` say so before anything else.

    Parameters
    ----------
    request
        Which bars.
    tell
        Told how far a download is.
    allow_nonpositive
        See `meseta.bars.load`.

    Returns
    -------
    Bars
        Named after the symbol. `warnings` begin with findings of the codes
        ``source_unreachable``, ``refetched``, ``store_damaged``, ``store_shortened`` (the source
        no longer goes back as far), ``stored_only`` (the stored bars do not cover what was asked
        for, and nobody was asked), ``missing_sessions`` and ``volume_incomplete``.

    Raises
    ------
    ArgumentError
        A part of the request breaks a rule, or names several stored series.
    DataError
        Nothing is stored and nothing may be fetched, or the bars are impossible.
    SourceError
        The source does not answer and nothing is stored, or the request itself is at fault.
    """
    store = Store(request.store)
    key = key_of(request, store)
    notes = _brought_up_to_date(request, key, store, tell)
    meta = store.read(key)
    if meta is None:
        raise DataError(_not_stored(request, key))
    if request.calendar is not None:
        check_calendar(request.calendar)
        meta = replace(meta, calendar=request.calendar)
    begin, stop = wanted(key, meta.timezone, request.start, request.end)
    frame = store.frame(meta, begin, stop)
    if not frame.height:
        raise DataError(_no_rows(request, meta))
    if not notes:
        notes = _uncovered(meta, begin, stop)
    notes += _missing(meta, frame)
    return to_bars(meta, frame, allow_nonpositive=allow_nonpositive, warnings=notes)


def key_of(request: Request, store: Store) -> SeriesKey:
    """Return the series that is meant.

    Raises
    ------
    ArgumentError
        There is no such source, or ``"store"`` holds none or several of that symbol.
    """
    if request.source in STORED:
        return _stored_key(request, store)
    source = find_source(request.source)
    return SeriesKey(
        source.name,
        request.symbol,
        request.interval,
        basis=cast("Basis | None", request.basis) or source.basis_of(request.symbol),
        session=request.session,
    )


def _stored_key(request: Request, store: Store) -> SeriesKey:
    pick = Pick(
        name=request.symbol,
        source=None if request.source == STORE else request.source,
        interval=request.interval,
        kind="bars",
        basis=request.basis,
        session=request.session,
    )
    found = picked(store, pick)
    if not found:
        raise DataError(
            f"`symbol` {pick.text} is not stored; fetch it with `meseta data fetch "
            f"{request.symbol} --source yahoo`, or see `meseta data list`{near(store, pick)}"
        )
    if len(found) > 1:
        raise ArgumentError(
            f"`symbol` {pick.name} is stored more than once: {listed(found)}; choose with "
            f"--basis or --source, or as in --symbol {found[0].source}/{found[0].symbol}"
        )
    return found[0]


def _brought_up_to_date(
    request: Request, key: SeriesKey, store: Store, tell: Listener
) -> tuple[Finding, ...]:
    """Fetch what is missing; say why where what is stored has to do."""
    if not request.fetch or request.source in STORED:
        return ()
    source = find_source(request.source)
    begin, stop = wanted(key, facts_of(source, key).timezone, request.start, request.end)
    try:
        return fetch(
            key, source, store, start=begin, end=stop, tell=tell, calendar=request.calendar
        ).warnings
    except SourceError as error:
        meta = store.read(key) if error.temporary else None
        if meta is None:
            raise
        if not store.frame(meta, begin, stop).height:
            error.add_note(_no_rows(request, meta))
            raise
        told = [str(error), *getattr(error, "__notes__", []), _used_instead(meta)]
        return (whole(UNREACHABLE, "; ".join(told)),)


def _used_instead(meta: Meta) -> str:
    return f"the bars stored on {meta.written[:10]} are used, {_span(meta)}"


def _span(meta: Meta) -> str:
    return f"{meta.first:%Y-%m-%d} to {meta.last:%Y-%m-%d}"


def _no_rows(request: Request, meta: Meta) -> str:
    return (
        f"nothing of {meta.key.label} is stored from {request.start or 'its first day'} to "
        f"{request.end or 'its last'}, only {_span(meta)}"
    )


def _not_stored(request: Request, key: SeriesKey) -> str:
    return (
        f"nothing of {key.label} is stored, and --no-fetch asks nobody; fetch it with "
        f"`meseta data fetch {request.symbol} --source {request.source} --interval {key.size}`"
    )


def _uncovered(meta: Meta, begin: datetime | None, stop: datetime | None) -> tuple[Finding, ...]:
    """Say where the stored rows are fewer than what was asked for, as far as anybody knows."""
    end = stop or finished(meta.key, meta.calendar, _clock.now())
    head = meta.calendar is not None and begin is not None and lacks_head(meta, begin)
    tail = meta.calendar is not None and lacks_tail(meta, end)
    if not (head or tail):
        return ()
    text = (
        f"{meta.key.label} is stored from {_span(meta)}, which is not all that was asked for, and "
        "nothing was fetched"
    )
    return (whole("stored_only", text),)


def _missing(meta: Meta, frame: pl.DataFrame) -> tuple[Finding, ...]:
    holes = missing(meta.key, meta.calendar, schema_of(meta.key).moments(frame))
    if not holes.count:
        return ()
    return (whole("missing_sessions", f"{meta.key.label} lacks {holes.text}"),)
