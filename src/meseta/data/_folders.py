"""Names of folders for symbols of any characters, on any file system."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meseta.data._key import SeriesKey

__all__ = ["folder_parts"]

# Upper case alone for symbols, lower case alone for sources: no two of them differ in case only.
_SYMBOL = re.compile(r"[A-Z0-9]([A-Z0-9._-]{0,38}[A-Z0-9_-])?")
_SOURCE = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
# What Windows keeps for devices, with any extension.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9-]")
_READABLE = 40
_DIGITS = 16


def folder_parts(key: SeriesKey) -> tuple[str, str, str]:
    """Return the folder of a series below the root of a store: source, symbol, and the rest.

    Plain names stay as they are: ``binance/BTCUSDT/1m``, ``yahoo/BRK.B/1d-total-return``. Any
    other name gives its safe letters and a hash of all of it: ``^GSPC`` is
    ``-GSPC+df302d10ee5b8760``. No part is a reserved name of Windows, is longer than 57
    characters or leads out of its folder, and none equals another's on a file system without
    upper and lower case. Should two names ever share a hash, the metadata tell them apart.
    """
    size = "-".join(
        [
            key.size,
            *([key.kind] if key.kind != "bars" else []),
            *([key.basis] if key.basis != "unadjusted" else []),
        ]
    )
    session = f"+{_name(key.session, _SYMBOL)}" if key.session else ""
    return _name(key.source, _SOURCE), _name(key.symbol, _SYMBOL), size + session


def _name(text: str, plain: re.Pattern[str]) -> str:
    if plain.fullmatch(text) and not _DEVICE.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()
    return f"{_UNSAFE.sub('-', text)[:_READABLE]}+{digest[:_DIGITS]}"
