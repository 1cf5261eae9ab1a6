"""The page of a project, from invented folders."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from page_reader import Page

from meseta.errors import RunError
from meseta.pipeline._portfolio import Holding, portfolio_of, summary_of
from meseta.pipeline._project_results import results_table
from meseta.report import write_project_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAYS = np.arange("2015-01-05", "2020-01-01", dtype="datetime64[D]").astype(np.int64)
PROFITS = (5000.0, -2500.0, 800.0)
NAMES = ("CL", "QQQ", "SPY")


def member(symbol: str, status: str = "finished", error: str | None = None) -> dict[str, Any]:
    return {
        "name": f"{symbol}-1d-xbar",
        "symbol": symbol,
        "bar_size": "1d",
        "strategy": "xbar",
        "status": status,
        "error": error,
    }


def manifest_of(profit: float) -> dict[str, Any]:
    """What a member's own manifest says, as far as a project reads it."""
    return {
        "grid": {"searched": 28},
        "windows": {
            "count": 9,
            "flat": 1,
            "first_out": "2015-01-05T00:00:00",
            "stop": "2019-12-31T00:00:00",
        },
        "summary": {
            "emulated_profit": profit + 100,
            "exact_profit": profit,
            "emulated_drawdown": 50.0,
            "exact_drawdown": 1500.0,
            "winning": 0.5,
            "trades": 77,
            "median_profit": 1000.0,
            "hold_profit": 900.0,
        },
        "efficiency": {"annualised": {"exact": 0.4, "emulated": 0.5}},
        "gap": {"share": -0.02},
        "path": {"near_median": 0.25},
        "results_hash": f"hash{profit}",
    }


def write(folder: Path, members: list[dict[str, Any]], **changes: Any) -> None:
    """Write a project's folder; the first three symbols have results."""
    finished = [each for each in members if each["status"] == "finished"]
    for each, profit in zip(finished, PROFITS, strict=False):
        (folder / each["name"]).mkdir(parents=True)
        text = json.dumps(manifest_of(profit))
        (folder / each["name"] / "manifest.json").write_text(text, encoding="utf-8")
    table = results_table(members, folder)
    table.write_parquet(folder / "results.parquet")
    told: dict[str, Any] = {
        "name": "invented",
        "status": "finished",
        "version": "9.9",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "meseta walkforward invented.yaml",
        "file": "/data/invented.yaml",
        "risk": 0.1,
        "capital": 100_000.0,
        "members": members,
        "environment": {"numba": "1.2"},
        "timings": {"seconds": 12.5},
        "results_hash": "abc123",
        "summary": {
            "members": len(members),
            "finished": len(finished),
            "failed": len(members) - len(finished),
            "made_money": 2,
            "beat_median": 1,
            "beat_hold": 1,
        },
        "portfolio": _portfolio(folder, [each["name"] for each in finished]),
    }
    (folder / "project.json").write_text(json.dumps(told | changes), encoding="utf-8")


def _portfolio(folder: Path, names: list[str]) -> dict[str, Any] | None:
    if not names:
        return None
    rng = np.random.default_rng(7)
    made = [
        Holding(
            name, DAYS[200 * k :], rng.normal(5, 60, len(DAYS) - 200 * k), np.zeros(1, np.int64),
            np.array([1000.0]),
        )
        for k, name in enumerate(names)
    ]  # fmt: skip
    curve = portfolio_of(made, 10_000.0)
    curve.write_parquet(folder / "portfolio.parquet")
    held = {
        each.name: {
            "curve": "exact",
            "first": str(np.datetime64(int(each.days[0]), "D")),
            "last": str(np.datetime64(int(each.days[-1]), "D")),
            "net_profit": float(curve[each.name][-1]),
            "deviation": 3210.0,
            "least_deviation": 900.0,
            "most_deviation": 1100.0,
        }
        for each in made
    }
    return summary_of(curve, 10_000.0) | {"members": held, "left_out": []}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Page]:
    def made(members: list[dict[str, Any]] | None = None, **changes: Any) -> Page:
        given = [member(name) for name in NAMES] if members is None else members
        write(tmp_path, given, **changes)
        return Page(write_project_report(tmp_path).read_text(encoding="utf-8"))

    return made


