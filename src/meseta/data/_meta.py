"""What is known of a stored series, and its form as a JSON file that shows any edit."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from meseta.data._key import SeriesKey
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from meseta.bars._bars import Stamp

__all__ = [
    "DamagedError",
    "Entry",
    "Meta",
    "NewerError",
    "Part",
    "damaged",
    "from_text",
    "to_text",
]

_FORMAT = 1
_WAY_OUT = (
    "set it aside with `meseta data verify --set-aside`, then fetch or import the series again"
)


class DamagedError(DataError):
    """A file of the store is not what was written."""


class NewerError(DamagedError):
    """A newer meseta wrote the series, which is sound for all that this one can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a series' log.

    Parameters
    ----------
    when
        UTC, ISO, to the second.
    action
        ``"fetched"``, ``"extended"``, ``"begun earlier"``, ``"fetched again"``,
        ``"imported"``, ``"set aside"`` or ``"nothing new"``.
    asked
        Start and exclusive end of what was asked for, ISO; None where nobody asked.
    received
        First and last moment of the rows that came, ISO; None where none came.
    rows
        How many came.
    why
        What a reader of the log should know beside that.
    """

    when: str
    action: str
    asked: tuple[str, str] | None
    received: tuple[str, str] | None
    rows: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Parquet file of a series.

    Parameters
    ----------
    file
        Its name, with the first 16 digits of its hash.
    sha256
        Of the file's bytes.
    content
        SHA-256 of the rows, whatever wrote the file.
    rows
        How many.
    first, last
        Moments of the first and of the last row, UTC.
    """

    file: str
    sha256: str
    content: str
    rows: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What is known of a stored series.

    Parameters
    ----------
    key
        Which series it is.
    timezone, stamp, calendar, tick
        As the source's `Facts` say.
    parts
        Files of the rows, in their order; the store sets them.
    content
        SHA-256 of the rows, whatever wrote the files; the store sets it. That of the only part,
        or one over those of the parts.
    vendor
        What the vendor said of the series.
    objects
        SHA-256 of each of the vendor's files that rows come from, by its name.
    notes
        What a user should know of the present rows.
    nothing_before
        From when on the vendor was asked and had nothing before the first row, and when that
        was, ISO; None where nobody asked.
    log
        What was done to the series, oldest first.
    written, version
        Time and meseta version of the last write; the store sets them.
    """

    key: SeriesKey
    timezone: str
    stamp: Stamp
    calendar: str | None = None
    tick: float | None = None
    parts: tuple[Part, ...] = ()
    content: str = ""
    vendor: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    nothing_before: tuple[str, str] | None = None
    log: tuple[Entry, ...] = ()
    written: str = ""
    version: str = ""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(part.rows for part in self.parts)

    @property
    def first(self) -> datetime | None:
        """Moment of the first row, UTC; None without rows."""
        return self.parts[0].first if self.parts else None

    @property
    def last(self) -> datetime | None:
        """Moment of the last row, UTC; None without rows."""
        return self.parts[-1].last if self.parts else None


def damaged(path: Path, what: str) -> DamagedError:
    """Make the error that says what is wrong with a file, and the way out."""
    return DamagedError(f"{path} {what}; {_WAY_OUT}")


def to_text(meta: Meta) -> str:
    """Write metadata as JSON, with a seal: SHA-256 of the canonical JSON of all the rest.

    Raises
    ------
    DataError
        The source's facts hold something that JSON does not.
    """
    try:
        # Once through JSON, so that the seal is made of what a reader will find.
        document = json.loads(json.dumps(_to_mapping(meta), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"what the source {meta.key.source} says of {meta.key.symbol} must be fit for JSON: "
            f"{error}"
        ) from error
    return _indented({**document, "seal": _seal(document)})


def from_text(text: str, path: Path) -> Meta:
    """Read what `to_text` wrote.

    Parameters
    ----------
    text
        Content of the file.
    path
        Where it was found, for messages.

    Raises
    ------
    DamagedError
        The text was cut off or edited, or a newer meseta wrote it.
    """
    try:
        document = json.loads(text)
        newer = document["format"] > _FORMAT
        seal = document.pop("seal")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, "was cut off or is no metadata of a series") from error
    if newer:
        raise NewerError(
            f"{path} was written by a newer meseta than this one; update meseta, or use another "
            "store (--store)"
        )
    if seal != _seal(document) or text != _indented({**document, "seal": seal}):
        raise damaged(path, "was edited since meseta wrote it")
    try:
        return _from_mapping(document)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, f"holds what meseta never writes ({error})") from error


def _to_mapping(meta: Meta) -> dict[str, Any]:
    plain = {name: getattr(meta, name) for name in Meta.__dataclass_fields__}
    plain["key"] = asdict(meta.key)
    plain["vendor"], plain["objects"] = dict(meta.vendor), dict(meta.objects)
    plain["log"] = [asdict(entry) for entry in meta.log]
    plain["parts"] = [_part_to_mapping(part) for part in meta.parts]
    return {"format": _FORMAT, **plain}


def _part_to_mapping(part: Part) -> dict[str, Any]:
    times = {"first": part.first.isoformat(), "last": part.last.isoformat()}
    return asdict(part) | times


def _from_mapping(document: Mapping[str, Any]) -> Meta:
    fields = {name: document[name] for name in Meta.__dataclass_fields__}
    fields["key"] = SeriesKey(**fields["key"])
    fields["parts"] = tuple(_part_from_mapping(part) for part in fields["parts"])
    fields["notes"] = tuple(fields["notes"])
    fields["nothing_before"] = _pair(fields["nothing_before"])
    fields["log"] = tuple(
        Entry(**{**entry, "asked": _pair(entry["asked"]), "received": _pair(entry["received"])})
        for entry in fields["log"]
    )
    return Meta(**fields)


def _part_from_mapping(part: Mapping[str, Any]) -> Part:
    times = {name: datetime.fromisoformat(part[name]) for name in ("first", "last")}
    return Part(**{**part, **times})


def _pair(value: list[str] | None) -> tuple[str, str] | None:
    return None if value is None else (value[0], value[1])


def _seal(document: Mapping[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _indented(document: Mapping[str, Any]) -> str:
    # Escaped, since a vendor's text may hold what UTF-8 cannot.
    return json.dumps(document, indent=2) + "\n"
