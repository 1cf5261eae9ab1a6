"""Which stored series a user means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta._near import did_you_mean
from meseta.data._key import EVENT, parse_bar_size
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.data._key import SeriesKey
    from meseta.data._store import Store

__all__ = ["Pick", "find_series", "listed", "matching", "near", "picked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What a user says of a stored series; what is None is any.

    Parameters
    ----------
    name
        The symbol, ``SOURCE/SYMBOL`` or ``SOURCE/SYMBOL/INTERVAL``.
    source, interval, kind, basis, session
        As in `SeriesKey`.
    """

    name: str
    source: str | None = None
    interval: str | None = None
    kind: str | None = None
    basis: str | None = None
    session: str | None = None

    def fits(self, key: SeriesKey) -> bool:
        """Whether `key` may be meant."""
        names = {key.symbol, f"{key.source}/{key.symbol}", f"{key.source}/{key.symbol}/{key.size}"}
        size = self.interval and _size(self.interval)
        asked = (self.source, size, self.kind, self.basis, self.session)
        have = (key.source, key.size, key.kind, key.basis, key.session)
        pairs = zip(asked, have, strict=True)
        return self.name in names and all(want in {None, it} for want, it in pairs)

    @property
    def text(self) -> str:
        """All that was said, for messages."""
        further = (self.source, self.interval, self.kind, self.basis, self.session)
        return " ".join([self.name, *(part for part in further if part)])


def picked(store: Store, pick: Pick) -> list[SeriesKey]:
    """Return the stored series that may be meant."""
    return [key for key in store.keys() if pick.fits(key)]  # noqa: SIM118 - no mapping


def near(store: Store, pick: Pick) -> str:
    """Say what comes near where no stored series is meant; empty where nothing does."""
    others = picked(store, Pick(name=pick.name))
    if others:
        return f"; there are {listed(others)}"
    return did_you_mean(pick.name, [key.symbol for key in store.keys()])  # noqa: SIM118


def matching(store: Store, pick: Pick) -> list[SeriesKey]:
    """Return the stored series that may be meant, at least one.

    Raises
    ------
    ArgumentError
        There is none; the message says what comes near.
    """
    found = picked(store, pick)
    if not found:
        what = f"no series {pick.text} is stored in {store.root}"
        raise ArgumentError(f"{what}{near(store, pick)}; `meseta data list` shows what is")
    return found


def find_series(store: Store, pick: Pick) -> SeriesKey:
    """Return the one stored series that is meant.

    Raises
    ------
    ArgumentError
        There is none, or several; the message lists them.
    """
    found = matching(store, pick)
    if len(found) > 1:
        raise ArgumentError(
            f"{pick.text} may be {listed(found)}; say which with --source, --interval, --kind, "
            "--basis or --session"
        )
    return found[0]


def listed(keys: Sequence[SeriesKey]) -> str:
    """Name some series."""
    return ", ".join(key.label for key in keys)


def _size(interval: str) -> str:
    return interval if interval == EVENT else parse_bar_size(interval).name
