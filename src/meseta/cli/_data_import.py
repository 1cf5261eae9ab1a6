"""`meseta data import`: data files into the store."""

from __future__ import annotations

import contextlib
import sys
import zoneinfo
from dataclasses import replace
from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from meseta.cli import _data_options as opt  # noqa: TC001 - Typer reads annotations
from meseta.cli import _options as common  # noqa: TC001 - Typer reads annotations
from meseta.cli._console import count, make_console, table
from meseta.cli._data_show import when
from meseta.cli._guard import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.data import Listener, Step
    from meseta.data._file import ImportOptions, UnsaidError
    from meseta.data._import import Imported

__all__ = ["register"]

_HEADS = (
    "file",
    "result",
    "symbol",
    "interval",
    "kind",
    "new rows",
    "rows",
    "first (UTC)",
    "last (UTC)",
)


def register(group: typer.Typer) -> None:
    """Add the command to the group `data`."""
    examples = (
        "meseta data import SMH.csv --basis split\n"
        "meseta data import exports/ --timezone America/New_York\n"
        "meseta data import BTCUSDT-1h-2024-10.csv BTCUSDT-1h-2024-11.csv\n"
        "meseta data import es.csv --symbol @ES --timezone America/Chicago --stamp close"
    )
    command(group, "import", examples=examples)(_import)


def _import(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Files, or folders whose data files are meant."),
    ],
    *,
    symbol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Default: the file's name without bar size, dates and the like."
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="IANA zone of times that are wall time, and in which the bars are used: "
            "America/New_York, UTC and the like.",
        ),
    ] = None,
    stamp: Annotated[
        Literal["open", "close"] | None,
        typer.Option(help="Which end of a bar its time marks, where the file does not say."),
    ] = None,
    date_order: common.DateOrder = None,
    basis: opt.Basis = None,
    interval: opt.Interval = None,
    kind: opt.Kind = None,
    calendar: common.Calendar = None,
    allow_nonpositive: common.Nonpositive = None,
    replace_: Annotated[
        bool,
        typer.Option(
            "--replace", help="Import in place of what is stored, of which a copy is set aside."
        ),
    ] = False,
    store: common.Store = None,
) -> None:
    """Put data files into the store, to be used by symbol.

    CSV files, TradeStation exports, Binance's klines, aggTrades and fundingRate, and Parquet
    files. A file that goes on where a stored one ends extends its series; one that differs from
    it is refused. Bars of less than a day must say their time zone and which end of a bar their
    times mark: where a file does not, give --timezone and --stamp.
    """
    from meseta.data import Store
    from meseta.data._file import ImportOptions
    from meseta.data._import import files_in, import_files

    options = ImportOptions(
        symbol=symbol,
        timezone=timezone,
        stamp=stamp,
        date_order=date_order,
        basis=basis or "unknown",
        interval=interval,
        kind=kind,
        allow_nonpositive=bool(allow_nonpositive),
        calendar=calendar,
        replace=replace_,
    )
    files = [file for path in paths for file in (files_in(path) if path.is_dir() else [path])]
    with _shown() as tell:
        ask = _ask if _terminal() else None
        results = import_files(files, Store(store), options, tell=tell, ask=ask)
    if len(results) == 1 and results[0].error:
        raise results[0].error
    _say(results)


def _say(results: list[Imported]) -> None:
    console = make_console()
    table(console, "", _HEADS, [_row(result) for result in results if result.meta], left=5)
    for note in dict.fromkeys(note for result in results for note in result.notes):
        named = [result.path.name for result in results if note in result.notes]
        console.print(f"{', '.join(named)}: {note}", soft_wrap=True)
    failed = [result for result in results if result.error]
    for result in failed:
        console.print(f"Failed: {result.error}", soft_wrap=True)
    if failed:
        console.print(f"{len(failed)} of {len(results)} files failed.")
        raise typer.Exit(1)


def _row(result: Imported) -> tuple[str, ...]:
    meta: Any = result.meta
    key = meta.key
    names = (result.path.name, result.result, key.symbol, key.size, key.kind)
    span = (when(meta, meta.first), when(meta, meta.last))
    return (*names, count(result.rows), count(meta.rows), *span)


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(error: UnsaidError, options: ImportOptions) -> ImportOptions:
    """Ask for what a file does not say."""
    typer.echo(f"{error.path} does not say all that has to be known.", err=True)
    questions = {
        "timezone": ("Time zone of its times, such as America/New_York or UTC", _zone),
        "stamp": ("Do its times mark the open or the close of a bar", _stamp),
    }
    answers: dict[str, Any] = {}
    for name in error.missing:
        text, check = questions[name]
        answers[name] = typer.prompt(text, value_proc=check, err=True)
    return replace(options, **answers)


def _zone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text.strip())
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise typer.BadParameter("give an IANA name such as America/New_York") from error
    return text.strip()


def _stamp(text: str) -> str:
    if text.strip() not in {"open", "close"}:
        raise typer.BadParameter("give open or close")
    return text.strip()


@contextlib.contextmanager
def _shown() -> Iterator[Listener]:
    """Show on a terminal which file is being read."""
    console = make_console(stderr=True)
    if not console.is_terminal:
        from meseta.data import silent

        yield silent
        return
    with console.status("") as status:

        def tell(step: Step) -> None:
            status.update(f"{step.what} ({step.done + 1} of {step.total})")

        yield tell