def test_the_verdict_comes_first(make: Callable[..., Page]) -> None:
    page = make()
    said = page.text("verdict")
    assert "2 of 3 members made money out-of-sample." in said
    assert "1 of 3 members made more than the median combination of their grid, 1 more" in said
    assert "The middle member made 800.00, all together 3,300" in said
    assert page.html.index('id="verdict"') < page.html.index('id="portfolio"')


def test_it_warns_of_choosing_and_of_picking(make: Callable[..., Page]) -> None:
    said = make().text("verdict")
    assert "Choosing added nothing. 1 of 3 members made more" in said
    assert "Whoever picks CL 1d xbar (5,000) has selected on out-of-sample results" in said
    assert "the best of 3 is high by luck alone" in said


def test_choosing_that_helped_in_most_is_not_doubted(make: Callable[..., Page]) -> None:
    summary = {"members": 3, "finished": 3, "made_money": 3, "beat_median": 2, "beat_hold": 0}
    assert "Choosing added nothing" not in make(summary=summary).text("verdict")


def test_the_table_has_every_member_in_the_files_order(make: Callable[..., Page]) -> None:
    rows = make().table("Median comb.")
    assert [row[0] for row in rows[1:]] == ["CL 1dxbar", "QQQ 1dxbar", "SPY 1dxbar"]
    assert rows[1][1:8] == [
        "5,000exact", "1,000", "900.00", "1,500", "0.40", "50\u202f%of 9, 1 flat", "77",
    ]  # fmt: skip
    assert rows[2][1] == "−2,500exact"
    assert rows[1][8:] == ["25\u202f%", "−2\u202f%", "2015-01-05to 2019-12-31"]


def test_members_with_a_page_are_linked(make: Callable[..., Page], tmp_path: Path) -> None:
    make()
    (tmp_path / "QQQ-1d-xbar" / "report.html").write_text("x", encoding="utf-8")
    page = Page(write_project_report(tmp_path).read_text(encoding="utf-8"))
    links = [a["href"] for tag, a in page.tags if tag == "a" and "report" in (a["href"] or "")]
    assert links == ["QQQ-1d-xbar/report.html"]


def test_the_picture_is_of_the_portfolio_and_its_members(
    make: Callable[..., Page], tmp_path: Path
) -> None:
    page = make()
    curve = pl.read_parquet(tmp_path / "portfolio.parquet")
    traces = page.charts["figures"]["portfolio"]["data"]
    assert len(traces) == 3 + 2  # members, portfolio, drawdown
    ends = [numbers(trace["y"])[-1] for trace in traces]
    assert ends[:3] == pytest.approx(
        sorted((curve[f"{name}-1d-xbar"][-1] for name in NAMES), key=lambda x: -abs(x)), rel=1e-5
    )
    assert ends[3] == pytest.approx(curve["portfolio"][-1], rel=1e-5)
    assert sum(ends[:3]) == pytest.approx(ends[3], rel=1e-4)
    assert min(numbers(traces[4]["y"])) == pytest.approx(-curve["drawdown"].max(), rel=1e-5)
    begins = {trace["x"][0] for trace in traces}
    assert len(begins) == 4  # each member from its first day on; the portfolio from the day before
    assert page.charts["figures"]["portfolio"]["layout"]["yaxis"]["type"] == "linear"


def numbers(values: Any) -> list[float]:
    import base64

    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return list(values)


def test_the_numbers_of_the_portfolio_are_those_of_the_file(
    make: Callable[..., Page], tmp_path: Path
) -> None:
    page = make()
    held = json.loads((tmp_path / "project.json").read_text())["portfolio"]
    facts = page.text("portfolio")
    assert f"Deviation, a year{held['deviation']:,.0f}" in facts
    month = held["worst_month"]
    assert month["month"] in facts
    assert "10,000 a year (10.0\u202f% of the capital)" in facts
    rows = page.table("Profit in it")
    assert [row[0] for row in rows[1:]] == ["CL 1d xbar", "QQQ 1d xbar", "SPY 1d xbar"]
    assert rows[1][2:6] == ["3,210", "900", "1,100", "exact"]


