"""The files of an optimisation's folder: its data, written and read again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meseta._files import atomic_file
from meseta.bars import load, save
from meseta.errors import DataError, RunError
from meseta.hedge import Funding
from meseta.pipeline._optimize_data import Instrument
from meseta.pipeline._series import kept_bars, kept_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meseta.runs import RunFolder

__all__ = ["WINDOWS", "clear", "clear_outcome", "read_instruments", "write_instruments"]

# Folder of the windows' finished studies.
WINDOWS = "windows"
# What is made of the trials; a study that goes on makes it anew.
_OUTCOME = (
    "summary.json", "spans.parquet", "importance.parquet", "equity.parquet", "lots.parquet",
    "windows.parquet", "windows_curve.parquet", "confirmation*.parquet", "report.html",
    "*_best.yaml", "*_best_infeasible.yaml",
)  # fmt: skip
_OWN = (
    "manifest.json", "results.db*", "optuna.db*", "trials.parquet", "trials.csv", "null.parquet",
    "bars*.parquet", "funding*.parquet", "mark*.parquet", *_OUTCOME,
)  # fmt: skip


def clear(folder: RunFolder) -> None:
    """Remove what an optimisation writes, the manifest first, and nothing else."""
    _remove(folder, _OWN)
    shutil.rmtree(folder.path / WINDOWS, ignore_errors=True)


def clear_outcome(folder: RunFolder) -> None:
    """Remove what was made of the trials, which are about to become more."""
    _remove(folder, _OUTCOME)


def _remove(folder: RunFolder, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        for path in sorted(folder.path.glob(pattern)):
            path.unlink(missing_ok=True)


def _file(folder: RunFolder, what: str, at: int) -> Path:
    """Return the place of an instrument's data; those of the first carry no number."""
    return folder.path / (f"{what}.parquet" if at == 0 else f"{what}-{at + 1}.parquet")


def write_instruments(folder: RunFolder, instruments: Sequence[Instrument]) -> None:
    """Keep the data that the study is made on."""
    for at, each in enumerate(instruments):
        if at == 0:
            folder.write_bars(each.bars)
        else:
            save(each.bars, _file(folder, "bars", at))
        if each.mark is not None:
            save(each.mark, _file(folder, "mark", at))
        if each.funding is not None:
            _write_funding(_file(folder, "funding", at), each.funding)


def _write_funding(path: Path, funding: Funding) -> None:
    import polars as pl

    columns = {name: getattr(funding, name) for name in ("time", "rate", "interval_hours")}
    with atomic_file(path) as stream:
        pl.DataFrame(columns).write_parquet(stream, compression="zstd", compression_level=1)


def read_instruments(folder: RunFolder, manifest: dict[str, Any]) -> tuple[Instrument, ...]:
    """Read the data that a study was made on.

    Raises
    ------
    RunError
        They are missing, or not those of the study.
    """
    further = [
        kept_bars(_file(folder, "bars", at), data)
        for at, data in enumerate(manifest["further"], start=1)
    ]
    return tuple(
        _instrument(folder, at, bars)
        for at, bars in enumerate([kept_series(folder, manifest), *further])
    )


def _instrument(folder: RunFolder, at: int, bars: Any) -> Instrument:
    funding, mark = _file(folder, "funding", at), _file(folder, "mark", at)
    try:
        return Instrument(
            bars=bars,
            funding=Funding.load(funding) if funding.is_file() else None,
            mark=replace(load(mark), warnings=()) if mark.is_file() else None,
        )
    except DataError as error:
        raise RunError(f"{error}; run again with --force") from error
