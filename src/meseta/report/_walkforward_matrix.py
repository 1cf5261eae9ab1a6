"""The matrix of window lengths: its heat map, and what it says in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import base_layout
from meseta.report._format import alike, count, metric, money, plain, share
from meseta.report._map import SCALE_STOPS, colorbar, draw_outline, grid_axis
from meseta.report._palette import tone
from meseta.report._walkforward_run import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meseta.report._figures import Figures
    from meseta.report._walkforward_run import Walk

__all__ = ["MatrixView", "matrix_chart", "matrix_view"]

Place = tuple[int, int]

_INSET = 0.03  # of a cell, between its border and an outline
_BESIDE = 6  # columns up to which the heat map leaves room for a text beside it
_WRITTEN = 12  # columns up to which a cell's number fits into it
_SHARES = ("efficiency", "winning", "near_median", "share")


@dataclass(frozen=True)
class MatrixView:
    """What the template shows of the matrix.

    Attributes
    ----------
    chart
        Name of the heat map; None when no cell was written.
    shown
        What its colours are, in words.
    cells
        Rows of `matrix.parquet`, each with `own`: whether it has this run's lengths.
    criteria
        Name and value of what a cell has to pass.
    passing, total
        How many cells pass, of how many.
    block
        What to trade, in sentences; empty without a passing cell.
    exact
        Whether any cell has an exact result.
    wide
        Whether the heat map needs the whole width of the page.
    money
        How the table writes money.
    """

    chart: str | None
    shown: str
    cells: list[dict[str, Any]]
    criteria: list[tuple[str, str]]
    passing: int
    total: int
    block: list[str]
    exact: bool
    wide: bool
    money: Callable[[Any], str]


def matrix_view(walk: Walk, figures: Figures) -> MatrixView | None:
    """Draw the matrix and describe it; None when the run has none."""
    manifest, frame = walk.manifest, walk.matrix
    if manifest.matrix is None:
        return None
    asked = {name: value for name, value in manifest.matrix.criteria.items() if value is not None}
    criteria = [(_named(name), _valued(name, value)) for name, value in asked.items()]
    if frame is None:
        return MatrixView(None, "", [], criteria, 0, 0, [], exact=False, wide=False, money=money)
    own = (manifest.windows.in_sample, manifest.windows.out_of_sample)
    column, shown = _shown(frame)
    chart = matrix_chart(frame, column, manifest.windows.unit, own)
    return MatrixView(
        figures.add("matrix", chart),
        shown,
        [row | {"own": _lengths(row) == own} for row in frame.iter_rows(named=True)],
        criteria,
        int(frame["passes"].sum()),
        len(frame),
        _block(frame, own, manifest.windows.unit),
        exact=not frame["exact_net_profit"].is_null().all(),
        wide=frame["in_sample"].n_unique() > _BESIDE,
        money=alike(frame["oos_net_profit"]),
    )


def matrix_chart(
    frame: pl.DataFrame, column: str, unit: str, own: tuple[float | None, float | None]
) -> go.Figure:
    """Draw one cell for every pair of lengths, those that pass outlined.

    Parameters
    ----------
    frame
        Rows of `matrix.parquet`.
    column
        What the colours are; what is not known stays blank. Below zero is red.
    unit
        What lengths are counted in.
    own
        In-sample and out-of-sample length of this run, which gets a dot.
    """
    xs, ys = (sorted(frame[name].unique()) for name in ("in_sample", "out_of_sample"))
    places = [(xs.index(x), ys.index(y)) for x, y in map(_lengths, frame.iter_rows(named=True))]
    figure = go.Figure(_heat(frame, column, places, (len(xs), len(ys))))
    figure.update_layout(base_layout(min(max(46 * len(ys) + 90, 200), 620)))
    figure.update_layout(
        xaxis=grid_axis(f"in-sample, {unit}", xs), yaxis=grid_axis(f"out-of-sample, {unit}", ys)
    )
    figure.layout.margin.b = 46
    _draw_blocks(figure, places, frame)
    if own[0] in xs and own[1] in ys:
        figure.add_trace(_dot(xs.index(own[0]), ys.index(own[1])))
    return figure


def _draw_blocks(figure: go.Figure, places: Sequence[Place], frame: pl.DataFrame) -> None:
    """Outline every group of connected cells that pass, the largest strongly."""
    groups: dict[int, list[Place]] = {}
    for place, passes, block in zip(places, frame["passes"], frame["block"], strict=True):
        if passes:
            groups.setdefault(block, []).append(place)
    for block, group in sorted(groups.items(), reverse=True):
        draw_outline(figure, group, 4.0 if block == 1 else 1.2, _INSET)


def _lengths(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row["in_sample"], row["out_of_sample"]


def _shown(frame: pl.DataFrame) -> tuple[str, str]:
    if frame["oos_per_year"].is_null().all():
        return "oos_net_profit", "out-of-sample profit"
    return "oos_per_year", "out-of-sample profit per year"


def _heat(
    frame: pl.DataFrame, column: str, places: Sequence[Place], size: tuple[int, int]
) -> go.Heatmap:
    width, height = size
    z = np.full((height, width), np.nan)
    text, hover = ([["" for _ in range(width)] for _ in range(height)] for _ in range(2))
    for (x, y), row in zip(places, frame.iter_rows(named=True), strict=True):
        z[y, x] = amount(row[column])
        text[y][x] = _brief(z[y, x]) if width <= _WRITTEN else ""
        hover[y][x] = _hover(row)
    _, title = _shown(frame)
    return go.Heatmap(
        z=z,
        text=text,
        texttemplate="%{text}",
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        hoverongaps=False,
        xgap=1,
        ygap=1,
        colorbar=colorbar(title, ",~s"),
        **_colours(z),
    )


def _colours(z: np.ndarray) -> dict[str, Any]:
    """Pale to deep; with a loss anywhere, red to pale below zero, and zero in the middle."""
    known = z[~np.isnan(z)]
    if not len(known) or known.min() >= 0:
        return {"colorscale": SCALE_STOPS}
    most = float(np.abs(known).max())
    upper = [(0.5 + stop / 2, colour) for stop, colour in SCALE_STOPS]
    return {"colorscale": [(0.0, tone("loss")), *upper], "zmin": -most, "zmax": most}


def _brief(value: float) -> str:
    """Write money in at most five signs: 12.3k."""
    size = abs(value)
    if np.isnan(value):
        return ""
    sign = "−" if value < 0 else ""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit * 0.9995:
            return f"{sign}{size / unit:.{1 if size < 99.5 * unit else 0}f}{letter}"
    return f"{sign}{size:.0f}"


def _hover(row: Mapping[str, Any]) -> str:
    lines = [
        f"<b>in-sample {plain(row['in_sample'])}, out-of-sample {plain(row['out_of_sample'])}</b>",
        "passes" if row["passes"] else "does not pass",
        f"profit {money(row['oos_net_profit'])}, {money(row['oos_per_year'])} a year",
        f"drawdown {money(row['oos_drawdown'])}",
        f"efficiency {share(row['efficiency'])}",
        f"windows {count(row['windows'])}, {share(row['winning'])} made money",
    ]
    return "<br>".join(lines)


def _dot(x: int, y: int) -> go.Scatter:
    return go.Scatter(
        x=[x - 0.36],
        y=[y + 0.3],
        mode="markers",
        marker={
            "size": 9,
            "color": tone("ink"),
            "line": {"width": 2, "color": tone("paper")},
        },
        hoverinfo="skip",
    )


def _named(criterion: str) -> str:
    """Write "min_winning" as "winning at least"."""
    for prefix, words in (("min_", "at least"), ("max_", "at most")):
        if criterion.startswith(prefix):
            return f"{criterion.removeprefix(prefix).replace('_', ' ')}, {words}"
    return criterion.replace("_", " ")


def _valued(criterion: str, value: Any) -> str:
    fraction = isinstance(value, int | float) and criterion.endswith(_SHARES)
    return share(value) if fraction else metric("", value)


# In words


def _block(frame: pl.DataFrame, own: tuple[Any, Any], unit: str) -> list[str]:
    block = frame.filter(pl.col("block") == 1)
    if block.is_empty():
        return []
    said = [_extent(block, unit)]
    column, shown = _shown(frame)
    known = block[column].drop_nulls()
    if len(block) > 1 and not known.is_empty():
        low, middle, high = (money(known.quantile(q, "linear")) for q in (0, 0.5, 1))
        said.append(f"Its {shown}: median {middle}, worst {low}, best {high}.")
    return [*said, *_best(frame, column), _own(frame, own)]


def _extent(block: pl.DataFrame, unit: str) -> str:
    if len(block) == 1:
        inside, beyond = (plain(value) for value in _lengths(block.row(0, named=True)))
        return (
            f"The largest block is a single cell, {inside} by {beyond} {unit}. A cell that passes "
            "alone is what luck looks like; it is nothing to trade."
        )
    inside, beyond = (_range(block[name]) for name in ("in_sample", "out_of_sample"))
    return (
        f"The largest connected block has {count(len(block))} cells: in-sample {inside} {unit}, "
        f"out-of-sample {beyond} {unit}. What to trade lies inside it."
    )


def _range(values: pl.Series) -> str:
    low, high = values.min(), values.max()
    return plain(low) if low == high else f"{plain(low)} to {plain(high)}"


def _best(frame: pl.DataFrame, column: str) -> list[str]:
    """Say that the best cell is not in the block, where it is not."""
    known = frame.filter(pl.col(column).is_not_null())
    if known.is_empty():
        return []
    best = known.sort(column, descending=True).row(0, named=True)
    if best["block"] == 1:
        return []
    inside, beyond = (plain(value) for value in _lengths(best))
    text = f"The cell with the most money, {inside} by {beyond}, is not in it. "
    return [f"{text}To be the best of {count(len(known))} cells is no reason to be traded."]


def _own(frame: pl.DataFrame, own: tuple[Any, Any]) -> str:
    mine = [row for row in frame.iter_rows(named=True) if _lengths(row) == own]
    if not mine:
        return "The lengths of the walk-forward above are not among the cells."
    inside = mine[0]["block"] == 1
    return f"The walk-forward above lies {'inside' if inside else 'outside of'} this block."