def test_failures_are_listed_with_their_reasons(make: Callable[..., Page]) -> None:
    members = [
        member("CL"),
        member("GONE", "failed", "cannot read gone.csv: <b>No such file</b>"),
        member("LOST", "failed", "cannot read gone.csv: <b>No such file</b>"),
        member("ODD", "fault", "meseta has a fault: KeyError: 'x'"),
    ]
    page = make(members)
    said = page.text("failed")
    assert "GONE 1d xbar, LOST 1d xbarcannot read gone.csv: <b>No such file</b>" in said
    assert "ODD 1d xbar (a fault of the program)meseta has a fault: KeyError" in said
    assert "3 members of 4 failed." in page.text("verdict")
    assert len(page.table("Median comb.")) == 2


def test_a_project_in_which_nothing_finished_says_so(make: Callable[..., Page]) -> None:
    page = make([member("GONE", "failed", "no file")])
    assert "No member finished, so there is no result." in page.text("verdict")
    assert "there is no portfolio" in page.text("portfolio")
    assert "No member finished." in page.text("members")


def test_an_interrupted_project_is_told_apart(tmp_path: Path) -> None:
    told = {"name": "cut", "status": "running", "members": [member("CL", "waiting")]}
    (tmp_path / "project.json").write_text(json.dumps(told), encoding="utf-8")
    page = Page(write_project_report(tmp_path).read_text(encoding="utf-8"))
    assert "1 member not finished. The project was interrupted" in page.text("verdict")


def test_more_deviation_than_shared_out_is_said(make: Callable[..., Page], tmp_path: Path) -> None:
    make()
    held = json.loads((tmp_path / "project.json").read_text())
    held["portfolio"] |= {"deviation": 14_000.0, "left_out": ["SPY-1d-xbar"]}
    (tmp_path / "project.json").write_text(json.dumps(held), encoding="utf-8")
    said = Page(write_project_report(tmp_path).read_text(encoding="utf-8")).text("verdict")
    assert "The portfolio deviated more than was shared out. 14,000 a year instead of" in said
    assert "1 member not in the portfolio. SPY-1d-xbar: no in-sample deviation" in said


def test_the_assumptions_are_stated(make: Callable[..., Page]) -> None:
    said = make().text("reading")
    for text in ("Correlations are not used.", "Sizes are not whole.", "not reinvested"):
        assert text in said


def test_nothing_is_loaded_and_nothing_is_trusted(make: Callable[..., Page]) -> None:
    page = make(
        [member("<script>alert(1)</script>"), member("b&b")], name="<img src=http://example.org>"
    )
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        assert not re.match(r"https?:|//", attributes.get("href") or "")
    scripts = [a for tag, a in page.tags if tag == "script"]
    assert len(scripts) == 3
    assert "alert(1)</script>" not in page.html


@pytest.mark.parametrize("text", ["{", "[]", '{"members": 3}'])
def test_a_damaged_folder_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "project.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"is damaged.*--resume|is damaged"):
        write_project_report(tmp_path)


def test_a_folder_that_holds_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no project's folder: it has no project\.json"):
        write_project_report(tmp_path)


def test_the_table_keeps_its_types_where_nothing_finished(tmp_path: Path) -> None:
    table = results_table([member("GONE", "failed", "no")], tmp_path)
    assert table.schema["first_out"] == pl.Datetime("us")
    assert table.schema["net_profit"] == pl.Float64
    assert table["first_out"].to_list() == [None]
    write(tmp_path, [member("CL")])
    full = pl.read_parquet(tmp_path / "results.parquet")
    assert full.schema == table.schema
    assert full["first_out"][0] == datetime(2015, 1, 5)
