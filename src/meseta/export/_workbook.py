"""The workbook of a refinement: an overview, a sheet for each strategy, and the formulas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

from meseta._files import atomic_file
from meseta.errors import ArgumentError
from meseta.export._refinement_metrics import METRICS, OPTIONAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import polars as pl

    from meseta.export._refinement import Refinement

__all__ = ["OVERALL_TOP", "TIE_RULE", "check_workbook", "write_workbook"]

Book: TypeAlias = Any
Sheet: TypeAlias = Any
Style: TypeAlias = "Callable[..., Any]"

OVERALL_TOP = 20
TIE_RULE = (
    "Each metric ranks the combinations from the highest value, 1, downwards. Equal values share "
    "the average of their ranks, and undefined values the average of the last ranks. The least "
    "sum of the six ranks comes first; of equal sums the higher MAR, then the better plateau, "
    "then the order of the results file."
)
_OVERALL_RULE = (
    "A strategy's sheet ranks its own combinations. The overview ranks the combinations of all "
    "strategies together, because sums of ranks among different numbers of combinations cannot "
    "be compared. Two combinations of one strategy may therefore change places there."
)

_MOST_ROWS = 1_000_000
_ACCENT, _RULE, _MUTED = "#0C4A6E", "#DCDAD4", "#5A646E"
_HEAD = {"bold": True, "font_color": "#FFFFFF", "bg_color": _ACCENT}
_WORST, _MIDDLE, _BEST = "#F3CFC9", "#FFFFFF", "#BFDDD3"
_FORMATS = {
    "whole": "#,##0",
    "rank": "#,##0.0",
    "ratio": "#,##0.00",
    "money": "#,##0;-#,##0",
    "percent": "0.0%",
    "plain": "General",
    "text": "@",
}
_PAPER_A4 = 9
_HEAD_HEIGHT, _LEANING_HEIGHT = 45, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column of a table.

    `scale` colours its values: 1 where more is better, -1 where less is, 0 not at all. `factor`
    turns a stored value into the one that is written: 0.01 for figures in percent. The heading of
    a `leaning` column stands upright, so that a long name needs no wide column.
    """

    name: str
    head: str
    kind: str
    scale: int = 0
    factor: float = 1.0
    muted: bool = False
    leaning: bool = False

    def value(self, stored: object) -> object:
        """Return what the cell gets."""
        return stored * self.factor if isinstance(stored, float) else stored


_FIGURES = (
    _Column(name="net_profit", head="Net profit", kind="money"),
    _Column(name="max_drawdown", head="Max intraday drawdown", kind="money", scale=-1),
    _Column(name="trades", head="Total trades", kind="whole"),
    _Column(name="percent_profitable", head="% profitable", kind="percent", factor=0.01),
    _Column(name="return_on_account", head="Return on account", kind="percent", factor=0.01),
)
_SOURCE = (
    _Column(name="plateau", head="Plateau", kind="whole"),
    _Column(name="test", head="Test number", kind="whole"),
)


def check_workbook(path: Path | None, top: int) -> None:
    """Refuse what `write_workbook` would refuse, before work starts.

    Parameters
    ----------
    path
        The file to write; None where it is not known yet.
    top
        How many combinations each strategy's sheet lists.

    Raises
    ------
    ArgumentError
        `path` does not end in ``.xlsx`` or is a folder, or `top` is not 1 to 1,000,000.
    """
    if path is not None and (path.suffix.lower() != ".xlsx" or path.is_dir()):
        raise ArgumentError(f"`out` must be a file that ends in .xlsx, got {str(path)!r}")
    if not 1 <= top <= _MOST_ROWS:
        raise ArgumentError(f"`top` must be 1 to {_MOST_ROWS:,}, got {top:,}")


