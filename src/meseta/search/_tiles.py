"""Tile files: the search's results, kept so that nothing has to be searched twice.

A tile file holds a header line (JSON), then the arrays one after the other, each aligned to 64
bytes, and is checked by a CRC-32 over the arrays and their shapes. It is written to a temporary
name and renamed, so a file with the right name is whole unless the disk or a person damaged it.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta._files import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from meseta._types import IntArray

__all__ = ["TileResult", "read_tile", "write_tile"]

_ALIGN = 64
_HEADER = 1 << 16
_ARRAYS = {"oos": "<f4", "codes": "<u4", "table_of": "<i8"}


@dataclass(frozen=True, slots=True)
class TileResult:
    """What one tile found.

    Parameters
    ----------
    oos
        Out-of-sample profit by exit table, entry set and phase, money, float32, shape (T, E, P).
    codes
        What the gates need to know (`_codes.py`), uint32, same shape.
    table_of
        Which exit table each tightening series of the family leads to, int64, shape (series,).
    """

    oos: NDArray[np.float32]
    codes: NDArray[np.uint32]
    table_of: IntArray


def write_tile(path: Path, result: TileResult, identity: str) -> None:
    """Write a tile atomically; `identity` is the fingerprint of the search."""
    arrays = [np.ascontiguousarray(getattr(result, name), kind) for name, kind in _ARRAYS.items()]
    shapes = [array.shape for array in arrays]
    header = {"identity": identity, "crc": _crc(shapes, arrays), "shapes": shapes}
    with atomic_file(path) as stream:
        at = stream.write(json.dumps(header).encode() + b"\n")
        for array in arrays:
            at += stream.write(b"\0" * (-at % _ALIGN))
            at += stream.write(array.view(np.uint8).data)


def read_tile(path: Path, identity: str, *, check: bool = True) -> TileResult | None:
    """Map a tile into memory, or return None when it is missing, foreign or damaged.

    Parameters
    ----------
    path, identity
        Where it should be, and the fingerprint of the search that it must belong to.
    check
        Read everything once and compare the checksum.
    """
    try:
        with path.open("rb") as stream:
            header = json.loads(stream.readline(_HEADER))
            shapes, expected, owner = (header[name] for name in ("shapes", "crc", "identity"))
            arrays = _arrays(path, stream.tell(), shapes)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    if owner != identity or (check and _crc(shapes, arrays) != expected):
        return None
    return TileResult(*arrays)


def _arrays(path: Path, at: int, shapes: list[list[int]]) -> list[Any]:
    """Map each array on its own, so that one that is no longer needed leaves the memory."""
    found: list[Any] = []
    for kind, shape in zip(_ARRAYS.values(), shapes, strict=True):
        at += -at % _ALIGN
        found.append(np.memmap(path, kind, "r", at, tuple(shape)))
        at += found[-1].nbytes
    if at != path.stat().st_size:
        raise ValueError("the file is longer or shorter than its header says")
    return found


def _crc(shapes: Any, arrays: list[Any]) -> int:
    crc = zlib.crc32(json.dumps(shapes).encode())
    for array in arrays:
        crc = zlib.crc32(array.view(np.uint8).data, crc)
    return crc
