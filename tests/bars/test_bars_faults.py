"""Every fault stops the load and is named by row, time and value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from meseta.bars import Bars, check, load
from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "Date,Open,High,Low,Close,Volume"
ROWS = [f"2024-01-{day:02d},10,12,9,11,{100 * day}" for day in range(1, 11)]


def write(folder: Path, changes: dict[int, str], header: str = HEADER) -> Path:
    """Ten daily bars; `changes` replaces lines of the file, the header being line 1."""
    lines = [header, *ROWS]
    for line, text in changes.items():
        lines[line - 1] = text
    path = folder / "market.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


CASES = [
    ("missing", 4, "2024-01-03,10,12,,11,1", r"row 4 \(2024-01-03\): low is missing"),
    ("missing", 4, "2024-01-03,10,nan,9,10,1", r"row 4 \(2024-01-03\): high is missing"),
    ("infinite", 4, "2024-01-03,10,inf,9,11,1", r"row 4 \(2024-01-03\): high is inf"),
    ("text", 4, "2024-01-03,10,12,n/a,11,1", r"row 4 \(2024-01-03\): low is 'n/a', not a number"),
    ("text", 4, '2024-01-03,10,12,9,"11,5",1', "close is '11,5', not a number, use a decimal"),
    ("text", 4, "2024-01-03,10,12,9,11,many", "volume is 'many', not a number"),
    ("nonpositive", 4, "2024-01-03,10,12,0,11,1", r"row 4 .*low is 0\.0, not positive.*allow"),
    ("nonpositive", 4, "2024-01-03,-1,12,-1,11,1", r"row 4 .*open is -1\.0, not positive"),
    ("high_below_low", 4, "2024-01-03,10,8,9,11,1", r"high 8\.0 is below the low 9\.0$"),
    ("high_below_open", 4, "2024-01-03,13,12,9,11,1", r"high 12\.0 is below the open 13\.0$"),
    ("high_below_close", 4, "2024-01-03,10,12,9,12.5,1", r"high 12\.0 is below the close 12\.5$"),
    ("low_above_open", 4, "2024-01-03,8,12,9,11,1", r"low 9\.0 is above the open 8\.0$"),
    ("low_above_close", 4, "2024-01-03,10,12,9,8,1", r"low 9\.0 is above the close 8\.0$"),
    ("duplicate_time", 4, "2024-01-02,10,12,9,11,1", r"row 4 \(2024-01-02\): .*occurs twice"),
    ("unsorted_time", 4, "2023-12-30,10,12,9,11,1", r"row 4 \(2023-12-30\): earlier than the bar"),
    ("volume_negative", 4, "2024-01-03,10,12,9,11,-5", r"row 4 .*volume is negative, -5\.0"),
    ("volume_missing", 4, "2024-01-03,10,12,9,11,", r"row 4 .*volume is missing"),
    ("volume_infinite", 4, "2024-01-03,10,12,9,11,inf", r"row 4 .*volume is inf"),
    ("time", 4, "2024-02-30,10,12,9,11,1", "row 4: time '2024-02-30' cannot be read"),
    ("time", 4, "soon,10,12,9,11,1", "row 4: time 'soon' cannot be read"),
    ("time", 4, ",10,12,9,11,1", "row 4: time is missing"),
]


@pytest.mark.parametrize(("code", "line", "text", "message"), CASES)
def test_a_fault_is_named(tmp_path: Path, code: str, line: int, text: str, message: str):
    path = write(tmp_path, {line: text})
    with pytest.raises(DataError, match=message):
        load(path)
    report = check(path)
    assert [fault.code for fault in report.faults] == [code]
    assert report.faults[0].row == line
    assert report.bars is None
    assert report.rows == 10


def test_the_first_of_each_kind_is_named_and_the_others_counted(tmp_path: Path):
    changes = {
        3: "2024-01-02,10,12,0,11,1",
        5: "2024-01-04,10,12,0,11,1",
        7: "2024-01-06,10,12,0,11,1",
        8: "2024-01-07,10,x,9,11,1",
        9: "2024-01-08,10,8,9,11,1",
    }
    path = write(tmp_path, changes)
    with pytest.raises(DataError) as caught:
        load(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 3 kinds of fault in 10 rows"
    assert any("row 8" in line and "'x'" in line for line in lines)
    assert any("row 3" in line and line.endswith("(and 2 more)") for line in lines)
    assert any("row 9" in line and "more" not in line for line in lines)
    assert len(lines) == 4


def test_a_line_that_is_cut_short_lacks_its_last_values(tmp_path: Path):
    report = check(write(tmp_path, {11: "2024-01-10,10,1"}))
    assert [fault.row for fault in report.faults] == [11, 11, 11]
    assert report.faults[0].message == "row 11 (2024-01-10): low is missing"


def test_values_and_times_are_given_apart_from_the_sentence(tmp_path: Path):
    fault = check(write(tmp_path, {6: "2024-01-05,10,12,9,12.25,1"})).faults[0]
    assert (fault.row, fault.time, fault.value) == (6, "2024-01-05", "12.0")


def test_blank_lines_do_not_shift_the_row_numbers(tmp_path: Path):
    path = write(tmp_path, {3: ROWS[1] + "\n\n  \n", 9: "2024-01-08,10,8,9,11,1"})
    assert check(path).faults[0].row == 12
    assert check(path).rows == 10


def test_a_file_that_runs_newest_first_says_so(tmp_path: Path):
    path = tmp_path / "market.csv"
    path.write_text("\n".join([HEADER, *reversed(ROWS)]))
    with pytest.raises(DataError, match=r"newest first; sort them by time \(and 8 more\)"):
        load(path)


def test_several_symbols_in_one_file_are_pointed_at(tmp_path: Path):
    path = tmp_path / "market.csv"
    path.write_text("\n".join([HEADER, *ROWS, *ROWS]))
    with pytest.raises(DataError, match=r"one symbol of several \(and 9 more\)"):
        load(path)


def test_nonpositive_prices_pass_when_allowed(tmp_path: Path):
    path = write(tmp_path, {4: "2024-01-03,10,12,-3,0,1"})
    bars = load(path, allow_nonpositive=True)
    assert bars.allow_nonpositive
    assert bars.low[2] == -3.0


def test_arrays_are_judged_like_files_with_positions_from_zero():
    time = np.array(["2024-01-01", "NaT", "2024-01-03", "2024-01-04"], dtype="datetime64[us]")
    price = np.array([1.0, 1.0, np.nan, 1.0])
    with pytest.raises(DataError) as caught:
        Bars.from_arrays(time, price, price, price, price, name="mine")
    text = str(caught.value)
    assert text.startswith("mine: 2 kinds of fault in 4 rows")
    assert "row 1: time is missing" in text
    assert "row 2 (2024-01-03): open is missing" in text


def test_no_bars_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="holds no bars"):
        Bars.from_arrays(np.empty(0, "datetime64[us]"), *[np.empty(0)] * 4)
    path = tmp_path / "market.csv"
    path.write_text(HEADER + "\n")
    with pytest.raises(DataError, match=r"market\.csv.*\n.*holds no bars"):
        load(path)
    path.write_text("\n\n")
    with pytest.raises(DataError, match="the file is empty"):
        load(path)


def test_an_unknown_layout_lists_what_is_there_and_what_is_needed(tmp_path: Path):
    path = write(tmp_path, {}, header="Date,Bid,Ask,Low,Close,Volume")
    with pytest.raises(DataError) as caught:
        load(path)
    text = str(caught.value)
    assert "no column for open, high" in text
    assert "'Bid', 'Ask'" in text
    assert "needed are open, high, low, close" in text
    fault = check(path).faults[0]
    assert (fault.code, fault.row) == ("unreadable", 0)


def test_a_column_that_occurs_twice_is_refused(tmp_path: Path):
    path = write(tmp_path, {}, header="Date,Open,High,Low,Close,CLOSE")
    with pytest.raises(DataError, match="several columns are called 'close'"):
        load(path)


def test_a_line_with_too_many_fields_is_named(tmp_path: Path):
    path = write(tmp_path, {4: "2024-01-03,10,12,9,11,1,7"})
    with pytest.raises(DataError, match="row 4 has 7 fields where the header has 6"):
        load(path)


def test_an_open_quote_is_not_taken_for_data(tmp_path: Path):
    path = write(tmp_path, {4: '2024-01-03,10,12,9,11,"1'})
    with pytest.raises(DataError, match="not delimited text"):
        load(path)


def test_files_that_cannot_be_opened_say_why(tmp_path: Path):
    with pytest.raises(
        DataError, match=r"cannot read .*nowhere\.csv: No such file.*sample:nasdaq"
    ):
        load(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="Is a directory"):
        load(tmp_path)
    assert "No such file" in check(tmp_path / "nowhere.csv").faults[0].message
    binary = tmp_path / "market.bin"
    binary.write_bytes(b"PK\x03\x04\0\0\0\0")
    with pytest.raises(DataError, match="not a text file"):
        load(binary)


def test_damaged_archives_say_so(tmp_path: Path):
    broken = tmp_path / "market.csv.gz"
    broken.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc")
    with pytest.raises(DataError, match="gzip file is damaged"):
        load(broken)
    parquet = tmp_path / "market.parquet"
    parquet.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="Parquet file is damaged"):
        load(parquet)
