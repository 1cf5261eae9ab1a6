"""`meseta walkforward project.yaml`: what it prints, writes and ends with."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call, Start

GOOD = """
symbols: {NDX: "sample:nasdaq", SPX: "sample:sp500"}
strategies: {xbar: {grid: {xbar: [5, 20]}}}
options: {in_sample: 756, out_of_sample: 504, capital: 100000}
"""
MIXED = GOOD.replace("symbols: {", "symbols: {GONE: gone.csv, LOST: lost.csv, ")


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "pair.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_it_says_what_it_does_and_what_it_found(
    meseta: Call, project: Path, tmp_path: Path
) -> None:
    made = meseta("walkforward", project, "--no-report")
    assert made.code == 0, made
    assert "Members  2 (2 symbols, 1 bar size, 1 strategy), 4 combinations in all" in made.out
    assert re.search(r"^NDX +as is +xbar +2 +\d+ +\d{4}-\d\d-\d\d +-$", made.out, re.MULTILINE)
    folder = tmp_path / "runs" / "pair"
    results = pl.read_parquet(folder / "results.parquet")
    profit = results["net_profit"][0]
    assert re.search(rf"^NDX +as is +xbar +{profit:,.0f} +exact +", made.out, re.MULTILINE), (
        made.out
    )
    won = int((results["net_profit"] > 0).sum())
    assert f"Made money                {won} of 2 members" in made.out
    held = read(folder)["portfolio"]
    assert f"Portfolio a year          {held['per_year']:,.0f} over" in made.out
    assert "selected on out-of-sample results" in made.out
    assert "Done in" in made.out
    assert "NDX as is xbar (1 of 2): Walking forward" in made.err
    assert "50 % of the project" in made.err


def test_options_beside_the_file_are_for_all_members(
    meseta: Call, project: Path, tmp_path: Path
) -> None:
    options = ("--in", 500, "--capital", 5000, "--runs", tmp_path / "made", "--name", "other")
    made = meseta("walkforward", project, "--no-report", *options)
    assert made.code == 0, made
    told = read(tmp_path / "made" / "other")
    assert [each["config"]["in_sample"] for each in told["members"]] == [500, 500]
    assert told["portfolio"]["target"] == 500
    assert told["name"] == "other"


def test_failures_end_with_one_and_name_the_members(
    meseta: Call, project: Path, tmp_path: Path
) -> None:
    project.write_text(MIXED, encoding="utf-8")
    made = meseta("walkforward", project, "--no-report")
    assert made.code == 1, made
    assert re.search(r"^GONE +as is +xbar +- +- +- +fails$", made.out, re.MULTILINE)
    assert re.search(r"^Failed: GONE as is xbar: .*No such file", made.out, re.MULTILINE)
    assert "2 of 4 members failed: GONE as is xbar, LOST as is xbar." in made.err
    assert made.err.rstrip().endswith("--resume")
    folder = tmp_path / "runs" / "pair"
    assert pl.read_parquet(folder / "results.parquet")["status"].to_list() == [
        "failed", "failed", "finished", "finished",
    ]  # fmt: skip
    assert (folder / "portfolio.parquet").exists()


def test_members_of_one_reason_share_a_line(meseta: Call, project: Path) -> None:
    text = MIXED.replace("strategies: {", "strategies: {ma_cross: {grid: {fast: 5}}, ")
    project.write_text(text, encoding="utf-8")
    made = meseta("walkforward", project, "--no-report")
    assert "Cannot be done: GONE as is ma_cross, GONE as is xbar: " in made.out


def test_a_finished_project_is_in_the_way(meseta: Call, project: Path) -> None:
    assert meseta("walkforward", project, "--no-report").code == 0
    again = meseta("walkforward", project, "--no-report")
    assert again.code == 1
    assert "holds this project already; --resume runs what is unfinished" in again.err
    resumed = meseta("walkforward", project, "--no-report", "--resume")
    assert resumed.code == 0, resumed
    assert len(re.findall(r"finished, kept$", resumed.out, re.MULTILINE)) == 2
    assert "Walking forward" not in resumed.err
    forced = meseta("walkforward", project, "--no-report", "--force")
    assert forced.code == 0, forced
    assert "SPX as is xbar (2 of 2): Walking forward" in forced.err


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (GOOD + "sizes: 1d", (), "a project has no `sizes`; did you mean bar_sizes?"),
        (GOOD, ("--strategy", "xbar"), "`strategy` must not be given beside a project file"),
        (GOOD, ("--keep", 0), "NDX as is xbar: `keep` must be"),
        ("strategies: xbar", (), "`symbols` must map names to a data file"),
    ],
)
def test_a_wrong_file_or_option_ends_with_two_before_anything_is_written(
    meseta: Call, project: Path, tmp_path: Path, text: str, options: tuple[Any], message: str
) -> None:
    project.write_text(text, encoding="utf-8")
    made = meseta("walkforward", project, *options)
    assert made.code == 2, made
    assert message in made.err
    assert not (tmp_path / "runs").exists()


def test_an_interrupted_project_is_continued(
    start: Start, meseta: Call, project: Path, tmp_path: Path, home: Path
) -> None:
    many = "slow: {strategy: ma_cross, grid: {fast: {min: 2, max: 60, step: 1}, "
    many += "slow: {min: 61, max: 160, step: 1}, stop_ranges: 3}}, "
    text = GOOD.replace("strategies: {xbar", "strategies: {xbar: {grid: {xbar: [5]}}, " + many)
    text = text.replace("stop_ranges: 3}}, : {grid: {xbar: [5, 20]}}", "stop_ranges: 3}}")
    project.write_text(text, encoding="utf-8")
    options = ("--no-report", "--threads", 1)
    process = start("walkforward", project, *options, cwd=tmp_path, home=home)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("NDX as is slow (2 of 4): Walking forward"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, (out, err)
    assert "What was finished is kept. Continue with:" in err
    assert err.rstrip().endswith("--threads 1 --resume")
    told = read(tmp_path / "runs" / "pair")
    assert told["status"] == "running"
    statuses = [each["status"] for each in told["members"]]
    assert statuses == ["finished", "running", "waiting", "waiting"]
    made = meseta("walkforward", project, *options, "--resume")
    assert made.code == 0, made
    assert re.search(r"^NDX +as is +xbar .* finished, kept$", made.out, re.MULTILINE)
    assert re.search(r"^NDX +as is +slow .* continues$", made.out, re.MULTILINE)
    assert "NDX as is xbar (1 of 4)" not in made.err
    assert read(tmp_path / "runs" / "pair")["status"] == "finished"