def write_workbook(refinement: Refinement, path: Path, *, top: int = 50) -> None:
    """Write a refinement as an Excel workbook; the same refinement gives the same bytes.

    Parameters
    ----------
    refinement
        What to write.
    path
        An ``.xlsx`` file; replaced when it exists.
    top
        How many combinations each strategy's sheet lists.

    Raises
    ------
    ArgumentError
        As `check_workbook` says.
    RunError
        The file cannot be written.
    """
    check_workbook(path, top)
    import xlsxwriter

    stream = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(stream, options) as book:
        title = f"Refinement analysis of {refinement.symbol}"
        created = refinement.created.replace(tzinfo=None)
        book.set_properties({"title": title, "author": "meseta", "created": created})
        style = _styles(book)
        _write_overview(book, style, refinement, title)
        for strategy in refinement.tables:
            _write_strategy(book, style, refinement, strategy, top)
        _write_formulas(book, style, refinement)
    with atomic_file(path) as file:
        file.write(stream.getvalue())


def _styles(book: Book) -> Style:
    """Return a maker of cell formats that makes each of them once."""
    made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def style(**properties: Any) -> Any:
        wanted = {"font_name": "Calibri", "font_size": 10, "valign": "vcenter", **properties}
        found = tuple(sorted(wanted.items()))
        if found not in made:
            made[found] = book.add_format(wanted)
        return made[found]

    return style


def _metrics(*, ranks: bool) -> list[_Column]:
    columns = []
    for metric in METRICS:
        kind = "percent" if metric.name == "robustness" else "ratio"
        columns.append(_Column(name=metric.name, head=metric.label, kind=kind, scale=1))
        if ranks:
            head = f"{metric.label.removesuffix(' (approx.)')} rank"
            columns.append(_Column(name=f"{metric.name}_rank", head=head, kind="rank", muted=True))
    return columns


def _write_overview(book: Book, style: Style, refinement: Refinement, title: str) -> None:
    sheet = _sheet(book, "Overview", title)
    columns = [
        _Column(name="rank", head="Rank", kind="whole"),
        _Column(name="strategy", head="Strategy", kind="text"),
        _Column(name="plateau", head="Plateau", kind="whole"),
        _Column(name="test", head="Test number", kind="whole"),
        _Column(name="strategy_rank", head="Rank in its strategy", kind="whole"),
        _Column(name="rank_sum", head="Rank-sum of all", kind="rank"),
        *_metrics(ranks=False),
        *_FIGURES,
    ]
    best = refinement.overall.head(OVERALL_TOP)
    sheet.write_string(0, 0, title, style(bold=True, font_size=14, font_color=_ACCENT))
    sheet.write_string(1, 0, _summary(refinement, best.height), style(font_color=_MUTED))
    _write_table(sheet, style, columns, best, row=3)
    _fit(sheet, columns, best)
    sheet.freeze_panes(4, 2)
    sheet.repeat_rows(3)
    row = _write_files(sheet, style, refinement, 3 + best.height + 2)
    _write_paragraphs(
        sheet, style, "Notes", refinement.warnings, row, width=len(columns), text=150
    )


def _summary(refinement: Refinement, best: int) -> str:
    basis, files = refinement.basis, len(refinement.files)
    return (
        f"The best {best} of {refinement.overall.height:,} combinations in {files} "
        f"{'file' if files == 1 else 'files'}. Run {refinement.run} of "
        f"{refinement.created:%Y-%m-%d}. {basis.years:.2f} years and a capital of "
        f"{basis.capital:,.0f}; see Formulas."
    )


def _write_files(sheet: Sheet, style: Style, refinement: Refinement, row: int) -> int:
    """List the files that were read under the table; return the row after them."""
    _heading(sheet, style, row, "Files read")
    heads = ("Strategy", "Plateau", "Rows", "Rows in its ranges", "Robustness", "File")
    for column, head in enumerate(heads, start=1):
        sheet.write_string(row + 1, column, head, _head(style, left=head in {"Strategy", "File"}))
    sheet.set_row(row + 1, 30)
    for at, file in enumerate(refinement.files, start=row + 2):
        sheet.write_string(at, 1, file.job.strategy, _cell(style, "text"))
        sheet.write_number(at, 2, file.job.rank, _cell(style, "whole"))
        sheet.write_number(at, 3, file.rows, _cell(style, "whole"))
        sheet.write_number(at, 4, file.job.combinations, _cell(style, "whole"))
        _write(sheet, at, 5, file.job.robustness, _cell(style, "percent"))
        sheet.write_string(at, 6, file.name, style(indent=1))
    return row + 3 + len(refinement.files)


