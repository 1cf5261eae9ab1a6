"""Work that is done in a process of its own each time, and killed when it takes too long.

The event-driven engine keeps its logging and some of its state once a process, grows with each
run, and cannot be stopped from outside a run; a process that ends after one run settles all three.
"""

from __future__ import annotations

import multiprocessing as mp
import signal
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

__all__ = ["Answer", "answers_of"]

Job = TypeVar("Job")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Answer(Generic[Value]):
    """What one piece of work came to.

    Parameters
    ----------
    number
        Which piece, from 0.
    value
        What it returned; None where it failed.
    error
        Why it failed; empty where it did not.
    seconds
        How long it took, its process's start included.
    """

    number: int
    value: Value | None
    error: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Running:
    number: int
    process: SpawnProcess
    answer: Connection
    began: float


def answers_of(
    work: Callable[[Job], Value], jobs: Sequence[Job], *, workers: int, timeout: float
) -> Iterator[Answer[Value]]:
    """Do each job in a fresh process, and give the answers as they come.

    Parameters
    ----------
    work
        A function that a fresh process can import.
    jobs
        What it is called with, once each.
    workers
        How many processes run at a time.
    timeout
        Seconds after which a process is killed.

    Yields
    ------
    Answer
        One for each job, in the order in which they end. Leaving the loop early kills the rest.
    """
    waiting, running = deque(enumerate(jobs)), list[_Running]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_start(work, *waiting.popleft()))
            for one in _ended(running, timeout):
                running.remove(one)
                yield _answer(one, timeout)
    finally:
        for one in running:
            _kill(one)


def _start(work: Callable[[Job], Value], number: int, job: Job) -> _Running:
    # A forked copy of a process with running threads may hang; a spawned one starts clean.
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, work, job), daemon=True)
    began = time.monotonic()
    process.start()
    # The end of the file tells that the process is gone only when nobody else holds it open.
    theirs.close()
    return _Running(number, process, ours, began)


def _work(answer: Connection, work: Callable[[Job], Value], job: Job) -> None:
    """Run in the fresh process: answer with a value or with the text of what went wrong."""
    # Ctrl-C reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        answer.send((work(job), ""))
    except Exception as error:
        answer.send((None, f"{type(error).__name__}: {error}"))


def _ended(running: Sequence[_Running], timeout: float) -> list[_Running]:
    """Wait for the next answer or time limit, and return what has either."""
    last = min(one.began for one in running) + timeout
    ready = wait([one.answer for one in running], max(0.0, last - time.monotonic()))
    late = time.monotonic() - timeout
    return [one for one in running if one.answer in ready or one.began <= late]


def _answer(one: _Running, timeout: float) -> Answer[Value]:
    seconds = time.monotonic() - one.began
    try:
        if one.answer.poll():
            value, error = one.answer.recv()
        else:
            value, error = None, f"took longer than {timeout:g} s and was stopped"
    except EOFError:
        one.process.join(timeout=10)
        value, error = None, f"its process ended with exit code {one.process.exitcode}"
    _kill(one)
    return Answer(one.number, value, error, seconds)


def _kill(one: _Running) -> None:
    one.process.kill()
    one.process.join()
    one.answer.close()
