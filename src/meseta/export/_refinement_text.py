"""The text of TradeStation's optimisation reports: headings, numbers and lines."""

from __future__ import annotations

import contextlib
import csv
import math
import re
from typing import TYPE_CHECKING

from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

__all__ = ["fields_of", "headings", "input_key", "key", "parse_number", "printable"]

_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_LONGEST_LINE = 1_000_000
_UNKNOWN = frozenset({"", "-", "--", "#n/a", "n/a", "na", "nan"})
_INFINITE = frozenset({"inf", "infinity"})
# What the app writes, up to a hundred thousand lines of it: not worth the long way round.
_BARE = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]+)?")
_NUMBER = re.compile(
    r"""(?P<sign>[-+]?) \$? \s*
        (?P<digits> (?: [0-9]{1,3} (?:,[0-9]{3})+ | [0-9]+ ) (?:\.[0-9]*)? | \.[0-9]+ )
        (?P<power> [eE][-+]?[0-9]{1,4} )?
        \s* %?""",
    re.VERBOSE,
)
_GROUPS = frozenset({"all", "long", "short"})


def key(heading: str) -> str:
    """Return a heading in lower case with its letters, digits and ``%`` alone."""
    return re.sub(r"[^a-z0-9%]", "", heading.lower())


def input_key(heading: str) -> str | None:
    """Return the key of the input in ``Input`` or ``Strategy: Input``; None for a metric."""
    before, _, name = heading.rpartition(":")
    return None if key(before) in _GROUPS else key(name)


def printable(name: str) -> str:
    """Return a file's name as text that can be shown and stored whatever bytes it is made of."""
    shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else "?" for char in shown)


def parse_number(text: str) -> float:
    """Return the number that a report's field shows.

    ``$``, commas between thousands, ``%`` (which does not divide by 100) and parentheses or a
    minus sign for negatives are understood: ``($1,234.50)`` is -1234.5.

    Parameters
    ----------
    text
        The field, without its quotes.

    Returns
    -------
    float
        NaN for ``n/a``, a dash or nothing; infinity for ``inf``.

    Raises
    ------
    ValueError
        The text is no number, or commas stand where no thousands are.
    """
    if _BARE.fullmatch(text):
        return float(text)
    plain = text.strip().replace("\u2212", "-")
    if plain.lower() in _UNKNOWN:
        return math.nan
    if plain.lower() in _INFINITE:
        return math.inf
    inner, negative = _unwrapped(plain)
    found = _NUMBER.fullmatch(inner)
    if found is None or (negative and found["sign"]):
        raise ValueError(text)
    value = float(found["digits"].replace(",", "") + (found["power"] or ""))
    if math.isinf(value):
        raise ValueError(text)
    return -value if negative or found["sign"] == "-" else value


def _unwrapped(text: str) -> tuple[str, bool]:
    """Take off accounting's parentheses and a ``$`` before the sign or the parentheses."""
    bare = text[1:].lstrip() if text[:1] == "$" and text[1:].lstrip()[:1] in {"(", "-"} else text
    wrapped = bare[:1] == "(" and bare[-1:] == ")"
    return (bare[1:-1].strip() if wrapped else bare), wrapped


def headings(path: Path) -> tuple[str, ...]:
    """Return a file's column headings.

    Raises
    ------
    DataError
        The file cannot be read, is empty, or is no text.
    """
    with _reading(path) as stream:
        for _, fields in _records(path, stream):
            return tuple(field.strip() for field in fields)
    raise DataError(f"{printable(path.name)} is empty; let TradeStation write it again")


def fields_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give each line's number and fields, without the header and blank lines.

    Raises
    ------
    DataError
        The file cannot be read, its quotes do not match, or a line has more or fewer fields than
        the header.
    """
    with _reading(path) as stream:
        records = _records(path, stream)
        many = len(next(records, (0, []))[1])
        for line, fields in records:
            if len(fields) != many:
                raise DataError(
                    f"{printable(path.name)}, line {line}: {len(fields)} fields where the header "
                    f"has {many}; a number with commas between thousands must stand in quotes, "
                    "and a line must be whole"
                )
            yield line, fields


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("rb") as raw:
            encoding = _ENCODINGS.get(raw.read(2), "utf-8-sig")
        with path.open(encoding=encoding, newline="") as stream:
            yield stream
    except OSError as error:
        raise DataError(f"{printable(str(path))} cannot be read: {error.strerror}") from error
    except UnicodeError as error:
        raise DataError(
            f"{printable(path.name)} is neither UTF-8 nor UTF-16 text ({error}); save it as CSV"
        ) from error


def _records(path: Path, stream: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Give the records that are not blank, each with the number of its last line."""
    separator = _separator(stream)
    stream.seek(0)
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield reader.line_num, fields
    except csv.Error as error:
        raise DataError(
            f"{printable(path.name)}, line {reader.line_num}: {error}; its quotes do not match"
        ) from error


def _separator(stream: TextIO) -> str:
    """Return what the header's fields are separated by: tabs or commas."""
    while line := stream.readline(_LONGEST_LINE):
        if line.strip():
            bare = re.sub(r'"[^"]*"', "", line)
            return "\t" if bare.count("\t") > bare.count(",") else ","
    return ","
