"""`meseta run`, `demo` and `rescore`: what they print, write and refuse; the interrupt."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from meseta.bars import load

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call, Result, Start

TINY = ["run", "--bars", "sample:nasdaq", "--capital", "100000", "--min-cell", "2"]


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def write_bars(path: Path, days: int) -> Path:
    day = np.datetime64("2015-01-01") + np.arange(days)
    lines = [f"{d},100,101,99,{100 + i % 2}" for i, d in enumerate(day)]
    path.write_text("\n".join(["date,open,high,low,close", *lines]) + "\n")
    return path


class TestFinished:
    def test_it_ends_well(self, finished: tuple[Path, Result]) -> None:
        folder, made = finished
        assert made.code == 0, made
        assert manifest(folder)["status"] == "finished"
        assert manifest(folder)["command"].startswith("meseta run --bars sample:nasdaq ")
        assert (folder / "candidates.csv").is_file()

    def test_the_plan_comes_first(self, finished: tuple[Path, Result]) -> None:
        folder, made = finished
        size = manifest(folder)["grid"]["combinations"]
        assert f"tiny: {size:,} combinations of 7 searched parameters" in made.out
        assert "Variants" not in made.out
        assert f"atr_d_l: all {size:,} combinations of tiny searched" in made.out
        assert re.search(
            r"^Estimate  about .* with \d+ threads, .* of memory, ", made.out, re.MULTILINE
        )
        assert "2018-01-02 to 2018-12-31, 251 bars, never opened" in made.out
        assert "Phases (a combination must hold up in 3 of 4)" in made.out
        for phase in manifest(folder)["phases"]:
            sizes = phase["o"] - phase["a"], phase["z"] - phase["o"]
            row = f"{phase['number']} .*{phase['start'][:10]} to .* {sizes[0]} .*"
            assert re.search(rf"\n{row}to {phase['end'][:10]} +{sizes[1]}\n", made.out)

    def test_progress_is_lines_in_a_pipe(self, finished: tuple[Path, Result]) -> None:
        made = finished[1]
        lines = made.err.splitlines()
        assert lines[0] == "Searching ..."
        searched = [line for line in lines if line.startswith("Searching: ")]
        assert "288 of 288" in searched[-1]
        assert "survivors" in searched[-1]
        assert 1 <= len(searched) <= 12
        assert lines[-1] == "Writing the report ..."

    def test_pipes_have_no_control_codes(self, finished: tuple[Path, Result]) -> None:
        text = finished[1].out + finished[1].err
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
        assert not any(line != line.rstrip() for line in text.splitlines())

    def test_the_funnel_and_the_plateaus_follow(self, finished: tuple[Path, Result]) -> None:
        folder, made = finished
        funnel = manifest(folder)["funnel"]
        trades = [f"{phase['sequence']['trades']:,}" for phase in funnel["phases"]]
        assert re.search(rf"^trades +{' +'.join(trades)}$", made.out, re.MULTILINE)
        assert re.search(rf"^Stable +{funnel['stable']:,} combinations", made.out, re.MULTILINE)
        plateaus = json.loads((folder / "plateaus.json").read_text())["plateaus"]
        assert plateaus
        assert re.search(
            rf"^1 +{plateaus[0]['regime']} +{plateaus[0]['candidates']:,} ", made.out, re.MULTILINE
        )
        assert made.out.rstrip().endswith("report.html")

    def test_the_vault_is_counted(self, finished: tuple[Path, Result]) -> None:
        folder, made = finished
        assert manifest(folder)["vault"]["opened"] >= 1
        assert "The vault was opened for the " in made.out

    def test_a_finished_run_is_not_overwritten(
        self, meseta: Call, finished: tuple[Path, Result], tiny: Path
    ) -> None:
        folder = finished[0]
        before = manifest(folder)
        made = meseta(*TINY, "--grid", tiny, "--name", "tiny", "--out", folder.parent)
        assert made.code == 1
        assert "--force" in made.err
        assert manifest(folder) == before


class TestRescore:
    def test_other_gates_and_axes(
        self, meseta: Call, tiny: Path, tmp_path: Path, home: Path
    ) -> None:
        made = meseta(*TINY, "--grid", tiny, "--name", "r", "--no-report")
        assert made.code == 0, made
        folder = tmp_path / "runs" / "r"
        before = manifest(folder)
        assert not (folder / "report.html").exists()
        made = meseta("rescore", "r", "--min-trades", 4, "--axes", "atr_period, bb_deviation")
        assert made.code == 0, made
        after = manifest(folder)
        assert after["gates"]["min_trades"] == 4
        assert after["gates"]["min_efficiency"] == before["gates"]["min_efficiency"]
        assert after["selection"]["axes"] == ["atr_period", "bb_deviation"]
        assert after["vault"]["opened"] == before["vault"]["opened"] + 1
        assert "for the 2nd time" in made.out
        assert meseta("rescore", "r", "--axes", "atr_period").code == 2
        assert meseta("rescore", "r", "--min-efficiency", -1).code == 2

    def test_no_such_run(self, meseta: Call) -> None:
        made = meseta("rescore", "gone")
        assert made.code == 1
        assert "there is no run folder gone" in made.err


class TestConfiguration:
    def test_options_win_over_the_file(self, meseta: Call, tiny: Path, tmp_path: Path) -> None:
        config = tmp_path / "config.yaml"
        config.write_text(
            f"bars: sample:nasdaq\ngrid: {tiny}\ncapital: 5\nvault: 6\nmin_cell: 2\n"
            "report: false\nname: from_file\n"
            "gates: {min_efficiency: 0.2}\n"
            "phases:\n- {years_back: [6, 3], out_of_sample: 0.4}\n"
            "- {start: 2013-01-01, split: 2015-01-01, end: 2016-12-31}\n"
        )
        made = meseta("run", config, "--capital", 200_000, "--min-trades", 2, "--vault", 0)
        assert made.code == 0, made
        assert "Vault     none" in made.out
        found = manifest(tmp_path / "runs" / "from_file")
        assert found["account"]["capital"] == 200_000
        assert (found["gates"]["min_efficiency"], found["gates"]["min_trades"]) == (0.2, 2)
        assert found["vault"] is None
        assert found["phases"][1]["start"] == "2013-01-02T00:00:00"
        assert found["phases"][1]["split"] == "2015-01-02T00:00:00"
        assert found["phases"][1]["end"] == "2016-12-30T00:00:00"
        assert found["required_phases"] == 2

    def test_bars_from_standard_input(self, meseta: Call, tiny: Path, tmp_path: Path) -> None:
        bars = load("sample:nasdaq")
        text = bars.to_polars().with_columns(pl.col("time").dt.date()).write_csv()
        options = ["--capital", 100_000, "--min-cell", 2, "--grid", tiny, "--no-report"]
        made = meseta("run", "--bars", "-", *options, "--name", "piped", stdin=text.encode())
        assert made.code == 0, made
        assert "stdin, 5,031 bars of 1d" in made.out
        found = manifest(tmp_path / "runs" / "piped")
        assert found["data"]["source"] == "-"
        assert found["data"]["fingerprint"] == bars.fingerprint

    def test_phases_of_a_file(self, meseta: Call, tiny: Path, tmp_path: Path) -> None:
        (tmp_path / "p.yaml").write_text("- {years_back: [40, 3], out_of_sample: 0.4}\n")
        made = meseta(*TINY, "--grid", tiny, "--phases", "p.yaml")
        assert made.code == 2
        assert "`phases` entry 1 must lie inside the data" in made.err


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "code", "words"),
        [
            (["--bars", "gone.csv"], 1, "cannot read gone.csv"),
            (["--bars", "empty.csv"], 1, "the file is empty"),
            (["--bars", "short.csv"], 2, "`vault` must leave a history to search, got 12 months"),
            (["--bars", "short.csv", "--vault", "0"], 1, "0.54 years long (200 bars, "),
            (["--bars", "text.csv"], 1, "open is 'abc', not a number"),
            (["--bars", "unknown.csv"], 1, "no column for time"),
            (["--bars", "sample:dax"], 2, "sample:nasdaq"),
            (["--vault", "600"], 2, "got 600 months of 239.9"),
            (["--vault", "-1"], 2, "`vault` must be"),
            (["--vault", "235"], 1, "at least 1.5 years besides the vault"),
            (["--grid", "phase1slim"], 2, "did you mean phase1_slim?"),
            (["--grid", "phase1"], 2, "116,121,600 combinations, more than"),
            (["--max-combinations", "100"], 2, "--max-combinations 100"),
            (["--strategy", "atr_d_ls"], 2, "16,721,510,400 combinations, more than"),
            (["--strategy", "atr_d_ls"], 2, "--sample N"),
            (["--sample", "0"], 2, "`sample` must be greater than or equal to 1"),
            (["--sample", "9", "--max-combinations", "8"], 2, "`sample` must be at most"),
            (["--strategy", "atr_d_duals_l"], 2, "--bars sample:nasdaq-3x --bars2 sample:nasdaq"),
            (["--bars2", "sample:sp500"], 2, "not used: no second symbol is read by atr_d_l"),
            (["--strategy", "atr_d"], 2, "did you mean atr_d_l?"),
            (["--strategy", "xbar"], 2, "`strategy` 'xbar' is a kernel strategy, a loop over"),
            (["--strategy", "xbar"], 2, "Walk it forward with `meseta walkforward`"),
            (["--axes", "atr_period,period"], 2, "`axes` must be two different parameters"),
            (["--axes", "atr_period"], 2, "`axes` must be two different parameters"),
            (["--capital", "0"], 2, "`capital` must be positive"),
            (["--min-efficiency", "-0.1"], 2, "`min_efficiency` must be zero or more"),
            (["--min-cell", "0"], 2, "`min_cell` must be greater than or equal to 1"),
            (["--threads", "0"], 2, "`threads` must be greater than or equal to 1"),
            (["--warmup", "6000"], 1, "warm-up of 6000 bars"),
            (["--phases", "gone.yaml"], 2, "`phases` must be 'auto' or a YAML file"),
            (["--timezone", "Mars/Olympus"], 2, "`timezone` must be an IANA name"),
            (["--name", "a/b"], 2, "`name` must be the name of a folder"),
            (["gone.yaml"], 2, "cannot read the configuration file gone.yaml"),
        ],
    )
    def test_before_any_work(
        self, meseta: Call, tmp_path: Path, options: list[str], code: int, words: str
    ) -> None:
        short = write_bars(tmp_path / "short.csv", 200).read_text()
        (tmp_path / "empty.csv").write_text("")
        (tmp_path / "text.csv").write_text(short.replace("2015-03-01,100", "2015-03-01,abc"))
        (tmp_path / "unknown.csv").write_text("a b c\n1 2 3\n")
        given = [] if "--bars" in options else ["--bars", "sample:nasdaq"]
        made = meseta("run", *given, *options)
        assert (made.code, made.out) == (code, ""), made
        assert words in made.err
        assert "Traceback" not in made.err
        assert not (tmp_path / "runs").exists()

    def test_without_bars(self, meseta: Call) -> None:
        made = meseta("run")
        assert made.code == 2
        assert "give --bars a data file" in made.err

    def test_a_value_outside_its_range_in_a_grid(self, meseta: Call, tmp_path: Path) -> None:
        (tmp_path / "grid.yaml").write_text("atr_period: [0, 16]\n")
        made = meseta(*TINY, "--grid", "grid.yaml")
        assert made.code == 2
        assert "missing" in made.err or "`atr_period` must be" in made.err

    def test_an_unwritable_folder(self, meseta: Call, tiny: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        made = meseta(*TINY, "--grid", tiny, "--out", "file")
        assert made.code == 1
        assert "cannot write to" in made.err
        assert "Traceback" not in made.err


class TestInterrupt:
    def test_it_keeps_what_was_finished_and_resumes_to_the_same(
        self, start: Start, meseta: Call, tmp_path: Path, home: Path
    ) -> None:
        options = ["--bars", "sample:nasdaq", "--grid", "ts_coarse", "--no-report", "--threads", 1]
        process = start("run", *options, "--name", "cut", cwd=tmp_path, home=home)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Searching: "):
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 130, err
        assert "Interrupted." in err
        assert "Continue with:\n  meseta run --bars sample:nasdaq" in err
        assert err.rstrip().endswith("--name cut --resume")
        assert "Traceback" not in err
        folder = tmp_path / "runs" / "cut"
        assert manifest(folder)["status"] == "running"
        assert list((folder / "tiles").glob("*.tile"))

        assert meseta("run", *options, "--name", "cut").code == 1
        other = meseta("run", *options, "--name", "cut", "--resume", "--capital", 77_000)
        assert other.code == 1
        assert "searched with other" in other.err
        resumed = meseta("run", *options, "--name", "cut", "--resume")
        whole = meseta("run", *options, "--name", "whole")
        assert (resumed.code, whole.code) == (0, 0), (resumed, whole)
        hashes = [manifest(tmp_path / "runs" / name)["results_hash"] for name in ("cut", "whole")]
        assert hashes[0] == hashes[1]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a thing of POSIX")
def test_a_terminal_gets_a_bar_and_whole_numbers(tiny: Path, tmp_path: Path, home: Path) -> None:
    import os
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "meseta", *TINY, "--grid", str(tiny), "--no-report"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "60", "TERM": "xterm-256color"},
    )
    os.close(theirs)
    text = ""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        text += part.decode(errors="replace")
        if not part:
            break
    os.close(ours)
    assert process.wait(60) == 0, text
    assert "\x1b[2K" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "Searching" in plain
    assert re.search(r"all +288 +288 +288 +288\s", plain)
    assert re.search(r"2007-12-31 to 2010-12-28 +755 +2010-12-29 to 2012-12-28 +504\s", plain)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a command would have run."""
    from meseta import pipeline

    given: dict[str, Any] = {}

    def no_run(config: object, **options: object) -> None:
        given.update(config=config, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", no_run)
    return given


def test_the_demo_is_a_run_of_the_whole_grid_on_the_sample(
    meseta: Call, asked: dict[str, Any]
) -> None:
    made = meseta("demo")
    assert made.code == 130
    assert "phase1_slim: 58,060,800 combinations" in made.out
    assert asked["force"] is True
    config = asked["config"]
    assert (config.bars, config.capital, config.name) == ("sample:nasdaq", 100_000, "demo")
    assert (config.strategy, config.bars2, config.sample) == ("atr_d_l", None, None)


@pytest.mark.parametrize(
    ("strategy", "bars", "variants"),
    [
        ("atr_d_ls", ("sample:nasdaq", None), ["atr_d_l"]),
        ("atr_d_hma_l", ("sample:nasdaq", None), []),
        (
            "atr_d_duals_ls",
            ("sample:nasdaq-3x", "sample:nasdaq"),
            ["atr_d_duals_l", "atr_d_ls", "atr_d_l"],
        ),
    ],
)
def test_the_demo_of_another_strategy_is_coarse_and_expanded(
    meseta: Call,
    asked: dict[str, Any],
    strategy: str,
    bars: tuple[str, str | None],
    variants: list[str],
) -> None:
    made = meseta("demo", "--strategy", strategy)
    assert made.code == 130, made
    config, planned = asked["config"], asked["planned"]
    assert (config.strategy, config.grid, config.name) == (
        strategy, "ts_coarse", f"demo-{strategy}",
    )  # fmt: skip
    assert (config.bars, config.bars2, config.capital) == (*bars, 100_000)
    assert [each.strategy.name for each in planned.variants] == variants
    for each in planned.whole:
        row = rf"^{each.strategy.name} +{each.grid.size:,} +{each.grid.size:,} "
        assert bool(re.search(row, made.out, re.MULTILINE)) == bool(variants)
    assert ("made up" in made.out) == (bars[1] is not None)
