"""The page of a project: many walk-forwards, one verdict, one portfolio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from meseta.report import _project_verdict as verdict
from meseta.report._charts import Curve, equity_chart
from meseta.report._figures import Figures
from meseta.report._format import count, day, duration, money, plain, ratio, share
from meseta.report._page import write_page
from meseta.report._palette import tone
from meseta.report._project_run import read_project
from meseta.report._sampling import thinned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import plotly.graph_objects as go
    import polars as pl

    from meseta._types import IntArray
    from meseta.report._project_run import Held, Project

__all__ = ["write_project_report"]

_POINTS = 1600  # of the portfolio's curve
_THIN_POINTS = 500  # of each member's
_THIN_LINES = 60
_KINDS = {
    "symbol": ("symbol", "symbols"),
    "bar_size": ("bar size", "bar sizes"),
    "strategy": ("strategy", "strategies"),
}


def write_project_report(folder: Path) -> Path:
    """Write `project.html` into a project's folder, from what that folder holds.

    The page is one file, like every report. Members that failed are listed with their reasons;
    members with a page of their own are linked.

    Parameters
    ----------
    folder
        Of the project, with at least `project.json`.

    Returns
    -------
    Path of the page.

    Raises
    ------
    RunError
        There is no `project.json`, a file is damaged, or the page cannot be written.
    """
    project = read_project(folder)
    figures = Figures()
    content = _content(project, figures)
    return write_page(folder / "project.html", "project.html.j2", figures, **content)


def _content(project: Project, figures: Figures) -> dict[str, Any]:
    manifest = project.manifest
    return {
        "manifest": manifest,
        "extent": _extent(project),
        "span": _span(project),
        "tiles": verdict.tiles(project),
        "sentences": verdict.sentences(project),
        "doubts": verdict.doubts(project),
        "picture": _picture(project, figures),
        "drawn_lines": _THIN_LINES,
        "facts": _facts(project),
        "rows": _rows(project),
        "held": _held(project),
        "failed": _reasons(project),
        "risk": share(manifest.risk),
        "environment": [(name, plain(value)) for name, value in manifest.environment.items()],
        "seconds": duration(manifest.timings.get("seconds")),
    }


def _extent(project: Project) -> str:
    """Say what the members are: "3 symbols × 2 bar sizes × 2 strategies"."""
    members = project.manifest.members
    numbers = {field: len({getattr(each, field) for each in members}) for field in _KINDS}
    return " × ".join(
        f"{number} {_KINDS[field][number != 1]}" for field, number in numbers.items()
    )


def _span(project: Project) -> tuple[str, str] | None:
    results = project.results
    if results is None or results.is_empty():
        return None
    return day(results["first_out"].min()), day(results["last"].max())


def _facts(project: Project) -> list[tuple[str, str]]:
    held, capital = project.manifest.portfolio, project.manifest.capital
    if held is None:
        return []
    month = held.worst_month
    return [
        ("Capital", money(capital)),
        ("Risk shared out, a year", money(held.target)),
        ("Deviation, a year", money(held.deviation)),
        ("Profit", money(held.net_profit)),
        ("Profit a year", money(held.per_year)),
        ("Sharpe", ratio(held.sharpe)),
        ("Largest drawdown", money(held.drawdown)),
        ("Worst month", "—" if month is None else f"{month.month}: {money(month.net_profit)}"),
    ]


# Tables


def _rows(project: Project) -> list[dict[str, Any]]:
    """Return a row for each member that finished, with its link."""
    if project.results is None:
        return []
    return [_row(project, row) for row in project.results.iter_rows(named=True)]


def _row(project: Project, row: dict[str, Any]) -> dict[str, Any]:
    linked = project.has_page(row["folder"])
    cells = [
        (money(row["net_profit"]), row["result"]),
        (money(row["median_profit"]), None),
        (money(row["hold_profit"]), None),
        (money(row["drawdown"]), None),
        (ratio(row["efficiency"]), None),
        (share(row["winning"], 0), f"of {count(row['windows'])}{_flat(row['flat'])}"),
        (count(row["trades"]), None),
        (share(row["near_median"], 0), None),
        (share(row["gap_share"], 0), None),
        (day(row["first_out"]), f"to {day(row['last'])}"),
    ]
    return {
        "name": f"{row['symbol']} {row['bar_size']}",
        "strategy": row["strategy"],
        "link": f"{quote(row['folder'])}/report.html" if linked else None,
        "lost": (row["net_profit"] or 0) < 0,
        "cells": cells,
    }


def _flat(number: int | None) -> str:
    return f", {count(number)} flat" if number else ""


def _held(project: Project) -> list[tuple[str, list[str]]]:
    """Return a row of the portfolio's table for each member."""
    held = project.manifest.portfolio
    if held is None:
        return []
    labels = {each.name: each.label for each in project.manifest.members}
    # Cents beside thousands would not stand under each other.
    write = count if held.target >= 1000 else money
    return [
        (labels.get(name, name), _held_cells(each, write)) for name, each in held.members.items()
    ]


