"""Options of `meseta walkforward` and `meseta matrix` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from meseta.cli._options import DATA, OUTPUT, SEARCH, SELECTION

__all__ = [
    "Anchored",
    "BarSize",
    "Exact",
    "Fitness",
    "Grid",
    "InSample",
    "Keep",
    "Matrix",
    "MinMatrixTrades",
    "MinProfit",
    "MinProfitToDrawdown",
    "MinWindowTrades",
    "MinWinning",
    "Name",
    "OutOfSample",
    "Policy",
    "ProjectOrConfig",
    "Purge",
    "Runs",
    "SessionOpen",
    "Strategy",
    "Unit",
    "WindowEfficiency",
]

WINDOWS = "Windows"

ProjectOrConfig = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE.yaml]",
        help="A project (symbols x bar sizes x strategies), or options of a single walk-forward.",
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="What to trade, separable or kernel, see `meseta strategies`, or "
        "path/to/file.py:Name for your own. Default: xbar.",
        rich_help_panel=SEARCH,
    ),
]
Grid = Annotated[
    str | None,
    typer.Option(
        "--grid",
        metavar="NAME|FILE",
        help="Named grid, see `meseta grids`, or a YAML file. Default: the strategy's grid "
        "`default`, where it has one.",
        rich_help_panel=SEARCH,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The run's folder. Default: made of strategy, data and lengths.",
        rich_help_panel=OUTPUT,
    ),
]
InSample = Annotated[
    int | None,
    typer.Option(
        "--in", metavar="N", help="In-sample length. Default: 504.", rich_help_panel=WINDOWS
    ),
]
OutOfSample = Annotated[
    int | None,
    typer.Option(
        "--out", metavar="N", help="Out-of-sample length. Default: 126.", rich_help_panel=WINDOWS
    ),
]
Unit = Annotated[
    Literal["bars", "sessions", "months"] | None,
    typer.Option(
        help="What lengths count: bars, sessions (trading days of the data) or calendar months. "
        "Default: sessions.",
        rich_help_panel=WINDOWS,
    ),
]
Anchored = Annotated[
    bool | None,
    typer.Option(
        "--anchored/--rolling",
        help="Let every in-sample window begin at the start of the history. Default: rolling.",
        rich_help_panel=WINDOWS,
    ),
]
Purge = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Gap between in-sample and out-of-sample: bars where lengths count bars, else "
        "sessions. Default: 0.",
        rich_help_panel=WINDOWS,
    ),
]
Fitness = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What the best combination of an in-sample window has most of: net_profit, "
        "profit_to_drawdown, profit_factor, sharpe, sortino, mar, or FILE.py:name of your own. "
        "Default: net_profit.",
        rich_help_panel=WINDOWS,
    ),
]
MinWindowTrades = Annotated[
    int | None,
    typer.Option(
        "--min-trades",
        metavar="N",
        help="Fewest in-sample trades of a combination that may be chosen. Default: 1.",
        rich_help_panel=WINDOWS,
    ),
]
Keep = Annotated[
    int | None,
    typer.Option(
        metavar="K",
        help="How many of the best of each window are kept in best.parquet. Default: 5.",
        rich_help_panel=WINDOWS,
    ),
]
Exact = Annotated[
    Literal["never", "finalists", "always"] | None,
    typer.Option(
        help="Trade what was chosen again as one account: never, for the chosen lengths and the "
        "largest passing block of a matrix (finalists), or for every cell. Default: finalists.",
        rich_help_panel=WINDOWS,
    ),
]
Policy = Annotated[
    Literal["carry", "close", "finish"] | None,
    typer.Option(
        help="What happens to a position where the parameters change: it stays (carry), is sold "
        "at the next open (close), or is managed to its end by the old ones (finish). "
        "Default: carry.",
        rich_help_panel=WINDOWS,
    ),
]
Matrix = Annotated[
    str | None,
    typer.Option(
        metavar="LENGTHS",
        help='Try all pairs of lengths too, in the same pass: "252,504,756x63,126,252".',
        rich_help_panel=WINDOWS,
    ),
]
MinProfit = Annotated[
    float | None,
    typer.Option(
        metavar="MONEY",
        help="Least out-of-sample profit of a cell that passes. Default: 0.",
        rich_help_panel=SELECTION,
    ),
]
WindowEfficiency = Annotated[
    float | None,
    typer.Option(
        "--min-efficiency",
        metavar="RATIO",
        help="Least walk-forward efficiency (annualised) of a cell that passes. Default: 0.5.",
        rich_help_panel=SELECTION,
    ),
]
MinWinning = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Least share of out-of-sample windows that made money, 0 to 1. Default: 0.5.",
        rich_help_panel=SELECTION,
    ),
]
MinProfitToDrawdown = Annotated[
    float | None,
    typer.Option(
        metavar="RATIO",
        help="Least out-of-sample profit in drawdowns. Default: 1.",
        rich_help_panel=SELECTION,
    ),
]
MinMatrixTrades = Annotated[
    int | None,
    typer.Option(
        "--min-cell-trades",
        metavar="N",
        help="Fewest out-of-sample trades of a cell that passes. Default: 1.",
        rich_help_panel=SELECTION,
    ),
]
BarSize = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Build bars of this size from the data, session by session: 360m, 6h, 1d.",
        rich_help_panel=DATA,
    ),
]
SessionOpen = Annotated[
    str | None,
    typer.Option(
        metavar="HH:MM",
        help="When the trading day begins, in the data's time zone. Default: found in the data.",
        rich_help_panel=DATA,
    ),
]
Runs = Annotated[
    Path | None,
    typer.Option(
        "--runs",
        metavar="DIR",
        help="Where run folders are made. Default: runs.",
        rich_help_panel=OUTPUT,
    ),
]
