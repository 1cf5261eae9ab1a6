"""The configuration: defaults, files, options over files, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meseta.account import Account
from meseta.config import RunConfig, load_config
from meseta.errors import ArgumentError
from meseta.selection import Gates


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_those_of_the_parts() -> None:
    config = load_config(None, {"bars": "sample:nasdaq"})
    assert config.account == Account()
    assert Gates(**config.gates.model_dump()) == Gates()
    assert (config.strategy, config.grid, config.phases) == ("atr_d_l", "phase1_slim", "auto")
    assert (config.vault, config.warmup, config.min_cell) == (12, 100, 50)
    assert (config.bars2, config.allow_dropped, config.expand) == (None, False, True)
    assert (config.sample, config.sample_method) == (None, "sobol")


def test_a_file_is_read_and_options_win_over_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "run.yaml",
        "bars: sample:nasdaq\n"
        "capital: 50000\n"
        "axes: [atr_period, bb_length]\n"
        "gates: {min_efficiency: 0.5, min_trades: 4}\n",
    )
    config = load_config(path, {"capital": 1e6, "gates": {"min_trades": 7}})
    assert (config.capital, config.axes) == (1e6, ("atr_period", "bb_length"))
    assert (config.gates.min_efficiency, config.gates.min_trades) == (0.5, 7)


def test_paths_in_a_file_count_from_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "phases.yaml", "- {years_back: [3, 1], out_of_sample: 0.4}\n")
    path = write(
        tmp_path / "run.yaml",
        "bars: QQQ.csv\nbars2: TQQQ.csv\nstrategy: mine.py:Mine\ngrid: fine.yaml\n"
        "phases: phases.yaml\nout: results",
    )
    config = load_config(path)
    assert config.bars == str(tmp_path / "QQQ.csv")
    assert config.bars2 == str(tmp_path / "TQQQ.csv")
    assert config.strategy == f"{tmp_path / 'mine.py'}:Mine"
    assert config.grid == str(tmp_path / "fine.yaml")
    assert config.out == tmp_path / "results"
    assert config.phases == [{"years_back": [3.0, 1.0], "out_of_sample": 0.4}]


@pytest.mark.parametrize("bars", ["sample:nasdaq", "-", "/data/QQQ.csv"])
def test_what_is_no_relative_path_stays(tmp_path: Path, bars: str) -> None:
    path = write(
        tmp_path / "run.yaml",
        f"bars: '{bars}'\nbars2: '{bars}'\nstrategy: atr_d_ls\ngrid: phase1\nphases: auto\n",
    )
    config = load_config(path)
    assert (config.bars, config.bars2, config.strategy) == (bars, bars, "atr_d_ls")
    assert (config.grid, config.out) == ("phase1", Path("runs"))


def test_a_strategy_of_a_file_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(None, {"bars": "a", "strategy": "own/mine.py:Mine"})
    assert config.strategy == f"{tmp_path / 'own' / 'mine.py'}:Mine"
    assert load_config(None, config.model_dump(mode="json")) == config
    bare = load_config(None, {"bars": "a", "strategy": "mine.py"})
    assert bare.strategy == str(tmp_path / "mine.py")


def test_a_grid_may_stand_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "bars: a.csv\ngrid: {atr_period: [4, 8]}\n")
    assert load_config(path).grid == {"atr_period": [4, 8]}


def test_dates_in_yaml_become_text_that_reads_back(tmp_path: Path) -> None:
    path = write(
        tmp_path / "run.yaml",
        "bars: a.csv\nphases:\n- {start: 2010-01-04, split: 2012-06-01, end: 2013-12-31}\n",
    )
    config = load_config(path)
    assert config.phases == [
        {
            "start": "2010-01-04T00:00:00",
            "split": "2012-06-01T00:00:00",
            "end": "2013-12-31T23:59:59.999999",
        }
    ]
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "`bars` is missing"),
        ({"bars": "a", "capital": -1}, "`capital` must be positive and finite, got -1"),
        ({"bars": "a", "capital": True}, "`capital` must be a valid number, got True"),
        ({"bars": "a", "capital": "5"}, "`capital` must be a valid number, got '5'"),
        ({"bars": "a", "commission": 1.5}, "`commission` is a fraction .* got 1.5"),
        ({"bars": "a", "capitl": 1}, "no option `capitl`; did you mean capital"),
        ({"bars": "a", "min_trades": 1}, r"one of the gates, gates: \{min_trades: 1\}"),
        ({"bars": "a", "gates": {"min_eff": 1}}, "`gates.min_eff`; did you mean min_efficiency"),
        ({"bars": "a", "gates": {"quality": 1}}, "`gates.quality`; gates are min_efficiency, max"),
        ({"bars": "a", "gates": 5}, "`gates` must map options to values, got 5"),
        ({"bars": "a", "gates": {"min_efficiency": -1}}, "`min_efficiency` must be zero or more"),
        (
            {"bars": "a", "gates": {"min_trades": 1.5}},
            "`gates.min_trades` must be a valid integer",
        ),
        ({"bars": "a", "axes": "x,y"}, "`axes` must be two different parameters, got 'x,y'"),
        ({"bars": "a", "axes": ["x", "x"]}, "`axes` must be two different parameters"),
        ({"bars": "a", "grid": 5}, "`grid` must be the name of a grid, a YAML file or a mapping"),
        ({"bars": "a", "name": "../x"}, "`name` must be the name of a folder .* got '../x'"),
        ({"bars": "a", "name": ""}, "`name` must be the name of a folder"),
        ({"bars": "a", "vault": float("nan")}, "`vault` must be a finite number, got nan"),
        ({"bars": "a", "date_order": "xyz"}, "`date_order` must be 'mdy', 'dmy' or 'ymd'"),
        ({"bars": "a", "sample": 0}, "`sample` must be greater than or equal to 1, got 0"),
        ({"bars": "a", "sample": 1.5}, "`sample` must be a valid integer, got 1.5"),
        ({"bars": "a", "sample": 11, "max_combinations": 10}, "`sample` must be at most .* 10, "),
        ({"bars": "a", "sample_method": "lhs"}, "`sample_method` must be 'sobol' or 'random'"),
        ({"bars": "a", "expand": "no"}, "`expand` must be a valid boolean, got 'no'"),
        ({"bars": "a", "seed": 1.5}, "`seed` must be a valid integer, got 1.5"),
        ({"bars": "a", "phases": "gone.yaml"}, "`phases` must be 'auto' or a YAML file"),
        ({"bars": "a", "phases": [{"years_back": [1, 2]}]}, "`phases` entry 1 must be"),
        ({"bars": "a", "threads": 0, "warmup": -3}, "`warmup` .*got -3\n`threads` .*got 0"),
    ],
)
def test_an_option_that_breaks_its_rule_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        load_config(None, options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bars: a\nbars: b\n", "'bars' is given twice"),
        ("bars: [a\n", "cannot read the configuration file"),
        ("- bars\n", r"must map options to values, such as .* got \['bars'\]"),
        ("", "must map options to values.* got None"),
        ("1: a\n", "must map options to values"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        load_config(write(tmp_path / "run.yaml", text))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"cannot read the configuration file gone\.yaml: No "):
        load_config("gone.yaml")


def test_a_configuration_does_not_change() -> None:
    config = load_config(None, {"bars": "a"})
    with pytest.raises(ValueError, match="frozen"):
        config.capital = 5.0  # type: ignore[misc]