def _held_cells(each: Held, write: Callable[[Any], str]) -> list[str]:
    return [
        write(each.net_profit),
        write(each.deviation),
        write(each.least_deviation),
        write(each.most_deviation),
        each.curve or "—",
        day(each.first),
        day(each.last),
    ]


def _reasons(project: Project) -> list[tuple[str, str, bool]]:
    """Return what stopped members, with the names of those that it stopped; and if a fault."""
    stopped: dict[tuple[str, bool], list[str]] = {}
    for each in project.failed:
        reason = (each.error or "not recorded", each.status == "fault")
        stopped.setdefault(reason, []).append(each.label)
    return [(", ".join(names), error, fault) for (error, fault), names in stopped.items()]


# Picture


def _picture(project: Project, figures: Figures) -> str | None:
    curve, held = project.curve, project.manifest.portfolio
    if curve is None or held is None:
        return None
    return figures.add("portfolio", portfolio_chart(curve, held.members))


def portfolio_chart(curve: pl.DataFrame, members: dict[str, Held]) -> go.Figure:
    """Draw the portfolio over its members' scaled curves, and its drawdown.

    Parameters
    ----------
    curve
        `portfolio.parquet`.
    members
        Which of its columns are members, and the dates between which each is drawn; the
        `_THIN_LINES` that made or lost most.
    """
    made = curve["portfolio"].to_numpy()
    keep = np.union1d(thinned(made, _POINTS), thinned(curve["drawdown"].to_numpy(), _POINTS // 2))
    time = curve["date"].to_numpy().astype("datetime64[us]")
    start = time[:1] - np.timedelta64(1, "D")  # where nothing had been made yet
    centre = Curve(
        "portfolio", np.concatenate((start, time[keep])), np.concatenate(([0.0], made[keep]))
    )
    fall = np.concatenate(([0.0], curve["drawdown"].to_numpy()[keep]))
    figure = equity_chart(centre, _thin(curve, members), fall=fall)
    figure.update_layout(
        yaxis={
            "title": {"text": "money made"},
            "zeroline": True,
            "zerolinecolor": tone("rule"),
            "zerolinewidth": 1.2,
        }
    )
    return figure


def _thin(curve: pl.DataFrame, members: dict[str, Held]) -> list[Curve]:
    order = sorted(members, key=lambda name: -abs(members[name].net_profit or 0.0))
    step = max(1, -(-curve.height // _THIN_POINTS))
    shown = np.union1d(np.arange(0, curve.height, step), [curve.height - 1])
    return [
        _member(curve, name, members[name], shown)
        for name in order[:_THIN_LINES]
        if name in curve.columns
    ]


def _member(curve: pl.DataFrame, name: str, held: Held, shown: IntArray) -> Curve:
    days = curve["date"].dt.to_string().to_numpy()
    rows = shown
    if held.first is not None and held.last is not None:
        rows = shown[(days[shown] >= held.first) & (days[shown] <= held.last)]
    time = curve["date"].to_numpy().astype("datetime64[us]")
    return Curve(name, time[rows], curve[name].to_numpy()[rows])
