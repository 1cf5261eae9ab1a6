"""Run folders: where a run's files are, whether it is finished, and who works in it."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from meseta._files import atomic_file, write_json
from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from meseta.bars import Bars

__all__ = ["RunFolder"]

_OWN = ("exports", "finalists", "tiles")
_FILES = (
    "bars.parquet",
    "candidates.csv",
    "candidates.parquet",
    "manifest.json",
    "plateaus.json",
    "report.html",
)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run.

    Parameters
    ----------
    path
        The folder.
    """

    path: Path

    @property
    def tiles(self) -> Path:
        """The search's results, kept for `rescore` and `--resume`."""
        return self.path / "tiles"

    @property
    def bars(self) -> Path:
        """The series, vault included."""
        return self.path / "bars.parquet"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    def exists(self) -> bool:
        """Tell whether a run was begun here."""
        return (self.path / "manifest.json").exists()

    def manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises
        ------
        RunError
            There is none, or it cannot be read.
        """
        return self._json("manifest.json")

    def plateaus(self) -> dict[str, Any]:
        """Return the content of `plateaus.json`."""
        return self._json("plateaus.json")

    def _json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(f"{self.path} is no run folder: it has no {name}") from error
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read: {error}; run again with --force") from error
        if not isinstance(found, dict):
            raise RunError(f"{path} is damaged: it holds no mapping; run again with --force")
        return found

    def finished(self) -> bool:
        """Tell whether the run was finished."""
        return bool(self.exists() and self.manifest().get("status") == "finished")

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write the manifest atomically."""
        write_json(self.path / "manifest.json", manifest)

    def write_frame(self, name: str, frame: pl.DataFrame) -> None:
        """Write a Parquet file atomically; `name` may lead into a folder."""
        with atomic_file(self.path / name) as stream:
            frame.write_parquet(stream, compression="zstd", compression_level=1)

    def write_bars(self, bars: Bars) -> None:
        """Keep the series that the run was made on."""
        self.write_frame("bars.parquet", bars.to_polars())

    def clear(self) -> None:
        """Remove what a run writes, and nothing else that may lie in the folder."""
        for name in _OWN:
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out while the folder is written.

        Raises
        ------
        RunError
            Another process works in it, or the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock", timeout=0)
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another process works in {self.path}; wait for it, or choose another --name"
            ) from error
        except OSError as error:
            raise RunError(
                f"cannot write to {self.path}: {error.strerror or error}; choose another --out"
            ) from error
        try:
            yield
        finally:
            lock.release()
