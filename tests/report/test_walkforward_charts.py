"""Charts of a walk-forward: as many points, bars and cells as there are, in the right places."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_walk import THREE, TWELVE

from meseta.report._format import alike, money
from meseta.report._walkforward_charts import geometry_chart
from meseta.report._walkforward_matrix import _brief

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from page_reader import Page

    MakeWalk = Callable[..., tuple[Page, Path]]


def numbers(value: Any) -> np.ndarray:
    """An array as Plotly writes it: a list, or bytes."""
    if not isinstance(value, dict):
        return np.array(value, dtype=float)
    flat = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
    shape = [int(n) for n in str(value.get("shape", flat.size)).split(",")]
    return flat.reshape(shape).astype(float)


def lines(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Traces of a chart by the first words that the pointer shows."""
    return {trace["hovertemplate"].split("<")[0]: trace for trace in figure["data"]}


def summary(folder: Path) -> dict[str, Any]:
    return pl.read_json(folder / "manifest.json").to_dicts()[0]["summary"]


# The stitched curve


def test_curves_end_where_the_run_did(walk_page: Page, walk_folder: Path) -> None:
    drawn = lines(walk_page.charts["figures"]["curve"])
    assert list(drawn) == [
        "in-sample promise",
        "buy and hold",
        "exact re-run",
        "emulated",
        "median combination",
        "drawdown",
    ]
    made = summary(walk_folder)
    for name, key in (
        ("exact re-run", "exact_profit"),
        ("emulated", "emulated_profit"),
        ("in-sample promise", "promise"),
        ("buy and hold", "hold_profit"),
    ):
        assert numbers(drawn[name]["y"])[0] == 0
        assert numbers(drawn[name]["y"])[-1] == pytest.approx(made[key], rel=1e-5)
    assert -numbers(drawn["drawdown"]["y"]).min() == pytest.approx(made["exact_drawdown"], 1e-5)


def test_curves_share_their_times_and_are_thinned(walk_page: Page) -> None:
    data = walk_page.charts["figures"]["curve"]["data"]
    assert len({tuple(trace["x"]) for trace in data}) == 1
    assert 500 < len(data[0]["x"]) < 2000
    assert {len(numbers(trace["y"])) for trace in data} == {len(data[0]["x"])}


def test_every_boundary_is_a_thin_line(walk_page: Page, walk_folder: Path) -> None:
    first = pl.read_parquet(walk_folder / "windows.parquet")["out_first"]
    shapes = walk_page.charts["figures"]["curve"]["layout"]["shapes"]
    assert [shape["x0"] for shape in shapes] == [str(time)[:10] for time in first]
    assert all(shape["line"]["width"] < 1 for shape in shapes)


def test_without_an_exact_run_the_emulated_curve_leads(make_walk: MakeWalk) -> None:
    page, folder = make_walk(exact="never")
    drawn = lines(page.charts["figures"]["curve"])
    assert "exact re-run" not in drawn
    assert drawn["emulated"]["line"]["dash"] == "solid"
    fall = summary(folder)["emulated_drawdown"]
    assert -numbers(drawn["drawdown"]["y"]).min() == pytest.approx(fall, 1e-5)


def test_a_promise_far_beyond_leaves_the_picture_and_says_so(make_walk: MakeWalk) -> None:
    def boast(folder: Path) -> None:
        path = folder / "curve.parquet"
        pl.read_parquet(path).with_columns(pl.col("promise") * 500).write_parquet(path)

    page, folder = make_walk(boast)
    layout = page.charts["figures"]["curve"]["layout"]
    promised = pl.read_parquet(folder / "curve.parquet")["promise"][-1]
    assert layout["annotations"][0]["text"] == f"↑ in-sample promise, ends at {money(promised)}"
    low, high = layout["yaxis"]["range"]
    made = pl.read_parquet(folder / "curve.parquet").select("exact", "emulated", "median")
    top, bottom = (max(made.max().row(0)), min(made.min().row(0)))
    assert low <= bottom
    assert top <= high < promised
    assert (top - bottom) / (high - low) > 0.25


def test_a_curve_with_gaps_is_drawn(make_walk: MakeWalk) -> None:
    def broken(folder: Path) -> None:
        path = folder / "curve.parquet"
        at = pl.int_range(pl.len())
        values = {
            "hold": pl.when(at > 50).then(pl.col("hold")),
            "promise": pl.lit(float("nan")),
            "median": pl.when(at == 9).then(float("inf")).otherwise(pl.col("median")),
        }
        pl.read_parquet(path).with_columns(**values).write_parquet(path)

    page, _ = make_walk(broken)
    drawn = lines(page.charts["figures"]["curve"])
    assert "in-sample promise" not in drawn
    assert np.isnan(numbers(drawn["buy and hold"]["y"])[0])
    assert not np.isinf(numbers(drawn["median combination"]["y"])).any()


