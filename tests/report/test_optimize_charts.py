"""Charts of a study: every trial, lot and fall is where the files say."""

from __future__ import annotations

import base64
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimize_world import StudyRecipe, parts, write_study
from page_reader import Page
from run_files import read

from meseta.report import write_optimize_report
from meseta.report._format import count, money
from meseta.report._optimize_lines import picked
from meseta.report._optimize_sections import _front

if TYPE_CHECKING:
    from pathlib import Path

FLOWS = {"realised": 1, "unrealised": 1, "fees": -1, "funding": -1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study long enough for its equity to be thinned; tests must not change it."""
    recipe = StudyRecipe(trials=150, bars=12_000, pruned=6, failed=4, windows=4)
    path = write_study(tmp_path_factory.mktemp("runs") / "study", recipe)
    write_optimize_report(path)
    return path


@pytest.fixture(scope="module")
def charts(folder: Path) -> dict[str, Any]:
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    figures: dict[str, Any] = page.charts["figures"]
    return figures


@pytest.fixture(scope="module")
def trials(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "trials.parquet")


@pytest.fixture(scope="module")
def scored(trials: pl.DataFrame) -> pl.DataFrame:
    return trials.filter(pl.col("score").is_not_null())


@pytest.fixture(scope="module")
def equity(folder: Path) -> dict[str, pl.DataFrame]:
    return parts(pl.read_parquet(folder / "equity.parquet"))


def numbers(value: Any) -> np.ndarray:
    """An array as Plotly writes it: a list, or bytes."""
    if not isinstance(value, dict):
        return np.array(value, dtype=float)
    return np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"])).astype(float)


def traces(figure: dict[str, Any], words: str) -> list[dict[str, Any]]:
    """Traces of which the pointer shows these words."""
    return [t for t in figure["data"] if words in str(t.get("hovertemplate", ""))]


def best_of(folder: Path) -> int:
    return int(read(folder / "summary.json")["best"]["trial"])


# History, slices


def test_history_has_every_trial(
    charts: dict[str, Any], trials: pl.DataFrame, scored: pl.DataFrame
) -> None:
    figure = charts["history"]
    for words, wanted in ((", feasible", True), (", infeasible", False)):
        (trace,) = traces(figure, words)
        frame = scored.filter(pl.col("feasible") == wanted)
        assert numbers(trace["x"]).tolist() == frame["number"].to_list()
        assert numbers(trace["y"]) == pytest.approx(frame["score"].to_numpy(), abs=1e-4)
    for state in ("pruned", "failed"):
        (trace,) = traces(figure, f": {state}")
        assert trace["x"] == trials.filter(state=state)["number"].to_list()


def test_the_best_so_far_never_falls(
    charts: dict[str, Any], scored: pl.DataFrame, folder: Path
) -> None:
    (trace,) = traces(charts["history"], "best feasible so far")
    level = numbers(trace["y"])
    assert all(a <= b for a, b in pairwise(level))
    top = scored.filter("feasible")["score"].max()
    assert level[-1] == pytest.approx(top, abs=1e-4)
    (star,) = traces(charts["history"], ", the best")
    assert numbers(star["x"]).tolist() == [best_of(folder)]


def test_every_parameter_has_its_slice(charts: dict[str, Any], scored: pl.DataFrame) -> None:
    names = [c.removeprefix("param_") for c in scored.columns if c.startswith("param_")]
    drawn = [charts[f"slice-{number}"] for number in range(1, len(names) + 1)]
    assert f"slice-{len(names) + 1}" not in charts
    for name in names:
        (figure,) = [f for f in drawn if traces(f, f"<br>{name} %")]
        values = np.concatenate([numbers(t["x"]) for t in traces(figure, "feasible")])
        assert np.sort(values) == pytest.approx(
            scored[f"param_{name}"].sort().to_numpy(), rel=1e-6
        )


def test_importance_is_ordered(charts: dict[str, Any], folder: Path) -> None:
    frame = pl.read_parquet(folder / "importance.parquet").sort("importance", descending=True)
    (bars,) = charts["importance"]["data"]
    assert list(bars["y"]) == frame["name"].to_list()
    assert numbers(bars["x"]) == pytest.approx(100 * frame["importance"].to_numpy())


def test_null_markets_and_the_real_one(charts: dict[str, Any], folder: Path) -> None:
    null = read(folder / "summary.json")["null"]
    (dots,) = charts["null"]["data"]
    assert numbers(dots["x"]) == pytest.approx(null["best_scores"])
    assert charts["null"]["layout"]["shapes"][0]["x0"] == null["score"]


# Parallel coordinates


def lines(figure: dict[str, Any], axes: int) -> list[np.ndarray]:
    """Each trace's lines, (trials, axes); every one must end in a gap."""
    found = []
    for trace in figure["data"]:
        y = numbers(trace["y"]).reshape(-1, axes + 1)
        assert np.isnan(y[:, -1]).all()
        assert not np.isnan(y[:, :-1]).any()
        found.append(y[:, :-1])
    return found


def test_every_trial_is_a_line(charts: dict[str, Any], scored: pl.DataFrame, folder: Path) -> None:
    figure = charts["lines"]
    brush = figure["layout"]["meta"]["brush"]
    names = figure["layout"]["xaxis"]["ticktext"]
    assert brush["axes"] == len(names) == 18
    assert names[-1] == "score"
    drawn = lines(figure, brush["axes"])
    whole = np.concatenate(drawn[: brush["traces"]])
    assert len(whole) == len(scored)
    assert len(drawn[brush["traces"]]) == 0, "the trace that the script fills"
    for at, name in enumerate(names):
        values = scored["score" if name == "score" else f"param_{name}"].to_numpy()
        places = (values - values.min()) / np.ptp(values)
        assert np.sort(whole[:, at]) == pytest.approx(np.sort(places), abs=1e-6)
    best = scored.filter(number=best_of(folder))
    assert drawn[-1][0, -1] == pytest.approx(1.0)
    assert len(drawn[-1]) == len(best) == 1


def test_the_best_tenth_stands_out(charts: dict[str, Any], scored: pl.DataFrame) -> None:
    chosen = picked(scored)
    feasible = scored.filter("feasible").sort("score", descending=True)
    assert chosen.numbers == feasible["number"].head(-(-len(scored) // 10)).to_list()
    titles = {text.split(",")[0] for text in charts["lines"]["data"][8]["text"] if text}
    assert titles == {f"trial {count(number)}" for number in chosen.numbers}


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
)
@settings(max_examples=25)
def test_no_trial_that_stands_out_is_worse_than_one_that_does_not(
    drawn: list[tuple[float, bool]],
) -> None:
    frame = pl.DataFrame(drawn, schema=["score", "feasible"], orient="row").with_row_index(
        "number"
    )
    chosen = picked(frame)
    of = frame.filter("feasible") if chosen.feasible else frame
    inside = of.filter(pl.col("number").is_in(chosen.numbers))
    outside = of.filter(~pl.col("number").is_in(chosen.numbers))
    assert len(inside) == min(len(of), max(5, -(-len(frame) // 10)))
    if len(outside):
        assert inside["score"].min() >= outside["score"].max()  # type: ignore[operator]


# Return and drawdown


def test_return_and_drawdown_of_every_trial(charts: dict[str, Any], trials: pl.DataFrame) -> None:
    done = trials.filter(state="complete")
    for words, wanted in (("feasible", True), ("infeasible", False)):
        (trace,) = [
            t for t in charts["pareto"]["data"] if t.get("text") and f", {words}<" in t["text"][0]
        ]
        frame = done.filter(pl.col("feasible") == wanted)
        assert numbers(trace["x"]) == pytest.approx(
            100 * frame["max_drawdown"].to_numpy(), abs=1e-3
        )
        assert numbers(trace["y"]) == pytest.approx(
            100 * frame["total_return"].to_numpy(), abs=1e-3
        )
        assert numbers(trace["marker"]["color"]) == pytest.approx(frame["sharpe"].to_numpy())


def test_colours_have_a_scale_whoever_is_feasible(charts: dict[str, Any], tmp_path: Path) -> None:
    write_optimize_report(
        write_study(tmp_path, StudyRecipe(trials=20, bars=600, edge=-2.2, few=True))
    )
    other = Page((tmp_path / "report.html").read_text(encoding="utf-8")).charts["figures"]
    for figure in (charts["pareto"], other["pareto"]):
        scales = [t for t in figure["data"] if t.get("marker", {}).get("showscale")]
        assert [len(t["x"]) > 0 for t in scales] == [True]


@given(
    st.lists(
        st.tuples(st.integers(0, 8).map(float), st.integers(-5, 5).map(float)),
        min_size=1,
        max_size=25,
    )
)
@settings(max_examples=40)
def test_the_front_is_what_nothing_beats(drawn: list[tuple[float, float]]) -> None:
    frame = pl.DataFrame(
        drawn, schema=["max_drawdown", "total_return"], orient="row"
    ).with_row_index("number")
    front = [drawn[number] for number in _front(frame)]
    unbeaten = {
        (fall, made)
        for fall, made in drawn
        if not any(f <= fall and m >= made and (f, m) != (fall, made) for f, m in drawn)
    }
    assert set(front) == unbeaten
    assert len(front) == len(unbeaten)


# Equity


def test_the_two_sides_are_two_lines(
    charts: dict[str, Any], equity: dict[str, pl.DataFrame]
) -> None:
    for words, part in (("equity, in-sample", "in-sample"), ("equity, vault", "out-of-sample")):
        (trace,) = traces(charts["equity"], words)
        frame, level = equity[part], numbers(trace["y"])
        assert [level[0], level[-1]] == pytest.approx(
            [frame["equity"][0], frame["equity"][-1]], rel=1e-6
        )
        assert datetime.fromisoformat(trace["x"][0]) == frame["time"][0]
        assert datetime.fromisoformat(trace["x"][-1]) == frame["time"][-1]
        assert level.min() == pytest.approx(frame["equity"].min(), rel=1e-6)
        assert level.max() == pytest.approx(frame["equity"].max(), rel=1e-6)
        assert len(level) < len(frame) / 3


def test_thinning_hides_no_drawdown(
    charts: dict[str, Any], equity: dict[str, pl.DataFrame]
) -> None:
    falls = [-numbers(t["y"]).min() for t in traces(charts["equity"], "drawdown")]
    true = [
        float((np.maximum.accumulate(level) - level).max())
        for level in (equity[part]["equity"].to_numpy() for part in ("in-sample", "out-of-sample"))
    ]
    assert falls == pytest.approx(true, rel=1e-5)


def test_the_vault_is_shaded_from_its_first_bar(
    charts: dict[str, Any], equity: dict[str, pl.DataFrame]
) -> None:
    for name in ("equity", "money"):
        bands = [s for s in charts[name]["layout"]["shapes"] if s["type"] == "rect"]
        assert len(bands) == 2
        first, last = (equity["out-of-sample"]["time"][at] for at in (0, -1))
        ends = [datetime.fromisoformat(bands[1][end]) for end in ("x0", "x1")]
        assert ends == [first, last]


def test_the_money_adds_up(
    charts: dict[str, Any], equity: dict[str, pl.DataFrame], folder: Path
) -> None:
    profits = traces(charts["money"], "profit<")
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    rows = page.table("Unrealised at the end")[1:]
    for trace, row, frame in zip(profits, rows, equity.values(), strict=True):
        last = frame.row(-1, named=True)
        made = sum(sign * last[name] for name, sign in FLOWS.items())
        assert numbers(trace["y"])[-1] == pytest.approx(made, rel=1e-4)
        assert made == pytest.approx(last["equity"] - 10_000.0, abs=1e-6)
        assert row[1:] == [*(money(last[name]) for name in FLOWS), money(made)]


def test_open_lots_are_counted(charts: dict[str, Any], folder: Path) -> None:
    lots = pl.read_parquet(folder / "lots.parquet").filter(part="in-sample")
    for side, sign in (("long", 1), ("short", -1)):
        trace = traces(charts["equity"], f"{side} lots")[0]
        of = lots.filter(side=side)
        held = sign * numbers(trace["y"])
        for at in range(0, len(held), 97):
            now = datetime.fromisoformat(trace["x"][at])
            assert held[at] == ((of["entry_time"] <= now) & (of["exit_time"] > now)).sum()


def test_lots_are_tallied_by_part(folder: Path) -> None:
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    lots = parts(pl.read_parquet(folder / "lots.parquet"))
    tables = [table for table in page.tables if "Side and exit" in table[0]]
    for table, frame in zip(tables, lots.values(), strict=True):
        rows = {row[0].replace("\n", " ").split("the ")[0].strip(): row for row in table[1:]}
        for key, of in (("Long", {"side": "long"}), ("stop-loss", {"reason": "stop-loss"})):
            part = frame.filter(**of)
            assert rows[key][1] == count(len(part))
            assert rows[key][3] == money(part["net"].sum())


# Walk-forward


def test_every_window_has_four_marks(charts: dict[str, Any], folder: Path) -> None:
    frame = pl.read_parquet(folder / "windows.parquet")
    for side, words in (("in", "in-sample"), ("out", "out-of-sample")):
        for warm in (True, False):
            (trace,) = traces(charts["windows"], f"{words}, {'warm' if warm else 'cold'} start")
            part = frame.filter(warm=warm).sort("window")
            assert numbers(trace["y"]) == pytest.approx(part[f"{side}_sharpe"].to_numpy())
    curves = pl.read_parquet(folder / "windows_curve.parquet")
    for warm, words in ((True, "warm start<"), (False, "cold start<")):
        (trace,) = traces(charts["windows-curve"], words)
        level = curves.filter(warm=warm)["equity"]
        assert numbers(trace["y"])[-1] == pytest.approx(level[-1], rel=1e-6)
        assert numbers(trace["y"]).min() == pytest.approx(level.min(), rel=1e-6)
