"""What a source answered, held against what it promises; nothing else is ever stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from meseta.data._schema import schema_of
from meseta.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.data._key import SeriesKey
    from meseta.data._spans import Span
    from meseta.data.sources import Answer, Facts, Source

__all__ = ["checked", "facts_of"]

_OHLC = ("open", "high", "low", "close")
# Where prices of zero and less are real: futures joined by adding, and rates.
_SIGNED = {"back-adjusted", "unknown"}


def facts_of(source: Source, key: SeriesKey) -> Facts:
    """Return what a source knows of a series, without a request.

    Raises
    ------
    ArgumentError
        There is no such series, or the source calls none of its own so.
    """
    facts = source.facts(key)
    for name, value, has in (
        ("kind", key.kind, source.kinds),
        ("basis", key.basis, source.bases),
    ):
        if value not in has:
            raise ArgumentError(
                f"`{name}` must be one of {', '.join(has)} for {source.title}, got {value!r}"
            )
    return facts


def checked(source: Source, key: SeriesKey, answer: Answer, span: Span) -> pl.DataFrame:
    """Return the rows of an answer, or refuse all of them.

    Raises
    ------
    DataError
        A row lies outside the span, rows are not in order, or a price is impossible.
    """
    try:
        frame = schema_of(key).conform(answer.frame)
        _require_inside(key, frame, span)
        if key.bar is not None:
            _require_possible(key, frame)
    except DataError as error:
        raise DataError(
            f"what {source.title} answered for {key.label} cannot be used: {error}; nothing of "
            "it was stored"
        ) from error
    return frame


def _require_inside(key: SeriesKey, frame: pl.DataFrame, span: Span) -> None:
    moments = schema_of(key).moments(frame)
    outside = frame.filter((moments < span[0]) | (moments >= span[1]))
    if outside.height:
        raise DataError(
            f"{outside.height} rows lie outside what was asked, the first at "
            f"{outside[schema_of(key).time][0]}"
        )


def _require_possible(key: SeriesKey, frame: pl.DataFrame) -> None:
    for rule, wrong in _rules(key):
        rows = frame.filter(wrong)
        if rows.height:
            row = rows.row(0, named=True)
            prices = ", ".join(f"{name} {row[name]}" for name in _OHLC)
            more = f" (and {rows.height - 1} more)" if rows.height > 1 else ""
            raise DataError(f"{rule} at {row[schema_of(key).time]}: {prices}{more}")


def _rules(key: SeriesKey) -> Iterator[tuple[str, pl.Expr]]:
    """Name what must not be, and say where it is."""
    prices = [pl.col(name) for name in _OHLC]
    body = pl.max_horizontal("open", "close", "low"), pl.min_horizontal("open", "close", "high")
    yield "a price is no number", pl.any_horizontal(~price.is_finite() for price in prices)
    yield "the high is not the highest", pl.col("high") < body[0]
    yield "the low is not the lowest", pl.col("low") > body[1]
    if key.kind != "premium" and key.basis not in _SIGNED:
        yield "a price is not positive", pl.col("low") <= 0
    yield "the volume is negative", pl.col("volume") < 0
