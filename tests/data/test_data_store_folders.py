"""Folders of series: readable, inside the store, and never one for two."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.data import SeriesKey
from meseta.data._folders import folder_parts
from meseta.data._key import BASES, KINDS

ODD = [
    "..", ".", "a/b", "A\\B", "/etc/passwd", "C:", "C:\\X", "CON", "con", "NUL.TXT", "COM1",
    "LPT9.A", "A.", "A..", ".A", "^GSPC", "@ES", "EUR=X", "$SPX.X", "A%2F", "A*", "A?", 'A"B',
    "<A>", "A|B", "smh", "SMH", "Smh", "sMH", "\u1e9e", "ss", "\u00df", "SS", "\ufb01", "FI", "K",
    "\u212a", "BTC USDT", "比特币", "A" * 40, "A" * 41, "A" * 80, "A" * 79 + "B", "\u00e9",
    "e\u0301", "~1", "ABCDEF~1", "A+B", "-", "--",
]  # fmt: skip
SYMBOLS = st.sampled_from(ODD) | st.text(min_size=1, max_size=80).filter(
    lambda text: text == text.strip() and min(map(ord, text)) >= 32
)
KEYS = st.builds(
    SeriesKey,
    source=st.sampled_from(["yahoo", "files", "NUL", "nul", "Own", "own", "..", "a/b"]),
    symbol=SYMBOLS,
    size=st.sampled_from(["1m", "1mo", "1d", "30d"]),
    kind=st.sampled_from(KINDS),
    basis=st.sampled_from(BASES),
    session=st.sampled_from(["", "mark", "MARK", "split", "USEQPreAndPost", "useqpreandpost"]),
)
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        (SeriesKey("yahoo", "SMH", "1d", basis="total-return"), "yahoo/SMH/1d-total-return"),
        (SeriesKey("yahoo", "BRK.B", "1mo"), "yahoo/BRK.B/1mo"),
        (SeriesKey("binance", "BTCUSDT", "60m", kind="mark"), "binance/BTCUSDT/1h-mark"),
        (SeriesKey("binance", "BTCUSDT", "", kind="funding"), "binance/BTCUSDT/event-funding"),
        (
            SeriesKey("tradestation", "@ES", "5m", session="Default"),
            "tradestation/-ES+d66a12f2247562aa/5m+Default+21b111cbfe6e8fca",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plain_names_are_readable(key: SeriesKey, folder: str) -> None:
    assert "/".join(folder_parts(key)) == folder


@given(key=KEYS)
def test_every_part_is_safe_on_every_system(key: SeriesKey) -> None:
    for part in folder_parts(key):
        assert re.fullmatch(r"[A-Za-z0-9.+_-]{1,100}", part)
        assert part not in {".", ".."}
        assert part[-1] not in ". "
        assert part[0] != "."
        assert not RESERVED.fullmatch(part)


@given(one=KEYS, other=KEYS, swap=st.booleans())
def test_two_series_never_share_a_folder(one: SeriesKey, other: SeriesKey, swap: bool) -> None:
    if swap:
        other = replace(one, symbol=one.symbol.swapcase())
    same = [part.casefold() for part in folder_parts(one)] == [
        part.casefold() for part in folder_parts(other)
    ]
    assert same == (one == other)


def test_odd_symbols_are_all_apart() -> None:
    folders = {folder_parts(SeriesKey("files", symbol, "1d"))[1].casefold() for symbol in ODD}
    assert len(folders) == len(set(ODD))
