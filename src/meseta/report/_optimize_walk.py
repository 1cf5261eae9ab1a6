"""From a study's folder to what was tried with its trials: other engine, walk-forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import Curve, Line, base_layout, curves_chart, deepened
from meseta.report._optimize_run import Walked, Way
from meseta.report._palette import tone
from meseta.report._sampling import thinned

if TYPE_CHECKING:
    from meseta.report._figures import Figures
    from meseta.report._optimize_run import Changed, Study

__all__ = ["Confirmed", "Starts", "WindowsView", "confirmed", "windows_view"]

_POINTS = 1200  # of each stitched curve


@dataclass(frozen=True)
class Confirmed:
    """One trial on both engines: rows of figures, and the causes of the difference in money."""

    trial: int
    engines: dict[str, dict[str, Any]]
    causes: list[dict[str, Any]]

    def difference(self, name: str) -> float | None:
        """Return NautilusTrader's figure less the compiled one; None where either is missing."""
        one, other = self.engines.get("compiled"), self.engines.get("nautilus")
        if not one or not other or one[name] is None or other[name] is None:
            return None
        return float(other[name] - one[name])


@dataclass(frozen=True)
class Starts:
    """What the windows made with one kind of start; means are of the windows that traded."""

    name: str
    warm: bool
    windows: int
    traded: int
    score: float | None
    sharpe: float | None
    positive: int
    whole: Way


@dataclass(frozen=True)
class WindowsView:
    """The walk-forward: charts, one row a window, and the two kinds of start compared."""

    curve: str | None
    chart: str
    rows: list[dict[str, Any]]
    names: list[str]
    starts: list[Starts]
    changed: Changed | None


# Confirmation


def confirmed(study: Study) -> list[Confirmed]:
    """Put both engines side by side, trial by trial; empty before `meseta confirm`."""
    frame = study.confirmation
    if frame is None:
        return []
    trials = frame["trial"].unique(maintain_order=True).to_list()
    return [
        Confirmed(trial, _engines(frame.filter(pl.col("trial") == trial)), _causes(study, trial))
        for trial in trials
    ]


def _engines(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["engine"]: row for row in rows.iter_rows(named=True)}


def _causes(study: Study, trial: int) -> list[dict[str, Any]]:
    if study.causes is None:
        return []
    rows = study.causes.filter(pl.col("trial") == trial)
    return rows.sort(pl.col("difference").abs(), descending=True, nulls_last=True).to_dicts()


# Walk-forward


def windows_view(study: Study, figures: Figures) -> WindowsView | None:
    """Prepare the windows of a walk-forward optimisation; None where there are none."""
    frame = study.windows
    if frame is None:
        return None
    frame = frame.sort("window", ~pl.col("warm"))
    walked = study.summary.windows or Walked()
    return WindowsView(
        _curve(study, figures),
        figures.add("windows", _windows_chart(frame)),
        frame.to_dicts(),
        [c.removeprefix("param_") for c in frame.columns if c.startswith("param_")],
        [
            _starts(part, walked, warm=warm)
            for warm in (True, False)
            if len(part := frame.filter(pl.col("warm") == warm))
        ],
        walked.changed,
    )


def _starts(frame: pl.DataFrame, walked: Walked, *, warm: bool) -> Starts:
    traded = frame.filter("traded")
    other = walked.other or Way()
    return Starts(
        "Warm start" if warm else "Cold start",
        warm,
        len(frame),
        len(traded),
        _mean(frame["score"]),
        _mean(traded["out_sharpe"]),
        int((traded["out_total_return"] > 0).sum() or 0),
        walked if warm == walked.warm_start else other,
    )


def _mean(values: pl.Series) -> float | None:
    known = values.drop_nulls()
    known = known.filter(known.is_finite())
    return None if known.is_empty() else float(np.mean(known.to_numpy()))


def _curve(study: Study, figures: Figures) -> str | None:
    """Draw the stitched out-of-sample equity of each kind of start."""
    frame = study.windows_curve
    if frame is None:
        return None
    looks = {True: ("warm start", "accent"), False: ("cold start", "validation")}
    lines = []
    for warm, (said, color) in looks.items():
        part = frame.filter(pl.col("warm") == warm)
        if len(part):
            level = part["equity"].to_numpy()
            keep = thinned(level, _POINTS)
            lines.append(
                Line(
                    Curve(said, part["time"].to_numpy()[keep], level[keep]), color, dotted=not warm
                )
            )
    return figures.add("windows-curve", deepened(curves_chart(lines)))


def _windows_chart(frame: pl.DataFrame) -> go.Figure:
    """Draw the Sharpe ratio of every window in-sample and out-of-sample, warm starts filled."""
    looks = [("in_sharpe", "in-sample", "in-sample"), ("out_sharpe", "out-of-sample", "accent")]
    traces = [
        _dots(frame.filter(pl.col("warm") == warm), column, said, color, warm=warm)
        for column, said, color in looks
        for warm in (True, False)
        if (frame["warm"] == warm).any()
    ]
    layout = {
        "xaxis": {"title": _title("window"), "zeroline": False, "tickformat": "d"},
        "yaxis": {"title": _title("Sharpe"), "zeroline": True, "zerolinecolor": tone("muted")},
    }
    for axis in layout.values():
        axis["gridcolor"] = tone("grid")
    return go.Figure(traces, base_layout(260) | layout)


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": 11}}


def _dots(part: pl.DataFrame, column: str, said: str, color: str, *, warm: bool) -> go.Scatter:
    values = part[column].to_list()
    start = "warm" if warm else "cold"
    return go.Scatter(
        x=[number + (0.0 if warm else 0.18) for number in part["window"]],
        y=[v if v is not None and np.isfinite(v) else None for v in values],
        customdata=part["window"].to_list(),
        mode="markers",
        marker={
            "size": 9,
            "symbol": "circle" if warm else "circle-open",
            "color": tone(color),
        },
        hovertemplate=f"window %{{customdata}}, {said}, {start} start<br>Sharpe %{{y:.2f}}"
        "<extra></extra>",
    )