# The windows


def test_one_bar_a_span(walk_page: Page) -> None:
    inside, beyond, flat = walk_page.charts["figures"]["geometry"]["data"]
    assert inside["y"] == list(range(1, 27))
    assert beyond["y"] == [n for n in range(1, 27) if n not in (3, 9)]
    assert flat["y"] == [3, 9]


def test_purge_has_bars_of_its_own(make_walk: MakeWalk) -> None:
    page, _ = make_walk(purge=20, flat=(1,))
    data = page.charts["figures"]["geometry"]["data"]
    assert [len(trace["y"]) for trace in data] == [8, 8, 7, 1]
    texts = [text for trace in data for text in trace["text"]]
    assert sum("purge" in text for text in texts) == 8


@pytest.mark.parametrize("windows", [1, 4, 26, 100])
def test_height_is_readable_for_any_number(make_walk: MakeWalk, windows: int) -> None:
    page, _ = make_walk(windows=windows, out_of_sample=30, matrix=None)
    figure = page.charts["figures"]["geometry"]
    rows = figure["layout"]["height"] - 66
    assert 6 <= rows / windows <= 18
    assert rows <= 640
    assert len(figure["layout"]["yaxis"]["tickvals"]) <= 20


@given(
    st.integers(1, 30), st.integers(1, 40), st.integers(1, 20), st.integers(0, 5), st.booleans()
)
def test_out_of_sample_bars_tile_the_period(
    windows: int, inside: int, beyond: int, purge: int, anchored: bool
) -> None:
    days = [
        datetime(2020, 1, 1) + timedelta(days=n) for n in range(inside + purge + windows * beyond)
    ]
    starts = [inside + purge + n * beyond for n in range(windows)]
    frame = pl.DataFrame(
        {
            "window": range(1, windows + 1),
            "in_first": [days[0 if anchored else s - purge - inside] for s in starts],
            "in_last": [days[s - purge - 1] for s in starts],
            "out_first": [days[s] for s in starts],
            "out_last": [days[s + beyond - 1] for s in starts],
            "in_stop": [s - purge for s in starts],
            "out_start": starts,
            "flat": [False] * windows,
        }
    )
    bars = geometry_chart(frame).data
    out = [bar for bar in bars if "out-of-sample" in bar.text[0]]
    assert len(out) == 1
    begins = np.array(out[0].base, "datetime64[ms]")
    ends = begins + np.array(out[0].x).astype("timedelta64[ms]")
    assert begins[0] == np.datetime64(days[starts[0]], "ms")
    assert all(end == begin for end, begin in pairwise_of(ends, begins))
    assert ends[-1] == np.datetime64(days[-1], "ms")
    assert sum("purge" in bar.text[0] for bar in bars) == (purge > 0)


def pairwise_of(ends: np.ndarray, begins: np.ndarray) -> list[tuple[Any, Any]]:
    return list(zip(ends[:-1], begins[1:], strict=True))


# The gap


def test_gaps_add_up_to_the_total(walk_page: Page, walk_folder: Path) -> None:
    frame = pl.read_parquet(walk_folder / "windows.parquet")
    drawn = lines(walk_page.charts["figures"]["gap"])
    assert list(drawn) == ["position", "size", "order state", "total"]
    for name, column in (
        ("position", "gap_position"),
        ("size", "gap_size"),
        ("order state", "gap_orders"),
        ("total", "gap"),
    ):
        level = drawn[name]["y"]
        assert len(level) == len(drawn[name]["x"]) == len(frame) + 1
        assert level[0] == 0
        assert np.diff(level) == pytest.approx(frame[column].to_numpy())


# The parameter path


def test_one_chart_a_parameter(make_walk: MakeWalk) -> None:
    page, _ = make_walk(grid=TWELVE)
    figures = page.charts["figures"]
    assert [name for name in figures if name.startswith("path")] == [
        f"path-{n}" for n in range(1, 13)
    ]
    for n, values in enumerate(TWELVE.values(), start=1):
        assert figures[f"path-{n}"]["layout"]["yaxis"]["range"] == [-0.5, len(values) - 0.5]


