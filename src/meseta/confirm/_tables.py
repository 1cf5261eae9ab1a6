"""Confirmations as tables, and in a study's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta._files import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from meseta.bayes import Metrics
    from meseta.confirm._confirm import Confirmed

__all__ = ["cause_table", "engine_table", "write_tables"]


def engine_table(confirmed: Sequence[Confirmed]) -> pl.DataFrame:
    """Return a row for each trial and engine.

    Returns
    -------
    polars.DataFrame
        Columns trial, engine (compiled, nautilus), trades (closed lots), fees, funding (money
        paid), total_return and max_drawdown (fractions). A trial that failed has no row for
        the engine.
    """
    import polars as pl

    rows = [
        _row(each.trial, engine, metrics)
        for each in confirmed
        for engine, metrics in (
            ("compiled", each.compiled_metrics),
            ("nautilus", each.engine_metrics),
        )
        if metrics is not None
    ]
    numbers = ("fees", "funding", "total_return", "max_drawdown")
    schema = {"trial": pl.Int64, "engine": pl.String, "trades": pl.Int64}
    return pl.DataFrame(rows, schema=schema | dict.fromkeys(numbers, pl.Float64), orient="row")


def cause_table(confirmed: Sequence[Confirmed]) -> pl.DataFrame:
    """Return why the engines differ.

    Returns
    -------
    polars.DataFrame
        Columns trial, cause, difference (money that the event-driven engine has more; they add
        up to the difference of the final equities) and count (lots).
    """
    import polars as pl

    rows = [
        (each.trial, cause.name, cause.difference, cause.count)
        for each in confirmed
        for cause in each.causes
    ]
    schema = {"trial": pl.Int64, "cause": pl.String, "difference": pl.Float64, "count": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def write_tables(folder: Path, confirmed: Sequence[Confirmed]) -> None:
    """Write both tables into a study's folder, each whole or not at all."""
    tables = {
        "confirmation.parquet": engine_table(confirmed),
        "confirmation_causes.parquet": cause_table(confirmed),
    }
    for name, table in tables.items():
        with atomic_file(folder / name) as stream:
            table.write_parquet(stream)


def _row(trial: int, engine: str, metrics: Metrics) -> tuple[int | str | float, ...]:
    return (
        trial, engine, metrics.trades, metrics.fees, metrics.funding, metrics.total_return,
        metrics.max_drawdown,
    )  # fmt: skip
