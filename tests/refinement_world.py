"""A run that handed range files to TradeStation, and the reports that came back: all invented.

Reports are written in any of the forms that programs and people leave behind.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

LONG, BOTH, DUAL = "ATR-D-v1.5-L", "ATR-D-v1.5-LS", "ATR-D-DualS-v1.5-L"
RANGES = {
    "ATR_Period": (8, 24, 8),
    "ATR_Multiplier": (2, 4, 0.5),
    "BB_Length": (35, 35, 1),
    "BB_Deviation": (1.5, 3.5, 2),
    "Vol_Threshold": (0.18, 0.18, 1),
    "Min_Tightening": (0.2, 0.2, 1),
    "Scaling_Method": (0, 0, 1),
    "ATRBuy_Period": (10, 10, 1),
    "ATRBuyMultiplier": (0.5, 0.75, 0.25),
    "ATR_Smooth_Period": (3, 3, 1),
    "EquityPrice_Method": (0, 0, 1),
}
SHORTS = {
    "Short_Multiplier": (0.2, 0.4, 0.1),
    "Entry_Mode": (0, 0, 1),
    "Trend_Filter_Period": (4, 4, 1),
    "Trend_Veto_Threshold": (-0.1, 0, 0.1),
    "Both_Triggered_Mode": (0, 0, 1),
}
METRICS = (
    "Net Profit",
    "Max Intraday Drawdown",
    "Total Trades",
    "% Profitable",
    "ProfitFactor",
    "Avg Trade",
    "Avg Winning Trade",
    "Avg Losing Trade",
    "Return on Account",
)
MONEY = {
    "Net Profit",
    "Max Intraday Drawdown",
    "Avg Trade",
    "Avg Winning Trade",
    "Avg Losing Trade",
}
PERCENT = {"% Profitable", "Return on Account"}


def ranges_of(strategy: str) -> dict[str, tuple[float, float, float]]:
    return RANGES | SHORTS if strategy == BOTH else dict(RANGES)


def write_run(
    folder: Path,
    jobs: Sequence[tuple[str, int]] = ((LONG, 1),),
    *,
    main: str = "atr_d_l",
    shares: Mapping[tuple[str, int], float] | None = None,
    ranges: Mapping[str, tuple[float, float, float]] | None = None,
) -> Path:
    """Write what `refine` reads of a finished run; returns the folder."""
    names = {LONG: "atr_d_l", BOTH: "atr_d_ls", DUAL: "atr_d_duals_l"}
    exports = folder / "exports"
    exports.mkdir(parents=True, exist_ok=True)
    rows = ["JobNum,StrategyName,StrategyFile,RangeFile,Rank,ShortEnabled,IsDualSymbol"]
    plateaus: dict[str, list[dict[str, Any]]] = {main: []}
    for number, (strategy, rank) in enumerate(jobs, start=1):
        file = f"phase5_refine_{strategy}_rank{rank}.csv"
        flags = f"{int(strategy.endswith('-LS'))},{int('-DualS-' in strategy)}"
        rows.append(f"{number},{strategy},_{strategy},{file},{rank},{flags}")
        limits = ranges or ranges_of(strategy)
        lines = [f"{name},{low:g},{high:g},{step:g}" for name, (low, high, step) in limits.items()]
        (exports / file).write_text("\n".join(["ParameterName,Min,Max,Step", *lines, ""]))
        share = (shares or {}).get((strategy, rank), 1 - rank / 10)
        plateaus.setdefault(names[strategy], []).append(
            {"rank": rank, "profitable_share": share, "export": f"exports/{file}"}
        )
    (exports / "phase5_refine_config.csv").write_text("\n".join([*rows, ""]))
    for name, listed in plateaus.items():
        own = folder if name == main else folder / "variants" / name
        own.mkdir(parents=True, exist_ok=True)
        (own / "plateaus.json").write_text(json.dumps({"plateaus": listed}))
    manifest = {
        "status": "finished",
        "created": "2026-11-21T04:03:27+00:00",
        "strategy": main,
        "data": {"first": "2006-01-03T00:00:00", "last": "2018-12-31T00:00:00"},
        "account": {"capital": 100_000.0},
        "vault": {"first": "2018-01-02T00:00:00", "last": "2018-12-31T00:00:00"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def combinations(
    strategy: str = LONG, *, seed: int = 0, ranges: Mapping[str, Any] | None = None
) -> list[dict[str, float]]:
    """Return a report's figures for every combination of the ranges."""
    limits = ranges or ranges_of(strategy)
    searched = {
        name: np.arange(low, high + step / 2, step)
        for name, (low, high, step) in limits.items()
        if low < high
    }
    rng = np.random.default_rng(seed)
    rows = []
    for number, values in enumerate(itertools.product(*searched.values()), start=1):
        inputs = {name: round(float(v), 6) for name, v in zip(searched, values, strict=True)}
        rows.append(inputs | {"TestNum": number} | _figures(rng))
    return rows


def _figures(rng: np.random.Generator) -> dict[str, float]:
    trades = int(rng.integers(12, 180))
    winners = int(trades * rng.uniform(0.3, 0.55))
    win, loss = rng.uniform(900, 3000), rng.uniform(500, 1200)
    gross, lost = winners * win, (trades - winners) * loss
    return {
        "Net Profit": gross - lost,
        "Max Intraday Drawdown": -rng.uniform(4000, 40_000),
        "Total Trades": trades,
        "% Profitable": 100 * winners / trades,
        "ProfitFactor": gross / lost,
        "Avg Trade": (gross - lost) / trades,
        "Avg Winning Trade": win,
        "Avg Losing Trade": -loss,
        "Return on Account": (gross - lost) / 1000,
    }


def write_results(
    folder: Path,
    rows: Sequence[Mapping[str, float | str]],
    *,
    strategy: str = LONG,
    rank: int = 1,
    symbols: str = "QQQ",
    form: str = "app",
) -> Path:
    """Write a report: in the form of the app, of the desktop's grid, or an awkward one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"Refinement_{strategy}_rank{rank}_{symbols}.csv"
    path.write_bytes(report(rows, strategy=strategy, form=form))
    return path


def report(
    rows: Sequence[Mapping[str, float | str]], *, strategy: str = LONG, form: str = "app"
) -> bytes:
    heads = list(rows[0])
    if form == "app":
        titles = [f"All: {head}" if head in METRICS else head for head in heads]
        lines = [",".join(titles), *(",".join(map(_plain, row.values())) for row in rows)]
        return "".join(f"{line}\n" for line in lines).encode()
    tab = form == "tabs"
    titles = [_fancy_head(head, strategy) for head in heads]
    body = [[_fancy(head, value) for head, value in row.items()] for row in rows]
    return _delimited([titles, *body], "\t" if tab else ",", form)


def _delimited(lines: Iterable[Sequence[str]], separator: str, form: str) -> bytes:
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if form == "desktop" else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\r\n").writerows(lines)
    encoding = "utf-16" if form == "tabs" else "utf-8-sig"
    return f"\r\n{text.getvalue()}\r\n".encode(encoding)


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.7f}"


def _fancy_head(head: str, strategy: str) -> str:
    if head in METRICS:
        return f"All:{head.replace(' ', '')}" if head != "ProfitFactor" else "ALL: Profit Factor"
    return "Test" if head == "TestNum" else f"_{strategy}: {head}"


def _fancy(head: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if head in MONEY:
        return f"(${-value:,.7f})" if value < 0 else f"${value:,.7f}"
    if head in PERCENT:
        return f"{value:,.7f}%"
    return f"{value:,.7f}".rstrip("0").rstrip(".")
