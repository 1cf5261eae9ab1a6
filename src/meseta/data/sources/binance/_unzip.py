"""Reading the one table that an archive's file holds, trusting nothing in it."""

from __future__ import annotations

import stat
import zipfile
import zlib
from typing import TYPE_CHECKING

from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

__all__ = ["BLOCK", "blocks"]

BLOCK = 32 * 2**20
# A month of the busiest symbol's trades takes about 4 GB; tables of prices shrink to a tenth.
_LARGEST = 16 * 2**30
_TIGHTEST = 200
_SMALL = 2**20
_ENCRYPTED = 0x1
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def blocks(path: Path, member: str, what: str) -> Iterator[bytes]:
    """Yield the bytes of the table, about 32 MB at a time, each of whole lines.

    Nothing is written to disk, so a member's name can do no harm; one that is not `member` is
    refused all the same.

    Parameters
    ----------
    path
        The zip file.
    member
        Name of the one file that it must hold.
    what
        What messages call it.

    Raises
    ------
    DataError
        It is no zip file, is cut short or encrypted, holds something else, or would swell to
        more than a table can be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            info = _only(archive, member, what)
            with archive.open(info) as stream:
                yield from _lines(stream, what)
    except _DAMAGED as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{what} is no sound zip file: {error}") from error


def _only(archive: zipfile.ZipFile, member: str, what: str) -> zipfile.ZipInfo:
    members = archive.infolist()
    names = {name for info in members for name in (info.filename, info.orig_filename)}
    if len(members) != 1 or names != {member}:
        shown = ", ".join(repr(name) for name in sorted(names)[:3])
        raise DataError(f"{what} must hold {member!r} and nothing else, but holds {shown}")
    (info,) = members
    if info.flag_bits & _ENCRYPTED or stat.S_ISLNK(info.external_attr >> 16):
        raise DataError(f"{what} must hold a plain file, but {member!r} is encrypted or a link")
    # zipfile never reads more than the size that is declared.
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > _LARGEST or (ratio > _TIGHTEST and info.file_size > _SMALL):
        raise DataError(
            f"{what} would swell to {info.file_size:,} bytes, more than a table can be"
        )
    return info


def _lines(stream: IO[bytes], what: str) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(BLOCK):
        whole, line_end, rest = (rest + chunk).rpartition(b"\n")
        if line_end:
            yield whole
        if len(rest) > BLOCK:
            raise DataError(f"{what} is no table: a line of it is longer than {BLOCK:,} bytes")
    if rest.strip():
        yield rest
