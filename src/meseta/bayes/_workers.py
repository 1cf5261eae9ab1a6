"""Back-tests in this process or in others, which can be ended when they take too long.

A pool's processes are spawned once and live through the study. Each has the problem once, and
one thread. The parent alone writes anything.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Protocol

from meseta.bayes._interrupt import shielded
from meseta.errors import ArgumentError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from meseta.bayes._interrupt import Stop
    from meseta.bayes._metrics import Metrics
    from meseta.bayes._problem import Evaluator, Params, Problem

__all__ = ["InProcess", "Outcome", "Pool", "Runner", "Task", "runner_of"]

# Seconds before a trial is tried again after its worker crashed.
PAUSES = (1.0, 2.0, 4.0)
_TIMEOUTS = 2  # back-tests that may take too long before a trial fails
_STARTS = 3  # workers that may die before their first back-test
_POLL = 0.2  # seconds; a wait without an end would not notice Ctrl-C on Windows
_ONE_THREAD = (
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """A back-test to be made: `number` names it, `stop` is that of `Evaluator.metrics`."""

    number: int
    params: Params
    stop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a task: metrics, or why there are none."""

    number: int
    metrics: Metrics | None
    error: str
    started_at: datetime
    duration: float
    attempts: int


class Runner(Protocol):
    """Makes back-tests."""

    def run(self, tasks: Sequence[Task], stop: Stop) -> Iterator[Outcome]:
        """Yield outcomes as they come; fewer than tasks only when the study should end."""
        ...

    def close(self) -> None:
        """End whatever runs."""
        ...


def runner_of(problem: Problem, workers: int, timeout: float | None, *, inside: bool) -> Runner:
    """Return what makes a problem's back-tests: in this process if `inside`, else in others."""
    return InProcess(problem) if inside else Pool(problem, workers, timeout)


class InProcess:
    """Makes back-tests one after the other, here."""

    def __init__(self, problem: Problem) -> None:
        self._evaluator = problem.evaluator()

    def run(self, tasks: Sequence[Task], stop: Stop) -> Iterator[Outcome]:
        """Yield outcomes in the order of the tasks."""
        for task in tasks:
            if stop.wanted:
                return
            started, began = datetime.now(UTC), time.monotonic()
            metrics, error = _tested(self._evaluator, task.params, task.stop)
            yield Outcome(
                number=task.number,
                metrics=metrics,
                error=error,
                started_at=started,
                duration=time.monotonic() - began,
                attempts=1,
            )

    def close(self) -> None:
        """Do nothing: nothing runs."""


