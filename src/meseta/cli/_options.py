"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "AllowDropped",
    "Axes",
    "Bars",
    "Bars2",
    "Basis",
    "Calendar",
    "Capital",
    "Commission",
    "ConfigFile",
    "Contracts",
    "CostPerShare",
    "Csv",
    "DateOrder",
    "End",
    "Expand",
    "Fetch",
    "Force",
    "Grid",
    "Html",
    "Interval",
    "Json",
    "Lot",
    "MaxCombinations",
    "MaxDrawdownToInSample",
    "MaxDrawdownToProfit",
    "MinCell",
    "MinDrawdown",
    "MinEfficiency",
    "MinTrades",
    "Name",
    "Nonpositive",
    "Out",
    "Phases",
    "PointValue",
    "ReportFlag",
    "Resume",
    "RollCost",
    "Rolls",
    "RunArgument",
    "Sample",
    "SampleMethod",
    "Seed",
    "Session",
    "SessionOpen",
    "Slippage",
    "Source",
    "Start",
    "Store",
    "StrategyName",
    "Symbol",
    "Symbol2",
    "Threads",
    "Tick",
    "Timezone",
    "Vault",
    "Warmup",
]

DATA, FETCHED, SEARCH = "Data", "Data of a symbol, fetched and kept", "Search"
ACCOUNT, SELECTION, OUTPUT = "Account and costs", "Selection", "Output"

