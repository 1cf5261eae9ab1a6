"""What the name of a data file says of its series."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.data._key import Kind

__all__ = ["EXTENSIONS", "kind_of", "symbol_of"]

EXTENSIONS = (".csv", ".txt", ".tsv", ".parquet")
_SIZE = (
    r"\d{1,4} ?(?:m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|mo|months?)"
    r"|hourly|daily|weekly|monthly"
)
_YEAR = r"(?:19|20)\d\d"
_DATE = rf"{_YEAR}-\d\d-\d\d|{_YEAR}-\d\d|{_YEAR}(?:\d\d){{0,2}}"
_KINDS: dict[Kind, str] = {
    "mark": r"mark(?:price(?:klines)?)?",
    "index": r"indexprice(?:klines)?",
    "premium": r"premiumindex(?:klines)?",
}
_SPOT = "spot"
_WHAT = "|".join([*_KINDS.values(), r"perp(?:etual)?|funding(?:rate)?|(?:agg)?trades|klines"])
_TAIL = re.compile(rf"(.+?)(?:[-_ ]+(?:{_SIZE}|{_DATE}|{_WHAT})| ?\(\d+\))", re.IGNORECASE)


def symbol_of(path: Path) -> str:
    """Return the name of a file without what is known not to belong to a symbol.

    At its end that are the length of a bar, dates, kinds of data (``mark``, ``perp``,
    ``aggTrades``) and the number of a copy: ``BTCUSDT_perp_5m_2026-01.csv.gz`` is BTCUSDT, and
    ``BRK-B.csv`` is BRK-B. Files of a spot market have the names of the perpetual's: in a folder
    called ``spot``, as Binance's archive has it, BTCUSDT is BTCUSDT_spot.
    """
    stem = _stem(path)
    while tail := _TAIL.fullmatch(stem):
        stem = tail[1]
    spot = any(part.lower() == _SPOT for part in path.parent.parts)
    return stem.strip() + (f"_{_SPOT}" if spot else "")


def kind_of(path: Path) -> Kind:
    """Return whose bars a file has by its name: those of trades, where it says nothing."""
    words = re.split(r"[-_ ]", _stem(path).lower())
    found = (kind for kind, name in _KINDS.items() if any(re.fullmatch(name, w) for w in words))
    return next(found, "bars")


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    extension = next((end for end in EXTENSIONS if name.lower().endswith(end)), "")
    return name[: len(name) - len(extension)]
