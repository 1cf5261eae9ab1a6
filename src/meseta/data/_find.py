"""Which stored series a user means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta._near import did_you_mean
from meseta.data._key import parse_bar_size
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.data._key import Basis, Kind, SeriesKey
    from meseta.data._store import Store

__all__ = ["Wanted", "find_series", "matching"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a user says of a stored series; what is None is any.

    Parameters
    ----------
    name
        The symbol, ``SOURCE/SYMBOL`` or ``SOURCE/SYMBOL/INTERVAL``.
    source, interval, kind, basis
        As in `SeriesKey`.
    """

    name: str
    source: str | None = None
    interval: str | None = None
    kind: Kind | None = None
    basis: Basis | None = None

    def fits(self, key: SeriesKey) -> bool:
        """Whether `key` may be meant."""
        names = {key.symbol, f"{key.source}/{key.symbol}", f"{key.source}/{key.symbol}/{key.size}"}
        asked = (self.source, self.interval and _size(self.interval), self.kind, self.basis)
        have = (key.source, key.size, key.kind, key.basis)
        pairs = zip(asked, have, strict=True)
        return self.name in names and all(want in {None, it} for want, it in pairs)


def matching(store: Store, wanted: Wanted) -> list[SeriesKey]:
    """Return the stored series that may be meant, at least one.

    Raises
    ------
    ArgumentError
        There is none; the message says what comes near.
    """
    keys = store.keys()
    found = [key for key in keys if wanted.fits(key)]
    if found:
        return found
    others = [key for key in keys if Wanted(name=wanted.name).fits(key)]
    if others:
        hint = f"; there are {_listed(others)}"
    else:
        hint = did_you_mean(wanted.name, [key.symbol for key in keys])
    raise ArgumentError(f"no series {_asked(wanted)} is stored in {store.root}{hint}")


def find_series(store: Store, wanted: Wanted) -> SeriesKey:
    """Return the one stored series that is meant.

    Raises
    ------
    ArgumentError
        There is none, or several; the message lists them.
    """
    found = matching(store, wanted)
    if len(found) > 1:
        raise ArgumentError(
            f"{_asked(wanted)} may be {_listed(found)}; say which with --source, --interval, "
            "--kind or --basis"
        )
    return found[0]


def _size(interval: str) -> str:
    return interval if interval == "event" else parse_bar_size(interval).name


def _asked(wanted: Wanted) -> str:
    further = (wanted.source, wanted.interval, wanted.kind, wanted.basis)
    return " ".join([wanted.name, *(part for part in further if part)])


def _listed(keys: list[SeriesKey]) -> str:
    return ", ".join(key.label for key in keys)