class Pool:
    """Makes back-tests in worker processes.

    Parameters
    ----------
    problem
        Pickled once.
    workers
        Processes.
    timeout
        Seconds of a back-test after which its process is killed; None for no limit.

    Raises
    ------
    ArgumentError
        The problem cannot be pickled.
    """

    def __init__(self, problem: Problem, workers: int, timeout: float | None) -> None:
        try:
            self._problem = pickle.dumps(problem, protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise ArgumentError(
                f"the problem `{problem.name}` cannot be sent to worker processes: {error}; "
                "define it at the top of a module, or use one worker without a timeout"
            ) from error
        self._timeout = timeout
        self._size = workers
        self._workers: list[_Worker] = []
        self._dead_starts = 0

    def run(self, tasks: Sequence[Task], stop: Stop) -> Iterator[Outcome]:
        """Yield outcomes as they come.

        Raises
        ------
        RunError
            No worker process can be started.
        """
        waiting = deque(_Job(task) for task in tasks)
        self._fill(len(waiting))
        while waiting or any(worker.job for worker in self._workers):
            if stop.wanted:
                waiting.clear()
            if stop.overdue:
                self.close()
                return
            self._give(waiting)
            for worker in self._heard():
                yield from self._settled(worker, waiting)

    def close(self) -> None:
        """Kill all workers."""
        for worker in self._workers:
            worker.kill()
        self._workers = []

    def _fill(self, tasks: int) -> None:
        """Start the workers that are missing and have something to do; first all, then feed."""
        with shielded():
            new = [_Worker() for _ in range(min(self._size, tasks) - len(self._workers))]
        self._workers += new
        for worker in new:
            worker.feed(self._problem)

    def _give(self, waiting: deque[_Job]) -> None:
        now = time.monotonic()
        for worker in self._workers:
            job = next((each for each in waiting if each.not_before <= now), None)
            if job is not None and worker.ready and worker.job is None:
                waiting.remove(job)
                worker.give(job)

    def _heard(self) -> list[_Worker]:
        """Return the workers that have said something, died, or taken too long."""
        said = set(wait([each.connection for each in self._workers], timeout=_POLL))
        late = time.monotonic() - (self._timeout or float("inf"))
        return [
            each
            for each in self._workers
            if each.connection in said or (each.job and each.given < late)
        ]

    def _settled(self, worker: _Worker, waiting: deque[_Job]) -> Iterator[Outcome]:
        """Take what a worker says; yield the outcome of a job that is done with."""
        said, job = worker.said(), worker.job
        if said is None:
            yield from self._lost(worker, waiting)
        elif job is None:
            self._began(*said)
        else:
            worker.job = None
            yield job.outcome(*said)

    def _lost(self, worker: _Worker, waiting: deque[_Job]) -> Iterator[Outcome]:
        """Replace a worker that is dead or late; its job goes on, or fails."""
        job = worker.job
        failed = job is not None and not job.again(worker.exitcode)
        if job is not None and not failed:
            waiting.append(job)
        self._replace(worker, len(waiting))
        if job is not None and failed:
            yield job.outcome(None, job.failure(self._timeout))

    def _began(self, metrics: Metrics | None, error: str) -> None:
        """Take a new worker's first word."""
        if metrics is None and error:
            self.close()
            raise RunError(f"the problem cannot be set up in a worker process: {error}")
        self._dead_starts = 0

    def _replace(self, worker: _Worker, tasks: int) -> None:
        self._dead_starts += not worker.ready
        worker.kill()
        self._workers.remove(worker)
        if self._dead_starts >= _STARTS:
            self.close()
            raise RunError(
                "worker processes end before their first back-test (exit code "
                f"{worker.exitcode}); a script that runs a study must do so under "
                "`if __name__ == '__main__':`, and each worker needs memory for the problem: use "
                "fewer workers"
            )
        self._fill(tasks)


class _Job:
    """A task on its way through attempts."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.not_before = 0.0
        self.crashes: list[int | None] = []
        self.timeouts = 0
        self._started: datetime | None = None
        self._began = 0.0

    def begin(self) -> None:
        if self._started is None:
            self._started, self._began = datetime.now(UTC), time.monotonic()

    def again(self, exitcode: int | None) -> bool:
        """Count the end of its worker, killed where there is no exit code; tell if it goes on."""
        if exitcode is None:
            self.timeouts += 1
            return self.timeouts < _TIMEOUTS
        self.crashes.append(exitcode)
        if len(self.crashes) > len(PAUSES):
            return False
        self.not_before = time.monotonic() + PAUSES[len(self.crashes) - 1]
        return True

    def failure(self, timeout: float | None) -> str:
        if self.timeouts >= _TIMEOUTS:
            return f"took longer than {timeout:g} s, {self.timeouts} times"
        return f"its process ended with exit code {self.crashes[-1]}, {len(self.crashes)} times"

    def outcome(self, metrics: Metrics | None, error: str) -> Outcome:
        assert self._started is not None  # it was given to a worker
        ends = self.timeouts + len(self.crashes)
        failed = self.timeouts >= _TIMEOUTS or len(self.crashes) > len(PAUSES)
        return Outcome(
            number=self.task.number,
            metrics=metrics,
            error=error,
            started_at=self._started,
            duration=time.monotonic() - self._began,
            attempts=ends if failed else ends + 1,
        )


class _Worker:
    """A worker process, seen from the parent."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.ready = False
        self.job: _Job | None = None
        self.given = 0.0
        self.exitcode: int | None = None

    def feed(self, problem: bytes) -> None:
        # One that died already is noticed when it is listened to.
        with contextlib.suppress(OSError):
            self.connection.send_bytes(problem)

    def give(self, job: _Job) -> None:
        job.begin()
        self.job, self.given = job, time.monotonic()
        with contextlib.suppress(OSError):
            self.connection.send((dict(job.task.params), job.task.stop))

    def said(self) -> tuple[Metrics | None, str] | None:
        """Return its word, or None where it is dead (`exitcode` is set) or late."""
        if not self.connection.poll():
            return None
        try:
            said: tuple[Metrics | None, str] = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            self.exitcode = self._process.exitcode
            return None
        self.ready = True
        return said

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _work(connection: Connection[Any, Any]) -> None:
    """Back-test what comes, until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        evaluator = _set_up(connection.recv_bytes())
    except EOFError:
        return
    except Exception as error:
        connection.send((None, _said(error)))
        return
    connection.send((None, ""))
    with contextlib.suppress(EOFError, OSError):
        while True:
            params, stop = connection.recv()
            connection.send(_tested(evaluator, params, stop))


def _set_up(problem: bytes) -> Evaluator:
    # Processes are as many as cores wanted: libraries must not multiply them.
    numba = sys.modules.get("numba")
    # One that the program's own imports brought refuses another number in the environment.
    names = _ONE_THREAD if numba is None else _ONE_THREAD[1:]
    os.environ.update(dict.fromkeys(names, "1"))
    loaded: Problem = pickle.loads(problem)  # what the parent has pickled itself
    if numba is not None:
        numba.set_num_threads(1)
    return loaded.evaluator()


def _end_with_parent() -> None:
    """End a back-test whose parent was killed: nobody would have its result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _tested(evaluator: Evaluator, params: Params, stop: int | None) -> tuple[Metrics | None, str]:
    """Return metrics and no error, or the reverse."""
    try:
        return evaluator.metrics(params, stop), ""
    except Exception as error:
        return None, _said(error)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