def _write_strategy(
    book: Book, style: Style, refinement: Refinement, strategy: str, top: int
) -> None:
    title = f"{strategy} on {refinement.symbol}"
    sheet = _sheet(book, strategy, title)
    columns = [
        _Column(name="rank", head="Rank", kind="whole"),
        _Column(name="rank_sum", head="Rank-sum", kind="rank"),
        *_metrics(ranks=True),
        *_FIGURES,
        *_SOURCE,
        *(
            _Column(name=name, head=name, kind="plain", leaning=True)
            for name in refinement.inputs[strategy]
        ),
    ]
    best = refinement.tables[strategy].head(top)
    _write_table(sheet, style, columns, best, row=0)
    _fit(sheet, columns, best)
    sheet.freeze_panes(1, 2)
    sheet.repeat_rows(0)


def _write_formulas(book: Book, style: Style, refinement: Refinement) -> None:
    sheet = _sheet(book, "Formulas", f"Formulas, {refinement.symbol}")
    widths = (20, 74, 34, 42)
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width)
    heads = ("Metric", "Formula", "Columns it comes from", "Undefined, and ranked last, when")
    for column, head in enumerate(heads):
        sheet.write_string(0, column, head, _head(style, left=True))
    sheet.freeze_panes(1, 1)
    for row, metric in enumerate(METRICS, start=1):
        texts = (metric.label, metric.formula, metric.source, metric.undefined)
        for column, text in enumerate(texts):
            cell = style(
                text_wrap=True, align="left", valign="top", indent=1, bold=column == 0, **_line()
            )
            sheet.write_string(row, column, text, cell)
        sheet.set_row(row, 13.5 * _lines(texts, widths) + 3)
    row = _write_paragraphs(
        sheet, style, "Ranks", [TIE_RULE, _OVERALL_RULE], len(METRICS) + 2, width=4, text=165
    )
    row = _write_basis(sheet, style, refinement, row)
    _write_paragraphs(sheet, style, "Notes", refinement.warnings, row, width=4, text=165)


def _write_basis(sheet: Sheet, style: Style, refinement: Refinement, row: int) -> int:
    basis = refinement.basis
    _heading(sheet, style, row, "Used here")
    facts: list[tuple[str, float, str, str]] = [
        ("Years", basis.years, "ratio", f"from {basis.years_from}"),
        ("Capital", basis.capital, "money", f"from {basis.capital_from}"),
    ]
    for at, (name, value, kind, source) in enumerate(facts, start=row + 1):
        sheet.write_string(at, 0, name, style(bold=True))
        sheet.write_number(at, 1, value, style(num_format=_FORMATS[kind], align="left"))
        sheet.write_string(at, 2, source, style())
    optional = ", ".join(OPTIONAL.values())
    shown = f"Shown as reported and not ranked on: net profit, total trades, {optional}."
    sheet.write_string(row + 3, 0, shown, style())
    return row + 5


def _write_table(
    sheet: Sheet, style: Style, columns: Sequence[_Column], frame: pl.DataFrame, *, row: int
) -> None:
    """Write a header and a frame's rows, with a filter and colours."""
    for at, column in enumerate(columns):
        values = frame[column.name]
        sheet.write_string(row, at, column.head, _column_head(style, column))
        cell = _cell(style, _kind(column, values), muted=column.muted)
        for line, stored in enumerate(values, start=row + 1):
            _write(sheet, line, at, column.value(stored), cell)
        if column.scale and values.n_unique() > 1:
            area = (row + 1, at, row + frame.height, at)
            sheet.conditional_format(*area, _scale(column.scale))
    leaning = any(column.leaning for column in columns)
    # High enough for the text to stay clear of the filters' buttons.
    sheet.set_row(row, _LEANING_HEIGHT if leaning else _HEAD_HEIGHT)
    sheet.autofilter(row, 0, row + frame.height, len(columns) - 1)


