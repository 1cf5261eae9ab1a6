"""Worker processes: the same study with any number of them, and what goes wrong in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from analytic_problem import BAD_ENDS, SPACE, Hill, content
from meseta.bayes import Constraints, Objective, StudyOptions, read_results, run_study
from meseta.bayes import _interrupt as interrupt
from meseta.bayes import _workers as workers
from meseta.bayes._interrupt import Stop
from meseta.errors import ArgumentError, RunError

TESTS = Path(__file__).resolve().parents[1]
BEGIN = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
from analytic_problem import SPACE, Hill, content
from meseta.bayes import Constraints, Objective, StudyOptions, run_study
def study(problem, *, name="hill", folder=None, resume=False, **options):
    chosen = StudyOptions(**options)
    return run_study(problem, SPACE, Objective(), Constraints(max_drawdown=0.3), chosen,
        name=name, folder=folder, resume=resume)
"""


@pytest.fixture(autouse=True)
def _light_workers(monkeypatch):
    """Keep workers from importing pytest, which is their parent's main module."""
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)


def begun(code):
    """Start a process of its own group, as a terminal would."""
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def study(problem, folder=None, resume=False, listener=None, **options):
    chosen = StudyOptions(**{"workers": 2, **options})
    return run_study(
        problem,
        SPACE,
        Objective(),
        Constraints(max_drawdown=0.3),
        chosen,
        name="hill",
        folder=folder,
        resume=resume,
        listener=listener,
    )


def wait_for(happened, process, seconds=60):
    for _ in range(seconds * 20):
        if happened():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("nothing happened")


def test_one_two_and_four_workers_find_the_same_in_fresh_processes():
    code = "import hashlib\ntrials = study(Hill('raises'), trials=22, seed=3, workers={}).trials"
    code += "\nprint(hashlib.sha256(repr(content(trials)).encode()).hexdigest(), len(trials))"
    made = [begun(code.format(count)) for count in (1, 2, 4)]
    said = [process.communicate(timeout=100) for process in made]
    assert all(not errors for _, errors in said), said
    assert len({output for output, _ in said}) == 1
    assert said[0][0].endswith(" 22\n")


def test_workers_do_not_change_what_is_pruned():
    options = {"pruner": "median", "adaptive": "rebuild", "epoch_every": 10, "trials": 24}
    alone, two = (study(Hill(), workers=count, **options) for count in (1, 2))
    assert content(alone.trials) == content(two.trials)
    assert {each.state for each in two.trials} == {"complete", "pruned"}


def test_crashes_are_tried_again_and_time_outs_once(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "PAUSES", (0.01, 0.02, 0.03))
    middle = SPACE.params({"x": 0.5, "y": 0.5, "n": 10, "m_ratio": 0.5, "c": 1, "idle": 1.0})
    tasks = [workers.Task(at, {**middle, "y": y}) for at, y in enumerate([*BAD_ENDS, 0.5])]
    pool = workers.Pool(Hill("bad ends", str(tmp_path)), 2, 0.5)
    found = {each.number: each for each in pool.run(tasks, Stop())}
    pool.close()
    assert {number: (each.attempts, each.error) for number, each in found.items()} == {
        0: (4, "its process ended with exit code 7, 4 times"),
        1: (2, ""),
        2: (2, "took longer than 0.5 s, 2 times"),
        3: (2, ""),
        4: (1, ""),
    }
    for number, each in found.items():
        expected = Hill().evaluator().metrics(tasks[number].params)
        assert each.metrics == (None if each.error else expected)
    begun = {mark.name: len(mark.read_text()) for mark in tmp_path.iterdir()}
    assert begun == {"dies": 4, "dies once": 2, "sleeps": 2, "sleeps once": 2}


def test_a_worker_loads_no_more_than_its_problem():
    heavy = "{'optuna', 'sqlalchemy', 'numpy', 'numba', 'polars', 'psycopg', 'filelock'}"
    code = f"import sys, meseta.bayes; print({heavy} & set(sys.modules))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout == "set()\n"


def test_what_does_not_end_after_ctrl_c_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(interrupt, "GRACE", 0.1)
    stop, pool = Stop(), workers.Pool(Hill("bad ends", str(tmp_path)), 1, None)

    def when_it_runs():
        while not (tmp_path / "sleeps").exists():
            time.sleep(0.01)
        stop()

    threading.Thread(target=when_it_runs).start()
    middle = SPACE.params({"x": 0.5, "y": 0.5, "n": 10, "m_ratio": 0.5, "c": 1, "idle": 1.0})
    assert not list(pool.run([workers.Task(0, {**middle, "y": 0.3})], stop))
    with pytest.raises(KeyboardInterrupt):
        stop()


def test_ctrl_c_in_this_process_ends_after_the_trial():
    before = signal.getsignal(signal.SIGINT)
    found = study(
        Hill(),
        trials=12,
        workers=1,
        listener=lambda at: signal.raise_signal(signal.SIGINT) if at.done == 5 else None,
    )
    assert found.interrupted
    assert content(found.trials) == content(study(Hill(), trials=12, workers=1).trials[:5])
    assert signal.getsignal(signal.SIGINT) is before


def test_a_worker_that_cannot_begin_is_said(tmp_path):
    with pytest.raises(RunError, match="there is nothing to trade"):
        study(Hill("no evaluator"), tmp_path / "a", workers=1)
    with pytest.raises(RunError, match=r"exit code 9.*__main__"):
        study(Hill("dies early"), tmp_path / "b", workers=1)


def test_a_problem_that_cannot_be_sent_is_said():
    class Inner(Hill):
        pass

    with pytest.raises(ArgumentError, match="`hill` cannot be sent"):
        study(Inner(), trials=2)


def test_ctrl_c_keeps_what_is_finished_and_resumes(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    problem = f"Hill('waits', {str(marks)!r})"
    process = begun(
        f"found = study({problem}, folder=Path({str(tmp_path)!r}), trials=12, workers=2, batch=4)"
        "\nprint(found.interrupted, len(found.trials))"
    )
    wait_for(lambda: len(list(marks.iterdir())) >= 6, process)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert not errors
    interrupted, kept = output.split()
    assert interrupted == "True"
    assert 4 <= int(kept) < 12
    _, trials = read_results(tmp_path)
    assert len(trials) == int(kept)
    # What was running had time to end, so that nothing was back-tested for nothing.
    assert len(list(marks.iterdir())) == int(kept)
    resumed = study(Hill(), tmp_path, resume=True, trials=12, timeout=None, workers=1)
    assert content(resumed.trials) == content(study(Hill(), trials=12, workers=1).trials)


def test_a_killed_parent_loses_a_batch_at_most(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    problem = f"Hill('waits', {str(marks)!r})"
    process = begun(
        f"study({problem}, folder=Path({str(tmp_path)!r}), trials=12, workers=2, batch=2)"
    )
    wait_for(lambda: len(list(marks.iterdir())) >= 5, process)
    process.kill()
    process.communicate(timeout=60)
    _, trials = read_results(tmp_path)
    assert len(trials) >= len(list(marks.iterdir())) - 2
    assert [each.number for each in trials] == list(range(len(trials)))
    # The lock went with its process, and the study with nobody.
    resumed = study(Hill(), tmp_path, resume=True, trials=12, batch=2, workers=1, timeout=None)
    assert content(resumed.trials) == content(study(Hill(), trials=12, batch=2, workers=1).trials)
