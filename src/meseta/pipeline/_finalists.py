"""Finalists: each plateau's centre and best combinations, run once more in full."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from meseta.engine import METRICS, Window, backtest, metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from meseta.bars import Bars
    from meseta.engine import Simulation
    from meseta.pipeline._plan import Plan
    from meseta.selection import Plateaus

__all__ = ["Finalists", "run_finalists"]


@dataclass(frozen=True, slots=True)
class Finalists:
    """What the finalists made.

    Parameters
    ----------
    table
        One row each: who it is, metrics before the vault and in it (``vault_...``, null without
        a vault).
    equity
        Account and drawdown at every close, by `finalist` and `span`.
    trades
        Every trade, by `finalist` and `span`.
    """

    table: pl.DataFrame
    equity: pl.DataFrame
    trades: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Finalist:
    plateau: int
    role: str
    flat: int
    stability: float | None


def run_finalists(
    plan: Plan,
    plateaus: Plateaus,
    stabilities: dict[int, float],
    limit: int,
    threads: int,
    tick: Callable[[int, int], None],
) -> Finalists:
    """Run the finalists over the history before the vault, and over the vault.

    Parameters
    ----------
    plan
        The run.
    plateaus
        What was found, best first.
    stabilities
        Stability by flat index of the candidates concerned.
    limit
        Most finalists in all.
    threads
        Threads.
    tick
        Called with finalists done and finalists in all.
    """
    chosen = _choose(plateaus, stabilities)[:limit]
    parts: list[tuple[dict[str, Any], list[pl.DataFrame], list[pl.DataFrame]]] = []
    with ThreadPoolExecutor(threads) as pool:
        numbered = list(enumerate(chosen))
        for part in pool.map(lambda pair: _run_one(plan, *pair), numbered):
            parts.append(part)
            tick(len(parts), len(chosen))
    if not parts:
        return _nobody(plan)
    return Finalists(
        pl.DataFrame([part[0] for part in parts], infer_schema_length=None),
        pl.concat([frame for part in parts for frame in part[1]]),
        pl.concat([frame for part in parts for frame in part[2]]),
    )


def _choose(plateaus: Plateaus, stabilities: dict[int, float]) -> list[_Finalist]:
    found = []
    for plateau in plateaus.plateaus:
        best = plateau.best["flat"].to_list()
        centre = plateau.centre
        found.append(_Finalist(plateau.rank, "centre", centre, stabilities.get(centre)))
        others = [flat for flat in best if flat != centre]
        found += [_Finalist(plateau.rank, "best", f, stabilities.get(f)) for f in others]
    return found


def _run_one(
    plan: Plan, number: int, who: _Finalist
) -> tuple[dict[str, Any], list[pl.DataFrame], list[pl.DataFrame]]:
    values = plan.grid.point(who.flat)
    row: dict[str, Any] = {
        "finalist": number, "plateau": who.plateau, "role": who.role, "flat": who.flat,
        **values, "stability": who.stability,
    }  # fmt: skip
    equity, trades = [], []
    for span, bars, start in _spans(plan):
        made = _simulate(plan, values, bars, start)
        prefix = "vault_" if span == "vault" else ""
        found = metrics(made, plan.problem.account.capital, bars.bars_per_year)
        row |= {f"{prefix}{name}": value for name, value in found.items()}
        equity.append(_equity_frame(number, span, bars, made, plan.problem.account.capital))
        trades.append(_trade_frame(number, span, bars, made))
    if plan.vault_row is None:
        row |= {f"vault_{name}": None for name in METRICS}
    return row, equity, trades


def _spans(plan: Plan) -> list[tuple[str, Bars, int]]:
    start = min(plan.problem.warmup, len(plan.before) - 3)
    spans = [("history", plan.before, start)]
    if plan.vault_row is not None:
        spans.append(("vault", plan.bars, plan.vault_row))
    return spans


def _simulate(plan: Plan, values: dict[str, float], bars: Bars, start: int) -> Simulation:
    # Nothing is read of the split between sides here; it only has to lie inside.
    window = Window(start, start + 1, len(bars))
    problem = plan.problem
    return backtest(bars, problem.strategy, values, window, problem.account, warmup=problem.warmup)


def _equity_frame(
    number: int, span: str, bars: Bars, made: Simulation, capital: float
) -> pl.DataFrame:
    equity = made.equity
    peak = np.maximum.accumulate(np.maximum(equity, capital))
    return pl.DataFrame(
        {
            "finalist": np.full(equity.size, number),
            "time": bars.time[made.window.start : made.window.stop],
            "equity": equity,
            "drawdown": peak - equity,
        }
    ).with_columns(span=pl.lit(span))


_TRADE_COLUMNS: dict[str, Any] = {
    "finalist": pl.Int64,
    "span": pl.String,
    "entry_time": pl.Datetime("us"),
    "exit_time": pl.Datetime("us"),
    "entry_bar": pl.Int64,
    "exit_bar": pl.Int64,
    "dir": pl.Int64,
    "fill": pl.Float64,
    "exit": pl.Float64,
    "shares": pl.Float64,
    "reason": pl.String,
    "pnl": pl.Float64,
    "costs": pl.Float64,
}


def _trade_frame(number: int, span: str, bars: Bars, made: Simulation) -> pl.DataFrame:
    columns = {name: [getattr(trade, name) for trade in made.trades] for name in _FIELDS}
    entries = np.array([trade.entry_bar for trade in made.trades], np.int64)
    exits = np.array([trade.exit_bar for trade in made.trades], np.int64)
    return (
        pl.DataFrame(columns, strict=False)
        .with_columns(
            finalist=pl.lit(number, pl.Int64),
            span=pl.lit(span),
            entry_time=pl.Series(bars.time[entries], dtype=pl.Datetime("us")),
            exit_time=pl.Series(bars.time[exits], dtype=pl.Datetime("us")),
        )
        .select(pl.col(name).cast(kind) for name, kind in _TRADE_COLUMNS.items())
    )


_FIELDS = ("entry_bar", "exit_bar", "dir", "fill", "exit", "shares", "reason", "pnl", "costs")


def _nobody(plan: Plan) -> Finalists:
    whole: dict[str, Any] = {
        "finalist": pl.Int64,
        "plateau": pl.Int64,
        "role": pl.String,
        "flat": pl.Int64,
    }
    floats: list[str] = [
        *plan.grid.names,
        "stability",
        *METRICS,
        *(f"vault_{name}" for name in METRICS),
    ]
    curve: dict[str, Any] = {"finalist": pl.Int64, "time": pl.Datetime("us"), "equity": pl.Float64}
    return Finalists(
        pl.DataFrame(schema=whole | dict.fromkeys(floats, pl.Float64)),
        pl.DataFrame(schema=curve | {"drawdown": pl.Float64, "span": pl.String}),
        pl.DataFrame(schema=_TRADE_COLUMNS),
    )
