"""Series on disk: written whole or not at all, read only when they are what was written."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace as changed
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from meseta._files import write_text
from meseta._home import home
from meseta.data import _clock
from meseta.data._aside import META, copy_aside, move_aside, series_files
from meseta.data._damage import DamagedError, NewerError, damaged
from meseta.data._folders import folder_parts
from meseta.data._listen import silent
from meseta.data._lock import locked, writing
from meseta.data._look import content, may_exist, subfolders
from meseta.data._parts import faults_of, join, read_part, whole_content, within
from meseta.data._rewrite import rewrite
from meseta.data._schema import schema_of
from meseta.data._sealed import from_text, to_text
from meseta.errors import ArgumentError, DataError, MesetaError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import polars as pl

    from meseta.data._key import SeriesKey
    from meseta.data._listen import Listener
    from meseta.data._meta import Meta
    from meseta.data._spans import Span

__all__ = ["Store"]


class Store:
    """Series in a folder, one folder each: ``<source>/<symbol>/<size...>``.

    In it lie ``meta.json`` and the Parquet files that it names. A write puts new files beside
    the old ones, then replaces ``meta.json``, then deletes what that names no more: a process
    that is killed leaves the old series or the new one. Writers of a series wait for one
    another; readers wait for nobody.

    Parameters
    ----------
    root
        The folder, made when something is written; ``data`` in the user's data folder
        (`MESETA_HOME` moves it) by default.

    Raises
    ------
    ArgumentError
        `root` is no folder.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = (home() / "data" if root is None else root.expanduser()).absolute()
        if self.root.is_file():
            raise ArgumentError(
                f"`store` must be a folder, got the file {self.root}; choose another with --store"
            )

    def keys(self) -> list[SeriesKey]:
        """Return which series there are, sorted; those that cannot be read are left out.

        Raises
        ------
        RunError
            A folder of the store cannot be read.
        """
        found = (self._tried(folder) for folder in self._folders())
        return sorted(meta.key for meta in found if not isinstance(meta, MesetaError))

    def unreadable(self) -> dict[Path, MesetaError]:
        """Return folders whose metadata cannot be read, and why; `DamagedError` where spoilt.

        Raises
        ------
        RunError
            A folder of the store cannot be read.
        """
        tried = {folder: self._tried(folder) for folder in self._folders()}
        return {at: found for at, found in tried.items() if isinstance(found, MesetaError)}

    def folder(self, key: SeriesKey) -> Path:
        """Return where a series lies, or would lie."""
        return self.root.joinpath(*folder_parts(key))

    @contextlib.contextmanager
    def lock(self, key: SeriesKey, tell: Listener = silent) -> Iterator[None]:
        """Keep other writers of a series out; within it, the same thread may lock again.

        The system lets go of it when the process ends, however it ends.

        Parameters
        ----------
        key
            The series.
        tell
            Told every few seconds that another process is waited for.

        Raises
        ------
        RunError
            The store cannot be written.
        """
        with locked(self.folder(key), key.label, tell):
            yield

    def read(self, key: SeriesKey) -> Meta | None:
        """Return what is known of a series; None where nothing is stored.

        Raises
        ------
        DamagedError
            The metadata were cut off or edited, belong to another series, or a newer meseta
            wrote them.
        RunError
            They cannot be read.
        """
        return self._read(self.folder(key))

    def frame(
        self, meta: Meta, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """Return the rows of ``start <= moment < end`` in order; None is no bound.

        Where a writer has replaced the files since `meta` was read, the rows are the new ones.

        Raises
        ------
        DamagedError
            A file that is needed is missing, was cut off or edited.
        RunError
            It cannot be read.
        """
        try:
            return self._rows(meta, start, end)
        except FileNotFoundError:
            fresh = self.read(meta.key) or meta
        try:
            return self._rows(fresh, start, end)
        except FileNotFoundError as error:
            raise damaged(Path(error.filename), "is missing") from error

    def save(self, meta: Meta, frame: pl.DataFrame, *, replace: Span | None = None) -> Meta:
        """Write rows and what is known of the series.

        Parameters
        ----------
        meta
            What is known; its `parts`, `content`, `written` and `version` do not count.
        frame
            The rows, with columns as `schema_of` says; further columns are kept.
        replace
            The stored rows of ``start <= moment < end`` give way to `frame`, whose rows all lie
            there; None means all of them. Trades are kept by month, and only months that change
            are written.

        Returns
        -------
        Meta
            As written.

        Raises
        ------
        DataError
            Columns or order of the rows are not as `schema_of` says, or rows lie outside of
            `replace`.
        DamagedError
            What is stored cannot be read; set it aside first.
        RunError
            The store cannot be written.
        """
        key, folder = meta.key, self.folder(meta.key)
        frame = schema_of(key).conform(frame)
        if replace is not None and not within(key, frame, *replace).all():
            raise DataError(f"rows of {key.label} lie outside of the span that they are to fill")
        with self.lock(key):
            stored = self.read(key)
            parts = rewrite(folder, key, stored.parts if stored else (), frame, replace)
            written = changed(
                meta,
                parts=parts,
                content=whole_content(parts),
                written=_clock.stamp(),
                version=version("meseta"),
            )
            write_text(folder / META, to_text(written))
            _clean(folder, written)
        return written

    def set_aside(self, key: SeriesKey, why: str) -> Path:
        """Move what is there of a series away, whatever its state, and return where to.

        Raises
        ------
        RunError
            The store cannot be written.
        """
        return self.set_folder_aside(self.folder(key), why)

    def set_folder_aside(self, folder: Path, why: str) -> Path:
        """Move what is in a folder of the store into ``aside/<UTC time>`` there.

        Raises
        ------
        RunError
            The store cannot be written.
        """
        with locked(folder, folder.name, silent), writing(folder):
            return move_aside(folder, why)

    def copy_aside(self, key: SeriesKey, why: str) -> Path:
        """Keep a copy of a series, as `set_aside` does, before other rows take its place.

        Raises
        ------
        RunError
            The store cannot be written.
        """
        folder = self.folder(key)
        with self.lock(key), writing(folder):
            return copy_aside(folder, why)

    def remove(self, key: SeriesKey) -> None:
        """Delete a series with what was set aside of it.

        Raises
        ------
        RunError
            The store cannot be written.
        """
        folder = self.folder(key)
        with self.lock(key), writing(folder):
            # Without metadata there is no series, however far the rest gets.
            (folder / META).unlink(missing_ok=True)
            if folder.is_dir():
                shutil.rmtree(folder)

    def verify(self, key: SeriesKey) -> tuple[str, ...]:
        """Read all of a series and return everything that is wrong; nothing where it is sound.

        Raises
        ------
        RunError
            A file cannot be read.
        NewerError
            A newer meseta wrote it.
        """
        meta = self._tried(self.folder(key))
        wrong = self._faults(meta)
        # A writer may have replaced the files while they were read.
        again = self._tried(self.folder(key)) if wrong else meta
        return wrong if again == meta else self._faults(again)

    def _faults(self, meta: Meta | MesetaError) -> tuple[str, ...]:
        if isinstance(meta, DamagedError) and not isinstance(meta, NewerError):
            return (meta.fault,)
        if isinstance(meta, MesetaError):
            raise meta
        folder = self.folder(meta.key)
        faults = [fault for part in meta.parts for fault in faults_of(folder, meta.key, part)]
        if not faults and meta.content != whole_content(meta.parts):
            faults.append(f"{folder / META} does not fit the rows")
        return tuple(faults)

    def _folders(self) -> list[Path]:
        found = [self.root]
        for _ in ("source", "symbol", "size"):
            found = [child for folder in found for child in subfolders(folder)]
        return [folder for folder in found if may_exist(folder / META)]

    def _tried(self, folder: Path) -> Meta | MesetaError:
        try:
            return self._read(folder) or damaged(folder / META, "is missing")
        except (DamagedError, RunError) as error:
            return error

    def _read(self, folder: Path) -> Meta | None:
        path = folder / META
        try:
            text = content(path).decode(errors="replace")
        except FileNotFoundError:
            return None
        meta = from_text(text, path)
        if self.folder(meta.key) != folder:
            raise damaged(path, f"belongs to another series, {meta.key.label}")
        return meta

    def _rows(self, meta: Meta, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        needed = [
            part
            for part in meta.parts
            if (start is None or part.last >= start) and (end is None or part.first < end)
        ]
        folder = self.folder(meta.key)
        frame = join(meta.key, [read_part(folder, part) for part in needed])
        return frame.filter(within(meta.key, frame, start, end))


def _clean(folder: Path, meta: Meta) -> None:
    """Delete what the metadata do not name: old files, and what killed processes left."""
    kept = {part.file for part in meta.parts}
    for path in series_files(folder):
        if path.suffix in {".parquet", ".part"} and path.name not in kept:
            # The series is written; what stays, as a file that somebody reads on Windows does,
            # is tried again by the next write.
            with contextlib.suppress(OSError):
                path.unlink()