def test_path_is_the_choice_and_breaks_where_flat(walk_page: Page, walk_folder: Path) -> None:
    frame = pl.read_parquet(walk_folder / "windows.parquet")
    trace = walk_page.charts["figures"]["path-1"]["data"][0]
    places = [None if flat else value - 5 for flat, value in frame["flat", "xbar"].rows()]
    assert trace["y"][::2] == trace["y"][1::2] == places
    assert trace["y"].count(None) == 4
    ends = list(pairwise([*trace["x"][::2], trace["x"][-1]]))
    assert [(a, b) for a, b in zip(trace["x"][::2], trace["x"][1::2], strict=True)] == ends


def test_fixed_parameters_have_no_path(make_walk: MakeWalk) -> None:
    page, _ = make_walk(grid=THREE)
    drawn = [name for name in page.charts["figures"] if name.startswith("path")]
    assert len(drawn) == sum(len(values) > 1 for values in THREE.values())
    sides = page.charts["figures"]["path-3"]["layout"]["yaxis"]["ticktext"]
    assert sides == ["long", "both"]


def test_a_single_window_is_a_level_line(make_walk: MakeWalk) -> None:
    page, _ = make_walk(windows=1)
    trace = page.charts["figures"]["path-1"]["data"][0]
    assert len(trace["x"]) == 2
    assert trace["x"][0] < trace["x"][1]


# The matrix


def test_cells_are_the_files(walk_page: Page, walk_folder: Path) -> None:
    frame = pl.read_parquet(walk_folder / "matrix.parquet")
    heat, dot = walk_page.charts["figures"]["matrix"]["data"]
    z = numbers(heat["z"])
    assert z.shape == (3, 4)
    expected = frame.sort("out_of_sample", "in_sample")["oos_per_year"].to_numpy()
    assert z.ravel() == pytest.approx(expected)
    assert dot["x"][0] == pytest.approx(1, abs=0.5)
    assert dot["y"][0] == pytest.approx(1, abs=0.5)


def test_every_block_is_outlined_and_the_largest_more(walk_page: Page, walk_folder: Path) -> None:
    frame = pl.read_parquet(walk_folder / "matrix.parquet").filter(pl.col("passes"))
    shapes = walk_page.charts["figures"]["matrix"]["layout"]["shapes"]
    assert len(shapes) == 2 * frame["block"].n_unique(), "a dark line over a pale one"
    widths = [shape["line"]["width"] for shape in shapes[1::2]]
    assert sorted(widths)[:-1] == [1.2] * (frame["block"].n_unique() - 1)
    assert widths[-1] == 4.0


def test_without_years_the_profit_is_drawn(make_walk: MakeWalk) -> None:
    def older(folder: Path) -> None:
        path = folder / "matrix.parquet"
        pl.read_parquet(path).drop("oos_per_year").write_parquet(path)

    page, folder = make_walk(older)
    z = numbers(page.charts["figures"]["matrix"]["data"][0]["z"])
    frame = pl.read_parquet(folder / "matrix.parquet").sort("out_of_sample", "in_sample")
    assert z.ravel() == pytest.approx(frame["oos_net_profit"].to_numpy())
    assert "colour and number: out-of-sample profitcells" in page.text("matrix")


def test_a_cell_without_a_result_is_blank(make_walk: MakeWalk) -> None:
    page, _ = make_walk(odd=True)
    heat = page.charts["figures"]["matrix"]["data"][0]
    z = numbers(heat["z"])
    assert np.isnan(z).sum() == 1
    assert heat["text"][0][0] == ""


def test_zero_is_in_the_middle_where_a_cell_lost(make_walk: MakeWalk) -> None:
    page, _ = make_walk()
    heat = page.charts["figures"]["matrix"]["data"][0]
    assert heat["zmin"] == -heat["zmax"]

    def winning(folder: Path) -> None:
        path = folder / "matrix.parquet"
        pl.read_parquet(path).with_columns(pl.col("oos_per_year").abs()).write_parquet(path)

    page, _ = make_walk(winning)
    assert "zmin" not in page.charts["figures"]["matrix"]["data"][0]


@given(st.floats(-1e12, 1e12))
def test_brief_money_is_short_and_near(value: float) -> None:
    text = _brief(value)
    assert len(text) <= 6 if abs(value) < 1e12 else True
    unit = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1], 1.0)
    back = float(text.replace("−", "-").rstrip("kMG")) * unit
    assert back == pytest.approx(value, rel=0.06, abs=0.51)


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=6))
def test_money_in_one_table_is_written_alike(values: list[float | None]) -> None:
    write = alike(values)
    large = any(value is not None and abs(value) >= 1000 for value in values)
    assert write(12.345) == ("12" if large else "12.35" if write(12.345) == "12.35" else "12.34")
