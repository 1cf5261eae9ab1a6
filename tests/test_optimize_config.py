"""What an optimisation can be told, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meseta.bayes import StudyOptions
from meseta.errors import ArgumentError
from meseta.optimize_config import OptimizeConfig, load_optimize_config, parse_vault

ROOT = Path(__file__).resolve().parents[1]
BARS = {"bars": "btc.csv"}


def config(**options):
    return load_optimize_config((), BARS | options)


def written(tmp_path, text, name="config.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_usual_options_are_those_of_a_study():
    assert config().study == StudyOptions()
    assert config(timeout=0).study.timeout is None
    assert config().hedge
    assert config().limits.strict
    assert not config(lenient=True).limits.strict


def test_what_is_dumped_makes_the_same_configuration(tmp_path):
    made = config(
        bars=["a.csv", "b.csv"],
        funding=["fa.csv", "fb.csv"],
        objective={"bounds": {"sharpe": [0, 3]}, "profit": 0.5},
        constraints={"min_trades": 10},
        instrument={"tick": 0.01},
        strategy_config=written(tmp_path, "regime: {adx_threshold: 25}\n", "base.yaml"),
        vault="15 %",
        timeout=None,
    )
    again = load_optimize_config((), json.loads(json.dumps(made.model_dump(mode="json"))))
    assert again == made
    assert again.files == ("a.csv", "b.csv")
    assert again.objective.objective.bounds.sharpe == (0, 3)
    assert again.settings.adx_threshold == 25
    assert again.settings.tick == 0.01


def test_options_win_over_the_strategy_file(tmp_path):
    base = written(tmp_path, "regime: {adx_threshold: 25, atr_gate_mult: 1}\n", "base.yaml")
    made = config(strategy_config=base, instrument={"atr_gate_mult": 0.5}, capital=5_000)
    settings = made.settings
    assert (settings.adx_threshold, settings.atr_gate_mult, settings.capital) == (25, 0.5, 5_000)


@pytest.mark.parametrize(
    ("given", "made"), [("20%", "20%"), ("12.50 %", "12.5%"), (3, 3.0), ("0.5", 0.5), ("0%", 0.0)]
)
def test_a_vault_is_a_share_or_months(given, made):
    assert parse_vault(given) == made


@pytest.mark.parametrize("given", ["100%", "-1", "nan", "a fifth", True, None, -0.5, "20%%"])
def test_anything_else_is_no_vault(given):
    with pytest.raises(ArgumentError, match="`vault` must be a share of the data such as 20%"):
        parse_vault(given)


def test_later_files_win_and_groups_are_merged(tmp_path):
    first = written(tmp_path, "bars: btc.csv\ntrials: 7\nconstraints: {min_trades: 3}\n", "a.yaml")
    second = written(tmp_path, "trials: 8\nconstraints: {min_sharpe: 0.5}\nseed: 2\n", "b.yaml")
    made = load_optimize_config([first, second], {"seed": 3, "constraints": {"min_calmar": 0.1}})
    assert (made.trials, made.seed) == (8, 3)
    limits = made.limits
    assert (limits.min_trades, limits.min_sharpe, limits.min_calmar) == (3, 0.5, 0.1)


def test_paths_count_from_the_file_that_names_them(tmp_path):
    text = (
        "bars: [x.csv, y.csv]\nfunding: [f.csv, g.csv]\nspace: s.yaml\nstrategy_config: b.yaml\n"
    )
    written(tmp_path, "grid: {}\n", "b.yaml")
    made = load_optimize_config([written(tmp_path, text)])
    folder = str(tmp_path)
    assert made.files == (f"{folder}/x.csv", f"{folder}/y.csv")
    assert made.funding[1] == f"{folder}/g.csv"
    assert made.space == f"{folder}/s.yaml"
    assert str(made.strategy_config) == f"{folder}/b.yaml"


def test_start_and_end_are_for_files_too():
    assert config(start="2024-01-01", end="2024-02-01").end == "2024-02-01"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bars": None}, "`bars` is missing"),
        ({"bars": []}, "`bars` must name a file or a list"),
        ({"bars": ["a.csv", "a.csv"]}, "several `bars` must be different files"),
        ({"bars": ["a.csv", "-"]}, "several `bars` must be files"),
        (
            {"bars": ["a.csv", "b.csv"], "funding": "f.csv"},
            "`funding` must be given once for each",
        ),
        ({"trials": 0}, "`trials` must be greater than or equal to 1, got 0"),
        ({"trials": 10_001}, "`trials` must be less than or equal to 10000"),
        ({"trails": 5}, "there is no option `trails`; did you mean trials?"),
        ({"sampler": "nsga2", "pruner": "median"}, "use pruner none"),
        ({"sampler": "bayes"}, "`sampler` must be 'tpe', 'nsga2' or 'random', got 'bayes'"),
        ({"preset": "wide", "space": {"a": 1}}, "`space` and `preset` must not both be given"),
        ({"commission": 0.001}, "`commission` is not for hedge_grid; its fees are instrument"),
        ({"tick": 0.1}, "`tick` is not for hedge_grid; its smallest step of a price"),
        ({"strategy": "xbar", "funding": "f.csv"}, "`funding` is for --strategy hedge_grid alone"),
        ({"strategy": "xbar", "preset": "wide"}, "`preset` is for --strategy hedge_grid alone"),
        ({"constraints": {"max_drawdown": 20}}, "`max_drawdown` is a fraction"),
        ({"constraints": {"min_sharp": 1}}, "did you mean min_sharpe?"),
        ({"min_sharpe": 1}, "it is one of the constraints"),
        ({"objective": {"bounds": {"sharp": [0, 1]}}}, "`objective.bounds` must be of sharpe"),
        ({"objective": {"bounds": {"sharpe": [2, 1]}}}, "must be finite and in order"),
        (
            {"objective": dict.fromkeys(("sharpe", "profit", "calmar", "drawdown"), 0)},
            "`weights`: one at least",
        ),
        ({"in_sample": 5}, "`in_sample` is for --walk-forward, got 5"),
        ({"transfer": False}, "`transfer` is for --walk-forward"),
        ({"aggregate": "worst"}, "`aggregate` is for several --bars"),
        ({"strategy": "xbar", "grid": "g", "space": {"a": 1}}, "`space` and `grid` must not both"),
        ({"interval": "5m"}, "`interval` is for a symbol"),
        ({"space": 3}, "`space` must be a YAML file or a mapping"),
        ({"vault": "100%"}, "`vault` must be a share"),
        ({"name": "a/b"}, "`name` must be the name of a folder"),
    ],
)
def test_what_contradicts_itself_is_refused(options, told):
    with pytest.raises(ArgumentError) as caught:
        config(**options)
    assert told in str(caught.value)


def test_the_instrument_is_what_the_grid_settles():
    from dataclasses import fields

    from meseta.hedge import GridSettings

    usual = {f.name: f.default for f in fields(GridSettings) if f.name != "capital"}
    assert OptimizeConfig(**BARS).instrument.model_dump() == usual


def test_the_example_of_the_page_is_a_configuration(tmp_path):
    page = (ROOT / "docs" / "optimise.md").read_text(encoding="utf-8")
    text = page.split("## Options in files")[1].split("```yaml\n")[1].split("```")[0]
    made = load_optimize_config([written(tmp_path, text)])
    assert made.limits == load_optimize_config((), BARS).limits
    assert made.space["adx_len"] == [7, 14, 21]
    assert made.walk_forward
