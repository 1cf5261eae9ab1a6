"""Walk-forward optimisation: a study for each window, its best traded on what follows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from meseta.bayes import Space, run_study
from meseta.errors import ArgumentError
from meseta.optimise._window_files import WindowFiles
from meseta.optimise._window_results import Found, WindowStudies, WindowStudy
from meseta.walkforward import RollingWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from meseta.bayes import (
        Constraints,
        Metrics,
        Objective,
        Params,
        Problem,
        StudyOptions,
        StudyProgress,
        StudyResult,
    )

__all__ = ["SpaceOf", "WindowProgress", "optimize_windows"]

# A space, or what makes one from a problem over a window's in-sample rows.
SpaceOf: TypeAlias = "Space | Callable[[Problem], Space]"


@dataclass(frozen=True, slots=True)
class WindowProgress:
    """Where a walk is.

    Parameters
    ----------
    window, windows
        Number of the window, from 1, and how many there are.
    warm
        Whether its study begins with the best of the window before, where there is one.
    study
        Where its study is.
    """

    window: int
    windows: int
    warm: bool
    study: StudyProgress


def optimize_windows(
    problem: Problem,
    space: SpaceOf,
    windows: Sequence[RollingWindow | tuple[int, int, int]],
    *,
    capital: float,
    objective: Objective,
    constraints: Constraints,
    options: StudyOptions,
    warm_start: bool = True,
    compare: bool = False,
    name: str = "windows",
    folder: Path | None = None,
    listener: Callable[[WindowProgress], None] | None = None,
) -> WindowStudies:
    """Search each window's in-sample rows and trade the best on its out-of-sample rows.

    A study knows its window's in-sample rows and what came before them, and nothing that comes
    after. The money that one window leaves is the capital of the next; every window begins and
    ends without a position. Where no trial is feasible the window stays out of the market; what
    its nearest miss would have done is told beside it.

    Each window's study has a seed of its own from that of the options and the window's number,
    the same with and without `warm_start`, so that both differ by the transfer alone.

    Parameters
    ----------
    problem
        What is traded, over any span; its rows are those of the windows.
    space
        What is searched; or a function that makes it from the problem over a window's in-sample
        rows, where ranges depend on prices that must not be those of later windows.
    windows
        As `meseta.walkforward.plan_windows` lays them, or (in-sample start, out-of-sample start,
        out-of-sample stop), in the order of time.
    capital
        Money before the first out-of-sample bar.
    objective, constraints, options
        Of every study; the trials are those of one window.
    warm_start
        Whether a study's first trial is the best of the window before (transfer).
    compare
        Walk once more the other way, to say what the transfer changed.
    name
        Of the studies.
    folder
        Where a file is kept for each finished window, so that the same walk goes on where it was
        stopped; None for nowhere.
    listener
        Is told of every trial.

    Raises
    ------
    ArgumentError
        Windows are out of order or do not fit the data, or the capital is not positive.
    """
    walk = _Walk(problem, space, _checked(problem, windows), capital, objective, constraints,
                 options, name, WindowFiles(folder), listener)  # fmt: skip
    walk.require()
    chosen, stopped = walk.through(warm=warm_start)
    other: list[WindowStudy] = []
    if compare and not stopped:
        # Before there is anything to transfer both ways are one.
        begun = [replace(chosen[0], warm=not warm_start)]
        other, stopped = walk.through(warm=not warm_start, begun=begun)
    return WindowStudies(
        tuple(chosen), tuple(other), problem.time, capital, warm_start, interrupted=stopped
    )


@dataclass(frozen=True)
class _Walk:
    """A walk over windows, with or without transfer."""

    problem: Problem
    space: SpaceOf
    windows: tuple[RollingWindow, ...]
    capital: float
    objective: Objective
    constraints: Constraints
    options: StudyOptions
    name: str
    files: WindowFiles
    listener: Callable[[WindowProgress], None] | None

    def require(self) -> None:
        """Raise before work starts where a window or the capital cannot be used."""
        if not 0 < self.capital < np.inf:
            raise ArgumentError(f"`capital` must be positive and finite, got {self.capital!r}")
        for window in self.windows:
            self.problem.over(window.in_start, window.in_stop)
            self.problem.over(window.out_start, window.out_stop, self.capital)

    def through(
        self, *, warm: bool, begun: Sequence[WindowStudy] = ()
    ) -> tuple[list[WindowStudy], bool]:
        """Return what came of each window, and whether the user stopped the walk."""
        done = list(begun)
        for window in self.windows[len(done) :]:
            first = done[-1].found.params if warm and done and done[-1].found else None
            found, trials, feasible, stopped = self._searched(window, first, warm=warm)
            if stopped:
                return done, True
            capital = done[-1].final_equity if done else self.capital
            outside, equity = self._traded(window, found, capital)
            done.append(
                WindowStudy(window, warm, found, trials, feasible, outside, capital, equity)
            )
        return done, False

    def _searched(
        self, window: RollingWindow, first: Params | None, *, warm: bool
    ) -> tuple[Found | None, int, int, bool]:
        """Return the best trial of a window's study, its trials, how many were feasible."""
        inside = self.problem.over(window.in_start, window.in_stop)
        space = self.space if isinstance(self.space, Space) else self.space(inside)
        options = replace(self.options, seed=_seed(self.options.seed, window.number))
        key = self.files.key(inside, space, self.objective, self.constraints, options, first)
        kept = self.files.read(window.number, key, warm=warm)
        if kept is not None:
            return *kept, False
        result = run_study(
            inside, space, self.objective, self.constraints, options,
            name=f"{self.name}-{window.number}", first=() if first is None else (first,),
            listener=self._listener(window, warm=warm),
        )  # fmt: skip
        found, trials = _found(result), len(result.trials)
        feasible = sum(trial.feasible for trial in result.trials)
        if not result.interrupted:
            self.files.write(window.number, key, found, trials, feasible, warm=warm)
        return found, trials, feasible, result.interrupted

    def _traded(
        self, window: RollingWindow, found: Found | None, capital: float
    ) -> tuple[Metrics | None, np.ndarray]:
        """Return the out-of-sample figures, and the equity of what was traded."""
        idle = np.full(window.out_stop - window.out_start, capital)
        if found is None or capital <= 0:
            return None, idle
        # What is not traded is told with the first window's money.
        money = capital if found.feasible else self.capital
        run = self.problem.over(window.out_start, window.out_stop, money).evaluator()
        outside = run.metrics(found.params)
        return outside, run.curve(found.params) if found.feasible else idle

    def _listener(
        self, window: RollingWindow, *, warm: bool
    ) -> Callable[[StudyProgress], None] | None:
        if self.listener is None:
            return None
        tell, many = self.listener, len(self.windows)
        return lambda study: tell(WindowProgress(window.number, many, warm, study))


