"""Which column of a table plays which role, by its header alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["KLINE_HEADERS", "Layout", "find_layout", "is_kline_row"]

# The first name that a table has wins; names are compared without case, blanks and punctuation.
NAMES: Mapping[str, tuple[str, ...]] = {
    "moment": (
        "datetime",
        "timestamp",
        "opentime",
        "dateandtime",
        "unixtimestamp",
        "unixtime",
        "unix",
        "epoch",
        "gmttime",
        "dt",
        "ts",
        "t",
    ),
    "date": ("date", "tradingday", "day"),
    "clock": ("time",),
    "open": ("open", "openprice", "o"),
    "high": ("high", "highprice", "h"),
    "low": ("low", "lowprice", "l"),
    "close": ("close", "closeprice", "last", "c"),
    "volume": ("volume", "vol", "totalvolume", "tickvolume", "tickvol", "v"),
    "up": ("up",),
    "down": ("down",),
    "stub": ("stub",),
}
PRICES = ("open", "high", "low", "close")
KLINE_HEADERS = (
    "open_time",
    *PRICES,
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
# What the index of a data frame is called in a file.
INDEX = ("", "index", "indexlevel0", "unnamed0")
NEEDED = (
    "needed are open, high, low, close (or O, H, L, C) and either one time column "
    "(Date, Time, Datetime, Timestamp, open_time) or Date and Time"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions of the columns that matter.

    Parameters
    ----------
    roles
        From role to position: moment (one column with date and time, or date alone), clock
        (hour in a column of its own), the four prices, volume, up, down and stub.
    tradestation
        Whether the columns are those of a TradeStation chart export.
    """

    roles: Mapping[str, int]
    tradestation: bool


def find_layout(headers: Sequence[str]) -> Layout:
    """Match headers by name; columns that play no role are ignored.

    Raises
    ------
    DataError
        A column is missing, or two columns have the same name; the message lists all.
    """
    plain = [_plain(header) for header in headers]
    export = {"date", "time", *PRICES} <= set(plain)
    tradestation = export and bool({"up", "down"} <= set(plain) or {"vol", "oi"} <= set(plain))
    roles: dict[str, int] = {}
    for role, names in NAMES.items():
        name = next((name for name in names if name in plain), None)
        if name is None:
            continue
        # A TradeStation study adds its columns at the end, under any name.
        if plain.count(name) > 1 and not tradestation:
            raise DataError(f"several columns are called {name!r}; found {_listed(headers)}")
        roles[role] = plain.index(name)
    roles = _settle_time(roles)
    if "moment" not in roles and plain[:1] and plain[0] in INDEX:
        roles["moment"] = 0
    missing = [role for role in ("moment", *PRICES) if role not in roles]
    if missing:
        lacking = ", ".join("time" if role == "moment" else role for role in missing)
        raise DataError(f"no column for {lacking}: found {_listed(headers)}; {NEEDED}")
    return Layout(roles, tradestation)


def is_kline_row(fields: Sequence[str]) -> bool:
    """Whether a first line is a Binance kline without a header above it."""
    return len(fields) == len(KLINE_HEADERS) and bool(re.fullmatch(r"\d{13}|\d{16}", fields[0]))


def _settle_time(roles: dict[str, int]) -> dict[str, int]:
    """One column of full times beats Date and Time, and a lone Date or Time is full."""
    date, clock = roles.pop("date", None), roles.pop("clock", None)
    if "moment" in roles:
        return roles
    if date is not None and clock is not None:
        return roles | {"moment": date, "clock": clock}
    alone = clock if date is None else date
    return roles if alone is None else roles | {"moment": alone}


def _plain(header: str) -> str:
    """Such as "1. Open", "<OPEN>" and " open " to "open"."""
    return re.sub(r"[^a-z0-9]", "", header.lower()).lstrip("0123456789")


def _listed(headers: Sequence[str]) -> str:
    return ", ".join(repr(header) for header in headers)
