"""The plateau map: cells of two parameters, with every plateau outlined."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from meseta.report._charts import base_layout
from meseta.report._format import count, money, plain, ratio, share
from meseta.report._palette import SCALE, tone
from meseta.report._run import Plateaus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meseta.report._run import Cell, Plateau

__all__ = [
    "SCALE_STOPS",
    "VIEWS",
    "colorbar",
    "draw_outline",
    "grid_axis",
    "outlines",
    "plateau_map",
]

Corner = tuple[int, int]
Loop = list[tuple[float, float]]

VIEWS: dict[str, tuple[str, str]] = {
    "mean_stability": ("Mean stability", ",.0f"),
    "candidates": ("Candidates", ",.0f"),
    "mean_oos_pnl": ("Validation profit", ",~s"),
    "profitable_share": ("Profitable share", ".0%"),
}
"""Field of a cell to the view's title and the number format of its colour bar."""

SCALE_STOPS: list[tuple[float, str]] = [
    (i / (len(SCALE) - 1), light) for i, (light, _) in enumerate(SCALE)
]
"""The palette's scale as Plotly takes it."""

_INSET = 0.055


def plateau_map(plateaus: Plateaus | Mapping[str, Any]) -> go.Figure:
    """Heat map of the cells, one trace per view, plateaus outlined and labelled by rank.

    The first view is visible; show another by its trace's `visible`. Cells are drawn in grid
    steps, so each has the same size, which is how the clustering measures them.

    Parameters
    ----------
    plateaus
        The content of `plateaus.json`, with two axes and at least one cell.
    """
    plateaus = Plateaus.model_validate(plateaus)
    columns, rows = _positions(plateaus.x_values), _positions(plateaus.y_values)
    cells = [c for c in plateaus.cells if c.x in columns and c.y in rows]
    at = {(columns[c.x], rows[c.y]): c for c in cells}
    figure = go.Figure([_view(name, at, len(columns), len(rows), plateaus) for name in VIEWS])
    for number, trace in enumerate(figure.data):
        trace.visible = number == 0
    thin = [place for place, cell in at.items() if cell.candidates and not cell.counts]
    figure.add_trace(_dots(thin))
    figure.update_layout(_layout(plateaus, len(rows)))
    for plateau in plateaus.plateaus:
        inside = [(columns[x], rows[y]) for x, y in plateau.cells if x in columns and y in rows]
        _outline(figure, plateau, inside)
    return figure


def outlines(cells: Iterable[Corner], inset: float = 0.0) -> list[Loop]:
    """Return the closed border lines around a union of unit cells.

    Parameters
    ----------
    cells
        Integer positions of the cells' centres.
    inset
        Distance by which the line is drawn inside the border, in cells.

    Returns
    -------
    One loop of corners per border, holes included; the first corner is not repeated.
    """
    ahead = _border(set(cells))
    loops = []
    while ahead:
        start = min(ahead)
        loop, step = [start], ahead[start].pop()
        while step != start:
            loop.append(step)
            step = _turn(ahead, loop[-2], step)
        ahead = {corner: ends for corner, ends in ahead.items() if ends}
        loops.append(_shrunk(loop, inset))
    return loops


def _border(cells: set[Corner]) -> dict[Corner, list[Corner]]:
    """Edges between a cell and what is outside, walked with the inside on the left."""
    ahead: dict[Corner, list[Corner]] = {}
    for x, y in sorted(cells):
        corners = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)]
        beside = [(x, y - 1), (x + 1, y), (x, y + 1), (x - 1, y)]
        for side, neighbour in enumerate(beside):
            if neighbour not in cells:
                ahead.setdefault(corners[side], []).append(corners[(side + 1) % 4])
    return ahead


def _turn(ahead: dict[Corner, list[Corner]], before: Corner, here: Corner) -> Corner:
    """Next corner; where two cells touch at a corner only, turn left to stay at the same cell."""
    ends = ahead[here]
    dx, dy = here[0] - before[0], here[1] - before[1]
    left = (here[0] - dy, here[1] + dx)
    step = left if left in ends else ends[0]
    ends.remove(step)
    return step


def _shrunk(loop: list[Corner], inset: float) -> Loop:
    """Corners without the straight ones, moved inwards, from corner to centre coordinates."""
    moved: Loop = []
    for i, (x, y) in enumerate(loop):
        (px, py), (nx, ny) = loop[i - 1], loop[(i + 1) % len(loop)]
        if (x - px, y - py) == (nx - x, ny - y):
            continue
        shift_x = -(y - py) - (ny - y)
        shift_y = (x - px) + (nx - x)
        moved.append((x - 0.5 + shift_x * inset, y - 0.5 + shift_y * inset))
    return moved


def _positions(values: Sequence[float | str]) -> dict[float | str, int]:
    return {value: position for position, value in enumerate(values)}


