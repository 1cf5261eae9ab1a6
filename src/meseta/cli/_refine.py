"""`meseta refine`: what TradeStation found in a run's range files, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meseta.cli import _options as opt
from meseta.cli._console import count, facts, make_console, money, number, share, table
from meseta.cli._guard import command
from meseta.cli._report import find_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from rich.console import Console

    from meseta.export import Refinement

__all__ = ["register"]

_HEADS = (
    "#",
    "strategy",
    "plateau",
    "test",
    "rank-sum",
    "MAR",
    "Sharpe",
    "Sortino",
    "PF",
    "profit/DD",
    "robust",
    "profit",
    "drawdown",
    "trades",
)

_Results = Annotated[
    Path,
    typer.Option(
        "--results",
        metavar="FOLDER",
        help="Folder of the Refinement_<STRATEGY>_rank<N>_<SYMBOL>.csv files.",
        rich_help_panel=opt.DATA,
    ),
]
_Symbol = Annotated[
    str | None,
    typer.Option(
        "--symbol",
        metavar="SYMBOL",
        help="Which symbol's files, when the folder holds several symbols'.",
        rich_help_panel=opt.DATA,
    ),
]
_Years = Annotated[
    float | None,
    typer.Option(
        "--years",
        metavar="YEARS",
        help="Years that TradeStation optimised over. Default: the span of the run's data.",
        rich_help_panel=opt.ACCOUNT,
    ),
]
_Capital = Annotated[
    float | None,
    typer.Option(
        "--capital",
        metavar="MONEY",
        help="Money at the start in TradeStation. Default: the run's.",
        rich_help_panel=opt.ACCOUNT,
    ),
]
_Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="The workbook. Default: Refinement_Analysis_<SYMBOL>.xlsx among the results.",
        rich_help_panel=opt.OUTPUT,
    ),
]
_Top = Annotated[
    int,
    typer.Option(
        "--top",
        metavar="N",
        help="Combinations on each strategy's sheet.",
        rich_help_panel=opt.OUTPUT,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    examples = (
        "meseta refine qqq --results C:/refined/QQQ\n"
        "meseta refine runs/qqq --results refined --symbol QQQ --years 10 --capital 10000\n"
        "meseta refine qqq --results refined --top 200 --out qqq.xlsx"
    )
    command(app, "refine", panel=opt.SEARCH, examples=examples)(_refine)


def _refine(
    *,
    run: opt.RunArgument,
    results: _Results,
    symbol: _Symbol = None,
    years: _Years = None,
    capital: _Capital = None,
    out: _Out = None,
    top: _Top = 50,
) -> None:
    """Rank what TradeStation found in a run's range files, and write a workbook.

    The combinations of each strategy are ranked on MAR, Sharpe, Sortino, profit factor, profit /
    drawdown and robustness; the least sum of ranks comes first. Sharpe and Sortino are estimated
    from a report's averages. The workbook states every formula.
    """
    from meseta.export import check_workbook, refine, write_workbook

    check_workbook(out, top)
    found = refine(find_run(run), results, symbol=symbol, years=years, capital=capital)
    path = out or results / f"Refinement_Analysis_{found.symbol}.xlsx"
    write_workbook(found, path, top=top)
    _show(make_console(), found, path)


def _show(console: Console, found: Refinement, path: Path) -> None:
    """Print the best of all strategies, the best of each, notes, and the workbook's path."""
    from meseta.export._workbook import OVERALL_TOP

    basis, many = found.basis, len(found.files)
    read = (
        f"{count(found.overall.height)} combinations in {many} {'file' if many == 1 else 'files'}"
    )
    pairs = [
        ("Run", found.run),
        ("Symbol", found.symbol),
        ("Read", read),
        ("Years", f"{number(basis.years)}, from {basis.years_from}"),
        ("Capital", f"{money(basis.capital)}, from {basis.capital_from}"),
    ]
    facts(console, pairs)
    console.print()
    rows = [_row(row) for row in found.overall.head(OVERALL_TOP).iter_rows(named=True)]
    title = f"Best {len(rows)}, all strategies ranked together (Sharpe and Sortino estimated)"
    table(console, title, _HEADS, rows, left=2)
    facts(console, [(name, _inputs(found, name)) for name in found.tables])
    console.print()
    for warning in found.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)
    facts(console, [("Workbook", str(path))])


def _row(row: Mapping[str, Any]) -> Sequence[str]:
    ratios = ("mar", "sharpe", "sortino", "profit_factor", "profit_to_drawdown")
    return (
        str(row["rank"]),
        row["strategy"],
        str(row["plateau"]),
        count(row["test"]),
        number(row["rank_sum"], 1),
        *(number(row[name]) for name in ratios),
        share(row["robustness"]),
        money(row["net_profit"]),
        money(row["max_drawdown"]),
        count(row["trades"]),
    )


def _inputs(found: Refinement, strategy: str) -> str:
    """Return the inputs of a strategy's best combination."""
    best = found.tables[strategy].row(0, named=True)
    return ", ".join(f"{name} {best[name]:g}" for name in found.inputs[strategy])
