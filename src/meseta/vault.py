"""The vault: the end of the history, which no selection reads, and the count of its openings.

Unseen data are unseen once. Whoever looks at the vault, changes something and looks again has
begun to select on it; so every opening is written down, and reports say which one it was.
"""

from __future__ import annotations

import calendar
import contextlib
import itertools
import json
import math
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._files import write_json
from meseta._home import home
from meseta.errors import ArgumentError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.bars import Bars

__all__ = ["VaultLedger", "split_vault"]

_MONTH_DAYS = 365.25 / 12
_LEAST_BEFORE = 4  # bars; the smallest phase has two on each side
_LEAST_INSIDE = 2
_LOCK_SECONDS = 30
_WEEK = timedelta(days=7)
_DAY = 86_400_000_000  # microseconds
_VERSION = 1
_STORED = "store:"  # how the source of bars begins that were fetched and kept


def split_vault(bars: Bars, months: float) -> tuple[Bars, int | None]:
    """Take the last months off a history.

    Parameters
    ----------
    bars
        Everything there is.
    months
        Calendar months before the last bar's time; a fraction counts days of an average month.
        0 is no vault.

    Returns
    -------
    tuple
        The bars before the vault, and the row of the vault's first bar; all bars and None
        without a vault.

    Raises
    ------
    ArgumentError
        `months` is negative or not finite, holds fewer than two bars, or leaves no history to
        search.
    """
    if not math.isfinite(months) or months < 0:
        raise ArgumentError(f"`vault` must be zero or more months, got {months!r}")
    if not months:
        return bars, None
    row = _first_inside(bars, months)
    if row < _LEAST_BEFORE:
        span = bars.calendar
        raise ArgumentError(
            f"`vault` must leave a history to search, got {months:g} months of "
            f"{bars.years * 12:.1f} ({bars.name}, {span.first:%Y-%m-%d} to {span.last:%Y-%m-%d}); "
            "use fewer months, or 0 for no vault"
        )
    if len(bars) - row < _LEAST_INSIDE:
        raise ArgumentError(
            f"`vault` must hold at least {_LEAST_INSIDE} bars, got {months:g} months with "
            f"{len(bars) - row}; use more months, or 0 for no vault"
        )
    return bars.slice(0, row), row


def _first_inside(bars: Bars, months: float) -> int:
    """Return the first row later than `months` before the last bar; 0 if they are all."""
    last = bars.calendar.last
    if months >= bars.years * 12 + 1:
        return 0
    whole, part = divmod(months, 1)
    year, month = divmod(last.year * 12 + last.month - 1 - int(whole), 12)
    day = min(last.day, calendar.monthrange(year, month + 1)[1])
    cut = last.replace(year=year, month=month + 1, day=day) - timedelta(days=part * _MONTH_DAYS)
    return int(np.searchsorted(bars.time, np.datetime64(cut, "us"), side="right"))


