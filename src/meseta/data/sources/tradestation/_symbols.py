"""What a TradeStation symbol tells of its series."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.data._key import Basis, SeriesKey

__all__ = ["SESSIONS", "basis_of", "calendar_of", "check", "has_open_interest", "query_of"]

SESSIONS = ("USEQPre", "USEQPost", "USEQPreAndPost", "USEQ24Hour")
_UNITS = {"1d": "Daily", "1w": "Weekly", "1mo": "Monthly"}
_SHARE = re.compile(r"[A-Z]{1,5}(\.[A-Z]{1,3})?")
# Root, letter of the month, two digits of the year, such as ESM24 or ESM24.D.
_CONTRACT = re.compile(r"[A-Z0-9]{1,4}[FGHJKMNQUVXZ]\d\d(\.[A-Z]+)?")
# Root, then how it rolls: which contract, three characters of when, how prices are adjusted.
# help.tradestation.com, Custom Continuous Futures Symbology.
_UNADJUSTED = re.compile(r"@[^=]*=....N.*")


def check(key: SeriesKey) -> None:
    """Refuse a series that is not to be had.

    Raises
    ------
    ArgumentError
        Of its symbol, size, basis or session.
    """
    if key.symbol != key.symbol.upper() or not re.search(r"[A-Z0-9]", key.symbol):
        raise ArgumentError(
            f"`symbol` must be written as TradeStation does, in capitals, got {key.symbol!r}"
            f" (try {key.symbol.upper()!r})"
        )
    if key.kind != "bars":
        raise ArgumentError(f"`kind` must be bars with TradeStation, got {key.kind!r}")
    bar = key.bar
    if bar is None or (bar.minutes is None and key.size not in _UNITS):
        raise ArgumentError(
            f"`interval` must be minutes or hours below a day, 1d, 1w or 1mo with TradeStation, "
            f"got {key.size!r}"
        )
    if key.basis != basis_of(key.symbol):
        raise ArgumentError(
            f"`basis` must be {basis_of(key.symbol)} for {key.symbol} from TradeStation, which "
            f"has no other, got {key.basis!r}"
        )
    _check_session(key)


def _check_session(key: SeriesKey) -> None:
    if not key.session:
        return
    if key.session not in SESSIONS:
        raise ArgumentError(
            f"`session` must be one of {', '.join(SESSIONS)}, or none for the usual hours, "
            f"got {key.session!r}"
        )
    # The vendor ignores it for anything else: the same series would be kept under two names.
    if not _SHARE.fullmatch(key.symbol):
        raise ArgumentError(
            f"`session` is for US shares and funds alone, got {key.session!r} for {key.symbol}"
        )


def basis_of(symbol: str) -> Basis:
    """Return what prices are adjusted for.

    A continuous future (``"@ES"``) joins contracts that trade at different prices; the vendor
    shifts all older prices at each roll, so history changes from quarter to quarter. Only a
    symbol of the user's own making can ask for none of that (``"@ES=107XN"``). Everything else
    is adjusted for splits, where there are any.
    """
    if not symbol.startswith("@"):
        return "split"
    return "unadjusted" if _UNADJUSTED.fullmatch(symbol) else "back-adjusted"


def calendar_of(key: SeriesKey) -> str | None:
    """Return the trading calendar, None where nobody knows.

    US shares keep the hours of New York. Outside those hours, with a session of its own, a
    calendar of the hours would be wrong, but the days are the same. Futures trade on many
    exchanges with hours of their own, which the symbol does not tell: a wrong calendar would
    miss sessions that never were.
    """
    known = _SHARE.fullmatch(key.symbol) and (key.daily or not key.session)
    return "XNYS" if known else None


def has_open_interest(symbol: str) -> bool:
    """Return whether it is a future or an option on something."""
    return symbol.startswith("@") or " " in symbol or bool(_CONTRACT.fullmatch(symbol))


def query_of(key: SeriesKey) -> dict[str, str]:
    """Return the part of a request that says which bars."""
    minutes = key.bar.minutes if key.bar else None
    unit = {"unit": _UNITS[key.size]} if minutes is None else {"unit": "Minute"}
    session = {"sessiontemplate": key.session} if key.session else {}
    return {**unit, "interval": str(minutes or 1), **session}
