"""Reading bars from wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import polars as pl

    from meseta.bars._bars import Bars, Stamp
    from meseta.bars._times import DateOrder

__all__ = ["load"]


def load(
    source: str | Path | pd.DataFrame | pl.DataFrame,
    *,
    name: str | None = None,
    timezone: str | None = None,
    date_order: DateOrder | None = None,
    allow_nonpositive: bool = False,
    stamp: Stamp | None = None,
) -> Bars:
    """Read and validate bars.

    Parameters
    ----------
    source
        Path of a CSV file (separated by comma, tab, semicolon or blanks; plain or gzipped), a
        TradeStation chart export, a Binance kline file or a Parquet file; ``"sample:nasdaq"``
        or ``"sample:sp500"`` (daily, 1999 to 2018); ``"sample:nasdaq-3x"`` or
        ``"sample:sp500-3x"``, a leveraged fund made up from the sample (three times its daily
        return less 0.95 % a year, begun at 100, without volume), as name and warnings say;
        ``"-"`` for CSV on standard input; or a pandas or Polars frame. Columns are found by
        name in any case and order, and others are ignored: prices are taken as they stand,
        never adjusted.
    name
        What reports call the market; the file name without extensions by default.
    timezone
        IANA zone of the bars. Epoch numbers and times with an offset are instants and are
        converted to it; other times are taken to be wall time in it already. By default the
        zone that the source names, New York for TradeStation exports, else UTC.
    date_order
        ``"mdy"``, ``"dmy"`` or ``"ymd"``, needed where dates like 01/05/2024 leave it open.
        TradeStation exports are mdy. Two-digit years from 69 on are 1969 and later.
    allow_nonpositive
        Let prices of zero and less pass, as additively back-adjusted futures have them.
    stamp
        Whether a time marks the start ("open") or the end ("close") of a bar; "close" for
        TradeStation exports by default, else "open".

    Returns
    -------
    Bars
        With `warnings` for what looks wrong without being impossible.

    Raises
    ------
    ArgumentError
        An option is unknown.
    DataError
        The source cannot be read, or a bar is impossible. The message names row (as in the
        file, the header is line 1; counted from 0 in a frame), time and value of the first
        fault of each kind, and how many more there are.
    """
    from meseta.bars._build import build
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
        raise DataError(f"{describe(source)}: {error}") from error
    return build(columns, label)
