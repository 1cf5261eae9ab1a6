from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.errors import DataError
from meseta.export._refinement_text import (
    fields_of,
    headings,
    input_key,
    key,
    parse_number,
    printable,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234.5000000", 1234.5),
        ("$1,234.50", 1234.5),
        ("($1,234.50)", -1234.5),
        ("$(1,234.50)", -1234.5),
        ("-$1,234.50", -1234.5),
        ("$-1,234.50", -1234.5),
        ("( 12.5 %)", -12.5),
        ("45.25%", 45.25),
        (" 7 ", 7.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+3", 3.0),
        ("1e-3", 0.001),
        ("1,234,567", 1234567.0),
        ("\u22122", -2.0),
        ("\u00a012", 12.0),
        ("inf", math.inf),
    ],
)
def test_numbers_in_every_dress(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "  ", "n/a", "N/A", "#N/A", "NaN", "-", "--"])
def test_what_is_not_reported_is_nan(text: str) -> None:
    assert math.isnan(parse_number(text))


@pytest.mark.parametrize(
    "text",
    [
        "12,5",
        "1,2345",
        "1.234,56",
        ",123",
        "(-5)",
        "(5",
        "5)",
        "()",
        "--5",
        "$",
        "%",
        "5 5",
        "1_000",
        "0x10",
        "٣",
        "=1+1",
        "1e999",
        "9" * 400,
        "1.2.3",
        "abc",
    ],
)
def test_what_could_be_misread_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_number(text)


@given(st.floats(-1e12, 1e12), st.sampled_from(["", "$"]), st.sampled_from(["", "%"]))
def test_a_written_number_reads_back(value: float, money: str, percent: str) -> None:
    written = round(value, 4)
    digits = f"{abs(written):,.4f}"
    forms = [f"{'-' if written < 0 else ''}{money}{digits}{percent}"]
    if written < 0:
        forms += [f"({money}{digits}{percent})", f"{money}-{digits}{percent}"]
    for form in (*forms, *(f.replace(",", "") for f in forms)):
        assert parse_number(form) == written


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        assert isinstance(parse_number(text), float)
    except ValueError as error:
        assert str(error) == text  # noqa: PT017


def test_headings_are_compared_by_letters_digits_and_percent() -> None:
    assert key("All: Net Profit") == key("all:NetProfit") == "allnetprofit"
    assert key("All: % Profitable") != key("All: Profitable")
    assert input_key("_ATR-D-v1.5-L: ATR_Period") == input_key("ATR Period") == "atrperiod"
    assert input_key("All: Test") is None
    assert input_key("Long: ATR_Period") is None


def test_names_that_are_no_text_can_be_shown() -> None:
    assert printable("Q\udc80Q\n.csv") == "Q\\udc80Q?.csv"


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_in_every_form(tmp_path, separator: str, end: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    lines = [
        "",
        separator.join(['"A, B"', " C "]),
        "",
        separator.join(['"1,5"', ' "x ""y"""']),
        "",
    ]
    path.write_bytes(end.join(lines).encode(encoding))
    assert headings(path) == ("A, B", "C")
    assert [fields for _, fields in fields_of(path)] == [["1,5", 'x "y"']]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty"),
        (b"\r\n \n", "is empty"),
        (b"A,B\n1,2\n1,234,5\n", "line 3: 3 fields where the header has 2"),
        (b"A,B\n1\n", "line 2: 1 fields where the header has 2"),
        (b'A,B\n1,2\n"1,2\n', "line 3: .*quotes do not match"),
        (b'A,B\n"1"2,2\n', "line 2: .*quotes do not match"),
        (b'A,B\n"' + b"x" * 200_000 + b'",2\n', "line 2: field larger"),
        (b"A,B\n\xe9\xff,2\n", "neither UTF-8 nor UTF-16"),
        (b"\xff\xfeA", "neither UTF-8 nor UTF-16"),
        (b"PK\x03\x04\x00\xff\xfe\x80", "neither UTF-8 nor UTF-16"),
    ],
)
def test_damaged_text_is_refused_with_its_place(tmp_path, data: bytes, what: str) -> None:
    path = tmp_path / "Refinement_x.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"Refinement_x.csv.*{what}"):
        _ = headings(path), list(fields_of(path))


def test_a_folder_in_a_files_place_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        headings(tmp_path)
