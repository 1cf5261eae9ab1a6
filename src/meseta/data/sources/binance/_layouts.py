"""The tables of Binance's archive and the replies of its REST API, as plain columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FUNDING", "KLINES", "TRADES", "Layout", "from_rows", "from_text"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a table, in the order of the file.

    Parameters
    ----------
    columns
        From our name to the type.
    spellings
        How headers call a column, in small letters without blanks and underscores.
    tail
        How many columns may follow where there is no header.
    """

    columns: Mapping[str, Any]
    spellings: Mapping[str, set[str]] = field(default_factory=dict)
    tail: int = 0


_NUMBERS = ("open", "high", "low", "close", "volume")
KLINES = Layout(
    {
        "open_time": pl.Int64,
        **dict.fromkeys(_NUMBERS, pl.Float64),
        "close_time": pl.Int64,
        "quote_volume": pl.Float64,
        "trades": pl.Int64,
        "taker_buy_volume": pl.Float64,
        "taker_buy_quote_volume": pl.Float64,
        "ignore": pl.String,
    },
    {
        "quote_volume": {"quoteassetvolume"},
        "trades": {"count", "numberoftrades"},
        "taker_buy_volume": {"takerbuybasevolume", "takerbuybaseassetvolume"},
        "taker_buy_quote_volume": {"takerbuyquoteassetvolume"},
    },
)
TRADES = Layout(
    {
        "id": pl.Int64,
        "price": pl.Float64,
        "quantity": pl.Float64,
        "first_id": pl.Int64,
        "last_id": pl.Int64,
        "time": pl.Int64,
        "buyer_maker": pl.Boolean,
    },
    {
        "id": {"aggtradeid", "aggregatetradeid"},
        "quantity": {"qty"},
        "first_id": {"firsttradeid"},
        "last_id": {"lasttradeid"},
        "time": {"transacttime", "timestamp"},
        "buyer_maker": {"isbuyermaker", "wasthebuyerthemaker"},
    },
    # Spot files say last whether it was the best match.
    tail=1,
)
FUNDING = Layout(
    {"time": pl.Int64, "interval_hours": pl.Float64, "rate": pl.Float64},
    {
        "time": {"calctime", "fundingtime"},
        "interval_hours": {"fundingintervalhours"},
        "rate": {"lastfundingrate", "fundingrate"},
    },
)


def from_text(text: bytes, layout: Layout, what: str) -> pl.DataFrame:
    """Read lines of comma-separated values, with a header or without.

    Columns are told by their place. A header, which is a first line whose first field is no
    number, must agree with that; further columns under a header are left out.

    Raises
    ------
    DataError
        There are other columns, or a value is of another type or missing.
    """
    text = text.removeprefix(b"\xef\xbb\xbf").strip()
    first, _, below = text.partition(b"\n")
    names = first.decode("utf-8", "replace").strip().split(",")
    headed = _is_header(names)
    further = len(names) - len(layout.columns)
    if text and not 0 <= further <= (further if headed else layout.tail):
        raise DataError(f"{what} must have {len(layout.columns)} columns, got {names[:14]}")
    if headed:
        _verify(names, layout, what)
    return _read(below if headed else text, layout, further, what)


def from_rows(rows: Sequence[Sequence[Any]], layout: Layout, what: str) -> pl.DataFrame:
    """Read rows of numbers and of numbers as strings, as the REST API sends them.

    Raises
    ------
    DataError
        As for `from_text`.
    """
    if not all(isinstance(row, list) and len(row) == len(layout.columns) for row in rows):
        raise DataError(f"{what} must be rows of {len(layout.columns)} values")
    columns: dict[str, list[Any]] = {
        name: [str(row[place]) for row in rows] for place, name in enumerate(layout.columns)
    }
    text = pl.DataFrame(columns, schema=dict.fromkeys(layout.columns, pl.String))
    return from_text(text.write_csv(include_header=False).encode(), layout, what)


def _is_header(names: list[str]) -> bool:
    try:
        float(names[0])
    except ValueError:
        return names != [""]
    return False


def _verify(names: list[str], layout: Layout, what: str) -> None:
    for ours, theirs in zip(layout.columns, names, strict=False):
        plain = re.sub(r"[^a-z]", "", theirs.lower())
        if plain != ours.replace("_", "") and plain not in layout.spellings.get(ours, ()):
            raise DataError(f"{what} must have {ours!r} in the column that it heads {theirs!r}")


def _read(text: bytes, layout: Layout, further: int, what: str) -> pl.DataFrame:
    left_out = {f"further_{place}": pl.String for place in range(further)}
    try:
        frame = pl.read_csv(
            text, has_header=False, schema={**layout.columns, **left_out}, raise_if_empty=False
        ).select(*layout.columns)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise DataError(f"{what} cannot be read: {reason}") from error
    empty = [name for name in layout.columns if frame[name].null_count() and name != "ignore"]
    if empty:
        raise DataError(f"{what} has empty cells in {', '.join(empty)}")
    return frame
