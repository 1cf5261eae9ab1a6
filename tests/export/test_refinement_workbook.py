"""The workbook, read back by another library."""

from __future__ import annotations

import math
import zipfile
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook

from meseta.errors import ArgumentError, RunError
from meseta.export import refine, write_workbook
from meseta.export._refinement_metrics import METRICS as RANKED
from refinement_world import BOTH, LONG, METRICS, RANGES, combinations, write_results, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from openpyxl.worksheet.worksheet import Worksheet

    from meseta.export import Refinement


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    folder = tmp_path_factory.mktemp("refinement")
    run = write_run(folder / "small", [(BOTH, 1), (LONG, 1), (LONG, 2)], main="atr_d_ls")
    write_results(folder / "results", combinations(BOTH, seed=1), strategy=BOTH)
    rows = combinations(seed=2)
    rows[5] |= {"Avg Losing Trade": "n/a", "% Profitable": 100, "ProfitFactor": "n/a"}
    write_results(folder / "results", rows)
    return refine(run, folder / "results")


@pytest.fixture(scope="module")
def book(found: Refinement, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("book") / "a.xlsx"
    write_workbook(found, path, top=60)
    return load_workbook(path)


def rows_under(sheet: Worksheet, row: int) -> list[dict[str, object]]:
    """Return the table whose header stands in a row, as far as its first column is filled."""
    heads = [cell.value for cell in sheet[row]]
    found = []
    for line in sheet.iter_rows(min_row=row + 1, values_only=True):
        if line[0] is None:
            break
        found.append(dict(zip(heads, line, strict=True)))
    return found


def test_its_sheets(book) -> None:
    assert book.sheetnames == ["Overview", BOTH, LONG, "Formulas"]


def test_the_overview_has_the_best_twenty_of_all(found: Refinement, book) -> None:
    rows = rows_under(book["Overview"], 4)
    assert [row["Rank"] for row in rows] == list(range(1, 21))
    for name, head in (
        ("strategy", "Strategy"),
        ("test", "Test number"),
        ("trades", "Total trades"),
    ):
        assert [row[head] for row in rows] == found.overall.head(20)[name].to_list()
    assert [row["MAR"] for row in rows] == pytest.approx(found.overall.head(20)["mar"].to_list())


@pytest.mark.parametrize("strategy", [BOTH, LONG])
def test_a_strategys_sheet_has_everything(found: Refinement, book, strategy: str) -> None:
    rows, table = rows_under(book[strategy], 1), found.tables[strategy].head(60)
    assert len(rows) == table.height == 60
    columns = {"Rank": "rank", "Rank-sum": "rank_sum", "Plateau": "plateau"}
    columns |= {"Net profit": "net_profit", "Max intraday drawdown": "max_drawdown"}
    columns |= {metric.label: metric.name for metric in RANKED}
    columns |= {"MAR rank": "mar_rank", "Sharpe rank": "sharpe_rank"}
    columns |= dict.fromkeys(found.inputs[strategy], "")
    for head, name in columns.items():
        values = [row[head] for row in rows]
        expected = [
            "n/a" if value is None else pytest.approx(value) for value in table[name or head]
        ]
        assert values == expected
    shares = [value / 100 for value in table["percent_profitable"]]
    assert [row["% profitable"] for row in rows] == pytest.approx(shares)
    assert list(rows[0])[-len(found.inputs[strategy]) :] == list(found.inputs[strategy])


def test_an_undefined_metric_is_no_number(book) -> None:
    (row,) = [row for row in rows_under(book[LONG], 1) if row["Test number"] == 6]
    assert row["Sharpe (approx.)"] == row["Sortino (approx.)"] == row["Profit factor"] == "n/a"
    assert row["Sharpe rank"] == 60


def test_headers_stay_and_can_filter(book) -> None:
    assert book["Overview"].freeze_panes == "C5"
    assert book[LONG].freeze_panes == "C2"
    assert book["Formulas"].freeze_panes == "B2"
    assert book["Overview"].auto_filter.ref == "A4:Q24"
    width = len(rows_under(book[LONG], 1)[0])
    assert book[LONG].auto_filter.ref == f"A1:{book[LONG].cell(61, width).coordinate}"


def test_numbers_are_formatted_and_coloured_with_direction(book) -> None:
    sheet = book[LONG]
    at = {cell.value: cell for cell in sheet[1]}
    formats = {head: sheet.cell(2, cell.column).number_format for head, cell in at.items()}
    assert formats["Net profit"] == "#,##0;-#,##0"
    assert formats["Robustness"] == formats["% profitable"] == "0.0%"
    assert formats["MAR"] == "#,##0.00"
    assert formats["Sharpe rank"] == "#,##0"
    assert formats["Robustness rank"] == "#,##0.0"
    assert formats["ATR_Multiplier"] == "General"
    scales = {
        str(area.sqref): [colour.rgb for colour in area.rules[0].colorScale.color]
        for area in sheet.conditional_formatting
    }

    def scale(head: str) -> list[str]:
        letter = at[head].column_letter
        return scales[f"{letter}2:{letter}61"]

    assert scale("MAR") == scale("Sortino (approx.)")
    assert scale("Max intraday drawdown") == scale("MAR")[::-1]
    # The same in every row: a colour would tell nothing.
    assert len(scales) == 6


def test_columns_are_wide_enough_for_what_they_show(book) -> None:
    for sheet in (book["Overview"], book[LONG]):
        head = 4 if sheet.title == "Overview" else 1
        for cell in sheet[head + 1]:
            shown = f"{cell.value:,.2f}" if isinstance(cell.value, float) else str(cell.value)
            assert sheet.column_dimensions[cell.column_letter].width > min(len(shown), 8)


def test_it_prints_on_landscape_pages_of_full_width(book) -> None:
    for sheet in book:
        assert sheet.page_setup.orientation == "landscape"
        # One page wide is what the format takes for granted.
        assert sheet.page_setup.fitToWidth in {None, 1}
        assert sheet.page_setup.fitToHeight == 0
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert book[LONG].print_title_rows == "$1:$1"


def test_it_states_formulas_ranks_and_what_was_used(found: Refinement, book) -> None:
    text = [cell for row in book["Formulas"].iter_rows(values_only=True) for cell in row if cell]
    for metric in RANKED:
        assert {metric.label, metric.formula, metric.source, metric.undefined} <= set(text)
    assert "from the run's data, 2006-01-03 to 2018-12-31" in text
    assert any(cell == pytest.approx(found.basis.years) for cell in text)
    assert 100_000 in text
    assert set(found.warnings) <= set(text)
    overview = [cell for row in book["Overview"].iter_rows(values_only=True) for cell in row]
    assert {*found.warnings, *(file.name for file in found.files)} <= set(overview)
    assert any("rank2.csv has no results" in text for text in found.warnings)


def test_the_same_refinement_gives_the_same_bytes(found: Refinement, tmp_path: Path) -> None:
    write_workbook(found, tmp_path / "a.xlsx")
    write_workbook(found, tmp_path / "b.xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        assert {each.date_time[0] for each in archive.infolist()} == {1980}
    properties = load_workbook(tmp_path / "a.xlsx").properties
    assert str(properties.created) == "2026-11-21 04:03:27"
    assert properties.title == "Refinement analysis of QQQ"


@pytest.mark.parametrize("top", [1, 7, 1_000])
def test_top_limits_each_strategys_sheet(found: Refinement, tmp_path: Path, top: int) -> None:
    write_workbook(found, tmp_path / "a.xlsx", top=top)
    book = load_workbook(tmp_path / "a.xlsx")
    for strategy, table in found.tables.items():
        assert len(rows_under(book[strategy], 1)) == min(top, table.height)


@pytest.mark.parametrize("top", [0, -1, 1_000_001])
def test_top_has_limits(found: Refinement, tmp_path: Path, top: int) -> None:
    with pytest.raises(ArgumentError, match="`top` must be 1 to 1,000,000"):
        write_workbook(found, tmp_path / "a.xlsx", top=top)


def test_it_must_be_called_xlsx_and_its_folder_writable(found: Refinement, tmp_path: Path) -> None:
    for name in ("a.xls", "a", "."):
        with pytest.raises(ArgumentError, match=r"must be a file that ends in \.xlsx"):
            write_workbook(found, tmp_path / name)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_workbook(found, tmp_path / "file" / "a.xlsx")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_names_are_text_and_never_formulas(tmp_path: Path) -> None:
    run = write_run(tmp_path / "=1+1")
    rows = [dict.fromkeys(combinations()[0], "n/a") | row for row in combinations()[:1]]
    rows[0] |= dict.fromkeys(METRICS, "n/a")
    write_results(tmp_path / "results", rows, symbols="=cmd()&A<b>")
    found = refine(run, tmp_path / "results")
    write_workbook(found, tmp_path / "a.xlsx")
    book = load_workbook(tmp_path / "a.xlsx")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert book["Overview"].oddFooter.left.text == "Refinement analysis of =cmd()&&A<b>"
    (row,) = rows_under(book["Overview"], 4)
    assert row["MAR"] == row["Net profit"] == "n/a"
    assert not any(isinstance(v, float) and math.isnan(v) for v in row.values())
    assert set(RANGES) <= set(rows_under(book[LONG], 1)[0])