Bars = Annotated[
    str | None,
    typer.Option(
        "--bars",
        metavar="FILE",
        help="Market data: a CSV or Parquet file, a TradeStation export, sample:nasdaq, "
        "sample:sp500, or - for CSV on standard input.",
        rich_help_panel=DATA,
    ),
]
Bars2 = Annotated[
    str | None,
    typer.Option(
        "--bars2",
        metavar="FILE",
        help="Market data of the second symbol, for strategies that read one and trade the "
        "other: the index beside a leveraged fund. sample:nasdaq goes with "
        "--bars sample:nasdaq-3x.",
        rich_help_panel=DATA,
    ),
]
Symbol = Annotated[
    str | None,
    typer.Option(
        "--symbol",
        metavar="NAME",
        help="Market, as the source calls it, instead of --bars: SMH, @ES, ^GSPC, BTCUSDT. What "
        "is not stored of it is fetched.",
        rich_help_panel=FETCHED,
    ),
]
Symbol2 = Annotated[
    str | None,
    typer.Option(
        "--symbol2",
        metavar="NAME",
        help="Second market of the same source, instead of --bars2.",
        rich_help_panel=FETCHED,
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="NAME",
        help="Who has it: tradestation, yahoo, binance, path/to/file.py:NAME for one of your own, "
        "store, which takes what is stored, or files, which takes what was imported. When the "
        "source cannot be reached, what is stored is used and a warning says so. Default: store.",
        rich_help_panel=FETCHED,
    ),
]
Interval = Annotated[
    str | None,
    typer.Option(
        "--interval",
        metavar="SIZE",
        help="Length of the source's bars: 1m, 5m, 1h, 1d and the like. Default: 1d.",
        rich_help_panel=FETCHED,
    ),
]
Basis = Annotated[
    str | None,
    typer.Option(
        "--basis",
        metavar="BASIS",
        help="What prices are adjusted for: unadjusted, split, total-return, back-adjusted. "
        "Default: the source's usual one.",
        rich_help_panel=FETCHED,
    ),
]
Session = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="NAME",
        help="The source's name for trading hours other than its usual ones.",
        rich_help_panel=FETCHED,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="DATE",
        help="First day, such as 2010-01-04. Default: where the stored bars begin, else the "
        "earliest; a source with too much of it asks for one.",
        rich_help_panel=FETCHED,
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        "--end",
        metavar="DATE",
        help="Last day, which is included. Default: the latest that is complete.",
        rich_help_panel=FETCHED,
    ),
]
Fetch = Annotated[
    bool | None,
    typer.Option(
        "--fetch/--no-fetch",
        help="Ask the source for what is not stored, or take what is stored and leave the network "
        "alone. Default: ask.",
        rich_help_panel=FETCHED,
    ),
]
Calendar = Annotated[
    str | None,
    typer.Option(
        "--calendar",
        metavar="NAME",
        help="Exchange calendar that tells which sessions should be there, such as XNYS, CMES or "
        "24/7. Default: the source's, where it names one.",
        rich_help_panel=FETCHED,
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Where data are kept. Default: the folder data in your own data folder, which "
        "MESETA_HOME moves.",
        rich_help_panel=FETCHED,
    ),
]
AllowDropped = Annotated[
    bool | None,
    typer.Option(
        "--allow-dropped",
        help="Accept that more than 2 % of the bars have no partner in the other symbol.",
        rich_help_panel=DATA,
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="IANA zone of the bars, such as America/New_York. Default: the source's, else UTC.",
        rich_help_panel=DATA,
    ),
]
DateOrder = Annotated[
    Literal["mdy", "dmy", "ymd"] | None,
    typer.Option(help="How dates like 01/05/2024 are meant.", rich_help_panel=DATA),
]
Nonpositive = Annotated[
    bool | None,
    typer.Option(
        "--allow-nonpositive",
        help="Let prices of zero and less pass, as back-adjusted futures have them.",
        rich_help_panel=DATA,
    ),
]
SessionOpen = Annotated[
    str | None,
    typer.Option(
        "--session-open",
        metavar="HH:MM",
        help="Time of day at which a trading day begins. Default: found from the data.",
        rich_help_panel=DATA,
    ),
]
Warmup = Annotated[
    int | None,
    typer.Option(
        metavar="BARS",
        help="Bars at the start of the data on which nothing is traded. Default: 100.",
        rich_help_panel=DATA,
    ),
]
Capital = Annotated[
    float | None,
    typer.Option(
        metavar="MONEY",
        help="Money at the start; fractional shares do not exist, so it must buy whole ones. "
        "Default: 10,000.",
        rich_help_panel=ACCOUNT,
    ),
]
CostPerShare = Annotated[
    float | None,
    typer.Option(
        metavar="MONEY",
        help="Cost per share for the round trip. Default: 0.",
        rich_help_panel=ACCOUNT,
    ),
]
Commission = Annotated[
    float | None,
    typer.Option(
        metavar="FRACTION",
        help="Fraction of traded value at entry and again at exit; 0.001 is 0.1 %. Default: 0.",
        rich_help_panel=ACCOUNT,
    ),
]
Slippage = Annotated[
    float | None,
    typer.Option(
        metavar="PRICE",
        help="Price per share by which every fill is worse. Default: 0.",
        rich_help_panel=ACCOUNT,
    ),
]
Lot = Annotated[
    float | None,
    typer.Option(
        metavar="SHARES",
        help="Shares are bought in multiples of this. Default: 1.",
        rich_help_panel=ACCOUNT,
    ),
]
Contracts = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Fixed number of contracts (or shares) in every position. Default: the whole equity "
        "in whole lots.",
        rich_help_panel=ACCOUNT,
    ),
]
PointValue = Annotated[
    float | None,
    typer.Option(
        metavar="MONEY",
        help="Money for one point of price and contract, such as 1000 for crude oil. Default: 1.",
        rich_help_panel=ACCOUNT,
    ),
]
Tick = Annotated[
    float | None,
    typer.Option(
        metavar="PRICE",
        help="Smallest step of the price: stop and limit prices of kernel strategies are rounded "
        "to it, against you. Default: none.",
        rich_help_panel=ACCOUNT,
    ),
]
RollCost = Annotated[
    float | None,
    typer.Option(
        metavar="MONEY",
        help="Money per contract each time an open position is rolled. Needs --rolls.",
        rich_help_panel=ACCOUNT,
    ),
]
Rolls = Annotated[
    str | None,
    typer.Option(
        metavar="DATES",
        help="Dates of the rolls, separated by commas, or monthly or quarterly: the first bar of "
        "each month or quarter.",
        rich_help_panel=ACCOUNT,
    ),
]
MinEfficiency = Annotated[
    float | None,
    typer.Option(
        metavar="RATIO",
        help="Validation profit / in-sample profit must lie above this. Default: 0.35.",
        rich_help_panel=SELECTION,
    ),
]
MaxDrawdownToProfit = Annotated[
    float | None,
    typer.Option(
        metavar="RATIO",
        help="Validation drawdown must lie below this many validation profits. Default: 1.",
        rich_help_panel=SELECTION,
    ),
]
MaxDrawdownToInSample = Annotated[
    float | None,
    typer.Option(
        metavar="RATIO",
        help="Validation drawdown must lie below this many in-sample drawdowns. Default: 3.",
        rich_help_panel=SELECTION,
    ),
]
MinDrawdown = Annotated[
    float | None,
    typer.Option(
        metavar="MONEY",
        help="The two drawdown gates are asked only above this drawdown. Default: 0.",
        rich_help_panel=SELECTION,
    ),
]
MinTrades = Annotated[
    int | None,
    typer.Option(
        metavar="TRADES",
        help="Least number of trades on each side of a phase. Default: 1.",
        rich_help_panel=SELECTION,
    ),
]
Axes = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y",
        help="The two parameters that span the plateau map. "
        "Default: atr_multiplier, atr_buy_multiplier; a variant without one of them uses others.",
        rich_help_panel=SELECTION,
    ),
]
MinCell = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Candidates that a cell of the map needs to count. Default: 50.",
        rich_help_panel=SELECTION,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="The run gets a folder of its own in this one. Default: runs.",
        rich_help_panel=OUTPUT,
    ),
]
ReportFlag = Annotated[
    bool | None,
    typer.Option(
        "--report/--no-report",
        help="Write the HTML page. Default: yes.",
        rich_help_panel=OUTPUT,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Threads. Default: one for each processor.", rich_help_panel=OUTPUT
    ),
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a run, or its name in runs/.")
]