def _view(
    name: str, at: dict[Corner, Cell], width: int, height: int, plateaus: Plateaus
) -> go.Heatmap:
    title, tickformat = VIEWS[name]
    z = np.full((height, width), np.nan)
    text = [["" for _ in range(width)] for _ in range(height)]
    regimes = {plateau.rank: plateau.regime for plateau in plateaus.plateaus}
    for (x, y), cell in at.items():
        value = getattr(cell, name)
        known = cell.candidates or name == "profitable_share"
        z[y, x] = value if known and value is not None else np.nan
        text[y][x] = _hover(cell, plateaus.axes, regimes)
    return go.Heatmap(
        z=z,
        name=title,
        text=text,
        hovertemplate="%{text}<extra></extra>",
        hoverongaps=False,
        colorscale=SCALE_STOPS,
        xgap=1,
        ygap=1,
        colorbar=colorbar(title, tickformat),
    )


def colorbar(title: str, tickformat: str) -> dict[str, Any]:
    """Return the colour bar of a heat map."""
    return {
        "title": {"text": title, "side": "right", "font": {"size": 11, "color": tone("muted")}},
        "tickformat": tickformat,
        "nticks": 6,
        "thickness": 10,
        "len": 1,
        "ypad": 0,
        "outlinewidth": 0,
        "ticks": "",
        "tickfont": {"size": 11, "color": tone("muted")},
    }


def _hover(cell: Cell, axes: Sequence[str], regimes: dict[int, str | None]) -> str:
    where = "outside any plateau"
    if cell.plateau is not None:
        where = f"plateau {cell.plateau}, {escape(regimes.get(cell.plateau) or 'no regime')}"
    elif not cell.counts:
        where = "too few candidates to count"
    lines = [
        f"<b>{escape(f'{axes[0]} {plain(cell.x)}, {axes[1]} {plain(cell.y)}')}</b>",
        where,
        f"candidates {count(cell.candidates)}",
        f"behaviours {count(cell.behaviours)}",
        f"mean stability {ratio(cell.mean_stability)}",
        f"mean validation profit {money(cell.mean_oos_pnl)}",
        f"profitable share of all {share(cell.profitable_share)}",
    ]
    return "<br>".join(lines)


def _dots(places: list[Corner]) -> go.Scatter:
    return go.Scatter(
        x=[x for x, _ in places],
        y=[y for _, y in places],
        mode="markers",
        marker={"size": 4, "color": tone("muted")},
        hoverinfo="skip",
    )


def _layout(plateaus: Plateaus, rows: int) -> dict[str, Any]:
    layout = base_layout(min(max(34 * rows + 104, 250), 650))
    layout["xaxis"] = grid_axis(plateaus.axes[0], plateaus.x_values)
    layout["yaxis"] = grid_axis(plateaus.axes[1], plateaus.y_values)
    layout["margin"] |= {"b": 46}
    layout["meta"] = {"views": [title for title, _ in VIEWS.values()]}
    return layout


def grid_axis(name: str, values: Sequence[float | str]) -> dict[str, Any]:
    """Return an axis of steps through `values`, each the same size, named `name`."""
    every = max(1, -(-len(values) // 24))
    marks = list(range(0, len(values), every))
    return {
        "title": {"text": escape(name), "font": {"size": 12, "color": tone("ink")}, "standoff": 8},
        "tickvals": marks,
        "ticktext": [escape(plain(values[i])) for i in marks],
        "range": [-0.5, len(values) - 0.5],
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "fixedrange": True,
    }


def draw_outline(
    figure: go.Figure, cells: Iterable[Corner], width: float = 2.0, inset: float = _INSET
) -> None:
    """Draw the border around cells, `inset` of a cell inside of it, `width` pixels wide."""
    path = " ".join(
        "M" + " L".join(f"{x:.3f},{y:.3f}" for x, y in loop) + " Z"
        for loop in outlines(cells, inset)
    )
    # A pale line under the dark one, so that the outline reads on every shade of the scale.
    for color, pixels in ((tone("paper"), width + 3.0), (tone("ink"), width)):
        figure.add_shape(
            type="path", path=path, xref="x", yref="y", line={"color": color, "width": pixels}
        )


def _outline(figure: go.Figure, plateau: Plateau, inside: list[Corner]) -> None:
    if not inside:
        return
    draw_outline(figure, inside)
    middle = np.mean(inside, axis=0)
    x, y = min(inside, key=lambda cell: (float(np.hypot(*(np.array(cell) - middle))), cell))
    figure.add_annotation(
        x=x,
        y=y,
        text=f"<b>{plateau.rank}</b>",
        showarrow=False,
        font={"size": 12, "color": tone("ink")},
        bgcolor=tone("paper"),
        bordercolor=tone("ink"),
        borderwidth=1,
        borderpad=3,
    )
