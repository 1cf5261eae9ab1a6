"""`meseta confirm`: a study's folder, before and after. All but the refusals need the engine."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from grid_world import MINUTE, START
from typer.testing import CliRunner

from meseta.cli import app
from meseta.confirm import ENGINE
from meseta.errors import ArgumentError, RunError
from meseta.optimize_config import load_optimize_config
from meseta.pipeline import confirm_study, optimize, plan_confirm, plan_optimize
from random_market import walk_of

BARS = 900


def files(folder):
    """Bars and funding of a small perpetual, as files."""
    rows = np.round(walk_of(5, BARS, step=0.004, gap=0.3, tick=0.1, level=1000.0), 1)
    time = START + np.arange(BARS) * MINUTE
    columns = dict(zip(("open", "high", "low", "close"), rows.T, strict=True))
    frame = pl.DataFrame({"time": time, **columns, "volume": np.full(BARS, 1000.0)})
    frame.write_csv(folder / "GRID.csv")
    at = np.datetime64("2025-05-01T00:00", "us") + np.arange(6) * np.timedelta64(8, "h")
    pl.DataFrame({"time": at, "rate": np.full(6, 0.0003)}).write_csv(folder / "funding.csv")


@pytest.fixture(scope="module")
def study(event_driven, tmp_path_factory):
    """The folder of a study whose trials meet no constraint."""
    home = tmp_path_factory.mktemp("study")
    files(home)
    config = load_optimize_config((), {
        "bars": str(home / "GRID.csv"), "funding": str(home / "funding.csv"), "name": "grid",
        "out": str(home), "trials": 6, "workers": 1, "vault": "20 %", "report": False,
        "instrument": {"min_notional": 1.0, "max_position_size": 10.0},
    })  # fmt: skip
    optimize(plan_optimize(config))
    return home / "grid"


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def test_the_best_trials_are_run_and_written_beside_the_study(study):
    before = summary_of(study)
    heard = []
    plan = plan_confirm(study, top=3)
    result = confirm_study(plan, workers=1, progress=heard.append)
    assert [(at.stage, at.done, at.total) for at in heard] == [
        ("confirm", 0, 3), ("confirm", 1, 3), ("confirm", 2, 3), ("confirm", 3, 3),
    ]  # fmt: skip
    table = pl.read_parquet(study / "confirmation.parquet")
    assert table["engine"].to_list() == ["compiled", "nautilus"] * 3
    assert table["trial"].unique(maintain_order=True).to_list() == [
        trial.number for trial in plan.trials
    ]
    # The compiled figures are those that the study has recorded.
    recorded = {trial.number: trial.metrics for trial in plan.trials}
    for row in table.filter(pl.col("engine") == "compiled").iter_rows(named=True):
        assert row["total_return"] == recorded[row["trial"]].total_return
    after = summary_of(study)
    assert after["confirmation"] == result.summary
    assert after["confirmation"]["engine"] == ENGINE
    assert after | {"confirmation": None} == before | {"confirmation": None}
    causes = pl.read_parquet(study / "confirmation_causes.parquet")
    for told in after["confirmation"]["trials"]:
        money = causes.filter(pl.col("trial") == told["trial"])["difference"].sum()
        assert money == pytest.approx(told["difference"], abs=1e-8)
    assert not (study / "report.html").exists()
    assert result.report is None


def test_the_vault_is_opened_only_when_asked_for_and_then_counted(study):
    def opened():
        return json.loads((study / "manifest.json").read_text())["vault"]["opened"]

    before = opened()
    confirm_study(plan_confirm(study, top=1), workers=1)
    assert opened() == before
    result = confirm_study(plan_confirm(study, top=1, part="out-of-sample"), workers=1)
    assert result.summary["part"] == "out-of-sample"
    assert opened() >= result.summary["vault_opened"] >= 1


def test_what_fails_or_is_interrupted_leaves_the_earlier_confirmation(study):
    confirm_study(plan_confirm(study, top=1), workers=1)
    names = ("confirmation.parquet", "confirmation_causes.parquet", "summary.json")
    before = [(study / name).read_bytes() for name in names]
    with pytest.raises(RunError, match=r"no trial is confirmed: trial \d+ took longer"):
        confirm_study(plan_confirm(study, top=2), workers=1, timeout=0.01)

    def interrupt(at):
        if at.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confirm_study(plan_confirm(study, top=2), workers=1, progress=interrupt)
    assert [(study / name).read_bytes() for name in names] == before


def test_the_command_prints_both_engines_and_why_they_differ(study):
    shown = CliRunner().invoke(app, ["confirm", str(study), "--top", "2", "--workers", "1"])
    assert shown.exit_code == 0, shown.output
    assert "Compiled against event-driven" in shown.output
    assert shown.output.count("NautilusTrader  ") == 2
    assert f"2 of 2 trials run on {ENGINE}" in shown.output
    late = ["confirm", str(study), "--timeout", "0.01"]
    assert CliRunner().invoke(app, late).exit_code == 1


def test_a_study_without_a_summary_is_refused(study):
    path = study / "summary.json"
    text = path.read_text()
    path.unlink()
    try:
        with pytest.raises(RunError, match="finish it with"):
            plan_confirm(study)
    finally:
        path.write_text(text)


def test_workers_and_timeout_are_checked_before_a_process_starts(study):
    plan = plan_confirm(study, top=1)
    with pytest.raises(ArgumentError, match="`workers` must be at least 1, got 0"):
        confirm_study(plan, workers=0)
    with pytest.raises(ArgumentError, match="`timeout` must be more than 0 seconds, got -1"):
        confirm_study(plan, timeout=-1)


def test_without_the_engine_the_command_says_how_to_install_it(tmp_path, monkeypatch):
    # Another version stands for none where the extra is installed: neither can be used.
    info = tmp_path / "nautilus_trader-1.223.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: nautilus_trader\nVersion: 1.223.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    shown = CliRunner().invoke(app, ["confirm", "any"])
    assert shown.exit_code == 2
    assert "pip install 'meseta[nautilus]'" in shown.output
