"""Getting the archive's files, each against its checksum."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from meseta._files import atomic_file
from meseta.data.sources._http import Http, back_off, trusted_url
from meseta.data.sources.binance._waits import bearable, retry_after
from meseta.errors import DataError, SourceError

if TYPE_CHECKING:
    import httpx2

    from meseta.data.sources.binance._cache import Cache

__all__ = ["Files", "connect"]

_TITLE = "Binance's archive"
_VARIABLE, _ADDRESS = "MESETA_BINANCE_ARCHIVE_URL", "https://data.binance.vision"
_REPORTS = "https://github.com/binance/binance-public-data/issues"
_CHECKSUM = re.compile(r"([0-9a-f]{64}) [ *](\S+)\s*")
_TRIES = 3
_OK, _NONE = 200, 404


class _OtherError(SourceError):
    """A file is not what its checksum says."""


class _AbsentError(Exception):
    """There is a checksum but no file."""


@dataclass(frozen=True, slots=True)
class Files:
    """The archive's files; may be used from several threads.

    Parameters
    ----------
    http
        As `connect` makes it.
    cache
        Where they lie once they are verified.
    """

    http: Http
    cache: Cache

    def obtain(self, path: str) -> str | None:
        """Make a file lie in the cache; return its SHA-256, None where the archive has none.

        Raises
        ------
        SourceError
            The archive does not answer, or the file is thrice not what its checksum says.
        DataError
            The checksum is none.
        """
        for _ in range(_TRIES - 1):
            with contextlib.suppress(_OtherError):
                return self._obtain(path)
        return self._obtain(path)

    def checksum(self, path: str) -> str | None:
        """Return the SHA-256 that a file should have, None where the archive has none.

        Raises
        ------
        SourceError
            The archive does not answer.
        DataError
            The checksum is none, or that of another file.
        """
        answer = self.http.get(_address(f"{path}.CHECKSUM"))
        if answer.status_code == _NONE:
            return None
        found = _CHECKSUM.fullmatch(answer.text)
        if found is None or found[2] != PurePosixPath(path).name:
            raise DataError(f"{path}.CHECKSUM of Binance's archive is none: {answer.text[:160]!r}")
        return found[1]

    def _obtain(self, path: str) -> str | None:
        # Asked anew each time, since the file may just have been replaced.
        expected = self.checksum(path)
        if expected is None or self.cache.holds(expected):
            return expected
        try:
            self._download(path, expected)
        except _AbsentError:
            return None
        return expected

    def _download(self, path: str, expected: str) -> None:
        with atomic_file(self.cache.path(expected)) as stream:
            answer, found = self.http.download(_address(path), stream)
            if answer.status_code == _NONE:
                raise _AbsentError
            if found != expected:
                raise _OtherError(
                    f"{path} of Binance's archive is thrice not what its checksum says: expected "
                    f"{expected}, got {found}; try again tomorrow, or report it at {_REPORTS}",
                    temporary=True,
                )


def connect() -> Http:
    """Return a connection to the archive; `MESETA_BINANCE_ARCHIVE_URL` says where else it is.

    Raises
    ------
    ArgumentError
        The variable names no trusted address.
    """
    _address("")
    return Http(_TITLE, _judge)


def _address(path: str) -> str:
    base = trusted_url(_VARIABLE, os.environ.get(_VARIABLE) or _ADDRESS)
    return f"{base}/{quote(path)}"


def _judge(answer: httpx2.Response, attempt: int) -> float | None:
    status = answer.status_code
    if status in {_OK, _NONE}:
        return None
    if status in {408, 429} or status >= 500:
        return bearable(max(back_off(attempt), retry_after(answer) or 0.0), _TITLE)
    reason = "does not serve this region" if status == 451 else "refuses to answer"
    raise SourceError(
        f"{_TITLE} ({answer.url.host}) {reason} (status {status}); try again later or "
        "from another network",
        temporary=True,
    )
