"""A file that was read, into the series that is stored, or into a new one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Literal

from meseta.data._agree import new_rows
from meseta.data._damage import DamagedError
from meseta.data._meta import Meta
from meseta.data._operation import Operation
from meseta.data._parts import ends, join, within
from meseta.data._schema import schema_of
from meseta.data._spans import through
from meseta.data._zone import goes_back, to_wall
from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from meseta.data._file import Loaded
    from meseta.data._key import SeriesKey
    from meseta.data._store import Store
    from meseta.errors import MesetaError

    Result = Literal["imported", "extended", "unchanged", "failed"]

__all__ = ["Imported", "put"]

_WAY_OUT = (
    "import it under a name of its own (--symbol), or in place of what is stored, which is set "
    "aside (--replace)"
)
_IN_UTC = "the market trades while the clocks go back, so its bars are used in UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a file.

    Parameters
    ----------
    path
        The file.
    result
        ``"imported"`` as a new series, ``"extended"`` one that was there, ``"unchanged"`` since
        all of it is stored, or ``"failed"``.
    rows
        How many were added.
    meta
        Of the series; None where it failed.
    notes
        What a user should know of how the file was read.
    error
        Why it failed.
    """

    path: Path
    result: Result
    rows: int = 0
    meta: Meta | None = None
    notes: tuple[str, ...] = ()
    error: MesetaError | None = None


def put(store: Store, path: Path, loaded: Loaded, *, replace: bool) -> Imported:
    """Store the rows of a file.

    Parameters
    ----------
    store
        Where to.
    path, loaded
        The file.
    replace
        Set aside what is stored of the series, whatever its state.

    Raises
    ------
    DataError
        The file has no rows, or differs from what is stored.
    DamagedError
        What is stored is damaged.
    RunError
        The store cannot be written.
    """
    if not loaded.frame.height:
        raise DataError(f"{path} holds no rows that are finished")
    with store.lock(loaded.key):
        if replace:
            _put_aside(store, loaded.key, f"replaced by {path}")
        stored = None if replace else store.read(loaded.key)
        if stored is None:
            return _save(store, path, loaded, _begun(loaded), loaded.frame.clear(), loaded.frame)
        return _extend(store, path, loaded, stored)


def _put_aside(store: Store, key: SeriesKey, why: str) -> None:
    """Keep what is stored; it stays in its place, where it is sound, until the new rows come."""
    try:
        if store.read(key):
            store.copy_aside(key, why)
    except DamagedError:
        store.set_aside(key, why)


def _begun(loaded: Loaded) -> Meta:
    return Meta(
        key=loaded.key,
        timezone=loaded.timezone,
        stamp=loaded.stamp,
        vendor={"layout": loaded.layout},
    )


def _extend(store: Store, path: Path, loaded: Loaded, stored: Meta) -> Imported:
    key = loaded.key
    if stored.stamp != loaded.stamp:
        raise DataError(
            f"{path}: {key.label} is stored with times that mark the {stored.stamp} of a bar, and "
            f"those of the file mark the {loaded.stamp}; {_WAY_OUT}"
        )
    known = store.frame(stored)
    frame, difference = new_rows(key, known, loaded.frame)
    if difference:
        raise DataError(f"{path}: {key.label} is stored already, but {difference}; {_WAY_OUT}")
    if not frame.height:
        return Imported(path=path, result="unchanged", meta=stored, notes=loaded.notes)
    return _save(store, path, loaded, stored, known, frame)


def _save(
    store: Store, path: Path, loaded: Loaded, meta: Meta, known: pl.DataFrame, new: pl.DataFrame
) -> Imported:
    key = meta.key
    result: Result = "extended" if known.height else "imported"
    whole = join(key, [known, new])
    zone, notes = _zone(meta, whole, loaded)
    span = through(*ends(key, new))
    operation = Operation(result, None, path.name)
    operation.take(schema_of(key).moments(new))
    written = store.save(
        changed(
            meta,
            timezone=zone,
            calendar=loaded.calendar or meta.calendar,
            objects={**meta.objects, path.name: hashlib.sha256(path.read_bytes()).hexdigest()},
            notes=tuple(dict.fromkeys((*meta.notes, *loaded.notes, *notes))),
            log=(*meta.log, operation.entry),
        ),
        whole.filter(within(key, whole, *span)),
        replace=span if known.height else None,
    )
    return Imported(
        path=path,
        result=result,
        rows=new.height,
        meta=written,
        notes=(*loaded.notes, *notes),
    )


def _zone(meta: Meta, whole: pl.DataFrame, loaded: Loaded) -> tuple[str, tuple[str, ...]]:
    """Return the zone in which the bars are used, and what is to be said of it."""
    if not meta.key.daily and meta.key.bar:
        wall = to_wall(whole[f"ts_{meta.stamp}"], meta.timezone)
        if goes_back(wall) is not None:
            return "UTC", (_IN_UTC,)
    if meta.timezone != loaded.timezone:
        note = f"its bars are used in {meta.timezone}, as before; --replace changes that"
        return meta.timezone, (note,)
    return meta.timezone, ()
