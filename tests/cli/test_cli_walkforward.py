"""`meseta walkforward` and `meseta matrix`: what they print, write and refuse."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call, Start

SMALL = (
    "walkforward", "--strategy", "xbar", "--bars", "sample:nasdaq", "--grid", "small.yaml",
    "--capital", 1_000_000, "--in", 1000, "--out", 500,
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(home: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("xbar: [3, 8, 21]\n", encoding="utf-8")


def test_a_walk_is_printed_and_written(meseta: Call, tmp_path: Path) -> None:
    made = meseta(*SMALL, "--matrix", "500,1000x250,500", "--name", "first")
    assert made.code == 0, made
    folder = tmp_path / "runs" / "first"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["command"].startswith("meseta walkforward") or manifest["command"]
    profit = manifest["summary"]["exact_profit"]
    assert f"{profit:,.0f} (exact)" in made.out
    windows = pl.read_parquet(folder / "windows.parquet")
    rows = [line.split() for line in made.out.splitlines() if re.match(r"\d+\*? +\d{4}-", line)]
    assert [row[3] for row in rows] == [str(flat) for flat in windows["combination"]]
    assert rows[-1][0].endswith("*")
    assert f"{manifest['matrix']['passing']} of 4 cells pass" in made.out
    assert (folder / "report.html").stat().st_size > 100_000
    assert "Walking forward" in made.err


def test_the_matrix_is_judged_again_without_a_run(meseta: Call, tmp_path: Path) -> None:
    meseta(*SMALL, "--matrix", "500,1000x250,500", "--name", "again")
    folder = tmp_path / "runs" / "again"
    before = (folder / "windows.parquet").read_bytes()
    loose = ("--min-profit", -1e9, "--min-efficiency", -99, "--min-winning", 0,
             "--min-profit-to-drawdown", -99)  # fmt: skip
    made = meseta("matrix", "again", *loose)
    assert made.code == 0, made
    assert "4 of 4 cells pass, 4 of them connected" in made.out
    assert pl.read_parquet(folder / "matrix.parquet")["block"].to_list() == [1, 1, 1, 1]
    assert (folder / "windows.parquet").read_bytes() == before
    assert json.loads((folder / "manifest.json").read_text())["matrix"]["passing"] == 4
    made = meseta("matrix", "again", "--min-cell-trades", 100_000)
    assert "0 of 4 cells pass, 0 of them connected" in made.out


def test_a_run_without_a_matrix_has_none_to_judge(meseta: Call) -> None:
    meseta(*SMALL, "--name", "plain", "--no-report")
    made = meseta("matrix", "plain")
    assert made.code == 1
    assert "is no finished walk-forward with a matrix" in made.err


def test_the_report_is_made_when_it_is_asked_for(meseta: Call, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _url: True)
    meseta(*SMALL, "--name", "bare", "--no-report")
    page = tmp_path / "runs" / "bare" / "report.html"
    assert not page.exists()
    assert meseta("report", "open", "bare").code == 0
    assert "Walk-forward" in page.read_text(encoding="utf-8")


def test_a_configuration_file_and_options_over_it(meseta: Call, tmp_path: Path) -> None:
    (tmp_path / "walk.yaml").write_text(
        "bars: sample:nasdaq\ngrid: small.yaml\ncapital: 1000000.0\nin_sample: 1000\n"
        "out_of_sample: 500\nreport: false\nname: file\n",
        encoding="utf-8",
    )
    made = meseta("walkforward", "walk.yaml", "--strategy", "xbar", "--policy", "close")
    assert made.code == 0, made
    config = json.loads((tmp_path / "runs" / "file" / "manifest.json").read_text())["config"]
    assert (config["in_sample"], config["policy"]) == (1000, "close")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--fitness", "sharp"), "did you mean sharpe?"),
        (("--matrix", "5"), "`matrix` must be in-sample lengths, an x, out-of-sample lengths"),
        (("--in", 0), "`in_sample` must be greater than or equal to 1, got 0"),
        (("--point-value", 50), "belong to a fixed number of contracts"),
        (("--strategy", "xbear"), "did you mean xbar?"),
        (("--min-winning", 50), "`min_winning` is a share between 0 and 1"),
        (("--grid", "missing.yaml"), "--grid must be a named grid (default) or a YAML file"),
    ],
)
def test_wrong_options_end_with_two(meseta: Call, tmp_path: Path, options, told) -> None:
    made = meseta(*SMALL, *options)
    assert made.code == 2, made
    assert told in made.err
    assert "Traceback" not in made.err
    assert not (tmp_path / "runs").exists()


def test_too_short_a_history_ends_with_one(meseta: Call) -> None:
    made = meseta(*SMALL, "--in", 6000)
    assert made.code == 1
    assert "6,000 sessions in-sample" in made.err


def test_a_run_in_the_way(meseta: Call) -> None:
    meseta(*SMALL, "--name", "twice", "--no-report")
    made = meseta(*SMALL, "--name", "twice", "--no-report")
    assert made.code == 1
    assert "holds a finished run" in made.err
    assert meseta(*SMALL, "--name", "twice", "--no-report", "--force").code == 0


def test_help_shows_examples(meseta: Call) -> None:
    for name in ("walkforward", "matrix"):
        made = meseta(name, "--help")
        assert made.code == 0
        assert f"meseta {name} " in made.out


def test_interrupted_it_can_go_on(start: Start, meseta: Call, tmp_path: Path) -> None:
    options = (
        "walkforward", "--strategy", "ma_cross", "--bars", "sample:nasdaq", "--capital", 1_000_000,
        "--in", 1000, "--out", 500, "--no-report", "--name", "cut", "--threads", 1,
        "--grid", "wide.yaml",
    )  # fmt: skip
    (tmp_path / "wide.yaml").write_text(
        "fast: {min: 1, max: 60, step: 1}\nslow: {min: 61, max: 260, step: 2}\n"
        "stop_ranges: {min: 2, max: 8, step: 0.5}\n",
        encoding="utf-8",
    )
    process = start(*options, cwd=tmp_path, home=tmp_path / "home")
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(r"[1-9]\d* %", line):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Interrupted." in err
    assert err.rstrip().endswith("--grid wide.yaml --resume")
    tiles = list((tmp_path / "runs" / "cut" / "tiles").iterdir())
    assert len(tiles) > 1
    refused = meseta(*options)
    assert refused.code == 1
    assert "continue it with --resume" in refused.err
