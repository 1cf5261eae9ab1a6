"""The stores of a study: what is kept, resumed and refused, and what happens to damaged files."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from dataclasses import replace

import optuna
import pytest

from analytic_problem import SPACE, Hill, content
from meseta.bayes import (
    Constraints,
    Dimension,
    Metrics,
    Objective,
    Space,
    StudyOptions,
    cleanup,
    read_results,
    run_study,
)
from meseta.bayes import _record as record
from meseta.bayes import _results as results
from meseta.bayes import _storage as storage
from meseta.bayes._frozen import metrics_of_json, metrics_to_json
from meseta.bayes._lock import writing
from meseta.errors import ArgumentError, RunError


def study(folder, *, name="hill", resume=False, problem=None, space=SPACE, **changes):
    rest = {
        key: changes.pop(key)
        for key in ("objective", "constraints", "first", "listener")
        if key in changes
    }
    chosen = StudyOptions(**{"trials": 12, "workers": 1, "timeout": None, **changes})
    return run_study(
        problem or Hill(),
        space,
        rest.get("objective", Objective()),
        rest.get("constraints", Constraints(max_drawdown=0.3)),
        chosen,
        name=name,
        folder=folder,
        resume=resume,
        first=rest.get("first", ()),
        listener=rest.get("listener"),
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished study, which tests copy and do not change."""
    folder = tmp_path_factory.mktemp("finished")
    study(folder)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    for name in ("results.db", "optuna.db"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": "tpe"},
        {"sampler": "tpe", "pruner": "median", "adaptive": "rebuild", "epoch_every": 8},
        {"sampler": "nsga2", "population": 8},
        {"sampler": "random"},
    ],
)
def test_a_resumed_study_is_the_uninterrupted_one(options, tmp_path):
    common = {"problem": Hill("raises"), "first": [SPACE.params(DRAW)], **options}
    whole = study(None, trials=22, **common)
    for trials in (8, 14, 22):  # the second is within a batch
        parts = study(tmp_path, trials=trials, resume=trials > 8, **common)
    assert content(parts.trials) == content(whole.trials)
    assert (parts.epoch, parts.bounds) == (whole.epoch, whole.bounds)
    kept, trials = read_results(tmp_path)
    assert repr(trials) == repr(parts.trials)
    assert kept.epoch["number"] == parts.epoch
    assert kept.epoch["bounds"]["sharpe"] == list(parts.bounds.sharpe)
    for mine, theirs in zip(trials, optuna_trials(tmp_path), strict=True):
        assert theirs.user_attrs["run"]["error"] == mine.error
        assert (theirs.state == optuna.trial.TrialState.FAIL) == (mine.state == "failed")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"problem": Hill(height=0.5)}, "the data"),
        ({"space": replace(SPACE, fixed={"k": 4})}, "the space"),
        ({"objective": Objective(sharpe=0.4)}, r"objective.sharpe \(0.3, now 0.4\)"),
        ({"constraints": Constraints(max_drawdown=0.3, min_trades=9)}, "constraints.min_trades"),
        ({"seed": 1}, r"options.seed \(0, now 1\)"),
        ({"batch": 3}, "options.batch"),
        ({"sampler": "random"}, "'tpe', now 'random'"),
        ({"first": [SPACE.params({**{d.name: d.low for d in SPACE.dimensions}})]}, "first trials"),
    ],
)
def test_another_study_is_not_resumed(folder, changes, named):
    before = (folder / "results.db").read_bytes()
    with pytest.raises(RunError, match=named):
        study(folder, resume=True, **changes)
    assert (folder / "results.db").read_bytes() == before


def test_another_version_does_not_resume(folder, monkeypatch):
    monkeypatch.setattr(record, "version", lambda name: f"9.{len(name)}")
    with pytest.raises(RunError, match=r"the code \(meseta .*, now meseta 9.6, optuna 9.6\)"):
        study(folder, resume=True)


def test_workers_and_trials_may_differ(folder):
    assert len(study(folder, resume=True, trials=14, workers=2).trials) == 14


def test_a_name_in_use_is_not_written_over(folder):
    with pytest.raises(RunError, match=r"`hill` exists already.*--resume"):
        study(folder)
    study(folder, name="other", trials=2)
    assert len(read_results(folder, "hill")[1]) == 12
    assert len(read_results(folder, "other")[1]) == 2
    with pytest.raises(ArgumentError, match=r"several studies.*hill, other"):
        read_results(folder)


def test_resuming_what_is_finished_changes_nothing(folder):
    before = read_results(folder)[1]
    assert repr(study(folder, resume=True).trials) == repr(before)


def test_two_processes_do_not_write_one_study(folder):
    with writing(folder), pytest.raises(RunError, match="another process is at work"):
        study(folder, resume=True, trials=20)


