"""Options of `meseta optimize`, `analyze` and `cleanup` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from meseta.cli._options import ACCOUNT, DATA, OUTPUT, SEARCH, SELECTION

__all__ = [
    "Adaptive",
    "Aggregate",
    "AllowGaps",
    "BacktestConfig",
    "BarSize",
    "Bars",
    "Batch",
    "BestInfeasible",
    "Config",
    "DbPath",
    "EnterDb",
    "ExportCsv",
    "Funding",
    "Grid",
    "InSample",
    "Instrument",
    "KeepTop",
    "Lenient",
    "Mark",
    "MaxDrawdown",
    "MinCalmar",
    "MinProfitFactor",
    "MinSharpe",
    "MinTrades",
    "MinWinRate",
    "Null",
    "OutOfSample",
    "Preset",
    "ProfitMetric",
    "Pruner",
    "Resume",
    "Sampler",
    "Segments",
    "Space",
    "Startup",
    "Storage",
    "Strategy",
    "StrategyConfig",
    "Study",
    "StudyName",
    "Timeout",
    "Top",
    "Transfer",
    "Trials",
    "Unit",
    "Vault",
    "Verbose",
    "WalkForward",
    "Weights",
    "Workers",
]

FILES, HONESTY = "Files with options", "Doubt"

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="YAML file with options of the study; the two files below win over it, and the "
        "command line over all.",
        rich_help_panel=FILES,
    ),
]
BacktestConfig = Annotated[
    Path | None,
    typer.Option(
        "--backtest-config",
        "-b",
        metavar="FILE",
        help="YAML file with options of the back-test: bars, funding, start, end, capital, "
        "instrument and the like.",
        rich_help_panel=FILES,
    ),
]
StrategyConfig = Annotated[
    Path | None,
    typer.Option(
        "--strategy-config",
        "-s",
        metavar="FILE",
        help="YAML file of a hedge grid (sections grid, exit, regime, policy, rebalance, funding, "
        "position): its settings hold, its parameters are the first trial, and the best file "
        "keeps its other keys.",
        rich_help_panel=FILES,
    ),
]
Bars = Annotated[
    list[str] | None,
    typer.Option(
        "--bars",
        metavar="FILE",
        help="Market data: a CSV or Parquet file, sample:nasdaq, or - for CSV on standard input. "
        "Given several times: several instruments, and one parameter set for all.",
        rich_help_panel=DATA,
    ),
]
Funding = Annotated[
    list[str] | None,
    typer.Option(
        "--funding",
        metavar="FILE",
        help="Settled funding rates of the perpetual, CSV or Parquet; once for each --bars. "
        "Without it none is charged, and the result says so.",
        rich_help_panel=DATA,
    ),
]
Mark = Annotated[
    list[str] | None,
    typer.Option(
        "--mark",
        metavar="FILE",
        help="Bars of mark prices, at which funding is paid; once for each --bars. Default: the "
        "last price.",
        rich_help_panel=DATA,
    ),
]
AllowGaps = Annotated[
    bool | None,
    typer.Option(
        "--allow-gaps", help="Accept that bars of the perpetual are missing.", rich_help_panel=DATA
    ),
]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="DATE", help="First day, of files too.", rich_help_panel=DATA),
]
End = Annotated[
    str | None,
    typer.Option(
        "--end",
        metavar="DATE",
        help="Last day, which is included, of files too.",
        rich_help_panel=DATA,
    ),
]
BarSize = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Build bars of this size from the data: 360m, 6h, 1d. Not for the hedge grid.",
        rich_help_panel=DATA,
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="hedge_grid, a name that `meseta strategies` lists, or path/to/file.py:Name for your "
        "own. Default: hedge_grid.",
        rich_help_panel=SEARCH,
    ),
]
Grid = Annotated[
    str | None,
    typer.Option(
        "--grid",
        metavar="NAME|FILE",
        help="Grid whose combinations are the space, see `meseta grids`. Not for the hedge grid. "
        "Default: the strategy's grid `default`, where it has one.",
        rich_help_panel=SEARCH,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Space of the hedge grid: default, fast-1m or wide. Default: default.",
        rich_help_panel=SEARCH,
    ),
]
Space = Annotated[
    str | None,
    typer.Option(
        "--space",
        metavar="FILE",
        help="YAML file with a space of your own, a line like `tp_steps: {low: 1, high: 10}`, "
        "`adx_len: \\[7, 14, 21]` or `qty_scale: 1.05` for each parameter.",
        rich_help_panel=SEARCH,
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        "--trials",
        "-n",
        metavar="N",
        help="All trials of the study, 1 to 10,000; with --resume those of before count. "
        "Default: 100.",
        rich_help_panel=SEARCH,
    ),
]
Sampler = Annotated[
    Literal["tpe", "nsga2", "random"] | None,
    typer.Option(
        help="What draws: tpe learns which parameters score; nsga2 looks for all trade-offs of "
        "return, drawdown and Sharpe ratio; random learns nothing. Default: tpe.",
        rich_help_panel=SEARCH,
    ),
]
Startup = Annotated[
    int | None,
    typer.Option(
        "--startup-trials",
        metavar="N",
        help="Trials at random before tpe learns. Default: 10.",
        rich_help_panel=SEARCH,
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Trials drawn together. It decides what is drawn; the number of workers does not. "
        "Default: 4.",
        rich_help_panel=SEARCH,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Processes, at most --batch. Default: one for each processor but one.",
        rich_help_panel=SEARCH,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="A back-test that takes longer is ended and its trial fails; 0 for no limit. "
        "Default: 600.",
        rich_help_panel=SEARCH,
    ),
]
Pruner = Annotated[
    Literal["none", "median"] | None,
    typer.Option(
        help="median ends trials that fall behind at the end of a segment of the span; it favours "
        "what suits the first part of the history. Default: none.",
        rich_help_panel=SEARCH,
    ),
]
Segments = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Segments after which median looks. Default: 5.", rich_help_panel=SEARCH
    ),
]
Adaptive = Annotated[
    Literal["report-only", "rebuild"] | None,
    typer.Option(
        help="Normalisation by what was observed: of the ranking alone, or of what the sampler "
        "learns from too, all trials made anew. Default: report-only.",
        rich_help_panel=SEARCH,
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Optuna storage that several machines share, such as postgresql+psycopg://... "
        "Default: a file in the study's folder.",
        rich_help_panel=SEARCH,
    ),
]
Aggregate = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What several instruments come to: mean, worst, or path/to/file.py:name of your own. "
        "Default: mean.",
        rich_help_panel=SEARCH,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=W,...",
        help="Weights of what is maximised. Default: sharpe=0.3, profit=0.25, calmar=0.25, "
        "drawdown=-0.2.",
        rich_help_panel=SELECTION,
    ),
]
ProfitMetric = Annotated[
    Literal["total_return", "profit_factor"] | None,
    typer.Option(
        help="What the weight `profit` is of. Default: total_return.", rich_help_panel=SELECTION
    ),
]
MinSharpe = Annotated[
    float | None,
    typer.Option(metavar="RATIO", help="Default: 1.", rich_help_panel=SELECTION),
]
MaxDrawdown = Annotated[
    float | None,
    typer.Option(metavar="FRACTION", help="0.2 is 20 %. Default: 0.2.", rich_help_panel=SELECTION),
]
MinTrades = Annotated[
    int | None,
    typer.Option(metavar="N", help="Closed trades. Default: 50.", rich_help_panel=SELECTION),
]
MinWinRate = Annotated[
    float | None,
    typer.Option(
        metavar="FRACTION",
        help="Of trades net of costs. Default: 0.45.",
        rich_help_panel=SELECTION,
    ),
]
MinProfitFactor = Annotated[
    float | None,
    typer.Option(metavar="RATIO", help="Default: 1.1.", rich_help_panel=SELECTION),
]
MinCalmar = Annotated[
    float | None,
    typer.Option(metavar="RATIO", help="Default: 0.5.", rich_help_panel=SELECTION),
]
Lenient = Annotated[
    bool | None,
    typer.Option(
        "--lenient/--strict",
        help="Let one of the six constraints be missed. Default: strict.",
        rich_help_panel=SELECTION,
    ),
]
Vault = Annotated[
    str | None,
    typer.Option(
        metavar="20%|MONTHS",
        help="The end of the data, which no selection reads: a share, or a number of months. 0 "
        "for none. Default: 20%.",
        rich_help_panel=HONESTY,
    ),
]
Null = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Make the study again on N markets without structure, to see what this search finds "
        "where nothing is. Default: 0.",
        rich_help_panel=HONESTY,
    ),
]
WalkForward = Annotated[
    bool | None,
    typer.Option(
        "--walk-forward",
        help="Make a study in each rolling window before the vault, too, and trade what follows "
        "the window with its best.",
        rich_help_panel=HONESTY,
    ),
]
InSample = Annotated[
    int | None,
    typer.Option(
        "--in-sample",
        metavar="N",
        help="In-sample length of a window. Default: a third of what comes before the vault.",
        rich_help_panel=HONESTY,
    ),
]
OutOfSample = Annotated[
    int | None,
    typer.Option(
        "--out-of-sample",
        metavar="N",
        help="Out-of-sample length. Default: a third of the in-sample length.",
        rich_help_panel=HONESTY,
    ),
]
Unit = Annotated[
    Literal["bars", "sessions", "months"] | None,
    typer.Option(help="What lengths count. Default: sessions.", rich_help_panel=HONESTY),
]
Transfer = Annotated[
    bool | None,
    typer.Option(
        "--transfer/--no-transfer",
        help="Begin a window's study with the best of the window before. Default: yes.",
        rich_help_panel=HONESTY,
    ),
]
Instrument = Annotated[
    list[str] | None,
    typer.Option(
        "--instrument",
        metavar="NAME=VALUE",
        help="Of the hedge grid's perpetual: tick, lot, min_quantity, min_notional, maker_fee, "
        "taker_fee, slippage_ticks, touch_fills, leverage, ...; may be given several times.",
        rich_help_panel=ACCOUNT,
    ),
]
StudyName = Annotated[
    str | None,
    typer.Option(
        "--study-name",
        "--name",
        metavar="NAME",
        help="The study, and its folder. Default: made of strategy and data.",
        rich_help_panel=OUTPUT,
    ),
]
EnterDb = Annotated[
    Path | None,
    typer.Option(
        "--db-path",
        metavar="FILE",
        help="Enter the results into this SQLite file too, which may hold many studies. Those of "
        "the study alone are in its folder, results.db.",
        rich_help_panel=OUTPUT,
    ),
]
ExportCsv = Annotated[
    Path | None,
    typer.Option(
        "--export-csv",
        metavar="FILE",
        help="Write all trials as CSV.",
        rich_help_panel=OUTPUT,
    ),
]
BestInfeasible = Annotated[
    bool | None,
    typer.Option(
        "--best-infeasible",
        help="Write a strategy file of the nearest miss where no trial meets the constraints.",
        rich_help_panel=OUTPUT,
    ),
]
Confirm = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=100,
        metavar="N",
        help="Run the N best hedge grids again on NautilusTrader at the end, as `meseta confirm` "
        "does. Default: the best one where the extra `nautilus` is installed, else none.",
        rich_help_panel=HONESTY,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose/--no-verbose",
        help="Show the plan and the progress, or the result alone.",
        rich_help_panel=OUTPUT,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a study that was interrupted, or to more --trials.",
        rich_help_panel=OUTPUT,
    ),
]
Study = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="Folder of a study, or its name in runs/."),
]
DbPath = Annotated[
    Path | None,
    typer.Option(
        "--db-path",
        metavar="FILE",
        help="SQLite file with the study's results. Default: results.db in its folder.",
    ),
]
Top = Annotated[
    int,
    typer.Option("--top-n", "-n", min=1, max=100, metavar="N", help="Trials to show."),
]
KeepTop = Annotated[
    int,
    typer.Option("--keep-top-n", min=1, max=1000, metavar="N", help="Trials to keep."),
]