def _kind(column: _Column, values: pl.Series) -> str:
    """Return the column's kind; ranks show a half only where there are halves."""
    halves = column.kind == "rank" and bool((values % 1 != 0).any())
    return "whole" if column.kind == "rank" and not halves else column.kind


def _write(sheet: Sheet, row: int, column: int, value: object, cell: Any) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, value, cell)
    elif isinstance(value, int | float) and math.isfinite(value):
        sheet.write_number(row, column, value, cell)
    else:
        sheet.write_string(row, column, "n/a", cell)


def _scale(direction: int) -> dict[str, Any]:
    """Return a scale of three colours that a few extreme values do not flatten."""
    low, high = (_WORST, _BEST) if direction > 0 else (_BEST, _WORST)
    points = zip(("min", "mid", "max"), (5, 50, 95), (low, _MIDDLE, high), strict=True)
    found: dict[str, Any] = {"type": "3_color_scale"}
    for name, share, colour in points:
        found |= {f"{name}_type": "percentile", f"{name}_value": share, f"{name}_color": colour}
    return found


def _write_paragraphs(
    sheet: Sheet,
    style: Style,
    heading: str,
    texts: Iterable[str],
    row: int,
    *,
    width: int,
    text: int,
) -> int:
    """Write texts over `width` columns that hold `text` characters; return the next row."""
    listed = list(texts)
    if not listed:
        return row
    _heading(sheet, style, row, heading)
    for at, words in enumerate(listed, start=row + 1):
        sheet.merge_range(at, 0, at, width - 1, "", style(text_wrap=True, valign="top"))
        sheet.write_string(at, 0, words, style(text_wrap=True, valign="top"))
        sheet.set_row(at, 13.5 * math.ceil(len(words) / text) + 3)
    return row + len(listed) + 2


def _heading(sheet: Sheet, style: Style, row: int, text: str) -> None:
    sheet.write_string(row, 0, text, style(bold=True, font_size=11, font_color=_ACCENT))


def _column_head(style: Style, column: _Column) -> Any:
    if column.leaning:
        return style(**_HEAD, rotation=90, align="center", valign="top")
    return _head(style, left=column.kind == "text")


def _head(style: Style, *, left: bool) -> Any:
    side = {"align": "left", "indent": 1} if left else {"align": "right"}
    return style(**_HEAD, **side, text_wrap=True, valign="top")


def _cell(style: Style, kind: str, *, muted: bool = False) -> Any:
    side = {"align": "left", "indent": 1} if kind == "text" else {"align": "right"}
    colour = {"font_color": _MUTED} if muted else {}
    return style(num_format=_FORMATS[kind], **side, **colour, **_line())


def _line() -> dict[str, Any]:
    return {"bottom": 4, "bottom_color": _RULE}


def _sheet(book: Book, name: str, title: str) -> Sheet:
    sheet = book.add_worksheet(name)
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(_PAPER_A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    # A symbol's ampersand would begin a code of the footer.
    sheet.set_footer(f"&L{title.replace('&', '&&')}&RPage &P of &N")
    return sheet


def _fit(sheet: Sheet, columns: Sequence[_Column], frame: pl.DataFrame) -> None:
    for at, column in enumerate(columns):
        words = 0 if column.leaning else max(map(len, column.head.split()))
        halves = 0 if column.leaning else math.ceil(len(column.head) / 2)
        shown = max((_length(column, stored) for stored in frame[column.name]), default=0)
        sheet.set_column(at, at, max(words, halves, shown, 4) + 2)


def _length(column: _Column, stored: object) -> int:
    value = column.value(stored)
    if not isinstance(value, int | float):
        return len(str(value or "n/a"))
    if column.kind == "percent":
        return len(f"{value:.1%}")
    digits = {"ratio": 2, "rank": 1, "money": 0, "whole": 0}.get(column.kind)
    return len(f"{value:g}" if digits is None else f"{value:,.{digits}f}")


def _lines(texts: Sequence[str], widths: Sequence[int]) -> int:
    return max(
        math.ceil(len(text) / (1.15 * width)) for text, width in zip(texts, widths, strict=True)
    )
