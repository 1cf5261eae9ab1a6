"""What keeping a series costs: a year of minutes in the store, a month of Binance's files.

    uv run python benchmarks/store.py [NEARUSDT-1m-2025-06.csv.gz]

The bars are made up: 525,600 of a market that never closes. Ratios are to a plain Parquet file
that is written and read without a hash. `save` writes all of them, `extend` the last day to a
series that has the others, `read` returns them all after holding them against their hash, `verify`
looks at each value besides, `bars` makes of them what strategies trade. The rows of the month are
read from the text of a real file as the archive has it, against a reading of the same text that
checks nothing. Everything is timed five times after one that does not count; the smallest counts.
"""

from __future__ import annotations

import gzip
import io
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from meseta.data import Meta, SeriesKey, Store, schema_of
from meseta.data._to_bars import to_bars
from meseta.data.sources.binance._layouts import from_text
from meseta.data.sources.binance._series import series_of
from meseta.data.sources.binance._tables import layout_of, rows_of

ROUNDS = 5
BARS, DAY = 525_600, 1_440
KEY = SeriesKey("binance", "BTCUSDT", "1m")
FIRST = datetime(2025, 1, 1, 0, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MONTH = (
    Path(__file__).resolve().parents[2]
    / "shared" / "data" / "binance_layout" / "um" / "NEARUSDT-1m-2025-06.csv.gz"
)  # fmt: skip


def main() -> None:
    """Print the tables."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else MONTH
    with tempfile.TemporaryDirectory(prefix="meseta-") as folder:
        year(Path(folder))
    if not file.is_file():
        sys.exit(f"there is no {file}; give a month of Binance's one-minute klines")
    month(file)


def year(folder: Path) -> None:
    """Print what a year of bars costs."""
    frame, store, plain = made(), Store(folder / "store"), folder / "plain.parquet"
    meta = Meta(key=KEY, timezone="UTC", stamp="open", calendar="24/7")
    last = frame["ts_close"][-DAY], frame["ts_close"][-1] + MINUTE
    write = timed(lambda: frame.write_parquet(plain))
    read = timed(lambda: pl.read_parquet(plain))
    print(f"{BARS:,} bars of a minute, {plain.stat().st_size / 1e6:.1f} MB")
    print(f"{'':34}{'seconds':>10}{'ratio':>8}")
    show("plain file, write", write, write)
    show("save", timed(lambda: store.save(meta, frame)), write)
    show("extend", timed(lambda: store.save(meta, frame.tail(DAY), replace=last)), write)
    kept = store.read(KEY)
    show("plain file, read", read, read)
    show("read", timed(lambda: store.frame(kept)), read)
    show("verify", timed(lambda: store.verify(KEY)), read)
    show("bars", timed(lambda: to_bars(kept, frame)), read)
    print(f"content {kept.content[:12]}, verified: {not store.verify(KEY)}")


def month(file: Path) -> None:
    """Print what reading a month of Binance's klines costs."""
    series, text = series_of(KEY), gzip.decompress(file.read_bytes())
    plain = timed(lambda: pl.read_csv(io.BytesIO(text)))
    whole = timed(lambda: parsed(series, text, file.name))
    rows = parsed(series, text, file.name).height
    print(f"\n{rows:,} klines, {len(text) / 1e6:.1f} MB of text")
    print(f"{'':34}{'seconds':>10}{'ratio':>8}")
    show("read, unchecked", plain, plain)
    show("rows of the store", whole, plain)
    print(f"{rows / whole / 1e6:.1f} million rows a second")


def made() -> pl.DataFrame:
    """Return bars of a random walk."""
    walk = np.random.default_rng(7).normal(0, 5e-5, 4 * BARS).cumsum().reshape(BARS, 4)
    prices = np.round(60_000 * np.exp(walk), 1)
    closes = pl.datetime_range(FIRST, FIRST + (BARS - 1) * MINUTE, "1m", eager=True)
    frame = pl.DataFrame(
        {
            "ts_open": closes - MINUTE,
            "ts_close": closes,
            "open": prices[:, 0],
            "high": prices.max(axis=1),
            "low": prices.min(axis=1),
            "close": prices[:, -1],
            "volume": np.round(np.exp(40 * walk[:, 0]), 3),
        }
    )
    return schema_of(KEY).conform(frame)


def parsed(series, text: bytes, name: str) -> pl.DataFrame:
    """Return the rows of a file's text."""
    return rows_of(series, from_text(text, layout_of(series), name), name)


def timed(work) -> float:
    """Return the least seconds of some rounds, after one that warms up."""
    work()
    best = np.inf
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best


def show(name: str, seconds: float, plain: float) -> None:
    """Print a row."""
    print(f"{name:34}{seconds:10.4f}{seconds / plain:8.1f}")


if __name__ == "__main__":
    main()
