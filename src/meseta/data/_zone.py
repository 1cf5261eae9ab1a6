"""Wall time and moments, in zones whose clocks change."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

__all__ = ["Moments", "goes_back", "to_utc", "to_wall"]

_NAIVE = pl.Datetime("us")


@dataclass(frozen=True, eq=False, slots=True)
class Moments:
    """Moments of wall times.

    Parameters
    ----------
    utc
        In UTC, shape (N,); empty where the wall time does not exist or was empty.
    twice
        Whether the wall time occurs twice, shape (N,).
    """

    utc: pl.Series
    twice: pl.Series


def to_utc(wall: pl.Series, zone: str) -> Moments:
    """Return the moments of naive wall times.

    A time that occurs twice, when clocks go back, is the first of the two. From where the rows
    themselves go back within that hour they are the second.
    """
    first, last = (
        wall.dt.replace_time_zone(zone, ambiguous=which, non_existent="null")
        for which in ("earliest", "latest")
    )
    twice = (first != last).fill_null(value=False)
    rows = pl.DataFrame({"wall": wall, "first": first, "last": last, "twice": twice})
    back = (pl.col("wall") <= pl.col("wall").cum_max().shift()).fill_null(value=False)
    again = (back & pl.col("twice")).cum_max().over(pl.col("wall").dt.date())
    chosen = pl.when(again & pl.col("twice")).then("last").otherwise("first")
    return Moments(rows.select(chosen.dt.convert_time_zone("UTC")).to_series(), twice)


def to_wall(utc: pl.Series, zone: str) -> pl.Series:
    """Return naive wall times of moments."""
    return utc.dt.convert_time_zone(zone).dt.replace_time_zone(None).cast(_NAIVE)


def goes_back(wall: pl.Series) -> int | None:
    """Return the first row that is not later than the one before; None where all are."""
    back = (wall.diff().dt.total_microseconds() <= 0).arg_true()
    return int(back[0]) if len(back) else None
