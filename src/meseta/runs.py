"""Run folders: where a run's files are, whether it is finished, and who works in it."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass, replace
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

_OWN = ("exports", "finalists", "tiles", "variants")
# The manifest first: without it the folder holds no run, whatever a killed process left there.
_FILES = (
    "manifest.json",
    "bars.parquet",
    "bars2.parquet",
    "best.parquet",
    "candidates.csv",
    "candidates.parquet",
    "comparison.html",
    "curve.parquet",
    "matrix.parquet",
    "plateaus.json",
    "report.html",
    "trades.parquet",
    "windows.parquet",
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
    def bars2(self) -> Path:
        """The second symbol's series, vault included; no file without one."""
        return self.path / "bars2.parquet"

    @property
    def exports(self) -> Path:
        """Files for other programs, of the run and of its variants."""
        return self.path / "exports"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def comparison(self) -> Path:
        """The HTML page that compares the run with its variants."""
        return self.path / "comparison.html"

    def variant(self, name: str) -> RunFolder:
        """Return the run folder of a variant, inside this one."""
        return RunFolder(self.path / "variants" / name)

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
        """Tell whether the run and its variants were finished, with the pages asked for."""
        if not self.exists():
            return False
        manifest = self.manifest()
        variants = manifest.get("variants", [])
        folders = [self, *(RunFolder(self.path / each["folder"]) for each in variants)]
        pages = [folder.report for folder in folders] + [self.comparison] * bool(variants)
        paged = not manifest.get("config", {}).get("report") or all(p.exists() for p in pages)
        return paged and all(each.get("status") == "finished" for each in (manifest, *variants))

    def require_free(self, *, resume: bool, force: bool) -> None:
        """Raise when a run is in the way: finished, or begun and not to be continued."""
        if force or not self.exists():
            return
        if self.finished():
            raise RunError(
                f"{self.path} holds a finished run; choose another --name, "
                "or overwrite it with --force"
            )
        if not resume:
            raise RunError(
                f"{self.path} holds an unfinished run; continue it with --resume, "
                "or begin anew with --force"
            )

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write the manifest atomically."""
        write_json(self.path / "manifest.json", manifest)

    def write_frame(self, name: str, frame: pl.DataFrame) -> None:
        """Write a Parquet file atomically; `name` may lead into a folder."""
        with atomic_file(self.path / name) as stream:
            frame.write_parquet(stream, compression="zstd", compression_level=1)

    def write_bars(self, bars: Bars) -> None:
        """Keep the series, one or two, that the run was made on."""
        from meseta.bars import save

        save(replace(bars, second=None, alignment=None), self.bars)
        if bars.second is not None:
            save(bars.second, self.bars2)

    def clear(self) -> None:
        """Remove what a run writes, and nothing else that may lie in the folder."""
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
        for name in _OWN:
            shutil.rmtree(self.path / name, ignore_errors=True)

    def clear_pages(self) -> None:
        """Remove the HTML pages, which tell of results that are about to be replaced."""
        for page in (self.report, self.comparison):
            page.unlink(missing_ok=True)

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
                f"cannot write to {self.path}: {error.strerror or error}; choose another folder"
            ) from error
        try:
            yield
        finally:
            lock.release()
