"""Where a symbol of Yahoo's trades, read off the symbol."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Market", "market_of"]


class Market(NamedTuple):
    """Calendar of a market, None where nobody knows it, and its time zone."""

    calendar: str | None
    timezone: str


# Calendar, zone, what follows the dot in a symbol, and indices.
_EXCHANGES = (
    ("XNYS", "America/New_York", "", "GSPC SPX DJI IXIC NDX RUT VIX NYA SOX TNX TYX FVX IRX"),
    ("CMES", "America/New_York", "CME CBT NYM CMX NYB", ""),
    ("XTSE", "America/Toronto", "TO V NE CN", "GSPTSE"),
    ("XMEX", "America/Mexico_City", "MX", "MXX"),
    ("BVMF", "America/Sao_Paulo", "SA", "BVSP"),
    ("XBUE", "America/Argentina/Buenos_Aires", "BA", "MERV"),
    ("XSGO", "America/Santiago", "SN", "IPSA"),
    ("XLON", "Europe/London", "L IL", "FTSE FTMC"),
    ("XDUB", "Europe/Dublin", "IR", "ISEQ"),
    ("XETR", "Europe/Berlin", "DE", "GDAXI MDAXI STOXX STOXX50E"),
    ("XFRA", "Europe/Berlin", "F BE DU HA HM MU SG", ""),
    ("XPAR", "Europe/Paris", "PA", "FCHI"),
    ("XAMS", "Europe/Amsterdam", "AS", "AEX"),
    ("XBRU", "Europe/Brussels", "BR", "BFX"),
    ("XLIS", "Europe/Lisbon", "LS", "PSI20"),
    ("XMAD", "Europe/Madrid", "MC", "IBEX"),
    ("XMIL", "Europe/Rome", "MI", ""),
    ("XSWX", "Europe/Zurich", "SW", "SSMI"),
    ("XWBO", "Europe/Vienna", "VI", "ATX"),
    ("XSTO", "Europe/Stockholm", "ST", "OMX"),
    ("XOSL", "Europe/Oslo", "OL", ""),
    ("XCSE", "Europe/Copenhagen", "CO", ""),
    ("XHEL", "Europe/Helsinki", "HE", "OMXH25"),
    ("XICE", "Atlantic/Reykjavik", "IC", ""),
    ("XWAR", "Europe/Warsaw", "WA", ""),
    ("XPRA", "Europe/Prague", "PR", ""),
    ("XBUD", "Europe/Budapest", "BD", ""),
    ("XIST", "Europe/Istanbul", "IS", ""),
    ("XSAU", "Asia/Riyadh", "SR", ""),
    ("XJSE", "Africa/Johannesburg", "JO", ""),
    ("XBOM", "Asia/Kolkata", "BO NS", "BSESN NSEI"),
    ("XSHG", "Asia/Shanghai", "SS SZ", ""),
    ("XHKG", "Asia/Hong_Kong", "HK", "HSI"),
    ("XTAI", "Asia/Taipei", "TW TWO", "TWII"),
    ("XKRX", "Asia/Seoul", "KS KQ", "KS11"),
    ("XTKS", "Asia/Tokyo", "T", "N225"),
    ("XSES", "Asia/Singapore", "SI", "STI"),
    ("XKLS", "Asia/Kuala_Lumpur", "KL", "KLSE"),
    ("XIDX", "Asia/Jakarta", "JK", "JKSE"),
    ("XBKK", "Asia/Bangkok", "BK", ""),
    ("XASX", "Australia/Sydney", "AX", "AXJO AORD"),
    ("XNZE", "Pacific/Auckland", "NZ", "NZ50"),
)
_UNKNOWN = Market(None, "UTC")
_CRYPTO = re.compile(r".+-(USD|USDT|USDC|EUR|GBP|JPY|AUD|CAD|CHF|INR|KRW|BTC|ETH)")
_BY_SUFFIX = {
    suffix: Market(calendar, zone)
    for calendar, zone, suffixes, _ in _EXCHANGES
    for suffix in suffixes.split(" ")
}
_BY_INDEX = {
    index: Market(calendar, zone)
    for calendar, zone, _, indices in _EXCHANGES
    for index in indices.split()
}


def market_of(symbol: str) -> Market:
    """Return the market that a symbol says it is of.

    A plain symbol is of New York, and what follows the last dot names another exchange
    (``VOD.L``); ``^`` marks an index, ``=X`` a currency, ``=F`` a future, and a currency after a
    hyphen a coin (``BTC-USD``). Of what is not known here the calendar is None and the zone UTC.
    """
    if symbol.startswith("^"):
        return _BY_INDEX.get(symbol[1:], _UNKNOWN)
    if symbol.endswith("=X"):
        return Market("24/5", "Europe/London")
    if symbol.endswith("=F"):
        return Market("CMES", "America/New_York")
    if _CRYPTO.fullmatch(symbol):
        return Market("24/7", "UTC")
    return _BY_SUFFIX.get(symbol.rpartition(".")[2] if "." in symbol else "", _UNKNOWN)
