"""Which series: the vendor's name of it, and everything that must never be mixed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from meseta.bars._size import BarSize, size_name
from meseta.errors import ArgumentError

__all__ = ["BASES", "EVENT", "EVENTS", "KINDS", "Basis", "Kind", "SeriesKey", "parse_bar_size"]

Kind = Literal["bars", "mark", "index", "premium", "funding", "trades"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Basis = Literal["unadjusted", "split", "total-return", "back-adjusted", "unknown"]
BASES: tuple[Basis, ...] = get_args(Basis)
# Kinds that are events, not bars, and the size that they have.
EVENTS: tuple[Kind, ...] = ("funding", "trades")
EVENT = "event"

_SIZE = re.compile(r"(\d{1,5})\s*(m|min|h|d|w|mo)")
_LONG = {"d": 1, "w": 7, "mo": 30}


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """One series of one vendor.

    Parameters
    ----------
    source
        Name of the source: ``"tradestation"``, ``"binance"``, ``"yahoo"``, ``"files"`` or that
        of a source of your own.
    symbol
        As the vendor writes it, of any characters.
    size
        Length of a bar, such as ``"5m"``, ``"1h"``, ``"1d"``, ``"1w"``, ``"1mo"``; stored in
        its largest unit. ``"event"`` for funding and trades.
    kind
        ``"bars"`` of what traded; ``"mark"``, ``"index"`` and ``"premium"`` bars of a
        perpetual; ``"funding"`` payments; ``"trades"``.
    basis
        What prices were adjusted for: nothing (``"unadjusted"``), splits (``"split"``), splits
        and dividends (``"total-return"``), rolls (``"back-adjusted"``), or nobody said.
    session
        The vendor's name for trading hours other than its usual ones; empty for the usual.

    Raises
    ------
    ArgumentError
        A part is malformed or unknown.
    """

    source: str
    symbol: str
    size: str
    kind: Kind = "bars"
    basis: Basis = "unadjusted"
    session: str = ""

    def __post_init__(self) -> None:
        if not self.symbol or self.symbol != self.symbol.strip():
            raise ArgumentError(f"`symbol` must be a name without blanks, got {self.symbol!r}")
        if any(ord(letter) < 32 for letter in self.symbol) or len(self.symbol) > 80:
            raise ArgumentError(
                f"`symbol` must have at most 80 characters and no control characters, "
                f"got {self.symbol[:90]!r}"
            )
        for name, value, known in (("kind", self.kind, KINDS), ("basis", self.basis, BASES)):
            if value not in known:
                raise ArgumentError(f"`{name}` must be one of {', '.join(known)}, got {value!r}")
        if not re.fullmatch(r"[A-Za-z0-9]*", self.session):
            raise ArgumentError(f"`session` must be letters and digits, got {self.session!r}")
        size = EVENT if self.kind in EVENTS else parse_bar_size(self.size).name
        object.__setattr__(self, "size", size)

    @property
    def bar(self) -> BarSize | None:
        """Length of a bar; None for funding and trades."""
        return None if self.kind in EVENTS else parse_bar_size(self.size)

    @property
    def daily(self) -> bool:
        """Whether a row is a session or more, known by its date."""
        return self.bar is not None and self.bar.minutes is None

    @property
    def label(self) -> str:
        """What messages call it, such as ``"yahoo SMH 1d total-return"``."""
        parts = [self.source, self.symbol, self.size]
        parts += [self.kind] if self.kind != "bars" else []
        parts += [self.basis] if self.basis != "unadjusted" else []
        return " ".join([*parts, self.session]).strip()


def parse_bar_size(text: str) -> BarSize:
    """Read the length of a bar.

    Parameters
    ----------
    text
        Such as ``"1m"``, ``"90m"``, ``"4h"``, ``"1d"``, ``"1w"`` or ``"1mo"``.

    Raises
    ------
    ArgumentError
        It is none.
    """
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    number, unit = (int(found[1]), found[2]) if found else (0, "m")
    if unit in _LONG and number >= 1:
        return BarSize(f"{number}{unit}", None, number * _LONG[unit])
    minutes = number * (60 if unit == "h" else 1)
    if 0 < minutes < 1440:
        return BarSize(size_name(minutes), minutes, 0)
    raise ArgumentError(
        "`interval` must be minutes or hours below a day, days, weeks or months, such as '5m', "
        f"'4h', '1d', '1w' or '1mo'; got {text!r}"
    )
