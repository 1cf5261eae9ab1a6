"""Delimited text to a table of strings that knows its line numbers."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from meseta.bars._layout import KLINE_HEADERS, is_kline_row
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Table", "read_text"]

BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
LINE = "line"


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """Columns as found.

    Parameters
    ----------
    headers
        Names as the source writes them, which may repeat.
    columns
        One series for each header.
    rows
        Row number that the user sees, for each position; None where it is the position.
    """

    headers: tuple[str, ...]
    columns: tuple[pl.Series, ...]
    rows: pl.Series | None = None

    def row(self, position: int) -> int:
        """Row number of a position."""
        return position if self.rows is None else int(self.rows[position])


def read_text(data: bytes) -> Table:
    """Read comma-, tab-, semicolon- or space-separated text, gzipped or not.

    Blank lines are passed over. A first line that is a Binance kline stands for a file without
    a header.

    Raises
    ------
    DataError
        The text is empty, binary, damaged, or a line has more fields than the header.
    """
    whole = _unpack(data)
    text = whole.lstrip()
    if not text:
        raise DataError("the file is empty")
    skipped = whole[: len(whole) - len(text)].count(b"\n")
    first, _, body = text.partition(b"\n")
    separator = _separator(first)
    fields = _split(first, separator)
    if is_kline_row(fields):
        return _parse(text, KLINE_HEADERS, separator, first_line=skipped + 1)
    return _parse(body, fields, separator, first_line=skipped + 2)


def _unpack(data: bytes) -> bytes:
    """Plain UTF-8 bytes."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"the gzip file is damaged ({error}); fetch it again") from error
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, errors="replace").encode()
    if b"\0" in data[:4096]:
        raise DataError("not a text file; expected CSV (plain or .gz) or .parquet")
    return data


def _separator(line: bytes) -> str:
    """Take the likely separator that the header has most of, else a blank."""
    bare = re.sub(rb'"[^"]*"', b"", line).decode("utf-8", errors="replace")
    best = max(",\t;", key=bare.count)
    return best if best in bare else " "


def _split(line: bytes, separator: str) -> tuple[str, ...]:
    text = line.decode("utf-8", errors="replace").strip("\r\n")
    blanks = separator == " "
    fields = next(csv.reader([text.strip() if blanks else text], delimiter=separator), [])
    return tuple(field.strip() for field in fields if field.strip() or not blanks)


def _parse(body: bytes, headers: Sequence[str], separator: str, first_line: int) -> Table:
    if separator == " ":
        body = re.sub(rb"(?m)^ +| +(?=\r?$)", b"", re.sub(rb" +", b" ", body))
    names = [str(position) for position in range(len(headers))]
    try:
        frame = pl.read_csv(
            separator.join(names).encode() + b"\n" + body,
            separator=separator,
            infer_schema=False,
            encoding="utf8-lossy",
        )
    except pl.exceptions.PolarsError as error:
        raise _ragged(body, headers, separator, first_line) from error
    lines = frame.with_row_index(LINE, offset=first_line)
    blank = pl.col("0").fill_null("").str.strip_chars() == ""
    filled = lines.filter(~(blank & pl.all_horizontal(pl.col(names[1:]).is_null())))
    return Table(tuple(headers), tuple(filled[name] for name in names), filled[LINE])


def _ragged(body: bytes, headers: Sequence[str], separator: str, first_line: int) -> DataError:
    for number, line in enumerate(body.splitlines(), start=first_line):
        width = len(_split(line, separator))
        if width > len(headers):
            found = line.decode("utf-8", errors="replace")
            return DataError(
                f"row {number} has {width} fields where the header has {len(headers)}: {found!r}"
            )
    return DataError("the file is not delimited text as its header says; open it and look")