def _found(result: StudyResult) -> Found | None:
    """Return the best trial of a study, else the nearest miss; None where all failed."""
    trial = result.best or next(iter(result.nearest), None)
    if trial is None or trial.metrics is None:
        return None
    return Found(
        trial.number, dict(trial.params), trial.metrics, trial.fixed_score, trial.feasible,
        trial.violated,
    )  # fmt: skip


def _seed(seed: int, window: int) -> int:
    return int(np.random.SeedSequence([seed, window]).generate_state(1)[0])


def _checked(
    problem: Problem, windows: Sequence[RollingWindow | tuple[int, int, int]]
) -> tuple[RollingWindow, ...]:
    """Return windows, in order and inside the data."""
    found = [_window(each, number) for number, each in enumerate(windows, 1)]
    if not found:
        raise ArgumentError("`windows` must have at least one window, got none")
    for w in found:
        if not 0 <= w.in_start < w.in_stop <= w.out_start < w.out_stop <= problem.time.size:
            raise ArgumentError(
                "`windows` must satisfy 0 <= in_start < in_stop <= out_start < out_stop <= "
                f"{problem.time.size} (rows of the data), got {w.in_start}, {w.in_stop}, "
                f"{w.out_start} and {w.out_stop} as window {w.number}"
            )
    for a, b in itertools.pairwise(found):
        if b.out_start < a.out_stop:
            raise ArgumentError(
                f"`windows` must be traded one after the other: window {b.number} begins at row "
                f"{b.out_start}, before window {a.number} ends at {a.out_stop}"
            )
    return tuple(found)


def _window(given: RollingWindow | tuple[int, int, int], number: int) -> RollingWindow:
    if isinstance(given, RollingWindow):
        return given
    start, edge, stop = given
    return RollingWindow(number, start, edge, edge, stop, partial=False)
