"""Parallel coordinates of a study's trials, readable also where there are a thousand.

Plotly's own need WebGL and code made at run time, which the page forbids itself, so lines are
drawn as lines. The best tenth stands out; the others are a shade whose depth is how many pass.
The page's script lets the reader pick trials by dragging along an axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import base_layout
from meseta.report._format import brief, count, ratio
from meseta.report._palette import tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from meseta._types import FloatArray

    Float32Array = npt.NDArray[np.float32]

__all__ = ["MOST_AXES", "Picked", "lines_chart", "picked"]

MOST_AXES = 18
"""Parameters beside the score; more have no room."""

_LAYERS = 8  # traces of the shade: one path never darkens where it crosses itself
_FEW, _MANY = 5, 40  # lines that stand out, at least and at most


@dataclass(frozen=True)
class Picked:
    """Which trials stand out: the best tenth of the feasible ones, or of all where none is."""

    numbers: list[int]
    feasible: bool


def picked(scored: pl.DataFrame) -> Picked:
    """Choose the trials that stand out: a tenth, but five to forty where there are so many.

    Parameters
    ----------
    scored
        Columns number, score (finite), feasible; at least one row.
    """
    feasible = scored.filter("feasible")
    of = feasible if len(feasible) else scored
    size = min(max(-(-len(scored) // 10), _FEW), _MANY)
    best = of.sort("score", descending=True)["number"].head(size).to_list()
    return Picked(best, len(feasible) > 0)


def lines_chart(
    scored: pl.DataFrame, names: Sequence[str], chosen: Picked, best: int | None
) -> go.Figure:
    """Draw one line a trial over the parameters and the score.

    Parameters
    ----------
    scored
        Columns number, score (finite) and `param_<name>` for each of `names`.
    names
        Parameters from left to right; the score stands last.
    chosen
        Trials that stand out.
    best
        Number of the best trial, drawn above all.
    """
    columns = [*(f"param_{name}" for name in names), "score"]
    levels = _levels(scored, columns)
    apart = scored["number"].is_in(chosen.numbers).to_numpy()
    rest = levels[~apart]
    traces = [_shade(rest[layer::_LAYERS], len(scored)) for layer in range(_LAYERS)]
    traces += [_group(scored.filter(apart), levels[apart], columns, "accent"), _picked_lines()]
    own = (scored["number"] == (-1 if best is None else best)).to_numpy()
    if own.any():
        traces.append(_group(scored.filter(own), levels[own], columns, "variant-2"))
    return go.Figure(traces, _layout(scored, columns))


def _picked_lines() -> go.Scatter:
    """Return the trace that the page's script fills, after all from which it picks."""
    look = {"color": tone("variant-4"), "width": 1.1}
    return go.Scatter(x=[], y=[], mode="lines", line=look, opacity=0.75, hoverinfo="skip")


def _levels(scored: pl.DataFrame, columns: Sequence[str]) -> FloatArray:
    """(trials, axes) places between the lowest and the highest value of each axis."""
    values = np.column_stack([_values(scored, column) for column in columns])
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    width = np.where(high > low, high - low, 1.0)
    places: FloatArray = np.where(high > low, (values - low) / width, 0.5)
    return places


def _values(scored: pl.DataFrame, column: str) -> FloatArray:
    values: FloatArray = scored[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return values if np.isfinite(values).any() else np.zeros(len(values))


def _joined(levels: FloatArray) -> tuple[Float32Array, Float32Array]:
    """All lines in one, a gap after each."""
    many, axes = levels.shape
    x = np.tile(np.arange(axes + 1, dtype=np.float32), many)
    y = np.concatenate([levels, np.full((many, 1), np.nan)], axis=1).astype(np.float32).ravel()
    return x, y


def _shade(levels: FloatArray, trials: int) -> go.Scatter:
    x, y = _joined(levels)
    depth = min(0.6, 0.14 + 12 / max(trials, 1))
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": tone("thin"), "width": 0.8},
        opacity=depth,
        hoverinfo="skip",
    )


def _group(
    trials: pl.DataFrame, levels: FloatArray, columns: Sequence[str], color: str
) -> go.Scatter:
    x, y = _joined(levels)
    strong = color != "accent"
    return go.Scatter(
        x=x,
        y=y,
        text=_texts(trials, columns),
        mode="lines+markers",
        line={"color": tone(color), "width": 2.6 if strong else 1.1},
        marker={"size": 5 if strong else 3, "color": tone(color)},
        opacity=1.0 if strong else 0.6,
        hovertemplate="%{text}<extra></extra>",
    )


def _texts(trials: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    texts: list[str] = []
    for row in trials.iter_rows(named=True):
        title = f"trial {count(row['number'])}, score {ratio(row['score'])}"
        texts += [f"{title}<br>{_name(c)} {brief(row[c])}" for c in columns] + [""]
    return texts


def _name(column: str) -> str:
    return escape(column.removeprefix("param_"))


def _layout(scored: pl.DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    axes = len(columns)
    ends = [_ends(scored, at, column) for at, column in enumerate(columns)]
    top = 42 + round(4.8 * max(len(column.removeprefix("param_")) for column in columns))
    return base_layout(312 + top) | {
        "margin": {"l": 26, "r": 26, "t": top, "b": 30},
        "dragmode": "select",
        "meta": {"brush": {"axes": axes, "traces": _LAYERS + 1}},
        "newselection": {"line": {"color": tone("variant-4"), "width": 1.5, "dash": "dot"}},
        "xaxis": {
            "side": "top",
            "range": [-0.35, axes - 0.65],
            "tickvals": list(range(axes)),
            "ticktext": [_name(column) for column in columns],
            "tickangle": -50,
            "tickfont": {"size": 11, "color": tone("ink")},
            "ticklabelstandoff": 16,
            "showgrid": True,
            "gridcolor": tone("rule"),
            "zeroline": False,
            "fixedrange": True,
        },
        "yaxis": {"visible": False, "range": [-0.03, 1.03], "fixedrange": True},
        "annotations": [note for pair in ends for note in pair],
    }


def _ends(scored: pl.DataFrame, at: int, column: str) -> list[dict[str, Any]]:
    """Lowest and highest value, below and above an axis."""
    values = _values(scored, column)
    return [
        {
            "text": brief(float(value)),
            "x": at,
            "xref": "x",
            "y": y,
            "yref": "paper",
            "yanchor": anchor,
            "showarrow": False,
            "font": {"size": 10, "color": tone("muted")},
        }
        for value, y, anchor in (
            (np.nanmin(values), -0.01, "top"),
            (np.nanmax(values), 1.0, "bottom"),
        )
    ]
