"""Charts of a walk-forward: the stitched curve, the windows, the gap, the path of a parameter."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import (
    Line,
    Panels,
    base_layout,
    drawn_line,
    fall_area,
    value_axis,
)
from meseta.report._format import count, moment, money, plain
from meseta.report._palette import tone
from meseta.report._sampling import time_labels
from meseta.report._walkforward_run import CAUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray, TimeArray

__all__ = ["CAUSE_NAMES", "gap_chart", "geometry_chart", "path_chart", "stitched_chart"]

CAUSE_NAMES = {"position": "position", "size": "size", "orders": "order state"}
_CAUSE_ROLES = dict(zip(CAUSES, ("variant-2", "variant-3", "variant-5"), strict=True))

_ROOM = 1.2  # how far a promise may stretch the picture, in heights of what was made
_PART_NAMES = {
    "in-sample": "in-sample",
    "hold": "purge, in neither",
    "accent": "out-of-sample",
    "clear": "out-of-sample, flat: nothing traded",
}


def stitched_chart(
    lines: Sequence[Line],
    guides: Sequence[Line],
    fall: FloatArray,
    boundaries: TimeArray,
) -> go.Figure:
    """Draw money made out-of-sample over what it is measured by, and its drawdown.

    Parameters
    ----------
    lines
        What was made, at least one; the picture is as high as these need.
    guides
        What it is compared with; one that goes far beyond leaves the picture, which is said
        there.
    fall
        (N,) drawdown of the first line in money, zero or more.
    boundaries
        Times at which the combination changed, drawn as thin lines.
    """
    time = lines[0].curve.time
    panels = Panels([("money", 330), ("drawdown", 90)], [])
    figure = go.Figure([drawn_line(line) for line in [*guides, *lines]])
    figure.add_trace(fall_area(time, fall))
    figure.update_layout(panels.layout(time))
    low, high = _reach(lines, guides)
    figure.update_layout(
        yaxis=value_axis("money", log=False) | {"range": [low, high]} | _zero_line(),
        yaxis2=value_axis("drawdown", log=False) | {"nticks": 4},
        xaxis={"showgrid": False},  # the boundaries stand in its place
        shapes=[_boundary(label) for label in time_labels(boundaries)],
        annotations=[note for line in guides if (note := _leaving(line, low, high))],
    )
    return figure


def geometry_chart(windows: pl.DataFrame) -> go.Figure:
    """Draw the in-sample, purged and out-of-sample span of every window, the first on top.

    Parameters
    ----------
    windows
        Columns window, in_first, in_last, out_first, out_last, in_stop, out_start, flat.
    """
    many = len(windows)
    figure = go.Figure([_spans(role, part) for role, part in _parts(windows).items() if len(part)])
    figure.update_layout(base_layout(round(many * min(max(6.2, 560 / many), 18)) + 66))
    every = max(1, -(-many // 20))
    figure.update_layout(
        barmode="overlay",
        bargap=0.25,
        xaxis={"type": "date", "gridcolor": tone("grid"), "zeroline": False},
        yaxis={
            "range": [many + 0.5, 0.5],
            "tickvals": list(range(1, many + 1, every)),
            "title": {"text": "window", "font": {"size": 11, "color": tone("muted")}},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
    )
    return figure


def gap_chart(time: TimeArray, gaps: dict[str, FloatArray]) -> go.Figure:
    """Draw exact less emulated, added up over the windows, in total and by cause.

    Parameters
    ----------
    time
        (W + 1,) the first boundary, then the end of every window.
    gaps
        Cause to (W,) money; NaN counts as nothing.
    """
    figure = go.Figure([_steps(time, cause, gaps[cause]) for cause in CAUSES])
    whole = sum(np.nan_to_num(values) for values in gaps.values())
    figure.add_trace(_steps(time, "total", np.asarray(whole)))
    figure.update_layout(base_layout(280))
    figure.update_layout(
        xaxis={"type": "date", "gridcolor": tone("grid"), "zeroline": False},
        yaxis=value_axis("exact less emulated", log=False) | _zero_line(),
    )
    return figure


def path_chart(
    name: str, values: Sequence[Any], chosen: Sequence[int | None], time: TimeArray, middle: int
) -> go.Figure:
    """Draw which of a parameter's values was traded when; the axis is its whole range.

    Parameters
    ----------
    name, values
        The parameter and its grid, drawn in grid steps.
    chosen
        (W,) position in `values` of each window's choice; None where the window is flat.
    time
        (W + 1,) the first boundary, then the end of every window.
    middle
        Position of the median combination's value, drawn as a thin line.
    """
    labels = time_labels(time)
    figure = go.Figure(_stairs(name, values, chosen, labels))
    marks = sorted({round(at) for at in np.linspace(0, len(values) - 1, min(len(values), 5))})
    figure.update_layout(base_layout(150))
    figure.update_layout(
        margin={"l": 62, "r": 12, "t": 8, "b": 26},
        xaxis={
            "type": "date",
            "range": [labels[0], labels[-1]],
            "showgrid": False,
            "zeroline": False,
            "nticks": 6,
        },
        yaxis={
            "range": [-0.5, len(values) - 0.5],
            "tickvals": marks,
            "ticktext": [escape(plain(values[at])) for at in marks],
            "gridcolor": tone("grid"),
            "zeroline": False,
            "fixedrange": True,
        },
        shapes=[_middle_line(middle)],
    )
    return figure


# The stitched curve


def _reach(lines: Sequence[Line], guides: Sequence[Line]) -> tuple[float, float]:
    """Lowest and highest money in the picture."""
    low, high = _ends(lines)
    room = _ROOM * max(high - low, 1.0)
    least, most = _ends([*lines, *guides])
    low, high = max(least, low - room), min(most, high + room)
    air = 0.04 * max(high - low, 1.0)
    return low - air, high + air


def _ends(lines: Sequence[Line]) -> tuple[float, float]:
    levels = np.concatenate([line.curve.equity for line in lines])
    return float(np.nanmin(levels)), float(np.nanmax(levels))


def _leaving(line: Line, low: float, high: float) -> dict[str, Any] | None:
    """Say where a line leaves the picture for good, and where it ends."""
    level, time = line.curve.equity, line.curve.time
    known = np.flatnonzero(~np.isnan(level))
    last = float(level[known[-1]])
    if low <= last <= high:
        return None
    inside = known[(level[known] >= low) & (level[known] <= high)]
    at = int(inside[-1]) if len(inside) else int(known[0])
    early, above = at < len(time) / 2, last > high
    return {
        "text": f"{'↑' if above else '↓'} {escape(line.curve.label)}, ends at {money(last)}",
        "x": time_labels(time[[at]])[0],
        "xanchor": "left" if early else "right",
        "y": high if above else low,
        "yanchor": "top" if above else "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": tone(line.color)},
        "bgcolor": tone("paper"),
        "borderpad": 1,
    }


def _boundary(label: str) -> dict[str, Any]:
    ends = {"xref": "x", "x0": label, "x1": label, "yref": "paper", "y0": 0, "y1": 1}
    return _hairline(ends, {"color": tone("rule"), "width": 0.8})


def _hairline(ends: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    return {"type": "line", "layer": "below", "line": line} | ends


def _zero_line() -> dict[str, Any]:
    return {"zeroline": True, "zerolinecolor": tone("muted"), "zerolinewidth": 1}


# The windows


def _parts(windows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Spans by colour: window, first, last."""
    purged = pl.col("in_stop") < pl.col("out_start")
    inside_end = pl.when(purged).then(pl.col("in_last")).otherwise(pl.col("out_first"))
    following = pl.col("out_first").shift(-1).fill_null(pl.col("out_last"))
    spans = {
        "in-sample": (windows, pl.col("in_first"), inside_end),
        "hold": (windows.filter(purged), pl.col("in_last"), pl.col("out_first")),
    }
    beyond = windows.with_columns(until=following)
    spans["accent"] = (beyond.filter(~pl.col("flat")), pl.col("out_first"), pl.col("until"))
    spans["clear"] = (beyond.filter(pl.col("flat")), pl.col("out_first"), pl.col("until"))
    return {
        role: frame.select("window", first=first, last=last)
        for role, (frame, first, last) in spans.items()
    }


