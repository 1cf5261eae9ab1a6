"""Charts: what they draw, what they leave out, and that a page can recolour them."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.report import (
    Curve,
    Span,
    Trades,
    backtest_chart,
    equity_chart,
    phase_timeline,
    plateau_map,
)
from meseta.report._figures import Figures
from meseta.report._map import VIEWS, outlines
from meseta.report._palette import COLOURS, SCALE, night
from meseta.report._sampling import drawdown, thinned, time_labels

if TYPE_CHECKING:
    from pathlib import Path

    from page_reader import Page

DAYS = np.arange("2020-01-01", "2024-01-01", dtype="datetime64[D]").astype("datetime64[us]")
CELLS = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25)


def span(kind: str, first: str, last: str, lane: str) -> Span:
    return Span(kind, np.datetime64(first, "us"), np.datetime64(last, "us"), lane)  # type: ignore[arg-type]


SPANS = [
    span("in-sample", "2020-02-01", "2021-01-31", "phase 1"),
    span("validation", "2021-02-01", "2021-12-31", "phase 1"),
    span("in-sample", "2020-08-01", "2021-07-31", "phase 2"),
    span("validation", "2021-08-01", "2022-12-31", "phase 2"),
    span("vault", "2023-01-01", "2023-12-31", "vault"),
]


def walk(seed: int = 1) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, len(DAYS))))


# Outlines


def area(loop: list[tuple[float, float]]) -> float:
    pairs = zip(loop, loop[1:] + loop[:1], strict=True)
    return sum(x * v - u * y for (x, y), (u, v) in pairs) / 2


@given(CELLS)
def test_outlines_enclose_exactly_the_cells(cells: set[tuple[int, int]]) -> None:
    # Outer borders run counter-clockwise and holes clockwise, so areas add up to the cells.
    assert sum(area(loop) for loop in outlines(cells)) == len(cells)


@given(CELLS, st.floats(0.01, 0.3))
def test_inset_moves_every_border_inwards(cells: set[tuple[int, int]], inset: float) -> None:
    def length(loop: list[tuple[float, float]]) -> float:
        return sum(math.dist(a, b) for a, b in zip(loop, loop[1:] + loop[:1], strict=True))

    plain, moved = outlines(cells), outlines(cells, inset)
    assert sum(map(area, moved)) < sum(map(area, plain))
    for loop, shrunk in zip(plain, moved, strict=True):
        assert len(loop) == len(shrunk)
        # A closed rectilinear loop turns four times more one way, so it changes by 8 insets.
        sign = -1 if area(loop) > 0 else 1
        assert length(shrunk) == pytest.approx(length(loop) + sign * 8 * inset)


def test_outline_of_a_ring_has_a_hole() -> None:
    ring = {(x, y) for x in range(3) for y in range(3)} - {(1, 1)}
    outer, hole = sorted(outlines(ring), key=area, reverse=True)
    assert sorted(outer) == [(-0.5, -0.5), (-0.5, 2.5), (2.5, -0.5), (2.5, 2.5)]
    assert sorted(hole) == [(0.5, 0.5), (0.5, 1.5), (1.5, 0.5), (1.5, 1.5)]


def test_cells_that_touch_at_a_corner_keep_their_own_outlines() -> None:
    assert sorted(map(area, outlines({(0, 0), (1, 1)}))) == [1, 1]


# Thinning


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(4, 100))
def test_thinning_keeps_ends_and_extremes(values: list[float], limit: int) -> None:
    series = np.array(values)
    keep = thinned(series, limit)
    assert keep[0] == 0
    assert keep[-1] == len(series) - 1
    assert np.all(np.diff(keep) > 0)
    assert len(keep) <= max(limit + 2, 0)
    assert series[keep].max() == series.max()
    assert series[keep].min() == series.min()


def test_thinning_passes_over_nan() -> None:
    series = np.full(1000, np.nan)
    series[500:] = np.arange(500.0)
    assert np.nanmax(series[thinned(series, 50)]) == 499


def test_drawdown_is_measured_from_the_running_peak() -> None:
    equity = np.array([np.nan, 10.0, 12.0, 9.0, 12.0, 15.0, 11.0])
    np.testing.assert_array_equal(drawdown(equity), [np.nan, 0, 0, 3, 0, 0, 4])


def test_time_labels_show_minutes_only_for_intraday_times() -> None:
    assert time_labels(DAYS[:2]) == ["2020-01-01", "2020-01-02"]
    later = DAYS[:1] + np.timedelta64(570, "m")
    assert time_labels(later) == ["2020-01-01 09:30"]


# Charts over time


def test_timeline_keeps_high_and_low_and_locks_the_vault() -> None:
    close = walk()
    figure = phase_timeline(DAYS, close, SPANS, points=100)
    line = figure.data[0]
    assert len(line.x) <= 102
    assert max(line.y) == pytest.approx(close.max(), rel=1e-6)
    assert min(line.y) == pytest.approx(close.min(), rel=1e-6)
    assert figure.layout.yaxis.type == "log"
    assert [a.text for a in figure.layout.annotations] == ["vault,<br>locked"]
    assert [(s.x0, s.x1) for s in figure.layout.shapes] == [("2023-01-01", "2023-12-31")]


def test_timeline_of_prices_below_zero_is_linear() -> None:
    figure = phase_timeline(DAYS, walk() - 100, SPANS)
    assert figure.layout.yaxis.type == "linear"


def test_rows_of_spans_stand_in_order_and_never_overlap() -> None:
    figure = phase_timeline(DAYS, walk(), SPANS)
    lanes = figure.layout.yaxis2
    assert lanes.categoryarray == ("vault", "phase 2", "phase 1")
    bars = [trace for trace in figure.data if isinstance(trace, go.Bar)]
    assert [bar.y[0] for bar in bars] == ["phase 1", "phase 1", "phase 2", "phase 2", "vault"]
    day = 86_400_000
    assert bars[1].base == ("2021-02-01",)
    assert bars[1].x == (333 * day,)


def test_overlapping_validation_is_shaded_once() -> None:
    figure = equity_chart(Curve("centre", DAYS, walk()), [], SPANS)
    shaded = [(s.x0, s.x1) for s in figure.layout.shapes]
    assert shaded == [("2021-02-01", "2022-12-31"), ("2023-01-01", "2023-12-31")]


def test_equity_chart_draws_the_centre_over_the_others() -> None:
    others = [Curve(f"number {i}", DAYS, walk(i)) for i in range(3)]
    figure = equity_chart(Curve("centre", DAYS, walk(9)), others, SPANS)
    lines = [trace for trace in figure.data if isinstance(trace, go.Scatter)]
    assert [line.line.width for line in lines[:4]] == [0.8, 0.8, 0.8, 1.8]
    assert lines[4].yaxis == "y2"
    assert max(lines[4].y) == 0


def test_a_given_drawdown_is_drawn_as_it_is() -> None:
    fall = np.linspace(0, 50, len(DAYS))
    figure = equity_chart(Curve("centre", DAYS, walk()), fall=fall)
    assert min(figure.data[-1].y) == -50


def test_backtest_chart_of_equity_that_is_nan_throughout() -> None:
    none = np.array([], dtype="datetime64[us]")
    trades = Trades(none, np.array([]), none, np.array([]))
    figure = backtest_chart(DAYS, walk(), np.full(len(DAYS), np.nan), trades)
    assert figure.layout.yaxis2.type == "linear"


def test_names_are_escaped_in_charts() -> None:
    lane = "<a href='http://example.org'>x</a>"
    spans = [span("in-sample", "2020-02-01", "2021-01-31", lane)]
    figure = equity_chart(Curve(lane, DAYS, walk()), [], spans)
    assert "<a" not in json.dumps(figure.to_dict(), default=str)


def test_the_pointer_shows_minutes_only_for_intraday_bars() -> None:
    hours = np.arange("2020-01-01T00", "2020-02-01T00", dtype="datetime64[h]")
    hours = hours.astype("datetime64[us]")
    assert phase_timeline(DAYS, walk(), []).layout.xaxis.hoverformat == "%Y-%m-%d"
    figure = phase_timeline(hours, walk()[: len(hours)], [])
    assert figure.layout.xaxis.hoverformat.endswith("%H:%M")


# The map


def test_map_views_hold_the_cells(page: Page, run_folder: Path) -> None:
    plateaus = json.loads((run_folder / "plateaus.json").read_text())
    figure = plateau_map(plateaus)
    assert [trace.visible for trace in figure.data[:4]] == [True, False, False, False]
    assert list(figure.layout.meta["views"]) == [title for title, _ in VIEWS.values()]
    x, y = plateaus["x_values"], plateaus["y_values"]
    for trace, field in zip(figure.data, VIEWS, strict=False):
        z = np.array(trace.z)
        assert z.shape == (len(y), len(x))
        assert np.count_nonzero(~np.isnan(z)) == len(plateaus["cells"])
        for cell in plateaus["cells"]:
            assert z[y.index(cell["y"]), x.index(cell["x"])] == cell[field]


def test_map_labels_and_outlines_every_plateau(run_folder: Path) -> None:
    plateaus = json.loads((run_folder / "plateaus.json").read_text())
    figure = plateau_map(plateaus)
    assert [a.text for a in figure.layout.annotations] == ["<b>1</b>", "<b>2</b>", "<b>3</b>"]
    for note, plateau in zip(figure.layout.annotations, plateaus["plateaus"], strict=True):
        where = [plateaus["x_values"][int(note.x)], plateaus["y_values"][int(note.y)]]
        assert where in plateau["cells"]
    # A pale and a dark line each.
    assert len(figure.layout.shapes) == 6


def test_map_marks_cells_that_do_not_count(run_folder: Path) -> None:
    plateaus = json.loads((run_folder / "plateaus.json").read_text())
    dots = plateau_map(plateaus).data[4]
    assert len(dots.x) == sum(not cell["counts"] for cell in plateaus["cells"]) > 0


def test_map_leaves_empty_cells_blank_but_for_the_share() -> None:
    cell = {"x": 1, "y": 1, "candidates": 0, "counts": False, "profitable_share": 0.4}
    figure = plateau_map({"axes": ["a", "b"], "x_values": [1], "y_values": [1], "cells": [cell]})
    assert [bool(np.isnan(trace.z[0][0])) for trace in figure.data[:4]] == [
        True,
        True,
        True,
        False,
    ]
    assert len(figure.data[4].x) == 0


def test_map_hover_names_regime_count_behaviours_stability_and_profit(run_folder: Path) -> None:
    plateaus = json.loads((run_folder / "plateaus.json").read_text())
    texts = [text for row in plateau_map(plateaus).data[0].text for text in row if text]
    first = next(text for text in texts if "plateau 1, " in text)
    for words in ("TIGHT", "candidates", "behaviours", "mean stability", "validation profit"):
        assert words in first


# Colours


def test_every_colour_of_every_chart_has_a_dark_twin(page: Page) -> None:
    text = json.dumps(page.charts["figures"])
    used = set(re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\([^)]*\)", text))
    assert used <= set(night())
    assert len(used) > 10


def test_light_colours_are_distinct() -> None:
    assert len(night()) == len(COLOURS) + len(SCALE)


def lightness(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    cones = (
        0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
        0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
        0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
    )
    k, m, s = (cone ** (1 / 3) for cone in cones)
    return 0.2104542553 * k + 0.7936177850 * m - 0.0040720468 * s


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_map_scale_has_even_steps_of_lightness(theme: int) -> None:
    levels = np.array([lightness(stop[theme]) for stop in SCALE])
    steps = np.diff(levels)
    assert np.ptp(steps) < 0.1 * abs(steps.mean())
    assert np.all(steps < 0) if theme == 0 else np.all(steps > 0)


# The document of all charts


def test_shared_lists_are_kept_once() -> None:
    figures = Figures()
    others = [Curve(f"number {i}", DAYS, walk(i)) for i in range(5)]
    figures.add("one", equity_chart(Curve("centre", DAYS, walk()), others))
    document: dict[str, Any] = json.loads(figures.json())
    assert len(document["lists"]) == 1
    assert {trace["x"]["list"] for trace in document["figures"]["one"]["data"]} == {0}


def test_document_cannot_end_its_script_element() -> None:
    figures = Figures()
    figures.add("one", go.Figure(layout={"title": {"text": "</script>"}, "height": 100}))
    assert "<" not in figures.json()
    text = json.loads(figures.json())["figures"]["one"]["layout"]["title"]["text"]
    assert text == "</script>"
