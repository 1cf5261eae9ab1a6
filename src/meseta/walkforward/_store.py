"""Results of parts of a pass on disk, so that an interrupted one goes on where it was."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._files import atomic_file, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["PartStore"]

_DESCRIPTION = "emulated.json"
_HEADER = 1 << 16


class PartStore:
    """A folder with a file for each part: a line of JSON, then arrays one after the other.

    A file is written to a temporary name and renamed, and holds a checksum and the fingerprint
    of what it belongs to.

    Parameters
    ----------
    folder
        Where the files lie.
    identity
        Fingerprint of everything that the numbers depend on.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder, self.identity = folder, identity

    def begin(self, description: dict[str, Any]) -> None:
        """Write what is computed beside the parts, and remove what a killed process left."""
        for part in self.folder.glob(".*.part"):
            part.unlink(missing_ok=True)
        write_json(self.folder / _DESCRIPTION, description)

    def path(self, name: str) -> Path:
        """Return where a part's file belongs."""
        return self.folder / f"{name}.best"

    def write(self, name: str, arrays: Sequence[Any]) -> None:
        """Keep the arrays of a part."""
        whole = [np.ascontiguousarray(array) for array in arrays]
        kinds = [(array.dtype.str, array.shape) for array in whole]
        header = {"identity": self.identity, "crc": _crc(kinds, whole), "arrays": kinds}
        with atomic_file(self.path(name)) as stream:
            stream.write(json.dumps(header).encode() + b"\n")
            for array in whole:
                stream.write(array.data)

    def read(self, name: str) -> list[Any] | None:
        """Return the arrays of a part, or None when it is missing, foreign or damaged."""
        try:
            with self.path(name).open("rb") as stream:
                header = json.loads(stream.readline(_HEADER))
                kinds = [(str(kind), tuple(shape)) for kind, shape in header["arrays"]]
                arrays = [_array(stream.read(_bytes(*each)), *each) for each in kinds]
                whole = not stream.read(1) and header["crc"] == _crc(kinds, arrays)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
            return None
        return arrays if whole and header["identity"] == self.identity else None


def _bytes(kind: str, shape: tuple[int, ...]) -> int:
    size = np.dtype(kind).itemsize
    for length in shape:
        size *= int(length)
    return size


def _array(content: bytes, kind: str, shape: tuple[int, ...]) -> Any:
    return np.frombuffer(content, kind).reshape(shape)


def _crc(kinds: Any, arrays: list[Any]) -> int:
    crc = zlib.crc32(json.dumps(kinds).encode())
    for array in arrays:
        crc = zlib.crc32(array.data, crc)
    return crc
