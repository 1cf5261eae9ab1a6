"""The six metrics that a report's combinations are ranked on, and the ranks.

A report has no equity series, so the drawdown's fraction, Sharpe and Sortino are approximations;
`METRICS` says which, and the workbook repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

__all__ = ["COLUMNS", "METRICS", "OPTIONAL", "Metric", "ranked", "scored"]

COLUMNS = {
    "net_profit": "All: Net Profit",
    "max_drawdown": "All: Max Intraday Drawdown",
    "trades": "All: Total Trades",
    "percent_profitable": "All: % Profitable",
    "profit_factor": "All: ProfitFactor",
    "average_win": "All: Avg Winning Trade",
    "average_loss": "All: Avg Losing Trade",
}
OPTIONAL = {"return_on_account": "All: Return on Account"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One of the six; the highest value ranks first.

    Parameters
    ----------
    name
        Column of its values; its ranks are in ``{name}_rank``.
    label
        Heading.
    formula, source
        How it is computed, and from which columns.
    undefined
        When it has no value, so that it ranks last.
    """

    name: str
    label: str
    formula: str
    source: str
    undefined: str


_NO_DRAWDOWN = "The drawdown is zero or not reported."
_NO_LOSS = "No losing trade, or no trade: a ratio to losses that never came says nothing."

METRICS = (
    Metric(
        "mar",
        "MAR",
        "CAGR / (maximum drawdown / capital), with CAGR = ((capital + net profit) / capital) "
        "^ (1 / years) - 1. The report does not tell the equity that the drawdown fell from; "
        "it was the capital or more, so that a profit's true ratio is this one or higher.",
        f"{COLUMNS['net_profit']}; {COLUMNS['max_drawdown']}",
        f"{_NO_DRAWDOWN} The loss takes the whole capital.",
    ),
    Metric(
        "sharpe",
        "Sharpe (approx.)",
        "mean / deviation x sqrt(trades / years), as if every winning trade made the average win "
        "W and every other trade lost the average loss L: p = % profitable / 100, mean = p W - "
        "(1 - p) L, deviation = (W + L) sqrt(p (1 - p)). Real trades scatter more than that, so "
        "that the true ratio is nearer to zero. No risk-free rate.",
        f"{COLUMNS['percent_profitable']}; {COLUMNS['average_win']}; {COLUMNS['average_loss']}; "
        f"{COLUMNS['trades']}",
        "No winning trade, or no losing trade: two values are needed for a deviation.",
    ),
    Metric(
        "sortino",
        "Sortino (approx.)",
        "mean / downside x sqrt(trades / years), with the same mean and downside = L sqrt(1 - p).",
        f"{COLUMNS['percent_profitable']}; {COLUMNS['average_win']}; {COLUMNS['average_loss']}; "
        f"{COLUMNS['trades']}",
        _NO_LOSS,
    ),
    Metric(
        "profit_factor",
        "Profit factor",
        "As reported: gross profit / gross loss.",
        COLUMNS["profit_factor"],
        f"{_NO_LOSS} It is not reported.",
    ),
    Metric(
        "profit_to_drawdown",
        "Profit / drawdown",
        "Net profit / maximum drawdown.",
        f"{COLUMNS['net_profit']}; {COLUMNS['max_drawdown']}",
        _NO_DRAWDOWN,
    ),
    Metric(
        "robustness",
        "Robustness",
        "Share of profitable combinations among all combinations of the plateau that the range "
        "file came from, by validation profit over all phases. The same for all combinations of "
        "one range file.",
        "The run's plateaus.json: profitable_share",
        "The run does not tell it.",
    ),
)


def scored(frame: pl.DataFrame, *, years: float, capital: float) -> pl.DataFrame:
    """Add the metrics that are not reported.

    Parameters
    ----------
    frame
        A row per combination with the columns of `COLUMNS` and ``robustness``; null or NaN
        where a figure was not reported. Drawdown and average loss may have either sign.
    years
        Years that the combinations traded.
    capital
        Money at the start.

    Returns
    -------
    polars.DataFrame
        Null where a metric is undefined; never NaN or infinite.
    """
    clean = frame.with_columns(pl.col(pl.Float64).fill_nan(None)).with_columns(
        pl.col("max_drawdown", "average_loss").abs()
    )
    found = clean.with_columns(_metrics(years, capital))
    names = [metric.name for metric in METRICS]
    return found.with_columns(
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in names
    )


def _metrics(years: float, capital: float) -> list[pl.Expr]:
    profit, fall, trades = pl.col("net_profit"), pl.col("max_drawdown"), pl.col("trades")
    p = pl.col("percent_profitable") / 100
    # A side without a trade is reported as nothing, and weighs nothing.
    win = pl.when(p > 0).then(pl.col("average_win")).otherwise(0.0)
    loss = pl.when(p < 1).then(pl.col("average_loss")).otherwise(0.0)
    wins, losses = (trades > 0) & (win > 0), (trades > 0) & (loss > 0)
    mean, root = p * win - (1 - p) * loss, (trades / years).sqrt()
    grown = (capital + profit) / capital
    growth = pl.when(grown > 0).then(grown).pow(1 / years) - 1
    sharpe = mean / ((win + loss) * (p * (1 - p)).sqrt()) * root
    return [
        pl.when(fall > 0).then(growth / (fall / capital)).alias("mar"),
        pl.when(wins & losses).then(sharpe).alias("sharpe"),
        pl.when(losses).then(mean / (loss * (1 - p).sqrt()) * root).alias("sortino"),
        pl.when(losses).then(pl.col("profit_factor")).alias("profit_factor"),
        pl.when(fall > 0).then(profit / fall).alias("profit_to_drawdown"),
    ]


def ranked(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the rank in each metric, their sum, and the place; sort by place.

    Equal values share the average of their ranks; undefined ones share the average of the last
    ranks. The least sum is placed first; equal sums by MAR, then in the frame's order.

    Parameters
    ----------
    frame
        A row per combination with the metrics; null where undefined.

    Returns
    -------
    polars.DataFrame
        With ``{metric}_rank``, ``rank_sum`` and ``rank``, which counts from 1.
    """
    ranks = frame.with_columns(_rank(metric.name) for metric in METRICS)
    return (
        ranks.with_columns(rank_sum=pl.sum_horizontal(f"{metric.name}_rank" for metric in METRICS))
        .sort("rank_sum", "mar", descending=[False, True], nulls_last=True, maintain_order=True)
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    )


def _rank(name: str) -> pl.Expr:
    column = pl.col(name)
    last = column.count() + (column.null_count() + 1) / 2
    return column.rank("average", descending=True).fill_null(last).alias(f"{name}_rank")
