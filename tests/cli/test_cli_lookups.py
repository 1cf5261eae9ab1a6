"""`strategies`, `grids`, `data check` and `report open`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meseta.bars import load
from meseta.hedge import BASELINE, catalogue
from meseta.strategies import KernelStrategy, grid_names, load_grid, strategies

if TYPE_CHECKING:
    from conftest import Call, Result

BARS = "date,open,high,low,close\n" + "".join(
    f"2020-01-{day:02},100,101,99,100\n" for day in range(1, 29)
)


def test_the_hedge_grid_has_its_parameters_and_their_ranges(meseta: Call) -> None:
    made = meseta("strategies", "hedge_grid")
    assert made.code == 0
    assert [row["name"] for row in catalogue()] == list(BASELINE)
    for row in catalogue():
        assert row["name"] in made.out
    assert "15 to 49 by 2" in made.out
    assert "0.001 to 0.004, log" in made.out


def test_strategies_lists_all(meseta: Call) -> None:
    made = meseta("strategies")
    assert made.code == 0
    for strategy in strategies().values():
        row = next(r.split() for r in made.out.splitlines() if r.startswith(f"{strategy.name} "))
        told = ["yes" if each else "no" for each in (strategy.shorts, strategy.second)]
        kernel = isinstance(strategy, KernelStrategy)
        assert row[:6] == [
            strategy.name, "kernel" if kernel else "separable", str(len(strategy.parameters)),
            *told, strategy.tradestation_name or "-",
        ]  # fmt: skip
    kinds = [isinstance(each, KernelStrategy) for each in strategies().values()]
    assert kinds == [False] * 6 + [True] * 3


def test_a_strategy_shows_its_parameters_and_limits(meseta: Call) -> None:
    made = meseta("strategies", "atr_d_l")
    for parameter in strategies()["atr_d_l"].parameters:
        line = next(row for row in made.out.splitlines() if row.startswith(f"{parameter.name} "))
        assert parameter.rule in line
        assert parameter.tradestation in line


def test_a_strategy_shows_what_it_needs_and_its_variants(meseta: Call) -> None:
    made = meseta("strategies", "atr_d_duals_ls")
    assert "Second symbol     yes, give --bars2" in made.out
    assert "Simpler variants  atr_d_duals_l, atr_d_ls, atr_d_l" in made.out
    assert "Simpler variants  none" in meseta("strategies", "atr_d_l").out


def test_a_kernel_is_described(meseta: Call) -> None:
    made = meseta("strategies", "xbar")
    assert made.code == 0
    assert "Kind              kernel" in made.out
    assert "Kind              separable" in meseta("strategies", "atr_d_l").out
    assert ["xbar", "a", "whole", "number", "from", "1", "to", "1000"] in [
        line.split()[:8] for line in made.out.splitlines()
    ]
    lines = [line.split() for line in meseta("grids", "xbar").out.splitlines()]
    assert ["xbar", "default", "28"] in lines
    assert ["xbar", "28", *map(str, range(5, 33))] in lines


def test_grids_counts_exactly(meseta: Call) -> None:
    made = meseta("grids")
    lines = [line.split() for line in made.out.splitlines()]
    for strategy in strategies().values():
        for name in grid_names(strategy.parameters):
            size = load_grid(name, strategy.parameters).size
            assert [strategy.name, name, f"{size:,}"] in lines
    assert ["atr_d_l", "phase1_slim", "58,060,800"] in lines
    assert ["atr_d_ls", "phase1_slim", "16,721,510,400"] in lines
    assert "--sample N" in made.out


def test_a_strategys_grids_show_their_values(meseta: Call) -> None:
    lines = [line.split() for line in meseta("grids", "atr_d_l").out.splitlines()]
    assert ["atr_period", "3", "8", "32", "56"] in lines


@pytest.mark.parametrize("name", ["strategies", "grids"])
def test_an_unknown_strategy_is_refused(meseta: Call, name: str) -> None:
    made = meseta(name, "atr_d")
    assert made.code == 2
    assert "did you mean atr_d_l?" in made.err


def test_checking_good_data(meseta: Call) -> None:
    made = meseta("data", "check", "sample:nasdaq")
    bars = load("sample:nasdaq")
    assert made.code == 0
    assert bars.fingerprint in made.out
    assert "5,031 of 1d" in made.out
    assert "1999-01-04 to 2018-12-31 (19.99 years)" in made.out


def test_checking_standard_input(meseta: Call) -> None:
    made = meseta("data", "check", "-", stdin=BARS.encode())
    assert made.code == 0
    assert "28 of 1d" in made.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BARS.replace("2020-01-05,100", "2020-01-05,one"), "open is 'one', not a number"),
        ("", "the file is empty"),
        ("a b c\n1 2 3\n", "no column for"),
    ],
)
def test_a_fault_ends_with_1(meseta: Call, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(text)
    made = meseta("data", "check", path)
    assert made.code == 1
    assert "Faults" in made.out
    assert words in made.out


def test_a_missing_file_is_a_fault(meseta: Call) -> None:
    made = meseta("data", "check", "gone.csv")
    assert made.code == 1
    assert "cannot read gone.csv" in made.out


def test_suspicious_data_still_pass(meseta: Call, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(BARS.replace("2020-01-14,100,101,99,100", "2020-01-14,10,10,10,10"))
    made = meseta("data", "check", path)
    assert made.code == 0
    assert "Suspicious" in made.out


class TestReportOpen:
    @pytest.fixture
    def opened(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        pages: list[str] = []
        monkeypatch.setattr("webbrowser.open", lambda page: pages.append(page) or True)
        return pages

    def test_by_path(self, meseta: Call, finished: tuple[Path, Result], opened: list[str]) -> None:
        made = meseta("report", "open", finished[0])
        assert made.out == f"{finished[0] / 'report.html'}\n"
        assert opened == [(finished[0] / "report.html").as_uri()]

    def test_by_name(
        self,
        meseta: Call,
        finished: tuple[Path, Result],
        opened: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(finished[0].parents[1])
        assert meseta("report", "open", "tiny").out == f"{Path('runs/tiny/report.html')}\n"
        assert len(opened) == 1

    def test_without_a_browser(
        self,
        meseta: Call,
        finished: tuple[Path, Result],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("webbrowser.open", lambda _page: False)
        made = meseta("report", "open", finished[0])
        assert made.code == 0
        assert "no browser could be opened" in made.err

    def test_no_such_run(self, meseta: Call) -> None:
        made = meseta("report", "open", "gone")
        assert (made.code, made.out) == (1, "")
        assert "there is no run folder gone" in made.err

    def test_a_folder_that_is_no_run(self, meseta: Call, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        made = meseta("report", "open", "empty")
        assert made.code == 1
        assert "manifest" in made.err
