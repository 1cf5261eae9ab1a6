"""`meseta data fetch`: bring stored series up to date."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from meseta.cli import _options as opt  # noqa: TC001 - Typer reads annotations
from meseta.cli._console import count, make_console, table
from meseta.cli._data_show import when
from meseta.cli._guard import command
from meseta.cli._progress import watch
from meseta.errors import MesetaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rich.console import Console

    from meseta.data import Fetched, Listener, SeriesKey, Store
    from meseta.data.sources import Source

    _Span: TypeAlias = tuple[datetime | None, datetime | None]
    # A series, and what was done or why it failed.
    _Row: TypeAlias = tuple[SeriesKey, Fetched | MesetaError]

__all__ = ["register"]

_HEADS = ("symbol", "interval", "what was done", "new rows", "rows", "first (UTC)", "last (UTC)")
_HIT = "nothing to ask for"


def register(group: typer.Typer) -> None:
    """Add the command to the group `data`."""
    examples = (
        "meseta data fetch SMH QQQ --source yahoo\n"
        "meseta data fetch SMH --source yahoo --basis total-return --start 2005-01-01\n"
        "meseta data fetch @ES --source tradestation --interval 5m --start 2022-01-01\n"
        "meseta data fetch BTCUSDT --source binance --interval 1m --start 2024-01-01 "
        "--kind bars --kind mark --kind funding"
    )
    command(group, "fetch", examples=examples)(_fetch)


def _fetch(
    *,
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL", help="As the vendor writes them.")
    ],
    source: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="tradestation, yahoo, binance, or path/to/file.py:NAME for your own.",
        ),
    ],
    interval: opt.Interval = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="bars, mark, index, premium, funding or trades; may be given several times. "
            "Default: bars.",
        ),
    ] = None,
    basis: opt.Basis = None,
    session: opt.Session = None,
    start: opt.Start = None,
    end: opt.End = None,
    calendar: opt.Calendar = None,
    store: opt.Store = None,
) -> None:
    """Fetch what is missing of some series, and store it.

    Stored rows are asked for again where new ones join them: had the vendor changed one since,
    by a split for instance, all of the series is fetched again. Bars that are still open are
    never stored. Everything that came is kept when you interrupt this.
    """
    from meseta.data import SeriesKey, Store, find_source

    shelf, vendor = Store(store), find_source(source)
    keys = [
        SeriesKey(
            vendor.name,
            symbol,
            interval or "1d",
            _as(one),
            _as(basis or vendor.basis_of(symbol)),
            session or "",
        )
        for symbol in dict.fromkeys(symbols)
        for one in dict.fromkeys(kind or ["bars"])
    ]
    work = partial(_one, vendor, shelf, calendar)
    _show(make_console(), _all(_spans(vendor, keys, start, end, calendar), work))


def _as(value: str) -> Any:
    """Let `SeriesKey` say what is wrong with a word that is none of its own."""
    return value


def _spans(
    source: Source, keys: list[SeriesKey], start: str | None, end: str | None, calendar: str | None
) -> dict[SeriesKey, _Span]:
    """Return what is wanted of each series, or raise before anything is asked."""
    from meseta.data import wanted
    from meseta.data._answers import facts_of
    from meseta.data._calendars import check_calendar

    if calendar is not None:
        check_calendar(calendar)
    return {key: wanted(key, facts_of(source, key).timezone, start, end) for key in keys}


def _all(spans: dict[SeriesKey, _Span], work: Callable[..., Fetched]) -> list[_Row]:
    """Fetch one series after the other; a fault of one does not stop the rest."""
    from meseta.pipeline._progress import steps_of

    rows: list[_Row] = []
    with watch(make_console(stderr=True)) as progress:
        for key, span in spans.items():
            try:
                rows.append((key, work(key, span, steps_of(progress, key.label))))
            except MesetaError as error:
                rows.append((key, error))
            except KeyboardInterrupt as error:
                error.add_note("What came is stored; the same command goes on from there.")
                raise
    return rows


def _one(
    source: Source, store: Store, calendar: str | None, key: SeriesKey, span: _Span, tell: Listener
) -> Fetched:
    from meseta.data import fetch

    begin, stop = span
    return fetch(key, source, store, start=begin, end=stop, tell=tell, calendar=calendar)


def _show(console: Console, rows: list[_Row]) -> None:
    table(console, "", _HEADS, [_cells(*row) for row in rows], left=3)
    for key, done in rows:
        for text in _said(done):
            typer.echo(f"{key.label}: {text}", err=isinstance(done, MesetaError))
    codes = [done.exit_code for _, done in rows if isinstance(done, MesetaError)]
    if codes:
        raise typer.Exit(max(codes))


def _said(done: Fetched | MesetaError) -> tuple[str, ...]:
    """Return what a user should read of one series."""
    if isinstance(done, MesetaError):
        return (str(done), *getattr(done, "__notes__", []))
    return (*(found.message for found in done.warnings), *done.meta.notes)


def _cells(key: SeriesKey, done: Fetched | MesetaError) -> tuple[str, ...]:
    name = (key.symbol, key.label.removeprefix(f"{key.source} {key.symbol} "))
    if isinstance(done, MesetaError):
        return (*name, "failed", *"----")
    actions = ", ".join(entry.action for entry in done.entries) or _HIT
    new = sum(entry.rows for entry in done.entries)
    span = (when(done.meta, done.meta.first), when(done.meta, done.meta.last))
    return (*name, actions, count(new), count(done.meta.rows), *span)