def _spans(role: str, part: pl.DataFrame) -> go.Bar:
    first, last = part["first"].to_numpy(), part["last"].to_numpy()
    hollow = role == "clear"
    texts = [
        f"window {number}, {_PART_NAMES[role]}<br>{moment(begin)} to {moment(end)}"
        for number, begin, end in part.iter_rows()
    ]
    return go.Bar(
        orientation="h",
        base=time_labels(first),
        x=((last - first) / np.timedelta64(1, "ms")).tolist(),
        y=part["window"].to_list(),
        text=texts,
        textposition="none",
        marker={
            "color": tone(role),
            "line": {"width": 1 if hollow else 0, "color": tone("accent")},
        },
        hovertemplate="%{text}<extra></extra>",
    )


# The gap


def _steps(time: TimeArray, cause: str, values: FloatArray) -> go.Scatter:
    level = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
    role, width = (_CAUSE_ROLES[cause], 1.4) if cause != "total" else ("ink", 2.2)
    name = CAUSE_NAMES.get(cause, cause)
    return go.Scatter(
        x=time_labels(time),
        y=level.tolist(),
        mode="lines+markers" if len(level) < 40 else "lines",
        line={"color": tone(role), "width": width},
        marker={"size": 4, "color": tone(role)},
        hovertemplate=f"{name}<br>until %{{x}}<br>%{{y:,.0f}}<extra></extra>",
    )


# The path of a parameter


def _stairs(
    name: str, values: Sequence[Any], chosen: Sequence[int | None], labels: list[str]
) -> go.Scatter:
    """One level line a window, joined at the boundaries, broken where a window is flat."""
    x: list[str] = []
    y: list[int | None] = []
    text: list[str] = []
    for at, place in enumerate(chosen):
        said = "flat" if place is None else escape(f"{name} {plain(values[place])}")
        x += [labels[at], labels[at + 1]]
        y += [place, place]
        text += [f"window {count(at + 1)}<br>{said}"] * 2
    return go.Scatter(
        x=x,
        y=y,
        text=text,
        mode="lines",
        line={"color": tone("accent"), "width": 1.8},
        hovertemplate="%{text}<extra></extra>",
    )


def _middle_line(middle: int) -> dict[str, Any]:
    ends = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": middle, "y1": middle}
    return _hairline(ends, {"color": tone("validation"), "width": 1.2, "dash": "dot"})
