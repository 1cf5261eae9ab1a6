"""Studies that several processes share through a PostgreSQL server, a real one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from analytic_problem import SPACE, Hill, content
from meseta.bayes import Constraints, Objective, StudyOptions, read_results, run_study
from meseta.bayes._storage import postgres_url
from meseta.errors import ArgumentError, RunError

pytest.importorskip("psycopg", reason="psycopg is not installed")

USER = "postgres"  # the server refuses to run as root


def binaries():
    """The folder of the server's programs."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found is None and not folders:
        pytest.skip("no PostgreSQL server is installed")
    return Path(found).parent if found is not None else folders[-1].parent


def as_user():
    """What a command begins with that must not run as root."""
    if os.name == "nt" or os.geteuid() != 0:
        return []
    if shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    return ["runuser", "-u", USER, "--"]


@pytest.fixture(scope="module")
def server():
    """Address of a server that lives as long as these tests."""
    programs, before = binaries(), as_user()
    # Not in pytest's folder, which is root's alone.
    folder = Path(tempfile.mkdtemp(prefix="meseta-postgres-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if before:
        shutil.chown(folder, USER)
    data = folder / "data"

    def call(program, *arguments):
        command = [*before, programs / program, "-D", data, *arguments]
        log = (folder / "log.txt").open("a")
        with log:
            made = subprocess.run(command, stdout=log, stderr=log, cwd=folder, timeout=60)
        if made.returncode:
            pytest.skip(f"no PostgreSQL server can be started: {(folder / 'log.txt').read_text()}")

    try:
        call("initdb", "-U", "meseta", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        call("pg_ctl", "-w", "-o", options, "start")
        yield f"postgresql://meseta:secret@127.0.0.1:{port}/postgres"
        call("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def study(url, name, *, resume=False, problem=None, folder=None, listener=None, **options):
    chosen = StudyOptions(**{"trials": 12, "workers": 1, "timeout": None, **options})
    return run_study(
        problem or Hill(),
        SPACE,
        Objective(),
        Constraints(max_drawdown=0.3),
        chosen,
        name=name,
        storage=url,
        folder=folder,
        resume=resume,
        listener=listener,
    )


@pytest.mark.parametrize("options", [{}, {"sampler": "nsga2", "population": 6}])
def test_one_process_finds_what_it_finds_in_files(server, options, tmp_path):
    name = f"alone {options}"
    study(server, name, trials=8, **options)
    told = []
    found = study(server, name, resume=True, folder=tmp_path, listener=told.append, **options)
    assert [(each.done, each.new) for each in told] == [(8 + n, n) for n in range(5)]
    assert content(found.trials) == content(study(None, name, **options).trials)
    assert repr(read_results(tmp_path)[1]) == repr(found.trials)


def test_two_share_a_study(server, tmp_path):
    marks = [tmp_path / "a", tmp_path / "b"]
    for mark in marks:
        mark.mkdir()
    study(server, "two", trials=1, batch=2)
    found = {}

    def join(mark):
        problem = Hill("waits", str(mark))
        found[mark] = study(server, "two", resume=True, problem=problem, trials=17, batch=2)

    threads = [threading.Thread(target=join, args=(mark,)) for mark in marks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    one, other = (found[mark] for mark in marks)
    assert [t.number for t in one.trials] == list(range(17))
    assert content(one.trials) == content(other.trials)
    done = [{each.name for each in mark.iterdir()} for mark in marks]
    # Both have done a part, and nothing was done twice.
    assert all(len(each) >= 4 for each in done)
    assert not done[0] & done[1]
    assert len(done[0] | done[1]) == 16


def test_what_a_dead_process_ran_is_taken_over(server, monkeypatch):
    class Killed(BaseException):
        pass

    class Fatal(Hill):
        def evaluator(self):
            raise Killed

    with pytest.raises(Killed):
        study(server, "orphans", problem=Fatal(), batch=4)
    found = study(server, "orphans", resume=True, batch=4)
    assert content(found.trials) == content(study(None, "orphans", batch=4).trials)


def test_a_shared_study_is_joined_only_as_what_it_is(server, tmp_path):
    study(server, "known", trials=1)
    study(None, "known", trials=1, seed=9, folder=tmp_path)
    with pytest.raises(RunError, match=r"options\.seed"):
        study(server, "known", resume=True, folder=tmp_path)
    with pytest.raises(RunError, match=r"exists already in 127\.0\.0\.1.*--resume"):
        study(server, "known")
    with pytest.raises(RunError, match=r"options\.seed"):
        study(server, "known", resume=True, seed=4)
    with pytest.raises(RunError, match="the data"):
        study(server, "known", resume=True, problem=Hill(height=2.0))


def test_addresses_are_checked_and_passwords_kept(monkeypatch):
    with pytest.raises(ArgumentError, match="PostgreSQL address"):
        study("mysql://me:secret@host/db", "x")
    with pytest.raises(RunError, match=r"127\.0\.0\.1:1/db cannot be used") as caught:
        study("postgresql://me:secret@127.0.0.1:1/db", "x")
    assert "secret" not in str(caught.value)
    for password in ("my@secret", "my/secret", "my?secret"):
        with pytest.raises(ArgumentError, match="write %40 for @") as refused:
            study(f"postgresql://me:{password}@127.0.0.1:1/db", "x")
        assert "secret" not in str(refused.value)
    with pytest.raises(RunError, match=r"127\.0\.0\.1:1/db cannot be used") as caught:
        study("postgresql://127.0.0.1:1/db?user=me&password=secret", "x")
    assert "secret" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ArgumentError, match=r"install meseta\[postgres\]"):
        study("postgresql://me@host/db", "x")
    monkeypatch.undo()
    assert postgres_url("postgres://a@b/c") == "postgresql://a@b/c"
    assert postgres_url("postgresql+psycopg://a@b/c") == "postgresql://a@b/c"
