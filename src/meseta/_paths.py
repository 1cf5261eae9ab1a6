"""Paths as a user writes them: data, folders, and code of one's own in a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

__all__ = ["as_code", "as_path", "located"]

# A strategy, fitness or source in a file, with or without the name that it has there.
_IN_FILE = re.compile(r"(.+\.py)((?::[^:]*)?)")
_FOLDERS = {"out", "store", "strategy_config"}
_DATA = {"bars", "bars2", "funding", "mark"}
_CODE = {"aggregate", "fitness", "source", "strategy"}
_YAML = {"grid", "space"}


def as_path(value: object) -> object:
    """Return text as a path."""
    return Path(value).expanduser() if isinstance(value, str) and value else value


def as_code(value: object) -> object:
    """Let code in a file be found from any folder, also when the run is scored again."""
    found = _IN_FILE.fullmatch(value) if isinstance(value, str) else None
    return f"{Path(found[1]).expanduser().absolute()}{found[2]}" if found else value


def located(folder: Path, option: str, value: Any) -> Any:
    """Let an option that is a path count from the folder of the file that it stands in."""
    if isinstance(value, list):
        return [located(folder, option, each) for each in value]
    if not isinstance(value, str) or not value:
        return value
    is_path = (
        option in _FOLDERS
        or (option in _DATA and value != "-" and not value.startswith("sample:"))
        or (option in _CODE and _IN_FILE.fullmatch(value) is not None)
        or (option in _YAML and value.endswith((".yaml", ".yml")))
        or (option == "phases" and value != "auto")
    )
    return str(folder / Path(value).expanduser()) if is_path else value