ConfigFile = Annotated[
    Path | None,
    typer.Argument(metavar="CONFIG", help="YAML file with options; those below win over it."),
]
StrategyName = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="What to search, see `meseta strategies`, or path/to/file.py:Name for your own. "
        "Default: atr_d_l.",
        rich_help_panel=SEARCH,
    ),
]
Grid = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Named grid, see `meseta grids`, or a YAML file. Default: phase1_slim.",
        rich_help_panel=SEARCH,
    ),
]
Phases = Annotated[
    str | None,
    typer.Option(
        metavar="auto|FILE",
        help="Phases by the history's length, or a YAML list with an entry like "
        "{years_back: \\[10, 5], out_of_sample: 0.4} or {start: 2010-01-04, split: 2012-06-01, "
        "end: 2013-12-31} for each. Default: auto.",
        rich_help_panel=SEARCH,
    ),
]
Vault = Annotated[
    float | None,
    typer.Option(
        metavar="MONTHS",
        help="Months at the end of the data that no selection reads; the only unseen data. "
        "0 for none. Default: 12.",
        rich_help_panel=SEARCH,
    ),
]
MaxCombinations = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Refuse to search more. Default: 100,000,000.",
        rich_help_panel=SEARCH,
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Search N combinations drawn from the grid instead of all of it; every output says "
        "so. --seed draws others. Default: all.",
        rich_help_panel=SEARCH,
    ),
]
SampleMethod = Annotated[
    Literal["sobol", "random"] | None,
    typer.Option(
        help="How they are drawn: spread evenly, or each by itself. Default: sobol.",
        rich_help_panel=SEARCH,
    ),
]
Expand = Annotated[
    bool | None,
    typer.Option(
        "--expand/--no-expand",
        help="Search the strategy's simpler variants too, on the same data and phases, and "
        "compare. Default: yes.",
        rich_help_panel=SEARCH,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Of everything drawn at random. Default: 0.",
        rich_help_panel=SEARCH,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The run's folder. Default: made of strategy, data and grid.",
        rich_help_panel=OUTPUT,
    ),
]
Csv = Annotated[
    bool | None,
    typer.Option(
        "--csv/--no-csv",
        help="Write the candidates as CSV too. Default: no.",
        rich_help_panel=OUTPUT,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue an unfinished run of the same search.",
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Begin anew where a run of that name exists.",
        rich_help_panel=OUTPUT,
    ),
]
Json = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write trades and report with full precision; - writes them here instead.",
        rich_help_panel=OUTPUT,
    ),
]
Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write a page with charts and trades.",
        rich_help_panel=OUTPUT,
    ),
]