def test_a_locked_store_is_said_and_loses_nothing(folder, monkeypatch):
    monkeypatch.setattr(results, "PATIENCE", 0.05)
    with contextlib.closing(sqlite3.connect(folder / "results.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError, match=r"database is locked.*resume"):
            study(folder, resume=True, trials=16)
    assert len(study(folder, resume=True, trials=16).trials) == 16


def test_a_store_that_is_locked_meanwhile_keeps_earlier_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "PATIENCE", 0.05)
    with contextlib.closing(sqlite3.connect(tmp_path / "results.db")) as other:

        def lock(at):
            if at.done == 10:
                other.execute("BEGIN IMMEDIATE")

        with pytest.raises(RunError, match="locked"):
            study(tmp_path, listener=lock)
    assert len(read_results(tmp_path)[1]) == 8
    again = study(tmp_path, resume=True)
    assert content(again.trials) == content(study(None).trials)


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_damaged_results_are_set_aside_and_read_back(folder, damage):
    before = read_results(folder)[1]
    path = folder / "results.db"
    content_before = path.read_bytes()
    broken = bytearray(content_before)
    if damage == "header":
        broken[:100] = b"x" * 100
    else:
        broken[4096 : len(broken) // 2] = b"\xff" * (len(broken) // 2 - 4096)
    path.write_bytes(broken)
    with pytest.raises(RunError, match="damaged"):
        read_results(folder)
    assert path.read_bytes() == bytes(broken)
    with pytest.raises(RunError, match=r"set aside as results\.db\.damaged-.*resume"):
        study(folder, resume=True)
    (aside,) = folder.glob("results.db.damaged-*")
    assert aside.read_bytes() == bytes(broken)
    with pytest.raises(RunError, match="exists already"):
        study(folder)
    assert content(study(folder, resume=True).trials) == content(before)
    assert content(read_results(folder)[1]) == content(before)


def test_a_damaged_optuna_file_is_set_aside_and_written_anew(folder):
    (folder / "optuna.db").write_bytes(b"no database" * 1000)
    found = study(folder, resume=True, trials=16)
    assert any("set aside" in note for note in found.notes)
    assert len(list(folder.glob("optuna.db.damaged-*"))) == 1
    assert len(optuna_trials(folder)) == 16


def test_an_optuna_file_of_another_version_is_left_alone(folder):
    with contextlib.closing(sqlite3.connect(folder / "optuna.db")) as link, link:
        link.execute("UPDATE alembic_version SET version_num = 'v99'")
    before = (folder / "optuna.db").read_bytes()
    found = study(folder, name="other", trials=4)
    assert any("not written" in note for note in found.notes)
    assert len(read_results(folder, "other")[1]) == 4
    assert (folder / "optuna.db").read_bytes() == before


def test_folders_may_have_any_name(tmp_path):
    folder = tmp_path / "50 %20 ? # &"
    assert not study(folder, trials=4).notes
    assert {each.name for each in folder.iterdir()} >= {"optuna.db", "results.db"}
    assert not study(folder, trials=8, resume=True).notes
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]


def test_trials_in_neither_store_are_missed(folder):
    with contextlib.closing(sqlite3.connect(folder / "results.db")) as link, link:
        link.execute("DELETE FROM trials WHERE optuna_number = 2")
    again = study(folder, resume=True)
    assert len(again.trials) == 12
    with contextlib.closing(sqlite3.connect(folder / "results.db")) as link, link:
        link.execute("DELETE FROM trials WHERE optuna_number = 2")
    (folder / "optuna.db").unlink()
    with pytest.raises(RunError, match=r"1 of its first 8 trials \(number 2"):
        study(folder, resume=True)


def test_optunas_file_says_the_same(folder):
    trials = read_results(folder)[1]
    for mine, theirs in zip(trials, optuna_trials(folder), strict=True):
        assert theirs.number == mine.number
        assert theirs.params == dict(mine.drawn)
        assert theirs.user_attrs["params"] == dict(mine.params)
        assert theirs.value == mine.fixed_score
        assert all(each <= 0 for each in theirs.constraints.values()) == mine.feasible


def test_readers_of_optunas_file_hold_up_nobody(folder):
    """As optuna-dashboard reads, and worse: within a transaction that does not end."""
    with contextlib.closing(sqlite3.connect(folder / "optuna.db")) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (12,)
        found = study(folder, resume=True, trials=20)
        assert not found.notes
        # It still sees what it saw, and others see all.
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (12,)
        assert len(optuna_trials(folder)) == 20


def test_a_writer_in_optunas_file_does_not_hurt_the_study(folder, monkeypatch):
    monkeypatch.setattr(storage, "_PATIENCE", 0.05)
    with contextlib.closing(sqlite3.connect(folder / "optuna.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        found = study(folder, resume=True, trials=20)
        assert any("locked" in note for note in found.notes)
    assert len(found.trials) == len(read_results(folder)[1]) == 20
    assert len(optuna_trials(folder)) == 12
    assert not study(folder, resume=True, trials=20).notes
    assert len(optuna_trials(folder)) == 20


def test_cleanup_keeps_the_valid_first_and_leaves_optuna_alone(folder):
    before, trials = (folder / "optuna.db").read_bytes(), read_results(folder)[1]
    valid = sorted((t for t in trials if t.feasible), key=lambda t: -t.score)
    others = sorted((t for t in trials if not t.feasible), key=lambda t: t.violation)
    assert len(valid) >= 2
    assert cleanup(folder, "hill", len(valid) + 1) == 12 - len(valid) - 1
    left = {t.number for t in read_results(folder)[1]}
    assert left == {t.number for t in [*valid, others[0]]}
    assert cleanup(folder, None, 1) == len(valid)
    assert [t.number for t in read_results(folder)[1]] == [valid[0].number]
    assert (folder / "optuna.db").read_bytes() == before
    assert content(study(folder, resume=True, trials=16).trials) == content(
        study(None, trials=16).trials
    )
    with pytest.raises(ArgumentError, match="keep"):
        cleanup(folder, "hill", 0)


def test_what_is_not_there_is_said(folder, tmp_path):
    with pytest.raises(RunError, match="no results at"):
        read_results(tmp_path / "nowhere.db")
    with pytest.raises(ArgumentError, match=r"no study 'hil'; did you mean hill\?"):
        read_results(folder, "hil")
    with pytest.raises(ArgumentError, match="no study 'hil'"):
        cleanup(folder, "hil", 3)


def test_columns_hold_what_their_names_say(folder):
    with contextlib.closing(sqlite3.connect(folder / "results.db")) as link:
        link.row_factory = sqlite3.Row
        rows = link.execute("SELECT * FROM trials ORDER BY optuna_number").fetchall()
        modes = link.execute("PRAGMA journal_mode").fetchone()[0]
    assert modes == "wal"
    for row, trial in zip(rows, read_results(folder)[1], strict=True):
        assert {name: row[f"param_{name}"] for name in SPACE.order} == dict(trial.params)
        assert json.loads(row["run_params_json"]) == dict(trial.params)
        assert json.loads(row["params_json"]) == {"": dict(trial.params)}
        assert row["is_valid"] == trial.feasible
        assert json.loads(row["violations_json"]) == list(trial.violated)
        assert (row["score"], row["violation_score"]) == (trial.score, trial.violation)


def test_parameters_of_any_name_have_columns(tmp_path):
    odd = Space("odd", (Dimension('a "b"; c', 0.0, 1.0), *SPACE.dimensions), SPACE.dependents)

    class Odd(Hill):
        def evaluator(self):
            return Anything()

    class Anything:
        def metrics(self, params, stop=None):
            return Metrics(
                sharpe=math.nan,
                total_return=0.1,
                profit_factor=math.inf,
                calmar=1.0,
                max_drawdown=0.1,
                trades=9,
                win_rate=1.0,
                final_equity=1.0,
            )

    study(tmp_path, problem=Odd(), space=odd, trials=2)
    (first, _) = read_results(tmp_path)[1]
    assert first.score is first.fixed_score is None
    assert first.metrics.profit_factor == math.inf
    assert math.isnan(first.metrics.sharpe)
    with contextlib.closing(sqlite3.connect(tmp_path / "results.db")) as link:
        kept = link.execute("SELECT score, metrics_json FROM trials").fetchone()
    assert kept[0] is None
    assert "NaN" not in kept[1]
    assert "Infinity" not in kept[1]


def test_metrics_come_back_as_they_were():
    made = Metrics(
        sharpe=0.1 + 0.2,
        total_return=math.nan,
        profit_factor=math.inf,
        calmar=-math.inf,
        max_drawdown=1e-300,
        trades=7,
        win_rate=0.0,
        final_equity=1.0,
        liquidated=True,
    )
    again = metrics_of_json(json.loads(json.dumps(metrics_to_json(made), allow_nan=False)))
    assert repr(again) == repr(made)


DRAW = {"x": 0.4, "y": 0.5, "n": 10, "m_ratio": 0.5, "c": 1, "idle": 1.0}


def optuna_trials(folder):
    """Optuna's trials of the study, read as its tools do."""
    opened = optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
    try:
        return optuna.load_study(study_name="hill", storage=opened).get_trials()
    finally:
        opened.remove_session()
        opened.engine.dispose()
