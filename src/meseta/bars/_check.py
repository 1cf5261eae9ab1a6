"""Looking at market data without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import polars as pl

    from meseta.bars._bars import Bars, Stamp
    from meseta.bars._finding import Finding
    from meseta.bars._times import DateOrder

__all__ = ["Report", "check"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a source.

    Parameters
    ----------
    source
        The source as named by the caller; ``"data frame"`` for a frame.
    rows
        Rows read, bad ones included; 0 where the source cannot be read at all.
    bars
        The bars where there is no fault, with their facts; else None.
    faults
        What stops the load: the first of each kind, its message telling how many more.
    findings
        What looks wrong without being impossible, sought in the rows without fault.
    """

    source: str
    rows: int
    bars: Bars | None
    faults: tuple[Finding, ...]
    findings: tuple[Finding, ...]


def check(
    source: str | Path | pd.DataFrame | pl.DataFrame,
    *,
    name: str | None = None,
    timezone: str | None = None,
    date_order: DateOrder | None = None,
    allow_nonpositive: bool = False,
    stamp: Stamp | None = None,
) -> Report:
    """Gather all faults and suspicious things of a source.

    Parameters
    ----------
    source, name, timezone, date_order, allow_nonpositive, stamp
        As in `load`.

    Raises
    ------
    ArgumentError
        An option is unknown. Faults of the data, up to a missing file, do not raise.
    """
    from meseta.bars._build import judge
    from meseta.bars._finding import whole
    from meseta.bars._read import Options, read
    from meseta.bars._sources import describe

    options = Options(
        name=name,
        timezone=timezone,
        date_order=date_order,
        allow_nonpositive=allow_nonpositive,
        stamp=stamp,
    )
    try:
        columns, label = read(source, options)
    except DataError as error:
        return Report(describe(source), 0, None, (whole("unreadable", str(error)),), ())
    verdict = judge(columns, label)
    rows = len(columns.time)
    return Report(describe(source), rows, verdict.bars, verdict.faults, verdict.suspicions)
