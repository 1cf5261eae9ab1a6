"""`meseta refine` from the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook

from refinement_world import BOTH, LONG, combinations, write_results, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs" / "small", [(BOTH, 1), (LONG, 1)], main="atr_d_ls")
    write_results(tmp_path / "results", combinations(BOTH), strategy=BOTH, form="tabs")
    write_results(tmp_path / "results", combinations(seed=1), form="desktop")
    return tmp_path / "results"


def test_it_prints_the_overviews_table_and_writes_the_workbook(
    meseta: Call, results: Path
) -> None:
    made = meseta("refine", "small", "--results", results)
    assert (made.code, made.err) == (0, "")
    path = results / "Refinement_Analysis_QQQ.xlsx"
    assert made.out.endswith(f"Workbook  {path}\n")
    sheet = load_workbook(path)["Overview"]
    shown = [line.split() for line in made.out.splitlines() if re.match(r"\d+ +ATR-D", line)]
    assert len(shown) == 20
    for at, line in enumerate(shown, start=5):
        cells = [sheet.cell(at, column).value for column in range(1, 8)]
        assert line[:4] == [str(cell) for cell in cells[:4]]
        assert line[4] == f"{cells[5]:,.1f}"
        assert line[5] == f"{cells[6]:,.2f}"
    assert "Years    12.99, from the run's data, 2006-01-03 to 2018-12-31" in made.out
    assert "Note: The app that optimises in TradeStation takes the last 10" in made.out
    assert re.search(rf"{LONG} +ATR_Period \d+, ATR_Multiplier", made.out)


def test_options_reach_the_workbook(meseta: Call, results: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "mine.xlsx"
    made = meseta(
        "refine", tmp_path / "runs" / "small", "--results", results, "--out", out,
        "--top", 3, "--years", 10, "--capital", 20_000, "--symbol", "qqq",
    )  # fmt: skip
    assert made.code == 0
    book = load_workbook(out)
    assert book[LONG].max_row == 4
    used = [cell for row in book["Formulas"].iter_rows(values_only=True) for cell in row]
    assert {10, "from --years", 20_000, "from --capital"} <= set(used)
    assert not list(results.glob("*.xlsx"))


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["nowhere"], 1, "there is no run folder nowhere"),
        (["small", "--results", "nowhere"], 2, "`results` must be a folder"),
        (["small", "--results", "."], 2, "`results` must hold results of the run's range files"),
        (["small", "--symbol", "DIA"], 2, "`symbol` must be one of QQQ, got 'DIA'"),
        (["small", "--years", "0"], 2, "`years` must be positive"),
        (["small", "--capital", "-1"], 2, "`capital` must be positive"),
        (["small", "--out", "a.csv"], 2, "`out` must be a file that ends in .xlsx"),
        (["small", "--top", "0"], 2, "`top` must be 1 to 1,000,000, got 0"),
    ],
)
def test_wrong_arguments_end_with_a_line(
    meseta: Call, results: Path, arguments: list[str], code: int, what: str
) -> None:
    given = arguments if "--results" in arguments else [*arguments, "--results", str(results)]
    made = meseta("refine", *given)
    assert made.code == code
    assert what in made.err
    assert made.out == ""
    assert "Traceback" not in made.err
    assert not list(results.glob("*.xlsx"))


def test_a_damaged_results_file_is_named(meseta: Call, results: Path) -> None:
    (results / f"Refinement_{LONG}_rank1_QQQ.csv").write_text("ATR_Period\n8\n")
    made = meseta("refine", "small", "--results", results)
    assert made.code == 1
    assert made.err.startswith(
        "columns are missing:\n  Refinement_ATR-D-v1.5-L_rank1_QQQ.csv: All"
    )


def test_its_help_has_examples(meseta: Call) -> None:
    made = meseta("refine", "--help")
    assert made.code == 0
    assert made.out.count("meseta refine ") >= 4
    assert "--results" in made.out


def test_starting_does_not_load_what_only_it_needs() -> None:
    code = (
        "import sys\n"
        "from meseta.cli import app\n"
        "print([name for name in ('xlsxwriter', 'polars') if name in sys.modules])"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout == "[]\n"
