"""The metadata of a series as a JSON file that shows any edit."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from meseta.data._damage import NewerError, damaged
from meseta.data._key import SeriesKey
from meseta.data._meta import Entry, Meta, Part
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["from_text", "to_text"]

_FORMAT = 1


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
            f"{path} was written by a newer meseta than this one",
            "update meseta, or use another store (--store)",
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
