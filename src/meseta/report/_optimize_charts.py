"""Charts of a study's trials: history, null markets, importance, slices, return and drawdown.

A trial without a finite number has no place in a chart and is left out; how many these are is
said beside it.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import base_layout
from meseta.report._format import count, ratio, share
from meseta.report._map import SCALE_STOPS, colorbar
from meseta.report._palette import tone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meseta._types import FloatArray

__all__ = [
    "history_chart",
    "importance_chart",
    "null_chart",
    "pareto_chart",
    "slice_chart",
]

_CROWD = 300  # trials above which marks are smaller and paler
_STATES = {"pruned": "hold", "failed": "loss"}


def history_chart(
    scored: pl.DataFrame, lost: pl.DataFrame, best: int | None, startup: int
) -> go.Figure:
    """Draw the score of every trial in the order of trials, and the best so far.

    Parameters
    ----------
    scored
        Columns number, score (finite), feasible; at least one row.
    lost
        Columns number, state: trials without a score, drawn as ticks below.
    best
        Number of the best trial, drawn as a star.
    startup
        Trials drawn at random before the sampler learns, shaded.
    """
    best_mark = _star(scored, "number", best)
    traces = [*_marks(scored, "number"), *_running(scored), *best_mark, *_ticks(lost)]
    last = max([*scored["number"].to_list(), *lost["number"].to_list()])
    ends = {"range": [-0.5 - 0.015 * (last + 1), last + 0.5 + 0.015 * (last + 1)]}
    return _figure(
        traces,
        330,
        xaxis=_axis("trial") | ends | {"showgrid": False, "anchor": "y2" if len(lost) else "y"},
        yaxis=_axis("score") | {"domain": [_lane_height(lost) + 0.04, 1]},
        shapes=[_startup(min(startup, last + 1))] if startup else [],
        **({"yaxis2": _lanes(lost)} if len(lost) else {}),
    )


def null_chart(scores: Sequence[float], own: float | None) -> go.Figure:
    """Draw the best score on every null market as a dot, and that on the real one as a line."""
    dots = go.Scatter(
        x=list(scores),
        y=[(7 * i % 5) / 5 for i in range(len(scores))],
        mode="markers",
        marker={"size": 9, "color": tone("hold"), "opacity": 0.75},
        hovertemplate="a shuffled market<br>best score %{x:.3f}<extra></extra>",
    )
    known = [*scores, *([] if own is None else [own])]
    air = 0.08 * max(max(known) - min(known), 0.05)
    return _figure(
        [dots],
        120,
        xaxis=_axis("best score") | {"range": [min(known) - air, max(known) + air]},
        yaxis={"visible": False, "range": [-0.3, 1.3], "fixedrange": True},
        margin={"l": 12, "r": 12, "t": 8, "b": 42},
        shapes=[] if own is None else [_upright(own, "accent", width=3)],
    )


def importance_chart(importance: Mapping[str, float]) -> go.Figure:
    """Draw one bar a parameter, the most important on top; shares are 0 to 1."""
    names = list(importance)
    most = 100 * max(importance.values())
    return _figure(
        [_bars(importance)],
        22 * len(names) + 72,
        bargap=0.35,
        margin={"l": 150, "r": 12, "t": 26, "b": 42},
        xaxis=_axis("share of the score’s variation, %") | {"range": [0, max(most, 1.0) * 1.18]},
        yaxis={
            "type": "category",
            "range": [len(names) - 0.5, -0.5],
            "fixedrange": True,
            "ticks": "",
            "automargin": True,
        },
    )


def slice_chart(name: str, scored: pl.DataFrame, best: int | None) -> go.Figure:
    """Draw the score against one parameter's value, the feasible trials on top.

    Parameters
    ----------
    name
        The parameter; its column is `param_<name>`.
    scored
        Columns number, score (finite), feasible and the parameter's; at least one row.
    """
    column = f"param_{name}"
    return _figure(
        [*_marks(scored, column, size=5), *_star(scored, column, best, size=11)],
        150,
        margin={"l": 44, "r": 8, "t": 6, "b": 24},
        xaxis=_axis("") | {"nticks": 6, "showgrid": False},
        yaxis=_axis("") | {"nticks": 4},
    )


def pareto_chart(scored: pl.DataFrame, front: Sequence[int], best: int | None) -> go.Figure:
    """Draw return against drawdown in percent, coloured by Sharpe ratio.

    Parameters
    ----------
    scored
        Columns number, total_return, max_drawdown (finite fractions), sharpe, feasible.
    front
        Numbers of the trials that no other beats in both, joined by a line.
    """
    edge = scored.filter(pl.col("number").is_in(front)).sort("max_drawdown", "total_return")
    return _figure(
        [_edge_line(edge), *_coloured(scored), *_chosen(scored, best)],
        430,
        xaxis=_axis("largest drawdown, %") | _reach(100 * scored["max_drawdown"].to_numpy()),
        yaxis=_axis("return, %") | _reach(100 * scored["total_return"].to_numpy()),
    )


def _colour_ends(scored: pl.DataFrame) -> tuple[float, float]:
    """Return the Sharpe ratios at the ends of the colours: the 2nd and the 98th percentile."""
    known = scored["sharpe"].drop_nulls()
    values = known.filter(known.is_finite()).to_numpy()
    if not len(values):
        return 0.0, 1.0
    low, high = (float(at) for at in np.percentile(values, (2, 98)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


# Parts of several charts


def _figure(traces: Sequence[Any], height: int, **layout: Any) -> go.Figure:
    """Put a chart together in one go: each later change of a layout costs as much as a chart."""
    return go.Figure(list(traces), base_layout(height) | layout)


def _axis(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 11, "color": tone("muted")}, "standoff": 6},
        "gridcolor": tone("grid"),
        "zeroline": False,
        "showline": False,
    }


def _marks(scored: pl.DataFrame, column: str, size: int = 6) -> list[go.Scatter]:
    """Draw infeasible trials, then the feasible ones above them."""
    crowd = len(scored) > _CROWD
    looks = [(False, "thin", 0.45 if crowd else 0.75), (True, "accent", 0.6 if crowd else 0.9)]
    return [
        _points(
            scored.filter(pl.col("feasible") == wanted),
            column,
            {"size": size - crowd, "color": tone(color), "opacity": alpha},
            "feasible" if wanted else "infeasible",
        )
        for wanted, color, alpha in looks
    ]


def _points(trials: pl.DataFrame, column: str, marker: dict[str, Any], remark: str) -> go.Scatter:
    """Score against a column; what the pointer shows names the trial."""
    name = escape(column.removeprefix("param_"))
    value = "" if column == "number" else f"<br>{name} %{{x:,.5~g}}"
    return go.Scatter(
        x=trials[column].cast(pl.Float64).to_numpy().astype(np.float32),
        y=trials["score"].round(4).to_list(),
        customdata=trials["number"].to_list(),
        mode="markers",
        marker=marker | {"line": {"width": 0}},
        hovertemplate=f"trial %{{customdata}}, {remark}{value}<br>score %{{y:.3f}}<extra></extra>",
    )


def _star(scored: pl.DataFrame, column: str, best: int | None, size: int = 14) -> list[go.Scatter]:
    """Draw the best trial; nothing where there is none."""
    trials = scored.filter(pl.col("number") == -1 if best is None else pl.col("number") == best)
    return [_points(trials, column, _star_look(size), "the best")] if len(trials) else []


def _star_look(size: int) -> dict[str, Any]:
    return {"symbol": "star", "size": size, "color": tone("variant-2")}


def _upright(at: float, color: str, width: float) -> dict[str, Any]:
    ends = {"xref": "x", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1}
    return {"type": "line", "line": {"color": tone(color), "width": width}} | ends


# History


def _running(scored: pl.DataFrame) -> list[go.Scatter]:
    """Draw the best feasible score so far; of all trials where none is feasible."""
    feasible = scored.filter("feasible")
    of, what = (feasible, "feasible") if len(feasible) else (scored, "infeasible")
    last = int(scored["number"].max())  # type: ignore[arg-type]
    number = [*of["number"].to_list(), last]
    level = [*of["score"].cum_max().round(4).to_list(), of["score"].max()]
    return [
        go.Scatter(
            x=number,
            y=level,
            mode="lines",
            line={
                "color": tone("ink"),
                "width": 1.6,
                "shape": "hv",
                "dash": "solid" if len(feasible) else "dot",
            },
            hovertemplate=f"best {what} so far<br>until trial %{{x}}<br>score %{{y:.3f}}"
            "<extra></extra>",
        )
    ]


def _ticks(lost: pl.DataFrame) -> list[go.Scatter]:
    """Draw trials without a score in a lane of their own a state."""
    return [
        go.Scatter(
            x=part["number"].to_list(),
            y=[state] * len(part),
            yaxis="y2",
            mode="markers",
            marker={
                "symbol": "line-ns",
                "size": 8,
                "line": {"width": 1.4, "color": tone(_STATES.get(state, "muted"))},
            },
            hovertemplate=f"trial %{{x}}: {escape(state)}<extra></extra>",
        )
        for state, part in _by_state(lost)
    ]


def _by_state(lost: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    states = sorted(lost["state"].unique().to_list())
    return [(state, lost.filter(pl.col("state") == state)) for state in states]


def _lane_height(lost: pl.DataFrame) -> float:
    """Share of the chart's height that the lanes take."""
    return 0.05 * lost["state"].n_unique()


