"""`meseta data list`, `show`, `verify` and `remove`: what is stored, and whether it is sound."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meseta.cli import _data_options as opt  # noqa: TC001 - Typer reads annotations
from meseta.cli import _options as common  # noqa: TC001 - Typer reads annotations
from meseta.cli._console import count, make_console, size, table
from meseta.cli._data_show import bytes_of, show_series, when
from meseta.cli._guard import command
from meseta.errors import MesetaError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from meseta.data import Meta, SeriesKey, Store

__all__ = ["register"]

_HEADS = (
    "source", "symbol", "interval", "kind", "basis", "first (UTC)", "last (UTC)", "rows", "size",
    "written",
)  # fmt: skip


def register(group: typer.Typer) -> None:
    """Add the commands to the group `data`."""
    examples = "meseta data list\nmeseta data list --json --store /mnt/prices"
    command(group, "list", examples=examples)(_list)
    examples = "meseta data show SMH\nmeseta data show BTCUSDT --interval 1m --kind mark"
    command(group, "show", examples=examples)(_show)
    examples = "meseta data verify\nmeseta data verify SMH QQQ\nmeseta data verify --set-aside"
    command(group, "verify", examples=examples)(_verify)
    examples = "meseta data remove SMH --source yahoo\nmeseta data remove files/KC/1h --yes"
    command(group, "remove", examples=examples)(_remove)


def _list(
    *,
    store: common.Store = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the series that are stored."""
    opened = _open(store)
    metas = [meta for key in opened.keys() if (meta := opened.read(key))]  # noqa: SIM118
    console = make_console()
    if json_:
        console.file.write(json.dumps([_plain(opened, meta) for meta in metas], indent=2) + "\n")
    elif metas:
        table(console, "", _HEADS, [_row(opened, meta) for meta in metas], left=5)
    else:
        console.print(_nothing(opened), soft_wrap=True)
    _say_unreadable(opened)


def _show(
    name: opt.Symbol,
    *,
    source: opt.Source = None,
    interval: opt.Interval = None,
    kind: opt.Kind = None,
    basis: opt.Basis = None,
    session: common.Session = None,
    store: common.Store = None,
) -> None:
    """Show what is known of a series: where it comes from, its gaps, and what looks wrong."""
    from meseta.data._find import Pick, find_series

    opened = _open(store)
    pick = Pick(
        name=name, source=source, interval=interval, kind=kind, basis=basis, session=session
    )
    show_series(make_console(), opened, find_series(opened, pick))


def _verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL]...", help="As in show; all series without it."),
    ] = None,
    *,
    set_aside: Annotated[
        bool,
        typer.Option("--set-aside", help="Move what is damaged into the folder aside beside it."),
    ] = False,
    store: common.Store = None,
) -> None:
    """Read all files of stored series and compare them with what was written.

    Exit code 1 means that something is damaged. Set aside it is out of the way: the series can
    be fetched or imported again, and nothing is deleted.
    """
    opened, console = _open(store), make_console()
    wrong = _wrong(console, opened, names)
    for folder, why in wrong.items() if set_aside else ():
        if _spoilt(why):
            console.print(f"Moved to {opened.set_folder_aside(folder, str(why))}", soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


def _wrong(console: Console, store: Store, names: list[str] | None) -> dict[Path, MesetaError]:
    """Say of each series whether it is sound, and return the folders of those that are not."""
    wrong = {} if names else store.unreadable()
    for why in wrong.values():
        console.print(str(why), soft_wrap=True)
    keys = _named(store, names) if names else store.keys()
    if not (keys or wrong):
        console.print(_nothing(store), soft_wrap=True)
    for key in keys:
        fault = _fault(store, key)
        console.print(f"{key.label}: {fault or 'sound'}", soft_wrap=True)
        wrong |= {store.folder(key): fault} if fault else {}
    return wrong


def _fault(store: Store, key: SeriesKey) -> MesetaError | None:
    from meseta.data import DamagedError

    try:
        faults = store.verify(key)
    except MesetaError as error:
        return error
    return DamagedError("; ".join(faults)) if faults else None


def _spoilt(why: MesetaError) -> bool:
    """Whether a series is of no use: one that this meseta may or can not read may be sound."""
    from meseta.data import DamagedError
    from meseta.data._damage import NewerError

    return isinstance(why, DamagedError) and not isinstance(why, NewerError)


def _remove(
    name: opt.Symbol,
    *,
    source: opt.Source = None,
    interval: opt.Interval = None,
    kind: opt.Kind = None,
    basis: opt.Basis = None,
    session: common.Session = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: common.Store = None,
) -> None:
    """Delete a stored series, with what was set aside of it."""
    from meseta.data._find import Pick, find_series

    opened = _open(store)
    pick = Pick(
        name=name, source=source, interval=interval, kind=kind, basis=basis, session=session
    )
    key = find_series(opened, pick)
    if not yes:
        meta = opened.read(key)
        rows = count(meta.rows if meta else 0)
        typer.confirm(f"Delete {key.label} ({rows} rows) from {opened.root}?", abort=True)
    opened.remove(key)
    make_console().print(f"Deleted {key.label}.", soft_wrap=True)


def _open(folder: Path | None) -> Store:
    from meseta.data import Store

    return Store(folder)


def _named(store: Store, names: list[str]) -> list[SeriesKey]:
    from meseta.data._find import Pick, matching

    return list(dict.fromkeys(key for name in names for key in matching(store, Pick(name=name))))


def _row(store: Store, meta: Meta) -> tuple[str, ...]:
    key = meta.key
    return (
        key.source,
        key.symbol,
        f"{key.size} {key.session}".strip(),
        key.kind,
        key.basis,
        when(meta, meta.first),
        when(meta, meta.last),
        count(meta.rows),
        size(bytes_of(store, meta)),
        meta.written[:10],
    )


def _plain(store: Store, meta: Meta) -> dict[str, Any]:
    first, last = (moment and moment.isoformat() for moment in (meta.first, meta.last))
    return asdict(meta.key) | {
        "first": first,
        "last": last,
        "rows": meta.rows,
        "bytes": bytes_of(store, meta),
        "written": meta.written,
        "content": meta.content,
        "folder": str(store.folder(meta.key)),
    }


def _nothing(store: Store) -> str:
    readable = "that can be read " if store.unreadable() else ""
    return f"Nothing {readable}is stored in {store.root}."


def _say_unreadable(store: Store) -> None:
    for why in store.unreadable().values():
        make_console(stderr=True).print(str(why), soft_wrap=True)