class VaultLedger:
    """How often the vault of some data was opened.

    Openings are recorded in the user's data folder (`MESETA_HOME` moves it) and, for a data
    file in a writable folder, also beside it as ``<file>.vault.json``, so that the count goes
    where the file goes and survives its renaming. An opening counts when its vault shares a
    week of bars with the present one, whatever the file, the phases or the number of months. Bars
    that are fetched change with every dividend where they are adjusted for it: of the same series
    an opening counts too when its vault shares a week of dates.

    Parameters
    ----------
    source
        `Bars.source` of the data: a path, ``"sample:nasdaq"``, ``"-"``, ``"store:..."`` or None.

    Attributes
    ----------
    warnings
        What went wrong with reading or writing the records, for the run's own warnings.
    """

    def __init__(self, source: str | None) -> None:
        self.warnings: list[str] = []
        self._series = source if source is not None and source.startswith(_STORED) else None
        self._paths = [path for path in (_beside(source), home() / "vault.json") if path]

    def times_opened(self, vault: Bars) -> int:
        """Return how often any of these bars was opened so far.

        Parameters
        ----------
        vault
            The bars of the vault alone.
        """
        return len(self._sharing(vault, self._readable()))

    def open(self, vault: Bars, *, run: str, strategy: str, grid: str) -> int:
        """Record an opening and return its number: 1 for the first.

        Parameters
        ----------
        vault
            The bars of the vault alone.
        run, strategy, grid
            Names, for the record.
        """
        entry = {
            "id": uuid.uuid4().hex,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "run": run,
            "strategy": strategy,
            "grid": grid,
            "first": vault.calendar.first.isoformat(),
            "last": vault.calendar.last.isoformat(),
            "vault": vault.fingerprint,
            "weeks": " ".join(_weeks(vault)),
            "series": self._series,
        }
        entries = [entry, *self._readable()]
        failures: list[str] = []
        for path in self._paths:
            try:
                entries += self._append(path, entry)
            except (OSError, RunError) as error:
                failures.append(str(error))
        if len(failures) == len(self._paths):
            self.warnings.append(f"the opening of the vault is not recorded: {failures[-1]}")
        return len(self._sharing(vault, entries))

    def _sharing(self, vault: Bars, entries: list[dict[str, Any]]) -> set[str]:
        """Return the openings that saw a week of these bars."""
        sought = set(_weeks(vault))
        return {
            entry["id"]
            for entry in entries
            if not sought.isdisjoint(entry["weeks"].split()) or self._overlaps(vault, entry)
        }

    def _overlaps(self, vault: Bars, entry: dict[str, Any]) -> bool:
        """Tell whether an opening was of the same fetched series and of a week of these dates."""
        if self._series is None or entry.get("series") != self._series:
            return False
        span = vault.calendar
        first, last = (datetime.fromisoformat(entry[name]) for name in ("first", "last"))
        return min(last, span.last) - max(first, span.first) >= _WEEK

    def _readable(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        for path in self._paths:
            # What cannot be read is told when an opening is to be written there.
            with contextlib.suppress(OSError, _DamagedError):
                entries += _read(path)
        return entries

    def _append(self, path: Path, entry: dict[str, Any]) -> list[dict[str, Any]]:
        with _lock(path):
            try:
                entries = _read(path)
            except _DamagedError:
                self._set_aside(path)
                entries = []
            write_json(path, {"version": _VERSION, "openings": [*entries, entry]})
        return entries

    def _set_aside(self, path: Path) -> None:
        aside = _free(path.with_name(path.name + ".damaged"))
        path.rename(aside)
        self.warnings.append(
            f"the vault's ledger {path} was damaged and is set aside as {aside.name}; "
            "the openings recorded only there are not counted"
        )


class _DamagedError(Exception):
    """A ledger that is no ledger."""


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the openings in a ledger; none where there is no file."""
    try:
        entries = list(json.loads(path.read_text(encoding="utf-8"))["openings"])
        whole = all(isinstance(e["id"], str) and isinstance(e["weeks"], str) for e in entries)
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise _DamagedError from error
    if not whole:
        raise _DamagedError
    return entries


def _beside(source: str | None) -> Path | None:
    """Return the place of the ledger beside a data file."""
    if source is None or source.startswith(_STORED):
        return None
    path = Path(source).expanduser()
    return Path(f"{path.resolve()}.vault.json") if path.is_file() else None


def _weeks(bars: Bars) -> list[str]:
    """Return a short fingerprint of the bars of each week, of Monday to Sunday."""
    # Day 0 is a Thursday.
    week = (bars.time.astype(np.int64) // _DAY + 3) // 7
    bounds = [0, *(np.flatnonzero(np.diff(week)) + 1).tolist(), len(bars)]
    return [bars.slice(a, z).fingerprint[:12] for a, z in itertools.pairwise(bounds)]


def _free(path: Path) -> Path:
    """Return `path`, or with the first number that no file has."""
    taken, number = path, 1
    while taken.exists():
        number += 1
        taken = path.with_name(f"{path.name}{number}")
    return taken


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS)
    try:
        with lock:
            yield
    except filelock.Timeout as error:
        raise RunError(f"another process holds {error.lock_file}; try again") from error
