"""Files of the archive that were downloaded and verified, so that a killed download goes on."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from meseta._home import home
from meseta.data import _clock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cache", "cache_folder"]

_KEPT = timedelta(days=7)
# Bytes that stay from one use to the next.
_ROOM = 2 * 2**30


def cache_folder() -> Path:
    """Return where files are kept: below `MESETA_HOME`, else the system's place for caches."""
    import platformdirs

    if os.environ.get("MESETA_HOME"):
        return home() / "cache" / "binance"
    return Path(platformdirs.user_cache_dir("meseta")) / "binance"


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of files named by their SHA-256. It can be deleted at any time.

    Parameters
    ----------
    folder
        Made when the first file is written.
    """

    folder: Path

    def path(self, sha256: str) -> Path:
        """Return where a file is, or is to be written."""
        return self.folder / f"{sha256}.zip"

    def holds(self, sha256: str) -> bool:
        """Say whether a file is there and what it was; one that is damaged is deleted."""
        path = self.path(sha256)
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            sound = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
        if sound:
            moment = _clock.now().timestamp()
            os.utime(path, (moment, moment))
        else:
            path.unlink(missing_ok=True)
        return sound

    def prune(self) -> None:
        """Delete what was not used for a week, and the oldest beyond two gigabytes."""
        oldest, room = (_clock.now() - _KEPT).timestamp(), _ROOM
        for used, size, path in sorted(self._files(), reverse=True):
            room -= size
            if room < 0 or used < oldest:
                # Another process may use it, or have deleted it.
                with contextlib.suppress(OSError):
                    path.unlink()

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.folder.glob("*"):
            with contextlib.suppress(OSError):
                about = path.stat()
                yield about.st_mtime, about.st_size, path
