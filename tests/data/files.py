"""Data files of every layout, with made-up prices."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from meseta.data._file import ImportOptions
from meseta.data._import import import_file

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.data import SeriesKey, Store
    from meseta.data._import import Imported

EXPORT = '"Date","Time","Open","High","Low","Close","Up","Down"\r\n'
DAILY = "date,open,high,low,close,adj_close,volume,dividend\n"
KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore\n"
)
AGG = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
HOUR = 3_600_000
EPOCH = 1_704_067_200_000  # 2024-01-01 in milliseconds


def write(path: Path, text: str) -> Path:
    """Write a text file, packed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def klines(count: int, *, start: int = EPOCH, price: float = 10, volume: str = "1") -> str:
    """Hourly klines without their header."""
    return "".join(
        f"{at},{price},{price},{price},{price},{volume},{at + HOUR - 1},2,3,4,5,0\n"
        for at in range(start, start + count * HOUR, HOUR)
    )


def days(*rows: tuple[str, float]) -> str:
    """Daily bars of dates and closes."""
    return DAILY + "".join(f"{day},{at},{at},{at},{at},{at},100,0.0\n" for day, at in rows)


def bring(store: Store, path: Path, **options: object) -> Imported:
    """Import a file."""
    return import_file(path, store, ImportOptions(**options))  # type: ignore[arg-type]


def key_of(made: Imported) -> SeriesKey:
    """Return which series a file became."""
    assert made.meta is not None
    return made.meta.key
