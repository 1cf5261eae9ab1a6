"""All that is known of a stored series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.cli._console import count, facts, size, table
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import polars as pl
    from rich.console import Console

    from meseta.data import Entry, Meta, SeriesKey, Store

__all__ = ["bytes_of", "show_series", "when"]

_LINES = 20  # of the log
_LOG = ("when (UTC)", "what", "rows", "from", "to", "why")


def show_series(console: Console, store: Store, key: SeriesKey) -> None:
    """Print facts, the vendor's facts, notes, log, and what is suspicious about the bars.

    Raises
    ------
    DamagedError
        What is stored is not what was written.
    """
    meta = store.read(key)
    if meta is None:
        return
    frame = store.frame(meta)
    facts(console, _facts(store, meta, frame))
    console.print()
    vendor = [(name, str(value)) for name, value in meta.vendor.items()]
    table(console, "Vendor", ("fact", "value"), vendor, left=2, wrap=("value",))
    log = [_line(meta, entry) for entry in meta.log[-_LINES:]]
    table(console, "Log", _LOG, log, left=2, wrap=("why",))
    _listed(console, "Notes", meta.notes)
    _listed(console, "Suspicious", _suspicions(meta, frame))


def when(meta: Meta, moment: datetime | None) -> str:
    """Write a moment in UTC, or the date of a session."""
    if moment is None:
        return "-"
    return f"{moment:%Y-%m-%d}" if meta.key.daily else f"{moment:%Y-%m-%d %H:%M}"


def bytes_of(store: Store, meta: Meta) -> int:
    """Return how much room the files of a series take."""
    folder = store.folder(meta.key)
    names = ["meta.json", *(part.file for part in meta.parts)]
    return sum((folder / name).stat().st_size for name in names if (folder / name).exists())


def _facts(store: Store, meta: Meta, frame: pl.DataFrame) -> list[tuple[str, str]]:
    from meseta.data import schema_of

    key = meta.key
    utc = "" if key.daily else " UTC"
    further = [name for name in frame.columns if name not in schema_of(key).columns]
    pairs = [
        ("Series", key.label),
        ("Prices", _basis(key)),
        ("Rows", count(meta.rows)),
        ("From", f"{when(meta, meta.first)} to {when(meta, meta.last)}{utc}"),
        ("Missing", _missing(meta, frame)),
        ("Time zone", meta.timezone + ("" if key.daily or key.bar is None else _stamp(meta))),
        ("Calendar", meta.calendar or "unknown"),
        ("Tick", "-" if meta.tick is None else f"{meta.tick:g}"),
        ("Further columns", ", ".join(further) or "none"),
        ("Vendor's files", count(len(meta.objects))),
        ("Written", f"{meta.written} by meseta {meta.version}"),
        ("Folder", f"{store.folder(key)} ({size(bytes_of(store, meta))})"),
        ("Content", meta.content),
    ]
    if meta.nothing_before:
        start, asked = meta.nothing_before
        pairs.insert(4, ("Nothing before", f"asked for from {start[:10]} on, on {asked[:10]}"))
    return pairs


def _basis(key: SeriesKey) -> str:
    names = {
        "unadjusted": "as they were traded",
        "split": "adjusted for splits",
        "total-return": "adjusted for splits and dividends",
        "back-adjusted": "adjusted for rolls",
        "unknown": "nobody said what they are adjusted for",
    }
    return names[key.basis]


def _stamp(meta: Meta) -> str:
    return f", times mark the {meta.stamp} of a bar"


def _missing(meta: Meta, frame: pl.DataFrame) -> str:
    from meseta.data import schema_of
    from meseta.data._calendars import missing

    if meta.calendar is None or meta.key.bar is None:
        return "unknown without a calendar" if meta.key.bar else "-"
    found = missing(meta.key, meta.calendar, schema_of(meta.key).moments(frame))
    return found.text if found.count else "nothing"


def _line(meta: Meta, entry: Entry) -> tuple[str, ...]:
    length = 10 if meta.key.daily else 16
    span = entry.received or ("-", "-")
    first, last = (moment.replace("T", " ")[:length] for moment in span)
    moment = entry.when.replace("T", " ")[:16]
    return (moment, entry.action, count(entry.rows), first, last, entry.why)


def _listed(console: Console, title: str, texts: Iterable[str]) -> None:
    lines = [f"- {text}" for text in texts]
    if lines:
        console.print(title, style="bold")
        console.print("\n".join([*lines, ""]), soft_wrap=True)


def _suspicions(meta: Meta, frame: pl.DataFrame) -> list[str]:
    """Return what a run would warn of, or why there can be none."""
    from meseta.data._to_bars import to_bars

    if meta.key.bar is None:
        return []
    try:
        bars = to_bars(meta, frame, allow_nonpositive=True)
    except DataError as error:
        return [str(error)]
    return [finding.message for finding in bars.warnings]