def _lanes(lost: pl.DataFrame) -> dict[str, Any]:
    states = [state for state, _ in _by_state(lost)]
    return {
        "type": "category",
        "domain": [0, _lane_height(lost)],
        "categoryorder": "array",
        "categoryarray": states,
        "range": [-0.6, len(states) - 0.4],
        "tickvals": states,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 10, "color": tone("muted")},
    }


def _startup(trials: int) -> dict[str, Any]:
    ends = {"xref": "x", "x0": -0.5, "x1": trials - 0.5, "yref": "paper", "y0": 0, "y1": 1}
    fill = {"fillcolor": tone("in-sample-fill"), "line": {"width": 0}, "layer": "below"}
    return {"type": "rect"} | ends | fill


# Importance


def _bars(importance: Mapping[str, float]) -> go.Bar:
    return go.Bar(
        orientation="h",
        x=[100 * part for part in importance.values()],
        y=[escape(name) for name in importance],
        text=[share(part) for part in importance.values()],
        textposition="outside",
        cliponaxis=False,
        textfont={"size": 11, "color": tone("muted")},
        marker={"color": tone("in-sample"), "line": {"width": 0}},
        hovertemplate="%{y}<br>%{text}<extra></extra>",
    )


# Return and drawdown


def _edge_line(edge: pl.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=(100 * edge["max_drawdown"]).to_list(),
        y=(100 * edge["total_return"]).to_list(),
        mode="lines",
        line={"color": tone("ink"), "width": 1.2, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
    )


def _coloured(scored: pl.DataFrame) -> list[go.Scatter]:
    """Infeasible trials as small marks, feasible ones large; one scale of colours for both."""
    low, high = _colour_ends(scored)
    crowd = len(scored) > _CROWD
    sizes = {False: 4, True: 7} if crowd else {False: 5, True: 9}
    return [
        _pairs(
            scored.filter(pl.col("feasible") == wanted),
            {
                "size": sizes[wanted],
                "cmin": low,
                "cmax": high,
                "colorscale": SCALE_STOPS,
                "line": {"width": 0.7 if wanted and not crowd else 0.3, "color": tone("ink")},
                "showscale": wanted == scored["feasible"].any(),
                "colorbar": colorbar("Sharpe", ".1f"),
                "opacity": 0.95 if wanted else 0.7,
            },
            "feasible" if wanted else "infeasible",
        )
        for wanted in (False, True)
    ]


def _pairs(trials: pl.DataFrame, marker: dict[str, Any], remark: str) -> go.Scatter:
    sharpe = trials["sharpe"].fill_null(float("nan")).to_numpy()
    texts = [
        f"trial {count(number)}, {remark}<br>Sharpe {ratio(value)}"
        for number, value in zip(trials["number"], sharpe, strict=True)
    ]
    return go.Scatter(
        x=(100 * trials["max_drawdown"]).round(3).to_list(),
        y=(100 * trials["total_return"]).round(3).to_list(),
        text=texts,
        mode="markers",
        marker=marker | {"color": np.where(np.isfinite(sharpe), sharpe, np.nan)},
        hovertemplate="%{text}<br>return %{y:.1f} %<br>drawdown %{x:.1f} %<extra></extra>",
    )


def _chosen(scored: pl.DataFrame, best: int | None) -> list[go.Scatter]:
    trials = scored.filter(pl.col("number") == (-1 if best is None else best))
    look = {"symbol": "star", "size": 15, "line": {"width": 1, "color": tone("paper")}}
    if trials.is_empty():
        return []
    trace = _pairs(trials, look, "the best")
    trace.marker.color = tone("variant-2")
    return [trace]


def _reach(values: FloatArray) -> dict[str, Any]:
    """Range of an axis that a few far trials do not decide."""
    low, high = np.percentile(values, (1, 99))
    room = 0.35 * max(high - low, 1.0)
    low, high = max(values.min(), low - room), min(values.max(), high + room)
    air = 0.05 * max(high - low, 1.0)
    return {"range": [float(low - air), float(high + air)]}
