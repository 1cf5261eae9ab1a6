"""A problem whose back-test is a formula: studies of it take no time, and spawn can import it."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from meseta.bayes import AtMost, Dependent, Dimension, Metrics, Space

SPACE = Space(
    "hill",
    (
        Dimension("x", 0.0, 1.0),
        Dimension("y", 0.0, 1.0),
        Dimension("n", 1, 20, integer=True),
        Dimension("m_ratio", 0.0, 1.0),
        Dimension.of_choices("c", (1.0, 5.0, 25.0)),
        Dimension("idle", 0.01, 10.0, log=True),
    ),
    (Dependent("m", "m_ratio", 1, 10, integer=True, bound=AtMost("n")),),
    fixed={"k": 3},
)


@dataclass(frozen=True)
class Hill:
    """A hill at x 0.7, y 0.3, and a kind of trouble that happens somewhere on it."""

    trouble: str = ""
    marks: str = ""
    span: tuple[int, int] = (20, 120)
    height: float = 1.0

    name = "hill"

    @property
    def fingerprint(self):
        return f"hill {self.height} {self.span}"

    @property
    def time(self):
        return np.datetime64("2024-01-01", "us") + np.arange(200) * np.timedelta64(1, "D")

    def over(self, start, stop, capital=None):
        return replace(self, span=(start, stop))

    def shuffled(self, seed):
        return replace(self, height=0.0)

    def evaluator(self):
        if self.trouble == "no evaluator":
            raise ValueError("there is nothing to trade")
        if self.trouble == "dies early":
            os._exit(9)
        if self.trouble == "bad ends":
            assert os.environ["NUMBA_NUM_THREADS"] == "1"
        return _Walk(self)


class _Walk:
    def __init__(self, problem):
        self.problem = problem

    def metrics(self, params, stop=None):
        assert set(params) == {"x", "y", "n", "m", "c", "idle", "k"}
        assert params["m"] <= params["n"]
        self._trouble(params)
        first, last = self.problem.span
        share = ((last if stop is None else stop) - first) / (last - first)
        away = (params["x"] - 0.7) ** 2 + (params["y"] - 0.3) ** 2 + (params["m"] - 4) ** 2 / 200
        good = self.problem.height * (1.2 - 3 * away - 0.02 * (params["c"] == 25.0))
        rare = self.problem.trouble == "rare" and params["x"] < 0.5
        trades = 3 if rare else int(200 * share * params["y"])
        some = trades > 0
        return Metrics(
            sharpe=2.5 * good,
            total_return=0.3 * good * share,
            profit_factor=math.inf if params["x"] > 0.97 else max(0.0, 1 + good),
            calmar=1.5 * good,
            max_drawdown=min(1.0, 0.1 + 0.2 * params["x"]),
            trades=trades,
            win_rate=0.55 if some else math.nan,
            final_equity=10_000 * (1 + 0.3 * good * share),
        )

    def curve(self, params):
        return np.full(self.problem.span[1] - self.problem.span[0], 10_000.0)

    def _trouble(self, params):
        kind = self.problem.trouble
        if kind == "raises" and params["x"] > 0.8:
            raise ValueError("x is too large")
        if kind == "bad ends" and params["y"] in BAD_ENDS:
            self._bad_end(BAD_ENDS[params["y"]])
        if kind == "waits":
            self._mark(f"{params['x']!r}")
            time.sleep(0.15)

    def _bad_end(self, how):
        again = self._mark(how)
        if how.endswith("once") and again:
            return
        if how.startswith("dies"):
            os._exit(7)
        time.sleep(60)

    def _mark(self, name):
        """Leave a sign of this back-test; tell whether there was one."""
        mark = Path(self.problem.marks) / name
        before = mark.read_text() if mark.exists() else ""
        mark.write_text(before + "+")
        return bool(before)


# What happens in a worker, by y.
BAD_ENDS = {0.1: "dies", 0.2: "dies once", 0.3: "sleeps", 0.4: "sleeps once"}


def content(trials):
    """All of trials that a seed decides, comparable."""
    return [
        repr(replace(each, started_at=None, duration=0.0, params=dict(each.params)))
        for each in trials
    ]
