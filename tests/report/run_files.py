"""Reads and edits the JSON files of a run folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meseta._files import write_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def edited(**values: Any) -> Callable[[Path], None]:
    """Set fields of the manifest, `a__b` for a field inside another."""

    def change(folder: Path) -> None:
        manifest = read(folder / "manifest.json")
        for name, value in values.items():
            *outer, last = name.split("__")
            place = manifest
            for key in outer:
                place = place[key]
            place[last] = value
        write_json(folder / "manifest.json", manifest)

    return change
