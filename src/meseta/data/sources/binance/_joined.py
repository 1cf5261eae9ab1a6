"""One series of what the archive and the REST API have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from meseta.data.sources.binance._tables import in_order, no_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.data.sources.binance._series import Series

__all__ = ["joined"]


def joined(
    series: Series, archive: Sequence[pl.DataFrame], rest: Sequence[pl.DataFrame]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the rows of both in order, and what a user should know of them.

    Of funding the archive knows how many hours a payment is for, and the REST API the mark price
    that it is on; a payment that both know has both. Of everything else there is one row or the
    other.

    Raises
    ------
    DataError
        Two rows of one time, or of one id, differ.
    """
    if series.key.kind == "funding":
        return _payments(_together(series, archive), _together(series, rest))
    return _together(series, [*archive, *rest]), ()


def _together(series: Series, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat([no_rows(series), *frames])
    return in_order(rows, series.unique, series.key.label, sort=True)


def _payments(archive: pl.DataFrame, rest: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    both = archive.join(rest, on="ts", how="full", coalesce=True, suffix="_rest").sort("ts")
    rows = both.select(
        "ts",
        pl.coalesce("rate", "rate_rest"),
        "interval_hours",
        pl.coalesce("mark_price", "mark_price_rest"),
    )
    differing = both.filter(pl.col("rate") != pl.col("rate_rest"))
    if differing.is_empty():
        return rows, ()
    note = (
        f"{differing.height} rates of funding are other ones in Binance's REST API than in its "
        f"archive, whose are kept; the first at {differing['ts'][0]:%Y-%m-%d %H:%M} UTC"
    )
    return rows, (note,)
