"""Files into the store: new series, and newer files that go on where older ones end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.bars._sources import open_source
from meseta.data._calendars import check_calendar
from meseta.data._file import ImportOptions, UnsaidError, named
from meseta.data._file_bars import load_bars
from meseta.data._file_events import events_in, load_events, with_header
from meseta.data._file_name import EXTENSIONS
from meseta.data._file_put import Imported, put
from meseta.data._listen import Step, silent
from meseta.errors import DataError, MesetaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from meseta.data._file import Loaded
    from meseta.data._key import SeriesKey
    from meseta.data._listen import Listener
    from meseta.data._store import Store

    Ask = Callable[[UnsaidError, ImportOptions], ImportOptions]

__all__ = ["Imported", "files_in", "import_file", "import_files", "import_folder"]


def import_file(path: Path, store: Store, options: ImportOptions | None = None) -> Imported:
    """Put a file into the store.

    A file whose series is stored already extends it where both agree; what all of it is stored
    changes nothing.

    Parameters
    ----------
    path
        A CSV, a TradeStation export, Binance klines, aggTrades or fundingRate, or a Parquet file.
    store
        Where to.
    options
        What is said of the file beside what it says itself.

    Raises
    ------
    UnsaidError
        Its times do not say their zone, or which end of a bar they mark.
    ArgumentError
        An option is malformed or does not fit.
    DataError
        The file cannot be read, a row is impossible, or it differs from what is stored.
    DamagedError
        What is stored of the series is damaged.
    RunError
        The store cannot be written.
    """
    return _import(path, store, options or ImportOptions(), set())


def import_folder(
    folder: Path,
    store: Store,
    options: ImportOptions | None = None,
    *,
    tell: Listener = silent,
) -> list[Imported]:
    """Put every data file of a folder and the folders in it into the store, as `import_files`.

    Raises
    ------
    DataError
        There are none.
    """
    return import_files(files_in(folder), store, options, tell=tell)


def import_files(
    paths: Sequence[Path],
    store: Store,
    options: ImportOptions | None = None,
    *,
    tell: Listener = silent,
    ask: Ask | None = None,
) -> list[Imported]:
    """Put files into the store; one that fails does not stop the others.

    Parameters
    ----------
    paths, store, options
        As in `import_file`.
    tell
        Told of each file.
    ask
        Called where a file does not say enough; its answer holds for the files that follow too.

    Notes
    -----
    With `ImportOptions.replace` the first file of a series takes its place, and the others extend
    that.
    """
    options = options or ImportOptions()
    results: list[Imported] = []
    begun: set[SeriesKey] = set()
    for at, path in enumerate(paths):
        tell(Step(path.name, at, len(paths)))
        try:
            options, result = _one(path, store, options, ask, begun)
        except MesetaError as error:
            result = Imported(path=path, result="failed", error=error)
        results.append(result)
    return results


def files_in(folder: Path) -> list[Path]:
    """Return the data files of a folder and of the folders in it, sorted.

    Raises
    ------
    DataError
        There are none.
    """
    found = [path for path in sorted(folder.rglob("*")) if _is_data(path.relative_to(folder))]
    files = [path for path in found if path.is_file()]
    if not files:
        raise DataError(f"{folder} has no data files ({', '.join(EXTENSIONS)}, plain or .gz)")
    return files


def _is_data(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.name.lower().removesuffix(".gz").endswith(EXTENSIONS)


def _one(
    path: Path, store: Store, options: ImportOptions, ask: Ask | None, begun: set[SeriesKey]
) -> tuple[ImportOptions, Imported]:
    try:
        return options, _import(path, store, options, begun)
    except UnsaidError as error:
        if ask is None:
            raise
        options = ask(error, options)
        return options, _import(path, store, options, begun)


def _import(path: Path, store: Store, options: ImportOptions, begun: set[SeriesKey]) -> Imported:
    """Import a file; `begun` gains its series, which is not replaced once it is there."""
    if options.calendar:
        check_calendar(options.calendar)
    loaded = _load(path, options)
    result = put(store, path, loaded, replace=options.replace and loaded.key not in begun)
    begun.add(loaded.key)
    return result


def _load(path: Path, options: ImportOptions) -> Loaded:
    if not path.is_file():
        raise DataError(f"cannot read {path}: there is no such file")
    with named(path):
        # A whole path, since some names mean other things to the reader of bars.
        opened = open_source(path.absolute())
        table = with_header(opened.table)
    kind = events_in(table)
    if kind:
        return load_events(path, table, kind, options)
    return load_bars(path, opened, options)
