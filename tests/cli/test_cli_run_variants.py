"""`meseta run` with variants, samples and two symbols: what it prints and writes."""

from __future__ import annotations

import json
import re
import shutil
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from meseta.report import comparison_rows

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call, Start

SHORTS = """
short_multiplier: 0.6
entry_mode: [0, 2]
trend_filter_period: 20
trend_veto_threshold: 16
both_triggered_mode: 0
"""
BASE = ["--bars", "sample:nasdaq", "--capital", 100_000, "--min-cell", 2]


class Printed(NamedTuple):
    """What a command ended with."""

    code: int
    out: str
    err: str


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def tiny_ls(tiny: Path) -> Path:
    path = tiny.with_name("tiny_ls.yaml")
    path.write_text(tiny.read_text() + SHORTS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def expanded(
    tmp_path_factory: pytest.TempPathFactory, start: Start, tiny_ls: Path
) -> tuple[Path, Printed]:
    """A finished run of a sample with a variant, in a process of its own."""
    folder = tmp_path_factory.mktemp("expanded")
    process = start(
        "run", *BASE, "--strategy", "atr_d_ls", "--grid", tiny_ls, "--name", "both",
        "--sample", 400, "--seed", 3,
        cwd=folder, home=folder / "home",
    )  # fmt: skip
    out, err = process.communicate(timeout=300)
    return folder / "runs" / "both", Printed(process.returncode, out, err)


class TestExpanded:
    def test_the_plan_lists_the_variants(self, expanded: tuple[Path, Printed]) -> None:
        _, made = expanded
        assert made.code == 0, made
        assert "tiny_ls: a Sobol sample (seed 3) of 400 of 576 combinations of 8 " in made.out
        assert re.search(r"^atr_d_ls +400 +576 +8 ", made.out, re.MULTILINE)
        assert re.search(r"^atr_d_l +288 +288 +7 ", made.out, re.MULTILINE)
        assert "Note: atr_d_l: the grid has 288 combinations, no more than the sample" in made.out

    def test_pages_that_are_missing_are_written_when_asked_for(
        self,
        expanded: tuple[Path, Printed],
        meseta: Call,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("webbrowser.open", lambda _page: True)
        copy = tmp_path / "copy"
        shutil.copytree(expanded[0], copy)
        for page in ("report.html", "comparison.html"):
            (copy / page).unlink()
        assert meseta("report", "open", copy).code == 0
        for page in ("report.html", "comparison.html"):
            assert (copy / page).stat().st_size > 10_000

    def test_the_result_says_that_it_is_a_sample(self, expanded: tuple[Path, Printed]) -> None:
        _, made = expanded
        assert (
            "400 of 576 combinations of tiny_ls searched, a Sobol sample with seed 3" in made.out
        )

    def test_the_comparison_is_of_what_was_written(self, expanded: tuple[Path, Printed]) -> None:
        folder, made = expanded
        rows = comparison_rows(folder)
        assert [row.strategy for row in rows] == ["atr_d_l", "atr_d_ls"]
        table = made.out[made.out.index("\nVariants\n") :].splitlines()[3:5]
        for line, row in zip(table, rows, strict=True):
            found = re.split(r"  +", line)
            searched = "400 (sample)" if row.sampled else "288"
            assert found[:2] == [row.strategy, searched]
            assert row.plateau_stability is not None
            assert row.plateau_oos_median is not None
            assert row.median_all is not None
            assert row.share_profitable is not None
            assert found[2:6] == [
                f"{row.plateau_stability:,.2f}",
                f"{row.plateau_oos_median:,.0f}",
                f"{row.median_all:,.0f}",
                f"{row.share_profitable:.1%}".replace("%", " %"),
            ]
            if row.vault_profit is not None:
                assert found[6] == f"{row.vault_profit:,.0f}"
        assert "the best of more is better by luck alone" in made.out

    def test_every_look_at_the_vault_is_told(self, expanded: tuple[Path, Printed]) -> None:
        _, made = expanded
        assert "Each of the 2 variants opened the vault, which has been opened 2 times" in made.out

    def test_files_are_named(self, expanded: tuple[Path, Printed]) -> None:
        folder, made = expanded
        assert made.out.rstrip().endswith("comparison.html")
        assert (folder / "comparison.html").is_file()
        assert re.search(r"^Variants +.*variants$", made.out, re.MULTILINE)

    def test_progress_says_who_is_at_work(self, expanded: tuple[Path, Printed]) -> None:
        lines = expanded[1].err.splitlines()
        assert lines[0] == "atr_d_ls (1 of 2): Searching ..."
        assert "atr_d_l (2 of 2): Searching ..." in lines
        assert any(re.search(r"\(1 of 2\): Searching: .*400 of 400", line) for line in lines)
        assert any(re.search(r"\(2 of 2\): Searching: .*288 of 288", line) for line in lines)
        assert lines[-1] == "Comparing the variants ..."

    def test_no_expand(self, meseta: Call, tiny_ls: Path, tmp_path: Path) -> None:
        made = meseta(
            "run", *BASE, "--strategy", "atr_d_ls", "--grid", tiny_ls, "--no-expand",
            "--no-report", "--name", "one", "--sample", 100,
        )  # fmt: skip
        assert made.code == 0, made
        assert "Variants" not in made.out
        found = manifest(tmp_path / "runs" / "one")
        assert (found["expanded"], found["variants"]) == (False, [])
        assert found["config"]["expand"] is False
        assert not (tmp_path / "runs" / "one" / "variants").exists()

    def test_rescore_scores_all(self, meseta: Call, tiny_ls: Path, tmp_path: Path) -> None:
        made = meseta(
            "run", *BASE, "--strategy", "atr_d_ls", "--grid", tiny_ls, "--no-report",
            "--name", "r", "--sample", 300,
        )  # fmt: skip
        assert made.code == 0, made
        folder = tmp_path / "runs" / "r"
        made = meseta("rescore", "r", "--min-trades", 4)
        assert made.code == 0, made
        assert "which has been opened 4 times by now" in made.out
        for each in (folder, folder / "variants" / "atr_d_l"):
            assert manifest(each)["gates"]["min_trades"] == 4
        made = meseta("rescore", folder / "variants" / "atr_d_l")
        assert made.code == 1
        assert "is a variant of the run in" in made.err


def test_a_run_on_two_symbols(meseta: Call, tiny: Path, tmp_path: Path) -> None:
    made = meseta(
        "run", "--bars", "sample:nasdaq-3x", "--bars2", "sample:nasdaq", "--capital", 100_000,
        "--strategy", "atr_d_duals_l", "--grid", tiny, "--min-cell", 2, "--no-report",
    )  # fmt: skip
    assert made.code == 0, made
    assert re.search(r"(?m)^Second +nasdaq, 5,031 bars shared; .* 0 of the first", made.out)
    assert "made up" in made.out
    folder = tmp_path / "runs" / "atr_d_duals_l-nasdaq-3x-tiny"
    assert manifest(folder)["data"]["second"]["source"] == "sample:nasdaq"
    assert (folder / "bars2.parquet").is_file()
    assert [v["strategy"] for v in manifest(folder)["variants"]] == ["atr_d_l"]


def test_an_interrupted_variant_is_continued(
    start: Start, meseta: Call, tmp_path: Path, home: Path
) -> None:
    options = [
        *BASE, "--strategy", "atr_d_ls", "--grid", "ts_coarse", "--sample", 50_000,
        "--no-report", "--threads", 1, "--name", "cut",
    ]  # fmt: skip
    process = start("run", *options, cwd=tmp_path, home=home)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("atr_d_l (2 of 2): Searching: "):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.rstrip().endswith("--name cut --resume")
    folder = tmp_path / "runs" / "cut"
    before = manifest(folder)
    assert before["status"] == "finished"
    assert before["variants"][0]["status"] == "waiting"
    assert manifest(folder / "variants" / "atr_d_l")["status"] == "running"
    made = meseta("run", *options, "--resume")
    assert made.code == 0, made
    assert "atr_d_ls (1 of 2): Searching" not in made.err
    after = manifest(folder)
    assert after["results_hash"] == before["results_hash"]
    assert after["vault"]["opened"] == before["vault"]["opened"]
    assert after["variants"][0]["status"] == "finished"
    assert re.search(r"^atr_d_l +50,000 [(]sample[)] ", made.out, re.MULTILINE)
